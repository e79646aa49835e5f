"""Real JSON schemas with their instances, token by token on a real vocabulary.

All JSONSchemaBench/MaskBench schemas at hand: valid instances are accepted with their bit set in every
mask, invalid ones refused. Key order is decided by a reading of the schema of its own.
"""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

import gramspec as gs

mistral_common = pytest.importorskip("mistral_common", reason="Tekken ships with mistral_common")

TEKKEN = Path(mistral_common.__file__).parent / "data" / "tekken_240911.json"
DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "jsonschemabench"

pytestmark = [
    pytest.mark.skipif(not TEKKEN.exists(), reason="this mistral_common has no tekken_240911.json"),
    pytest.mark.skipif(not DATA.is_dir(), reason="the schemas lie beside the repository, in ../shared/data"),
]

# Their own metaschema refuses these.
MALFORMED = {"Github_easy---o66201", "Github_medium---o82255", "Github_ultra---o15286"}


def schemas(step: int) -> Iterator[dict[str, Any]]:
    """Every `step`-th recorded schema; the conformance tests judge all of them by membership."""
    for path in sorted(DATA.glob("*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for line in islice(lines, 0, None, step):
                yield json.loads(line)


def instances(row: dict[str, Any]) -> Iterator[tuple[bool, Any]]:
    """Instances whose verdict does not hang on `format` or on the judge."""
    for test in row["tests"]:
        if not (test.get("needs_format") or test.get("py_accepts")):
            yield test["valid"], test["data"]


# -- key order, by a reading of its own ---------------------------------------------------------------

SILENT = {
    "title",
    "description",
    "type",
    "properties",
    "required",
    "additionalProperties",
    "items",
    "enum",
    "const",
}
SILENT |= {
    "$schema",
    "$id",
    "id",
    "default",
    "examples",
    "format",
    "definitions",
    "$defs",
    "minLength",
    "maxLength",
}
SILENT |= {"minimum", "maximum", "minItems", "maxItems", "exclusiveMinimum", "exclusiveMaximum", "pattern"}
BESIDE_REF = {"$ref", "description", "title", "$schema", "definitions", "$defs"}


class Undecided(Exception):
    """The order of keys depends on more than `properties`."""


def in_order(schema: Any, value: Any, root: Any, depth: int = 0) -> Any:
    """The instance with declared keys first and in the order of `properties`; `Undecided` elsewhere."""
    if not isinstance(value, dict | list) or not value:
        return value
    if isinstance(schema, dict) and "$ref" in schema:
        if not set(schema) <= BESIDE_REF or not schema["$ref"].startswith("#/") or depth > 30:
            raise Undecided
        target = root
        for part in schema["$ref"][2:].split("/"):
            target = target.get(part) if isinstance(target, dict) else None
        return in_order(target, value, root, depth + 1)
    if schema is True or (isinstance(schema, dict) and not schema):
        return value
    if not isinstance(schema, dict) or not set(schema) <= SILENT or "enum" in schema or "const" in schema:
        raise Undecided
    if isinstance(value, list):
        items = schema.get("items", True)
        return [in_order(items, item, root, depth + 1) for item in value]
    declared = schema.get("properties", {})
    if not set(schema.get("required", [])) <= set(declared):
        raise Undecided
    others = schema.get("additionalProperties", True)
    keys = [k for k in declared if k in value] + [k for k in value if k not in declared]
    return {k: in_order(declared.get(k, others), value[k], root, depth + 1) for k in keys}


# -- the tests ----------------------------------------------------------------------------------------


class Reader:
    """Compiles schemas, reads instances, counts."""

    def __init__(self) -> None:
        from mistral_common.tokens.tokenizers.tekken import Tekkenizer

        self.vocabulary = gs.Vocabulary.from_tekken(TEKKEN)
        self.tokenizer = Tekkenizer.from_file(TEKKEN)
        self.rows = np.zeros((1, (len(self.vocabulary) + 31) // 32), dtype=np.int32)
        self.count: Counter[str] = Counter()
        self.unsupported: Counter[str] = Counter()
        self.wrong: list[str] = []

    def compile(self, row: dict[str, Any], order: Literal["any", "schema"]) -> gs.CompiledGrammar | None:
        text = json.dumps(row["schema"])
        try:
            one = gs.compile(gs.json_schema(text, property_order=order, formats="annotate"), self.vocabulary)
        except gs.UnsupportedError as error:
            self.count["unsupported"] += 1
            self.unsupported[error.reason] += 1
            return None
        except gs.EmptyLanguageError:
            if any(valid for valid, _ in instances(row)):
                self.wrong.append(f"{row['id']}: empty, but it has valid instances")
            self.count["empty"] += 1
            return None
        except gs.GrammarError as error:
            if row["id"] not in MALFORMED:
                self.wrong.append(f"{row['id']}: {error}")
            self.count["malformed"] += 1
            return None
        self.count["compiled"] += 1
        return one

    def accepts(self, one: gs.CompiledGrammar, value: Any) -> bool:
        """Whether every token is in its mask, and EOS in the last."""
        matcher = one.matcher()
        ids = self.tokenizer.encode(json.dumps(value, ensure_ascii=False), False, False)
        for token in ids:
            matcher.fill_bitmask(self.rows)
            self.count["masks"] += 1
            allowed = bool(self.rows[0, token >> 5] >> (token & 31) & 1)
            read = matcher.advance_many([token]) == 1
            assert allowed == read, f"mask and advance disagree on token {token}"
            if not read:
                return False
        matcher.fill_bitmask(self.rows)
        eos = self.vocabulary.eos_ids[0]
        accepting = matcher.is_accepting
        assert accepting == bool(self.rows[0, eos >> 5] >> (eos & 31) & 1)
        return accepting

    def judge(self, row: dict[str, Any], value: Any, expected: bool, what: str, found: bool) -> None:
        self.count[f"{what} {'accepted' if found else 'refused'}"] += 1
        if found != expected:
            self.wrong.append(f"{row['id']}: {what} instance {json.dumps(value)[:120]}")

    def report(self, order: str, capsys: pytest.CaptureFixture[str]) -> None:
        with capsys.disabled():
            figures = ", ".join(f"{n} {name}" for name, n in sorted(self.count.items()))
            print(
                f"\n  real schemas, keys {order}: {figures}; top refusals: {self.unsupported.most_common(3)}"
            )
        assert not self.wrong, "\n".join(self.wrong[:10])


@pytest.fixture
def reader() -> Reader:
    return Reader()


def test_instances_with_keys_in_any_order(reader: Reader, capsys: pytest.CaptureFixture[str]) -> None:
    for row in schemas(3):
        one = reader.compile(row, "any")
        if one is not None:
            for valid, value in instances(row):
                reader.judge(row, value, valid, "valid" if valid else "invalid", reader.accepts(one, value))
    reader.report("any", capsys)
    assert reader.count["compiled"] >= 1000
    assert reader.count["valid accepted"] > 100 and reader.count["invalid refused"] > 100


def test_instances_with_keys_in_schema_order(reader: Reader, capsys: pytest.CaptureFixture[str]) -> None:
    for row in schemas(4):
        one = reader.compile(row, "schema")
        if one is None:
            continue
        for valid, value in instances(row):
            if not valid:
                reader.judge(row, value, False, "invalid", reader.accepts(one, value))
                continue
            try:
                ordered = in_order(row["schema"], value, row["schema"])
            except Undecided:
                reader.count["valid, order undecided"] += 1
                continue
            reader.judge(row, ordered, True, "valid, in order", reader.accepts(one, ordered))
            backwards = dict(reversed(ordered.items())) if isinstance(ordered, dict) else ordered
            for other in (value, backwards):
                if json.dumps(in_order(row["schema"], other, row["schema"])) != json.dumps(other):
                    reader.judge(row, other, False, "valid, out of order", reader.accepts(one, other))
    reader.report("schema", capsys)
    assert reader.count["valid, in order accepted"] > 50
    assert reader.count["valid, out of order refused"] > 50 and reader.count["invalid refused"] > 100
