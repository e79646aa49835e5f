"""The public face of matching: `Matcher` and `fill_bitmasks` as the API states them.

Small vocabularies with hand-made answers, and a slow matcher over Python's `re` for random walks.
"""

from __future__ import annotations

import concurrent.futures
import itertools
import random
import re
from typing import Any

import numpy as np
import pytest
from small_vocabulary import EOS, TOKENS, TOOL, compiled, ids

import gramspec as gs
from gramspec.grammar import ir
from gramspec.grammar.core import Grammar


def bits(row: Any) -> list[int]:
    words = np.asarray(row).view(np.uint32)
    return [t for t in range(32 * len(words)) if words[t >> 5] >> np.uint32(t & 31) & 1]


# -- masks ------------------------------------------------------------------------------------------


def test_allowed_ids_have_duplicates_and_every_eos() -> None:
    matcher = compiled("(ab)*c?").matcher()
    found = matcher.allowed_ids()
    assert found.dtype == np.int32
    # b"a" has two ids, the empty text is a member: both EOS ids, never the special or unused ones.
    assert found.tolist() == [0, 2, 4, 6, 7, 8, 9]
    matcher.advance(7)
    assert ids(matcher) == [1, 3]
    assert not matcher.is_accepting
    matcher.advance(1)
    assert ids(matcher) == [0, 2, 4, 6, 7, 8, 9] and matcher.is_accepting


@pytest.mark.parametrize("size", [11, 31, 32, 33, 64, 70])
def test_a_row_is_rewritten_in_full(size: int) -> None:
    tokens = TOKENS + [b"z"] * (size - len(TOKENS))
    v = gs.Vocabulary(tokens, EOS, special_tokens=TOOL)
    matcher = gs.compile(gs.regex("[az]*"), v).matcher()
    words = (size + 31) // 32
    array = np.full((3, words), -1, dtype=np.int32)
    matcher.fill_bitmask(array, 1)
    assert bits(array[1]) == [0, 6, 7, 9, *range(11, size)] == ids(matcher)
    assert (array[[0, 2]] == -1).all()
    matcher.advance(EOS[0])
    matcher.fill_bitmask(array, 1)
    assert not array[1].any() and ids(matcher) == []


def test_torch_rows_equal_numpy_rows() -> None:
    torch = pytest.importorskip("torch")
    matcher = compiled("(ab|c)*").matcher()
    array = np.zeros((1, 1), dtype=np.int32)
    tensor = torch.full((2, 1), -1, dtype=torch.int32)
    for token in (None, 2, 4, EOS[1]):
        if token is not None:
            matcher.advance(token)
        matcher.fill_bitmask(array)
        matcher.fill_bitmask(tensor, 1)
        assert tensor[1].tolist() == array[0].tolist() and tensor[0].tolist() == [-1]
    with pytest.raises(ValueError, match="dtype int32"):
        matcher.fill_bitmask(torch.zeros((1, 1), dtype=torch.int64))
    with pytest.raises(ValueError, match="CPU"):
        matcher.fill_bitmask(torch.zeros((1, 1), dtype=torch.int32, device="meta"))


@pytest.mark.parametrize(
    ("array", "row", "reason"),
    [
        (np.zeros((1, 1), dtype=np.int64), 0, "dtype int32"),
        (np.zeros((1, 1), dtype=np.uint32), 0, "dtype int32"),
        (np.zeros((1, 1), dtype=bool), 0, "dtype int32"),
        (np.zeros((1, 2), dtype=np.int32), 0, "shape"),
        (np.zeros((1,), dtype=np.int32), 0, "shape"),
        (np.zeros((1, 1, 1), dtype=np.int32), 0, "shape"),
        (np.zeros((2, 1), dtype=np.int32), 2, "row 2"),
        (np.zeros((2, 1), dtype=np.int32), -1, "row -1"),
        (np.zeros((0, 1), dtype=np.int32), 0, "row 0"),
    ],
)
def test_arrays_that_do_not_fit(array: Any, row: int, reason: str) -> None:
    matcher = compiled("a").matcher()
    with pytest.raises(ValueError, match=reason):
        matcher.fill_bitmask(array, row)


