"""Every recorded schema of MaskBench, judged; none is worse than `maskbench.json` says."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.conformance import maskbench, ratchet
from tests.conformance.judge import Judge

CHUNKS = 6

pytestmark = pytest.mark.skipif(not maskbench.present(), reason="the schemas lie in ../shared/data, not here")


@pytest.mark.parametrize("index", range(CHUNKS))
def test_no_schema_is_worse_than_recorded(index: int, capsys: pytest.CaptureFixture[str]) -> None:
    cases = maskbench.chunk(index, CHUNKS)
    found, notes = {}, {}
    with Judge(seconds=120) as judge:
        for case in cases:
            verdict = maskbench.verdict(judge, case)
            found[case.id] = verdict.status
            notes[case.id] = " ".join([verdict.reason, *(one[:200] for one in verdict.wrong[:2])])
    count = Counter(found.values())
    with capsys.disabled():
        print(f"\n  MaskBench, part {index + 1} of {CHUNKS}: {dict(count.most_common())}")
    lines = ratchet.worse(ratchet.load("maskbench.json"), found)
    assert not lines, "\n".join(f"{line}: {notes[line.split(':')[0]]}" for line in lines[:20])
    assert count["right"] > 100


def test_the_ratchet_knows_every_schema() -> None:
    recorded = ratchet.load("maskbench.json")
    assert {case.id for case in maskbench.cases()} == set(recorded)
    assert not {"wrong", "crash"} & set(recorded.values())
