"""Numbers as formulas say them: their spellings, membership by value, emptiness.

Law: `number_value` holds the spellings of a formula's numbers within the range API section 1 documents, and
all of RFC 8259 for no formula at all; where `number_exact` says no it holds more, but never less.
Source: JSON Schema Validation, section 6.2; API section 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from math import ceil, floor, lcm

from gramspec.grammar.ir import EMPTY, And, Expr, Not, union
from gramspec.grammar.json_schema.formulas import (
    AllOf,
    AnyOf,
    Between,
    Formula,
    Integral,
    Multiple,
    Negation,
    Numbers,
    Plain,
    all_of,
    any_of,
    negation,
)
from gramspec.grammar.json_schema.intervals import (
    Style,
    ladder,
    numbers_among,
    numbers_between,
    rfc8259_number,
)
from gramspec.grammar.json_schema.multiples import Divisor, is_enforced, multiples

__all__ = [
    "Style",
    "ladder",
    "number_empty",
    "number_exact",
    "number_holds",
    "number_value",
    "numbers_among",
    "numbers_between",
    "rfc8259_number",
]

ONE = Decimal(1)

_MAX_DIGITS = 1_000  # digits, and places of digits, of a number that the automaton looks at
_FEW = 64  # numbers that are rather listed than intersected
_SOME = 1_000  # numbers that are tried one by one to find out whether there are any
_ALTERNATIVES = 256  # conjunctions looked at for the same


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
    found = _alternatives(formula, _ALTERNATIVES)
    return found is not None and all(_Conjunction.of(parts).is_empty() for parts in found)


@lru_cache(maxsize=1024)
def _spelled(formula: Formula) -> tuple[Expr, bool]:
    match formula:
        case AllOf(()):
            return rfc8259_number(), True
        case AllOf(parts):
            return _Conjunction.of(parts).spelled()
        case AnyOf(parts):
            found = [_spelled(part) for part in parts]
            return union(*(expr for expr, _ in found)), all(exact for _, exact in found)
        case Negation(AnyOf() | AllOf() | Between() | Negation()):
            return _spelled(_inverse(formula.part))
    return _Conjunction.of((formula,)).spelled()


def _inverse(formula: Formula) -> Formula:
    """The negation, pushed one level down where that is possible."""
    match formula:
        case AllOf(parts):
            return any_of(*(_inverse(part) for part in parts))
        case AnyOf(parts):
            return all_of(*(_inverse(part) for part in parts))
        case Negation(part):
            return part
        case Between(low, low_strict, high, high_strict):
            outside: list[Formula] = []
            if low is not None:
                outside.append(Between(None, False, low, not low_strict))
            if high is not None:
                outside.append(Between(high, not high_strict, None, False))
            return any_of(*outside)
    return negation(formula)


def _alternatives(formula: Formula, most: int) -> list[tuple[Formula, ...]] | None:
    """Conjunctions of atoms and negated atoms, any of which suffices; None when there are too many."""
    match formula:
        case AllOf(parts):
            out: list[tuple[Formula, ...]] = [()]
            for part in parts:
                more = _alternatives(part, most)
                if more is None or len(out) * len(more) > most:
                    return None
                out = [(*one, *other) for one in out for other in more]
            return out
        case AnyOf(parts):
            out = []
            for part in parts:
                more = _alternatives(part, most)
                if more is None or len(out) + len(more) > most:
                    return None
                out += more
            return out
        case Negation(AnyOf() | AllOf() | Between() | Negation()):
            return _alternatives(_inverse(formula.part), most)
    return [(formula,)]


@dataclass(slots=True)
class _Conjunction:
    """Formulas that hold together, those of a kind made one."""

    low: Decimal | None = None
    low_strict: bool = False
    high: Decimal | None = None
    high_strict: bool = False
    divisors: tuple[Decimal, ...] = ()
    plain: bool = False
    values: frozenset[Decimal] | None = None
    others: tuple[Formula, ...] = ()

    @classmethod
    def of(cls, parts: Iterable[Formula]) -> _Conjunction:
        out = cls()
        for part in _flat(parts):
            match part:
                case Between(low, low_strict, high, high_strict):
                    if low is not None and (out.low is None or (low, low_strict) > (out.low, out.low_strict)):
                        out.low, out.low_strict = low, low_strict
                    if high is not None and (
                        out.high is None or (high, not high_strict) < (out.high, not out.high_strict)
                    ):
                        out.high, out.high_strict = high, high_strict
                case Multiple(divisor):
                    out.divisors = (*out.divisors, divisor)
                case Integral():
                    out.divisors = (*out.divisors, ONE)
                case Plain():
                    out.divisors, out.plain = (*out.divisors, ONE), True
                case Numbers(values):
                    out.values = values if out.values is None else out.values & values
                case _:
                    out.others = (*out.others, part)
        out.divisors = _joined(out.divisors)
        return out

    def is_empty(self) -> bool:
        """Whether surely nothing satisfies it; its `others` are negated atoms."""
        if self.plain and Negation(Plain()) in self.others:
            return True
        values = self.candidates(_SOME)
        if values is not None:
            return not any(self.holds(value, self.others) for value in values)
        excluded = [_divisor_of(part) for part in self.others]
        return any(
            other is not None and Divisor.of(other).divides(divisor)
            for other in excluded
            for divisor in self.divisors
        )

    def holds(self, value: Decimal, others: Iterable[Formula]) -> bool:
        """Whether it may hold for a number, however that is written."""
        return (
            number_holds(Between(self.low, self.low_strict, self.high, self.high_strict), value)
            and all(Divisor.of(divisor).divides(value) for divisor in self.divisors)
            and all(number_holds(part, value) for part in others if not _is_about_spelling(part))
        )

    def candidates(self, most: int) -> list[Decimal] | None:
        """At most so many numbers, among which are all that satisfy it; None when there are more."""
        if self.values is not None:
            return sorted(self.values) if len(self.values) <= most else None
        if self.low is None or self.high is None:
            return None
        if self.low > self.high:
            return []
        if self.low == self.high:
            return [self.low]
        if not (self.divisors and all(map(_is_moderate, (self.low, self.high, *self.divisors)))):
            return None
        # The divisors that could not be joined are tested one by one.
        step = Fraction(max(self.divisors))
        first, last = ceil(Fraction(self.low) / step), floor(Fraction(self.high) / step)
        if last - first >= most:
            return None
        return [_times(max(self.divisors), count) for count in range(first, last + 1)]

    def spelled(self) -> tuple[Expr, bool]:
        """Its spellings, and whether they are exact."""
        exact = True
        values = self.candidates(_FEW if self.values is None else len(self.values))
        later = self.others
        if values is not None and all(map(_is_moderate, values)):
            later = tuple(part for part in self.others if _is_about_spelling(part))
            chosen = [value for value in values if self.holds(value, self.others)]
            texts = [numbers_among(chosen)]
            if self.plain:
                texts.append(numbers_between(None, False, None, False, "digits"))
        else:
            texts, exact = self._intersected()
        for part in later:
            match part:
                case Negation(Multiple(divisor)) if not is_enforced(divisor):
                    exact = False
                case Negation(Multiple() | Integral() | Plain() | Numbers()) if all(
                    map(_is_moderate, _values_of(part.part))
                ):
                    texts.append(Not(_spelled(part.part)[0]))
                case Negation(Numbers()):
                    exact = False
                case _:
                    expr, sure = _spelled(part)
                    texts.append(expr)
                    exact = exact and sure
        if EMPTY in texts:
            return EMPTY, exact
        return (texts[0] if len(texts) == 1 else And(tuple(texts))), exact

    def _intersected(self) -> tuple[list[Expr], bool]:
        """What the interval and the divisors say, and whether that is all."""
        exact = self.values is None
        divisors = []
        for divisor in self.divisors:
            if is_enforced(divisor):
                divisors.append(divisor)
            else:
                exact = False
        low, low_strict, high, high_strict = self.low, self.low_strict, self.high, self.high_strict
        if low is not None and not _is_moderate(low):
            low, low_strict, exact = _below(low), False, False
        if high is not None and not _is_moderate(high):
            above = _below(high.copy_negate())
            high, high_strict, exact = above if above is None else above.copy_negate(), False, False
        style: Style = "digits" if self.plain else "integer" if ONE in divisors else "number"
        if style == "number" and divisors:
            # Bounds that are multiples themselves leave less to search where nothing follows.
            step = max(divisors)
            if low is not None:
                low, low_strict = _times(step, _first(low, low_strict, step)), False
            if high is not None:
                last = -_first(high.copy_negate(), high_strict, step)
                high, high_strict = _times(step, last), False
        rest = [multiples(divisor) for divisor in divisors if divisor != ONE]
        if rest and low is None and high is None and style != "digits":
            return rest, exact
        return [numbers_between(low, low_strict, high, high_strict, style), *rest], exact


def _flat(parts: Iterable[Formula]) -> Iterator[Formula]:
    for part in parts:
        match part:
            case AllOf(inner):
                yield from _flat(inner)
            case Negation(AnyOf() | AllOf() | Between() | Negation()):
                yield from _flat((_inverse(part.part),))
            case AnyOf((only,)):
                yield from _flat((only,))
            case _:
                yield part


def _joined(divisors: Iterable[Decimal]) -> tuple[Decimal, ...]:
    """Their least common multiple, if it is enforced or they are not; else those that say something."""
    found = sorted(set(divisors))
    found = [one for one in found if not any(one != two and Divisor.of(one).divides(two) for two in found)]
    if len(found) < 2 or not all(map(_is_moderate, found)):
        return tuple(found)
    place = min(_place(one) for one in found)
    number = 1
    for one in found:
        number = lcm(number, int(Fraction(one) / Fraction(10) ** place))
    least = _decimal(number, place)
    return (least,) if is_enforced(least) or not all(map(is_enforced, found)) else tuple(found)


def _times(step: Decimal, count: int) -> Decimal:
    """The exact product."""
    place = _place(step)
    return _decimal(int(Fraction(step) / Fraction(10) ** place) * count, place)


def _first(low: Decimal, strict: bool, step: Decimal) -> int:
    """Which multiple of a step is the first one above a bound."""
    ratio = Fraction(low) / Fraction(step)
    return floor(ratio) + 1 if strict else ceil(ratio)


def _decimal(number: int, place: int) -> Decimal:
    return Decimal((int(number < 0), Decimal(abs(number)).as_tuple().digits, place))


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


def _divisor_of(part: Formula) -> Decimal | None:
    """The divisor of a negated atom."""
    match part:
        case Negation(Multiple(divisor)):
            return divisor
        case Negation(Integral()):
            return ONE
    return None


def _values_of(part: Formula) -> Iterable[Decimal]:
    return part.values if isinstance(part, Numbers) else ()


def _is_about_spelling(formula: Formula) -> bool:
    match formula:
        case AllOf(parts) | AnyOf(parts):
            return any(_is_about_spelling(part) for part in parts)
        case Negation(part):
            return _is_about_spelling(part)
    return isinstance(formula, Plain)
