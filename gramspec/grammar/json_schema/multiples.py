"""Spellings of the multiples of a number: decimals, and exponents as far as API section 1 documents them.

Cost: about m states for every prime power m of the divisor, 400 for the place where the last digit may stand.
Source: with divisor r q^c 10^k (q 2 or 5, r coprime to 10), a number of significant digits n, the last one at
place w, is a multiple iff r divides n, w >= k and q^c divides n 10^(w-k); 10 being a unit modulo r.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import cache, cached_property, lru_cache

from gramspec.grammar.ir import And, Expr, Machine, byte_set, concat, optional, repeat, union
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
    exponent,
)

MAX_STATES = 20_000
"""States that the residues of one divisor may take; the multiples of a larger one are only approximated."""

_MAX_PLACE = 1_000  # places of digits, to the left and to the right of the point
_ANY_EXPONENT = concat(MARK, SIGN, DIGITS_1)


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
    """Whether `multiples` is exact for a divisor."""
    return Divisor.of(value).ways is not None


@lru_cache(maxsize=256)
def multiples(value: Decimal) -> Expr:
    """Spellings of the multiples of a positive number, zero among them.

    Parameters
    ----------
    value : Decimal
        The divisor, for which `is_enforced` holds.

    Returns
    -------
    Expr
        Regular.
    """
    ways = Divisor.of(value).ways
    if ways is None:
        raise ValueError(f"the multiples of {value} take too many states")
    texts = []
    for moduli, place in ways:
        parts = (multiples_of_power(place), *(residues(modulus) for modulus in moduli))
        texts.append(And(parts) if len(parts) > 1 else parts[0])
    return concat(optional(MINUS), union(*texts))


@lru_cache(maxsize=256)
def multiples_of_power(place: int) -> Expr:
    """Spellings, without sign, of the multiples of ``10**place``."""
    whole = union(NOUGHT, concat(DIGIT_1, DIGITS))
    if place > 0:
        whole = union(NOUGHT, concat(DIGIT_1, DIGITS, repeat(NOUGHT, place, place)))
    fraction = concat(repeat(DIGIT, 1, -place), ZEROS) if place < 0 else ZEROS_1
    return union(concat(whole, optional(concat(DOT, fraction))), _with_exponent(place))


def _with_exponent(place: int) -> Machine:
    """The spellings with exponent among `multiples_of_power`.

    A last digit other than zero in the fraction's place i asks for an exponent of i + `place` at least:
    state 2 + i has read i digits of the fraction, one of the next being the last that is not zero.
    """

    def at_least(low: int) -> Expr:
        return exponent(max(-MAX_EXPONENT, low), MAX_EXPONENT)

    end = 1
    zeros = optional(concat(DOT, ZEROS_1))
    first = [(concat(NOUGHT, zeros, at_least(-MAX_EXPONENT)), end)]
    if place <= MAX_EXPONENT:
        first.append((concat(DIGIT_1, zeros, at_least(place)), end))
    rows: list[tuple[tuple[Expr, int], ...]] = []
    for i in range(1, MAX_EXPONENT - place + 1):
        last = (concat(DIGIT_1, ZEROS, at_least(i + place)), end)
        rows.append((last, (DIGIT, 2 + i)) if i < MAX_EXPONENT - place else (last,))
    if rows:
        first.append((concat(DIGIT, DOT), 2))
    return Machine((tuple(first), (), *rows), (False, True, *(False for _ in rows)))


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
        targets.setdefault(state, []).append(-2)  # the point
        row = [(_bytes(tuple(found)), target) for target, found in targets.items()]
        if state == 0:
            row.append((_ANY_EXPONENT, end))
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
