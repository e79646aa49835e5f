"""The last word on a text: validation against the whole schema, exact in numbers, patterns and evaluation."""

from __future__ import annotations

import json
import subprocess
import sys
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from referencing import Registry
from referencing.jsonschema import DRAFT7, DRAFT202012

import gramspec as gs
from gramspec.grammar.json_schema.documents import Documents
from gramspec.grammar.json_schema.residual import NotJsonError, SchemaResidual, parse, residual_of
from gramspec.grammar.json_schema.sources import load
from gramspec.grammar.json_schema.validators import divides

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "json_schema_test_suite"
LEFT = [("/x", "uniqueItems", "left over")]


def residual(schema: Any, draft: Any = None, registry: Any = None, formats: Any = "assert") -> SchemaResidual:
    return residual_of(Documents(load(schema), draft, registry), LEFT, formats=formats)


def verdicts(schema: Any, *texts: str, **options: Any) -> list[bool]:
    predicate = residual(schema, **options)
    return [predicate.holds(text.encode()) for text in texts]


# -- numbers, equality, text ----------------------------------------------------------------------------


def test_equality_is_that_of_json() -> None:
    unique = {"uniqueItems": True}
    assert verdicts(unique, '[1,true,"1",null,0,false]', "[1,2.0]", "[[1],[true]]") == [True] * 3
    assert verdicts(unique, "[1,1.0]", "[1e2,100]", '["\\u0061","a"]', "[0,-0.0]") == [False] * 4
    assert verdicts(unique, '[{"a":1,"b":[2]},{"b":[2.0],"a":1.0}]', '[{"a":1},{"a":1,"b":1}]') == [
        False,
        True,
    ]
    assert verdicts({"const": {"a": [1, True]}}, '{"a":[1.0,true]}', '{"a":[1,1]}') == [True, False]
    assert verdicts({"enum": [0, "x"]}, "0.0", "false", '"x"', "-0") == [True, False, True, True]
    assert verdicts({"uniqueItems": False}, "[1,1]") == [True]


def test_numbers_are_exact() -> None:
    big = 10**60 + 1
    assert verdicts({"maximum": big}, str(big), str(big + 1), f"{big}.0", f"{big}.000001") == [
        True,
        False,
        True,
        False,
    ]
    assert verdicts({"exclusiveMinimum": 0.1}, "0.1", "0.10000000000000000000001") == [False, True]
    assert verdicts({"multipleOf": 0.01}, "1.13", "19.99", "0.001", "1e300", "1e-3") == [
        True,
        True,
        False,
        True,
        False,
    ]
    assert verdicts({"type": "integer"}, "1.0", "1e3", "1.5", "1e-1", "10e-1") == [
        True,
        True,
        False,
        False,
        True,
    ]
    assert verdicts({"type": "integer"}, "1.0", "1", "1e3", draft=4) == [False, True, False]
    assert verdicts({"type": "number"}, "1.5", "1", "true") == [True, True, False]
    assert verdicts({"minimum": 3, "exclusiveMinimum": True}, "3", "3.1", draft=4) == [False, True]
    assert verdicts({"maximum": 3, "exclusiveMaximum": False}, "3", "3.1", draft=4) == [True, False]
    digits = "9" * 6000
    assert verdicts({"type": "integer", "minimum": 5}, digits, f"-{digits}") == [True, False]
    assert verdicts({"type": "integer"}, digits, draft=4) == [True]
    assert verdicts({"uniqueItems": True}, f"[{digits},{digits}.0]") == [False]
    assert verdicts({"multipleOf": 0.1}, f"{digits}.5", f"{digits}.{digits}", f"1.{'0' * 6000}") == [
        True,
        False,
        True,
    ]
    # Exponents that no machine could write out.
    assert verdicts({"multipleOf": 3}, "3e999999999999", "1e999999999999", "3e-999999999999") == [
        True,
        False,
        False,
    ]
    assert verdicts({"maximum": 3}, "0e99999999999999999999999", "1e-99999") == [True, True]
    with pytest.raises(gs.LimitError, match="exponent"):
        residual({"maximum": 3}).holds(b"1e99999999999999999999999")


@settings(max_examples=300, deadline=None)
@given(
    st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9, places=6),
    st.decimals(
        allow_nan=False, allow_infinity=False, min_value=Decimal("0.000001"), max_value=1000, places=6
    ),
    st.integers(-8, 8),
)
def test_divides_is_exact(value: Decimal, divisor: Decimal, power: int) -> None:
    shifted = value.scaleb(power)
    assert divides(divisor, shifted) == ((Fraction(shifted) / Fraction(divisor)).denominator == 1)
    product = Decimal(int(value)) * divisor
    assert divides(divisor, product)


