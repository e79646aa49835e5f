"""Schemas with instances: a sample of MaskBench-style files, or a user's own.

Law: instances are spelled by `json.dumps` and encoded once, for all engines; instances whose verdict hangs on
`format` are left out, as engines differ in whether they assert it.
"""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.measure.messages import Job

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data" / "jsonschemabench"


@dataclass(frozen=True)
class Row:
    """A schema, its instances as tokens, and which of them are valid."""

    id: str
    job: Job
    valid: list[bool]

    @property
    def tokens(self) -> int:
        return sum(map(len, self.job.instances))


def row(id: str, schema: Any, tests: Sequence[dict[str, Any]], encode: Callable[[str], list[int]]) -> Row:
    """A row of tests `{"data": …, "valid": …}`."""
    texts = [json.dumps(test["data"], ensure_ascii=False) for test in tests]
    return Row(id, Job(json.dumps(schema), [encode(t) for t in texts]), [bool(t["valid"]) for t in tests])


def sample(data: Path, count: int, seed: int, encode: Callable[[str], list[int]]) -> list[Row]:
    """A random sample of the schemas in a folder of `*.jsonl.gz` files."""
    found = []
    for path in sorted(data.glob("*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            found += [json.loads(line) for line in lines]
    random.Random(seed).shuffle(found)
    out = []
    for each in found[:count]:
        tests = [t for t in each["tests"] if not (t.get("needs_format") or t.get("py_accepts"))]
        out.append(row(each["id"], each["schema"], tests, encode))
    return out


def own(path: Path, instances: Sequence[Path], encode: Callable[[str], list[int]]) -> Row:
    """A user's schema, or a file `{"schema": …, "tests": [{"data": …, "valid": …}]}`.

    Parameters
    ----------
    instances : sequence of Path
        JSON files with one valid instance each, or `.jsonl` files with one a line.
    """
    schema = json.loads(path.read_text(encoding="utf-8"))
    tests: list[dict[str, Any]] = []
    if isinstance(schema, dict) and "schema" in schema and isinstance(schema.get("tests"), list):
        schema, tests = schema["schema"], schema["tests"]
    for file in instances:
        text = file.read_text(encoding="utf-8")
        texts = [line for line in text.splitlines() if line.strip()] if file.suffix == ".jsonl" else [text]
        tests = tests + [{"data": json.loads(each), "valid": True} for each in texts]
    return row(path.name, schema, tests, encode)
