"""Traversal verification: from the leaves to the root, so that a sibling is tried before its parent is.

Law: a node that stands with value b is kept, or something below it, with probability b, and what follows it
then follows K. Child x drawn from q gets min(1, b·P(x)/q(x)); when it falls, r = Σ (b·P − q)₊,
P ← (b·P − q)₊/r and b ← r/(r + 1 − b). On a chain this is block verification.

What stands below x must have been drawn after x. A greedy branch chooses some children without drawing them;
what was drawn below such a child may have decided that a later branch is drawn at all, and that branch may
draw the child itself. Given what is below it that draw is no longer one from q alone, so the child is then
tried without what is below, kept with probability b, and only once kept verified as a new root.
Cost: O(width) for every candidate of the tree. Source: Weng et al. (2505.12398); laws, "Verification rules".
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from gramspec.decoding.drafting.tree import DraftTree
from gramspec.decoding.random import RandomSource
from gramspec.decoding.verification.candidates import check_branches, drawn_row, kept, without
from gramspec.decoding.verification.protocol import Kernels, TreeVerdict
from gramspec.kernels.verification import block_gate, residual

Row = NDArray[np.float64]


class _Standing:
    """A node whose candidates are being tried."""

    __slots__ = ("alone", "candidates", "draft", "index", "target", "value")

    def __init__(
        self, tree: DraftTree, kernels: Kernels, index: int, value: float, alone: bool = False
    ) -> None:
        self.index = index
        self.value = value
        self.alone = alone  # tried without what is below it
        self.target = kernels[index]
        self.candidates = iter(()) if alone else _candidates(tree, index)
        self.draft: Row | None = None

    def stand(self, token: int, draft: Row) -> float:
        """Value of a child."""
        assert self.target is not None
        self.draft = draft
        return min(1.0, self.value * (float(self.target[token]) / float(draft[token])))

    def fall(self) -> None:
        """The child that was tried is rejected, with all below it."""
        assert self.target is not None and self.draft is not None
        left = residual(self.target, self.draft, self.value)
        total = float(left.sum())
        self.value = block_gate(total, self.value)
        if total > 0.0:  # otherwise K and q are equal up to rounding, or nothing is owed here any more
            self.target = left / total


class Traversal:
    """Verifies any tree from its leaves to its root.

    Fixed candidates, and those a greedy branch chose, are met when the symbol after a kept node falls on
    them; verification then begins anew there.
    """

    name = "traversal"

    def verify(self, tree: DraftTree, kernels: Kernels, random: RandomSource) -> TreeVerdict:
        """Decide which path is kept; see `Verifier.verify`."""
        check_branches(tree, self.name)
        path: list[int] = []
        tried: set[int] = set()
        root = 0
        while True:
            stack = _traverse(tree, kernels, root, tried, random)
            path.extend(s.index for s in stack[1:])
            end = stack[-1]
            if end.alone:
                root = end.index
                continue
            if end.target is None:
                return TreeVerdict(tuple(path), None)
            token = random.choose(end.target)
            child = tree.children(end.index).get(token)
            if child is None or child in tried:
                return TreeVerdict(tuple(path), token)
            path.append(child)
            tried.add(child)
            root = child


def _traverse(
    tree: DraftTree, kernels: Kernels, root: int, tried: set[int], random: RandomSource
) -> list[_Standing]:
    """The nodes from a root that stands for certain down to the one that is kept."""
    stack = [_Standing(tree, kernels, root, 1.0)]
    while True:
        top = stack[-1]
        found = next(top.candidates, None)
        if found is not None:
            token, draft, alone = found
            child = tree.children(top.index)[token]
            tried.add(child)
            value = top.stand(token, draft)
            if value > 0.0:
                stack.append(_Standing(tree, kernels, child, value, alone))
            else:
                top.fall()
        elif kept(random.choose, top.value):
            return stack
        else:
            stack.pop()
            stack[-1].fall()


def _candidates(tree: DraftTree, index: int) -> Iterator[tuple[int, Row, bool]]:
    """Drawn candidates of a node in order, the row of each, and whether an earlier branch had chosen it."""
    chosen: set[int] = set()
    for branch in tree.branches[index]:
        if branch.law == "fixed":
            continue
        draft = drawn_row(branch)
        if branch.law == "greedy":
            token = branch.tokens[-1]
            yield token, without(draft, branch.tokens[:-1]), token in chosen
            chosen.update(branch.tokens[:-1])
            continue
        for i, token in enumerate(branch.tokens):
            yield token, draft, token in chosen
            if branch.law == "wor" and i + 1 < len(branch.tokens):
                draft = without(draft, [token])
