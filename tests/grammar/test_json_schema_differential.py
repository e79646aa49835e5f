"""JSON Schema front end against the `jsonschema` library, recorded tests, and real schemas."""

from __future__ import annotations

import glob
import json
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from recorded_schemas import recorded_schemas

from gramspec.errors import EmptyLanguageError, UnsupportedError
from gramspec.grammar.core import Grammar
from gramspec.grammar.json_schema import json_schema
from tests.grammar.ir_oracle import accepts

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
NAMES = ["a", "b", "c\n", "ä"]
SCALARS: list[Any] = [
    None,
    True,
    False,
    0,
    1,
    2,
    -3,
    7,
    10,
    0.5,
    1.0,
    -2.5,
    "",
    "a",
    "ab",
    "äb",
    "\n\U0001f600x",
]


def judged(grammar: Grammar, text: str) -> bool:
    """Membership by the oracle of expressions, then by the residual predicates."""
    return accepts(grammar.expr, text) and all(part.holds(text.encode()) for part in grammar.residuals)


class Schemas:
    """Random schemas over the enforced keywords, and random values that nearly fit them."""

    def __init__(self, seed: int) -> None:
        self.choose = random.Random(seed)

    def document(self) -> Any:
        """A schema with two definitions that may refer to each other."""
        schema = self.schema(3)
        if isinstance(schema, dict):
            schema["$defs"] = {"x": self.schema(2, guarded=True), "y": self.schema(2, guarded=True)}
        return schema

    def schema(self, depth: int, *, guarded: bool = False) -> Any:
        """A random schema; a guarded one makes no in-place reference."""
        choose = self.choose
        if choose.random() < 0.08:
            return choose.random() < 0.7
        schema: dict[str, Any] = {}
        if choose.random() < 0.75:
            types = ["null", "boolean", "integer", "number", "string", "array", "object", "object", "array"]
            schema["type"] = choose.choice(types) if choose.random() < 0.7 else choose.sample(types[:7], 3)
        for keyword, make in self.keywords(depth, guarded=guarded):
            if choose.random() < 0.22:
                schema[keyword] = make()
        items = list(schema.items())
        choose.shuffle(items)
        return dict(items)

    def keywords(self, depth: int, *, guarded: bool) -> Iterator[tuple[str, Any]]:
        choose = self.choose
        yield "minimum", lambda: choose.choice([-3, 0, 0.5, 1, 2])
        yield "maximum", lambda: choose.choice([0, 1.0, 2.5, 7])
        yield "exclusiveMinimum", lambda: choose.choice([-3, 0, 0.5])
        yield "exclusiveMaximum", lambda: choose.choice([1, 2, 10])
        yield "minLength", lambda: choose.randrange(3)
        yield "maxLength", lambda: choose.randrange(3)
        yield "minItems", lambda: choose.randrange(3)
        yield "maxItems", lambda: choose.randrange(3)
        yield "required", lambda: choose.sample(NAMES, choose.randrange(3))
        if choose.random() < 0.4:
            yield "enum", lambda: [self.value(2) for _ in range(4)]
            yield "const", lambda: self.value(2)
        if depth == 0:
            return
        sub = lambda: self.schema(depth - 1)  # noqa: E731
        yield "items", sub
        yield "prefixItems", lambda: [sub() for _ in range(choose.randint(1, 2))]
        yield "additionalProperties", sub
        for _ in range(2):
            yield "properties", lambda: {name: sub() for name in choose.sample(NAMES, choose.randint(1, 3))}
        if guarded:
            return
        yield "$ref", lambda: choose.choice(["#/$defs/x", "#/$defs/y"])
        yield "anyOf", lambda: [self.schema(depth - 1) for _ in range(choose.randint(1, 3))]
        yield "allOf", lambda: [self.schema(depth - 1) for _ in range(choose.randint(1, 2))]

    def value(self, depth: int) -> Any:
        """A random value."""
        choose = self.choose
        kind = choose.random()
        if depth == 0 or kind < 0.5:
            return choose.choice(SCALARS)
        if kind < 0.75:
            return [self.value(depth - 1) for _ in range(choose.randrange(4))]
        return {name: self.value(depth - 1) for name in choose.sample(NAMES, choose.randrange(4))}

    def fit(self, schema: Any, root: Any, depth: int) -> Any:
        """A value made after the schema's keywords, often but not always valid."""
        choose = self.choose
        if depth == 0 or not isinstance(schema, dict) or choose.random() < 0.08:
            return self.value(1)
        if "$ref" in schema and choose.random() < 0.5:
            return self.fit(root.get("$defs", {}).get(schema["$ref"][-1], {}), root, depth - 1)
        for keyword in ("anyOf", "allOf"):
            if keyword in schema and choose.random() < 0.5:
                return self.fit(choose.choice(schema[keyword]), root, depth - 1)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return choose.choice(schema["enum"])
        kind = schema.get("type", choose.choice(["object", "array", "string", "integer"]))
        kind = choose.choice(kind) if isinstance(kind, list) else kind
        if kind == "object":
            given = schema.get("properties", {})
            names = {*choose.sample(NAMES, choose.randrange(3)), *schema.get("required", []), *given}
            wanted = [n for n in names if n in schema.get("required", []) or choose.random() < 0.6]
            rest = schema.get("additionalProperties", {})
            return {n: self.fit(given.get(n, rest), root, depth - 1) for n in wanted}
        if kind == "array":
            least = schema.get("minItems", 0)
            size = choose.randint(least, max(least, schema.get("maxItems", 3)) + 1)
            first = schema.get("prefixItems", [])
            rest = schema.get("items", {})
            return [self.fit(first[i] if i < len(first) else rest, root, depth - 1) for i in range(size)]
        pool = {
            "null": [None],
            "boolean": [True, False],
            "integer": [0, 1, 2, 1.0, -3, 7, 10],
            "number": [0.5, 1.0, 2, 7, -2.5],
            "string": ["", "a", "ab", "ä", "\n\U0001f600x"],
        }
        return choose.choice(pool[kind])

    def text(self, value: Any) -> str:
        """One of the ways to write a value."""
        choose = self.choose
        if choose.random() < 0.5:
            return json.dumps(value, ensure_ascii=choose.random() < 0.5, indent=choose.choice([None, 1]))
        return json.dumps(value, separators=choose.choice([(",", ":"), (" ,", ": "), (",\r\n", "\t:")]))


