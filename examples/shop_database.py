"""Make shop.db, a SQLite file with a few customers and orders, where it is started.

Run: python examples/shop_database.py
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

path = Path("shop.db")
path.unlink(missing_ok=True)
with closing(sqlite3.connect(path)) as database:
    database.executescript((Path(__file__).parent / "shop.sql").read_text("utf-8"))
    database.executemany(
        "INSERT INTO customers (name, age, city) VALUES (?, ?, ?)",
        [("Ada", 36, "Berlin"), ("Grace", 45, "Oslo"), ("Alan", 41, "Berlin")],
    )
    database.commit()
    tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
print(f"{path}: {', '.join(name for (name,) in tables)}")
