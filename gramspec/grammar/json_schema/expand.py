"""Goals to cases: the ways in which an array or an object can satisfy a goal, each a set of atoms.

Law: a value of the type satisfies the goal iff it satisfies all atoms of some case; relaxed cases allow more.
Source: architecture, "JSON Schema as goals"; Davis, Logemann, Loveland, CACM 5(7), 1962 (unit rule first).

Atoms are signed nodes: what every item or member satisfies (positive `Items`, `Members`, `Names`),
that some item or member violates (negative ones), counts, names required or absent, constants.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from gramspec.grammar.json_schema.logic import Logic, scalar_empty
from gramspec.grammar.json_schema.nodes import (
    FALSE,
    TRUE,
    All,
    At,
    Constants,
    Contains,
    Count,
    Goal,
    Items,
    Literal,
    Members,
    Names,
    One,
    Opaque,
    Required,
    Scalar,
    TypeIs,
    Unique,
    negate,
)
from gramspec.grammar.json_schema.objects import ObjectFacts
from gramspec.grammar.json_schema.ways import size_bounds

MAX_CASES = 256
MAX_WORK = 100_000
MAX_STEPS = 8192
RELAXED_CASES = 32
MAX_TOLD = 16
DEPTH = 3

Key = tuple[int, ...]
Choice = tuple[Literal, ...]


@dataclass(slots=True)
class State:
    """A case under way: literals to visit, atoms with their places in the text, choices left to make."""

    agenda: list[tuple[Literal, Key]]
    atoms: dict[Literal, Key] = field(default_factory=dict)
    seen: set[Literal] = field(default_factory=set)
    choices: list[tuple[Choice, Key]] = field(default_factory=list)
    product: int = 1
    opaque: tuple[Opaque, ...] = ()
    facts: ObjectFacts | None = None

    def branch(self, literal: Literal, key: Key, ways: int) -> State:
        """A copy in which one more literal is to be visited."""
        return State(
            [(literal, key)],
            dict(self.atoms),
            set(self.seen),
            list(self.choices),
            self.product * ways,
            self.opaque,
            None if self.facts is None else self.facts.copy(),
        )


@dataclass(frozen=True, slots=True)
class Cases:
    """The cases of a goal: atoms of each, whether they allow more than the goal, and parts left open."""

    cases: tuple[Goal, ...]
    relaxed: bool
    opaque: tuple[Opaque, ...]


class TooMuchWork(Exception):
    """The cases of a schema are too many to be told apart."""


class Expander:
    """Splits goals into cases.

    Parameters
    ----------
    logic : Logic
        Facts about literals.
    ordered : bool
        Whether the atoms of a case keep the order in which the schema has them.
    relaxed : bool
        Whether all cases are relaxed; otherwise there is a limit on the work.
    """

    def __init__(self, logic: Logic, *, ordered: bool, relaxed: bool) -> None:
        self._logic = logic
        self._nodes = logic.nodes
        self._ordered = ordered
        self._relaxed = relaxed
        self._work = 0
        self._left_out = False
        self._empty: dict[tuple[Goal, int], bool] = {}
        self._constants: dict[Literal, tuple[tuple[str, Literal], ...]] = {}
        self._one: dict[tuple[Literal, str, bool], Choice] = {}

    def cases(self, goal: Goal, kind: str) -> Cases:
        """The cases of a goal for arrays or objects (by `kind`)."""
        for relax in (True,) if self._relaxed else (False, True):
            found: dict[Goal, None] = {}
            opaque: dict[Opaque, None] = {}
            complete = True
            self._left_out = False
            for state in self._search(goal, kind, DEPTH, relax=relax):
                if state is None or len(found) > MAX_CASES:
                    complete = False
                    break
                found[self._finished(state)] = None
                opaque.update(dict.fromkeys(state.opaque))
            if complete:
                return Cases(_minimal(list(found)), relax and self._left_out, tuple(opaque))
        raise AssertionError("relaxed cases are few")

    def empty(self, goal: Goal, depth: int = DEPTH) -> bool:
        """Whether surely no value satisfies a goal; looks only so many levels deep."""
        if FALSE in goal:
            return True
        if len(goal) < 2:
            return not self._logic.goal_types(goal)
        goal = tuple(sorted(goal))
        found = self._empty.get((goal, depth))
        if found is None:
            found = all(self.empty_type(goal, kind, depth) for kind in self._logic.goal_types(goal))
            self._empty[goal, depth] = found
        return found

    def empty_type(self, goal: Goal, kind: str, depth: int) -> bool:
        """Whether surely no value of one type satisfies a goal."""
        if any(negate(literal) in goal for literal in goal):
            return True
        if kind in ("string", "number"):
            return scalar_empty(self._logic.goal_formula(goal, kind), kind)
        if kind in ("array", "object"):
            return depth > 0 and next(iter(self._search(goal, kind, depth - 1, relax=True)), None) is None
        values = (None,) if kind == "null" else (False, True)
        return not any(all(self._logic.holds(value, literal) for literal in goal) for value in values)

    def _finished(self, state: State) -> Goal:
        if self._ordered:
            return tuple(sorted(state.atoms, key=state.atoms.__getitem__))
        return tuple(sorted(state.atoms))

    def _search(self, goal: Goal, kind: str, depth: int, *, relax: bool) -> Iterator[State | None]:
        """Every case of a goal; None when there are too many steps."""
        pending = [State([(literal, (index,)) for index, literal in reversed(list(enumerate(goal)))])]
        steps = 0
        while pending:
            steps += 1
            self._work += 1
            if self._work > MAX_WORK and not self._relaxed:
                raise TooMuchWork
            if steps > MAX_STEPS and not relax:
                yield None
                return
            state = pending.pop()
            if not self._settle(state, kind, depth, relax=relax):
                continue
            if not state.choices:
                yield state
                continue
            index = min(range(len(state.choices)), key=lambda i: len(state.choices[i][0]))
            ways, key = state.choices.pop(index)
            if relax and state.product * len(ways) > RELAXED_CASES:
                state.choices.clear()
                self._left_out = True
                pending.append(state)
                continue
            for number, way in reversed(list(enumerate(ways))):
                pending.append(state.branch(way, (*key, number), len(ways)))

    def _settle(self, state: State, kind: str, depth: int, *, relax: bool) -> bool:
        """Visit the agenda and whatever follows of necessity; false if nothing satisfies the state."""
        while True:
            while state.agenda:
                literal, key = state.agenda.pop()
                if not self._visit(state, literal, key, kind, depth, relax=relax):
                    return False
            open_choices: list[tuple[Choice, Key]] = []
            for ways, key in state.choices:
                if any(way in state.seen for way in ways):
                    continue
                left = tuple(way for way in ways if negate(way) not in state.seen)
                if not left:
                    return False
                if len(left) == 1:
                    state.agenda.append((left[0], key))
                else:
                    open_choices.append((left, key))
            state.choices = open_choices
            if state.agenda:
                continue
            follow = self._follow(state, kind, depth)
            if follow is None:
                return False
            state.agenda.extend(follow)
            if follow:
                continue
            if not self._exclude(state):
                return False
            if not state.agenda:
                return True

    def _exclude(self, state: State) -> bool:
        """Drop the ways that give a required member a value it cannot have; false if none is left."""
        facts = state.facts
        if facts is None or not facts.required or not state.choices:
            return True
        values: dict[str, list[Literal]] = {}
        open_choices: list[tuple[Choice, Key]] = []
        for ways, key in state.choices:
            left: list[Literal] = []
            for way in ways:
                for name, value in self._told(way):
                    if name not in facts.required:
                        continue
                    if name not in values:
                        values[name] = facts.value(name)
                    denied = negate(value)
                    if any(self._logic.implies(part, denied) for part in values[name]):
                        break
                else:
                    left.append(way)
            if not left:
                return False
            if len(left) == 1:
                state.agenda.append((left[0], key))
            else:
                open_choices.append((tuple(left), key))
        state.choices = open_choices
        return True

    def _told(self, way: Literal) -> tuple[tuple[str, Literal], ...]:
        """Names with the constants that their values are among if a literal holds."""
        found = self._constants.get(way)
        if found is None:
            pairs: list[tuple[str, Literal]] = []
            todo, seen = [way], {way}
            while todo and len(seen) <= MAX_TOLD:
                literal = todo.pop()
                node = self._nodes.node(literal)
                if literal & 1:
                    continue
                inner: tuple[Literal, ...] = ()
                if isinstance(node, At):
                    inner = (self._logic.schemas.body(node.place),)
                elif isinstance(node, All):
                    inner = node.parts
                elif isinstance(node, Members):
                    pairs.extend((name, value) for name, value in node.declared if self._constant(value))
                todo.extend(part for part in inner if part not in seen)
                seen.update(inner)
            found = self._constants[way] = tuple(pairs)
        return found

    def _constant(self, literal: Literal) -> bool:
        node = self._nodes.node(literal)
        if literal & 1:
            return False
        return isinstance(node, Constants) or (
            isinstance(node, All) and any(self._constant(part) for part in node.parts)
        )

    def _visit(self, state: State, literal: Literal, key: Key, kind: str, depth: int, *, relax: bool) -> bool:
        if literal in state.seen or literal == TRUE:
            return True
        node, negative = self._nodes.node(literal), literal & 1
        if isinstance(node, Opaque):
            state.opaque = (*state.opaque, node)
            return True
        if literal == FALSE or negate(literal) in state.seen or kind not in self._logic.types(literal):
            return False
        state.seen.add(literal)
        match node:
            case At():
                state.agenda.append((self._logic.schemas.body(node.place) ^ negative, key))
            case All():
                if not negative:
                    parts = list(enumerate(node.parts))
                    state.agenda.extend((part, (*key, index)) for index, part in reversed(parts))
                else:
                    return self._choose(state, tuple(negate(part) for part in node.parts), key, kind)
            case One():
                self._left_out = True
                return self._choose(state, self._ways(literal, kind, depth, relax=relax), key, kind)
            case TypeIs():
                pass
            case Constants():
                if not negative:
                    state.atoms.setdefault(literal, key)
                else:
                    values = [value for value in node.values if isinstance(value, list | dict)]
                    state.agenda.extend((negate(self._logic.equals(value)), key) for value in values)
            case Scalar():
                pass
            case Count():
                if node.type == kind:
                    state.atoms.setdefault(literal, key)
            case Items() | Contains() | Unique():
                if kind == "array":
                    state.atoms.setdefault(literal, key)
            case Members() | Required() | Names():
                if kind == "object":
                    state.atoms.setdefault(literal, key)
        return True

    def _choose(self, state: State, ways: Choice, key: Key, kind: str) -> bool:
        """Note a choice; false if there is no way left."""
        left: dict[Literal, None] = {}
        for way in ways:
            if way == TRUE or way in state.seen:
                return True
            if kind in self._logic.types(way) and negate(way) not in state.seen:
                left[way] = None
        if len(left) == 1:
            state.agenda.append((next(iter(left)), key))
        elif left:
            state.choices.append((tuple(left), key))
        return bool(left)

    def _ways(self, literal: Literal, kind: str, depth: int, *, relax: bool) -> Choice:
        """The ways in which exactly one part holds, or (negative) none or at least two."""
        found = self._one.get((literal, kind, relax))
        if found is not None:
            return found
        node = self._nodes.node(literal)
        assert isinstance(node, One)
        alive = [part for part in node.parts if kind in self._logic.types(part)]
        ways: list[Literal] = []
        for index, part in enumerate(alive):
            if not relax or literal & 1:
                meets = [
                    other
                    for other in (alive[index + 1 :] if literal & 1 else alive)
                    if other != part and not self.empty_type((part, other), kind, min(depth, DEPTH - 1))
                ]
            else:
                meets = []
            if literal & 1:
                ways.extend(self._nodes.all([part, other]) for other in meets)
            else:
                twice = node.parts.count(part) > 1
                ways.append(FALSE if twice else self._nodes.all([part, *map(negate, meets)]))
        if literal & 1:
            ways.append(self._nodes.all(map(negate, node.parts)))
        result = tuple(dict.fromkeys(ways))
        self._one[literal, kind, relax] = result
        return result

    def _follow(self, state: State, kind: str, depth: int) -> list[tuple[Literal, Key]] | None:
        """What else must hold in a settled state; None if nothing satisfies it."""
        if kind == "array":
            least, most = size_bounds(self._nodes, state.atoms)
            if most is not None and least > most:
                return None
            if depth > 0 and least:
                goal = tuple(self._first_item(literal) for literal in state.atoms if self._is_items(literal))
                if self.empty(goal, depth - 1):
                    return None
            return []
        facts = state.facts
        if facts is None:
            facts = state.facts = ObjectFacts(self._logic, state.atoms)
        else:
            facts.grown(state.atoms)
        if facts.most is not None and facts.least > facts.most:
            return None
        return facts.follow(self.empty, depth, state.atoms)

    def _is_items(self, literal: Literal) -> bool:
        return not literal & 1 and isinstance(self._nodes.node(literal), Items)

    def _first_item(self, literal: Literal) -> Literal:
        node = self._nodes.node(literal)
        assert isinstance(node, Items)
        return node.prefix[0] if node.prefix else node.rest


def _minimal(cases: list[Goal]) -> tuple[Goal, ...]:
    """Cases without those that only ask for more than another one."""
    if len(cases) > 64:
        return tuple(cases)
    sets = [frozenset(case) for case in cases]
    return tuple(
        case
        for index, case in enumerate(cases)
        if not any(sets[other] < sets[index] for other in range(len(cases)) if other != index)
    )
