"""Limits, cancellation and Ctrl-C: each stops one call by its own name, and everything stays usable."""

from __future__ import annotations

import _thread
import pickle
import signal
import threading
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from small_vocabulary import TOKENS, compiled, vocabulary

import gramspec as gs
from gramspec.grammar import ir
from gramspec.grammar.core import Grammar

BY_LIMIT = {
    "max_states": gs.StateLimitError,
    "max_configurations": gs.ConfigurationLimitError,
    "max_stack_depth": gs.StackDepthLimitError,
    "max_row_bytes": gs.RowLimitError,
    "mask_steps": gs.MaskStepLimitError,
    "search_steps": gs.SearchStepLimitError,
    "max_nodes": gs.NodeLimitError,
    "compile_seconds": gs.CompileTimeLimitError,
    "mask_seconds": gs.MaskTimeLimitError,
}


def endless() -> gs.Grammar:
    """A grammar whose emptiness takes longer than any test, unless something stops it."""
    return gs.regex("[abc]*a[abc]{22}") & gs.regex("[abc]*b[abc]{22}") & gs.regex("[abc]*c[abc]{22}x")


def fill(matcher: gs.Matcher) -> list[int]:
    return [int(t) for t in matcher.allowed_ids()]


# -- errors -------------------------------------------------------------------------------------------


def test_every_limit_has_an_error_of_its_own() -> None:
    assert set(BY_LIMIT) | {"max_cache_bytes"} == set(gs.Limits.__dataclass_fields__)
    for name, kind in BY_LIMIT.items():
        error = gs.LimitError(name, "text")
        assert type(error) is kind and error.limit == name and str(error) == f"{name}: text"
        again = pickle.loads(pickle.dumps(error))
        assert type(again) is kind and str(again) == str(error) and again.limit == name
    assert type(gs.LimitError("anything", "text")) is gs.LimitError


@pytest.mark.parametrize(
    ("limits", "pattern", "use"),
    [
        ({"max_stack_depth": 40}, "", lambda m: m.advance_many([1] * 60)),
        ({"mask_steps": 3}, "(ab|ba|c)*x", lambda m: fill(m)),
        ({"search_steps": 2}, "(a{3,4}|b{5,7}){20}", lambda m: m.min_tokens(exact=True)),
        ({"max_row_bytes": 60}, "(ab|ba|c)*x", lambda m: fill(m)),
        ({"max_configurations": 60}, "a{90,100}", lambda m: m.advance_many([0] * 100)),
    ],
)
def test_a_matcher_that_met_a_limit_goes_on(
    limits: dict[str, int], pattern: str, use: Callable[[gs.Matcher], Any]
) -> None:
    (name,) = limits
    grammar = gs.regex(pattern) if pattern else nested()
    matcher, ample = compiled(grammar, **limits).matcher(), compiled(grammar).matcher()
    for _ in range(2):
        with pytest.raises(BY_LIMIT[name]):
            use(matcher)
        matcher.rollback(matcher._length)
        for token in (0, 1, 2, 4):
            assert ample.fork().advance_many([token]) == matcher.fork().advance_many([token])


def nested() -> Grammar:
    rule = ir.Rule("s")
    rule.define(ir.union(ir.literal("c"), ir.concat(ir.literal("b"), ir.Ref(rule), ir.literal("c"))))
    return Grammar(ir.Ref(rule), "nested")


# -- full engines -------------------------------------------------------------------------------------


def test_a_compile_that_finds_the_engine_full_gets_a_fresh_one() -> None:
    words = vocabulary()
    limits = gs.Limits(max_states=3000)
    texts = ["".join("abc"[(n >> i) % 3] for i in range(20)) for n in range(700)]
    seen = set()
    for text in texts:
        grammar = gs.compile(gs.regex(f"{text}|{text[::-1]}a"), words, limits=limits)
        assert grammar.matcher().advance_many([TOKENS.index(text[:1].encode())]) == 1
        seen.add(id(grammar._engine))
    assert len(seen) > 1, "some engine was left behind"


