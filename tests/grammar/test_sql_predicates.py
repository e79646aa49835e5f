"""Scope and preparing: which statements over which tables; what SQLite says decides for SQLite."""

from __future__ import annotations

import os
import pickle
import sqlite3
from concurrent.futures import ThreadPoolExecutor

import pytest

import gramspec as gs
from gramspec.grammar.core import Grammar
from gramspec.grammar.sql.prepare import Prepares, prepare_residual
from gramspec.grammar.sql.schema import read_schema

pytest.importorskip("sqlglot")

from gramspec.grammar.sql.scope import InScope, scope_residual

DDL = """
CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT UNIQUE, c);
CREATE TABLE u (a, d, e AS (a + 1));
CREATE TABLE w (x PRIMARY KEY, "two words") WITHOUT ROWID;
CREATE VIEW v AS SELECT a, count(*) AS n FROM t GROUP BY a;
"""
SCHEMA = read_schema(DDL, "sqlite")
SCOPE, PREPARES = scope_residual(SCHEMA), prepare_residual(SCHEMA, "sqlite")

IN_SCOPE = [
    "SELECT a, T.B, main.t.c, rowid FROM t",
    'SELECT "two words", [x], `x` FROM w',
    "SELECT a AS z, count(*) AS n FROM t WHERE z > 1 GROUP BY z HAVING n > 1 ORDER BY n + z, 2",
    "SELECT * FROM t JOIN u USING (a) WHERE a = 1",
    "SELECT a FROM t NATURAL JOIN u",
    "SELECT p.a, q.a FROM t p, t AS q WHERE p.b = q.c",
    "SELECT t.a, v.n FROM t LEFT JOIN v ON t.a = v.a ORDER BY v.n NULLS LAST",
    "SELECT a FROM t WHERE EXISTS (SELECT 1 FROM u WHERE d = t.b) AND a IN (SELECT a FROM u)",
    "SELECT (SELECT max(d) FROM u WHERE u.a = t.a) m FROM t ORDER BY m",
    "SELECT s.k FROM (SELECT a + 1 AS k, b FROM t) AS s WHERE s.b IS NOT NULL",
    "WITH s(k, l) AS (SELECT a, b FROM t), r AS (SELECT k FROM s) SELECT k FROM r, u WHERE k = d",
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9) SELECT i FROM n",
    "SELECT a, b FROM t UNION ALL SELECT d, a FROM u ORDER BY b LIMIT 3",
    "SELECT a + 1 FROM t UNION SELECT d FROM u ORDER BY a + 1",
    "SELECT rank() OVER k, sum(a) OVER (PARTITION BY b ORDER BY c) FROM t WINDOW k AS (ORDER BY a)",
    "SELECT (a, b) = (SELECT a, d FROM u) FROM t",
    "SELECT * FROM (VALUES (1, 2)) WHERE column1 = 1",
    "SELECT count(DISTINCT b), group_concat(c, '-') FILTER (WHERE a > 1) FROM t",
    "SELECT CASE a WHEN 1 THEN b ELSE c END FROM t",
    "SELECT key, value FROM t, json_each(t.c)",
    "SELECT name FROM sqlite_master",
    "INSERT INTO t VALUES (1, 'x', NULL)",
    "INSERT INTO u (d) SELECT b FROM t",
    "INSERT INTO u VALUES (1, 2)",
    "INSERT INTO t (a, b) VALUES (1, 2) ON CONFLICT (b) DO UPDATE SET c = excluded.c + t.c WHERE a > 1",
    "INSERT INTO t DEFAULT VALUES RETURNING a, rowid",
    "REPLACE INTO t (b) VALUES ('x')",
    "/* */ replace--\nINTO t (b) VALUES ('x')",
    "UPDATE OR IGNORE t SET b = c, (a, c) = (SELECT a, d FROM u) WHERE rowid = 1 RETURNING *",
    "UPDATE t SET b = u.d FROM u WHERE u.a = t.a",
    "DELETE FROM w WHERE x IN (SELECT a FROM t)",
]

