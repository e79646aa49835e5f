"""JSON Schema front end: keywords, layout, drafts, references and errors, case by case."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any, Literal, TypedDict

import pydantic
import pytest

from gramspec.errors import EmptyLanguageError, GrammarError, OptionError, UnsupportedError
from gramspec.grammar.json_schema import json_schema
from gramspec.grammar.json_schema.sources import MAX_DEPTH
from tests.grammar.ir_oracle import accepts, node_count


def check(schema: Any, good: list[str], bad: list[str], **options: Any) -> None:
    """Every text of `good` is in the grammar of a schema, none of `bad` is."""
    grammar = json_schema(schema, **options)
    for text in good:
        assert accepts(grammar.expr, text), f"refused: {text}"
        assert grammar.accepts(text), f"refused by the automaton or a predicate: {text}"
    for text in bad:
        assert grammar.residuals or not accepts(grammar.expr, text), f"accepted: {text}"
        assert not grammar.accepts(text), f"accepted by the automaton: {text}"


def refused(schema: Any, kind: type[Exception], pointer: str, reason: str, **options: Any) -> None:
    """Building fails with exactly this class, place, and a reason that holds the given words."""
    with pytest.raises(kind) as caught:
        json_schema(schema, **options)
    error = caught.value
    assert type(error) is kind
    assert isinstance(error, GrammarError)
    assert error.pointer == pointer
    assert reason in error.reason


PLAIN = ["null", "true", "false", "0", "-1.5e+3", '""', '"\\u00e9\\n"', "[]", '[1, {"a": [null]}]', "{}"]


def test_the_true_schema_takes_any_json() -> None:
    for schema in (True, {}, {"title": "t", "description": "d", "x-unknown": 1}, "true", '{"$comment": ""}'):
        check(
            schema,
            PLAIN,
            ["", " 1", "1 ", "01", "nul", '"\n"', '{"a":1,"a":2}', '{"a":1,"\\u0061":2}', "[1,]"],
        )


@pytest.mark.parametrize(
    ("name", "members"),
    [
        ("null", ["null"]),
        ("boolean", ["true", "false"]),
        ("string", ['""', '"x"']),
        ("integer", ["0", "7", "-3.0", "2e3", "1.5e1", "-0", "0.1e1"]),
        ("number", ["0", "7", "-3.0", "2e3", "1.5", "1E400", "12e999", "1.5e1", "-0", "0.1e1"]),
        ("array", ["[]", "[1]"]),
        ("object", ["{}", '{"a":1}']),
    ],
)
def test_type(name: str, members: list[str]) -> None:
    others = ["null", "true", '"x"', "1.5", "[]", "{}"]
    check({"type": name}, members, [t for t in others if t not in members])


def test_type_list_is_a_union() -> None:
    check({"type": ["string", "null"]}, ["null", '"a"'], ["1", "{}", "true"])
    check({"type": ["integer", "number"]}, ["1", "1.5"], ["null"])


def test_keywords_speak_of_their_own_type_only() -> None:
    schema = {"minLength": 2, "minItems": 1, "required": ["a"], "minimum": 3}
    check(schema, ["null", "true", '"ab"', "[0]", '{"a":1}', "3", "3.5"], ['"a"', "[]", "{}", "2.99", "-1"])


def test_lengths_count_characters_in_any_spelling() -> None:
    check(
        {"type": "string", "minLength": 1, "maxLength": 2},
        ['"a"', '"é\\n"', '"\\ud83d\\ude00x"', '"😀😀"', '"\\""'],
        ['""', '"abc"', '"😀😀😀"', '"\\ud83d\\ude00\\ud83d\\ude00x"', '"\\ud83d"'],
    )
    check({"type": "string", "maxLength": 0}, ['""'], ['"a"'])
    check({"type": "string", "minLength": 2.0}, ['"ab"'], ['"a"'])


def test_numeric_bounds() -> None:
    check(
        {"type": "integer", "minimum": 1.5, "maximum": 12}, ["2", "12", "12.0", "1.2e1"], ["1", "13", "1.5"]
    )
    check(
        {"type": "integer", "exclusiveMinimum": -3, "exclusiveMaximum": 3},
        ["-2", "0", "-0", "2.00", "2e0"],
        ["-3", "3", "3e0", "0.3e1"],
    )
    check(
        {"type": "number", "minimum": 0.1, "exclusiveMaximum": 2},
        ["0.1", "1.9999", "1e-1"],
        ["0.09", "2", "-1"],
    )
    check({"type": "integer", "minimum": 2**70}, [str(2**70), str(2**80)], [str(2**70 - 1)])


def test_array_bounds_and_items() -> None:
    schema = {"type": "array", "items": {"type": "boolean"}, "minItems": 1, "maxItems": 3}
    check(schema, ["[true]", "[true,false]", "[ true , true,false ]"], ["[]", "[1]", "[true,true,true,true]"])
    check({"type": "array", "items": False}, ["[]", "[ ]"], ["[1]"])
    check({"type": "array", "maxItems": 0}, ["[]"], ["[1]"])
    check({"type": "array", "items": True, "minItems": 2}, ["[1,[]]"], ["[1]"])
    grammar = json_schema({"type": "array", "items": {"type": "null"}, "minItems": 10**9, "maxItems": 10**12})
    assert node_count(grammar.expr) < 60


def test_prefix_items() -> None:
    schema = {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}]}
    check(schema, ["[]", "[1]", '[1,"a"]', '[1,"a",null]'], ["[null]", "[1,2]"])
    check({**schema, "items": False, "minItems": 1}, ["[1]", '[1,"a"]'], ["[]", '[1,"a",1]'])
    check({**schema, "items": {"type": "null"}, "minItems": 3}, ['[1,"a",null]'], ['[1,"a"]', '[1,"a",1]'])
    check({**schema, "maxItems": 1}, ["[]", "[1]"], ['[1,"a"]'])
    check({"type": "array", "prefixItems": [True, False]}, ["[]", "[1]"], ["[1,1]"])
    old = {"type": "array", "items": [{"type": "integer"}], "additionalItems": {"type": "null"}}
    check(old, ["[]", "[1,null]"], ["[null]", "[1,1]"], draft="7")


OBJECT = {
    "type": "object",
    "properties": {"a": {"type": "integer"}, "b": {"type": "string"}, "c": {"type": "null"}},
    "required": ["b"],
}


def test_properties_in_schema_order() -> None:
    check(
        OBJECT,
        ['{"b":""}', '{"a":1,"b":"","c":null}', '{"b":"","c":null,"z":0}', '{"b":"","\\u007a":0,"y":{}}'],
        ['{"a":1}', '{"b":"","a":1}', '{"z":0,"b":""}', '{"b":"","b":""}', '{"b":"","z":1,"z":1}', '{"b":1}'],
    )


def test_properties_in_any_order() -> None:
    check(
        OBJECT,
        ['{"b":"","a":1}', '{"z":0,"c":null,"b":""}', '{"\\u0062" : ""}'],
        ['{"a":1}', '{"z":0,"b":"","\\u0062":""}', '{"z":0,"b":"","z":0}', '{"b":1,"a":1}'],
        property_order="any",
    )


def test_additional_properties() -> None:
    closed = {**OBJECT, "additionalProperties": False}
    check(closed, ['{"b":"x"}'], ['{"b":"x","z":1}', '{"b":"x","\\u0061a":1}'])
    typed = {**OBJECT, "additionalProperties": {"type": "integer"}}
    check(typed, ['{"b":"x","z":1}'], ['{"b":"x","z":""}', '{"z":1}'])


def test_required_without_declaration() -> None:
    schema = {
        "type": "object",
        "required": ["y", "x"],
        "properties": {"a": True},
        "additionalProperties": {"type": "null"},
    }
    check(
        schema,
        ['{"y":null,"x":null}', '{"x":null,"y":null}', '{"a":1,"y":null,"q":null,"x":null}'],
        ['{"y":null}', '{"y":1,"x":null}', '{"y":null,"a":1,"x":null}'],
    )
    check(schema, ['{"x":null,"q":null,"y":null}'], ['{"x":1,"y":null}'], property_order="any")


def test_property_that_no_value_satisfies() -> None:
    schema = {"type": "object", "properties": {"a": False, "b": {"type": "null"}}}
    check(schema, ["{}", '{"b":null}', '{"c":1}'], ['{"a":1}', '{"a":null,"b":null}'])


def test_enum_and_const() -> None:
    schema = {"enum": ["a\n", 1, None, True, [1, "x"], {"k": 1, "l": [2]}, 1.50]}
    check(
        schema,
        [
            '"a\\n"',
            '"\\u0061\\u000A"',
            "1",
            "1.0",
            "0.1e1",
            "1e-0",
            "null",
            "true",
            '[ 1.0 , "x"]',
            '{"k":1,"l":[2e0]}',
            "1.5",
            "1.500",
        ],
        ['"a"', "0", "false", "[1]", '{"l":[2],"k":1}', '{"k":1}', "1.51", "15e-1", '{"k":1,"l":[2],"k":1}'],
    )
    check(schema, ['{"l":[2],"k":1}'], ['{"l":[2]}'], property_order="any")
    check({"const": {}}, ["{}", "{ }"], ["[]", '{"a":1}'])
    check({"const": []}, ["[]", "[ ]"], ["[1]", "{}"])
    check({"const": 0}, ["0", "-0", "0.0", "-0e5"], ["1", "false", "1e-400"])


def test_siblings_filter_constants() -> None:
    check({"type": "string", "enum": ["a", "abc", 1]}, ['"a"', '"abc"'], ["1"])
    check({"enum": ["a", "abc", 1, 2.5], "maxLength": 2, "minimum": 2}, ['"a"', "2.5"], ['"abc"', "1"])
    check({"enum": [2, 3, 4], "multipleOf": 2}, ["2", "4.0"], ["3"])
    nested = {"properties": {"a": {"type": "integer", "anyOf": [{"maximum": 3}, {"const": 9}]}}}
    check(
        {"enum": [{"a": 1}, {"a": 5}, {"a": 9}, {"a": "x"}], **nested},
        ['{"a":1}', '{"a":9}'],
        ['{"a":5}', '{"a":"x"}'],
    )
    check({"enum": [1, 2], "anyOf": [{"const": 2}, {"type": "string"}]}, ["2"], ["1"])
    check({"const": 1, "enum": [1.0, 2]}, ["1"], ["2"])


def test_any_of_with_siblings_is_an_intersection() -> None:
    schema = {
        "type": "object",
        "properties": {"kind": {"type": "string"}, "n": {"type": "integer"}},
        "required": ["kind"],
        "anyOf": [
            {"properties": {"kind": {"const": "low"}, "n": {"maximum": 3}}},
            {"properties": {"kind": {"const": "high"}, "n": {"minimum": 7}}, "required": ["n"]},
        ],
    }
    check(
        schema,
        ['{"kind":"low"}', '{"kind":"low","n":3}', '{"kind":"high","n":7}'],
        ['{"kind":"mid"}', '{"kind":"high"}', '{"kind":"low","n":4}', '{"kind":"high","n":3}'],
    )


def test_two_any_ofs_multiply() -> None:
    schema = {
        "allOf": [
            {"anyOf": [{"type": "integer", "minimum": 5}, {"type": "string", "minLength": 2}]},
            {"anyOf": [{"maximum": 7}, {"minimum": 10}]},
            {"anyOf": [{"maxLength": 3}, {"minLength": 5}]},
        ]
    }
    check(schema, ["5", "7", "10", '"ab"', '"abc"', '"abcde"'], ["4", "8", '"a"', '"abcd"', "null"])


def test_closed_object_met_by_open_one() -> None:
    schema = {
        "allOf": [
            {
                "type": "object",
                "properties": {"a": {"type": "integer"}},
                "additionalProperties": {"type": "number"},
            },
            {"properties": {"b": {"minimum": 0}}, "additionalProperties": {"maximum": 9}},
        ]
    }
    check(
        schema,
        ['{"a":9}', '{"b":1.5}', '{"a":1,"b":20,"z":-1.5}'],
        ['{"a":10}', '{"b":-1}', '{"b":"x"}', '{"z":9.5}', '{"z":""}', '{"a":1.5}'],
    )


def test_order_of_first_appearance() -> None:
    schema = {
        "$defs": {"base": {"properties": {"x": {"type": "null"}, "y": {"type": "null"}}}},
        "allOf": [{"$ref": "#/$defs/base"}],
        "properties": {"z": {"type": "null"}, "x": True},
        "required": ["x", "y", "z"],
    }
    check({**schema, "type": "object"}, ['{"x":null,"y":null,"z":null}'], ['{"z":null,"x":null,"y":null}'])
    turned = {"type": "object", "properties": schema["properties"], **schema}
    check(turned, ['{"z":null,"x":null,"y":null}'], ['{"x":null,"y":null,"z":null}'])


def test_recursion() -> None:
    tree = {
        "$defs": {
            "node": {
                "type": "object",
                "properties": {
                    "v": {"type": "integer"},
                    "kids": {"type": "array", "items": {"$ref": "#/$defs/node"}},
                },
                "required": ["v"],
                "additionalProperties": False,
            }
        },
        "$ref": "#/$defs/node",
    }
    check(
        tree,
        ['{"v":1}', '{"v":1,"kids":[{"v":2,"kids":[]},{"v":3}]}'],
        ['{"v":1,"kids":[{}]}', '{"kids":[]}'],
    )
    linked = {
        "anyOf": [
            {"type": "null"},
            {"type": "object", "properties": {"next": {"$ref": "#"}}, "required": ["next"]},
        ]
    }
    check(linked, ["null", '{"next":{"next":null}}'], ['{"next":1}', "{}"])
    narrowed = {
        "$ref": "#/$defs/list",
        "maxItems": 1,
        "$defs": {"list": {"type": "array", "items": {"$ref": "#/$defs/list"}}},
    }
    check(narrowed, ["[]", "[[[],[]]]"], ["[[],[]]", "[1]"])


def test_references() -> None:
    odd = {"$defs": {"a/b ~%": {"type": "null"}}, "items": {"$ref": "#/$defs/a~1b%20~0%25"}, "type": "array"}
    check(odd, ["[null]"], ["[1]"])
    check(
        {"properties": {"a": {"type": "null"}, "b": {"$ref": "#/properties/a"}}, "type": "object"},
        ['{"b":null}'],
        ['{"b":1}'],
    )
    check(
        {"prefixItems": [{"type": "null"}, {"$ref": "#/prefixItems/0"}], "type": "array"},
        ["[null,null]"],
        ["[null,1]"],
    )
    by_uri = {
        "$id": "https://e.test/s",
        "$ref": "https://e.test/s#/$defs/x",
        "$defs": {"x": {"type": "null"}},
    }
    check(by_uri, ["null"], ["1"])
    inner = {
        "$id": "https://e.test/s",
        "$defs": {
            "x": {"type": "null"},
            "in": {"$id": "t", "$ref": "#/$defs/x", "$defs": {"x": {"type": "boolean"}}},
        },
        "$ref": "t",
    }
    check(inner, ["true"], ["null"])


def test_siblings_of_a_reference_count_by_draft() -> None:
    schema = {"$ref": "#/definitions/n", "maximum": 3, "definitions": {"n": {"type": "integer"}}}
    check(schema, ["3"], ["4", '"x"'])
    check(schema, ["3"], ["4"], draft="2019-09")
    check(schema, ["3", "4"], ['"x"'], draft="7")
    check({**schema, "$schema": "http://json-schema.org/draft-04/schema#"}, ["4"], ['"x"'])


def test_draft_4() -> None:
    four = {"$schema": "http://json-schema.org/draft-04/schema#"}
    bounded = {**four, "type": "integer", "minimum": 1, "exclusiveMinimum": True, "maximum": 5}
    check(bounded, ["2", "5"], ["1", "6", "2.0", "2e0"])
    check({**four, "enum": [1, 2], "type": "integer"}, ["1"], ["1.0", "3"])
    check({**four, "enum": [1, 2]}, ["1", "1.0"], ["3"])
    check({**four, "const": 1}, ["1", "2", '"x"'], [])
    refused({**bounded, "exclusiveMinimum": 3}, GrammarError, "/exclusiveMinimum", "boolean")


@pytest.mark.parametrize(
    ("whitespace", "good", "bad"),
    [
        ("any", ['{ "a" :\n[ ] }', '{"a":[\t1 , 2 ]}'], ['{"a":[]} ', ' {"a":[]}', '{"a":[\v]}']),
        ("compact", ['{"a":[1,2]}'], ['{"a": [1,2]}', '{"a":[1, 2]}', '{"a":[ ]}']),
        (1, ['{"a": [1 , 2]}', '{ "a":[ ]}'], ['{"a":  [1]}', '{"a":[  ]}']),
        (r"\s?", ['{"a": [1 , 2]}'], ['{"a":  [1]}', '{"a":\v[1]}']),
        (0, ['{"a":[1,2]}'], ['{"a": [1]}']),
    ],
)
def test_whitespace(whitespace: str | int, good: list[str], bad: list[str]) -> None:
    closed = {"type": "object", "properties": {"a": {"type": "array"}}, "additionalProperties": False}
    check(closed, good, bad, whitespace=whitespace)
    check({"type": "object"}, good, bad, whitespace=whitespace)
    check({"enum": [{"a": [1, 2]}, {"a": []}, {"a": [1]}]}, good, bad, whitespace=whitespace)


def test_parts_are_shared() -> None:
    names = [f"p{i}" for i in range(200)]
    one = json_schema({"properties": {"p": {"type": "string"}}, "type": "object"})
    many = json_schema({"properties": {key: {"type": "string"} for key in names}, "type": "object"})
    assert node_count(many.expr) - node_count(one.expr) < 6 * 200
    whole = json_schema(
        {"type": "object", "properties": {key: {"type": "object", "properties": {"a": {}}} for key in names}}
    )
    assert node_count(whole.expr) - node_count(one.expr) < 6 * 200 + 20


def test_python_types() -> None:
    class Point(pydantic.BaseModel):
        x: int
        tags: list[Literal["a", "b"]] = []

    class Pair(TypedDict, total=False):
        left: int
        right: str | None

    @dataclasses.dataclass
    class Line:
        start: int
        end: int = 3

    check(Point, ['{"x":1}', '{"x":1,"tags":["a"]}'], ['{"tags":[]}', '{"x":"1"}', '{"x":1,"tags":["c"]}'])
    check(Pair, ["{}", '{"left":1,"right":null}'], ['{"left":""}'])
    check(Line, ['{"start":1}', '{"start":1,"end":2}'], ["{}"])

    class Opaque(pydantic.BaseModel):
        call: Callable[[], int]

    with pytest.raises(OptionError, match="Opaque"):
        json_schema(Opaque)


UNSUPPORTED: list[tuple[dict[str, Any], str]] = [
    ({"items": [{}]}, "/items"),
    ({"$schema": "https://e.test/dialect"}, "/$schema"),
    ({"pattern": r"(a)\1"}, "/pattern"),
    ({"patternProperties": {r"(a)\1": True}}, "/patternProperties"),
]


@pytest.mark.parametrize(("schema", "pointer"), UNSUPPORTED)
def test_refused_by_name(schema: dict[str, Any], pointer: str) -> None:
    refused(schema, UnsupportedError, pointer, "")
    with pytest.raises(UnsupportedError, match=pointer.rpartition("/")[2].replace("$", r"\$")):
        json_schema({"type": "object", "properties": {"deep": schema}} if "$schema" not in schema else schema)


def test_void_keywords_pass() -> None:
    void = {
        "type": "integer",
        "pattern": "a",
        "format": "date",
        "uniqueItems": True,
        "patternProperties": {"a": False},
        "multipleOf": 0.5,
        "minProperties": 3,
    }
    check(void, ["1"], ["1.5", '"a"'])
    check({"type": "string", "format": "date"}, ['"x"'], ["1"], formats="annotate")
    check({"type": "string", "format": "no-such-format"}, ['"x"'], ["1"])
    check({"type": "array", "uniqueItems": False, "minItems": 0}, ["[1,1]"], [])
    check({"type": "array", "uniqueItems": True, "maxItems": 1}, ["[1]"], ["[1,1]"])
    check(
        {**OBJECT, "minProperties": 1, "maxProperties": 3, "additionalProperties": False},
        ['{"b":""}'],
        ["{}"],
    )
    check({"oneOf": [{"type": "null"}]}, ["null"], ["1"])
    check({"if": {"type": "null"}, "not": False, "propertyNames": True}, ["null", "1"], [])
    check({"$defs": {"never used": {"not": {}, "type": 5}}, "type": "null"}, ["null"], ["1"])


MALFORMED: list[tuple[Any, str]] = [
    ({"type": 5}, "/type"),
    ({"type": "text"}, "/type"),
    ({"type": ["string", "text"]}, "/type"),
    ({"required": True}, "/required"),
    ({"required": [1]}, "/required"),
    ({"minLength": -1}, "/minLength"),
    ({"maxItems": 1.5}, "/maxItems"),
    ({"maxItems": True}, "/maxItems"),
    ({"minimum": "1"}, "/minimum"),
    ({"properties": []}, "/properties"),
    ({"properties": {"a": 1}}, "/properties/a"),
    ({"items": 3}, "/items"),
    ({"enum": "a"}, "/enum"),
    ({"anyOf": []}, "/anyOf"),
    ({"anyOf": [1]}, "/anyOf/0"),
    ({"allOf": {}}, "/allOf"),
    ({"$ref": 1}, "/$ref"),
    ({"$ref": "#/nowhere"}, "/$ref"),
    ({"$ref": "#/a~2"}, "/$ref"),
    ({"$ref": "#/enum/00", "enum": [{}]}, "/$ref"),
    ({"additionalProperties": None}, "/additionalProperties"),
    ({"type": "string", "pattern": 3}, "/pattern"),
    ({"multipleOf": 0}, "/multipleOf"),
    ({"enum": [1], "multipleOf": 0}, "/multipleOf"),
    (5, ""),
    (None, ""),
    ({"minimum": float("nan")}, "/minimum"),
    ({"const": object()}, "/const"),
    ({1: 2}, ""),
    ({"const": "\ud800"}, "/const"),
    ({"type": "object", "properties": {"\udfff": True}}, "/properties"),
    ({"minimum": 10**1200}, "/minimum"),
    ({"$ref": "#"}, ""),
    (
        {"$defs": {"a": {"anyOf": [{"$ref": "#/$defs/b"}]}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"},
        "/$defs/a",
    ),
]


@pytest.mark.parametrize(("schema", "pointer"), MALFORMED)
def test_malformed(schema: Any, pointer: str) -> None:
    refused(schema, GrammarError, pointer, "")


def test_malformed_text() -> None:
    refused('{"type": }', GrammarError, "@9", "not JSON")
    refused('{"a": "NaN", "minimum": NaN}', GrammarError, "@24", "NaN")
    refused('{"type": "null", "type": "null"}', GrammarError, "@17", "'type' is written twice")
    refused('{"minimum": ' + "9" * 5000 + "}", GrammarError, "@12", "digits")
    refused("[" * 100_000, GrammarError, f"@{MAX_DEPTH}", "nested")
    with pytest.raises(GrammarError) as caught:
        json_schema('{"type": }')
    assert "^" in str(caught.value)


def test_deep_nesting_is_an_error() -> None:
    schema: Any = {}
    for _ in range(10_000):
        schema = {"items": schema}
    with pytest.raises(GrammarError, match="nested deeper"):
        json_schema(schema)
    chain = {"$defs": {f"d{i}": {"$ref": f"#/$defs/d{i + 1}"} for i in range(5000)}, "$ref": "#/$defs/d0"}
    chain["$defs"]["d5000"] = {"type": "null"}  # type: ignore[index]
    check(chain, ["null"], ["1"])
    long = {
        "$defs": {f"d{i}": {"items": {"$ref": f"#/$defs/d{i + 1}"}, "type": "array"} for i in range(3000)}
    }
    long["$defs"]["d3000"] = {"type": "null"}
    check({**long, "$ref": "#/$defs/d0"}, ["[[]]"], ["[1]"])


def test_deep_constants() -> None:
    value: Any = 1
    for _ in range(100):
        value = [value]
    tree = {"items": {"$ref": "#/items"}, "enum": [value], "type": "array"}
    text = "[" * 100 + "1" + "]" * 100
    check(
        {"$defs": {"t": {"items": {"$ref": "#/$defs/t"}}}, "$ref": "#/$defs/t", "enum": [value]},
        [text],
        ["1"],
    )
    refused(tree, GrammarError, "/items", "refers to itself")
    chain = {f"d{i}": {"$ref": f"#/$defs/d{i + 1}"} for i in range(5000)}
    schema = {"$defs": {**chain, "d5000": {"type": "null"}}, "items": {"$ref": "#/$defs/d0"}, "const": [None]}
    check(schema, ["[null]"], ["[1]", "[]"])


def test_many_choices_do_not_multiply() -> None:
    number, string = {"type": "number"}, {"type": "string"}
    scalars = {
        "allOf": [{"anyOf": [{**number, "minimum": i}, {**string, "maxLength": i}]} for i in range(16)]
    }
    check(scalars, ["15", '""'], ["14", '"a"', "null"])
    names = {"allOf": [{"anyOf": [{"required": [f"a{i}"]}, {"required": [f"b{i}"]}]} for i in range(16)]}
    grammar = json_schema(names)
    assert grammar.residuals
    full = {f"a{i}": i for i in range(16)}
    assert grammar.accepts(json.dumps(full))
    del full["a7"]
    assert not grammar.accepts(json.dumps(full))
    assert grammar.accepts(json.dumps({**full, "b7": 0}))


@pytest.mark.parametrize(
    ("schema", "pointer"),
    [
        (False, ""),
        ({"type": "string", "minLength": 3, "maxLength": 2}, ""),
        ({"type": "integer", "minimum": 0.2, "maximum": 0.8}, ""),
        ({"enum": []}, ""),
        ({"type": "object", "required": ["a"], "properties": {"a": False}}, "/properties/a"),
        (
            {"type": "object", "required": ["a"], "properties": {"a": {"type": "string", "enum": [1]}}},
            "/properties/a",
        ),
        ({"type": "object", "required": ["n"], "properties": {"n": {"$ref": "#"}}}, ""),
        ({"type": "array", "minItems": 1, "items": {"allOf": [{"type": "null"}, {"type": "string"}]}}, ""),
        ({"allOf": [{"const": 1}, {"const": 2}]}, ""),
    ],
)
def test_empty_language(schema: Any, pointer: str) -> None:
    refused(schema, EmptyLanguageError, pointer, "no value")


def test_unsatisfiable_branches_are_dropped() -> None:
    check(
        {"anyOf": [False, {"type": "string", "minLength": 3, "maxLength": 2}, {"type": "null"}]},
        ["null"],
        ['""'],
    )
    loop = {"$defs": {"n": {"type": "object", "required": ["n"], "properties": {"n": {"$ref": "#/$defs/n"}}}}}
    check({**loop, "anyOf": [{"$ref": "#/$defs/n"}, {"type": "null"}]}, ["null"], ["{}"])
    check({**loop, "type": "array", "items": {"$ref": "#/$defs/n"}}, ["[]"], ["[{}]"])


@pytest.mark.parametrize(
    "options",
    [
        {"property_order": "free"},
        {"whitespace": -1},
        {"whitespace": 1.5},
        {"draft": "3"},
        {"formats": "drop"},
    ],
)
def test_options_out_of_range(options: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match=next(iter(options))):
        json_schema(True, **options)


def test_the_schema_is_not_changed() -> None:
    text = json.dumps(OBJECT)
    json_schema(OBJECT)
    assert json.dumps(OBJECT) == text
