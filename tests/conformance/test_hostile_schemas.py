"""Hostile schemas, each in a process with bounds on time and memory."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conformance import hostile, hostile_large, hostile_wrong, ratchet
from tests.conformance.judge import Judge

CASES = [*hostile_wrong.cases(), *hostile_large.cases()]
RECORDED = ratchet.load("hostile.json")


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    with Judge(seconds=hostile.SECONDS, memory=hostile.MEGABYTES) as one:
        yield one


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_clear_error_or_a_correct_compile(case: hostile.Hostile, judge: Judge) -> None:
    answer = judge.ask(case.schema, list(case.texts), walks=1, property_order="any")
    found = hostile.status(case, answer)
    told = f"{answer.outcome} {answer.reason} {answer.verdicts} {case.schema[:300]}"
    assert found not in ("wrong", "crash", "time"), told
    assert not ratchet.worse(RECORDED, {case.name: found}), told


def test_every_case_is_recorded_under_a_name_of_its_own() -> None:
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names)
    assert set(RECORDED) == set(names)
