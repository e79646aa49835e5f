"""Engines, the loader, fingerprints and membership: what matching builds on.

Laws: grammars on one vocabulary share an engine; a full engine is replaced and old matchers live on; equal
expressions have equal fingerprints; membership agrees with Python's `re` and with the matcher.
"""

from __future__ import annotations

import gc
import itertools
import random
import re
import weakref

import pytest

import gramspec as gs
from gramspec.automaton import membership
from gramspec.automaton.engine import Engine
from gramspec.automaton.fingerprint import fingerprint
from gramspec.automaton.loader import load
from gramspec.grammar import ir

TOKENS: list[bytes | None] = [b"a", b"b", b"c", b"ab", b"bc", None, None]


def vocabulary(extra: bytes = b"") -> gs.Vocabulary:
    return gs.Vocabulary([*TOKENS, extra or None], [5], special_tokens={"<|t|>": 6})


def engine(tokens: list[bytes | None] | None = None, **limits: int) -> Engine:
    return Engine(TOKENS if tokens is None else tokens, gs.Limits(**limits))


def language(core_engine: Engine, expr: ir.Expr, alphabet: bytes = b"abc", longest: int = 5) -> set[bytes]:
    """Members up to a length, by reading every string byte by byte."""
    core = core_engine.core
    start = core.start(load(core_engine, expr).expr)
    texts = (bytes(t) for n in range(longest + 1) for t in itertools.product(alphabet, repeat=n))
    return {t for t in texts if (config := core.advance_bytes(start, t)) and core.accepts(config)}


def matches(pattern: str, alphabet: str = "abc", longest: int = 5) -> set[bytes]:
    texts = ("".join(t) for n in range(longest + 1) for t in itertools.product(alphabet, repeat=n))
    return {t.encode() for t in texts if re.fullmatch(pattern, t)}


# -- engines ------------------------------------------------------------------------------------------


def test_grammars_on_one_vocabulary_share_an_engine() -> None:
    one = gs.compile(gs.regex("a*"), vocabulary())
    same = gs.compile(gs.regex("b+"), vocabulary())  # equal by content
    assert one._engine is same._engine
    assert gs.compile(gs.regex("a*"), vocabulary(b"x"))._engine is not one._engine
    assert gs.compile(gs.regex("a*"), vocabulary(), limits=gs.Limits(max_nodes=99))._engine is not one._engine


def test_a_full_engine_is_replaced_and_old_matchers_live_on() -> None:
    limits = gs.Limits(max_configurations=400)
    old = gs.compile(gs.regex("(?:abc){0,200}"), vocabulary(), limits=limits)
    matcher = old.matcher()
    assert matcher.advance_many([0, 1, 2] * 80) == 240
    assert old._engine.exhausted
    new = gs.compile(gs.regex("(?:abc){0,200}"), vocabulary(), limits=limits)
    assert new._engine is not old._engine and not new._engine.exhausted
    assert new.fingerprint == old.fingerprint
    gc.collect()
    assert matcher.allowed_ids().tolist() == [0, 3, 5]
    matcher.rollback(239)
    assert matcher.allowed_ids().tolist() == [1, 4]
    other = new.matcher()
    assert other.advance_many([0, 4]) == 2 and other.allowed_ids().tolist() == [0, 3, 5]


def test_an_engine_lives_no_longer_than_its_vocabulary() -> None:
    v = vocabulary(b"only here")
    compiled = gs.compile(gs.regex("a"), v)
    alive = weakref.ref(compiled._engine)
    matcher = compiled.matcher()
    del v, compiled
    gc.collect()
    assert alive() is not None and matcher.allowed_ids().tolist() == [0], "the matcher keeps its engine"
    del matcher
    gc.collect()
    assert alive() is None


def test_complete_means_every_byte_alone() -> None:
    assert engine().complete
    assert not engine([b"a", b"ab"]).complete
    assert engine([b"a", None, b"", b"aa"]).complete
    assert engine([bytes([b]) for b in range(256)]).complete


