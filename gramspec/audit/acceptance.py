"""The yardstick: how much of a draft any lossless verifier could accept.

Law: at one node α* = 1 + min_H [K(H) − Q(H)], Q(H) the probability that every candidate lies in H ⊆ V; for a
chain E[τ] ≤ Σ_i Σ min(K(x^i), q(x^i)).
Cost: one sort for a drawn branch; 2^V for given candidate sets.
Source: Hu et al. (2502.18779), theorem 3 and section 3.2; greedy drafts: section 4; chains: Sun et al.
(2403.10444), section 3; laws, "Verification rules".
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from math import pi

import numpy as np
from numpy.typing import NDArray

from gramspec.decoding.drafting.tree import Branch
from gramspec.errors import OptionError

Row = NDArray[np.float64]
Rows = Callable[[tuple[int, ...]], Row]

MOST_TOKENS = 20  # for candidate sets given one by one


def optimal_acceptance(kernel: Row, branch: Branch) -> float:
    """Largest probability, over all lossless verifiers, that the symbol at a node is one of its candidates.

    Of the candidates only their number counts where they were drawn, and those that were chosen.

    Parameters
    ----------
    kernel : ndarray, shape (width + 1,)
        K at the node; the last entry is †.
    branch : Branch
        How the candidates were drawn. For "iid" and "wor" the minimiser is a prefix of the tokens sorted by
        K/q; for "greedy" the value is Σ_chosen K + Σ_rest min(K, q/q(rest)); for "fixed" it is Σ K.

    Returns
    -------
    float

    Raises
    ------
    OptionError
        When the branch has no candidates, no row, or more candidates without replacement than the row has
        tokens.
    """
    tokens, law, row = branch
    if not tokens:
        raise OptionError("optimal_acceptance: a branch without candidates")
    if law == "fixed":
        return float(kernel[sorted(set(tokens))].sum())
    if row is None or len(row) + 1 != len(kernel):
        raise OptionError(f"optimal_acceptance: a row of {len(kernel) - 1} entries is needed for {law!r}")
    if law == "greedy":
        chosen = list(tokens[:-1])
        rest = row.copy()
        rest[chosen] = 0.0
        if not rest.any():
            raise OptionError("optimal_acceptance: the row leaves nothing beside the chosen candidates")
        others = np.minimum(kernel[:-1], rest / rest.sum())
        others[chosen] = 0.0
        return float(kernel[chosen].sum() + others.sum())
    support = np.flatnonzero(row > 0.0)
    q, mass = row[support], kernel[:-1][support]
    order = np.argsort(mass / q, kind="stable")
    q, mass = q[order] / q.sum(), mass[order]
    held = np.concatenate(([0.0], np.cumsum(mass)))
    count = len(tokens)
    if law == "iid" or count == 1:
        inside = np.concatenate(([0.0], np.cumsum(q))) ** count
    else:
        if count > len(support):
            raise OptionError(
                f"optimal_acceptance: {count} candidates without replacement from {len(support)} tokens"
            )
        inside = _all_inside(q, count)
    return 1.0 + min(0.0, float((held - inside).min()))


def _all_inside(q: Row, count: int) -> Row:
    """Probability that `count` draws without replacement all fall on the first j tokens, for every j.

    Draws without replacement are the order of arrival of independent exponential clocks with rates q: all
    fall on H when the `count`-th arrival on H comes before the first one elsewhere. The integral over that
    first arrival is taken by double-exponential quadrature, exact to about 1e-14.
    """
    u = np.arange(-4.5, 4.5, 1 / 64)
    t = np.exp(0.5 * pi * np.sinh(u))
    steps = t * 0.5 * pi * np.cosh(u) / 64
    outside = np.concatenate((np.cumsum(q[::-1])[::-1], [0.0]))
    fewer = np.zeros((count, len(t)))  # probability of k arrivals so far, k < count
    fewer[0] = 1.0
    found = np.zeros(len(q) + 1)
    for j, rate in enumerate(q.tolist()):
        stay = np.exp(-rate * t)
        come = -np.expm1(-rate * t)
        moved = fewer[:-1] * come
        fewer *= stay
        fewer[1:] += moved
        s = outside[j + 1]
        if j + 1 >= count and s > 0.0:
            enough = np.maximum(0.0, 1.0 - fewer.sum(axis=0))
            found[j + 1] = float((s * np.exp(-s * t) * enough * steps).sum())
    found[-1] = 1.0
    return np.minimum(found, 1.0)


def optimal_acceptance_of_sets(kernel: Row, sets: Mapping[Collection[int], float]) -> float:
    """The same for candidates of any law, given the probability of each set of candidates.

    Parameters
    ----------
    kernel : ndarray, shape (width + 1,)
        K at the node, over 20 tokens at most; the last entry is †.
    sets : mapping of collection of int to float
        Probability of each set of candidates.

    Returns
    -------
    float
        1 + min over all H ⊆ V of K(H) − Q(H): the maximal flow from candidate sets to symbols.

    Raises
    ------
    OptionError
        When there are too many tokens.
    """
    width = len(kernel) - 1
    if width > MOST_TOKENS:
        raise OptionError(f"optimal_acceptance_of_sets: {width} tokens, {MOST_TOKENS} at most")
    inside = np.zeros(1 << width)
    held = np.zeros(1 << width)
    for tokens, probability in sets.items():
        inside[_bits(tokens)] += probability
    for v in range(width):  # sums over all subsets, one token at a time
        halves = inside.reshape(-1, 2, 1 << v)
        halves[:, 1] += halves[:, 0]
        held.reshape(-1, 2, 1 << v)[:, 1] += kernel[v]
    return 1.0 + min(0.0, float((held - inside).min()))


def _bits(tokens: Iterable[int]) -> int:
    bits = 0
    for token in tokens:
        bits |= 1 << token
    return bits


def chain_bound(target: Rows, draft: Rows, length: int, eos_ids: Collection[int] = ()) -> float:
    """Upper bound on the expected number of drafted tokens that any lossless verifier of a chain keeps.

    Parameters
    ----------
    target : callable
        K by prefix, over V ∪ {†}.
    draft : callable
        q by prefix, over V.
    length : int
        Tokens drafted; a chain ends earlier with an EOS id.
    eos_ids : collection of int
        Tokens that end a chain.

    Returns
    -------
    float
        Σ_i Σ_{x^i} min(K(x^i), q(x^i)).
    """
    total = 0.0
    level: list[tuple[tuple[int, ...], float, float]] = [((), 1.0, 1.0)]
    for _ in range(length):
        below: list[tuple[tuple[int, ...], float, float]] = []
        for prefix, held, drawn in level:
            k, q = target(prefix), draft(prefix)
            for token in np.flatnonzero((q > 0.0) & (k[:-1] > 0.0)).tolist():
                both = held * float(k[token]), drawn * float(q[token])
                total += min(both)
                if token not in eos_ids:
                    below.append(((*prefix, token), *both))
        level = below
    return total
