"""Schemas whose cases are told apart by a constant: they neither multiply nor lose a value.

Law: a text is a member iff the library `jsonschema` finds its value valid.
"""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest

import gramspec as gs

KINDS = ["a", "b", "c", "d"]
_ABSENT = object()


def values() -> Iterator[dict[str, Any]]:
    """Small objects: a kind or none, and members that some cases ask for."""
    for kind, x, y in itertools.product([*KINDS, 1, _ABSENT], [1, "s", _ABSENT], [1, True, _ABSENT]):
        pairs = (("kind", kind), ("x", x), ("y", y))
        yield {name: value for name, value in pairs if value is not _ABSENT}


class Maker:
    """Random schemas with a kind."""

    def __init__(self, seed: int) -> None:
        self.choose = random.Random(seed)

    def kind(self) -> dict[str, Any]:
        choose = self.choose
        found: dict[str, Any] = {}
        if choose.random() < 0.5:
            found["type"] = choose.choice(["string", ["string", "integer"]])
        if choose.random() < 0.6:
            found["const"] = choose.choice(KINDS)
        else:
            found["enum"] = choose.sample([*KINDS, 1], choose.randint(1, 3))
        return found

    def member(self) -> dict[str, Any]:
        choose = self.choose
        found: dict[str, Any] = {
            "properties": {choose.choice("xy"): {"type": choose.choice(["integer", "string"])}}
        }
        if choose.random() < 0.5:
            found["required"] = choose.sample(["x", "y", "kind"], choose.randint(1, 2))
        return found

    def condition(self) -> dict[str, Any]:
        found: dict[str, Any] = {"properties": {"kind": self.kind()}}
        if self.choose.random() < 0.4:
            found["required"] = ["kind"]
        return found

    def conditional(self) -> dict[str, Any]:
        found = {"if": self.condition(), "then": self.member()}
        if self.choose.random() < 0.3:
            found["else"] = self.member()
        return found

    def case(self) -> dict[str, Any]:
        case = self.member()
        case["properties"]["kind"] = self.kind()
        if self.choose.random() < 0.7:
            case["required"] = sorted({*case.get("required", []), "kind"})
        return case

    def schema(self) -> dict[str, Any]:
        choose = self.choose
        schema: dict[str, Any] = {"type": "object"}
        if choose.random() < 0.6:
            schema["allOf"] = [self.conditional() for _ in range(choose.randint(2, 5))]
        else:
            schema[choose.choice(["oneOf", "anyOf"])] = [self.case() for _ in range(choose.randint(2, 4))]
        if choose.random() < 0.5:
            schema["required"] = ["kind"]
        if choose.random() < 0.5:
            schema["properties"] = {"kind": self.kind() if choose.random() < 0.3 else {"enum": KINDS}}
        if choose.random() < 0.3:
            schema["not"] = self.condition()
        return schema


@pytest.mark.parametrize("block", range(4))
def test_random_discriminators_against_jsonschema(block: int) -> None:
    judged = 0
    for number in range(30):
        schema = Maker(1000 * block + number).schema()
        validator = jsonschema.Draft202012Validator(schema)
        try:
            grammar = gs.json_schema(schema, property_order="any")
        except gs.EmptyLanguageError:
            assert not any(map(validator.is_valid, values())), schema
            continue
        for value in values():
            assert grammar.accepts(json.dumps(value)) == validator.is_valid(value), (schema, value)
            judged += 1
    assert judged > 500


def test_many_conditions_on_one_constant_stay_exact() -> None:
    kinds = [f"k{index}" for index in range(40)]
    rules = [
        {
            "if": {"properties": {"kind": {"type": "string", "const": kind}}},
            "then": {"properties": {"value": {"const": kind}}},
        }
        for kind in kinds
    ]
    schema = {
        "allOf": [{"required": ["kind"], "properties": {"kind": {"enum": kinds}}}, *rules],
        "type": "object",
    }
    grammar = gs.json_schema(schema)
    assert not grammar.residuals
    for kind, value in (("k0", "k0"), ("k7", "k7"), ("k39", "k39")):
        assert grammar.accepts(json.dumps({"kind": kind, "value": value}))
        assert not grammar.accepts(json.dumps({"kind": kind, "value": "k1"}))
