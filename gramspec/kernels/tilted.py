"""Rows of logits under a mask and a tilt: the arguments that statistics and draws share.

Law: p = softmax(logits / temperature) over the whole row; effect e of a token has the factor h =
exp(log_h[e]).
Source: architecture, "Token rows" (h is needed once per effect of a row); laws, "One frame for everything".
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gramspec.errors import KernelError
from gramspec.kernels.arrays import (
    TABLES,
    Grid,
    Tensor,
    flat_table,
    grid_of,
    host,
    is_tensor,
    require_beside,
    require_shape,
    require_type,
    row_views,
    table_rows,
    unpack,
)


@dataclass(frozen=True, slots=True)
class Tilt:
    """Factors on the tokens of each row, given once per effect.

    Parameters
    ----------
    log_h : float32 or float64, [..., E]
        log h of each effect, one list per row of logits; finite or -inf.
    effects : uint8, int16 or int32, [..., V'] or with `rows` a table [N, V'], optional
        Effect of each token. What is no number in 0..E-1, and every token from V' on, is not allowed.
        Without a table all allowed tokens have effect 0, and E is 1.
    rows : int32, [...], optional
        Row of the table that each row of logits takes; -1: effect 0 for all tokens.
    """

    log_h: Tensor
    effects: Tensor | None = None
    rows: Tensor | None = None


class Tilted(NamedTuple):
    """Checked arguments.

    Attributes
    ----------
    logits : array
        As given.
    grid : Grid
        Its rows.
    words, word_rows : array or None
        Packed masks [N, W] and the row of them that each row of logits takes.
    effects, effect_rows : array or None
        Effect tables [N, V'] and the row of them that each row of logits takes.
    log_h : array or None
        float64 [rows, E].
    temperature : float or array
        One for all, or float64 [rows].
    """

    logits: Tensor
    grid: Grid
    words: Tensor | None
    word_rows: Tensor | None
    effects: Tensor | None
    effect_rows: Tensor | None
    log_h: Tensor | None
    temperature: float | Tensor

    @property
    def kinds(self) -> int:
        """Number of effects."""
        return 1 if self.log_h is None else int(self.log_h.shape[1])

    @property
    def lead(self) -> tuple[int, ...]:
        """Shape of what has one entry per row."""
        return tuple(self.logits.shape[:-1])


def tilted(
    logits: Tensor,
    bitmask: Tensor | None,
    rows: Tensor | None,
    tilt: Tilt | None,
    temperature: float | Tensor,
) -> Tilted:
    """Check the arguments of a tilted row.

    Raises
    ------
    KernelError
        Naming the argument.
    """
    grid = grid_of(logits)
    words = word_rows = effects = effect_rows = log_h = None
    if bitmask is not None:
        require_type(bitmask, ("int32",), "bitmask")
        word_rows = table_rows(bitmask, rows, logits, "bitmask")
        words = flat_table(bitmask)
    elif rows is not None:
        raise KernelError("rows", "indices without a bitmask", "pass the table that they point into")
    if tilt is not None:
        require_type(tilt.log_h, ("float32", "float64"), "tilt.log_h")
        require_beside(tilt.log_h, logits, "tilt.log_h")
        count = tilt.log_h.shape[-1] if len(tilt.log_h.shape) else 0
        require_shape(tilt.log_h, (*logits.shape[:-1], max(count, 1)), "tilt.log_h")
        log_h = _float64(tilt.log_h.reshape(grid.rows, count))
        if tilt.effects is not None:
            require_type(tilt.effects, TABLES, "tilt.effects")
            effect_rows = table_rows(tilt.effects, tilt.rows, logits, "tilt.effects")
            effects = flat_table(tilt.effects)
        elif tilt.rows is not None or count != 1:
            raise KernelError(
                "tilt.effects", f"no table for {count} effects", "pass the effect of each token"
            )
    return Tilted(
        logits,
        grid,
        words,
        word_rows,
        effects,
        effect_rows,
        log_h,
        per_row(temperature, logits, "temperature"),
    )


def per_row(value: float | Tensor, logits: Tensor, place: str) -> float | Tensor:
    """A positive number for all rows, or flat float64 numbers, one per row.

    Raises
    ------
    KernelError
        Naming the argument.
    """
    if isinstance(value, (int, float)):
        if not 0 < value < float("inf"):
            raise KernelError(place, f"{value!r}", "a positive, finite number is needed")
        return float(value)
    require_type(value, ("float32", "float64"), place)
    require_beside(value, logits, place)
    require_shape(value, tuple(logits.shape[:-1]), place)
    return _float64(value.reshape(-1))


def _float64(value: Tensor) -> Tensor:
    if is_tensor(value):
        return value.to(sys.modules["torch"].float64).contiguous()
    return np.ascontiguousarray(value, dtype=np.float64)


class Row(NamedTuple):
    """One row on the host.

    Attributes
    ----------
    scaled : ndarray of float64, [V]
        Logits divided by the temperature.
    kinds : ndarray of int64, [V]
        Effect of each token; the number of effects where it is not allowed.
    log_h : ndarray of float64, [E]
        log h of each effect.
    """

    scaled: NDArray[np.float64]
    kinds: NDArray[np.int64]
    log_h: NDArray[np.float64]


def rows_of(given: Tilted) -> Iterator[Row]:
    """Each row, in float64; what the references work on."""
    count = given.kinds
    words, word_rows, effects, effect_rows = (
        None if x is None else host(x)
        for x in (given.words, given.word_rows, given.effects, given.effect_rows)
    )
    log_h = np.zeros((given.grid.rows, 1)) if given.log_h is None else host(given.log_h)
    heat = given.temperature
    degrees = np.full(given.grid.rows, heat) if isinstance(heat, float) else host(heat)
    width = given.grid.width
    for r, row in enumerate(row_views(given.logits)):
        kinds = np.zeros(width, dtype=np.int64)
        if effects is not None:
            index = r if effect_rows is None else int(effect_rows[r])
            if index >= 0:
                listed = effects[index][:width].astype(np.int64)
                kinds[: len(listed)] = np.where((listed >= 0) & (listed < count), listed, count)
                kinds[len(listed) :] = count
        if words is not None:
            index = r if word_rows is None else int(word_rows[r])
            if index >= 0:
                kinds[~unpack(words[index], width)] = count
        # A temperature that is not positive has no law: the row and all that is made of it become NaN.
        degree = degrees[r] if degrees[r] > 0 else np.nan
        yield Row(host(row).astype(np.float64) / degree, kinds, log_h[r])
