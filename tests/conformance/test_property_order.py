"""Recorded schemas with keys in the schema's order: only instances out of order are refused further."""

from __future__ import annotations

import json
import random
from collections import Counter

import pytest

from tests.conformance import maskbench, ratchet
from tests.conformance.judge import Judge
from tests.conformance.key_order import Undecided, ordered, orders, same_order

CHUNKS = 4
MOST = 720
"""Instances whose keys have no more orders than these are tried in all."""

pytestmark = pytest.mark.skipif(not maskbench.present(), reason="the schemas lie in ../shared/data, not here")


@pytest.mark.parametrize("index", range(CHUNKS))
def test_only_the_order_of_keys_is_refused_further(index: int, capsys: pytest.CaptureFixture[str]) -> None:
    right = {name for name, status in ratchet.load("maskbench.json").items() if status == "right"}
    count: Counter[str] = Counter()
    wrong: list[str] = []
    with Judge(seconds=120) as judge:
        for case in maskbench.chunk(index, CHUNKS):
            if case.id in right:
                _judge(judge, case, count, wrong)
    with capsys.disabled():
        print(f"\n  keys in the schema's order, part {index + 1}: {dict(sorted(count.items()))}")
    assert not wrong, "\n".join(wrong[:10])
    assert min(count["in order accepted"], count["out of order or invalid refused"]) > 20


def _judge(judge: Judge, case: maskbench.Case, count: Counter[str], wrong: list[str]) -> None:
    choose = random.Random(case.id)
    # What is asked of each text: True or False, or a number for one of the orders of an undecided instance.
    texts: list[str] = []
    expected: list[bool | int] = []
    for number, test in enumerate(case.tests):
        value = test["data"]
        if not test["valid"]:
            texts.append(json.dumps(value))
            expected.append(False)
            continue
        try:
            fit = ordered(case.schema, value, case.schema)
        except Undecided:
            every = orders(value, MOST, choose)
            if every is not None:
                texts += map(json.dumps, every)
                expected += [number + 2] * len(every)
            continue
        for other in (fit, value, _reversed(fit)):
            texts.append(json.dumps(other))
            expected.append(same_order(other, ordered(case.schema, other, case.schema)))
    answer = judge.ask(json.dumps(case.schema), texts, property_order="schema", formats="assert")
    if answer.outcome not in ("compiled", "empty"):
        wrong.append(f"{case.id}: {answer.outcome} {answer.reason}, and compiles with any order")
        return
    accepted: Counter[int] = Counter()
    valid = {number + 2 for number, test in enumerate(case.tests) if test["valid"]}
    seen = valid & {want for want in expected if not isinstance(want, bool)}
    for text, want, found in zip(texts, expected, answer.verdicts, strict=True):
        if not isinstance(want, bool):
            accepted[want] += found
            continue
        if found != want:
            wrong.append(f"{case.id}: {'accepted' if found else 'refused'} {text[:300]}")
        kind = "in order" if want else "out of order or invalid"
        count[f"{kind} {'accepted' if found else 'refused'}"] += 1
    for number in seen:
        count["accepted in some order"] += accepted[number] > 0
        if not accepted[number]:
            wrong.append(
                f"{case.id}: refused in every order: {json.dumps(case.tests[number - 2]['data'])[:300]}"
            )


def _reversed(value: object) -> object:
    if isinstance(value, list):
        return [_reversed(item) for item in value]
    if isinstance(value, dict):
        return {name: _reversed(member) for name, member in reversed(value.items())}
    return value
