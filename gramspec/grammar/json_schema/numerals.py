"""Spellings of numbers as built-in expressions: an interval, the multiples in it, or a list.

Law: each is the language of the function of the same name in `intervals` or `multiples`, its expansion.
Cost: the native core reads the bounds and the divisor as they are; nothing is built before it is read.
Source: API section 1: under bounds, decimals, and exponents with a one-digit integer part and |e| <= 400.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from functools import lru_cache, partial
from typing import TypeAlias

from gramspec.grammar.ir import EMPTY, Builtin, Expr, union
from gramspec.grammar.json_schema import intervals, multiples
from gramspec.grammar.json_schema.exponents import MAX_EXPONENT
from gramspec.grammar.json_schema.intervals import Style, rounded
from gramspec.grammar.json_schema.multiples import Divisor

_Side: TypeAlias = "tuple[str, int, bool, str | None, int, bool]"
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
    positive = negative = None
    if high is None or high > 0:
        positive = _side(low, low_strict, high, high_strict)
    if low is None or low < 0:
        negative = _side(_opposite(high), high_strict, _opposite(low), low_strict)
    zero = (low is None or low < 0 or (low == 0 and not low_strict)) and (
        high is None or high > 0 or (high == 0 and not high_strict)
    )
    plain = style == "digits"
    figures = (divisor.coprime, divisor.base, divisor.power)
    return (MAX_EXPONENT, zero, positive, negative, place, not plain, True, not plain, *figures, others)


def _opposite(value: Decimal | None) -> Decimal | None:
    return None if value is None else value.copy_negate()


def _side(low: Decimal | None, low_strict: bool, high: Decimal | None, high_strict: bool) -> _Side:
    """The positive numbers of an interval: the end next to 0, then the other one."""
    near = ("", 0, False) if low is None or low <= 0 else (*_digits(low), low_strict)
    far = (None, 0, False) if high is None else (*_digits(high), high_strict)
    return (*near, *far)


def _digits(value: Decimal) -> tuple[str, int]:
    """Significant digits of a positive number, and the power of ten of the first."""
    return "".join(map(str, value.as_tuple().digits)).rstrip("0"), value.adjusted()
