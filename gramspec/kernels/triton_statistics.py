"""Triton version of `row_statistics`.

Law: that of `gramspec.kernels.statistics`.
Cost: one program per block of a row reads its logits and takes one exponential per token, relative to the
largest logit of the block; where an effect lies far below, it takes its own, so that none underflows beside
another. It writes a logit and a sum per effect, and a program per row joins the blocks in float64. No
atomics: the sums have one order.
"""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

import torch
import triton
import triton.language as tl

from gramspec.kernels.statistics import RowStatistics
from gramspec.kernels.tilted import Tilted
from gramspec.kernels.triton_common import BLOCK, WARPS, blocks, class_of, pointer, power_of_two, row_start

NEAR = 8.0  # effects whose largest logits are so near in a block share its exponentials: exact to 2e-7
UNROLLED = 8  # classes up to which the loops over them are unrolled
JOINED = 4096  # entries of the block sums that the joining program holds at a time


class Measured(NamedTuple):
    """Statistics, and what they were made of.

    Attributes
    ----------
    statistics : RowStatistics
    parts : torch.Tensor, [rows, blocks, classes, 2]
        A logit near the largest and Σ exp((logit - it) / T) of each effect in each block; entry E is for all
        tokens.
    """

    statistics: RowStatistics
    parts: torch.Tensor


def token_arguments(given: Tilted) -> tuple[Any, ...]:
    """Arguments of `class_of` after the row."""
    logits = given.logits
    return (
        pointer(given.words, logits),
        pointer(given.word_rows, logits),
        0 if given.words is None else given.words.shape[1],
        pointer(given.effects, logits),
        pointer(given.effect_rows, logits),
        0 if given.effects is None else given.effects.shape[1],
        given.kinds,
    )


def token_flags(given: Tilted) -> dict[str, bool]:
    """Compile-time arguments of `class_of`."""
    return {
        "HAS_WORDS": given.words is not None,
        "HAS_WORD_ROWS": given.word_rows is not None,
        "HAS_TABLE": given.effects is not None,
        "HAS_TABLE_ROWS": given.effect_rows is not None,
    }


def heat_arguments(given: Tilted) -> tuple[Any, int]:
    """Temperatures by row, and one for all as the bits of a float64: a float argument would be float32."""
    heat = given.temperature
    if isinstance(heat, float):
        return given.logits, int.from_bytes(struct.pack("<d", heat), "little")
    return heat, 0


