"""References, identifiers and drafts of schema documents."""

from __future__ import annotations

import json
import random
from functools import lru_cache
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import jsonschema
import pytest
import referencing
import referencing.jsonschema
from reference_oracle import TooDeepError, valid

from gramspec.errors import GrammarError, OptionError, UnsupportedError
from gramspec.grammar.json_schema.documents import Documents, Place
from gramspec.grammar.json_schema.sources import load
from gramspec.grammar.json_schema.uris import join

SUITE = Path(__file__).resolve().parents[3] / "shared" / "data" / "json_schema_test_suite"
URIS = {
    4: "http://json-schema.org/draft-04/schema#",
    6: "http://json-schema.org/draft-06/schema#",
    7: "http://json-schema.org/draft-07/schema#",
    2019: "https://json-schema.org/draft/2019-09/schema",
    2020: "https://json-schema.org/draft/2020-12/schema",
}


def documents(schema: Any, draft: int | None = None, registry: Any = None) -> Documents:
    return Documents(load(schema), None if draft is None else URIS.get(draft, draft), registry)


def target(schema: Any, *path: str | int, draft: int | None = None, keyword: str = "$ref") -> str:
    """The pointer that the reference at a path leads to."""
    found = documents(schema, draft)
    return found.targets(found.child(found.root, *path), keyword).pointer


def refused(schema: Any, *path: str | int, draft: int | None = None, registry: Any = None) -> GrammarError:
    found = documents(schema, draft, registry)
    with pytest.raises(GrammarError) as caught:
        found.targets(found.child(found.root, *path), "$ref")
    return caught.value


@pytest.mark.parametrize(
    ("base", "reference", "expected"),
    [
        # RFC 3986, section 5.4
        *(
            ("http://a/b/c/d;p?q", reference, expected)
            for reference, expected in [
                ("g:h", "g:h"),
                ("g", "http://a/b/c/g"),
                ("./g", "http://a/b/c/g"),
                ("g/", "http://a/b/c/g/"),
                ("/g", "http://a/g"),
                ("//g", "http://g"),
                ("?y", "http://a/b/c/d;p?y"),
                ("g?y", "http://a/b/c/g?y"),
                (";x", "http://a/b/c/;x"),
                ("", "http://a/b/c/d;p?q"),
                (".", "http://a/b/c/"),
                ("./", "http://a/b/c/"),
                ("..", "http://a/b/"),
                ("../g", "http://a/b/g"),
                ("../..", "http://a/"),
                ("../../g", "http://a/g"),
                ("../../../g", "http://a/g"),
                ("/../g", "http://a/g"),
                ("g.", "http://a/b/c/g."),
                ("..g", "http://a/b/c/..g"),
                ("./g/.", "http://a/b/c/g/"),
                ("g/../h", "http://a/b/c/h"),
                ("g;x=1/../y", "http://a/b/c/y"),
            ]
        ),
        ("urn:uuid:1234", "", "urn:uuid:1234"),
        ("urn:uuid:1234", "urn:other:5", "urn:other:5"),
        ("custom://host/a/b.json", "c.json", "custom://host/a/c.json"),
        ("tag:example.com,2026:a/b", "c", "tag:example.com,2026:a/c"),
        ("http://host", "a.json", "http://host/a.json"),
        ("", "a.json", "a.json"),
        ("dir/a.json", "../b.json", "b.json"),
    ],
)
def test_references_resolve_as_uris(base: str, reference: str, expected: str) -> None:
    assert join(base, reference) == expected


def test_pointers_are_followed_through_everything() -> None:
    schema = {
        "$defs": {"a/b": {"~": {"": [True, {"type": "null"}]}}, "50% off": {}, "ö": {}},
        "anyOf": [
            {"$ref": "#/$defs/a~1b/~0//1"},
            {"$ref": "#/%24defs/50%25%20off"},
            {"$ref": "#/$defs/ö"},
            {"$ref": "#/$defs/%C3%B6"},
            {"$ref": "#"},
            {"$ref": ""},
        ],
    }
    found = [target(schema, "anyOf", index) for index in range(6)]
    assert found == ["/$defs/a~1b/~0//1", "/$defs/50% off", "/$defs/ö", "/$defs/ö", "", ""]


