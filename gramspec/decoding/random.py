"""`RandomSource`: the one door through which production code makes a choice.

Law: `choose` returns index i with probability weights[i] / sum(weights), in float64.
Source: laws, "Verification rules".
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gramspec.kernels.inverse_cdf import pick


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
        index = pick(weights64, self._generator.random())
        if index < 0:
            raise ValueError("weights must be finite with a positive sum")
        return index
