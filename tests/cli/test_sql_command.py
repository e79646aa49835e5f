"""`gramspec sql`: tables, statements and results; nothing is written unless asked for."""

from __future__ import annotations

import json
import shlex
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("typer")
pytest.importorskip("torch")
pytest.importorskip("sqlglot")
pytest.importorskip("sqlalchemy")

from gramspec.cli import main
from gramspec.integrations.sql_results import runner

ROOT = Path(__file__).parents[2]
DDL = (ROOT / "examples/shop.sql").read_text("utf-8")


@pytest.fixture
def shop(tmp_path):
    path = tmp_path / "shop.db"
    connection = sqlite3.connect(path)
    connection.executescript(DDL)
    rows = [(i, f"name {i}", 20 + i, "Berlin") for i in range(1, 41)]
    connection.executemany("INSERT INTO customers (id, name, age, city) VALUES (?, ?, ?, ?)", rows)
    connection.execute("INSERT INTO products VALUES (1, NULL, x'00ff', 2.5, '\x1b[31mred')")
    connection.commit()
    connection.close()
    return path


def call(capsys, *arguments):
    code = main(["sql", *arguments])
    out, err = capsys.readouterr()
    return code, out, err


def test_the_tables_are_shown(capsys, shop):
    code, out, err = call(capsys, "--db", f"sqlite:///{shop}")
    assert (code, err) == (0, "")
    assert "4 tables, sqlite" in out and "→ customers.id" in " ".join(out.split())
    code, out, _ = call(capsys, "--db", f"sqlite:///{shop}", "--tables", "Products", "--json")
    [table] = json.loads(out)["tables"]
    assert table["name"] == "products" and len(table["columns"]) == 5


def test_statements_are_sampled_and_run_on_the_database(capsys, shop):
    before = shop.read_bytes()
    common = ("names of customers in Berlin older than 30", "--db", f"sqlite:///{shop}", "--seed", "1")
    code, out, err = call(capsys, *common, "--prepare", "--json", "--rows", "3")
    assert (code, err) == (0, "")
    [statement] = json.loads(out)["statements"]
    assert statement["guarantee"] == "exact" and statement["sql"].lower().startswith("select")
    assert statement["result"]["error"] == "" and len(statement["result"]["rows"]) <= 3
    expected = sqlite3.connect(shop).execute(statement["sql"]).fetchmany(3)
    assert statement["result"]["rows"] == [list(row) for row in expected]
    code, shown, _ = call(capsys, *common, "--prepare", "--rows", "3")
    assert code == 0 and statement["sql"] in shown and "exact" in shown and "prepares" in shown
    assert shop.read_bytes() == before


def test_results_are_bounded_and_read_only(shop):
    url = f"sqlite:///{shop}"
    with runner(url, write=False, most_rows=5, seconds=0.3) as on:
        result = on.run("SELECT id, name FROM customers ORDER BY id")
        assert result.columns == ("id", "name") and len(result.rows) == 5 and result.more
        assert on.run("SELECT '100%', ':x', '?'").rows == (("100%", ":x", "?"),)
        assert "not authorized" in on.run("DELETE FROM customers").error
        assert "not authorized" in on.run("PRAGMA journal_mode = DELETE").error
        assert "not authorized" in on.run("ATTACH ':memory:' AS x").error
        assert "no such column" in on.run("SELECT nope FROM customers").error
        endless = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c"
        assert on.run(endless).error == "interrupted"
        assert on.run("SELECT count(*) FROM customers").rows == ((40,),)
        assert "too big" in on.run("SELECT zeroblob(100000000)").error
        wide = on.run("SELECT id, hex(zeroblob(1500000)) FROM customers")
        assert len(wide.rows) == 2 and wide.more
        assert on.run("SELECT CAST(x'ff61' AS TEXT)").rows == (("\ufffda",),)
        assert not on.run("SELECT nope").lost
    with runner(url, write=True, most_rows=5, seconds=5) as on:
        assert on.run("DELETE FROM customers WHERE id > 10").changed == 30
        assert "not authorized" in on.run("DROP TABLE customers").error
    assert sqlite3.connect(shop).execute("SELECT count(*) FROM customers").fetchone() == (10,)


def test_cells_cannot_act_on_the_terminal(capsys, shop):
    from gramspec.cli.sql import _show_rows

    with runner(f"sqlite:///{shop}", write=False, most_rows=5, seconds=5) as on:
        _show_rows(on.run("SELECT name, category, stock FROM products"))
    out, _ = capsys.readouterr()
    assert "NULL" in out and "00ff" in out and "·[31mred" in out and "\x1b" not in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["x"], ["--db, --ddl", "exactly one"]),
        (["x", "--ddl", "a.sql", "--db", "sqlite:///b.db"], ["exactly one"]),
        (["x", "--ddl", "examples/shop.sql", "--write"], ["--write", "--db"]),
        (["x", "--ddl", "no-such-file.sql"], ["no-such-file.sql"]),
        (["x", "--db", "no-such.db"], ["no URL", "sqlite:///"]),
        (["x", "--db", "sqlite:///no-such.db"], ["no such file"]),
        (["x", "--db", "nosuch://x"], ["dialect='nosuch'"]),
        (["x", "--ddl", "examples/shop.sql", "--tables", "customers,nope"], ["nope", "there are customers"]),
        (["x", "--ddl", "examples/shop.sql", "--rows", "0"], ["--rows 0"]),
        (["x", "--ddl", "examples/shop.sql", "--seconds", "nan"], ["--seconds nan"]),
        (["x", "--ddl", "examples/shop.sql", "--dialect", "oracle"], ["dialect='oracle'"]),
        (
            ["x", "--ddl", "examples/shop.sql", "--template", "{schema}" * 9 + "{question}"],
            ["PromptError", "--tables"],
        ),
    ],
)
def test_refusals_say_what_to_do_and_exit_with_2(capsys, monkeypatch, arguments, words):
    monkeypatch.chdir(ROOT)
    code, out, err = call(capsys, *arguments)
    assert code == 2 and out == "" and "Traceback" not in err
    for word in words:
        assert word in err, err


def test_malformed_ddl_shows_its_place(capsys, tmp_path):
    path = tmp_path / "bad.sql"
    path.write_text("CREATE TABLE t (a INT);\nCREATE TABLE u (a INT,, b)", "utf-8")
    code, out, err = call(capsys, "x", "--ddl", str(path))
    assert code == 2 and out == "" and "2:23" in err and "^" in err


def test_help_shows_an_example_that_works_as_typed(capsys):
    assert main(["sql", "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    example = text[text.index("Example: gramspec ") + len("Example: gramspec ") :]
    done = subprocess.run(
        [sys.executable, "-m", "gramspec.cli", *shlex.split(example)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "SELECT" in done.stdout.upper() and "conditional, exact" in done.stdout
