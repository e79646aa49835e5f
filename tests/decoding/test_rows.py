"""Temperature, top-k and top-p, in this order, against a plain reference."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gramspec.decoding.rows import RowLaw, fit_width
from gramspec.errors import LogitsError, OptionError


def reference(logits, temperature, top_k, top_p):
    z = [x / temperature for x in logits]
    if 0 < top_k < len(z):
        smallest = sorted(z, reverse=True)[top_k - 1]
        z = [x if x >= smallest else -math.inf for x in z]
    total = math.fsum(math.exp(x) for x in z)
    p = [math.exp(x) / total for x in z]
    if top_p < 1.0:
        kept, mass = set(), 0.0
        for v in sorted(range(len(p)), key=lambda v: (-p[v], v)):
            kept.add(v)
            mass += p[v]
            if mass >= top_p:
                break
        total = math.fsum(p[v] for v in kept)
        p = [x / total if v in kept else 0.0 for v, x in enumerate(p)]
    return np.array(p)


@pytest.mark.parametrize("seed", range(40))
def test_rows_agree_with_a_plain_reference(seed):
    generator = np.random.default_rng(seed)
    size = int(generator.integers(1, 700))
    logits = 2 * generator.standard_normal(size)
    logits[generator.random(size) < 0.2] = -np.inf
    logits[int(generator.integers(size))] = 1.0
    temperature = float(generator.uniform(0.3, 2.0))
    top_k = int(generator.choice([0, 1, 3, 400, size, size + 5]))
    top_p = float(generator.choice([1.0, 0.999, 0.7, 0.05]))
    row = RowLaw(temperature, top_k, top_p).row(logits)
    expected = reference(logits.tolist(), temperature, top_k, top_p)
    assert np.array_equal(row > 0, expected > 0)
    np.testing.assert_allclose(row, expected, rtol=1e-12)
    assert abs(row.sum() - 1.0) < 1e-12


def test_the_order_is_temperature_then_top_k_then_top_p():
    logits = np.log([0.4, 0.3, 0.2, 0.1])
    # After top-k 2 the row is (4/7, 3/7): 0.6 needs both; on the uncut row it would be 0.4 + 0.3 as well,
    # but 0.5 needs one only after top-k.
    assert np.count_nonzero(RowLaw(top_k=2, top_p=0.5).row(logits)) == 1
    assert np.count_nonzero(RowLaw(top_p=0.5).row(logits)) == 2
    # A high temperature flattens first, so top-p keeps more.
    assert np.count_nonzero(RowLaw(temperature=100.0, top_p=0.7).row(logits)) == 3


def test_ties_at_the_top_k_border_are_kept_and_top_p_ties_go_to_the_smaller_id():
    logits = np.zeros(5)
    assert np.count_nonzero(RowLaw(top_k=2).row(logits)) == 5
    assert np.flatnonzero(RowLaw(top_p=0.4).row(logits)).tolist() == [0, 1]


def test_a_flat_wide_row_keeps_its_nucleus():
    row = RowLaw(top_p=0.9).row(np.zeros(10_000))
    assert np.count_nonzero(row) in (9000, 9001)


@pytest.mark.parametrize(
    ("logits", "word"),
    [([0.0, np.nan], "NaN"), ([0.0, np.inf], r"\+inf"), ([-np.inf, -np.inf], "no finite entry")],
)
def test_bad_logits_name_the_prefix(logits, word):
    with pytest.raises(LogitsError, match=rf"\[7, 8\].*{word}"):
        RowLaw().row(np.array(logits), (7, 8))


@pytest.mark.parametrize(
    "options",
    [
        {"temperature": 0.0},
        {"temperature": -1.0},
        {"temperature": math.inf},
        {"temperature": math.nan},
        {"temperature": "1"},
        {"top_k": -1},
        {"top_k": 1.5},
        {"top_k": True},
        {"top_p": 0.0},
        {"top_p": 1.5},
        {"top_p": math.nan},
    ],
)
def test_options_out_of_range_are_refused_by_name(options):
    with pytest.raises(OptionError, match=next(iter(options))):
        RowLaw(**options)


def test_rows_of_other_widths():
    row = np.array([0.5, 0.5])
    assert fit_width(row, 3).tolist() == [0.5, 0.5, 0.0]
    assert fit_width(row, 1).tolist() == [0.5]
    assert fit_width(row, 2) is row
