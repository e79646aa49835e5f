"""`/v1/sql`: statements over the databases of a server, run read only, whatever happens to the database."""

from __future__ import annotations

import hashlib
import sqlite3
import threading
import time
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("sqlglot")
pytest.importorskip("sqlalchemy")

import gramspec as gs
from gramspec.integrations.server.databases import Databases, plain
from gramspec.integrations.server.settings import Settings
from gramspec.integrations.sql_results import runner
from tests.integrations.server_world import served

DDL = (Path(__file__).parents[2] / "examples/shop.sql").read_text("utf-8")
QUESTIONS = (
    "names of customers in Berlin older than 30",
    "total of all paid orders",
    "products in stock sorted by price",
    "how many employees are there per department?",
)


def filled(path, rows=40):
    connection = sqlite3.connect(path)
    connection.executescript(DDL)
    people = [(i, f"name {i}", 20 + i, "Berlin") for i in range(1, rows + 1)]
    connection.executemany("INSERT INTO customers (id, name, age, city) VALUES (?, ?, ?, ?)", people)
    connection.execute("INSERT INTO products VALUES (1, 'pen', x'00ff', 9e999, 7)")
    connection.commit()
    connection.close()
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("sql")


@pytest.fixture(scope="module")
def shop(folder):
    return filled(folder / "shop.db")


@pytest.fixture(scope="module")
def client(folder, shop):
    filled(folder / "other.db", 1)
    databases = {"shop": f"sqlite:///{shop}", "other": f"sqlite:///{folder / 'other.db'}"}
    with served(databases=databases, sql_rows=20, sql_seconds=2.0) as client:
        yield client


def asked(client, question=QUESTIONS[0], **body):
    return client.ask("POST", "/v1/sql", json={"question": question, "database": "shop", **body})


def refused(response, status, code, param=None):
    error = response.json()["error"]
    assert (response.status_code, error["code"], error["param"]) == (status, code, param), response.text
    return error["message"]


def test_statements_prepare_and_are_answered_with_their_rows(client, shop):
    answer = asked(client, seed=1, rows=3).json()
    assert answer["prepare"] and answer["read_only"] and answer["dialect"] == "sqlite"
    [one] = answer["statements"]
    assert one["sql"].lower().startswith("select") and one["gramspec"]["guarantee"] == "exact"
    expected = sqlite3.connect(shop).execute(one["sql"]).fetchmany(3)
    assert one["result"]["rows"] == [list(row) for row in expected]
    assert one["result"]["error"] is None and answer["usage"]["completion_tokens"] > 0
    again = asked(client, seed=1, execute=False).json()["statements"]
    assert [x["sql"] for x in again] == [one["sql"]] and again[0]["result"] is None


def test_every_statement_prepares_and_none_writes(client, shop):
    before = hashlib.sha256(shop.read_bytes()).hexdigest()
    judge = sqlite3.connect(f"file:{shop}?mode=ro", uri=True)
    for seed, question in enumerate(QUESTIONS):
        answer = asked(client, question, n=3, seed=seed, temperature=1.3, max_tokens=48).json()
        for one in answer["statements"]:
            judge.execute(f"EXPLAIN {one['sql']}").close()
            assert one["result"]["error"] is None
    assert hashlib.sha256(shop.read_bytes()).hexdigest() == before
    assert sorted(path.name for path in shop.parent.iterdir()) == ["other.db", "shop.db"]


def test_databases_are_listed_without_their_urls(client, folder):
    listed = client.ask("GET", "/v1/sql/databases")
    facts = [(one["id"], one["dialect"], one["writable"]) for one in listed.json()["data"]]
    assert facts == [("shop", "sqlite", False), ("other", "sqlite", False)]
    shown = client.ask("GET", "/v1/sql/databases/shop")
    assert shown.json()["tables"][0]["name"] == "customers"
    refused(client.ask("GET", "/v1/sql/databases/none"), 404, "database_not_found", "database")
    assert str(folder) not in listed.text + shown.text


