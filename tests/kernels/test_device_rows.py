"""Rows that stay on the device: the right row for every key, few transfers, bounded memory."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import gramspec as gs
from gramspec import KernelError, LimitError
from gramspec.kernels import DeviceRows, apply_bitmask


def filler(keys, filled):
    def fill(i, row):
        filled.append(keys[i])
        row[:] = keys[i]

    return fill


def gather(rows, keys):
    filled = []
    table, found = rows.gather(keys, filler(keys, filled))
    for key, at in zip(keys, found.tolist(), strict=True):
        assert at == -1 if key is None else bool((table[at] == key).all())
    return filled


def test_a_known_row_is_not_filled_again():
    rows = DeviceRows(4, device="cpu")
    assert gather(rows, [7, None, 7, 9]) == [7, 9]
    assert gather(rows, [9, 7]) == []
    assert (rows.hits, rows.misses, rows.evictions, len(rows)) == (2, 2, 0, 2)


def test_random_calls_point_at_the_right_rows_within_the_bound():
    rows = DeviceRows(3, device="cpu", max_bytes=100 * 12)
    generator = np.random.default_rng(0)
    for _ in range(300):
        gather(rows, generator.integers(0, 250, generator.integers(1, 101)).tolist())
        assert rows.bytes_used <= 1200 and len(rows) <= 100
    assert rows.evictions > 0


def test_the_row_unused_for_longest_goes_first():
    rows = DeviceRows(1, device="cpu", max_bytes=12)
    for keys in ([1, 2, 3], [1], [4]):
        gather(rows, keys)
    assert gather(rows, [1, 3, 4]) == []
    assert gather(rows, [2, 3, 4]) == [2]


def test_a_call_that_does_not_fit_changes_nothing():
    rows = DeviceRows(1, device="cpu", max_bytes=12)
    gather(rows, [1, 2, 3])
    with pytest.raises(LimitError, match="max_bytes"):
        gather(rows, [4, 5, 6, 7])

    def fails(i, row):
        raise RuntimeError("no row")

    with pytest.raises(RuntimeError):
        rows.gather([8, 1], fails)
    assert gather(rows, [1, 2, 3]) == []


def test_masks_gathered_on_the_device_are_the_masks():
    generator = np.random.default_rng(1)
    masks = generator.integers(-(2**31), 2**31, (5, 3), dtype=np.int32)
    rows = DeviceRows(3, device="cpu")
    keys = [4, None, 0, 4]
    table, found = rows.gather(keys, lambda i, row: row.__setitem__(slice(None), masks[keys[i]]))
    by_index, direct = torch.zeros(4, 90), torch.zeros(4, 90)
    apply_bitmask(by_index, table, rows=found)
    full = np.stack([masks[4], np.full(3, -1, dtype=np.int32), masks[0], masks[4]])
    apply_bitmask(direct, torch.from_numpy(full))
    assert torch.equal(by_index, direct)


def test_tables_that_cannot_be_are_refused():
    with pytest.raises(KernelError):
        DeviceRows(4, device="cpu", dtype="int64")
    with pytest.raises(KernelError):
        DeviceRows(0, device="cpu")
    with pytest.raises(LimitError):
        DeviceRows(4, device="cpu", max_bytes=15)


def test_matchers_in_the_same_state_share_a_row_and_every_row_is_their_mask():
    vocabulary = gs.Vocabulary([bytes([b]) for b in range(97, 123)] + [b"ab", b"ba", None], [28])
    compiled = gs.compile(gs.regex("(ab|ba|c){0,6}"), vocabulary)
    rows = DeviceRows(1, device="cpu")
    generator = np.random.default_rng(0)
    matchers = [compiled.matcher() for _ in range(8)]
    for _ in range(12):
        table, at = rows.masks([*matchers, None])
        expected = np.zeros((8, 1), dtype=np.int32)
        gs.fill_bitmasks(matchers, expected)
        assert np.array_equal(table[at[:8].long()].numpy(), expected) and int(at[8]) == -1
        for matcher in matchers:
            allowed = matcher.allowed_ids()
            if len(allowed):
                matcher.advance(int(generator.choice(allowed)))
    assert rows.misses == len(rows) < 40 and rows.hits > 0
