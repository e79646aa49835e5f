"""Regular expressions of all spellings of the JSON numbers in a range.

Cost: nodes grow with (digits of the bounds) log(digits); free integers take about 5,000 nodes, built once.
Source: API section 1: under bounds, decimals, and exponents with a one-digit integer part and |e| <= 400.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, lru_cache
from typing import Literal, NamedTuple

from gramspec.grammar.ir import EMPTY, EPSILON, Empty, Expr, concat, literal, optional, repeat, union
from gramspec.grammar.json_schema.exponents import (
    DIGIT,
    DIGIT_1,
    DIGITS,
    DIGITS_1,
    DOT,
    MARK,
    MAX_EXPONENT,
    MINUS,
    NOUGHT,
    SIGN,
    ZEROS,
    ZEROS_1,
    digit,
    exponent,
    in_decade,
    in_decades,
    rounded_in_decades,
    rounded_tail,
)

ZERO = Decimal(0)

Style = Literal["number", "integer", "digits"]
"""Which spellings count: any, those of integral value, or those without fraction and exponent."""

Form = Literal["any", "decimal", "exponent"]
"""Spellings of both kinds, those without exponent, or those with one."""

_ZERO_POINT = literal("0.")


@cache
def rfc8259_number() -> Expr:
    """Every JSON number, as RFC 8259 spells them."""
    whole = union(literal("0"), concat(DIGIT_1, DIGITS))
    fraction = optional(concat(DOT, DIGITS_1))
    return concat(optional(MINUS), whole, fraction, optional(concat(MARK, SIGN, DIGITS_1)))


@lru_cache(maxsize=4096)
def numbers_between(
    low: Decimal | None,
    low_strict: bool,
    high: Decimal | None,
    high_strict: bool,
    style: Style,
    place: int | None = None,
    form: Form = "any",
) -> Expr:
    """Spellings of the numbers in an interval, or of those that are multiples of a power of ten.

    Parameters
    ----------
    low, high : Decimal or None
        Ends of the interval; None leaves it open.
    low_strict, high_strict : bool
        Whether the end itself is left out.
    style : {"number", "integer", "digits"}
        Which spellings count.
    place : int, optional
        Only multiples of ``10**place`` count.
    form : {"any", "decimal", "exponent"}
        Whether spellings with exponent, or those without, count only.

    Returns
    -------
    Expr
        Regular; `EMPTY` when the interval holds no such number.
    """
    if style != "number":
        place = max(place or 0, 0)
    kind = _Kind(place, style != "digits", form)
    if place is not None:
        low, low_strict = rounded(low, low_strict, place, up=True), False
        high, high_strict = rounded(high, high_strict, place, up=False), False
    if low is not None and high is not None and (low > high or (low == high and (low_strict or high_strict))):
        return EMPTY
    above: Expr = EMPTY
    if high is None or high > 0:
        if low is None or low <= 0:
            above = _positive(ZERO, True, high, high_strict, kind)
        else:
            above = _positive(low, low_strict, high, high_strict, kind)
    below: Expr = EMPTY
    if low is None or low < 0:
        far = None if low is None else low.copy_abs()
        if high is None or high >= 0:
            below = _positive(ZERO, True, far, low_strict, kind)
        else:
            below = _positive(high.copy_abs(), high_strict, far, low_strict, kind)
    zero_in = (low is None or low < 0 or (low == 0 and not low_strict)) and (
        high is None or high > 0 or (high == 0 and not high_strict)
    )
    zero = _zero(kind.fraction, form) if zero_in else EMPTY
    if above is below:
        return concat(optional(MINUS), union(zero, above))
    return union(concat(MINUS, union(zero, below)), zero, above)


def numbers_among(values: Iterable[Decimal]) -> Expr:
    """Spellings of some numbers; those of one decade share the part that shifts the point."""
    parts: list[Expr] = []
    decades: dict[tuple[bool, int], dict[Decimal, None]] = {}
    for value in values:
        if value == 0:
            parts.append(concat(optional(MINUS), _zero(True, "any")))
        else:
            decades.setdefault((value < 0, value.adjusted()), {})[value.copy_abs()] = None
    for (negative, at), sizes in decades.items():
        texts = [_plain(size, False, size, False, _ANY) for size in sizes]
        digits = [size.as_tuple().digits for size in sizes]
        whole, shifted = (
            union(*(_Layout(point, None, True).between(d, False, d, False) for d in digits))
            for point in (1, -1)
        )
        if -MAX_EXPONENT <= at <= MAX_EXPONENT:
            texts.append(concat(whole, exponent(at, at)))
        if at < MAX_EXPONENT:
            texts.append(concat(_ZERO_POINT, in_decade(shifted, at)))
        parts.append(concat(MINUS if negative else EPSILON, union(*texts)))
    return union(*parts)


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


class _Kind(NamedTuple):
    """Which numbers of an interval count: multiples of ``10**place`` (None: all); how they are written."""

    place: int | None
    fraction: bool
    form: Form = "any"

    def stop(self, at: int) -> int | None:
        """Significant digits of the multiples in the decade `at`."""
        return None if self.place is None else at + 1 - self.place


_ANY = _Kind(None, True)


def rounded(bound: Decimal | None, strict: bool, place: int, *, up: bool) -> Decimal | None:
    """The nearest multiple of ``10**place`` inside an interval's end."""
    if bound is None:
        return None
    sign, digits, last = bound.as_tuple()
    assert isinstance(last, int), "a JSON number is finite"
    scaled = Decimal((sign, digits, last - place))
    whole = scaled.to_integral_value("ROUND_CEILING" if up else "ROUND_FLOOR")
    number = int(whole)
    if strict and whole == scaled:
        number += 1 if up else -1
    return Decimal((int(number < 0), Decimal(abs(number)).as_tuple().digits, place))


