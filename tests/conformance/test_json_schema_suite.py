"""The recorded JSON-Schema-Test-Suite, judged; no test is worse than `suite.json` says."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.conformance import ratchet, suite
from tests.conformance.judge import Judge

pytestmark = pytest.mark.skipif(not suite.present(), reason="the suite lies in ../shared/data, not here")


@pytest.mark.parametrize("draft", suite.DRAFTS)
def test_no_test_is_worse_than_recorded(draft: str, capsys: pytest.CaptureFixture[str]) -> None:
    found: dict[str, str] = {}
    notes: dict[str, str] = {}
    with Judge(seconds=120) as judge:
        for group in suite.groups(draft):
            statuses, said = suite.verdicts(judge, group)
            found.update(statuses)
            notes.update(said)
    with capsys.disabled():
        print(f"\n  {draft}: {dict(Counter(found.values()).most_common())}")
    recorded = {name: status for name, status in ratchet.load("suite.json").items() if name.startswith(draft)}
    lines = ratchet.worse(recorded, found)
    assert not lines, "\n".join(f"{line}: {notes[line.rsplit(': ', 1)[0]][:300]}" for line in lines[:20])
    assert set(found) == set(recorded)
