"""The Triton versions agree with the references: in Triton's interpreter, and on a GPU where there is one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.kernels.triton_cases import CASES

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def interpreted() -> dict[str, str | None]:
    """What each case said in a process of its own, where Triton was imported as an interpreter."""
    pytest.importorskip("triton", reason="Triton is not installed")
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "TRITON_INTERPRET": "1", "PYTHONPATH": os.pathsep.join(paths)}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.kernels.triton_cases"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    results: dict[str, str | None] = json.loads(done.stdout)
    return results


@pytest.mark.parametrize("name", CASES)
def test_the_interpreter_agrees_with_the_reference(interpreted, name):
    assert interpreted[name] is None, interpreted[name]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU at hand")
@pytest.mark.parametrize("name", CASES)
def test_the_gpu_agrees_with_the_reference(name):
    pytest.importorskip("triton", reason="Triton is not installed")
    CASES[name]("cuda")
