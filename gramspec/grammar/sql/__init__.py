"""SQL: the statements of a dialect, with the names of a database schema.

Law: the language of the documented subset of a dialect, cut down by the scope of names and, if asked for, to
what the database prepares.
Source: https://www.sqlite.org/lang.html; the other dialects' manuals.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from gramspec.errors import OptionError
from gramspec.grammar.core import Grammar, Residual
from gramspec.grammar.sql.build import statements_of
from gramspec.grammar.sql.catalog import Schema
from gramspec.grammar.sql.dialects import dialect_of
from gramspec.grammar.sql.prepare import prepare_residual
from gramspec.grammar.sql.schema import dialect_named, read_schema
from gramspec.grammar.sql.scope import scope_residual

KINDS: Final = ("select", "insert", "update", "delete")

__all__ = ["KINDS", "sql"]


def sql(
    schema: object = None,
    *,
    dialect: str = "sqlite",
    prepare: bool = False,
    statements: str | Iterable[str] = "all",
    scope: bool = True,
    aliases: Iterable[str] | None = None,
    comments: bool = True,
) -> Grammar:
    """The grammar of the SQL statements that may be asked of a database.

    One statement, with or without a semicolon behind it. See the page on SQL for the subset of each dialect.

    Parameters
    ----------
    schema : str, Engine, URL, mapping or Schema, optional
        The tables and columns that statements may name: DDL, a SQLAlchemy URL or engine (reflected), or a
        dict of tables and their columns. Without it, any names.
    dialect : {"sqlite", "postgres", "mysql"}
        Whose statements; "postgresql" is "postgres".
    prepare : bool
        Whether a member must prepare on the database as well (SQLite, with a schema).
    statements : "all" or iterable of str
        The kinds of statements, out of `KINDS`.
    scope : bool
        Whether names must be in scope where they stand; asked at the end of a text. Needs a schema.
    aliases : iterable of str, optional
        The names that a statement may make for tables, columns and common table expressions, one at least;
        None: any.
    comments : bool
        Whether comments may stand between tokens.

    Returns
    -------
    Grammar
        Over UTF-8.

    Raises
    ------
    OptionError
        For an unknown dialect, kind of statement or alias, an unreachable database, or a predicate that
        cannot be asked.
    GrammarError
        For malformed DDL and schemas that cannot be used, with the place.
    """
    data = dialect_of(dialect_named(dialect))
    kinds = _kinds(statements)
    if aliases is not None and not isinstance(aliases, Iterable):
        raise OptionError(f"aliases: a {type(aliases).__name__} is no list of names")
    found = None if schema is None else read_schema(schema, data.name)
    residuals: list[Residual] = []
    if found is not None and scope:
        residuals.append(scope_residual(found))
    if prepare:
        residuals.append(prepare_residual(found, data.name))
    expr = statements_of(found, data, kinds, comments=comments, aliases=aliases)
    # Its rules are made when a text reaches them; nothing here should look at them all.
    return Grammar.deferred(lambda: expr, _described(found, data.name), tuple(residuals), bytes_only=True)


def _kinds(statements: str | Iterable[str]) -> tuple[str, ...]:
    if not isinstance(statements, Iterable):
        raise OptionError(
            f"statements: a {type(statements).__name__} is none; there are {', '.join(KINDS)}, or 'all'"
        )
    asked = (
        KINDS if statements == "all" else (statements,) if isinstance(statements, str) else tuple(statements)
    )
    for kind in asked:
        if kind not in KINDS:
            raise OptionError(f"statements: {kind!r} is no kind of statement; there are {', '.join(KINDS)}")
    if not asked:
        raise OptionError("statements: at least one kind")
    return tuple(kind for kind in KINDS if kind in asked)


def _described(schema: Schema | None, dialect: str) -> str:
    return f"sql ({dialect})" if schema is None else f"sql ({dialect}, {len(schema.tables)} tables)"
