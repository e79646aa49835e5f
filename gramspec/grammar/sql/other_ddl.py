"""DDL of PostgreSQL and MySQL as a schema, read with sqlglot.

Law: the tables are those that the statements make one after the other; a statement that is not understood is
refused with its place, one that makes neither tables nor columns is named in `WITHOUT_COLUMNS`.
Source: documentation of PostgreSQL and MySQL; the trees are sqlglot's.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable
from typing import Any, Final

from gramspec.errors import GrammarError, LimitError, OptionError
from gramspec.grammar.sql.catalog import Column, Dialect, ForeignKey, Schema, Table
from gramspec.grammar.sql.scope_names import RULES, Rules, ScopeError, Tables, identifier
from gramspec.grammar.sql.sqlite_text import placed

MAX_DDL: Final = 2_000_000
"""Longest DDL that is read, in characters."""

WITHOUT_COLUMNS: Final = (
    "INDEX",
    "SEQUENCE",
    "TYPE",
    "SCHEMA",
    "EXTENSION",
    "TRIGGER",
    "FUNCTION",
    "PROCEDURE",
)
"""What CREATE may make besides tables and views; nothing of it can be named in a FROM clause."""

_MOST_TABLES: Final = 10_000


def schema_of_ddl(text: str, dialect: Dialect) -> Schema:
    """The schema that a script makes in an empty database.

    Raises
    ------
    GrammarError
        If a statement is malformed or not understood, or no table is left.
    LimitError
        If the script is too long.
    OptionError
        If sqlglot is not installed.
    """
    if len(text) > MAX_DDL:
        raise LimitError("DDL length", f"the DDL has {len(text)} characters, more than {MAX_DDL}")
    try:
        import sqlglot
        from sqlglot.errors import SqlglotError
    except ImportError:
        raise OptionError(
            f'schema: DDL of {dialect} is read with sqlglot\n  hint: pip install "gramspec[sql]"'
        ) from None
    script = _Script(text, RULES[dialect])
    for offset, statement in _pieces(text, dialect):
        try:
            trees = sqlglot.parse(statement, read=dialect)
        except SqlglotError as error:
            raise _malformed(text, offset, error) from None
        except RecursionError:
            raise placed(text, offset, "the statement nests too deeply") from None
        for tree in trees:
            if tree is None:
                continue
            try:
                script.read(tree, offset)
            except (AttributeError, KeyError, TypeError, RecursionError):
                # A shape of sqlglot's tree that is not foreseen here.
                raise placed(text, offset, "the statement is not understood") from None
    return script.schema(dialect)


class _Script:
    """The tables while a script is read."""

    def __init__(self, text: str, rules: Rules) -> None:
        self.text = text
        self.rules = rules
        self.tables: dict[str, Table] = {}

    def schema(self, dialect: Dialect) -> Schema:
        if not self.tables:
            raise GrammarError("", "there are no tables", "a schema needs one: CREATE TABLE t (a integer)")
        return Schema(tuple(self.tables.values()), dialect)

    def read(self, tree: Any, offset: int) -> None:
        from sqlglot import exp

        if isinstance(tree, exp.Create):
            self._create(tree, offset)
        elif isinstance(tree, exp.Alter) and str(tree.args.get("kind")).upper() == "TABLE":
            for action in tree.args["actions"]:
                self._alter(self._known(tree.this, offset), action, offset)
        elif isinstance(tree, exp.Drop) and str(tree.args.get("kind")).upper() in ("TABLE", "VIEW"):
            for one in tree.args.get("tables") or [tree.this]:
                name = self._name(one)
                if name not in self.tables and not tree.args.get("exists"):
                    raise self._error(offset, f"there is no table {name}")
                self.tables.pop(name, None)
        elif not isinstance(tree, (exp.Commit, exp.Transaction, exp.Comment)):
            words = " ".join(tree.sql().split()[:2]).upper()
            raise self._error(offset, f"{words} makes no part of a schema")

    def _create(self, tree: Any, offset: int) -> None:
        from sqlglot import exp

        kind = str(tree.args.get("kind") or "").upper()
        if kind in WITHOUT_COLUMNS:
            return
        if kind not in ("TABLE", "VIEW"):
            raise self._error(offset, f"CREATE {kind or 'of this kind'} is not known")
        head = tree.this
        columns = head.expressions if isinstance(head, exp.Schema) else []
        name = self._name(head.this if isinstance(head, exp.Schema) else head)
        if name in self.tables and not tree.args.get("replace"):
            if tree.args.get("exists"):
                return
            raise self._error(offset, f"there is a table {name} already")
        if tree.args.get("expression") is not None:
            table = self._of_query(tree, name, columns, offset)
        else:
            table = self._of_columns(name, columns, offset)
        place = head.this if isinstance(head, exp.Schema) else head
        self.tables[name] = dataclasses.replace(
            table,
            kind="view" if kind == "VIEW" else "table",
            database=identifier(place.args.get("db"), self.rules),
        )
        if len(self.tables) > _MOST_TABLES:
            raise LimitError("schema size", f"the schema has more than {_MOST_TABLES:,} tables")

    def _of_columns(self, name: str, parts: Iterable[Any], offset: int) -> Table:
        from sqlglot import exp

        table = Table(name, (), rowid=False)
        for part in parts:
            if isinstance(part, exp.ColumnDef):
                table = self._add(table, part, offset)
            else:
                table = self._constrain(table, part, offset)
        if not table.columns:
            raise self._error(offset, f"the table {name} has no columns")
        return table

    def _of_query(self, tree: Any, name: str, given: Iterable[Any], offset: int) -> Table:
        from gramspec.grammar.sql.scope_statements import Statements

        so_far = Schema(tuple(self.tables.values()), self.rules.dialect)
        try:
            outputs = Statements(Tables(so_far, self.rules), self.rules).query(tree.args["expression"], None)
        except ScopeError as error:
            raise self._error(offset, f"{name} cannot be read: {error}") from None
        names = [output.name for output in outputs]
        spelled = [identifier(one.this if hasattr(one.this, "name") else one, self.rules) for one in given]
        names[: len(spelled)] = spelled
        if "" in names:
            raise self._error(
                offset, f"column {names.index('') + 1} of {name} has no name", "name it with AS"
            )
        return Table(name, tuple(Column(one) for one in names), rowid=False)

    def _add(self, table: Table, part: Any, offset: int) -> Table:
        from sqlglot import exp

        name = identifier(part.this, self.rules)
        if any(self.rules.folded(column.name) == self.rules.folded(name) for column in table.columns):
            raise self._error(offset, f"the table {table.name} has two columns {name}")
        kinds = [constraint.args.get("kind") for constraint in part.args.get("constraints") or ()]
        declared = part.args["kind"].sql(self.rules.dialect) if part.args.get("kind") else ""
        key = any(isinstance(kind, exp.PrimaryKeyColumnConstraint) for kind in kinds)
        required = any(
            isinstance(kind, exp.NotNullColumnConstraint) and not kind.args.get("allow_null")
            for kind in kinds
        )
        computed = any(isinstance(kind, exp.ComputedColumnConstraint) for kind in kinds) or any(
            isinstance(kind, exp.GeneratedAsIdentityColumnConstraint)
            and (kind.args.get("this") or kind.args.get("expression") is not None)
            for kind in kinds
        )
        column = Column(name, declared, not (required or key), computed, False, key)
        table = dataclasses.replace(table, columns=(*table.columns, column))
        if key or any(isinstance(kind, exp.UniqueColumnConstraint) for kind in kinds):
            table = dataclasses.replace(table, unique=(*table.unique, (name,)))
        for kind in kinds:
            if isinstance(kind, exp.Reference):
                table = self._refers(table, (name,), kind)
        return table

    def _constrain(self, table: Table, part: Any, offset: int) -> Table:
        from sqlglot import exp

        if isinstance(part, exp.Constraint):
            for one in part.expressions:
                table = self._constrain(table, one, offset)
            return table
        if isinstance(part, exp.ForeignKey):
            columns = tuple(identifier(one, self.rules) for one in part.expressions)
            return self._refers(table, columns, part.args.get("reference"))
        if isinstance(part, exp.PrimaryKey):
            names = self._listed(part.expressions)
            columns_ = tuple(
                dataclasses.replace(column, primary_key=True, nullable=False)
                if column.name in names
                else column
                for column in table.columns
            )
            return dataclasses.replace(table, columns=columns_, unique=(*table.unique, names))
        if isinstance(part, exp.UniqueColumnConstraint):
            inner = part.this
            names = self._listed(inner.expressions if inner is not None else [])
            return dataclasses.replace(table, unique=(*table.unique, names)) if names else table
        known = (exp.CheckColumnConstraint, exp.IndexColumnConstraint, exp.ExcludeColumnConstraint)
        if isinstance(part, known):
            return table
        raise self._error(offset, f"{part.sql()[:40]!r} in the table {table.name} is not known")

    def _listed(self, parts: Iterable[Any]) -> tuple[str, ...]:
        from sqlglot import exp

        return tuple(
            identifier(next(iter(part.find_all(exp.Identifier)), None), self.rules) for part in parts
        )

    def _refers(self, table: Table, columns: tuple[str, ...], reference: Any) -> Table:
        from sqlglot import exp

        if reference is None:
            return table
        target = reference.this
        referred = target.expressions if isinstance(target, exp.Schema) else []
        named = target.this if isinstance(target, exp.Schema) else target
        key = ForeignKey(columns, self._name(named), tuple(identifier(one, self.rules) for one in referred))
        return dataclasses.replace(table, foreign_keys=(*table.foreign_keys, key))

    def _alter(self, table: Table, action: Any, offset: int) -> None:
        from sqlglot import exp

        name = table.name
        if isinstance(action, exp.ColumnDef):
            table = self._add(table, action, offset)
        elif isinstance(action, exp.AddConstraint):
            for one in action.expressions:
                table = self._constrain(table, one, offset)
        elif isinstance(action, exp.Drop) and str(action.args.get("kind")).upper() == "COLUMN":
            gone = identifier(action.this.find(exp.Identifier), self.rules)
            kept = tuple(column for column in table.columns if column.name != gone)
            if len(kept) in (0, len(table.columns)):
                raise self._error(offset, f"the column {gone} of {name} cannot be dropped")
            table = dataclasses.replace(table, columns=kept)
        elif isinstance(action, exp.RenameColumn):
            old, new = (
                identifier(action.args[key].find(exp.Identifier), self.rules) for key in ("this", "to")
            )
            renamed = [
                dataclasses.replace(column, name=new) if column.name == old else column
                for column in table.columns
            ]
            table = dataclasses.replace(table, columns=tuple(renamed))
        elif isinstance(action, exp.AlterRename):
            del self.tables[name]
            table = dataclasses.replace(table, name=self._name(action.this))
        elif not isinstance(action, exp.AlterColumn):
            raise self._error(offset, f"ALTER TABLE {name} with {action.sql()[:40]!r} is not known")
        self.tables[table.name] = table

    def _known(self, node: Any, offset: int) -> Table:
        name = self._name(node)
        if name not in self.tables:
            raise self._error(offset, f"there is no table {name}")
        return self.tables[name]

    def _name(self, node: Any) -> str:
        from sqlglot import exp

        if isinstance(node, exp.Table):
            node = node.this
        return identifier(node, self.rules) if isinstance(node, exp.Identifier) else str(node.name)

    def _error(self, offset: int, reason: str, hint: str = "") -> GrammarError:
        return placed(
            self.text, offset, reason, hint or "give CREATE TABLE, CREATE VIEW and ALTER TABLE alone"
        )


def _pieces(text: str, dialect: Dialect) -> Iterable[tuple[int, str]]:
    """The statements with their offsets, by sqlglot's tokens."""
    import sqlglot
    from sqlglot.errors import SqlglotError

    try:
        tokens = sqlglot.tokenize(text, read=dialect)
    except SqlglotError as error:
        raise _malformed(text, 0, error) from None
    begin: int | None = None
    for token in tokens:
        if token.token_type.name == "SEMICOLON":
            if begin is not None:
                yield begin, text[begin : token.start]
            begin = None
        elif begin is None:
            begin = token.start
    if begin is not None:
        yield begin, text[begin:]


def _malformed(text: str, offset: int, error: Any) -> GrammarError:
    found = (getattr(error, "errors", None) or [{}])[0]
    line, column = found.get("line"), found.get("col")
    if line and column:
        # sqlglot counts the last character of a token, from the begin of the statement.
        before = text[:offset]
        lines = before.count("\n")
        start = column - len(found.get("highlight") or " ") + 1
        begin = sum(len(one) + 1 for one in text.split("\n")[: lines + line - 1])
        offset = begin + max(0, start - 1) + (offset - (before.rfind("\n") + 1) if line == 1 else 0)
    reason = found.get("description") or re.sub(r"\s+", " ", str(error))[:120]
    # What sqlglot found is at the place already; it would be shown with all that a token knows of itself.
    reason = reason.partition(" but got <Token")[0].rstrip(".")
    return placed(text, min(offset, len(text)), f"sqlglot says: {reason}")