def in_schema_order(schema: Any, value: Any) -> bool:
    """Whether top-level members follow the declared order (schemas without applicators only)."""
    order = {name: i for i, name in enumerate(schema.get("properties", {}))}
    places = [order.get(name, len(order)) for name in value]
    return places == sorted(places)


@pytest.mark.parametrize("block", range(12))
def test_random_schemas_against_jsonschema(block: int) -> None:
    count: Counter[str] = Counter()
    for index in range(150):
        make = Schemas(1000 * block + index)
        schema = make.document()
        validator = jsonschema.Draft202012Validator(schema)
        values = [make.fit(schema, schema if isinstance(schema, dict) else {}, 5) for _ in range(12)]
        values += [make.value(2) for _ in range(5)]
        try:
            expr = json_schema(schema, property_order="any").expr
        except EmptyLanguageError:
            assert not any(validator.is_valid(value) for value in values), schema
            count["empty"] += 1
            continue
        for value in values:
            text, want = make.text(value), validator.is_valid(value)
            assert accepts(expr, text) == want, (schema, text)
            count["valid" if want else "invalid"] += 1
    assert count["valid"] > 400
    assert count["invalid"] > 400


def test_schema_order_against_jsonschema() -> None:
    count: Counter[bool] = Counter()
    for seed in range(150):
        make = Schemas(seed)
        names = make.choose.sample(NAMES, 3)
        schema = {
            "type": "object",
            "properties": {name: {"type": make.choose.choice(["string", "integer"])} for name in names[:2]},
            "required": make.choose.sample(NAMES, 1),
        }
        try:
            expr = json_schema(schema).expr
        except EmptyLanguageError:
            continue
        for _ in range(12):
            value = make.fit(schema, schema, 3)
            members = list(value.items()) if isinstance(value, dict) else []
            make.choose.shuffle(members)
            want = isinstance(value, dict) and jsonschema.Draft202012Validator(schema).is_valid(value)
            want = want and in_schema_order(schema, dict(members))
            text = make.text(dict(members) if isinstance(value, dict) else value)
            assert accepts(expr, text) == want, (schema, text)
            count[want] += 1
    assert min(count[True], count[False]) > 200


@pytest.mark.parametrize("draft", ["2020-12", "2019-09", "7"])
def test_json_schema_test_suite(draft: str) -> None:
    folder = DATA / "json_schema_test_suite" / ("draft7" if draft == "7" else f"draft{draft}")
    if not folder.exists():
        pytest.skip("the recorded JSON-Schema-Test-Suite is not beside this checkout")
    ran = groups = 0
    for name in sorted(glob.glob(f"{folder}/*.json")):
        for group in json.loads(Path(name).read_text()):
            if "metaschema" in str(group["schema"]):
                continue
            grammar = None
            try:
                grammar = json_schema(group["schema"], property_order="any", draft=draft, formats="annotate")
            except UnsupportedError:
                continue
            except EmptyLanguageError:
                pass
            groups += 1
            for test in group["tests"]:
                text = json.dumps(test["data"])
                where = (Path(name).stem, group["description"], test["description"])
                assert (grammar is not None and judged(grammar, text)) == test["valid"], where
                ran += 1
    assert groups >= 45
    assert ran >= 120


def test_real_schemas() -> None:
    used = 0
    count: Counter[bool] = Counter()
    for case in recorded_schemas(7):
        if used == 120:
            break
        if not case["tests"]:
            continue
        try:
            grammar = json_schema(case["schema"], property_order="any")
        except UnsupportedError:
            continue
        used += 1
        for test in case["tests"]:
            text = json.dumps(test["data"], ensure_ascii=False)
            if len(text) < 1000:
                assert judged(grammar, text) == test["valid"], (case["id"], test.get("reason"), text)
                count[test["valid"]] += 1
    assert used == 120
    assert count[True] > 100
    assert count[False] > 100
