"""References of every kind under the residual predicate; the grammar of the same schema agrees."""

from __future__ import annotations

from typing import Any

import pytest

import gramspec as gs
from gramspec.grammar.json_schema.documents import Documents
from gramspec.grammar.json_schema.residual import residual_of
from gramspec.grammar.json_schema.sources import load

BASE = "https://example.com/root"
OLD = "https://json-schema.org/draft/2019-09/schema"


def listing(keyword: str, anchor: str, outer: dict[str, Any]) -> dict[str, Any]:
    """A schema that refers to a list of strings whose items are reached by `keyword` and `anchor`."""
    inner = {"$id": "list", "items": {keyword: "#items"}, "$defs": {"i": {anchor: "items", "type": "string"}}}
    return {"$id": BASE, "$ref": "list", **outer, "$defs": {"list": inner, **outer.get("$defs", {})}}


def generic(kind: str) -> dict[str, Any]:
    return {
        "$id": f"{kind}List",
        "$defs": {"item": {"$dynamicAnchor": "item", "type": kind}},
        "$ref": "genericList",
    }


PATHS = {
    "$id": BASE,
    "if": {"properties": {"kind": {"const": "numbers"}}, "required": ["kind"]},
    "then": {"$ref": "numberList"},
    "else": {"$ref": "stringList"},
    "$defs": {
        "generic": {
            "$id": "genericList",
            "properties": {"list": {"items": {"$dynamicRef": "#item"}}},
            "$defs": {"default": {"$dynamicAnchor": "item"}},
        },
        "numbers": generic("number"),
        "strings": generic("string"),
    },
}
LEFT = {
    "$id": BASE,
    "if": {"$id": "first", "$defs": {"t": {"$dynamicAnchor": "t", "type": "number"}}},
    "then": {"$id": "second", "$ref": "start", "$defs": {"t": {"$dynamicAnchor": "t", "type": "null"}}},
    "$defs": {
        "start": {"$id": "start", "$dynamicRef": "inner#t"},
        "inner": {"$id": "inner", "$dynamicAnchor": "t", "type": "string"},
    },
}
ELSEWHERE = {
    "$id": BASE,
    "$dynamicAnchor": "n",
    "type": "object",
    "properties": {"a": {"$ref": "other#n"}},
    "$defs": {"o": {"$id": "other", "$defs": {"x": {"$dynamicAnchor": "n", "type": "integer"}}}},
}


def recursive(outer: bool) -> dict[str, Any]:
    below = {"type": "object", "additionalProperties": {"$recursiveRef": "#"}}
    inner = {"$id": "inner", "$recursiveAnchor": True, "anyOf": [{"type": "integer"}, below]}
    return {
        "$schema": OLD,
        "$id": BASE,
        "$recursiveAnchor": outer,
        "anyOf": [{"type": "boolean"}, {"type": "object", "additionalProperties": inner}],
    }


ARRAYS = {"$dynamicAnchor": "items", "type": "array"}
CASES: list[tuple[Any, list[str], list[str]]] = [
    # A plain reference to a dynamic anchor is lexical, a dynamic one is bound outermost.
    (listing("$ref", "$dynamicAnchor", ARRAYS), ['["a"]'], ["[[]]"]),
    (listing("$dynamicRef", "$dynamicAnchor", ARRAYS), ["[[]]"], ['["a"]']),
    # Without a dynamic anchor at the first target it is lexical; plain anchors bind nothing.
    (listing("$dynamicRef", "$anchor", ARRAYS), ['["a"]'], ["[[]]"]),
    (
        listing("$dynamicRef", "$dynamicAnchor", {"$defs": {"f": {"$anchor": "items", "type": "number"}}}),
        ['["a"]'],
        ["[1]"],
    ),
    (ELSEWHERE, ['{"a":1}'], ['{"a":{}}']),
    (LEFT, ["null"], ['"a"', "42"]),
    (
        PATHS,
        ['{"kind":"numbers","list":[1.5]}', '{"kind":"texts","list":["f"]}'],
        ['{"kind":"numbers","list":["f"]}', '{"kind":"texts","list":[1.5]}'],
    ),
    (recursive(False), ['{"a":{"b":1}}'], ['{"a":{"b":true}}']),
    (recursive(True), ['{"a":{"b":true}}'], ['{"a":{"b":1}}']),
]


@pytest.mark.parametrize(("schema", "valid", "invalid"), CASES)
def test_references_lead_where_the_specification_says(
    schema: Any, valid: list[str], invalid: list[str]
) -> None:
    predicate = residual_of(Documents(load(schema)), [("", "schema", "all of it")])
    grammar = gs.json_schema(schema, property_order="any")
    for text in valid:
        assert predicate.holds(text.encode()) and grammar.accepts(text), text
    for text in invalid:
        assert not predicate.holds(text.encode()) and not grammar.accepts(text), text
