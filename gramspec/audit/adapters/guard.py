"""`Guarded`: an engine in a process of its own, so that a hang or a full memory is a finding and no more.

Law: every call is answered, or raises `EngineFault` within its limit; a lost process is started again, and
what was compiled in it is compiled again when asked. Time is that of the process, where the system tells it.
Cost: a round trip of some tens of microseconds a call; `call` runs a whole function over there.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
from numpy.typing import NDArray

from gramspec.audit.adapters.protocol import Capabilities, EngineFault, Refused, Stage
from gramspec.errors import GramspecError, OptionError
from gramspec.vocabulary import Vocabulary

STARTING: Final = 120.0
"""Seconds in which a process has to be ready: imports of large libraries on a busy machine."""
WALL: Final = 10.0
"""A call may take this many times its seconds on the clock while the process computes less than these."""
_TICKS: Final = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
_THREADS: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS")


@dataclass(frozen=True)
class Order:
    """What a process is to make: an adapter, by name, with settings; and the memory it may use."""

    factory: str
    settings: Mapping[str, Any]
    memory: int


@dataclass(frozen=True)
class Ready:
    """What an adapter says of itself."""

    name: str
    version: str
    settings: Mapping[str, str]
    capabilities: Capabilities


@dataclass(frozen=True)
class Call:
    """A call: `what` with arguments; `alarm` seconds after which the process ends by itself."""

    what: str
    arguments: tuple[Any, ...]
    alarm: int


class Guarded:
    """An adapter that runs in a process of its own.

    Parameters
    ----------
    factory : str
        ``module:callable`` of the adapter that runs over there.
    settings : Mapping
        Its keyword arguments.
    seconds : float
        Limit of one call.
    memory : int
        Bytes of data that the process may allocate (POSIX systems).

    Raises
    ------
    OptionError
        If the adapter refuses its settings.
    EngineFault
        If the process cannot be started.
    """

    def __init__(
        self,
        factory: str,
        settings: Mapping[str, Any] | None = None,
        *,
        seconds: float = 10.0,
        memory: int = 3 << 30,
    ) -> None:
        if not seconds > 0 or memory < 1 << 28:
            raise OptionError(
                f"seconds must be positive and memory at least 256 MiB: {seconds!r}, {memory!r}"
            )
        self.seconds = seconds
        self._order = Order(factory, dict(settings or {}), memory)
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection[Any, Any] | None = None
        self._errors: IO[bytes] | None = None
        self._vocabularies: set[str] = set()
        self.generation = 0
        self._closing: Any = weakref.finalize(self, _end, None)
        ready = self._start()
        self.name = ready.name
        self.version = ready.version
        self.settings = ready.settings
        self.capabilities = ready.capabilities

    def compile(
        self, kind: str, text: str, vocabulary: Vocabulary, options: Mapping[str, Any] | None = None
    ) -> GuardedCompiled | Refused:
        """Compile a grammar over there."""
        compiled = GuardedCompiled(self, kind, text, vocabulary, dict(options or {}))
        refused = compiled.ensure()
        return refused or compiled

    def snippet(self, kind: str, grammar: str, text: str | None = None) -> str:
        """The engine's own calls."""
        return str(self.ask("start", "snippet", kind, grammar, text))

    def with_limits(self, *, seconds: float, memory: int) -> Guarded:
        """The same engine in another process with other limits."""
        return Guarded(self._order.factory, self._order.settings, seconds=seconds, memory=memory)

    def close(self) -> None:
        """End the process; the next call starts another."""
        if self._process is not None:
            self._lose()

    def give(self, vocabulary: Vocabulary) -> str:
        """Hand over a vocabulary, once; its name over there."""
        if self._connection is None:
            self._start()
        key = vocabulary.fingerprint
        if key not in self._vocabularies:
            self.ask("start", "vocabulary", key, vocabulary)
            self._vocabularies.add(key)
        return key

    def ask(self, stage: Stage, what: str, *arguments: Any) -> Any:
        """Call over there.

        Raises
        ------
        EngineFault
            If the engine raises, or the process hangs or ends.
        """
        if self._connection is None:
            self._start()
        assert self._connection is not None
        alarm = int(self.seconds * WALL * 2) + 5
        try:
            self._connection.send(Call(what, arguments, alarm))
            self._await(stage)
            answer = self._connection.recv()
        except (EOFError, ConnectionError, OSError):
            raise self._died(stage) from None
        if isinstance(answer, GramspecError):
            raise answer
        return answer

    def _await(self, stage: Stage) -> None:
        """Wait for the answer, as long as the process has not used up its time."""
        assert self._connection is not None and self._process is not None
        begun, used = time.monotonic(), _computed(self._process.pid)
        wait = 0.02
        while not self._connection.poll(wait):
            wait = min(0.2, self.seconds / 10)
            now, elapsed = _computed(self._process.pid), time.monotonic() - begun
            computed = elapsed if used is None or now is None else now - used
            if computed > self.seconds or elapsed > self.seconds * WALL:
                self._lose()
                raise EngineFault("timeout", stage, f"no answer after {self.seconds:g} s of computing")

    def _died(self, stage: Stage) -> EngineFault:
        status, said = self._lose()
        text = said.lower()
        full = ("memory" in text and ("alloc" in text or "memoryerror" in text)) or "bad_alloc" in text
        how = signal.Signals(-status).name if status < 0 else f"status {status}"
        last = said.splitlines()[-1][:200] if said else "no message"
        return EngineFault("memory" if full else "crash", stage, f"the process ended ({how}): {last}")

    def _start(self) -> Ready:
        ours, theirs = socket.socketpair()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed when the process is lost)
        package = str(Path(__file__).resolve().parents[3])
        paths = os.pathsep.join([package, *filter(None, [os.environ.get("PYTHONPATH")])])
        environment = os.environ | dict.fromkeys(_THREADS, "1") | {"PYTHONPATH": paths}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "gramspec.audit.adapters.worker", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            env=environment | {"TOKENIZERS_PARALLELISM": "false"},
            stdin=subprocess.DEVNULL,
            stdout=self._errors,
            stderr=self._errors,
        )
        theirs.close()
        self._connection = Connection(ours.detach())
        self._vocabularies = set()
        self.generation += 1
        self._closing.detach()
        self._closing = weakref.finalize(self, _end, self._process)
        try:
            self._connection.send(self._order)
            if not self._connection.poll(STARTING):
                self._lose()
                raise EngineFault("timeout", "start", f"not ready after {STARTING:g} s")
            answer = self._connection.recv()
        except (EOFError, ConnectionError, OSError):
            raise self._died("start") from None
        if isinstance(answer, GramspecError):
            self._lose()
            raise answer
        assert isinstance(answer, Ready)
        return answer

    def _lose(self) -> tuple[int, str]:
        """End the process; its status and what it said."""
        assert self._process is not None and self._connection is not None and self._errors is not None
        with contextlib.suppress(subprocess.TimeoutExpired):
            # A process that closed the pipe ends by itself, with a status that tells more.
            self._process.wait(timeout=0.2)
        _end(self._process)
        status = self._process.wait()
        self._errors.seek(0)
        said = self._errors.read()[-4000:].decode(errors="replace").strip()
        self._errors.close()
        self._connection.close()
        self._process = self._connection = self._errors = None
        return status, said


