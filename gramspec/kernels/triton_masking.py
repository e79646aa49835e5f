"""Triton version of `apply_bitmask`.

Law: that of `gramspec.kernels.masking`.
Cost: one program per block of a row; stores of allowed entries are predicated off, so nothing is read but the
mask.
"""

from __future__ import annotations

from typing import Any

import triton
import triton.language as tl

from gramspec.kernels.arrays import Grid
from gramspec.kernels.triton_common import BLOCK, WARPS, blocks, pointer, row_start


def mask_rows(logits: Any, grid: Grid, table: Any, indices: Any) -> None:
    """Launch over all blocks of all rows.

    Parameters
    ----------
    logits : torch.Tensor
    grid : Grid
        Its rows.
    table : torch.Tensor, int32, [N, W]
    indices : torch.Tensor or None
        Row of the table for each row.
    """
    if grid.rows == 0:
        return
    _mask[(grid.rows, blocks(grid.width))](
        logits,
        grid.nodes,
        grid.stride,
        grid.node_stride,
        grid.width,
        table,
        table.shape[1],
        pointer(indices, table),
        HAS_ROWS=indices is not None,
        BLOCK=BLOCK,
        num_warps=WARPS,
    )


@triton.jit
def _mask(
    logits,
    nodes,
    stride,
    node_stride,
    width,
    table,
    word_count,
    indices,
    HAS_ROWS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    row = tl.program_id(0)
    block = tl.program_id(1)
    index = row
    if HAS_ROWS:
        index = tl.load(indices + row)
    if index >= 0:
        # One load per word; each is spread over its 32 tokens in registers.
        places = block * (BLOCK // 32) + tl.arange(0, BLOCK // 32)
        start = table + index.to(tl.int64) * word_count
        words = tl.load(start + places, mask=places < word_count, other=0)
        tokens = places[:, None] * 32 + tl.arange(0, 32)[None, :]
        inside = tokens < width
        entries = row_start(logits, row, nodes, stride, node_stride) + tokens
        # Masks are mostly full or mostly empty: words without a bit are written in whole vectors.
        tl.store(entries, -float("inf"), mask=(words == 0)[:, None] & inside)
        banned = (((words[:, None] >> tl.arange(0, 32)[None, :]) & 1) == 0) & (words != 0)[:, None]
        tl.store(entries, -float("inf"), mask=banned & inside)