def measure(given: Tilted) -> Measured:
    """Launch both passes.

    Parameters
    ----------
    given : Tilted
        Checked arguments on a device.
    """
    logits, grid = given.logits, given.grid
    count, shared = given.kinds, blocks(grid.width)
    classes = power_of_two(count + 1)
    precise = logits.dtype == torch.float64
    working = torch.float64 if precise else torch.float32
    parts = torch.empty((grid.rows, shared, classes, 2), dtype=working, device=logits.device)
    log_z = torch.empty(given.lead, dtype=torch.float64, device=logits.device)
    log_s = torch.empty_like(log_z)
    log_mass = torch.empty((*given.lead, count), dtype=torch.float64, device=logits.device)
    heat, heat_bits = heat_arguments(given)
    by_row = not isinstance(given.temperature, float)
    if grid.rows:
        _block_sums[(grid.rows, shared)](
            logits,
            grid.nodes,
            grid.stride,
            grid.node_stride,
            grid.width,
            *token_arguments(given),
            heat,
            heat_bits,
            parts,
            **token_flags(given),
            HAS_HEAT=by_row,
            CLASSES=classes,
            UNROLL=classes <= UNROLLED,
            PRECISE=precise,
            NEAR=NEAR,
            BLOCK=BLOCK,
            num_warps=WARPS,
        )
        padded = power_of_two(shared)
        _join[(grid.rows,)](
            parts,
            shared,
            count,
            pointer(given.log_h, parts),
            heat,
            heat_bits,
            log_z,
            log_s,
            log_mass,
            HAS_H=given.log_h is not None,
            HAS_HEAT=by_row,
            CLASSES=classes,
            CHUNK=min(classes, max(1, JOINED // padded)),
            PADDED=padded,
        )
    return Measured(RowStatistics(log_z, log_s, log_mass), parts)


@triton.jit
def degree_of(row, heat, heat_bits, HAS_HEAT: tl.constexpr):
    """Temperature of a row, NaN unless positive."""
    degree = tl.load(heat + row) if HAS_HEAT else tl.cast(heat_bits, tl.int64).to(tl.float64, bitcast=True)
    return tl.where(degree > 0, degree, float("nan"))


@triton.jit
def _top_of(values, mine):
    top = tl.max(tl.where(mine, values, -float("inf")))
    return top, tl.where(top == -float("inf"), 0.0, top)


@triton.jit(do_not_specialize=["heat_bits", "effects"])
def _block_sums(
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
    HAS_WORDS: tl.constexpr,
    HAS_WORD_ROWS: tl.constexpr,
    HAS_TABLE: tl.constexpr,
    HAS_TABLE_ROWS: tl.constexpr,
    HAS_HEAT: tl.constexpr,
    CLASSES: tl.constexpr,
    UNROLL: tl.constexpr,
    PRECISE: tl.constexpr,
    NEAR: tl.constexpr,
    BLOCK: tl.constexpr,
):
    row = tl.program_id(0)
    block = tl.program_id(1)
    # A line for each word of the mask: it is loaded once and spread over its 32 tokens in registers.
    places = block * (BLOCK // 32) + tl.arange(0, BLOCK // 32)[:, None]
    tokens = places * 32 + tl.arange(0, 32)[None, :]
    inside = tokens < width
    entries = row_start(logits, row, nodes, stride, node_stride) + tokens
    values = tl.load(entries, mask=inside, other=-float("inf"))
    values = values.to(tl.float64) if PRECISE else values.to(tl.float32)
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
    out = parts + (row.to(tl.int64) * tl.num_programs(1) + block) * (CLASSES * 2)
    inverse = 1.0 / degree_of(row, heat, heat_bits, HAS_HEAT)
    inverse *= 1.4426950408889634  # exponentials are taken to base 2, as the hardware does
    near = NEAR * 1.4426950408889634
    if not PRECISE:
        inverse = inverse.to(tl.float32)
    # The largest logit goes first: a difference keeps the digits that a quotient of large numbers loses.
    top, base = _top_of(values, inside)
    weights = tl.exp2((values - base) * inverse)
    tl.store(out + 2 * effects, top)
    tl.store(out + 2 * effects + 1, tl.sum(weights))
    lowest = top
    if UNROLL:
        for c in tl.static_range(CLASSES - 1):
            lowest = _lower_of(lowest, values, kind == c)
    else:
        for c in range(effects):
            lowest = _lower_of(lowest, values, kind == c)
    if (top - lowest) * inverse <= near:
        if UNROLL:
            for c in tl.static_range(CLASSES - 1):
                _store_class(out + 2 * c, top, weights, kind == c, c < effects)
        else:
            for c in range(effects):
                _store_class(out + 2 * c, top, weights, kind == c, True)
    else:
        # An effect far below the others gets exponentials of its own.
        for e in range(effects):
            mine = kind == e
            class_top, class_base = _top_of(values, mine)
            own = tl.exp2((values - class_base) * inverse)
            _store_class(out + 2 * e, class_top, own, mine, True)


@triton.jit
def _lower_of(lowest, values, mine):
    """The smaller of a number and the largest value of a class, if the class has any."""
    top = tl.max(tl.where(mine, values, -float("inf")))
    return tl.where((top < lowest) & (top > -float("inf")), top, lowest)


@triton.jit
def _store_class(at, top, weights, mine, wanted):
    total = tl.sum(tl.where(mine, weights, 0.0))
    tl.store(at, tl.where(total == 0.0, -float("inf"), top), mask=wanted)
    tl.store(at + 1, total, mask=wanted)


@triton.jit
def part_of(parts, row, block, shared, kind, CLASSES: tl.constexpr):
    """Address of the maximum of a class in a block; the sum is the entry after it."""
    return parts + ((row.to(tl.int64) * shared + block) * CLASSES + kind) * 2


@triton.jit
def _class_masses(parts, row, shared, kind, listed, degree, CLASSES: tl.constexpr, PADDED: tl.constexpr):
    """Log of Σ exp(logit / T) of each class, over all blocks; -inf where there is none."""
    block = tl.arange(0, PADDED)[:, None]
    here = (block < shared) & listed[None, :]
    at = part_of(parts, row, block, shared, kind[None, :], CLASSES)
    tops = tl.load(at, mask=here, other=-float("inf")).to(tl.float64)
    sums = tl.load(at + 1, mask=here, other=0.0).to(tl.float64)
    top = tl.max(tops, axis=0)
    base = tl.where(top == -float("inf"), 0.0, top)
    total = tl.sum(sums * tl.exp((tops - base[None, :]) / degree), axis=0)
    return base / degree + tl.log(total)


@triton.jit
def _log_sum(terms):
    top = tl.max(terms, axis=0)
    base = tl.where(top == -float("inf"), 0.0, top)
    return base + tl.log(tl.sum(tl.exp(terms - base), axis=0))


@triton.jit
def _log_add(a, b):
    top = tl.maximum(a, b)
    base = tl.where(top == -float("inf"), 0.0, top)
    return base + tl.log(tl.exp(a - base) + tl.exp(b - base))


@triton.jit(do_not_specialize=["heat_bits", "effects"])
def _join(
    parts,
    shared,
    effects,
    log_h,
    heat,
    heat_bits,
    log_z,
    log_s,
    log_mass,
    HAS_H: tl.constexpr,
    HAS_HEAT: tl.constexpr,
    CLASSES: tl.constexpr,
    CHUNK: tl.constexpr,
    PADDED: tl.constexpr,
):
    row = tl.program_id(0)
    degree = degree_of(row, heat, heat_bits, HAS_HEAT)
    z = tl.full((), -float("inf"), tl.float64)
    for start in range(0, CLASSES, CHUNK):
        kind = start + tl.arange(0, CHUNK)
        masses = _class_masses(parts, row, shared, kind, kind == effects, degree, CLASSES, PADDED)
        z = _log_add(z, _log_sum(masses))
    s = tl.full((), -float("inf"), tl.float64)
    for start in range(0, CLASSES, CHUNK):
        kind = start + tl.arange(0, CHUNK)
        masses = _class_masses(parts, row, shared, kind, kind < effects, degree, CLASSES, PADDED)
        masses = tl.where(z == -float("inf"), -float("inf"), masses - z)
        tl.store(log_mass + row.to(tl.int64) * effects + kind, masses, mask=kind < effects)
        if HAS_H:
            at = log_h + row.to(tl.int64) * effects + kind
            masses += tl.load(at, mask=kind < effects, other=0.0)
        s = _log_add(s, _log_sum(tl.where(kind < effects, masses, -float("inf"))))
    tl.store(log_z + row, z)
    tl.store(log_s + row, s)
