"""`Prepares`: the predicate that SQLite prepares a statement on the tables of a schema.

Law: holds iff SQLite compiles the text as one statement on these tables, where a name in double quotes is no
string. Nothing is executed, and nothing but reading and writing rows may be prepared.
Cost: one prepare of the text; the tables are made again in memory, once in a process.
Source: https://www.sqlite.org/lang_explain.html; architecture, "Residual predicates".
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import threading
from typing import Final

from gramspec.errors import LimitError, OptionError
from gramspec.grammar.core import Place, Reading
from gramspec.grammar.sql.catalog import Schema
from gramspec.grammar.sql.memory import MAX_STATEMENT, database_of
from gramspec.grammar.sql.sqlite_text import tokens, without_double_quotes

_PARAMETERS: Final = "Incorrect number of bindings"
_VERBS: Final = ("SELECT", "WITH", "VALUES", "INSERT", "REPLACE", "UPDATE", "DELETE")


class Prepares:
    """The predicate of ``prepare=True``.

    Its verdicts are those of the tables as they were when the schema was read.

    Parameters
    ----------
    schema : Schema
        Of the dialect "sqlite", with the statements that make its tables.
    """

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self._lock = threading.Lock()
        self._connection: tuple[int, sqlite3.Connection] | None = None

    @property
    def places(self) -> tuple[Place, ...]:
        """The whole statement."""
        return (Place("", "prepare", "only SQLite knows what it prepares"),)

    @property
    def key(self) -> str:
        """Hash of the tables, with the version of SQLite."""
        text = json.dumps([sqlite3.sqlite_version, self.schema.ddl])
        return f"sqlite-prepares {hashlib.sha256(text.encode()).hexdigest()}"

    def holds(self, text: bytes) -> bool:
        """Whether SQLite prepares the text.

        Raises
        ------
        LimitError
            If it is longer than `MAX_STATEMENT`.
        """
        return self.refusal(text) is None

    def refusal(self, text: bytes) -> str | None:
        """What SQLite says against the text; None if it prepares."""
        if len(text) > MAX_STATEMENT:
            raise LimitError(
                "statement length",
                f"{len(text):,} bytes are more than the {MAX_STATEMENT:,} that are prepared",
            )
        try:
            statement = without_double_quotes(text.decode())
        except UnicodeDecodeError:
            return "it is not UTF-8"
        if "\0" in statement:
            return "it holds a NUL character"
        first = next((token for token in tokens(statement) if token.kind != "space"), None)
        if first is None or first.text.upper() not in _VERBS:
            return "it neither reads nor writes rows"
        with self._lock:
            try:
                self._database().execute(f"EXPLAIN {statement}").close()
            except sqlite3.ProgrammingError as error:
                # A statement with parameters has been prepared when it is found that they have no values.
                return None if str(error).startswith(_PARAMETERS) else str(error)
            except (sqlite3.Error, sqlite3.Warning) as error:
                return str(error)
        return None

    def reading(self) -> Reading | None:
        """SQLite is asked at the end of the text."""
        return None

    def _database(self) -> sqlite3.Connection:
        # A connection is not carried into a child process.
        process = os.getpid()
        if self._connection is None or self._connection[0] != process:
            self._connection = process, database_of(self.schema.ddl)
        return self._connection[1]

    def __reduce__(self) -> tuple[type[Prepares], tuple[Schema]]:
        return Prepares, (self.schema,)

    def __repr__(self) -> str:
        return f"Prepares({len(self.schema.tables)} tables)"


def prepare_residual(schema: Schema | None, dialect: str) -> Prepares:
    """The predicate of ``prepare=True``.

    Raises
    ------
    OptionError
        If there is no schema, or the dialect is not SQLite.
    """
    if dialect != "sqlite":
        raise OptionError(
            f"prepare=True: statements are prepared by SQLite alone, and the dialect is {dialect!r}"
            "\n  hint: leave prepare out; scope is checked in every dialect"
        )
    if schema is None:
        raise OptionError("prepare=True: there are no tables to prepare statements on\n  hint: pass a schema")
    return Prepares(schema)
