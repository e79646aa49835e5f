"""Membership, emptiness, all members and disjointness of character expressions against the oracle."""

from __future__ import annotations

import random
import time
from itertools import product

import pytest
from regex_oracle import accepts

from gramspec.errors import GrammarError, LimitError
from gramspec.grammar import ir
from gramspec.grammar.ranges import SCALARS, of
from gramspec.grammar.regex import parse_regex
from gramspec.grammar.regex.characters import disjoint, is_empty, matches, words

ANY = ir.CharSet(SCALARS)
TEXTS = ["".join(text) for length in range(6) for text in product("abc", repeat=length)]


def chars(text: str) -> ir.Expr:
    return ir.CharSet(of(text))


def random_machine(rng: random.Random) -> ir.Machine:
    size = rng.randint(1, 3)
    arcs = tuple(
        tuple(
            (
                ir.concat(chars(rng.choice(["a", "b", "ab"])), rng.choice([ir.EPSILON, chars("c")])),
                rng.randrange(size),
            )
            for _ in range(rng.randint(0, 2))
        )
        for _ in range(size)
    )
    return ir.Machine(arcs, tuple(rng.random() < 0.5 for _ in range(size)))


def random_expression(rng: random.Random, depth: int) -> ir.Expr:
    kind = rng.random()
    if depth == 0 or kind < 0.2:
        leaves = [chars("a"), chars("b"), chars("ab"), ANY, ir.EPSILON, random_machine(rng)]
        return rng.choice(leaves)
    parts = [random_expression(rng, depth - 1) for _ in range(rng.randint(2, 3))]
    if kind < 0.45:
        return ir.Concat(tuple(parts))
    if kind < 0.6:
        return ir.Union(tuple(parts))
    if kind < 0.75:
        low = rng.randint(0, 3)
        return ir.Repeat(parts[0], low, rng.choice([None, low + rng.randint(0, 2)]))
    if kind < 0.87:
        return ir.And(tuple(parts))
    return ir.Not(parts[0]) if kind < 0.97 else ir.Call(parts[0])


@pytest.mark.parametrize("seed", range(6))
def test_random_expressions_equal_the_oracle(seed: int) -> None:
    rng = random.Random(seed)
    answers = {True: 0, False: 0}
    empty = listed = 0
    for _ in range(120):
        expr = random_expression(rng, rng.randint(1, 4))
        members = set()
        for text in rng.sample(TEXTS, 40) + TEXTS[:13]:
            wanted = accepts(expr, text)
            assert matches(expr, text) is wanted, (expr, text)
            answers[wanted] += 1
            if wanted:
                members.add(text)
        verdict = is_empty(expr)
        assert verdict is not None
        assert not (verdict and members)
        found = words(expr, 200)
        if verdict:
            empty += 1
            assert found == frozenset()
        elif found is not None:
            listed += 1
            assert found and members <= found
            assert all(accepts(expr, text) for text in found)
    assert min(answers.values()) > 800 and empty > 3 and listed > 10


def test_all_members_when_they_are_few() -> None:
    def of_pattern(pattern: str, cap: int) -> frozenset[str] | None:
        return words(parse_regex(pattern), cap)

    assert of_pattern("a|b[cd]?|", 5) == {"", "a", "b", "bc", "bd"}
    assert of_pattern("a|b[cd]?|", 4) is None
    assert of_pattern("a{2,4}", 3) == {"aa", "aaa", "aaaa"}
    assert of_pattern("(?:a|){5}", 6) == {"a" * n for n in range(6)}
    assert of_pattern("a*", 1000) is None
    assert of_pattern("[a-z]{1000000}", 1000) is None
    assert of_pattern("(?:)*", 1) == {""}
    finite = ir.And((parse_regex("(?:a|b)*"), parse_regex(".{2}")))
    assert words(finite, 4) == {"aa", "ab", "ba", "bb"}
    assert words(finite, 3) is None
    assert words(ir.And((parse_regex("a*"), ir.Not(parse_regex("aaa+")))), 3) == {"", "a", "aa"}
    assert words(ir.Not(parse_regex("a")), 10**6) is None
    assert words(ir.And((parse_regex("a*"), parse_regex("(?:aa)*"))), 10**6) is None


