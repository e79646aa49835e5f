"""Plans to expressions: one rule for each kind of array or object, shared where plans agree.

Cost: linear in the plans; scalar parts are shared by every schema of the process.
Source: architecture, "IR".
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from functools import lru_cache

from gramspec.errors import EmptyLanguageError, GrammarError
from gramspec.grammar.encoding import JSON_BODY, json_key_spellings
from gramspec.grammar.ir import (
    EMPTY,
    Call,
    Expr,
    JsonObject,
    JsonProperty,
    Ref,
    Rule,
    concat,
    literal,
    repeat,
    union,
)
from gramspec.grammar.json_schema.goals import Goal
from gramspec.grammar.json_schema.layout import BOOLEAN, NULL, Layout, any_value, number, string
from gramspec.grammar.json_schema.numbers import ladder, numbers_between
from gramspec.grammar.json_schema.plans import (
    FREE_NUMBER,
    FREE_PLAN,
    Branch,
    Interval,
    Items,
    Members,
    Plan,
    cut,
    productive,
)
from gramspec.grammar.json_schema.values import constants


class Emitter:
    """Builds the expression of a planned schema.

    Parameters
    ----------
    plans : dict
        Every goal's plan.
    layout : Layout
        Gaps and order of properties.
    """

    def __init__(self, plans: dict[Goal, Plan], layout: Layout) -> None:
        self._plans = plans
        self._layout = layout
        self._alive = productive(plans)
        self._goals: dict[Goal, Expr] = {}
        self._made: dict[Hashable, Expr] = {}
        self._pending: list[tuple[Rule, Plan]] = []

    def run(self, root: Goal) -> Expr:
        """The expression of a goal, with every rule below it defined."""
        if root not in self._alive:
            pointer, reason = self._blame(root)
            raise EmptyLanguageError(pointer, reason)
        expr = self._goal(root)
        while self._pending:
            rule, plan = self._pending.pop()
            rule.define(self._body(plan))
        return expr

    def _goal(self, goal: Goal) -> Expr:
        """The expression of a goal: a reference to its rule, or a shared scalar expression."""
        if goal not in self._goals:
            self._goals[goal] = self._planned(goal) if goal in self._alive else EMPTY
        return self._goals[goal]

    def _planned(self, goal: Goal) -> Expr:
        plan = self._plans[goal]
        if plan == FREE_PLAN:
            return any_value(self._layout.gap)
        key = plan.key
        if key not in self._made:
            if any(branch.items or branch.members for branch in plan.branches):
                rule = Rule(" & ".join(pointer or "/" for pointer in goal))
                self._made[key] = Ref(rule)
                self._pending.append((rule, plan))
            else:
                try:
                    self._made[key] = self._body(plan)
                except GrammarError as error:
                    raise GrammarError(goal[0], error.reason, error.hint) from error
        return self._made[key]

    def _body(self, plan: Plan) -> Expr:
        parts: list[Expr] = []
        for branch in plan.branches:
            parts.extend(self._branch(cut(branch, self._alive)))
        if plan.values:
            parts.append(constants([(value, plain) for _, value, plain in plan.values], self._layout))
        return union(*parts)

    def _branch(self, branch: Branch) -> Iterator[Expr]:
        if branch.null:
            yield NULL
        if branch.boolean:
            yield BOOLEAN
        if branch.string is not None:
            yield string(*branch.string)
        if branch.number is not None:
            yield _number(branch.number)
        if branch.items is not None:
            yield self._array(branch.items)
        if branch.members is not None:
            yield self._object(branch.members)

    def _array(self, items: Items) -> Expr:
        least, most = items.least, items.most
        prefix = items.prefix if most is None else items.prefix[:most]
        separator, gap, close = self._layout.separator, self._layout.gap, literal("]")
        if not prefix:
            if most == 0:
                return concat(literal("["), gap, close)
            item = self._goal(items.rest)
            more = None if most is None else most - 1
            body = concat(item, repeat(concat(separator, item), max(least, 1) - 1, more))
            return self._layout.array(body, empty=least == 0)
        steps: list[Expr] = []
        for goal in prefix:
            item = self._goal(goal)
            steps.append(concat(separator, item) if steps else item)
        count = len(prefix)
        end = concat(gap, close)
        leaves = [close if least == 0 else EMPTY]
        leaves.extend(end if least <= size else EMPTY for size in range(1, count))
        if most is None or most > count:
            item = concat(separator, self._goal(items.rest))
            rest = repeat(item, max(0, least - count), None if most is None else most - count)
            leaves.append(concat(rest, end))
        else:
            leaves.append(end)
        return concat(literal("["), gap, ladder(steps, leaves))

    def _object(self, members: Members) -> Expr:
        closed = members.others not in self._alive
        declared: list[JsonProperty] = []
        for name, goal, required in members.declared:
            if closed and goal not in self._alive:
                continue
            try:
                key = json_key_spellings(name)
            except GrammarError as error:
                raise GrammarError(goal[0] if goal else "", error.reason, error.hint) from error
            declared.append(JsonProperty(name, key, self._goal(goal), required))
        others = None if closed else self._goal(members.others)
        layout = self._layout
        return JsonObject(tuple(declared), others, layout.order, layout.gap, JSON_BODY)

    def _blame(self, goal: Goal) -> tuple[str, str]:
        """The place of a goal that nothing satisfies, as deep as there is one cause."""
        seen: set[Goal] = set()
        while goal not in seen:
            seen.add(goal)
            branches = self._plans[goal].branches
            dead = [
                member.goal
                for branch in branches
                if branch.members is not None
                for member in branch.members.declared
                if member.required and member.goal not in self._alive
            ]
            if len(branches) != 1 or not dead:
                break
            goal = dead[0]
        return goal[0], "no value satisfies this schema"


@lru_cache(maxsize=4096)
def _number(interval: Interval) -> Expr:
    if interval == FREE_NUMBER:
        return number()
    return Call(numbers_between(*interval))