@cache
def _zero(fraction: bool, form: Form) -> Expr:
    if not fraction:
        return NOUGHT
    power = EPSILON if form == "decimal" else exponent(-MAX_EXPONENT, MAX_EXPONENT)
    return concat(NOUGHT, optional(concat(DOT, ZEROS_1)), optional(power) if form == "any" else power)


@lru_cache(maxsize=1024)
def _positive(low: Decimal, low_strict: bool, high: Decimal | None, high_strict: bool, kind: _Kind) -> Expr:
    """Unsigned spellings of the positive numbers of an interval with ``0 <= low`` (strict at 0)."""
    if kind.place is not None and kind.place < 0 and low == 0:
        low, low_strict = Decimal((0, (1,), kind.place)), False
    plain = EMPTY if kind.form == "exponent" else _plain(low, low_strict, high, high_strict, kind)
    if not kind.fraction or kind.form == "decimal":
        return plain
    parts = [plain]
    shifted: list[Expr] = []
    first = kind.place
    if low > 0:
        first = low.adjusted()
        if low_strict or low != Decimal((0, (1,), first)):
            first += 1
            _add_decade(parts, shifted, low.adjusted(), low, low_strict, high, high_strict, kind)
    last = MAX_EXPONENT
    if high is not None:
        last = high.adjusted() - 1
        if low == 0 or first is None or first <= high.adjusted():
            _add_decade(parts, shifted, high.adjusted(), ZERO, False, high, high_strict, kind)
    if first is None or first <= last:
        _add_decades(parts, shifted, first, last, kind.place)
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
    kind: _Kind,
) -> None:
    """Add the spellings with exponent that lie in one decade, which the interval cuts."""
    bottom, strict, top = _significands(at, low, low_strict, high)
    stop = kind.stop(at)
    if -MAX_EXPONENT <= at <= MAX_EXPONENT:
        text = _Layout(1, stop, True).between(bottom, strict, top, high_strict)
        parts.append(concat(text, exponent(at, at)))
    if at < MAX_EXPONENT:
        text = _Layout(-1, stop, True).between(bottom, strict, top, high_strict)
        shifted.append(in_decade(text, at))


def _add_decades(
    parts: list[Expr], shifted: list[Expr], first: int | None, last: int, place: int | None
) -> None:
    """Add the spellings with exponent of all numbers in the decades ``first..last``."""
    low, high = -MAX_EXPONENT if first is None else max(first, -MAX_EXPONENT), min(last, MAX_EXPONENT)
    if first is None or place is None:
        if low <= high:
            parts.append(concat(DIGIT_1, optional(concat(DOT, DIGITS_1)), exponent(low, high)))
        shifted.append(in_decades(first, last))
        return
    if low <= high:
        tail = concat(optional(concat(DOT, ZEROS_1)), exponent(low, high))
        parts.append(concat(DIGIT_1, union(tail, concat(DOT, rounded_tail(low, high, place)))))
    shifted.append(rounded_in_decades(first, last, place))


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


