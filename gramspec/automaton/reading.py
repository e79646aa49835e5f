"""Reading a text by a grammar: whether it belongs and, if not, where it leaves and what was allowed there.

Law: the text up to `offset` is a prefix of a member; where the text leaves, one more character is not.
Cost: one native step a byte; the characters allowed are read off few configurations, or left incomplete.
Source: API, section 1.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal, Protocol, TypeAlias, runtime_checkable

from gramspec.automaton.graph import DEAD, TextGraph
from gramspec.grammar import core
from gramspec.grammar.core import Place
from gramspec.grammar.ranges import Ranges, intersect, normalise

Verdict: TypeAlias = Literal["member", "leaves", "ends early", "refused"]

# In a key of an object every character leads to a configuration of its own, elsewhere most share one.
_FRESH: Final = 4_096
# First byte of a character outside ASCII: continuation bytes, and the bits of the character that it holds.
LEADS: Final = {
    **{b: (1, b & 0x1F) for b in range(0xC2, 0xE0)},
    **{b: (2, b & 0x0F) for b in range(0xE0, 0xF0)},
    **{b: (3, b & 0x07) for b in range(0xF0, 0xF5)},
}


@dataclass(frozen=True, slots=True)
class Allowed:
    """What may come next.

    Parameters
    ----------
    characters : Ranges
        Unicode characters, as sorted inclusive ranges.
    stray : bytes
        Bytes that may follow though no character begins with them.
    complete : bool
        False: characters above ASCII are left out, because following them all would cost too much.
    end : bool
        Whether the text may end here (but for residual predicates).
    """

    characters: Ranges
    stray: bytes
    complete: bool
    end: bool


@dataclass(frozen=True, slots=True)
class Refusal:
    """A residual predicate that a text does not satisfy.

    Parameters
    ----------
    place : Place
        Keyword, and where it stands in the grammar's source.
    where : str or None
        JSON pointer of the offending value in the text, where the predicate knows it.
    offset : int or None
        Start of the character after which the predicate can no longer hold, where it reads along.
    """

    place: Place
    where: str | None
    offset: int | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """How far a text follows a grammar.

    Parameters
    ----------
    verdict : {"member", "leaves", "ends early", "refused"}
        "refused": a residual predicate says no, to the text that the automaton accepts or, where it reads
        along, to every continuation of what the automaton takes.
    offset : int
        Bytes of the text that are a prefix of a member; where the text leaves, at the start of a character.
    allowed : Allowed or None
        What may come at `offset`; None for a member and for a refused text.
    completion : bytes or None
        A short way from `offset` to a member; None where none was found.
    refusals : tuple of Refusal
        The predicates that say no.
    """

    verdict: Verdict
    offset: int
    allowed: Allowed | None = None
    completion: bytes | None = None
    refusals: tuple[Refusal, ...] = ()


@runtime_checkable
class Explains(Protocol):
    """A residual predicate that can say where in a text it fails."""

    def explain(self, text: bytes) -> Iterable[tuple[str, Place]]:
        """JSON pointers into the text, and what is not satisfied there."""
        ...


def read(graph: TextGraph, text: bytes) -> Reading:
    """Follow a text through a grammar.

    Parameters
    ----------
    graph : TextGraph
        Of the grammar.
    text : bytes

    Returns
    -------
    Reading

    Raises
    ------
    LimitError
        If the text needs more than the limits of the graph allow.
    """
    graph.refresh()
    config = graph.start
    begin, at_begin = 0, config  # where the character being read begins
    for offset in range(len(text)):
        if offset >= begin + _width(text[begin]):
            begin, at_begin = offset, config
        config = graph.advance(config, text[offset : offset + 1])
        if config == DEAD:
            break
    else:
        begin, at_begin = len(text), config
    refusals = tuple(_refusals(graph, text, begin, whole=graph.accepts(config)))
    if refusals:
        offset = min((r.offset for r in refusals if r.offset is not None), default=begin)
        return Reading("refused", offset, refusals=refusals)
    if graph.accepts(config):
        return Reading("member", len(text))
    verdict: Verdict = "leaves" if config == DEAD else "ends early"
    return Reading(verdict, begin, allowed(graph, at_begin), graph.completion(at_begin))


def allowed(graph: TextGraph, config: int) -> Allowed:
    """The characters that may follow, and whether the text may end."""
    groups = _Characters(graph)
    found: list[tuple[int, int]] = []
    stray = bytearray()
    for successor, data in graph.successors(config):
        for byte in data:
            if byte < 0x80:
                found.append((byte, byte))
            elif byte in LEADS:
                count, high = LEADS[byte]
                base = high << 6 * count
                found += [(base + low, base + top) for low, top in groups.tails(successor, count)]
            else:
                stray.append(byte)
    characters = normalise(found)
    if not groups.complete:
        characters = intersect(characters, ((0, 0x7F),))
    return Allowed(characters, bytes(stray), groups.complete, graph.accepts(config))


class _Characters:
    """Numbers spelled by the continuation bytes after a configuration, as ranges; each one is met once."""

    def __init__(self, graph: TextGraph) -> None:
        self.graph = graph
        self.complete = True
        self.most = graph.configurations + _FRESH
        self.known: dict[tuple[int, int], Ranges] = {}

    def tails(self, config: int, count: int) -> Ranges:
        if count == 0:
            return ((0, 0),)
        key = (config, count)
        if key not in self.known:
            if self.graph.configurations > self.most:
                self.complete = False
                return ()
            scale = 6 * (count - 1)
            found = [
                ((byte & 0x3F) << scale | low, (byte & 0x3F) << scale | high)
                for successor, data in self.graph.successors(config)
                for byte in data
                if 0x80 <= byte < 0xC0
                for low, high in self.tails(successor, count - 1)
            ]
            self.known[key] = merge_numbers(found)
        return self.known[key]


def merge_numbers(pairs: Iterable[tuple[int, int]]) -> Ranges:
    """Sorted and merged ranges of numbers that are parts of characters: none of them is a surrogate."""
    merged: list[tuple[int, int]] = []
    for low, high in sorted(pairs):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], high))
        else:
            merged.append((low, high))
    return tuple(merged)


def _refusals(graph: TextGraph, text: bytes, kept: int, *, whole: bool) -> Iterable[Refusal]:
    """What says no to the first `kept` bytes or, if all of the text is accepted, to the text."""
    for residual in graph.grammar.residuals:
        offset = _turns_down(residual.reading(), text[:kept])
        if offset is None and not (whole and not residual.holds(text)):
            continue
        found = tuple(residual.explain(text)) if whole and isinstance(residual, Explains) else ()
        yield from (Refusal(place, where, offset) for where, place in found)
        if not found:
            yield from (Refusal(place, None, offset) for place in residual.places)


def _turns_down(reading: core.Reading | None, text: bytes) -> int | None:
    """Start of the first character after which a reading says that no continuation will do."""
    if reading is None or reading.read(text) is not None:
        return None
    low, high = 0, len(text)  # the prefix of length `low` will do, that of length `high` will not
    while high - low > 1:
        middle = (low + high) // 2
        if reading.read(text[:middle]) is None:
            high = middle
        else:
            low = middle
    while low and text[low] & 0xC0 == 0x80:
        low -= 1
    return low


def _width(lead: int) -> int:
    return 1 + LEADS[lead][0] if lead in LEADS else 1
