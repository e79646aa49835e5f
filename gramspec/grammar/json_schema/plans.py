"""Plans: what a goal allows, type by type, before any expression is built.

Law: the values of a plan are those of its goal, or more where `Planner.open` says what is left out.
Cost: one plan per goal, each goal planned once; nothing here recurses.
Source: architecture, "JSON Schema as goals".
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass
from decimal import Decimal

from gramspec.errors import GrammarError
from gramspec.grammar.core import Place
from gramspec.grammar.json_schema import documents
from gramspec.grammar.json_schema.arrays import ArrayPlan, ArrayPlanner
from gramspec.grammar.json_schema.expand import MAX_CASES, Expander, TooMuchWork
from gramspec.grammar.json_schema.formulas import AllOf, AnyOf, Format, Formula, Multiple, Negation
from gramspec.grammar.json_schema.logic import Logic, scalar_empty, type_of
from gramspec.grammar.json_schema.nodes import (
    TRUE,
    All,
    At,
    Constants,
    Goal,
    Literal,
    Members,
    Required,
    Scalar,
)
from gramspec.grammar.json_schema.numbers import number_exact
from gramspec.grammar.json_schema.objects import (
    ObjectFacts,
    ObjectPlan,
    ObjectPlanner,
)
from gramspec.grammar.json_schema.parse import Schemas
from gramspec.grammar.json_schema.sources import Json, escape
from gramspec.grammar.json_schema.strings import string_exact
from gramspec.grammar.json_schema.ways import Alternatives, canonical

MAX_GOALS = 30_000
MAX_COMBINED = 2_000

# How much is told apart, from everything to as little as possible: marks of an object.
EFFORTS = (4, 1, 0)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a goal allows of each type: a union.

    `values` maps a key for each way of writing a constant array or object to the constant.
    """

    null: bool = False
    booleans: tuple[bool, ...] = ()
    string: Formula | None = None
    number: Formula | None = None
    arrays: tuple[ArrayPlan, ...] = ()
    objects: tuple[ObjectPlan, ...] = ()
    values: tuple[tuple[Hashable, Json], ...] = ()

    @property
    def key(self) -> Hashable:
        """Equal for plans of one language built from the same goals."""
        scalars = (self.null, self.booleans, self.string, self.number)
        return (scalars, self.arrays, self.objects, tuple(key for key, _ in self.values))


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
    """Plans the goals of a schema.

    Parameters
    ----------
    logic : Logic
        Facts about the literals of the schema.
    ordered : bool
        Whether declared properties have an order.
    effort : int
        How many marks an object may have; with 0 all that multiplies is left out.
    eager : int
        How many goals that may wait are planned all the same.

    Attributes
    ----------
    open : dict
        Places of what the plans leave to the check of the whole text.
    plans : dict
        The plans made so far.
    waiting : set
        Goals met that may wait until a text reaches them: they surely have a value, and nothing in their
        schemas can be refused or left open.
    """

    def __init__(self, logic: Logic, *, ordered: bool, effort: int, eager: int = 0) -> None:
        self.open: dict[Place, None] = {}
        self.plans: dict[Goal, Plan] = {}
        self.waiting: set[Goal] = set()
        self._eager = eager
        self._combined = 0
        self._effort = effort
        self._logic = logic
        self._nodes = logic.nodes
        self._ordered = ordered
        self._expander = Expander(logic, ordered=ordered, relaxed=effort == 0)

    @property
    def schemas(self) -> Schemas:
        """What the plans are made of."""
        return self._logic.schemas

    def place(self, goal: Goal) -> documents.Place:
        """The place of a goal that waits."""
        node = self._nodes.node(goal[0])
        assert isinstance(node, At)
        return node.place

    def goal(self, root: Literal) -> Goal:
        """The goal of a literal."""
        goal = canonical([root], ordered=self._ordered)
        return (root,) if goal is None else goal

    def run(self, start: Goal) -> tuple[dict[Goal, Plan], list[Goal]]:
        """Plan a goal and every goal reached from it that may not wait.

        Returns
        -------
        tuple of dict and list
            The plans that are new, and the goals that wait and were not met before.

        Raises
        ------
        TooMuchWork
            If the effort allows so many combinations that they cannot all be planned.
        """
        plans, fresh, waiting = self.plans, dict[Goal, Plan](), list[Goal]()
        agenda = [start]
        while agenda:
            goal = agenda.pop()
            if goal in plans:
                continue
            if goal is not start and self._waits(goal):
                if goal not in self.waiting:
                    self.waiting.add(goal)
                    waiting.append(goal)
                continue
            if len(plans) >= MAX_GOALS:
                reason = f"the schema has more than {MAX_GOALS} combined sub-schemas"
                raise GrammarError(self.where(goal), reason)
            self._combined += len(goal) > 1 or any(literal & 1 for literal in goal)
            if self._combined > MAX_COMBINED and self._effort:
                raise TooMuchWork
            plans[goal] = fresh[goal] = self._plan(goal)
            agenda.extend(reversed(children(plans[goal])))
        return fresh, waiting

    def forget(self) -> None:
        """Forget all plans; those who have some may go on using them."""
        self.plans.clear()
        self.waiting.clear()

    def _waits(self, goal: Goal) -> bool:
        """Whether a goal is one schema that may wait until a text reaches it."""
        if goal in self.waiting:
            return True
        if len(goal) != 1 or goal[0] & 1:
            return False
        node = self._nodes.node(goal[0])
        if not isinstance(node, At) or not self._logic.schemas.documents.may_wait(node.place):
            return False
        self._eager -= 1
        return self._eager < 0

    def where(self, goal: Goal) -> str:
        """A place of the schema for a goal."""
        return self._logic.where(goal)

    def blame(self, goal: Goal) -> str:
        """The place to name when nothing satisfies a goal, if may be a required property without values."""
        logic = self._logic
        facts = ObjectFacts(logic, ())
        todo, seen = list(goal), set(goal)
        while todo:
            literal = todo.pop()
            node = self._nodes.node(literal)
            if literal & 1:
                continue
            inner = [logic.schemas.body(node.place)] if isinstance(node, At) else []
            if isinstance(node, All):
                inner.extend(node.parts)
            elif isinstance(node, Required):
                facts.required[node.name] = None
            elif isinstance(node, Members):
                facts.members.append(literal)
            todo.extend(part for part in inner if part not in seen)
            seen.update(inner)
        for literal in facts.members:
            for name, value in logic.table(literal).items():
                parts = tuple(part for part in facts.value(name) if part != TRUE)
                kinds = logic.goal_types(parts)
                if name in facts.required and all(
                    self._expander.empty_type(parts, kind, 1) for kind in kinds
                ):
                    where = logic.where((value,))
                    return where or f"{logic.where((literal,))}/{escape(name)}"
        return self.where(goal)

    def _plan(self, goal: Goal) -> Plan:
        types = self._logic.goal_types(goal)
        string = self._string(goal) if "string" in types else None
        number = self._number(goal) if "number" in types else None
        arrays: dict[ArrayPlan, None] = {}
        objects: dict[ObjectPlan, None] = {}
        values: dict[Hashable, Json] = {}
        for kind in ("array", "object"):
            if kind not in types:
                continue
            cases = self._expander.cases(goal, kind)
            for part in cases.opaque:
                self.open[Place(part.pointer, part.keyword, part.reason)] = None
            if cases.relaxed:
                self._leave(goal[0], f"its cases multiply out to more than {MAX_CASES}")
            for case in cases.cases:
                listed = self._listed(case, kind)
                if listed is not None:
                    values.update((spelling_key(value, ordered=self._ordered), value) for value in listed)
                elif kind == "array":
                    array = self._array(case)
                    if array is not None:
                        arrays[array] = None
                else:
                    found = self._object(case)
                    if found is not None:
                        objects[found] = None
        return Plan(
            null="null" in types and self._allows(goal, None),
            booleans=tuple(v for v in (True, False) if "boolean" in types and self._allows(goal, v)),
            string=string,
            number=number,
            arrays=tuple(arrays),
            objects=tuple(objects),
            values=tuple(values.items()),
        )

    def _allows(self, goal: Goal, value: Json) -> bool:
        return all(self._logic.holds(value, literal) for literal in goal)

    def _string(self, goal: Goal) -> Formula | None:
        formula = self._logic.goal_formula(goal, "string")
        if scalar_empty(formula, "string"):
            return None
        if not string_exact(formula):
            self._inexact(goal, "string", formula, "no regular language says all of it")
        return formula

    def _number(self, goal: Goal) -> Formula | None:
        formula = self._logic.goal_formula(goal, "number")
        if scalar_empty(formula, "number"):
            return None
        if not number_exact(formula):
            self._inexact(goal, "number", formula, "its automaton would be too large")
        return formula

    def _inexact(self, goal: Goal, kind: str, formula: Formula, reason: str) -> None:
        """Note the formats or divisors of a formula that its expression does not enforce, or its goal."""
        exact = string_exact if kind == "string" else number_exact
        atoms = [part for part in _atoms(formula) if isinstance(part, Format | Multiple) and not exact(part)]
        if not atoms:
            self._leave(goal[0], reason)
        for atom in atoms:
            where, keyword = self._logic.schemas.origins.get(Scalar(kind, atom), (self.where(goal), kind))
            self.open[Place(where, keyword, reason)] = None

    def _leave(self, literal: Literal, reason: str) -> None:
        """Note that a literal is left to the check of the whole text."""
        node = self._nodes.node(literal)
        if isinstance(node, At) and node not in self._logic.schemas.origins:
            node = self._nodes.node(self._logic.schemas.body(node.place))
        where, keyword = self._logic.schemas.origins.get(node, (self._logic.where((literal,)), "schema"))
        self.open[Place(where, keyword, reason)] = None

    def _listed(self, case: Goal, kind: str) -> list[Json] | None:
        """The constants of a case, filtered by its other atoms; None if it has no ``enum`` or ``const``."""
        lists = [
            node.values
            for literal in case
            if isinstance(node := self._nodes.node(literal), Constants) and not literal & 1
        ]
        if not lists:
            return None
        return [v for v in min(lists, key=len) if type_of(v) == kind and self._allows(case, v)]

    def _array(self, case: Goal) -> ArrayPlan | None:
        def relaxed(literal: Literal) -> None:
            self._leave(literal, "no automaton of reasonable size enforces it")

        return ArrayPlanner(
            self._logic, case, ordered=self._ordered, relaxed=relaxed, empty=self._expander.empty
        ).plan()

    def _object(self, case: Goal) -> ObjectPlan | None:
        def relaxed(literal: Literal) -> None:
            self._leave(literal, "an object has too many conditions that some member has to meet")

        return ObjectPlanner(
            self._logic, case, ordered=self._ordered, marks=self._effort, relaxed=relaxed
        ).plan()


