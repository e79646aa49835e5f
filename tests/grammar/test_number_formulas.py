"""Numbers as formulas: every short spelling judged by exact fractions, long ones by sampling."""

from __future__ import annotations

import random
import re
import time
from decimal import Decimal
from fractions import Fraction
from functools import cache

import pytest

import gramspec as gs
from gramspec.automaton.engine import Engine
from gramspec.automaton.loader import load
from gramspec.grammar import ir
from gramspec.grammar.core import Grammar
from gramspec.grammar.json_schema.formulas import (
    EVERYTHING,
    NOTHING,
    AllOf,
    AnyOf,
    Between,
    Formula,
    Integral,
    Length,
    Multiple,
    Negation,
    Numbers,
    Plain,
    all_of,
    any_of,
    negation,
)
from gramspec.grammar.json_schema.multiples import is_enforced
from gramspec.grammar.json_schema.numbers import number_empty, number_exact, number_holds, number_value

_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_BEGUN = re.compile(r"-?(0|[1-9][0-9]*)?(?:(?<=[0-9])\.[0-9]*)?(?:(?<=[0-9])[eE][+-]?[0-9]*)?")

# fmt: off
DIVISORS = [
    "1", "2", "3", "5", "10", "100", "0.01", "0.1", "0.5", "0.25", "1.5", "7", "60", "0.0001", "1e-8", "3.14",
    "0.04", "125", "0.125", "15", "6", "8", "1e3", "1e-400", "1e400", "235",
]
ENDS = [None, "0", "1", "-1", "0.5", "2.5", "100", "-100", "12", "0.05", "1e5", "-0.2", "20", "1e-3", "250"]
STEPS = ["1", "2", "3", "5", "10", "100", "0.01", "0.1", "0.5", "0.25", "1.5", "7", "0.3", "0.04", "20", "25"]
LISTED = ["0", "1", "2", "5", "10", "100", "0.5", "1.5", "25", "-1", "-0.2", "50", "1e5"]
# fmt: on


@cache
def texts() -> tuple[str, ...]:
    """All beginnings of numbers, and numbers, of up to 4 characters, and up to 6 over few digits."""
    found: set[str] = set()
    for digits, longest in (("0123456789", 4), ("025", 6)):
        todo = [""]
        while todo:
            text = todo.pop()
            found.add(text)
            if len(text) < longest:
                todo += [text + c for c in "-+.eE" + digits if _BEGUN.fullmatch(text + c)]
    return tuple(sorted(found))


def long_texts(choose: random.Random, count: int) -> list[str]:
    """Spellings of several digits in every part, those of round numbers among them."""
    out = []
    for _ in range(count):
        number = choose.choice([1, 2, 5, 25, 60, 75, 125, 3 * 7, 314, 12345, choose.randrange(10**7)])
        digits = str(number * choose.choice([1, 1, 3, 7, 16, 4096])) + "0" * choose.randrange(4)
        cut = choose.randrange(len(digits)) if choose.random() < 0.5 else 1
        text = choose.choice(["", "", "-"])
        if choose.random() < 0.2:
            text += "0." + "0" * choose.randrange(5) + digits
        else:
            text += digits if cut in (0, len(digits)) else digits[:cut] + "." + digits[cut:]
        if choose.random() < 0.6:
            text += choose.choice("eE") + choose.choice(["", "+", "-", "0", "-0"])
            text += str(
                choose.randrange(len(digits) + 4) if choose.random() < 0.9 else choose.randrange(390, 410)
            )
        if _NUMBER.fullmatch(text):
            out.append(text)
    return out


def holds(formula: Formula, value: Fraction, plain: bool) -> bool:
    """The formula's meaning, by fractions."""
    match formula:
        case AllOf(parts):
            return all(holds(part, value, plain) for part in parts)
        case AnyOf(parts):
            return any(holds(part, value, plain) for part in parts)
        case Negation(part):
            return not holds(part, value, plain)
        case Between(low, low_strict, high, high_strict):
            if low is not None and (value < Fraction(low) or (low_strict and value == Fraction(low))):
                return False
            return high is None or value < Fraction(high) or (not high_strict and value == Fraction(high))
        case Multiple(divisor):
            return (value / Fraction(divisor)).denominator == 1
        case Integral():
            return value.denominator == 1
        case Plain():
            return plain
        case Numbers(values):
            return any(value == Fraction(one) for one in values)
    raise TypeError(formula)


def belongs(formula: Formula, text: str) -> bool:
    """Whether a text is to be accepted: API section 1."""
    if not _NUMBER.fullmatch(text):
        return False
    mantissa, mark, exponent = text.lower().partition("e")
    whole, point, _ = mantissa.partition(".")
    if formula == EVERYTHING:
        return True
    if mark and (len(whole.lstrip("-")) > 1 or abs(int(exponent)) > 400):
        return False
    return holds(formula, Fraction(text), not mark and not point)