def test_rows_that_cannot_be_written() -> None:
    wide = gs.Vocabulary([b"a"] * 40 + [None], [40])
    matcher = gs.compile(gs.regex("a"), wide).matcher()
    with pytest.raises(ValueError, match="contiguous"):
        matcher.fill_bitmask(np.zeros((1, 4), dtype=np.int32)[:, ::2])
    frozen = np.zeros((1, 2), dtype=np.int32)
    frozen.flags.writeable = False
    with pytest.raises((ValueError, TypeError)):
        matcher.fill_bitmask(frozen)
    assert not frozen.any()


def test_fill_bitmasks_equals_the_loop() -> None:
    one = compiled("(ab)*c?")
    matchers = [one.matcher() for _ in range(3)]
    matchers[1].advance(2)
    matchers[2].advance_many([0, 1, EOS[0]])
    loop, batch = (np.full((4, 1), -1, dtype=np.int32) for _ in range(2))
    for row, matcher in enumerate(matchers):
        matcher.fill_bitmask(loop, row)
    gs.fill_bitmasks(matchers, batch)
    assert (loop == batch).all() and batch[3] == -1 and batch[2] == 0
    gs.fill_bitmasks(matchers, batch, rows=[3, 0, 2], threads=1)
    assert (batch[[3, 0, 2]] == loop[:3]).all()
    with pytest.raises(ValueError, match="2 rows for 3 matchers"):
        gs.fill_bitmasks(matchers, batch, rows=[0, 1])
    with pytest.raises(ValueError, match="row 2"):
        gs.fill_bitmasks(matchers, batch[:2])
    with pytest.raises(gs.OptionError, match="threads=0"):
        gs.fill_bitmasks(matchers, batch, threads=0)
    gs.fill_bitmasks([], batch)


def test_fill_bitmask_tree() -> None:
    matcher = compiled("(ab)*c?").matcher()
    matcher.advance(2)
    before = ids(matcher)
    # Nodes: 0 a; 1 b after 0; 2 c after 0 (refused); 3 a after 2; 4 EOS; 5 a after EOS; 6 c after 1.
    parents, tokens = [-1, 0, 0, 2, -1, 4, 1], [0, 1, 4, 0, EOS[1], 0, 4]
    array = np.full((9, 1), -1, dtype=np.int32)
    matcher.fill_bitmask_tree(parents, tokens, array)
    rows = [bits(row) for row in array]
    assert rows[0] == before == ids(matcher)
    assert rows[1] == [1, 3]
    assert rows[2] == before
    assert rows[3] == rows[4] == [], "a refused node and what hangs below it"
    assert rows[5] == rows[6] == [], "nothing follows EOS"
    assert rows[7] == list(EOS)
    assert array[8] == -1
    matcher.fill_bitmask_tree([], [], array)
    assert bits(array[0]) == before
    with pytest.raises(ValueError, match="2 parents for 1 tokens"):
        matcher.fill_bitmask_tree([-1, 0], [0], array)
    with pytest.raises(ValueError, match="parent 0 of node 0"):
        matcher.fill_bitmask_tree([0], [0], array)
    with pytest.raises(ValueError, match="3 rows, not 2"):
        matcher.fill_bitmask_tree([-1, 0], [0, 1], array[:2])
    assert ids(matcher) == before


def test_trees_equal_forks_on_random_drafts() -> None:
    dice = random.Random(3)
    one = compiled("(ab|c|ba){1,4}x?")
    tree, alone = np.zeros((13, 1), dtype=np.int32), np.zeros((1, 1), dtype=np.int32)
    refused = 0
    for _ in range(80):
        matcher = one.matcher()
        matcher.advance_many(dice.choices([0, 1, 2, 3, 4], k=2))
        parents = [dice.randrange(-1, i) for i in range(12)]
        tokens = [dice.choice([0, 1, 2, 3, 4, 7, 10, *EOS]) for _ in range(12)]
        tree[:] = -1
        matcher.fill_bitmask_tree(parents, tokens, tree)
        for node in range(12):
            path: list[int] = []
            at = node
            while at >= 0:
                path.insert(0, tokens[at])
                at = parents[at]
            state = matcher.fork()
            alone[0] = 0
            if state.advance_many(path) == len(path):
                state.fill_bitmask(alone)
            refused += not alone.any()
            assert tree[node + 1].tolist() == alone[0].tolist(), (parents, tokens, node)
    assert 100 < refused < 900


