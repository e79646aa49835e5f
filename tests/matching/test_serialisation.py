"""Compiled grammars as bytes: equal masks after a round trip, and nothing but errors from other bytes."""

from __future__ import annotations

import gzip
import hashlib
import json
import random
import struct
import typing
import zlib
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import referencing.jsonschema
from hypothesis import given, settings
from hypothesis import strategies as st
from small_vocabulary import EOS, TOKENS, TOOL, compiled, vocabulary

import gramspec as gs
from gramspec.automaton.storing import packing, read_grammar
from gramspec.grammar import ir
from gramspec.grammar.core import Grammar, Predicate
from gramspec.grammar.encoding import json_key_spellings
from gramspec.grammar.json_schema.residual import SchemaResidual

BYTES: list[bytes | None] = [bytes([b]) for b in range(256)]
WORDS = [b'{"', b'":', b'", "', b'"a', b"ab", b"12", b"}}", b"],", b"null", b"true", b'{"a":']
JSON = gs.Vocabulary(
    [*BYTES, *WORDS, None, None], [256 + len(WORDS)], special_tokens={"<|tool|>": 257 + len(WORDS)}
)
DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "jsonschemabench"


def everything() -> ir.Expr:
    """An expression with every kind of node in it, shared nodes and rules that call each other."""
    a, b, c = ir.literal("a"), ir.literal("b"), ir.byte_set(b"cx")
    one, two = ir.Rule("one"), ir.Rule("two é")
    shared = ir.Repeat(ir.Union((a, b)), 1, 3)
    one.define(ir.union(ir.concat(a, ir.Ref(two), b), shared, ir.EPSILON))
    two.define(ir.union(ir.concat(b, ir.Ref(one)), ir.concat(c, shared)))
    machine = ir.Machine((((a, 1), (b, 0)), ((ir.Repeat(c, 2, None), 0),)), (True, False))
    kinds = ir.JsonKeyClass(ir.concat(c, ir.Repeat(a, 0, None)), b, ((c, 1 << 40),))
    members = (
        ir.JsonProperty("a", a, ir.literal("a"), True, ((b, 1),)),
        ir.JsonProperty("b", b, ir.Ref(one), False, late=True),
    )
    free = ir.Repeat(ir.byte_set(b"abcx"), 0, None)
    marks = 1 | 1 << 40
    object_ = ir.JsonObject(
        members, ir.Call(shared), "any", ir.EPSILON, free, (kinds,), ((a, 1),), 1, 5, marks
    )
    closed = ir.JsonObject(members[:1], None, "schema", ir.EPSILON, ir.EMPTY)
    both = ir.And((ir.Repeat(ir.byte_set(b"abc"), 0, 6), ir.Not(ir.concat(a, b))))
    huge = ir.Repeat(ir.concat(a, b), 0, 1 << 70)
    spelled = json_key_spellings("k\u00e9\U0001f600")
    edges = (ir.TokenEdge("<|tool|>"), ir.concat(ir.TokenEdge(10), a), ir.concat(spelled, b))
    sets = (ir.TokenSet((10, "<|tool|>"), negated=True), ir.concat(ir.TokenSet((0,)), b))
    parts = (
        *sets,
        ir.Ref(one),
        machine,
        object_,
        closed,
        both,
        huge,
        *edges,
        ir.Union((ir.EMPTY, ir.Concat((a, ir.EPSILON)))),
    )
    return ir.Union(parts)


def again(grammar: Grammar, tokens: gs.Vocabulary) -> tuple[gs.CompiledGrammar, gs.CompiledGrammar]:
    """A compiled grammar, and the same after a round trip."""
    one = gs.compile(grammar, tokens)
    two = gs.CompiledGrammar.from_bytes(one.to_bytes(), tokens)
    assert two.fingerprint == one.fingerprint
    assert two.grammar.description == grammar.description
    assert two.residuals == one.residuals
    return one, two


