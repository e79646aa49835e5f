"""Masks are the same bits however they are made: a sample of recorded schemas on a real vocabulary."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest

import gramspec as gs
from tests.conformance import equality, maskbench

mistral_common = pytest.importorskip("mistral_common", reason="Tekken ships with mistral_common")

TEKKEN = Path(mistral_common.__file__).parent / "data" / "tekken_240911.json"
SCHEMAS = 40

pytestmark = [
    pytest.mark.skipif(not TEKKEN.exists(), reason="this mistral_common has no tekken_240911.json"),
    pytest.mark.skipif(not maskbench.present(), reason="the schemas lie in ../shared/data, not here"),
]


def test_every_way_gives_the_same_bits(capsys: pytest.CaptureFixture[str]) -> None:
    from mistral_common.tokens.tokenizers.tekken import Tekkenizer

    comparer = equality.Comparer(gs.Vocabulary.from_tekken(TEKKEN), plain=0.01)
    tokenizer = Tekkenizer.from_file(TEKKEN)
    cases = list(maskbench.cases())
    random.Random(20261122).shuffle(cases)
    for number, case in enumerate(cases[:SCHEMAS]):
        order = "schema" if number % 2 else "any"
        tokens = equality.instances(case, tokenizer, longest=600, most=2)
        comparer.schema(case.id, json.dumps(case.schema), tokens, order)
    report = comparer.report
    with capsys.disabled():
        print(f"\n  equal masks: {dict(report.compared)}")
    assert not report.differences, report.differences[:5]
    ways = {
        "shared",
        "evicted",
        "bytes",
        "plain",
        "tree",
        "threads",
        "batch of 1 threads",
        "batch of 2 threads",
    }
    assert ways <= report.compared.keys()
    assert report.compared["plain"] > 20


def test_a_changed_bit_is_found() -> None:
    report = equality.Report()
    expected = np.zeros((3, 4), dtype=np.int32)
    found = expected.copy()
    found[1, 2] = 1 << 5
    report.same("new", "here", expected, found)
    assert report.differences == ["new: here, after 1 tokens, token 69"]
