"""Tables that draw: the law of rounds, of learning tables and of whole attempts, and two wrong versions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from benches import tiny_worlds

from gramspec.decoding.drafting import DraftMemory, DraftPlan, DraftTree, DrawnDrafter, model_free_drawn
from gramspec.decoding.drafting.draft_rows import DraftRows
from gramspec.decoding.drafting.tree import Branch
from gramspec.testing.fixed_drafters import fixed_bench
from gramspec.testing.proofs import (
    Bench,
    ProofError,
    prove_frozen,
    prove_learned,
    prove_masked,
    prove_restarts,
)
from gramspec.testing.worlds import World, worlds

PLANS = (DraftPlan(3, 2, 3), DraftPlan(2, 3, 4), DraftPlan(4, 1, 4))


def bench_of(
    world: World,
    index: int,
    plan: DraftPlan | None,
    drawn: bool,
    *,
    kind: type[DrawnDrafter] = DrawnDrafter,
    shared: bool = True,
) -> Bench:
    """A bench on which drafters share one memory that attempts teach, or have their own."""
    memory: list[DraftMemory] = []

    def drafter(model: Any, prompt: Any, rows: Any) -> Any:
        if not memory or not shared:
            memory[:] = [DraftMemory(bench.compiled)]
        draft = DraftRows(model, prompt, rows) if drawn else None
        found = model_free_drawn(bench.compiled, prompt, memory=memory[0], draft=draft, floor=0.0)
        found.__class__ = kind
        return found

    bench = fixed_bench(world, index, plan, drafter=drafter)
    return bench


@pytest.mark.parametrize("drawn", [False, True], ids=["tables", "with a draft model"])
def test_round_law_with_a_taught_memory(drawn: bool, seed: int) -> None:
    """Schemes (a) and (b), and the masked law: what the tables expect changes between rounds, K does not."""
    for i, world in enumerate(worlds(seed * 7 + drawn, 12, draft=True, size=3, max_sequences=60)):
        bench = bench_of(world, i, PLANS[i % len(PLANS)], drawn)
        assert prove_frozen(bench, bench.killed(bench.learned())) <= 1e-12
        assert prove_learned(bench, 1 + i % 3, world.seed, together=1 + i % 2) <= 1e-12
        assert prove_masked(bench) <= 1e-12


@pytest.mark.parametrize("drawn", [False, True], ids=["tables", "with a draft model"])
def test_attempts_while_tables_learn(drawn: bool, seed: int) -> None:
    """Scheme (c): cold tables and a cold potential that learn between the rounds of whole attempts."""
    for i, world in enumerate(tiny_worlds(seed + 70 + drawn, 3, 2)):
        bench = bench_of(world, i, None, drawn, shared=False)
        assert prove_restarts(bench, 1) <= 1e-12
        assert prove_restarts(bench, 2) <= 1e-12


class DropsUnlikely(DrawnDrafter):
    """Takes a drawn candidate back when it was not the likeliest one."""

    def propose(self, law: Any, node: Any, plan: Any, random: Any) -> DraftTree:
        tree = super().propose(law, node, plan, random)
        branch = next(iter(tree.branches[0]), None)
        if branch is None or branch.row is None or branch.tokens[0] == int(np.argmax(branch.row)):
            return tree
        return DraftTree.root(node)


class DeclaresEvenRows(DrawnDrafter):
    """Names another row than the one it drew from."""

    def propose(self, law: Any, node: Any, plan: Any, random: Any) -> DraftTree:
        tree = super().propose(law, node, plan, random)
        branches = []
        for group in tree.branches:
            changed = []
            for tokens, sibling_law, row in group:
                even = (row > 0.0) / np.count_nonzero(row)  # type: ignore[operator, arg-type]
                changed.append(Branch(tokens, sibling_law, even))
            branches.append(tuple(changed))
        return DraftTree(tree.nodes, tree.parents, tree.tokens, branches)


@pytest.mark.parametrize("kind", [DropsUnlikely, DeclaresEvenRows])
def test_mutant_is_caught(kind: type[DrawnDrafter]) -> None:
    caught = 0
    for i, world in enumerate(worlds(27, 10, draft=True, size=3, max_sequences=60)):
        wrong = bench_of(world, i, DraftPlan(2, 2, 3), drawn=True, kind=kind)
        try:
            prove_frozen(wrong, wrong.killed(wrong.learned()))
        except ProofError:
            caught += 1
    assert caught >= 3, f"{kind.__name__} passed on all but {caught} of 10 worlds"
