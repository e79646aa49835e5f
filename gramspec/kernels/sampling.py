"""`sample_rows`: one token of each masked and tilted row, from the caller's uniforms.

Law: token v for u in its interval of the running sums of p(v)·h(v) in the order of token ids (`inverse_cdf`);
with `log_h_row` the restart symbol † = V comes last and has the weight max(0, h(x) - S(x)).
Cost: logits once for the block sums, and one block more of each row for the token.
Source: laws, "One frame for everything" (K over V ∪ {†}) and "Verification rules" (uniforms as input).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gramspec.kernels import inverse_cdf
from gramspec.kernels.arrays import (
    Backend,
    Tensor,
    choose_backend,
    host,
    like,
    require_beside,
    require_shape,
    require_type,
)
from gramspec.kernels.statistics import RowStatistics, log_sum
from gramspec.kernels.statistics import reference as statistics_reference
from gramspec.kernels.tilted import Row, Tilt, rows_of, tilted


class Sampled(NamedTuple):
    """Tokens, and the statistics of the rows that they were drawn from.

    Attributes
    ----------
    tokens : int64, [...]
        V stands for †, -1 for a row that has no law: without an allowed token (and no †), or with NaN.
    statistics : RowStatistics
    """

    tokens: Tensor
    statistics: RowStatistics


def sample_rows(
    logits: Tensor,
    uniforms: Tensor,
    bitmask: Tensor | None = None,
    *,
    rows: Tensor | None = None,
    tilt: Tilt | None = None,
    temperature: float | Tensor = 1.0,
    log_h_row: Tensor | None = None,
    backend: Backend = "auto",
) -> Sampled:
    """Draw one token from each row.

    Parameters
    ----------
    logits : ndarray or torch.Tensor, [B, V] or [B, nodes, V], float64, float32, float16 or bfloat16
    uniforms : float32 or float64, [B] or [B, nodes]
        In [0, 1).
    bitmask, rows, tilt, temperature
        As for `row_statistics`.
    log_h_row : float32 or float64, [B] or [B, nodes], optional
        log h(x) of the row's own prefix: the row is then K(.|x) with the restart symbol, and without it
        r(v|x) = p(v|x)·h(xv)/S(x).
    backend : {"auto", "reference", "triton"}
        Both give the token of the same interval. With float64 logits their running sums agree to a few units
        in 1e-16, otherwise to 1e-6: a uniform closer than that to an end of an interval may give the
        neighbour.

    Returns
    -------
    Sampled

    Raises
    ------
    KernelError
        If an argument has another type, shape or device.
    """
    which = choose_backend(logits, backend)
    given = tilted(logits, bitmask, rows, tilt, temperature)
    require_row_values(uniforms, logits, "uniforms")
    if log_h_row is not None:
        require_row_values(log_h_row, logits, "log_h_row")
    if which == "triton":
        from gramspec.kernels.triton_sampling import draw

        return Sampled(*draw(given, uniforms, log_h_row))
    statistics = statistics_reference(given)
    coins = host(uniforms).reshape(-1).astype(np.float64)
    here = [None] * given.grid.rows if log_h_row is None else host(log_h_row).reshape(-1).tolist()
    tokens = [_of_row(row, float(u), h) for row, u, h in zip(rows_of(given), coins, here, strict=True)]
    return Sampled(like(np.array(tokens, dtype=np.int64).reshape(given.lead), logits), statistics)


def _of_row(row: Row, u: float, log_h_row: float | None) -> int:
    log_z = log_sum(row.scaled)
    with np.errstate(invalid="ignore"):
        terms = row.scaled + np.append(row.log_h, -np.inf)[row.kinds] - (0.0 if log_z == -np.inf else log_z)
    log_s = log_sum(terms)
    if np.isnan(log_z) or np.isnan(log_s):
        return -1
    if log_s == -np.inf:
        return -1 if log_h_row is None or np.isnan(log_h_row) else len(terms)
    if log_h_row is None:
        return inverse_cdf.pick(np.exp(terms - log_s), u)
    scale = max(log_s, log_h_row)
    weights = np.exp(terms - scale)
    return inverse_cdf.pick(np.append(weights, max(0.0, float(np.exp(log_h_row - scale)) - weights.sum())), u)


def require_row_values(value: Tensor, logits: Tensor, place: str) -> None:
    """Refuse what is not one float per row of the logits.

    Raises
    ------
    KernelError
        Naming the argument.
    """
    require_type(value, ("float32", "float64"), place)
    require_beside(value, logits, place)
    require_shape(value, tuple(logits.shape[:-1]), place)
