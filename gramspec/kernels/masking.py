"""`apply_bitmask`: −inf into every logit whose token is not allowed, in place.

Law: bit t % 32 of word t // 32 set: entry t is untouched; clear, or beyond the words: −inf.
Cost: the mask is read (V / 8 bytes a row) and only entries that are not allowed are written; logits are not
read.
Source: API, section 3 (the layout of masks).
"""

from __future__ import annotations

import sys

import numpy as np

from gramspec.kernels.arrays import (
    Backend,
    Tensor,
    choose_backend,
    flat_table,
    grid_of,
    host,
    is_tensor,
    require_type,
    row_views,
    table_rows,
    unpack,
)


def apply_bitmask(
    logits: Tensor, bitmask: Tensor, *, rows: Tensor | None = None, backend: Backend = "auto"
) -> None:
    """Mask logits in place.

    Parameters
    ----------
    logits : ndarray or torch.Tensor, [B, V] or [B, nodes, V], float64, float32, float16 or bfloat16
        Any strides between rows; the entries of a row are contiguous.
    bitmask : int32, [B, W] or [B, nodes, W]; with `rows` a table [N, W]
        Packed masks as `Matcher.fill_bitmask` writes them; tokens from 32·W on are not allowed.
    rows : int32, [B] or [B, nodes], optional
        Row of the table that each row of logits takes; -1 leaves the row as it is.
    backend : {"auto", "reference", "triton"}

    Raises
    ------
    KernelError
        If an argument has another type, shape or device.
    """
    which = choose_backend(logits, backend)
    grid = grid_of(logits)
    require_type(bitmask, ("int32",), "bitmask")
    indices = table_rows(bitmask, rows, logits, "bitmask")
    table = flat_table(bitmask)
    if which == "triton":
        from gramspec.kernels.triton_masking import mask_rows

        mask_rows(logits, grid, table, indices)
        return
    words = host(table)
    chosen = np.arange(grid.rows) if indices is None else host(indices)
    for row, index in zip(row_views(logits), chosen.tolist(), strict=True):
        if index < 0:
            continue
        banned = ~unpack(words[index], grid.width)
        if is_tensor(row):
            row.masked_fill_(sys.modules["torch"].from_numpy(banned).to(row.device), -float("inf"))
        else:
            row[banned] = -np.inf
