"""K-sequential selection: candidates drawn with replacement, one coin each, all against the same scaled row.

Law: β(g) = Σ min(q, K/g); with k candidates fixed before drawing and g the smallest number with
1 − (1 − β)^k ≤ g·β, candidate x is accepted with probability min(1, K/(g·q)), repeated ones once more each;
if none is, the symbol follows (K − min(q, K/g)·(1 − (1 − β)^k)/β)₊, normalised.
Cost: one sort of the ratios K/q. Acceptance 1 − (1 − β)^k, at least 1 − 1/e of the optimum.
Source: SpecTr (Sun et al., 2310.15141), algorithm 2; laws, "Verification rules".
"""

from __future__ import annotations

from math import expm1, log1p
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gramspec.decoding.drafting.tree import Branch
from gramspec.decoding.random import RandomSource
from gramspec.decoding.verification.candidates import drawn_row, kept
from gramspec.decoding.verification.descent import Descent, Step

Row = NDArray[np.float64]


class Scale(NamedTuple):
    """Division factor of a branch.

    Attributes
    ----------
    factor : float
        g, from 1 to k.
    accepted : float
        β(g), the chance that one candidate is accepted.
    any_accepted : float
        1 − (1 − β)^k.
    """

    factor: float
    accepted: float
    any_accepted: float


def k_seq(target: Row, branch: Branch, random: RandomSource) -> Step:
    """K-sequential selection over one branch.

    Parameters
    ----------
    target : ndarray, shape (width + 1,)
        Law of the symbol at the node.
    branch : Branch
        Candidates drawn "iid"; how many was settled before the first was drawn.
    random : RandomSource
        One coin per candidate whose fate is open.
    """
    draft = drawn_row(branch)
    scale = scale_of(target, draft, len(branch.tokens))
    if scale.accepted <= 0.0:
        return Step(None, target)
    for token in branch.tokens:
        if kept(random.choose, float(target[token]) / (scale.factor * float(draft[token]))):
            return Step(token, target)
    rest = target.copy()
    share = scale.any_accepted / scale.accepted
    rest[:-1] -= np.minimum(draft, target[:-1] / scale.factor) * share
    np.maximum(rest, 0.0, out=rest)
    total = float(rest.sum())
    return Step(None, rest / total if total > 0.0 else target)


def scale_of(target: Row, draft: Row, k: int) -> Scale:
    """The division factor g for k candidates.

    Parameters
    ----------
    target : ndarray, shape (width + 1,)
        K.
    draft : ndarray, shape (width,)
        q.
    k : int
        Candidates.
    """
    support = np.flatnonzero(draft > 0.0)
    q, mass = draft[support], target[support]
    with np.errstate(over="ignore"):  # a ratio beyond the largest double is above every factor
        ratios = mass / q
    order = np.argsort(ratios)
    ratios = ratios[order]
    below = np.concatenate(([0.0], np.cumsum(mass[order])))  # Σ K over the smallest ratios
    above = np.concatenate((np.cumsum(q[order][::-1])[::-1], [0.0]))  # Σ q over the others

    def excess(g: float) -> float:
        at = int(np.searchsorted(ratios, g))
        beta = above[at] + below[at] / g
        return _any_of(float(beta), k) - g * float(beta)

    low, high = 1.0, float(k)
    while k > 1 and (middle := 0.5 * (low + high)) not in (low, high):
        low, high = (middle, high) if excess(middle) > 0.0 else (low, middle)
    beta = min(1.0, float(np.minimum(q, mass / high).sum()))
    return Scale(high, beta, _any_of(beta, k))


def _any_of(beta: float, k: int) -> float:
    return 1.0 if beta >= 1.0 else -expm1(k * log1p(-beta))


class KSeq(Descent):
    """Descent with K-sequential selection; refuses candidates drawn otherwise than with replacement."""

    def __init__(self) -> None:
        super().__init__({"iid": k_seq, "wor": k_seq, "greedy": k_seq}, "k-seq", _with_replacement)


def _with_replacement(branch: Branch) -> str:
    other = branch.law in ("wor", "greedy") and len(branch.tokens) > 1
    return "candidates have to be drawn with replacement ('iid')" if other else ""
