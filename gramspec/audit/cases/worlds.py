"""Random grammars with texts that meet them, from a seed: schemas, context-free and regular ones.

Law: the same seed makes the same cases; nobody says beforehand which texts are members, the oracles do.
Source: `gramspec.testing.random_schemas`, `gramspec.testing.cfg`.
"""

from __future__ import annotations

import json
import random
from typing import Final

from gramspec.audit.suites.context import GrammarCase, Instance
from gramspec.testing import cfg
from gramspec.testing.random_schemas import Maker

RANDOM: Final = "random schema"
"""The cause of random schemas, until they have been shrunk."""
_LETTERS: Final = b"ab"
_LONGEST: Final = 7


class _SeededDice:
    """Dice of a stream."""

    def __init__(self, choose: random.Random) -> None:
        self._choose = choose

    def pick(self, n: int) -> int:
        """An int in 0..n-1."""
        return self._choose.randrange(n)


def schema(seed: int) -> GrammarCase:
    """A random schema of draft 2020-12 and values that collide with its keywords."""
    choose = random.Random(f"schema {seed}")
    maker = Maker(
        choose.randrange(1 << 30), depth=choose.choice([1, 1, 2]), density=choose.choice([1.0, 2.0])
    )
    document = maker.document()
    values = maker.instances(document, 8)
    texts = dict.fromkeys(json.dumps(value, ensure_ascii=False) for value in values)
    return GrammarCase(
        "json_schema",
        json.dumps(document, ensure_ascii=False),
        tuple(Instance(text) for text in texts),
        f"world:schema {seed}",
        RANDOM,
    )


def context_free(seed: int) -> GrammarCase:
    """A random context-free grammar of one of the awkward kinds, for Lark."""
    choose = random.Random(f"context-free {seed}")
    kind = cfg.KINDS[seed % len(cfg.KINDS)]
    grammar = cfg.random_cfg(_SeededDice(choose), kind, _LETTERS)
    return GrammarCase(
        "lark", "start: r0\n" + grammar.lark(), _words(choose, 10), f"world:{kind} {seed}", f"random: {kind}"
    )


def regular(seed: int) -> GrammarCase:
    """A random regular expression in what all dialects share."""
    choose = random.Random(f"regular {seed}")
    return GrammarCase(
        "regex",
        _expression(choose, 3),
        _words(choose, 12),
        f"world:regex {seed}",
        "random regular expression",
    )


def worlds(seed: int, schemas: int, grammars: int, expressions: int) -> list[GrammarCase]:
    """So many cases of each kind."""
    first = seed * 10_000
    cases = [schema(first + number) for number in range(schemas)]
    cases += [context_free(first + number) for number in range(grammars)]
    cases += [regular(first + number) for number in range(expressions)]
    return cases


def _words(choose: random.Random, count: int) -> tuple[Instance, ...]:
    made = ("".join(choose.choice("ab") for _ in range(choose.randrange(_LONGEST))) for _ in range(count))
    return tuple(Instance(word) for word in dict.fromkeys(made))


def _expression(choose: random.Random, depth: int) -> str:
    kind = choose.randrange(7 if depth else 2)
    if kind == 0:
        return choose.choice("ab")
    if kind == 1:
        return choose.choice(["[ab]", "a", "b", "ab", "[^a]"])
    if kind < 4:
        return _expression(choose, depth - 1) + _expression(choose, depth - 1)
    if kind == 4:
        return f"({_expression(choose, depth - 1)}|{_expression(choose, depth - 1)})"
    times = choose.choice(["*", "+", "?", "{2}", "{1,3}", "{2,}"])
    return f"({_expression(choose, depth - 1)}){times}"
