"""DDL of SQLite as a schema: SQLite itself reads it, in memory, and is asked what tables there are.

Law: the schema is the one SQLite has after running the statements; what does not run is refused by its place.
Cost: that of the statements, whose steps are counted.
Source: https://www.sqlite.org/pragma.html.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from typing import Final

from gramspec.errors import GrammarError, LimitError
from gramspec.grammar.sql.catalog import Column, ForeignKey, Schema, Table
from gramspec.grammar.sql.memory import MAX_STATEMENT, Steps, empty_database, run
from gramspec.grammar.sql.sqlite_text import Statement, Token, placed, statements

MAX_DDL: Final = 8_000_000
"""Longest DDL that is read, in characters."""

_MOST_TABLES: Final = 10_000
_MOST_COLUMNS: Final = 100_000
_WITHOUT_EFFECT: Final = ("BEGIN", "COMMIT", "END")
_NEAR: Final = re.compile(r'near "(.*)": syntax error', re.DOTALL)
_HINT: Final = "give CREATE, ALTER TABLE and DROP statements alone, as `sqlite3 FILE .schema` prints them"


def sqlite_schema(script: str) -> Schema:
    """The schema that a script of SQLite makes in an empty database.

    Raises
    ------
    GrammarError
        If a statement is malformed or makes no part of a schema, or no table is left.
    LimitError
        If the script is too long, or takes too many steps.
    """
    if len(script) > MAX_DDL:
        raise LimitError("DDL length", f"the DDL has {len(script)} characters, more than {MAX_DDL}")
    if "\0" in script:
        raise placed(script, script.index("\0"), "the DDL holds a NUL character", "take it out")
    connection, steps = empty_database()
    try:
        views: dict[str, int] = {}
        for statement in statements(script):
            _run(connection, script, statement, steps)
            if statement.words(2) == ("CREATE", "VIEW"):
                views.update({token.value.lower(): token.offset for token in statement.tokens[2:8]})
        try:
            return reflected(connection)
        except _BrokenViewError as broken:
            offset = views.get(broken.view.lower(), 0)
            reason = f"the view {broken.view} cannot be read: {broken.reason}"
            raise placed(script, offset, reason, "create what it names, or leave it out") from None
    finally:
        connection.close()


def schema_of_statements(ddl: Sequence[str], what: str) -> Schema:
    """The schema that an existing database makes with the statements it keeps.

    Raises
    ------
    GrammarError
        If a statement does not run here, a view is broken, or there is no table.
    """
    connection, steps = empty_database()
    try:
        for statement in ddl:
            try:
                run(connection, statement, steps)
            except sqlite3.Error as error:
                shown = " ".join(statement.split())[:80]
                raise GrammarError(
                    "",
                    f"{what} cannot be made again in memory: {error}, in {shown!r}",
                    "give the tables as DDL or as a dict, without what this SQLite does not know",
                ) from None
        return reflected(connection)
    except _BrokenViewError as broken:
        reason = f"the view {broken.view} of {what} cannot be read: {broken.reason}"
        raise GrammarError("", reason, "drop or repair the view") from None
    finally:
        connection.close()


def kept_statements(rows: Sequence[tuple[str, str, str]]) -> list[str]:
    """The statements of ``sqlite_master`` in an order in which they run.

    Parameters
    ----------
    rows : sequence of (type, name, sql)
        As the database gives them.
    """
    # Tables that a virtual one makes for itself come with it.
    virtual = [name.lower() for _, name, sql in rows if sql[:30].upper().split()[:2] == ["CREATE", "VIRTUAL"]]

    def shadow(name: str) -> bool:
        return any(name.lower().startswith(f"{one}_") for one in virtual)

    found: list[str] = []
    for kind in ("table", "view", "index", "trigger"):
        found += [
            sql
            for one, name, sql in rows
            if one == kind
            and not name.lower().startswith("sqlite_")
            and not (kind == "table" and shadow(name))
        ]
    return found


def reflected(connection: sqlite3.Connection) -> Schema:
    """The tables and views of a database in memory."""
    rows = connection.execute(
        "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid"
    ).fetchall()
    found: list[Table] = []
    columns = 0
    for kind, name, sql in rows:
        if kind not in ("table", "view") or name.lower().startswith("sqlite_"):
            continue
        table = _table(connection, kind, name, _is_virtual(sql))
        columns += len(table.columns)
        found.append(table)
        if len(found) > _MOST_TABLES or columns > _MOST_COLUMNS:
            most = f"{_MOST_TABLES:,} tables or {_MOST_COLUMNS:,} columns"
            raise LimitError("schema size", f"the schema has more than {most}")
    if not found:
        raise GrammarError(
            "", "there are no tables", "a schema needs one table at least: CREATE TABLE t (a INTEGER)"
        )
    return Schema(tuple(found), "sqlite", tuple(kept_statements(rows)))


class _BrokenViewError(Exception):
    def __init__(self, view: str, reason: str) -> None:
        self.view = view
        self.reason = reason
        super().__init__(view, reason)


def _is_virtual(sql: str) -> bool:
    return sql[:30].upper().split()[:2] == ["CREATE", "VIRTUAL"]


def _table(connection: sqlite3.Connection, kind: str, name: str, virtual: bool) -> Table:
    quoted = '"' + name.replace('"', '""') + '"'
    try:
        rows = connection.execute(f"PRAGMA table_xinfo({quoted})").fetchall()
    except sqlite3.Error as error:
        raise _BrokenViewError(name, str(error)) from None
    columns = tuple(
        Column(column, declared or "", not notnull, hidden in (2, 3), hidden == 1, bool(key))
        for _, column, declared, notnull, _, key, hidden in rows
    )
    rowid = _prepares(connection, f"SELECT `{name.replace('`', '``')}`._rowid_ FROM {quoted}")
    if kind == "view":
        return Table(name, columns, "view", "", False)
    referring: dict[int, tuple[str, list[str], list[str]]] = {}
    for number, _, target, own, other, *_ in connection.execute(f"PRAGMA foreign_key_list({quoted})"):
        entry = referring.setdefault(number, (target, [], []))
        entry[1].append(own)
        if other is not None:
            entry[2].append(other)
    foreign = [ForeignKey(tuple(o), t, tuple(r)) for _, (t, o, r) in sorted(referring.items(), reverse=True)]
    unique = () if virtual else _unique(connection, quoted, rows)
    return Table(name, columns, "table", "", rowid, unique, tuple(foreign))


def _unique(
    connection: sqlite3.Connection, quoted: str, rows: list[tuple[object, ...]]
) -> tuple[tuple[str, ...], ...]:
    keys = sorted((row[5], row[1]) for row in rows if row[5])
    found = [tuple(str(name) for _, name in keys)] if keys else []
    for _, index, unique, _, partial in connection.execute(f"PRAGMA index_list({quoted})").fetchall():
        if not unique or partial:
            continue
        name = '"' + index.replace('"', '""') + '"'
        parts = [row[2] for row in connection.execute(f"PRAGMA index_xinfo({name})") if row[5]]
        if None not in parts:
            found.append(tuple(parts))
    return tuple(dict.fromkeys(found))


def _prepares(connection: sqlite3.Connection, statement: str) -> bool:
    try:
        connection.execute(f"EXPLAIN {statement}")
    except sqlite3.Error:
        return False
    return True


def _run(connection: sqlite3.Connection, script: str, statement: Statement, steps: Steps) -> None:
    words = statement.words(4)
    if words in [(word,) for word in _WITHOUT_EFFECT] or words in [
        (word, "TRANSACTION") for word in _WITHOUT_EFFECT
    ]:
        return
    if len(statement.text) > MAX_STATEMENT:
        raise LimitError("DDL length", f"one statement has more than {MAX_STATEMENT:,} characters")
    if words[:1] == ("CREATE",) and words[1:2] in (("TEMP",), ("TEMPORARY",)):
        raise placed(
            script, statement.offset, "temporary tables, views and triggers are not part of a schema", _HINT
        )
    made = words[:1] in (("CREATE",), ("ALTER",), ("DROP",))
    if not made and words[:1] in _OTHERS:
        raise placed(script, statement.offset, f"{words[0]} statements make no schema", _HINT)
    try:
        run(connection, statement.text, steps)
    except sqlite3.Error as error:
        reason = str(error)
        raise placed(script, _offset(connection, statement, reason), f"SQLite says: {reason}") from None


def _offset(connection: sqlite3.Connection, statement: Statement, reason: str) -> int:
    """Where the statement is wrong, by what SQLite says of it."""
    last = statement.tokens[-1]
    if reason == "incomplete input":
        return last.offset + len(last.text)
    near = _NEAR.fullmatch(reason)
    if near is not None:
        same = [token for token in statement.tokens if token.text == near[1]]
        # A text up to a token fails near it iff nothing before it is wrong: the first that does is the place.
        low, high = 0, len(same) - 1
        while low < high:
            middle = (low + high) // 2
            if _fails_near(connection, statement, same[middle], reason):
                high = middle
            else:
                low = middle + 1
        return same[low].offset if same else statement.offset
    name = re.split(r"[ :]", reason.removesuffix(" already exists"))[-1].strip("\"'").lower()
    same = [token for token in statement.tokens if token.value.lower() == name]
    return same[-1].offset if same else statement.offset


def _fails_near(connection: sqlite3.Connection, statement: Statement, token: Token, reason: str) -> bool:
    end = token.offset + len(token.text) - statement.offset
    try:
        connection.execute(f"EXPLAIN {statement.text[:end]}")
    except sqlite3.Error as error:
        return str(error) == reason
    return False


_OTHERS: Final = tuple(
    (word,)
    for word in (
        *("ANALYZE", "ATTACH", "BEGIN", "COMMIT", "DELETE", "DETACH", "END", "EXPLAIN", "INSERT", "PRAGMA"),
        *(
            "REINDEX",
            "RELEASE",
            "REPLACE",
            "ROLLBACK",
            "SAVEPOINT",
            "SELECT",
            "UPDATE",
            "VACUUM",
            "VALUES",
            "WITH",
        ),
    )
)
