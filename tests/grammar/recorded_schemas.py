"""The recorded JSON schemas beside the checkout, for tests that sample them."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path
from typing import Any

import pytest

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


def recorded_schemas(seed: int) -> list[Any]:
    """All schemas of JSONSchemaBench with their tests, shuffled; skips the test where they are absent."""
    files = sorted((DATA / "jsonschemabench").glob("*.jsonl.gz"))
    if not files:
        pytest.skip("the recorded schemas of JSONSchemaBench are not beside this checkout")
    cases: list[Any] = []
    for name in files:
        with gzip.open(name, "rt") as lines:
            cases.extend(json.loads(line) for line in lines)
    random.Random(seed).shuffle(cases)
    return cases
