"""Spellings of the multiples of a number: decimals, and exponents as far as API section 1 documents them.

Cost: m states for a modulus m of the significant digits, and an interval for every place of the last one.
Source: with divisor r q^c 10^k (q 2 or 5, r coprime to 10), a number of significant digits n, the last one at
place w, is a multiple iff r divides n, w >= k and q^c divides n 10^(w-k); 10 being a unit modulo r.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import cache, cached_property, lru_cache

from gramspec.grammar.ir import And, Empty, Expr, Machine, byte_set, concat, union
from gramspec.grammar.json_schema.exponents import DIGITS_1, MARK, MINUS, SIGN
from gramspec.grammar.json_schema.intervals import Style, numbers_between

MAX_STATES = 20_000
"""States that the residues of one divisor may take; the multiples of a larger one are only approximated."""

_MAX_PLACE = 500  # places of digits, to the left and to the right of the point
_ANY_EXPONENT = concat(MARK, SIGN, DIGITS_1)
_POINT = ord(".") - ord("0")


@dataclass(frozen=True)
class Divisor:
    """A positive number as ``coprime * base**power * 10**place``; `base` is 2 or 5, or 1 with power 0."""

    coprime: int
    base: int
    power: int
    place: int

    @classmethod
    def of(cls, value: Decimal) -> Divisor:
        """The parts of a positive number."""
        number, place = significant(value)
        base = 2 if number % 2 == 0 else 5 if number % 5 == 0 else 1
        power = 0
        while base > 1 and number % base == 0:
            number, power = number // base, power + 1
        return cls(number, base, power, place)

    def divides(self, value: Decimal) -> bool:
        """Whether a number is a multiple."""
        if value == 0:
            return True
        number, place = significant(value)
        spare = place - self.place
        if spare < 0 or number % self.coprime:
            return False
        return spare >= self.power or number % self.base ** (self.power - spare) == 0

    @cached_property
    def ways(self) -> tuple[tuple[tuple[int, ...], int], ...] | None:
        """Moduli of the digits and least place of the last one, for each way of being a multiple.

        None: their machines have too many states.
        """
        odd = _prime_powers(self.coprime)
        if odd is None or max(abs(self.place), abs(self.place + self.power)) > _MAX_PLACE:
            return None
        out = []
        for power in range(self.power + 1):
            moduli = _joined([*odd, self.base**power] if power else odd)
            out.append((moduli, self.place + self.power - power))
        if sum({modulus for moduli, _ in out for modulus in moduli}) > MAX_STATES:
            return None
        return tuple(out)


def significant(value: Decimal) -> tuple[int, int]:
    """Significant digits as an integer that 10 does not divide, and the place (power of ten) of the last."""
    _, digits, place = value.as_tuple()
    assert isinstance(place, int), "a JSON number is finite"
    size = len(digits)
    while size > 1 and digits[size - 1] == 0:
        size -= 1
    return int(Decimal((0, digits[:size], 0))), place + len(digits) - size


def is_enforced(value: Decimal) -> bool:
    """Whether there are machines for the multiples of a divisor, within the budget."""
    return Divisor.of(value).ways is not None


@lru_cache(maxsize=1024)
def multiples_between(
    value: Decimal,
    low: Decimal | None,
    low_strict: bool,
    high: Decimal | None,
    high_strict: bool,
    style: Style,
) -> Expr:
    """Spellings of the multiples of a positive number in an interval.

    Parameters
    ----------
    value : Decimal
        The divisor, for which `is_enforced` holds.
    low, low_strict, high, high_strict, style
        As for `intervals.numbers_between`.

    Returns
    -------
    Expr
        Regular; `EMPTY` when the interval surely holds no multiple.
    """
    ways = Divisor.of(value).ways
    if ways is None:
        raise ValueError(f"the multiples of {value} take too many states")
    texts = []
    for moduli, place in ways:
        text = numbers_between(low, low_strict, high, high_strict, style, place)
        if moduli and not isinstance(text, Empty):
            text = And((text, *(residues(modulus) for modulus in moduli)))
        texts.append(text)
    return union(*texts)


@lru_cache(maxsize=256)
def residues(modulus: int) -> Machine:
    """Texts whose digits before the exponent, zeros at the end left aside, are divisible by `modulus`.

    State 0: divisible so far; state 1 + x: the digits are x, with zeros at the end, and what they are
    without these is not divisible; the last state is after the exponent.
    """
    end = modulus + 1
    arcs: list[tuple[tuple[Expr, int], ...]] = []
    for state in range(modulus + 1):
        at = state - 1 if state else 0
        targets: dict[int, list[int]] = {}
        for digit in range(10):
            after = (10 * at + digit) % modulus
            stays = state == 0 and digit == 0
            divisible = stays or (after == 0 and digit > 0)
            targets.setdefault(0 if divisible else after + 1, []).append(digit)
        targets.setdefault(state, []).append(_POINT)
        row = [(_bytes(tuple(found)), target) for target, found in targets.items()]
        if state == 0:
            row += [(MINUS, 0), (_ANY_EXPONENT, end)]
        arcs.append(tuple(row))
    arcs.append(())
    return Machine(tuple(arcs), (True, *(False for _ in range(modulus)), True))


@cache
def _bytes(digits: tuple[int, ...]) -> Expr:
    return byte_set(48 + digit for digit in digits)


def _prime_powers(number: int) -> list[int] | None:
    """The prime powers of a number coprime to 10; None if one is beyond the budget."""
    found = []
    factor = 3
    while factor * factor <= number and factor <= MAX_STATES:
        power = 1
        while number % factor == 0:
            number, power = number // factor, power * factor
        if power > 1:
            found.append(power)
        factor += 2
    if number > 1:
        found.append(number)
    return found if sum(found) <= MAX_STATES else None


def _joined(moduli: list[int]) -> tuple[int, ...]:
    """Products of coprime moduli within the budget: one machine is searched faster than two at once."""
    out: list[int] = []
    for modulus in sorted(moduli):
        if out and out[-1] * modulus <= MAX_STATES:
            out[-1] *= modulus
        else:
            out.append(modulus)
    return tuple(out)