@pytest.mark.parametrize(
    ("body", "status", "code", "param"),
    [
        ({"database": None}, 400, "missing_field", "database"),
        ({"database": "none"}, 404, "database_not_found", "database"),
        ({"database": "sqlite:////etc/passwd"}, 404, "database_not_found", "database"),
        ({"url": "sqlite:///x.db"}, 400, "unknown_field", "url"),
        ({"model": "none"}, 404, "model_not_found", "model"),
        ({"dialect": "postgres"}, 400, "invalid_value", "dialect"),
        ({"write": True}, 403, "read_only", "write"),
        ({"tables": ["customers", "none"]}, 400, "invalid_value", "tables"),
        ({"tables": []}, 400, "invalid_value", "tables"),
        ({"aliases": ["a\0b"]}, 400, "invalid_value", "aliases"),
        ({"rows": 21}, 400, "invalid_value", "rows"),
        ({"seconds": 3}, 400, "invalid_value", "seconds"),
        ({"execute": False, "rows": 2}, 400, "invalid_value", "execute"),
        ({"n": 0}, 400, "invalid_value", "n"),
        ({"question": ""}, 400, "invalid_value", "question"),
        ({"temperature": 0, "gramspec": {"law": "conditional"}}, 400, "invalid_value", "temperature"),
        ({"max_tokens": 1}, 400, "max_tokens_too_small", "max_tokens"),
        ({"template": "{schema}" * 9}, 400, "context_length_exceeded", "question"),
    ],
)
def test_what_cannot_be_asked_is_refused_by_its_field(client, body, status, code, param):
    refused(asked(client, **body), status, code, param)


def test_a_database_that_vanishes_is_an_answer_and_the_server_lives_on(client, folder):
    gone = folder / "other.db"
    kept = gone.read_bytes()
    gone.unlink()
    message = refused(asked(client, database="other"), 503, "database_unavailable")
    assert str(folder) not in message
    gone.write_bytes(b"no database" * 1_000)
    refused(asked(client, database="other"), 503, "database_unavailable")
    gone.write_bytes(kept)
    assert asked(client, database="other", seed=1).status_code == 200


def test_a_database_that_vanishes_between_sampling_and_running(client, folder, monkeypatch):
    from gramspec.integrations.server import sql_routes

    gone = folder / "other.db"
    kept = gone.read_bytes()
    sampling = sql_routes.all_texts

    async def then_it_vanishes(*arguments):
        texts = await sampling(*arguments)
        gone.write_bytes(b"x" * 4_096)
        return texts

    with monkeypatch.context() as patch:
        patch.setattr(sql_routes, "all_texts", then_it_vanishes)
        refused(asked(client, database="other", seed=1), 503, "database_unavailable")
    gone.write_bytes(kept)
    assert asked(client, database="other", seed=1).status_code == 200


def test_an_endless_statement_ends_when_nobody_waits(shop):
    endless = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c"
    left = threading.Event()
    threading.Timer(0.2, left.set).start()
    begun = time.monotonic()
    url = f"sqlite:///{shop}"
    with runner(url, write=False, most_rows=1, seconds=60.0, stopped=left.is_set) as on:
        assert on.run(endless).error == "interrupted"
    assert time.monotonic() - begun < 30


def test_writing_needs_the_server_and_the_request(client, folder, monkeypatch):
    from gramspec.integrations.server import sql_routes

    sampling = sql_routes.all_texts

    sampled = []

    async def as_a_faulty_grammar_would(*arguments):
        sampled.extend([] if sampled else await sampling(*arguments))
        return [sampled[0]._replace(text="DELETE FROM customers WHERE id > 10")]

    path = filled(folder / "written.db")
    monkeypatch.setattr(sql_routes, "all_texts", as_a_faulty_grammar_would)
    try:
        [one] = asked(client, seed=1).json()["statements"]
        assert "not authorized" in one["result"]["error"] and one["result"]["changed"] is None
        with served(databases={"shop": f"sqlite:///{path}"}, sql_write=True) as writer:
            [one] = asked(writer, seed=1).json()["statements"]
            assert "not authorized" in one["result"]["error"]
            refused(asked(writer, write=True, n=2), 400, "invalid_value", "n")
            answer = asked(writer, write=True, seed=1).json()
            assert answer["statements"][0]["result"]["changed"] == 30 and not answer["read_only"]
        assert sqlite3.connect(path).execute("SELECT count(*) FROM customers").fetchone() == (10,)
    finally:
        path.unlink()


def test_values_that_json_does_not_know_are_text():
    assert [plain(x) for x in (None, True, 3, 1.5, "a", b"\0\xff", float("inf"), [b"\1"], {1: b"\2"})] == [
        None,
        True,
        3,
        1.5,
        "a",
        "00ff",
        "inf",
        ["01"],
        {"1": "02"},
    ]


def test_databases_that_nothing_is_written_for_are_refused_at_the_start():
    for url in ("shop.db", "oracle://u@h/d"):
        with pytest.raises(gs.OptionError):
            Databases(Settings(databases={"shop": url}))
