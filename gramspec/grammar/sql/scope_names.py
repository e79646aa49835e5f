"""Where names of a statement lead: the sources of a query, its aliases, and the queries around it.

Law: a name leads to what the dialect says, or is refused; for SQLite that is `lookupName` of its resolver.
Source: https://www.sqlite.org/lang_select.html; SQLite's resolver; documentation of PostgreSQL and MySQL.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from gramspec.grammar.sql.catalog import Dialect, Schema, Table

ROWID: Final = frozenset({"rowid", "oid", "_rowid_"})
_UPPER: Final = {ord(upper): upper.lower() for upper in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}


class ScopeError(Exception):
    """A name that leads nowhere or to two things, or a query of another width than its place has."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What the dialects do not have in common.

    Attributes
    ----------
    dialect : {"sqlite", "postgres", "mysql"}
    aliases_everywhere : bool
        Whether conditions of a query may name its result columns.
    aliases_in_having : bool
        Whether HAVING may.
    same_names : bool
        Whether two sources of a query may have one name.
    on_looks_right : bool
        Whether a join's condition may name sources that come after it.
    strict_aggregates : bool
        Whether misplaced aggregates are looked for.
    """

    dialect: Dialect
    aliases_everywhere: bool = False
    aliases_in_having: bool = False
    same_names: bool = False
    on_looks_right: bool = False
    strict_aggregates: bool = False

    def folded(self, name: str, quoted: bool = True) -> str:
        """The name as it is compared."""
        if self.dialect == "postgres":
            return name if quoted else name.lower()
        return name.translate(_UPPER) if name.isascii() or self.dialect == "sqlite" else name.lower()


RULES: Final[Mapping[str, Rules]] = {
    "sqlite": Rules("sqlite", True, True, True, True, True),
    "postgres": Rules("postgres"),
    "mysql": Rules("mysql", aliases_in_having=True),
}


@dataclass(slots=True, eq=False)
class Source:
    """A table, view, common table expression or sub-query of a FROM clause.

    Attributes
    ----------
    name : str
        By which columns name it, folded; empty where it has none.
    columns : sequence of str
        Those of ``*``, folded, in order; the empty text for one that cannot be named.
    hidden : frozenset of str
        Further columns that can be named.
    databases : frozenset of str
        Names that may stand before that of a table.
    rowid : bool
        Whether it has a row number.
    using : frozenset of str
        Columns that its join makes one of with those before.
    side : str
        "", "LEFT", "RIGHT" or "FULL": of the join that brings it.
    apart : bool
        Whether its columns are named by its name alone.
    known : frozenset of str
        All columns that can be named.
    """

    name: str
    columns: Sequence[str]
    hidden: frozenset[str] = frozenset()
    databases: frozenset[str] = frozenset()
    rowid: bool = False
    using: frozenset[str] = frozenset()
    side: str = ""
    apart: bool = False
    known: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        self.known = self.hidden.union(name for name in self.columns if name)


@dataclass(slots=True, eq=False)
class Output:
    """A column of a result.

    Attributes
    ----------
    name : str
        Folded; empty where it cannot be named.
    node : object
        sqlglot's expression; None for a column of ``*``.
    key : object
        For a column of ``*``: what it leads to.
    alias : bool
        Whether the statement gives the name.
    aggregate : bool
        Whether an aggregate is in it.
    """

    name: str
    node: Any = None
    key: object = None
    alias: bool = False
    aggregate: bool = False


@dataclass(slots=True, eq=False)
class Frame:
    """One query while it is read.

    Attributes
    ----------
    sources : list of Source
    outer : Frame or None
        The query around it.
    aliases : dict
        Result columns by name, while they can be named.
    outputs_named : bool
        Whether they can be now.
    aggregates_allowed : bool
        Whether an aggregate may stand here.
    met_aggregates : int
        How many have been met that are this query's.
    windows : set of str
        Names of its windows.
    seen : list of Source or None
        Only these can be named; None: all.
    doubtful : list of str
        Columns that a join makes one of more than two.
    """

    rules: Rules
    sources: list[Source] = field(default_factory=list)
    outer: Frame | None = None
    aliases: dict[str, Output] = field(default_factory=dict)
    outputs_named: bool = False
    aggregates_allowed: bool = False
    met_aggregates: int = 0
    windows: set[str] = field(default_factory=set)
    seen: list[Source] | None = None
    doubtful: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Found:
    """What a name leads to: a column of a source, or a result column."""

    frame: Frame
    source: Source | None
    name: str
    output: Output | None = None


def find(frame: Frame | None, name: str, table: str = "", database: str = "") -> Found:
    """What a column's name leads to.

    Raises
    ------
    ScopeError
        If that is nothing, or more than one thing.
    """
    shown = ".".join(part for part in (database, table, name) if part)
    while frame is not None:
        named = _named(frame, table, database)
        hits = _hits(named, name)
        if len(hits) > 1:
            raise ScopeError(f"the column {shown} is ambiguous")
        if hits:
            return Found(frame, hits[0], name)
        if len(named) == 1 and named[0].rowid and name in ROWID:
            return Found(frame, named[0], "rowid")
        if not table and frame.outputs_named and name in frame.aliases:
            output = frame.aliases[name]
            if output.aggregate and frame.rules.strict_aggregates and not frame.aggregates_allowed:
                raise ScopeError(f"{name} is an aggregate, which cannot stand there")
            return Found(frame, None, name, output)
        frame = frame.outer
    raise ScopeError(f"there is no column {shown} here")


def _named(frame: Frame, table: str, database: str) -> list[Source]:
    sources = frame.sources if frame.seen is None else frame.seen
    if not table:
        return [source for source in sources if not source.apart]
    return [
        source
        for source in sources
        if source.name == table and (not database or database in source.databases)
    ]


def _hits(sources: Sequence[Source], name: str) -> list[Source]:
    """The sources that have the column, those that a join makes one of counted once."""
    hits: list[Source] = []
    for source in sources:
        if name not in source.known:
            continue
        if hits and name in source.using:
            if source.side == "RIGHT":
                hits = [source]
            continue
        hits.append(source)
    return hits


def source_of(table: Table, name: str, rules: Rules) -> Source:
    """A table of the schema as a source."""
    columns = [rules.folded(column.name) for column in table.columns if not column.hidden]
    hidden = frozenset(rules.folded(column.name) for column in table.columns if column.hidden)
    databases = {table.database} if table.database else {"main", "public"}
    return Source(name, columns, hidden, frozenset(databases), table.rowid)


class Tables:
    """The tables of a schema by name.

    Parameters
    ----------
    schema : Schema
    rules : Rules
    """

    def __init__(self, schema: Schema, rules: Rules) -> None:
        self.rules = rules
        self._tables = {rules.folded(table.name): table for table in schema.tables}

    def table(self, name: str, database: str) -> Table:
        """A table or view.

        Raises
        ------
        ScopeError
            If there is none of that name.
        """
        found = self._tables.get(name)
        if found is None and self.rules.dialect == "sqlite":
            found = _OWN.get(name)
        if found is None:
            raise ScopeError(f"there is no table {name}")
        own = found.database or ("main" if self.rules.dialect == "sqlite" else "public")
        if database and database != own:
            raise ScopeError(f"there is no table {name} in {database}")
        return found

    def function(self, name: str, alias: str) -> Source:
        """A table-valued function.

        Raises
        ------
        ScopeError
            If there is none of that name.
        """
        if self.rules.dialect == "sqlite" and name in ("json_each", "json_tree"):
            return Source(alias or name, _JSON, frozenset({"json", "root"}), frozenset(), True)
        table = self._tables.get(name)
        if table is not None and any(column.hidden for column in table.columns):
            return source_of(table, alias or name, self.rules)
        raise ScopeError(f"there is no function {name} that gives a table")


def _own() -> dict[str, Table]:
    from gramspec.grammar.sql.catalog import Column

    columns = tuple(map(Column, ("type", "name", "tbl_name", "rootpage", "sql")))
    return {name: Table(name, columns) for name in ("sqlite_master", "sqlite_schema")}


_OWN: Final = _own()
_JSON: Final = ("key", "value", "type", "atom", "id", "parent", "fullkey", "path")


def identifier(node: Any, rules: Rules) -> str:
    """The folded name of an identifier of sqlglot's; empty for none."""
    return "" if node is None else rules.folded(node.name, bool(node.args.get("quoted")))
