"""Ambiguity: texts that a grammar can make in more than one way, found by running two ways at once.

Law: a witness has two derivations; where no search met its bound and nothing was left out, there is none.
Cost: at most `max_pairs` steps, `max_pairs_each` in one node; a step follows 32 bytes at most.
Source: Book, Even, Greibach and Ott (1971), "Ambiguity in graphs and expressions" (the squared automaton).

Masks and laws do not depend on it: configurations are sets, so a text counts once however it is derived.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

from gramspec.automaton.graph import TextGraph
from gramspec.errors import LimitError
from gramspec.grammar import ir

Kind: TypeAlias = Literal["alternatives", "sequence", "repetition"]

_REPORTED = 10
_FEW = 16
_BYTES = 32
# A state of the search: configurations of the runs, first the number of those past the place of the choice.
_State: TypeAlias = tuple[int, ...]


class Witness(NamedTuple):
    """A text with two derivations by one node of the expression.

    Attributes
    ----------
    kind : {"alternatives", "sequence", "repetition"}
        Two alternatives make it, or two ways to cut it.
    text : bytes
        Of the node, not of the whole grammar.
    """

    kind: Kind
    text: bytes


@dataclass(frozen=True, slots=True)
class AmbiguityReport:
    """What was found and what was looked at.

    Parameters
    ----------
    witnesses : tuple of Witness
        The first few, shortest for their node.
    ambiguous : int
        Nodes with a witness.
    searched : int
        Alternatives, sequences and repetitions that were searched.
    unfinished : int
        Those among them, or not begun, where a bound was met first.
    atomic : int
        Intersections, complements, machines and objects, which count as one derivation each.
    """

    witnesses: tuple[Witness, ...]
    ambiguous: int
    searched: int
    unfinished: int
    atomic: int


class _OutOfStepsError(Exception):
    """The bound of one search is met; never leaves this module."""


def find_ambiguity(graph: TextGraph, *, max_pairs: int, max_pairs_each: int) -> AmbiguityReport:
    """Search the nodes of a grammar's expression for texts with two derivations.

    Parameters
    ----------
    graph : TextGraph
        Of the grammar.
    max_pairs, max_pairs_each : int
        Steps in all, and in one node.
    """
    graph.refresh()
    search = _Search(graph, max_pairs)
    nodes, atomic = _nodes(graph.grammar.expr)
    found: dict[int, Witness] = {}
    begun: set[int] = set()
    pending = list(range(len(nodes)))
    # Most nodes need few steps: those that need many must not keep the others from being searched.
    for bound in (_FEW, max_pairs_each):
        unfinished: list[int] = []
        for index in pending:
            if search.left <= 0:
                unfinished.append(index)
                continue
            begun.add(index)
            search.each = min(search.left, bound)
            try:
                witness, complete = search.node(nodes[index])
            except (_OutOfStepsError, LimitError):
                witness, complete = None, False
            if witness is not None:
                found[index] = witness
            elif not complete:
                unfinished.append(index)
        pending = unfinished
    witnesses = [found[index] for index in sorted(found)]
    return AmbiguityReport(tuple(witnesses[:_REPORTED]), len(witnesses), len(begun), len(pending), atomic)


def _nodes(root: ir.Expr) -> tuple[list[ir.Expr], int]:
    """Alternatives, sequences and repetitions outside atomic nodes; and how many atomic ones there are."""
    found: list[ir.Expr] = []
    atomic = 0
    seen: set[int] = set()
    todo: deque[ir.Expr] = deque([root])
    while todo:
        node = todo.popleft()
        if id(node) in seen:
            continue
        seen.add(id(node))
        match node:
            case ir.Union() | ir.Concat() | ir.Repeat():
                found.append(node)
                todo.extend(ir.children(node))
            case ir.And() | ir.Not() | ir.Machine():
                atomic += 1
            case ir.JsonObject():
                atomic += 1
                todo.extend(p.value for p in node.properties)
                todo.extend(group.value for group in node.classes)
                todo.extend([node.gap] if node.additional is None else [node.gap, node.additional])
            case ir.Ref():
                todo.extend([] if node.rule.body is None else [node.rule.body])
            case ir.Builtin():
                pass  # made by the native core, and read in one way
            case _:
                todo.extend(ir.children(node))
    return found, atomic


class _Search:
    def __init__(self, graph: TextGraph, steps: int) -> None:
        self.graph = graph
        self.core: Any = graph.engine.core
        self.left = steps
        self.each = steps
        self.widths: dict[int, int | None] = {}

    def node(self, node: ir.Expr) -> tuple[Witness | None, bool]:
        """A witness of one node, and whether the search was complete."""
        match node:
            case ir.Union():
                text = self._alternatives([self._start(self._native(item)) for item in node.items])
                return (None if text is None else Witness("alternatives", text)), True
            case ir.Concat():
                return self._sequence(node), True
            case ir.Repeat():
                return self._repetition(node)
        raise AssertionError(node)

    def _sequence(self, node: ir.Concat) -> Witness | None:
        for index, item in enumerate(node.items[:-1]):
            if self._width(item) is None:
                rest = self.core.concat([self._native(other) for other in node.items[index + 1 :]])
                text = self._cuts(self._native(item), rest)
                if text is not None:
                    before = b"".join(self._shortest(self._native(other)) for other in node.items[:index])
                    return Witness("sequence", before + text)
        return None

    def _repetition(self, node: ir.Repeat) -> tuple[Witness | None, bool]:
        if self._width(node.item) is not None or node.maximum == 1:
            return None, True
        item = self._native(node.item)
        if self.graph.accepts(self._start(item)):
            return Witness("repetition", b""), True
        if self._cuts(item, self.core.repeat(item, 0, None)) is None:
            return None, True  # no text at all can be cut in two ways, however often the item is due
        # Two cuts differ first at some turn: the first one, or one at which no further turn is due.
        for done in {0, max(node.minimum - 1, 0)}:
            fewest = max(node.minimum - 1 - done, 0)
            most = None if node.maximum is None else node.maximum - 1 - done
            text = self._cuts(item, self.core.repeat(item, fewest, most))
            if text is not None:
                return Witness("repetition", self._shortest(item) * done + text), True
        return None, node.minimum <= 2

    # -- searches, shortest text first ----------------------------------------------------------------

    def _alternatives(self, starts: list[int]) -> bytes | None:
        """A text that two of the configurations end with."""

        def steps(state: _State) -> Iterator[tuple[int, _State]]:
            # Runs that have come together stay two runs: the list is sorted, not made a set.
            for byte, following in self._together(state).items():
                if len(following) > 1:
                    yield byte, tuple(sorted(following))

        return self._first([tuple(sorted(starts))], steps, self._two_accept)

    def _cuts(self, first: int, rest: int) -> bytes | None:
        """A text of `first` before `rest` that can be cut at two places."""
        start = self._start(rest)

        def steps(state: _State) -> Iterator[tuple[int, _State]]:
            stage, *configs = state
            if stage == 0:
                config = configs[0]
                for byte, (following,) in self._together((config,)).items():
                    yield byte, (0, following)
                # One run goes over to the rest here, the other stays for a byte at least.
                configs = [start, config] if self.graph.accepts(config) else []
            for byte, pair in self._together(tuple(configs)).items():
                if len(pair) < 2:
                    continue
                if stage == 2:
                    yield byte, (2, *sorted(pair))
                    continue
                yield byte, (1, *pair)
                if self.graph.accepts(pair[1]):
                    yield byte, (2, *sorted((pair[0], start)))

        def done(state: _State) -> bool:
            return state[0] == 2 and self._two_accept(state[1:])

        return self._first([(0, self._start(first))], steps, done)

    def _first(
        self,
        starts: Iterable[_State],
        steps: Callable[[_State], Iterator[tuple[int, _State]]],
        done: Callable[[_State], bool],
    ) -> bytes | None:
        parents: dict[_State, tuple[_State, int] | None] = dict.fromkeys(starts)
        queue = deque(parents)
        while queue:
            state = queue.popleft()
            if done(state):
                return _path(parents, state)
            if self.each <= 0:
                raise _OutOfStepsError
            before = self.graph.steps
            for byte, following in steps(state):
                if following not in parents:
                    parents[following] = (state, byte)
                    queue.append(following)
            spent = 1 + (self.graph.steps - before) // _BYTES
            self.each -= spent
            self.left -= spent
        return None

    # -- small ones -----------------------------------------------------------------------------------

    def _together(self, configs: _State) -> dict[int, list[int]]:
        """Successors of each run by byte, in the order of the runs; a run that ends is left out."""
        out: dict[int, list[int]] = {}
        for config in configs:
            for successor, data in self.graph.successors(config):
                for byte in data:
                    out.setdefault(byte, []).append(successor)
        return out

    def _two_accept(self, configs: _State) -> bool:
        return sum(self.graph.accepts(config) for config in configs) > 1

    def _start(self, expr: int) -> int:
        return int(self.core.start(expr))

    def _native(self, node: ir.Expr) -> int:
        return self.graph.engine.whole_nodes[id(node)][1]

    def _shortest(self, expr: int) -> bytes:
        return self.graph.completion(self._start(expr)) or b""

    def _width(self, node: ir.Expr) -> int | None:
        """Length of all texts of a node where that is plain to see: such a text can be cut in one way."""
        todo = [(node, False)]
        while todo:
            part, ready = todo.pop()
            if id(part) in self.widths:
                continue
            if ready or not isinstance(part, ir.Concat | ir.Union | ir.Repeat):
                self.widths[id(part)] = self._width_of(part)
            else:
                todo.append((part, True))
                todo.extend((child, False) for child in ir.children(part))
        return self.widths[id(node)]

    def _width_of(self, node: ir.Expr) -> int | None:
        match node:
            case ir.ByteSet():
                return 1
            case ir.Epsilon():
                return 0
            case ir.Concat():
                parts = [width for item in node.items if (width := self.widths[id(item)]) is not None]
                return sum(parts) if len(parts) == len(node.items) else None
            case ir.Union():
                widths = {self.widths[id(item)] for item in node.items}
                return widths.pop() if len(widths) == 1 else None
            case ir.Repeat() if node.minimum == node.maximum:
                width = self.widths[id(node.item)]
                return None if width is None else width * node.minimum
        return None


def _path(parents: dict[_State, tuple[_State, int] | None], state: _State) -> bytes:
    out = bytearray()
    step = parents[state]
    while step is not None:
        state, byte = step
        out.append(byte)
        step = parents[state]
    return bytes(reversed(out))
