"""`read_schema`: whatever a user has of a database, as the record a grammar is made of.

Law: the names are the database's; what cannot be read is refused with its place, and nothing is left out.
Source: API, section 1 (`gs.sql`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final, cast, get_args

from gramspec.errors import GrammarError, OptionError
from gramspec.grammar.sql.catalog import Column, Dialect, Schema, Table
from gramspec.grammar.sql.sqlite_text import placed

_URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+_.-]*://")
_FOREIGN: Final = re.compile("[\0\ud800-\udfff]")
_SPELLINGS: Final = {"postgresql": "postgres", "mariadb": "mysql", "sqlite3": "sqlite"}
_MOST_NAMED: Final = 100_000


def dialect_named(name: str) -> Dialect:
    """A dialect by its name or another spelling of it.

    Raises
    ------
    OptionError
        If there is none of that name.
    """
    known = get_args(Dialect)
    spelled = _SPELLINGS.get(name, name) if isinstance(name, str) else name
    if spelled not in known:
        raise OptionError(f"dialect={name!r}: must be one of {', '.join(known)}")
    return cast(Dialect, spelled)


def read_schema(source: object, dialect: Dialect) -> Schema:
    """Read a schema.

    Parameters
    ----------
    source : str, Mapping, sqlalchemy.URL, sqlalchemy.Engine or Schema
        DDL; a database's URL; or table name → column names, or column name → type.
    dialect : {"sqlite", "postgres", "mysql"}
        The dialect of the statements, which is that of DDL and of a database too.

    Raises
    ------
    GrammarError
        If it is malformed, or holds no table or a table without columns.
    OptionError
        If it is nothing of the kind, a database cannot be reached, or is one of another dialect.
    LimitError
        If it is too large.
    """
    if isinstance(source, Schema):
        if source.dialect != dialect:
            raise OptionError(f"dialect={dialect!r}: the schema was read for {source.dialect!r}")
        return source
    if isinstance(source, Mapping):
        return _of_mapping(source, dialect)
    if isinstance(source, str) and not _URL.match(source):
        return _of_ddl(source, dialect)
    if isinstance(source, str) or type(source).__module__.partition(".")[0] == "sqlalchemy":
        from gramspec.grammar.sql.databases import schema_of_database

        return schema_of_database(source, dialect)
    raise OptionError(
        f"schema: a {type(source).__name__} is none; give DDL as str, a SQLAlchemy URL or engine,"
        " or a dict of tables and their columns"
    )


def _of_ddl(text: str, dialect: Dialect) -> Schema:
    if (foreign := _FOREIGN.search(text)) is not None:
        what = "a NUL character" if foreign[0] == "\0" else f"the lone surrogate U+{ord(foreign[0]):04X}"
        raise placed(text, foreign.start(), f"the DDL holds {what}", "take it out")
    if text.startswith("\ufeff"):
        text = " " + text[1:]  # the mark of UTF-8 files of some editors
    if dialect == "sqlite":
        from gramspec.grammar.sql.sqlite_ddl import sqlite_schema

        return sqlite_schema(text)
    from gramspec.grammar.sql.other_ddl import schema_of_ddl

    return schema_of_ddl(text, dialect)


def _of_mapping(source: Mapping[object, object], dialect: Dialect) -> Schema:
    tables: list[Table] = []
    names: dict[str, str] = {}
    total = 0
    for name, value in source.items():
        pointer = f"/{_escaped(name)}"
        _check_name(name, pointer, "table")
        assert isinstance(name, str)
        _check_new(name, names, pointer, "table", dialect)
        columns = _columns(value, pointer, dialect)
        total += len(columns)
        if total > _MOST_NAMED:
            raise GrammarError(pointer, f"the schema has more than {_MOST_NAMED:,} columns")
        tables.append(Table(name, columns, rowid=dialect == "sqlite"))
    if not tables:
        raise GrammarError(
            "", "there are no tables", 'a schema needs one at least: {"users": ["id", "name"]}'
        )
    if dialect != "sqlite":
        return Schema(tuple(tables), dialect)
    return _made_in_memory(tables)


def _columns(value: object, pointer: str, dialect: Dialect) -> tuple[Column, ...]:
    if isinstance(value, Mapping):
        pairs = list(value.items())
    elif isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        pairs = [(name, "") for name in value]
    else:
        raise GrammarError(
            pointer,
            f"the columns are a {type(value).__name__}",
            'write ["id", "name"], or {"id": "INTEGER", "name": "TEXT"}',
        )
    if not pairs:
        raise GrammarError(pointer, "the table has no columns", "name one column at least")
    found: list[Column] = []
    names: dict[str, str] = {}
    for index, (name, declared) in enumerate(pairs):
        place = f"{pointer}/{_escaped(name) if isinstance(value, Mapping) else index}"
        _check_name(name, place, "column")
        _check_new(name, names, place, "column", dialect)
        if declared is not None and not isinstance(declared, str):
            raise GrammarError(
                place, f"the type is a {type(declared).__name__}", 'write its name: "INTEGER", "VARCHAR(20)"'
            )
        found.append(Column(name, declared or ""))
    return tuple(found)


def _check_name(name: object, pointer: str, what: str) -> None:
    if not isinstance(name, str):
        raise GrammarError(pointer, f"the name of a {what} is a {type(name).__name__}", "names are strings")
    if not name or "\0" in name:
        raise GrammarError(pointer, f"the name of a {what} is empty or holds a NUL character")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise GrammarError(pointer, f"the name of a {what} holds a lone surrogate") from None


def _check_new(name: str, names: dict[str, str], pointer: str, what: str, dialect: Dialect) -> None:
    # PostgreSQL tells names apart by case where they are quoted, the others do not.
    folded = name if dialect == "postgres" else name.lower()
    if folded in names:
        raise GrammarError(
            pointer, f"there is a {what} {names[folded]!r} already", f"{dialect} takes {name!r} for the same"
        )
    names[folded] = name


def _made_in_memory(tables: list[Table]) -> Schema:
    """The same tables as SQLite makes them, so that statements can be prepared on them."""
    from gramspec.grammar.sql.sqlite_ddl import schema_of_statements

    ddl = [
        f"CREATE TABLE {_quoted(table.name)} ("
        + ", ".join(f"{_quoted(column.name)} {column.type}".rstrip() for column in table.columns)
        + ")"
        for table in tables
    ]
    for table, statement in zip(tables, ddl, strict=True):
        pointer = f"/{_escaped(table.name)}"
        if table.name.lower().startswith("sqlite_"):
            raise GrammarError(pointer, "SQLite keeps names that begin with sqlite_ for itself")
        try:
            made = schema_of_statements([statement], f"the table {table.name!r}").tables[0].columns
        except GrammarError as error:
            raise GrammarError(pointer, error.reason, "give names and types of columns alone") from None
        for given, read in zip(table.columns, made, strict=False):
            same = (given.name, _bare(given.type)) == (read.name, _bare(read.type)) and read == _plain(read)
            if not same or len(made) != len(table.columns):
                raise GrammarError(
                    f"{pointer}/{_escaped(given.name)}",
                    f"{given.type!r} is not the name of a type",
                    "constraints belong into DDL; a dict has names and types",
                )
    return schema_of_statements(ddl, "the dict")


def _plain(column: Column) -> Column:
    return Column(column.name, column.type)


def _bare(declared: str) -> str:
    return "".join(declared.split()).lower()


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _escaped(part: object) -> str:
    return str(part).replace("~", "~0").replace("/", "~1")
