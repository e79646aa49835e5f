"""The engine: a bounded queue of tasks, and threads that work on several at a time.

Law: a task is `gramspec.generate` or any other use of the models, in a thread of its own; it is given up
between two forwards, within milliseconds inside a mask, when its client leaves or its time is over.
Cost: `max_batch` threads; what waits holds nothing but its request.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Generic, Literal, TypeVar

from gramspec._native import CancelToken
from gramspec.errors import CancelledError
from gramspec.integrations.server.batching import Batcher, SharedModel
from gramspec.integrations.server.errors import deadline_passed, not_ready, queue_full
from gramspec.integrations.server.metrics import Metrics
from gramspec.models.protocol import LanguageModel

T = TypeVar("T")

Reason = Literal["client", "deadline", "shutdown"]


class Work:
    """What a task has to work with; for its own thread.

    Attributes
    ----------
    target, draft : LanguageModel
        The server's models; rows are computed together with those of other requests.
    cancel : CancelToken
        For compiling and matching.
    """

    def __init__(
        self, target: SharedModel, draft: SharedModel | None, cancel: CancelToken, check: Callable[[], None]
    ) -> None:
        self.target = target
        self.draft = draft
        self.cancel = cancel
        self.check = check


class Job(Generic[T]):
    """A task in the queue, under way or done.

    Attributes
    ----------
    future : concurrent.futures.Future
        Its result.
    """

    def __init__(self, engine: Engine, task: Callable[[Work], T], seconds: float | None, alone: bool) -> None:
        self.future: Future[T] = Future()
        self.future.set_running_or_notify_cancel()  # `stop` is the only way to end it early
        self.cancel_token = CancelToken()
        self.seconds = seconds
        self.alone = alone
        self.task = task
        self._engine = engine
        self._deadline = None if seconds is None else time.monotonic() + seconds
        self._stopped: Reason | None = None

    @property
    def stopped(self) -> Reason | None:
        """Why it was given up."""
        return self._stopped

    def left(self) -> float | None:
        """Seconds until its time is over."""
        return None if self._deadline is None else max(0.0, self._deadline - time.monotonic())

    def stop(self, reason: Reason) -> None:
        """Give it up; safe from any thread, and without effect once it is done.

        Parameters
        ----------
        reason : {"client", "deadline", "shutdown"}
            Who is to blame.
        """
        if self._engine._stopping(self, reason):
            self.cancel_token.cancel()

    def error(self) -> Exception | None:
        """Why the work may not go on."""
        if self._stopped is None and self.left() == 0.0:
            self.stop("deadline")
        if self._stopped is None:
            return None
        if self._stopped == "deadline":
            return deadline_passed(self.seconds or 0.0)
        if self._stopped == "shutdown":
            return not_ready("the server stops")
        return CancelledError("the client has left")


class Engine:
    """Works on requests.

    Parameters
    ----------
    target, draft : LanguageModel or None
        The models; nobody else may use them at the same time but through `models`.
    max_batch : int
        Tasks under way at a time.
    max_queue : int
        Tasks that may wait.
    metrics : Metrics
        Told of queue and work.
    """

    def __init__(
        self,
        target: LanguageModel,
        draft: LanguageModel | None,
        *,
        max_batch: int,
        max_queue: int,
        metrics: Metrics,
    ) -> None:
        self.batcher = Batcher(target, draft)
        self._max_batch = max_batch
        self._max_queue = max_queue
        self._metrics = metrics
        self._changed = threading.Condition()
        self._queue: deque[Job[Any]] = deque()
        self._running: set[Job[Any]] = set()
        self._threads: list[threading.Thread] = []
        self._closing = False
        self._typical = 1.0  # seconds of a task, a moving average

    @property
    def ready(self) -> bool:
        """Whether tasks are taken."""
        return not self._closing

    @property
    def closing(self) -> bool:
        """Whether the engine is being closed."""
        return self._closing

    @property
    def queued(self) -> int:
        """Tasks that wait."""
        return len(self._queue)

    @property
    def running(self) -> int:
        """Tasks under way."""
        return len(self._running)

    def models(self) -> tuple[SharedModel, SharedModel | None]:
        """Target and draft for one more thread outside of the queue; its rows come with those of tasks."""
        return self.batcher.desk(lambda: None, alone=False).models()

    def submit(
        self, task: Callable[[Work], T], *, seconds: float | None = None, alone: bool = False
    ) -> Job[T]:
        """Queue a task.

        Parameters
        ----------
        task : callable
            Takes a `Work`; runs in a thread of the engine.
        seconds : float, optional
            After which it is given up, waiting included.
        alone : bool
            Whether its rows are computed apart from those of other tasks: they do not depend on
            neighbours then, not in the last digit either.

        Raises
        ------
        ApiError
            429 when no more tasks may wait, 503 when the engine is closing.
        """
        job = Job(self, task, seconds, alone)
        with self._changed:
            if self._closing:
                raise not_ready("the server stops")
            waiting = len(self._queue) + len(self._running) - self._max_batch
            if waiting >= self._max_queue and len(self._queue) >= self._max_queue:
                raise queue_full(self._typical * (waiting + 1) / self._max_batch)
            self._queue.append(job)
            if len(self._threads) < min(self._max_batch, len(self._queue) + len(self._running)):
                number = len(self._threads)
                thread = threading.Thread(target=self._run, name=f"gramspec-work-{number}", daemon=True)
                self._threads.append(thread)
                thread.start()
            self._count()
            self._changed.notify()
        return job

    def close(self, seconds: float = 10.0) -> None:
        """Take no more tasks; finish what is under way within some seconds, and give up the rest.

        Parameters
        ----------
        seconds : float
            Time for what is under way.
        """
        with self._changed:
            self._closing = True
            waiting = list(self._queue)
            self._changed.notify_all()
        for job in waiting:
            job.stop("shutdown")
        until = time.monotonic() + seconds
        with self._changed:
            while self._running and (left := until - time.monotonic()) > 0:
                self._changed.wait(left)
            late = list(self._running)
        for job in late:
            job.stop("shutdown")
        for thread in self._threads:
            thread.join(5.0)
        self.batcher.close()

    def _stopping(self, job: Job[Any], reason: Reason) -> bool:
        """Note why a job is given up, once; one that waits is taken out of the queue at once."""
        with self._changed:
            if job._stopped is not None or job.future.done():
                return False
            job._stopped = reason
            self._metrics.cancellations.labels(reason).inc()
            waited = job in self._queue
            if waited:
                self._queue.remove(job)
                self._count()
        if waited:
            error = job.error()
            assert error is not None
            job.future.set_exception(error)
        return True

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._queue and not self._closing:
                    self._changed.wait()
                if not self._queue:
                    return
                job = self._queue.popleft()
                self._running.add(job)
                self._count()
            begun = time.monotonic()
            try:
                self._work(job)
            finally:
                with self._changed:
                    self._running.discard(job)
                    self._typical += 0.1 * (time.monotonic() - begun - self._typical)
                    self._count()
                    self._changed.notify_all()

    def _work(self, job: Job[T]) -> None:
        desk = self.batcher.desk(job.error, alone=job.alone)
        self.batcher.begin()
        try:
            desk.check()
            result = job.task(Work(*desk.models(), job.cancel_token, desk.check))
        except BaseException as error:
            # A mask that was given up says only that it was: say why.
            job.future.set_exception(job.error() or error)
        else:
            job.future.set_result(result)
        finally:
            self.batcher.end()

    def _count(self) -> None:
        self._metrics.queue_depth.set(len(self._queue))
        self._metrics.running.set(len(self._running))