def assert_equal_walks(one: gs.CompiledGrammar, two: gs.CompiledGrammar, walks: int, steps: int = 30) -> int:
    """Masks are equal on random walks, EOS included; how many were compared."""
    rng = random.Random(walks)
    width = (len(one.vocabulary) + 31) // 32
    masks = np.zeros((2, width), np.int32)
    compared = 0
    for _ in range(walks):
        pair = [one.matcher(), two.matcher()]
        for _ in range(steps):
            for row, matcher in enumerate(pair):
                matcher.fill_bitmask(masks, row)
            compared += 1
            assert np.array_equal(masks[0], masks[1])
            allowed = pair[0].allowed_ids()
            if not len(allowed):
                break
            token = int(rng.choice(allowed))
            for matcher in pair:
                matcher.advance(token)
    return compared


def test_every_kind_of_node_comes_back() -> None:
    root = everything()
    kinds = {type(node) for node in ir.walk(root)}
    assert kinds | {ir.CharSet} >= set(typing.get_args(ir.Expr))
    names = gs.Vocabulary([*TOKENS, b'"', b"{", b"}", b":", b","], EOS, special_tokens=TOOL)
    assert assert_equal_walks(*again(Grammar(root, "all kinds"), names), 60) > 100


def test_sharing_is_kept_and_equal_parts_are_stored_once() -> None:
    def part() -> ir.Expr:
        return ir.Repeat(ir.Union((ir.literal("ab"), ir.literal("c"))), 0, 7)

    shared = part()
    once = compiled(Grammar(ir.Concat((shared, shared)))).to_bytes()
    twice = compiled(Grammar(ir.Concat((part(), part())))).to_bytes()
    assert once == twice
    grammar = gs.CompiledGrammar.from_bytes(once, vocabulary()).grammar
    assert isinstance(grammar.expr, ir.Concat)
    assert grammar.expr.items[0] is grammar.expr.items[1]


def test_bytes_do_not_depend_on_the_process_or_on_a_round_trip() -> None:
    grammar = gs.json_schema({"type": "object", "properties": {"a": {"enum": [1, "x", None]}}})
    one, two = again(grammar, JSON)
    assert two.to_bytes() == one.to_bytes()
    assert b"gramspec" not in one.to_bytes()[:8]


def test_a_recursive_schema_and_a_pattern() -> None:
    schema = {
        "$defs": {
            "tree": {
                "type": "object",
                "properties": {"a": {"$ref": "#/$defs/tree"}, "b": {"pattern": "^[ab]+$"}},
            }
        },
        "$ref": "#/$defs/tree",
    }
    for order in ("schema", "any"):
        assert assert_equal_walks(*again(gs.json_schema(schema, property_order=order), JSON), 15) > 50
    assert assert_equal_walks(*again(gs.regex(r"(a|b)*a(a|b){3}(?!c)[^x]+"), JSON), 10) > 20


