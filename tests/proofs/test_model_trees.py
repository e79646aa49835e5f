"""Trees by a draft model: what was drawn is what is claimed, rounds keep their law, mutants are caught."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from benches import bench

from gramspec.decoding.drafting.dyspec import DySpecDrafter
from gramspec.decoding.drafting.model_tree import ModelTreeDrafter, sequoia_shape
from gramspec.decoding.drafting.stopping import ThresholdStop
from gramspec.decoding.drafting.tree import Branch, DraftPlan, DraftTree
from gramspec.decoding.kernel import Node
from gramspec.decoding.random import NumpyRandomSource, RandomSource
from gramspec.decoding.round import Attempt, play_round
from gramspec.errors import ContractError, OptionError
from gramspec.testing.proofs import Bench, Pieces, ProofError, prove_frozen, prove_learned
from gramspec.testing.tree_drafters import TreeDrafterLaws
from gramspec.testing.worlds import World, worlds

Make = Callable[..., Any]


def pieces(make: Make, plan: DraftPlan) -> Pieces:
    return Pieces(drafter=make, plan=plan)


def iid(*args: Any) -> Any:
    return ModelTreeDrafter(*args, law="iid")


def greedy(*args: Any) -> Any:
    return ModelTreeDrafter(*args, law="greedy")


def shaped(*args: Any) -> Any:
    return ModelTreeDrafter(*args, shape=sequoia_shape((0.5, 0.3, 0.1), 4, 2))


def stopping(*args: Any) -> Any:
    return ModelTreeDrafter(*args, stop=ThresholdStop(0.5))


def dyspec_stopping(*args: Any) -> Any:
    return DySpecDrafter(*args, floor=0.05, stop=ThresholdStop(0.5))


DRAFTERS: dict[str, Make] = {
    "iid": iid,
    "wor": ModelTreeDrafter,
    "greedy": greedy,
    "shaped": shaped,
    "stopping": stopping,
    "dyspec": DySpecDrafter,
    "dyspec, stopping": dyspec_stopping,
}


class _Laws(TreeDrafterLaws):
    name = ""

    def make(self, bench: Bench) -> Any:
        return DRAFTERS[self.name](bench.world.draft, bench.world.prompt, bench.rows())


class TestIid(_Laws):
    name = "iid"


class TestWithoutReplacement(_Laws):
    name = "wor"


class TestGreedy(_Laws):
    name = "greedy"


class TestShaped(_Laws):
    name = "shaped"
    plans = (DraftPlan(2, 3, 4),)


class TestStopping(_Laws):
    name = "stopping"


class TestDySpec(_Laws):
    name = "dyspec"


class TestDySpecStopping(_Laws):
    name = "dyspec, stopping"


@pytest.mark.parametrize("name", DRAFTERS)
def test_rounds_keep_their_law(name: str, seed: int) -> None:
    """Schemes (a) and (b) with trees of up to three tokens."""
    for i, world in enumerate(worlds(seed + 7, 5, draft=True, size=3, max_sequences=60)):
        plan = (DraftPlan(2, 2, 3), DraftPlan(3, 2, 3))[i % 2]
        b = bench(world, "native", pieces(DRAFTERS[name], plan))
        assert prove_frozen(b, b.killed(b.learned())) <= 1e-12
        assert prove_learned(b, 2, world.seed) <= 1e-12


def test_acceptance_is_learned_from_rounds() -> None:
    """After many rounds the predicted acceptance is nearer to min(1, K/q) than the draft's own row."""
    better = found = 0
    for world in worlds(5, 6, draft=True, size=3):
        b = bench(world, "native")
        stop = ThresholdStop(1.0)
        drafter = ModelTreeDrafter(world.draft, world.prompt, b.rows(), stop=stop)  # type: ignore[arg-type]
        law = b.killed(b.learned())
        random = NumpyRandomSource((world.seed,))
        errors: dict[bool, list[float]] = {True: [], False: []}
        for k in range(60):
            attempt = Attempt(
                law, world.target.open(world.prompt), len(world.prompt), drafter, DraftPlan(2, 2, 4)
            )
            while not attempt.over:
                tree = attempt.begin(random)
                _, tokens, parents = tree.to_score()
                attempt.finish(tree, attempt.sequence.score(tokens, parents), random)
                for j, path in drafter._paths.items():
                    parent = tree.nodes[tree.parents[j]]
                    if path.proposal is None or path.proposal.support == 1 or parent is None or k < 30:
                        continue
                    label = min(1.0, parent.kernel[path.token] / path.proposal.row[path.token])  # type: ignore[index]
                    errors[True].append(abs(label - stop.acceptance(path)))
                    errors[False].append(abs(label - path.proposal.row[path.token]))
            attempt.close()
        if errors[True]:
            found += 1
            better += np.mean(errors[True]) < np.mean(errors[False])
    assert found >= 4 and better >= found - 1


