"""Regular expressions of all spellings of the JSON numbers in a range.

Cost: nodes grow with (digits of the bounds) log(digits); free integers take about 5,000 nodes, built once.
Source: API section 1: under bounds, decimals, and exponents with a one-digit integer part and |e| <= 400.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, lru_cache
from typing import Literal

from gramspec.grammar.ir import (
    EMPTY,
    EPSILON,
    And,
    Empty,
    Expr,
    byte_set,
    concat,
    literal,
    optional,
    repeat,
    union,
)

MAX_EXPONENT = 400
_FEW_DECADES = 3
ZERO = Decimal(0)

Style = Literal["number", "integer", "digits"]
"""Which spellings count: any, those of integral value, or those without fraction and exponent."""

_DIGIT = byte_set(b"0123456789")
_DIGIT_1 = byte_set(b"123456789")
_NOUGHT = literal("0")
_DOT = literal(".")
_ZERO_POINT = literal("0.")
_MINUS = literal("-")
_SIGN = optional(byte_set(b"+-"))
_PLUS = optional(literal("+"))
_E = byte_set(b"eE")
_DIGITS = repeat(_DIGIT)
_DIGITS_1 = repeat(_DIGIT, 1)
_ZEROS = repeat(literal("0"))
_ZEROS_1 = repeat(literal("0"), 1)


@cache
def rfc8259_number() -> Expr:
    """Every JSON number, as RFC 8259 spells them."""
    whole = union(literal("0"), concat(_DIGIT_1, _DIGITS))
    fraction = optional(concat(_DOT, _DIGITS_1))
    return concat(optional(_MINUS), whole, fraction, optional(concat(_E, _SIGN, _DIGITS_1)))


@lru_cache(maxsize=4096)
def numbers_between(
    low: Decimal | None, low_strict: bool, high: Decimal | None, high_strict: bool, style: Style
) -> Expr:
    """Spellings of the numbers in an interval.

    Parameters
    ----------
    low, high : Decimal or None
        Ends of the interval; None leaves it open.
    low_strict, high_strict : bool
        Whether the end itself is left out.
    style : {"number", "integer", "digits"}
        Which spellings count.

    Returns
    -------
    Expr
        Regular; `EMPTY` when the interval holds no such number.
    """
    if style != "number":
        low, low_strict = _whole(low, low_strict, up=True), False
        high, high_strict = _whole(high, high_strict, up=False), False
    if low is not None and high is not None and (low > high or (low == high and (low_strict or high_strict))):
        return EMPTY
    above: Expr = EMPTY
    if high is None or high > 0:
        if low is None or low <= 0:
            above = _positive(ZERO, True, high, high_strict, style)
        else:
            above = _positive(low, low_strict, high, high_strict, style)
    below: Expr = EMPTY
    if low is None or low < 0:
        far = None if low is None else low.copy_abs()
        if high is None or high >= 0:
            below = _positive(ZERO, True, far, low_strict, style)
        else:
            below = _positive(high.copy_abs(), high_strict, far, low_strict, style)
    zero_in = (low is None or low < 0 or (low == 0 and not low_strict)) and (
        high is None or high > 0 or (high == 0 and not high_strict)
    )
    zero = _zero(style) if zero_in else EMPTY
    if above is below:
        return concat(optional(_MINUS), union(zero, above))
    return union(concat(_MINUS, union(zero, below)), zero, above)


def numbers_equal(value: Decimal) -> Expr:
    """Spellings of one number."""
    return numbers_between(value.copy_abs() if value == 0 else value, False, value, False, "number")


def ladder(steps: Sequence[Expr], leaves: Sequence[Expr]) -> Expr:
    """``leaf0 | step0 leaf1 | step0 step1 leaf2 | …`` with nesting of logarithmic depth."""

    def build(begin: int, end: int) -> Expr:
        if end - begin == 1:
            return leaves[begin]
        middle = (begin + end) // 2
        right = build(middle, end)
        if isinstance(right, Empty):
            return build(begin, middle)
        return union(build(begin, middle), concat(_run(steps[begin:middle]), right))

    return build(0, len(leaves))


def _run(steps: Sequence[Expr]) -> Expr:
    """Concatenation, a run of one and the same object written as a repetition."""
    parts: list[Expr] = []
    begin = 0
    while begin < len(steps):
        end = begin + 1
        while end < len(steps) and steps[end] is steps[begin]:
            end += 1
        count = end - begin
        parts.append(repeat(steps[begin], count, count))
        begin = end
    return concat(*parts)


def _whole(bound: Decimal | None, strict: bool, *, up: bool) -> Decimal | None:
    """The nearest integer inside an interval's end."""
    if bound is None:
        return None
    whole = bound.to_integral_value("ROUND_CEILING" if up else "ROUND_FLOOR")
    number = int(whole)
    if strict and whole == bound:
        number += 1 if up else -1
    return Decimal(number)


