"""Every trap of the list has a planted wrong version, and each of them is caught."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from benches import bench, tiny_worlds
from mutants import LOOP_MUTANTS, MUTANTS
from trap_mutants import (
    DropsCachedTokens,
    EnrichedRows,
    SinglePrecision,
    TrieWithoutTemperature,
    distances,
    greedy_called_masked,
    judge_with_floor,
    judge_without_floor,
    own_budgets,
    prove_list,
    prove_masked_label,
    prove_second_call,
    prove_two_temperatures,
    shared_budget,
)

from gramspec.audit.law import Law
from gramspec.errors import ContractError
from gramspec.testing.proofs import Bench, Pieces, ProofError, prove_frozen
from gramspec.testing.worlds import World, worlds

SEED = 21  # fixed: a mutant must be caught by these worlds, not by luck
HERE = {5, 6, 7, 11, 12, 14, 15}  # traps with a wrong version in this file


def test_no_trap_is_left_out() -> None:
    planted = {int(m.trap) for m in MUTANTS if m.trap.isdigit()}
    assert "first finished of a batch" in LOOP_MUTANTS  # trap 10
    assert planted | HERE | {10} == set(range(1, 16))


def caught(right: Callable[[Bench], float], wrong: Callable[[Bench], float], found: list[World]) -> int:
    """How many worlds show the wrong version; the right one passes on all."""
    count = 0
    for i, world in enumerate(found):
        b = bench(world, "reference", slack=i % 2)
        assert right(b) <= 1e-12
        try:
            wrong(b)
        except (ProofError, ContractError):
            count += 1
    return count


def frozen(b: Bench) -> float:
    return prove_frozen(b, b.killed(b.learned()))


@pytest.mark.parametrize("law", [EnrichedRows, DropsCachedTokens, SinglePrecision])
def test_an_edited_law_is_caught(law: Any) -> None:
    """Traps 6 and 11."""
    found = worlds(SEED, 14, draft=True, gamma=2)
    assert caught(frozen, lambda b: frozen(replace(b, pieces=Pieces(law=law))), found) >= 3


def test_a_greedy_text_is_no_draw() -> None:
    """Trap 5: a label says which of law and string is kept."""

    def wrong(b: Bench) -> float:
        with greedy_called_masked():
            return prove_masked_label(b)

    assert caught(prove_masked_label, wrong, worlds(SEED + 1, 12, draft=True, gamma=2)) >= 6


def test_more_look_ahead_is_not_always_closer() -> None:
    """Trap 7: usually it is, so that a claim would pass on most worlds."""
    closer = farther = 0
    for world in worlds(SEED + 2, 120, size=3):
        masked, ahead = distances(bench(world, "reference"))
        closer += ahead < masked - 1e-6
        farther += ahead > masked + 1e-3
    assert closer > 2 * farther > 0


def test_a_tv_is_judged_beside_its_floor() -> None:
    """Trap 12: a perfect sampler over 64 outcomes, 5,000 draws."""
    law = Law({(i,): 1 / 64 for i in range(64)})
    for seed in range(5):
        draws = [(int(i),) for i in np.random.default_rng(seed).integers(0, 64, 5000)]
        assert judge_with_floor(draws, law) and not judge_without_floor(draws, law)


@pytest.mark.parametrize("budget", [1, 2, 3])
def test_a_budget_is_of_one_sample(budget: int) -> None:
    """Trap 14."""
    assert prove_list(own_budgets, budget) <= 1e-12
    with pytest.raises(ProofError):
        prove_list(shared_budget, budget)


def test_a_trie_key_holds_every_option() -> None:
    """Trap 15: here the temperature; N is among the other planted versions."""
    found = worlds(SEED + 3, 14, draft=False, options=False)
    wrong = Pieces(trie=TrieWithoutTemperature)
    assert (
        caught(prove_two_temperatures, lambda b: prove_two_temperatures(replace(b, pieces=wrong)), found) >= 3
    )


def test_a_taught_trie_wants_fresh_random_numbers() -> None:
    """Trap 15: the same seed twice on one trie."""
    found = tiny_worlds(SEED, 8, 0)
    assert (
        caught(
            lambda b: prove_second_call(b, replay=False), lambda b: prove_second_call(b, replay=True), found
        )
        >= 2
    )
