"""An SQLite database in memory that holds tables and no rows: DDL is read with it, statements prepared on it.

Law: nothing that is run or prepared here reads a file, writes one, or loads code; every run is counted.
Source: https://www.sqlite.org/c3ref/set_authorizer.html.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

from gramspec.errors import LimitError

MAX_STATEMENT: Final = 1_000_000
"""Longest statement that is prepared, in characters."""

_STEPS: Final = 10_000  # of SQLite's machine between two looks at the count
_MOST_LOOKS: Final = 2_000
_MOST_PAGES: Final = 32_768
_LONGEST_VALUE: Final = 10_000_000
_MODULES: Final = frozenset(
    {"fts3", "fts4", "fts5", "fts4aux", "fts3tokenize", "fts5vocab", "rtree", "rtree_i32"}
)

# Action codes of SQLite's authorizer; the module does not name all of them in every version.
_CREATE_VTABLE: Final = 29
_FUNCTION: Final = 31
_ATTACH, _DETACH, _PRAGMA = 24, 25, 19
_SELECT, _READ, _INSERT, _UPDATE, _DELETE, _RECURSIVE = 21, 20, 18, 23, 9, 33
_PREPARED: Final = frozenset({_SELECT, _READ, _INSERT, _UPDATE, _DELETE, _RECURSIVE})
_FORBIDDEN_FUNCTIONS: Final = frozenset({"load_extension", "fts3_tokenizer", "readfile", "writefile", "edit"})


class Steps:
    """Counts what the machine of one connection does."""

    def __init__(self) -> None:
        self.looks = 0

    def __call__(self) -> int:
        """Whether to interrupt."""
        self.looks += 1
        return int(self.looks > _MOST_LOOKS)


def empty_database() -> tuple[sqlite3.Connection, Steps]:
    """A database in memory in which tables may be made, and nothing else may be done."""
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    connection.execute(f"PRAGMA max_page_count={_MOST_PAGES}")
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST_VALUE)
    connection.setlimit(sqlite3.SQLITE_LIMIT_SQL_LENGTH, MAX_STATEMENT + 16)
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    steps = Steps()
    connection.set_progress_handler(steps, _STEPS)
    connection.set_authorizer(_while_making)
    return connection, steps


def database_of(ddl: Sequence[str]) -> sqlite3.Connection:
    """The database that the statements make, read only: what changes its tables is not authorized any more.

    Raises
    ------
    sqlite3.Error
        If a statement does not run.
    LimitError
        If they take too many steps.
    """
    connection, steps = empty_database()
    for statement in ddl:
        run(connection, statement, steps)
    steps.looks = 0
    connection.set_authorizer(_while_preparing)
    return connection


def run(connection: sqlite3.Connection, statement: str, steps: Steps) -> None:
    """Run one statement of a script.

    Raises
    ------
    sqlite3.Error
        If it does not run.
    LimitError
        If the script takes too many steps so far.
    """
    try:
        connection.execute(statement).fetchall()
    except sqlite3.OperationalError:
        if steps.looks > _MOST_LOOKS:
            raise LimitError(
                "DDL steps", f"the tables take more than {_STEPS * _MOST_LOOKS:,} steps of SQLite to make"
            ) from None
        raise


def _while_making(action: int, first: str | None, second: str | None, *_: str | None) -> int:
    if action in (_ATTACH, _DETACH):
        return sqlite3.SQLITE_DENY
    if action == _PRAGMA and first not in _READ_PRAGMAS:
        return sqlite3.SQLITE_DENY
    if action == _CREATE_VTABLE and (second or "").lower() not in _MODULES:
        return sqlite3.SQLITE_DENY
    if action == _FUNCTION and (second or "").lower() in _FORBIDDEN_FUNCTIONS:
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK


def _while_preparing(action: int, first: str | None, second: str | None, *_: str | None) -> int:
    if action in _PREPARED:
        return sqlite3.SQLITE_OK
    if action == _FUNCTION:
        forbidden = (second or "").lower() in _FORBIDDEN_FUNCTIONS
        return sqlite3.SQLITE_DENY if forbidden else sqlite3.SQLITE_OK
    return sqlite3.SQLITE_DENY


# What the readers of tables ask, and full-text tables of themselves.
_READ_PRAGMAS: Final = frozenset(
    {"table_xinfo", "index_list", "index_xinfo", "foreign_key_list", "data_version", "page_size"}
)
