"""Verification from the root downwards, each node by the rule of how its children were drawn.

Law: at every node the symbol that comes next follows K, so path and last symbol do.
Cost: O(width) per candidate on the path that is kept, nothing for the rest of the tree.
Source: Leviathan et al. (2211.17192); SpecInfer (2305.09781); RSD (2402.14160); greedy drafts: Hu et
al. (2502.18779), section 4; laws, "Verification rules".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gramspec.decoding.drafting.tree import Branch, DraftTree, SiblingLaw
from gramspec.decoding.random import RandomSource
from gramspec.decoding.verification.candidates import (
    Refusal,
    check_branches,
    drawn_row,
    kept,
    left_over,
    without,
)
from gramspec.decoding.verification.protocol import Kernels, TreeVerdict

Row = NDArray[np.float64]


class Step(NamedTuple):
    """What one branch came to.

    Attributes
    ----------
    token : int or None
        The accepted candidate.
    rest : ndarray, shape (width + 1,)
        Law of the symbol at this node given that no candidate was accepted.
    """

    token: int | None
    rest: Row


Rule = Callable[[Row, Branch, RandomSource], Step]


def recursive(target: Row, branch: Branch, random: RandomSource) -> Step:
    """Recursive rejection: each candidate against what is left of K; with one candidate the token rule.

    How many candidates there are may depend on the earlier ones.

    Parameters
    ----------
    target : ndarray, shape (width + 1,)
        Law of the symbol at the node.
    branch : Branch
        Candidates drawn "iid" or "wor".
    random : RandomSource
        One coin per candidate whose fate is open.
    """
    draft = drawn_row(branch)
    for i, token in enumerate(branch.tokens):
        if kept(random.choose, float(target[token]) / float(draft[token])):
            return Step(token, target)
        target = left_over(target, draft)
        if branch.law == "wor" and i + 1 < len(branch.tokens):
            draft = without(draft, [token])
    return Step(None, target)


def greedy(target: Row, branch: Branch, random: RandomSource) -> Step:
    """One drawn candidate beside chosen ones: rejection with q restricted to the others.

    A chosen candidate is reached when the symbol left over falls on it, which attains the optimum of such
    drafts, Σ_chosen K + Σ_rest min(K, q/q(rest)) (Hu et al., section 4).

    Parameters
    ----------
    target : ndarray, shape (width + 1,)
        Law of the symbol at the node.
    branch : Branch
        Chosen candidates, then the drawn one.
    random : RandomSource
        One coin at most.
    """
    *chosen, drawn = branch.tokens
    return recursive(target, Branch((drawn,), "iid", without(drawn_row(branch), chosen)), random)


def fixed(target: Row, branch: Branch, random: RandomSource) -> Step:
    """Candidates that were not drawn: the symbol is drawn from K and meets them or not.

    Parameters
    ----------
    target, branch, random
        As for `recursive`; nothing is asked here.
    """
    return Step(None, target)


RULES: Mapping[SiblingLaw, Rule] = {"iid": recursive, "wor": recursive, "greedy": greedy, "fixed": fixed}


class Descent:
    """Verifies any tree from the root downwards.

    Parameters
    ----------
    rules : mapping, optional
        Rule of each sibling law, where another one than `RULES` is wanted.
    name : str
        Name of the combination.
    refuse : callable, optional
        Says why a branch cannot be verified by these rules; "" where it can.
    """

    def __init__(
        self,
        rules: Mapping[SiblingLaw, Rule] | None = None,
        name: str = "descent",
        refuse: Refusal | None = None,
    ) -> None:
        self.name = name
        self._rules: dict[SiblingLaw, Rule] = {**RULES, **(rules or {})}
        self._refuse = refuse

    def verify(self, tree: DraftTree, kernels: Kernels, random: RandomSource) -> TreeVerdict:
        """Decide which path is kept; see `Verifier.verify`."""
        check_branches(tree, self.name, self._refuse)
        path: list[int] = []
        at = 0
        while tree.nodes[at] is not None:
            target = kernels[at]
            assert target is not None
            token: int | None = None
            for branch in tree.branches[at]:
                token, target = self._rules[branch.law](target, branch, random)
                if token is not None:
                    break
            if token is None:
                token = random.choose(target)
            child = tree.children(at).get(token)
            if child is None:
                return TreeVerdict(tuple(path), token)
            path.append(child)
            at = child
        return TreeVerdict(tuple(path), None)


class Match(Descent):
    """Draws from K and goes down as long as a child is met: any tree, rows are not needed.

    A drawn tree is verified without its rows, as if it had been fixed; that loses acceptance, never the law.
    """

    def __init__(self) -> None:
        super().__init__({"iid": fixed, "wor": fixed, "greedy": fixed}, "match")


class Recursive(Descent):
    """Recursive rejection, with and without replacement; refuses greedy candidates."""

    def __init__(self) -> None:
        super().__init__({}, "recursive", _drawn_alone)


class Greedy(Descent):
    """Greedy multi-draft: chosen candidates and one drawn from the rest; refuses several drawn ones."""

    def __init__(self) -> None:
        super().__init__({}, "greedy", _drawn_once)


def _drawn_alone(branch: Branch) -> str:
    mixed = branch.law == "greedy" and len(branch.tokens) > 1
    return "candidates have to be drawn, not chosen by rank" if mixed else ""


def _drawn_once(branch: Branch) -> str:
    several = branch.law in ("iid", "wor") and len(branch.tokens) > 1
    return "one candidate of a branch may be drawn, the others are chosen" if several else ""
