"""Plans: what a goal allows, type by type, before any expression is built.

Cost: one plan per goal, each goal planned once; nothing here recurses.
Source: JSON Schema Validation, section 6; Core, section 10.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Literal, NamedTuple

from gramspec.errors import GrammarError, UnsupportedError
from gramspec.grammar.ir import Empty
from gramspec.grammar.json_schema.document import Document
from gramspec.grammar.json_schema.drafts import ALL_TYPES, NUMBER
from gramspec.grammar.json_schema.evaluate import Evaluator
from gramspec.grammar.json_schema.goals import Goal, Goals
from gramspec.grammar.json_schema.numbers import Style, numbers_between
from gramspec.grammar.json_schema.refusals import refuse
from gramspec.grammar.json_schema.sources import Json

MAX_GOALS = 100_000


class Interval(NamedTuple):
    """The arguments of `numbers.numbers_between`."""

    low: Decimal | None
    low_strict: bool
    high: Decimal | None
    high_strict: bool
    style: Style


class Length(NamedTuple):
    """Bounds of a string's length, in characters."""

    least: int
    most: int | None


class Items(NamedTuple):
    """An array: goals of its first items, goal of all later ones, and how many."""

    prefix: tuple[Goal, ...]
    rest: Goal
    least: int
    most: int | None


class Member(NamedTuple):
    """A declared property."""

    name: str
    goal: Goal
    required: bool


class Members(NamedTuple):
    """An object: declared properties, and the goal of the values of all others."""

    declared: tuple[Member, ...]
    others: Goal


