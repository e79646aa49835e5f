"""Number ranges: every spelling of a small alphabet judged by exact decimal arithmetic."""

from __future__ import annotations

import itertools
import random
from decimal import Decimal

import pytest

from gramspec.grammar.json_schema.exponents import MAX_EXPONENT
from gramspec.grammar.json_schema.intervals import numbers_among, numbers_between, rfc8259_number
from tests.grammar.ir_oracle import accepts, node_count

WHOLE = ["0", "1", "5", "9", "10", "12", "99", "100", "101", "255", "256", "1000", "01", ""]
FRACTION = ["", ".", ".0", ".00", ".5", ".05", ".50", ".12", ".120", ".001", ".999", ".250"]
EXPONENT = ["", "e0", "E-0", "e+00", "e1", "E+1", "e2", "e02", "e-1", "e-2", "e3", "e-3", "e", "e+"]


def well_formed(whole: str, fraction: str, exponent: str) -> bool:
    return (
        whole != ""
        and (whole == "0" or not whole.startswith("0"))
        and fraction != "."
        and exponent not in ("e", "e+")
    )


def in_range(text: str) -> bool:
    """The documented spellings: an exponent only after one digit, and at most 400 in size."""
    mantissa, mark, exponent = text.lower().partition("e")
    if not mark:
        return True
    return len(mantissa.lstrip("-").partition(".")[0]) == 1 and abs(int(exponent)) <= MAX_EXPONENT


SPELLINGS = [
    (sign + w + f + e, well_formed(w, f, e))
    for sign, w, f, e in itertools.product(["", "-"], WHOLE, FRACTION, EXPONENT)
]

BOUNDS = [
    (None, None),
    ("0", None),
    (None, "0"),
    ("0", "0"),
    ("1", "10"),
    ("-5", "5"),
    ("0.5", "0.5"),
    ("0.05", "1.25"),
    ("1.2", "1.25"),
    ("1.5", "1.502"),
    ("-1.2", "0.001"),
    ("99", "256"),
    ("100", "100"),
    ("12.05", "12.12"),
    ("-256", "-99"),
    ("-0.12", "-0.012"),
    ("9.99", "10.01"),
    ("1e-3", "1e3"),
    ("250", None),
    (None, "-0.5"),
    ("2", None),
    ("12", "123456789012345"),
    ("1e-9", "1e9"),
]


def expected(text: str, low: str | None, ls: bool, high: str | None, hs: bool, style: str) -> bool:
    if not in_range(text):
        return False
    value = Decimal(text)
    if low is not None and (value < Decimal(low) or (ls and value == Decimal(low))):
        return False
    if high is not None and (value > Decimal(high) or (hs and value == Decimal(high))):
        return False
    if style == "integer":
        return value == value.to_integral_value()
    return style == "number" or text.lstrip("-").isdigit()


@pytest.mark.parametrize(("low", "high"), BOUNDS)
@pytest.mark.parametrize("style", ["number", "integer", "digits"])
def test_spellings_of_a_range(low: str | None, high: str | None, style: str) -> None:
    choose = random.Random(f"{low} {high} {style}")
    for ls, hs in itertools.product([False, True], repeat=2):
        expr = numbers_between(low and Decimal(low), ls, high and Decimal(high), hs, style)
        for text, good in choose.sample(SPELLINGS, 500):
            want = good and expected(text, low, ls, high, hs, style)
            assert accepts(expr, text) == want, (text, ls, hs)


@pytest.mark.parametrize(
    "value", ["0", "1", "-1", "100", "1.5", "-0.25", "12.50", "1e3", "5e-2", "1e400", "1e401"]
)
def test_spellings_of_one_number(value: str) -> None:
    expr = numbers_among([Decimal(value)])
    hits = 0
    for text, good in SPELLINGS:
        want = good and expected(text, value, False, value, False, "number")
        assert accepts(expr, text) == want, text
        hits += want
    assert accepts(expr, format(Decimal(value), "f"))
    assert hits >= 3 or abs(Decimal(value)) > 1e6


