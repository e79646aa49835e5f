"""Grammars as the commands take them: a file, standard input, or a pattern typed in.

Law: what a source is, is said by its name or by ``--kind``; it is never guessed from what it holds, but for a
.json file that calls itself a structural tag, as no JSON Schema can.
Source: API, "Command line".
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from gramspec.cli.places import json_offset, spot
from gramspec.errors import GrammarError, OptionError
from gramspec.grammar.core import Grammar

KINDS = ("json-schema", "regex", "ecma", "choice", "lark", "gbnf", "ebnf", "structural-tag", "compiled")
_PREFIX = "regex:"
_EXTENSIONS = {
    ".json": "json-schema",
    ".regex": "regex",
    ".re": "regex",
    ".ecma": "ecma",
    ".choice": "choice",
    ".txt": "choice",
    ".lark": "lark",
    ".gbnf": "gbnf",
    ".ebnf": "ebnf",
    ".gramspec": "compiled",
}

SOURCE_HELP = (
    "File with a JSON Schema (.json), a structural tag (.json with the type structural_tag), a regular"
    " expression (.regex, .re; .ecma for ECMA-262), one text per line (.choice, .txt) or a grammar (.lark;"
    " .gbnf as llama.cpp reads it, .ebnf as xgrammar does), or what `compile --output` wrote (.gramspec);"
    " '-' reads stdin; regex:PATTERN is the pattern itself."
)
KIND_HELP = (
    "What the file holds: json-schema, regex, ecma, choice, lark, gbnf, ebnf, structural-tag or compiled;"
    " 'auto' goes by its extension."
)
START_HELP = "Name of the start rule of a grammar; default: start for Lark, else root."


@dataclass(frozen=True)
class GrammarRequest:
    """A grammar and its options, as typed.

    Parameters
    ----------
    source : str
        A path, ``-``, or ``regex:PATTERN``.
    kind : str
        One of `KINDS`, or ``auto``.
    property_order, whitespace, formats : str
        As `gramspec.json_schema` takes them; digits in `whitespace` are a number.
    draft : str or None
    start : str or None
        Name of the start rule; None: what grammars of the kind call it.
    """

    source: str
    kind: str = "auto"
    property_order: str = "schema"
    whitespace: str = "any"
    formats: str = "assert"
    draft: str | None = None
    start: str | None = None


@dataclass(frozen=True)
class Source:
    """A grammar that has been read.

    Parameters
    ----------
    grammar : Grammar
    kind : str
        One of `KINDS`.
    name : str
        The file's name, or the pattern.
    text : str
        What was read; empty for a compiled grammar.
    """

    grammar: Grammar
    kind: str
    name: str
    text: str


def read_grammar(request: GrammarRequest, option: str = "GRAMMAR") -> Source:
    """Read a grammar.

    Parameters
    ----------
    request : GrammarRequest
        The grammar and its options, as typed.
    option : str
        The argument that names it, for errors.

    Raises
    ------
    OptionError
        If the file cannot be read or its kind is not known.
    GrammarError
        If what it holds is no such grammar.
    """
    kind = _kind(request)
    if kind == "compiled":
        return Source(_compiled(request.source), kind, request.source, "")
    text = _text(request.source, option)
    if kind == "json-schema" and request.kind == "auto" and _is_structural_tag(text):
        kind = "structural-tag"
    try:
        return Source(_grammar(kind, text, request), kind, request.source, text)
    except GrammarError as error:
        if not request.source.startswith(_PREFIX):
            error.add_note(place_note(error, text, request.source))
        raise


def read_text(path: str, option: str) -> str:
    """The text of a file, or of standard input for ``-``, without a byte order mark."""
    try:
        return sys.stdin.read().removeprefix("\ufeff") if path == "-" else Path(path).read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise OptionError(f"{option} {path}: {error}") from None


def _kind(request: GrammarRequest) -> str:
    if request.kind != "auto":
        if request.kind not in KINDS:
            raise OptionError(f"--kind {request.kind}: must be one of {', '.join(KINDS)} or auto")
        return request.kind
    if request.source.startswith(_PREFIX):
        return "regex"
    kind = _EXTENSIONS.get(Path(request.source).suffix.lower())
    if kind is None:
        name = "stdin" if request.source == "-" else request.source
        raise OptionError(f"{name}: what it holds cannot be told; say --kind {', --kind '.join(KINDS)}")
    return kind


def _text(source: str, option: str) -> str:
    return source.removeprefix(_PREFIX) if source.startswith(_PREFIX) else read_text(source, option)


def place_note(error: GrammarError, text: str, name: str) -> str:
    """Where in a file an error is; with the line and a caret where the error shows none itself.

    Parameters
    ----------
    error : GrammarError
        What is wrong.
    text : str
        What the file holds.
    name : str
        The file as typed.
    """
    name = "standard input" if name == "-" else name
    if (named := re.fullmatch(r"(.+:)?(\d+):(\d+)", error.pointer)) is not None:
        return f"  --> {error.pointer}" if named[1] else f"  --> {name}:{error.pointer}"
    shown = error.source is not None
    if (at := re.fullmatch(r"@(\d+)", error.pointer)) is not None:
        offset: int | None = int(at[1])
    else:
        offset = json_offset(text, error.pointer)
    if offset is None:
        return f"  --> {name}"
    place = spot(text.encode(), len(text[:offset].encode()))
    excerpt = "" if shown else f"\n    {place.shown}\n    {place.caret}"
    return f"  --> {name}:{place.line}:{place.column}{excerpt}"


def _is_structural_tag(text: str) -> bool:
    """Whether a JSON text is an object with the type of structural tags."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and found.get("type") == "structural_tag"


def _compiled(source: str) -> Grammar:
    from gramspec.matching.serialisation import stored_grammar

    try:
        data = sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()
    except OSError as error:
        raise OptionError(f"GRAMMAR {source}: {error}") from None
    return stored_grammar(data)


def _grammar(kind: str, text: str, request: GrammarRequest) -> Grammar:
    if kind == "json-schema":
        from gramspec.grammar.json_schema import json_schema

        return json_schema(
            text,
            property_order=cast(Literal["schema", "any"], request.property_order),
            whitespace=int(request.whitespace) if request.whitespace.isdecimal() else request.whitespace,
            draft=request.draft,
            formats=cast(Literal["assert", "annotate"], request.formats),
        )
    if kind == "structural-tag":
        from gramspec.grammar.tags import structural_tag

        return structural_tag(text)
    if kind == "choice":
        from gramspec.grammar.choice import choice

        return choice(text.removesuffix("\n").split("\n"))
    if kind == "lark":
        from gramspec.grammar.lark import lark

        # Relative imports start beside the file; those of standard input here.
        folder = Path(request.source).resolve().parent if request.source != "-" else Path.cwd()
        return lark(text, start=request.start or "start", base_path=folder)
    if kind in ("gbnf", "ebnf"):
        from gramspec.grammar.gbnf import gbnf

        return gbnf(
            text, start=request.start or "root", dialect="llama.cpp" if kind == "gbnf" else "xgrammar"
        )
    from gramspec.grammar.regex import regex

    # Editors end a file with a line break; a pattern that ends with one writes \n.
    return regex(text.removesuffix("\n"), dialect="python" if kind == "regex" else "ecma")
