"""Attributes of rules: ``name[lazy]``, ``name[suffix="."]``, ``name[stop=STOP]``, ``name[capture]``.

Law: `lazy` keeps the members without a shorter member at their front; `suffix` and `stop` append an end and
stop at the first, which is part of the text (whoever hides a stop takes it out afterwards); an empty one adds
nothing. The others concern sampling: `capture` has no effect on the language, `max_tokens` and `temperature`
are refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from gramspec.errors import UnsupportedError
from gramspec.grammar import ir
from gramspec.grammar.lark.hooks import Attributes, Context, Lexeme
from gramspec.grammar.lark.patterns import pattern_of
from gramspec.grammar.ranges import SCALARS
from gramspec.grammar.rules import Position

_ENDS: Final = ("lazy", "suffix", "stop")
_REFUSED: Final = {
    "max_tokens": "a number of tokens is no property of a text: texts have many token sequences",
    "temperature": "a temperature belongs to the sampler, and one for a part of a text has no meaning here",
}


def read(text: str, words: Sequence[Lexeme], position: Callable[[int], Position]) -> Attributes:
    """What stands between brackets, which are the first and the last word.

    Raises
    ------
    GrammarError
        If it is malformed or unknown.
    UnsupportedError
        If it is no property of a text.
    """
    place = position(words[0].offset)
    values: dict[str, object] = {}
    for item in _items(words[1:-1]):
        if not item:
            raise place.error("an attribute is missing", "write them with commas between")
        name, at = item[0].text, position(item[0].offset)
        if len(item) > 1 and (item[1].text != "=" or len(item) < 3):
            raise at.error(f"attribute `{name}` is followed by `=` and a value")
        value = item[2] if len(item) > 2 else None
        if name in values:
            raise at.error(f"attribute `{name}` is given twice")
        values[name] = _value(name, value, at)
    if sum(name in values for name in _ENDS) > 1:
        raise place.error("only one of lazy, suffix and stop says where a rule ends")
    return Attributes(values, place, any(name in values for name in _ENDS))


def lexeme(attributes: Attributes, body: ir.Expr, context: Context) -> ir.Expr:
    """The language of a rule with attributes that make it one terminal, over `CharSet` leaves."""
    ending = attributes.values.get("suffix", attributes.values.get("stop"))
    if ending is None:
        return _first(body)
    end = _ending(ending, attributes.position, context)
    if isinstance(end, ir.Epsilon):
        return body  # it ends where the rest begins
    return _first(ir.concat(body, end))


def _first(expr: ir.Expr) -> ir.Expr:
    """The members that no shorter member begins."""
    return ir.And((expr, ir.Not(ir.concat(expr, ir.repeat(ir.CharSet(SCALARS), 1)))))


def _ending(value: object, position: Position, context: Context) -> ir.Expr:
    assert isinstance(value, Lexeme)
    if value.kind == "terminal":
        return context.terminal(value.text, position)
    if value.text == '""':
        return ir.EPSILON
    from lark import Token

    kind = "STRING" if value.kind == "string" else "REGEXP"
    token: Any = Token(kind, value.text)
    return context.pattern(pattern_of(token, position).regexp, position)


def _items(words: Sequence[Lexeme]) -> list[list[Lexeme]]:
    items: list[list[Lexeme]] = [[]]
    for word in words:
        if word.kind == "newline":
            continue
        if word.text == ",":
            items.append([])
        else:
            items[-1].append(word)
    return items


def _value(name: str, value: Lexeme | None, place: Position) -> object:
    kind = None if value is None else value.kind
    match name:
        case "lazy":
            if value is not None and value.text not in ("true", "false"):
                raise place.error("`lazy` takes no value")
            return value is None or value.text == "true"
        case "suffix" | "stop":
            if kind not in ("string", "regexp", "terminal"):
                raise place.error(f"`{name}` is a string, a pattern between slashes, or a terminal")
            return value
        case "capture" | "stop_capture":
            if kind not in (None, "string"):
                raise place.error(f"`{name}` takes a string or nothing")
            return True if value is None else value.text
        case "max_tokens" | "temperature":
            if kind != "number":
                raise place.error(f"`{name}` is a number")
            raise place.error(f"`{name}`: {_REFUSED[name]}", _instead(name), UnsupportedError)
    known = "lazy, suffix, stop, capture, stop_capture"
    raise place.error(f"unknown attribute `{name}`", f"known are {known}")


def _instead(name: str) -> str:
    if name == "max_tokens":
        return "bound the characters instead, as in /.{0,100}/; max_new_tokens of generate bounds the whole"
    return "set it for the whole text: generate(…, temperature=…)"
