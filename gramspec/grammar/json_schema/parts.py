"""A schema kind by kind: for notations of values other than JSON, which write members in their own way.

Law: the kinds of a goal together are the values that satisfy it; nothing is left to a residual predicate.
Cost: as for the schema itself; goals are planned when they are asked for.
Source: `gramspec.grammar.json_schema.plans`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

from gramspec.errors import EmptyLanguageError, GrammarError, UnsupportedError
from gramspec.grammar import ir
from gramspec.grammar.encoding import utf8
from gramspec.grammar.json_schema.arrays import ArrayPlan
from gramspec.grammar.json_schema.documents import Documents
from gramspec.grammar.json_schema.emit import Emitter
from gramspec.grammar.json_schema.expand import TooMuchWork
from gramspec.grammar.json_schema.formulas import EVERYTHING, Formula
from gramspec.grammar.json_schema.layout import Layout, gap_of
from gramspec.grammar.json_schema.logic import Logic
from gramspec.grammar.json_schema.nodes import Goal, Nodes
from gramspec.grammar.json_schema.objects import ObjectPlan
from gramspec.grammar.json_schema.parse import Schemas
from gramspec.grammar.json_schema.plans import EFFORTS, Plan, Planner, cut_array, cut_object
from gramspec.grammar.json_schema.sources import load
from gramspec.grammar.json_schema.strings import simplify, string_characters

Kind = Literal["null", "boolean", "number", "string", "array", "object"]


class Parts(Emitter):
    """The goals of a schema, told apart by the kind of value."""

    def __init__(self, planner: Planner, layout: Layout, root: Goal) -> None:
        super().__init__(planner, layout)
        self.root = root
        if self.plan(root) is None:
            raise EmptyLanguageError(planner.blame(self._blame(root)), "no value satisfies this schema")

    def plan(self, goal: Goal) -> Plan | None:
        """What a goal allows; None if nothing satisfies it."""
        if goal not in self._plans:
            self._plan(goal)
        return self._plans[goal] if goal in self._alive else None

    def where(self, goal: Goal) -> str:
        """A place of the schema for a goal."""
        return self._where(goal)

    def json(self, goal: Goal, kind: Kind) -> ir.Expr:
        """The JSON texts of the values of one kind."""
        plan = self.plan(goal)
        if plan is None:
            return ir.EMPTY
        wanted = {"array": list, "object": dict}.get(kind)
        values = tuple(item for item in plan.values if wanted is not None and isinstance(item[1], wanted))
        only = Plan(
            null=plan.null and kind == "null",
            booleans=plan.booleans if kind == "boolean" else (),
            string=plan.string if kind == "string" else None,
            number=plan.number if kind == "number" else None,
            arrays=plan.arrays if kind == "array" else (),
            objects=plan.objects if kind == "object" else (),
            values=values,
        )
        return self._entered(only)

    def constants(self, goal: Goal) -> ir.Expr:
        """The JSON texts of arrays and objects that are listed as constants."""
        plan = self.plan(goal)
        if plan is None or not plan.values:
            return ir.EMPTY
        return self._entered(Plan(values=plan.values))

    def _entered(self, plan: Plan) -> ir.Expr:
        """The texts of a plan; a rule where there are objects, as the automaton keeps keys in frames."""
        body = self._body(plan)
        if isinstance(body, ir.Empty) or not (plan.arrays or plan.objects or plan.values):
            return body
        rule = ir.Rule("value")
        rule.define(body)
        return ir.Ref(rule)

    def text(self, goal: Goal) -> tuple[ir.Expr, bool] | None:
        """The strings of a goal as they are, in UTF-8, and whether they are all strings; None: no strings."""
        plan = self.plan(goal)
        if plan is None or plan.string is None:
            return None
        return self.names(plan.string), simplify(plan.string) == EVERYTHING

    def names(self, formula: Formula) -> ir.Expr:
        """The strings of a formula as they are, in UTF-8."""
        return utf8(string_characters(formula))

    def objects(self, goal: Goal) -> Iterator[ObjectPlan]:
        """Objects that are not constants."""
        plan = self.plan(goal)
        for item in plan.objects if plan is not None else ():
            self._planned_all(goal for member in item.declared for goal, _ in member.values)
            self._planned_all(goal for group in item.classes for goal, _ in group.values)
            self._planned_all(goal for goal, _ in item.others)
            kept = cut_object(item, self._alive)
            if kept is not None:
                yield kept

    def arrays(self, goal: Goal) -> Iterator[ArrayPlan]:
        """Arrays that are not constants."""
        plan = self.plan(goal)
        for item in plan.arrays if plan is not None else ():
            self._planned_all(goal for ways in (*item.prefix, item.rest) for goal, _ in ways)
            kept = cut_array(item, self._alive)
            if kept is not None:
                yield kept

    def _planned_all(self, goals: Iterator[Goal]) -> None:
        for goal in list(goals):
            self.plan(goal)

    def finish(self) -> None:
        """Define what is still open.

        Raises
        ------
        UnsupportedError
            If something would be left to a residual predicate.
        """
        self._define()
        for place in self._planner.open:
            raise UnsupportedError(
                place.pointer, f"{place.keyword} is not enforced here: {place.reason}", "take the keyword out"
            )


def written(
    schema: object, write: Callable[[Parts], ir.Expr], *, ordered: bool, whitespace: str | int
) -> ir.Expr:
    """What `write` makes of a schema's parts, with as much told apart as can be.

    Parameters
    ----------
    schema : dict or bool
    write : callable
        Makes an expression; may be asked more than once.
    ordered : bool
        Whether declared keys have an order.
    whitespace : str or int
        As `gramspec.json_schema` takes it, for JSON inside.

    Raises
    ------
    GrammarError
        If the schema is malformed or has no value; the JSON pointer says where.
    UnsupportedError
        If something would be left to a residual predicate.
    """
    layout = Layout(gap_of(whitespace), "schema" if ordered else "any")
    documents = Documents(load(schema), None, None)
    logic = Logic(Schemas(documents, Nodes(), formats=True, ordered=ordered))
    root = logic.schemas.at(documents.root)
    try:
        for effort in EFFORTS:
            planner = Planner(logic, ordered=ordered, effort=effort)
            try:
                parts = Parts(planner, layout, planner.goal(root))
                expr = write(parts)
                parts.finish()
                return expr
            except TooMuchWork:
                continue
    except RecursionError as error:
        raise GrammarError("", "sub-schemas for one value, or references, nest too deeply") from error
    raise AssertionError("the least effort always ends")
