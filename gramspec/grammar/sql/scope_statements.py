"""Statements in scope: queries, and what INSERT, UPDATE and DELETE name besides.

Law: as `scope_queries`; columns that are written exist, can be written, and are as many as their values.
Source: as `scope_names`; https://www.sqlite.org/lang_insert.html, lang_update.html, lang_returning.html.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from sqlglot import exp

from gramspec.grammar.sql.catalog import Table
from gramspec.grammar.sql.scope_names import ROWID, Frame, ScopeError, Source, identifier, source_of
from gramspec.grammar.sql.scope_queries import Queries

_INSERT: Final = frozenset(
    {
        *("with_", "this", "expression", "conflict", "returning", "alternative"),
        *("default", "is_function", "stored", "by_name", "exists", "partition"),
        *("settings", "overwrite", "ignore", "source"),
    }
)
_UPDATE: Final = frozenset(["with_", "this", "expressions", "from_", "where", "returning", "order", "limit"])
_DELETE: Final = frozenset(["with_", "this", "using", "where", "returning", "order", "limit"])


class Statements(Queries):
    """Reads statements; parameters as of `Queries`."""

    def statement(self, node: Any) -> None:
        """Read a statement.

        Raises
        ------
        ScopeError
            If a name in it leads nowhere or to two things, or widths differ.
        """
        if isinstance(node, (exp.Select, exp.SetOperation, exp.Values, exp.Subquery)):
            self.query(node, None)
        elif isinstance(node, exp.Insert):
            self.with_clause(node, None)
            self._insert(node)
        elif isinstance(node, exp.Update):
            self.with_clause(node, None)
            self._update(node)
        elif isinstance(node, exp.Delete):
            self.with_clause(node, None)
            self._delete(node)
        else:
            raise ScopeError(f"a {type(node).__name__} is no statement that reads or writes rows")

    def _insert(self, node: Any) -> None:
        self.refuse_others(node, _INSERT)
        names: list[Any] = []
        target = node.this
        if isinstance(target, exp.Schema):
            names, target = target.expressions, target.this
        table, source = self._target(target)
        writable = [column for column in table.columns if not column.generated]
        width = len([column for column in writable if not column.hidden])
        for name in names:
            self._written(table, name)
        if names:
            width = len(names)
        rows = node.expression
        if isinstance(rows, exp.Values):
            self._rows(rows, width)
        elif rows is not None:
            found = len(self.query(rows, None))
            if found != width:
                raise ScopeError(f"{found} columns are inserted into {width}")
        elif not node.args.get("default"):
            raise ScopeError("INSERT has no rows")
        if node.args.get("conflict") is not None:
            self._conflict(node.args["conflict"], table, source)
        self._returning(node, table)

    def _rows(self, rows: Any, width: int) -> None:
        frame = Frame(self.rules)
        for row in rows.expressions:
            cells = row.expressions if isinstance(row, exp.Tuple) else [row]
            if len(cells) != width:
                raise ScopeError(f"{len(cells)} values are inserted into {width} columns")
            for cell in cells:
                # DEFAULT is a column to sqlglot, and no name can be spelled so.
                bare = isinstance(cell, exp.Column) and not cell.table and self.rules.dialect != "sqlite"
                if bare and cell.name.upper() == "DEFAULT" and not cell.this.args.get("quoted"):
                    continue
                self.scalar(cell, frame)

    def _conflict(self, node: Any, table: Table, source: Source) -> None:
        known = frozenset(
            ["expressions", "action", "conflict_keys", "where", "duplicate", "constraint", "index_predicate"]
        )
        self.refuse_others(node, known)
        keys = []
        for one in node.args.get("conflict_keys") or ():
            inner = one.this if isinstance(one, exp.Ordered) else one
            if isinstance(inner, exp.Collate):
                raise ScopeError("ON CONFLICT with a collation is not known")
            name = inner.this if isinstance(inner, exp.Column) else inner
            if not isinstance(name, exp.Identifier):
                raise ScopeError("ON CONFLICT names an expression, which is not known")
            keys.append(self._column_of(table, name))
        if keys and self.rules.dialect == "sqlite":
            unique = [{self.rules.folded(name) for name in names} for names in table.unique]
            if set(keys) not in unique:
                raise ScopeError(f"ON CONFLICT names no unique columns of {table.name}")
        if node.args.get("constraint"):
            raise ScopeError("ON CONFLICT ON CONSTRAINT is not known")
        frame = Frame(self.rules)
        excluded = source_of(table, "excluded", self.rules)
        excluded.apart = True
        frame.sources = [source, excluded]
        self._assignments(node.expressions, table, frame)
        if node.args.get("where"):
            self.scalar(node.args["where"].this, frame)

    def _update(self, node: Any) -> None:
        self.refuse_others(node, _UPDATE)
        if node.this.args.get("joins"):
            raise ScopeError("joins of UPDATE are not known")
        table, source = self._target(node.this)
        frame = Frame(self.rules)
        conditions = self.sources(node, frame, None)
        if any(other.name == source.name for other in frame.sources):
            raise ScopeError(f"{source.name} is written and named in FROM too")
        frame.sources.insert(0, source)
        for condition, seen in conditions:
            frame.seen = seen
            self.scalar(condition, frame)
        frame.seen = None
        self._assignments(node.expressions, table, frame)
        self._ending(node, frame)
        self._returning(node, table)

    def _delete(self, node: Any) -> None:
        self.refuse_others(node, _DELETE)
        table, source = self._target(node.this)
        frame = Frame(self.rules)
        frame.sources.append(source)
        for item in node.args.get("using") or ():
            self._item(item, frame, None, [], None)
        self._ending(node, frame)
        self._returning(node, table)

    def _ending(self, node: Any, frame: Frame) -> None:
        if node.args.get("where"):
            self.scalar(node.args["where"].this, frame)
        order = node.args.get("order")
        for ordered in order.expressions if order else ():
            self.scalar(ordered.this, frame)
        if node.args.get("limit"):
            self.scalar(node.args["limit"].expression, Frame(self.rules))

    def _assignments(self, assignments: Iterable[Any], table: Table, frame: Frame) -> None:
        for one in assignments:
            if not isinstance(one, exp.EQ):
                raise ScopeError("SET holds something else than assignments")
            names = one.this.expressions if isinstance(one.this, exp.Tuple) else [one.this]
            for name in names:
                while isinstance(name, exp.Paren):
                    name = name.this
                if not isinstance(name, exp.Column) or name.table:
                    raise ScopeError("SET names no column")
                self._written(table, name.this)
            width = self.expression(one.expression, frame)
            if width != len(names):
                raise ScopeError(f"{width} values are assigned to {len(names)} columns")

    def _returning(self, node: Any, table: Table) -> None:
        clause = node.args.get("returning")
        if clause is None:
            return
        frame = Frame(self.rules)
        name = self.rules.folded(table.name)
        frame.sources.append(source_of(table, name, self.rules))
        for one in clause.expressions:
            qualified = isinstance(one, exp.Column) and isinstance(one.this, exp.Star)
            if qualified and self.rules.dialect == "sqlite":
                raise ScopeError("RETURNING cannot name all columns of one table")
        self.outputs(clause.expressions, frame)

    def _target(self, node: Any) -> tuple[Table, Source]:
        """The table that is written."""
        if not isinstance(node, exp.Table) or not isinstance(node.this, exp.Identifier):
            raise ScopeError("what is written is no table")
        alias, _ = self.alias(node)
        name = identifier(node.this, self.rules)
        table = self.tables.table(name, identifier(node.args.get("db"), self.rules))
        if table.kind == "view":
            raise ScopeError(f"{table.name} is a view, into which nothing can be written")
        if name.startswith("sqlite_"):
            raise ScopeError(f"{name} cannot be written")
        return table, source_of(table, alias or name, self.rules)

    def _written(self, table: Table, node: Any) -> None:
        name = self._column_of(table, node)
        for column in table.columns:
            if self.rules.folded(column.name) == name and column.generated:
                raise ScopeError(f"the column {name} is computed, so nothing can be written into it")

    def _column_of(self, table: Table, node: Any) -> str:
        if not isinstance(node, exp.Identifier):
            node = node.this
        name = identifier(node, self.rules)
        if any(self.rules.folded(column.name) == name for column in table.columns):
            return name
        if table.rowid and name in ROWID:
            return name
        raise ScopeError(f"the table {table.name} has no column {name}")