def test_threads_share_a_compiled_grammar() -> None:
    one = compiled("(?:(ab|c|ba){1,4}x?){0,9}", mask_steps=20_000_003)

    def read(seed: int) -> list[tuple[int, ...]]:
        dice, matcher = random.Random(seed % 4), one.matcher()
        out = []
        for _ in range(200):
            out.append(tuple(ids(matcher)))
            if not out[-1]:
                matcher = one.matcher()
            else:
                matcher.advance(dice.choice(out[-1]))
        return out

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        found = list(pool.map(read, range(16)))
    assert found == [read(seed) for seed in range(16)]


# -- the state --------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [0, 2, 4, 5, 6, 7, 8, 9, 10, -1, 11, 1 << 40])
def test_a_rejected_token_leaves_the_state(bad: int) -> None:
    matcher = compiled("(ab)+").matcher()
    assert matcher.advance_many([2, 0]) == 2
    before = (ids(matcher), matcher.is_accepting, matcher.is_finished)
    assert before == ([1, 3], False, False)
    with pytest.raises(gs.RejectedTokenError, match=str(bad)):
        matcher.advance(bad)
    assert before == (ids(matcher), matcher.is_accepting, matcher.is_finished)
    matcher.rollback(2)
    assert ids(matcher) == [0, 2, 7]


@pytest.mark.parametrize("token", [0.0, 1.5, "0", None, [0]])
def test_token_ids_are_ints(token: object) -> None:
    matcher = compiled("[ab]+").matcher()
    with pytest.raises(TypeError):
        matcher.advance(token)  # type: ignore[arg-type]
    matcher.advance(np.int64(0))  # type: ignore[arg-type]
    assert matcher.is_accepting
    matcher.rollback(1)


def test_eos_ends_the_sequence() -> None:
    for eos in EOS:
        matcher = compiled("ab").matcher()
        with pytest.raises(gs.RejectedTokenError, match="not a member"):
            matcher.advance(eos)
        matcher.advance(2)
        assert [matcher.is_accepting, matcher.is_finished] == [True, False]
        matcher.advance(eos)
        assert [matcher.is_accepting, matcher.is_finished] == [False, True]
        assert ids(matcher) == [] and matcher.forced_ids() == [] and matcher.forced_bytes() == b""
        assert matcher.min_tokens() == 0 and not matcher.viable(None).any() and not matcher.viable(5).any()
        for token in range(len(TOKENS)):
            with pytest.raises(gs.RejectedTokenError, match="already ended"):
                matcher.advance(token)
        assert matcher.advance_many([0]) == 0
        matcher.rollback(1)
        assert matcher.is_accepting and ids(matcher) == list(EOS)


def test_advance_many_keeps_what_came_before_the_rejection() -> None:
    matcher = compiled("(ab)+").matcher()
    assert matcher.advance_many([]) == 0
    assert matcher.advance_many(iter([0, 1, 1, 0])) == 2
    assert matcher.is_accepting
    assert matcher.advance_many(np.array([2, 2, EOS[0], 2], dtype=np.int64)) == 3
    assert matcher.is_finished
    matcher.rollback(5)
    assert ids(matcher) == [0, 2, 7]


