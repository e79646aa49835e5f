"""Residual predicates in the algebra of grammars and in matching: who asks, when, and what errors say."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest

import gramspec as gs
from gramspec.grammar import ir
from gramspec.grammar.core import Grammar, Place, Predicate

# ids:             0     1     2      3     4     5     6
TOKENS: list[bytes | None] = [b"a", b"b", b"ab", None, b"ba", None, b"c"]
EOS = (3, 5)
BYTES: list[bytes | None] = [bytes([b]) for b in range(256)] + [None]


class Counting:
    """Counts how often it is asked."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []

    def even(self, text: bytes) -> bool:
        self.asked.append(text)
        return len(text) % 2 == 0


def even(pattern: str = "[ab]*", counting: Counting | None = None) -> Grammar:
    test = (counting or Counting()).even
    return Grammar(gs.regex(pattern).expr, "even", (Predicate("@3", "even", "why not", "even", test),))


def vocabulary() -> gs.Vocabulary:
    return gs.Vocabulary(TOKENS, EOS)


def bits(matcher: gs.Matcher) -> list[int]:
    array = np.full((1, 1), -1, dtype=np.int32)
    matcher.fill_bitmask(array)
    return [t for t in range(32) if array[0, 0] >> t & 1]


# -- grammars ---------------------------------------------------------------------------------------


def test_accepts_asks_the_predicate() -> None:
    grammar = even()
    assert grammar.accepts("") and grammar.accepts(b"ab") and grammar.accepts([b"a", b"b"])
    assert not grammar.accepts("a") and not grammar.accepts("cc") and not grammar.accepts([b"ab", 7])


def test_a_union_holds_iff_one_side_accepts() -> None:
    three = Grammar(
        gs.regex("[bc]*").expr, "three", (Predicate("", "three", "", "3", lambda t: len(t) == 3),)
    )
    union = even() | three
    plain = even() | gs.regex("aaa")
    for length in range(5):
        for text in map("".join, itertools.product("abc", repeat=length)):
            left = "c" not in text and length % 2 == 0
            right = "a" not in text and length == 3
            assert union.accepts(text) == (left or right), text
            assert plain.accepts(text) == (left or text == "aaa"), text
            assert (union | gs.literal("cc")).accepts(text) == (left or right or text == "cc"), text
    assert gs.compile(union, gs.Vocabulary(BYTES, [256])).residuals == [
        "@3: even (why not)",
        "(whole input): three ()",
    ]
    assert gs.regex("a|b").residuals == () and (gs.regex("a") | gs.regex("b")).residuals == ()


@pytest.mark.parametrize(
    "combine",
    [
        lambda: even() + gs.regex("c"),
        lambda: gs.regex("c") + even(),
        lambda: even() & gs.regex("a*"),
        lambda: gs.regex("a*") & even(),
        lambda: ~even(),
        lambda: ~(even() | gs.regex("c")),
    ],
)
def test_other_operators_refuse_by_name(combine: object) -> None:
    with pytest.raises(gs.UnsupportedError, match=r"@3: even \(why not\)") as caught:
        combine()  # type: ignore[operator]
    assert caught.value.pointer == "@3" and "`" in caught.value.reason


def test_token_edges_and_predicates_exclude_each_other() -> None:
    predicate = Predicate("/x", "even", "", "even", lambda t: True)
    with pytest.raises(gs.UnsupportedError, match="token edges"):
        Grammar(ir.concat(ir.literal("a"), ir.TokenEdge(3)), "edges", (predicate,))
    with pytest.raises(gs.UnsupportedError, match="token edges"):
        even() | Grammar(ir.TokenEdge(3))


def test_fingerprints_hold_the_predicates() -> None:
    expr = gs.regex("a*").expr

    def of(*keys: str) -> str:
        return Grammar(expr, "x", tuple(Predicate("", k, "", k, lambda t: True) for k in keys)).fingerprint

    assert of() == gs.regex("a*").fingerprint
    assert len({of(), of("p"), of("q"), of("p", "q"), of("q", "p")}) == 5 and of("p") == of("p")
    one, two = even("a*"), even("b*")
    unions = [one | gs.regex("b*"), gs.regex("a*") | two, one | two]
    assert len({union.fingerprint for union in unions}) == 3
    assert (one | two).fingerprint == (even("a*") | even("b*")).fingerprint
    compiled = {gs.compile(g, vocabulary()).fingerprint for g in (one, gs.regex("a*"), even("a*"))}
    assert len(compiled) == 2


def test_places_are_readable() -> None:
    assert str(Place("/a/uniqueItems", "uniqueItems", "items are open")) == (
        "/a/uniqueItems: uniqueItems (items are open)"
    )


# -- matchers ---------------------------------------------------------------------------------------


def test_eos_bits_follow_the_predicate_everywhere() -> None:
    compiled = gs.compile(even(), vocabulary())
    assert not compiled.masks_exact and compiled.residuals == ["@3: even (why not)"]
    matcher = compiled.matcher()
    for step in (None, 0, 2, 1):
        if step is not None:
            matcher.advance(step)
        length = {None: 0, 0: 1, 2: 3, 1: 4}[step]
        expected = [0, 1, 2, 4] + ([3, 5] if length % 2 == 0 else [])
        assert matcher.is_accepting == (length % 2 == 0)
        assert matcher.allowed_ids().tolist() == sorted(expected) == bits(matcher)
        for remaining in (1, 5, None):
            for exact in (False, True):
                viable = matcher.viable(remaining, exact=exact)
                assert viable[list(EOS)].all() == viable[list(EOS)].any() == matcher.is_accepting
    array = np.full((4, 1), -1, dtype=np.int32)
    compiled.matcher().fill_bitmask_tree([-1, 0, -1], [0, 1, 6], array)
    rows = [[t for t in range(7) if row >> t & 1] for row in array[:, 0]]
    assert rows == [[0, 1, 2, 3, 4, 5], [0, 1, 2, 4], [0, 1, 2, 3, 4, 5], []]
    batch = np.zeros((2, 1), dtype=np.int32)
    other = compiled.matcher()
    other.advance(0)
    gs.fill_bitmasks([compiled.matcher(), other], batch)
    assert batch[:, 0].tolist() == array[:2, 0].tolist()


