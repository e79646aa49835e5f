"""Benches for the proofs: worlds compiled by the native core, or by the slow reference."""

from __future__ import annotations

from typing import Any

from gramspec.testing.proofs import Bench, Pieces
from gramspec.testing.reference import ReferenceCompiled
from gramspec.testing.worlds import World, worlds

TINY_KINDS = ("finite", "regular", "recursive", "counted")


def bench(world: World, compiler: str, pieces: Pieces | None = None, *, slack: int = 0) -> Bench:
    """The production parts around one world."""
    compiled: Any
    if compiler == "native":
        from gramspec.matching import compile as compile_grammar

        compiled = compile_grammar(world.grammar, world.vocabulary)
    else:
        compiled = ReferenceCompiled(world, slack)
    return Bench(world, compiled, pieces if pieces is not None else Pieces())


def tiny_worlds(seed: int, count: int, gamma: int) -> list[World]:
    """Worlds small enough to follow whole attempts: two tokens and one EOS id, N = 3."""
    found: list[World] = []
    for part in range(100):
        for world in worlds(
            seed * 100 + part,
            4 * count,
            draft=gamma > 0,
            gamma=max(gamma, 1),
            size=2,
            budget=3,
            kinds=TINY_KINDS,
        ):
            usable = sum(1 for raw in world.small.tokens if raw)
            if usable == 2 and len(world.small.eos_ids) == 1 and world.max_new_tokens == 3:
                found.append(world)
        if len(found) >= count:
            break
    return found[:count]
