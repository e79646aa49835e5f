"""`Schema`: the tables of a database as grammars and predicates see them.

Law: names are as the database has them, unquoted; two tables, or two columns of one table, differ beyond case
where the dialect folds case.
Source: docs/sql.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Dialect: TypeAlias = Literal["sqlite", "postgres", "mysql"]
"""The dialects that are known by name."""

TableKind: TypeAlias = Literal["table", "view"]

ROWID_NAMES = ("rowid", "oid", "_rowid_")
"""What SQLite calls the row number of a table, where no column of its own has that name."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column.

    Attributes
    ----------
    name : str
        Unquoted.
    type : str
        As declared, ``"VARCHAR(40)"``; empty where nothing is declared.
    nullable : bool
        Whether NULL may be stored.
    primary_key : bool
        Whether it belongs to the primary key.
    generated : bool
        Whether the database computes it, so that nothing can be written into it.
    hidden : bool
        Whether ``*`` leaves it out.
    """

    name: str
    type: str = ""
    nullable: bool = True
    primary_key: bool = False
    generated: bool = False
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """Columns that refer to another table's.

    Attributes
    ----------
    columns : tuple of str
    table : str
        The table they refer to.
    referred : tuple of str
        Its columns; empty: its primary key.
    """

    columns: tuple[str, ...]
    table: str
    referred: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """A table or a view.

    Attributes
    ----------
    name : str
        Unquoted.
    columns : tuple of Column
        At least one.
    kind : {"table", "view"}
        Nothing is written into views.
    rowid : bool
        Whether SQLite's ``rowid`` can be read.
    foreign_keys : tuple of ForeignKey
    """

    name: str
    columns: tuple[Column, ...]
    kind: TableKind = "table"
    rowid: bool = False
    foreign_keys: tuple[ForeignKey, ...] = ()


@dataclass(frozen=True, slots=True)
class Schema:
    """The tables and views that statements may name.

    Attributes
    ----------
    tables : tuple of Table
        In the order of the source; at least one.
    dialect : {"sqlite", "postgres", "mysql"}
    ddl : tuple of str
        SQLite statements that make the tables in an empty database; empty for other dialects.
    """

    tables: tuple[Table, ...]
    dialect: Dialect = "sqlite"
    ddl: tuple[str, ...] = ()
