"""Token rows made by a shortcut equal the rows of a full walk, bit for bit, on a real vocabulary.

The same grammars live on two engines; one has no shortcuts. A third, slow way asks `advance` token by token.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

import gramspec as gs
from gramspec.limits import Limits

mistral_common = pytest.importorskip("mistral_common", reason="Tekken ships with mistral_common")

TEKKEN = Path(mistral_common.__file__).parent / "data" / "tekken_240911.json"
pytestmark = pytest.mark.skipif(not TEKKEN.exists(), reason="this mistral_common has no tekken_240911.json")

STATUS = ["active", "archived", "pending review", "über"]
TEXT = {"type": "string"}

SCHEMAS: dict[str, Any] = {
    "bounded text": {"type": "string", "minLength": 3, "maxLength": 40},
    "short texts": {
        "type": "object",
        "properties": {
            "id": {"type": "string", "minLength": 8, "maxLength": 8},
            "tag": {"type": "string", "maxLength": 12},
            "long": {"type": "string", "minLength": 5},
        },
        "required": ["id", "tag", "long"],
    },
    "word or text": {"anyOf": [{"enum": STATUS}, {"type": "string", "minLength": 20}]},
    "words and text": {
        "type": "object",
        "properties": {"status": {"anyOf": [{"enum": STATUS}, TEXT, {"type": "null"}]}, "note": TEXT},
        "required": ["status"],
    },
    "nested": {
        "type": "object",
        "properties": {
            "user": {
                "type": "object",
                "properties": {
                    "name": TEXT,
                    "nick": TEXT,
                    "age": {"type": "integer", "minimum": 0, "maximum": 150},
                },
                "required": ["name"],
            },
            "items": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"sku": {"type": "string", "maxLength": 6}, "price": {"type": "number"}},
                    "required": ["sku"],
                    "additionalProperties": False,
                },
                "maxItems": 4,
            },
        },
    },
    "numbers": {
        "type": "array",
        "items": {"type": "number", "minimum": -2.5, "exclusiveMaximum": 300},
        "minItems": 1,
    },
    "map": {"type": "object", "additionalProperties": {"anyOf": [{"type": "integer"}, {"type": "boolean"}]}},
    "tree": {
        "$ref": "#/$defs/node",
        "$defs": {
            "node": {
                "type": "object",
                "properties": {"v": TEXT, "kids": {"type": "array", "items": {"$ref": "#/$defs/node"}}},
                "required": ["v"],
            }
        },
    },
}

VALID: dict[str, list[Any]] = {
    "bounded text": ["naïve ☃ text", "x" * 40, 'q"\\\n\t', "the quick brown fox jumps over it"],
    "short texts": [
        {"id": "abcdéfgh", "tag": "", "long": "five five"},
        {"id": "12345678", "tag": "a b c", "long": "🙂" * 6},
    ],
    "word or text": ["active", "über", "activated by someone else", "pending review is not the status"],
    "words and text": [
        {"status": "archived", "note": ""},
        {"status": "archive them all"},
        {"status": None, "x": [1, {}]},
    ],
    "nested": [
        {"user": {"name": "Ana", "nick": "a", "age": 42}, "items": [{"sku": "A-1", "price": -1.5e3}]},
        {"items": [], "user": {"name": "", "names": {"nick": 1}}, "item": "items"},
    ],
    "numbers": [[0, -2.5, 299.999], [12, 1.0, -0.0, 3e1]],
    "map": [{"a": 1, "é": True, "": -70000}, {}],
    "tree": [{"v": "r", "kids": [{"v": "", "kids": []}, {"v": "leaf", "vv": {"v": 0}}]}],
}

PATTERNS: dict[str, tuple[str, list[str]]] = {
    "not quite anything": (
        r"(?:TODO|FIXME): [^\n]{1,30}|[^\n]*",
        ["TODO: x", "TODAY nothing: happens", "FIXME"],
    ),
    "date or prose": (r"\d{4}-\d\d-\d\d|[A-Z][a-z ]{0,60}\.", ["2026-11-22", "Some day in autumn."]),
    "code point classes": (r"[^\x00-\x1f]{0,20}(?:é|e)(?:nd)?", ["caf\u00e9", "the e", "ende"]),
    "counted words": (r"(?:[a-z]+ ){2,9}end", ["one two end", "a b c d e f g h i end"]),
}


@pytest.fixture(scope="module")
def vocabulary() -> gs.Vocabulary:
    return gs.Vocabulary.from_tekken(TEKKEN)


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    from mistral_common.tokens.tokenizers.tekken import Tekkenizer

    return Tekkenizer.from_file(TEKKEN)


def both(
    grammar: gs.Grammar, vocabulary: gs.Vocabulary, number: int = 0
) -> tuple[gs.CompiledGrammar, gs.CompiledGrammar]:
    """The grammar on an engine with shortcuts and on one without; other limits are other engines."""
    quick = gs.compile(grammar, vocabulary, limits=Limits(mask_steps=20_000_000 + 2 * number + 1))
    # With so few nodes an engine learns nothing before its first grammar: it has no rows made by shortcuts.
    steps = 20_000_000 + 2 * number + 2
    slow = gs.compile(grammar, vocabulary, limits=Limits(mask_steps=steps, max_nodes=199_999))
    slow._engine.core.shortcuts = False
    assert quick._engine.core.shortcuts and not slow._engine.core.shortcuts
    return quick, slow


class Walker:
    """Reads texts in random segmentations and compares the masks on the way."""

    def __init__(self, vocabulary: gs.Vocabulary, tokenizer: Any, seed: int) -> None:
        self.vocabulary, self.tokenizer, self.dice = vocabulary, tokenizer, random.Random(seed)
        self.ids: dict[bytes, int] = {raw: i for i, raw in enumerate(vocabulary.tokens) if raw}
        words = (len(vocabulary) + 31) // 32
        self.rows = np.zeros((2, words), dtype=np.int32)
        self.compared = self.asked = 0

    def segment(self, text: bytes) -> list[int]:
        out, at = [], 0
        while at < len(text):
            lengths = [n for n in range(1, min(12, len(text) - at) + 1) if text[at : at + n] in self.ids]
            n = self.dice.choice(lengths)
            out.append(self.ids[text[at : at + n]])
            at += n
        return out

    def read(
        self, quick: gs.CompiledGrammar, slow: gs.CompiledGrammar, text: str, member: bool = True
    ) -> None:
        for tokens in (self.tokenizer.encode(text, False, False), self.segment(text.encode())):
            one, two = quick.matcher(), slow.matcher()
            for position, token in enumerate(tokens):
                self.compare(one, two, tokens[:position])
                if not one.advance_many([token]):
                    assert not member and two.advance_many([token]) == 0
                    return
                two.advance(token)
            self.compare(one, two, tokens)
            assert one.is_accepting == two.is_accepting == member

    def compare(self, one: gs.Matcher, two: gs.Matcher, prefix: list[int]) -> None:
        one.fill_bitmask(self.rows, 0)
        two.fill_bitmask(self.rows, 1)
        if not np.array_equal(self.rows[0], self.rows[1]):
            wrong = self.rows[0] ^ self.rows[1]
            token = next(t for t in range(len(self.vocabulary)) if wrong[t >> 5] >> (t & 31) & 1)
            text = self.vocabulary.decode(prefix)
            raise AssertionError(f"after {text!r}: token {token} {self.vocabulary.tokens[token]!r} differs")
        self.compared += 1

    def ask(self, matcher: gs.Matcher, sample: int) -> None:
        """The mask against `advance` of each token alone: a sample of all, of the allowed, of the refused."""
        core, config = matcher._core, matcher._config
        matcher.fill_bitmask(self.rows, 0)
        unpacked = np.unpackbits(self.rows[0].view(np.uint8), bitorder="little")[: len(self.vocabulary)]
        some = self.dice.sample(range(1000, len(self.vocabulary)), sample)
        for side in (0, 1):
            pool = np.flatnonzero(unpacked[1000:] == side) + 1000
            some += [int(t) for t in self.dice.sample(list(pool), min(len(pool), sample))]
        for token in some:
            if self.vocabulary.tokens[token] is not None:
                assert bool(core.advance(config, token)) == bool(unpacked[token]), self.vocabulary.tokens[
                    token
                ]
                self.asked += 1


@pytest.fixture(scope="module")
def walker(vocabulary: gs.Vocabulary, tokenizer: Any) -> Walker:
    return Walker(vocabulary, tokenizer, seed=5)


@pytest.mark.parametrize("order", ["any", "schema"])
def test_schema_rows(walker: Walker, vocabulary: gs.Vocabulary, order: Literal["any", "schema"]) -> None:
    compared = walker.compared
    for name, schema in SCHEMAS.items():
        grammar = gs.json_schema(schema, property_order=order, formats="annotate")
        quick, slow = both(grammar, vocabulary, 0 if order == "any" else 1)
        for instance in VALID[name]:
            member = order == "any" or name != "nested" or list(instance) == ["user", "items"]
            walker.read(quick, slow, json.dumps(instance, ensure_ascii=False), member)
            walker.read(quick, slow, json.dumps(instance, indent=1), member)
    assert walker.compared - compared > 800
    shortcuts, walks = quick.statistics(), slow.statistics()
    assert shortcuts["rows_counted"] > 20 and shortcuts["rows_cold"] < walks["rows_cold"]
    assert walks["rows_counted"] == walks["rows_spliced"] == 0
    pattern, texts = PATTERNS["not quite anything"]  # wide rows of schemas do not crowd out what comes later
    later = both(gs.regex(pattern), vocabulary, 0 if order == "any" else 1)
    for text in texts:
        walker.read(*later, text)
    assert later[0].statistics()["rows_spliced"] > 0


def test_regex_rows(walker: Walker, vocabulary: gs.Vocabulary) -> None:
    compared = walker.compared
    for pattern, texts in PATTERNS.values():
        quick, slow = both(gs.regex(pattern), vocabulary, 2)
        for text in texts:
            assert quick.grammar.accepts(text)
            walker.read(quick, slow, text)
    assert walker.compared - compared > 100
    shortcuts, walks = quick.statistics(), slow.statistics()
    assert shortcuts["rows_spliced"] > 5 and shortcuts["rows_counted"] > 5
    assert walks["rows_counted"] == walks["rows_spliced"] == 0


def test_rows_equal_asking_token_by_token(walker: Walker, vocabulary: gs.Vocabulary) -> None:
    for name in ("short texts", "words and text", "nested", "numbers"):
        quick, _ = both(gs.json_schema(SCHEMAS[name], property_order="any"), vocabulary)
        tokens = walker.segment(json.dumps(VALID[name][0], ensure_ascii=False).encode())
        matcher = quick.matcher()
        for position, token in enumerate(tokens):
            if position % 2 == 0:
                walker.ask(matcher, 400)
            matcher.advance(token)
        walker.ask(matcher, 400)
    assert walker.asked > 20_000


def test_every_token_of_a_few_masks(walker: Walker, vocabulary: gs.Vocabulary) -> None:
    quick, _ = both(gs.json_schema(SCHEMAS["words and text"], property_order="any"), vocabulary)
    for text in ("", "{", '{"stat', '{"status":"archive', '{"status": "archived", "note": "it is'):
        matcher = quick.matcher()
        matcher.advance_many(walker.tokenizer.encode(text, False, False))
        core, config = matcher._core, matcher._config
        allowed = set(matcher.allowed_ids().tolist())
        slow = {t for t, raw in enumerate(vocabulary.tokens) if raw and core.advance(config, t)}
        assert allowed == slow and slow, text
