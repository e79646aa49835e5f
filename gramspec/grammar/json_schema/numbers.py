"""Numbers as formulas say them: their spellings, membership by value, emptiness.

Law: `number_value` holds the spellings of a formula's numbers within the range API section 1 documents, and
all of RFC 8259 for no formula at all; where `number_exact` says no it holds more, but never less.
Source: JSON Schema Validation, section 6.2; API section 1.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from math import ceil, floor, gcd, lcm

from gramspec.grammar.ir import EMPTY, And, Expr, Not, union
from gramspec.grammar.json_schema.formulas import (
    EVERYTHING,
    AllOf,
    AnyOf,
    Between,
    Formula,
    Integral,
    Multiple,
    Negation,
    Numbers,
    Plain,
    negation,
)
from gramspec.grammar.json_schema.intervals import Style, rfc8259_number
from gramspec.grammar.json_schema.multiples import MAX_STATES, Divisor, is_enforced
from gramspec.grammar.json_schema.numerals import multiples_between, numbers_among, numbers_between

ONE = Decimal(1)

_MAX_DIGITS = 1_000  # digits, and places of digits, of a number that the automaton looks at
_FEW = 64  # numbers that are rather listed than intersected
_SOME = 1_000  # numbers that are tried one by one to find out whether there are any
_ALTERNATIVES = 256  # conjunctions that a formula may be spread into
_PRODUCTS = 4_096  # pairs of conjunctions looked at on the way


def number_value(formula: Formula) -> Expr:
    """Spellings of the numbers of a formula.

    Parameters
    ----------
    formula : Formula
        Over `Between`, `Multiple`, `Integral`, `Plain` and `Numbers`.

    Returns
    -------
    Expr
        Regular. All of RFC 8259 for the formula that says nothing; otherwise decimals, and exponents
        within the documented range, to which negations are relative too.
    """
    return _spelled(formula)[0]


def number_exact(formula: Formula) -> bool:
    """Whether `number_value` is what the formula says, and not a superset."""
    return _spelled(formula)[1]


def number_holds(formula: Formula, value: Decimal, *, plain: bool = False) -> bool:
    """Whether a formula holds for a number.

    Parameters
    ----------
    formula : Formula
        Over numbers.
    value : Decimal
        The number.
    plain : bool
        Whether it is written without fraction and exponent.
    """
    match formula:
        case AllOf(parts):
            return all(number_holds(part, value, plain=plain) for part in parts)
        case AnyOf(parts):
            return any(number_holds(part, value, plain=plain) for part in parts)
        case Negation(part):
            return not number_holds(part, value, plain=plain)
        case Between(low, low_strict, high, high_strict):
            above = low is None or value > low or (value == low and not low_strict)
            return above and (high is None or value < high or (value == high and not high_strict))
        case Multiple(divisor):
            return Divisor.of(divisor).divides(value)
        case Integral():
            return Divisor.of(ONE).divides(value)
        case Plain():
            return plain
        case Numbers(values):
            return value in values
    raise TypeError(f"{formula!r} says nothing about numbers")


@lru_cache(maxsize=1024)
def number_empty(formula: Formula) -> bool:
    """Whether surely no number satisfies a formula."""
    found = _alternatives(formula)
    return found is not None and all(one.is_empty() for one in found)


@lru_cache(maxsize=1024)
def _spelled(formula: Formula) -> tuple[Expr, bool]:
    """Spellings, and whether they are exact."""
    if formula == EVERYTHING:
        return rfc8259_number(), True
    found = _alternatives(formula)
    if found is None:
        return _documented(), False
    texts = [one.spelled() for one in found if not one.is_empty()]
    return union(*(text for text, _ in texts)), all(exact for _, exact in texts)


def _documented() -> Expr:
    """All that is not refused where numbers are constrained."""
    return numbers_between(None, False, None, False, "number")


def _alternatives(formula: Formula) -> list[_Conjunction] | None:
    """Conjunctions any of which suffices; None when there are too many."""
    match formula:
        case AllOf(parts):
            out = {_Conjunction(): None}
            for part in parts:
                more = _alternatives(part)
                if more is None or len(out) * len(more) > _PRODUCTS:
                    return None
                both = (one.meet(other) for one in out for other in more)
                out = {one: None for one in both if not one.is_nowhere}
                if len(out) > _ALTERNATIVES:
                    return None
            return list(out)
        case AnyOf(parts):
            out = {}
            for part in parts:
                more = _alternatives(part)
                if more is None or len(out) + len(more) > _ALTERNATIVES:
                    return None
                out.update(dict.fromkeys(more))
            return list(out)
        case Negation(AllOf(parts)):
            return _alternatives(AnyOf(tuple(map(negation, parts))))
        case Negation(AnyOf(parts)):
            return _alternatives(AllOf(tuple(map(negation, parts))))
        case Negation(Negation(part)):
            return _alternatives(part)
        case Negation(Between(low, low_strict, high, high_strict)):
            out = {}
            if low is not None:
                out[_Conjunction(high=low, high_strict=not low_strict)] = None
            if high is not None:
                out[_Conjunction(low=high, low_strict=not high_strict)] = None
            return list(out)
        case Between(low, low_strict, high, high_strict):
            return [_Conjunction(low, low_strict, high, high_strict)]
        case Multiple(divisor):
            return [_Conjunction(divisors=(divisor,))]
        case Integral():
            return [_Conjunction(divisors=(ONE,))]
        case Plain():
            return [_Conjunction(divisors=(ONE,), plain=True)]
        case Numbers(values):
            return [_Conjunction(values=values)]
        case Negation(Multiple() | Integral() | Plain() | Numbers() as part):
            return [_Conjunction(excluded=(part,))]
    raise TypeError(f"{formula!r} says nothing about numbers")


@dataclass(frozen=True, slots=True)
class _Conjunction:
    """What atoms and negated atoms say together."""

    low: Decimal | None = None
    low_strict: bool = False
    high: Decimal | None = None
    high_strict: bool = False
    divisors: tuple[Decimal, ...] = ()
    plain: bool = False
    values: frozenset[Decimal] | None = None
    excluded: tuple[Multiple | Integral | Plain | Numbers, ...] = ()

    def meet(self, other: _Conjunction) -> _Conjunction:
        """Both."""
        lows = [(low, strict) for low, strict in (self._lower(), other._lower()) if low is not None]
        highs = [(high, not strict) for high, strict in (self._upper(), other._upper()) if high is not None]
        low, low_strict = max(lows, default=(None, False))
        high, high_loose = min(highs, default=(None, True))
        values = self.values
        if other.values is not None:
            values = other.values if values is None else values & other.values
        return _Conjunction(
            low,
            low_strict,
            high,
            not high_loose,
            _joined((*self.divisors, *other.divisors)),
            self.plain or other.plain,
            values,
            tuple(dict.fromkeys((*self.excluded, *other.excluded))),
        )

    def _lower(self) -> tuple[Decimal | None, bool]:
        return self.low, self.low_strict

    def _upper(self) -> tuple[Decimal | None, bool]:
        return self.high, self.high_strict

    @property
    def is_nowhere(self) -> bool:
        """Whether the interval is empty, or nothing is listed."""
        if self.values is not None and not self.values:
            return True
        if self.low is None or self.high is None:
            return False
        return self.low > self.high or (self.low == self.high and (self.low_strict or self.high_strict))

    def is_empty(self) -> bool:
        """Whether surely nothing satisfies it."""
        if self.is_nowhere or (self.plain and Plain() in self.excluded):
            return True
        candidates = self.candidates(_SOME)
        if candidates is not None:
            return not any(map(self.holds, candidates))
        excluded = [part.divisor for part in self.excluded if isinstance(part, Multiple)]
        if Integral() in self.excluded:
            excluded.append(ONE)
        return any(Divisor.of(one).divides(divisor) for one in excluded for divisor in self.divisors)

    def holds(self, value: Decimal) -> bool:
        """Whether it holds for a number in some spelling."""
        return (
            number_holds(Between(self.low, self.low_strict, self.high, self.high_strict), value)
            and (self.values is None or value in self.values)
            and all(Divisor.of(divisor).divides(value) for divisor in self.divisors)
            and not any(number_holds(part, value) for part in self.excluded)
        )

    def candidates(self, most: int) -> list[Decimal] | None:
        """At most so many numbers, among which are all that satisfy it; None when there are more."""
        if self.values is not None:
            return sorted(self.values)
        if self.low is None or self.high is None:
            return None
        if self.low == self.high:
            return [self.low]
        if not (self.divisors and all(map(_is_moderate, (self.low, self.high, *self.divisors)))):
            return None
        step = max(self.divisors)  # the others are tested one by one
        first, last = _first(self.low, False, step), -_first(self.high.copy_negate(), False, step)
        return None if last - first >= most else [_times(step, n) for n in range(first, last + 1)]

    def spelled(self) -> tuple[Expr, bool]:
        """Its spellings, and whether they are exact."""
        candidates = self.candidates(_FEW)
        plain = self.values is None and not self.excluded and all(_modulus(d) == 1 for d in self.divisors)
        if candidates is not None and not plain and all(map(_is_moderate, candidates)):
            texts, exact = [numbers_among(filter(self.holds, candidates))], True
            if self.plain:
                texts.append(numbers_between(None, False, None, False, "digits"))
            if Plain() in self.excluded:
                texts.append(Not(_spelled(Plain())[0]))
        else:
            texts, exact = self._intersected()
        if EMPTY in texts:
            return EMPTY, exact
        return (texts[0] if len(texts) == 1 else And(tuple(texts))), exact

    def _intersected(self) -> tuple[list[Expr], bool]:
        """What is to be intersected, and whether that is all."""
        exact = self.values is None
        low, low_strict, high, high_strict = self.low, self.low_strict, self.high, self.high_strict
        if low is not None and not _is_moderate(low):
            low, low_strict, exact = _below(low), False, False
        if high is not None and not _is_moderate(high):
            above = _below(high.copy_negate())
            high, high_strict, exact = above if above is None else above.copy_negate(), False, False
        step = max(filter(is_enforced, self.divisors), key=_modulus, default=None)
        exact = exact and self.divisors == (() if step is None else (step,))
        without, others, sure = self._left_out(step)
        exact = exact and sure
        style: Style = "digits" if self.plain else "number"
        if step is None:
            place = min((Divisor.of(one).place for one in self.divisors), default=None)
            rough = place if place is not None and abs(place) <= _MAX_DIGITS // 2 else None
            text = numbers_between(low, low_strict, high, high_strict, style, rough)
        else:
            # Bounds that are multiples themselves leave less to search where nothing follows.
            least = None if low is None else _times(step, _first(low, low_strict, step))
            most = None if high is None else _times(step, -_first(high.copy_negate(), high_strict, step))
            text = multiples_between(step, others, least, most, style)
        return [text, *(Not(one) for one in without)], exact

    def _left_out(self, step: Decimal | None) -> tuple[list[Expr], tuple[int, ...], bool]:
        """Texts that are left out, numbers that do not divide the digits, and whether that is all."""
        without: list[Expr] = []
        others: tuple[int, ...] = ()
        exact = True
        states = whole = 1 if step is None else _modulus(step)
        for part in self.excluded:
            told = 10
            if isinstance(part, Multiple | Integral):
                divisor = part.divisor if isinstance(part, Multiple) else ONE
                if step is not None and _is_moderate(divisor):
                    told, place = _telling(divisor, step)
                    divisor = _decimal(told, place)
                part = Multiple(divisor)
                states *= _modulus(divisor)
            if gcd(told, 10) == 1 and lcm(whole, told) <= MAX_STATES:
                whole = lcm(whole, told)
                others = (*others, told)
                continue
            text, sure = _spelled(part)
            if sure and states <= MAX_STATES:
                without.append(text)
            else:
                exact = False
        return without, others, exact


def _telling(divisor: Decimal, step: Decimal) -> tuple[int, int]:
    """A number, and a place, whose product divides the same multiples of a step as a divisor does.

    Only the primes count by which the multiples of the step are not divisible often enough yet.
    """
    place = min(_place(divisor), _place(step))
    number, told = _scaled(divisor, place), 1
    rest = number // gcd(number, _scaled(step, place))
    while (common := gcd(number, rest)) > 1:
        number, told = number // common, told * common
    return told, place


def _modulus(divisor: Decimal) -> int:
    return Divisor.of(divisor).modulus


def _joined(divisors: Iterable[Decimal]) -> tuple[Decimal, ...]:
    """Their least common multiple; those that say something where they are too large for one."""
    found = sorted(set(divisors))
    if len(found) < 2:
        return tuple(found)
    found = [one for one in found if not any(one != two and Divisor.of(one).divides(two) for two in found)]
    if len(found) < 2 or not all(map(_is_moderate, found)):
        return tuple(found)
    place = min(_place(one) for one in found)
    return (_decimal(lcm(*(_scaled(one, place) for one in found)), place),)


def _times(step: Decimal, count: int) -> Decimal:
    """The exact product."""
    place = _place(step)
    return _decimal(_scaled(step, place) * count, place)


def _first(low: Decimal, strict: bool, step: Decimal) -> int:
    """Which multiple of a step is the first one above a bound."""
    ratio = Fraction(low) / Fraction(step)
    return floor(ratio) + 1 if strict else ceil(ratio)


def _decimal(number: int, place: int) -> Decimal:
    return Decimal((int(number < 0), Decimal(abs(number)).as_tuple().digits, place))


def _scaled(value: Decimal, place: int) -> int:
    """How many times ``10**place`` a number is, an integer."""
    return int(Fraction(value) / Fraction(10) ** place)


def _place(value: Decimal) -> int:
    place = value.as_tuple().exponent
    assert isinstance(place, int), "a JSON number is finite"
    return place


def _is_moderate(value: Decimal) -> bool:
    """Whether the automaton may look at the digits of a number one by one."""
    if value == 0:
        return True
    return _place(value) >= -_MAX_DIGITS and value.adjusted() <= _MAX_DIGITS


def _below(value: Decimal) -> Decimal | None:
    """A bound below a number that is not moderate."""
    far = Decimal((0, (1,), _MAX_DIGITS))
    near = Decimal((0, (1,), -_MAX_DIGITS))
    if value >= far:
        return far
    if value < -far:
        return None
    if abs(value) < near:
        return Decimal(0) if value > 0 else near.copy_negate()
    sign, digits, _ = value.as_tuple()
    kept = digits[: value.adjusted() + 1 + _MAX_DIGITS]
    short = Decimal((sign, kept, value.adjusted() - len(kept) + 1))
    return short if value > 0 else _decimal(int(Fraction(short) * 10**_MAX_DIGITS) - 1, -_MAX_DIGITS)
