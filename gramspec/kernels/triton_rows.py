"""Triton version of `tilted_rows`.

Law: that of `gramspec.kernels.rows`.
Cost: the two passes of the statistics, then one program per block of a row reads logits and writes
probabilities. The exponent is a difference of large numbers and is taken in float64, two operations a token.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl

from gramspec.kernels.statistics import RowStatistics
from gramspec.kernels.tilted import Tilted
from gramspec.kernels.triton_common import BLOCK, WARPS, blocks, class_of, pointer, row_start
from gramspec.kernels.triton_statistics import (
    degree_of,
    heat_arguments,
    measure,
    token_arguments,
    token_flags,
)


def write(given: Tilted, log_h_row: Any) -> tuple[Any, Any, RowStatistics]:
    """Launch the statistics and the rows.

    Parameters
    ----------
    given : Tilted
        Checked arguments on a device.
    log_h_row : torch.Tensor or None
        log h of each row, for the restart symbol.

    Returns
    -------
    tuple of torch.Tensor, torch.Tensor and RowStatistics
        Rows and the probability of †.
    """
    logits, grid = given.logits, given.grid
    statistics = measure(given).statistics
    precise = logits.dtype == torch.float64
    kind = torch.float64 if precise else torch.float32
    rows = torch.empty((*given.lead, grid.width), dtype=kind, device=logits.device)
    restart = torch.empty(given.lead, dtype=torch.float64, device=logits.device)
    if grid.rows:
        heat, heat_bits = heat_arguments(given)
        here = None if log_h_row is None else log_h_row.to(torch.float64).contiguous()
        _write[(grid.rows, blocks(grid.width))](
            logits,
            grid.nodes,
            grid.stride,
            grid.node_stride,
            grid.width,
            *token_arguments(given),
            heat,
            heat_bits,
            pointer(given.log_h, statistics.log_z),
            statistics.log_z,
            statistics.log_s,
            pointer(here, statistics.log_z),
            rows,
            restart,
            **token_flags(given),
            HAS_HEAT=not isinstance(given.temperature, float),
            HAS_H=given.log_h is not None,
            HAS_ROW_H=log_h_row is not None,
            PRECISE=precise,
            BLOCK=BLOCK,
            num_warps=WARPS,
        )
    return rows, restart, statistics


@triton.jit(do_not_specialize=["heat_bits", "effects"])
def _write(
    logits,
    nodes,
    stride,
    node_stride,
    width,
    words,
    word_rows,
    word_count,
    table,
    table_rows,
    table_width,
    effects,
    heat,
    heat_bits,
    log_h,
    log_z,
    log_s,
    log_h_row,
    rows,
    restart,
    HAS_WORDS: tl.constexpr,
    HAS_WORD_ROWS: tl.constexpr,
    HAS_TABLE: tl.constexpr,
    HAS_TABLE_ROWS: tl.constexpr,
    HAS_HEAT: tl.constexpr,
    HAS_H: tl.constexpr,
    HAS_ROW_H: tl.constexpr,
    PRECISE: tl.constexpr,
    BLOCK: tl.constexpr,
):
    row = tl.program_id(0)
    block = tl.program_id(1)
    z = tl.load(log_z + row)
    s = tl.load(log_s + row)
    share = s
    rest = tl.full((), 0.0, tl.float64)
    if HAS_ROW_H:
        h = tl.load(log_h_row + row)
        share = tl.where(s > h, s, h)
        share = tl.where(s == s, share, s)
        rest = 1.0 - tl.exp(s - h)
        rest = tl.where(rest < 0.0, 0.0, rest)
        rest = tl.where(s == -float("inf"), 1.0, rest)
    if block == 0:
        tl.store(restart + row, rest)
    places = block * (BLOCK // 32) + tl.arange(0, BLOCK // 32)[:, None]
    tokens = places * 32 + tl.arange(0, 32)[None, :]
    inside = tokens < width
    entries = row_start(logits, row, nodes, stride, node_stride) + tokens
    values = tl.load(entries, mask=inside, other=-float("inf")).to(tl.float64)
    kind = class_of(
        tokens,
        places,
        inside,
        row,
        words,
        word_rows,
        word_count,
        table,
        table_rows,
        table_width,
        effects,
        HAS_WORDS,
        HAS_WORD_ROWS,
        HAS_TABLE,
        HAS_TABLE_ROWS,
    )
    allowed = inside & (kind < effects)
    terms = values * (1.0 / degree_of(row, heat, heat_bits, HAS_HEAT)) - (z + share)
    if HAS_H:
        terms += tl.load(log_h + row.to(tl.int64) * effects + kind, mask=allowed, other=0.0)
    if not PRECISE:
        terms = terms.to(tl.float32)
    # NaN is no mass of zero: where a row has no law, all of it says so.
    chances = tl.where(allowed, tl.exp(terms), tl.where(s == s, 0.0, float("nan")))
    if s == -float("inf"):
        chances = tl.zeros_like(chances)
    tl.store(rows + row.to(tl.int64) * width + tokens, chances, mask=inside)