@pytest.mark.parametrize(
    ("reference", "reason"),
    [
        ("#/$defs/b", "there is no 'b' in /$defs"),
        ("#/$defs/list/3", "there is no '3'"),
        ("#/$defs/list/01", "there is no '01'"),
        ("#/$defs/list/-", "there is no '-'"),
        ("#/$defs/a~2", "not a JSON pointer"),
        ("#name", "has no anchor 'name'"),
        ("#/%FF", "not percent-encoded UTF-8"),
        ("other.json", "no known document"),
        ("http://json-schema.org/draft-03/hyper-schema#", "no known document"),
    ],
)
def test_references_that_lead_nowhere(reference: str, reason: str) -> None:
    schema = {"$defs": {"a": True, "list": [True]}, "properties": {"x": {"$ref": reference}}}
    error = refused(schema, "properties", "x")
    assert error.pointer == "/properties/x/$ref"
    assert reason in error.reason
    assert repr(reference) in error.reason


def test_hints_of_lost_references() -> None:
    assert "'address'" in refused({"$defs": {"address": {}}, "$ref": "#/$defs/adress"}).hint
    assert "registry=" in refused({"$ref": "http://example.com/a"}).hint
    registry: Any = referencing.Registry()
    assert "'http://example.com/a'" in refused({"$ref": "http://example.com/a"}, registry=registry).hint
    found = documents({"$ref": 1})
    with pytest.raises(GrammarError, match="must be a string"):
        found.targets(found.root, "$ref")


def test_lost_references_matter_only_where_they_are_used() -> None:
    found = documents(
        {"properties": {"a": {"$ref": "#/nowhere"}, "b": {"$ref": "#/$defs/b"}}, "$defs": {"b": {}}}
    )
    assert found.targets(found.child(found.root, "properties", "b"), "$ref").pointer == "/$defs/b"


@pytest.mark.parametrize("draft", [4, 6, 7])
def test_names_of_old_drafts(draft: int) -> None:
    name = "id" if draft == 4 else "$id"
    schema = {
        name: "http://example.com/root.json",
        "definitions": {
            "A": {name: "#foo"},
            "B": {name: "other.json", "definitions": {"X": {name: "#bar"}, "Y": {name: "t/inner.json"}}},
            "C": {name: "urn:uuid:ee564b8a-7a87-4125-8c96-e9f123d6766f"},
            "D": {name: "http://example.com/far.json#baz"},
        },
        "anyOf": [
            {"$ref": "#foo"},
            {"$ref": "root.json#foo"},
            {"$ref": "other.json#bar"},
            {"$ref": "http://example.com/t/inner.json"},
            {"$ref": "urn:uuid:ee564b8a-7a87-4125-8c96-e9f123d6766f"},
            {"$ref": "far.json#baz"},
            {"$ref": "other.json#/definitions/Y"},
        ],
    }
    found = [target(schema, "anyOf", index, draft=draft) for index in range(7)]
    assert found == [
        "/definitions/A",
        "/definitions/A",
        "/definitions/B/definitions/X",
        "/definitions/B/definitions/Y",
        "/definitions/C",
        "/definitions/D",
        "/definitions/B/definitions/Y",
    ]


@pytest.mark.parametrize("draft", [2019, 2020])
def test_names_of_new_drafts(draft: int) -> None:
    schema = {
        "$id": "https://example.com/root.json",
        "$defs": {
            "A": {"$anchor": "foo"},
            "B": {"$id": "other.json", "$defs": {"X": {"$anchor": "bar"}, "Y": {"$id": "t/inner.json"}}},
        },
        "anyOf": [
            {"$ref": "#foo"},
            {"$ref": "other.json#bar"},
            {"$ref": "/t/inner.json"},
            {"$id": "http://elsewhere.org/x/", "$ref": "https://example.com/root.json#/$defs/A"},
        ],
    }
    found = [target(schema, "anyOf", index, draft=draft) for index in range(4)]
    assert found == ["/$defs/A", "/$defs/B/$defs/X", "/$defs/B/$defs/Y", "/$defs/A"]


def test_pointers_count_from_the_nearest_identifier() -> None:
    schema = {
        "$id": "http://x/root",
        "$defs": {
            "inner": {"$id": "inner", "$defs": {"a": {"type": "null"}}, "allOf": [{"$ref": "#/$defs/a"}]},
            "a": {"type": "string"},
        },
    }
    assert target(schema, "$defs", "inner", "allOf", 0) == "/$defs/inner/$defs/a"


