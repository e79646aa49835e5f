"""The one way in which a uniform becomes an index, and one way to be short of weight.

Law: index i for u in [c(i-1)/c(n), c(i)/c(n)), c the running sums in float64: an interval of length w(i)/Σw.
Cost: O(n) additions.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def pick(weights: NDArray[np.float64], u: float) -> int:
    """Index of a uniform under non-negative weights; never an index of weight zero.

    Parameters
    ----------
    weights : ndarray of float64
    u : float
        In [0, 1).

    Returns
    -------
    int
        -1 when the weights have no finite positive sum.
    """
    cumulative = np.cumsum(weights)
    total = cumulative[-1]
    if not (np.isfinite(total) and total > 0):
        return -1
    index = int(np.searchsorted(cumulative, u * total, side="right"))
    if index >= len(weights) or weights[index] <= 0:
        # u * total can round up to total itself: take the last index that has weight.
        index = int(np.flatnonzero(weights > 0)[-1])
    return index


def accepts(keep: float, u: float) -> bool:
    """What `pick` decides for the weights (keep, 1 - keep), as index 0 or not."""
    return bool(u * (keep + (1.0 - keep)) < keep)