@cache
def _digit(low: int, high: int) -> Expr:
    return byte_set(range(48 + low, 49 + high)) if low <= high else EMPTY


@cache
def _natural(low: int, high: int) -> Expr:
    """Decimal digits, without leading zeros, of the naturals in ``1 <= low..high``."""
    parts: list[Expr] = []
    length = len(str(low))
    while low <= high:
        top = min(high, 10**length - 1)
        parts.append(_same_length(str(low), str(top)))
        low, length = top + 1, length + 1
    return union(*parts)


@cache
def _same_length(low: str, high: str) -> Expr:
    """Digit strings between two digit strings of one length."""
    if not low:
        return EPSILON
    if set(low) == {"0"} and set(high) == {"9"}:
        return repeat(_DIGIT, len(low), len(low))
    first, last = int(low[0]), int(high[0])
    if first == last:
        return concat(_digit(first, first), _same_length(low[1:], high[1:]))
    rest = len(low) - 1
    parts: list[Expr] = []
    if low[1:] != "0" * rest:
        parts.append(concat(_digit(first, first), _same_length(low[1:], "9" * rest)))
        first += 1
    if high[1:] != "9" * rest:
        parts.append(concat(_digit(last, last), _same_length("0" * rest, high[1:])))
        last -= 1
    if first <= last:
        parts.append(concat(_digit(first, last), repeat(_DIGIT, rest, rest) if rest else EPSILON))
    return union(*parts)


@cache
def _exponent(low: int, high: int) -> Expr:
    """Marker, sign and digits of the exponents in ``low..high``."""
    parts: list[Expr] = []
    if low < 0:
        parts.append(concat(_MINUS, _ZEROS, _natural(max(1, -high), -low)))
    if low <= 0 <= high:
        parts.append(concat(_SIGN, _ZEROS_1))
    if high > 0:
        parts.append(concat(_PLUS, _ZEROS, _natural(max(1, low), high)))
    return concat(_E, union(*parts))


@cache
def _zero(style: Style) -> Expr:
    if style == "digits":
        return literal("0")
    exponent = optional(_exponent(-MAX_EXPONENT, MAX_EXPONENT))
    return concat(literal("0"), optional(concat(_DOT, _ZEROS_1)), exponent)


@lru_cache(maxsize=256)
def _integral_tail(low: int, high: int) -> Expr:
    """``f e E`` with E in ``0 <= low..high``: f has a nonzero digit, the last one at most E places in."""
    if high < 1:
        return EMPTY
    last = {least: concat(_DIGIT_1, _ZEROS, _exponent(least, high)) for least in range(max(1, low), high + 1)}
    return ladder([_DIGIT] * high, [last[max(low, count)] for count in range(1, high + 1)])


@lru_cache(maxsize=1024)
def _shifted(low: int | None, high: int) -> Expr:
    """``0^z d f e E`` with d > 0 and E - z - 1 (the decade of ``0.0^z d f e E``) in ``low..high``."""
    leaves: list[Expr] = []
    if low is None:
        count = max(0, MAX_EXPONENT - high)
        every = concat(_ZEROS, _DIGIT_1, _DIGITS, _exponent(-MAX_EXPONENT, MAX_EXPONENT))
    else:
        count = max(0, MAX_EXPONENT - low)
        every = EMPTY
    for zeros in range(count):
        least = -MAX_EXPONENT if low is None else max(-MAX_EXPONENT, low + zeros + 1)
        most = min(MAX_EXPONENT, high + zeros + 1)
        leaf = EMPTY if least > most else concat(_DIGIT_1, _DIGITS, _exponent(least, most))
        leaves.append(leaf)
    return ladder([_NOUGHT] * count, [*leaves, every])


@lru_cache(maxsize=1024)
def _positive(low: Decimal, low_strict: bool, high: Decimal | None, high_strict: bool, style: Style) -> Expr:
    """Unsigned spellings of the positive numbers of an interval with ``0 <= low`` (strict at 0)."""
    plain = _plain(low, low_strict, high, high_strict, style)
    if style == "digits":
        return plain
    integer = style == "integer"
    parts = [plain]
    shifted: list[Expr] = []
    first = 0 if integer else None
    if low > 0:
        first = low.adjusted()
        if low_strict or low != Decimal((0, (1,), first)):
            first += 1
            _add_decade(parts, shifted, low.adjusted(), low, low_strict, high, high_strict, style)
    last = MAX_EXPONENT
    if high is not None:
        last = high.adjusted() - 1
        if low == 0 or first is None or first <= high.adjusted():
            _add_decade(parts, shifted, high.adjusted(), ZERO, False, high, high_strict, style)
    if first is None or first <= last:
        _add_decades(parts, shifted, first, last, integer)
    if shifted:
        parts.append(concat(_ZERO_POINT, union(*shifted)))
    return union(*parts)


