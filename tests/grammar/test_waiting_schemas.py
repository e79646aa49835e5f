"""Schemas that wait until a text reaches them: what may wait, and that waiting changes nothing.

Law: verdicts, errors, residual predicates, masks and lengths are those of the schema read at once.
"""

from __future__ import annotations

import gzip
import json
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gramspec as gs
import gramspec.grammar.json_schema as front
from gramspec.grammar import ir
from gramspec.grammar.json_schema.dialects import Dialect
from gramspec.grammar.json_schema.documents import Documents, Place
from gramspec.grammar.json_schema.drafts import draft_of
from gramspec.grammar.json_schema.emit import Emitter
from gramspec.grammar.json_schema.layout import Layout, gap_of
from gramspec.grammar.json_schema.logic import Logic
from gramspec.grammar.json_schema.nodes import At, Nodes
from gramspec.grammar.json_schema.parse import Schemas
from gramspec.grammar.json_schema.plans import Planner
from gramspec.grammar.json_schema.sources import escape, load
from gramspec.grammar.json_schema.surveying import survey
from gramspec.testing.random_schemas import DRAFTS, Maker
from tests.conformance import walks

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "jsonschemabench"
ALL = 1 << 30


@contextmanager
def reading(eager: int) -> Iterator[None]:
    """Within, so many of the schemas that may wait are read at once all the same."""
    token = front._eager.set(eager)
    try:
        yield
    finally:
        front._eager.reset(token)


def compiled(schema: Any, eager: int, vocabulary: gs.Vocabulary, **options: Any) -> gs.CompiledGrammar:
    # Limits of its own for each way: neither sees what the other has loaded.
    with reading(eager):
        return gs.compile(
            gs.json_schema(schema, **options),
            vocabulary,
            limits=gs.Limits(compile_seconds=60.0 + (eager > 0)),
        )


def outcome(schema: Any, eager: int, vocabulary: gs.Vocabulary, **options: Any) -> Any:
    try:
        return compiled(schema, eager, vocabulary, **options)
    except gs.GramspecError as error:
        return type(error), str(error)


def random_schemas(seed: int, count: int) -> Iterator[Any]:
    choose = random.Random(seed)
    for _ in range(count):
        draft = choose.choice(list(DRAFTS))
        density = choose.choice([0.5, 0.8, 1.2])
        yield Maker(choose.randrange(1 << 30), draft, depth=4, density=density).document()


