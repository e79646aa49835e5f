"""The engine: what is computed together, what is not, and how work ends early."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

import gramspec as gs

pytest.importorskip("fastapi")
pytest.importorskip("prometheus_client")

from gramspec.integrations.server.cache import GrammarCache
from gramspec.integrations.server.engine import Engine, Work
from gramspec.integrations.server.errors import ApiError
from gramspec.integrations.server.metrics import Metrics
from gramspec.models import TabularModel

PATIENT = 60.0
VOCABULARY = gs.Vocabulary([b"a", b"b", None], [2])


class Batching(TabularModel):
    """A model that notes the size of each batch, and fails for prompts that begin with 1."""

    def __init__(self) -> None:
        super().__init__(lambda prefix: np.log([0.4, 0.4, 0.2]), 3, 2)
        self.sizes: list[int] = []
        self.gate = threading.Event()
        self.gate.set()

    def score_many(self, requests: Any) -> Any:
        assert self.gate.wait(PATIENT)
        self.sizes.append(len(requests))
        if any(sequence.tokens and sequence.tokens[0] == 1 for sequence, _, _ in requests):
            raise gs.LogitsError("a bad row")
        return super().score_many(requests)


@contextmanager
def engine(**options: Any) -> Iterator[tuple[Engine, Batching]]:
    model = Batching()
    one = Engine(model, None, **{"max_batch": 4, "max_queue": 2, "metrics": Metrics(), **options})
    try:
        yield one, model
    finally:
        model.gate.set()
        one.close(PATIENT)


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENT
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.005)


def scored(
    prompt: list[int], steps: int = 1, together: threading.Barrier | None = None
) -> Callable[[Work], float]:
    def task(work: Work) -> float:
        if together is not None:
            together.wait(PATIENT)
        sequence = work.target.open(prompt)
        return sum(float(sequence.score()[0][0]) for _ in range(steps))

    return task


def test_requests_at_the_same_time_share_a_forward() -> None:
    with engine() as (one, model):
        one.batcher._window = PATIENT  # nobody is served before all four ask
        together = threading.Barrier(4)
        jobs = [one.submit(scored([0], together=together)) for _ in range(4)]
        assert len({job.future.result(PATIENT) for job in jobs}) == 1
        assert model.sizes == [4]


def test_rows_of_a_request_apart_are_computed_apart() -> None:
    with engine() as (one, model):
        model.gate.clear()
        jobs = [one.submit(scored([0]), alone=alone) for alone in (True, True, False, False)]
        until(lambda: one.running == 4)
        model.gate.set()
        for job in jobs:
            job.future.result(PATIENT)
        assert sum(model.sizes) == 4 and sorted(model.sizes)[:2] == [1, 1]


def test_an_error_belongs_to_the_request_that_caused_it() -> None:
    with engine() as (one, _):
        one.batcher._window = PATIENT
        together = threading.Barrier(4)
        good = [one.submit(scored([0], together=together)) for _ in range(3)]
        bad = one.submit(scored([1], together=together))
        with pytest.raises(gs.LogitsError):
            bad.future.result(PATIENT)
        assert all(job.future.result(PATIENT) < 0 for job in good)


def test_stopped_work_ends_and_makes_room() -> None:
    with engine(max_batch=1, max_queue=1) as (one, _):
        running = one.submit(scored([0], steps=10**9))
        until(lambda: one.running == 1)
        waiting = one.submit(scored([0]))
        with pytest.raises(ApiError) as full:
            one.submit(scored([0]))
        assert full.value.status == 429 and int(full.value.headers["retry-after"]) >= 1
        waiting.stop("client")
        with pytest.raises(gs.CancelledError):
            waiting.future.result(PATIENT)
        assert one.queued == 0
        running.stop("client")
        with pytest.raises(gs.CancelledError):
            running.future.result(PATIENT)
        assert one.submit(scored([0])).future.result(PATIENT) < 0


def test_a_deadline_ends_work() -> None:
    with engine() as (one, _):
        job = one.submit(scored([0], steps=10**9), seconds=0.05)
        with pytest.raises(ApiError) as late:
            job.future.result(PATIENT)
        assert late.value.status == 504 and late.value.code == "deadline_exceeded"


def test_a_stopped_request_leaves_its_masks() -> None:
    """A call of the native core ends too, not only the wait for rows."""
    with engine() as (one, _):
        grammar = gs.compile(gs.regex("(a|b)*"), VOCABULARY)
        entered = threading.Event()

        def task(work: Work) -> None:
            from gramspec.integrations.server.cache import Cancellable

            matcher = Cancellable(grammar, work.cancel).matcher()
            entered.set()
            while True:
                matcher.forced_bytes()
                matcher.fork().allowed_ids()

        job = one.submit(task)
        assert entered.wait(PATIENT)
        job.stop("client")
        with pytest.raises(gs.CancelledError):
            job.future.result(PATIENT)


def test_closing_gives_up_what_does_not_end() -> None:
    with engine(max_batch=1) as (one, _):
        running = one.submit(scored([0], steps=10**9))
        until(lambda: one.running == 1)
        waiting = one.submit(scored([0]))
        one.close(0.05)
        for job in (running, waiting):
            with pytest.raises(ApiError) as stopped:
                job.future.result(PATIENT)
            assert stopped.value.status == 503
        with pytest.raises(ApiError):
            one.submit(scored([0]))


def test_the_draft_is_asked_before_the_target() -> None:
    target, draft = Batching(), Batching()
    order: list[str] = []
    for model, name in ((target, "target"), (draft, "draft")):
        inner = model.score_many

        def noted(requests: Any, inner: Any = inner, name: str = name) -> Any:
            order.append(name)
            return inner(requests)

        model.score_many = noted  # type: ignore[method-assign]
    one = Engine(target, draft, max_batch=2, max_queue=2, metrics=Metrics())
    one.batcher._window = PATIENT

    together = threading.Barrier(2)

    def asks_target(work: Work) -> None:
        together.wait(PATIENT)
        work.target.open([0]).score()

    def asks_draft(work: Work) -> None:
        assert work.draft is not None
        together.wait(PATIENT)
        for _ in range(3):
            work.draft.open([0]).score()
        work.target.open([0]).score()

    jobs = [one.submit(task) for task in (asks_target, asks_draft)]
    for job in jobs:
        job.future.result(PATIENT)
    one.close()
    assert order == ["draft"] * 3 + ["target"] and target.sizes == [2]


def cached(cache: GrammarCache, key: str, pattern: str, made: list[str]) -> gs.CompiledGrammar:
    def make() -> gs.CompiledGrammar:
        made.append(key)
        return gs.compile(gs.regex(pattern), VOCABULARY)

    return cache.get(key, make).result(PATIENT)


def test_the_cache_keeps_what_was_used_last_within_its_bytes() -> None:
    metrics, made = Metrics(), []
    probe = GrammarCache(1 << 30, metrics)
    cached(probe, "a", "a", made)
    cache = GrammarCache(probe.bytes * 5 // 2, metrics)
    made.clear()
    for key in ("a", "b", "a", "c", "a", "b"):
        cached(cache, key, "a" if key == "a" else "b", made)
    assert made == ["a", "b", "c", "b"] and len(cache) == 2
    assert 0 < cache.bytes <= probe.bytes * 5 // 2


def test_a_grammar_is_compiled_once_for_all_who_wait() -> None:
    cache, begun, go, made = GrammarCache(1 << 20, Metrics()), threading.Event(), threading.Event(), []

    def make() -> gs.CompiledGrammar:
        begun.set()
        assert go.wait(PATIENT)
        made.append(1)
        return gs.compile(gs.regex("a"), VOCABULARY)

    coming = [cache.get("k", make) for _ in range(5)]
    assert begun.wait(PATIENT)
    go.set()
    assert len({id(one.result(PATIENT)) for one in coming}) == 1 and made == [1]


def test_what_cannot_be_compiled_is_not_kept() -> None:
    cache = GrammarCache(1 << 20, Metrics())

    def fail() -> gs.CompiledGrammar:
        raise gs.GrammarError("@0", "bad")

    for _ in range(2):
        with pytest.raises(gs.GrammarError):
            cache.get("k", fail).result(PATIENT)
    assert len(cache) == 0
    assert cached(cache, "k", "a", []).vocabulary is VOCABULARY


def test_nobody_waits_for_a_cache_that_is_closed() -> None:
    cache, begun, go = GrammarCache(1 << 20, Metrics(), threads=1), threading.Event(), threading.Event()

    def slow() -> gs.CompiledGrammar:
        begun.set()
        assert go.wait(PATIENT)
        raise gs.EmptyLanguageError("nothing")

    under_way = cache.get("slow", slow)
    assert begun.wait(PATIENT)
    queued = cache.get("queued", slow)
    cache.close()
    for coming in (under_way, queued):
        with pytest.raises(ApiError, match="the server stops"):
            coming.result(PATIENT)
    go.set()
    with pytest.raises(ApiError, match="the server stops"):
        cache.get("new", slow)


def test_grammars_in_tables_that_are_full_are_let_go() -> None:
    limits = gs.Limits(max_states=4_000)
    cache = GrammarCache(1 << 30, Metrics())

    def keep(key: str, pattern: str) -> gs.CompiledGrammar:
        return cache.get(key, lambda: gs.compile(gs.regex(pattern), VOCABULARY, limits=limits)).result(
            PATIENT
        )

    first = keep("a", "(a|b){3}a")
    assert cache.find("a") is first
    number = 0
    while not first._engine.exhausted:
        number += 1
        keep(f"filler {number}", f"(a|b){{{number}}}(ab|ba){{{number}}}")
    keep("b", "bb")
    assert cache.find("a") is None and cache.find("b") is not None


def test_large_grammars_and_dear_ones_are_held_apart() -> None:
    from gramspec.integrations.server import Settings

    settings = Settings()
    small = {settings.limits_of(f"key {k}", 10) for k in range(64)}
    large = settings.limits_of("key 1", settings.large_bytes + 1)
    assert len(small) == 4 and large not in small  # each value has tables of its own
    assert settings.limits_of("key 1", 10) == settings.limits_of("key 1", 20)
    compiled = [gs.compile(gs.regex("a"), VOCABULARY, limits=limits) for limits in (*small, large)]
    assert len({id(one._engine) for one in compiled}) == 5
