"""Faults once found in the native core, each with the smallest grammar that showed it."""

from __future__ import annotations

import random

import pytest

import gramspec as gs
from gramspec.errors import GrammarError, LimitError
from gramspec.grammar import ir
from gramspec.grammar.core import Grammar

BYTES = gs.Vocabulary([*(bytes([b]) for b in range(256)), None], [256])


def spelled(matcher: gs.Matcher) -> list[bytes]:
    tokens = matcher._vocabulary.tokens
    return [tokens[i] or b"" for i in matcher.allowed_ids().tolist()]


def test_counted_rows_of_an_item_that_ends_in_an_intersection() -> None:
    """The item is "a", but what is left of it after "a" is not written as the empty string."""
    a, b, c = (ir.literal(x) for x in "abc")
    item = ir.And((ir.concat(a, ir.optional(b)), ir.concat(a, ir.optional(c))))
    expr = ir.concat(ir.repeat(item, 0, 5), ir.literal("z"))
    runs = [b"a" * n for n in range(1, 9)]
    tokens: list[bytes | None] = [b"z", b"b", b"c", *runs, b"aaaaaz", b"aaaaaaz", None]
    matcher = gs.compile(Grammar(expr), gs.Vocabulary(tokens, [len(tokens) - 1])).matcher()
    assert spelled(matcher) == [b"z", *runs[:5], b"aaaaaz"]


def test_a_token_over_many_frames_that_may_be_empty() -> None:
    """Two frames a level over one stack: 2^depth ways down, which share everything."""
    s = ir.Rule("s")
    ref = ir.Ref(s)
    s.define(
        ir.union(
            ir.concat(ir.literal("a"), ref, ir.optional(ir.literal("b"))),
            ir.concat(ir.literal("a"), ref, ir.optional(ir.literal("c"))),
            ir.literal("d"),
        )
    )
    vocabulary = gs.Vocabulary([b"a", b"b", b"c", b"d", b"bcb", b"cad", None], [6])
    matcher = gs.compile(Grammar(ref), vocabulary).matcher()
    assert matcher.advance_many([0] * 200 + [3]) == 201
    assert spelled(matcher) == [b"b", b"c", b"bcb", b""]
    assert matcher.advance_many([4] * 66) == 66
    assert spelled(matcher) == [b"b", b"c", b""]


def test_a_shared_tree_below_an_intersection() -> None:
    """Every level uses the one below twice: taking calls out must not walk 2^60 paths."""
    expr: ir.Expr = ir.literal("a")
    for _ in range(60):
        expr = ir.union(ir.concat(expr, ir.literal("x")), ir.concat(ir.literal("y"), expr))
    words = ir.And((expr, ir.repeat(ir.byte_set(b"axy"), 0, None)))
    matcher = gs.compile(Grammar(words), BYTES).matcher()
    assert matcher.advance_many(b"y" * 25 + b"a") == 26
    assert spelled(matcher) == [b"x"]


def optional_items(count: int) -> gs.CompiledGrammar:
    expr = ir.concat(*(ir.optional(ir.literal("a")) for _ in range(count)))
    return gs.compile(Grammar(expr), BYTES, limits=gs.Limits(max_states=120_000))


def test_many_optional_items_in_a_row() -> None:
    matcher = optional_items(300).matcher()
    assert matcher.advance_many(b"a" * 301) == 300 and matcher.is_accepting
    with pytest.raises(LimitError, match="max_states"):  # once a crash, by recursion
        optional_items(100_000).matcher().advance(ord("a"))


def test_objects_nested_without_rules_are_bounded() -> None:
    keys = ir.repeat(ir.byte_set(b"ab"), 0, None)
    expr: ir.Expr = ir.literal("0")
    for _ in range(20_000):
        expr = ir.JsonObject(
            (ir.JsonProperty("a", ir.literal("a"), expr, True),), None, "any", ir.EPSILON, keys
        )
    with pytest.raises(LimitError, match="nested"):
        gs.compile(Grammar(expr), BYTES)


