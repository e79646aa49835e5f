"""Texts and helpers shared by the vocabulary tests.

Law: `addition` is what a decoder really adds for ids that follow others.
Source: none needed.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path

TEXTS = [
    '{"name": "Anna \\u00e9 \\n", "tags": ["a", "b"], "n": -1.5e+3, "ok": true, "none": null}',
    "SELECT t.id, COUNT(*) FROM \"t\" WHERE x LIKE '%a_b''c%' GROUP BY 1 ORDER BY 2 DESC;",
    "Familie: 👨‍👩‍👧 und 🏳️‍🌈, Flagge 🇩🇪",
    "日本語の文章と한국어와中文，還有標點。",
    "tabs\tand\nnew\r\nlines   three spaces",
    "Zürich naïve Ångström ﬁ Ω≈ç√ ∂ß",
    "control \x01\x02\x1f\x7f end",
    "for i in range(10):\n    print(f'{i:>3}')\n",
]


def mistral_file(name: str) -> Path:
    """A tokenizer file that mistral_common ships."""
    return Path(str(resources.files("mistral_common") / "data" / name))


def random_runs(ids: Sequence[int], *, runs: int, length: int, seed: int = 0) -> list[list[int]]:
    """Random id sequences of random lengths up to `length`."""
    rng = random.Random(seed)
    return [[rng.choice(ids) for _ in range(rng.randint(1, length))] for _ in range(runs)]


def addition(decode: Callable[[list[int]], str], anchor: int, ids: list[int]) -> str:
    """Text that `ids` add to a sequence that already holds `anchor`."""
    before, after = decode([anchor]), decode([anchor, *ids])
    assert after.startswith(before)
    return after[len(before) :]
