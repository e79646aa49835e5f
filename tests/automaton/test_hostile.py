"""Hostile grammars and texts: each ends in bounded time and memory, or raises a `LimitError`.

The bounds are some ten times what the cases take, so that they hold on slow machines.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

import gramspec as gs
from gramspec.errors import LimitError
from gramspec.grammar import ir
from gramspec.grammar.core import Grammar

BYTES = gs.Vocabulary([*(bytes([b]) for b in range(256)), None], [256])
SECONDS = 20.0


@pytest.fixture(autouse=True)
def in_time() -> Iterator[None]:
    start = time.perf_counter()
    yield
    assert time.perf_counter() - start < SECONDS


def after(grammar: gs.Grammar, text: bytes) -> gs.Matcher:
    matcher = gs.compile(grammar, gs.Vocabulary(BYTES.tokens, [256])).matcher()
    assert matcher.advance_many(text) == len(text)
    return matcher


def allowed(matcher: gs.Matcher) -> set[int]:
    return set(matcher.allowed_ids().tolist())


def test_a_choice_to_be_remembered_for_24_letters() -> None:
    """2^25 deterministic states, of which a text meets one a letter."""
    matcher = after(gs.regex("(a|b)*a(a|b){24}"), b"ab" * 100)
    assert allowed(matcher) == {97, 98} and not matcher.is_accepting
    matcher.advance(97)  # the letter 25 from the end is an "a" now
    assert matcher.is_accepting


def test_nested_and_ambiguous_repetitions() -> None:
    matcher = after(gs.regex("((a{1,1000}){1,1000})"), b"a" * 1500)
    assert matcher.is_accepting and allowed(matcher) == {97, 256}
    matcher = after(gs.regex("(a|aa){0,1000}"), b"a" * 1999)
    assert matcher.is_accepting and allowed(matcher) == {97, 256}
    matcher.advance(97)
    assert allowed(matcher) == {256}


def test_alternatives_of_counts_without_bound_are_a_limit() -> None:
    grammar = gs.regex("((?:a(?:aa{1,1000}){1,1000}){1,1000})b")
    compiled = gs.compile(grammar, BYTES, limits=gs.Limits(max_states=60_000))
    matcher = compiled.matcher()
    with pytest.raises(LimitError):
        matcher.advance_many(b"a" * 3_000)
    matcher.rollback(30)
    assert allowed(matcher) == {97, 98}


def test_rules_that_differ_after_their_middle_share_one_stack() -> None:
    s = ir.Rule("s")
    ref = ir.Ref(s)
    s.define(
        ir.union(
            ir.concat(ir.literal("a"), ref, ir.literal("b")),
            ir.concat(ir.literal("a"), ref, ir.literal("c")),
            ir.literal("d"),
        )
    )
    compiled = gs.compile(Grammar(ref), gs.Vocabulary(BYTES.tokens, [256]))
    matcher = compiled.matcher()
    assert matcher.advance_many(b"a" * 3_000 + b"d" + b"bc" * 1_499 + b"b") == 6_000
    assert allowed(matcher) == {98, 99}
    assert compiled.statistics()["states"] - compiled._engine.prepared_states < 50
    assert compiled.statistics()["configurations"] < 6_400


@pytest.mark.parametrize("bound", [10**6, 10**9])
def test_large_counts_are_never_written_out(bound: int) -> None:
    matcher = after(gs.json_schema({"type": "string", "minLength": 3, "maxLength": bound}), b'"ab')
    assert ord('"') not in allowed(matcher)
    matcher.advance(ord("c"))
    assert {ord('"'), ord("d")} <= allowed(matcher)
    assert after(gs.json_schema({"type": "string", "maxLength": bound}), b'"').min_tokens() == 2


@pytest.mark.parametrize("others", [False, True])
def test_ten_thousand_properties(others: bool) -> None:
    properties = {f"property{i}": {"type": "integer"} for i in range(10_000)}
    schema = {"type": "object", "properties": properties, "additionalProperties": others}
    matcher = after(gs.json_schema(schema, property_order="any"), b'{"property17":1,"property23":2,"property')
    assert set(b"123456789") <= allowed(matcher)
    matcher.advance_many(b"17")
    assert (ord('"') in allowed(matcher)) is False  # written before
    assert ord("0") in allowed(matcher)


def test_brackets_five_thousand_deep() -> None:
    matcher = after(gs.json_schema({}), b"[" * 5_000)
    assert {ord("]"), ord("[")} <= allowed(matcher) and ord(",") not in allowed(matcher)
    assert matcher.advance_many(b"]" * 4_999) == 4_999
    assert allowed(matcher) & set(b"]},:") == set(b"],")
    matcher.rollback(9_999)
    assert ord("]") not in allowed(matcher)


def test_stacks_end_at_their_limit() -> None:
    compiled = gs.compile(gs.json_schema({}), BYTES, limits=gs.Limits(max_stack_depth=5_000))
    matcher = compiled.matcher()
    with pytest.raises(LimitError, match="max_stack_depth"):
        matcher.advance_many(b"[" * 6_000)
    deep = compiled.matcher()
    assert deep.advance_many(b"[" * 4_000) == 4_000
    assert deep.min_tokens() == 4_001 and deep.min_tokens(exact=True) == 4_001


def test_a_literal_of_300_000_bytes() -> None:
    matcher = after(gs.regex("x" * 300_000), b"x" * 1_000)
    assert allowed(matcher) == {ord("x")} and matcher.min_tokens() == 299_001
