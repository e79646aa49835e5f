"""PostgreSQL and MySQL: constructs of each dialect, and random members before parsers of the dialects."""

from __future__ import annotations

import logging
import re

import pytest

import gramspec as gs
from gramspec.automaton.members import WeightedMembers, seeded

SCHEMA = {"users": ["id", "name", "born", "Age"], "orders": ["id", "user_id", "total"]}

POSTGRES = (
    "SELECT id::text FROM users",
    'SELECT DISTINCT ON (name) name, "Age" FROM users ORDER BY name NULLS LAST',
    "SELECT u.name, count(*) FILTER (WHERE id > 3) FROM users u JOIN orders o ON u.id = user_id GROUP BY 1",
    "SELECT * FROM users WHERE name ILIKE 'a%' AND id = ANY(ARRAY[1,2]) AND NOT born IS NULL",
    r"SELECT E'it\'s', $$dollar$$, DATE '2020-01-01', INTERVAL '1 day', extract(year FROM born) FROM users",
    "SELECT string_agg(name, ',' ORDER BY name) FROM users",
    "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY total) FROM orders",
    "INSERT INTO users (id, name) VALUES (1, 'x') ON CONFLICT DO NOTHING RETURNING id",
    "UPDATE users SET name = 'x' FROM orders WHERE users.id = orders.user_id",
    "SELECT g.n FROM generate_series(1, 3) AS g(n)",
    "SELECT x FROM (SELECT id AS x FROM users) AS q LIMIT 3 OFFSET 2",
    "SELECT - -1, 1 - 2, 2 ^ 3, 'a' || 'b'",
    "SELECT id FROM users UNION ALL SELECT id FROM orders ORDER BY 1",
)

NOT_POSTGRES = (
    "SELECT Age FROM users",
    "SELECT id = 1 = 2 FROM users",
    "SELECT 'a'||-1",
    'SELECT "ID" FROM users',
    "SELECT a FROM (SELECT 1 AS a)",
    "SELECT * FROM users JOIN orders",
    "SELECT `id` FROM users",
    "REPLACE INTO users VALUES (1, 2, 3, 4)",
)

MYSQL = (
    "SELECT `id` FROM users",
    r'SELECT id FROM users WHERE name = "it\"s" LIMIT 1, 2',
    "SELECT COUNT(*), GROUP_CONCAT(DISTINCT name ORDER BY name SEPARATOR ',') FROM users GROUP BY born",
    "INSERT INTO users (id) VALUES (1) ON DUPLICATE KEY UPDATE name = 'x'",
    "SELECT DATE_ADD(born, INTERVAL 1 DAY), born + INTERVAL 1 DAY FROM users",
    "REPLACE INTO users VALUES (1,2,3,4)",
    "DELETE FROM users ORDER BY id LIMIT 1",
    "SELECT IF(id = 1, 'a', 'b'), id DIV 2 FROM users",
    "UPDATE users SET name = CONCAT(name, 'x') WHERE id <=> 1",
    "SELECT * FROM users u LEFT JOIN orders o ON u.id = o.user_id",
)

NOT_MYSQL = (
    "SELECT COUNT (*) FROM users",
    'SELECT "id" || 1',
    "SELECT * FROM users FULL JOIN orders ON 1",
    "DELETE FROM users RETURNING id",
    "SELECT id FROM users ORDER BY id NULLS LAST",
)


@pytest.fixture(scope="module")
def postgres() -> gs.Grammar:
    return gs.sql(SCHEMA, dialect="postgresql", scope=False, aliases=("u", "o", "g", "n", "x", "q"))


@pytest.fixture(scope="module")
def mysql() -> gs.Grammar:
    return gs.sql(SCHEMA, dialect="mysql", scope=False, aliases=("u", "o", "x"))


@pytest.mark.parametrize("text", POSTGRES)
def test_statements_of_postgresql(postgres: gs.Grammar, text: str) -> None:
    pytest.importorskip("pglast").parse_sql(text)
    assert postgres.accepts(text)


@pytest.mark.parametrize("text", NOT_POSTGRES)
def test_what_postgresql_has_not(postgres: gs.Grammar, text: str) -> None:
    assert not postgres.accepts(text)


@pytest.mark.parametrize("text", MYSQL)
def test_statements_of_mysql(mysql: gs.Grammar, text: str) -> None:
    assert mysql.accepts(text)


@pytest.mark.parametrize("text", NOT_MYSQL)
def test_what_mysql_has_not(mysql: gs.Grammar, text: str) -> None:
    assert not mysql.accepts(text)


def test_random_members_parse_in_postgresql(postgres: gs.Grammar) -> None:
    parse = pytest.importorskip("pglast").parse_sql
    members, choose = WeightedMembers(postgres, 70), seeded(7)
    for _ in range(300):
        parse(members.draw(choose).decode())


def test_random_members_parse_in_mysql() -> None:
    # sqlglot reads neither `ORDER /* */ BY`, nor `* EXCEPT` as MySQL does.
    mysql = gs.sql(SCHEMA, dialect="mysql", scope=False, aliases=("u", "o", "x"), comments=False)
    sqlglot = pytest.importorskip("sqlglot")
    logging.getLogger("sqlglot").setLevel(logging.CRITICAL)
    members, choose = WeightedMembers(mysql, 70), seeded(7)
    for _ in range(300):
        text = members.draw(choose).decode()
        if not re.search(r"\*\s*except", text, re.IGNORECASE):
            sqlglot.parse_one(text, read="mysql")
