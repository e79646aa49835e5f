"""Schemes (a) and (b): rounds enumerated on fresh worlds under frozen potentials, cold and taught."""

from __future__ import annotations

from dataclasses import replace

import pytest
from benches import bench

from gramspec.testing.proofs import (
    prove_frozen,
    prove_learned,
    prove_masked,
    prove_two_budgets,
)
from gramspec.testing.worlds import World, worlds

PARTS, WORLDS_PER_PART = 10, 32  # 320 worlds, the same ones for (a) and (b)


def part_of(seed: int, part: int, count: int = WORLDS_PER_PART) -> list[World]:
    return worlds(seed * PARTS + part, count, draft=True)


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("compiler", ["native", "reference"])
def test_a_round_law_under_a_cold_trie(compiler: str, part: int, seed: int) -> None:
    """Without a draft and with γ = 1..4; also the masked law."""
    count = WORLDS_PER_PART if compiler == "native" else 8
    dead_ends = 0
    for i, world in enumerate(part_of(seed, part, count)):
        for gamma in range(5):
            variant = replace(world, gamma=gamma, draft_rows=world.draft_rows if gamma else None)
            b = bench(variant, compiler, slack=i % 3)
            law = b.killed(b.learned())
            assert prove_frozen(b, law) <= 1e-12
            if gamma in (0, 2):
                assert prove_masked(b) <= 1e-12
        dead_ends += world.phi < 0.999
    assert dead_ends > 0


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("compiler", ["native", "reference"])
def test_b_round_law_after_learning(compiler: str, part: int, seed: int) -> None:
    """After 0 to 5 attempts, alone or 2 to 3 interleaved, with and without forgetting."""
    count = WORLDS_PER_PART if compiler == "native" else 8
    for i, world in enumerate(part_of(seed, part, count)):
        gamma = i % 5
        variant = replace(world, gamma=gamma, draft_rows=world.draft_rows if gamma else None)
        b = bench(variant, compiler, slack=i % 3)
        together = 1 + (i // 2) % 3
        max_nodes = 3 if i % 4 == 3 else 100_000
        assert prove_learned(b, i % 6, world.seed, together=together, max_nodes=max_nodes) <= 1e-12
        if i % 4 == 0:
            assert prove_two_budgets(b, 3, world.seed) <= 1e-12