@pytest.mark.skipif(not DATA.is_dir(), reason="the schemas lie beside the repository, in ../shared/data")
def test_real_schemas_come_back() -> None:
    rows: list[dict[str, Any]] = []
    for path in sorted(DATA.glob("*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            rows += [json.loads(line) for line in islice(lines, 11, None, 97)]
    compared = 0
    for row in rows:
        try:
            grammar = gs.json_schema(row["schema"])
        except gs.GrammarError:
            continue
        one, two = again(grammar, JSON)
        compared += assert_equal_walks(one, two, 2, 25)
        for test in row["tests"]:
            if len(text := json.dumps(test["data"], ensure_ascii=False).encode()) < 2_000:
                assert two.grammar.accepts(text) == grammar.accepts(text)
    assert compared > 500


# -- residual predicates --------------------------------------------------------------------------------


def test_predicates_of_schemas_come_back() -> None:
    grammar = gs.json_schema({"type": "array", "items": {"type": "number"}, "uniqueItems": True})
    one, two = again(grammar, JSON)
    assert two.residuals
    assert not two.masks_exact
    assert assert_equal_walks(one, two, 20) > 100
    for text in ("[1, 2]", "[1, 1.0]", "[]", "[10, 1e1]"):
        assert two.grammar.accepts(text) == grammar.accepts(text) == (text in ("[1, 2]", "[]"))


def test_predicates_keep_their_registry_numbers_and_options() -> None:
    other = {
        "$id": "http://x/other",
        "$defs": {"n": {"multipleOf": 0.1, "const": 12345678901234567890}, "\ud800": {"title": "lone"}},
        "items": {"$ref": "#/$defs/n"},
        "uniqueItems": True,
        "format": "date",
    }
    resource = referencing.jsonschema.DRAFT7.create_resource(other)
    registry: Any = referencing.Registry().with_resource("http://x/other", resource)
    schema = {"$ref": "http://x/other", "type": "array"}
    for options in ({"formats": "annotate"}, {"draft": "2019-09"}):
        grammar = gs.json_schema(schema, registry=registry, **options)
        _, two = again(grammar, JSON)
        residual = two.grammar.residuals[0]
        assert isinstance(residual, SchemaResidual)
        assert residual.key == grammar.residuals[0].key
        for text in ("[12345678901234567890]", "[12345678901234567890, 12345678901234567890]", "[1]"):
            assert two.grammar.accepts(text) == grammar.accepts(text)


def test_unions_with_predicates_come_back() -> None:
    arrays = gs.json_schema({"type": "array", "uniqueItems": True})
    numbers = gs.json_schema(
        {"contains": {"multipleOf": 7}, "type": "array", "minContains": 2, "uniqueItems": True}
    )
    grammar = arrays | gs.regex("[[]1, 1[]]") | numbers
    one, two = again(grammar, JSON)
    assert assert_equal_walks(one, two, 10) > 20
    for text in ("[1, 1]", "[1, 1, 1]", "[7, 7]", "[7, 14]"):
        assert two.grammar.accepts(text) == grammar.accepts(text) == (text in ("[1, 1]", "[7, 14]"))


def test_a_predicate_that_is_a_function_is_refused_by_name() -> None:
    predicate = Predicate("/a", "checksum", "needs arithmetic", "luhn", lambda text: True)
    grammar = Grammar(ir.literal("a"), "digits", (predicate,))
    with pytest.raises(gs.UnsupportedError, match=r"/a: .*checksum.*function\s+cannot be stored\n.*hint"):
        compiled(grammar).to_bytes()


def test_a_forged_schema_is_read_by_the_front_end() -> None:
    """A predicate whose schema is malformed is refused when it is loaded, not when a text is validated."""
    schema: Any = {"type": "array", "uniqueItems": True, "items": {"minLength": 2}}
    compiled_ = gs.compile(gs.json_schema(schema), JSON)
    residual = compiled_.grammar.residuals[0]
    assert isinstance(residual, SchemaResidual)
    items = residual.documents.value(residual.documents.root)
    assert isinstance(items, dict)
    items["items"] = {"minLength": "two"}
    vars(residual).pop("key", None)  # the forger names it anew
    with pytest.raises(gs.SerialisationError, match="/items/minLength: must be a non-negative integer"):
        load(compiled_.to_bytes())


# -- vocabularies ---------------------------------------------------------------------------------------


def test_another_vocabulary_is_refused_unless_allowed() -> None:
    data = compiled("(a|b)+c").to_bytes()
    with pytest.raises(gs.VocabularyError, match=r"another vocabulary, of 11 tokens(.|\n)*hint"):
        gs.CompiledGrammar.from_bytes(data, JSON)
    there = gs.CompiledGrammar.from_bytes(data, JSON, other_vocabulary=True)
    assert_equal_walks(there, gs.compile(gs.regex("(a|b)+c"), JSON), 10)


def test_token_edges_on_another_vocabulary() -> None:
    named = compiled(Grammar(ir.concat(ir.TokenEdge("<|tool|>"), ir.literal("a"))))
    there = gs.CompiledGrammar.from_bytes(named.to_bytes(), JSON, other_vocabulary=True)
    assert list(there.matcher().allowed_ids()) == [JSON.special_tokens["<|tool|>"]]
    numbered = compiled(Grammar(ir.concat(ir.TokenEdge(10), ir.literal("a")))).to_bytes()
    assert list(gs.CompiledGrammar.from_bytes(numbered, vocabulary()).matcher().allowed_ids()) == [10]
    with pytest.raises(gs.VocabularyError, match="token edges by id"):
        gs.CompiledGrammar.from_bytes(numbered, JSON, other_vocabulary=True)
    small = gs.Vocabulary([b"a", None], [1])
    with pytest.raises(gs.VocabularyError, match=r"no special token named .<\|tool\|>"):
        gs.CompiledGrammar.from_bytes(named.to_bytes(), small, other_vocabulary=True)


# -- bytes of strangers ---------------------------------------------------------------------------------

STORED = [
    compiled("(a|b)+c{2,300}").to_bytes(),
    gs.compile(gs.json_schema({"type": "array", "uniqueItems": True}), JSON).to_bytes(),
    gs.compile(gs.json_schema({"properties": {"a": {"type": "integer"}}}), JSON).to_bytes(),
    gs.compile(Grammar(everything(), "all kinds"), JSON).to_bytes(),
]
LIMITS = gs.Limits(
    max_states=20_000,
    max_configurations=10_000,
    max_stack_depth=200,
    max_nodes=10_000,
    compile_seconds=5.0,
    mask_steps=100_000,
    search_steps=50_000,
)


def load(data: bytes) -> gs.CompiledGrammar:
    return gs.CompiledGrammar.from_bytes(data, JSON, limits=LIMITS, other_vocabulary=True)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(STORED), st.data())
def test_damaged_bytes_give_an_error(stored: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(stored) - 1))
    damage = data.draw(st.sampled_from(["flip", "cut", "insert", "swap", "repeat"]))
    if damage == "flip":
        other = bytearray(stored)
        other[at] ^= data.draw(st.integers(1, 255))
    elif damage == "cut":
        other = bytearray(stored[:at])
    elif damage == "insert":
        other = bytearray(stored[:at] + data.draw(st.binary(min_size=1, max_size=5)) + stored[at:])
    elif damage == "swap":
        other = bytearray(stored[at:] + stored[:at]) if at else bytearray(stored[::-1])
    else:
        other = bytearray(stored * 2)
    with pytest.raises(gs.SerialisationError):
        load(bytes(other))


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(STORED), st.randoms(use_true_random=False))
def test_forged_words_give_an_error_or_a_grammar(stored: bytes, rng: random.Random) -> None:
    """With the digest of a forger nothing but errors of gramspec comes out, or a grammar that works."""
    reader = packing.unpack(stored)
    words, strings = list(reader._words), list(reader._strings)
    for _ in range(rng.choice([1, 1, 2, 4])):
        at = rng.randrange(3, len(words))
        change = rng.randrange(6)
        if change == 0:
            words[at] = rng.choice(
                [0, 1, 2, 5, 255, len(words), 0xFFFFFFFF, 0xFFFFFFFE, rng.randrange(1 << 32)]
            )
        elif change == 1:
            words[at] = (words[at] + rng.choice([-2, -1, 1, 2])) & 0xFFFFFFFF
        elif change == 2:
            words[at] = rng.choice(words)
        elif change == 3:
            del words[at]
        elif change == 4:
            words.insert(at, rng.choice(words))
        else:
            number = rng.randrange(len(strings))
            strings[number] += rng.randbytes(1)
    try:
        matcher = load(packed(words, strings)).matcher()
        for _ in range(6):
            allowed = [int(i) for i in matcher.allowed_ids() if i not in JSON.eos_ids]
            if not allowed:
                break
            matcher.advance(rng.choice(allowed))
    except gs.GramspecError:
        pass