def test_spellings_of_many_numbers() -> None:
    values = [Decimal(v) for v in ("0", "1", "1.2", "-1.25", "100", "101", "-0.05", "0.012", "12.5", "1e3")]
    expr = numbers_among(values)
    hits = 0
    for text, good in SPELLINGS:
        want = good and in_range(text) and Decimal(text) in values
        assert accepts(expr, text) == want, text
        hits += want
    assert hits > 60


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("1e400", True),
        ("1e401", False),
        ("1e-1", False),
        ("0e-400", True),
        ("0.00e-400", True),
        ("0e401", False),
        ("0e-401", False),
        ("1.0e0", True),
        ("1.5e0", False),
        ("1.5e1", True),
        ("1.50e1", True),
        ("1.05e1", False),
        ("1.05e2", True),
        ("1." + "3" * 400 + "e400", True),
        ("1." + "3" * 400 + "000e400", True),
        ("1." + "3" * 401 + "e400", False),
        ("1." + "3" * 399 + "e0399", True),
        ("1." + "3" * 399 + "e398", False),
        ("1." + "0" * 500 + "1e400", False),
        ("10e1", False),
        ("9" * 600, True),
        ("9" * 600 + ".00", True),
    ],
)
def test_free_integers(text: str, want: bool) -> None:
    expr = numbers_between(None, False, None, False, "integer")
    assert accepts(expr, text) == want
    assert accepts(expr, "-" + text) == want


@pytest.mark.parametrize("low", [2, 5, 10, 17, 250])
def test_integers_from_a_bound_upwards(low: int) -> None:
    expr = numbers_between(Decimal(low), False, None, False, "integer")
    choose = random.Random(low)
    hits = 0
    for _ in range(400):
        zeros, digits = choose.randrange(4), str(choose.randrange(1, 10 ** choose.randint(1, 6)))
        power = choose.randrange(len(digits) + zeros + 3)
        for lead in ("0.", f"{choose.randrange(1, 10)}."):
            text = f"{lead}{'0' * zeros}{digits}{'0' * choose.randrange(2)}e{power}"
            value = Decimal(text)
            want = value >= low and value == value.to_integral_value()
            assert accepts(expr, text) == want, text
            hits += want
    assert 150 < hits < 650
    for text, want in (
        ("0." + "0" * 399 + "1e400", False),
        ("0." + "0" * 390 + "1234567890e400", True),
        ("0." + "0" * 390 + "12345678901e400", False),
        ("0." + "0" * 399 + "9e400", low <= 9),
        ("1." + "2" * 400 + "e400", True),
    ):
        assert accepts(expr, text) == want, text


def test_wide_bounds_at_their_ends() -> None:
    for low, high in [(-(2**63), 2**63 - 1), (0, 2**64 - 1), (10**18 + 7, 10**19 + 7), (0, 10**420)]:
        expr = numbers_between(Decimal(low), False, Decimal(high), False, "integer")
        for value in (low - 1, low, low + 1, high - 1, high, high + 1, (low + high) // 2, 0, 10**18):
            want = low <= value <= high
            assert accepts(expr, str(value)) == want
            assert accepts(expr, f"{value}.0") == want
            digits = str(abs(value))
            sign = "-" if value < 0 else ""
            spelled = f"{sign}{digits[0]}.{digits[1:] or 0}0e+{len(digits) - 1}"
            assert accepts(expr, spelled) == (want and len(digits) <= 401)
        assert node_count(expr) < 12_000


def test_rfc8259_number() -> None:
    for text, good in SPELLINGS:
        assert accepts(rfc8259_number(), text) == good, text
    assert accepts(rfc8259_number(), "12.5E+4000")


def test_nodes_are_few() -> None:
    assert node_count(numbers_between(None, False, None, False, "integer")) < 8_000
    assert node_count(numbers_between(Decimal(0), False, Decimal(100), False, "integer")) < 4_000