def _atoms(formula: Formula) -> list[Formula]:
    todo: list[Formula] = [formula]
    found: list[Formula] = []
    while todo:
        part = todo.pop()
        if isinstance(part, AllOf | AnyOf):
            todo.extend(part.parts)
        elif isinstance(part, Negation):
            todo.append(part.part)
        else:
            found.append(part)
    return found


def alternatives(plan: Plan) -> list[Alternatives]:
    """The alternatives of the parts of a value."""
    found: list[Alternatives] = []
    for array in plan.arrays:
        found.extend((*array.prefix, array.rest))
    for item in plan.objects:
        found.extend(member.values for member in item.declared)
        found.extend(group.values for group in item.classes)
        found.append(item.others)
    return found


def children(plan: Plan) -> list[Goal]:
    """The goals of the parts of a value."""
    return list(dict.fromkeys(goal for ways in alternatives(plan) for goal, _ in ways))


def productive(plans: dict[Goal, Plan], alive: set[Goal]) -> None:
    """Add to `alive` the goals of some plans that some value may satisfy.

    They are a least fixed point (a superset under counters and marks); other goals are decided already.
    """
    users: dict[Goal, list[Goal]] = {goal: [] for goal in plans}
    for goal, plan in plans.items():
        for child in children(plan):
            if child in users:
                users[child].append(goal)
    # Children first, and nobody twice in the queue: most goals are decided at their first visit.
    queue = deque(reversed(plans))
    queued = set(queue)
    while queue:
        goal = queue.popleft()
        queued.discard(goal)
        if goal not in alive and _satisfiable(plans[goal], alive):
            alive.add(goal)
            for user in users[goal]:
                if user not in alive and user not in queued:
                    queued.add(user)
                    queue.append(user)