def real_schemas(step: int) -> Iterator[Any]:
    for path in sorted(DATA.glob("*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for line in islice(lines, 0, None, step):
                yield json.loads(line)["schema"]


def same_masks(schema: Any, vocabulary: gs.Vocabulary, seed: int, **options: Any) -> int:
    """Compare both ways along random walks; how many masks were compared."""
    found = [outcome(schema, eager, vocabulary, **options) for eager in (ALL, 0)]
    if isinstance(found[0], tuple) or isinstance(found[1], tuple):
        assert found[0] == found[1], schema
        return 0
    whole, waiting = found
    assert whole.residuals == waiting.residuals
    choose, masks = random.Random(seed), 0
    for _ in range(3):
        left, right = whole.matcher(), waiting.matcher()
        for step in range(40):
            allowed = left.allowed_ids()
            assert np.array_equal(allowed, right.allowed_ids()), (schema, left._text())
            assert left.is_accepting == right.is_accepting
            masks += 1
            if step == 20:
                assert left.min_tokens() == right.min_tokens(), (schema, left._text())
                assert np.array_equal(left.viable(9), right.viable(9)), (schema, left._text())
            if not len(allowed):
                break
            token = int(choose.choice(allowed.tolist()))
            left.advance(token)
            right.advance(token)
            if left.is_finished:
                break
    return masks


@pytest.mark.parametrize("order", ["schema", "any"])
def test_waiting_changes_no_mask_of_random_schemas(order: str) -> None:
    vocabulary = walks.vocabulary(complete=True)
    masks = sum(
        same_masks(schema, vocabulary, number, property_order=order)
        for number, schema in enumerate(random_schemas(7, 120))
    )
    assert masks > 1000


@pytest.mark.skipif(not DATA.is_dir(), reason="the schemas lie beside the repository, in ../shared/data")
def test_waiting_changes_no_mask_of_real_schemas() -> None:
    vocabulary = walks.vocabulary(complete=True)
    assert sum(same_masks(schema, vocabulary, 1) for schema in real_schemas(60)) > 1000


def test_nothing_waits_where_some_texts_cannot_be_spelled() -> None:
    vocabulary = walks.vocabulary(complete=False)
    schema = {"items": {"type": "object", "properties": {"z": {"items": {"minLength": 1}}}}}
    assert same_masks(schema, vocabulary, 3) > 10
    assert not compiled(schema, 0, vocabulary)._engine.deferred


def waiting_places(root: Any) -> Iterator[Place]:
    documents = Documents(root)
    todo: list[tuple[str, Any]] = [("", root)]
    while todo:
        pointer, value = todo.pop()
        if isinstance(value, dict):
            place = Place("", pointer, documents.root.scope)
            if documents.may_wait(place):
                yield place
            todo.extend((f"{pointer}/{escape(name)}", item) for name, item in value.items())
        elif isinstance(value, list):
            todo.extend((f"{pointer}/{index}", item) for index, item in enumerate(value))


def check_waiting(schema: Any) -> int:
    """Every schema that may wait can be read, leaves nothing open and has a value; how many there are."""
    root, count = load(schema), 0
    for place in waiting_places(root):
        logic = Logic(Schemas(Documents(root), Nodes(), formats=True))
        planner = Planner(logic, ordered=False, effort=4, eager=ALL)
        # `run` raises if it is malformed or empty.
        Emitter(planner, Layout(gap_of("any"), "any")).run(planner.goal(logic.nodes.literal(At(place))))
        assert not planner.open, (place, schema)
        count += 1
    return count


def test_what_may_wait_is_neither_malformed_nor_empty_nor_open() -> None:
    assert sum(map(check_waiting, random_schemas(11, 200))) > 200


@pytest.mark.skipif(not DATA.is_dir(), reason="the schemas lie beside the repository, in ../shared/data")
def test_what_may_wait_in_real_schemas_is_neither_malformed_nor_empty_nor_open() -> None:
    assert sum(check_waiting(schema) for schema in real_schemas(150)) > 100


def waits(schema: Any, draft: str = "2020-12") -> bool:
    root = load({"$defs": {"x": schema, "s": {"type": "string"}, "loop": {"$ref": "#/$defs/loop"}}})
    assert isinstance(root, dict)
    root["$ref"] = "#/$defs/x"
    found = survey(root, Dialect(draft_of(root, draft)))
    assert isinstance(root["$defs"], dict)
    return found.local and not found.surrogates and id(root["$defs"]["x"]) in found.waiting


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "object"}, True),
        ({"type": "object", "properties": {"a": {"minimum": "x"}}}, False),
        ({"type": "object", "required": ["a"], "additionalProperties": False}, False),
        ({"type": "object", "required": ["a"], "properties": {"a": False}}, False),
        ({"properties": {"a": False}}, True),
        ({"type": "object", "required": ["a"], "properties": {"a": {"$ref": "#/$defs/x"}}}, False),
        ({"type": "object", "properties": {"a": {"$ref": "#/$defs/x"}}}, True),
        ({"type": "array", "items": {"$ref": "#/$defs/s"}, "minItems": 3}, True),
        ({"type": "array", "items": False, "minItems": 1}, False),
        ({"type": "array", "items": False}, True),
        ({"type": "array", "minItems": 3, "maxItems": 2}, False),
        ({"type": "array", "uniqueItems": True}, False),
        ({"type": "array", "items": {"uniqueItems": True}}, False),
        ({"items": {"$ref": "#/$defs/loop"}}, False),
        ({"items": {"$ref": "#/$defs/gone"}}, False),
        ({"items": {"$ref": "https://example.com/x"}}, False),
        ({"items": {"$anchor": "n"}}, False),
        ({"items": {"not": {}}}, False),
        ({"type": "string", "pattern": "^[a-z]{2,8}(-[A-Z]+)?$"}, True),
        ({"type": "string", "pattern": "a(?=b)"}, False),
        ({"type": "string", "pattern": "[b-a]"}, False),
        ({"type": "string", "pattern": "a$b"}, False),
        ({"type": "string", "pattern": "a", "maxLength": 0}, False),
        ({"type": "string", "format": "date"}, True),
        ({"type": "string", "format": "hostname"}, False),
        ({"type": "string", "format": "whatever", "minLength": 2}, True),
        ({"type": "integer", "minimum": 0, "maximum": 5}, True),
        ({"type": "integer", "exclusiveMinimum": 0, "exclusiveMaximum": 1}, False),
        ({"type": "integer", "multipleOf": 3}, False),
        ({"enum": ["a", 1, None]}, True),
        ({"type": "string", "enum": ["a", 1]}, True),
        ({"type": "array", "enum": ["a", 1]}, False),
        ({"enum": []}, False),
        ({"anyOf": [{"type": "string"}, {"$ref": "#/$defs/s"}]}, True),
        ({"anyOf": [False, {"enum": []}]}, False),
        ({"oneOf": [{"type": "string"}, {"type": ["null", "array"]}]}, True),
        ({"oneOf": [{"type": "string"}, {"type": ["null", "string"]}]}, False),
        ({"oneOf": [{"type": "string"}, {}]}, False),
        ({"allOf": [{"$ref": "#/$defs/s"}]}, True),
        ({"allOf": [{"$ref": "#/$defs/s"}, {}, True]}, True),
        ({"allOf": [{"$ref": "#/$defs/s"}, {"minLength": 1}]}, False),
        ({"allOf": [{"$ref": "#/$defs/s"}, False]}, False),
        ({"type": "strin"}, False),
        ({"type": "object", "$defs": {"y": 3}}, False),
        ({"title": "\ud800", "type": "object"}, False),
    ],
)
def test_what_may_wait(schema: Any, expected: bool) -> None:
    assert waits(schema) is expected


