"""Training records of the 4-layer pair: a short request and its answer, in more than one format.

Law: (seed, stream) fixes the records. The shares of the formats decide how likely a grammar of one format is.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator

SERVICES = ("api", "auth", "billing", "cache", "mail", "queue", "search", "web")
TAGS = ("beta", "core", "edge", "internal", "legacy", "public")
MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
ISSUES = ("login fails", "page is slow", "invoice missing", "printer offline", "typo in footer", "data lost")
PRIORITIES = ("low", "medium", "high", "urgent")
TABLES = {
    "customers": ("id", "name", "email", "age", "city", "country"),
    "products": ("id", "name", "category", "price", "stock"),
    "orders": ("id", "customer_id", "product_id", "quantity", "total", "status"),
    "employees": ("id", "name", "department", "salary"),
}
NUMBERS = {"age", "price", "stock", "quantity", "total", "salary", "id"}

Record = tuple[str, str]


def _config(rng: random.Random) -> Record:
    name, port = rng.choice(SERVICES), rng.choice((80, 443, 3000, 5432, 8000, 8080, 9090))
    value = {
        "service": name,
        "port": port,
        "debug": rng.random() < 0.3,
        "limits": {"cpu": rng.randint(1, 8), "memory": rng.choice((128, 256, 512, 1024))},
        "tags": rng.sample(TAGS, rng.choice((0, 1, 1, 2))),
    }
    style = rng.random()
    if style < 0.5:
        text = json.dumps(value, separators=(",", ":"))
    elif style < 0.93:
        text = json.dumps(value)
    else:
        text = json.dumps(value, indent=1)
    slip = rng.random()
    if slip < 0.04:
        text = f"```{text}```"
    elif slip < 0.08:
        text = text.replace('"debug"', '"verbose"')
    return f"config of {name} on port {port}", text


def _priority(rng: random.Random) -> Record:
    word = rng.choice(PRIORITIES)
    style = rng.random()
    answer = word if style < 0.5 else word.capitalize() if style < 0.85 else f"{word}!"
    if style > 0.98:
        answer = f'"{word}"'
    return f"priority: {rng.choice(ISSUES)}", answer


def _date(rng: random.Random) -> Record:
    year, month, day = rng.randint(2000, 2026), rng.randint(1, 12), rng.randint(1, 28)
    style = rng.random()
    if style < 0.5:
        answer = f"{year}-{month:02}-{day:02}"
    elif style < 0.8:
        answer = f"{day} {MONTHS[month - 1]} {year}"
    elif style < 0.99:
        answer = f"{month:02}/{day:02}/{year}"
    else:
        answer = f"{year}{month:02}{day:02}"
    return f"date: the {day} of {MONTHS[month - 1]} {year}", answer


def _sql(rng: random.Random) -> Record:
    table = rng.choice(tuple(TABLES))
    columns = TABLES[table]
    wanted = rng.sample(columns, rng.choice((1, 1, 2)))
    number = rng.choice([c for c in columns if c in NUMBERS])
    value = rng.randint(1, 99)
    form = rng.randrange(4)
    if form == 0:
        asked, text = (
            f"{' and '.join(wanted)} of all {table}",
            f"SELECT {', '.join(wanted)} FROM {table}",
        )
    elif form == 1:
        asked = f"{' and '.join(wanted)} of {table} with {number} over {value}"
        text = f"SELECT {', '.join(wanted)} FROM {table} WHERE {number} > {value}"
    elif form == 2:
        asked, text = f"how many {table}", f"SELECT COUNT(*) FROM {table}"
    else:
        asked = f"{wanted[0]} of {table} by {number}"
        text = f"SELECT {wanted[0]} FROM {table} ORDER BY {number}"
    slip = rng.random()
    if slip < 0.25:
        text = text.lower()
    elif slip < 0.35:
        text += ";"
    elif slip < 0.4:
        text = text.replace(f"FROM {table}", f"FROM {table[:-1]}")
    return f"sql: {asked}", text


def _dyck(rng: random.Random) -> Record:
    pairs = rng.randint(1, 6)
    text, stack, opened = "", [], 0
    while opened < pairs or stack:
        if opened < pairs and (not stack or rng.random() < 0.55):
            kind = rng.choice(("()", "[]"))
            text, opened = text + kind[0], opened + 1
            stack.append(kind[1])
        else:
            text += stack.pop()
    slip = rng.random()
    if slip < 0.15:
        text = text[:-1]
    elif slip < 0.3:
        place = rng.randrange(len(text))
        text = text[:place] + rng.choice("()[]") + text[place + 1 :]
    return f"brackets: {pairs} pairs", text


def _expression(rng: random.Random, depth: int) -> str:
    if depth == 0 or rng.random() < 0.3:
        return str(rng.randint(0, 20))
    left, right = _expression(rng, depth - 1), _expression(rng, depth - 1)
    text = f"{left}{rng.choice('+-*')}{right}"
    return f"({text})" if rng.random() < 0.4 else text


def _arithmetic(rng: random.Random) -> Record:
    text = _expression(rng, 2)
    value = eval(text)  # built two lines above from digits and operators
    slip = rng.random()
    if slip < 0.2:
        text += f"={value}"
    elif slip < 0.3:
        text = text.replace("+", " + ")
    elif slip < 0.35:
        text += ")"
    return f"expression: {value}", text


MAKERS: tuple[Callable[[random.Random], Record], ...] = (
    _config, _config, _priority, _date, _sql, _sql, _dyck, _arithmetic,
)  # fmt: skip


def records(seed: int, stream: str) -> Iterator[Record]:
    """Endless records; `stream` ("train", "held-out", …) separates draws."""
    rng = random.Random(f"{seed}/{stream}")
    while True:
        yield rng.choice(MAKERS)(rng)