def _satisfiable(plan: Plan, alive: set[Goal]) -> bool:
    return bool(
        plan.null
        or plan.booleans
        or plan.string is not None
        or plan.number is not None
        or plan.values
        or any(cut_array(array, alive) for array in plan.arrays)
        or any(cut_object(item, alive) for item in plan.objects)
    )


def cut_array(array: ArrayPlan, alive: set[Goal]) -> ArrayPlan | None:
    """An array without what no value satisfies; None if nothing is left."""
    prefix = tuple(_alive(ways, alive) for ways in array.prefix)
    rest = _alive(array.rest, alive)
    most = next((index for index, ways in enumerate((*prefix, rest)) if not ways), None)
    if most is not None:
        array = array._replace(most=most if array.most is None else min(most, array.most))
    if array.most is not None and array.least > array.most:
        return None
    return array._replace(prefix=prefix, rest=rest)


def cut_object(item: ObjectPlan, alive: set[Goal]) -> ObjectPlan | None:
    """An object without what no value satisfies; None if nothing is left."""
    declared = tuple(member._replace(values=_alive(member.values, alive)) for member in item.declared)
    if any(member.required and not member.values for member in declared):
        return None
    classes = tuple(group._replace(values=_alive(group.values, alive)) for group in item.classes)
    others = _alive(item.others, alive)
    marks = 0
    for ways in (*(m.values for m in declared), *(c.values for c in classes), others):
        for _, bits in ways:
            marks |= bits
    if item.marks & ~marks:
        return None
    if not others and not any(group.values for group in classes):
        declared = tuple(member for member in declared if member.values)
        if item.least > len(declared):
            return None
    return item._replace(declared=declared, classes=classes, others=others)


def _alive(ways: Alternatives, alive: set[Goal]) -> Alternatives:
    return tuple(way for way in ways if way[0] in alive)
