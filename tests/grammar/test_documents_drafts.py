"""The dynamic scope of schema documents, and the drafts and dialects that they name."""

from __future__ import annotations

from typing import Any

import pytest
import referencing
from reference_oracle import URIS, documents, registry_of, valid

from gramspec.errors import GrammarError, OptionError, UnsupportedError
from gramspec.grammar.json_schema import json_schema
from gramspec.grammar.json_schema.documents import Place

TREE = {
    "$id": "http://x/tree",
    "$dynamicAnchor": "node",
    "type": "object",
    "properties": {"data": True, "children": {"type": "array", "items": {"$dynamicRef": "#node"}}},
}
STRICT = {"$id": "http://x/strict", "$dynamicAnchor": "node", "$ref": "tree", "required": ["data"]}


def test_a_dynamic_reference_leads_to_the_outermost_declaration() -> None:
    registry = registry_of({"http://x/tree": TREE, "http://x/strict": STRICT})
    loose = documents({"$ref": "http://x/tree"}, registry=registry)
    strict = documents({"$ref": "http://x/strict"}, registry=registry)
    for value in ({"children": [{}]}, {"data": 1, "children": [{"data": 1, "children": [{}]}]}):
        assert valid(loose, value)
        assert not valid(strict, value)
    assert valid(strict, {"data": 1, "children": [{"data": 2}]})


def test_scopes_are_small() -> None:
    registry = registry_of({"http://x/tree": TREE, "http://x/strict": STRICT})
    both = {"properties": {"a": {"$ref": "http://x/tree"}, "b": {"$ref": "http://x/strict"}, "c": {}}}
    found = documents(both, registry=registry)
    a, b, c = (found.child(found.root, "properties", name) for name in "abc")
    assert a.scope == b.scope == c.scope == found.root.scope == ()
    tree, strict = found.targets(a, "$ref"), found.targets(b, "$ref")
    assert tree.scope == ("node@http://x/tree#",)
    assert strict.scope == ("node@http://x/strict#",)
    inside = found.targets(strict, "$ref")
    assert inside == Place("http://x/tree", "", strict.scope)
    again = found.targets(found.child(inside, "properties", "children", "items"), "$dynamicRef")
    assert again == strict
    alone = documents({"$ref": "http://x/tree"}, registry=registry_of({"http://x/tree": TREE}))
    assert alone.targets(alone.root, "$ref").scope == ()


def test_what_a_dynamic_reference_needs() -> None:
    def end(middle: dict[str, Any], reference: str = "#t") -> str:
        schema = {
            "$id": "http://x/root",
            "$ref": "list",
            "$defs": {
                "strings": {"$dynamicAnchor": "t", "type": "string"},
                "list": {"$id": "list", "items": {"$dynamicRef": reference}, "$defs": {"t": middle}},
            },
        }
        found = documents(schema)
        there = found.targets(found.root, "$ref")
        return found.targets(found.child(there, "items"), "$dynamicRef").pointer

    assert end({"$dynamicAnchor": "t"}) == "/$defs/strings"
    assert end({"$anchor": "t"}) == "/$defs/list/$defs/t"  # no dynamic anchor where it leads first
    assert end({"$dynamicAnchor": "t"}, "#/$defs/t") == "/$defs/list/$defs/t"  # a pointer is no name
    with pytest.raises(GrammarError, match="no anchor"):
        end({})  # one in the dynamic scope alone is not enough


def test_a_scope_that_was_left_counts_no_more() -> None:
    schema = {
        "$id": "http://x/main",
        "if": {"$id": "first", "$defs": {"t": {"$dynamicAnchor": "t", "type": "number"}}},
        "then": {
            "$id": "second",
            "$ref": "start",
            "$defs": {"t": {"$dynamicAnchor": "t", "type": "null"}},
        },
        "$defs": {
            "start": {"$id": "start", "$dynamicRef": "inner#t"},
            "t": {"$id": "inner", "$dynamicAnchor": "t", "type": "string"},
        },
    }
    found = documents(schema)
    assert valid(found, None)
    assert not valid(found, 1) and not valid(found, "a")


def test_recursive_references() -> None:
    tree = {
        "$schema": URIS[2019],
        "$id": "http://x/tree",
        "$recursiveAnchor": True,
        "properties": {"child": {"$recursiveRef": "#"}},
    }
    strict = {
        "$schema": URIS[2019],
        "$id": "http://x/strict",
        "$recursiveAnchor": True,
        "$ref": "tree",
        "required": ["data"],
    }
    found = documents(strict, registry=registry_of({"http://x/tree": tree}, 2019))
    assert valid(found, {"data": 1, "child": {"data": 1}})
    assert not valid(found, {"data": 1, "child": {}})
    fixed = documents(
        {**strict, "$recursiveAnchor": False}, registry=registry_of({"http://x/tree": tree}, 2019)
    )
    assert valid(fixed, {"data": 1, "child": {}})
    wrong = documents({"$schema": URIS[2019], "$recursiveRef": "#/a"})
    with pytest.raises(GrammarError, match="must be '#'"):
        wrong.targets(wrong.root, "$recursiveRef")


# Drafts --------------------------------------------------------------------------------------------


