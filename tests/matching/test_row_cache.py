"""Rows kept on disk: equal to fresh ones; damaged, foreign and crowded directories change no mask."""

from __future__ import annotations

import multiprocessing
import os
import warnings
from pathlib import Path

import numpy as np
import pytest

import gramspec as gs
from gramspec import _native
from gramspec.automaton.engine import Engine
from gramspec.automaton.storing import packing
from gramspec.matching import row_cache

BYTES: list[bytes | None] = [bytes([b]) for b in range(256)]
WORDS = [
    b'{"',
    b'":',
    b'", "',
    b'"a',
    b"ab",
    b"12",
    b"}}",
    b"],",
    b"null",
    b"tr",
    "é".encode(),
    b'\\"',
    b" the",
]


def vocabulary(extra: int = 0) -> gs.Vocabulary:
    """Another object each time, so that its engine is new."""
    return gs.Vocabulary(
        [*BYTES, *WORDS, *[b"x" * (2 + i) for i in range(extra)], None], [256 + len(WORDS) + extra]
    )


def masks(tokens: gs.Vocabulary) -> list[np.ndarray]:
    """The masks along some texts of grammars that use the shared expressions."""
    found = []
    schemas = ({"properties": {"a": {}}}, {"type": "array", "items": {"type": ["string", "number"]}}, True)
    for schema in schemas:
        matcher = gs.compile(gs.json_schema(schema), tokens).matcher()
        text = (
            b'["\\u00e9 \\" the", -1.5e3'
            if schema is not True and "items" in schema
            else b'{"a": [1, "x", null'
        )
        for byte in text:
            row = np.zeros((1, (len(tokens) + 31) // 32), np.int32)
            matcher.fill_bitmask(row)
            found.append(row)
            matcher.advance(byte)
    return found


def test_rows_from_a_file_give_the_same_masks(tmp_path: Path) -> None:
    plain = masks(vocabulary())
    cache = gs.RowCache(tmp_path / "rows")
    first, second = vocabulary(), vocabulary()
    assert cache.warm(first) is False
    assert cache.path(first) == cache.path(second)
    assert cache.path(first).is_file()
    assert gs.RowCache(tmp_path / "rows").warm(second) is True
    for tokens in (first, second):
        for one, other in zip(plain, masks(tokens), strict=True):
            assert np.array_equal(one, other)


def test_every_stored_row_is_the_row_that_a_walk_makes() -> None:
    taken, walked = (Engine(vocabulary().tokens, gs.Limits()) for _ in range(2))
    walked.core.shortcuts = False
    source = Engine(vocabulary().tokens, gs.Limits())
    rows = [_native.stored_row(source.core, config) for config in row_cache._configurations(source)]
    assert sum(map(bool, rows)) > 50
    places = zip(row_cache._configurations(taken), row_cache._configurations(walked), rows, strict=True)
    width = (len(vocabulary()) + 31) // 32
    for config, other, row in places:
        if row:
            _native.adopt_row(taken.core, config, row)
        masks = np.zeros((2, width), np.uint32)
        taken.core.mask(config, taken.complete, masks[0])
        walked.core.mask(other, walked.complete, masks[1])
        assert np.array_equal(masks[0], masks[1])


def test_a_warm_engine_is_left_as_it_is(tmp_path: Path) -> None:
    cache, tokens = gs.RowCache(tmp_path), vocabulary()
    before = masks(tokens)
    assert cache.warm(tokens) is False
    assert cache.warm(tokens) is True
    assert all(np.array_equal(one, other) for one, other in zip(before, masks(tokens), strict=True))


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "foreign", "grammar", "row", "key"])
def test_a_damaged_file_is_made_anew_with_a_warning(tmp_path: Path, damage: str) -> None:
    cache, tokens = gs.RowCache(tmp_path), vocabulary()
    cache.warm(tokens)
    path = cache.path(tokens)
    good = path.read_bytes()
    if damage == "flip":
        path.write_bytes(good[:200] + bytes([good[200] ^ 1]) + good[201:])
    elif damage == "cut":
        path.write_bytes(good[:-7])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "foreign":
        other = vocabulary(3)
        cache.warm(other)
        path.write_bytes(cache.path(other).read_bytes())
    elif damage == "grammar":
        path.write_bytes(gs.compile(gs.regex("a"), tokens).to_bytes())
    else:
        reader = packing.unpack(good, magic=row_cache._MAGIC)
        writer = packing.Writer()
        writer.words = list(reader._words)
        for number, string in enumerate(reader.strings):
            change = number == 0 if damage == "key" else number == 1
            writer.string(string + b"\xff\xff\xff\xff" if change else string)
        path.write_bytes(packing.pack(writer, row_cache._MAGIC))
    fresh = vocabulary()
    with pytest.warns(gs.RowCacheWarning, match="made anew"):
        assert cache.warm(fresh) is False
    assert path.read_bytes() == good
    assert all(
        np.array_equal(one, other) for one, other in zip(masks(vocabulary()), masks(fresh), strict=True)
    )


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ([], "ends too early"),
        ([0, 0], "ends too early"),
        ([0, 1 << 31, 0, 0, 0, 0], "a length"),
        ([0, 0, 3, 0, 0, 0], "a base of an unknown kind"),
        ([0, 0, 2, 0, 0, 0], "the bits of a stored row end too early"),
        ([0, 0, 0, 1, 1000, 0, 0], "an id of a stored row is out of range"),
        ([0, 0, 0, 0, 0, 1, 1 << 30], "an id of a stored row is out of range"),
        ([0, 0, 0, 0, 0, 2, 5, 5], "not in order"),
        ([0, 0, 0, 1 << 30, 0, 0], "a list of a stored row ends too early"),
        ([0, 0, 0, 0, 0, 0, 0], "left over"),
    ],
)
def test_words_that_are_no_row_are_refused(words: list[int], reason: str) -> None:
    engine = Engine(vocabulary().tokens, gs.Limits())
    places = row_cache._configurations(engine)
    config = next(place for place in places if _native.stored_row(engine.core, place))
    with pytest.raises(ValueError, match=reason):
        _native.adopt_row(engine.core, config, np.array(words, np.uint32).tobytes())


