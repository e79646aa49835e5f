"""Plans to expressions: one rule for each kind of array or object, shared where plans agree.

Cost: linear in the plans; scalar parts are shared by every schema of the process.
Source: architecture, "IR".
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator

from gramspec.errors import EmptyLanguageError, GrammarError
from gramspec.grammar.encoding import JSON_BODY, json_key_spellings, json_string, utf8
from gramspec.grammar.ir import (
    EMPTY,
    EPSILON,
    Expr,
    JsonKeyClass,
    JsonObject,
    JsonProperty,
    Marked,
    Ref,
    Rule,
    concat,
    literal,
    union,
)
from gramspec.grammar.json_schema.arrays import ArrayPlan, Counter
from gramspec.grammar.json_schema.direct import Direct, array, numbers
from gramspec.grammar.json_schema.documents import Place
from gramspec.grammar.json_schema.expand import TooMuchWork
from gramspec.grammar.json_schema.formulas import Formula
from gramspec.grammar.json_schema.layout import BOOLEAN, FALSE, NULL, TRUE, Layout, any_value
from gramspec.grammar.json_schema.nodes import At, Goal
from gramspec.grammar.json_schema.objects import ObjectPlan
from gramspec.grammar.json_schema.plans import Plan, Planner, cut_array, cut_object, productive
from gramspec.grammar.json_schema.strings import string_characters, string_value
from gramspec.grammar.json_schema.values import constants
from gramspec.grammar.json_schema.ways import Alternatives


class Emitter:
    """Builds the expressions of a planned schema.

    Parameters
    ----------
    planner : Planner
        Makes the plans; those of goals that wait when their expressions are needed.
    layout : Layout
        Gaps and order of properties.
    """

    def __init__(self, planner: Planner, layout: Layout) -> None:
        self._planner = planner
        self._plans = planner.plans
        self._layout = layout
        self._where = planner.where
        self._alive: set[Goal] = set()
        self._goals: dict[Goal, Expr] = {}
        self._made: dict[Hashable, Expr] = {}
        self._pending: list[tuple[Rule, Plan]] = []
        schemas = planner.schemas
        self._direct = Direct(schemas.documents, layout, asserted=schemas.formats, otherwise=self._by_algebra)

    def plain(self, place: Place) -> Expr:
        """The expression of the schema at a place that may wait, read at once but for what is below it."""
        self._planner.schemas.documents.schema(place)  # malformed identifiers are its to find
        expr = self._direct.at(place)
        if isinstance(expr, Ref):
            assert expr.rule.body is not None
        return expr

    def run(self, root: Goal) -> Expr:
        """The expression of a goal, with every rule below it defined or waiting to be.

        Raises
        ------
        EmptyLanguageError
            If no value satisfies the goal.
        TooMuchWork
            If the plans are too many for the planner's effort.
        """
        self._plan(root)
        if root not in self._alive:
            raise EmptyLanguageError(self._planner.blame(self._blame(root)), "no value satisfies this schema")
        expr = self._goal(root)
        self._define()
        return expr

    def _plan(self, goal: Goal) -> None:
        fresh, waiting = self._planner.run(goal)
        self._alive.update(waiting)
        productive(fresh, self._alive)

    def _define(self) -> None:
        while self._pending:
            rule, plan = self._pending.pop()
            rule.define(self._body(plan))

    def _by_algebra(self, place: Place) -> Expr:
        """The body of the rule of a place that has waited and says more than is read directly."""
        goal = self._planner.goal(self._planner.schemas.nodes.literal(At(place)))
        self._goals.setdefault(goal, self._direct.at(place))
        return self._expand(goal)

    def _expand(self, goal: Goal) -> Expr:
        """The body of the rule of a goal that has waited."""
        known = len(self._planner.open)
        own = self._goals.get(goal)
        self._alive.discard(goal)  # shown again by its plan
        try:
            self._plan(goal)
            if goal not in self._alive or len(self._planner.open) > known:
                raise AssertionError(f"{self._where(goal)}: this schema may not wait")
            plan = self._plans[goal]
            body = self._made.get(plan.key)
            if body is None:
                if own is not None:
                    self._made[plan.key] = own
                body = self._body(plan)
            self._define()
        except BaseException as error:
            self._forget()
            if isinstance(error, TooMuchWork | RecursionError):
                raise AssertionError(f"{self._where(goal)}: this schema may not wait") from error
            raise
        return body

    def _forget(self) -> None:
        """Leave nothing half-made behind: whatever is asked for next is planned and built anew."""
        self._planner.forget()
        self._direct.forget()
        for memo in (self._alive, self._goals, self._made, self._pending):
            memo.clear()

    def _goal(self, goal: Goal) -> Expr:
        """The expression of a goal: a reference to its rule, or a shared scalar expression."""
        if goal not in self._goals:
            if goal not in self._alive:
                self._goals[goal] = EMPTY
            elif goal in self._plans:
                self._goals[goal] = self._planned(goal)
            else:
                self._goals[goal] = self._direct.at(self._planner.place(goal))
        return self._goals[goal]

    def _planned(self, goal: Goal) -> Expr:
        if not goal:
            return any_value(self._layout.gap)
        plan = self._plans[goal]
        key = plan.key
        if key not in self._made:
            if plan.arrays or plan.objects:
                rule = Rule(self._where(goal) or "/")
                self._made[key] = Ref(rule)
                self._pending.append((rule, plan))
            else:
                try:
                    self._made[key] = self._body(plan)
                except GrammarError as error:
                    raise GrammarError(self._where(goal), error.reason, error.hint) from error
        return self._made[key]

    def _body(self, plan: Plan) -> Expr:
        return union(*self._parts(plan))

    def _parts(self, plan: Plan) -> Iterator[Expr]:
        if plan.null:
            yield NULL
        if plan.booleans:
            yield BOOLEAN if len(plan.booleans) == 2 else TRUE if plan.booleans[0] else FALSE
        if plan.string is not None:
            yield string_value(plan.string)
        if plan.number is not None:
            yield numbers(plan.number)
        for case in plan.arrays:
            left = cut_array(case, self._alive)
            if left is not None:
                yield self._counted(left) if left.counters else self._array(left)
        for item in plan.objects:
            kept = cut_object(item, self._alive)
            if kept is not None:
                yield self._object(kept)
        if plan.values:
            yield constants([value for _, value in plan.values], self._layout)

    def _ways(self, ways: Alternatives) -> Expr:
        return union(*(self._goal(goal) for goal, _ in ways))

    def _array(self, items: ArrayPlan) -> Expr:
        prefix = [self._ways(ways) for ways in items.prefix[: items.most]]
        return array(self._layout, prefix, self._ways(items.rest), items.least, items.most)

    def _counted(self, items: ArrayPlan) -> Expr:
        """An array whose items are counted: one rule for each position and state of the counters."""
        gap, close, separator = self._layout.gap, literal("]"), self._layout.separator
        prefix, most = items.prefix, items.most
        last = max(len(prefix), items.least, most or 0, 1)
        rules: dict[tuple[int, tuple[int, ...]], Rule] = {}
        pending: list[tuple[int, tuple[int, ...]]] = []

        def state(index: int, counts: tuple[int, ...]) -> Expr:
            key = (min(index, last), counts)
            if key not in rules:
                rules[key] = Rule("items")
                pending.append(key)
            return Ref(rules[key])

        def body(index: int, counts: tuple[int, ...]) -> Expr:
            parts: list[Expr] = []
            enough = all(c.least <= count for c, count in zip(items.counters, counts, strict=True))
            if index >= items.least and enough:
                parts.append(close if index == 0 else concat(gap, close))
            if most is None or index < most:
                for goal, bits in prefix[index] if index < len(prefix) else items.rest:
                    after = _counted(items.counters, counts, bits)
                    if after is not None:
                        lead = EPSILON if index == 0 else separator
                        parts.append(concat(lead, self._goal(goal), state(index + 1, after)))
            return union(*parts)

        start = state(0, (0,) * len(items.counters))
        while pending:
            key = pending.pop()
            rules[key].define(body(*key))
        return concat(literal("["), gap, start)

    def _object(self, plan: ObjectPlan) -> Expr:
        declared: list[JsonProperty] = []
        for member in plan.declared:
            value, marked = self._marked(member.values)
            try:
                key = json_key_spellings(member.name)
            except GrammarError as error:
                where = self._where(next((goal for goal, _ in member.values), ()))
                raise GrammarError(where, error.reason, error.hint) from error
            declared.append(JsonProperty(member.name, key, value, member.required, marked, member.late))
        classes: list[JsonKeyClass] = []
        for group in plan.classes:
            value, marked = self._marked(group.values)
            classes.append(JsonKeyClass(_names(group.names), value, marked))
        layout = self._layout
        if not plan.others:
            free = JSON_BODY if plan.keys is None or not classes else _keys(plan.keys)
            others: Expr | None = None
            others_marked: Marked = ()
        else:
            free = JSON_BODY
            others, others_marked = self._marked(plan.others)
        return JsonObject(
            tuple(declared),
            others,
            layout.order,
            layout.gap,
            free,
            tuple(classes),
            others_marked,
            plan.least,
            plan.most,
            plan.marks,
        )

    def _marked(self, ways: Alternatives) -> tuple[Expr, Marked]:
        value = union(*(self._goal(goal) for goal, bits in ways if not bits))
        return value, tuple((self._goal(goal), bits) for goal, bits in ways if bits)

    def _blame(self, goal: Goal) -> Goal:
        """A goal that nothing satisfies, as deep as there is one cause."""
        seen: set[Goal] = set()
        while goal not in seen:
            seen.add(goal)
            objects = self._plans[goal].objects
            dead = [
                member.values
                for item in objects
                for member in item.declared
                if member.required and not any(way in self._alive for way, _ in member.values)
            ]
            if len(objects) != 1 or not dead or not dead[0] or not self._where(dead[0][0][0]):
                break
            goal = dead[0][0][0]
        return goal


def _counted(counters: tuple[Counter, ...], counts: tuple[int, ...], bits: int) -> tuple[int, ...] | None:
    """Counters after an item that is counted by some of them; None if one passes its greatest number."""
    after: list[int] = []
    for index, (counter, count) in enumerate(zip(counters, counts, strict=True)):
        more = count + (bits >> index & 1)
        if counter.most is not None and more > counter.most:
            return None
        after.append(more if counter.most is not None else min(more, counter.least))
    return tuple(after)


def _names(formula: Formula) -> Expr:
    """The names of a set in UTF-8."""
    return utf8(string_characters(formula))


def _keys(formula: Formula) -> Expr:
    """The spellings of the names of a set between the quotes."""
    return json_string(string_characters(formula))