def test_a_grammar_is_cut_to_the_bytes_of_the_vocabulary() -> None:
    cut = engine([b"a", b"b"])
    assert language(cut, ir.concat(ir.byte_set(b"ac"), ir.repeat(ir.byte_set(b"bc"), 0, 2))) == {
        b"a",
        b"ab",
        b"abb",
    }
    with pytest.raises(gs.VocabularyError, match="cannot spell"):
        load(cut, ir.concat(ir.literal("a"), ir.literal("c")))
    with pytest.raises(gs.EmptyLanguageError):
        load(cut, ir.EMPTY)


# -- the loader ---------------------------------------------------------------------------------------


PATTERNS = [
    "(a|b)*abb",
    "a{2,4}b?",
    "(ab|bc){1,2}",
    "((a*b)?c)*",
    "a?a?a?aaa",
    "[ab]{0,3}c",
    "(a|ab)(bc|c)",
    "",
]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_regular_expressions(pattern: str) -> None:
    assert language(engine(), gs.regex(pattern).expr) == matches(pattern)


@pytest.mark.parametrize(("one", "two"), [*itertools.islice(itertools.combinations(PATTERNS, 2), 12)])
def test_boolean_algebra(one: str, two: str) -> None:
    a, b = gs.regex(one).expr, gs.regex(two).expr
    every = {bytes(t) for n in range(6) for t in itertools.product(b"abc", repeat=n)}
    core = engine()
    assert language(core, ir.union(a, b)) == matches(one) | matches(two)
    assert language(core, ir.Not(a)) == every - matches(one)
    difference = matches(one) - matches(two)
    both = matches(one) & matches(two)
    for expr, expected in ((ir.And((a, ir.Not(b))), difference), (ir.And((a, b)), both)):
        try:
            assert language(core, expr) == expected
        except gs.EmptyLanguageError:
            assert not expected


def test_calls_and_rules_denote_what_they_hold() -> None:
    word = ir.Call(gs.regex("a+b?").expr)
    assert language(engine(), ir.concat(word, ir.literal("c"), word), longest=6) == matches(
        "a+b?ca+b?", longest=6
    )
    rule = ir.Rule("nest")
    rule.define(ir.union(ir.EPSILON, ir.concat(ir.literal("a"), ir.Ref(rule), ir.literal("b"), ir.Ref(rule))))

    def balanced(text: bytes) -> bool:
        depth = 0
        for byte in text:
            depth += 1 if byte == 97 else -1
            if depth < 0:
                return False
        return depth == 0

    expected = {
        bytes(t) for n in range(0, 9, 2) for t in itertools.product(b"ab", repeat=n) if balanced(bytes(t))
    }
    assert language(engine(), ir.Ref(rule), b"ab", 8) == expected


def test_left_recursion_and_mutual_recursion() -> None:
    left = ir.Rule("left")
    left.define(ir.union(ir.literal("a"), ir.concat(ir.Ref(left), ir.literal("b")), ir.Ref(left)))
    assert language(engine(), ir.Ref(left)) == matches("ab*")
    even, odd = ir.Rule("even"), ir.Rule("odd")
    even.define(ir.union(ir.EPSILON, ir.concat(ir.literal("a"), ir.Ref(odd))))
    odd.define(ir.concat(ir.literal("a"), ir.Ref(even)))
    assert language(engine(), ir.Ref(even), b"a", 9) == matches("(aa)*", "a", 9)


def test_only_regular_parts_are_intersected_or_complemented() -> None:
    rule = ir.Rule("r")
    rule.define(ir.union(ir.literal("a"), ir.concat(ir.literal("b"), ir.Ref(rule), ir.literal("c"))))
    for expr in (ir.And((ir.Ref(rule), ir.literal("a"))), ir.Not(ir.Ref(rule)), ir.Not(ir.TokenEdge(0))):
        with pytest.raises(gs.GrammarError, match="only regular"):
            load(engine(), expr)


def test_what_the_loader_refuses() -> None:
    with pytest.raises(gs.GrammarError, match="not lowered"):
        load(engine(), ir.CharSet(((97, 99),)))
    item = ir.JsonProperty("a", ir.literal("a"), ir.literal("0"), False)
    twice = ir.JsonObject((item, item), None, "any", ir.EPSILON, ir.repeat(ir.byte_set(b"ab")))
    with pytest.raises(gs.GrammarError, match="same key twice"):
        load(engine(), twice)


