"""Arrays: what the atoms of one case say of items and their number.

Law: an array plan has the arrays that satisfy all atoms of its case; relaxed plans have more.
Source: JSON Schema Validation, section 6.4; Core, section 10.3.1.

How many items satisfy a schema is a counter. An item is counted or not: where only a least number
is asked for, not counting one that could be is harmless; under a greatest number an item that is
not counted has to violate the schema.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from gramspec.grammar.json_schema.formulas import Formula, Numbers
from gramspec.grammar.json_schema.logic import Logic
from gramspec.grammar.json_schema.nodes import (
    Contains,
    Goal,
    Items,
    Literal,
    Unique,
    negate,
)
from gramspec.grammar.json_schema.parse import constants
from gramspec.grammar.json_schema.sources import Json
from gramspec.grammar.json_schema.strings import finite_words
from gramspec.grammar.json_schema.ways import Alternatives, canonical, size_bounds, ways

MAX_STATES = 4096
MAX_COUNTERS = 6


class Counter(NamedTuple):
    """How many items may be counted."""

    least: int
    most: int | None


class ArrayPlan(NamedTuple):
    """An array: alternatives of its first items, then of all later ones; how many; counters.

    An alternative is the goal of an item and the counters (bits) that count it.
    """

    prefix: tuple[Alternatives, ...]
    rest: Alternatives
    least: int
    most: int | None
    counters: tuple[Counter, ...]


class _Counted(NamedTuple):
    """A counter with the literals that it counts, by position and later."""

    prefix: tuple[Literal, ...]
    rest: Literal
    least: int
    most: int | None
    origin: Literal

    def at(self, index: int) -> Literal:
        return self.prefix[index] if index < len(self.prefix) else self.rest


class ArrayPlanner:
    """Makes the plan of an array from the atoms of a case.

    Parameters
    ----------
    logic : Logic
        Facts about literals.
    atoms : Goal
        In order.
    ordered : bool
        Whether goals keep the order of their literals.
    relaxed : callable
        Told of each literal that is left out.
    empty : callable
        Whether surely no value satisfies a goal.
    """

    def __init__(
        self,
        logic: Logic,
        atoms: Goal,
        *,
        ordered: bool,
        relaxed: Callable[[Literal], None],
        empty: Callable[[Goal], bool],
    ) -> None:
        self._logic = logic
        self._atoms = atoms
        self._ordered = ordered
        self._relaxed = relaxed
        self._empty = empty
        self._items: list[Items] = []
        self._least, self._most = size_bounds(logic.nodes, atoms)

    def plan(self) -> ArrayPlan | None:
        """The plan; None if no array satisfies the atoms."""
        counted: dict[Literal, _Counted] = {}
        unique: list[Literal] = []
        for literal in self._atoms:
            node, negative = self._logic.nodes.node(literal), bool(literal & 1)
            if isinstance(node, Items) and not negative:
                self._items.append(node)
            elif isinstance(node, Items):
                bad = tuple(map(negate, node.prefix))
                counted[literal] = _Counted(bad, negate(node.rest), 1, None, literal)
            elif isinstance(node, Contains):
                key = self._logic.nodes.literal(Contains(node.item, 0))
                old = counted.get(key, _Counted((), node.item, 0, None, literal))
                if negative:
                    old = old._replace(
                        most=node.count - 1 if old.most is None else min(old.most, node.count - 1)
                    )
                else:
                    old = old._replace(least=max(old.least, node.count))
                counted[key] = old
            elif isinstance(node, Unique):
                unique.append(literal)
        if any(item.most is not None and item.least > item.most for item in counted.values()):
            return None
        if self._most is not None and self._least > self._most:
            return None
        counters = list(counted.values())
        for literal in unique:
            counters.extend(self._unique(literal))
        return self._build(self._affordable(counters))

    def _columns(self) -> int:
        return max((len(item.prefix) for item in self._items), default=0)

    def _base(self, index: int) -> list[Literal]:
        return [item.prefix[index] if index < len(item.prefix) else item.rest for item in self._items]

    def _affordable(self, counters: list[_Counted]) -> list[_Counted]:
        """The counters that few enough states can hold."""
        kept: list[_Counted] = []
        positions = max(self._least, self._most or 0, self._columns(), *(len(c.prefix) for c in counters), 1)
        states = positions + 1
        for counter in counters:
            states *= (counter.least if counter.most is None else counter.most) + 1
            if states > MAX_STATES or len(kept) == MAX_COUNTERS:
                self._relaxed(counter.origin)
                states //= (counter.least if counter.most is None else counter.most) + 1
            else:
                kept.append(counter)
        return kept

    def _build(self, counters: list[_Counted]) -> ArrayPlan | None:
        size = max(self._columns(), *(len(counter.prefix) for counter in counters), 0)
        columns = tuple(self._alternatives(index, counters) for index in range(size + 1))
        prefix, rest = columns[:-1], columns[-1]
        most = next((index for index, column in enumerate(columns) if not column), None)
        if most is not None:
            self._most = most if self._most is None else min(most, self._most)
        if self._most is not None and self._least > self._most:
            return None
        limits = tuple(Counter(counter.least, counter.most) for counter in counters)
        return ArrayPlan(prefix, rest, self._least, self._most, limits)

    def _alternatives(self, index: int, counters: list[_Counted]) -> Alternatives:
        """Ways to choose the item at a position: its goal and the counters that count it."""
        exact = sum(1 << bit for bit, counter in enumerate(counters) if counter.most is not None)

        def goal(parts: list[Literal]) -> Goal | None:
            found = canonical(parts, ordered=self._ordered)
            return None if found is None or (len(counters) > 1 and self._empty(found)) else found

        return ways(self._base(index), [counter.at(index) for counter in counters], goal, exact)

    def _unique(self, literal: Literal) -> list[_Counted]:
        """Counters that keep items apart, one for each value that an item can have."""
        if literal & 1 or (self._most is not None and self._most <= 1):
            if literal & 1:
                self._relaxed(literal)
            return []
        values: dict[Literal, None] = {}
        for index in range(self._columns() + 1):
            found = self._finite(canonical(self._base(index), ordered=self._ordered))
            if found is None:
                self._relaxed(literal)
                return []
            values.update(dict.fromkeys(found))
        return [_Counted((), value, 0, 1, literal) for value in values]

    def _finite(self, goal: Goal | None) -> list[Literal] | None:
        """The scalars that satisfy a goal, if there are few and it has no other values."""
        if goal is None:
            return []
        types = self._logic.goal_types(goal)
        if types & {"array", "object"}:
            return None
        found: list[Json] = []
        for value in (None, False, True):
            if all(self._logic.holds(value, literal) for literal in goal):
                found.append(value)
        if "string" in types:
            words = finite_words(self._logic.goal_formula(goal, "string"), MAX_COUNTERS)
            if words is None:
                return None
            found.extend(sorted(words))
        if "number" in types:
            formula: Formula = self._logic.goal_formula(goal, "number")
            if not isinstance(formula, Numbers):
                return None
            found.extend(sorted(formula.values))
        if len(found) > MAX_COUNTERS:
            return None
        return [constants(self._logic.nodes, [value]) for value in found]


__all__ = ["ArrayPlan", "ArrayPlanner", "Counter"]
