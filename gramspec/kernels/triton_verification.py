"""Triton versions of token and block verification.

Law: that of `gramspec.kernels.verification`; every coin is the same float64 expression as there, without
fusing.
Cost: the first pass sums what could be emitted over the blocks of the rows that matter (token: one row of K
and q;
block: all of them), the second finds the symbol by reading one block again.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
import triton
import triton.language as tl

from gramspec.kernels.triton_common import BLOCK, WARPS, blocks, first_above, pointer, power_of_two
from gramspec.kernels.verification import Drafted

_NONE = 1 << 30


def verify(given: Drafted, rule: Literal["token", "block"]) -> tuple[Any, Any]:
    """Launch both passes.

    Parameters
    ----------
    given : Drafted
        Checked arguments on a device.
    rule : {"token", "block"}

    Returns
    -------
    tuple of torch.Tensor
        Accepted tokens and the symbol after them, int64.
    """
    targets, drafts = given.targets, given.drafts
    count, rows, width = targets.shape
    device = targets.device
    shared = blocks(width)
    every_row = rule == "block"
    passes = rows if every_row else 1
    parts = torch.empty((count, passes, shared, 2), dtype=torch.float64, device=device)
    accepted = torch.empty(count, dtype=torch.int64, device=device)
    following = torch.empty(count, dtype=torch.int64, device=device)
    if count == 0:
        return accepted, following
    common = (
        targets,
        targets.stride(0),
        targets.stride(1),
        drafts,
        drafts.stride(0),
        drafts.stride(1),
        given.drafted.contiguous(),
        given.uniforms.to(torch.float64).contiguous(),
        pointer(None if given.restart is None else given.restart.contiguous(), targets),
        pointer(None if given.lengths is None else given.lengths.contiguous(), targets),
        pointer(None if given.closed is None else given.closed.contiguous().view(torch.uint8), targets),
        rows - 1,
        width,
        parts,
    )
    flags = {"HAS_LENGTHS": given.lengths is not None, "BLOCK_RULE": every_row, "BLOCK": BLOCK}
    # Fused multiply-adds would round once where the reference rounds twice.
    _sums[(count, passes, shared)](*common, **flags, num_warps=WARPS, enable_fp_fusion=False)
    _emit[(count,)](
        *common,
        shared,
        accepted,
        following,
        **flags,
        HAS_RESTART=given.restart is not None,
        HAS_CLOSED=given.closed is not None,
        PADDED=power_of_two(shared),
        NONE=_NONE,
        num_warps=WARPS,
        enable_fp_fusion=False,
    )
    return accepted, following


@triton.jit
def _accepts(keep, u):
    return u * (keep + (1.0 - keep)) < keep


@triton.jit
def _ratio(chain, i, targets, stride, step, drafts, draft_stride, draft_step, drafted, gamma):
    """K(x) / q(x) of a drafted token."""
    token = tl.load(drafted + chain * gamma + i).to(tl.int64)
    wanted = tl.load(targets + chain * stride + i * step + token).to(tl.float64)
    drawn = tl.load(drafts + chain * draft_stride + i * draft_step + token).to(tl.float64)
    return wanted / drawn


@triton.jit
def _length_of(chain, lengths, gamma, HAS_LENGTHS: tl.constexpr):
    length = gamma
    if HAS_LENGTHS:
        length = tl.minimum(tl.maximum(tl.load(lengths + chain).to(tl.int32), 0), gamma)
    return length


@triton.jit
def _walk(chain, length, targets, stride, step, drafts, draft_stride, draft_step, drafted, uniforms, gamma):
    """Token rule: tokens kept, uniforms used, and whether a ratio had no value."""
    kept = 0
    used = 0
    bad = 0
    walking = 1
    for i in range(length):
        if walking == 1:
            keep = _ratio(chain, i, targets, stride, step, drafts, draft_stride, draft_step, drafted, gamma)
            if keep >= 1.0:
                kept += 1
            elif keep == keep:
                u = tl.load(uniforms + chain * (gamma + 1) + used)
                used += 1
                if _accepts(keep, u):
                    kept += 1
                else:
                    walking = 0
            else:
                bad = 1
                walking = 0
    return kept, used, bad


@triton.jit
def _kept_mass(chain, upto, targets, stride, step, drafts, draft_stride, draft_step, drafted, gamma):
    """Block rule: b after `upto` tokens; NaN stays."""
    kept = tl.full((), 1.0, tl.float64)
    for i in range(upto):
        kept *= _ratio(chain, i, targets, stride, step, drafts, draft_stride, draft_step, drafted, gamma)
        kept = tl.where(kept > 1.0, 1.0, kept)
    return kept


@triton.jit
def _left_over(wanted, drawn, scale):
    left = wanted * scale - drawn
    return tl.where(left > 0.0, left, 0.0)


@triton.jit
def _sums(
    targets,
    stride,
    step,
    drafts,
    draft_stride,
    draft_step,
    drafted,
    uniforms,
    restart,
    lengths,
    closed,
    gamma,
    width,
    parts,
    HAS_LENGTHS: tl.constexpr,
    BLOCK_RULE: tl.constexpr,
    BLOCK: tl.constexpr,
):
    chain = tl.program_id(0).to(tl.int64)
    length = _length_of(chain, lengths, gamma, HAS_LENGTHS)
    scale = tl.full((), 1.0, tl.float64)
    if BLOCK_RULE:
        at = tl.program_id(1)
        wanted_here = tl.where(at <= length, 1, 0)
        if (at > 0) & (at < length):
            scale = _kept_mass(
                chain, at, targets, stride, step, drafts, draft_stride, draft_step, drafted, gamma
            )
    else:
        at, _used, _bad = _walk(
            chain, length, targets, stride, step, drafts, draft_stride, draft_step, drafted, uniforms, gamma
        )
        wanted_here = 1
    if wanted_here == 1:
        block = tl.program_id(2)
        tokens = block * BLOCK + tl.arange(0, BLOCK)
        inside = tokens < width
        wanted = tl.load(targets + chain * stride + at * step + tokens, mask=inside, other=0.0).to(tl.float64)
        left = wanted
        if at < length:
            drawn = tl.load(drafts + chain * draft_stride + at * draft_step + tokens, mask=inside, other=0.0)
            left = _left_over(wanted, drawn.to(tl.float64), scale)
        row = chain * tl.num_programs(1) + tl.program_id(1)
        out = parts + (row * tl.num_programs(2) + block) * 2
        tl.store(out, tl.sum(left, axis=0))
        tl.store(out + 1, tl.sum(wanted, axis=0))


@triton.jit
def _emit(
    targets,
    stride,
    step,
    drafts,
    draft_stride,
    draft_step,
    drafted,
    uniforms,
    restart,
    lengths,
    closed,
    gamma,
    width,
    parts,
    shared,
    accepted,
    following,
    HAS_LENGTHS: tl.constexpr,
    BLOCK_RULE: tl.constexpr,
    BLOCK: tl.constexpr,
    HAS_RESTART: tl.constexpr,
    HAS_CLOSED: tl.constexpr,
    PADDED: tl.constexpr,
    NONE: tl.constexpr,
):
    chain = tl.program_id(0).to(tl.int64)
    length = _length_of(chain, lengths, gamma, HAS_LENGTHS)
    block = tl.arange(0, PADDED)
    scale = tl.full((), 1.0, tl.float64)
    if BLOCK_RULE:
        at = length
        used = 0
        bad = 0
        walking = 1
        for back in range(length):
            if walking == 1:
                i = length - back
                kept = _kept_mass(
                    chain, i, targets, stride, step, drafts, draft_stride, draft_step, drafted, gamma
                )
                gate = kept
                if i < length:
                    sums = parts + (chain * (gamma + 1) + i) * shared * 2
                    left = tl.sum(tl.load(sums + 2 * block, mask=block < shared, other=0.0), axis=0)
                    if HAS_RESTART:
                        left += tl.load(restart + chain * (gamma + 1) + i).to(tl.float64) * kept
                    total = left + (1.0 - kept)
                    gate = tl.where(total == 0.0, 1.0, left / total)
                if gate >= 1.0:
                    walking = 0
                elif gate > 0.0:
                    u = tl.load(uniforms + chain * (gamma + 1) + used)
                    used += 1
                    if _accepts(gate, u):
                        walking = 0
                elif gate != gate:
                    bad = 1
                    walking = 0
                at = i
                scale = kept
                if walking == 1:
                    at = i - 1
                    scale = tl.full((), 1.0, tl.float64)
        sums = parts + (chain * (gamma + 1) + at) * shared * 2
    else:
        at, used, bad = _walk(
            chain, length, targets, stride, step, drafts, draft_stride, draft_step, drafted, uniforms, gamma
        )
        sums = parts + chain * shared * 2
    open_end = 1
    if HAS_CLOSED:
        if (at == length) & (length > 0):
            open_end = tl.where(tl.load(closed + chain) != 0, 0, 1)
    symbol = tl.full((), -1, tl.int64)
    if (bad == 0) & (open_end == 1):
        rest = tl.full((), 0.0, tl.float64)
        if HAS_RESTART:
            rest = tl.load(restart + chain * (gamma + 1) + at).to(tl.float64)
        masses = tl.load(sums + 2 * block, mask=block < shared, other=0.0)
        total = tl.sum(masses, axis=0) + tl.where(at < length, rest * scale, rest)
        from_draft = tl.where((at < length) & (total != 0.0), 1, 0)
        if (at < length) & (total == 0.0):
            masses = tl.load(sums + 2 * block + 1, mask=block < shared, other=0.0)
            total = tl.sum(masses, axis=0) + rest
        rest = tl.where(from_draft == 1, rest * scale, rest)
        live = tl.sum(masses, axis=0)
        threshold = tl.load(uniforms + chain * (gamma + 1) + used) * total
        if (total > 0.0) & (total < float("inf")):
            if (threshold >= live) & (rest > 0.0):
                symbol = tl.full((), 0, tl.int64) + width
            else:
                chosen = first_above(masses, block, threshold, NONE)
                before = tl.sum(tl.where(block < chosen, masses, 0.0), axis=0)
                tokens = chosen * BLOCK + tl.arange(0, BLOCK)
                inside = tokens < width
                entries = targets + chain * stride + at * step + tokens
                left = tl.load(entries, mask=inside, other=0.0).to(tl.float64)
                if from_draft == 1:
                    entries = drafts + chain * draft_stride + at * draft_step + tokens
                    drawn = tl.load(entries, mask=inside, other=0.0).to(tl.float64)
                    left = _left_over(left, drawn, scale)
                symbol = first_above(left, tokens, threshold - before, NONE).to(tl.int64)
        else:
            bad = 1
    tl.store(accepted + chain, tl.where(bad == 1, 0, at).to(tl.int64))
    tl.store(following + chain, symbol)
