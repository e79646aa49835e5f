"""Masks of several matchers in one call, on several threads.

Law: the same bits as calling `Matcher.fill_bitmask` for each.
Cost: masks that are remembered are copied by all threads at once; the others are made, by one thread an
engine. The pool of threads is one for the process, and the GIL is given up.
Source: API, section 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gramspec import _native
from gramspec.errors import OptionError
from gramspec.matching.matcher import Matcher
from gramspec.matching.residual import ResidualMatcher

_PROCESSORS = _native.processors()


def fill_bitmasks(
    matchers: Sequence[Matcher], array: Any, *, rows: Sequence[int] | None = None, threads: int | None = None
) -> None:
    """Fill one row of a packed mask for each matcher.

    Parameters
    ----------
    matchers : sequence of Matcher
        Of any grammars and vocabularies whose masks have the width of the array.
    array : ndarray or torch.Tensor (CPU), int32, shape (rows, ceil(V / 32))
    rows : sequence of int, optional
        Row of each matcher; 0, 1, 2, … by default.
    threads : int, optional
        Most threads at work, this one counted; by default as many as can run at once.

    Raises
    ------
    OptionError
        If `threads` is not positive.
    ValueError
        If `rows` and `matchers` differ in length, or the array does not fit; no row is written then.
    LimitError, CancelledError
        If a mask cannot be made: the first one, which names its matcher. The rows of such masks are zero, all
        others are written.
    """
    count = _PROCESSORS if threads is None else threads
    if count < 1:
        raise OptionError(f"threads={threads}: at least one thread has to do the work")
    for index in _native.fill_bitmasks(matchers, array, rows, count):
        matcher = matchers[index]
        assert isinstance(matcher, ResidualMatcher)
        matcher.correct(array, index if rows is None else rows[index])
