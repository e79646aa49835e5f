"""Probing trees: rounds keep their law cold and taught, whole attempts while learning, and what they save."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from benches import bench, tiny_worlds

from gramspec.decoding.drafting.probing import ProbingDrafter
from gramspec.decoding.drafting.seen import SeenPrefixes
from gramspec.decoding.drafting.tree import Branch, DraftPlan, DraftTree
from gramspec.decoding.kernel import Node
from gramspec.decoding.random import NumpyRandomSource, RandomSource
from gramspec.errors import ContractError, OptionError
from gramspec.models.memo import MemoModel
from gramspec.testing.proofs import (
    Bench,
    Pieces,
    ProofError,
    prove_frozen,
    prove_learned,
    prove_restarts,
    teach,
)
from gramspec.testing.tree_drafters import TreeDrafterLaws
from gramspec.testing.worlds import World, worlds

KINDS = ("finite", "regular", "recursive", "counted")
SHARES = {"all drafted": (0.0, 1.0), "both": (0.1, 0.01), "all probed": (1.0, 0.0)}
Share = tuple[float, float]  # floor, least


class Shared:
    """Makes drafters of one world that share what they have seen."""

    def __init__(
        self, kind: type[ProbingDrafter] = ProbingDrafter, *, model: bool = True, share: Share = (0.02, 0.002)
    ):
        self.kind, self.model, self.share = kind, model, share
        self.seen = SeenPrefixes(most=2)

    def __call__(self, model: Any, prompt: Any, rows: Any) -> ProbingDrafter:
        draft = model if self.model else None
        floor, least = self.share
        return self.kind(draft, prompt, rows, floor=floor, least=least, seen=self.seen)


def taught(world: World, make: Shared, plan: DraftPlan, compiler: str = "native") -> Bench:
    """A bench whose drafters remember what an attempt on another trie, one token a round, has shown."""
    b = bench(world, compiler, Pieces(drafter=make, plan=DraftPlan(1, 1)))
    teach(b, b.learned(), 1, world.seed)
    return bench(world, compiler, Pieces(drafter=make, plan=plan))


class _Laws(TreeDrafterLaws):
    plans = (DraftPlan(3, 2, 4), DraftPlan(2, 2, 3))
    model = True
    share = (0.1, 0.01)

    def make(self, bench: Bench) -> Any:
        make = Shared(model=self.model, share=self.share)
        taught(bench.world, make, self.plans[0], "reference")
        return make(bench.world.draft, bench.world.prompt, bench.rows())


class TestWithADraft(_Laws):
    pass


class TestWithoutADraft(_Laws):
    model = False


class TestProbesOnly(_Laws):
    share = (1.0, 0.0)


@pytest.mark.parametrize("model", [True, False], ids=["draft", "no draft"])
@pytest.mark.parametrize("share", SHARES)
def test_rounds_keep_their_law(share: str, model: bool, seed: int) -> None:
    """Scheme (a) with a memory of other attempts, on a cold potential and on the one they taught."""
    for i, world in enumerate(worlds(seed + 11, 6, draft=True, size=4, max_sequences=300, kinds=KINDS)):
        plan = (DraftPlan(3, 2, 4), DraftPlan(5, 2, 5))[i % 2]
        b = taught(world, Shared(model=model, share=SHARES[share]), plan)
        assert prove_frozen(b, b.killed(b.learned())) <= 1e-12
        assert prove_learned(b, 2, world.seed) <= 1e-12


@pytest.mark.parametrize("model", [True, False], ids=["draft", "no draft"])
def test_the_worlds_of_these_proofs_are_probed(model: bool) -> None:
    """On worlds that never change: fresh ones may all be known to their drafters."""
    probes = 0
    for i, world in enumerate(worlds(11, 12, draft=True, size=4, max_sequences=300, kinds=KINDS)):
        plan = (DraftPlan(3, 2, 4), DraftPlan(5, 2, 5))[i % 2]
        make = Shared(model=model, share=SHARES["all probed"])
        b = taught(world, make, plan)
        law = b.killed(b.learned())
        drafter = make(world.draft, world.prompt, b.rows())
        for k in range(10):
            tree = drafter.propose(law, law.root(), plan, NumpyRandomSource((k,)))
            probes += any(branch.law == "fixed" for group in tree.branches for branch in group)
    assert probes > 0


def test_whole_attempts_while_everything_learns(seed: int) -> None:
    """Scheme (c): potential and memory learn from every round, within an attempt and between two."""
    for attempts in (1, 2):
        for world in tiny_worlds(seed, 3, 2):
            made: list[ProbingDrafter] = []

            def fresh(model: Any, prompt: Any, rows: Any, made: Any = made) -> ProbingDrafter:
                made.append(ProbingDrafter(model, prompt, rows))
                return made[-1]  # type: ignore[no-any-return]

            b = bench(world, "native", Pieces(drafter=fresh))
            assert prove_restarts(b, attempts) <= 1e-12
            assert any(d.seen.root is not None for d in made)


def test_h_falls_with_fewer_forwards() -> None:
    """With the same forwards h(ε) is lower than without drafts, on most worlds, and never below Φ."""
    lower = found = 0
    for world in worlds(31, 12, draft=True, size=5, kinds=("recursive", "counted", "object")):
        if world.phi > 0.5:
            continue
        bounds = []
        for make in (Shared(), None):
            memo = MemoModel(world.target)
            variant = replace(world, draft_rows=world.draft_rows if make is not None else None)
            object.__setattr__(variant, "target", memo)
            parts = Pieces(drafter=make, plan=DraftPlan(8, 2, 12)) if make is not None else Pieces()
            b = bench(variant, "native", parts)
            learned = b.learned()
            law = b.killed(learned)
            k = 0
            while memo.counters.forwards < 4 and k < 50:
                b.attempt(law).run(NumpyRandomSource((k,)))
                k += 1
            bounds.append(learned.root_h)
            assert learned.root_h >= world.phi * (1.0 - 1e-12)
        found += 1
        lower += bounds[0] <= bounds[1]
    assert found >= 4 and lower >= 0.8 * found


def test_shares_out_of_range_are_refused() -> None:
    with pytest.raises(OptionError, match="floor"):
        ProbingDrafter(None, (), None, floor=1.5)  # type: ignore[arg-type]


# -- planted wrong versions -----------------------------------------------------------------------------


class ProbeAsDrawn(ProbingDrafter):
    """Says that a probe was drawn from the remembered row (trap 4)."""

    def propose(self, law: Any, node: Node, plan: DraftPlan, random: RandomSource) -> DraftTree:
        tree = super().propose(law, node, plan, random)
        branches = list(tree.branches)
        for i, group in enumerate(tree.branches):
            at = tree.nodes[i]
            if group and group[-1].row is None and at is not None:
                row = law.children(at) / law.children(at).sum()
                branches[i] = (*group[:-1], Branch(group[-1].tokens, "wor", row))
        return DraftTree(tree.nodes, tree.parents, tree.tokens, branches)


class RowBeforeTheCut(ProbingDrafter):
    """Draws from the kept tokens and reports the row with the others in it (trap 2)."""

    def propose(self, law: Any, node: Node, plan: DraftPlan, random: RandomSource) -> DraftTree:
        tree = super().propose(law, node, plan, random)
        branches = []
        for at, group in zip(tree.nodes, tree.branches, strict=True):
            spread = None if at is None else law.children(at) / max(law.children(at).sum(), 1e-300)
            branches.append(
                tuple(b if b.row is None else b._replace(row=(b.row + spread) / 2) for b in group)
            )
        return DraftTree(tree.nodes, tree.parents, tree.tokens, branches)


class WalksAgain(ProbingDrafter):
    """Draws the walk twice and keeps the longer one (trap 1)."""

    def propose(self, law: Any, node: Node, plan: DraftPlan, random: RandomSource) -> DraftTree:
        once = super().propose(law, node, plan, random)
        again = super().propose(law, node, plan, random)
        return once if once.depth >= again.depth else again


WRONG = {
    ProbeAsDrawn: DraftPlan(2, 2, 4),
    RowBeforeTheCut: DraftPlan(2, 2, 3),
    WalksAgain: DraftPlan(2, 1, 2),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_version_is_caught(wrong: type[ProbingDrafter]) -> None:
    plan = WRONG[wrong]
    caught = 0
    for world in worlds(29, 30, draft=True, size=4, max_sequences=300, kinds=KINDS):
        make = Shared(wrong, share=(1.0, 0.0))
        right = taught(world, Shared(share=(1.0, 0.0)), plan, "reference")
        if world.seed % 3 == 0:
            assert prove_frozen(right, right.killed(right.learned())) <= 1e-12
        make.seen = right.pieces.drafter.seen  # type: ignore[attr-defined]
        b = bench(world, "reference", Pieces(drafter=make, plan=plan))
        try:
            prove_frozen(b, b.killed(b.learned()))
        except (ProofError, ContractError):
            caught += 1
        if caught == 2:
            return
    pytest.fail(f"{wrong.__name__} passed on all but {caught} worlds")


def test_remembered_mass_is_that_of_the_potential() -> None:
    """What the memory says of S at the root agrees with the learned potential, where no row was cut."""
    for world in worlds(37, 6, draft=True, size=4):
        make = Shared()
        make.seen = SeenPrefixes()
        b = bench(world, "native", Pieces(drafter=make, plan=DraftPlan(4, 2, 6)))
        learned = b.learned()
        teach(b, learned, 4, world.seed)
        assert make.seen.root is not None
        assert np.isclose(make.seen.root.mass, learned.root_h, rtol=1e-9)