class GuardedCompiled:
    """A grammar compiled over there; compiled again if the process was lost."""

    def __init__(
        self, engine: Guarded, kind: str, text: str, vocabulary: Vocabulary, options: dict[str, Any]
    ) -> None:
        self._engine = engine
        self._source = (kind, text, options)
        self._vocabulary = vocabulary
        self._handle = -1
        self._generation = -1

    def ensure(self) -> Refused | None:
        """Compile, if that has not been done in the process that runs now."""
        key = self._engine.give(self._vocabulary)
        if self._generation == self._engine.generation:
            return None
        kind, text, options = self._source
        answer = self._engine.ask("compile", "compile", kind, text, key, options)
        if isinstance(answer, Refused):
            return answer
        self._handle, self._generation = answer, self._engine.generation
        weakref.finalize(self, _forget, weakref.ref(self._engine), self._generation, self._handle)
        return None

    def call(self, function: str, **arguments: Any) -> Any:
        """Run ``module:function(compiled, vocabulary, **arguments)`` over there.

        Raises
        ------
        EngineFault
            If it raises, hangs or ends the process.
        """
        self._ensured()
        return self._engine.ask("read", "call", self._handle, function, arguments)

    def matcher(self) -> GuardedMatcher:
        """A matcher at the beginning."""
        self._ensured()
        handle = self._engine.ask("matcher", "matcher", self._handle)
        return GuardedMatcher(self._engine, self._engine.generation, handle)

    def _ensured(self) -> None:
        refused = self.ensure()
        if refused is not None:
            raise EngineFault("error", "compile", f"refused what it compiled before: {refused.reason}")


class GuardedMatcher:
    """A matcher over there; lost with its process."""

    def __init__(self, engine: Guarded, generation: int, handle: int) -> None:
        self._engine, self._generation, self._handle = engine, generation, handle
        weakref.finalize(self, _forget, weakref.ref(engine), generation, handle)

    def mask(self) -> NDArray[np.bool_]:
        """Allowed ids as bools."""
        packed, size = self._ask("mask", "mask")
        return np.unpackbits(packed, count=size).astype(np.bool_)

    def advance(self, token_id: int) -> bool:
        """Read a token."""
        return bool(self._ask("advance", "advance", token_id))

    @property
    def is_accepting(self) -> bool:
        """Whether the sequence so far is complete."""
        return bool(self._ask("accepting", "accepting"))

    def rollback(self, tokens: int) -> None:
        """Take back tokens."""
        self._ask("rollback", "rollback", tokens)

    def fork(self) -> GuardedMatcher:
        """An independent matcher."""
        return GuardedMatcher(self._engine, self._generation, self._ask("fork", "fork"))

    def _ask(self, stage: Stage, what: str, *arguments: Any) -> Any:
        if self._generation != self._engine.generation:
            raise EngineFault("crash", stage, "the process of this matcher has ended")
        return self._engine.ask(stage, what, self._handle, *arguments)


def _forget(engine: weakref.ref[Guarded], generation: int, handle: int) -> None:
    """Let the process drop an object, with the next call."""
    alive = engine()
    if alive is not None and alive.generation == generation and alive._connection is not None:
        with contextlib.suppress(OSError):
            alive._connection.send(handle)


def _end(process: subprocess.Popen[bytes] | None) -> None:
    if process is not None and process.poll() is None:
        process.kill()
        process.wait()


def _computed(pid: int) -> float | None:
    """Seconds of processor time of a process; None where the system does not tell (all but Linux)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / _TICKS
