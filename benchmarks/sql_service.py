"""Questions over real databases through `/v1/sql`: do all statements prepare, and does none write?

Law: each statement returned is prepared again by SQLite on the database itself, its programme is searched for
writes, and the files are compared byte by byte.
Source: questions and tables of BIRD, in a folder of `schemas.jsonl.gz` and `statements.jsonl.gz`.

``python -m benchmarks.sql_service --questions 200 --out results`` runs it; ten minutes and more.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import gzip
import hashlib
import json
import random
import sqlite3
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
from rich.progress import Progress

from gramspec.integrations.server import Settings, create_app

DATABASES = "bird/student_club,bird/financial,bird/european_football_2"
WRITING = {"Insert", "Delete", "IdxInsert", "IdxDelete", "OpenWrite", "CreateBtree", "Destroy", "Clear"}


def main() -> None:
    """Ask, judge and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/sql"))
    parser.add_argument("--databases", default=DATABASES, help="three of the schemas, with commas between")
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--clients", type=int, default=4, help="questions under way at a time")
    parser.add_argument("--max-tokens", type=int, default=64)
    parser.add_argument("--temperature", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help="folder for sql_service.json")
    options = parser.parse_args()
    figures = asyncio.run(measured(options))
    print(json.dumps({key: value for key, value in figures.items() if key != "answers"}, indent=2))
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "sql_service.json").write_text(json.dumps(figures, indent=1), "utf-8")


async def measured(options: argparse.Namespace) -> dict[str, Any]:
    """The figures of one run."""
    names = options.databases.split(",")
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: Path(folder) / f"{number}.db" for number, name in enumerate(names)}
        for name, ddl in schemas(options.data, names).items():
            filled(paths[name], ddl, options.seed)
        before = {name: digest(path) for name, path in paths.items()}
        asked = questions(options.data, names, options.questions, options.seed)
        ids = {name: f"db{number}" for number, name in enumerate(names)}
        app = create_app(
            Settings(
                databases={ids[name]: f"sqlite:///{path}" for name, path in paths.items()},
                request_seconds=600,
                log_level="critical",
            )
        )
        begun = time.perf_counter()
        try:
            answers = await answered(app, asked, ids, options)
        finally:
            app.state.server.close()
        seconds = time.perf_counter() - begun
        judged = [judge(paths[name], sql) for name, _, sqls in answers for sql in sqls]
        return {
            "databases": names,
            "questions": len(asked),
            "statuses": dict(collections.Counter(status for _, status, _ in answers)),
            "statements": len(judged),
            "prepare": sum(prepares for prepares, _ in judged),
            "write": sum(writes for _, writes in judged),
            "different": len({(name, sql) for name, _, sqls in answers for sql in sqls}),
            "read_a_table": sum(
                " from " in " ".join(sql.lower().split()) for *_, sqls in answers for sql in sqls
            ),
            "files_unchanged": before == {name: digest(path) for name, path in paths.items()},
            "seconds": round(seconds, 1),
            "answers": answers,
        }


async def answered(
    app: Any, asked: list[tuple[str, str]], ids: dict[str, str], options: argparse.Namespace
) -> list[tuple[str, int, list[str]]]:
    """Database, status and statements of every question."""
    found: list[tuple[str, int, list[str]]] = []
    turns = asyncio.Semaphore(options.clients)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://server", timeout=900) as client:
        with Progress(transient=True) as bar:
            task = bar.add_task("asking", total=len(asked))

            async def ask(number: int, name: str, question: str) -> None:
                body = {
                    "question": question,
                    "database": ids[name],
                    "max_tokens": options.max_tokens,
                    "temperature": options.temperature,
                    "seed": options.seed + number,
                }
                async with turns:
                    answer = await client.post("/v1/sql", json=body)
                said = answer.json()
                statements = said.get("statements", ())
                errors = [one["result"]["error"] for one in statements if one["result"]["error"]]
                if errors or answer.status_code != 200:
                    bar.console.print(name, answer.status_code, errors or said["error"]["message"])
                found.append((name, answer.status_code, [one["sql"] for one in statements]))
                bar.advance(task)

            await asyncio.gather(*(ask(number, *one) for number, one in enumerate(asked)))
    return found


def schemas(data: Path, names: list[str]) -> dict[str, list[str]]:
    """The CREATE statements of databases."""
    with gzip.open(data / "schemas.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return {row["schema_id"]: row["ddl"] for row in rows if row["schema_id"] in names}


def questions(data: Path, names: list[str], most: int, seed: int) -> list[tuple[str, str]]:
    """Database and question, drawn at random."""
    with gzip.open(data / "statements.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    known = [(r["schema_id"], r["question"]) for r in rows if r["schema_id"] in names and r.get("question")]
    return random.Random(seed).sample(sorted(set(known)), most)


def filled(path: Path, ddl: list[str], seed: int) -> None:
    """A database file with these tables and a few rows in each."""
    draw = random.Random(seed)
    connection = sqlite3.connect(path)
    for statement in ddl:
        connection.execute(statement)
    tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    for (table,) in tables:
        width = len(connection.execute(f'SELECT * FROM "{table}"').description)
        for _ in range(20):
            row = [draw.choice((draw.randrange(100), f"text {draw.randrange(100)}")) for _ in range(width)]
            marks = ", ".join("?" * width)
            connection.execute(f'INSERT OR IGNORE INTO "{table}" VALUES ({marks})', row)
    connection.commit()
    connection.close()


def judge(path: Path, statement: str) -> tuple[bool, bool]:
    """Whether SQLite prepares a statement on the database, and whether its programme writes."""
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        programme = connection.execute(f"EXPLAIN {statement}").fetchall()
    except sqlite3.Error:
        return False, False
    finally:
        connection.close()
    # What is written into tables that live for the statement alone (OpenEphemeral) is no write.
    opened = {row[2] for row in programme if row[1] in ("OpenEphemeral", "OpenAutoindex", "SorterOpen")}
    writes = any(row[1] in WRITING and row[2] not in opened for row in programme)
    return True, writes or any(row[1] == "Transaction" and row[3] for row in programme)


def digest(path: Path) -> str:
    """A digest of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    main()
