"""Partition functions as twists of the production samplers: weights, runs and chains keep their promises.

Laws: E[w·f] = Σ p·1[y ∈ L]·f for one pass and for runs of particles, and the chain leaves P* as it is,
whatever the proxy, by enumeration of every choice (<= 1e-12).
"""

from __future__ import annotations

from typing import Any

import pytest
from benches import bench, tiny_worlds

from gramspec.testing.proofs import Bench
from gramspec.testing.weighted import prove_invariant, prove_smc, prove_twisted
from gramspec.validity import ByteWeights, Partition, StateWeights


def within_budget(b: Bench) -> Any:
    return Partition(b.compiled, ByteWeights.uniform(stop=0.3), max_bytes=6)


def without_budget(b: Bench) -> Any:
    """Weights by state, from rows of the target at the empty prefix."""
    weights = StateWeights(ByteWeights.uniform(stop=0.1))
    weights.observe_row(b.compiled.matcher(), b.world.row(()))
    return Partition(b.compiled, weights, max_bytes=None)


PARTITIONS = {"within budget": within_budget, "by state": without_budget}


@pytest.mark.parametrize("name", PARTITIONS)
def test_one_pass_and_runs_are_properly_weighted(name: str, seed: int) -> None:
    gamma = int(name == "by state")
    for i, world in enumerate(tiny_worlds(seed + 170, 4, gamma)):
        b = bench(world, "native", slack=i % 2)
        assert prove_twisted(b, PARTITIONS[name]) <= 1e-12
        if gamma == 0:
            assert prove_smc(b, PARTITIONS[name], particles=2, ess_threshold=0.8) <= 1e-12


def test_chains_leave_the_law_as_it_is(seed: int) -> None:
    for world in tiny_worlds(seed + 175, 3, 0):
        b = bench(world, "native")
        assert prove_invariant(b, within_budget, mcmc_fresh=0.5) <= 1e-12