def _plain(low: Decimal, low_strict: bool, high: Decimal | None, high_strict: bool, kind: _Kind) -> Expr:
    """The spellings without exponent among `_positive`."""
    parts: list[Expr] = []
    place = kind.place
    if (place is None or place < 0) and low < 1:
        below_one = _Layout(0, kind.stop(-1), True)
        top = None if high is None or high >= 1 else _fraction_digits(high)
        fraction = below_one.between(_fraction_digits(low), low_strict, top, high_strict)
        parts.append(concat(NOUGHT, fraction))
    whole_place = max(place or 0, 0)
    first = whole_place
    if low >= 1:
        first = low.adjusted() + 1
        parts.append(_decade(low.adjusted(), low, low_strict, high, high_strict, kind))
    last: int | None = None
    if high is not None:
        at = high.adjusted()
        last = at - 1
        if at >= 0 and (low == 0 or low.adjusted() < at):
            parts.append(_decade(at, ZERO, False, high, high_strict, kind))
    if last is None or first <= last:
        layout = _Layout(0, None if place is None else max(-place, 0), kind.fraction)
        most = None if last is None else last - whole_place
        zeros = repeat(NOUGHT, whole_place, whole_place)
        parts.append(concat(DIGIT_1, repeat(DIGIT, first - whole_place, most), zeros, layout.free(0)))
    return union(*parts)


def _decade(
    at: int, low: Decimal, low_strict: bool, high: Decimal | None, high_strict: bool, kind: _Kind
) -> Expr:
    """The spellings without exponent in the decade ``10^at``, ``at >= 0``."""
    bottom, strict, top = _significands(at, low, low_strict, high)
    layout = _Layout(at + 1, kind.stop(at), kind.fraction)
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
            concat(dot, digit(bottom[split], bottom[split]), self._lower(low, split + 1, low_strict)),
            concat(dot, self._digit(split, bottom[split] + 1, top[split] - 1), self.free(split + 1)),
            concat(dot, digit(top[split], top[split]), self._upper(high, split + 1, high_strict)),
        )
        return ladder([self._step(k, bottom[k]) for k in range(split)], [*ends[:split], final])

    def free(self, at: int) -> Expr:
        """Any continuation from position `at` on."""
        if at < self.point:
            chosen = max(0, (self.point if self.stop is None else min(self.point, self.stop)) - at)
            zeros = self.point - at - chosen
            whole = concat(repeat(DIGIT, chosen, chosen), repeat(NOUGHT, zeros, zeros))
            return concat(whole, self.free(self.point))
        if not self.fraction:
            return EPSILON
        if self.stop is None:
            return optional(concat(DOT, DIGITS_1)) if at == self.point else DIGITS
        room = max(0, self.stop - at)
        if at > self.point:
            return concat(repeat(DIGIT, 0, room), ZEROS)
        return optional(concat(DOT, concat(repeat(DIGIT, 1, room), ZEROS) if room else ZEROS_1))

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
        return DOT if at == self.point else EPSILON

    def _digit(self, at: int, low: int, high: int) -> Expr:
        """A digit between two at a position where there may be one that is not zero."""
        return digit(low, high if self.stop is None or at < self.stop else min(high, 0))

    def _step(self, at: int, value: int) -> Expr:
        return concat(self._dot(at), digit(value, value))

    def _end(self, at: int) -> Expr:
        return EPSILON if at >= self.point else EMPTY

    def _zeros(self, at: int) -> Expr:
        """Only zeros from `at` on, where `at` is not before the point."""
        if not self.fraction:
            return EPSILON
        return optional(concat(DOT, ZEROS_1)) if at == self.point else ZEROS

    def _nonzero(self, at: int) -> Expr:
        """Some nonzero digit from `at` on, where `at` is not before the point."""
        return concat(DOT if at == self.point else EPSILON, ZEROS, DIGIT_1, DIGITS)

    def _lower(self, low: tuple[int, ...], at: int, strict: bool) -> Expr:
        """Continuations not below (strictly above) those of `low` from `at` on."""
        size = len(low)
        if at >= size:
            return self._nonzero(at) if strict else self.free(at)
        leaves = [
            concat(self._dot(k), self._digit(k, low[k] + 1, 9), self.free(k + 1)) for k in range(at, size)
        ]
        leaves.append(self._nonzero(size) if strict else self.free(size))
        return ladder([self._step(k, low[k]) for k in range(at, size)], leaves)

    def _upper(self, high: tuple[int, ...], at: int, strict: bool) -> Expr:
        """Continuations not above (strictly below) those of `high` from `at` on."""
        size = len(high)
        leaves = [
            union(concat(self._dot(k), self._digit(k, 0, high[k] - 1), self.free(k + 1)), self._end(k))
            for k in range(at, size)
        ]
        leaves.append(EMPTY if strict else self._zeros(size))
        return ladder([self._step(k, high[k]) for k in range(at, size)], leaves)
