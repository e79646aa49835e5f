"""Spellings of numbers as built-in expressions: an interval, the multiples in it, or a list.

Law: each is the language of the function of the same name in `intervals` or `multiples`, its expansion.
Cost: the native core reads the bounds and the divisor as they are; nothing is built before it is read.
Source: API section 1: under bounds, decimals, and exponents with a one-digit integer part and |e| <= 400.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from functools import lru_cache, partial

from gramspec.errors import GrammarError
from gramspec.grammar.ir import EMPTY, Builtin, Expr, union
from gramspec.grammar.json_schema import intervals, multiples
from gramspec.grammar.json_schema.exponents import MAX_EXPONENT
from gramspec.grammar.json_schema.intervals import Style, rounded
from gramspec.grammar.json_schema.multiples import MAX_STATES, Divisor

_BOUND = re.compile(r"(-?)([0-9]*)e(-?[0-9]{1,5})")
_MOST_DIGITS = 1000
_UNIT = Divisor(1, 1, 0, 0)


@lru_cache(maxsize=4096)
def numbers_between(
    low: Decimal | None,
    low_strict: bool,
    high: Decimal | None,
    high_strict: bool,
    style: Style,
    place: int | None = None,
) -> Expr:
    """Spellings of the numbers in an interval, as `intervals.numbers_between` says."""
    expand = partial(intervals.numbers_between, low, low_strict, high, high_strict, style, place)
    if style != "number":
        place = max(place or 0, 0)
    if place is not None:
        low, low_strict = rounded(low, low_strict, place, up=True), False
        high, high_strict = rounded(high, high_strict, place, up=False), False
    if low is not None and high is not None and (low > high or (low == high and (low_strict or high_strict))):
        return EMPTY
    return Builtin("number", _data(low, low_strict, high, high_strict, style, place, _UNIT, ()), expand)


@lru_cache(maxsize=1024)
def multiples_between(
    value: Decimal, others: tuple[int, ...], low: Decimal | None, high: Decimal | None, style: Style
) -> Expr:
    """Spellings of the multiples of a positive number, as `multiples.multiples_between` says."""
    divisor = Divisor.of(value)
    if divisor.modulus == 1 and not others:
        return numbers_between(low, False, high, False, style, divisor.place)
    expand = partial(multiples.multiples_between, value, others, low, high, style)
    if style == "integer":
        return expand()
    if low is not None and high is not None and low > high:
        return EMPTY
    return Builtin("number", _data(low, False, high, False, style, divisor.place, divisor, others), expand)


def numbers_among(values: Iterable[Decimal]) -> Expr:
    """Spellings of some numbers."""
    return union(*(numbers_between(value, False, value, False, "number") for value in values))


def from_data(data: tuple[object, ...]) -> Expr:
    """The built-in expression "number" of some values.

    Raises
    ------
    GrammarError
        If they are not the values of such an expression.
    """
    match data:
        case (
            int(most),
            str() | None as low_text,
            bool(low_strict),
            str() | None as high_text,
            bool(high_strict),
            bool(fraction),
            int() | None as place,
            int(coprime),
            int(base),
            int(power),
            *rest,
        ) if most == MAX_EXPONENT and (place is None or abs(place) <= 4 * _MOST_DIGITS):
            others = tuple(other for other in rest if isinstance(other, int) and 1 < other <= MAX_STATES)
            low, high = _bound(low_text), _bound(high_text)
            unit = (coprime, base, power) == (1, 1, 0) and not others
            if len(others) == len(rest) and (unit or place is not None):
                style: Style = "number" if fraction else "digits"
                if unit:
                    expr = numbers_between(low, low_strict, high, high_strict, style, place)
                elif (
                    0 < coprime <= MAX_STATES and base in (1, 2, 5) and 0 <= power <= MAX_STATES.bit_length()
                ):
                    step = Decimal((0, tuple(map(int, str(coprime * base**power))), place or 0))
                    expr = multiples_between(step, others, low, high, style)
                else:
                    expr = EMPTY
                if isinstance(expr, Builtin) and expr.data == data:
                    return expr
    raise GrammarError("", f"{data!r:.80} are not the values of a built-in number")


def _data(
    low: Decimal | None,
    low_strict: bool,
    high: Decimal | None,
    high_strict: bool,
    style: Style,
    place: int | None,
    divisor: Divisor,
    others: tuple[int, ...],
) -> tuple[object, ...]:
    """The arguments of the native core's `number`."""
    ends = (_text(low), low_strict, _text(high), high_strict)
    return (
        MAX_EXPONENT,
        *ends,
        style != "digits",
        place,
        divisor.coprime,
        divisor.base,
        divisor.power,
        *others,
    )


def _text(value: Decimal | None) -> str | None:
    """Sign, significant digits and the power of ten of the first of them."""
    if value is None:
        return None
    if value == 0:
        return "e0"
    sign, digits, _ = value.as_tuple()
    return f"{'-' if sign else ''}{''.join(map(str, digits)).rstrip('0')}e{value.adjusted()}"


def _bound(text: str | None) -> Decimal | None:
    """The number of a text that `_text` makes."""
    if text is None:
        return None
    match = _BOUND.fullmatch(text)
    if match is None or len(match[2]) > 4 * _MOST_DIGITS:
        raise GrammarError("", f"{text!r:.80} is not the end of an interval of numbers")
    digits = tuple(map(int, match[2])) or (0,)
    return Decimal((int(bool(match[1])), digits, int(match[3]) - len(digits) + 1))
