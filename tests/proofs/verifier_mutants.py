"""Planted wrong verifiers and wrong ways to grow a tree: the laws of verifiers must catch each of them.

Source: laws, "Verification rules" and traps 2 to 4.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from gramspec.decoding.drafting.tree import Branch, DraftTree
from gramspec.decoding.random import RandomSource
from gramspec.decoding.verification import Block, Descent, KSeq, Recursive, Traversal, TreeVerdict
from gramspec.decoding.verification import traversal as traversal_module
from gramspec.decoding.verification.candidates import drawn_row, kept
from gramspec.decoding.verification.chain import is_chain
from gramspec.decoding.verification.descent import Step, recursive
from gramspec.decoding.verification.k_seq import k_seq, scale_of
from gramspec.testing.drafts import (
    Growth,
    Way,
    after_a_look_below,
    another_after,
    bushy,
    chain,
    drawn_after_it_was_chosen,
)


def shared_node_tested_once(target: Any, branch: Branch, random: RandomSource) -> Step:
    """K-sequential selection that merges repeated candidates and keeps k."""
    draft = drawn_row(branch)
    scale = scale_of(target, draft, len(branch.tokens))
    if scale.accepted <= 0.0:
        return Step(None, target)
    for token in dict.fromkeys(branch.tokens):
        if kept(random.choose, float(target[token] / (scale.factor * draft[token]))):
            return Step(token, target)
    rest = target.copy()
    rest[:-1] -= np.minimum(draft, target[:-1] / scale.factor) * scale.any_accepted / scale.accepted
    rest = np.maximum(rest, 0.0)
    return Step(None, rest / rest.sum() if rest.sum() > 0.0 else target)


def k_of_distinct_candidates(target: Any, branch: Branch, random: RandomSource) -> Step:
    """K-sequential selection with k settled after drawing: repeated candidates do not count."""
    return k_seq(target, branch._replace(tokens=tuple(dict.fromkeys(branch.tokens))), random)


def nothing_zeroed(target: Any, branch: Branch, random: RandomSource) -> Step:
    """Siblings without replacement against the whole row."""
    return recursive(target, branch._replace(law="iid"), random)


def residual_without_dead(target: Any, branch: Branch, random: RandomSource) -> Step:
    """The residual is taken over tokens only."""
    step = recursive(target, branch, random)
    if step.token is None and step.rest[:-1].sum() > 0.0:
        rest = step.rest.copy()
        rest[-1] = 0.0
        return Step(None, rest / rest.sum())
    return step


def row_not_restricted(target: Any, branch: Branch, random: RandomSource) -> Step:
    """A greedy branch against the whole row, though its candidate was drawn from the rest."""
    return recursive(target, Branch(branch.tokens[-1:], "iid", branch.row), random)


class MatchKeepsScores(Descent):
    """Fixed candidates accepted as if each had been drawn from the row that ranked it."""

    def verify(self, tree: DraftTree, kernels: Any, random: RandomSource) -> TreeVerdict:
        scored = [
            tuple(_scored(b, len(kernels[0]) - 1) if b.law == "fixed" else b for b in group)
            for group in tree.branches
        ]
        return super().verify(DraftTree(tree.nodes, tree.parents, tree.tokens, scored), kernels, random)


def _scored(branch: Branch, width: int) -> Branch:
    scores = np.full(width, 0.1)
    scores[list(branch.tokens)] = 1.0
    return Branch(branch.tokens[:1], "iid", scores / scores.sum())


class TraversalWithReplacement(Traversal):
    """Leaf to root with siblings drawn without replacement, each against the whole row."""

    def verify(self, tree: DraftTree, kernels: Any, random: RandomSource) -> TreeVerdict:
        whole = [
            tuple(b._replace(law="iid") if b.law == "wor" else b for b in group) for group in tree.branches
        ]
        return super().verify(DraftTree(tree.nodes, tree.parents, tree.tokens, whole), kernels, random)


class GoesOnAfterEos(Descent):
    """A drafted EOS is accepted like any token, and one more symbol is emitted after it."""

    def verify(self, tree: DraftTree, kernels: Any, random: RandomSource) -> TreeVerdict:
        verdict = super().verify(tree, kernels, random)
        return verdict if verdict.next is not None else TreeVerdict(verdict.path, 1)


class TraversalForgetsFall(Traversal):
    """The value of a node is not changed when a child falls."""

    def verify(self, tree: DraftTree, kernels: Any, random: RandomSource) -> TreeVerdict:
        fall = traversal_module._Standing.fall

        def forgets(self: Any) -> None:
            value = self.value
            fall(self)
            self.value = value

        traversal_module._Standing.fall = forgets  # type: ignore[method-assign]
        try:
            return super().verify(tree, kernels, random)
        finally:
            traversal_module._Standing.fall = fall  # type: ignore[method-assign]


class TraversalUsesOlderTokens(Traversal):
    """Tokens below a chosen child count in its standing when a later branch, which they allowed, draws it."""

    def verify(self, tree: DraftTree, kernels: Any, random: RandomSource) -> TreeVerdict:
        candidates = traversal_module._candidates

        def as_if_drawn_first(tree: DraftTree, index: int) -> Iterator[tuple[int, Any, bool]]:
            for token, draft, _ in candidates(tree, index):
                yield token, draft, False

        traversal_module._candidates = as_if_drawn_first
        try:
            return super().verify(tree, kernels, random)
        finally:
            traversal_module._candidates = candidates


class PickedByShape:
    """Block for chains, a descent for other trees: the shape may depend on the tokens."""

    def verify(self, tree: DraftTree, kernels: Any, random: RandomSource) -> TreeVerdict:
        return (Block() if is_chain(tree) else Descent()).verify(tree, kernels, random)


def drops_a_sibling(growth: Growth) -> None:
    """Draws two candidates and keeps the more probable one."""
    q = growth.row(0)
    tokens = [growth.random.choose(q) for _ in range(2)]
    growth.builder.grow(0, Branch((max(tokens, key=lambda v: q[v]),), "iid", q))


class Planted(NamedTuple):
    """A wrong verifier, or a right one on a wrong tree."""

    verifier: Any
    ways: Mapping[str, Way]


PLANTED: Mapping[str, Planted] = {
    "a rule picked by the shape": Planted(PickedByShape(), {"look": after_a_look_below}),
    "a shared node tested once": Planted(
        Descent({"iid": shared_node_tested_once}), {"three": bushy("iid", 3), "two": bushy("iid", 2, 1)}
    ),
    "k counted after drawing": Planted(
        Descent({"iid": k_of_distinct_candidates}), {"three": bushy("iid", 3)}
    ),
    "k fixed after drawing": Planted(KSeq(), {"another": another_after("iid")}),
    "nothing zeroed": Planted(
        Descent({"wor": nothing_zeroed}), {"two": bushy("wor", 2), "three": bushy("wor", 3)}
    ),
    "residual without †": Planted(Descent({"iid": residual_without_dead}), {"chain": chain(2)}),
    "greedy against the whole row": Planted(
        Descent({"greedy": row_not_restricted}), {"three": bushy("greedy", 3)}
    ),
    "scores taken for draft rows": Planted(MatchKeepsScores(), {"fixed": bushy("fixed", 2, 1)}),
    "traversal with replacement": Planted(TraversalWithReplacement(), {"two": bushy("wor", 2, 1)}),
    "a symbol after EOS": Planted(GoesOnAfterEos(), {"chain": chain(2)}),
    "traversal that forgets a fall": Planted(
        TraversalForgetsFall(), {"two": bushy("wor", 1, 2), "chain": chain(2)}
    ),
    "traversal below a child that was there before": Planted(
        TraversalUsesOlderTokens(), {"chosen": drawn_after_it_was_chosen}
    ),
    "a drawn sibling dropped": Planted(Recursive(), {"two": drops_a_sibling}),
}
