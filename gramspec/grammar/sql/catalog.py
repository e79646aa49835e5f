"""What a SQL grammar knows of a database: its tables and views with their columns.

Law: names are kept as the database spells them; the order of tables and columns is the database's.
Source: none; a plain record between the readers of schemas and the grammar.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Dialect: TypeAlias = Literal["sqlite", "postgres", "mysql"]
"""The dialects that are known by name."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table or view.

    Parameters
    ----------
    name : str
        As the database spells it, without quotes; any text, the empty one included.
    type : str
        The declared type as written (``VARCHAR(20)``); empty where none is declared or known.
    nullable : bool
        Whether NULL may be stored.
    generated : bool
        Whether the database computes it, so that no statement may write it.
    hidden : bool
        Whether ``*`` leaves it out.
    primary_key : bool
        Whether it belongs to the primary key.
    """

    name: str
    type: str = ""
    nullable: bool = True
    generated: bool = False
    hidden: bool = False
    primary_key: bool = False


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """Columns that refer to those of another table.

    Parameters
    ----------
    columns : tuple of str
        The columns of the table at hand.
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
    """A table or view.

    Parameters
    ----------
    name : str
        As the database spells it, without quotes.
    columns : tuple of Column
        In the database's order; at least one.
    kind : {"table", "view"}
        A view is read only.
    database : str
        The SQLite database ("main", "temp", an attached one), PostgreSQL schema or MySQL database it is
        in; empty where it is not known.
    rowid : bool
        Whether SQLite's ``rowid`` and its synonyms name the key of a row.
    unique : tuple of tuple of str
        Sets of columns that have a unique index, the primary key included.
    foreign_keys : tuple of ForeignKey
        In the database's order.
    """

    name: str
    columns: tuple[Column, ...]
    kind: Literal["table", "view"] = "table"
    database: str = ""
    rowid: bool = True
    unique: tuple[tuple[str, ...], ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()


@dataclass(frozen=True, slots=True)
class Schema:
    """The tables and views that statements may name.

    Parameters
    ----------
    tables : tuple of Table
        In the order of the source; at least one.
    dialect : {"sqlite", "postgres", "mysql"}
        Whose rules the names follow.
    ddl : tuple of str
        SQLite statements that make the tables in an empty database, in an order that works; empty for other
        dialects.
    """

    tables: tuple[Table, ...]
    dialect: Dialect = "sqlite"
    ddl: tuple[str, ...] = ()