@pytest.mark.parametrize("limits", [{"max_configurations": 200}, {"max_row_bytes": 900}])
def test_matchers_of_a_full_engine_go_on_with_the_same_masks(limits: dict[str, int]) -> None:
    pattern = "(a{0,3}(b|c){0,4}x?){0,30}"
    tight, ample = compiled(pattern, **limits), compiled(pattern)
    matchers = [(tight.matcher(), ample.matcher()) for _ in range(6)]
    engines = set()
    for turn in range(30):
        for number, (mine, other) in enumerate(matchers):
            assert mine.allowed_ids().tolist() == other.allowed_ids().tolist()
            token = [0, 1, 4, 10, 2][(turn * (number + 1) + number) % 5]
            assert mine.advance_many([token]) == other.advance_many([token])
            engines.add(mine._basis.core.serial)
    assert len(engines) > 1, "some matcher has moved"
    for mine, other in matchers:
        mine.rollback(mine._length // 2)
        other.rollback(other._length // 2)
        assert mine.allowed_ids().tolist() == other.allowed_ids().tolist()


@pytest.mark.parametrize("remember", [0, 200, 2000])
def test_masks_that_are_forgotten_are_made_again(remember: int) -> None:
    words = vocabulary()
    tight = gs.compile(gs.regex("(a|b|c){0,60}"), words, limits=gs.Limits(max_cache_bytes=remember))
    ample = gs.compile(gs.regex("(a|b|c){0,60}"), words)
    mine, other = tight.matcher(), ample.matcher()
    for _ in range(3):
        for _ in range(60):
            assert mine.allowed_ids().tolist() == other.allowed_ids().tolist()
            mine.advance(1)
            other.advance(1)
        mine.rollback(60)
        other.rollback(60)
    figures = tight.statistics()
    assert figures["mask_bytes"] <= remember
    assert (figures["masks_evicted"] > 0) == (remember > 0)
    assert ample.statistics()["masks_evicted"] == 0 and ample.statistics()["masks_stored"] >= 60


# -- seconds, cancellation, Ctrl-C ----------------------------------------------------------------------


def test_seconds_stop_a_compile() -> None:
    begun = time.monotonic()
    with pytest.raises(gs.CompileTimeLimitError):
        compiled(endless(), compile_seconds=0.05, max_states=50_000_000)
    assert time.monotonic() - begun < 20
    assert compiled("ab").matcher().advance_many([2]) == 1


def test_another_thread_cancels_a_compile() -> None:
    words, token = vocabulary(), gs.CancelToken()
    limits = gs.Limits(max_states=50_000_000)
    timer = threading.Timer(0.1, token.cancel)
    timer.start()
    with pytest.raises(gs.CancelledError):
        gs.compile(endless(), words, limits=limits, cancel=token)
    timer.join()
    assert token.cancelled
    with pytest.raises(gs.CancelledError):
        gs.compile(gs.regex("a"), words, limits=limits, cancel=token)
    assert fill(gs.compile(gs.regex("ab"), words, limits=limits, cancel=gs.CancelToken()).matcher()) == [
        0,
        2,
        7,
    ]


def test_a_cancelled_matcher_and_its_forks_stop() -> None:
    one, token = compiled("[abc]*"), gs.CancelToken()
    matcher, free = one.matcher(cancel=token), one.matcher()
    fork = matcher.fork()
    assert fill(fork) == fill(free)
    token.cancel()
    for stopped in (matcher, fork):
        with pytest.raises(gs.CancelledError):
            stopped.fill_bitmask(np.zeros((1, 1), dtype=np.int32))
        with pytest.raises(gs.CancelledError):
            stopped.advance(0)
    assert fill(free) and free.advance_many([0]) == 1


def test_ctrl_c_stops_a_compile() -> None:
    words, limits = vocabulary(), gs.Limits(max_states=50_000_000)
    # A shell may have begun the tests in the background, with Ctrl-C ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        timer = threading.Timer(0.1, _thread.interrupt_main)
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            gs.compile(endless(), words, limits=limits)
        timer.join()
    finally:
        signal.signal(signal.SIGINT, before)
    assert fill(gs.compile(gs.regex("ab"), words, limits=limits).matcher()) == [0, 2, 7]


# -- size -----------------------------------------------------------------------------------------------


def test_matchers_are_small_and_forks_share_their_history() -> None:
    one = compiled("[abc]*")
    first = one.matcher()
    first.advance_many([0] * 100)
    tracemalloc.start()
    kept = [one.matcher() for _ in range(10_000)] + [first.fork() for _ in range(10_000)]
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size / len(kept) < 500
    assert all(m.advance_many([0]) == 1 for m in kept[::500])
