"""Built-in expressions: the native core makes the language that their expansion says."""

from __future__ import annotations

import random
from collections.abc import Iterator
from decimal import Decimal

import pytest

from gramspec.automaton.engine import Engine
from gramspec.automaton.fingerprint import fingerprint
from gramspec.automaton.loader import load
from gramspec.errors import EmptyLanguageError, GrammarError
from gramspec.grammar import ir
from gramspec.grammar.builtins import builtin
from gramspec.grammar.encoding import json_key_spellings
from gramspec.grammar.json_schema import exponents, intervals, multiples, numerals
from gramspec.limits import Limits

EVERY_BYTE = [bytes([byte]) for byte in range(256)]


def engine(missing: bytes = b"") -> Engine:
    return Engine([byte for byte in EVERY_BYTE if byte not in missing], Limits())


def equal(first: ir.Expr, second: ir.Expr) -> bool:
    """Whether no string is in one regular language only."""
    for one, other in ((first, second), (second, first)):
        try:
            load(engine(), ir.And((one, ir.Not(other))))
        except EmptyLanguageError:
            continue
        return False
    return True


@pytest.mark.parametrize(
    "text", ["", "a", 'say "hé\\/"', "\x00\x1f\x7f", "日本\uffff", "😀\U0010ffff", "\b\f\n\r\t"]
)
def test_spellings_of_a_text(text: str) -> None:
    key = json_key_spellings(text)
    assert isinstance(key, ir.Builtin) or not text
    written = key.item if isinstance(key, ir.Builtin) else ir.EPSILON
    assert equal(key, written)
    shared = engine()
    assert load(shared, key).expr == load(shared, written).expr
    poor = engine(missing=b'"aAh\\')
    if text not in ("a", 'say "hé\\/"', "\x00\x1f\x7f", "\b\f\n\r\t"):
        assert load(poor, key).expr == load(poor, written).expr


BOUNDS = [None, "0", "1", "-3", "7.25", "-0.05", "99", "120", "1000", "-123.4", "3e4", "2e-5", "8e6", "-1e7"]


@pytest.fixture
def small_exponents(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Exponents of at most 6, so that whole automata can be compared."""
    memos = [
        value
        for module in (exponents, intervals, multiples, numerals)
        for value in vars(module).values()
        if hasattr(value, "cache_clear")
    ]
    for module in (exponents, intervals, numerals):
        monkeypatch.setattr(module, "MAX_EXPONENT", 6)
    for memo in memos:
        memo.cache_clear()
    yield
    for memo in memos:
        memo.cache_clear()


def ends(dice: random.Random) -> tuple[Decimal | None, Decimal | None]:
    low, high = (None if end is None else Decimal(end) for end in dice.choices(BOUNDS, k=2))
    return (high, low) if low is not None and high is not None and low > high else (low, high)


@pytest.mark.usefixtures("small_exponents")
@pytest.mark.parametrize("seed", range(30))
def test_intervals(seed: int) -> None:
    dice = random.Random(seed)
    (low, high), style = ends(dice), dice.choice(["number", "integer", "digits"])
    place = dice.choice([None, None, 0, -1, -2, 1, 3])
    found = numerals.numbers_between(low, dice.random() < 0.3, high, dice.random() < 0.3, style, place)  # type: ignore[arg-type]
    if isinstance(found, ir.Builtin):
        assert equal(found, found.item), found
        assert builtin(found.kind, found.data).data == found.data  # type: ignore[union-attr]


@pytest.mark.usefixtures("small_exponents")
@pytest.mark.parametrize(
    "divisor", ["0.01", "0.5", "2.5", "3", "12", "15", "0.25", "1.5", "125", "0.07", "300"]
)
def test_multiples(divisor: str) -> None:
    dice = random.Random(divisor)
    for others in ((), (3,) if "3" not in divisor and "15" not in divisor else (7,)):
        low, high = ends(dice)
        found = numerals.multiples_between(Decimal(divisor), others, low, high, "number")
        if isinstance(found, ir.Builtin):
            assert equal(found, found.item), found
            assert builtin(found.kind, found.data).data == found.data  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "data",
    [
        (),
        (400,),
        (400, "x", False, None, False, True, 0, 1, 1, 0),
        (399, "1e0", False, None, False, True, 0, 1, 1, 0),
        (400, "1e0", False, None, False, True, None, 7, 1, 0),
        (400, "1e0", False, None, False, True, 0, 7, 3, 1),
        (400, "1e0", False, None, False, True, 0, 10**9 + 7, 1, 0),
        (400, "10e0", False, None, False, True, 0, 1, 1, 0),
        (400, "2e0", False, "1e0", False, True, 0, 1, 1, 0),
    ],
)
def test_values_of_no_number_are_refused(data: tuple[object, ...]) -> None:
    with pytest.raises(GrammarError, match="number"):
        builtin("number", data)


@pytest.mark.parametrize("divisor", ["9973", "19997", "0.00017", "16384"])
def test_large_divisors_take_few_states(divisor: str) -> None:
    core = engine().core
    data = numerals.multiples_between(Decimal(divisor), (), Decimal(0), None, "number").data  # type: ignore[union-attr]
    expr = core.number(*data[:10], list(data[10:]))
    before = core.states
    config = core.start(expr)
    for byte in b"12345":
        config = core.advance_bytes(config, bytes([byte]))
        assert core.live_bytes(config)
    assert core.states - before < 500


def test_equality_is_told() -> None:
    assert not equal(json_key_spellings("a"), json_key_spellings("b"))


def test_fingerprints_tell_the_values() -> None:
    assert fingerprint(json_key_spellings("ab")) == fingerprint(json_key_spellings("ab"))
    assert fingerprint(json_key_spellings("ab")) != fingerprint(json_key_spellings("ac"))


def test_unknown_kinds_are_refused() -> None:
    with pytest.raises(GrammarError, match="no such"):
        load(engine(), ir.Builtin("no such", (), lambda: ir.EPSILON))
