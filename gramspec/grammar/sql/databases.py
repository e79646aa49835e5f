"""Databases as schemas: reflected through SQLAlchemy, which is imported here alone.

Law: nothing is written into a database; a password is never shown.
Source: https://docs.sqlalchemy.org/en/20/core/reflection.html.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from gramspec.errors import GrammarError, OptionError
from gramspec.grammar.sql.catalog import Column, Dialect, ForeignKey, Schema, Table

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine
    from sqlalchemy.engine import URL, Inspector

_SECONDS: Final = 10
_DIALECTS: Final[dict[str, Dialect]] = {
    "sqlite": "sqlite",
    "postgresql": "postgres",
    "mysql": "mysql",
    "mariadb": "mysql",
}
_EXTRAS: Final = {
    "postgresql": "gramspec[postgresql]",
    "mysql": "gramspec[mysql]",
    "mariadb": "gramspec[mysql]",
}


def schema_of_database(source: object, dialect: Dialect) -> Schema:
    """The schema of a database.

    Parameters
    ----------
    source : str, sqlalchemy.URL or sqlalchemy.Engine
    dialect : {"sqlite", "postgres", "mysql"}
        Which it must be one of.

    Raises
    ------
    OptionError
        If it cannot be reached, is of another dialect, or its driver is not installed.
    GrammarError
        If it has no tables, or one without columns.
    """
    with engine_of(source) as engine:
        name = engine.dialect.name
        if _DIALECTS.get(name) != dialect:
            known = _DIALECTS.get(name)
            hint = (
                f"pass dialect={known!r}"
                if known
                else f"the dialects are {', '.join(set(_DIALECTS.values()))}"
            )
            raise OptionError(f"dialect={dialect!r}: {shown(engine.url)} is a {name} database; {hint}")
        with connected(engine) as connection:
            return _read(connection, shown(engine.url), dialect)


@contextlib.contextmanager
def engine_of(source: object, *, write: bool = False) -> Iterator[Engine]:
    """The engine of a URL, disposed of afterwards; or the engine itself.

    A file of SQLite is never made, and opened read only unless `write` says otherwise.
    """
    try:
        import sqlalchemy
        from sqlalchemy import exc
        from sqlalchemy.engine import URL, make_url
    except ImportError:
        raise OptionError(
            'schema: reading a database needs SQLAlchemy\n  hint: pip install "gramspec[sql]"'
        ) from None
    if isinstance(source, sqlalchemy.Engine):
        yield source
        return
    if not isinstance(source, (str, URL)):
        raise OptionError(
            f"schema: a {type(source).__module__}.{type(source).__name__} is no URL and no engine"
            "\n  hint: for an asynchronous engine pass its sync_engine"
        )
    try:
        url = make_url(source)
    except (exc.ArgumentError, ValueError):
        raise OptionError(
            "schema: the URL cannot be read\n  hint: sqlite:///file.db, postgresql+psycopg://user@host/name"
        ) from None
    options: dict[str, Any] = {}
    path = _file_of(url)
    if path is not None:
        if not path.is_file():
            reason = "there is no such file" if not path.exists() else "it is not a file"
            raise OptionError(f"schema: {shown(url)}: {reason}")
        options["creator"] = lambda: opened(path, write)
    elif url.get_backend_name() in ("postgresql", "mysql", "mariadb"):
        options["connect_args"] = {"connect_timeout": _SECONDS}
        if url.drivername == "postgresql":
            url = url.set(drivername="postgresql+psycopg")
        elif url.drivername in ("mysql", "mariadb"):
            url = url.set(drivername=f"{url.drivername}+pymysql")
    try:
        engine = sqlalchemy.create_engine(url, **options)
    except exc.NoSuchModuleError:
        raise OptionError(f"schema: {url.drivername} is no database that SQLAlchemy knows") from None
    except ImportError as error:
        extra = _EXTRAS.get(url.get_backend_name())
        hint = f'pip install "{extra}"' if extra else f"install the driver of {url.drivername}"
        raise OptionError(
            f"schema: {shown(url)}: its driver is missing ({error.name})\n  hint: {hint}"
        ) from None
    try:
        yield engine
    finally:
        engine.dispose()


@contextlib.contextmanager
def connected(engine: Engine) -> Iterator[Connection]:
    """A connection; `OptionError` if there is none to be had."""
    from sqlalchemy import exc

    try:
        connection = engine.connect()
    except exc.SQLAlchemyError as error:
        raise unreachable(engine.url, error) from None
    with connection:
        yield connection


def unreachable(url: URL, error: Exception) -> OptionError:
    """The refusal of a database that does not answer."""
    cause = getattr(error, "orig", None) or error
    reason = " ".join(str(cause).split()) or type(cause).__name__
    if url.password:
        reason = reason.replace(str(url.password), "***")
    return OptionError(f"schema: {shown(url)} cannot be read: {reason}")


def shown(url: URL) -> str:
    """A URL without its password."""
    return url.render_as_string(hide_password=True)


def opened(path: Path, write: bool) -> sqlite3.Connection:
    """A connection to a file of SQLite that is there."""
    uri = f"file:{quote(str(path.resolve()))}?mode={'rw' if write else 'ro'}"
    return sqlite3.connect(uri, uri=True, timeout=_SECONDS, check_same_thread=False)


def _file_of(url: URL) -> Path | None:
    """The plain file of an SQLite URL; None for one in memory, and for what the driver reads itself."""
    plain = url.get_backend_name() == "sqlite" and url.get_driver_name() in ("", "pysqlite")
    if not plain or not url.database or url.database == ":memory:" or url.database.startswith("file:"):
        return None
    return Path(url.database)


def _read(connection: Connection, what: str, dialect: Dialect) -> Schema:
    from sqlalchemy import exc, inspect

    try:
        if dialect == "sqlite":
            from gramspec.grammar.sql.sqlite_ddl import kept_statements, schema_of_statements

            rows = connection.exec_driver_sql(
                "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid"
            ).fetchall()
            if not any(row[0] in ("table", "view") for row in rows):
                raise _no_tables(what)
            return schema_of_statements(kept_statements([(r[0], r[1], r[2]) for r in rows]), what)
        return _reflected(inspect(connection), what, dialect)
    except exc.SQLAlchemyError as error:
        raise unreachable(connection.engine.url, error) from None


def _reflected(inspector: Inspector, what: str, dialect: Dialect) -> Schema:
    from sqlalchemy.engine.reflection import ObjectKind

    views = {*inspector.get_view_names()}
    if dialect == "postgres":
        views.update(inspector.get_materialized_view_names())
    keys = inspector.get_multi_pk_constraint(kind=ObjectKind.ANY)
    foreign = inspector.get_multi_foreign_keys(kind=ObjectKind.ANY)
    constraints = inspector.get_multi_unique_constraints(kind=ObjectKind.ANY)
    indexes = inspector.get_multi_indexes(kind=ObjectKind.ANY)
    found: list[Table] = []
    for place, rows in inspector.get_multi_columns(kind=ObjectKind.ANY).items():
        name = place[1]
        if not rows:
            raise GrammarError("", f"the table {name} of {what} has no columns", "drop it, or give a dict")
        constraint = keys.get(place)
        key = tuple(constraint["constrained_columns"]) if constraint else ()
        unique = [key] if key else []
        unique += [tuple(one["column_names"]) for one in constraints.get(place) or ()]
        unique += [
            tuple(part for part in one["column_names"] if part is not None)
            for one in indexes.get(place) or ()
            if one["unique"] and None not in one["column_names"]
        ]
        columns = tuple(_column(row, key, inspector) for row in rows)
        referring = tuple(
            ForeignKey(
                tuple(one["constrained_columns"]), str(one["referred_table"]), tuple(one["referred_columns"])
            )
            for one in foreign.get(place) or ()
        )
        kind: Any = "view" if name in views else "table"
        found.append(Table(name, columns, kind, "", False, tuple(dict.fromkeys(unique)), referring))
    if not found:
        raise _no_tables(what)
    return Schema(tuple(found), dialect)


def _column(row: Any, key: tuple[str, ...], inspector: Inspector) -> Column:
    name = str(row["name"])
    try:
        declared = row["type"].compile(dialect=inspector.dialect)
    except Exception:
        # Types that this SQLAlchemy does not know have no spelling; a type only narrows literals.
        declared = ""
    generated = bool(row.get("computed")) or bool((row.get("identity") or {"always": False})["always"])
    return Column(name, declared, bool(row.get("nullable", True)), generated, False, name in key)


def _no_tables(what: str) -> GrammarError:
    return GrammarError("", f"{what} has no tables", "create one, or give the right database")
