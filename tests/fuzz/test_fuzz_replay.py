"""The fuzz harnesses for a bounded number of inputs: seeds, former finds, and changed seeds from one number.

`make fuzz` goes on from there with atheris; that harnesses see what is wrong is tested with broken matchers.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gramspec as gs
from gramspec.matching import matcher as matching
from tests.fuzz import drive, replay
from tests.fuzz.harness import Finding, Harness
from tests.fuzz.harnesses import HARNESSES

COUNT = {"json_schema": 40, "regex": 150, "tokens": 60, "stored": 150}
"""Changed seeds of each harness; some seconds in all."""


@pytest.fixture(params=HARNESSES)
def harness(request: pytest.FixtureRequest) -> Harness:
    return HARNESSES[request.param]


def test_nothing_is_wrong_with_seeds_and_changed_seeds(harness: Harness) -> None:
    seeds = list(harness.seeds())
    assert len(seeds) >= 20 and len(set(seeds)) > len(seeds) * 3 // 4
    picked = random.Random(7).sample(seeds, min(len(seeds), COUNT[harness.name]))
    for data in [*picked, *replay.found(harness), *replay.changed(harness, 7, COUNT[harness.name])]:
        harness.run(data)


def test_changed_inputs_are_others_within_the_length(harness: Harness) -> None:
    choose = random.Random(3)
    seeds = [data for data in harness.seeds() if len(data) <= harness.longest]
    made = [harness.mutate(choose.choice(seeds), choose) for _ in range(200)]
    assert all(len(data) <= harness.longest for data in made)
    assert len(set(made) - set(seeds)) > 100
    assert harness.mutate(seeds[0], random.Random(5)) == harness.mutate(seeds[0], random.Random(5))


@pytest.mark.parametrize("name", HARNESSES)
def test_a_wrong_mask_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A harness is worth something only if it fails where masks are wrong now and then."""
    right: Callable[[Any, Any, int], None] = matching.Matcher.fill_bitmask
    ids: Callable[[Any], Any] = matching.Matcher.allowed_ids
    calls = 0

    def wrong_now_and_then(self: Any, array: Any, row: int = 0) -> None:
        nonlocal calls
        calls += 1
        right(self, array, row)
        if calls % 50 == 0:
            array[row, 0] ^= 1

    def wrong_ids(self: Any) -> Any:
        nonlocal calls
        calls += 1
        return ids(self) if calls % 20 else np.array([0], dtype=np.int32)

    monkeypatch.setattr(matching.Matcher, "fill_bitmask", wrong_now_and_then)
    monkeypatch.setattr(matching.Matcher, "allowed_ids", wrong_ids)
    with pytest.raises((Finding, gs.RejectedTokenError)):
        for data in HARNESSES[name].seeds():
            HARNESSES[name].run(data)


def test_what_a_fuzzer_says_becomes_a_cause(tmp_path: Path) -> None:
    traced = '  File "/x/gramspec/grammar/ranges.py", line 12, in union\nValueError: bad 17\n'
    libfuzzer = "==1== ERROR: libFuzzer: timeout after 30 seconds\n"
    assert drive.cause_of(traced) == "ValueError: bad … at grammar/ranges.py:12 union"
    assert drive.cause_of(libfuzzer).startswith("timeout after 30 seconds")
    assert drive.cause_of("") == "a signal"
    assert drive.quoted(b'a"\\\xff') == '"a\\x22\\x5c\\xff"\n'
    session = drive.Session()
    drive.tell(session, "#77 NEW cov: 5 ft: 9 corp: 4/10b rss: 90Mb\nstat::number_of_executed_units: 123\n")
    assert (session.executions, session.coverage, session.corpus, session.peak) == (123, 5, 4, 90)
    corpus, _, options = drive.prepare(HARNESSES["regex"], tmp_path)
    assert len(list(corpus.iterdir())) > 50 and any(option.startswith("-dict=") for option in options)