def packed(words: list[int], strings: list[bytes]) -> bytes:
    writer = packing.Writer()
    writer.words = words
    for string in strings:
        writer.string(string)
    return packing.pack(writer)


def sealed(header: tuple[Any, ...], body: bytes) -> bytes:
    head = struct.pack("<8sHHIIQ", *header)
    return head + hashlib.sha256(head + body).digest() + body


def test_other_formats_are_refused_by_number() -> None:
    body = b"\0" * 8
    with pytest.raises(
        gs.SerialisationError, match=r"format 99 is stored, and format 1 is read here\n.*store"
    ):
        load(sealed((packing.MAGIC, 99, 0, 0, 2, 8), body))
    with pytest.raises(gs.SerialisationError, match="unknown flags"):
        load(sealed((packing.MAGIC, packing.FORMAT, 6, 0, 2, 8), body))
    with pytest.raises(gs.SerialisationError, match="not the bytes of a compiled grammar"):
        load(b"\x80\x04\x95" + body * 20)  # a pickle, say


def test_sizes_are_checked_before_memory_is_taken() -> None:
    bomb = zlib.compress(b"\0" * (1 << 26), 9)
    announced = (packing.MAGIC, packing.FORMAT, 1, 0, 1 << 24, 1 << 26)
    with pytest.raises(gs.SerialisationError, match="more than the 1280000 allowed"):
        load(sealed(announced, bomb))
    with pytest.raises(gs.SerialisationError, match="does not inflate to the 64 bytes announced"):
        load(sealed((packing.MAGIC, packing.FORMAT, 1, 0, 16, 64), bomb))
    with pytest.raises(gs.SerialisationError, match="do not fill"):
        load(sealed((packing.MAGIC, packing.FORMAT, 0, 1, 1, 8), struct.pack("<II", 1 << 30, 0)))
    with pytest.raises(gs.SerialisationError, match="items are more than the words left"):
        load(packed([0, 0, 1, 0, 0, 1, 2, 4, 0xFFFFFFFF, 1, 0, 0, 0], [b"x"]))


