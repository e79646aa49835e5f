"""Recorded schemas on a real vocabulary: tokens of valid texts stand in their masks, no invalid text ends."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import gramspec as gs
from tests.conformance import maskbench, ratchet

mistral_common = pytest.importorskip("mistral_common", reason="Tekken ships with mistral_common")

TEKKEN = Path(mistral_common.__file__).parent / "data" / "tekken_240911.json"
SCHEMAS = 120
LONGEST = 1500

pytestmark = [
    pytest.mark.skipif(not TEKKEN.exists(), reason="this mistral_common has no tekken_240911.json"),
    pytest.mark.skipif(not maskbench.present(), reason="the schemas lie in ../shared/data, not here"),
]


def test_masks_along_recorded_instances(capsys: pytest.CaptureFixture[str]) -> None:
    from mistral_common.tokens.tokenizers.tekken import Tekkenizer

    vocabulary, tokenizer = gs.Vocabulary.from_tekken(TEKKEN), Tekkenizer.from_file(TEKKEN)
    right = {name for name, status in ratchet.load("maskbench.json").items() if status == "right"}
    cases = [case for case in maskbench.cases() if case.id in right and case.tests]
    random.Random(7).shuffle(cases)
    rows = np.zeros((1, (len(vocabulary) + 31) // 32), dtype=np.int32)
    count: Counter[str] = Counter()
    for case in cases[:SCHEMAS]:
        grammar = gs.json_schema(json.dumps(case.schema), property_order="any", formats="assert")
        try:
            compiled = gs.compile(grammar, vocabulary)
        except gs.EmptyLanguageError:
            continue
        count["with exact masks"] += compiled.masks_exact
        for test in case.tests:
            text = json.dumps(test["data"], ensure_ascii=False)
            if len(text) > LONGEST:
                continue
            matcher = compiled.matcher()
            read = True
            for token in tokenizer.encode(text, False, False):
                matcher.fill_bitmask(rows)
                count["masks"] += 1
                allowed = bool(rows[0, token >> 5] >> (token & 31) & 1)
                read = matcher.advance_many([token]) == 1
                assert allowed == read, f"{case.id}: mask and advance disagree on token {token}"
                if not read:
                    break
            verdict = read and matcher.is_accepting
            if read:
                matcher.fill_bitmask(rows)
                eos = vocabulary.eos_ids[0]
                assert matcher.is_accepting == bool(rows[0, eos >> 5] >> (eos & 31) & 1), case.id
            assert verdict == test["valid"], f"{case.id}: {text[:300]}"
            count["valid accepted" if verdict else "invalid refused"] += 1
    with capsys.disabled():
        print(f"\n  Tekken masks: {dict(count)}")
    assert min(count["valid accepted"], count["invalid refused"]) > 50
