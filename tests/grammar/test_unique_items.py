"""Repeated items found while a text is written: never wrongly, and at once where nothing is conditional."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from referencing import Registry
from referencing.jsonschema import DRAFT202012

import gramspec as gs
from gramspec.grammar.json_schema.documents import Documents
from gramspec.grammar.json_schema.residual import SchemaResidual, residual_of
from gramspec.grammar.json_schema.sources import load


def residual(schema: Any, draft: Any = None, registry: Any = None) -> SchemaResidual:
    return residual_of(
        Documents(load(schema), draft, registry), [("/uniqueItems", "uniqueItems", "left over")]
    )


def refuted_after(predicate: SchemaResidual, text: bytes, sizes: Any = None) -> int | None:
    """Bytes after which the text is refuted, read in pieces; None if it is not."""
    reading = predicate.reading()
    assert reading is not None
    at = 0
    while at < len(text):
        size = 1 if sizes is None else next(sizes)
        reading = reading.read(text[at : at + size])
        at += size
        if reading is None:
            return min(at, len(text))
    return None


UNIQUE = {"uniqueItems": True}


@pytest.mark.parametrize(
    ("schema", "text", "at"),
    [
        (UNIQUE, "[1,1]", 5),
        (UNIQUE, "[1,12,1 ,", 8),
        (UNIQUE, "[1,1", None),
        (UNIQUE, "[1.0,1,", 7),
        (UNIQUE, '["a","b","\\u0061"', 17),
        (UNIQUE, '["\\\\","\\\\"', 10),
        (UNIQUE, '["\\"","\\\\"]', None),
        (UNIQUE, "[[1,2],[1,2]", 12),
        (UNIQUE, "[[1,2],[2,1]]", None),
        (UNIQUE, '[{"a":1,"b":[]},{"b":[],"a":1.0}', 32),
        (UNIQUE, '[{"a":1},{"a":1,"b":1}]', None),
        (UNIQUE, '[true,1,false,0,null,"1"]', None),
        (UNIQUE, "[null,null]", 11),
        (UNIQUE, '{"a":[1,1]}', None),
        (UNIQUE, "[[1,1]]", None),
        (UNIQUE, " [ 1 , 1 ", 9),
        (UNIQUE, "11", None),
        (UNIQUE, '"[1,1]"', None),
        (UNIQUE, '["a,b","a","b"]', None),
        ({"items": UNIQUE}, "[[1,1]", 6),
        ({"prefixItems": [True, UNIQUE]}, "[[1,1],[1,1]", 12),
        ({"prefixItems": [True], "items": UNIQUE}, "[[1,1],[1],[2,2]", 16),
        ({"properties": {"a/b": UNIQUE}}, '{"c":[1,1],"a\\u002fb":[2,2]', 27),
        ({"patternProperties": {"^x": UNIQUE}}, '{"y":[1,1],"xy":[2,2]', 21),
        ({"properties": {"a": True}, "additionalProperties": UNIQUE}, '{"a":[1,1],"b":[2,2]', 20),
        ({"allOf": [{"$ref": "#/$defs/u"}], "$defs": {"u": UNIQUE}}, "[1,1]", 5),
        # Conditions are left to the end of the text.
        ({"anyOf": [UNIQUE, {"type": "array"}]}, "[1,1]", None),
        ({"if": UNIQUE}, "[1,1]", None),
        ({"not": UNIQUE}, "[1,1]", None),
        ({"uniqueItems": False}, "[1,1]", None),
        # Recursive schemas.
        ({"properties": {"below": {"$ref": "#"}, "names": UNIQUE}}, '{"below":{"names":["a","a"]', 26),
    ],
)
def test_examples(schema: Any, text: str, at: int | None) -> None:
    predicate = residual(schema)
    assert refuted_after(predicate, text.encode()) == at
    assert (predicate.reading().read(text.encode()) is None) == (at is not None)  # type: ignore[union-attr]


def test_items_by_position_before_2020() -> None:
    schema = {"items": [True, UNIQUE], "additionalItems": {"items": UNIQUE}}
    for text, at in (("[[1,1],[2,2]", 12), ("[[1,1],[2],[3,3],[[4,4]", 23), ("[[1,1],[2],[[4],[4]]]", None)):
        assert refuted_after(residual(schema, draft=7), text.encode()) == at
    assert (
        refuted_after(
            residual({"$ref": "#/definitions/a", "uniqueItems": True, "definitions": {"a": {}}}, 7), b"[1,1]"
        )
        is None
    )


def test_documents_of_the_registry() -> None:
    registry = Registry().with_resource(
        "https://example.com/u", DRAFT202012.create_resource({"items": UNIQUE})
    )
    predicate = residual({"properties": {"a": {"$ref": "https://example.com/u"}}}, registry=registry)
    assert refuted_after(predicate, b'{"a":[[1,1]') == 11


def test_only_where_the_keyword_is_left_over() -> None:
    predicate = residual_of(Documents(load({"contains": {"const": 1}})), [("/contains", "contains", "")])
    assert predicate.reading() is None


def test_long_arrays_remember_every_item() -> None:
    items = [str(n) for n in range(3000)]
    for n in (0, 1, 1023, 1024, 2047, 2999):
        text = f"[{','.join([*items, items[n]])}".encode()
        assert refuted_after(residual(UNIQUE), text) is None
        assert refuted_after(residual(UNIQUE), text + b" ") == len(text) + 1


def test_what_nests_too_deeply_equals_nothing_here() -> None:
    deep = "[" * 500 + "]" * 500
    assert refuted_after(residual(UNIQUE), f"[{deep},{deep}]".encode()) is None
    shallow = "[" * 50 + "]" * 50
    assert refuted_after(residual(UNIQUE), f"[{shallow},{shallow}]".encode()) == 202
    assert refuted_after(residual(UNIQUE), b"[1e99999999999999999999,1e99999999999999999999]") is None


JSON = st.recursive(
    st.sampled_from([None, True, False, 0, 1, 1.0, 2, "a", "b", "", '"', "\\", "é"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abé"), inner, max_size=2),
    max_leaves=8,
)


@settings(max_examples=400, deadline=None)
@given(JSON, st.integers(0, 2**32), st.sampled_from([None, 1]))
def test_refuted_iff_the_whole_text_fails(value: Any, seed: int, indent: int | None) -> None:
    """Under schemas without conditions and bounds; in any spelling and any pieces."""
    dice = random.Random(seed)
    recursive = {
        "uniqueItems": True,
        "items": {"$ref": "#"},
        "properties": {"a": {"$ref": "#"}},
        "patternProperties": {"é": {"uniqueItems": True}},
    }
    text = json.dumps(value, indent=indent, ensure_ascii=dice.random() < 0.5).encode()
    sizes = iter(lambda: dice.randint(1, 5), 0)
    for schema in (recursive, UNIQUE, {"items": UNIQUE}):
        predicate = residual(schema)
        assert (refuted_after(predicate, text + b" ", sizes) is not None) == (not predicate.holds(text))


# -- in matching ----------------------------------------------------------------------------------------

TOKENS: list[bytes | None] = [b"[", b"]", b",", b"1", b",1", b"1]", b"1,1,", None]
EOS = 7


def compiled() -> gs.CompiledGrammar:
    schema = {"type": "array", "items": {"type": "integer"}, "uniqueItems": True}
    return gs.compile(gs.json_schema(schema, whitespace="compact"), gs.Vocabulary(TOKENS, [EOS]))


def test_a_refuted_text_has_an_empty_mask_and_says_why() -> None:
    matcher = compiled().matcher()
    matcher.advance_many([0, 3, 4])  # [1,1
    assert matcher.allowed_ids().tolist() == [1, 2, 3, 4, 5, 6]  # [1,11 may follow
    before = matcher.fork()
    matcher.advance(2)  # [1,1,
    assert matcher.allowed_ids().tolist() == [] and not matcher.is_accepting and not matcher.is_finished
    assert not matcher.viable(9).any() and not matcher.viable(None).any() and not matcher.can_end_within(9)
    assert matcher.forced_ids() == [] and matcher.forced_bytes() == b""
    with pytest.raises(gs.RejectedTokenError, match="no continuation of the text satisfies /uniqueItems"):
        matcher.advance(3)
    with pytest.raises(gs.RejectedTokenError, match="is EOS"):
        matcher.advance(EOS)
    assert matcher.advance_many([3]) == 0
    matcher.rollback(1)
    assert matcher.allowed_ids().tolist() == before.allowed_ids().tolist()
    matcher.advance(3)
    matcher.advance(1)
    assert matcher.is_accepting  # [1,11]
    first = compiled().matcher()
    first.advance_many([0, 6])  # [1,1, in one token
    assert first.allowed_ids().tolist() == []


def test_masks_of_trees_and_walks_agree_with_fresh_matchers() -> None:
    import numpy as np

    grammar = compiled()
    dice = random.Random(3)
    ended = 0
    for _ in range(60):
        matcher, ids = grammar.matcher(), list[int]()
        while len(ids) < 8:
            allowed = [t for t in matcher.allowed_ids().tolist() if t != EOS]
            array = np.zeros((len(allowed) + 1, 1), dtype=np.int32)
            matcher.fill_bitmask_tree([-1] * len(allowed), allowed, array)
            for row, token in enumerate(allowed, 1):
                fresh = grammar.matcher()
                assert fresh.advance_many([*ids, token]) == len(ids) + 1
                single = np.zeros((1, 1), dtype=np.int32)
                fresh.fill_bitmask(single)
                assert single[0, 0] == array[row, 0]
            if not allowed:
                break
            ids.append(dice.choice(allowed))
            matcher.advance(ids[-1])
        text = b"".join(TOKENS[t] or b"" for t in ids)
        assert matcher.is_accepting == grammar.grammar.accepts(text)
        ended += matcher.allowed_ids().size == 0
    assert ended > 5
