"""Running statements on a database for `gramspec sql` and `/v1/sql`: read only unless told otherwise.

Law: without `write` no statement changes a row, whatever it says; rows, bytes and seconds are bounded.
Source: https://www.sqlite.org/c3ref/set_authorizer.html; https://www.postgresql.org/docs/current/sql-set-transaction.html.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from gramspec.errors import OptionError

if TYPE_CHECKING:
    from sqlalchemy import Connection, CursorResult, Engine

_STEPS: Final = 20_000  # of SQLite's machine between two looks at the clock
_READS: Final = frozenset({20, 21, 31, 33})  # READ, SELECT, FUNCTION, RECURSIVE
_WRITES: Final = frozenset({9, 18, 22, 23})  # DELETE, INSERT, TRANSACTION, UPDATE
_MOST_BYTES: Final = 8 << 20  # of one result, and of one value in SQLite
_BATCH: Final = 64
# SQLite: CANTOPEN, IOERR, CORRUPT, NOTADB: it is the file that fails, not the statement.
_LOST: Final = frozenset({10, 11, 14, 26})
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
    lost : bool
        Whether it is the database that is away or damaged, and not the statement that is at fault.
    """

    columns: tuple[str, ...] = ()
    rows: tuple[tuple[Any, ...], ...] = ()
    more: bool = False
    changed: int | None = None
    error: str = ""
    lost: bool = False


@contextmanager
def runner(
    database: str,
    *,
    write: bool,
    most_rows: int,
    seconds: float,
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[Runner]:
    """A connection on which statements are run.

    Parameters
    ----------
    database : str
        Its URL.
    write : bool
        Whether statements may write; what they write is kept.
    most_rows : int
        Rows of a result.
    seconds : float
        That a statement may run.
    stopped : callable
        Whether nobody waits for a result any more; SQLite asks it while a statement runs.

    Raises
    ------
    OptionError
        If the database cannot be reached.
    """
    from gramspec.grammar.sql.databases import connected, engine_of

    with engine_of(database, write=write) as engine, connected(engine) as connection:
        yield Runner(engine, connection, write, most_rows, seconds, stopped)


class Runner:
    """Runs statements, one after the other; made by `runner`."""

    def __init__(
        self,
        engine: Engine,
        connection: Connection,
        write: bool,
        most_rows: int,
        seconds: float,
        stopped: Callable[[], bool],
    ) -> None:
        self._connection = connection
        self._write = write
        self._most_rows = most_rows
        self._seconds = seconds
        self._stopped = stopped
        self._name = engine.dialect.name
        # The client of PostgreSQL would read a whole result; a cursor of the server gives rows as they are
        # asked for, and takes nothing but queries.
        self._options = {"stream_results": True} if self._name == "postgresql" and not write else {}
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
                found = connection.exec_driver_sql(statement, execution_options=self._options)
                if found.returns_rows:
                    columns = tuple(found.keys())
                    result = Result(columns, *self._fetched(found))
                    found.close()
                else:
                    result = Result(changed=found.rowcount)
                if not self._write:
                    transaction.rollback()
                return result
        except (exc.SQLAlchemyError, sqlite3.Error) as error:
            cause = getattr(error, "orig", None) or error
            said = " ".join(str(cause).split()) or type(cause).__name__
            code = getattr(cause, "sqlite_errorcode", None)
            away = isinstance(code, int) and code & 0xFF in _LOST
            return Result(error=said, lost=away or getattr(error, "connection_invalidated", False))

    def _fetched(self, found: CursorResult[Any]) -> tuple[tuple[tuple[Any, ...], ...], bool]:
        """The rows that fit, and whether there are more."""
        rows: list[tuple[Any, ...]] = []
        size = 0
        while batch := found.fetchmany(min(_BATCH, self._most_rows + 1 - len(rows))):
            for row in batch:
                size += sum(len(value) for value in row if isinstance(value, (str, bytes, memoryview)))
                if len(rows) == self._most_rows or size > _MOST_BYTES:
                    return tuple(rows), True
                rows.append(tuple(row))
        return tuple(rows), False

    def _guard(self) -> None:
        connection = self._connection
        if self._name == "sqlite":
            driver: Any = connection.connection.driver_connection
            allowed = _READS | _WRITES if self._write else _READS
            end = time.monotonic() + self._seconds

            def authorize(action: int, _: str | None, second: str | None, *__: str | None) -> int:
                forbidden = action == 31 and (second or "").lower() in _FORBIDDEN
                return sqlite3.SQLITE_OK if action in allowed and not forbidden else sqlite3.SQLITE_DENY

            driver.text_factory = _decoded
            driver.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MOST_BYTES)
            driver.set_authorizer(authorize)
            driver.set_progress_handler(lambda: int(time.monotonic() > end or self._stopped()), _STEPS)
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


def _decoded(text: bytes) -> str:
    """Text of a database, which need not be UTF-8."""
    return text.decode("utf-8", "replace")