@dataclass(frozen=True, slots=True)
class Branch:
    """One way to satisfy a goal: what is allowed of each type; None or False forbids the type."""

    null: bool = False
    boolean: bool = False
    string: Length | None = None
    number: Interval | None = None
    items: Items | None = None
    members: Members | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What a goal allows: a union of branches and of constants.

    `values` maps a key for each way of writing a constant to the constant and whether its number
    must be spelled without fraction and exponent.
    """

    branches: tuple[Branch, ...]
    values: tuple[tuple[Hashable, Json, bool], ...]

    @property
    def key(self) -> Hashable:
        """Equal for plans of one language built from the same goals."""
        return (self.branches, tuple((key, plain) for key, _, plain in self.values))


FREE_NUMBER = Interval(None, False, None, False, "number")
FREE = Branch(True, True, Length(0, None), FREE_NUMBER, Items((), (), 0, None), Members((), ()))
FREE_PLAN = Plan((FREE,), ())


def spelling_key(value: Json, *, ordered: bool) -> Hashable:
    """A key that two constants share iff they are written the same ways."""
    if isinstance(value, bool):
        return ("boolean", value)
    if isinstance(value, int | Decimal):
        return ("number", Decimal(value))
    if isinstance(value, list):
        return ("array", tuple(spelling_key(item, ordered=ordered) for item in value))
    if isinstance(value, dict):
        pairs = [(name, spelling_key(item, ordered=ordered)) for name, item in value.items()]
        return ("object", tuple(pairs) if ordered else frozenset(pairs))
    return value


class Planner:
    """Plans the goals of one document.

    Parameters
    ----------
    document : Document
        Where the pointers lead.
    order : {"schema", "any"}
        The order of properties.
    formats : bool
        Whether ``format`` is an assertion.
    """

    def __init__(self, document: Document, order: Literal["schema", "any"], *, formats: bool) -> None:
        self._document = document
        self._ordered = order == "schema"
        self._formats = formats
        self._goals = Goals(document, order)
        self._evaluator = Evaluator(document, self._goals, formats=formats)

    def run(self) -> tuple[Goal, dict[Goal, Plan]]:
        """The goal of the whole document, and the plans of every goal reached from it."""
        root = self._goals.canonical([""])
        plans: dict[Goal, Plan] = {}
        agenda = [root]
        while agenda:
            goal = agenda.pop()
            if goal in plans:
                continue
            if len(plans) >= MAX_GOALS:
                raise GrammarError(goal[0], f"the schema has more than {MAX_GOALS} combined sub-schemas")
            plans[goal] = self._plan(goal)
            agenda.extend(reversed(list(children(plans[goal]))))
        return root, plans

    def _plan(self, goal: Goal) -> Plan:
        branches: dict[Branch, None] = {}
        values: dict[Hashable, tuple[Json, bool]] = {}
        for members in self._goals.branches(goal):
            types = ALL_TYPES
            for pointer in members:
                types &= self._document.types(pointer, self._object(pointer))
            listed = self._listed(members)
            if listed is None:
                branches[self._branch(members, types)] = None
                continue
            for value in listed:
                if all(self._evaluator.own(value, pointer) for pointer in members):
                    plain = self._document.draft.number == 4 and types & NUMBER == {"integer"}
                    key = spelling_key(value, ordered=self._ordered)
                    values[key] = (value, values[key][1] and plain if key in values else plain)
        if FREE in branches:
            return FREE_PLAN
        branches.pop(Branch(), None)
        return Plan(tuple(branches), tuple((key, *value) for key, value in values.items()))

    def _object(self, pointer: str) -> dict[str, Json]:
        schema = self._document.schema(pointer)
        assert isinstance(schema, dict)
        return schema

    def _listed(self, members: Goal) -> list[Json] | None:
        """The constants of the shortest ``const`` or ``enum`` among the members."""
        found: list[list[Json]] = []
        for pointer in members:
            schema = self._object(pointer)
            if "const" in schema and self._document.draft.number > 4:
                found.append([schema["const"]])
            if "enum" in schema:
                found.append(self._document.items(pointer, schema, "enum"))
        return min(found, key=len, default=None)

    def _branch(self, members: Goal, types: frozenset[str]) -> Branch:
        for pointer in members:
            refuse(self._document, pointer, self._object(pointer), types, formats=self._formats)
        return Branch(
            null="null" in types,
            boolean="boolean" in types,
            string=self._string(members) if "string" in types else None,
            number=self._number(members, types & NUMBER) if types & NUMBER else None,
            items=self._items(members) if "array" in types else None,
            members=self._members(members) if "object" in types else None,
        )

    def _size(self, members: Goal, what: str) -> Length | None:
        least, most = 0, None
        for pointer in members:
            schema = self._object(pointer)
            least = max(least, self._document.natural(pointer, schema, f"min{what}") or 0)
            bound = self._document.natural(pointer, schema, f"max{what}")
            if bound is not None:
                most = bound if most is None else min(most, bound)
        return None if most is not None and least > most else Length(least, most)

    def _string(self, members: Goal) -> Length | None:
        return self._size(members, "Length")

    def _number(self, members: Goal, types: frozenset[str]) -> Interval | None:
        integer: Style = "digits" if self._document.draft.number == 4 else "integer"
        result = FREE_NUMBER._replace(style="number" if types == NUMBER else integer)
        for pointer in members:
            for keyword, value, strict in self._document.bounds(pointer, self._object(pointer)):
                if keyword == "minimum":
                    if result.low is None or (value, strict) > (result.low, result.low_strict):
                        result = result._replace(low=value, low_strict=strict)
                elif result.high is None or value < result.high or (value == result.high and strict):
                    result = result._replace(high=value, high_strict=strict)
        return None if isinstance(numbers_between(*result), Empty) else result

    def _items(self, members: Goal) -> Items | None:
        size = self._size(members, "Items")
        layouts = [self._document.tuple_items(pointer, self._object(pointer)) for pointer in members]
        count = max((len(prefix) for prefix, _ in layouts), default=0)
        columns: list[Goal] = []
        for index in range(count + 1):
            found: list[str] = []
            for prefix, rest in layouts:
                if index < len(prefix):
                    found.append(prefix[index])
                elif rest is not None:
                    found.append(rest)
            columns.append(self._goals.canonical(found))
        if size is None:
            return None
        return Items(tuple(columns[:-1]), columns[-1], size.least, size.most)

    def _members(self, members: Goal) -> Members | None:
        tables = [self._document.properties(pointer, self._object(pointer)) for pointer in members]
        names: dict[str, bool] = {}
        for table in tables:
            names.update(dict.fromkeys((name for name in table if name is not None), False))
        for pointer in members:
            required = self._document.names(pointer, self._object(pointer), "required")
            names.update(dict.fromkeys(required, True))
        declared: list[Member] = []
        for name, needed in names.items():
            found = [table.get(name, table.get(None)) for table in tables]
            goal = self._goals.canonical([pointer for pointer in found if pointer is not None])
            declared.append(Member(name, goal, needed))
        others = self._goals.canonical([table[None] for table in tables if None in table])
        size = self._size(members, "Properties")
        if size is None:
            return None
        result = Members(tuple(declared), others)
        self._check_count(members, result, size)
        return result

    def _check_count(self, members: Goal, result: Members, size: Length) -> None:
        """Refuse ``minProperties`` and ``maxProperties`` unless the other keywords imply them."""
        needed = sum(member.required for member in result.declared)
        closed = any(self._document.schema(pointer) is False for pointer in result.others)
        for keyword, void in (
            ("minProperties", size.least <= needed),
            ("maxProperties", size.most is None or (closed and size.most >= len(result.declared))),
        ):
            if not void:
                pointer = next(p for p in members if keyword in self._object(p))
                raise UnsupportedError(f"{pointer}/{keyword}", f"`{keyword}` is not enforced")


def children(plan: Plan) -> list[Goal]:
    """The goals of the parts of a value."""
    found: list[Goal] = []
    for branch in plan.branches:
        if branch.items is not None:
            found.extend(branch.items.prefix)
            found.append(branch.items.rest)
        if branch.members is not None:
            found.extend(member.goal for member in branch.members.declared)
            found.append(branch.members.others)
    return found


def productive(plans: dict[Goal, Plan]) -> set[Goal]:
    """The goals that some value satisfies: a least fixed point."""
    users: dict[Goal, list[Goal]] = {goal: [] for goal in plans}
    for goal, plan in plans.items():
        for child in children(plan):
            users[child].append(goal)
    alive: set[Goal] = set()
    agenda = list(plans)
    while agenda:
        goal = agenda.pop()
        if goal not in alive and _satisfiable(plans[goal], alive):
            alive.add(goal)
            agenda.extend(user for user in users[goal] if user not in alive)
    return alive


def _satisfiable(plan: Plan, alive: set[Goal]) -> bool:
    return bool(plan.values) or any(cut(branch, alive) != Branch() for branch in plan.branches)


def cut(branch: Branch, alive: set[Goal]) -> Branch:
    """A branch without what no value satisfies, given the goals that some value satisfies."""
    items, members = branch.items, branch.members
    if items is not None:
        most = next((i for i, goal in enumerate(items.prefix) if goal not in alive), None)
        if most is None and items.rest not in alive:
            most = len(items.prefix)
        if most is not None:
            items = items._replace(most=most if items.most is None else min(most, items.most))
        if items.most is not None and items.least > items.most:
            items = None
    if members is not None and any(m.required and m.goal not in alive for m in members.declared):
        members = None
    return replace(branch, items=items, members=members)
