"""Packed masks in arrays: what an array must be like, and how its bits are read.

Law: what is returned shares the memory of the array; anything that cannot share it is a ValueError.
Cost: 1 us for a tensor; NumPy arrays that fit never come here.
Source: API, section 3 (`fill_bitmask`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def shared(array: Any, size: int) -> NDArray[np.int32]:
    """An array or tensor of packed masks of `size` tokens as a NumPy array on the same memory.

    Raises
    ------
    ValueError
        If it has another dtype or shape, is not contiguous along its rows, is read-only, or not on the CPU.
    """
    words = (size + 31) // 32
    shape = tuple(getattr(array, "shape", ()))
    if len(shape) != 2 or shape[1] != words:
        raise ValueError(f"a bitmask has shape (rows, {words}), not {shape}")
    if not isinstance(array, np.ndarray):
        if getattr(getattr(array, "device", None), "type", "cpu") != "cpu":
            raise ValueError("a bitmask tensor must be on the CPU")
        array = array.numpy()
    if array.dtype != np.int32:
        raise ValueError(f"a bitmask has dtype int32, not {array.dtype}")
    if array.strides[1] != 4 and words > 1:
        raise ValueError("a bitmask must be contiguous along its rows")
    if not array.flags.writeable:
        raise ValueError("a bitmask is written to: this array is read-only")
    result: NDArray[np.int32] = array
    return result


def row_of(array: Any, row: int, size: int) -> NDArray[np.uint32]:
    """One row of packed masks as uint32, sharing memory; ValueError when it cannot be shared."""
    whole = shared(array, size)
    if not 0 <= row < len(whole):
        raise ValueError(f"row {row} of a bitmask of {len(whole)} rows")
    view: NDArray[np.uint32] = whole[row].view(np.uint32)
    return view


def unpack(words: NDArray[Any], size: int) -> NDArray[np.bool_]:
    """The bits of one row."""
    return np.unpackbits(words.view(np.uint8), bitorder="little", count=size).view(np.bool_)
