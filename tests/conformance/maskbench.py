"""The recorded schemas of MaskBench: their instances and further valid texts, judged.

Law: a schema is right if each of its recorded instances, as `json.dumps` spells it, has the recorded verdict.
Source: ../shared/data/jsonschemabench and text (JSONSchemaBench, MaskBench).
"""

from __future__ import annotations

import functools
import gzip
import json
import random
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gramspec.testing.json_spelling import spelled
from gramspec.testing.schema_oracle import Oracle
from tests.conformance.judge import Answer, Judge

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
SPELLED = 0.25
"""Share of the instances that are read in a second spelling too."""


@dataclass(frozen=True)
class Case:
    """One schema with its instances; `texts` are further valid texts as they were recorded.

    Kept as text: cases are shared by the tests of a process, and some libraries change what they are given.
    """

    id: str
    source: str
    texts: list[str]

    @property
    def schema(self) -> Any:
        """The schema, a new one at each access."""
        return json.loads(self.source)["schema"]

    @property
    def tests(self) -> list[dict[str, Any]]:
        """The instances with their verdicts, new ones at each access."""
        found: list[dict[str, Any]] = json.loads(self.source)["tests"]
        return found

    @property
    def formats_matter(self) -> bool:
        """Whether some instance is invalid for its formats alone."""
        return any(test.get("needs_format") or test.get("py_accepts") for test in self.tests)


def present() -> bool:
    """Whether the recorded schemas lie beside the checkout."""
    return (DATA / "jsonschemabench").is_dir()


def _rows(folder: str) -> Iterator[dict[str, Any]]:
    for path in sorted((DATA / folder).glob("*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                yield json.loads(line)


@functools.cache
def cases() -> list[Case]:
    """All cases, in the order of the files."""
    texts: dict[str, list[str]] = {}
    for row in _rows("text"):
        if row["origin"] != "maskbench":
            texts.setdefault(row["schema_id"], []).append(row["text"])
    return [Case(row["id"], json.dumps(row), texts.get(row["id"], [])) for row in _rows("jsonschemabench")]


def chunk(index: int, chunks: int) -> list[Case]:
    """Every `chunks`-th case, chosen by a hash of the id, so that expensive neighbours part."""
    return [case for case in cases() if zlib.crc32(case.id.encode()) % chunks == index]


@dataclass(frozen=True)
class Verdict:
    """The status of a case for the ratchet, and what is behind it.

    `status` is ``right``, ``refused``, ``malformed``, ``limit``, ``time``, ``wrong`` or ``crash``;
    `wrong` has one line a wrong verdict.
    """

    status: str
    reason: str
    wrong: list[str]
    answer: Answer


def verdict(judge: Judge, case: Case, **options: Any) -> Verdict:
    """Judge one case, keys in any order: under asserted formats, and annotated ones where that matters."""
    schema = json.dumps(case.schema)
    choose = random.Random(case.id)
    texts = [json.dumps(test["data"], ensure_ascii=False) for test in case.tests]
    expected = [test["valid"] for test in case.tests]
    kinds = ["instance"] * len(texts)
    # To draft 4 a number with a fraction part is no integer.
    decimals = "draft-04" not in schema
    for test in case.tests:
        if choose.random() < SPELLED:
            texts.append(spelled(test["data"], choose, decimals=decimals))
            expected.append(test["valid"])
            kinds.append("spelled")
    texts += case.texts
    expected += [True] * len(case.texts)
    kinds += ["text"] * len(case.texts)
    options = {"property_order": "any", **options}
    answer = judge.ask(schema, texts, formats="assert", **options)
    wrong = _wrong(answer, texts, expected, kinds)
    if wrong:
        # Texts were checked with floats, and by the formats of the schema's own draft: by exact arithmetic
        # 8163.070000000001 is no multiple of 0.01, and the instances assert `date` in draft 4 too.
        oracle = Oracle(schema, formats=True)
        exact = [k != "text" or oracle.verdict(t) is not False for k, t in zip(kinds, texts, strict=True)]
        expected = [want and true for want, true in zip(expected, exact, strict=True)]
        wrong = _wrong(answer, texts, expected, kinds)
    if case.formats_matter and answer.outcome == "compiled":
        # Without the assertion of formats these instances are valid, as the library says.
        lenient = [i for i, t in enumerate(case.tests) if t.get("needs_format") or t.get("py_accepts")]
        second = judge.ask(schema, [texts[i] for i in lenient], formats="annotate", **options)
        if second.outcome != "compiled":
            return Verdict(_status(second, []), second.reason, [], second)
        wrong += _wrong(
            second, [texts[i] for i in lenient], [True] * len(lenient), ["annotated"] * len(lenient)
        )
    return Verdict(_status(answer, wrong), answer.reason, wrong, answer)


def _status(answer: Answer, wrong: list[str]) -> str:
    if answer.outcome in ("compiled", "empty"):
        return "wrong" if wrong else "right"
    return {"error": "crash", "memory": "crash"}.get(answer.outcome, answer.outcome)


def _wrong(answer: Answer, texts: list[str], expected: list[bool], kinds: list[str]) -> list[str]:
    if answer.outcome not in ("compiled", "empty"):
        return []
    rows = zip(answer.verdicts, expected, kinds, texts, strict=True)
    return [
        f"{kind} {'rejected' if want else 'accepted'}: {text!r}"
        for found, want, kind, text in rows
        if found != want
    ]
