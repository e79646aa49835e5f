"""Streams: many prompts of one kind under one grammar, as a service sees them.

Law: no prompt comes twice, so remembered rows of one prompt help no other one; what a drafter learns may.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.faithfulness.records import MONTHS, SERVICES, TABLES
from benchmarks.faithfulness.tasks import (
    CONFIG,
    EVENT,
    ISO,
    ORDER,
    USER,
    arithmetic,
    dyck,
    pattern,
    schema,
    sql,
)

FIRST = (
    "Anna",
    "Boris",
    "Clara",
    "David",
    "Elena",
    "Felix",
    "Grace",
    "Hugo",
    "Irene",
    "Jonas",
    "Kira",
    "Luis",
)
LAST = ("Novak", "Lopez", "Meyer", "Rossi", "Silva", "Tanaka", "Weber", "Young")
CITY = ("Berlin", "Rome", "Paris", "Kyoto", "Madrid", "Vienna")


@dataclass(frozen=True)
class Stream:
    """Prompts and their grammar."""

    name: str
    pair: str
    prompt: Callable[[random.Random], str]
    grammar: Callable[[], Any]
    max_new_tokens: int

    def prompts(self, count: int, seed: int) -> list[str]:
        """`count` different prompts where the kind has so many."""
        rng = random.Random(f"{seed}/{self.name}")
        found: dict[str, None] = {}
        for _ in range(50 * count):
            found[self.prompt(rng)] = None
            if len(found) == count:
                break
        return list(found)


def name(rng: random.Random) -> str:
    return f"{rng.choice(FIRST)} {rng.choice(LAST)}"


STREAMS = (
    Stream(
        "users",
        "embedded",
        lambda r: f"Write a JSON user profile for {name(r)}, {r.randint(18, 80)}, from {r.choice(CITY)}.",
        schema(USER),
        100,
    ),
    Stream(
        "orders",
        "embedded",
        lambda r: f"Order {r.randint(1000, 9999)} as JSON: {name(r)} bought {r.randint(1, 9)} kettle; paid.",
        schema(ORDER),
        90,
    ),
    Stream(
        "events",
        "embedded",
        lambda r: (
            f'Write a JSON event "Spring fair" in {r.choice(CITY)} on 2024-{r.randint(1, 12):02}-'
            f"{r.randint(1, 28):02} with {r.randrange(10, 500, 10)} seats."
        ),
        schema(EVENT),
        70,
    ),
    Stream(
        "sql",
        "embedded",
        lambda r: f"SQL: names of customers in {r.choice(CITY)} older than {r.randint(20, 70)}.",
        lambda: sql(TABLES),
        60,
    ),
    Stream(
        "configs",
        "trained",
        lambda r: (
            f"config of {r.choice(SERVICES)} on port {r.choice((80, 443, 3000, 5432, 8000, 8080, 9090))}"
        ),
        schema(CONFIG),
        80,
    ),
    Stream(
        "dates",
        "trained",
        lambda r: f"date: the {r.randint(1, 28)} of {r.choice(MONTHS)} {r.randint(2000, 2026)}",
        pattern(ISO),
        14,
    ),
    Stream("brackets", "trained", lambda r: f"brackets: {r.randint(1, 6)} pairs", dyck, 24),
    Stream("arithmetic", "trained", lambda r: f"expression: {r.randint(-30, 200)}", arithmetic, 24),
)