def test_two_schemas_of_one_name_are_ambiguous() -> None:
    twice = {"$defs": {"a": {"$id": "http://x/a"}, "b": {"$id": "http://x/a"}}, "$ref": "http://x/a"}
    error = refused(twice)
    assert "ambiguous" in error.reason and "/$defs/a, /$defs/b" in error.reason
    assert (
        "ambiguous" in refused({"$defs": {"a": {"$anchor": "n"}, "b": {"$anchor": "n"}}, "$ref": "#n"}).reason
    )
    del twice["$ref"]
    assert documents(twice).root.pointer == ""


def test_data_and_unknown_keywords_name_nothing() -> None:
    inside = {"$id": "http://x/hidden", "$anchor": "name"}
    for hiding in ({"const": inside}, {"enum": [inside]}, {"default": inside}, {"unknown": {"a": inside}}):
        assert "no known document" in refused({"$ref": "http://x/hidden", **hiding}).reason
        assert "no anchor" in refused({"$ref": "#name", **hiding}).reason
    found = documents({"const": {"$ref": "#/nowhere"}, "enum": [{"$ref": 1}]})
    assert found.schema(found.root) == {"const": {"$ref": "#/nowhere"}, "enum": [{"$ref": 1}]}


def test_references_into_unknown_keywords() -> None:
    schema = {
        "$id": "http://x/root",
        "unknown": {
            "u": {
                "$id": "http://y/u",
                "$defs": {"a": {"$anchor": "n", "type": "null"}},
                "anyOf": [{"$ref": "#/$defs/a"}, {"$ref": "#n"}],
            }
        },
        "$defs": {"a": {"type": "string"}},
        "$ref": "#/unknown/u",
    }
    found = documents(schema)
    there = found.targets(found.root, "$ref")
    assert there.pointer == "/unknown/u"
    for index in range(2):
        place = found.targets(found.child(there, "anyOf", index), "$ref")
        assert place.pointer == "/unknown/u/$defs/a"


@pytest.mark.parametrize("draft", [4, 6, 7])
def test_siblings_of_references_do_not_count_in_old_drafts(draft: int) -> None:
    name = "id" if draft == 4 else "$id"
    schema = {
        name: "http://x/base/",
        "definitions": {"a": {name: "a.json"}, "b": {name: "http://x/other/a.json"}},
        "properties": {"p": {name: "http://x/other/", "$ref": "a.json", "type": "null"}},
    }
    found = documents(schema, draft)
    place = found.child(found.root, "properties", "p")
    assert found.schema(place) == {"$ref": "a.json"}
    assert found.targets(place, "$ref").pointer == "/definitions/a"
    assert documents({"$ref": "#", "type": "null"}, 2019).schema(Place("", "")) == {
        "$ref": "#",
        "type": "null",
    }


def registry_of(contents: dict[str, Any], draft: int = 2020) -> Any:
    specification = {
        7: referencing.jsonschema.DRAFT7,
        2019: referencing.jsonschema.DRAFT201909,
        2020: referencing.jsonschema.DRAFT202012,
    }[draft]
    return referencing.Registry().with_resources(
        (uri, referencing.Resource.from_contents(schema, default_specification=specification))
        for uri, schema in contents.items()
    )


def test_documents_of_a_registry() -> None:
    registry = registry_of(
        {
            "http://x/dir/a.json": {"properties": {"b": {"$ref": "b.json#/$defs/c"}}, "$anchor": "top"},
            "http://x/dir/b.json": {"$defs": {"c": {"type": "number", "maximum": 0.1}}},
            "http://x/found": {
                "$id": "http://x/own",
                "$defs": {"d": {"$id": "far/", "$defs": {"e": {"$id": "e"}}}},
            },
            "http://x/false": False,
        }
    )
    for given in (registry, registry.crawl()):
        names = ["dir/a.json#top", "own", "found", "far/e", "false"]
        schema = {"anyOf": [{"$ref": f"http://x/{name}"} for name in names]}
        found = documents(schema, registry=given)
        places = [found.targets(found.child(found.root, "anyOf", index), "$ref") for index in range(5)]
        assert places[0] == Place("http://x/dir/a.json", "")
        inner = found.targets(found.child(places[0], "properties", "b"), "$ref")
        assert inner == Place("http://x/dir/b.json", "/$defs/c")
        assert str(found.schema(inner)["maximum"]) == "0.1"  # type: ignore[index]
        assert found.pointer(inner) == "http://x/dir/b.json#/$defs/c"
        assert found.value(places[1]) is found.value(places[2]) or given is not registry
        assert found.value(places[1]) == found.value(places[2]) == {"$id": "http://x/own", "$defs": ANY}
        assert found.value(places[3]) == {"$id": "e"}
        assert found.schema(places[4]) is False
        assert set(found.contents) >= {"", "http://x/dir/a.json", "http://x/dir/b.json"}


