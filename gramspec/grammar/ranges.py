"""Sets of Unicode scalars as sorted, disjoint, inclusive ranges.

Cost: every operation is linear in the number of ranges (after one sort).
Source: Unicode Standard, section 3.9 (scalar values exclude the surrogates D800-DFFF).
"""

from __future__ import annotations

from collections.abc import Iterable

Ranges = tuple[tuple[int, int], ...]

SCALARS: Ranges = ((0, 0xD7FF), (0xE000, 0x10FFFF))


def normalise(pairs: Iterable[tuple[int, int]]) -> Ranges:
    """Sorted, merged ranges of the scalars in `pairs`; surrogates are dropped."""
    merged: list[tuple[int, int]] = []
    for low, high in sorted(pairs):
        if low > high:
            continue
        if merged and low <= merged[-1][1] + 1:
            if high > merged[-1][1]:
                merged[-1] = (merged[-1][0], high)
        else:
            merged.append((low, high))
    if any(low <= 0xDFFF and high >= 0xD800 for low, high in merged):
        return intersect(tuple(merged), SCALARS)
    return tuple(merged)


def of(*chars: int | str) -> Ranges:
    """The ranges of a few characters, given as code points or as strings of characters."""
    points: list[int] = []
    for char in chars:
        points.extend(map(ord, char) if isinstance(char, str) else (char,))
    return normalise((point, point) for point in points)


def unite(*sets: Ranges) -> Ranges:
    """Union of normalised sets."""
    return normalise(pair for ranges in sets for pair in ranges)


def intersect(first: Ranges, second: Ranges) -> Ranges:
    """Intersection of two normalised sets."""
    found: list[tuple[int, int]] = []
    i = j = 0
    while i < len(first) and j < len(second):
        low = max(first[i][0], second[j][0])
        high = min(first[i][1], second[j][1])
        if low <= high:
            found.append((low, high))
        if first[i][1] < second[j][1]:
            i += 1
        else:
            j += 1
    return tuple(found)


def complement(ranges: Ranges) -> Ranges:
    """Every scalar that is not in a normalised set."""
    gaps: list[tuple[int, int]] = []
    start = 0
    for low, high in ranges:
        if start < low:
            gaps.append((start, low - 1))
        start = high + 1
    if start <= 0x10FFFF:
        gaps.append((start, 0x10FFFF))
    return intersect(tuple(gaps), SCALARS)


def subtract(first: Ranges, second: Ranges) -> Ranges:
    """Scalars of `first` that are not in `second`."""
    return intersect(first, complement(second))


def is_subset(first: Ranges, second: Ranges) -> bool:
    """Whether every scalar of `first` is in `second`."""
    return intersect(first, second) == first