NOT_JSON = b'|[1|NaN|[Infinity]|-Infinity|[1,]|01|"\t"|\xff|\xef\xbb\xbf1|1 2|{"a":1,"a":1}'


@pytest.mark.parametrize("text", NOT_JSON.split(b"|"))
def test_what_is_not_json_does_not_hold(text: bytes) -> None:
    predicate = residual(True)
    assert not predicate.holds(text) and predicate.explain(text) == []
    with pytest.raises(NotJsonError):
        parse(text)


def test_texts_are_read_exactly() -> None:
    assert parse(b' {"a":[1,2.50,-0,1E2,"\\ud83d\\ude00"]} ') == {"a": [1, Decimal("2.5"), 0, 100, "😀"]}
    assert verdicts({"maxLength": 1}, '"\\ud83d\\ude00"', '"ab"') == [True, False]


def test_depth_is_an_error_not_a_verdict() -> None:
    recursive = residual({"items": {"$ref": "#"}, "uniqueItems": True})
    assert recursive.holds(b"[" * 60 + b"]" * 60)
    for text in (b"[" * 5000 + b"]" * 5000, b"[" * 100_000):
        with pytest.raises(gs.LimitError, match="too deeply"):
            recursive.holds(text)
    with pytest.raises(gs.LimitError):
        residual({"anyOf": [{"$ref": "#"}]}).holds(b"1")


# -- patterns and formats ---------------------------------------------------------------------------------


def test_patterns_are_ecma_and_searched() -> None:
    assert verdicts({"pattern": "\\d$"}, '"a1"', '"1\\n"', '"٣"') == [True, False, False]
    schema = {"patternProperties": {"^\\p{Lu}": {"type": "integer"}}, "additionalProperties": False}
    assert verdicts(schema, '{"É":1}', '{"É":"x"}', '{"é":1}') == [True, False, False]
    schema = {"patternProperties": {"a": True}, "unevaluatedProperties": False, "properties": {"q": True}}
    assert verdicts(schema, '{"xay":1,"q":2}', '{"b":1}') == [True, False]


def test_formats_are_asserted_or_annotations() -> None:
    schema = {"format": "date"}
    assert verdicts(schema, '"2024-02-29"', '"2023-02-29"', "7") == [True, False, True]
    assert verdicts(schema, '"2023-02-29"', formats="annotate") == [True]
    assert verdicts({"format": "colour"}, '"no"') == [True]
    assert verdicts({"contentMediaType": "application/json"}, '"{"') == [True]


# -- applicators --------------------------------------------------------------------------------------------