def test_the_user_s_document_precedes_the_registry() -> None:
    registry = registry_of({"http://x/a": {"type": "null"}})
    assert documents(
        {"$defs": {"a": {"$id": "http://x/a"}}, "$ref": "http://x/a"}, registry=registry
    ).targets(Place("", ""), "$ref") == Place("", "/$defs/a")


def test_nothing_is_retrieved() -> None:
    def retrieve(uri: str) -> Any:
        raise AssertionError(f"asked for {uri}")

    assert (
        "retrieve" in refused({"$ref": "http://x/a"}, registry=referencing.Registry(retrieve=retrieve)).hint
    )  # type: ignore[call-arg]


def test_malformed_registries() -> None:
    with pytest.raises(OptionError, match="registry"):
        documents({}, registry={"http://x/a": {}})
    broken = registry_of({"http://x/a": {"properties": 3, "const": {1: 2}}})
    assert "not a string" in refused({"$ref": "http://x/a"}, registry=broken).reason


@pytest.mark.parametrize("draft", [4, 6, 7, 2019, 2020])
def test_the_metaschemas_are_known(draft: int) -> None:
    found = documents({"$ref": URIS[draft]})
    there = found.targets(found.root, "$ref")
    assert there.resource == URIS[draft].rstrip("#")
    assert found.draft(there).number == draft
    schema = {"type": "object", "properties": {"a": {"type": ["string", 1]}}}
    good = {"type": "object", "properties": {"a": {"type": ["string", "null"]}}}
    assert valid(found, good)
    assert not valid(found, schema)


# The dynamic scope ---------------------------------------------------------------------------------

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
    assert target(schema, "anyOf", 1) == "/$defs/old/properties/a"
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


# Malformed schemas ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schema", "pointer"),
    [
        ([], ""),
        ("text", ""),
        ({"$id": 1}, "/$id"),
        ({"$anchor": "1a"}, "/$anchor"),
        ({"$dynamicAnchor": "#a"}, "/$dynamicAnchor"),
        ({"const": "\ud800"}, "/const"),
        ({"enum": [{"a": ["\udfff"]}]}, "/enum"),
        ({"properties": {"\ud83d": {}}}, "/properties"),
        ({"pattern": "\ud83d"}, "/pattern"),
    ],
)
def test_malformed(schema: Any, pointer: str) -> None:
    found = Documents(schema)
    with pytest.raises(GrammarError) as caught:
        found.schema(found.root)
    assert caught.value.pointer == pointer
    str(caught.value).encode()


def test_annotations_may_hold_any_text() -> None:
    found = Documents({"title": "\ud800", "const": "\U0001f600", "properties": {"a": {}}})
    assert found.schema(found.root)


def test_many_references_take_linear_time() -> None:
    count = 4000
    schema: Any = {"$defs": {f"d{index}": {"$ref": f"#/$defs/d{index + 1}"} for index in range(count)}}
    schema["$defs"][f"d{count}"] = {"type": "null"}
    schema["$ref"] = "#/$defs/d0"
    found = documents(schema)
    place = found.root
    for _ in range(count + 1):
        place = found.targets(place, "$ref")
    assert found.schema(place) == {"type": "null"}


# Oracles -------------------------------------------------------------------------------------------


@lru_cache
def remotes(draft: int) -> Any:
    folder = SUITE / "remotes"
    return registry_of(
        {
            f"http://localhost:1234/{path.relative_to(folder).as_posix()}": json.loads(path.read_text())
            for path in sorted(folder.rglob("*.json"))
        },
        draft,
    )


def keywords_of(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value).union(*(keywords_of(item) for item in value.values()))
    return set().union(*(keywords_of(item) for item in value)) if isinstance(value, list) else set()


