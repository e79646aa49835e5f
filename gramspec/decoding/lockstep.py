"""Lanes in lockstep: samplers of several prompts run side by side, their rows asked for in one call.

Law: each lane runs the same code with the same choices as alone; only when its rows are computed changes.
Cost: one `score_many` of a model per step, for all lanes that wait for it; no lane waits for another's end.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, Generic, NamedTuple, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from gramspec.models.counters import Counters
from gramspec.models.protocol import LanguageModel, ModelSequence
from gramspec.models.wrapped import WrappedModel

T = TypeVar("T")
Row = NDArray[np.float64]
Request = tuple[ModelSequence, Sequence[int], Sequence[int] | None]
Task = Callable[[LanguageModel, LanguageModel | None], T]


@runtime_checkable
class CountingModel(Protocol):
    """A model that tells what each request of a batch has cost."""

    def score_counted(self, requests: Sequence[Request]) -> tuple[list[Row], list[Counters]]:
        """`score_many`, and the work of each request."""
        ...


def score_counted(model: LanguageModel, requests: Sequence[Request]) -> tuple[list[Row], list[Counters]]:
    """Rows of several sequences, and the work of each; a model that does not tell did one forward each.

    Parameters
    ----------
    model : LanguageModel
        The model.
    requests : sequence of tuple
        Sequence, tokens and parents of each.
    """
    if isinstance(model, CountingModel):
        return model.score_counted(requests)
    spent = [Counters(1, len(tokens) + 1, len(tokens) + 1) for _, tokens, _ in requests]
    return model.score_many(requests), spent


class _AbandonedError(BaseException):
    """Raised in a lane that waits while another lane, or the caller, has ended the call."""


class Asked(NamedTuple):
    """What a lane wants to know.

    Attributes
    ----------
    model : int
        0: the target, 1: the draft.
    requests : list of tuple
        Sequence, tokens and parents of each.
    """

    model: int
    requests: list[Request]


class Asking(Protocol):
    """Who gets rows for a `LaneModel`."""

    def ask(self, asked: Asked) -> tuple[list[Row], list[Counters]]:
        """Rows of each request, and the work that each has caused."""
        ...


class _Lane(Generic[T]):
    """One task in a thread of its own, which runs only while the caller waits for it."""

    def __init__(self, task: Task[T], target: LanguageModel, draft: LanguageModel | None) -> None:
        self.asked: Asked | None = None
        self.answer: tuple[list[Row], list[Counters]] | None = None
        self.result: T | None = None
        self.error: BaseException | None = None
        self.done = False
        self.abandoned = False
        self._task = task
        self._models = (LaneModel(target, 0, self), None if draft is None else LaneModel(draft, 1, self))
        self._go = threading.Semaphore(0)
        self._stopped = threading.Semaphore(0)
        self._thread = threading.Thread(target=self._run, name="gramspec-lane", daemon=True)

    def resume(self) -> None:
        """Let the lane run until it asks for rows or ends."""
        if not self._thread.ident:
            self._thread.start()
        else:
            self._go.release()
        self._stopped.acquire()

    def abandon(self) -> None:
        """End a lane that waits; its clean-up runs."""
        if self._thread.ident and not self.done:
            self.abandoned = True
            self.resume()

    def ask(self, asked: Asked) -> tuple[list[Row], list[Counters]]:
        """Wait for rows; called in the lane."""
        self._check()  # clean-up code asks for nothing, and gets nothing
        self.asked, self.answer = asked, None
        self._stopped.release()
        self._go.acquire()
        self._check()
        return self._delivered()

    def _check(self) -> None:
        if self.abandoned:
            raise _AbandonedError

    def _delivered(self) -> tuple[list[Row], list[Counters]]:
        assert self.answer is not None
        return self.answer

    def _run(self) -> None:
        try:
            self.result = self._task(*self._models)
        except BaseException as error:
            self.error = error
        finally:
            self.asked = None
            self.done = True
            self._stopped.release()


class LaneModel(WrappedModel):
    """A model as one lane sees it: its sequences are the model's, its rows come with those of other lanes.

    Parameters
    ----------
    model : LanguageModel
        The model that computes.
    index : int
        0: the target, 1: the draft.
    lane : Asking
        Who gets the rows.
    """

    def __init__(self, model: LanguageModel, index: int, lane: Asking) -> None:
        super().__init__(model)
        self.counters = Counters()
        self._index = index
        self._lane = lane

    def open(self, prompt: Sequence[int]) -> LaneSequence:
        """Start a sequence; nothing is computed."""
        return LaneSequence(self, self.model.open(prompt))

    def score_many(self, requests: Sequence[tuple[Any, Sequence[int], Sequence[int] | None]]) -> list[Row]:
        """Rows of each request, computed together with those that other lanes ask for."""
        return self.score_counted(requests)[0]

    def score_counted(
        self, requests: Sequence[tuple[Any, Sequence[int], Sequence[int] | None]]
    ) -> tuple[list[Row], list[Counters]]:
        """`score_many`, and the work of each request."""
        inner: list[Request] = [(sequence.inner, tokens, parents) for sequence, tokens, parents in requests]
        rows, spent = self._lane.ask(Asked(self._index, inner))
        for one in spent:
            self.counters.add(forwards=one.forwards, rows=one.rows, positions=one.positions)
        return rows, spent


class LaneSequence:
    """One sequence of a `LaneModel`."""

    def __init__(self, model: LaneModel, inner: ModelSequence) -> None:
        self.model = model
        self.inner = inner

    @property
    def tokens(self) -> Sequence[int]:
        """Committed token ids, prompt first."""
        return self.inner.tokens

    def score(self, tokens: Sequence[int] = (), parents: Sequence[int] | None = None) -> Row:
        """Rows of the tree."""
        return self.model.score_many([(self, tokens, parents)])[0]

    def commit(self, tokens: Sequence[int]) -> None:
        """Append tokens."""
        self.inner.commit(tokens)

    def rollback(self, n: int) -> None:
        """Take back the last `n` committed tokens."""
        self.inner.rollback(n)

    def fork(self) -> LaneSequence:
        """Return an independent copy."""
        return LaneSequence(self.model, self.inner.fork())


def in_lockstep(
    tasks: Sequence[Task[T]],
    target: LanguageModel,
    draft: LanguageModel | None = None,
    *,
    lanes: int,
    done: Callable[[int], None] | None = None,
) -> list[T]:
    """Run tasks side by side; whatever they ask a model for is asked in one call.

    Parameters
    ----------
    tasks : sequence of callable
        Each takes the target and the draft as its lane sees them, and opens its own sequences.
    target, draft : LanguageModel
        The models.
    lanes : int
        Tasks alive at a time; the next begins when one has ended.
    done : callable, optional
        Called with the number of finished tasks whenever one has ended.

    Returns
    -------
    list
        The result of each task, in order.

    Raises
    ------
    BaseException
        What the first task to fail has raised; the others are ended, their clean-up has run.

    Notes
    -----
    One lane runs at a time, and lanes take turns only where rows are asked for, so that tasks may share
    what they learn as if they were interleaved by hand. The target is asked when no lane waits for the
    draft, since a draft of many steps should not make the target score one lane at a time.
    """
    models = (target, draft)
    waiting: list[_Lane[T]] = []
    every = [_Lane(task, target, draft) for task in tasks]
    upcoming = iter(every)
    finished = 0
    try:
        while True:
            while len(waiting) < lanes and (lane := next(upcoming, None)) is not None:
                waiting.append(lane)
                lane.resume()
                finished += _ended(waiting, done, finished)
            if not waiting:
                return [lane.result for lane in every]  # type: ignore[misc]
            index = max(lane.asked.model for lane in waiting if lane.asked is not None)
            asking = [lane for lane in waiting if lane.asked is not None and lane.asked.model == index]
            _serve(models[index], asking)
            for lane in asking:
                lane.resume()
            finished += _ended(waiting, done, finished)
    finally:
        for lane in every:
            lane.abandon()


def _ended(waiting: list[Any], done: Callable[[int], None] | None, finished: int) -> int:
    """Take lanes that have ended off the list; raise what the first of them raised."""
    gone = [lane for lane in waiting if lane.done]
    waiting[:] = [lane for lane in waiting if not lane.done]
    for k, lane in enumerate(gone):
        if lane.error is not None:
            raise lane.error
        if done is not None:
            done(finished + k + 1)
    return len(gone)


def _serve(model: LanguageModel | None, lanes: Sequence[_Lane[Any]]) -> None:
    assert model is not None
    requests = [request for lane in lanes for request in lane.asked.requests]  # type: ignore[union-attr]
    answers, spent = score_counted(model, requests)
    begin = 0
    for lane in lanes:
        assert lane.asked is not None
        end = begin + len(lane.asked.requests)
        lane.answer = answers[begin:end], spent[begin:end]
        begin = end
