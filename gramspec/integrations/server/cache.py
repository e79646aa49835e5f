"""Compiled grammars that are kept, the least recently used going first.

Law: a grammar found here answers as one compiled anew; a grammar that cannot be compiled is not remembered.
Cost: compiled once however many requests ask for it at the same time.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from gramspec._native import CancelToken
from gramspec.errors import SerialisationError, UnsupportedError
from gramspec.integrations.server.errors import not_ready, queue_full
from gramspec.integrations.server.metrics import Metrics
from gramspec.matching import CompiledGrammar

# A grammar of 5,000 strings takes 13 MB in the tables of its engine, and 55 KB stored.
_ENTRY_BYTES = 1 << 15
_EXPANSION = 256


class GrammarCache:
    """Compiled grammars by what they were made of.

    Parameters
    ----------
    max_bytes : int
        Bound on what is kept.
    metrics : Metrics
        Told of hits, misses, bytes and seconds.
    threads : int
        Grammars compiled at a time; they share the interpreter, so that a small one soon passes a large one.
    most_coming : int
        Grammars that may be compiled or wait for it.
    """

    def __init__(self, max_bytes: int, metrics: Metrics, *, threads: int = 2, most_coming: int = 128) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="gramspec-compile")
        self._patient = ThreadPoolExecutor(1, thread_name_prefix="gramspec-compile-large")
        self._most_coming = most_coming
        self._max_bytes = max_bytes
        self._metrics = metrics
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[CompiledGrammar, int]] = OrderedDict()
        self._coming: dict[str, Future[CompiledGrammar]] = {}
        self._bytes = 0
        self._closed = False

    def __len__(self) -> int:
        """Grammars kept now."""
        return len(self._kept)

    @property
    def bytes(self) -> int:
        """Bytes charged for what is kept now."""
        return self._bytes

    def find(self, key: str) -> CompiledGrammar | None:
        """A grammar that is kept, and from now on the most recently used.

        Parameters
        ----------
        key : str
            What it was made of.
        """
        with self._lock:
            entry = self._kept.get(key)
            if entry is None:
                return None
            self._kept.move_to_end(key)
        self._metrics.cache_hits.inc()
        return entry[0]

    def get(
        self, key: str, make: Callable[[], CompiledGrammar], *, large: bool = False
    ) -> Future[CompiledGrammar]:
        """A grammar that will be compiled, once for all who ask for it meanwhile.

        Parameters
        ----------
        key : str
            What it is made of.
        make : callable
            Compiles it; runs in a thread of the cache.
        large : bool
            Whether it waits for other large ones, and holds up no small ones.

        Raises
        ------
        ApiError
            429 when too many others wait to be compiled, 503 when the cache is closed.
        """
        kept = self.find(key)
        with self._lock:
            if self._closed:
                raise not_ready("the server stops")
            if kept is not None:
                done: Future[CompiledGrammar] = Future()
                done.set_result(kept)
                return done
            coming = self._coming.get(key)
            if coming is not None:
                return coming
            if len(self._coming) >= self._most_coming:
                raise queue_full(1.0)
            coming = self._coming[key] = Future()
            coming.set_running_or_notify_cancel()  # nobody who waits may cancel it for the others
            (self._patient if large else self._threads).submit(self._make, key, make, coming)
        self._metrics.cache_misses.inc()
        return coming

    def close(self) -> None:
        """Compile nothing any more; what is being compiled ends by its limits, and nobody waits for it."""
        with self._lock:
            self._closed = True
            waiting = list(self._coming.values())
            self._coming.clear()
        for threads in (self._threads, self._patient):
            threads.shutdown(wait=False, cancel_futures=True)
        for coming in waiting:
            coming.set_exception(not_ready("the server stops"))

    def _make(self, key: str, make: Callable[[], CompiledGrammar], coming: Future[CompiledGrammar]) -> None:
        begun = time.perf_counter()
        try:
            compiled = make()
            self._keep(key, compiled)
        except BaseException as error:
            if self._come(key):
                coming.set_exception(error)
        else:
            if self._come(key):
                coming.set_result(compiled)
        self._metrics.compile_seconds.observe(time.perf_counter() - begun)

    def _come(self, key: str) -> bool:
        """Whether somebody may still wait for it."""
        with self._lock:
            return self._coming.pop(key, None) is not None

    def _keep(self, key: str, compiled: CompiledGrammar) -> None:
        size = _ENTRY_BYTES + len(key) + _size(compiled)
        if size > self._max_bytes:
            return
        with self._lock:
            # Tables that are full stay as long as a grammar in them is kept: new ones have taken their place.
            for old in [k for k, (one, _) in self._kept.items() if one._engine.exhausted]:
                self._bytes -= self._kept.pop(old)[1]
            self._kept[key] = (compiled, size)
            self._bytes += size
            while self._bytes > self._max_bytes:
                _, (_, gone) = self._kept.popitem(last=False)
                self._bytes -= gone
            self._metrics.cache_bytes.set(self._bytes)
            self._metrics.cache_entries.set(len(self._kept))


def key_of(*parts: Any) -> str:
    """A key for a grammar: a digest of what it is made of.

    Parameters
    ----------
    *parts
        Values with a faithful `repr`.
    """
    return hashlib.sha256(repr(parts).encode("utf-8", "backslashreplace")).hexdigest()


def _size(compiled: CompiledGrammar) -> int:
    try:
        return _EXPANSION * len(compiled.to_bytes())
    except (UnsupportedError, SerialisationError):
        return _EXPANSION * 4096  # a predicate that is a function


class Cancellable(CompiledGrammar):
    """A compiled grammar whose matchers stop when a request is given up.

    Parameters
    ----------
    compiled : CompiledGrammar
        The grammar, shared with other requests.
    cancel : CancelToken
        That of the request.
    """

    def __init__(self, compiled: CompiledGrammar, cancel: CancelToken) -> None:
        super().__init__(compiled._basis)
        self._fingerprint = compiled.fingerprint
        self._compiled = compiled
        self._cancel = cancel

    def matcher(self, *, cancel: CancelToken | None = None) -> Any:
        """A matcher at the empty prefix; by default with the request's token."""
        return self._compiled.matcher(cancel=self._cancel if cancel is None else cancel)