class Reader:
    """Membership in the language of one formula, by the automaton."""

    def __init__(self, formula: Formula) -> None:
        self.engine = Engine([bytes([b]) for b in range(256)], gs.Limits())
        self.start = 0
        try:
            loaded = load(self.engine, number_value(formula))
            self.start = self.engine.core.start(loaded.expr)
        except gs.EmptyLanguageError:
            pass

    def accepts(self, text: str) -> bool:
        if self.start == 0:
            return False
        config = self.engine.core.advance_bytes(self.start, text.encode())
        return config != 0 and self.engine.core.accepts(config)


def check(formula: Formula, some: list[str]) -> int:
    """Compare on some texts; returns how many belong."""
    reader = Reader(formula)
    exact, hits = number_exact(formula), 0
    for text in some:
        want = belongs(formula, text)
        got = reader.accepts(text)
        assert got == want or (got and not exact), (formula, text, got)
        if _NUMBER.fullmatch(text) and "e" not in text.lower():
            plain = text.lstrip("-").isdigit()
            assert number_holds(formula, Decimal(text), plain=plain) == holds(formula, Fraction(text), plain)
        hits += want
    assert not (hits and number_empty(formula)), formula
    return hits


def between(
    low: str | None, high: str | None, *, low_strict: bool = False, high_strict: bool = False
) -> Between:
    return Between(low and Decimal(low), low_strict, high and Decimal(high), high_strict)  # type: ignore[arg-type]


def multiple(divisor: str) -> Multiple:
    return Multiple(Decimal(divisor))


def numbers(*values: str) -> Numbers:
    return Numbers(frozenset(map(Decimal, values)))


@pytest.mark.parametrize("divisor", DIVISORS)
def test_multiples(divisor: str) -> None:
    choose = random.Random(divisor)
    assert number_exact(multiple(divisor))
    some = choose.sample(texts(), 4000) + long_texts(choose, 1500)
    assert check(multiple(divisor), some) > 20
    check(negation(multiple(divisor)), choose.sample(some, 1000))
    inside = all_of(multiple(divisor), between("-2.5", "10000", low_strict=True))
    check(inside, choose.sample(some, 2000))


@pytest.mark.parametrize(
    ("divisor", "text", "want"),
    [
        ("100", "5e2", True),
        ("100", "5e1", False),
        ("5", "1.5e1", True),
        ("5", "1.5e0", False),
        ("0.01", "1.25", True),
        ("0.01", "1.250", True),
        ("0.01", "1.251", False),
        ("0.01", "1.251e1", True),
        ("0.01", "0.0001e2", True),
        ("1024", "1.048576e6", True),
        ("1024", "1.048577e6", False),
        ("3", "3" * 700, True),
        ("3", "1" + "0" * 700, False),
        ("3", "1." + "1" * 398 + "e400", True),
        ("7", "0", True),
        ("7", "-0.0e-3", True),
        ("12345", "1.2345e4", True),
        ("12345", "-24690.00", True),
        ("1", "1.0", True),
        ("1e-400", "1e-400", True),
        ("1e-400", "0.1e-400", False),
        ("1e-400", "0.1e-399", True),
        ("1e400", "1e400", True),
        ("1e400", "1e399", False),
        ("1e400", "0", True),
    ],
)
def test_a_multiple(divisor: str, text: str, want: bool) -> None:
    assert Reader(multiple(divisor)).accepts(text) == want == number_holds(multiple(divisor), Decimal(text))


def formula(choose: random.Random, depth: int) -> Formula:
    match choose.randrange(9 if depth else 6):
        case 0 | 1:
            strict = {"low_strict": choose.random() < 0.3, "high_strict": choose.random() < 0.3}
            return between(choose.choice(ENDS), choose.choice(ENDS), **strict)
        case 2 | 3:
            return multiple(choose.choice(STEPS))
        case 4:
            return choose.choice([Integral(), Plain()])
        case 5:
            return numbers(*choose.sample(LISTED, choose.randrange(1, 6)))
        case 6:
            return all_of(*(formula(choose, depth - 1) for _ in range(choose.randrange(1, 4))))
        case 7:
            return any_of(*(formula(choose, depth - 1) for _ in range(choose.randrange(1, 4))))
    return negation(formula(choose, depth - 1))


@pytest.mark.parametrize("seed", range(6))
def test_random_formulas(seed: int) -> None:
    choose = random.Random(seed)
    hits = empty = 0
    for _ in range(35):
        one = formula(choose, 3)
        hits += check(one, choose.sample(texts(), 700) + long_texts(choose, 300))
        empty += number_empty(one)
        assert number_exact(one), one
    assert hits > 2000 and empty > 0


