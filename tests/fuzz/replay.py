"""Run fuzz harnesses without a fuzzer: single files, the seeds, and changed seeds from a fixed number.

Cost: some hundred inputs a second for patterns and matchers, some tens for schemas.
Source: `tests.fuzz.harnesses`.

``python -m tests.fuzz.replay regex FILE …`` shows a find again; ``--count 500`` runs the seeds and 500
changed ones. The exit status is 1 when something is wrong.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.fuzz.harness import Harness
from tests.fuzz.harnesses import HARNESSES

FOUND = Path(__file__).parent / "found"
"""Inputs that were wrong once, in a folder for each harness."""


def found(harness: Harness) -> Iterator[bytes]:
    """The inputs that were wrong once."""
    for path in sorted((FOUND / harness.name).glob("*")):
        yield path.read_bytes()


def changed(harness: Harness, seed: int, count: int) -> Iterator[bytes]:
    """Changed seeds; each may be changed again."""
    choose = random.Random(seed)
    pool = [*harness.seeds(), *found(harness)]
    for _ in range(count):
        at = choose.randrange(len(pool))
        data = harness.mutate(pool[at], choose)
        if choose.random() < 0.3:
            pool[at] = data
        yield data


def main(arguments: Sequence[str] | None = None) -> int:
    """Run as a program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("harness", choices=[*HARNESSES])
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--count", type=int, default=0, help="changed seeds to run")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    harness = HARNESSES[given.harness]
    for path in given.files:
        harness.run(path.read_bytes())
    if given.files:
        return 0
    slowest, total = (0.0, b""), 0
    for inputs in (harness.seeds(), found(harness), changed(harness, given.seed, given.count)):
        for data in inputs:
            begin = time.thread_time()
            try:
                harness.run(data)
            except BaseException:
                print(f"{harness.name}: {data!r}", file=sys.stderr)
                raise
            slowest = max(slowest, (time.thread_time() - begin, data))
            total += 1
    print(f"{harness.name}: {total} inputs; the slowest took {slowest[0]:.2f} s: {slowest[1][:300]!r}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
