"""Token verification, enumerated: what comes out follows the target rows."""

from __future__ import annotations

from math import prod

import numpy as np
import pytest

from gramspec.decoding.verification import verify_token
from tests.decoding.finite_language import every_path

TARGET, DRAFT = np.array([1 / 3, 2 / 3]), np.array([2 / 3, 1 / 3])


def chain_law(kernels, drafts, bonus=True):
    """Law of (accepted tokens, next) over all drafts, weighted by the draft's own law."""
    n, size = len(drafts), len(drafts[0])
    law, accepted_total = {}, 0.0
    for code in range(size**n):
        drafted = [code // size**i % size for i in range(n)]
        weight = prod(float(drafts[i][v]) for i, v in enumerate(drafted))
        if weight == 0.0:
            continue
        rows = kernels[: n + 1] if bonus else kernels[:n]
        for probability, (accepted, symbol) in every_path(
            lambda r, d=drafted, k=rows: verify_token(k, drafts, d, r)
        ):
            out = tuple(drafted[:accepted]) + (() if symbol is None else (symbol,))
            law[out] = law.get(out, 0.0) + weight * probability
            accepted_total += weight * probability * accepted
    return law, accepted_total


def test_the_known_toy_accepts_ten_ninths():
    kernel = np.append(TARGET, 0.0)
    _, accepted = chain_law([kernel] * 3, [DRAFT] * 2)
    assert accepted == pytest.approx(10 / 9, abs=1e-12)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("bonus", [True, False])
def test_every_position_follows_the_target(seed, bonus):
    generator = np.random.default_rng(seed)
    size, n = 3, 3
    kernels = generator.dirichlet(np.full(size + 1, 0.5), n + 1)
    if seed % 3 == 0:
        kernels[:, -1] = 0.0
        kernels /= kernels.sum(axis=1, keepdims=True)
    drafts = list(generator.dirichlet(np.full(size, 0.5), n))
    if seed % 2:
        drafts[1][0] = 0.0
        drafts[1] /= drafts[1].sum()
    law, _ = chain_law(list(kernels), drafts, bonus)
    # Marginal of "first k symbols equal w": the product of kernel entries, as long as w was decided.
    for k in range(1, n + 1 + bonus):
        for code in range((size + 1) ** k):
            w = tuple(code // (size + 1) ** i % (size + 1) for i in range(k))
            if size in w[:-1]:
                continue
            seen = sum(mass for out, mass in law.items() if out[:k] == w)
            open_mass = sum(
                mass * prod(kernels[i][w[i]] for i in range(len(out), k))
                for out, mass in law.items()
                if len(out) < k and out == w[: len(out)] and size not in out
            )
            assert seen + open_mass == pytest.approx(prod(kernels[i][w[i]] for i in range(k)), abs=1e-12)
    assert sum(law.values()) == pytest.approx(1.0, abs=1e-12)


def test_nothing_follows_a_last_token_without_a_row():
    kernel = np.array([0.5, 0.5, 0.0])

    class Never:
        def choose(self, weights64):
            raise AssertionError("nothing is open")

    assert verify_token([kernel], [np.array([0.5, 0.5])], [1], Never()) == (1, None)


def test_rows_that_differ_by_rounding_only():
    draft = np.array([0.1, 0.9])
    kernel = np.array([np.nextafter(0.1, 0.0), 0.9, 0.0])

    class Last:
        def choose(self, weights64):
            return int(np.flatnonzero(weights64 > 0)[-1])

    assert verify_token([kernel, kernel], [draft], [0], Last()) == (0, 1)
