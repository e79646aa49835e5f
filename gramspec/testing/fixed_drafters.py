"""`FixedDrafterLaws`: a drafter that draws nothing keeps to its plan and to what may follow, as a mixin.

Law: no choice is asked for, every branch is "fixed", factors are positive, the tree is within the plan, and
proposing teaches nothing. Source: laws, traps 4 and 8. Inherit and define `make`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gramspec.decoding.drafting.protocol import Drafter, LearningDrafter
from gramspec.decoding.drafting.tree import DraftPlan, DraftTree
from gramspec.decoding.kernel import Node, StepLaw, child_node
from gramspec.decoding.random import NumpyRandomSource
from gramspec.decoding.round import Attempt, play_round
from gramspec.matching import compile as compile_grammar
from gramspec.testing.proofs import Bench, Pieces
from gramspec.testing.reference import ReferenceCompiled
from gramspec.testing.worlds import World, worlds

PLANS = (DraftPlan(1), DraftPlan(3), DraftPlan(2, 2), DraftPlan(3, 3, 5), DraftPlan(4, 2, 1))


class NoChoice:
    """A random source that nobody may ask."""

    def choose(self, weights64: NDArray[np.float64]) -> int:
        """Fail."""
        raise AssertionError("a drafter that draws nothing asked for a choice")


def fixed_bench(world: World, index: int, plan: DraftPlan | None = None, **pieces: Any) -> Bench:
    """A bench whose rounds and attempts follow a plan; native and reference compilers in turn.

    Parameters
    ----------
    world : World
        The world.
    index : int
        Even: compiled by the native core; odd: by the reference.
    plan : DraftPlan, optional
        The plan; None leaves the draft length of the world.
    **pieces : Any
        Other production parts.
    """
    compiled = (
        compile_grammar(world.grammar, world.vocabulary)
        if index % 2 == 0
        else ReferenceCompiled(world, index % 3)
    )
    if plan is None:
        return Bench(world, compiled, Pieces(**pieces))

    def one_round(
        law: StepLaw, node: Node, sequence: Any, drafter: Any, _: Any, random: Any, *more: Any, **named: Any
    ) -> Any:
        return play_round(law, node, sequence, drafter, plan, random, *more, **named)

    def one_attempt(
        law: StepLaw, sequence: Any, length: int, drafter: Any, _: Any, *more: Any, **named: Any
    ) -> Attempt:
        return Attempt(law, sequence, length, drafter, plan, *more, **named)

    return Bench(world, compiled, Pieces(round=one_round, attempt=one_attempt, **pieces))


def run_attempts(bench: Bench, drafter: Drafter, count: int, plan: DraftPlan) -> None:
    """Let a drafter learn from production attempts."""
    law = bench.killed(bench.learned())
    world = bench.world
    for k in range(count):
        sequence = world.target.open(world.prompt)
        attempt = Attempt(law, sequence, len(world.prompt), drafter, plan)
        attempt.run(NumpyRandomSource((world.seed, k)))


class FixedDrafterLaws:
    """Mixin: subclasses define `make`; `count`, `seed` and `taught` may be changed."""

    count = 10
    seed = 143
    taught = 4
    drafts = True  # whether something is drafted after learning

    def make(self, bench: Bench) -> Any:
        """A fresh drafter for a world."""
        raise TypeError(f"{type(self).__name__} defines no drafter")

    def test_trees_keep_to_plan_and_law(self) -> None:
        """Cold and taught, from every inner prefix of some members, under several plans."""
        drafted = 0
        for i, world in enumerate(worlds(self.seed, self.count)):
            bench = fixed_bench(world, i)
            for attempts in (0, self.taught):
                drafter = self.make(bench)
                run_attempts(bench, drafter, attempts, PLANS[3])
                law = bench.killed(bench.learned())
                for start in self.starts(law, world):
                    for plan in PLANS:
                        within = plan._replace(length=min(plan.length, start.remaining))
                        tree = drafter.propose(law, start, within, NoChoice())
                        self.check(law, start, within, tree)
                        drafted += tree.drafted
                        again = drafter.propose(law, start, within, NoChoice())
                        assert tree.tokens == again.tokens and tree.parents == again.parents
        assert drafted > 0 or not self.drafts

    def starts(self, law: StepLaw, world: World) -> Sequence[Node]:
        """The root, and prefixes of members with positive h."""
        found = [law.root()]
        for ids in world.members[:2]:
            node = found[0]
            for token in ids[:-1]:
                if not law.children(node)[token] > 0.0:
                    break
                node = child_node(law, node, token)
                found.append(node)
        return found

    def check(self, law: StepLaw, start: Node, plan: DraftPlan, tree: DraftTree) -> None:
        """One tree."""
        assert tree.nodes[0] is start and tree.depth <= plan.length and tree.drafted <= plan.most
        for i, (node, group) in enumerate(zip(tree.nodes, tree.branches, strict=True)):
            assert len(group) <= 1 and all(branch.law == "fixed" and branch.row is None for branch in group)
            tokens = [t for branch in group for t in branch.tokens]
            assert len(tokens) <= plan.width and len(set(tokens)) == len(tokens)
            assert set(tokens) == set(tree.children(i))
            if node is None:
                assert not tokens and tree.tokens[i] in law.eos_ids
                continue
            factors = law.children(node)
            assert all(factors[t] > 0.0 for t in tokens)
            if i:
                parent = tree.nodes[tree.parents[i]]
                assert parent is not None
                assert node.prefix == (*parent.prefix, tree.tokens[i])
                assert node.remaining == parent.remaining - 1
                assert node.h == law.children(parent)[tree.tokens[i]]

    def test_learning_comes_after_a_round_only(self) -> None:
        """A drafter that learns says so by the protocol."""
        world = worlds(self.seed, 1)[0]
        assert isinstance(self.make(fixed_bench(world, 0)), LearningDrafter)
