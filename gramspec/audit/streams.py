"""Streams of choices for the rows of a batch, each of its own, so that a row draws the same in any company.

Law: row i of two calls with the same key makes the same choices at the same weights.
Source: the suite "isolation".
"""

from __future__ import annotations

from collections.abc import Sequence

from gramspec.decoding.random import NumpyRandomSource, RandomSource


class RowStreams:
    """One random source per row.

    Parameters
    ----------
    keys : sequence of int
        Of the rows.
    """

    def __init__(self, keys: Sequence[int]) -> None:
        self._sources = [NumpyRandomSource((key, 20)) for key in keys]

    def __call__(self, row: int) -> RandomSource:
        """The source of a row."""
        return self._sources[row]
