"""The references: laws of each operation on NumPy arrays and torch tensors, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gramspec import KernelError
from gramspec.decoding.random import NumpyRandomSource
from gramspec.decoding.verification import verify_token
from gramspec.kernels import (
    Tilt,
    apply_bitmask,
    row_statistics,
    sample_rows,
    tilted_rows,
    verify_blocks,
    verify_tokens,
)
from gramspec.kernels.inverse_cdf import accepts, pick
from gramspec.kernels.verification import block_rule


def packed(allowed: np.ndarray) -> np.ndarray:
    width = -(-allowed.shape[-1] // 32) * 32
    padded = np.zeros((*allowed.shape[:-1], width), dtype=np.bool_)
    padded[..., : allowed.shape[-1]] = allowed
    return np.packbits(padded, axis=-1, bitorder="little").view(np.int32)


def random_rows(shape, seed=0):
    generator = np.random.default_rng(seed)
    return generator.normal(size=shape) * 4, generator.random(shape) < 0.4


def test_masked_entries_become_minus_infinity_and_others_stay():
    logits, allowed = random_rows((3, 2, 45))
    masked = logits.copy()
    apply_bitmask(masked, packed(allowed))
    assert np.array_equal(masked, np.where(allowed, logits, -np.inf))
    for dtype in (torch.float16, torch.bfloat16):
        tensor = torch.from_numpy(logits).to(dtype)
        expected = tensor.masked_fill(~torch.from_numpy(allowed), -torch.inf)
        apply_bitmask(tensor, torch.from_numpy(packed(allowed)))
        assert torch.equal(tensor, expected)


def test_a_row_of_minus_one_stays_and_tokens_beyond_the_words_go():
    logits = np.zeros((3, 40))
    apply_bitmask(logits, np.full((2, 1), -1, dtype=np.int32), rows=np.array([1, -1, 0], dtype=np.int32))
    assert np.isneginf(logits[[0, 2], 32:]).all() and not logits[[0, 2], :32].any() and not logits[1].any()


@pytest.mark.parametrize("temperature", [1.0, 0.6])
def test_statistics_are_sums_of_the_law_row(temperature):
    logits, allowed = random_rows((4, 50))
    generator = np.random.default_rng(1)
    kinds = generator.integers(-1, 4, (4, 50)).astype(np.int16)
    log_h = -generator.random((4, 3))
    found = row_statistics(logits, packed(allowed), tilt=Tilt(log_h, kinds), temperature=temperature)
    p = np.exp(logits / temperature)
    np.testing.assert_allclose(found.log_z, np.log(p.sum(1)), atol=1e-12)
    p /= p.sum(1, keepdims=True)
    for e in range(3):
        np.testing.assert_allclose(
            np.exp(found.log_mass[:, e]), (p * (allowed & (kinds == e))).sum(1), atol=1e-14
        )
    h = np.where(allowed & (kinds >= 0) & (kinds < 3), np.take_along_axis(np.exp(log_h), kinds % 3, 1), 0.0)
    np.testing.assert_allclose(np.exp(found.log_s), (p * h).sum(1), atol=1e-14)


def test_empty_rows_are_minus_infinity_without_nan():
    logits = np.zeros((3, 5))
    logits[1] = -np.inf
    logits[2, :4] = -np.inf
    allowed = np.array([[0] * 5, [1] * 5, [1, 1, 1, 1, 0]], dtype=np.bool_)
    found = row_statistics(logits, packed(allowed))
    assert found.log_z.tolist() == [np.log(5), -np.inf, 0.0]
    assert np.isneginf(found.log_s).all() and np.isneginf(found.log_mass).all()
    assert sample_rows(logits, np.full(3, 0.5), packed(allowed)).tokens.tolist() == [-1, -1, -1]
    restarted = sample_rows(logits, np.full(3, 0.5), packed(allowed), log_h_row=np.zeros(3))
    assert restarted.tokens.tolist() == [5, 5, 5]


@pytest.mark.parametrize("restart", [False, True])
def test_the_intervals_of_the_uniforms_are_the_law(restart):
    logits, allowed = random_rows((1, 12), seed=3)
    kinds = np.random.default_rng(4).integers(0, 2, (1, 12)).astype(np.uint8)
    log_h = np.array([[-0.2, -1.5]])
    p = np.exp(logits[0]) / np.exp(logits[0]).sum()
    weights = p * allowed[0] * np.exp(log_h[0])[kinds[0]]
    here = np.array([np.log(0.9)]) if restart else None
    law = (
        np.append(weights, 0.9 - weights.sum()) / 0.9 if restart else np.append(weights, 0.0) / weights.sum()
    )
    ends = np.cumsum(law)
    for token in np.flatnonzero(law > 1e-9):
        begin = ends[token] - law[token]
        for u in (begin + 1e-9, ends[token] - 1e-9):
            drawn = sample_rows(
                logits, np.array([u]), packed(allowed), tilt=Tilt(log_h, kinds), log_h_row=here
            )
            assert drawn.tokens.tolist() == [token]


def test_a_token_is_what_the_random_source_draws_from_the_same_row():
    logits, allowed = random_rows((40, 30), seed=5)
    for seed in range(3):
        weights = np.exp(logits - logits.max(1, keepdims=True)) * allowed
        source = NumpyRandomSource((seed,))
        expected = [source.choose(row / row.sum()) for row in weights]
        uniforms = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed]))).random(40)
        assert sample_rows(logits, uniforms, packed(allowed)).tokens.tolist() == expected


@pytest.mark.parametrize("h", [None, 0.9, 0.05])
def test_written_rows_are_the_kernel_of_the_law(h):
    logits, allowed = random_rows((3, 12), seed=7)
    allowed[1] = False
    here = None if h is None else np.full(3, np.log(h))
    written = tilted_rows(logits, packed(allowed), log_h_row=here)
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True) * allowed
    mass = p.sum(1)
    for r in range(3):
        if mass[r] == 0:
            assert not written.rows[r].any() and written.restart[r] == (0.0 if h is None else 1.0)
            continue
        divisor = mass[r] if h is None else max(mass[r], h)
        np.testing.assert_allclose(written.rows[r], p[r] / divisor, atol=1e-14)
        expected = 0.0 if h is None else max(0.0, 1 - mass[r] / h)
        assert written.restart[r] == pytest.approx(expected, abs=1e-14)
    assert tilted_rows(torch.zeros(1, 4, dtype=torch.bfloat16)).rows.dtype is torch.float32


def test_an_index_without_weight_is_never_picked():
    assert pick(np.array([0.0, 0.25, 0.0, 0.75, 0.0]), 0.0) == 1
    assert pick(np.array([0.0, 0.25, 0.0, 0.75, 0.0]), 0.25) == 3
    assert pick(np.array([0.0, 0.25, 0.0, 0.75, 0.0]), np.nextafter(1.0, 0.0)) == 3
    assert pick(np.zeros(3), 0.5) == pick(np.array([1.0, np.nan]), 0.5) == -1
    assert not accepts(0.0, 0.0) and accepts(0.5, np.nextafter(0.5, 0.0)) and not accepts(0.5, 0.5)


def test_an_end_that_rounds_to_the_sum_is_the_last_index_with_weight():
    weights = np.append(np.full(1000, 0.1), 0.0)
    assert pick(weights, np.nextafter(1.0, 0.0)) == 999


@pytest.mark.parametrize("seed", range(5))
def test_a_batch_decides_as_the_rule_does_on_the_same_stream(seed):
    generator = np.random.default_rng(seed)
    target = generator.dirichlet(np.full(6, 0.5), (20, 4))
    draft = generator.dirichlet(np.full(5, 0.5), (20, 3))
    drafted = np.array([[generator.choice(5, p=row) for row in chain] for chain in draft])
    streams = [np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, i]))) for i in range(20)]
    uniforms = np.stack([stream.random(4) for stream in streams])
    lengths = generator.integers(0, 4, 20)
    closed = (generator.random(20) < 0.5) & (lengths > 0)
    batch = (target[..., :-1], draft, drafted, uniforms)
    options = {"restart": np.ascontiguousarray(target[..., -1]), "lengths": lengths, "closed": closed}
    tokens, blocks = verify_tokens(*batch, **options), verify_blocks(*batch, **options)
    for i, n in enumerate(lengths):
        rows = list(target[i][: n + 1 - closed[i]])
        one = rows, list(draft[i][:n]), drafted[i][:n].tolist()
        a = verify_token(*one, NumpyRandomSource((seed, i)))
        b = block_rule(*one, NumpyRandomSource((seed, i)).choose)
        for verdict, found in ((a, tokens), (b, blocks)):
            symbol = -1 if verdict.next is None else verdict.next
            assert (verdict.accepted, symbol) == (found.accepted[i], found.next[i])


WORDS = np.zeros((2, 2), dtype=np.int32)


@pytest.mark.parametrize(
    ("place", "call"),
    [
        ("backend", lambda x: apply_bitmask(x, WORDS, backend="cuda")),
        ("logits", lambda x: apply_bitmask(x.tolist(), WORDS)),
        ("logits", lambda x: apply_bitmask(x[0], WORDS)),
        ("logits", lambda x: apply_bitmask(x.astype(np.int64), WORDS)),
        ("logits", lambda x: apply_bitmask(x[:, ::2], WORDS)),
        ("logits", lambda x: row_statistics(x[:, :0])),
        ("logits", lambda x: apply_bitmask(x, WORDS, backend="triton")),
        ("bitmask", lambda x: apply_bitmask(x, WORDS.astype(np.int64))),
        ("bitmask", lambda x: apply_bitmask(x, WORDS[:1])),
        ("bitmask", lambda x: apply_bitmask(x, torch.from_numpy(WORDS))),
        ("bitmask rows", lambda x: apply_bitmask(x, WORDS, rows=np.zeros(2))),
        ("bitmask rows", lambda x: apply_bitmask(x, WORDS, rows=np.zeros(3, dtype=np.int32))),
        ("rows", lambda x: row_statistics(x, rows=np.zeros(2, dtype=np.int32))),
        ("temperature", lambda x: row_statistics(x, temperature=0.0)),
        ("temperature", lambda x: row_statistics(x, temperature=np.ones(3))),
        ("tilt.log_h", lambda x: row_statistics(x, tilt=Tilt(np.zeros((3, 1))))),
        ("tilt.log_h", lambda x: row_statistics(x, tilt=Tilt(np.zeros((2, 0))))),
        ("tilt.effects", lambda x: row_statistics(x, tilt=Tilt(np.zeros((2, 2))))),
        ("tilt.effects", lambda x: row_statistics(x, tilt=Tilt(np.zeros((2, 2)), np.zeros((2, 40))))),
        ("uniforms", lambda x: sample_rows(x, np.zeros(3))),
        ("log_h_row", lambda x: sample_rows(x, np.zeros(2), log_h_row=np.zeros((2, 1)))),
    ],
)
def test_what_does_not_fit_is_refused_by_name(place, call):
    with pytest.raises(KernelError) as error:
        call(np.zeros((2, 40)))
    assert error.value.place == place


def test_batches_of_chains_that_do_not_fit_are_refused():
    k, q, d, u = np.zeros((2, 3, 4)), np.zeros((2, 2, 4)), np.zeros((2, 2), dtype=np.int64), np.zeros((2, 3))
    for place, call in (
        ("targets", lambda: verify_tokens(k[0], q, d, u)),
        ("drafts", lambda: verify_tokens(k, q[:, :1], d, u)),
        ("drafted", lambda: verify_tokens(k, q, d.astype(np.float64), u)),
        ("uniforms", lambda: verify_blocks(k, q, d, u[:, :2])),
        ("restart", lambda: verify_blocks(k, q, d, u, restart=u[:1])),
        ("closed", lambda: verify_blocks(k, q, d, u, closed=np.zeros(2))),
    ):
        with pytest.raises(KernelError) as error:
            call()
        assert error.value.place == place


def test_triton_on_the_cpu_needs_its_interpreter():
    pytest.importorskip("triton", reason="Triton is not installed")
    with pytest.raises(KernelError, match="interpreter"):
        apply_bitmask(torch.zeros(2, 40), torch.from_numpy(WORDS), backend="triton")
