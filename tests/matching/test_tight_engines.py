"""Real schemas in engines that have hardly any room: forgotten masks, full engines, the same bits.

Matchers of all schemas go on in turns, so that engines fill up and are left while others still use them.
"""

from __future__ import annotations

import gzip
import json
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

import gramspec as gs

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "jsonschemabench"

pytestmark = pytest.mark.skipif(
    not DATA.is_dir(), reason="the schemas lie beside the repository, in ../shared/data"
)

PIECES = [
    b'":',
    b'", "',
    b'{"',
    b"}",
    b'"}',
    b"true",
    b"null",
    b"10",
    b"id",
    b"name",
    b"type",
    b"in",
    b"er",
    b"es",
]


def vocabulary() -> gs.Vocabulary:
    return gs.Vocabulary([bytes([b]) for b in range(256)] + PIECES + [None], [256 + len(PIECES)])


def rows(step: int) -> list[tuple[str, list[int]]]:
    """Schemas with the bytes of a valid instance."""
    out = []
    for path in sorted(DATA.glob("*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for row in map(json.loads, islice(lines, 3, None, step)):
                texts = [t["data"] for t in row["tests"] if t["valid"] and not t.get("py_accepts")]
                if texts:
                    out.append((json.dumps(row["schema"]), list(json.dumps(texts[0]).encode()[:160])))
    return out


def matcher(schema: str, words: gs.Vocabulary, limits: gs.Limits) -> gs.Matcher | None:
    try:
        return gs.compile(gs.json_schema(schema), words, limits=limits).matcher()
    except gs.GramspecError:
        return None


@pytest.mark.parametrize(
    "limits",
    [
        gs.Limits(max_cache_bytes=5_000),
        gs.Limits(max_configurations=1_500, max_cache_bytes=0),
        gs.Limits(max_row_bytes=40_000),
        gs.Limits(max_states=12_000),
    ],
    ids=["masks", "configurations", "rows", "states"],
)
def test_tight_engines_give_the_same_masks(limits: gs.Limits) -> None:
    tight, ample = vocabulary(), vocabulary()
    width = (len(tight) + 31) // 32
    pairs = []
    for schema, text in rows(160):
        pair = matcher(schema, tight, limits), matcher(schema, ample, gs.Limits())
        if pair[0] is not None and pair[1] is not None:
            pairs.append((pair[0], pair[1], text))
    assert len(pairs) > 10
    mine, other = (np.zeros((1, width), dtype=np.int32) for _ in range(2))
    compared = stopped = 0
    engines = set()
    for at in range(160):
        for one, two, text in pairs:
            if at >= len(text) or one._length != at or two._length != at:
                continue
            two.fill_bitmask(other)
            try:
                one.fill_bitmask(mine)
            except gs.LimitError:  # more than any engine of this size can do
                stopped += 1
                continue
            assert np.array_equal(mine, other)
            engines.add(one._basis.core.serial)
            compared += 1
            two.advance_many(text[at : at + 1])
            try:
                one.advance_many(text[at : at + 1])
            except gs.LimitError:
                stopped += 1
    assert compared > 300 and stopped <= len(pairs)
    if limits.max_cache_bytes != 5_000:
        assert len(engines) > 1, "some engine has been left"
