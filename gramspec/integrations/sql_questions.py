"""Questions about databases: the tables, the grammar and the prompt behind `gramspec sql` and `/v1/sql`.

Law: statements belong to the grammar of the tables; only SELECT unless writing is asked for.
Source: `gramspec.grammar.sql`.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gramspec.errors import OptionError

if TYPE_CHECKING:
    from gramspec.grammar.core import Grammar
    from gramspec.grammar.sql.catalog import Schema

_EMBEDDED: Final = "SQL: {question}\n"
_FULL: Final = "{schema}\n\n-- One {dialect} statement that answers: {question}\n"
_PLACE: Final = re.compile(r"\{(schema|dialect|question)\}")
_MOST_LISTED: Final = 20


def dialect_of_url(url: str, said: str) -> str:
    """The dialect that a database's URL names.

    Parameters
    ----------
    url : str
        ``sqlite:///file.db``, ``postgresql://user@host/name``.
    said : str
        How the user has given it, for errors.

    Raises
    ------
    OptionError
        If it is no URL.
    """
    if "://" not in url:
        hint = f"sqlite:///{url}" if Path(url).exists() else "sqlite:///file.db, postgresql://user@host/name"
        raise OptionError(f"{said} {url}: this is no URL\n  hint: {said} {hint}")
    return url.partition("://")[0].partition("+")[0]


def with_tables(schema: Schema, names: Sequence[str], said: str) -> Schema:
    """The schema with these tables alone.

    Parameters
    ----------
    schema : Schema
        All tables.
    names : sequence of str
        Those that are wanted; case does not count.
    said : str
        How the user has given them, for errors.

    Raises
    ------
    OptionError
        If one is not there, or none is named.
    """
    known = {table.name.lower(): table for table in schema.tables}
    missing = [name for name in names if name.lower() not in known]
    if missing or not names:
        listed = ", ".join(table.name for table in schema.tables[:_MOST_LISTED])
        raise OptionError(f"{said}: there is no table {', '.join(missing)}\n  hint: there are {listed}")
    return dataclasses.replace(schema, tables=tuple(known[name.lower()] for name in names))


def statements_of(
    schema: Schema,
    *,
    prepare: bool,
    write: bool,
    aliases: Sequence[str] | None = None,
    comments: bool = True,
) -> Grammar:
    """The grammar of the statements that may be asked of a database.

    Parameters
    ----------
    schema : Schema
        Its tables.
    prepare : bool
        Whether SQLite must prepare a statement.
    write : bool
        Whether INSERT, UPDATE and DELETE are members too.
    aliases : sequence of str, optional
        The names that a statement may make; None: any.
    comments : bool
        Whether comments may stand between tokens.
    """
    from gramspec.grammar.sql import KINDS, sql

    kinds = KINDS if write else ("select",)
    return sql(
        schema, dialect=schema.dialect, prepare=prepare, statements=kinds, aliases=aliases, comments=comments
    )


def prompt_of(schema: Schema, question: str, *, embedded: bool, template: str | None = None) -> str:
    """The prompt: a template with the schema, the dialect and the question in their places.

    Parameters
    ----------
    schema : Schema
        The tables.
    question : str
        Its white space is not kept.
    embedded : bool
        Whether the embedded pair is asked, which was trained on questions of one line over tables it knows by
        heart.
    template : str, optional
        With ``{schema}``, ``{dialect}`` and ``{question}``.
    """
    question = " ".join(question.split())
    if template is None:
        template = _EMBEDDED if embedded else _FULL
        if embedded and question[-1:] not in (".", "?"):
            question += "."
    places = {"schema": described(schema), "dialect": schema.dialect, "question": question}
    return _PLACE.sub(lambda match: places[match[1]], template)


def described(schema: Schema) -> str:
    """The schema as CREATE TABLE statements, a line each."""
    return "\n".join(
        f"CREATE {table.kind.upper()} {table.name} ("
        + ", ".join(f"{column.name} {column.type}".rstrip() for column in table.columns)
        + ");"
        for table in schema.tables
    )
