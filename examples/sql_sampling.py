"""Questions about a small shop: statements from P(statement | it fits and prepares), and their rows.

Run: python examples/sql_sampling.py
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

import gramspec as gs

tables = (Path(__file__).parent / "shop.sql").read_text("utf-8")
database = sqlite3.connect(":memory:")
database.executescript(tables)
database.executemany(
    "INSERT INTO customers (name, age, city) VALUES (?, ?, ?)",
    [("Ada", 36, "Berlin"), ("Grace", 45, "Oslo"), ("Alan", 41, "Berlin")],
)

grammar = gs.sql(tables, statements=("select",), prepare=True)
target, draft = gs.models.embedded()
for question in ("names of customers in Berlin", "average age of customers per country"):
    [[completion]] = gs.generate(
        target, [f"SQL: {question}.\n"], grammar, draft=draft, seed=1, max_new_tokens=64
    )
    print(completion.text)
    print(f"  {completion.report.guarantee}; rows: {database.execute(completion.text).fetchall()}")
