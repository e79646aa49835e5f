"""A question about a SQLite file: statements that fit its tables and prepare, run read only.

Run: python examples/sql_database.py (needs sqlglot and SQLAlchemy)
"""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

import gramspec as gs

with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "shop.db"
    with closing(sqlite3.connect(path)) as database:
        database.executescript((Path(__file__).parent / "shop.sql").read_text("utf-8"))
        database.executemany(
            "INSERT INTO customers (name, age, city) VALUES (?, ?, ?)",
            [("Ada", 36, "Berlin"), ("Grace", 45, "Oslo"), ("Alan", 41, "Berlin")],
        )
        database.commit()

    grammar = gs.sql(f"sqlite:///{path}", statements=("select",), prepare=True)
    target, draft = gs.models.embedded()
    [completions] = gs.generate(
        target, ["SQL: names of customers in Berlin.\n"], grammar, draft=draft, n=2, max_new_tokens=64, seed=1
    )
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        for completion in completions:
            rows = database.execute(completion.text).fetchmany(5)
            print(f"{completion.text}\n  {completion.report.guarantee}; rows: {rows}")