@pytest.mark.parametrize(("folder", "draft"), [("draft7", 7), ("draft2019-09", 2019), ("draft2020-12", 2020)])
def test_the_reference_files_of_the_suite(folder: str, draft: int) -> None:
    if not SUITE.exists():
        pytest.skip("the files of the JSON-Schema-Test-Suite are not beside this checkout")
    foreign = {"patternProperties", "propertyNames", "unevaluatedProperties", "contains", "dependencies"}
    foreign |= {"dependentRequired", "pattern", "additionalItems"}
    count = 0
    for name in (
        "anchor",
        "defs",
        "recursiveRef",
        "vocabulary",
        "infinite-loop-detection",
        "id",
        "unknownKeyword",
    ):
        for path in sorted((SUITE / folder).rglob(f"{name}.json")):
            for group in json.loads(path.read_text()):
                schema = group["schema"]
                if keywords_of(schema) & foreign:
                    continue
                found = documents(schema, None if "$schema" in schema else draft, remotes(draft))
                for case in group["tests"]:
                    count += 1
                    assert valid(found, case["data"]) == case["valid"], (
                        path.name,
                        group["description"],
                        case,
                    )
    assert count >= 8


def random_schema(choose: random.Random, draft: int) -> dict[str, Any]:
    """A schema of several resources with names and references of every kind."""
    files = ["a.json", "b.json", "c.json"]
    identifier = "id" if draft == 4 else "$id"
    bases = ["", "", "http://h/r/root.json", "root.json", *files, *(f"http://h/r/{name}" for name in files)]
    fragments = ["#", "", "#x", "#y", "#/definitions/0", "#/%64efinitions/1", "#/definitions/0/properties/p"]

    def schema(depth: int, taken: set[str]) -> dict[str, Any]:
        items: dict[str, Any] = {}
        if depth == 0:
            items[identifier] = "http://h/r/root.json"
        elif files and choose.random() < 0.3:
            taken = set()
            items[identifier] = files.pop()
        free = sorted({"x", "y"} - taken)
        if free and choose.random() < 0.25 and (draft >= 2019 or identifier not in items):
            taken.add(free[0])
            items["$anchor" if draft >= 2019 else identifier] = free[0] if draft >= 2019 else f"#{free[0]}"
        if draft == 2019 and choose.random() < 0.4:
            items["$recursiveAnchor"] = True
        if draft == 2019 and choose.random() < 0.4:
            items["$recursiveRef"] = "#"
        if choose.random() < 0.5:
            items["type"] = choose.choice(["integer", "string", "object", ["object", "integer"]])
        if choose.random() < 0.35:
            items["$ref"] = (choose.choice(bases) + choose.choice(fragments)) or "#"
        if depth < 2:
            if choose.random() < 0.6:
                items["properties"] = {name: schema(depth + 1, taken) for name in "pq"}
            if choose.random() < 0.3:
                items["allOf"] = [schema(depth + 1, taken)]
            if depth == 0 or choose.random() < 0.3:
                items["definitions"] = {str(index): schema(depth + 1, taken) for index in range(2)}
        pairs = list(items.items())
        choose.shuffle(pairs)
        return dict(pairs)

    return {"$schema": URIS[draft], **schema(0, set())}


def random_value(choose: random.Random, depth: int = 0) -> Any:
    if depth > 2 or choose.random() < 0.4:
        return choose.choice([1, "s", None])
    return {name: random_value(choose, depth + 1) for name in "pqz" if choose.random() < 0.6}


@pytest.mark.parametrize("draft", [4, 7, 2019, 2020])
def test_references_as_jsonschema_resolves_them(draft: int) -> None:
    judged = 0
    for seed in range(250):
        choose = random.Random(seed)
        schema = random_schema(choose, draft)
        ours, theirs = Documents(load(schema)), jsonschema.validators.validator_for(schema)(schema)
        for _ in range(3):
            value = random_value(choose)
            try:
                verdict, expected = valid(ours, value), theirs.is_valid(value)
            except (GrammarError, TooDeepError, RecursionError):
                continue  # an unresolvable reference or a circle of them
            except (referencing.exceptions.Unresolvable, jsonschema.exceptions._WrappedReferencingError):
                continue
            judged += 1
            assert verdict == expected, (seed, schema, value)
    assert judged > 150
