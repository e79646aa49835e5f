"""Each hostile case in a process of its own, ended when it takes more time or memory than the case says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.automaton import hostile_context_free
from tests.automaton.hostile_cases import CASES, SANITIZED

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", CASES)
def test_in_its_time_and_memory(name: str) -> None:
    case = CASES[name]
    factor = 8 if SANITIZED else 1  # AddressSanitizer takes several times the time and memory
    done = subprocess.run(
        [sys.executable, "-m", hostile_context_free.__name__, name],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=case.seconds * factor,
        check=False,
    )
    assert done.returncode == 0, f"status {done.returncode}: {done.stderr[-2000:]}"
    assert int(done.stdout) <= case.megabytes * factor, f"{done.stdout} MB"
