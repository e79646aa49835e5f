"""Cases that the differential fuzz has found, made small: schema, text, verdict."""

from __future__ import annotations

import json
from typing import Any

import pytest

import gramspec as gs

DRAFT4 = "http://json-schema.org/draft-04/schema#"
DRAFT6 = "http://json-schema.org/draft-06/schema#"
DRAFT2019 = "https://json-schema.org/draft/2019-09/schema"

CASES: list[tuple[Any, str, bool]] = [
    # A dependent schema says nothing of values that are no objects.
    ({"dependentSchemas": {"a": {"type": "boolean"}}}, "0", True),
    ({"dependentSchemas": {"a": {"const": {}}}}, '{"a":0}', False),
    ({"dependentSchemas": {"a": {"const": {}}}}, '{"b":0}', True),
    ({"$schema": DRAFT6, "dependencies": {"c": {"type": "object"}}}, "0", True),
    ({"dependencies": {"c": {"not": {}}}}, "true", True),
    ({"dependencies": {"c": {"not": {}}}}, '{"c":1}', False),
    # What additionalProperties takes is evaluated.
    (
        {"$schema": DRAFT2019, "additionalProperties": {}, "unevaluatedProperties": {"enum": []}},
        '{"a":0}',
        True,
    ),
    # The empty pattern is found in every name, so no name is left for additionalProperties.
    ({"additionalProperties": {"type": "object"}, "patternProperties": {"": True}}, '{"c":[]}', True),
    # A formula of many numbers stays exact, or is checked at the end.
    ({"oneOf": [{"type": "integer", "minimum": i} for i in range(40)]}, "0", True),
    ({"oneOf": [{"type": "integer", "minimum": i} for i in range(40)]}, "5", False),
    ({"oneOf": [{"type": "integer", "minimum": i} for i in range(40)]}, "-1", False),
    ({"items": {"anyOf": [{"const": i} for i in range(300)]}}, "[299,0]", True),
    ({"items": {"anyOf": [{"const": i} for i in range(300)]}}, "[300]", False),
    # A part of a document that names another draft is read by it.
    (
        {"properties": {"a": {"$schema": DRAFT4, "type": "integer"}, "b": {"type": "integer"}}},
        '{"b":1.0}',
        True,
    ),
    (
        {"properties": {"a": {"$schema": DRAFT4, "type": "integer"}, "b": {"type": "integer"}}},
        '{"a":1.0}',
        False,
    ),
    # To draft 4 a property named `id` is a property.
    ({"$schema": DRAFT4, "systems": {"id": {"type": "string"}}, "type": "null"}, "null", True),
]


@pytest.mark.parametrize(("schema", "text", "verdict"), CASES, ids=[json.dumps(c[:2])[:80] for c in CASES])
def test_the_verdict_is_that_of_the_specification(schema: Any, text: str, verdict: bool) -> None:
    assert gs.json_schema(schema, property_order="any").accepts(text) == verdict
