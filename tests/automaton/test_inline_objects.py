"""Objects written inside other expressions, not as the body of a rule, against the oracle."""

from __future__ import annotations

import itertools
import random

import pytest

from gramspec.grammar import ir
from gramspec.grammar.core import Grammar
from gramspec.testing.oracle import Recogniser

TEXT = ir.repeat(ir.byte_set(b'{}":ay'))
KEYS = ir.repeat(ir.byte_set(b"ay"))


def an_object(value: ir.Expr) -> ir.Expr:
    return ir.JsonObject((), value, "schema", ir.EPSILON, KEYS)


def declared(value: ir.Expr) -> ir.Expr:
    member = ir.JsonProperty("a", ir.literal("a"), value, True)
    return ir.JsonObject((member,), None, "schema", ir.EPSILON, ir.EMPTY)


def test_a_key_that_closes_beside_free_text() -> None:
    for made in (an_object, declared):
        grammar = Grammar(ir.concat(ir.union(TEXT, made(ir.literal("z"))), ir.literal("<")))
        assert grammar.accepts('{"a":z}<') and grammar.accepts('{"a":<') and not grammar.accepts('{"y:z}<')


@pytest.mark.parametrize("seed", range(4))
def test_objects_anywhere(seed: int) -> None:
    rng = random.Random(seed)

    def part(depth: int) -> ir.Expr:
        kind = rng.randrange(7 if depth else 3)
        if kind == 0:
            return rng.choice([an_object, declared])(part(depth - 1) if depth > 1 else ir.literal("y"))
        if kind == 1:
            return rng.choice([TEXT, KEYS, ir.literal('{"a"'), ir.literal("y")])
        if kind == 2:
            return ir.byte_set(b'{}":ay')
        if kind == 3:
            return ir.repeat(part(depth - 1), 0, rng.choice([1, 2, None]))
        if kind == 4:
            return ir.union(part(depth - 1), part(depth - 1), an_object(ir.literal("y")))
        return ir.concat(part(depth - 1), part(depth - 1))

    pieces = ['{"a":', "y", "}", '{"', '"', ":", "a", '{"a":y}', '{"y":y}']
    texts = {"".join(way) for size in range(4) for way in itertools.product(pieces, repeat=size)}
    for _ in range(12):
        expr = part(3)
        grammar, known = Grammar(expr), Recogniser(expr)
        for text in rng.sample(sorted(texts), 90):
            assert grammar.accepts(text) == known.accepts(text.encode()), text