def _add_decade(
    parts: list[Expr],
    shifted: list[Expr],
    at: int,
    low: Decimal,
    low_strict: bool,
    high: Decimal | None,
    high_strict: bool,
    style: Style,
) -> None:
    """Add the spellings with exponent that lie in one decade, which the interval cuts."""
    bottom, strict, top = _significands(at, low, low_strict, high)
    stop = at + 1 if style == "integer" else None
    if -MAX_EXPONENT <= at <= MAX_EXPONENT:
        text = _Layout(1, stop, True).between(bottom, strict, top, high_strict)
        parts.append(concat(text, _exponent(at, at)))
    if at < MAX_EXPONENT:
        text = _Layout(-1, stop, True).between(bottom, strict, top, high_strict)
        shifted.append(_pinned(text, at))


def _add_decades(parts: list[Expr], shifted: list[Expr], first: int | None, last: int, integer: bool) -> None:
    """Add the spellings with exponent of all numbers in the decades ``first..last``."""
    low, high = -MAX_EXPONENT if first is None else max(first, -MAX_EXPONENT), min(last, MAX_EXPONENT)
    if not integer:
        if low <= high:
            parts.append(concat(_DIGIT_1, optional(concat(_DOT, _DIGITS_1)), _exponent(low, high)))
        shifted.append(_shifted(first, last))
        return
    if low > high:
        return
    tail = concat(optional(concat(_DOT, _ZEROS_1)), _exponent(low, high))
    parts.append(concat(_DIGIT_1, union(tail, concat(_DOT, _integral_tail(low, high)))))
    if low == 0 and last >= MAX_EXPONENT:
        shifted.append(_integral_tail(0, MAX_EXPONENT))
    elif high - low <= _FEW_DECADES:
        for at in range(low, min(high, MAX_EXPONENT - 1) + 1):
            shifted.append(_pinned(concat(_DIGIT_1, repeat(_DIGIT, 0, at), _ZEROS), at))
    else:
        shifted.append(And((_integral_tail(0, MAX_EXPONENT), _shifted(low, high))))


def _pinned(significand: Expr, at: int) -> Expr:
    """``0^z s e E`` with s out of `significand` and E such that the number lies in decade `at`."""
    return And((concat(_ZEROS, significand, _E, _SIGN, _DIGITS_1), _shifted(at, at)))


def _significands(
    at: int, low: Decimal, low_strict: bool, high: Decimal | None
) -> tuple[Sequence[int], bool, Sequence[int] | None]:
    """Ends of an interval inside one decade, as digits (the upper one None when it is not reached)."""
    bottom: Sequence[int] = (1,)
    strict = False
    if low > 0 and low.adjusted() == at:
        bottom, strict = low.as_tuple().digits, low_strict
    top = high.as_tuple().digits if high is not None and high.adjusted() == at else None
    return bottom, strict, top


def _plain(low: Decimal, low_strict: bool, high: Decimal | None, high_strict: bool, style: Style) -> Expr:
    """The spellings without exponent among `_positive`."""
    parts: list[Expr] = []
    if style == "number" and low < 1:
        below_one = _Layout(0, None, True)
        top = None if high is None or high >= 1 else _fraction_digits(high)
        fraction = below_one.between(_fraction_digits(low), low_strict, top, high_strict)
        parts.append(concat(_NOUGHT, fraction))
    first = 0
    if low >= 1:
        first = low.adjusted() + 1
        parts.append(_decade(low.adjusted(), low, low_strict, high, high_strict, style))
    last: int | None = None
    if high is not None:
        at = high.adjusted()
        last = at - 1
        if at >= 0 and (low == 0 or low.adjusted() < at):
            parts.append(_decade(at, ZERO, False, high, high_strict, style))
    if last is None or first <= last:
        layout = _Layout(0, 0 if style == "integer" else None, style != "digits")
        parts.append(concat(_DIGIT_1, repeat(_DIGIT, first, last), layout.free(0)))
    return union(*parts)


def _decade(
    at: int, low: Decimal, low_strict: bool, high: Decimal | None, high_strict: bool, style: Style
) -> Expr:
    """The spellings without exponent in the decade ``10^at``, ``at >= 0``."""
    bottom, strict, top = _significands(at, low, low_strict, high)
    layout = _Layout(at + 1, at + 1 if style == "integer" else None, style != "digits")
    return layout.between(bottom, strict, top, high_strict)


