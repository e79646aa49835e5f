"""From a row of logits to the law row p: temperature, then top-k, then top-p, in float64.

Law: p is what the grammar conditions; ties at the k-th place are kept, top-p ties go to the smaller id.
Source: laws, first paragraph.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import expm1, log1p

import numpy as np
from numpy.typing import NDArray

from gramspec.errors import LogitsError, OptionError


@dataclass(frozen=True, slots=True)
class RowLaw:
    """What turns logits into the next-token law p.

    Parameters
    ----------
    temperature : float
        Divides the logits; positive and finite.
    top_k : int
        Keep the `top_k` largest logits (and all that equal the smallest kept one); 0 keeps all.
    top_p : float
        Then keep the fewest most probable tokens whose mass reaches `top_p`; 1.0 keeps all.

    Raises
    ------
    OptionError
        When an option is out of range.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0

    def __post_init__(self) -> None:
        if not (isinstance(self.temperature, (int, float)) and 0 < self.temperature < float("inf")):
            raise OptionError(
                f"temperature={self.temperature!r}: a positive, finite number is needed"
                " (greedy decoding is no sampling law; top_k=1 keeps only the most probable tokens)"
            )
        if isinstance(self.top_k, bool) or not isinstance(self.top_k, int) or self.top_k < 0:
            raise OptionError(f"top_k={self.top_k!r}: a whole number, 0 (keep all) or more, is needed")
        if not (isinstance(self.top_p, (int, float)) and 0 < self.top_p <= 1):
            raise OptionError(f"top_p={self.top_p!r}: a number with 0 < top_p <= 1 is needed")

    @property
    def truncates(self) -> bool:
        """Whether p can be zero where the logit is finite."""
        return self.top_k > 0 or self.top_p < 1.0

    def noise(self, row_noise: float) -> float:
        """What a model's row noise becomes under this law: temperatures divide differences of logits.

        Parameters
        ----------
        row_noise : float
            Bound on the relative difference of a probability between two evaluations of a row, at temperature
            one.

        Returns
        -------
        float
            The same bound on p; never below `row_noise`.
        """
        return expm1(log1p(row_noise) * max(1.0, 1.0 / self.temperature))

    def row(self, logits: NDArray[np.float64], prefix: Sequence[int] = ()) -> NDArray[np.float64]:
        """Return the law row of one row of logits.

        Parameters
        ----------
        logits : ndarray, shape (V,)
            Logits or log-probabilities; -inf allowed.
        prefix : sequence of int
            Named in the error.

        Returns
        -------
        ndarray of float64, shape (V,)
            Sums to one.

        Raises
        ------
        LogitsError
            On NaN, +inf, or a row without a finite entry.
        """
        z = np.asarray(logits, dtype=np.float64) / self.temperature
        top = z.max()
        if not np.isfinite(top):
            kind = "NaN" if np.isnan(top) else "+inf" if top > 0 else "no finite entry"
            raise LogitsError(f"logits after {list(prefix)}: {kind}")
        if 0 < self.top_k < len(z):
            smallest = np.partition(z, len(z) - self.top_k)[len(z) - self.top_k]
            z = np.where(z >= smallest, z, -np.inf)
        p: NDArray[np.float64] = np.exp(z - top)
        p /= p.sum()
        return p if self.top_p == 1.0 else _nucleus(p, self.top_p)


def _nucleus(p: NDArray[np.float64], top_p: float) -> NDArray[np.float64]:
    """Keep the fewest most probable tokens whose mass reaches `top_p`; O(V) for a peaked row."""
    size = 256
    while True:
        if size < len(p):
            smallest = np.partition(p, len(p) - size)[len(p) - size]
            ids = np.flatnonzero(p >= smallest)
        else:
            ids = np.arange(len(p))
        order = ids[np.argsort(-p[ids], kind="stable")]
        reached = np.cumsum(p[order])
        if reached[-1] >= top_p or size >= len(p):
            break
        size *= 16
    keep = order[: int(np.searchsorted(reached, top_p, side="left")) + 1]
    kept = np.zeros_like(p)
    kept[keep] = p[keep]
    kept /= kept.sum()
    return kept


def fit_width(row: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Cut a row, or pad it with zeros, to `width` entries (heads of different padding)."""
    if len(row) == width:
        return row
    if len(row) > width:
        return row[:width]
    return np.concatenate([row, np.zeros(width - len(row))])
