"""Rows that differ from one evaluation to the next, as they do on real hardware."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from gramspec.decoding.generate import generate
from gramspec.decoding.options import DecodingOptions
from gramspec.decoding.rows import RowLaw
from gramspec.errors import ContractError
from gramspec.models.tabular import TabularModel
from tests.decoding.finite_language import FiniteLanguage, small_vocabulary
from tests.decoding.test_generate import BUDGET, SIZE, laws, p_value, world


class NoisyModel(TabularModel):
    """Every evaluation multiplies the probabilities by factors in [1 - noise/2, 1 + noise/2]."""

    def __init__(self, exact, noise, promised, seed=0):
        self._noise = noise
        self._promised = promised
        self._generator = np.random.default_rng(seed)
        super().__init__(exact.row, exact.vocab_size, exact.eos_ids)

    @property
    def row_noise(self):
        return self._promised

    def row(self, prefix):
        row = super().row(prefix)
        return row + np.log(1 + self._noise * self._generator.uniform(-0.5, 0.5, len(row)))


@pytest.mark.parametrize(
    ("noise", "options"),
    [
        (1e-3, {}),
        (1e-3, {"top_k": 3}),
        (0.03, {}),
        (0.03, {"top_p": 0.8}),
    ],
)
@pytest.mark.parametrize("drafted", [False, True])
@pytest.mark.parametrize("stored", [True, False])
def test_noise_within_its_bound_is_covered(noise, options, drafted, stored, monkeypatch):
    if not stored:
        monkeypatch.setattr("gramspec.validity.trie_node._STORED_ROW_ENTRIES", 0)
    language, exact, draft = world()
    model = NoisyModel(exact, noise, noise)
    [completions] = generate(
        model,
        [[0]],
        language,
        draft=draft if drafted else None,
        n=800,
        max_new_tokens=BUDGET,
        seed=1,
        options=DecodingOptions(memo_bytes=0),
        **options,
    )
    conditional, _ = laws(language, exact, (0,), RowLaw(**options))
    counts = Counter(c.token_ids for c in completions)
    assert p_value(counts, {y: p for y, p in conditional.items() if p > 0}) > 1e-5
    assert max(c.report.rho_max for c in completions) <= 1 + 2 * RowLaw(**options).noise(noise) + 1e-9


def test_the_noise_of_a_law_scales_with_the_inverse_temperature():
    generator = np.random.default_rng(2)
    logits, noise = 3 * generator.standard_normal(50), 1e-3
    for temperature in (0.05, 0.3, 1.0, 4.0):
        law, worst = RowLaw(temperature), 0.0
        p = law.row(logits)
        for _ in range(200):
            q = law.row(logits + np.log1p(noise * generator.choice([-0.49, 0.49], len(logits))))
            worst = max(worst, float(np.abs(q / p - 1).max()))
        assert worst <= law.noise(noise) + 1e-12
        assert worst >= 0.1 * law.noise(noise) or temperature > 1
    assert RowLaw().noise(noise) == pytest.approx(noise) == RowLaw(4.0).noise(noise)


def test_noise_is_covered_where_the_temperature_makes_it_larger(monkeypatch):
    """Half of the mass is valid, and at a tenth of the temperature its share differs by ten times as much."""
    monkeypatch.setattr("gramspec.validity.trie_node._STORED_ROW_ENTRIES", 0)
    language = FiniteLanguage({(0, SIZE), (1, SIZE)}, small_vocabulary(SIZE + 1, (SIZE,)))

    def row(prefix):
        return (
            np.array([0.0] * 4 + [-9.0] * (SIZE - 3)) if len(prefix) == 1 else np.array([-9.0] * SIZE + [0])
        )

    model = NoisyModel(TabularModel(row, SIZE + 1, SIZE), 0.03, 0.03)
    options = DecodingOptions(memo_bytes=0)
    [found] = generate(
        model, [[0]], language, n=300, max_new_tokens=2, temperature=0.1, seed=1, options=options
    )
    assert max(c.report.rho_max for c in found) <= 1 + 2 * RowLaw(0.1).noise(0.03)
    assert p_value(Counter(c.token_ids for c in found), {(v, SIZE): 0.5 for v in (0, 1)}) > 1e-5


def test_noise_beyond_its_bound_is_an_error(monkeypatch):
    """A model that promises equal rows and breaks the promise is found out, never absorbed."""
    language, exact, _ = world()
    model = NoisyModel(exact, 0.03, 0.0)
    with pytest.raises(ContractError, match="rho"):
        generate(
            model,
            [[0]],
            language,
            n=500,
            max_new_tokens=BUDGET,
            seed=1,
            options=DecodingOptions(memo_bytes=0),
        )


def test_a_row_cut_by_top_p_keeps_its_first_support():
    """Five tokens of almost equal mass, four kept: which four is settled by the row seen first."""
    vocabulary = small_vocabulary(SIZE + 1, (SIZE,))
    language = FiniteLanguage({(v, SIZE) for v in range(SIZE)}, vocabulary)

    def flat(prefix):
        return np.array([0.0] * SIZE + [-9.0]) if len(prefix) == 1 else np.array([-9.0] * SIZE + [0.0])

    def starts(seed):
        model = NoisyModel(TabularModel(flat, SIZE + 1, SIZE), 1e-3, 1e-3, seed)
        options = DecodingOptions(memo_bytes=0)
        [completions] = generate(
            model, [[0]], language, n=100, max_new_tokens=2, top_p=0.79, seed=3, options=options
        )
        return frozenset(c.token_ids[0] for c in completions)

    supports = {starts(seed) for seed in range(20)}
    assert all(len(support) == 4 for support in supports)
    assert len(supports) > 1  # the noise does decide; without the memory of rows a call would show five
