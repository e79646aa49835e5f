"""Many threads on one compiled grammar: every answer is the one that a single thread gets.

The build target GRAMSPEC_SANITIZE=thread runs this file under ThreadSanitizer; see docs/concurrency.md.
"""

from __future__ import annotations

import concurrent.futures
import json
import random
import threading
from collections.abc import Callable

import numpy as np
import pytest
from small_vocabulary import compiled

import gramspec as gs

SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 9},
        "tags": {"type": "array", "items": {"$ref": "#/$defs/tag"}, "maxItems": 3},
        "size": {"type": "integer", "minimum": 3, "maximum": 4000},
        "next": {"$ref": "#"},
    },
    "required": ["name"],
    "$defs": {"tag": {"enum": ["red", "green", "blue", 1, None]}},
}
THREADS = 4


def byte_vocabulary() -> gs.Vocabulary:
    """Every byte, and some pieces of JSON."""
    pieces = [b'{"', b'":', b'",', b'"}', b"name", b"tags", b"[]", b'["', b"red", b"12", b"null", b" " * 3]
    return gs.Vocabulary([bytes([b]) for b in range(256)] + pieces + [None], [256 + len(pieces)])


def in_threads(work: Callable[[int], None]) -> None:
    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        for done in [pool.submit(work, number) for number in range(THREADS)]:
            done.result()


def reading(matcher: gs.Matcher, dice: random.Random, steps: int) -> list[tuple[int, bytes]]:
    """Tokens drawn from masks, each with the mask it was drawn from."""
    words = np.zeros((1, (269 + 31) // 32), dtype=np.int32)
    out = []
    for _ in range(steps):
        matcher.fill_bitmask(words)
        allowed = matcher.allowed_ids()
        if not len(allowed):
            break
        token = int(allowed[dice.randrange(len(allowed))])
        out.append((token, words.tobytes()))
        matcher.advance(token)
        if dice.random() < 0.1:
            matcher.rollback(1)
    return out


@pytest.mark.parametrize(
    "limits", [gs.Limits(), gs.Limits(max_cache_bytes=4000), gs.Limits(max_configurations=4000)]
)
def test_threads_read_one_grammar_as_one_thread_does(limits: gs.Limits) -> None:
    alone = gs.compile(gs.json_schema(SCHEMA), byte_vocabulary())
    seeds = range(12)
    expected = {seed: reading(alone.matcher(), random.Random(seed), 60) for seed in seeds}
    shared = gs.compile(gs.json_schema(SCHEMA), byte_vocabulary(), limits=limits)
    start = threading.Barrier(THREADS)

    def work(number: int) -> None:
        start.wait()
        order = list(seeds)
        random.Random(number).shuffle(order)
        for seed in order:
            assert reading(shared.matcher(), random.Random(seed), 60) == expected[seed]

    in_threads(work)


def test_threads_compile_and_match_on_one_vocabulary() -> None:
    words = byte_vocabulary()
    schemas = [
        {"type": "object", "properties": {f"k{i}{j}": {"type": "integer", "maximum": i} for j in range(6)}}
        for i in range(8)
    ]
    texts = [gs.json_schema(json.dumps(schema)) for schema in schemas]
    expected = [
        reading(gs.compile(text, byte_vocabulary()).matcher(), random.Random(1), 40) for text in texts
    ]

    def work(number: int) -> None:
        for turn in range(len(texts)):
            i = (turn + number) % len(texts)
            one = gs.compile(texts[i], words)
            assert reading(one.matcher(), random.Random(1), 40) == expected[i]

    in_threads(work)
    engines = {id(gs.compile(text, words)._engine) for text in texts}
    assert len(engines) == 1, "they share an engine"


def test_forks_may_go_to_other_threads() -> None:
    matcher = compiled("(a|b|c){0,200}x").matcher()
    matcher.advance_many([0] * 50)
    forks = [matcher.fork() for _ in range(THREADS)]

    def work(number: int) -> None:
        fork = forks[number]
        for _ in range(40):
            assert fork.advance_many([0, 1, 4]) == 3
            assert fork.fork().advance_many([10]) == 1
            fork.rollback(2)
        assert fork._length == 90

    in_threads(work)
    assert matcher._length == 50
