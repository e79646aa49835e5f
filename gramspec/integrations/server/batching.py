"""Batches: one thread asks the models, for all requests that wait for rows at that moment.

Law: each request runs the code of `gramspec.generate` as alone; only when its rows are computed changes. Rows
that were computed together differ in their last digits, so requests with a seed may be served alone.
Cost: one forward per batch; a request waits for others `window` seconds at most.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from gramspec.decoding.lockstep import Asked, LaneModel, Row, score_counted
from gramspec.errors import CancelledError
from gramspec.models.counters import Counters
from gramspec.models.protocol import LanguageModel

_PATIENCE = 16  # batches of the draft model that a request for the target lets pass
_ROW_ENTRIES = 1 << 27  # logits of one batch at most

Answer = tuple[list[Row], list[Counters]]


class Batcher:
    """The only thread that computes rows.

    Parameters
    ----------
    target, draft : LanguageModel or None
        The models.
    window : float
        Seconds that a request waits for others that are under way.
    """

    def __init__(self, target: LanguageModel, draft: LanguageModel | None, *, window: float = 0.002) -> None:
        self.models = (target, draft)
        self._window = window
        self._most_rows = max(64, _ROW_ENTRIES // target.vocab_size)
        self._changed = threading.Condition()
        self._waiting: list[_Call] = []
        self._active = 0  # desks at work, those that wait included
        self._passed = 0
        self._closed = False
        self._thread: threading.Thread | None = None
        self.batches = 0
        self.served = 0

    def desk(self, cancelled: Callable[[], BaseException | None], *, alone: bool) -> Desk:
        """A place to ask from, for one thread.

        Parameters
        ----------
        cancelled : callable
            The error to raise instead of going on; None to go on.
        alone : bool
            Whether the rows are computed apart from those of other desks.
        """
        return Desk(self, cancelled, alone=alone)

    def begin(self) -> None:
        """Somebody who may ask has begun to work."""
        with self._changed:
            self._active += 1

    def end(self) -> None:
        """Somebody who might have asked has ended."""
        with self._changed:
            self._active -= 1
            self._changed.notify_all()

    def close(self) -> None:
        """Refuse everything that waits, and end the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()

    def ask(self, asked: Asked, *, alone: bool) -> Answer:
        """Wait for rows.

        Parameters
        ----------
        asked : Asked
            Model and sequences.
        alone : bool
            Whether they are computed apart from others.
        """
        call = _Call(asked, alone)
        with self._changed:
            if self._closed:
                raise CancelledError("the server stops")
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="gramspec-models", daemon=True)
                self._thread.start()
            self._waiting.append(call)
            self._changed.notify_all()
        call.done.acquire()
        if call.error is not None:
            raise call.error
        assert call.answer is not None
        return call.answer

    def _run(self) -> None:
        while True:
            with self._changed:
                self._wait()
                if self._closed:
                    for call in self._waiting:
                        call.fail(CancelledError("the server stops"))
                    self._waiting.clear()
                    return
                batch = self._take()
            self._serve(batch)

    def _wait(self) -> None:
        """Until there is a batch worth computing."""
        while not self._closed:
            if not self._waiting:
                self._changed.wait()
                continue
            left = self._waiting[0].since + self._window - time.monotonic()
            if left <= 0 or len(self._waiting) >= self._active or self._waiting[0].alone:
                return
            self._changed.wait(left)

    def _take(self) -> list[_Call]:
        """The next batch: drafts first, since a draft of many steps should not make the target wait alone."""
        oldest = [next((c for c in self._waiting if c.asked.model == index), None) for index in (0, 1)]
        target, draft = oldest
        first = draft if draft is not None and (target is None or self._passed < _PATIENCE) else target
        assert first is not None
        self._passed = self._passed + 1 if first is draft and target is not None else 0
        if first.alone:
            batch = [first]
        else:
            batch, rows = [], 0
            for call in self._waiting:
                if call.alone or call.asked.model != first.asked.model:
                    continue
                rows += call.rows
                if batch and rows > self._most_rows:
                    break
                batch.append(call)
        taken = {id(call) for call in batch}
        self._waiting = [call for call in self._waiting if id(call) not in taken]
        return batch

    def _serve(self, batch: list[_Call]) -> None:
        model = self.models[batch[0].asked.model]
        assert model is not None
        self.batches += 1
        self.served += len(batch)
        try:
            rows, spent = score_counted(model, [r for call in batch for r in call.asked.requests])
        except Exception as error:
            if len(batch) == 1:
                batch[0].fail(error)
                return
            for call in batch:  # the error is the affair of one of them
                self._serve([call])
            return
        begin = 0
        for call in batch:
            end = begin + len(call.asked.requests)
            call.succeed((rows[begin:end], spent[begin:end]))
            begin = end


class _Call:
    """One question, and its answer."""

    __slots__ = ("alone", "answer", "asked", "done", "error", "rows", "since")

    def __init__(self, asked: Asked, alone: bool) -> None:
        self.asked = asked
        self.alone = alone
        self.answer: Answer | None = None
        self.error: BaseException | None = None
        self.rows = sum(len(tokens) + 1 for _, tokens, _ in asked.requests)
        self.since = time.monotonic()
        self.done = threading.Semaphore(0)

    def succeed(self, answer: Answer) -> None:
        """Hand over the rows."""
        self.answer = answer
        self.done.release()

    def fail(self, error: BaseException) -> None:
        """Hand over an error."""
        self.error = error
        self.done.release()


class Desk:
    """Where the models of one request ask for rows; see `Batcher.desk`."""

    def __init__(
        self, batcher: Batcher, cancelled: Callable[[], BaseException | None], *, alone: bool
    ) -> None:
        self._batcher = batcher
        self._cancelled = cancelled
        self._alone = alone

    def ask(self, asked: Asked) -> Answer:
        """Rows of each request, unless the work was given up."""
        self.check()
        answer = self._batcher.ask(asked, alone=self._alone)
        self.check()
        return answer

    def check(self) -> None:
        """Raise if the work was given up."""
        error = self._cancelled()
        if error is not None:
            raise error

    def models(self) -> tuple[SharedModel, SharedModel | None]:
        """Target and draft as one thread may use them."""
        target, draft = self._batcher.models
        return SharedModel(target, 0, self), None if draft is None else SharedModel(draft, 1, self)


class SharedModel(LaneModel):
    """A model of the server as one request sees it."""

    @property
    def batches(self) -> bool:
        """Whether several sequences share one forward."""
        return bool(getattr(self.model, "batches", False))
