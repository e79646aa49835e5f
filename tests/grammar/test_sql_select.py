"""SELECT statements of SQLite: what the grammar accepts, what it refuses, and that members prepare."""

from __future__ import annotations

import sqlite3

import pytest

import gramspec as gs

DDL = """
CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL, "key" TEXT, born DATE);
CREATE TABLE orders (id INTEGER PRIMARY KEY, user_id INTEGER, "unit price" REAL, "group" TEXT);
CREATE VIEW rich AS SELECT name FROM users;
"""

ACCEPTED = (
    "SELECT 1",
    "select*from users",
    "SELECT id,name FROM users;",
    "  SELECT /* all */ * -- of them\n FROM users ; ",
    "SELECT u.* FROM users AS u",
    'SELECT "unit price", [group], `user_id` FROM orders',
    "SELECT key FROM users WHERE name='it''s' AND id>=10 OR NOT born IS NULL",
    'SELECT count(*), sum("unit price")/count(DISTINCT user_id) FROM orders GROUP BY id HAVING max(id)>1',
    "SELECT name AS n FROM users ORDER BY n COLLATE NOCASE DESC NULLS LAST LIMIT 3 OFFSET 2",
    "SELECT n FROM (SELECT name AS n FROM users) AS t WHERE t.n LIKE 'a!%' ESCAPE '!'",
    "WITH RECURSIVE c(x) AS (VALUES(1) UNION ALL SELECT x+1 FROM c WHERE x<5) SELECT x FROM c",
    "SELECT id FROM users WHERE id BETWEEN 1 AND 2 AND id IN (SELECT user_id FROM orders)",
    "SELECT id FROM users WHERE id IN (1,2) AND (id,name)=(1,'a')",
    "SELECT CASE WHEN id=1 THEN 'one' ELSE name END FROM users",
    "SELECT CASE id WHEN 1 THEN 2 END, CAST(id AS DECIMAL(10, 2)), -1, - -1, x'00ff', 1.5e-3, .5 FROM users",
    "SELECT rank() OVER (PARTITION BY name ORDER BY id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM users",
    "SELECT sum(id) FILTER (WHERE id>1) OVER w FROM users WINDOW w AS (ORDER BY id)",
    "SELECT id FROM users UNION ALL SELECT id FROM orders EXCEPT SELECT 3 ORDER BY 1 LIMIT 1",
    "SELECT o.id FROM users u LEFT JOIN orders o ON o.user_id=u.id CROSS JOIN rich NATURAL JOIN rich r",
    "SELECT id FROM users JOIN orders USING(id)",
    "SELECT (SELECT max(id) FROM orders), EXISTS(SELECT 1 FROM users), id->>'$.a' FROM users",
    "VALUES (1,2),(3,4)",
)

REFUSED = (
    "",
    "SELECT",
    "SELECTid FROM users",
    "SELECT * FROMusers",
    "SELECT id, FROM users",
    "SELECT idd FROM users",
    "SELECT id FROM user",
    'SELECT "idd" FROM users',
    "SELECT 1AS x",
    "SELECT 1--1",
    "SELECT group FROM orders",
    "SELECT id FROM users WHERE count(*) > 1",
    "SELECT id FROM users GROUP BY sum(id)",
    "SELECT sum(sum(id)) FROM users",
    "SELECT id FROM users WHERE rank() OVER (ORDER BY id) = 1",
    "SELECT rank() FROM users",
    "SELECT abs(), abs(1, 2)",
    "SELECT nope(1)",
    "SELECT id FROM users WHERE id BETWEEN 1",
    "SELECT id FROM users WHERE id BETWEEN 1 OR 2 AND 3",
    "SELECT id FROM users UNION SELECT id, name FROM users",
    "SELECT id FROM users ORDER BY id UNION SELECT 1",
    "SELECT id FROM users UNION SELECT 1 ORDER BY 2",
    "WITH c(a, b) AS (SELECT 1) SELECT a FROM c",
    "SELECT (SELECT id, name FROM users)",
    "SELECT id FROM users WHERE id IN (SELECT id, name FROM users)",
    "VALUES (1,2),(3)",
    "SELECT id FROM users NATURAL JOIN orders ON 1",
    "SELECT id FROM users LIMIT id",
    "SELECT id FROM users; SELECT 1",
    "INSERT INTO users(id) VALUES (1)",
)


@pytest.fixture(scope="module")
def grammar() -> gs.Grammar:
    return gs.sql(DDL, statements="select", scope=False)


@pytest.mark.parametrize("text", ACCEPTED)
def test_accepted_statements_prepare(grammar: gs.Grammar, text: str) -> None:
    connection = sqlite3.connect(":memory:")
    connection.executescript(DDL)
    connection.execute("EXPLAIN " + text)
    assert grammar.accepts(text)


@pytest.mark.parametrize("text", REFUSED)
def test_refused_statements(grammar: gs.Grammar, text: str) -> None:
    assert not grammar.accepts(text)


def test_scope_cuts_the_language_down() -> None:
    scoped = gs.sql(DDL, statements="select")
    assert scoped.accepts("SELECT u.name FROM users AS u")
    assert not scoped.accepts("SELECT o.name FROM users AS u")
    assert not scoped.accepts("SELECT user_id FROM users")


def test_without_a_schema_any_name_is_taken() -> None:
    grammar = gs.sql()
    assert grammar.accepts("SELECT a.b FROM t AS a")
    assert not grammar.accepts("SELECT a.b FROM table AS a")


def test_aliases_from_a_list() -> None:
    grammar = gs.sql({"t": ["a"]}, aliases=("x",), scope=False)
    assert grammar.accepts("SELECT x.a FROM t AS x")
    assert not grammar.accepts("SELECT y.a FROM t AS y")
    with pytest.raises(gs.OptionError, match="is no name"):
        gs.sql({"t": ["a"]}, aliases=("",))
    with pytest.raises(gs.OptionError, match="no names"):
        gs.sql({"t": ["a"]}, aliases=())


def test_unknown_dialects_and_kinds_are_refused_by_name() -> None:
    with pytest.raises(gs.OptionError, match="sqlite"):
        gs.sql(dialect="oracle")
    with pytest.raises(gs.OptionError, match="drop"):
        gs.sql(statements=("drop",))


def test_masks_leave_the_names_of_the_schema() -> None:
    tokens: list[bytes | None] = [bytes([byte]) for byte in range(256)]
    vocabulary = gs.Vocabulary([*tokens, None], [256])
    grammar = gs.sql(
        {"users": ["name"], "pets": ["owner"]}, statements="select", aliases=("x",), comments=False
    )
    matcher = gs.compile(grammar, vocabulary).matcher()
    for byte in b"SELECT name FROM ":
        matcher.advance(byte)
    allowed = {chr(token) for token in matcher.allowed_ids()}
    # A table in any case or in quotes, a table function or a parenthesis; no other word begins here.
    assert {letter for letter in allowed if letter.isalpha()} == set("uUpPjJ")