BRANCHES = {
    "if": {"properties": {"a": {"const": 1}}, "required": ["a"]},
    "else": {"properties": {"b": True}},
    "unevaluatedProperties": False,
}
UNEVALUATED: list[tuple[Any, str, bool]] = [
    ({"properties": {"a": True}, "unevaluatedProperties": False}, '{"a":1}', True),
    ({"properties": {"a": True}, "unevaluatedProperties": False}, '{"a":1,"b":2}', False),
    ({"unevaluatedProperties": {"type": "integer"}}, '{"a":1,"b":"x"}', False),
    ({"allOf": [{"properties": {"a": True}}], "unevaluatedProperties": False}, '{"a":1}', True),
    (
        {"allOf": [{"additionalProperties": {"type": "integer"}}], "unevaluatedProperties": False},
        '{"a":1}',
        True,
    ),
    # Only branches that hold count.
    (
        {
            "anyOf": [
                {"properties": {"a": {"const": 1}}, "required": ["a"]},
                {"properties": {"b": {"const": 1}}, "required": ["b"]},
            ],
            "unevaluatedProperties": False,
        },
        '{"a":1,"b":2}',
        False,
    ),
    # Nothing is evaluated from within `not`, not even by double negation.
    (
        {"not": {"not": {"properties": {"a": True}, "required": ["a"]}}, "unevaluatedProperties": False},
        '{"a":1}',
        False,
    ),
    # `if` counts when it holds, also without `then`; `else` when it does not.
    ({"if": {"properties": {"a": {"const": 1}}}, "unevaluatedProperties": False}, '{"a":1}', True),
    (BRANCHES, '{"b":1}', True),
    (BRANCHES, '{"a":1,"b":1}', False),
    (
        {"dependentSchemas": {"a": {"properties": {"b": True}}}, "unevaluatedProperties": False},
        '{"b":1}',
        False,
    ),
    (
        {
            "properties": {"a": True},
            "dependentSchemas": {"a": {"properties": {"b": True}}},
            "unevaluatedProperties": False,
        },
        '{"a":1,"b":1}',
        True,
    ),
    # A sub-schema's own keyword evaluates everything, its cousins see nothing.
    ({"allOf": [{"unevaluatedProperties": True}], "unevaluatedProperties": False}, '{"a":1}', True),
    ({"allOf": [{"properties": {"a": True}}, {"unevaluatedProperties": False}]}, '{"a":1}', False),
    (
        {"$ref": "#/$defs/o", "$defs": {"o": {"properties": {"a": True}}}, "unevaluatedProperties": False},
        '{"a":1}',
        True,
    ),
    (
        {
            "$id": "https://example.com/a",
            "$ref": "b",
            "unevaluatedProperties": False,
            "$defs": {
                "b": {
                    "$id": "b",
                    "$ref": "#/$defs/c",
                    "$defs": {"c": {"properties": {"x": True}}},
                    "properties": {"y": True},
                }
            },
        },
        '{"x":1,"y":2}',
        True,
    ),
    # Not objects.
    ({"unevaluatedProperties": False}, "[1]", True),
    ({"prefixItems": [True], "unevaluatedItems": False}, "[1]", True),
    ({"prefixItems": [True], "unevaluatedItems": False}, "[1,2]", False),
    ({"items": True, "unevaluatedItems": False}, "[1,2]", True),
    ({"contains": {"const": 1}, "unevaluatedItems": {"const": 2}}, "[1,2,1]", True),
    ({"contains": {"const": 1}, "unevaluatedItems": {"const": 2}}, "[1,3]", False),
    ({"contains": {"const": 1}, "minContains": 0, "unevaluatedItems": False}, "[]", True),
    (
        {
            "anyOf": [{"prefixItems": [{"const": 0}]}, {"prefixItems": [True, {"const": 1}]}],
            "unevaluatedItems": False,
        },
        "[5,1]",
        True,
    ),
    (
        {
            "anyOf": [{"prefixItems": [{"const": 0}]}, {"prefixItems": [True, {"const": 1}]}],
            "unevaluatedItems": False,
        },
        "[0,2]",
        False,
    ),
    ({"allOf": [{"unevaluatedItems": True}], "unevaluatedItems": False}, "[1]", True),
    ({"unevaluatedItems": False}, '{"a":1}', True),
]


@pytest.mark.parametrize(("schema", "text", "valid"), UNEVALUATED)
def test_unevaluated(schema: Any, text: str, valid: bool) -> None:
    assert verdicts(schema, text) == [valid]


def test_nested_unevaluated_keywords_take_no_exponential_time() -> None:
    levels = {f"d{i}": {"$ref": f"#/$defs/d{i + 1}", "unevaluatedProperties": True} for i in range(40)}
    schema = {"$ref": "#/$defs/d0", "$defs": {**levels, "d40": {"properties": {"a": {"type": "integer"}}}}}
    assert verdicts(schema, '{"a":1}', '{"a":"x"}') == [True, False]


def test_unevaluated_of_2019() -> None:
    schema = {"$schema": "https://json-schema.org/draft/2019-09/schema", "unevaluatedItems": False}
    assert verdicts({**schema, "items": [True]}, "[1]", "[1,2]") == [True, False]
    assert verdicts({**schema, "items": [True], "additionalItems": True}, "[1,2]") == [True]
    assert verdicts({**schema, "items": {"type": "integer"}}, "[1,2]") == [True]
    # `contains` says nothing of evaluation in this draft.
    assert verdicts({**schema, "contains": {"const": 1}}, "[1]") == [False]
    tree = {
        "$schema": "https://json-schema.org/draft/2019-09/schema",
        "$id": "https://example.com/strict",
        "$recursiveAnchor": True,
        "$ref": "tree",
        "unevaluatedProperties": False,
        "$defs": {
            "tree": {
                "$id": "tree",
                "$recursiveAnchor": True,
                "properties": {"name": True, "below": {"$recursiveRef": "#"}},
            }
        },
    }
    texts = ('{"name":1,"below":{"name":2}}', '{"name":1,"below":{"nome":2}}')
    assert verdicts(tree, *texts) == [True, False]