def test_the_directory_keeps_within_its_bytes(tmp_path: Path) -> None:
    cache = gs.RowCache(tmp_path)
    some = [vocabulary(extra) for extra in range(4)]
    for age, tokens in enumerate(some[:3]):
        cache.warm(tokens)
        os.utime(cache.path(tokens), (1000.0 + age, 1000.0 + age))
    size = cache.path(some[0]).stat().st_size
    assert gs.RowCache(tmp_path).warm(some[0])  # used now, so the second is the oldest
    gs.RowCache(tmp_path, max_bytes=int(2.5 * size)).warm(some[3])
    assert [cache.path(tokens).is_file() for tokens in some] == [True, False, False, True]
    other = tmp_path / "notes.txt"
    other.write_text("mine")
    cache.clear()
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    with pytest.raises(gs.OptionError, match="max_bytes: -1 is negative"):
        gs.RowCache(tmp_path, max_bytes=-1)


def test_a_directory_that_cannot_be_written_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a directory")
    cache = gs.RowCache(tmp_path / "file" / "rows")
    tokens = vocabulary()
    with pytest.warns(gs.RowCacheWarning, match="cannot be written"):
        assert cache.warm(tokens) is False
    assert all(
        np.array_equal(one, other) for one, other in zip(masks(vocabulary()), masks(tokens), strict=True)
    )


def _warm(directory: str) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return gs.RowCache(directory).warm(vocabulary())


def test_processes_share_a_directory(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        pool.map(_warm, [str(tmp_path)] * 6)
        assert all(pool.map(_warm, [str(tmp_path)] * 2))
    assert len(list(tmp_path.iterdir())) == 1