def test_deep_expressions_and_many_nodes_are_refused() -> None:
    deep: ir.Expr = ir.literal("a")
    for _ in range(4_000):
        deep = ir.JsonObject((), deep, "any", ir.EPSILON, ir.literal("a"))
    rule = ir.Rule("r")
    rule.define(deep)
    shallow = gs.compile(gs.regex("a"), JSON)
    shallow.grammar = Grammar(ir.Ref(rule))
    with pytest.raises(gs.SerialisationError, match="deeper than 3000"):
        shallow.to_bytes()
    # Header, no rules, nothing built in; one byte inside of 3,001 complements; one grammar.
    nested = [word for number in range(3_001) for word in (8, number)]
    data = packed([0, 0, 1, 0, 0, 3_002, 6_004, 2, 97, *nested, 1, 3_001, 0, 0], [b"x"])
    with pytest.raises(gs.LimitError, match="3000 deep"):
        load(data)
    reader = packing.unpack(data).part(14 + 6_004)
    reader.part(3)
    with pytest.raises(gs.SerialisationError, match="deeper than 3000"):
        read_grammar(reader, LIMITS).grammar.expr  # noqa: B018
    many = packed([0, 0, 1, 0, 0, 10_001, 10_001, *[1] * 10_001, 1, 0, 0, 0], [b"x"])
    with pytest.raises(gs.SerialisationError, match="10001 nodes are more than the 10000 allowed"):
        load(many)


def test_few_bytes_that_double_sixty_times_meet_a_limit() -> None:
    nodes = [2, 97]
    for number in range(60):
        nodes += [4, 2, number, number]  # a sequence of the last node, twice
    data = packed([0, 0, 1, 0, 0, 61, len(nodes), *nodes, 1, 60, 0, 0], [b"x"])
    with pytest.raises(gs.LimitError, match="max_states"):
        load(data)


def test_limits_of_compiling_hold_for_stored_grammars() -> None:
    stored = gs.compile(gs.regex("[ab]{3}x(a|b|ab){40,90}"), JSON).to_bytes()
    with pytest.raises(gs.LimitError):
        gs.CompiledGrammar.from_bytes(stored, JSON, limits=gs.Limits(max_states=5))
    assert gs.CompiledGrammar.from_bytes(stored, JSON).matcher().allowed_ids().size