def test_dynamic_references() -> None:
    schema = {
        "$id": "https://example.com/strings",
        "$ref": "list",
        "$defs": {
            "item": {"$dynamicAnchor": "item", "type": "string"},
            "list": {
                "$id": "list",
                "items": {"$dynamicRef": "#item"},
                "$defs": {"item": {"$dynamicAnchor": "item"}},
            },
        },
    }
    assert verdicts(schema, '["a"]', "[1]") == [True, False]


def test_a_base_uri_counts_under_every_applicator() -> None:
    inner = {"$id": "https://example.com/inner/", "$ref": "#/$defs/n", "$defs": {"n": {"type": "integer"}}}
    outer: dict[str, Any] = {"$id": "https://example.com/", "$defs": {"n": {"type": "string"}}}
    assert verdicts({**outer, "not": inner}, "1", '"x"') == [False, True]
    assert verdicts({**outer, "contains": inner}, "[1]", '["x"]') == [True, False]
    assert verdicts({**outer, "if": inner, "then": False}, "1", '"x"') == [False, True]
    assert verdicts({**outer, "oneOf": [inner, {"const": 1}]}, "1", "2") == [False, True]
    assert verdicts({**outer, "propertyNames": {"not": inner}}, '{"a":1}') == [True]


def test_contains_counts() -> None:
    schema = {"contains": {"type": "integer"}, "minContains": 2, "maxContains": 3}
    assert verdicts(schema, "[1]", "[1,2]", "[1,2,3,4]", "{}") == [False, True, False, True]
    assert verdicts({"contains": True, "minContains": 0}, "[]") == [True]
    assert verdicts({"contains": {"const": 1}, "minContains": 0}, "[]", draft=7) == [False]


def test_dependencies_count_before_2019_and_where_no_draft_is_named() -> None:
    schema = {"dependencies": {"a": ["b"], "c": {"required": ["d"]}}}
    texts = ('{"a":1}', '{"a":1,"b":1}', '{"c":1}', '{"c":1,"d":1}')
    for draft in (None, 4, 7):
        assert verdicts(schema, *texts, draft=draft) == [False, True, False, True]
    assert verdicts(schema, *texts, draft="2020-12") == [True] * 4


def test_siblings_of_a_reference_count_from_2019_on() -> None:
    schema = {"$ref": "#/definitions/n", "maximum": 5, "definitions": {"n": {"type": "integer"}}}
    assert verdicts(schema, "7", "2019", '"x"', draft=7) == [True, True, False]
    assert verdicts(schema, "7", "3", '"x"', draft="2019-09") == [False, True, False]


# -- documents and dialects -----------------------------------------------------------------------------


def test_documents_of_the_registry_are_read_by_their_own_draft() -> None:
    registry = Registry().with_resources(
        [
            ("https://example.com/tuple", DRAFT7.create_resource({"items": [{"type": "integer"}]})),
            (
                "https://example.com/far",
                DRAFT202012.create_resource({"$ref": "tuple", "$id": "https://example.com/far"}),
            ),
        ]
    )
    schema = {"properties": {"t": {"$ref": "https://example.com/far"}}, "uniqueItems": True}
    assert verdicts(schema, '{"t":[1,"x"]}', '{"t":["x"]}', registry=registry) == [True, False]


def test_an_embedded_schema_is_read_by_the_draft_it_names() -> None:
    schema = {
        "$ref": "#/$defs/old",
        "$defs": {
            "old": {
                "$id": "https://example.com/old",
                "$schema": "http://json-schema.org/draft-07/schema#",
                "allOf": [{"$ref": "#/definitions/n", "maximum": 1}],
                "definitions": {"n": {"type": "integer"}},
            }
        },
    }
    assert verdicts(schema, "7", '"x"') == [True, False]
    # The caller's choice overrules what the schema says.
    latest = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$ref": "#/$defs/n",
        "maximum": 1,
        "$defs": {"n": True},
    }
    assert verdicts(latest, "7", draft="2020-12") == [False]
    assert verdicts(latest, "7") == [True]


