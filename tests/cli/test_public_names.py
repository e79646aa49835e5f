"""Public names stay what they are, in whatever order they are used."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_load_is_a_function_after_the_embedded_pair_was_loaded():
    pytest.importorskip("torch")
    code = "import gramspec as gs; gs.models.embedded(); assert callable(gs.models.load), gs.models.load"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True)


def test_importing_the_package_and_its_names_leaves_torch_alone():
    code = (
        "import sys, gramspec as gs; gs.generate, gs.DecodingOptions, gs.models, gs.regex('a');"
        "assert not {'torch', 'transformers', 'typer'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True)
