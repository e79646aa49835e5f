"""The differential fuzz for a bounded time, from the same seed in every run; `make fuzz` takes new ones."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import pytest

from tests.conformance import differential, fuzz, maskbench
from tests.conformance.judge import Judge

SEED = int(os.environ.get("GRAMSPEC_FUZZ_SEED", "20261122"))
SECONDS = 15.0
"""Of each kind of case; two cores share them."""


def _run(
    case: Callable[[Judge, int, differential.Tally], None], capsys: pytest.CaptureFixture[str]
) -> differential.Tally:
    tally = differential.Tally()
    end = time.monotonic() + SECONDS
    seed = SEED
    with Judge(seconds=120) as judge:
        while time.monotonic() < end and len(tally.failures) < 3:
            case(judge, seed, tally)
            seed += 1
    with capsys.disabled():
        print(f"\n  fuzz, seeds {SEED} to {seed}: {dict(tally.count.most_common())}")
    assert not tally.failures, "\n".join(tally.failures)
    return tally


def test_random_schemas(capsys: pytest.CaptureFixture[str]) -> None:
    tally = _run(fuzz.random_case, capsys)
    assert min(tally.count["valid"], tally.count["invalid"]) > 200


@pytest.mark.skipif(not maskbench.present(), reason="the schemas lie in ../shared/data, not here")
def test_mutated_instances_of_real_schemas(capsys: pytest.CaptureFixture[str]) -> None:
    tally = _run(fuzz.real_case, capsys)
    assert min(tally.count["valid"], tally.count["invalid"]) > 200


def test_keys_in_the_order_of_the_schema(capsys: pytest.CaptureFixture[str]) -> None:
    tally = _run(fuzz.order_case, capsys)
    assert min(tally.count["valid"], tally.count["invalid"]) > 200


def test_walks_along_masks(capsys: pytest.CaptureFixture[str]) -> None:
    tally = _run(fuzz.walk_case, capsys)
    assert tally.count["walks ended valid"] > 100
