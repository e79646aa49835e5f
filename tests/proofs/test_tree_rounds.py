"""Whole rounds over draft-model trees under each verifier: schemes (a), (b) and (c) on fresh worlds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from benches import bench, tiny_worlds

from gramspec.decoding.drafting.dyspec import DySpecDrafter
from gramspec.decoding.drafting.model_drafter import ModelDrafter
from gramspec.decoding.drafting.model_tree import ModelTreeDrafter
from gramspec.decoding.drafting.tree import Branch, DraftPlan, DraftTree, TreeBuilder
from gramspec.decoding.verification import by_name
from gramspec.testing.proofs import Pieces, prove_frozen, prove_interleaved, prove_learned, prove_masked
from gramspec.testing.worlds import worlds


def drawn(law: Any) -> Callable[..., Any]:
    return lambda *parts: ModelTreeDrafter(*parts, law=law)


class ForcedThenDrawn(ModelTreeDrafter):
    """Below each drawn tree a fixed branch of the two first tokens that may follow at its root."""

    def propose(self, law: Any, node: Any, plan: DraftPlan, random: Any) -> DraftTree:
        tree = super().propose(law, node, plan, random)
        builder = TreeBuilder(law, node)
        builder.nodes, builder.parents = list(tree.nodes), list(tree.parents)
        builder.tokens = list(tree.tokens)
        builder.branches = [list(group) for group in tree.branches]
        builder._children = [dict(tree.children(i)) for i in range(len(tree.nodes))]
        left = plan.most - builder.drafted
        tokens = tuple(int(t) for t in law.children(node).nonzero()[0][:left])
        if tokens:
            builder.grow(0, Branch(tokens, "fixed", None))
        return builder.build()


TREE, CHAIN = DraftPlan(2, 2, 3), DraftPlan(3)
PAIRS: dict[str, tuple[str, Callable[..., Any], DraftPlan]] = {
    "token": ("token", ModelDrafter, CHAIN),
    "block": ("block", ModelDrafter, CHAIN),
    "match": ("match", drawn("wor"), TREE),
    "k-seq": ("k-seq", drawn("iid"), TREE),
    "k-seq, three": ("k-seq", drawn("iid"), DraftPlan(1, 3, 3)),
    "recursive": ("recursive", drawn("iid"), TREE),
    "recursive without replacement": ("recursive", drawn("wor"), DraftPlan(2, 3, 3)),
    "recursive on growing trees": ("recursive", DySpecDrafter, TREE),
    "greedy": ("greedy", drawn("greedy"), TREE),
    "traversal": ("traversal", drawn("wor"), TREE),
    "traversal with replacement": ("traversal", drawn("iid"), TREE),
    "traversal of greedy drafts": ("traversal", drawn("greedy"), TREE),
    "traversal of growing trees": ("traversal", DySpecDrafter, DraftPlan(3, 2, 3)),
    "traversal of chains": ("traversal", ModelDrafter, CHAIN),
    "traversal of mixed trees": ("traversal", ForcedThenDrawn, TREE),
    "descent of mixed trees": ("descent", ForcedThenDrawn, TREE),
    "auto on growing trees": ("auto", DySpecDrafter, DraftPlan(3, 2, 3)),
}


@pytest.mark.parametrize("name", PAIRS)
def test_rounds_over_trees_keep_their_law(name: str, seed: int) -> None:
    """Schemes (a) and (b), cold and taught; the masked law too."""
    verifier, drafter, plan = PAIRS[name]
    for i, world in enumerate(worlds(seed + 11, 6, draft=True, size=3, max_sequences=40)):
        b = bench(world, "native", Pieces(drafter=drafter, plan=plan, verifier=by_name(verifier)))
        assert prove_frozen(b, b.killed(b.learned())) <= 1e-12
        if i % 2:
            assert prove_learned(b, 2, world.seed) <= 1e-12
        else:
            assert prove_masked(b) <= 1e-12


@pytest.mark.parametrize("name", ["block", "recursive without replacement", "traversal"])
def test_attempts_over_trees_that_learn(name: str, seed: int) -> None:
    """Scheme (c): two interleaved attempts on one potential that learns from their trees."""
    verifier, drafter, _ = PAIRS[name]
    for world in tiny_worlds(seed + 3, 2, 1):
        pieces = Pieces(drafter=drafter, plan=DraftPlan(1, 2, 2), verifier=by_name(verifier))
        assert prove_interleaved(bench(world, "reference", pieces), (0, 1)) <= 1e-12
