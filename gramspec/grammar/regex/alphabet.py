"""The characters of some expressions, put into classes that no expression tells apart.

Cost: one sweep over the ends of all ranges; a character's class is one bisection, then one look-up.
Source: the usual equivalence classes of lexer generators (Aho, Sethi, Ullman, section 3.9).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable

from gramspec.grammar.ranges import SCALARS, Ranges, intersect


class Alphabet:
    """Classes of characters, numbered from 0; a set of classes is an int (`mask`) with a bit for each.

    Every class holds a scalar; if no set reaches some scalars, one class holds all of those.

    Parameters
    ----------
    sets : iterable of ranges
        The sets of characters that matter.

    Attributes
    ----------
    size : int
        Number of classes.
    full : int
        The mask of all of them.
    masks : dict
        The mask of each of the sets.
    """

    def __init__(self, sets: Iterable[Ranges]) -> None:
        distinct = list(dict.fromkeys(sets))
        events: dict[int, int] = {0: 0}  # point -> sets (as bits) that begin or end there
        for bit, ranges in enumerate(distinct):
            for low, high in ranges:
                events[low] = events.get(low, 0) ^ 1 << bit
                events[high + 1] = events.get(high + 1, 0) ^ 1 << bit
        classes: dict[int, int] = {}
        self.starts: list[int] = []
        self.numbers: list[int] = []
        active = 0
        points = sorted(point for point in events if point <= 0x10FFFF)
        for point, end in zip(points, [*points[1:], 0x110000], strict=True):
            active ^= events[point]
            if point >= 0xD800 and end <= 0xE000:  # surrogates only: no scalar, no class of its own
                continue
            self.starts.append(point)
            self.numbers.append(classes.setdefault(active, len(classes)))
        self.masks: dict[Ranges, int] = dict.fromkeys(distinct, 0)
        for signature, number in classes.items():
            for bit in _bits(signature):
                self.masks[distinct[bit]] |= 1 << number
        self.size = len(classes)
        self.full = (1 << self.size) - 1
        self._known: dict[str, int] = {}

    def number(self, char: str) -> int:
        """The class of a character; -1 for a lone surrogate."""
        found = self._known.get(char)
        if found is None:
            point = ord(char)
            found = self.numbers[bisect_right(self.starts, point) - 1]
            self._known[char] = found = -1 if 0xD800 <= point <= 0xDFFF else found
        return found

    def ranges(self, mask: int) -> Ranges:
        """The characters of some classes."""
        ends = [*self.starts[1:], 0x110000]
        pairs: list[tuple[int, int]] = []
        for low, end, number in zip(self.starts, ends, self.numbers, strict=True):
            if mask >> number & 1 and low < end:
                if pairs and pairs[-1][1] + 1 == low:
                    pairs[-1] = (pairs[-1][0], end - 1)
                else:
                    pairs.append((low, end - 1))
        return intersect(tuple(pairs), SCALARS)


def _bits(mask: int) -> Iterable[int]:
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low
