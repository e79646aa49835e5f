"""The prelude: one object each, whatever is forgotten, and texts that belong to their expressions."""

from __future__ import annotations

import gramspec as gs
from gramspec.grammar import ir, prelude
from gramspec.grammar.core import Grammar
from gramspec.grammar.json_schema.formulas import Format
from gramspec.grammar.json_schema.layout import any_value, gap_of, number, string
from gramspec.grammar.json_schema.strings import string_value

BYTES = gs.Vocabulary([bytes([byte]) for byte in range(256)] + [None], [256])


def test_texts_belong_to_their_expressions() -> None:
    expressions = prelude.expressions()
    for name, texts in prelude.texts().items():
        for text in texts:
            assert Grammar(expressions[name], name).accepts(text), (name, text)


def test_schemas_use_the_same_objects() -> None:
    found = prelude.expressions()
    assert found["json value"] is any_value(gap_of("any"))
    assert found["compact json value"] is any_value(gap_of("compact"))
    assert found["json string"] is string(0, None) and found["json number"] is number()
    assert found["format date-time"] is string_value(Format("date-time"))
    parts = [id(node) for node in ir.walk(gs.json_schema({"properties": {"a": {"type": "string"}}}).expr)]
    assert id(found["json string"]) in parts and id(found["json value"]) in parts


def test_masks_are_the_same_without_it() -> None:
    date = {"type": "string", "format": "date"}
    grammar = gs.json_schema({"type": "object", "properties": {"a": {"type": "integer"}, "b": date}})
    with_it = gs.compile(grammar, BYTES)
    without = gs.compile(grammar, BYTES, limits=gs.Limits(max_nodes=100_000))
    assert with_it._engine.prepared_states > 1000 and without._engine.prepared_states == 2
    one, two = with_it.matcher(), without.matcher()
    for byte in b'{"a": -1.2e1, "b": "2024-02-29", "\\u0063": [{"x": "\xc3\xa9"}, 0.5]}':
        assert one.allowed_ids().tolist() == two.allowed_ids().tolist()
        one.advance(byte)
        two.advance(byte)
    assert one.is_accepting and two.is_accepting