def test_rollback_counts_eos_and_refuses_more_than_the_history() -> None:
    matcher = compiled("(ab)+").matcher()
    masks = [ids(matcher)]
    for token in (0, 1, 2, EOS[0]):
        matcher.advance(token)
        masks.append(ids(matcher))
    for n in (5, -1):
        with pytest.raises(ValueError, match=f"cannot roll back {n} of 4"):
            matcher.rollback(n)
        assert matcher.is_finished
    matcher.rollback(0)
    assert matcher.is_finished
    for n in (1, 2, 3, 4):
        other = matcher.fork()
        other.rollback(n)
        assert ids(other) == masks[4 - n]
    matcher.rollback(4)
    with pytest.raises(ValueError, match="cannot roll back 1 of 0"):
        matcher.rollback(1)


def test_forks_are_independent() -> None:
    matcher = compiled("(ab)+").matcher()
    matcher.advance(0)
    other = matcher.fork()
    other.advance(1)
    assert ids(matcher) == [1, 3] and ids(other) == [0, 2, 6, 7, 9]
    other.rollback(2)  # a fork carries the history it was made with
    assert ids(other) == [0, 2, 7] and ids(matcher) == [1, 3]
    matcher.advance(1)
    matcher.advance(EOS[0])
    assert not other.is_finished and other.advance_many([2, EOS[1]]) == 2


def test_long_histories_roll_back_and_are_dropped() -> None:
    matcher = compiled("a*").matcher()
    assert matcher.advance_many([0] * 200_000) == 200_000
    matcher.rollback(150_000)
    matcher.rollback(50_000)
    with pytest.raises(ValueError, match="of 0"):
        matcher.rollback(1)


class SlowMatcher:
    """Allowed tokens by searching all short completions in a finite language."""

    def __init__(self, members: set[bytes]) -> None:
        self.prefixes = {m[:i] for m in members for i in range(len(m) + 1)}
        self.members = members

    def allowed(self, text: bytes) -> list[int]:
        out = [t for t, raw in enumerate(TOKENS) if raw and t not in EOS and text + raw in self.prefixes]
        return sorted([*out, *EOS]) if text in self.members else out


@pytest.mark.parametrize(
    "pattern", ["(ab|c|ba){1,3}", "a?b?c?(abc)?", "(a|ab)(c|bc)(x|)", "[abcx]{2}|abca{2}"]
)
def test_walks_equal_a_slow_matcher(pattern: str) -> None:
    letters = [bytes(t) for n in range(7) for t in itertools.product(b"abcx", repeat=n)]
    slow = SlowMatcher({t for t in letters if re.fullmatch(pattern, t.decode())})
    one = compiled(pattern)
    dice = random.Random(pattern)
    seen = 0
    for _ in range(60):
        matcher, text = one.matcher(), b""
        while not matcher.is_finished:
            allowed = slow.allowed(text)
            assert ids(matcher) == allowed, text
            assert matcher.is_accepting == (text in slow.members)
            seen += 1
            token = dice.choice(allowed)
            matcher.advance(token)
            text += TOKENS[token] or b""
    assert seen > 150


# -- forced continuations ---------------------------------------------------------------------------


def test_forced_ids_and_bytes() -> None:
    one = gs.compile(gs.regex("x(y|yz)wv+"), gs.Vocabulary([b"x", b"y", b"z", b"w", b"v", None], [5]))
    matcher = one.matcher()
    assert matcher.forced_ids() == [0, 1] and matcher.forced_bytes() == b"xy"
    assert matcher.advance_many([0, 1, 2]) == 3
    assert matcher.forced_ids() == [3, 4] and matcher.forced_bytes() == b"wv"
    assert matcher.advance_many([3, 4]) == 2
    assert matcher.forced_ids() == [] and matcher.forced_bytes() == b""
    matcher.rollback(5)
    assert matcher.forced_ids() == [0, 1], "looking ahead leaves the state"
    ended = gs.compile(gs.regex("xy"), one.vocabulary).matcher()
    assert ended.forced_ids() == [0, 1, 5], "EOS ends the run"
    assert ended.forced_bytes() == b"xy"


def test_forced_bytes_follow_tokens_that_lead_on() -> None:
    one = gs.compile(gs.regex("ab|cb"), gs.Vocabulary([b"ab", b"c", b"a", None], [3]))
    assert one.matcher().forced_bytes() == b"ab", "after c no token is a lone b"
    assert one.matcher().forced_ids() == [0, 3]


