"""Objects: what the atoms of one case say of names, members and their number.

Law: an object plan has the objects that satisfy all atoms of its case; relaxed plans have more.
Source: JSON Schema Validation, section 6.5; Core, section 10.3.2.

That some member violates a schema is a mark: writing a member whose value violates it sets the
mark, and the object cannot close before all marks are set.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from typing import NamedTuple

from gramspec.grammar.json_schema.formulas import EVERYTHING, Formula, Pattern, all_of, any_of, negation
from gramspec.grammar.json_schema.logic import Logic, scalar_empty
from gramspec.grammar.json_schema.nodes import (
    FALSE,
    TRUE,
    Count,
    Goal,
    Literal,
    Members,
    Names,
    Required,
    negate,
)
from gramspec.grammar.json_schema.ways import Alternatives, canonical, ways

MAX_CLASSES = 64
MAX_SETS = 32

Empty = Callable[[Goal, int], bool]


class Member(NamedTuple):
    """A name that is treated apart: its values (none: forbidden); `late`: it has no place in the order."""

    name: str
    values: Alternatives
    required: bool
    late: bool


class KeyClass(NamedTuple):
    """Other names out of a set, and their values."""

    names: Formula
    values: Alternatives


class ObjectPlan(NamedTuple):
    """An object: names treated apart, classes of other names, the values of all names left.

    `keys` holds every name of `classes` and is None when any name may be written.
    """

    declared: tuple[Member, ...]
    classes: tuple[KeyClass, ...]
    others: Alternatives
    keys: Formula | None
    least: int
    most: int | None
    marks: int


class ObjectFacts:
    """The atoms of a case about objects, sorted by kind.

    Parameters
    ----------
    logic : Logic
        Facts about literals.
    atoms : list of Literal
        In order.
    """

    def __init__(self, logic: Logic, atoms: Iterable[Literal]) -> None:
        self.logic = logic
        self.members: list[Literal] = []
        self.violated: list[Literal] = []
        self.names: list[Literal] = []
        self.bad_names: list[Literal] = []
        self.required: dict[str, None] = {}
        self.absent: dict[str, None] = {}
        self.least = 0
        self.most: int | None = None
        self._sorted = 0  # how many atoms were told
        # Names required and nodes violated of which `follow` has nothing more to say, as long as nothing is
        # added to what it depends on.
        self._checked: set[str] = set()
        self._settled: set[Literal] = set()
        self._seen: tuple[int, int, int] = (0, 0, 0)
        # Answers of `value`, as long as nothing is added that they depend on; copies share them.
        self._values: dict[str, list[Literal]] = {}
        self._valued: tuple[int, int, int] = (0, 0, 0)
        self.add(atoms)

    def add(self, atoms: Iterable[Literal]) -> None:
        """Sort more atoms."""
        nodes, count = self.logic.nodes, 0
        for literal in atoms:
            count += 1
            node, negative = nodes.node(literal), literal & 1
            if isinstance(node, Members):
                (self.violated if negative else self.members).append(literal & ~1)
            elif isinstance(node, Names):
                (self.bad_names if negative else self.names).append(node.name)
            elif isinstance(node, Required):
                (self.absent if negative else self.required)[node.name] = None
            elif isinstance(node, Count) and negative:
                self.most = node.count - 1 if self.most is None else min(self.most, node.count - 1)
            elif isinstance(node, Count):
                self.least = max(self.least, node.count)
        self._sorted += count

    def grown(self, atoms: dict[Literal, tuple[int, ...]]) -> None:
        """Sort the atoms of a case that came after those known."""
        self.add(islice(atoms, self._sorted, None))

    def copy(self) -> ObjectFacts:
        """The same facts, to be added to."""
        other = ObjectFacts(self.logic, ())
        other.members, other.violated = self.members.copy(), self.violated.copy()
        other.names, other.bad_names = self.names.copy(), self.bad_names.copy()
        other.required, other.absent = self.required.copy(), self.absent.copy()
        other.least, other.most, other._sorted = self.least, self.most, self._sorted
        other._values, other._valued = self._values, self._valued
        other._checked, other._settled, other._seen = self._checked.copy(), self._settled.copy(), self._seen
        return other

    def value(self, name: str) -> list[Literal]:
        """What the value under a name has to satisfy."""
        sizes = len(self.members), len(self.names), len(self.absent)
        if sizes != self._valued:
            self._valued = sizes
            self._values = {}
        found = self._values.get(name)
        if found is None:
            if name in self.absent or not self.writable(name):
                found = [FALSE]
            else:
                found = [self.logic.applied(literal, name) for literal in self.members]
            self._values[name] = found
        return found

    def writable(self, name: str) -> bool:
        """Whether a name satisfies what is said of all names."""
        return all(self.logic.holds(name, literal) for literal in self.names)

    def surely(self, name: str, value: Literal) -> bool:
        """Whether there is a member of this name, and its value surely satisfies a literal."""
        return name in self.required and any(self.logic.implies(part, value) for part in self.value(name))

    def violations(self, literal: Literal) -> tuple[list[tuple[str, Literal]], bool]:
        """Declared names whose values can violate a `Members` node, and whether others can."""
        known = self.logic.violations.get(literal)
        if known is None:
            node = self.logic.nodes.node(literal)
            assert isinstance(node, Members)
            found = [(name, negate(self.logic.applied(literal, name))) for name, _ in node.declared]
            rest = node.others != TRUE or any(part != TRUE for _, part in node.patterns)
            ways = [(name, value) for name, value in found if value != FALSE]
            known = self.logic.violations[literal] = ways, rest
        return known

    def follow(
        self, empty: Empty, depth: int, keys: dict[Literal, tuple[int, ...]]
    ) -> list[tuple[Literal, tuple[int, ...]]] | None:
        """What else must hold; None if no object satisfies the atoms."""
        nodes = self.logic.nodes
        if not self.required.keys().isdisjoint(self.absent):
            return None
        if self.most is not None and len(self.required) > self.most:
            return None
        seen = len(self.members), len(self.names), len(self.absent)
        if seen != self._seen:
            self._seen = seen
            self._checked.clear()
            self._settled.clear()
        for name in self.required:
            if name in self._checked:
                continue
            self._checked.add(name)
            goal = tuple(dict.fromkeys(part for part in self.value(name) if part != TRUE))
            if FALSE in goal or (depth > 0 and len(goal) > 1 and empty(goal, depth - 1)):
                return None
        result: list[tuple[Literal, tuple[int, ...]]] = []
        for literal in self.violated:
            if literal in self._settled:
                continue
            self._settled.add(literal)
            ways, rest = self.violations(literal)
            if rest or any(self.surely(name, value) for name, value in ways):
                continue
            left = [
                (name, value)
                for name, value in ways
                if FALSE not in (goal := (*self.value(name), value))
                and not (depth > 0 and empty(tuple(dict.fromkeys(g for g in goal if g != TRUE)), depth - 1))
            ]
            if not left:
                return None
            if len(left) == 1:
                name, value = left[0]
                only = nodes.literal(Members(((name, value),), (), TRUE, ordered=False))
                for fact in (nodes.literal(Required(name)), only):
                    if fact not in keys:
                        result.append((fact, keys[negate(literal)]))
        return result

    def marks(self) -> list[Literal]:
        """The violated `Members` nodes that are not violated by a required name anyway."""
        found: list[Literal] = []
        for literal in self.violated:
            ways, _ = self.violations(literal)
            if not any(self.surely(name, value) for name, value in ways):
                found.append(literal)
        return found


class ObjectPlanner:
    """Makes the plan of an object from the atoms of a case.

    Parameters
    ----------
    logic : Logic
        Facts about literals.
    atoms : Goal
        In order.
    ordered : bool
        Whether declared names have an order.
    marks : int
        How many marks an object may have.
    relaxed : callable
        Told of each literal that is left out.
    """

    def __init__(
        self, logic: Logic, atoms: Goal, *, ordered: bool, marks: int, relaxed: Callable[[Literal], None]
    ) -> None:
        self._logic = logic
        self._ordered = ordered
        self._relaxed = relaxed
        self._facts = ObjectFacts(logic, atoms)
        self._marks = self._facts.marks()
        self._bad_names = self._facts.bad_names
        while len(self._marks) + len(self._bad_names) > marks:
            relaxed((self._marks or self._bad_names).pop())

    def plan(self) -> ObjectPlan | None:
        """The plan; None if no object satisfies the atoms."""
        facts = self._facts
        order = self._names()
        declared: list[Member] = []
        for name, late in order.items():
            values = self._values(facts.value(name), self._mark_literals(name))
            if not values and name in facts.required:
                return None
            declared.append(Member(name, values, name in facts.required, late))
        classes, others, keys = self._classes()
        closed = not classes and not others
        if closed:
            declared = [member for member in declared if member.values]
        least, most = facts.least, facts.most
        if least <= len(facts.required):
            least = 0
        if most is not None and closed and most >= len(declared):
            most = None
        if closed and least > len(declared):
            return None
        if not self._ordered:
            declared.sort(key=lambda member: member.name)
        marks = (1 << (len(self._marks) + len(self._bad_names))) - 1
        return ObjectPlan(tuple(declared), classes, others, keys, least, most, marks)

    def _names(self) -> dict[str, bool]:
        """Names to be treated apart, in order, and whether they are late."""
        facts, nodes = self._facts, self._logic.nodes
        order: dict[str, bool] = {}
        for literal in facts.members:
            node = nodes.node(literal)
            assert isinstance(node, Members)
            if node.ordered:
                order.update(dict.fromkeys((name for name, _ in node.declared), False))
        for literal in (*facts.members, *self._marks):
            for name in self._logic.table(literal):
                order.setdefault(name, self._ordered)
        for name in (*facts.required, *facts.absent):
            order.setdefault(name, self._ordered)
        return order

    def _mark_literals(self, name: str) -> list[Literal]:
        """For each mark, what the value under a declared name has to satisfy to set it."""
        logic = self._logic
        found = [negate(logic.applied(literal, name)) for literal in self._marks]
        found.extend(FALSE if logic.holds(name, literal) else TRUE for literal in self._bad_names)
        return found

    def _values(self, base: list[Literal], marks: list[Literal]) -> Alternatives:
        """Ways to choose a value: its goal and the marks that it sets."""
        return ways(base, marks, self._goal) if self._goal(base) is not None else ()

    def _goal(self, literals: list[Literal]) -> Goal | None:
        return canonical(literals, ordered=self._ordered)

    def _classes(self) -> tuple[tuple[KeyClass, ...], Alternatives, Formula | None]:
        """Classes of undeclared names, the values of all names left, and every name that may be written."""
        facts, logic = self._facts, self._logic
        allowed = all_of(*(logic.formula(literal, "string") for literal in facts.names))
        patterns: dict[str, None] = {}
        for literal in (*facts.members, *self._marks):
            node = logic.nodes.node(literal)
            assert isinstance(node, Members)
            patterns.update(dict.fromkeys(pattern for pattern, _ in node.patterns))
        sets: list[Formula] = [Pattern(pattern) for pattern in patterns]
        bad = [logic.formula(literal, "string") for literal in self._bad_names]
        found: list[tuple[Formula, Alternatives, bool]] = []
        parts = self._split(allowed, sets + bad)
        if parts is None:
            self._relaxed(next(iter((*facts.members, *self._marks))))
            every = (1 << len(self._marks) + len(bad)) - 1
            return (), (((), every),), None
        for signature, names in parts:
            matched = {pattern for pattern, inside in zip(patterns, signature, strict=False) if inside}
            base = [self._other(literal, matched) for literal in facts.members]
            marks = [negate(self._other(literal, matched)) for literal in self._marks]
            marks.extend(FALSE if inside else TRUE for inside in signature[len(sets) :])
            plain = not matched and all(signature[len(sets) :])
            found.append((names, self._values(base, marks), plain))
        if allowed == EVERYTHING:
            others = next((values for _, values, plain in found if plain), ())
            alive = tuple(KeyClass(names, values) for names, values, plain in found if not plain and values)
            if others:
                # A class without values is kept: its names are not to be taken for others.
                rest = tuple(KeyClass(names, values) for names, values, plain in found if not plain)
                return rest, others, None
            return alive, (), any_of(*(item.names for item in alive))
        classes = tuple(KeyClass(names, values) for names, values, _ in found if values)
        return classes, (), allowed if classes else None

    def _other(self, literal: Literal, matched: set[str]) -> Literal:
        """What a `Members` node asks for of the value under an undeclared name."""
        node = self._logic.nodes.node(literal)
        assert isinstance(node, Members)
        found = [part for pattern, part in node.patterns if pattern in matched]
        return self._logic.nodes.all(found) if found else node.others

    def _split(self, allowed: Formula, sets: list[Formula]) -> list[tuple[tuple[bool, ...], Formula]] | None:
        """The parts into which some sets cut the allowed names, None if too many; a part may be empty.

        Only pairs of sets are asked whether they meet: a part without names is harmless, as it is
        never entered, while to be sure of each part would ask for a product of all sets.
        """
        if len(sets) > MAX_SETS:
            return None
        inside = [index for index, one in enumerate(sets) if not _no_name(all_of(allowed, one))]
        always = {i for i in inside if _no_name(all_of(allowed, negation(sets[i])))}
        some = [index for index in inside if index not in always]
        meets = {
            (i, j)
            for place, i in enumerate(some)
            for j in some[place + 1 :]
            if not _no_name(all_of(allowed, sets[i], sets[j]))
        }
        parts: list[tuple[int, ...]] = [()]
        for index in some:
            parts.extend(
                (*part, index) for part in list(parts) if all((other, index) in meets for other in part)
            )
            if len(parts) > MAX_CLASSES:
                return None
        result: list[tuple[tuple[bool, ...], Formula]] = []
        for part in parts:
            out = [j for j in some if j not in part and all(_either(i, j) in meets for i in part)]
            names = all_of(allowed, *(sets[i] for i in part), *(negation(sets[j]) for j in out))
            result.append((tuple(i in part or i in always for i in range(len(sets))), names))
        return result


def _no_name(names: Formula) -> bool:
    return scalar_empty(names, "string")


def _either(i: int, j: int) -> tuple[int, int]:
    return (i, j) if i < j else (j, i)


__all__ = [
    "KeyClass",
    "Member",
    "ObjectFacts",
    "ObjectPlan",
    "ObjectPlanner",
]
