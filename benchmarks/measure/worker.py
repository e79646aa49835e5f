"""The process of one engine: builds it, then reads the schemas that come through a pipe.

Law: one engine per process, one thread, an address space with a limit; only one process works at a time.
Cost: what the engine imports is part of its total memory, and no part of its growth.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from benchmarks.engines import make
from benchmarks.measure.messages import Job, Order, Ready
from benchmarks.measure.reading import read

CLOCKS: dict[str, Callable[[], float]] = {"wall": time.perf_counter, "cpu": time.process_time}
WARM_UP = '{"const": 1}'  # imports and first calls of each library are not what is measured


def memory(pid: int | str = "self") -> dict[str, int]:
    """Resident set and its peak in bytes (Linux)."""
    found = {}
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(("VmRSS:", "VmHWM:")):
            found[line[2:5].lower()] = int(line.split()[1]) * 1024
    return found


def _restart_peak() -> bool:
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def main() -> None:
    connection = Connection(int(sys.argv[1]))
    order: Order = connection.recv()
    resource.setrlimit(resource.RLIMIT_AS, (order.address_space, order.address_space))
    if order.cpu is not None:
        os.sched_setaffinity(0, {order.cpu})
    clock = CLOCKS[order.clock]
    array = np.zeros((1, (len(order.table) + 31) // 32), dtype=np.int32)
    imported = memory()["rss"]
    engine = make(order.spec, order.table, clock)
    narrows = not order.spec.ours
    spec, setup = order.spec, engine.setup
    del order
    read(engine, WARM_UP, [[]], array, clock)
    engine.before()
    state = memory()
    connection.send(Ready(setup, imported, state["rss"], state["hwm"], _restart_peak()))
    while True:
        try:
            job: Job = connection.recv()
        except EOFError:
            return
        done = read(
            engine,
            job.text,
            job.instances,
            array,
            clock,
            narrows=narrows,
            compiled=lambda: connection.send(spec.name),
        )
        connection.send(done)


if __name__ == "__main__":
    main()
