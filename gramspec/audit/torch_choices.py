"""torch's draws as choices of a `RandomSource`: what `model.generate` draws can be enumerated or replayed.

Law: `torch.multinomial` becomes one `choose` per row, the uniforms that speculation compares with its ratios
one coin each, exactly. Cost: none beside the draw. Process-wide while it lasts; threads wait for each other.
Source: `transformers.generation.utils` (`_sample`, `_speculative_sampling`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import numpy as np
import torch

from gramspec.decoding.random import RandomSource
from gramspec.errors import OptionError

_ONE_AT_A_TIME = threading.RLock()


@contextmanager
def choices_from(source_of_row: Callable[[int], RandomSource]) -> Iterator[None]:
    """Let `torch.multinomial` and `torch.rand_like` choose through a random source.

    Parameters
    ----------
    source_of_row : callable
        Gives the source of the choices of one row of a batch.

    Notes
    -----
    Only what sampling loops use is covered: one draw per row of probabilities, and uniforms that are compared
    with ``uniform <= ratio``; a coin that no longer counts after the first rejection is not tossed.
    """

    def multinomial(probabilities: torch.Tensor, num_samples: int = 1, **options: Any) -> torch.Tensor:
        if num_samples != 1 or options:
            raise OptionError(f"multinomial(num_samples={num_samples}, {options}): one draw per row is known")
        rows = probabilities.detach().to(torch.float64).reshape(-1, probabilities.shape[-1]).numpy()
        if not np.isfinite(rows).all() or (rows < 0.0).any() or (rows.sum(axis=-1) <= 0.0).any():
            raise RuntimeError("probability tensor contains either `inf`, `nan` or element < 0")
        picked = [source_of_row(i).choose(row) for i, row in enumerate(rows)]
        return torch.tensor(picked, dtype=torch.long).reshape(*probabilities.shape[:-1], 1)

    def rand_like(ratios: torch.Tensor, **_: Any) -> _Uniforms:
        return _Uniforms(source_of_row(0))

    with (
        _ONE_AT_A_TIME,
        mock.patch.object(torch, "multinomial", multinomial),
        mock.patch.object(torch, "rand_like", rand_like),
    ):
        yield


class _Uniforms:
    """Uniform numbers that are only ever compared: each comparison is a coin."""

    def __init__(self, source: RandomSource) -> None:
        self._source = source

    def __le__(self, ratios: torch.Tensor) -> torch.Tensor:
        taken: list[bool] = []
        for ratio in ratios.detach().to(torch.float64).reshape(-1).tolist():
            if taken and not taken[-1]:
                taken.append(False)  # after a rejection nothing is looked at
                continue
            share = min(max(float(ratio), 0.0), 1.0) if ratio == ratio else 0.0
            taken.append(self._source.choose(np.array([1.0 - share, share])) == 1)
        return torch.tensor(taken, dtype=torch.bool).reshape(ratios.shape)