def test_forced_ids_stop_where_two_tokens_spell_the_forced_text() -> None:
    matcher = compiled("xab").matcher()
    assert matcher.forced_ids() == [10]
    assert matcher.forced_bytes() == b"xab"


def test_forced_bytes_stop_at_a_token_edge() -> None:
    grammar = Grammar(ir.concat(ir.literal("c"), ir.TokenEdge("<|tool|>"), ir.literal("x")))
    matcher = compiled(grammar).matcher()
    assert matcher.forced_bytes() == b"c"
    assert matcher.forced_ids() == [4, 5, 10]


# -- budgets ----------------------------------------------------------------------------------------


def test_min_tokens_and_viable() -> None:
    matcher = compiled("(ab){3}c?").matcher()
    assert matcher.min_tokens(exact=True) == 4
    assert 1 <= matcher.min_tokens() <= 4
    assert matcher.min_tokens(exact=True, cap=2) == 3, "cap + 1: more than the cap"
    assert not matcher.viable(3, exact=True).any()
    assert np.flatnonzero(matcher.viable(4, exact=True)).tolist() == [2]
    assert np.flatnonzero(matcher.viable(5, exact=True)).tolist() == [0, 2, 7]
    assert np.flatnonzero(matcher.viable(None)).tolist() == ids(matcher)
    for budget in range(8):
        exact, loose = matcher.viable(budget, exact=True), matcher.viable(budget)
        assert exact.dtype == loose.dtype == np.bool_ and exact.shape == loose.shape == (len(TOKENS),)
        assert not (exact & ~loose).any()
    assert matcher.advance_many([2, 2, 2]) == 3
    assert matcher.min_tokens(exact=True) == matcher.min_tokens() == 1
    assert np.flatnonzero(matcher.viable(1, exact=True)).tolist() == list(EOS)
    assert np.flatnonzero(matcher.viable(2, exact=True)).tolist() == [4, *EOS]
    assert not matcher.viable(0).any()


# -- token edges ------------------------------------------------------------------------------------


@pytest.mark.parametrize("token", [5, "<|tool|>"])
def test_token_edges(token: int | str) -> None:
    one = compiled(Grammar(ir.concat(ir.literal("c"), ir.TokenEdge(token), ir.repeat(ir.literal("a")))))
    matcher = one.matcher()
    assert ids(matcher) == [4]
    matcher.advance(4)
    assert ids(matcher) == [5] and not matcher.is_accepting
    with pytest.raises(gs.RejectedTokenError):
        matcher.advance(4)
    matcher.advance(5)
    assert ids(matcher) == [0, 6, 7, 9]
    matcher.rollback(1)
    assert ids(matcher) == [5]
    with pytest.raises(gs.RejectedTokenError, match="no bytes"):
        compiled("abc").matcher().advance(5)


def test_a_token_edge_of_an_ordinary_token_takes_that_id_only() -> None:
    matcher = compiled(Grammar(ir.concat(ir.TokenEdge(7), ir.literal("c")))).matcher()
    assert ids(matcher) == [7]
    with pytest.raises(gs.RejectedTokenError):
        matcher.advance(0)
    matcher.advance(7)
    assert ids(matcher) == [4]


@pytest.mark.parametrize("eos", EOS)
def test_a_token_edge_cannot_be_eos(eos: int) -> None:
    with pytest.raises(gs.VocabularyError, match=f"token id {eos} is EOS"):
        compiled(Grammar(ir.concat(ir.literal("a"), ir.TokenEdge(eos), ir.literal("b"))))


@pytest.mark.parametrize(
    ("token", "reason"), [("<|nope|>", "no special token"), (11, "outside"), (-1, "outside")]
)
def test_token_edges_that_do_not_exist(token: int | str, reason: str) -> None:
    with pytest.raises(gs.VocabularyError, match=reason):
        compiled(Grammar(ir.TokenEdge(token)))
    matcher = compiled("c").matcher()  # the engine survives
    assert ids(matcher) == [4]
