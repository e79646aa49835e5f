"""Spellings of the multiples of a number: decimals, and exponents as far as API section 1 documents them.

Cost: r q^i states for the significant digits and an interval for the place of the last one, for i = 0..c.
Source: with divisor r q^c 10^k (q 2 or 5, r coprime to 10), a number of significant digits n, the last one at
place w, is a multiple iff r divides n, w >= k and q^c divides n 10^(w-k); 10 being a unit modulo r.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import cache, cached_property, lru_cache
from math import lcm

from gramspec.grammar.ir import And, Empty, Expr, Machine, byte_set, concat, optional, repeat, union
from gramspec.grammar.json_schema.exponents import DIGITS_1, DOT, MARK, MINUS, NOUGHT, SIGN, ZEROS_1
from gramspec.grammar.json_schema.intervals import Form, Style, numbers_between

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
    def ways(self) -> tuple[tuple[int, int], ...] | None:
        """Modulus of the digits and least place of the last one, for each way of being a multiple.

        None: the machines have too many states.
        """
        if self.coprime > MAX_STATES or self.power > MAX_STATES.bit_length():
            return None
        if max(abs(self.place), abs(self.place + self.power)) > _MAX_PLACE:
            return None
        moduli = [self.coprime * self.base**power for power in range(self.power + 1)]
        if sum(moduli) > MAX_STATES:
            return None
        return tuple((m, self.place + self.power - power) for power, m in enumerate(moduli))

    @property
    def modulus(self) -> int:
        """Residues that the digits may take."""
        return self.coprime * int(self.base**self.power)


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
    value: Decimal, others: tuple[int, ...], low: Decimal | None, high: Decimal | None, style: Style
) -> Expr:
    """Spellings of the multiples of a positive number in an interval.

    Parameters
    ----------
    value : Decimal
        The divisor, for which `is_enforced` holds.
    others : tuple of int
        Numbers coprime to 10 that do not divide the significant digits.
    low, high : Decimal or None
        Ends of the interval, which belong to it; None leaves it open.
    style
        As for `intervals.numbers_between`.

    Returns
    -------
    Expr
        Regular; `EMPTY` when the interval surely holds no multiple.
    """
    ways = Divisor.of(value).ways
    if ways is None:
        raise ValueError(f"the multiples of {value} take too many states")
    divisor = Divisor.of(value)
    if divisor.modulus == 1 and not others:
        return numbers_between(low, False, high, False, style, divisor.place)

    def those(place: int, form: Form, digits: Expr | None) -> Expr:
        text = numbers_between(low, False, high, False, style, place, form)
        return text if digits is None or isinstance(text, Empty) else And((text, digits))

    # Decimals have their point at a known place: one machine. With an exponent the last place alone counts.
    decimals = decimal_residues(divisor, others)
    texts = [] if decimals is None else [those(divisor.place, "decimal", decimals)]
    if style != "digits" or decimals is None:
        for modulus, place in ways:
            digits = residues(modulus, others) if modulus > 1 or others else None
            texts.append(those(place, "any" if decimals is None else "exponent", digits))
    return union(*texts)


@lru_cache(maxsize=256)
def decimal_residues(divisor: Divisor, others: tuple[int, ...]) -> Machine | None:
    """Decimals that are multiples, their digits divisible by none of `others`; None: too many states.

    A state is the digits' residue, and how many of them stand behind the point (-1: no point yet). The
    spelling as such, and zeros before the point where the place asks for them, are not looked at.
    """
    whole = lcm(divisor.modulus, *others)
    places = max(0, -divisor.place)
    if whole * (places + 2) > MAX_STATES:
        return None

    def belongs(residue: int, read: int) -> bool:
        scaled = residue * pow(10, places - max(0, read), divisor.modulus)
        return scaled % divisor.modulus == 0 and all(residue % other for other in others)

    end = optional(concat(DOT, ZEROS_1))
    zeros = concat(repeat(NOUGHT, divisor.place, divisor.place), end) if divisor.place > 0 else None
    todo = [(0, -1)]
    states = {(0, -1): 0}
    rows: list[list[tuple[Expr, int]]] = []
    for residue, read in todo:  # grows on the way
        targets: dict[int, list[int]] = {}

        def lead(byte: int, state: tuple[int, int], into: dict[int, list[int]] = targets) -> None:
            if state not in states:
                states[state] = len(todo)
                todo.append(state)
            into.setdefault(states[state], []).append(byte)

        for digit in range(10):
            if read < places:
                lead(digit, ((10 * residue + digit) % whole, read + (read >= 0)))
            elif digit == 0:
                lead(digit, (residue, read))
        if read < 0:
            lead(_POINT, (residue, 0))
        rows.append([(_bytes(tuple(digits)), target) for target, digits in targets.items()])
    accepting = [zeros is None and belongs(*state) for state in todo] + [True]
    rows.append([])
    if zeros is not None:
        for number, (residue, read) in enumerate(todo):
            if read < 0 and belongs(residue, read):
                rows[number].append((zeros, len(todo)))
        if not others:
            rows[0].append((concat(NOUGHT, end), len(todo)))
    rows[0].append((MINUS, 0))
    return Machine(tuple(map(tuple, rows)), tuple(accepting))


@lru_cache(maxsize=256)
def residues(modulus: int, others: tuple[int, ...] = ()) -> Machine:
    """Texts whose digits before the exponent are divisible by `modulus` and by none of `others`.

    Zeros at the end of the digits are left aside; for `others`, coprime to 10, they do not matter.
    A state is the digits' residue, and whether they are divisible without the zeros at their end.
    """
    whole = lcm(modulus, *others)
    states = {(0, True): 0}
    todo = [(0, True)]
    rows: list[tuple[tuple[Expr, int], ...]] = []
    accepting = []
    end = -1  # the state after the exponent, numbered at last
    for residue, divisible in todo:  # grows on the way
        targets: dict[int, list[int]] = {}
        for digit in range(10):
            after = (10 * residue + digit) % whole
            state = (after, divisible if digit == 0 else after % modulus == 0)
            if state not in states:
                states[state] = len(todo)
                todo.append(state)
            targets.setdefault(states[state], []).append(digit)
        targets.setdefault(states[residue, divisible], []).append(_POINT)
        accepting.append(divisible and all(residue % other for other in others))
        row = [(_bytes(tuple(digits)), target) for target, digits in targets.items()]
        if accepting[-1]:
            row.append((_ANY_EXPONENT, end))
        rows.append(tuple(row))
    rows[0] += ((MINUS, 0),)
    end = len(rows)
    arcs = [tuple((read, end if target < 0 else target) for read, target in row) for row in rows]
    return Machine((*arcs, ()), (*accepting, True))


@cache
def _bytes(digits: tuple[int, ...]) -> Expr:
    return byte_set(48 + digit for digit in digits)
