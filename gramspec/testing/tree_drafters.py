"""`TreeDrafterLaws`: a drafted tree has the probability that its branches claim, as a mixin.

Law: P(tree) = ∏ of the draws its branches name, with the very rows reported; fixed candidates cost nothing.
A drafter that looks at a token and then drops it, or names another row, has another product.
Source: laws, traps 1, 2 and 8. Inherit and define `make`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gramspec.audit.enumerate import enumerate_leaves
from gramspec.decoding.drafting.tree import Branch, DraftPlan, DraftTree
from gramspec.decoding.kernel import Node, child_node
from gramspec.testing.proofs import Bench
from gramspec.testing.reference import ReferenceCompiled
from gramspec.testing.worlds import worlds

Shape = tuple[tuple[int, int, tuple[tuple[str, tuple[int, ...]], ...]], ...]


def branch_mass(branch: Branch) -> float:
    """Probability of the candidates of one branch, by its law and its row.

    Parameters
    ----------
    branch : Branch
        With its row.
    """
    if branch.row is None:
        return 1.0
    left = branch.row.copy()
    mass = 1.0
    for i, token in enumerate(branch.tokens):
        drawn = branch.law != "greedy" or i == len(branch.tokens) - 1
        if drawn:
            mass *= float(left[token]) / math.fsum(left.tolist())
        if branch.law != "iid":
            left[token] = 0.0
    return mass


def shape_of(tree: DraftTree) -> Shape:
    """All that tells one draft from another."""
    return tuple(
        (parent, token, tuple((b.law, b.tokens) for b in group))
        for parent, token, group in zip(tree.parents, tree.tokens, tree.branches, strict=True)
    )


class TreeDrafterLaws:
    """Mixin: subclasses define `make`; `count`, `seed` and `plans` may be changed."""

    count = 12
    seed = 47
    plans = (DraftPlan(2, 2, 3), DraftPlan(3, 1))
    settings: dict[str, Any] = {"draft": True, "size": 3}  # noqa: RUF012

    def make(self, bench: Bench) -> Any:
        """A fresh drafter for a world, which has a draft model."""
        raise TypeError(f"{type(self).__name__} defines no drafter")

    def test_a_tree_has_the_probability_its_branches_claim(self) -> None:
        """Also: bounds of the plan, EOS ids are leaves, rows are laws on tokens that may follow."""
        drafted = branching = 0
        for i, world in enumerate(worlds(self.seed, self.count, **self.settings)):
            bench = Bench(world, ReferenceCompiled(world, i % 3))
            law = bench.killed(bench.learned())
            drafter = self.make(bench)
            starts = [law.root()]
            inner = [ids[0] for ids in world.members if len(ids) > 1]
            starts.extend(child_node(law, starts[0], token) for token in inner[:1])
            for start in starts:
                for plan in self.plans:
                    plan = plan._replace(length=min(plan.length, start.remaining))
                    found: dict[Shape, tuple[float, DraftTree]] = {}
                    for leaf in enumerate_leaves(
                        lambda random, s=start, p=plan, d=drafter, k=law: d.propose(  # type: ignore[misc]
                            k, Node(s.prefix, s.matcher.fork(), s.remaining, s.h), p, random
                        )
                    ):
                        assert leaf.value is not None
                        key = shape_of(leaf.value)
                        mass = found[key][0] if key in found else 0.0
                        found[key] = (mass + leaf.probability, leaf.value)
                    assert math.isclose(math.fsum(m for m, _ in found.values()), 1.0, rel_tol=1e-12)
                    for mass, tree in found.values():
                        self.check_shape(bench, start, law, tree, plan)
                        claimed = math.prod(branch_mass(b) for group in tree.branches for b in group)
                        assert abs(mass - claimed) <= 1e-12, (shape_of(tree), mass, claimed, str(world))
                        drafted += tree.drafted
                        branching += tree.drafted > tree.depth
        assert drafted > self.count
        assert branching > 0 or all(plan.width == 1 for plan in self.plans)

    def check_shape(self, bench: Bench, start: Node, law: Any, tree: DraftTree, plan: DraftPlan) -> None:
        """The tree keeps the plan, and its nodes are where they say."""
        assert tree.depth <= plan.length and tree.drafted <= plan.most
        for i, (node, group) in enumerate(zip(tree.nodes, tree.branches, strict=True)):
            if i > 0 and node is None:
                assert tree.tokens[i] in bench.world.small.eos_ids and not group
            if node is None:
                continue
            if i > 0:
                parent = tree.nodes[tree.parents[i]]
                assert parent is not None and node.prefix == (*parent.prefix, tree.tokens[i])
                assert node.remaining == parent.remaining - 1
            factors = law.children(node)
            named = {t for branch in group for t in branch.tokens}
            assert named == set(tree.children(i)) and all(factors[t] > 0.0 for t in named)
            for branch in group:
                assert len(branch.tokens) <= plan.width or branch.row is None
                if branch.row is not None:
                    assert math.isclose(float(branch.row.sum()), 1.0, rel_tol=1e-12)
                    assert not np.any((branch.row > 0.0) & (factors <= 0.0)) and np.all(branch.row >= 0.0)