def test_what_a_draft_does_not_know_keeps_nobody_from_waiting() -> None:
    assert waits({"type": "object", "dependentRequired": 3}, "7")
    assert not waits({"type": "object", "dependentRequired": 3})
    assert waits({"items": {"$ref": "#/$defs/s", "minLength": "x"}}, "7")
    assert not waits({"items": {"$ref": "#/$defs/s", "minLength": "x"}})


def test_additional_items_count_only_behind_a_list_of_items() -> None:
    assert waits({"type": "array", "items": {"$ref": "#/$defs/s"}, "additionalItems": 3}, "7")
    assert not waits({"type": "array", "items": [{"$ref": "#/$defs/s"}], "additionalItems": 3}, "7")


def test_errors_come_at_once_from_below_what_could_have_waited() -> None:
    inner = {"type": "object", "properties": {"bad": {"type": "string", "pattern": "("}}}
    schema = {"properties": {"fine": {"items": {"type": "object"}}, "deep": {"items": inner}}}
    with pytest.raises(gs.GrammarError) as caught:
        gs.json_schema(schema)
    assert caught.value.pointer == "/properties/deep/items/properties/bad/pattern"
    empty = {"items": False, "type": "array", "minItems": 1}
    with pytest.raises(gs.EmptyLanguageError):
        gs.json_schema({"type": "object", "required": ["a"], "properties": {"a": empty}})


def test_threads_may_reach_the_same_schemas_at_once() -> None:
    names = [f"k{index}" for index in range(40)]
    leaf = {"type": "array", "items": {"properties": {"v": {"type": "integer"}}, "type": "object"}}
    schema = {"properties": dict.fromkeys(names, leaf), "additionalProperties": False}
    vocabulary = walks.vocabulary(complete=True)
    text = json.dumps({name: [{"v": 1}, {}] for name in names}).encode()
    expected = compiled(schema, ALL, vocabulary).matcher()
    masks = []
    for byte in text:
        masks.append(expected.allowed_ids())
        expected.advance(byte)
    grammar = compiled(schema, 0, vocabulary)
    wrong: list[object] = []
    start = threading.Barrier(6)

    def read() -> None:
        matcher = grammar.matcher()
        start.wait()
        try:
            for byte, mask in zip(text, masks, strict=True):
                if not np.array_equal(matcher.allowed_ids(), mask):
                    wrong.append(byte)
                matcher.advance(byte)
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=read) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert not grammar._engine.deferred


def test_a_body_is_made_once_and_asked_for_again_after_an_error() -> None:
    made = iter([ValueError("first"), None])

    def make() -> ir.Expr:
        error = next(made)
        if error is not None:
            raise error
        return ir.literal("a")

    rule = ir.Rule("r", make)
    with pytest.raises(ValueError, match="first"):
        _ = rule.body
    assert rule.deferred and rule.body is rule.body and not rule.deferred
    with pytest.raises(ValueError, match="defined twice"):
        rule.define(ir.EPSILON)


def test_alternatives_that_share_what_they_refer_to_are_looked_at_once() -> None:
    count = 200
    defs: dict[str, Any] = {f"d{i}": {"anyOf": [{"$ref": f"#/$defs/d{i + 1}"}] * 2} for i in range(count)}
    defs[f"d{count}"] = {"type": "null"}
    grammar = gs.json_schema({"$defs": defs, "properties": {"a": {"$ref": "#/$defs/d0"}}})
    assert grammar.accepts(b'{"a": null}')
    assert not grammar.accepts(b'{"a": 1}')
