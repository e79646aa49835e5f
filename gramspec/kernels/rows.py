"""`tilted_rows`: the rows that a verifier compares, K(.|x) of the target or q of the draft, written out.

Law: row[v] = p(v)·h(v) / max(S, h(x)) and † = max(0, 1 - S / h(x)); without h(x): row[v] = p(v)·h(v) / S.
Cost: the statistics, then logits read and rows written once. Source: laws, "One frame for everything".
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gramspec.kernels.arrays import Backend, Tensor, choose_backend, dtype_name, host, like
from gramspec.kernels.sampling import require_row_values
from gramspec.kernels.statistics import RowStatistics
from gramspec.kernels.statistics import reference as statistics_reference
from gramspec.kernels.tilted import Tilt, rows_of, tilted


class TiltedRows(NamedTuple):
    """Probabilities, and the statistics that they were made with.

    Attributes
    ----------
    rows : float64 for float64 logits, otherwise float32, [..., V]
        All zero where no token is allowed, NaN where the logits or the temperature have no law.
    restart : float64, [...]
        Probability of †; zero without `log_h_row`, one where no token is allowed.
    statistics : RowStatistics
    """

    rows: Tensor
    restart: Tensor
    statistics: RowStatistics


def tilted_rows(
    logits: Tensor,
    bitmask: Tensor | None = None,
    *,
    rows: Tensor | None = None,
    tilt: Tilt | None = None,
    temperature: float | Tensor = 1.0,
    log_h_row: Tensor | None = None,
    backend: Backend = "auto",
) -> TiltedRows:
    """Write the probabilities of masked and tilted rows.

    Parameters
    ----------
    logits : ndarray or torch.Tensor, [B, V] or [B, nodes, V], float64, float32, float16 or bfloat16
    bitmask, rows, tilt, temperature
        As for `row_statistics`.
    log_h_row : float32 or float64, [B] or [B, nodes], optional
        log h(x) of the row's own prefix, for rows with the restart symbol.
    backend : {"auto", "reference", "triton"}

    Returns
    -------
    TiltedRows

    Raises
    ------
    KernelError
        If an argument has another type, shape or device.
    """
    which = choose_backend(logits, backend)
    given = tilted(logits, bitmask, rows, tilt, temperature)
    if log_h_row is not None:
        require_row_values(log_h_row, logits, "log_h_row")
    if which == "triton":
        from gramspec.kernels.triton_rows import write

        return TiltedRows(*write(given, log_h_row))
    statistics = statistics_reference(given)
    log_z, log_s = host(statistics.log_z).reshape(-1), host(statistics.log_s).reshape(-1)
    shares, restart = shares_of(
        log_s, None if log_h_row is None else host(log_h_row).reshape(-1).astype(np.float64)
    )
    kind = np.float64 if dtype_name(logits) == "float64" else np.float32
    written = np.empty((given.grid.rows, given.grid.width), dtype=kind)
    for r, row in enumerate(rows_of(given)):
        with np.errstate(invalid="ignore"):
            terms = row.scaled + np.append(row.log_h, -np.inf)[row.kinds]
            # Without mass there is nothing to divide; NaN passes through.
            written[r] = 0.0 if log_s[r] == -np.inf else np.exp(terms - (log_z[r] + shares[r]))
    shape = (*given.lead, given.grid.width)
    return TiltedRows(
        like(written.reshape(shape), logits), like(restart.reshape(given.lead), logits), statistics
    )


def shares_of(
    log_s: NDArray[np.float64], log_h_row: NDArray[np.float64] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What masses are divided by, as log max(S, h(x)), and the probability of †.

    Parameters
    ----------
    log_s, log_h_row : ndarray of float64, [rows]
    """
    if log_h_row is None:
        return log_s, np.zeros_like(log_s)
    with np.errstate(invalid="ignore"):
        restart = np.maximum(0.0, -np.expm1(log_s - log_h_row))
    return np.maximum(log_s, log_h_row), np.where(np.isneginf(log_s), 1.0, restart)
