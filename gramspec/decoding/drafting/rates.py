"""`Rates`: how often a drawn candidate has been kept, by grammar state and evidence.

Law: none; rates say where a tree grows, and change after the verdicts of a round only.
Cost: one comparison of a row with K for each scored node. Source: acceptance of one drawn candidate is
1 − TV(K, q) (Leviathan et al., 2211.17192); Sequoia (2402.12374), acceptance by rank.
"""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np
from numpy.typing import NDArray

_BINS = 8
_FALL = 0.7  # of the rate from one further sibling to the next
_PRIOR = 2.0  # rounds that the general rate counts for
_REMEMBERED = 1 << 16  # classes


class _Mean:
    __slots__ = ("count", "first", "second")

    def __init__(self, first: float = 0.0, second: float = 0.0, count: float = 0.0) -> None:
        self.first, self.second, self.count = first, second, count

    def add(self, first: float, second: float | None) -> None:
        self.count += 1.0
        rate = max(1.0 / self.count, 0.05)
        self.first += rate * (first - self.first)
        if second is not None:
            self.second += max(rate, 0.1) * (second - self.second)


class Rates:
    """Probability that a candidate of each rank is kept, once all before it have fallen.

    A class of nodes has its own mean; it begins as the mean of all nodes whose row is as peaked.
    """

    def __init__(self) -> None:
        self._by_kind: dict[Hashable, _Mean] = {}
        self._by_peak = [_Mean(0.3 + 0.7 * (k + 0.5) / _BINS, 0.2, 4.0) for k in range(_BINS)]

    def of(self, kind: Hashable, peak: float, rank: int) -> float:
        """The rate of one candidate.

        Parameters
        ----------
        kind : hashable
            Class of the node.
        peak : float
            Largest entry of the row the candidate is drawn from.
        rank : int
            Candidates of the node before it.
        """
        general = self._by_peak[_bin(peak)]
        own = self._by_kind.get(kind)
        first, second = general.first, general.second
        if own is not None:
            share = own.count / (own.count + _PRIOR)
            first += share * (own.first - first)
            second += share * (own.second - second)
        rate = first if rank == 0 else second * _FALL ** (rank - 1)
        return min(0.999, max(0.001, rate))

    def learn(
        self,
        kind: Hashable,
        tokens: NDArray[np.int64],
        shares: NDArray[np.float64],
        kernel: NDArray[np.float64],
        drawn: int | None,
    ) -> float:
        """Compare a row with K, and learn from it.

        Parameters
        ----------
        kind : hashable
            Class of the node.
        tokens, shares : ndarray
            The row q.
        kernel : ndarray of float64, shape (width + 1,)
            K at the node.
        drawn : int or None
            The first candidate that was drawn.

        Returns
        -------
        float
            1 − TV(K, q), the mass of † aside.
        """
        there = kernel[tokens]
        kept = np.minimum(there, shares)
        first = float(kept.sum())
        second = None
        rest = 1.0 - first  # mass of (K − q)₊
        if drawn is not None and len(tokens) > 1 and rest > 1e-6:
            others = np.where(tokens == drawn, 0.0, shares)
            total = float(others.sum())
            if total > 0.0:
                second = float(np.minimum((there - kept) / rest, others / total).sum())
        peak = _bin(float(shares.max()))
        self._by_peak[peak].add(first, second)
        own = self._by_kind.get(kind)
        if own is None:
            if len(self._by_kind) >= _REMEMBERED:
                self._by_kind.clear()
            own = self._by_kind[kind] = _Mean(0.0, self._by_peak[peak].second)
        own.add(first, second)
        return first


def _bin(peak: float) -> int:
    return min(_BINS - 1, int(_BINS * peak))
