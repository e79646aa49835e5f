"""INSERT, UPDATE and DELETE of SQLite: what the grammar accepts and refuses, as SQLite prepares it."""

from __future__ import annotations

import sqlite3

import pytest

import gramspec as gs
from gramspec.grammar.sql.build import statements_of
from gramspec.grammar.sql.catalog import Column, Schema, Table
from gramspec.grammar.sql.dialects import dialect_of

DDL = """
CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT, c REAL, twice AS (a * 2), UNIQUE (b, c));
CREATE TABLE u (x);
CREATE VIEW v AS SELECT a FROM t;
"""

ACCEPTED = (
    "INSERT INTO t VALUES(1,'x',2.5)",
    "INSERT INTO t(a,b) VALUES (1,2),(3,4) RETURNING *",
    "INSERT OR IGNORE INTO u SELECT a FROM t WHERE 1",
    "REPLACE INTO u VALUES(1)",
    "INSERT INTO u DEFAULT VALUES",
    "INSERT INTO t(a) VALUES(1) ON CONFLICT(c, b) DO UPDATE SET b=excluded.b, c=1 WHERE a>1 RETURNING a AS k",
    "INSERT INTO t(rowid, b) VALUES(1, 2)",
    "INSERT INTO u(x) WITH w AS (SELECT 1 AS k) SELECT k FROM w",
    "WITH w AS (SELECT 1 AS k) INSERT INTO u SELECT k FROM w",
    "UPDATE t SET b='x', (a,c)=(1,2) WHERE a=1",
    "UPDATE OR FAIL u SET x=t.a FROM t WHERE t.b=u.x",
    "UPDATE u SET x=q.k FROM (SELECT a AS k FROM t) AS q",
    "DELETE FROM t WHERE a IN (SELECT x FROM u) RETURNING b,*",
    "DELETE FROM u;",
)

REFUSED = (
    "INSERT INTO t VALUES(1,2)",
    "INSERT INTO t VALUES(1,2,3,4)",
    "INSERT INTO t(twice) VALUES(1)",
    "INSERT INTO v VALUES(1)",
    "INSERT INTO u(a) VALUES(1)",
    "INSERT INTO u(x) VALUES(1,2)",
    "INSERT INTO u SELECT 1,2",
    "INSERT INTO t(a) VALUES(1) ON CONFLICT(c) DO NOTHING",
    "UPDATE t SET x=1",
    "UPDATE t SET b=max(a)",
    "UPDATE t SET (a,b)=(1)",
    "UPDATE v SET a=1",
    "DELETE FROM v",
    "DELETE FROM t WHERE count(*)>1",
    "DELETE FROM t RETURNING count(*)",
)


@pytest.fixture(scope="module")
def grammar() -> gs.Grammar:
    return gs.sql(DDL, statements=("insert", "update", "delete"), scope=False)


@pytest.fixture(scope="module")
def database() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:")
    connection.executescript(DDL)
    return connection


@pytest.mark.parametrize("text", ACCEPTED)
def test_accepted_statements_prepare(grammar: gs.Grammar, database: sqlite3.Connection, text: str) -> None:
    database.execute("EXPLAIN " + text)
    assert grammar.accepts(text)


@pytest.mark.parametrize("text", REFUSED)
def test_refused_statements_do_not_prepare(
    grammar: gs.Grammar, database: sqlite3.Connection, text: str
) -> None:
    with pytest.raises(sqlite3.Error):
        database.execute("EXPLAIN " + text)
    assert not grammar.accepts(text)


def test_other_kinds_are_not_members(grammar: gs.Grammar) -> None:
    assert not grammar.accepts("SELECT a FROM t")


def test_a_schema_without_tables_to_write() -> None:
    views = Schema((Table("v", (Column("a"),), kind="view"),))
    with pytest.raises(gs.GrammarError, match="no table"):
        statements_of(views, dialect_of("sqlite"), ("delete",), comments=True, aliases=None)
