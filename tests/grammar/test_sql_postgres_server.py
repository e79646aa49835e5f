"""A PostgreSQL server, started for the test: tables as they are reflected, and members that it prepares."""

from __future__ import annotations

import glob
import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import gramspec as gs
from gramspec.cli import main

psycopg = pytest.importorskip("psycopg")

DDL = """
CREATE TABLE customers (id serial PRIMARY KEY, name text NOT NULL, city text);
CREATE TABLE orders (id serial PRIMARY KEY, customer integer REFERENCES customers, total numeric, paid bool);
CREATE VIEW berliners AS SELECT * FROM customers WHERE city = 'Berlin';
CREATE TABLE "Odd Name" ("A b" integer, "select" text);
INSERT INTO customers (name, city) VALUES ('Ann', 'Berlin'), ('Bob', 'Rome');
"""


def _binary(name: str) -> str | None:
    places = [shutil.which(name), *sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"), reverse=True)]
    return next((p for p in places if p), None)


def _user() -> str | None:
    """Who runs the server: PostgreSQL refuses the superuser of the system."""
    if os.geteuid() != 0:
        return None
    return next((u.pw_name for u in pwd.getpwall() if u.pw_name in ("postgres", "nobody")), "")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    initdb, server = _binary("initdb"), _binary("postgres")
    if initdb is None or server is None or _user() == "":
        pytest.skip("no PostgreSQL server is installed here")
    # Sockets have short paths, and the server's user must be let in.
    folder = Path(f"/tmp/gramspec-pg-{os.getpid()}")
    folder.mkdir(mode=0o777)
    run: dict[str, object] = {"user": _user()} if _user() else {}
    if _user():
        shutil.chown(folder, _user())
    data = folder / "data"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = None
    try:
        subprocess.run(
            [initdb, "-D", data, "-A", "trust", "-U", "gramspec", "-N"],
            check=True,
            capture_output=True,
            cwd="/",
            **run,  # type: ignore[arg-type]
        )
        process = subprocess.Popen(
            [server, "-D", data, "-p", str(port), "-k", folder, "-c", "listen_addresses=127.0.0.1", "-F"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            **run,  # type: ignore[call-overload]
        )
        at = f"host=127.0.0.1 port={port} user=gramspec dbname=postgres"
        _patiently(lambda: psycopg.connect(at).close())
        with psycopg.connect(at, autocommit=True) as connection:
            connection.execute(DDL)
        yield f"postgresql+psycopg://gramspec@127.0.0.1:{port}/postgres"
    finally:
        if process is not None:
            process.terminate()
            process.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


def _patiently(attempt: Callable[[], None]) -> None:
    for _ in range(300):
        try:
            return attempt()
        except psycopg.OperationalError:
            time.sleep(0.1)
    attempt()


def test_tables_and_views_of_a_server(url: str) -> None:
    grammar = gs.sql(url, dialect="postgres")
    assert grammar.accepts("SELECT name FROM customers WHERE city = 'Berlin'")
    assert grammar.accepts('SELECT "A b", "select" FROM "Odd Name"')
    assert grammar.accepts("SELECT c.name FROM customers c JOIN berliners b ON c.id = b.id")
    assert grammar.accepts("INSERT INTO orders (customer, total) VALUES (1, 2.5)")
    assert not grammar.accepts("SELECT nope FROM customers")
    assert not grammar.accepts('SELECT name FROM "Customers"')  # quoted names have their case


def test_statements_of_the_grammar_are_statements_of_the_server(url: str) -> None:
    grammar = gs.sql(url, dialect="postgres")
    texts = (
        "SELECT city, count(*) FROM customers GROUP BY city HAVING count(*) > 1 ORDER BY 2 DESC LIMIT 3",
        "SELECT total::integer FROM orders LEFT JOIN customers c ON customer = c.id WHERE name ILIKE 'a%'",
        "WITH big AS (SELECT * FROM orders WHERE total > 10) SELECT max(total) FROM big",
        "SELECT rank() OVER (PARTITION BY customer ORDER BY total) FROM orders",
        "UPDATE orders SET paid = TRUE WHERE id = 1 RETURNING id",
        "DELETE FROM orders WHERE NOT paid",
    )
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        for i, text in enumerate(texts):
            assert grammar.accepts(text), text
            connection.execute(f"PREPARE p{i} AS {text}")


def test_the_command_asks_a_server_and_reads_only(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["sql", "names of customers in Berlin", "--db", url, "--seed", "1"])
    out = capsys.readouterr().out
    assert code == 0
    assert "customers" in out and "SELECT" in out and "exact" in out
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        assert connection.execute("SELECT count(*) FROM customers").fetchone() == (2,)
