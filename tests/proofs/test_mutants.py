"""Every planted wrong version is caught, and the right version passes on the same worlds."""

from __future__ import annotations

import pytest
from benches import bench, tiny_worlds
from mutants import LOOP_MUTANTS, MUTANTS, Mutant

from gramspec.decoding.samplers.restart import first_accepted
from gramspec.errors import ContractError
from gramspec.testing.outer_loop import prove_outer_loop
from gramspec.testing.proofs import ProofError
from gramspec.testing.worlds import World, worlds

SEED = 20  # fixed: a mutant must be caught by these worlds, not by luck


def worlds_for(mutant: Mutant) -> list[World]:
    if mutant.tiny:
        return tiny_worlds(SEED, 12, 2)
    return worlds(SEED, 20, draft=mutant.draft, gamma=3)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: m.name.replace(" ", "-"))
def test_mutant_is_caught(mutant: Mutant) -> None:
    caught = 0
    found = worlds_for(mutant)
    for i, world in enumerate(found):
        slack = i % 2
        assert mutant.scheme(bench(world, "reference", slack=slack)) <= 1e-12
        with mutant.patch():
            try:
                mutant.scheme(bench(world, "reference", mutant.pieces(world), slack=slack))
            except (ProofError, ContractError):
                caught += 1
    assert caught >= 2, (
        f"{mutant.name} (trap {mutant.trap}) passed on all but {caught} of {len(found)} worlds"
    )


@pytest.mark.parametrize("name", LOOP_MUTANTS)
def test_outer_loop_mutant_is_caught(name: str) -> None:
    for budget in (1, 2, 3):
        assert prove_outer_loop(first_accepted, budget) <= 1e-12
        with pytest.raises(ProofError):
            prove_outer_loop(LOOP_MUTANTS[name], budget)
