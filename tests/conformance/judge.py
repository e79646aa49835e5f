"""Jobs for the worker process, with a time limit that holds for native code too.

Law: every job is answered: by the worker, or as ``time`` or ``crash`` when the worker is lost.
Source: `tests/conformance/worker.py`.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Answer:
    """What became of one schema: compiled, empty, refused, malformed, limit, error, memory, crash or time."""

    outcome: str
    reason: str = ""
    verdicts: list[bool] = field(default_factory=list)
    residuals: list[str] = field(default_factory=list)
    seconds: float = 0.0
    peak: int = 0
    walked: dict[str, Any] = field(default_factory=dict)


class Judge:
    """One worker process, started when needed and again when it was lost."""

    def __init__(self, *, seconds: float = 30.0, memory: int = 4096) -> None:
        self.seconds = seconds
        self.memory = memory
        self._process: subprocess.Popen[bytes] | None = None
        self._buffer = b""

    def __enter__(self) -> Judge:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the worker."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    pipe.close()
            self._process = None

    def ask(self, schema: str, texts: Sequence[str] = (), *, walks: int = 0, **options: Any) -> Answer:
        """Compile the JSON text `schema` with these options of `json_schema`; read each text.

        `walks`: seed of random walks along masks, whose ends come back in `Answer.walked`.
        """
        process = self._started()
        assert process.stdin is not None and process.stdout is not None
        job = {"schema": schema, "texts": list(texts), "options": options, "walks": walks}
        try:
            process.stdin.write(json.dumps(job).encode() + b"\n")
            process.stdin.flush()
        except BrokenPipeError:
            return self._lost("crash", f"the worker ended before it read the job ({process.poll()})")
        deadline = time.monotonic() + self.seconds
        while b"\n" not in self._buffer:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([process.stdout], [], [], left)[0]:
                return self._lost("time", f"no answer after {self.seconds:.0f} s")
            read = os.read(process.stdout.fileno(), 1 << 16)
            if not read:
                return self._lost("crash", f"the worker ended with {process.wait()}")
            self._buffer += read
        line, self._buffer = self._buffer.split(b"\n", 1)
        return Answer(**json.loads(line))

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            command = [sys.executable, "-m", "tests.conformance.worker", str(self.memory)]
            # What is on the path stays: a sanitized core is found through it.
            paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
            env = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
            self._process = subprocess.Popen(
                command, cwd=ROOT, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
            self._buffer = b""
        return self._process

    def _lost(self, outcome: str, reason: str) -> Answer:
        self.close()
        return Answer(outcome, reason, seconds=self.seconds if outcome == "time" else 0.0)