def deep(depth: int) -> ir.Expr:
    expr: ir.Expr = ir.literal("a")
    for _ in range(depth):
        expr = ir.Union((ir.Concat((ir.literal("b"), expr)), ir.literal("c")))
    return expr


def test_trees_deeper_than_the_recursion_limit() -> None:
    core_engine = engine()
    loaded = load(core_engine, deep(1400))
    core = core_engine.core
    assert core.accepts(core.advance_bytes(core.start(loaded.expr), b"b" * 1400 + b"a"))
    assert not core.advance_bytes(core.start(loaded.expr), b"b" * 1401)
    assert len(fingerprint(deep(20_000))) == 64
    with pytest.raises(gs.LimitError) as caught:
        load(core_engine, deep(20_000))
    assert caught.value.limit == "max_stack_depth"
    assert core.live(load(core_engine, deep(1401)).expr), "the engine survives"


# -- fingerprints -------------------------------------------------------------------------------------


def samples() -> list[ir.Expr]:
    """Different expressions, made anew each time."""
    rule, other = ir.Rule("r"), ir.Rule("r")
    rule.define(ir.union(ir.literal("a"), ir.concat(ir.literal("b"), ir.Ref(rule))))
    other.define(ir.union(ir.literal("a"), ir.concat(ir.literal("c"), ir.Ref(other))))
    keys = ir.repeat(ir.byte_set(b"ab"))

    def obj(required: bool, order: str, additional: ir.Expr | None) -> ir.Expr:
        item = ir.JsonProperty("a", ir.literal("a"), ir.literal("0"), required)
        return ir.JsonObject((item,), additional, order, ir.EPSILON, keys)  # type: ignore[arg-type]

    return [
        ir.EPSILON,
        ir.EMPTY,
        ir.literal("a"),
        ir.literal("ab"),
        ir.union(ir.literal("a"), ir.literal("b")),
        ir.repeat(ir.literal("a")),
        ir.repeat(ir.literal("a"), 1),
        ir.repeat(ir.literal("a"), 0, 2),
        ir.Not(ir.literal("a")),
        ir.And((ir.literal("a"), ir.literal("a"))),
        ir.Call(ir.literal("a")),
        ir.TokenEdge(1),
        ir.TokenEdge("1"),
        ir.Ref(rule),
        ir.Ref(other),
        ir.concat(ir.Ref(rule), ir.Ref(other)),
        ir.concat(ir.Ref(rule), ir.Ref(rule)),
        obj(True, "any", None),
        obj(False, "any", None),
        obj(True, "schema", None),
        obj(True, "any", ir.literal("0")),
        *(gs.regex(p).expr for p in PATTERNS[:7]),
    ]


def test_equal_expressions_have_equal_fingerprints_and_others_differ() -> None:
    first, second = samples(), samples()
    marks = [fingerprint(e) for e in first]
    assert marks == [fingerprint(e) for e in second]
    assert len(set(marks)) == len(marks)


# -- membership ---------------------------------------------------------------------------------------


def test_membership_agrees_with_the_matcher() -> None:
    dice = random.Random(7)
    v = vocabulary()
    for pattern in PATTERNS:
        grammar = gs.regex(pattern)
        compiled = gs.compile(grammar, v)
        for _ in range(60):
            tokens = [dice.randrange(5) for _ in range(dice.randrange(5))]
            text = v.decode(tokens)
            matcher = compiled.matcher()
            read = matcher.advance_many(tokens) == len(tokens)
            member = re.fullmatch(pattern, text.decode()) is not None
            assert grammar.accepts(text) == (read and matcher.is_accepting) == member


def test_membership_is_remembered_for_a_bounded_number_of_grammars() -> None:
    grammars = [gs.literal(f"word {i}") for i in range(membership._CACHE_SIZE + 20)]
    for turn in range(2):
        for i, grammar in enumerate(grammars):
            assert grammar.accepts(f"word {i}") and not grammar.accepts(f"word {i + 1}"), turn
    assert len(membership._cache) <= membership._CACHE_SIZE
    assert not gs.literal("x").accepts("word 1"), "a new grammar is never taken for an old one"


def test_membership_on_a_fresh_grammar_each_time() -> None:
    for i in range(200):  # ids of dead objects are used again by Python
        assert gs.literal(str(i)).accepts(str(i)) and not gs.literal(str(i)).accepts(str(i + 1))
