"""Verification from the root downwards, each node by the rule of how its children were drawn.

Law: at every node the symbol that comes next follows K, so path and last symbol do.
Source: Leviathan et al. (2211.17192); SpecInfer (2305.09781); RSD (2402.14160); greedy drafts: Hu et
al. (2502.18779); laws, "Verification rules".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gramspec.decoding.drafting.tree import Branch, DraftTree, SiblingLaw
from gramspec.decoding.random import RandomSource
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

    Parameters
    ----------
    target : ndarray, shape (width + 1,)
        Law of the symbol at the node.
    branch : Branch
        Candidates drawn "iid" or "wor".
    random : RandomSource
        One coin per candidate whose fate is open.
    """
    assert branch.row is not None
    draft = branch.row
    for i, token in enumerate(branch.tokens):
        keep = target[token] / draft[token]
        if keep >= 1.0 or (keep > 0.0 and random.choose(np.array([keep, 1.0 - keep])) == 0):
            return Step(token, target)
        target = left_over(target, draft)
        if branch.law == "wor" and i + 1 < len(branch.tokens):
            draft = draft.copy()
            draft[token] = 0.0
            draft /= draft.sum()
    return Step(None, target)


def greedy(target: Row, branch: Branch, random: RandomSource) -> Step:
    """One drawn candidate beside chosen ones: rejection with q restricted to the others.

    A chosen candidate is reached when the symbol left over falls on it, which attains the optimum of such
    drafts (Hu et al., section 4).

    Parameters
    ----------
    target : ndarray, shape (width + 1,)
        Law of the symbol at the node.
    branch : Branch
        Chosen candidates, then the drawn one.
    random : RandomSource
        One coin at most.
    """
    assert branch.row is not None
    *chosen, drawn = branch.tokens
    draft = branch.row.copy()
    draft[chosen] = 0.0
    draft /= draft.sum()
    return recursive(target, Branch((drawn,), "iid", draft), random)


def fixed(target: Row, branch: Branch, random: RandomSource) -> Step:
    """Candidates that were not drawn: the symbol is drawn from K and meets them or not.

    Parameters
    ----------
    target, branch, random
        As for `recursive`; nothing is asked here.
    """
    return Step(None, target)


def left_over(target: Row, draft: Row) -> Row:
    """(K − q)₊ over V ∪ {†}, normalised; K itself where rounding leaves nothing.

    Parameters
    ----------
    target : ndarray, shape (width + 1,)
        K, or what is left of it.
    draft : ndarray, shape (width,)
        The row of the rejected candidate.
    """
    rest = target.copy()
    rest[:-1] -= draft
    np.maximum(rest, 0.0, out=rest)
    total = float(rest.sum())
    return rest / total if total > 0.0 else target


RULES: Mapping[SiblingLaw, Rule] = {"iid": recursive, "wor": recursive, "greedy": greedy, "fixed": fixed}


class Descent:
    """Verifies any tree from the root downwards.

    Parameters
    ----------
    rules : mapping, optional
        Rule of each sibling law, where another one than `RULES` is wanted.
    name : str
        Name of the combination.
    """

    def __init__(self, rules: Mapping[SiblingLaw, Rule] | None = None, name: str = "descent") -> None:
        self.name = name
        self._rules: dict[SiblingLaw, Rule] = {**RULES, **(rules or {})}

    def verify(self, tree: DraftTree, kernels: Kernels, random: RandomSource) -> TreeVerdict:
        """Decide which path is kept; see `Verifier.verify`."""
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
