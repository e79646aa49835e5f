"""Expressions in scope: columns, aggregates, windows, and the widths of row values and sub-queries.

Law: every name of an expression leads to one thing; what is not known of sqlglot's tree is refused.
Source: as `scope_names`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from sqlglot import exp

from gramspec.grammar.sql.scope_names import Frame, Rules, ScopeError, find, identifier

_AGGREGATES: Final = frozenset(
    {
        *("avg", "count", "group_concat", "max", "min", "sum"),
        *("total", "json_group_array", "json_group_object", "string_agg", "array_agg", "bool_and"),
        *("bool_or", "every", "json_agg", "jsonb_agg", "json_object_agg", "stddev"),
        *("stddev_pop", "stddev_samp", "variance", "var_pop", "var_samp", "bit_and"),
        *("bit_or", "bit_xor", "corr", "json_arrayagg", "json_objectagg", "any_value"),
        *("std", "median"),
    }
)
_SCALAR_OF_MANY: Final = frozenset({"max", "min"})  # in SQLite: aggregates of one argument, functions of more
_COMPARISONS: Final = (
    exp.EQ,
    exp.NEQ,
    exp.LT,
    exp.LTE,
    exp.GT,
    exp.GTE,
    exp.Is,
    exp.NullSafeEQ,
    exp.NullSafeNEQ,
)
_LEAVES: Final = (
    exp.Literal,
    exp.Null,
    exp.Boolean,
    exp.DataType,
    exp.HexString,
    exp.BitString,
    exp.Var,
    exp.Placeholder,
    exp.Parameter,
    exp.CurrentDate,
    exp.CurrentTime,
    exp.CurrentTimestamp,
    exp.JSONPath,
)
_SPECIAL: Final = (*_COMPARISONS, exp.Collate, exp.Dot)
_QUERIES: Final = (exp.Select, exp.SetOperation, exp.Values)


class Expressions:
    """Reads expressions; what a query is, is told by a subclass.

    Parameters
    ----------
    rules : Rules
        Of the dialect.
    """

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self._referred: list[set[int]] = []  # frames that the arguments of the aggregates being read refer to

    def width(self, node: Any, frame: Frame | None) -> int:
        """How many columns a query in an expression has."""
        raise NotImplementedError

    def table_width(self, node: Any) -> int:
        """How many columns a table has that stands right of IN."""
        raise NotImplementedError

    def scalar(self, node: Any, frame: Frame) -> None:
        """Read an expression that has one column.

        Raises
        ------
        ScopeError
            If it has more, or a name in it leads nowhere or to two things.
        """
        width = self.expression(node, frame)
        if width != 1:
            raise ScopeError(f"{width} columns stand where one belongs")

    def expression(self, node: Any, frame: Frame) -> int:
        """Read an expression; how many columns it has."""
        if isinstance(node, _LEAVES):
            return 1
        if isinstance(node, exp.Column):
            self._column(node, frame)
            return 1
        if isinstance(node, exp.Paren):
            return self.expression(node.this, frame)
        if isinstance(node, exp.Subquery):
            return self.width(node, frame)
        if isinstance(node, _QUERIES):
            return self.width(node, frame)
        if isinstance(node, exp.Tuple):
            for part in node.expressions:
                self.scalar(part, frame)
            return len(node.expressions)
        if isinstance(node, _COMPARISONS):
            return self._same(frame, node.this, node.expression)
        if isinstance(node, exp.Between):
            return self._same(frame, node.this, node.args["low"], node.args["high"])
        if isinstance(node, exp.In):
            return self._in(node, frame)
        if isinstance(node, exp.Exists):
            self.width(node.this, frame)
            return 1
        if isinstance(node, exp.Window):
            self.window(node, frame)
            return 1
        if isinstance(node, exp.Filter):
            return self._function(node.this, frame, node)
        if isinstance(node, exp.Anonymous):
            return self._function(node, frame, None)
        if isinstance(node, exp.Collate):
            return self.expression(node.this, frame)
        if isinstance(node, exp.Order):
            self._each([node], frame)
            return 1
        if isinstance(node, exp.Distinct):
            for part in node.expressions:
                self.scalar(part, frame)
            return 1
        return self._others(node, frame)

    def _others(self, node: Any, frame: Frame) -> int:
        if isinstance(node, (exp.Identifier, exp.Table, exp.Star, exp.Alias, exp.Command, exp.Dot)):
            raise ScopeError(f"{node.sql()[:40]!r} is not known here")
        # A chain of operators leans to the left: walked along, so that its length is no depth.
        while isinstance(node, exp.Binary) and not isinstance(node, _COMPARISONS):
            self.scalar(node.expression, frame)
            node = node.this
            if not isinstance(node, exp.Binary) or isinstance(node, _SPECIAL):
                self.scalar(node, frame)
                return 1
        for part in parts_of(node):
            self.scalar(part, frame)
        return 1

    def _column(self, node: Any, frame: Frame) -> None:
        if not isinstance(node.this, exp.Identifier) or node.args.get("catalog"):
            raise ScopeError(f"{node.sql()[:40]!r} is not known here")
        rules = self.rules
        if rules.dialect == "sqlite" and node.name[:1] == "$" and not node.this.args.get("quoted"):
            return  # a parameter
        table, database = node.args.get("table"), node.args.get("db")
        found = find(
            frame, identifier(node.this, rules), identifier(table, rules), identifier(database, rules)
        )
        for frames in self._referred:
            frames.add(id(found.frame))

    def _same(self, frame: Frame, *nodes: Any) -> int:
        widths = {self.expression(node, frame) for node in nodes}
        if len(widths) > 1:
            raise ScopeError(f"{' and '.join(map(str, sorted(widths)))} columns are compared")
        return 1

    def _in(self, node: Any, frame: Frame) -> int:
        width = self.expression(node.this, frame)
        query, table, listed = node.args.get("query"), node.args.get("field"), node.expressions
        if query is not None:
            other = self.width(query, frame)
        elif table is not None:
            other = self.table_width(table)
        elif len(listed) == 1 and isinstance(listed[0], _QUERIES):
            other = self.width(listed[0], frame)
        elif listed or not node.args.get("unnest"):
            rows = [self.expression(one, frame) for one in listed]
            if self.rules.dialect == "sqlite":
                other = 1 if all(one == 1 for one in rows) else 0
            else:
                other = width if all(one == width for one in rows) else 0
        else:
            raise ScopeError("what stands right of IN is not known")
        if width != other:
            raise ScopeError(f"{width} columns stand left of IN and {other or 'others'} right of it")
        return 1

    def _function(self, node: Any, frame: Frame, filtered: Any) -> int:
        if not isinstance(node, exp.Anonymous):
            if filtered is not None:
                self.scalar(filtered.expression.this, frame)
            return self.expression(node, frame)
        name = str(node.name).lower()
        arguments = [one for one in node.expressions if not isinstance(one, exp.Star)]
        aggregate = name in _AGGREGATES and not (
            self.rules.dialect == "sqlite" and name in _SCALAR_OF_MANY and len(arguments) > 1
        )
        parts = [*arguments, filtered.expression.this] if filtered is not None else arguments
        if not aggregate:
            self._each(parts, frame)
            return 1
        if not self.rules.strict_aggregates:
            self._each(parts, frame)
            frame.met_aggregates += 1
            return 1
        if not frame.aggregates_allowed:
            raise ScopeError(f"the aggregate {name} cannot stand there")
        frame.aggregates_allowed = False
        self._referred.append(set())
        self._each(parts, frame)
        referred = self._referred.pop()
        frame.aggregates_allowed = True
        owner: Frame | None = frame
        while owner is not None and referred and id(owner) not in referred:
            owner = owner.outer
        owner = owner or frame
        if owner is not frame and not owner.aggregates_allowed:
            raise ScopeError(f"the aggregate {name} belongs to a query around, where it cannot stand")
        owner.met_aggregates += 1
        return 1

    def _each(self, parts: Iterable[Any], frame: Frame) -> None:
        for part in parts:
            if isinstance(part, exp.Order):
                for ordered in part.expressions:
                    self.scalar(ordered.this, frame)
                if part.this is not None:
                    self.scalar(part.this, frame)
            else:
                self.scalar(part, frame)

    def window_names(self, windows: Iterable[Any]) -> set[str]:
        """The names of a WINDOW clause."""
        return {identifier(window.this, self.rules) for window in windows}

    def window(self, node: Any, frame: Frame) -> None:
        """Read a window function, or a window of the WINDOW clause."""
        base = node.args.get("alias")
        if base is not None and identifier(base, self.rules) not in frame.windows:
            raise ScopeError(f"there is no window {base.name}")
        call = node.this
        if isinstance(call, (exp.IgnoreNulls, exp.RespectNulls)):
            call = call.this
        if call is not None and not isinstance(call, exp.Identifier):
            filtered = call if isinstance(call, exp.Filter) else None
            call = call.this if filtered is not None else call
            parts = [filtered.expression.this] if filtered is not None else []
            if isinstance(call, exp.Anonymous):
                parts += [one for one in call.expressions if not isinstance(one, exp.Star)]
            else:
                parts += list(parts_of(call))
            self._each(parts, frame)
        for part in node.args.get("partition_by") or ():
            self.scalar(part, frame)
        order = node.args.get("order")
        for ordered in order.expressions if order is not None else ():
            self.scalar(ordered.this, frame)
        spec = node.args.get("spec")
        if spec is not None:
            for bound in (spec.args.get("start"), spec.args.get("end")):
                if isinstance(bound, exp.Expression):
                    self.scalar(bound, frame)

    def key(self, node: Any, frame: Frame) -> object:
        """Equal for expressions that are written alike, by what their names lead to."""
        while isinstance(node, (exp.Paren, exp.Collate)):
            node = node.this
        if isinstance(node, exp.Column) and isinstance(node.this, exp.Identifier):
            rules = self.rules
            parts = (node.this, node.args.get("table"), node.args.get("db"))
            found = find(frame, *(identifier(part, rules) for part in parts))
            if found.output is not None:
                return self.key(found.output.node, frame)
            return id(found.source), found.name
        parts_key: list[object] = [type(node).__name__]
        for name, value in sorted(node.args.items()):
            if isinstance(value, exp.Expression):
                parts_key.append((name, self.key(value, frame)))
            elif isinstance(value, list):
                parts_key.append(
                    (name, *(self.key(v, frame) if isinstance(v, exp.Expression) else v for v in value))
                )
            elif value is not None and value is not False:
                parts_key.append((name, value.lower() if isinstance(node, exp.Anonymous) else value))
        return tuple(parts_key)


def parts_of(node: Any) -> Iterator[Any]:
    """The expressions right below a node."""
    for value in node.args.values():
        for one in value if isinstance(value, list) else (value,):
            if isinstance(one, exp.Expression):
                yield one


def is_one_of(term: Any, width: int, clause: str) -> int | None:
    """The column that a whole number names, from 0; None if the term is none.

    Raises
    ------
    ScopeError
        If there is no such column.
    """
    sign = 1
    while isinstance(term, (exp.Neg, exp.Paren)):
        sign = -sign if isinstance(term, exp.Neg) else sign
        term = term.this
    if not isinstance(term, exp.Literal) or term.is_string or not str(term.this).isdecimal():
        return None
    number = sign * int(term.this)
    if abs(number) >= 1 << 31:
        return None
    if not 1 <= number <= width:
        raise ScopeError(f"{clause} {number} is out of range: there are {width} columns")
    return number - 1