def test_long_keys_cost_what_they_are_long() -> None:
    """Each byte of a key once stored the whole key: 20,000 bytes took 400 MB."""
    compiled = gs.compile(gs.json_schema({"type": "object"}), BYTES)
    matcher = compiled.matcher()
    text = b'{"' + b"k" * 20_000 + b'":1,"' + b"k" * 19_999
    assert matcher.advance_many(text) == len(text)
    assert b'"' in spelled(matcher)
    matcher.advance(ord("k"))
    assert b'"' not in spelled(matcher)  # the same key again


def test_a_failed_load_leaves_the_engine_as_it_was() -> None:
    good = gs.compile(gs.json_schema({}), BYTES)
    rule = ir.Rule("used")
    rule.define(ir.concat(ir.literal("a"), ir.Ref(ir.Rule("never defined"))))
    for _ in range(2):
        with pytest.raises(GrammarError, match="never defined"):
            gs.compile(Grammar(ir.Ref(rule)), BYTES)
    before = good.statistics()["states"]
    matcher = good.matcher()
    assert matcher.advance_many(b'[[{"a":[1,2') == 11
    assert {b"]", b",", b"0"} <= set(spelled(matcher))
    again = good.matcher()
    assert again.advance_many(b'[[{"a":[1,2') == 11 and good.statistics()["states"] < before + 500


def test_a_compiled_grammar_outlives_its_engine() -> None:
    """Names of keys never come twice: a long-lived grammar must not run into the limits of its engine."""
    limits = gs.Limits(max_configurations=3_000)
    compiled = gs.compile(gs.json_schema({"type": "object"}), BYTES, limits=limits)
    old = compiled.matcher()
    assert old.advance_many(b'{"a":1') == 6
    dice = random.Random(1)
    for _ in range(60):
        keys = (f'"{dice.random()}":[1]' for _ in range(8))
        text = ("{" + ",".join(keys) + "}").encode()
        matcher = compiled.matcher()
        assert matcher.advance_many(text) == len(text) and matcher.is_accepting
    assert b"}" in spelled(old)
    old.advance(ord("}"))
    assert old.is_accepting


def test_liveness_of_tokens_does_not_run_out_of_steps() -> None:
    """Advancing alone, without masks, must not add up to a limit."""
    vocabulary = gs.Vocabulary([b"ab", b"ba", b"aa", b"bc", None], [4])
    compiled = gs.compile(gs.regex("[ab]{2,4000}c?"), vocabulary, limits=gs.Limits(search_steps=60_000))
    matcher = compiled.matcher()
    assert matcher.advance_many([0, 1] * 900) == 1800


@pytest.mark.parametrize("bound", [2**63 - 1, 10**30])
def test_huge_upper_bounds_bound_nothing(bound: int) -> None:
    matcher = gs.compile(
        gs.json_schema({"type": "string", "minLength": 2, "maxLength": bound}), BYTES
    ).matcher()
    assert matcher.advance_many(b'"a') == 2 and b'"' not in spelled(matcher)
    matcher.advance(ord("b"))
    assert b'"' in spelled(matcher) and b"c" in spelled(matcher)


@pytest.mark.parametrize("bound", [2**61, 10**30])
def test_huge_lower_bounds_are_a_limit_and_not_an_empty_language(bound: int) -> None:
    with pytest.raises(LimitError, match="repetitions"):
        gs.compile(gs.json_schema({"type": "string", "minLength": bound}), BYTES)


def test_keys_through_rules_are_refused() -> None:
    rule = ir.Rule("key")
    rule.define(ir.repeat(ir.byte_set(b"ab"), 0, None))
    expr = ir.JsonObject((), ir.literal("0"), "any", ir.EPSILON, ir.Ref(rule))
    with pytest.raises(GrammarError, match="regular"):
        gs.compile(Grammar(expr), BYTES)
