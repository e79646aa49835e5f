"""White space between JSON tokens, and the expressions that only depend on it.

Law: gaps hold JSON white space only; the root value has none around it.
Source: API, section 1 (`whitespace`); RFC 8259, section 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Literal

from gramspec.errors import OptionError
from gramspec.grammar.encoding import JSON_BODY, JSON_CHAR, utf8
from gramspec.grammar.ir import (
    EPSILON,
    And,
    Call,
    Expr,
    JsonObject,
    Ref,
    Rule,
    byte_set,
    concat,
    literal,
    repeat,
    union,
)
from gramspec.grammar.json_schema.intervals import rfc8259_number
from gramspec.grammar.regex import parse_regex

NULL = literal("null")
TRUE = literal("true")
FALSE = literal("false")
BOOLEAN = union(TRUE, FALSE)

_QUOTE = literal('"')
_SPACE = byte_set(b" \t\n\r")
_ANY_GAP = repeat(_SPACE)


@dataclass(frozen=True, slots=True)
class Layout:
    """How values are laid out: the gap between tokens, and the order of properties."""

    gap: Expr
    order: Literal["schema", "any"]

    def array(self, body: Expr, *, empty: bool) -> Expr:
        """An array with its brackets: `body` has at least one item; `empty` allows ``[]``."""
        close = literal("]")
        filled = concat(body, self.gap, close)
        return concat(literal("["), self.gap, union(close, filled) if empty else filled)

    @property
    def separator(self) -> Expr:
        """A comma between items."""
        return concat(self.gap, literal(","), self.gap)


@lru_cache(maxsize=256)
def gap_of(whitespace: str | int) -> Expr:
    """The expression of one gap.

    Parameters
    ----------
    whitespace : "any", "compact", int or str
        Any amount, none, at most that many characters, or what a pattern and JSON both allow.

    Raises
    ------
    OptionError
        If the number is negative or the value is of another type.
    """
    if isinstance(whitespace, bool) or not isinstance(whitespace, int | str):
        raise OptionError(f"whitespace: {whitespace!r} is neither 'any', 'compact', a number nor a pattern")
    if whitespace == "any":
        return _ANY_GAP
    if whitespace == "compact":
        return EPSILON
    if isinstance(whitespace, int):
        if whitespace < 0:
            raise OptionError(f"whitespace: {whitespace} is negative")
        return repeat(_SPACE, 0, whitespace)
    return And((utf8(parse_regex(whitespace, "python")), repeat(_SPACE)))


def string(least: int, most: int | None) -> Expr:
    """A JSON string of so many characters, in any spelling."""
    return any_string() if least == 0 and most is None else _string_of(least, most)


@cache
def any_string() -> Expr:
    """Any JSON string."""
    return concat(_QUOTE, Call(concat(JSON_BODY, _QUOTE)))


@lru_cache(maxsize=4096)
def _string_of(least: int, most: int | None) -> Expr:
    return concat(_QUOTE, Call(concat(repeat(JSON_CHAR, least, most), _QUOTE)))


@lru_cache(maxsize=1)
def number() -> Expr:
    """Any JSON number."""
    return Call(rfc8259_number())


def any_value(gap: Expr) -> Expr:
    """Any JSON value whose objects do not repeat keys; one shared rule for each gap."""
    if gap is _ANY_GAP:
        return _spaced_value()
    return _compact_value() if gap is EPSILON else _any_value(gap)


@cache
def _spaced_value() -> Expr:
    return _value(_ANY_GAP)


@cache
def _compact_value() -> Expr:
    return _value(EPSILON)


@lru_cache(maxsize=64)
def _any_value(gap: Expr) -> Expr:
    return _value(gap)


def _value(gap: Expr) -> Expr:
    rule = Rule("json value")
    value = Ref(rule)
    layout = Layout(gap, "any")
    items = concat(value, repeat(concat(layout.separator, value)))
    members = JsonObject((), value, "any", gap, JSON_BODY)
    rule.define(union(NULL, BOOLEAN, string(0, None), number(), layout.array(items, empty=True), members))
    return value
