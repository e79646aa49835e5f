"""References and identifiers in schema documents."""

from __future__ import annotations

from typing import Any
from unittest.mock import ANY

import pytest
import referencing
import referencing.jsonschema
from reference_oracle import URIS, documents, registry_of, valid

from gramspec.errors import GrammarError, OptionError
from gramspec.grammar.json_schema.documents import Documents, Place
from gramspec.grammar.json_schema.uris import join


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


# Malformed schemas ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schema", "pointer"),
    [
        ([], ""),
        ("text", ""),
        ({"$id": 1}, "/$id"),
        ({"$anchor": "1a"}, "/$anchor"),
        ({"$defs": [{}]}, "/$defs"),
        ({"definitions": True}, "/definitions"),
        ({"definitions": {"a/b": 1}}, "/definitions/a~1b"),
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


def test_an_id_of_draft_4_that_is_no_text_identifies_nothing() -> None:
    found = documents({"items": {"id": {"type": "string"}, "type": "object"}}, 4)
    assert found.schema(found.child(found.root, "items")) == {"id": {"type": "string"}, "type": "object"}


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


def test_many_lost_references_take_linear_time() -> None:
    names = {f"name{index}": {"$ref": f"#/$defs/nime{index}"} for index in range(4000)}
    found = documents({"$defs": names, "anyOf": [{"$ref": "#n"}] * 500})
    assert found.schema(found.root)