def test_a_refused_end_raises_with_the_reason_and_changes_nothing() -> None:
    matcher = gs.compile(even(), vocabulary()).matcher()
    matcher.advance(1)
    before = matcher.allowed_ids().tolist()
    for eos in EOS:
        with pytest.raises(gs.RejectedTokenError, match=r"does not satisfy @3: even \(why not\)"):
            matcher.advance(eos)
        assert matcher.advance_many([eos, 0]) == 0
    assert matcher.allowed_ids().tolist() == before
    assert matcher.advance_many([0, 5, 1]) == 2 and matcher.is_finished
    with pytest.raises(gs.RejectedTokenError, match="already ended"):
        matcher.advance(5)
    matcher.rollback(1)
    assert matcher.is_accepting and not matcher.is_finished
    matcher.rollback(1)
    assert not matcher.is_accepting


def test_an_end_that_the_automaton_refuses_is_not_blamed_on_the_predicate() -> None:
    matcher = gs.compile(even("(ab)+c"), vocabulary()).matcher()
    with pytest.raises(gs.RejectedTokenError) as caught:
        matcher.advance(3)
    assert "even" not in str(caught.value)


def test_a_predicate_is_asked_once_per_state_and_only_where_the_automaton_accepts() -> None:
    counting = Counting()
    matcher = gs.compile(even("(ab)*c?", counting), vocabulary()).matcher()
    for _ in range(3):
        matcher.allowed_ids()
        assert matcher.is_accepting
    fork = matcher.fork()
    fork.viable(4)
    assert counting.asked == [b""]
    fork.advance(0)
    fork.allowed_ids()
    assert counting.asked == [b""]
    fork.advance(1)
    other = fork.fork()
    assert other.is_accepting and fork.is_accepting and not other.is_finished
    assert counting.asked == [b"", b"ab"]
    fork.rollback(2)
    assert fork.is_accepting and counting.asked == [b"", b"ab"]
    other.advance(6)
    assert not other.is_accepting
    with pytest.raises(gs.RejectedTokenError):
        other.advance(3)
    assert counting.asked == [b"", b"ab", b"abc"]


def test_forced_runs_stop_at_dead_ends_and_never_force_a_refused_end() -> None:
    # "abc" is the only continuation, and its end is refused: a dead end.
    matcher = gs.compile(even("abc"), vocabulary()).matcher()
    assert matcher.forced_bytes() == b"abc"
    matcher.advance(0)
    assert matcher.forced_ids() == [1, 6]
    matcher.advance_many([1, 6])
    assert matcher.allowed_ids().tolist() == [] and matcher.forced_ids() == []
    assert matcher.viable(None).sum() == 0 and not matcher.is_accepting and not matcher.is_finished
    # After "a" the end is refused, so that "b" is forced; after "ab" it is not, and nothing is forced.
    matcher = gs.compile(even("ab?"), gs.Vocabulary([b"a", b"b", None], [2])).matcher()
    assert matcher.forced_ids() == [0, 1, 2]


def test_members_of_every_segmentation() -> None:
    """All token sequences up to a length: accepted iff their text is, with EOS refused otherwise."""
    compiled = gs.compile(even("(ab|b)*"), vocabulary())
    seen = 0
    for length in range(5):
        for ids in itertools.product((0, 1, 2, 4, 6), repeat=length):
            matcher = compiled.matcher()
            if matcher.advance_many(ids) < length:
                continue
            text = b"".join(TOKENS[t] or b"" for t in ids)
            assert matcher.is_accepting == compiled.grammar.accepts(text)
            assert (matcher.advance_many([5]) == 1) == compiled.grammar.accepts(text)
            seen += 1
    assert seen > 100


def test_random_walks_with_rollback_and_forks_agree_with_a_fresh_matcher() -> None:
    compiled = gs.compile(even("[ab]*c?"), vocabulary())
    dice = random.Random(5)
    matcher, ids = compiled.matcher(), list[int]()
    for _ in range(300):
        if ids and dice.random() < 0.3:
            n = dice.randint(1, len(ids))
            matcher.rollback(n)
            del ids[len(ids) - n :]
        elif dice.random() < 0.2:
            matcher = matcher.fork()
        allowed = [t for t in matcher.allowed_ids().tolist() if t not in EOS]
        if allowed:
            ids.append(dice.choice(allowed))
            matcher.advance(ids[-1])
        fresh = compiled.matcher()
        assert fresh.advance_many(ids) == len(ids)
        assert fresh.is_accepting == matcher.is_accepting
        assert fresh.allowed_ids().tolist() == matcher.allowed_ids().tolist()


def test_an_error_of_the_predicate_passes_through_and_leaves_the_matcher_alone() -> None:
    def fails(text: bytes) -> bool:
        raise gs.LimitError("text depth", "too deep")

    predicate = Predicate("", "fails", "", "fails", fails)
    matcher = gs.compile(Grammar(gs.regex("a*").expr, "x", (predicate,)), vocabulary()).matcher()
    for _ in range(2):
        with pytest.raises(gs.LimitError):
            matcher.allowed_ids()
    with pytest.raises(gs.LimitError):
        matcher.advance(3)
    matcher.advance(0)
    matcher.rollback(1)
