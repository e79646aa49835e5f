"""Schemes (c) and (d): whole attempts with learning on, interleaved attempts, draws, the outer loop."""

from __future__ import annotations

import pytest
from benches import bench, tiny_worlds

from gramspec.decoding.samplers.restart import first_accepted
from gramspec.testing.outer_loop import prove_outer_loop
from gramspec.testing.proofs import prove_interleaved, prove_restarts, prove_two_draws

COMPILERS = ["native", "reference"]


@pytest.mark.parametrize("gamma", [0, 1, 2])
@pytest.mark.parametrize("compiler", COMPILERS)
def test_c_attempts_with_learning(compiler: str, gamma: int, seed: int) -> None:
    rounds = 0
    for i, world in enumerate(tiny_worlds(seed + gamma, 12, gamma)):
        b = bench(world, compiler, slack=i % 2)
        for attempts in (1, 2):
            assert prove_restarts(b, attempts) <= 1e-12
        rounds += max(map(len, world.members)) > gamma + 1
    assert rounds > 0 or gamma == 2  # some attempt took more than one round


@pytest.mark.parametrize("schedule", [(0, 1), (0, 1, 1), (0, 0, 1)])
@pytest.mark.parametrize("gamma", [0, 1])
def test_c_interleaved_attempts_have_the_product_law(
    gamma: int, schedule: tuple[int, ...], seed: int
) -> None:
    for i, world in enumerate(tiny_worlds(seed + 10 + gamma, 6, gamma)):
        assert prove_interleaved(bench(world, COMPILERS[i % 2], slack=1), schedule) <= 1e-12


@pytest.mark.parametrize("gamma", [0, 1])
def test_d_every_draw_follows_the_law_given_what_came_before(gamma: int, seed: int) -> None:
    for i, world in enumerate(tiny_worlds(seed + 20 + gamma, 6, gamma)):
        for attempts in (1, 2) if gamma == 0 else (1,):
            assert prove_two_draws(bench(world, COMPILERS[i % 2], slack=1), attempts) <= 1e-12


@pytest.mark.parametrize("budget", [1, 2, 3, 5])
def test_d_outer_loop(budget: int) -> None:
    assert prove_outer_loop(first_accepted, budget) <= 1e-12
