"""Running statements on a database for `gramspec sql`: read only unless told otherwise.

Law: without `write` no statement changes a row, whatever it says; rows and seconds are bounded.
Source: https://www.sqlite.org/c3ref/set_authorizer.html; https://www.postgresql.org/docs/current/sql-set-transaction.html.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from gramspec.errors import OptionError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

_STEPS: Final = 20_000  # of SQLite's machine between two looks at the clock
_READS: Final = frozenset({20, 21, 31, 33})  # READ, SELECT, FUNCTION, RECURSIVE
_WRITES: Final = frozenset({9, 18, 22, 23})  # DELETE, INSERT, TRANSACTION, UPDATE
_FORBIDDEN: Final = frozenset({"load_extension", "readfile", "writefile", "edit", "fts3_tokenizer"})


@dataclass(frozen=True)
class Result:
    """What a statement gave.

    Attributes
    ----------
    columns : tuple of str
        Empty for one that gives no rows.
    rows : tuple of tuple
    more : bool
        Whether there are further rows.
    changed : int or None
        Rows that were written; None for a statement that writes none.
    error : str
        Why it did not run; empty if it did.
    """

    columns: tuple[str, ...] = ()
    rows: tuple[tuple[Any, ...], ...] = ()
    more: bool = False
    changed: int | None = None
    error: str = ""


@contextmanager
def runner(database: str, *, write: bool, most_rows: int, seconds: float) -> Iterator[Runner]:
    """A connection on which statements are run.

    Raises
    ------
    OptionError
        If the database cannot be reached.
    """
    from gramspec.grammar.sql.databases import connected, engine_of

    with engine_of(database, write=write) as engine, connected(engine) as connection:
        yield Runner(engine, connection, write, most_rows, seconds)


class Runner:
    """Runs statements, one after the other; made by `runner`."""

    def __init__(
        self, engine: Engine, connection: Connection, write: bool, most_rows: int, seconds: float
    ) -> None:
        self._connection = connection
        self._write = write
        self._most_rows = most_rows
        self._seconds = seconds
        self._name = engine.dialect.name
        if self._name not in ("sqlite", "postgresql", "mysql", "mariadb"):
            raise OptionError(f"--db: statements are not run on {self._name}")

    def run(self, statement: str) -> Result:
        """Run one statement; what the database says against it is part of the result."""
        from sqlalchemy import exc

        connection = self._connection
        try:
            with connection.begin() as transaction:
                self._guard()
                # Straight to the driver: colons and per cent signs stand for themselves.
                found = connection.exec_driver_sql(statement)
                if found.returns_rows:
                    rows = found.fetchmany(self._most_rows + 1)
                    shown = tuple(tuple(row) for row in rows[: self._most_rows])
                    result = Result(tuple(found.keys()), shown, len(rows) > self._most_rows)
                    found.close()
                else:
                    result = Result(changed=found.rowcount)
                if not self._write:
                    transaction.rollback()
                return result
        except (exc.SQLAlchemyError, sqlite3.Error) as error:
            cause = getattr(error, "orig", None) or error
            return Result(error=" ".join(str(cause).split()) or type(cause).__name__)

    def _guard(self) -> None:
        connection = self._connection
        if self._name == "sqlite":
            driver: Any = connection.connection.driver_connection
            allowed = _READS | _WRITES if self._write else _READS
            end = time.monotonic() + self._seconds

            def authorize(action: int, _: str | None, second: str | None, *__: str | None) -> int:
                forbidden = action == 31 and (second or "").lower() in _FORBIDDEN
                return sqlite3.SQLITE_OK if action in allowed and not forbidden else sqlite3.SQLITE_DENY

            driver.set_authorizer(authorize)
            driver.set_progress_handler(lambda: int(time.monotonic() > end), _STEPS)
            return
        milliseconds = max(1, int(self._seconds * 1000))
        if self._name == "postgresql":
            if not self._write:
                connection.exec_driver_sql("SET TRANSACTION READ ONLY")
            connection.exec_driver_sql(f"SET LOCAL statement_timeout = {milliseconds}")
            return
        if self._name == "mysql":
            connection.exec_driver_sql(f"SET SESSION max_execution_time = {milliseconds}")
        else:
            connection.exec_driver_sql(f"SET SESSION max_statement_time = {self._seconds}")
        if not self._write:
            # The transaction that SQLAlchemy has begun ends here, the one that is begun now cannot write.
            connection.exec_driver_sql("ROLLBACK")
            connection.exec_driver_sql("START TRANSACTION READ ONLY")
