"""What the Triton kernels share: addresses of rows, allowed tokens, effects, and picking by running sums.

Law: the same definitions as the references.
Cost: everything here is inlined; blocks are powers of two and one program holds one block of one row in
registers.
"""

from __future__ import annotations

from typing import Any

import triton
import triton.language as tl

INTERPRETED = bool(triton.knobs.runtime.interpret)
BLOCK = 4096  # entries a program reads: 8 KiB of bfloat16, enough loads in flight on every card
WARPS = 8


def blocks(width: int) -> int:
    """Programs that share one row."""
    return -(-width // BLOCK)


def power_of_two(count: int) -> int:
    """Smallest power of two that is not below."""
    return 1 << max(0, count - 1).bit_length()


def pointer(tensor: Any, stand_in: Any) -> Any:
    """A tensor, or any other where the kernel does not read it."""
    return stand_in if tensor is None else tensor


@triton.jit
def row_start(base, row, nodes, stride, node_stride):
    """Address of a row of [B, nodes, V]; 64 bits, since B·V can pass 2^31."""
    batch = (row // nodes).to(tl.int64)
    node = (row % nodes).to(tl.int64)
    return base + batch * stride + node * node_stride


@triton.jit
def class_of(
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
    HAS_WORDS: tl.constexpr,
    HAS_WORD_ROWS: tl.constexpr,
    HAS_TABLE: tl.constexpr,
    HAS_TABLE_ROWS: tl.constexpr,
):
    """Effect of each token, 0 to `effects` - 1; `effects` where it is not allowed.

    `places` are the words of the tokens, in a shape that broadcasts to theirs: each is loaded once.
    """
    kind = tl.where(inside, 0, effects)
    if HAS_WORDS:
        index = row
        if HAS_WORD_ROWS:
            index = tl.load(word_rows + row)
        start = words + tl.maximum(index, 0).to(tl.int64) * word_count
        word = tl.load(start + places, mask=places < word_count, other=0)
        unmasked = tl.where(index < 0, 1, 0)
        kind = tl.where((((word >> (tokens % 32)) & 1) | unmasked) != 0, kind, effects)
    if HAS_TABLE:
        index = row
        if HAS_TABLE_ROWS:
            index = tl.load(table_rows + row)
        start = table + tl.maximum(index, 0).to(tl.int64) * table_width
        listed = inside & (tokens < tl.where(index < 0, 0, table_width))
        effect = tl.load(start + tokens, mask=listed, other=0).to(tl.int32)
        effect = tl.where(listed, effect, tl.where(index < 0, 0, effects))
        known = (effect >= 0) & (effect < effects)
        kind = tl.where(known & (kind < effects), effect, effects)
    return kind


@triton.jit
def first_above(weights, places, threshold, none: tl.constexpr):
    """Place of the first positive weight whose running sum exceeds the threshold, else of the last; -1: none.

    A parallel scan may round a running sum below the one before it, hence the least place and no count.
    """
    sums = tl.cumsum(weights, axis=0)
    found = tl.min(tl.where((sums > threshold) & (weights > 0), places, none), axis=0)
    last = tl.max(tl.where(weights > 0, places, -1), axis=0)
    return tl.where(found < none, found, last)
