"""Parameters of a tool call in a notation that is not JSON, from a JSON Schema.

Law: the texts are the objects that satisfy the schema, written in the style: strings as they are (free of
what ends them), other values as JSON. Declared parameters come once, in order or in any; undeclared ones come
after them, under names that the style allows, and may be repeated.
Source: `gramspec.grammar.tags.xml_styles`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from gramspec.errors import GrammarError, UnsupportedError
from gramspec.grammar import ir
from gramspec.grammar.encoding import UTF8_TEXT, utf8
from gramspec.grammar.json_schema.nodes import Goal
from gramspec.grammar.json_schema.objects import ObjectPlan
from gramspec.grammar.json_schema.parts import Kind, Parts, written
from gramspec.grammar.json_schema.ways import Alternatives
from gramspec.grammar.regex import parse_regex
from gramspec.grammar.tags.excluding import excluding
from gramspec.grammar.tags.text import free_text
from gramspec.grammar.tags.xml_styles import Style

_SPACE: Final = ir.byte_set(b" \n\r\t")
_MOST_STATES: Final = 5_000
_INTEGER: Final = utf8(parse_regex("-?(?:0|[1-9][0-9]*)", "ecma"))
_KINDS: Final[tuple[Kind, ...]] = ("null", "boolean", "number", "array", "object")


def parameters(
    schema: object,
    style: Style,
    *,
    any_order: bool = False,
    most_space: int | None = None,
    excludes: Sequence[bytes] = (),
) -> ir.Expr:
    """The parameters of a call.

    Parameters
    ----------
    schema : dict or bool
        Of the object of all parameters.
    style : Style
    any_order : bool
        Whether declared parameters may come in any order.
    most_space : int, optional
        Bound on white space in one place.
    excludes : sequence of bytes
        What no string and no key may hold, as it is written.

    Raises
    ------
    GrammarError
        If the schema is malformed, or allows no object.
    UnsupportedError
        For conditions on members and what only a residual predicate could enforce.
    """

    def write(parts: Parts) -> ir.Expr:
        space = ir.repeat(_SPACE, 0, most_space)
        writer = _Writer(parts, style, space, tuple(excludes), ordered=not any_order)
        return writer.whole()

    return written(
        schema, write, ordered=not any_order, whitespace="any" if most_space is None else most_space
    )


@dataclass(slots=True)
class _Writer:
    parts: Parts
    style: Style
    space: ir.Expr
    excludes: tuple[bytes, ...]
    ordered: bool
    _rules: dict[tuple[str, Goal], ir.Rule] = field(default_factory=dict)
    _pending: list[tuple[ir.Rule, Callable[[Goal], ir.Expr], Goal]] = field(default_factory=list)

    def whole(self) -> ir.Expr:
        root = self.parts.root
        members = self._members(root)
        if isinstance(members, ir.Empty):
            reason = f"the style {self.style.name!r} writes objects, and no object satisfies this schema"
            raise GrammarError(self.parts.where(root), reason, "the parameters of a call are an object")
        while self._pending:
            rule, make, goal = self._pending.pop()
            rule.define(make(goal))
        return members

    # -- values ---------------------------------------------------------------------------------

    def _spaced(self, value: ir.Expr) -> ir.Expr:
        return ir.concat(self.space, value, self.space)

    def _text(self, goal: Goal) -> tuple[ir.Expr, bool] | None:
        """The strings of a goal that do not end the value early, and whether they are all such strings."""
        found = self.parts.text(goal)
        if found is None:
            return None
        strings, free = found
        stop = (self.style.stop or self.style.end).encode()
        plain = free_text([stop, *self.excludes])
        return (plain, True) if free else (ir.And((strings, plain)), False)

    def _json(self, goal: Goal, kind: Kind) -> ir.Expr:
        return excluding(self.parts.json(goal, kind), self.excludes)

    def _raw(self, goal: Goal) -> ir.Expr:
        """Strings; white space may stand around them unless it is theirs anyway."""
        found = self._text(goal)
        if found is None:
            return ir.EMPTY
        return found[0] if found[1] else self._spaced(found[0])

    def _value(self, goal: Goal) -> ir.Expr:
        """What stands between the end of the key and the end of the parameter."""
        kinds = {kind: self._json(goal, kind) for kind in _KINDS}
        match self.style.kind:
            case "plain":
                head = ir.concat(self.space, _text(self.style.value)) if self.style.value else ir.EPSILON
                return ir.concat(head, ir.union(self._raw(goal), self._spaced(ir.union(*kinds.values()))))
            case "string flag":
                found = self._text(goal)
                strings = ir.EMPTY if found is None else found[0]
                return ir.union(
                    ir.concat(_text(' string="true">'), strings),
                    ir.concat(_text(' string="false">'), self._spaced(ir.union(*kinds.values()))),
                )
            case "type":
                return self._typed(goal, kinds)
            case "wrapped":
                return self._wrapped(goal, kinds)
            case "nested":
                return self._nested(goal, kinds)

    def _typed(self, goal: Goal, kinds: dict[Kind, ir.Expr]) -> ir.Expr:
        """Each kind under its own type; integers may be called so where the type is not told otherwise."""
        found = self._text(goal)
        several = (found is not None) + sum(not isinstance(expr, ir.Empty) for expr in kinds.values()) > 1
        values: dict[str, ir.Expr] = {name: self._spaced(expr) for name, expr in kinds.items()}
        values["string"] = self._raw(goal)
        if several and not isinstance(kinds["number"], ir.Empty):
            values["integer"] = self._spaced(ir.And((_without_calls(kinds["number"]), _INTEGER)))
        return ir.union(
            *(ir.concat(_text(f' type="{name}"<|sep|>'), expr) for name, expr in sorted(values.items()))
        )

    def _wrapped(self, goal: Goal, kinds: dict[Kind, ir.Expr]) -> ir.Expr:
        scalars = ir.union(
            kinds["null"],
            kinds["boolean"],
            kinds["number"],
            excluding(self.parts.constants(goal), self.excludes),
        )
        values = {
            "raw": self._raw(goal),
            "json": self._spaced(scalars),
            "dict": self._spaced(self._shared("members", self._members, goal)),
            "list": self._spaced(self._shared("items", self._items, goal)),
        }
        return ir.union(*(ir.concat(_text(f' type="{name}">'), expr) for name, expr in values.items()))

    def _nested(self, goal: Goal, kinds: dict[Kind, ir.Expr]) -> ir.Expr:
        if not goal:
            reason = f"a value without a schema cannot be written in the style {self.style.name!r}"
            raise UnsupportedError(self.parts.where(goal), reason, "say its type")
        found = self._text(goal)
        return ir.union(
            ir.EMPTY if found is None else found[0],
            kinds["null"],
            kinds["boolean"],
            kinds["number"],
            self.parts.constants(goal),
            self._shared("members", self._members, goal),
            self._shared("items", self._items, goal),
        )

    def _shared(self, name: str, make: Callable[[Goal], ir.Expr], goal: Goal) -> ir.Expr:
        """A rule of a goal: values may hold values of the same goal."""
        plan = self.parts.plan(goal)
        if plan is None or not (plan.objects if name == "members" else plan.arrays):
            return ir.EMPTY
        rule = self._rules.get((name, goal))
        if rule is None:
            rule = self._rules[name, goal] = ir.Rule(name)
            self._pending.append((rule, make, goal))
        return ir.Ref(rule)

    def _items(self, goal: Goal) -> ir.Expr:
        """The items of an array, each in a parameter without a name."""
        found: list[ir.Expr] = []
        for plan in self.parts.arrays(goal):
            if plan.counters:
                reason = f"conditions on items cannot be written in the style {self.style.name!r}"
                raise UnsupportedError(self.parts.where(goal), reason, "take 'contains' out")
            expr = ir.EPSILON if plan.most is not None and plan.most <= len(plan.prefix) else self._rest(plan)
            for index in reversed(
                range(len(plan.prefix) if plan.most is None else min(plan.most, len(plan.prefix)))
            ):
                expr = ir.concat(self._item(plan.prefix[index]), expr)
                if plan.least <= index:
                    expr = ir.optional(expr)
            found.append(expr)
        items = ir.union(*found)
        return ir.concat(items, self.space) if self.style.kind == "nested" else items

    def _rest(self, plan: Any) -> ir.Expr:
        first = len(plan.prefix)
        most = None if plan.most is None else plan.most - first
        return ir.repeat(self._item(plan.rest), max(0, plan.least - first), most)

    def _item(self, ways: Alternatives) -> ir.Expr:
        value = self._ways(ways)
        if self.style.kind == "nested":
            return ir.concat(self.space, _text("]<]minimax[>[<item>"), value, _text("]<]minimax[>[</item>"))
        return ir.concat(_text("<cofl:value"), value, _text(self.style.end))

    def _ways(self, ways: Alternatives) -> ir.Expr:
        return ir.union(*(self._value(goal) for goal, _ in ways))

    # -- members --------------------------------------------------------------------------------

    def _members(self, goal: Goal) -> ir.Expr:
        return ir.union(*(self._object(plan, goal) for plan in self.parts.objects(goal)))

    def _object(self, plan: ObjectPlan, goal: Goal) -> ir.Expr:
        if plan.marks:
            reason = f"conditions between parameters cannot be written in the style {self.style.name!r}"
            raise UnsupportedError(self.parts.where(goal), reason, "write the alternatives out with anyOf")
        declared = [
            (self._parameter(_text(self.style.key(member.name)), member.values), member.required)
            for member in plan.declared
        ]
        others = self._others(plan, goal)
        body = _Sequence(declared, others, plan.least, plan.most, ordered=self.ordered).expr()
        return ir.concat(body, self.space)

    def _others(self, plan: ObjectPlan, goal: Goal) -> ir.Expr:
        """Parameters that are not declared."""
        style = self.style
        if not style.names:
            if plan.classes or any(way for way, _ in plan.others):
                reason = f"the style {style.name!r} has no parameters that are not declared"
                raise UnsupportedError(
                    self.parts.where(goal), reason, "take additionalProperties and patternProperties out"
                )
            return ir.EMPTY
        names = utf8(parse_regex(style.names, "ecma"))
        if self.excludes:
            names = ir.And((names, free_text(self.excludes)))
        taken = [ir.literal(style.key(member.name)) for member in plan.declared]
        free = ir.And((names, ir.Not(ir.union(*taken)))) if taken else names
        found = []
        for group in plan.classes:
            # Names with entities belong to no class: the class is of names as they are.
            members = ir.And((free, self.parts.names(group.names), free_text([b"&"])))
            found.append(self._parameter(members, group.values))
        if plan.others:
            groups = [ir.Not(self.parts.names(group.names)) for group in plan.classes]
            key = ir.And((free, *groups)) if groups else free
            found.append(self._parameter(key, plan.others))
        return ir.union(*found)

    def _parameter(self, key: ir.Expr, ways: Alternatives) -> ir.Expr:
        style = self.style
        value = self._ways(ways)
        head = ir.concat(self.space, _text(style.before), key, _text(style.after))
        if style.kind == "nested":
            return ir.concat(head, value, _text(style.end), key, _text(">"))
        return ir.concat(head, value, _text(style.end))


@dataclass(slots=True)
class _Sequence:
    """Members one after another: declared ones once, others any number of times."""

    declared: Sequence[tuple[ir.Expr, bool]]
    others: ir.Expr
    least: int
    most: int | None
    ordered: bool
    _made: dict[tuple[int, int], ir.Expr] = field(default_factory=dict)

    def expr(self) -> ir.Expr:
        cap = max(self.least, self.most or 0)
        return self._from(0, 0, cap)

    def _from(self, state: int, count: int, cap: int) -> ir.Expr:
        """What follows: `state` is a place in the order, or the set of those written; `count` all of them."""
        known = self._made.get((state, count))
        if known is None:
            if len(self._made) > _MOST_STATES:
                raise UnsupportedError(
                    "",
                    f"the parameters in any order have more than {_MOST_STATES} states",
                    "give them an order",
                )
            full = self.most is not None and count >= self.most
            parts = [] if full else [
                ir.concat(self.declared[index][0], self._from(after, min(count + 1, cap), cap))
                for index, after in self._next(state)
            ]  # fmt: skip
            if self._may_end(state):
                more = None if self.most is None else self.most - count
                parts.append(ir.repeat(self.others, max(0, self.least - count), more))
            if not self.ordered and not isinstance(self.others, ir.Empty) and parts:
                known = self._mixed(parts, state, count, cap)
            else:
                known = ir.union(*parts)
            self._made[state, count] = known
        return known

    def _mixed(self, parts: list[ir.Expr], state: int, count: int, cap: int) -> ir.Expr:
        """Others between declared ones."""
        if cap:
            raise UnsupportedError(
                "",
                "undeclared parameters in any order cannot be counted",
                "take minProperties and maxProperties out",
            )
        return ir.concat(ir.repeat(self.others), ir.union(*parts))

    def _next(self, state: int) -> Iterable[tuple[int, int]]:
        if not self.ordered:
            return [(i, state | 1 << i) for i in range(len(self.declared)) if not state >> i & 1]
        found = []
        for index in range(state, len(self.declared)):
            found.append((index, index + 1))
            if self.declared[index][1]:
                break
        return found

    def _may_end(self, state: int) -> bool:
        if self.ordered:
            return not any(required for _, required in self.declared[state:])
        return all(state >> index & 1 for index, (_, required) in enumerate(self.declared) if required)


def _text(text: str) -> ir.Expr:
    return ir.literal(text)


def _without_calls(expr: ir.Expr) -> ir.Expr:
    """A regular expression that may be intersected."""
    return ir.And((expr, UTF8_TEXT))
