"""Common table expressions in scope, recursive ones too.

Law: one that reads itself does so as SQLite allows: in the last parts of a UNION, once in each FROM clause.
Source: https://www.sqlite.org/lang_with.html; the tree is sqlglot's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlglot import exp

from gramspec.grammar.sql.scope_expressions import Expressions
from gramspec.grammar.sql.scope_names import Frame, Output, Rules, ScopeError, identifier


@dataclass(slots=True, eq=False)
class Ctes:
    """The common table expressions that can be named, the inner ones first."""

    named: dict[str, list[str]] = field(default_factory=dict)
    outer: Ctes | None = None

    def columns(self, name: str) -> list[str] | None:
        """The columns of one; None if there is none of that name."""
        level: Ctes | None = self
        while level is not None:
            if name in level.named:
                return level.named[name]
            level = level.outer
        return None


@dataclass(slots=True, eq=False)
class Arm:
    """One SELECT or VALUES of a query: its names and its result columns."""

    frame: Frame
    outputs: list[Output]


class CommonTables(Expressions):
    """Reads WITH clauses; what a query is, is told by a subclass.

    Parameters
    ----------
    rules : Rules
        Of the dialect.
    """

    def __init__(self, rules: Rules) -> None:
        super().__init__(rules)
        self.ctes = Ctes()

    def query(self, node: Any, outer: Frame | None) -> list[Output]:
        """The result columns of a query."""
        raise NotImplementedError

    def arm(self, node: Any, outer: Frame | None) -> Arm:
        """One part of a set operation."""
        raise NotImplementedError

    def same_width(self, arms: list[Arm]) -> None:
        """Refuse a set operation whose parts have different widths."""
        raise NotImplementedError

    def ends(self, arms: list[Arm], node: Any, outer: Frame | None, compound: bool) -> None:
        """ORDER BY, LIMIT and OFFSET of a query."""
        raise NotImplementedError

    def with_clause(self, node: Any, outer: Frame | None) -> None:
        """Make the common table expressions of a statement known."""
        clause = node.args.get("with_")
        if clause is None:
            return
        level = Ctes(outer=self.ctes)
        self.ctes = level
        waiting: dict[str, Any] = {}
        for cte in clause.expressions:
            name = identifier(cte.args["alias"].this, self.rules)
            if name in waiting:
                raise ScopeError(f"there are two common table expressions {name}")
            waiting[name] = cte
        for name, cte in waiting.items():
            level.named[name] = self._cte(name, cte, outer, level)

    def _cte(self, name: str, cte: Any, outer: Frame | None, level: Ctes) -> list[str]:
        given = [identifier(column, self.rules) for column in cte.args["alias"].columns]
        arms = arms_of(cte.this) if isinstance(cte.this, exp.SetOperation) else [cte.this]
        recursive = len(arms)
        while recursive > 1 and self._takes(arms[recursive - 1], name) and _is_union(arms[recursive - 1]):
            recursive -= 1
        if recursive == len(arms):
            outputs = self.query(cte.this, outer)
            return self._names(name, given, outputs)
        # The first arms say what the columns are, the others may read them.
        before = self.ctes
        self.with_clause(cte.this, outer)
        read = [self.arm(arm, outer) for arm in arms[:recursive]]
        self.same_width(read)
        level.named[name] = self._names(name, given, read[0].outputs)
        for arm in arms[recursive:]:
            reading = self.arm(arm, outer)
            if self._count(arm, name) > 1:
                raise ScopeError(f"{name} reads itself more than once")
            if self.rules.strict_aggregates and (reading.frame.met_aggregates or arm.args.get("group")):
                raise ScopeError(f"{name} reads itself with an aggregate")
            read.append(reading)
        self.same_width(read)
        self.ends(read, cte.this, outer, True)
        self.ctes = before
        return level.named[name]

    def _names(self, name: str, given: list[str], outputs: list[Output]) -> list[str]:
        if given and len(given) != len(outputs):
            raise ScopeError(f"{name} has {len(outputs)} columns and {len(given)} names for them")
        return given or [output.name for output in outputs]

    def _takes(self, arm: Any, name: str) -> bool:
        return self._count(arm, name) > 0

    def _count(self, arm: Any, name: str) -> int:
        """How often the FROM clause of an arm names the table itself."""
        if not isinstance(arm, exp.Select):
            return 0
        joins = list(arm.args.get("joins") or ())
        items = [arm.args["from_"].this] if arm.args.get("from_") else []
        count = 0
        while items or joins:
            item = items.pop() if items else joins.pop().this
            if isinstance(item, exp.Table):
                joins += item.args.get("joins") or ()
                own = isinstance(item.this, exp.Identifier) and not item.args.get("db")
                count += own and identifier(item.this, self.rules) == name
            elif isinstance(item, exp.Subquery) and isinstance(item.this, exp.Table):
                items.append(item.this)
        return count


def arms_of(node: Any) -> list[Any]:
    """The queries that a chain of set operations joins, from left to right."""
    found: list[Any] = []
    while True:
        if isinstance(node, exp.SetOperation):
            found.append(node.expression)
            node = node.this
        elif isinstance(node, exp.Subquery) and isinstance(node.this, exp.SetOperation) and not node.alias:
            node = node.this
        else:
            found.append(node)
            return found[::-1]


def _is_union(arm: Any) -> bool:
    parent = arm.parent
    return isinstance(parent, exp.Union)
