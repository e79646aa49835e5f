"""Model-free drafters: trees that keep to their plan, the round law with them, and planted wrong versions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from benches import tiny_worlds

from gramspec.decoding.drafting import (
    Branch,
    CopyDrafter,
    DraftPlan,
    DraftTree,
    ForcedDrafter,
    FusedDrafter,
    LookupDrafter,
    ModelDrafter,
    NgramDrafter,
    RecyclingDrafter,
    RetrievalDrafter,
    model_free,
)
from gramspec.decoding.drafting.model_free import DraftMemory
from gramspec.testing.fixed_drafters import FixedDrafterLaws, fixed_bench, run_attempts
from gramspec.testing.proofs import (
    Bench,
    ProofError,
    prove_frozen,
    prove_learned,
    prove_masked,
    prove_restarts,
)
from gramspec.testing.worlds import World, worlds

PLANS = (DraftPlan(3, 3, 6), DraftPlan(2, 4, 8), DraftPlan(4), DraftPlan(1, 3))


def pool(bench: Bench) -> tuple[int, ...]:
    """Tokens of a member, as a prompt or a past output."""
    return bench.world.members[0]


class TestForced(FixedDrafterLaws):
    def make(self, bench: Bench) -> Any:
        return ForcedDrafter(bench.world.vocabulary)


class TestNgram(FixedDrafterLaws):
    def make(self, bench: Bench) -> Any:
        return NgramDrafter(bench.world.prompt)


class TestRecycling(FixedDrafterLaws):
    def make(self, bench: Bench) -> Any:
        return RecyclingDrafter(bench.world.prompt)


class TestLookup(FixedDrafterLaws):
    def make(self, bench: Bench) -> Any:
        v = bench.world.vocabulary
        return LookupDrafter((*pool(bench), *bench.world.prompt), v, [v.decode(pool(bench))])


class TestRetrieval(FixedDrafterLaws):
    def make(self, bench: Bench) -> Any:
        return RetrievalDrafter(eos_ids=bench.world.small.eos_ids)


class TestCopying(FixedDrafterLaws):
    def make(self, bench: Bench) -> Any:
        return CopyDrafter((*pool(bench), *bench.world.prompt), bench.world.vocabulary)


class TestModelFree(FixedDrafterLaws):
    def make(self, bench: Bench) -> Any:
        return model_free(bench.compiled, bench.world.prompt)


def with_memory(
    world: World, index: int, plan: DraftPlan | None, drawn: bool = False, *, shared: bool = True
) -> Bench:
    """A bench on which every drafter shares one memory that attempts teach, or has its own."""
    memory: list[DraftMemory] = []

    def drafter(model: Any, prompt: Any, rows: Any) -> Any:
        if not memory or not shared:
            memory[:] = [DraftMemory(bench.compiled)]
        return model_free(
            bench.compiled,
            prompt,
            memory=memory[0],
            drawn=ModelDrafter(model, prompt, rows) if drawn else None,
        )

    bench = fixed_bench(world, index, plan, drafter=drafter)
    return bench


@pytest.mark.parametrize("drawn", [False, True], ids=["fixed", "mixed"])
def test_round_law_with_a_taught_memory(drawn: bool, seed: int) -> None:
    """Schemes (a) and (b); mixed: a drawn chain first at its nodes, fixed candidates after it."""
    for i, world in enumerate(worlds(seed * 5 + drawn, 16, draft=True)):
        bench = with_memory(world, i, PLANS[i % len(PLANS)], drawn)
        assert prove_frozen(bench, bench.killed(bench.learned())) <= 1e-12
        assert prove_learned(bench, 1 + i % 4, world.seed, together=1 + i % 2) <= 1e-12
        assert prove_masked(bench) <= 1e-12


@pytest.mark.parametrize("drawn", [False, True], ids=["fixed", "mixed"])
def test_attempts_while_tables_learn(drawn: bool, seed: int) -> None:
    """Scheme (c): cold tables and a cold potential that learn between the rounds of whole attempts."""
    for i, world in enumerate(tiny_worlds(seed + 60 + drawn, 4, 2)):
        bench = with_memory(world, i, None, drawn, shared=False)
        assert prove_restarts(bench, 1) <= 1e-12
        assert prove_restarts(bench, 2) <= 1e-12


class DropsDrawn(FusedDrafter):
    """Prunes the drawn candidates too: those the sources think improbable."""

    def propose(self, law: Any, node: Any, plan: Any, random: Any) -> DraftTree:
        tree = super().propose(law, node, plan, random)
        first = next(iter(tree.branches[0]), None)
        if first is None or first.row is None or first.row[first.tokens[0]] > 0.5:
            return tree
        return DraftTree.root(node)


class ScoresAsRows(NgramDrafter):
    """Declares the tokens of a chain to be samples of the table's scores."""

    def propose(self, law: Any, node: Any, plan: Any, random: Any) -> DraftTree:
        tree = super().propose(law, node, DraftPlan(plan.length), random)
        branches = []
        for at, group in zip(tree.nodes, tree.branches, strict=True):
            if not group:
                branches.append(())
                continue
            row = np.zeros(law.width)
            for token, share in self.suggest(at).items:
                row[token] = share * (law.children(at)[token] > 0.0)
            row /= row.sum()
            branches.append((Branch(group[0].tokens, "iid", row),))
        return DraftTree(tree.nodes, tree.parents, tree.tokens, branches)


def wrong_bench(world: World, index: int, name: str) -> Bench:
    def drafter(model: Any, prompt: Any, rows: Any) -> Any:
        if name == "a drawn token is dropped":
            return DropsDrawn([NgramDrafter(prompt)], ModelDrafter(model, prompt, rows))
        wrong = ScoresAsRows(prompt)
        run_attempts(bench, NgramDrafter(prompt, wrong.table), 2, DraftPlan(3, 3, 6))
        return wrong

    bench = fixed_bench(world, index, DraftPlan(3, 3, 6), drafter=drafter)
    return bench


@pytest.mark.parametrize("name", ["a drawn token is dropped", "scores declared as rows"])
def test_mutant_is_caught(name: str) -> None:
    caught = 0
    for i, world in enumerate(worlds(20, 12, draft=True)):
        right = with_memory(world, i, DraftPlan(3, 3, 6), drawn=True)
        assert prove_frozen(right, right.killed(right.learned())) <= 1e-12
        wrong = wrong_bench(world, i, name)
        try:
            prove_frozen(wrong, wrong.killed(wrong.learned()))
        except ProofError:
            caught += 1
    assert caught >= 3, f"{name} passed on all but {caught} of 12 worlds"