OUT_OF_SCOPE = [
    "SELECT d FROM t",
    'SELECT "d" FROM t',
    'SELECT "no such" FROM t',
    "SELECT a FROM nowhere",
    "SELECT a FROM t, u",
    "SELECT t.a FROM t AS z",
    "SELECT u.d FROM t",
    "SELECT e.t.a FROM t",
    "SELECT rowid FROM w",
    "SELECT z AS y, a AS z FROM t",
    "SELECT a FROM t WHERE b = (SELECT a, d FROM u)",
    "SELECT a FROM t WHERE a IN (SELECT a, d FROM u)",
    "SELECT a FROM t WHERE (a, b) IN (SELECT a FROM u)",
    "SELECT a FROM t WHERE a IN u",
    "SELECT a FROM t UNION SELECT a, d FROM u",
    "SELECT a FROM t UNION SELECT a FROM u ORDER BY b",
    "SELECT a FROM t ORDER BY 2",
    "SELECT a FROM t GROUP BY 0",
    "SELECT count(*) FROM t GROUP BY 1",
    "SELECT a FROM t WHERE count(*) > 1",
    "SELECT count(*) AS n FROM t WHERE n > 1",
    "SELECT max(count(a)) FROM t",
    "SELECT a FROM t HAVING a > 1",
    "SELECT a FROM t LIMIT a",
    "SELECT * FROM t JOIN u USING (b)",
    "SELECT t.*, z.* FROM t",
    "SELECT *",
    "SELECT * FROM t, t",
    "SELECT * FROM t AS p NATURAL FULL JOIN t, u",
    "SELECT 1 FROM t AS p NATURAL JOIN u FULL JOIN t AS q NATURAL RIGHT JOIN u AS r",
    "SELECT s.b FROM (SELECT a FROM t) s",
    "SELECT 1 FROM t, (SELECT t.b) s",
    "WITH s(k, l) AS (SELECT a FROM t) SELECT k FROM s",
    "WITH s AS (SELECT 1), s AS (SELECT 2) SELECT * FROM s",
    "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n, n) SELECT i FROM n",
    "WITH n(i) AS (SELECT 1 UNION ALL SELECT max(i) FROM n) SELECT i FROM n",
    "SELECT sum(a) OVER nope FROM t",
    "INSERT INTO t VALUES (1, 2)",
    "INSERT INTO t (a, d) VALUES (1, 2)",
    "INSERT INTO u VALUES (1, 2, 3)",
    "INSERT INTO u (e) VALUES (1)",
    "INSERT INTO t VALUES (1, a, 3)",
    "INSERT INTO t (a) SELECT a, d FROM u",
    "INSERT INTO v VALUES (1, 2)",
    "INSERT INTO t (a) VALUES (1) ON CONFLICT (c) DO NOTHING",
    "INSERT INTO t (a) VALUES (1) RETURNING d",
    "INSERT INTO t (a) VALUES (1) RETURNING t.*",
    "UPDATE t SET d = 1",
    "UPDATE t SET b = d",
    "UPDATE u SET e = 1",
    "UPDATE t SET (a, b) = (SELECT a FROM u)",
    "UPDATE t SET b = 1 FROM t WHERE 1",
    "DELETE FROM t WHERE d = 1",
    "DELETE FROM sqlite_master",
]


@pytest.mark.parametrize("statement", IN_SCOPE)
def test_what_sqlite_prepares_is_in_scope(statement):
    assert PREPARES.refusal(statement.encode()) is None
    assert SCOPE.refusal(statement.encode()) is None


@pytest.mark.parametrize("statement", OUT_OF_SCOPE)
def test_what_is_out_of_scope_does_not_prepare(statement):
    assert SCOPE.refusal(statement.encode()) is not None
    assert PREPARES.refusal(statement.encode()) is not None


