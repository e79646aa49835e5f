"""What stands where Lark has a literal: ``%json``, ``%regex``, ``%lark``, special tokens.

Law: a schema denotes the texts that `gramspec.json_schema` gives it, without space around; a token is written
as that token, never spelled.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Final

from gramspec.errors import GrammarError, LimitError, UnsupportedError
from gramspec.grammar import ir
from gramspec.grammar.lark.hooks import Atom, Context, Lexeme
from gramspec.grammar.ranges import of
from gramspec.grammar.rules import Position

MAX_CHUNKS: Final = 20_000
MAX_TOKENS: Final = 1_000_000
_WORDS: Final = re.compile(r"\w+|\s+|[^\w\s]+")
_ESCAPES: Final = '"\\/bfnrtu'


def directive(word: Lexeme, text: str, position: Callable[[int], Position]) -> tuple[Atom, int]:
    """The atom of a directive, and the offset behind it."""
    from gramspec.grammar.lark.extensions import json_at

    place = position(word.offset)
    if word.text == "%lark":
        begin, end = _braces(text, word.end, place)
        return Atom(lambda context: context.grammar(text[begin:end], place), place, regular=False), end + 1
    value, end = json_at(text, word.end, position)
    if word.text == "%regex":
        expr = _substring(value, place)
        return Atom(lambda _: expr, place), end
    given = text[word.end : end].strip()
    return Atom(lambda _: _schema(value, given, place), place, regular=False), end


def token(word: Lexeme, place: Position) -> Atom:
    """The atom of ``<name>`` or of ``<[ids]>``."""
    expr = _tokens(word.text[2:-2], place) if word.text.startswith("<[") else ir.TokenEdge(word.text)

    def make(_: Context) -> ir.Expr:
        return expr

    return Atom(make, place, regular=False)


def _tokens(text: str, place: Position) -> ir.Expr:
    text = "".join(text.split())
    if text == "*":
        return ir.TokenSet((), negated=True)
    negated = text.startswith("^")
    ids: dict[int, None] = {}
    for part in text.removeprefix("^").split(","):
        match = re.fullmatch(r"(\d{1,9})(?:-(\d{1,9}))?", part)
        if match is None or (match[2] and int(match[2]) < int(match[1])):
            hint = "write <[5]>, <[1-9,12]>, <[^3]> or <[*]>"
            raise place.error(f"invalid token range {part!r}", hint)
        low, high = int(match[1]), int(match[2] or match[1])
        if high >= MAX_TOKENS:
            raise LimitError(
                "max_nodes", f"token id {high:,} is beyond the largest that is read, {MAX_TOKENS - 1:,}"
            )
        ids.update(dict.fromkeys(range(low, high + 1)))
    if len(ids) == 1 and not negated:
        return ir.TokenEdge(next(iter(ids)))
    return ir.TokenSet(tuple(ids), negated)


def _braces(text: str, offset: int, place: Position) -> tuple[int, int]:
    """Begin and end of what stands between braces; those of strings, patterns and comments do not count."""
    from gramspec.grammar.lark.scan import lexemes

    depth = begin = 0
    for word in lexemes(text[offset:]):
        if word.kind != "op" or word.text not in "{}":
            if not depth and word.kind != "newline":
                break
            continue
        depth += 1 if word.text == "{" else -1
        if depth == 1 and not begin:
            begin = offset + word.end
        if not depth:
            return begin, offset + word.offset
    raise place.error("`%lark` is followed by a grammar in braces", "close them with `}`")


def _substring(value: Any, place: Position) -> ir.Expr:
    """Any run of neighbouring chunks, none of them too."""
    kinds = ("substring_chars", "substring_words", "substring_chunks")
    if not isinstance(value, dict) or len(value) != 1 or next(iter(value)) not in kinds:
        names = ", ".join(repr(name) for name in value) if isinstance(value, dict) else "no object"
        raise place.error(f"`%regex` with {names}", f"it is an object with one of {', '.join(kinds)}")
    kind, given = next(iter(value.items()))
    whole = isinstance(given, list) if kind == "substring_chunks" else isinstance(given, str)
    if not whole or not all(isinstance(chunk, str) for chunk in given):
        what = "a list of texts" if kind == "substring_chunks" else "a text"
        raise place.error(f"`{kind}` takes {what}")
    chunks = [chunk for chunk in (_WORDS.findall(given) if kind == "substring_words" else given) if chunk]
    if len(chunks) > MAX_CHUNKS:
        raise LimitError("max_nodes", f"`{kind}` of more than {MAX_CHUNKS:,} chunks")
    read = [ir.concat(*(ir.CharSet(of(char)) for char in chunk)) for chunk in chunks]
    steps = [(expr, number + 1) for number, expr in enumerate(read)]
    arcs = [tuple(steps), *((step,) for step in steps[1:])]
    if steps:
        arcs.append(())
    return ir.Machine(tuple(arcs), (True,) * len(arcs))


def _schema(value: Any, given: str, place: Position) -> ir.Expr:
    """The texts of a schema; options of llguidance under ``x-guidance`` are honoured or refused."""
    from gramspec.grammar.json_schema import json_schema

    options: dict[str, Any] = {}
    escapes = _ESCAPES
    if isinstance(value, dict) and "x-guidance" in value:
        asked = value.pop("x-guidance")
        options, escapes = _guidance(asked, place)
        given = json.dumps(value)
    try:
        grammar = json_schema(given, **options)
    except GrammarError as error:
        where = f" at {error.pointer}" if error.pointer else ""
        raise place.error(f"in the schema{where}: {error.reason}", error.hint, type(error)) from None
    if grammar.residuals:
        what = "; ".join(str(one) for residual in grammar.residuals for one in residual.places)
        reason = f"the schema has parts that no grammar enforces: {what}"
        raise place.error(reason, "take them out, or use json_schema for the whole text", UnsupportedError)
    if escapes == _ESCAPES:
        return grammar.expr
    return _escaped(grammar.expr, escapes, place)


def _guidance(asked: Any, place: Position) -> tuple[dict[str, Any], str]:
    """Options of `json_schema`, and the letters that may follow a backslash."""
    if not isinstance(asked, dict):
        raise place.error("`x-guidance` is an object")
    options: dict[str, Any] = {}
    escapes = _ESCAPES
    for name, value in asked.items():
        match name, value:
            case ("whitespace_flexible", bool()):
                options.setdefault("whitespace", "any" if value else "compact")
            case ("whitespace_pattern", str()):
                options["whitespace"] = value
            case ("json_allowed_escapes", str()) if set(value) <= set(_ESCAPES):
                escapes = value
            case ("json_allow_general_unicode_escapes" | "coerce_one_of", bool()):
                pass  # all spellings are allowed, `oneOf` is exact: both are said in the documentation
            case ("item_separator", ", ") | ("key_separator", ": "):
                pass
            case _:
                raise place.error(
                    f"option {name!r}: {value!r} of `x-guidance` is not known",
                    "leave it out",
                    UnsupportedError,
                )
    return options, escapes


def _escaped(expr: ir.Expr, escapes: str, place: Position) -> ir.Expr:
    """The texts in which every backslash begins one of some escapes."""
    for node in ir.walk(expr):
        if isinstance(node, ir.Ref | ir.JsonObject | ir.TokenEdge):
            raise place.error(
                "`json_allowed_escapes` for a schema of objects or references",
                "it is enforced for strings, numbers and lists of them",
                UnsupportedError,
            )
    backslash = 1 << ord("\\")
    plain = ir.ByteSet(((1 << 256) - 1) & ~backslash)
    pair = ir.concat(ir.ByteSet(backslash), ir.byte_set(ord(letter) for letter in escapes))
    return ir.And((expr, ir.repeat(ir.union(plain, pair))))
