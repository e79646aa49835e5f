"""The recorded JSON-Schema-Test-Suite: required and optional groups of three drafts, judged test by test.

Law: tests run under annotated formats, ``optional/format`` and ``format-assertion`` under asserted ones.
Source: ../shared/data/json_schema_test_suite (JSON-Schema-Test-Suite).
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.conformance.judge import Judge
from tests.conformance.maskbench import DATA

SUITE = DATA / "json_schema_test_suite"
DRAFTS = {"draft2020-12": "2020-12", "draft2019-09": "2019-09", "draft7": "7"}


@dataclass(frozen=True)
class Group:
    """One schema of the suite with its tests. `file` is relative to the draft's folder, without suffix."""

    draft: str
    file: str
    number: int
    description: str
    schema: Any
    tests: list[dict[str, Any]]

    @property
    def id(self) -> str:
        return f"{self.draft}/{self.file}#{self.number}"

    @property
    def asserts_formats(self) -> bool:
        return self.file.startswith("optional/format")


def present() -> bool:
    """Whether the suite lies beside the checkout."""
    return SUITE.is_dir()


@functools.cache
def groups(draft: str) -> list[Group]:
    """All groups of a draft's folder."""
    return list(_groups(draft))


def _groups(draft: str) -> Iterator[Group]:
    for path in sorted((SUITE / draft).rglob("*.json")):
        file = path.relative_to(SUITE / draft).with_suffix("").as_posix()
        for number, group in enumerate(json.loads(path.read_text(encoding="utf-8"))):
            yield Group(draft, file, number, group["description"], group["schema"], group["tests"])


def verdicts(judge: Judge, group: Group) -> tuple[dict[str, str], dict[str, str]]:
    """Status of every test of a group, and what to say of those that are not right."""
    # By `$schema` where there is one; tests across drafts depend on it. Half of those of
    # ``optional/dependencies-compatibility`` are wrong: their drafts no longer know `dependencies`.
    named = isinstance(group.schema, dict) and "$schema" in group.schema
    options: dict[str, Any] = {} if named else {"draft": DRAFTS[group.draft]}
    schema = json.dumps(group.schema)
    if "localhost:1234" in schema:
        options["suite_registry"] = DRAFTS[group.draft]
    answer = judge.ask(
        schema,
        [json.dumps(test["data"]) for test in group.tests],
        property_order="any",
        formats="assert" if group.asserts_formats else "annotate",
        **options,
    )
    statuses, notes = {}, {}
    for index, test in enumerate(group.tests):
        name = f"{group.id}.{index}"
        if answer.outcome in ("compiled", "empty"):
            right = answer.verdicts[index] == test["valid"]
            statuses[name] = "right" if right else "wrong"
            if not right:
                verb = "rejected" if test["valid"] else "accepted"
                notes[name] = f"{verb} {json.dumps(test['data'])} ({test['description']}): {schema}"
        else:
            statuses[name] = {"error": "crash", "memory": "crash"}.get(answer.outcome, answer.outcome)
            notes[name] = answer.reason
    return statuses, notes