def test_keywords_outside_the_vocabularies_of_a_dialect_do_not_count() -> None:
    prefix = "https://json-schema.org/draft/2020-12/vocab/"
    meta = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://example.com/meta",
        "$vocabulary": {f"{prefix}core": True, f"{prefix}applicator": True},
    }
    registry = Registry().with_resource("https://example.com/meta", DRAFT202012.create_resource(meta))
    schema = {
        "$schema": "https://example.com/meta",
        "properties": {"a": False},
        "minimum": 10,
        "uniqueItems": True,
    }
    assert verdicts(schema, "1", "[1,1]", '{"a":1}', registry=registry) == [True, True, False]


def test_the_published_metaschemas_are_known() -> None:
    schema = {"$ref": "https://json-schema.org/draft/2020-12/schema"}
    assert verdicts(schema, '{"type":"object"}', '{"type":1}', '{"minLength":-1}') == [True, False, False]


# -- the predicate as others see it -------------------------------------------------------------------------


def test_explanations_point_into_the_text() -> None:
    schema = {"properties": {"a/b": {"items": {"uniqueItems": True}}}}
    place = ("/properties/a~1b/items/uniqueItems", "uniqueItems", "no automaton")
    predicate = residual_of(Documents(load(schema)), [place, ("/x", "contains", "why")])
    assert predicate.explain(b'{"a/b":[[1],[2,2]]}') == [("/a~1b/1", place)]
    assert predicate.explain(b'{"a/b":[[1],[2]]}') == []


def test_keys_tell_schemas_apart() -> None:
    registry = Registry().with_resource(
        "https://example.com/r", DRAFT202012.create_resource({"type": "integer"})
    )
    other = Registry().with_resource("https://example.com/r", DRAFT202012.create_resource({"type": "string"}))
    reference = {"$ref": "https://example.com/r"}
    made = [
        residual({"uniqueItems": True}),
        residual({"uniqueItems": True}, draft=7),
        residual({"uniqueItems": True}, draft="2020-12"),
        residual({"uniqueItems": True}, formats="annotate"),
        residual({"uniqueItems": True, "minimum": 1}),
        residual({"uniqueItems": True, "minimum": 1.5}),
        residual({"uniqueItems": True, "minimum": "1.5"}),
        residual(reference, registry=registry),
        residual(reference, registry=other),
    ]
    keys = [predicate.key for predicate in made]
    assert len(set(keys)) == len(keys)
    assert residual({"uniqueItems": True}).key == keys[0]


def test_the_library_is_imported_when_a_predicate_is_first_asked() -> None:
    code = (
        "import sys, gramspec as gs\n"
        "g = gs.json_schema({'items': {'type': 'integer'}, 'uniqueItems': True, 'type': 'array'})\n"
        "assert g.residuals and 'jsonschema' not in sys.modules\n"
        "assert not g.accepts('[1,1]') and g.accepts('[1,2]')\n"
        "assert 'jsonschema' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.skipif(not DATA.is_dir(), reason="the test suite's files do not lie beside the checkout")
@pytest.mark.parametrize("draft", ["draft2020-12", "draft2019-09", "draft7"])
def test_verdicts_of_the_test_suite(draft: str) -> None:
    """Every case of the recorded files, by the predicate alone; formats asserted in the format files."""
    number: Any = 7 if draft == "draft7" else draft.removeprefix("draft")
    registry: Any = Registry().with_resources(
        (f"http://localhost:1234/{path.relative_to(DATA / 'remotes')}", _resource(path, draft))
        for path in (DATA / "remotes").rglob("*.json")
    )
    count = 0
    for path in sorted((DATA / draft).rglob("*.json")):
        name = str(path.relative_to(DATA / draft))
        # Of optional behaviour we take neither assertion by vocabulary nor `dependencies` after draft 7.
        if name in ("optional/format-assertion.json", "optional/dependencies-compatibility.json"):
            continue
        formats = "assert" if "format/" in name else "annotate"
        for case in json.loads(path.read_text("utf-8"), parse_float=Decimal):
            schema = case["schema"]
            named = isinstance(schema, dict) and "$schema" in schema
            predicate = residual(schema, None if named else number, registry, formats)
            for test in case["tests"]:
                text = json.dumps(test["data"], default=float).encode()
                assert predicate.holds(text) == test["valid"], (
                    name,
                    case["description"],
                    test["description"],
                )
                count += 1
    assert count > 500


def _resource(path: Path, draft: str) -> Any:
    from referencing import Resource
    from referencing.jsonschema import DRAFT201909

    plain = {"draft7": DRAFT7, "draft2019-09": DRAFT201909, "draft2020-12": DRAFT202012}[draft]
    return Resource.from_contents(json.loads(path.read_text("utf-8")), default_specification=plain)
