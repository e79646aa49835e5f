"""`row_statistics`: log Z of the model's row, log S(x) and the mass of each effect, logits read once.

Law: log_z = log Σ exp(logits/T); log_mass[e] = log Σ_{v of effect e} p(v); log_s = log Σ_e exp(log_mass[e] +
log_h[e]). A row of -inf, or one without an allowed token, gives -inf and no NaN; a row with NaN or +inf gives
NaN.
Cost: logits once, V / 8 bytes of mask or one entry of the effect table per token; E comparisons per token.
Source: laws, "One frame for everything"; architecture, "Φ on the automaton".
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gramspec.kernels.arrays import Backend, Tensor, choose_backend, like
from gramspec.kernels.tilted import Row, Tilt, Tilted, rows_of, tilted


class RowStatistics(NamedTuple):
    """Statistics of each row, float64.

    Attributes
    ----------
    log_z : array, [...]
        log of the sum of exp(logits / temperature) over the whole row.
    log_s : array, [...]
        log S(x) = log Σ p(v)·h(v) over the allowed tokens, p normalised over the whole row.
    log_mass : array, [..., E]
        log p of each effect: of the allowed tokens that have it.
    """

    log_z: Tensor
    log_s: Tensor
    log_mass: Tensor


def row_statistics(
    logits: Tensor,
    bitmask: Tensor | None = None,
    *,
    rows: Tensor | None = None,
    tilt: Tilt | None = None,
    temperature: float | Tensor = 1.0,
    backend: Backend = "auto",
) -> RowStatistics:
    """Statistics of masked and tilted rows.

    Parameters
    ----------
    logits : ndarray or torch.Tensor, [B, V] or [B, nodes, V], float64, float32, float16 or bfloat16
        Computed in float64 if they are float64, otherwise in float32 with sums over blocks in float64.
    bitmask : int32, [B, W] or [B, nodes, W]; with `rows` a table [N, W], optional
        Packed masks; tokens from 32·W on are not allowed. None allows all.
    rows : int32, [B] or [B, nodes], optional
        Row of the table that each row of logits takes; -1 allows all.
    tilt : Tilt, optional
        Factors on the tokens; without it the allowed tokens are one effect with h = 1.
    temperature : float, or float32/float64 [B] or [B, nodes]
        Divides the logits.
    backend : {"auto", "reference", "triton"}

    Returns
    -------
    RowStatistics

    Raises
    ------
    KernelError
        If an argument has another type, shape or device.
    """
    which = choose_backend(logits, backend)
    given = tilted(logits, bitmask, rows, tilt, temperature)
    if which == "triton":
        from gramspec.kernels.triton_statistics import measure

        return measure(given).statistics
    return reference(given)


def reference(given: Tilted) -> RowStatistics:
    """The statistics in NumPy, one row after another, in float64."""
    found = [_of_row(row) for row in rows_of(given)]
    shape = given.lead
    log_z, log_s = (np.array([f[i] for f in found], dtype=np.float64).reshape(shape) for i in (0, 1))
    log_mass = np.array([f[2] for f in found], dtype=np.float64).reshape((*shape, given.kinds))
    return RowStatistics(*(like(x, given.logits) for x in (log_z, log_s, log_mass)))


def _of_row(row: Row) -> tuple[float, float, NDArray[np.float64]]:
    count = len(row.log_h)
    with np.errstate(divide="ignore", invalid="ignore"):
        top = np.full(count + 1, -np.inf)
        np.maximum.at(top, row.kinds, row.scaled)
        base = np.where(np.isneginf(top), 0.0, top)
        sums = np.bincount(row.kinds, np.exp(row.scaled - base[row.kinds]), count + 1)
        masses = base + np.log(sums)
        log_z = log_sum(masses)
        log_mass = np.full(count, -np.inf) if log_z == -np.inf else masses[:count] - log_z
        return log_z, log_sum(log_mass + row.log_h), log_mass


def log_sum(terms: NDArray[np.float64]) -> float:
    """Log of Σ exp(terms); -inf for none, NaN where one is NaN or +inf."""
    top = terms.max()
    if top == -np.inf:
        return -np.inf
    with np.errstate(invalid="ignore"):
        return float(top + np.log(np.exp(terms - top).sum()))