def test_explain_alone_takes_an_unknown_name_for_a_string():
    connection = sqlite3.connect(":memory:")
    connection.executescript(DDL)
    # A column of another table, and one of none: what the predicates are there for.
    for name in ("d", "no such"):
        connection.execute(f'EXPLAIN SELECT "{name}" FROM t')
        assert not PREPARES.holds(f'SELECT "{name}" FROM t'.encode())
        assert not SCOPE.holds(f'SELECT "{name}" FROM t'.encode())


@pytest.mark.parametrize(
    "statement",
    [
        "",
        ";",
        "DROP TABLE t",
        "CREATE TABLE z (a)",
        "PRAGMA table_info(t)",
        "ATTACH 'x.db' AS x",
        "VACUUM",
        "BEGIN",
        "EXPLAIN SELECT 1",
        "QUERY PLAN SELECT a FROM t",
        "/**/ QUERY PLAN SELECT a FROM t",
        "SELECT load_extension('x')",
        "SELECT 1; SELECT 2",
        "SELECT 1\0",
        "SELEC a FROM t",
        "SELECT a FROM t WHERE",
    ],
)
def test_only_whole_statements_on_rows_prepare(statement):
    assert not PREPARES.holds(statement.encode())
    assert not PREPARES.holds(b"\xff" + statement.encode())


def test_preparing_executes_nothing():
    predicate = Prepares(SCHEMA)
    for statement in ("INSERT INTO t (b) VALUES ('x')", "DELETE FROM t", "UPDATE t SET b = 1"):
        assert predicate.holds(statement.encode())
    assert predicate._database().execute("SELECT count(*) FROM t").fetchone() == (0,)
    with pytest.raises(sqlite3.DatabaseError, match="not authorized"):
        predicate._database().execute("DROP TABLE t")


def test_verdicts_in_threads_children_and_copies():
    predicate = Prepares(SCHEMA)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda i: predicate.holds(f"SELECT {'ad'[i % 2]} FROM t".encode()), range(64)))
    assert found == [True, False] * 32
    for copy in (pickle.loads(pickle.dumps(predicate)), pickle.loads(pickle.dumps(SCOPE))):
        assert copy.holds(b"SELECT a FROM t") and not copy.holds(b"SELECT d FROM t")
    assert pickle.loads(pickle.dumps(predicate)).key == predicate.key
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, b"%d" % predicate.holds(b"SELECT a FROM t"))
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(read, 1) == b"1"


def test_statements_beyond_the_limits_are_no_verdict():
    with pytest.raises(gs.LimitError, match="statement length"):
        PREPARES.holds(b"SELECT " + b"1" * 1_000_001)
    with pytest.raises(gs.LimitError, match="statement length"):
        SCOPE.holds(b"SELECT " + b"1" * 200_001)
    with pytest.raises(gs.LimitError, match="statement depth"):
        SCOPE.holds(b"SELECT " + b"(" * 2_000 + b"1" + b")" * 2_000)


def test_keys_tell_tables_apart():
    other = read_schema(DDL.replace("c)", "cc)", 1), "sqlite")
    assert InScope(other).key != SCOPE.key and Prepares(other).key != PREPARES.key
    assert InScope(read_schema(DDL, "sqlite")).key == SCOPE.key


def test_preparing_needs_sqlite_and_tables():
    with pytest.raises(gs.OptionError, match="SQLite alone"):
        prepare_residual(SCHEMA, "postgres")
    with pytest.raises(gs.OptionError, match="no tables"):
        prepare_residual(None, "sqlite")


