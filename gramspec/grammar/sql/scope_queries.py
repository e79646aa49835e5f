"""Queries in scope: FROM clauses, result columns, set operations and common table expressions.

Law: every name of a query that is read leads to one thing, and every sub-query has the width of its place.
Source: as `scope_names`; the tree is sqlglot's.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from sqlglot import exp

from gramspec.grammar.sql.scope_ctes import Arm, CommonTables, arms_of
from gramspec.grammar.sql.scope_expressions import is_one_of
from gramspec.grammar.sql.scope_names import (
    Frame,
    Output,
    Rules,
    ScopeError,
    Source,
    Tables,
    find,
    identifier,
    source_of,
)

_SELECT: Final = frozenset(
    {
        *(
            "with_",
            "expressions",
            "distinct",
            "from_",
            "joins",
            "where",
            "group",
            "having",
            "windows",
            "order",
        ),
        *("limit", "offset", "operation_modifiers"),
    }
)
_TABLE: Final = frozenset(["this", "alias", "db", "joins"])
_SUBQUERY: Final = frozenset(["this", "alias", "with_", "order", "limit", "offset", "joins"])
_MOST_COLUMNS: Final = 100_000
_MOST_JOINED, _MOST_OUTPUTS = 64, 2_000  # SQLite's own limits
_MOST_SOURCES: Final = 1_000


class Queries(CommonTables):
    """Reads queries.

    Parameters
    ----------
    tables : Tables
        Of the schema.
    rules : Rules
        Of the dialect.
    """

    def __init__(self, tables: Tables, rules: Rules) -> None:
        super().__init__(rules)
        self.tables = tables
        self._columns = 0

    def query(self, node: Any, outer: Frame | None) -> list[Output]:
        """The result columns of a query.

        Raises
        ------
        ScopeError
            If a name in it leads nowhere or to two things, or widths differ.
        """
        before = self.ctes
        try:
            self.with_clause(node, outer)
            if isinstance(node, exp.Subquery):
                self.refuse_others(node, _SUBQUERY)
                if node.args.get("joins"):
                    raise ScopeError("a join in parentheses is no query")
                outputs = self.query(node.this, outer)
                if node.args.get("order") or node.args.get("limit") or node.args.get("offset"):
                    self.ends([Arm(Frame(self.rules, outer=outer), outputs)], node, outer, True)
                return outputs
            if isinstance(node, exp.SetOperation):
                arms = [self.arm(arm, outer) for arm in arms_of(node)]
                self.same_width(arms)
                self.ends(arms, node, outer, True)
                return arms[0].outputs
            if isinstance(node, exp.Values):
                return self._values(node, outer)
            if not isinstance(node, exp.Select):
                raise ScopeError(f"a {type(node).__name__} is no query")
            return self._select(node, outer).outputs
        finally:
            self.ctes = before

    def width(self, node: Any, frame: Frame | None) -> int:
        """How many columns a query in an expression has."""
        return len(self.query(node, frame))

    def table_width(self, node: Any) -> int:
        """How many columns a table has that stands right of IN."""
        node = node.this if isinstance(node, exp.Column) and not node.table else node
        if isinstance(node, exp.Identifier):
            name = identifier(node, self.rules)
            return len(self.named_table(name, "", name).columns)
        raise ScopeError("right of IN stands neither a list, nor a query, nor a table")

    def same_width(self, arms: list[Arm]) -> None:
        """Refuse a set operation whose parts have different widths."""
        widths = {len(arm.outputs) for arm in arms}
        if len(widths) > 1:
            raise ScopeError(
                f"the parts of a set operation have {', '.join(map(str, sorted(widths)))} columns"
            )

    def arm(self, node: Any, outer: Frame | None) -> Arm:
        """One part of a set operation, or a query that is none."""
        if isinstance(node, exp.Subquery):
            return Arm(Frame(self.rules, outer=outer), self.query(node, outer))
        if isinstance(node, exp.Values):
            return Arm(Frame(self.rules, outer=outer), self._values(node, outer))
        if not isinstance(node, exp.Select):
            raise ScopeError(f"a {type(node).__name__} is no query")
        before = self.ctes
        self.with_clause(node, outer)
        try:
            return self._select(node, outer)
        finally:
            self.ctes = before

    def _values(self, node: Any, outer: Frame | None) -> list[Output]:
        widths = set()
        frame = Frame(self.rules, outer=outer)
        for row in node.expressions:
            cells = row.expressions if isinstance(row, exp.Tuple) else [row]
            widths.add(len(cells))
            for cell in cells:
                self.scalar(cell, frame)
        if len(widths) != 1:
            raise ScopeError("the rows of VALUES have different widths")
        pattern = "column_{}" if self.rules.dialect == "mysql" else "column{}"
        first = 0 if self.rules.dialect == "mysql" else 1
        return [Output(pattern.format(first + number)) for number in range(widths.pop())]

    def _select(self, node: Any, outer: Frame | None) -> Arm:
        self.refuse_others(node, _SELECT)
        frame = Frame(self.rules, outer=outer)
        conditions = self.sources(node, frame, outer)
        frame.windows = self.window_names(node.args.get("windows") or ())
        frame.aggregates_allowed = True
        outputs = self.outputs(node.expressions, frame)
        group, having = node.args.get("group"), node.args.get("having")
        aggregated = bool(group) or frame.met_aggregates > 0
        for output in reversed(outputs):
            if output.name and output.alias:
                frame.aliases[output.name] = output
        for window in node.args.get("windows") or ():
            self.window(window, frame)
        frame.aggregates_allowed = False
        frame.outputs_named = self.rules.aliases_everywhere
        for condition, seen in conditions:
            frame.seen = seen
            self.scalar(condition, frame)
        frame.seen = None
        if node.args.get("where"):
            self.scalar(node.args["where"].this, frame)
        frame.outputs_named = True
        if group:
            self._group(group, frame, outputs)
        frame.aggregates_allowed = True
        if having:
            if not aggregated and self.rules.strict_aggregates:
                raise ScopeError("HAVING stands in a query without aggregates and GROUP BY")
            frame.outputs_named = self.rules.aliases_everywhere or self.rules.aliases_in_having
            self.scalar(having.this, frame)
        frame.aggregates_allowed = aggregated or not self.rules.strict_aggregates
        frame.outputs_named = True
        self._distinct(node.args.get("distinct"), frame)
        arm = Arm(frame, outputs)
        self.ends([arm], node, outer, False)
        return arm

    def _distinct(self, node: Any, frame: Frame) -> None:
        if node is None:
            return
        on = node.args.get("on")
        if on is not None:
            for one in on.expressions if isinstance(on, exp.Tuple) else [on]:
                self.scalar(one, frame)

    def outputs(self, expressions: Iterable[Any], frame: Frame) -> list[Output]:
        """The result columns that a list of expressions gives."""
        found: list[Output] = []
        for node in expressions:
            if isinstance(node, exp.Star):
                self.refuse_others(node, frozenset())
                found += self._star(frame, "", "")
                continue
            if isinstance(node, exp.Column) and isinstance(node.this, exp.Star):
                table = identifier(node.args.get("table"), self.rules)
                found += self._star(frame, table, identifier(node.args.get("db"), self.rules))
                continue
            met = frame.met_aggregates
            inner = node.this if isinstance(node, exp.Alias) else node
            self.scalar(inner, frame)
            name = self.name_of(node)
            alias = isinstance(node, exp.Alias)
            found.append(Output(name, inner, None, alias, frame.met_aggregates > met))
        if len(found) > _MOST_OUTPUTS and _sqlite(self):
            raise ScopeError(f"a query has more than {_MOST_OUTPUTS:,} result columns")
        self._columns += len(found)
        if self._columns > _MOST_COLUMNS:
            raise ScopeError(f"the statement has more than {_MOST_COLUMNS:,} result columns in all")
        return found

    def name_of(self, node: Any) -> str:
        """The name that a result column gets; empty where it cannot be named."""
        if isinstance(node, exp.Alias):
            return identifier(node.args["alias"], self.rules)
        while isinstance(node, (exp.Paren, exp.Collate)) and self.rules.dialect == "sqlite":
            node = node.this
        if isinstance(node, exp.Column):
            return identifier(node.this, self.rules)
        return ""

    def _star(self, frame: Frame, table: str, database: str) -> list[Output]:
        found: list[Output] = []
        named = [s for s in frame.sources if not table or (s.name == table and not s.apart)]
        if database:
            named = [source for source in named if database in source.databases]
        if not named:
            raise ScopeError(
                f"there is no table {table} here" if table else "* stands in a query without FROM"
            )
        outer = any(source.side in ("RIGHT", "FULL") for source in frame.sources)
        for source in named:
            for name in source.columns:
                if not table and name in source.using:
                    continue
                twice = (o for o in frame.sources if o is not source and o.name == source.name)
                if any(name in other.known and (outer or name not in other.using) for other in twice):
                    raise ScopeError(f"the column {source.name}.{name} of * is ambiguous")
                if outer and not table and any(name in one.using for one in frame.sources):
                    find(frame, name)
                found.append(Output(name, key=(id(source), name)))
        return found

    def sources(self, node: Any, frame: Frame, outer: Frame | None) -> list[tuple[Any, list[Source] | None]]:
        """Read the FROM clause of a query; the conditions of its joins, with the sources they can name."""
        conditions: list[tuple[Any, list[Source] | None]] = []
        clause = node.args.get("from_")
        if clause is not None:
            self._item(clause.this, frame, outer, conditions, None)
        for join in node.args.get("joins") or ():
            self._join(join, frame, outer, conditions)
        if not self.rules.same_names:
            names = [source.name for source in frame.sources if source.name]
            for name in names:
                if names.count(name) > 1:
                    raise ScopeError(f"two tables are named {name}")
        most = _MOST_JOINED if _sqlite(self) else _MOST_SOURCES
        if len(frame.sources) > most:
            raise ScopeError(f"a FROM clause names more than {most} tables")
        plain = all(source.side not in ("RIGHT", "FULL") for source in frame.sources)
        if frame.doubtful and not (plain and self.rules.on_looks_right):
            raise ScopeError(f"the column {frame.doubtful[0]} of USING is ambiguous")
        if self.rules.on_looks_right and plain:
            return [(condition, None) for condition, _ in conditions]
        return conditions

    def _join(self, join: Any, frame: Frame, outer: Frame | None, conditions: list[Any]) -> None:
        self.refuse_others(join, frozenset(["this", "on", "side", "kind", "using", "method"]))
        self._item(join.this, frame, outer, conditions, join)
        if join.args.get("on") is not None:
            conditions.append((join.args["on"], list(frame.sources)))

    def _item(self, item: Any, frame: Frame, outer: Frame | None, conditions: list[Any], join: Any) -> None:
        before = len(frame.sources)
        joins: list[Any] = []
        if isinstance(item, exp.Table):
            self.refuse_others(item, _TABLE)
            if isinstance(item.this, exp.Anonymous):
                conditions += [(one, None) for one in item.this.expressions]
            frame.sources.append(self._table(item))
            joins = item.args.get("joins") or []
        elif isinstance(item, exp.Values):
            alias, columns = self.alias(item)
            outputs = self._values(item, outer)
            frame.sources.append(self._derived(alias, columns, outputs))
        elif isinstance(item, exp.Subquery) and isinstance(item.this, exp.Table):
            self._parenthesised(item, frame, outer, conditions)
            joins = item.args.get("joins") or []
        elif isinstance(item, exp.Subquery):
            alias, columns = self.alias(item)
            joins = item.args.get("joins") or []
            outputs = self.query(item.this, outer)
            frame.sources.append(self._derived(alias, columns, outputs))
        elif isinstance(item, exp.Lateral) and isinstance(item.this, exp.Subquery):
            # The one sub-query of FROM that sees the sources before it.
            self.refuse_others(item, frozenset({"this", "alias"}))
            alias, columns = self.alias(item)
            around = Frame(self.rules, sources=list(frame.sources), outer=outer)
            frame.sources.append(self._derived(alias, columns, self.query(item.this.this, around)))
        else:
            raise ScopeError(f"a {type(item).__name__} in FROM is not known")
        if join is not None:
            self._side(join, frame, before)
        for inner in joins:
            self._join(inner, frame, outer, conditions)

    def _parenthesised(self, item: Any, frame: Frame, outer: Frame | None, conditions: list[Any]) -> None:
        alias, columns = self.alias(item)
        inside = Frame(self.rules, outer=outer)
        own: list[Any] = []
        self._item(item.this, inside, outer, own, None)
        if not alias:
            frame.sources += inside.sources
            conditions += own
            return
        for condition, seen in own:
            inside.seen = None if self.rules.on_looks_right else seen
            self.scalar(condition, inside)
        inside.seen = None
        frame.sources.append(self._derived(alias, columns, self._star(inside, "", "")))

    def _side(self, join: Any, frame: Frame, before: int) -> None:
        """What the join makes one column of."""
        left, right = frame.sources[:before], frame.sources[before:]
        side = str(join.args.get("side") or "").upper()
        names = {identifier(one, self.rules) for one in join.args.get("using") or ()}
        in_left = {name for source in left for name in source.columns}
        in_right = {name for source in right for name in source.columns}
        if str(join.args.get("method") or "").upper() == "NATURAL":
            names = (in_left & in_right) - {""}
        for name in names:
            if name not in in_left or name not in in_right:
                raise ScopeError(f"the column {name} of USING is not on both sides of the join")
            holders = [source for source in left if name in source.columns and name not in source.using]
            if len(holders) > 1:
                frame.doubtful.append(name)
        for source in right:
            source.side = source.side or side
            source.using = source.using | names

    def _table(self, item: Any) -> Source:
        alias, columns = self.alias(item)
        database = identifier(item.args.get("db"), self.rules)
        if isinstance(item.this, exp.Anonymous):
            name = self.rules.folded(item.this.name, False)
            if _sqlite(self):
                return self.tables.function(name, alias)
            # One column, unless the statement says otherwise; it has the name of the function, or the alias.
            return Source(alias or name, columns or [alias or name])
        if not isinstance(item.this, exp.Identifier):
            raise ScopeError("a table has no name")
        name = identifier(item.this, self.rules)
        source = self.named_table(name, database, alias or name)
        if columns:
            return self._derived(source.name, columns, [Output(one) for one in source.columns])
        return source

    def named_table(self, name: str, database: str, alias: str) -> Source:
        """A common table expression, or a table of the schema."""
        if not database:
            columns = self.ctes.columns(name)
            if columns is not None:
                return Source(alias, columns)
        return source_of(self.tables.table(name, database), alias, self.rules)

    def _derived(self, alias: str, given: list[str], outputs: list[Output]) -> Source:
        names = [output.name for output in outputs]
        if len(given) > len(names):
            raise ScopeError(f"{alias} has {len(names)} columns and {len(given)} names for them")
        names[: len(given)] = given
        return Source(alias, names)

    def alias(self, item: Any) -> tuple[str, list[str]]:
        """The alias of a source with the names it gives to columns."""
        alias = item.args.get("alias")
        if alias is None:
            return "", []
        return identifier(alias.this, self.rules), [identifier(one, self.rules) for one in alias.columns]

    def _group(self, group: Any, frame: Frame, outputs: list[Output]) -> None:
        self.refuse_others(group, frozenset({"expressions"}))
        for term in group.expressions:
            number = is_one_of(term, len(outputs), "GROUP BY")
            if number is not None:
                if outputs[number].aggregate:
                    raise ScopeError("GROUP BY names a column with an aggregate")
                continue
            self.scalar(term, frame)

    def ends(self, arms: list[Arm], node: Any, outer: Frame | None, compound: bool) -> None:
        """ORDER BY, LIMIT and OFFSET."""
        order = node.args.get("order")
        width = len(arms[0].outputs)
        for ordered in order.expressions if order else ():
            term = ordered.this
            bare = term
            while isinstance(bare, (exp.Collate, exp.Paren)):
                bare = bare.this
            if is_one_of(bare, width, "ORDER BY") is not None:
                continue
            if isinstance(bare, exp.Column) and not bare.table and not isinstance(bare.this, exp.Star):
                name = identifier(bare.this, self.rules)
                named = arms if self.rules.dialect == "sqlite" else arms[:1]
                if any(
                    o.name == name and (o.alias or not _sqlite(self)) for arm in named for o in arm.outputs
                ):
                    continue
            if not compound:
                self.scalar(term, arms[0].frame)
            elif not any(self._matches(bare, arm) for arm in (arms if _sqlite(self) else [])):
                raise ScopeError("ORDER BY of a set operation names no column of the result")
        for part in ("limit", "offset"):
            bound = node.args.get(part)
            if bound is None:
                continue
            number = bound.args.get("count") if isinstance(bound, exp.Fetch) else bound.expression
            if number is not None:
                self.scalar(number, Frame(self.rules))

    def _matches(self, term: Any, arm: Arm) -> bool:
        try:
            key = self.key(term, arm.frame)
        except ScopeError:
            return False
        for output in arm.outputs:
            try:
                own = output.key if output.node is None else self.key(output.node, arm.frame)
            except ScopeError:
                continue
            if bool(own == key):
                return True
        return False

    def refuse_others(self, node: Any, known: frozenset[str]) -> None:
        """Refuse what a node holds besides what is known of it."""
        for name, value in node.args.items():
            if value and name not in known:
                raise ScopeError(f"{name.strip('_')} of a {type(node).__name__} is not known")


def _sqlite(queries: Queries) -> bool:
    return queries.rules.dialect == "sqlite"