def test_each_schema_has_the_draft_that_it_names() -> None:
    schema = {
        "$schema": URIS[2020],
        "$id": "http://x/root",
        "$defs": {
            "old": {"$schema": URIS[4], "id": "http://x/old", "properties": {"a": {"id": "a", "$id": "b"}}},
            "middle": {"$schema": URIS[2019], "items": {}},
        },
        "anyOf": [{"$ref": "http://x/old"}, {"$ref": "http://x/a"}],
    }
    found = documents(schema)
    numbers = [
        found.draft(found.child(found.root, *path)).number
        for path in ([], ["$defs", "old"], ["$defs", "old", "properties", "a"], ["$defs", "middle", "items"])
    ]
    assert numbers == [2020, 4, 4, 2019]
    assert found.targets(found.child(found.root, "anyOf", 1), "$ref").pointer == "/$defs/old/properties/a"
    asked = documents(schema, 2020)
    assert asked.asked and asked.draft(asked.child(asked.root, "$defs", "middle")).number == 2020
    assert not documents({}).draft(Place("", "")).declared


def test_documents_without_a_dialect_take_the_registry_s() -> None:
    contents: Any = {"http://x/a": {"items": {}}, "http://x/b": {"$schema": URIS[4]}}
    registry = registry_of(contents, 2019)
    registry = registry.with_resource("http://x/c", referencing.Resource.opaque({}))
    found = documents({"anyOf": [{"$ref": f"http://x/{name}"} for name in "abc"]}, 7, registry)
    places = [found.targets(found.child(found.root, "anyOf", index), "$ref") for index in range(3)]
    assert [found.draft(place).number for place in places] == [2019, 4, 7]


def test_unknown_dialects() -> None:
    with pytest.raises(UnsupportedError, match="not known") as caught:
        documents({"$schema": "http://x/mine"})
    assert caught.value.pointer == "/$schema" and "draft=" in caught.value.hint
    assert documents({"$schema": "http://x/mine"}, 7).draft(Place("", "")).number == 7
    with pytest.raises(GrammarError, match="must be a string"):
        documents({"$schema": 7})
    inner = documents({"properties": {"a": {"$schema": "http://x/mine"}, "b": {}}})
    assert inner.schema(inner.child(inner.root, "properties", "b")) == {}
    with pytest.raises(UnsupportedError) as caught:
        inner.schema(inner.child(inner.root, "properties", "a"))
    assert caught.value.pointer == "/properties/a/$schema"
    with pytest.raises(OptionError):
        documents({}, 3)


def vocabularies(draft: int, **given: bool) -> Any:
    folder = {2019: "2019-09", 2020: "2020-12"}[draft]
    uris = {
        f"https://json-schema.org/draft/{folder}/vocab/{name.replace('_', '-')}": v
        for name, v in given.items()
    }
    return {"$id": "http://x/meta", "$schema": URIS[draft], "$vocabulary": uris}


def test_vocabularies() -> None:
    schema = {
        "$schema": "http://x/meta",
        "type": "null",
        "minLength": 2,
        "items": False,
        "unevaluatedItems": False,
    }

    def kept(metaschema: Any) -> list[str]:
        found = documents(schema, registry=registry_of({"http://x/meta": metaschema}))
        return [keyword for keyword in found.schema(found.root) if keyword != "$schema"]  # type: ignore[union-attr]

    every = ["type", "minLength", "items", "unevaluatedItems"]
    assert kept({"$schema": URIS[2020]}) == every
    assert kept(vocabularies(2020, core=True, applicator=True)) == ["items"]
    assert kept(vocabularies(2020, core=True, unevaluated=False)) == ["unevaluatedItems"]
    assert kept(vocabularies(2019, core=True, applicator=True)) == ["items", "unevaluatedItems"]
    assert kept(vocabularies(2019, core=True, validation=True)) == ["type", "minLength"]
    assert kept(vocabularies(2020, core=True, validation=True, new=False)) == ["type", "minLength"]
    with pytest.raises(UnsupportedError, match=r"requires the vocabulary .*/vocab/new"):
        kept(vocabularies(2020, core=True, new=True))
    assert kept({"$schema": URIS[7]}) == every


def test_a_dialect_that_names_itself_is_unknown() -> None:
    circle = {"$id": "http://x/meta", "$schema": "http://x/meta"}
    registry = referencing.Registry().with_resource("http://x/meta", referencing.Resource.opaque(circle))
    with pytest.raises(UnsupportedError, match="not known"):
        documents({"$schema": "http://x/meta"}, registry=registry)


def test_predicates_on_the_whole_text_read_the_same_documents() -> None:
    unique = {"type": "array", "uniqueItems": True}
    tree = {**TREE, "properties": {"data": True, "children": {**unique, "items": {"$dynamicRef": "#node"}}}}
    meta = vocabularies(2020, core=True, applicator=True)
    registry = registry_of({"http://x/tree": tree, "http://x/meta": meta})
    registry = registry.combine(registry_of({"http://x/old": {"items": [{"type": "integer"}], **unique}}, 7))

    strict = json_schema(STRICT, registry=registry)
    assert strict.residuals
    assert strict.accepts('{"data":1,"children":[{"data":1},{"data":2}]}')
    assert not strict.accepts('{"data":1,"children":[{"data":1},{"data":1}]}')
    assert not strict.accepts('{"data":1,"children":[{}]}')

    mixed = json_schema(
        {
            "$schema": "http://x/meta",
            "type": "null",
            "properties": {"a": {"$ref": "http://x/old"}, "b": unique},
        },
        registry=registry,
    )
    assert mixed.residuals
    assert mixed.accepts('{"a":[1,"x"],"b":[1,1]}')  # `b` is of a dialect without assertions
    assert not mixed.accepts('{"a":[1,1]}') and not mixed.accepts('{"a":["x"]}')