@pytest.mark.parametrize(
    ("dialect", "statement", "expected"),
    [
        ("postgres", "SELECT a AS z FROM t ORDER BY z", True),
        ("postgres", "SELECT a AS z FROM t WHERE z > 1", False),
        ("postgres", "SELECT a AS z FROM t GROUP BY a HAVING z > 1", False),
        ("postgres", 'SELECT "A" FROM t', False),
        ("postgres", "SELECT A, T.b FROM public.T", True),
        ("postgres", "SELECT 1 FROM t, t", False),
        ("postgres", "SELECT 1 FROM t JOIN u ON u.a = s.a JOIN t AS s ON true", False),
        ("postgres", "SELECT a FROM t WHERE (a, b) IN ((1, 2), (3, 4))", True),
        ("postgres", "SELECT a FROM t LIMIT 1 OFFSET 2", True),
        ("postgres", "SELECT DISTINCT ON (a) b FROM t", True),
        ("postgres", "SELECT EXTRACT(year FROM b) FROM t", True),
        ("postgres", "SELECT EXTRACT(year FROM d) FROM t", False),
        ("postgres", "SELECT s.d FROM t JOIN LATERAL (SELECT d FROM u WHERE u.a = t.b) s ON true", True),
        ("postgres", "SELECT s.d FROM t JOIN LATERAL (SELECT d FROM u WHERE u.a = t.c) s ON true", False),
        ("postgres", "SELECT i FROM generate_series(1, 3) AS s(i), t", True),
        ("postgres", "SELECT a FROM t FETCH FIRST 3 ROWS ONLY", True),
        ("postgres", "SELECT a FROM t FETCH FIRST ROW ONLY", True),
        ("mysql", "SELECT a AS z FROM t GROUP BY a HAVING z > 1", True),
        ("mysql", "SELECT group_concat(DISTINCT a ORDER BY b DESC SEPARATOR '-') FROM t", True),
        ("mysql", "SELECT group_concat(a ORDER BY d SEPARATOR '-') FROM t", False),
        ("mysql", 'SELECT "d" FROM t', True),
        ("mysql", "SELECT `d` FROM t", False),
        ("mysql", "SELECT 1 FROM t, t", False),
        ("mysql", "INSERT INTO t (a, b) VALUES (1, DEFAULT)", True),
    ],
)
def test_scope_in_other_dialects(dialect, statement, expected):
    schema = read_schema({"t": ["a", "b"], "u": ["a", "d"]}, dialect)
    assert scope_residual(schema).holds(statement.encode()) is expected


@pytest.mark.parametrize(
    ("source", "dialect"), [(DDL, "sqlite"), ({"t": {"a": "int"}}, "postgres"), ({"t": ["a"]}, "mysql")]
)
def test_predicates_are_stored_with_their_tables(source, dialect):
    schema = read_schema(source, dialect)
    residuals = (InScope(schema), *([Prepares(schema)] if dialect == "sqlite" else []))
    grammar = Grammar(gs.regex("SELECT [a-z]( FROM [a-z])?").expr, "statements", residuals)
    vocabulary = gs.Vocabulary([*(bytes([byte]) for byte in range(256)), None], [256])
    compiled = gs.compile(grammar, vocabulary)
    again = gs.CompiledGrammar.from_bytes(compiled.to_bytes(), vocabulary)
    assert again.grammar.fingerprint == grammar.fingerprint
    assert [again.grammar.accepts(text) for text in ("SELECT a FROM t", "SELECT z FROM t", "SELECT a")] == [
        True,
        False,
        False,
    ]
    data = bytearray(compiled.to_bytes())
    for place in range(0, len(data), 7):
        broken = bytes(data[:place]) + bytes([data[place] ^ 1]) + bytes(data[place + 1 :])
        with pytest.raises(gs.GramspecError):
            gs.CompiledGrammar.from_bytes(broken, vocabulary)


def test_nested_queries_are_read_once_and_wide_ones_are_bounded():
    nested = b"WITH x AS (" * 40 + b"SELECT a FROM t" + b") SELECT a FROM x" * 40
    assert SCOPE.holds(nested)
    doubled = "SELECT * FROM t"
    for _ in range(18):
        doubled = f"SELECT * FROM ({doubled}) p, ({doubled}) q" if len(doubled) < 30_000 else doubled
    assert not SCOPE.holds(doubled.encode())
    joined = ", ".join(f"t AS t{number}" for number in range(65))
    assert not SCOPE.holds(f"SELECT 1 FROM {joined}".encode())
    assert not PREPARES.holds(f"SELECT 1 FROM {joined}".encode())
