"""The engines of a run, each in a process of its own; they take turns, so that only one works at a time.

Law: an engine that takes longer than the time limit, or dies, has refused the schema; it is built again for
the next one. Peaks of memory are kept over all processes of an engine.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from types import TracebackType
from typing import IO, Any

from benchmarks.engines import Spec
from benchmarks.measure.messages import Clock, Job, Order, Ready
from benchmarks.measure.reading import Reading
from benchmarks.measure.tokens import TokenTable
from benchmarks.measure.worker import memory

THREADS = ("OMP_NUM_THREADS", "RAYON_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
BUILDING = 300.0  # seconds that building an engine may take
SITS_OUT = "not tried: the engine has used up its seconds"


class EngineError(Exception):
    """An engine that cannot be built at all."""


@dataclass(frozen=True)
class Rules:
    """What holds for every engine alike."""

    clock: Clock = "wall"
    seconds: float = 20.0  # to the first mask, and again for all masks of a schema
    budget: float = 900.0  # seconds of an engine in all
    address_space: int = 8 << 30
    cpu: int | None = None


@dataclass
class Memory:
    """Bytes of an engine over a run: the largest resident set, its growth once the vocabulary was built."""

    built: int = 0
    peak: int = 0
    growth: int | None = 0


class Runner:
    """One engine in its process, built again when it was lost."""

    def __init__(self, spec: Spec, table: TokenTable, rules: Rules) -> None:
        self.spec, self.table, self.rules = spec, table, rules
        self.memory = Memory()
        self.setup: dict[str, float] = {}
        self.used = 0.0
        self.lost = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection[Any, Any] | None = None
        self._errors: IO[bytes] | None = None
        self._ready: Ready | None = None
        self._start()

    def read(self, job: Job) -> Reading:
        """The engine's reading of a schema; a refusal if it was too slow or died."""
        if self.used > self.rules.budget:
            return Reading(refused=SITS_OUT)
        begun = time.perf_counter()
        if self._connection is None:
            self._start()
        assert self._connection is not None
        stage = "to the first mask"
        try:
            self._connection.send(job)
            while True:
                if not self._connection.poll(self.rules.seconds):
                    self._lose()
                    return Reading(refused=f"timeout: {self.rules.seconds:g} s {stage}")
                answer = self._connection.recv()
                if isinstance(answer, Reading):
                    self._note()
                    return answer
                stage = "for all masks"
        except (EOFError, ConnectionError, BrokenPipeError):
            return Reading(refused=self._lose())
        finally:
            self.used += time.perf_counter() - begun

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._lose()

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed when the process is lost)
        environment = os.environ | dict.fromkeys(THREADS, "1") | {"TOKENIZERS_PARALLELISM": "false"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.measure.worker", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=self._errors,
            stderr=self._errors,
        )
        theirs.close()
        self._connection = Connection(ours.detach())
        rules = self.rules
        self._connection.send(Order(self.spec, self.table, rules.clock, rules.address_space, rules.cpu))
        try:
            if not self._connection.poll(BUILDING):
                raise EngineError(f"{self.spec.name} was not built in {BUILDING:g} s")
            self._ready = self._connection.recv()
        except (EOFError, ConnectionError):
            raise EngineError(f"{self.spec.name} could not be built: {self._lose()}") from None
        self.setup = self.setup or self._ready.setup
        self.memory.built = max(self.memory.built, self._ready.built)
        self.memory.peak = max(self.memory.peak, self._ready.peak)

    def _note(self) -> None:
        """Look at the memory of the process while it is there."""
        assert self._process is not None
        if self._ready is None:
            return
        try:
            peak = memory(self._process.pid)["hwm"]
        except (OSError, KeyError):  # it has just died
            return
        self.memory.peak = max(self.memory.peak, peak)
        if not self._ready.growth_known:
            self.memory.growth = None
        elif self.memory.growth is not None:
            self.memory.growth = max(self.memory.growth, peak - self._ready.built)

    def _lose(self) -> str:
        """End the process and say how it went."""
        assert self._process is not None and self._connection is not None and self._errors is not None
        self._note()
        if self._process.poll() is None:
            try:  # a process that closed the pipe ends by itself, with a status that tells more
                self._process.wait(timeout=0.2)
            except subprocess.TimeoutExpired:
                self._process.kill()
        status = self._process.wait()
        self._errors.seek(0)
        said = self._errors.read().decode(errors="replace").strip().splitlines()
        self._errors.close()
        self._connection.close()
        self._process = self._connection = self._errors = self._ready = None
        self.lost += 1
        how = signal.Signals(-status).name if status < 0 else f"status {status}"
        return f"died ({how}): {said[-1][:120] if said else 'no message'}"


class Fleet:
    """All engines of a run; leaving the block ends their processes."""

    def __init__(self, specs: list[Spec], table: TokenTable, rules: Rules) -> None:
        self.runners: list[Runner] = []
        try:
            for spec in specs:
                self.runners.append(Runner(spec, table, rules))
        except BaseException:
            self.close()
            raise

    def read(self, job: Job) -> dict[str, Reading]:
        """Every engine's reading of a schema, one after the other."""
        return {runner.spec.name: runner.read(job) for runner in self.runners}

    def close(self) -> None:
        for runner in self.runners:
            runner.close()

    def __enter__(self) -> Fleet:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
