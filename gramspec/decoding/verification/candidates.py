"""What a rule may rely on: candidates that their row can give, rows that are laws, the right branches.

Law: none; a tree that a rule does not hold for is refused before the first choice.
Source: laws, "Verification rules", traps 2 and 4.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from gramspec.decoding.drafting.tree import Branch, DraftTree
from gramspec.errors import DraftError

Row = NDArray[np.float64]
Refusal = Callable[[Branch], str]  # why a rule does not hold for a branch; "" where it holds

_TOLERANCE = 1e-9  # rows are normalised in float64; a row of another law is off by far more


def check_branches(tree: DraftTree, rule: str, refuse: Refusal | None = None) -> None:
    """Refuse a tree whose branches a rule cannot verify.

    Parameters
    ----------
    tree : DraftTree
        What was drafted.
    rule : str
        Name of the rule, for the error.
    refuse : callable, optional
        What this rule asks of a branch beyond what every rule does.

    Raises
    ------
    DraftError
        Naming the node, the branch and the reason.
    """
    for index, group in enumerate(tree.branches):
        for place, branch in enumerate(group):
            reason = _malformed(branch) or (refuse(branch) if refuse is not None else "")
            if reason:
                raise refusal(tree, index, place, f"{rule} verification: {reason}")


def refusal(tree: DraftTree, index: int, place: int, reason: str) -> DraftError:
    """The error for one branch.

    Parameters
    ----------
    tree : DraftTree
        What was drafted.
    index, place : int
        The node, and which of its branches.
    reason : str
        What is wrong with it.
    """
    branch = tree.branches[index][place]
    at = tree.nodes[index]
    where = f" after {list(at.prefix)}" if at is not None else ""
    return DraftError(
        f"{reason}; branch {place} of node {index}{where} holds {list(branch.tokens)}, drawn"
        f" {branch.law!r}\n  hint: verifier 'auto' takes every tree"
    )


def _malformed(branch: Branch) -> str:
    if not branch.tokens:
        return "a branch without candidates"
    if branch.law == "fixed":
        return "a fixed branch has no row" if branch.row is not None else ""
    if branch.row is None:
        return "drawn candidates need the row they were drawn from"
    if branch.law not in ("iid", "wor", "greedy"):
        return f"unknown sibling law {branch.law!r}"
    if branch.law != "iid" and len(set(branch.tokens)) < len(branch.tokens):
        return "a candidate is repeated, which this sibling law cannot do"
    drawn = branch.tokens[-1:] if branch.law == "greedy" else branch.tokens
    width = len(branch.row)
    if not all(0 <= t < width and branch.row[t] > 0.0 for t in drawn):
        return "a candidate has no probability in the row it was drawn from"
    return ""


def drawn_row(branch: Branch) -> Row:
    """The row of a drawn branch, once it is known to be a law.

    Parameters
    ----------
    branch : Branch
        Not "fixed".

    Raises
    ------
    DraftError
        When the row is not normalised: then it is not what the candidates were drawn from.
    """
    assert branch.row is not None
    total = float(branch.row.sum())
    if not abs(total - 1.0) <= _TOLERANCE:
        raise DraftError(
            f"candidates {list(branch.tokens)} come with a row that sums to {total!r}, not to one"
        )
    return branch.row


def without(row: Row, tokens: tuple[int, ...] | list[int]) -> Row:
    """A row with some tokens taken out, renormalised; all zero where nothing is left.

    Parameters
    ----------
    row : ndarray, shape (width,)
        The row.
    tokens : sequence of int
        What cannot be drawn any more.
    """
    rest = row.copy()
    rest[list(tokens)] = 0.0
    total = float(rest.sum())
    return rest / total if total > 0.0 else rest


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


def kept(random_choose: Callable[[Row], int], chance: float) -> bool:
    """One coin, asked only where the outcome is open.

    Parameters
    ----------
    random_choose : callable
        `RandomSource.choose`.
    chance : float
        Of yes.
    """
    if chance >= 1.0:
        return True
    return chance > 0.0 and random_choose(np.array([chance, 1.0 - chance])) == 0
