"""`fill_bitmasks`: the same bits as the loop, whatever the threads, the engines and what is remembered."""

from __future__ import annotations

import random
import threading
from typing import Any

import numpy as np
import pytest
from small_vocabulary import EOS, compiled, vocabulary

import gramspec as gs
from gramspec.grammar.core import Grammar, Predicate

PATTERNS = ["(ab)*c?", "[abc]*", "a(b|c){2,5}", "(a|bc)+", "c?a{0,40}b"]
WORDS = 1


def walked(grammar: gs.CompiledGrammar, dice: random.Random, steps: int) -> gs.Matcher:
    """A matcher after some tokens drawn from its masks."""
    matcher = grammar.matcher()
    for _ in range(steps):
        allowed = matcher.allowed_ids().tolist()
        if not allowed or matcher.is_finished:
            break
        matcher.advance(dice.choice(allowed))
    return matcher


def loop(matchers: list[gs.Matcher]) -> Any:
    array = np.full((len(matchers), WORDS), -1, dtype=np.int32)
    for row, matcher in enumerate(matchers):
        matcher.fill_bitmask(array, row)
    return array


def even_length() -> Grammar:
    whole = Predicate("@0", "even", "why not", "even", lambda text: len(text) % 2 == 0)
    return Grammar(gs.regex("[ab]*c?").expr, "even", (whole,))


@pytest.mark.parametrize("threads", [1, 2, 3, None])
@pytest.mark.parametrize("remember", [0, 1 << 20])
def test_batches_equal_loops_over_engines_and_residual_predicates(threads: int | None, remember: int) -> None:
    dice = random.Random(7)
    limits = gs.Limits(max_cache_bytes=remember)
    grammars = [gs.compile(gs.regex(p), vocabulary(), limits=limits) for p in PATTERNS]
    grammars.append(gs.compile(even_length(), vocabulary(), limits=limits))
    matchers = [walked(grammars[i % len(grammars)], dice, i % 9) for i in range(120)]
    order = list(range(len(matchers)))
    dice.shuffle(order)
    for _ in range(2):  # as they are made, and as they are remembered
        array = np.full((len(matchers) + 1, WORDS), -1, dtype=np.int32)
        gs.fill_bitmasks(matchers, array, rows=order, threads=threads)
        assert (array[order] == loop(matchers)).all() and array[-1] == -1
    assert any(not row.any() for row in loop(matchers)), "some sequences have ended"


def test_tensors_and_rows_written_twice() -> None:
    torch = pytest.importorskip("torch")
    one = compiled("(ab)*c?")
    matchers = [one.matcher(), one.matcher()]
    matchers[1].advance(0)
    tensor = torch.full((3, WORDS), -1, dtype=torch.int32)
    gs.fill_bitmasks(matchers, tensor, rows=[2, 0], threads=2)
    assert (tensor.numpy()[[2, 0]] == loop(matchers)).all() and tensor[1] == -1
    gs.fill_bitmasks(matchers, tensor, rows=[1, 1], threads=2)
    assert (tensor.numpy()[1] == loop(matchers)[1]).all(), "the later one wins, as in a loop"


def test_what_does_not_fit_is_refused_before_a_row_is_written() -> None:
    one = compiled("[abc]*")
    matchers = [one.matcher() for _ in range(3)]
    array = np.full((3, WORDS), -1, dtype=np.int32)
    wide = gs.compile(gs.regex("a"), gs.Vocabulary([b"a"] * 40, [39])).matcher()
    for bad, error, text in (
        (lambda: gs.fill_bitmasks(matchers, array, rows=[0, 1, 3]), ValueError, "row 3"),
        (lambda: gs.fill_bitmasks(matchers, array, rows=[0, 1, -1]), ValueError, "row -1"),
        (lambda: gs.fill_bitmasks([*matchers[:2], wide], array), ValueError, "matcher 2"),
        (lambda: gs.fill_bitmasks([*matchers[:2], "x"], array), TypeError, "matcher 2"),  # type: ignore[list-item]
        (lambda: gs.fill_bitmasks(matchers, array.astype(np.int64)), ValueError, "int32"),
        (lambda: gs.fill_bitmasks(matchers, array, threads=-1), gs.OptionError, "threads=-1"),
    ):
        with pytest.raises(error, match=text):
            bad()
        assert (array == -1).all()


@pytest.mark.parametrize("threads", [1, 2])
def test_the_first_mask_that_fails_is_named_and_the_others_are_written(threads: int) -> None:
    free = compiled("[abc]*")
    costly = gs.compile(gs.regex("[abc]*"), vocabulary(), limits=gs.Limits(mask_steps=3))
    matchers = [(costly if i in (5, 11) else free).matcher() for i in range(40)]
    array = np.full((40, WORDS), -1, dtype=np.int32)
    with pytest.raises(gs.MaskStepLimitError, match="matcher 5:") as caught:
        gs.fill_bitmasks(matchers, array, threads=threads)
    assert caught.value.limit == "mask_steps"
    expected = loop([free.matcher()])[0]
    for row in range(40):
        assert (array[row] == (0 if row in (5, 11) else expected)).all()


@pytest.mark.parametrize("threads", [1, 2])
def test_a_cancelled_matcher_stops_only_itself(threads: int) -> None:
    one = compiled("[abc]*")
    token = gs.CancelToken()
    matchers = [one.matcher(cancel=token) if i == 30 else one.matcher() for i in range(40)]
    token.cancel()
    array = np.full((40, WORDS), -1, dtype=np.int32)
    with pytest.raises(gs.CancelledError, match="matcher 30"):
        gs.fill_bitmasks(matchers, array, threads=threads)
    assert not array[30].any() and array[:30].all() and array[31:].all()


def test_batches_of_several_threads_at_once_share_the_pool() -> None:
    dice = random.Random(3)
    grammars = [compiled(p) for p in PATTERNS]
    groups = [[walked(grammars[i % 5], dice, i % 7) for i in range(60)] for _ in range(4)]
    expected = [loop(group) for group in groups]
    failures: list[str] = []

    def fill(number: int) -> None:
        array = np.empty((60, WORDS), dtype=np.int32)
        for _ in range(200):
            array[:] = -1
            gs.fill_bitmasks(groups[number], array, threads=3)
            if not (array == expected[number]).all():
                failures.append(f"group {number}")
                return

    workers = [threading.Thread(target=fill, args=(i,)) for i in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not failures


def test_rows_after_the_end_are_empty() -> None:
    matcher = compiled("a").matcher()
    matcher.advance(0)
    matcher.advance(EOS[0])
    array = np.full((1, WORDS), -1, dtype=np.int32)
    gs.fill_bitmasks([matcher], array)
    assert not array.any()