def test_the_formula_that_says_nothing_is_rfc_8259() -> None:
    assert check(EVERYTHING, list(texts()[::7])) > 1000
    assert Reader(EVERYTHING).accepts("12.5E+4000")
    assert number_value(NOTHING) == ir.EMPTY and number_empty(NOTHING)
    assert number_value(EVERYTHING) is number_value(AllOf(()))


def test_emptiness() -> None:
    for one in (
        all_of(between("5", None), between(None, "4")),
        all_of(between("5", None, low_strict=True), between(None, "5")),
        all_of(Integral(), between("0.2", "0.9")),
        all_of(multiple("7"), between("1", "6")),
        all_of(multiple("4"), negation(multiple("2"))),
        all_of(Plain(), negation(Integral())),
        all_of(Plain(), negation(Plain())),
        all_of(numbers("1", "2"), between("3", None)),
        all_of(Integral(), between("1", "3"), negation(numbers("1", "2", "3"))),
        all_of(any_of(numbers("1"), multiple("10")), between("2", "9")),
        all_of(numbers("0"), negation(numbers("-0.0"))),
    ):
        assert number_empty(one), one
        assert check(one, list(texts()[::11])) == 0
    for one in (
        all_of(Integral(), negation(multiple("2"))),
        all_of(between("0", "1"), negation(Integral())),
        all_of(numbers("1"), negation(Plain())),
        all_of(multiple("1e300"), between("1", None)),
    ):
        assert not number_empty(one), one


def test_what_is_too_large_is_a_superset_that_says_so() -> None:
    for one, inside in (
        (multiple("99991"), "99991"),
        (multiple("0.30000000000000004"), "0.30000000000000004"),
        (multiple("1e-5000"), "1.5"),
        (between("-1e5000", "1e6000"), "1"),
        (between("1e-6000", None), "0.1"),
        (negation(multiple("99991")), "1"),
        (numbers("1e7000", "1"), "1"),
        (negation(numbers("1e7000", "1")), "2"),
    ):
        assert not number_exact(one)
        assert not number_empty(one)
        assert number_holds(one, Decimal(inside)) and Reader(one).accepts(inside)
    # Where the few candidates can be listed nothing is too large.
    listed = all_of(multiple("99991"), between("0", "500000"))
    assert number_exact(listed)
    assert [n for n in range(0, 500_000, 99_991) if not Reader(listed).accepts(str(n))] == []
    assert not Reader(listed).accepts("99992") and Reader(listed).accepts("1.99982e5")
    assert not number_holds(multiple("1e-5000"), Decimal("1e-5001"))
    assert is_enforced(Decimal(19_997)) and not is_enforced(Decimal(20_011))


def test_many_intervals_do_not_multiply() -> None:
    gaps = any_of(*(between(str(10 * n), str(10 * n + 5)) for n in range(60)))
    outside = negation(gaps)
    assert number_exact(outside) and not number_empty(outside)
    reader = Reader(outside)
    assert [n for n in range(600) if reader.accepts(str(n)) != (n % 10 > 5)] == []
    far = any_of(*(all_of(multiple(str(p)), negation(multiple(str(p + 1)))) for p in range(2, 12)))
    for _ in range(3):
        far = all_of(far, any_of(*(multiple(str(p)) for p in range(2, 12))))
    assert Reader(far).accepts("8")


def test_a_formula_over_strings_is_refused() -> None:
    for function in (number_value, number_exact, number_empty):
        with pytest.raises(TypeError, match="says nothing about numbers"):
            function(Length(0, 1))
    with pytest.raises(TypeError, match="says nothing about numbers"):
        number_holds(Length(0, 1), Decimal(0))


def test_masks_of_multiples_come_in_time() -> None:
    """Cold masks along a text, on tokens of up to three digits."""
    pieces = [bytes([b]) for b in range(128)] + [b"%d" % n for n in range(10, 1000)]
    pieces += [b"%03d" % n for n in range(100)] + [b".%02d" % n for n in range(100)] + [b"e+", b"e-"]
    vocabulary = gs.Vocabulary([*pieces, None], [len(pieces)])
    for one in (
        all_of(between("0", None), multiple("0.01")),
        all_of(between("-90", "90"), multiple("0.5")),
        all_of(between("1", "65535"), Integral()),
        all_of(between("0", "1e9"), multiple("60")),
        negation(multiple("7")),
    ):
        begin = time.perf_counter()
        matcher = gs.compile(Grammar(number_value(one)), vocabulary).matcher()
        for _ in range(6):
            ids = matcher.allowed_ids().tolist()
            digits = [i for i in ids if i < len(pieces) and pieces[i].isdigit()]
            if not digits:
                break
            matcher.advance(digits[len(digits) // 2])
        assert time.perf_counter() - begin < 5
