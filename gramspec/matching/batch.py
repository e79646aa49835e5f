"""Masks of several matchers in one call.

Law: the same bits as calling `Matcher.fill_bitmask` for each.
Source: API, section 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gramspec.errors import OptionError
from gramspec.matching.matcher import Matcher


def fill_bitmasks(
    matchers: Sequence[Matcher], array: Any, *, rows: Sequence[int] | None = None, threads: int | None = None
) -> None:
    """Fill one row of a packed mask for each matcher.

    Parameters
    ----------
    matchers : sequence of Matcher
    array : ndarray or torch.Tensor (CPU), int32, shape (rows, ceil(V / 32))
    rows : sequence of int, optional
        Row of each matcher; 0, 1, 2, … by default.
    threads : int, optional
        Masks are filled in the calling thread; anything but None or 1 is refused.

    Raises
    ------
    OptionError
        If `threads` asks for more than one thread.
    ValueError
        If `rows` and `matchers` differ in length, or the array does not fit.
    """
    if threads not in (None, 1):
        raise OptionError(f"threads={threads}: masks are filled in the calling thread only; use threads=1")
    places = range(len(matchers)) if rows is None else rows
    if len(places) != len(matchers):
        raise ValueError(f"{len(places)} rows for {len(matchers)} matchers")
    for matcher, row in zip(matchers, places, strict=True):
        matcher.fill_bitmask(array, row)