def test_the_best_static_tree() -> None:
    """A tree is worth the sum of its nodes' products; no set of paths of that size is worth more."""
    rates, nodes, depth = (0.6, 0.2, 0.1), 7, 3
    children = sequoia_shape(rates, nodes, depth).children
    values = {0: 1.0}
    for slot, found in enumerate(children):
        for sibling, child in enumerate(found):
            values[child] = values[slot] * rates[sibling]
    assert sorted(values) == list(range(nodes + 1))
    every = [math.prod(p) for d in range(1, depth + 1) for p in itertools.product(rates, repeat=d)]
    assert math.isclose(sum(values.values()) - 1.0, sum(sorted(every)[-nodes:]), rel_tol=1e-12)
    assert sequoia_shape((1.0,), 3, 2).children == ((1,), (2,), ())
    with pytest.raises(OptionError, match="falling"):
        sequoia_shape((0.2, 0.5), 3, 2)
    with pytest.raises(OptionError, match="law"):
        ModelTreeDrafter(None, (), None, law="top")  # type: ignore[arg-type]


# -- planted wrong versions -----------------------------------------------------------------------------


class DropsUnlikely(ModelTreeDrafter):
    """Looks at a chain's last token and drops it when the draft gave it little probability (trap 1)."""

    def propose(self, law: Any, node: Node, plan: DraftPlan, random: RandomSource) -> DraftTree:
        tree = super().propose(law, node, plan, random)
        tokens, rows, nodes = tree.as_chain()
        if tokens and rows[-1][tokens[-1]] < 0.4:
            return DraftTree.chain(tokens[:-1], rows[:-1], nodes[: len(tokens)])
        return tree


class LeavesTheRowAsItWas(DySpecDrafter):
    """A second sibling is reported as drawn from q, but was drawn with the first one taken out (trap 2)."""

    def propose(self, law: Any, node: Node, plan: DraftPlan, random: RandomSource) -> DraftTree:
        tree = super().propose(law, node, plan, random)
        branches = [tuple(b._replace(law="iid") for b in group) for group in tree.branches]
        return DraftTree(tree.nodes, tree.parents, tree.tokens, branches)


class DrawsAnother(DySpecDrafter):
    """Keeps the best of two draws of the first token and says that it was drawn once (trap 2)."""

    def propose(self, law: Any, node: Node, plan: DraftPlan, random: RandomSource) -> DraftTree:
        class Best:
            first = True

            def choose(self, weights64: Any) -> int:
                token = random.choose(weights64)
                if self.first:
                    self.first = False
                    token = max(token, random.choose(weights64), key=lambda t: weights64[t])
                return token

        return super().propose(law, node, plan, Best())


class GreedyAsDrawn(ModelTreeDrafter):
    """Reports the chosen candidates of a greedy branch as drawn without replacement (trap 4)."""

    def propose(self, law: Any, node: Node, plan: DraftPlan, random: RandomSource) -> DraftTree:
        tree = super().propose(law, node, plan, random)
        branches = [
            tuple(Branch(b.tokens, "wor" if b.law == "greedy" else b.law, b.row) for b in group)
            for group in tree.branches
        ]
        return DraftTree(tree.nodes, tree.parents, tree.tokens, branches)


def plan_after_the_draw(
    law: Any, node: Any, sequence: Any, drafter: Any, gamma: Any, random: Any, **options: Any
) -> Any:
    """Drafts, looks at the first token, and drafts again with a shorter plan where it dislikes it."""

    class Changes:
        def propose(self, law: Any, node: Any, plan: DraftPlan, random: RandomSource) -> DraftTree:
            tree = drafter.propose(law, node, plan, random)
            if tree.drafted and tree.tokens[1] % 2 == 1:
                return drafter.propose(law, node, plan._replace(length=1, nodes=1), random)  # type: ignore[no-any-return]
            return tree  # type: ignore[no-any-return]

    return play_round(law, node, sequence, Changes(), DraftPlan(2, 1), random, **options)


WRONG: dict[str, tuple[Make, DraftPlan, dict[str, Any]]] = {
    "low confidence dropped": (DropsUnlikely, DraftPlan(2, 1), {}),
    "siblings as independent": (LeavesTheRowAsItWas, DraftPlan(1, 2, 2), {}),
    "best of two draws": (DrawsAnother, DraftPlan(2, 2, 2), {}),
    "chosen as drawn": (lambda *a: GreedyAsDrawn(*a, law="greedy"), DraftPlan(1, 2, 2), {}),
    "plan after the draw": (DySpecDrafter, DraftPlan(2, 1), {"round": plan_after_the_draw}),
}


def wrong_worlds() -> list[World]:
    return worlds(23, 14, draft=True, size=3, max_sequences=60)


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_version_is_caught(name: str) -> None:
    make, plan, changes = WRONG[name]
    caught = 0
    for world in wrong_worlds():
        right = bench(world, "reference", pieces(DySpecDrafter, plan))
        assert prove_frozen(right, right.killed(right.learned())) <= 1e-12
        parts = {"plan": plan, **changes}
        wrong = bench(world, "reference", Pieces(drafter=make, **parts))
        try:
            prove_frozen(wrong, wrong.killed(wrong.learned()))
        except (ProofError, ContractError):
            caught += 1
    assert caught >= 2, f"{name} passed on all but {caught} worlds"
