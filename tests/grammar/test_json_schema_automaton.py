"""JSON Schema grammars in the automaton: same verdicts as `jsonschema`, and no walk under masks dies."""

from __future__ import annotations

import json
import random
from collections import Counter
from decimal import Decimal
from typing import Any

import jsonschema
import pytest
from recorded_schemas import recorded_schemas

import gramspec as gs
from gramspec.errors import EmptyLanguageError, UnsupportedError
from tests.grammar.test_json_schema_differential import Schemas

BYTES = gs.Vocabulary([*(bytes([b]) for b in range(256)), None], [256])


def exact(text: str) -> int | float:
    """A JSON number as `jsonschema` judges it best: an int where it is integral."""
    value = Decimal(text)
    return int(value) if value == value.to_integral_value() else float(value)


@pytest.mark.parametrize("block", range(3))
def test_random_schemas_against_jsonschema(block: int) -> None:
    count: Counter[bool] = Counter()
    for seed in range(100_000 + 100 * block, 100_100 + 100 * block):
        make = Schemas(seed)
        schema = make.document()
        validator = jsonschema.Draft202012Validator(schema)
        try:
            grammar = gs.json_schema(schema, property_order="any")
        except EmptyLanguageError:
            continue
        for _ in range(12):
            value = make.fit(schema, schema if isinstance(schema, dict) else {}, 5)
            text, want = make.text(value), validator.is_valid(value)
            assert grammar.accepts(text) == want, (schema, text)
            count[want] += 1
    assert min(count[True], count[False]) > 150


@pytest.mark.parametrize("order", ["schema", "any"])
@pytest.mark.parametrize("whitespace", ["any", "compact", 1])
def test_walks_under_masks_end_in_valid_texts(order: Any, whitespace: str | int) -> None:
    choose = random.Random(f"{order} {whitespace}")
    ended = 0
    for seed in range(200_000, 200_080):
        make = Schemas(seed)
        schema = make.document()
        validator = jsonschema.Draft202012Validator(schema)
        try:
            grammar = gs.json_schema(schema, property_order=order, whitespace=whitespace)
        except EmptyLanguageError:
            continue
        compiled = gs.compile(grammar, BYTES)
        for _ in range(3):
            matcher = compiled.matcher()
            written = b""
            while len(written) < 150:
                ids = matcher.allowed_ids().tolist()
                assert ids, (schema, written)
                if matcher.is_accepting and choose.random() < 0.7:
                    ids = [256]
                closing = [i for i in ids if i in (*b'"]}0,:', 256)]
                token = choose.choice(closing if closing and choose.random() < 0.5 else ids)
                if token == 256:
                    value = json.loads(written, parse_float=exact)
                    assert validator.is_valid(value), (schema, written)
                    ended += 1
                    break
                matcher.advance(token)
                written += bytes([token])
    assert ended > 100


def test_real_schemas() -> None:
    count: Counter[bool] = Counter()
    used = 0
    for case in recorded_schemas(8):
        if used == 300:
            break
        if not case["tests"]:
            continue
        try:
            grammar = gs.json_schema(case["schema"], property_order="any")
        except UnsupportedError:
            continue
        used += 1
        for test in case["tests"]:
            text = json.dumps(test["data"], ensure_ascii=False)
            assert grammar.accepts(text) == test["valid"], (case["id"], test.get("reason"), text)
            count[test["valid"]] += 1
    assert used == 300
    assert min(count[True], count[False]) > 300
