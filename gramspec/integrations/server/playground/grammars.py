"""Grammars of the page: from the editor's text to a `Grammar`, and where in the text an error is.

Law: an error names a line and a column of what the user typed wherever its pointer has one.
Cost: that of the front end; a place is one pass over the text.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Final, NamedTuple

from gramspec.errors import GrammarError, UnsupportedError
from gramspec.grammar.core import Grammar
from gramspec.integrations.server.playground.requests import GrammarText

_URL: Final = re.compile(r"\s*[A-Za-z][A-Za-z0-9+_.-]*://")
_RELATIVE: Final = re.compile(r"^\s*%import\s+\.", re.MULTILINE)
_LINE_AND_COLUMN: Final = re.compile(r"^(\d+):(\d+)$")
_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*"')
_SPACE: Final = re.compile(r"[ \t\r\n]*")
_SCALAR: Final = re.compile(r"[^,\]}\s]+")


class Spot(NamedTuple):
    """A place in the editor.

    Attributes
    ----------
    line, column : int
        From 1, in characters.
    offset : int
        In characters, from 0.
    """

    line: int
    column: int
    offset: int


def make_grammar(source: GrammarText) -> Grammar:
    """The grammar that the editor holds.

    Parameters
    ----------
    source : GrammarText

    Raises
    ------
    GrammarError
        If the text is no such grammar, or would have to be read from elsewhere.
    """
    text = source.text
    if source.kind == "json_schema":
        from gramspec.grammar.json_schema import json_schema

        return json_schema(text, whitespace=source.whitespace)
    if source.kind == "regex":
        from gramspec.grammar.regex import regex

        return regex(text.removesuffix("\n"))
    if source.kind == "choice":
        from gramspec.grammar.choice import choice

        return choice(text.removesuffix("\n").split("\n"))
    if source.kind == "lark":
        from gramspec.grammar.lark import lark

        found = _RELATIVE.search(text)
        if found is not None:
            place = spot_at(text, found.end() - 1)
            raise UnsupportedError(
                f"{place.line}:{place.column}",
                "relative imports name files, and the page has none",
                "write the rules out, or import from `common`",
                text,
            )
        return lark(text, base_path="/nonexistent")
    if source.kind == "gbnf":
        from gramspec.grammar.gbnf import gbnf

        return gbnf(text)
    if source.kind == "structural_tag":
        from gramspec.grammar.tags import structural_tag

        return structural_tag(text)
    from gramspec.grammar.sql import sql

    if _URL.match(text):
        raise UnsupportedError(
            "@0",
            "the URL of a database is not opened from the page",
            "paste its CREATE TABLE statements",
            text,
        )
    return sql(text)


def key_of(source: GrammarText) -> str:
    """A name for the compiled grammar in a cache."""
    written = json.dumps([source.kind, source.whitespace, source.text]).encode()
    return "playground-" + hashlib.sha256(written).hexdigest()


def spot_of(error: GrammarError, text: str) -> Spot | None:
    """Where in the editor's text an error is; None if it is about the whole.

    Parameters
    ----------
    error : GrammarError
    text : str
        What the editor holds.
    """
    pointer = error.pointer
    if pointer.startswith("@") and pointer[1:].isdecimal():
        return spot_at(text, int(pointer[1:]))
    found = _LINE_AND_COLUMN.match(pointer)
    if found:
        line, column = int(found[1]), int(found[2])
        lines = text.split("\n")
        if not 1 <= line <= len(lines):
            return None
        return Spot(line, column, sum(len(each) + 1 for each in lines[: line - 1]) + column - 1)
    if pointer.startswith("/"):
        offset = offset_of(text, pointer)
        return None if offset is None else spot_at(text, offset)
    return None


def spot_at(text: str, offset: int) -> Spot:
    """Line and column of an offset in characters."""
    offset = min(max(offset, 0), len(text))
    begin = text.rfind("\n", 0, offset) + 1
    return Spot(text.count("\n", 0, offset) + 1, offset - begin + 1, offset)


def offset_of(text: str, pointer: str) -> int | None:
    """Where in a JSON text the value of a JSON pointer begins; None if there is none.

    Parameters
    ----------
    text : str
        JSON; of equal keys the last counts, as for `json.loads`.
    pointer : str
        RFC 6901.
    """
    wanted = [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]
    path: list[tuple[str | int, bool]] = []  # key or index of each open bracket, and whether it is an array
    found: int | None = None
    position = 0

    def here() -> list[str]:
        return [str(step) for step, _ in path]

    while True:
        position = _after(_SPACE, text, position)
        if position >= len(text):
            return found
        char = text[position]
        if char in "}]":
            if not path:
                return found
            path.pop()
            position += 1
        elif char == ",":
            if path and path[-1][1]:
                path[-1] = (int(path[-1][0]) + 1, True)
            position += 1
        elif char == '"' and path and not path[-1][1] and _is_key(text, position):
            end = _after(_STRING, text, position)
            path[-1] = (_decoded(text[position:end]), False)
            position = _after(_SPACE, text, end) + 1
        else:
            if here() == wanted:
                found = position
            if char in "{[":
                path.append((0, True) if char == "[" else ("", False))
                position += 1
            else:
                end = _after(_STRING if char == '"' else _SCALAR, text, position)
                position = max(end, position + 1)


def _is_key(text: str, position: int) -> bool:
    end = _after(_STRING, text, position)
    return text.startswith(":", _after(_SPACE, text, end))


def _after(pattern: re.Pattern[str], text: str, position: int) -> int:
    found = pattern.match(text, position)
    return found.end() if found else position


def _decoded(written: str) -> str:
    try:
        return str(json.loads(written, strict=False))
    except ValueError:
        return written
