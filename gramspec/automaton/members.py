"""Random members of a grammar: uniform by length, or weighted so that people can read them.

Law: `UniformMembers` draws a length evenly among those that have members, then a member of that length
evenly; `WeightedMembers` draws byte by byte with fixed weights. Both hold given the residual predicates.
Source: Hickey and Cohen (1983), "Uniform random generation of strings in a context-free language".

Every choice goes through `choose`, which gets whole-number weights: the laws are exact rationals, and a
test that passes an enumerating `choose` sees all of a law.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Final, NamedTuple, Protocol, TypeAlias

import numpy as np

from gramspec.automaton.graph import DEAD, TextGraph
from gramspec.errors import LimitError, OptionError
from gramspec.grammar.core import Grammar, Reading
from gramspec.limits import Limits

Choose: TypeAlias = Callable[[Sequence[int]], int]
"""Index drawn in proportion to whole-number weights, whose sum is positive."""

Progress: TypeAlias = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class MemberLimits:
    """Bounds of drawing members.

    Parameters
    ----------
    max_explored : int
        Configurations that counting may visit.
    max_steps : int
        Bytes that it, or one weighted text, may try on the way.
    max_counts : int
        Numbers (configuration by length) that counting may hold.
    max_attempts : int
        Texts drawn for one that the residual predicates accept.
    max_bytes : int
        By how much a weighted text may be longer than asked for.
    """

    max_explored: int = 40_000
    max_steps: int = 4_000_000
    max_counts: int = 1_500_000
    max_attempts: int = 1_000
    max_bytes: int = 1 << 16


class Members(Protocol):
    """What both ways of drawing offer."""

    def draw(self, choose: Choose) -> bytes:
        """One random member."""
        ...


def seeded(seed: int | None = None) -> Choose:
    """A `choose` on a NumPy generator, exact for weights of any size.

    Parameters
    ----------
    seed : int, optional
        Makes the choices reproducible.
    """
    if seed is not None and seed < 0:
        raise OptionError(f"seed={seed}: must not be negative")
    generator = np.random.Generator(np.random.PCG64(seed))

    def below(bound: int) -> int:
        # The high bits of random bytes, drawn again until they are below the bound: no remainder, no bias.
        bits = bound.bit_length()
        width = (bits + 7) // 8
        while True:
            number = int.from_bytes(generator.bytes(width), "little") >> (8 * width - bits)
            if number < bound:
                return number

    def choose(weights: Sequence[int]) -> int:
        sums = list(itertools.accumulate(weights))
        target = below(sums[-1])
        # The first index whose running sum exceeds the target: one with weight zero never does so first.
        return sum(1 for _ in itertools.takewhile(lambda total: total <= target, sums))

    return choose


class UniformMembers:
    """Members of up to `max_length` bytes, uniform by length.

    P(text) is one over the number of lengths that have members, over the number of members of its length.
    With residual predicates: the same law given that they hold, so texts of one length stay equally likely.

    Parameters
    ----------
    grammar : Grammar
    max_length : int
        In bytes.
    limits : MemberLimits, optional
    progress : callable, optional
        Called with lengths counted so far and in all.

    Attributes
    ----------
    counts : tuple of int
        Members by length, 0 to `max_length`, residual predicates not asked.

    Raises
    ------
    LimitError
        If counting visits too much; a shorter `max_length` costs less.
    OptionError
        If no member is as short as `max_length`.
    """

    def __init__(
        self,
        grammar: Grammar,
        max_length: int,
        *,
        limits: MemberLimits | None = None,
        progress: Progress | None = None,
    ) -> None:
        if max_length < 0:
            raise OptionError(f"max_length={max_length}: must not be negative")
        self.limits = limits or MemberLimits()
        self.max_length = max_length
        self._grammar = grammar
        self._graph = TextGraph(grammar, Limits(max_configurations=4 * Limits().max_configurations))
        depths = self._explore()
        self._table = self._count(depths, progress)
        self.counts: tuple[int, ...] = tuple(self._table[self._graph.start])
        if not any(self.counts):
            shortest = self._graph.distance(self._graph.start)
            raise OptionError(
                f"max_length={max_length}: no member is that short; the shortest has {shortest} bytes"
            )

    def draw(self, choose: Choose) -> bytes:
        """One random member.

        Raises
        ------
        LimitError
            If the residual predicates refuse `max_attempts` texts in a row.
        """
        return _until_held(self._grammar, self.limits, lambda: self._draw(choose))

    def _draw(self, choose: Choose) -> bytes:
        config, text = self._graph.start, bytearray()
        for left in range(choose([int(count > 0) for count in self.counts]), 0, -1):
            groups = [group for group in self._graph.successors(config) if group[0] in self._table]
            weights = [len(data) * self._at(following, left - 1) for following, data in groups]
            config, data = groups[choose(weights)]
            text.append(data[choose([1] * len(data))])
        return bytes(text)

    def _at(self, config: int, length: int) -> int:
        row = self._table[config]
        return row[length] if length < len(row) else 0

    def _explore(self) -> dict[int, int]:
        """Configurations on some path to a member short enough, with the fewest bytes that lead there."""
        graph = self._graph
        depths = {graph.start: 0}
        layer = [graph.start]
        for depth in range(1, self.max_length + 1):
            following: list[int] = []
            for config in layer:
                for successor, _ in graph.successors(config):
                    if successor not in depths and depth + graph.distance(successor) <= self.max_length:
                        depths[successor] = depth
                        following.append(successor)
                        if len(depths) > self.limits.max_explored:
                            raise self._too_much(
                                "max_explored", f"more than {self.limits.max_explored} states"
                            )
                if graph.steps > self.limits.max_steps:
                    raise self._too_much("max_steps", f"more than {self.limits.max_steps} steps")
            layer = following
        return depths

    def _count(self, depths: dict[int, int], progress: Progress | None) -> dict[int, list[int]]:
        numbers = sum(self.max_length - depth + 1 for depth in depths.values())
        if numbers > self.limits.max_counts:
            raise self._too_much("max_counts", f"{numbers} numbers, more than {self.limits.max_counts}")
        graph = self._graph
        edges = {
            config: [(c, len(data)) for c, data in graph.successors(config) if c in depths]
            for config in depths
        }
        table: dict[int, list[int]] = {config: [int(graph.accepts(config))] for config in depths}
        # Configurations in the order of their depth: those needed at length n are the first ones.
        order = sorted(depths, key=depths.__getitem__)
        for length in range(1, self.max_length + 1):
            while order and depths[order[-1]] > self.max_length - length:
                order.pop()
            # A successor's row may have grown in this turn already, hence the index.
            for config in order:
                table[config].append(sum(width * table[c][length - 1] for c, width in edges[config]))
            if progress is not None:
                progress(length, self.max_length)
        return table

    def _too_much(self, limit: str, what: str) -> LimitError:
        return LimitError(
            limit,
            f"counting the members of up to {self.max_length} bytes needs {what}; ask for shorter ones,"
            " or for weighted ones",
        )


class WeightedMembers:
    """Members drawn byte by byte, with weights under which they look like something a person would write.

    At a prefix of p bytes the next byte b is possible iff p + 1 + (fewest bytes to a member after b) is at
    most the length T; ending is possible iff the prefix is a member. Each possibility is chosen in proportion
    to `weights`. So every text is a member, no prefix is a dead end of the automaton, every member of at most
    T bytes has positive probability, and no text is longer than T. But for keys of objects: before it is
    known which ones differ, the fewest bytes are a lower bound. Where it was too low, the possible bytes are
    those that come nearest to a member; and where none comes nearer than the prefix is, with every such step
    also those that are a byte farther. The text gets a little longer then.

    With residual predicates: a byte after which one that reads along can no longer hold is not possible, and
    the law is that of a walk given that it neither gets stuck nor ends in a text that a predicate refuses.

    Parameters
    ----------
    grammar : Grammar
    length : int, optional
        T in bytes; the length of a shortest member where that is longer. By default that length plus 120.
    limits : MemberLimits, optional
    """

    def __init__(
        self, grammar: Grammar, length: int | None = None, *, limits: MemberLimits | None = None
    ) -> None:
        if length is not None and length < 0:
            raise OptionError(f"length={length}: must not be negative")
        self.limits = limits or MemberLimits()
        self._grammar = grammar
        self._graph = TextGraph(grammar)
        shortest = self._graph.distance(self._graph.start)
        self.length = shortest + _SPREAD if length is None else max(length, shortest)
        self._rows: dict[int, list[tuple[int, int, int, int]]] = {}

    def draw(self, choose: Choose) -> bytes:
        """One random member.

        Raises
        ------
        LimitError
            If the residual predicates refuse `max_attempts` texts in a row, a text takes more than
            `max_steps`, or gets longer than asked for by more than `max_bytes`.
        """
        return _until_held(self._grammar, self.limits, lambda: self._draw(choose))

    def _draw(self, choose: Choose) -> bytes | None:
        graph = self._graph
        if graph.refresh():
            self._rows.clear()
        config, text = graph.start, bytearray()
        readings = _readings(self._grammar)
        most = graph.steps + self.limits.max_steps
        stuck = 0
        while True:
            if graph.steps > most:
                raise LimitError("max_steps", f"a text takes more than {self.limits.max_steps} steps")
            left = self.length - len(text) - 1
            row = self._row(config)
            options = [option for option in row if option[3] <= left]
            may_end = graph.accepts(config)
            if not options:
                if may_end:
                    return bytes(text)
                if -left > self.limits.max_bytes:
                    what = f"a text of {self.length} bytes gets longer by more than {self.limits.max_bytes}"
                    raise LimitError("max_bytes", what)
                nearest = min(option[3] for option in row)
                stuck = 0 if nearest < graph.distance(config) else stuck + 1
                options = [option for option in row if option[3] <= nearest + stuck]
            # Taken out and drawn again: the same as never having been possible.
            while True:
                weights = [option[1] for option in options]
                if not options and not may_end:
                    return None
                chosen = choose([*weights, _END] if may_end else weights)
                if chosen == len(options):
                    return bytes(text)
                byte, _, following, _ = options[chosen]
                read = _read_on(readings, byte) if readings else readings
                if read is not None:
                    break
                del options[chosen]
            config, readings = following, read
            text.append(byte)

    def _row(self, config: int) -> list[tuple[int, int, int, int]]:
        """Byte, weight, successor and its distance, for each live byte."""
        known = self._rows.get(config)
        if known is None:
            distance = self._graph.distance
            left = {b: (c, distance(c)) for c, data in self._graph.successors(config) for b in data}
            live = bytes(sorted(left))
            nearer = [left[b][1] < distance(config) for b in live]
            known = [(b, w, *left[b]) for b, w in zip(live, weights(live, nearer), strict=True)]
            self._rows[config] = known
        return known


_SPREAD: Final = 120
_END: Final = 9_000
_LETTERS: Final = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_DIGITS: Final = frozenset(b"0123456789")
_FREE_TEXT: Final = 10
# Per byte. In a JSON string the small letters weigh 62,400 and a closing quote 9,000: about seven letters.
_WEIGHTS: Final[dict[int, int]] = {
    **dict.fromkeys(b"abcdefghijklmnopqrstuvwxyz", 2_400),
    **dict.fromkeys(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ", 250),
    **dict.fromkeys(b"0123456789", 500),
    **dict.fromkeys(b"!#$%&'()*+-./;<=>?@^_`|~", 60),
    **dict.fromkeys(b'"{', 9_000),
    **dict.fromkeys(b",:", 6_000),
    **dict.fromkeys(b"[}]", 4_000),
    **dict.fromkeys(b"\\", 3),
    **dict.fromkeys(range(0xC2, 0xF5), 3),
}
_RARE: Final = 1


def weights(live: bytes, nearer: Sequence[bool]) -> list[int]:
    """Weights of the bytes that may follow a prefix; none is zero.

    Small letters come before capitals, digits and marks; structure of JSON often enough that texts end; white
    space within free text only; escapes, control characters and what is not ASCII seldom. Bytes that bring
    the end nearer have a seventh of the whole at least, so that no repetition goes on for ever.

    Parameters
    ----------
    live : bytes
        All bytes that may follow.
    nearer : sequence of bool
        Whether fewer bytes are needed to a member after each of them than before.
    """
    out = [_WEIGHTS.get(byte, _RARE) for byte in live]
    letters = sum(byte in _LETTERS for byte in live)
    digits = sum(byte in _DIGITS for byte in live)
    for index, byte in enumerate(live):
        if byte == 0x20:
            # Between tokens of JSON no letter may follow, or only those of `true` and the like.
            out[index] = 6_000 if letters >= _FREE_TEXT else 30
        elif byte in b",:{[}]" and letters >= _FREE_TEXT:
            out[index] = 60
        elif byte in _LETTERS and letters < _FREE_TEXT:
            # One of few words, where capitals count as much; or the exponent of a number.
            out[index] = 20 if byte in b"eE" and digits else 2_400
        elif byte in b"-." and digits and letters < _FREE_TEXT:
            out[index] = 300
    ahead = sum(weight for weight, near in zip(out, nearer, strict=True) if near)
    aside = sum(out) - ahead
    if ahead and 6 * ahead < aside:
        factor = -(-aside // (6 * ahead))
        out = [weight * factor if near else weight for weight, near in zip(out, nearer, strict=True)]
    return out


def shortest_members(graph: TextGraph, count: int, max_explored: int = 20_000) -> Iterator[bytes]:
    """Members in the order of their length; fewer than `count` where there are no more, or the bound is met.

    Best first by the prefix's length plus the fewest bytes to a member; of equals the longest prefix first.
    Prefixes that lead to one configuration by one path of byte sets are one entry.

    Parameters
    ----------
    graph : TextGraph
    count : int
        How many at most.
    max_explored : int
        Prefixes and members that may be looked at; and for each of them, 20 bytes on the average.
    """
    most = graph.steps + 20 * max_explored
    numbers = itertools.count()
    start: _Path | None = None
    heap = [(graph.distance(graph.start), 0, next(numbers), start, graph.start)]
    found = explored = 0
    while heap and explored < max_explored and graph.steps <= most:
        _, order, _, path, config = heappop(heap)
        explored += 1
        if config == DEAD:  # members, in the place of their length
            for text in map(bytes, itertools.product(*_byte_sets(path))):
                explored += 1
                if all(residual.holds(text) for residual in graph.grammar.residuals):
                    found += 1
                    yield text
                if found == count or explored >= max_explored:
                    return
            continue
        length = -order
        if graph.accepts(config):
            heappush(heap, (length, -length - 1, next(numbers), path, DEAD))
        for successor, data in graph.successors(config):
            bound = length + 1 + graph.distance(successor)
            heappush(heap, (bound, -length - 1, next(numbers), _Path(data, path), successor))


class _Path(NamedTuple):
    data: bytes
    parent: _Path | None


def _byte_sets(path: _Path | None) -> list[bytes]:
    out: list[bytes] = []
    while path is not None:
        out.append(path.data)
        path = path.parent
    return out[::-1]


def _readings(grammar: Grammar) -> tuple[Reading, ...]:
    """The readings of the empty text, of those predicates that read along."""
    found = (residual.reading() for residual in grammar.residuals)
    return tuple(reading for reading in found if reading is not None)


def _read_on(readings: tuple[Reading, ...], byte: int) -> tuple[Reading, ...] | None:
    found = [reading.read(bytes([byte])) for reading in readings]
    kept = tuple(reading for reading in found if reading is not None)
    return kept if len(kept) == len(found) else None


def _until_held(grammar: Grammar, limits: MemberLimits, draw: Callable[[], bytes | None]) -> bytes:
    residuals = grammar.residuals
    for _ in range(limits.max_attempts):
        text = draw()
        if text is not None and all(residual.holds(text) for residual in residuals):
            return text
    names = ", ".join(dict.fromkeys(place.keyword for residual in residuals for place in residual.places))
    raise LimitError("max_attempts", f"{names} refused {limits.max_attempts} texts in a row")
