"""Hostile schemas that are malformed, contradictory, or refer to themselves without end.

Law: an error that names the place, `EmptyLanguageError`, or a compile that is right.
Source: JSON Schema drafts 4 to 2020-12; verdicts by hand.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gramspec.testing.random_schemas import DRAFTS
from tests.conformance.hostile import COMPILED, EMPTY, MALFORMED, REFUSED, Hostile, case


def cases() -> Iterator[Hostile]:
    """All cases; names are unique."""
    yield from _malformed()
    yield from _unsatisfiable()
    yield from _loops()


# -- malformed ----------------------------------------------------------------------------------------

_COUNTS = ["minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"]
_COUNTS += ["minContains", "maxContains"]
_BAD: dict[str, list[Any]] = {
    "type": [1, "strin", [], ["string", "strin"], [1], {}, None],
    "enum": [1, "a", {}, None],
    "properties": [1, [], "a", {"a": 1}, {"a": "b"}, {"a": [True]}, None],
    "patternProperties": [1, [], {"a": 1}, {"(": True}, {"[z-a]": {}}, None],
    "additionalProperties": [1, [], "a", None],
    "propertyNames": [1, [], "a"],
    "required": ["a", [1], {"a": True}, True, None],
    "dependentRequired": [[], {"a": "b"}, {"a": [1]}, {"a": {}}],
    "dependentSchemas": [[], {"a": ["b"]}, {"a": 1}],
    "items": [1, "a", [{}], None],
    "prefixItems": [1, {}, [], [1], [{}, "a"]],
    "contains": [1, [], "a"],
    "unevaluatedItems": [1, [], "a"],
    "unevaluatedProperties": [1, [], "a"],
    "uniqueItems": [1, "true", None],
    "minimum": ["1", None, True, []],
    "maximum": ["1", None, False, {}],
    "exclusiveMinimum": [True, "1"],
    "exclusiveMaximum": [False, "1"],
    "multipleOf": [0, -1, "1", None, True, -0.5],
    "pattern": [1, "(", "[b-a]", "a{2,1}", "*", "\\", None],
    "format": [1, [], None],
    "allOf": [[], {}, [1], True],
    "anyOf": [[], {}, ["a"], None],
    "oneOf": [[], {}, [[]], 1],
    "not": [1, [], "a", None],
    "if": [1, [], "a"],
    "then": [1, [], "a"],
    "else": [1, [], "a"],
    "$ref": [1, {}, "#/nowhere", "#nowhere", "#/$defs/x/~2", None],
    "$dynamicRef": [1, "#nowhere"],
    "$defs": [1, [], {"a": 1}],
    "$id": [1, {}],
    "$anchor": [1, "a b", ""],
    "$schema": [1, {}],
    **{name: [-1, 1.5, "1", None, True, []] for name in _COUNTS},
}
# What the metaschema forbids, and still has one meaning only.
_HARMLESS = {("type", 2): {EMPTY}, ("prefixItems", 2): {COMPILED}, ("$anchor", 1): {COMPILED}}
_HARMLESS[("$anchor", 2)] = {COMPILED}


def _malformed() -> Iterator[Hostile]:
    for keyword, values in _BAD.items():
        for number, value in enumerate(values):
            beside = {"contains": {}} if keyword.endswith("Contains") else {}
            beside = {"if": {}} if keyword in ("then", "else") else beside
            good = {MALFORMED, REFUSED} | _HARMLESS.get((keyword, number), set())
            yield case(f"malformed {keyword} {number}", {**beside, keyword: value}, good)
    for name, text in {
        "no JSON": "{",
        "two values": "{} {}",
        "an array": "[]",
        "a number": "1",
        "null": "null",
        "a string": '"string"',
        "not a number": '{"minimum": NaN}',
        "infinity": '{"maximum": -Infinity}',
        "empty text": "",
        "a comma too many": '{"type": "string",}',
        "a byte order mark": '\ufeff{"type": "string"}',
        "an unknown dialect": '{"$schema": "https://example.org/mine"}',
        "endless digits": '{"minimum": ' + "9" * 100_000 + "}",
    }.items():
        yield case(f"text is {name}", text, {MALFORMED, REFUSED})
    old = {"$schema": DRAFTS["4"]}
    for name, bad in {
        "exclusiveMinimum": {"minimum": 1, "exclusiveMinimum": 2},
        "required": {"required": []},
        "boolean": {"properties": {"a": True}},
        "dependencies": {"dependencies": {"a": "b"}},
    }.items():
        # Draft 4 as it is written in the wild is read by what later drafts say of the same words.
        yield case(f"malformed in draft 4: {name}", {**old, **bad}, {MALFORMED, REFUSED, COMPILED})


# -- unsatisfiable and contradictory --------------------------------------------------------------------


def _unsatisfiable() -> Iterator[Hostile]:
    deep: dict[str, Any] = {"type": "object", "required": ["a"], "properties": {"a": {"$ref": "#"}}}
    for name, schema in {
        "false": False,
        "not true": {"not": True},
        "no constant": {"enum": []},
        "two types": {"allOf": [{"type": "string"}, {"type": "null"}]},
        "bounds that cross": {"type": "number", "minimum": 2, "maximum": 1},
        "an open interval of no integer": {"type": "integer", "exclusiveMinimum": 1, "exclusiveMaximum": 2},
        "no multiple in between": {"type": "integer", "multipleOf": 10, "minimum": 11, "maximum": 19},
        "lengths that cross": {"type": "string", "minLength": 3, "maxLength": 2},
        "a pattern that is too long": {"type": "string", "pattern": "^aaa$", "maxLength": 2},
        "two patterns": {"type": "string", "allOf": [{"pattern": "^a"}, {"pattern": "^b"}]},
        "a forbidden key that is required": {
            "type": "object",
            "required": ["a"],
            "properties": {"a": False},
        },
        "a key refused by name": {"type": "object", "required": ["ab"], "propertyNames": {"maxLength": 1}},
        "more required than allowed": {"type": "object", "required": ["a", "b"], "maxProperties": 1},
        "fewer names than members": {
            "type": "object",
            "minProperties": 3,
            "properties": {"a": {}, "b": {}},
            "additionalProperties": False,
        },
        "more members than names": {
            "type": "object",
            "minProperties": 28,
            "propertyNames": {"pattern": "^[a-z]$"},
        },
        "an endless object": deep,
        "an endless array": {"type": "array", "minItems": 1, "items": {"$ref": "#"}},
        "an endless pair": {
            "$ref": "#/$defs/x",
            "$defs": {
                "x": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/y"}},
                "y": {"type": "object", "required": ["a"], "properties": {"a": {"$ref": "#/$defs/x"}}},
            },
        },
        "items that are needed and forbidden": {
            "type": "array",
            "minItems": 2,
            "prefixItems": [{}],
            "items": False,
        },
        "unique among too few": {
            "type": "array",
            "minItems": 3,
            "uniqueItems": True,
            "items": {"enum": [1, 2]},
        },
        "contains what no item is": {
            "type": "array",
            "items": {"type": "string"},
            "contains": {"type": "null"},
        },
        "one of two alike": {"oneOf": [True, True]},
        "if always, then never": {"if": True, "then": False},
        "a constant outside": {"const": 5, "maximum": 4},
        "neither": {"allOf": [{"type": "null"}, {"not": {"type": "null"}}]},
    }.items():
        good = {EMPTY, COMPILED} if name in _HARD_TO_SEE else {EMPTY}
        texts = dict.fromkeys(('""', "1", "null", '{"a":{}}', "[[]]", "[1,2]", '{"ab":1}', "15"), False)
        yield case(f"unsatisfiable: {name}", schema, good, texts)


_HARD_TO_SEE = {"unique among too few"}
"""What only a residual predicate may know: the automaton then has members, and none of them holds."""


# -- references without end -------------------------------------------------------------------------------


def _loops() -> Iterator[Hostile]:
    loop = {MALFORMED, REFUSED, EMPTY}
    yield case("loop: itself", {"$ref": "#"}, loop)
    yield case(
        "loop: a pair",
        {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}},
        loop,
    )
    # In every one of these the verdict on a value hangs on the verdict on the same value.
    for keyword in ("allOf", "anyOf", "oneOf"):
        schema = {"$ref": "#/$defs/a", "$defs": {"a": {keyword: [{"$ref": "#/$defs/a"}]}}}
        yield case(f"loop: through {keyword}", schema, loop)
    for keyword in ("not", "if"):
        schema = {"$ref": "#/$defs/a", "$defs": {"a": {keyword: {"$ref": "#/$defs/a"}}}}
        yield case(f"loop: through {keyword}", schema, loop | {COMPILED})
    yield case(
        "loop: through dependentSchemas",
        {"dependentSchemas": {"a": {"$ref": "#"}}},
        loop | {COMPILED},
        {'{"b":1}': True},
    )
    tree = {"type": "object", "additionalProperties": {"$ref": "#"}}
    yield case("recursion that ends: trees", tree, {COMPILED}, {'{"a":{"b":{}}}': True, '{"a":1}': False})
    doubling: dict[str, Any] = {f"d{i}": {"allOf": [{"$ref": f"#/$defs/d{i + 1}"}] * 2} for i in range(60)}
    doubling["d60"] = {"type": "string"}
    yield case(
        "2^60 paths to one definition",
        {"$ref": "#/$defs/d0", "$defs": doubling},
        {COMPILED},
        {'"a"': True, "1": False},
    )
    either: dict[str, Any] = {
        f"d{i}": {"anyOf": [{"$ref": f"#/$defs/d{i + 1}"}, {"items": {"$ref": f"#/$defs/d{i + 1}"}}]}
        for i in range(40)
    }
    either["d40"] = {"type": "string"}
    yield case(
        "2^40 paths of alternatives", {"$ref": "#/$defs/d0", "$defs": either}, {COMPILED}, {'"a"': True}
    )
    nested: Any = {"type": "string"}
    for _ in range(150):
        nested = {"not": nested}
    yield case("150 negations", nested, {COMPILED}, {'"a"': True, "1": False})
    recursive_not = {"properties": {"a": {"not": {"$ref": "#"}}}, "required": ["a"], "type": "object"}
    yield case(
        "recursion through a negation",
        recursive_not,
        {COMPILED},
        {'{"a":1}': True, '{"a":{"a":1}}': False, '{"a":{"a":{"a":1}}}': True},
    )