def _fraction_digits(value: Decimal) -> Sequence[int]:
    """Digits after the point of a number below 1."""
    if value == 0:
        return ()
    return (0,) * (-value.adjusted() - 1) + value.as_tuple().digits


@dataclass(frozen=True, slots=True)
class _Layout:
    """A family of digit strings compared position by position.

    A point follows the first `point` digits when there are more; digits from position `stop` on
    are zero (None: any); without `fraction` there is no point and exactly `point` digits.
    """

    point: int
    stop: int | None
    fraction: bool

    def between(
        self, low: Sequence[int], low_strict: bool, high: Sequence[int] | None, high_strict: bool
    ) -> Expr:
        """The strings between two digit sequences; needs low <= high."""
        low = self._trim(low)
        if high is None:
            return self._lower(low, 0, low_strict)
        high = self._trim(high)
        size = max(len(low), len(high))
        bottom = [*low, *(0,) * (size - len(low))]
        top = [*high, *(0,) * (size - len(high))]
        split = next((k for k in range(size) if bottom[k] != top[k]), size)
        if split == size:
            if low_strict or high_strict:
                return EMPTY
            return concat(*(self._step(k, bottom[k]) for k in range(size)), self._zeros(size))
        ends = [EMPTY if low_strict or k < len(low) else self._end(k) for k in range(split + 1)]
        dot = self._dot(split)
        final = union(
            ends[split],
            concat(dot, _digit(bottom[split], bottom[split]), self._lower(low, split + 1, low_strict)),
            concat(dot, _digit(bottom[split] + 1, top[split] - 1), self.free(split + 1)),
            concat(dot, _digit(top[split], top[split]), self._upper(high, split + 1, high_strict)),
        )
        return ladder([self._step(k, bottom[k]) for k in range(split)], [*ends[:split], final])

    def free(self, at: int) -> Expr:
        """Any continuation from position `at` on."""
        if not self.fraction:
            return repeat(_DIGIT, self.point - at, self.point - at) if at < self.point else EPSILON
        if at < self.point:
            return concat(repeat(_DIGIT, self.point - at, self.point - at), self.free(self.point))
        if self.stop is None:
            return optional(concat(_DOT, _DIGITS_1)) if at == self.point else _DIGITS
        room = max(0, self.stop - at)
        if at > self.point:
            return concat(repeat(_DIGIT, 0, room), _ZEROS)
        return optional(concat(_DOT, concat(repeat(_DIGIT, 1, room), _ZEROS) if room else _ZEROS_1))

    def _trim(self, digits: Sequence[int]) -> tuple[int, ...]:
        size = len(digits)
        while size > self.point and digits[size - 1] == 0:
            size -= 1
        return (*digits[:size], *(0,) * (self.point - size))

    def _dot(self, at: int) -> Expr:
        if at < self.point:
            return EPSILON
        if not self.fraction:
            return EMPTY
        return _DOT if at == self.point else EPSILON

    def _step(self, at: int, digit: int) -> Expr:
        return concat(self._dot(at), _digit(digit, digit))

    def _end(self, at: int) -> Expr:
        return EPSILON if at >= self.point else EMPTY

    def _zeros(self, at: int) -> Expr:
        """Only zeros from `at` on, where `at` is not before the point."""
        if not self.fraction:
            return EPSILON
        return optional(concat(_DOT, _ZEROS_1)) if at == self.point else _ZEROS

    def _nonzero(self, at: int) -> Expr:
        """Some nonzero digit from `at` on, where `at` is not before the point."""
        return concat(_DOT if at == self.point else EPSILON, _ZEROS, _DIGIT_1, _DIGITS)

    def _lower(self, low: tuple[int, ...], at: int, strict: bool) -> Expr:
        """Continuations not below (strictly above) those of `low` from `at` on."""
        size = len(low)
        if at >= size:
            return self._nonzero(at) if strict else self.free(at)
        leaves = [concat(self._dot(k), _digit(low[k] + 1, 9), self.free(k + 1)) for k in range(at, size)]
        leaves.append(self._nonzero(size) if strict else self.free(size))
        return ladder([self._step(k, low[k]) for k in range(at, size)], leaves)

    def _upper(self, high: tuple[int, ...], at: int, strict: bool) -> Expr:
        """Continuations not above (strictly below) those of `high` from `at` on."""
        size = len(high)
        leaves = [
            union(concat(self._dot(k), _digit(0, high[k] - 1), self.free(k + 1)), self._end(k))
            for k in range(at, size)
        ]
        leaves.append(EMPTY if strict else self._zeros(size))
        return ladder([self._step(k, high[k]) for k in range(at, size)], leaves)
