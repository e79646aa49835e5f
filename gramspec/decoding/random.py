"""`RandomSource`: the one door through which production code makes a choice.

Law: `choose` returns index i with probability weights[i] / sum(weights), in float64.
Source: laws, "Verification rules".
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class RandomSource(Protocol):
    """Every random choice of a decoder goes through `choose`, so that an audit can enumerate it."""

    def choose(self, weights64: NDArray[np.float64]) -> int:
        """Index drawn with probability proportional to its non-negative, finite weight."""
        ...


class NumpyRandomSource:
    """`RandomSource` over a NumPy generator (PCG64).

    Parameters
    ----------
    key : sequence of int or None
        Entropy words, e.g. (seed, sample, attempt); None takes fresh entropy.
    """

    def __init__(self, key: tuple[int, ...] | None = None) -> None:
        sequence = np.random.SeedSequence() if key is None else np.random.SeedSequence(list(key))
        self._generator = np.random.Generator(np.random.PCG64(sequence))

    def choose(self, weights64: NDArray[np.float64]) -> int:
        """Inverse-CDF draw: O(V) additions; never returns an index of weight zero."""
        cumulative = np.cumsum(weights64)
        total = cumulative[-1]
        if not (np.isfinite(total) and total > 0):
            raise ValueError("weights must be finite with a positive sum")
        u = self._generator.random() * total
        index = int(np.searchsorted(cumulative, u, side="right"))
        if index >= len(weights64) or weights64[index] <= 0:
            # u * total can round up to total itself: take the last index that has weight.
            index = int(np.flatnonzero(weights64 > 0)[-1])
        return index
