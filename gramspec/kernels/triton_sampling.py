"""Triton version of `sample_rows`.

Law: that of `gramspec.kernels.sampling`: first the block, by the block sums in float64, then the token in the
block.
Cost: the two passes of the statistics, and one program per row that reads one block of its logits again.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl

from gramspec.kernels.statistics import RowStatistics
from gramspec.kernels.tilted import Tilted
from gramspec.kernels.triton_common import (
    BLOCK,
    WARPS,
    blocks,
    class_of,
    first_above,
    pointer,
    power_of_two,
    row_start,
)
from gramspec.kernels.triton_statistics import (
    JOINED,
    degree_of,
    heat_arguments,
    measure,
    part_of,
    token_arguments,
    token_flags,
)

_NONE = 1 << 30


def draw(given: Tilted, uniforms: Any, log_h_row: Any) -> tuple[Any, RowStatistics]:
    """Launch the statistics and the draw.

    Parameters
    ----------
    given : Tilted
        Checked arguments on a device.
    uniforms : torch.Tensor
        One per row.
    log_h_row : torch.Tensor or None
        log h of each row, for the restart symbol.

    Returns
    -------
    tuple of torch.Tensor and RowStatistics
        Tokens, int64.
    """
    logits, grid = given.logits, given.grid
    statistics, parts = measure(given)
    tokens = torch.empty(given.lead, dtype=torch.int64, device=logits.device)
    if grid.rows:
        shared, classes = blocks(grid.width), parts.shape[2]
        padded = power_of_two(shared)
        heat, heat_bits = heat_arguments(given)
        here = None if log_h_row is None else log_h_row.to(torch.float64).contiguous()
        _draw[(grid.rows,)](
            logits,
            grid.nodes,
            grid.stride,
            grid.node_stride,
            grid.width,
            *token_arguments(given),
            heat,
            heat_bits,
            parts,
            shared,
            pointer(given.log_h, parts),
            statistics.log_z,
            statistics.log_s,
            uniforms.to(torch.float64).contiguous(),
            pointer(here, parts),
            tokens,
            **token_flags(given),
            HAS_HEAT=not isinstance(given.temperature, float),
            HAS_H=given.log_h is not None,
            HAS_ROW_H=log_h_row is not None,
            CLASSES=classes,
            CHUNK=min(classes, max(1, JOINED // padded)),
            PADDED=padded,
            BLOCK=BLOCK,
            NONE=_NONE,
            num_warps=WARPS,
        )
    return tokens, statistics


@triton.jit(do_not_specialize=["heat_bits", "effects"])
def _draw(
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
    parts,
    shared,
    log_h,
    log_z,
    log_s,
    uniforms,
    log_h_row,
    out,
    HAS_WORDS: tl.constexpr,
    HAS_WORD_ROWS: tl.constexpr,
    HAS_TABLE: tl.constexpr,
    HAS_TABLE_ROWS: tl.constexpr,
    HAS_HEAT: tl.constexpr,
    HAS_H: tl.constexpr,
    HAS_ROW_H: tl.constexpr,
    CLASSES: tl.constexpr,
    CHUNK: tl.constexpr,
    PADDED: tl.constexpr,
    BLOCK: tl.constexpr,
    NONE: tl.constexpr,
):
    row = tl.program_id(0)
    z = tl.load(log_z + row)
    s = tl.load(log_s + row)
    u = tl.load(uniforms + row)
    token = tl.full((), -1, tl.int64)
    restart = 0
    if HAS_ROW_H:
        h = tl.load(log_h_row + row)
        if s == -float("inf"):
            restart = tl.where(h == h, 1, 0)
        else:
            scale = tl.maximum(s, h)
            live = tl.exp(s - scale)
            rest = tl.maximum(tl.exp(h - scale) - live, 0.0)
            threshold = u * (live + rest)
            restart = tl.where((threshold >= live) & (rest > 0), 1, 0)
            u = threshold / live
    if restart == 1:
        token = tl.full((), 0, tl.int64) + width
    elif s > -float("inf"):
        degree = degree_of(row, heat, heat_bits, HAS_HEAT)
        block = tl.arange(0, PADDED)
        masses = tl.zeros((PADDED,), tl.float64)
        for start in range(0, CLASSES, CHUNK):
            kind = start + tl.arange(0, CHUNK)
            at = part_of(parts, row, block[:, None], shared, kind[None, :], CLASSES)
            here = (block < shared)[:, None] & (kind < effects)[None, :]
            terms = tl.load(at, mask=here, other=-float("inf")).to(tl.float64) / degree - (z + s)
            if HAS_H:
                factor = tl.load(log_h + row.to(tl.int64) * effects + kind, mask=kind < effects, other=0.0)
                terms += factor[None, :]
            sums = tl.load(at + 1, mask=here, other=0.0).to(tl.float64)
            masses += tl.sum(sums * tl.exp(terms), axis=1)
        chosen = first_above(masses, block, u * tl.sum(masses, axis=0), NONE)
        if chosen >= 0:
            before = tl.sum(tl.where(block < chosen, masses, 0.0), axis=0)
            mass = tl.sum(tl.where(block == chosen, masses, 0.0), axis=0)
            share = (u * tl.sum(masses, axis=0) - before) / mass
            tokens = chosen * BLOCK + tl.arange(0, BLOCK)
            inside = tokens < width
            entries = row_start(logits, row, nodes, stride, node_stride) + tokens
            terms = tl.load(entries, mask=inside, other=-float("inf")).to(tl.float64) / degree
            kind = class_of(
                tokens,
                tokens // 32,
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
            if HAS_H:
                terms += tl.load(log_h + row.to(tl.int64) * effects + kind, mask=allowed, other=0.0)
            terms = tl.where(allowed, terms, -float("inf"))
            weights = tl.exp(terms - tl.max(terms, axis=0))
            token = first_above(weights, tokens, share * tl.sum(weights, axis=0), NONE).to(tl.int64)
    tl.store(out + row, token)