def test_emptiness_and_disjointness() -> None:
    assert disjoint(parse_regex("a+"), parse_regex("b+")) is True
    assert disjoint(parse_regex("(?:aa)+"), parse_regex("(?:aaa)+")) is False
    assert disjoint(parse_regex("(?:aa)*a"), parse_regex("(?:aa)*")) is True
    assert disjoint(parse_regex("a{3,50}"), parse_regex(".{51,}")) is True
    assert disjoint(parse_regex("[a-z]{5,1000000}"), parse_regex("[0-9a]{0,1000000}")) is False
    assert is_empty(parse_regex("a{1000000}")) is False
    assert is_empty(ir.EMPTY) is True
    letters = [parse_regex(f".*{char}.*") for char in "abcdefghijklmnopqrst"]
    assert is_empty(ir.And(tuple(letters))) is False
    assert is_empty(ir.And((*letters, parse_regex(".{0,19}")))) in (None, True)
    hard = ir.And((parse_regex("(?:a|b)*a(?:a|b){30}"), parse_regex("(?:a|b)*b(?:a|b){30}")))
    assert is_empty(hard, budget=300) in (None, True)


@pytest.mark.parametrize(
    ("pattern", "text", "wanted"),
    [
        ("x{0,1000000}", "x" * 100_000, True),
        ("x{1000000}", "x" * 100_000, False),
        ("(?:a|aa){0,1000}", "a" * 2000, True),
        ("(?:a|aa){0,1000}", "a" * 2001, False),
        ("(?:a|b)*a(?:a|b){24}", "ab" * 3000, False),
        ("(?:a|b)*a(?:a|b){24}", "a" * 3000, True),
        ("(?:a*)*b", "a" * 50_000, False),
        ("(?:(?:(?:a{1,100}){1,100}){1,100})", "a" * 20_000, True),
        (".*.*.*.*.*=.*", "x" * 20_000, False),
    ],
)
def test_membership_stays_linear(pattern: str, text: str, wanted: bool) -> None:
    expr = parse_regex(pattern)
    start = time.monotonic()
    assert matches(expr, text) is wanted
    assert time.monotonic() - start < 10


def test_deep_and_long_expressions() -> None:
    nested: ir.Expr = chars("a")
    for _ in range(10_000):
        nested = ir.Union((ir.Concat((chars("("), nested, chars(")"))), chars("a")))
    assert matches(nested, "(" * 300 + "a" + ")" * 300)
    assert not matches(nested, "(" * 300 + "a" + ")" * 299)
    text = "ab" * 50_000
    assert matches(parse_regex(text), text)
    assert words(parse_regex("a" * 1000), 1) == {"a" * 1000}


def test_texts_with_lone_surrogates_are_members_of_nothing() -> None:
    assert not matches(ir.repeat(ANY), "a\ud800")
    assert not matches(ir.Not(chars("a")), "\udfff")
    assert matches(ir.repeat(ANY), "\ud7ff\ue000\U0010ffff\x00")


def test_what_is_not_a_character_expression() -> None:
    with pytest.raises(GrammarError, match="ByteSet"):
        matches(ir.Concat((chars("a"), ir.ANY_BYTE)), "a")
    with pytest.raises(GrammarError, match="Ref"):
        is_empty(ir.Ref(ir.Rule("r")))


def test_the_fuel_of_membership() -> None:
    expr = parse_regex("(?:.*a){3}.{3000}")
    with pytest.raises(LimitError):
        matches(expr, "ab" * 2000, fuel=10_000)
