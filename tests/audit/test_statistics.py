"""The X² battery: its null, its power line, the floor of an empirical TV."""

import numpy as np
import pytest
from scipy import stats

from gramspec.audit import (
    Law,
    check_draws,
    draws_for_power,
    empirical_tv,
    pearson,
    planted,
    power_line,
    tv_floor,
)
from gramspec.audit.statistics import combine, counts_of, monte_carlo_pairs, pool_cells
from gramspec.errors import OptionError


def skewed(outcomes: int, seed: int = 0) -> Law:
    weights = np.random.default_rng(seed).dirichlet(np.full(outcomes, 0.7))
    ids = [(i % 7, i // 7, 9) if i % 3 else (i, 9) for i in range(outcomes)]
    return Law(dict(zip(ids, weights.tolist(), strict=True)))


def test_cells_are_pooled_by_expectation_alone() -> None:
    groups = pool_cells({"a": 50.0, "b": 3.0, "c": 1.5, "d": 0.2, "e": 0.0, "f": 20.0})
    assert sorted(map(sorted, groups)) == [["a"], ["b", "c", "d", "f"]]
    assert pool_cells({"a": 1.0, "b": 1.0}) == [["a", "b"]]


def test_pearson_by_hand() -> None:
    result = pearson({"a": 60, "b": 40}, {"a": 0.5, "b": 0.5})
    assert result.statistic == pytest.approx(4.0) and result.dof == 1
    assert result.p_value == pytest.approx(float(stats.chi2.sf(4.0, 1)))
    impossible = pearson({"a": 60, "z": 40}, {"a": 1.0})
    assert impossible.p_value == 0.0 and impossible.impossible == 40
    with pytest.raises(OptionError):
        pearson({}, {"a": 1.0})
    with pytest.raises(OptionError):
        pearson({"a": 1}, {"a": 0.5})


def test_null_p_values_are_uniform() -> None:
    law = skewed(40)
    results = [check_draws(law.draws(800, seed), law, replicates=60, seed=seed) for seed in range(200)]
    for name in ("outcomes", "length", "first_token"):
        ps = [getattr(r, name).p_value for r in results]
        assert 0.01 < np.mean(np.array(ps) < 0.1) < 0.2, name
    pairs = np.array([r.pairs_p_value for r in results])
    assert 0.01 < np.mean(pairs < 0.1) < 0.2
    assert sum(r.smallest_p < 1e-3 for r in results) <= 2


def test_combined_test_adds_up() -> None:
    law = skewed(10)
    single = [pearson(counts_of(law.draws(500, s)), law) for s in range(8)]
    whole = combine(single)
    assert whole.dof == sum(r.dof for r in single) and 0.0 < whole.p_value < 1.0


def test_power_line_planted_tv_is_caught() -> None:
    """A planted TV of 0.03, placed where X² sees it least, is caught in at least 99 % of samples.

    12 cells, alpha = 1e-3: 14,300 draws are needed, which the line also says of the simulation.
    """
    law = Law(
        {(i, 9): w for i, w in enumerate(np.random.default_rng(1).dirichlet(np.full(12, 5.0)).tolist())}
    )
    n = draws_for_power(0.03, 12)
    assert 13_000 < n < 16_000 and power_line(n, 0.03, 12) >= 0.99 > power_line(n - 500, 0.03, 12)
    wrong = planted(law, 0.03)
    assert law.tv(wrong) == pytest.approx(0.03)
    p, q = (np.array([one[ids] for ids in law]) for one in (law, wrong))
    drawn = np.random.default_rng(2).multinomial(n, q / q.sum(), size=600)
    rejected = np.mean(
        [pearson(dict(zip(law, row.tolist(), strict=True)), law).p_value < 1e-3 for row in drawn]
    )
    assert rejected >= 0.985  # 0.99 less three standard errors of 600 samples
    perfect = np.random.default_rng(3).multinomial(n, p / p.sum(), size=600)
    kept = np.mean(
        [pearson(dict(zip(law, row.tolist(), strict=True)), law).p_value >= 1e-3 for row in perfect]
    )
    assert kept >= 0.99


def test_low_dimensional_tests_see_what_pooling_hides() -> None:
    """A shift in the first token, spread over many rare outcomes, is seen by the marginal."""
    ids = [(first, middle, 9) for first in range(2) for middle in range(400)]
    law = Law(dict.fromkeys(ids, 1 / 800))
    wrong = Law({i: (1.14 if i[0] else 0.86) / 800 for i in ids})
    result = check_draws(wrong.draws(1500, 5), law, replicates=60)
    assert result.first_token.p_value < 1e-3 < result.outcomes.p_value


def test_lag_one_pairs() -> None:
    law = Law({(0, 1, 9): 0.25, (0, 0, 9): 0.25, (1, 1, 9): 0.25, (1, 0, 9): 0.25})
    wrong = Law({(0, 1, 9): 0.15, (0, 0, 9): 0.35, (1, 1, 9): 0.35, (1, 0, 9): 0.15})
    assert monte_carlo_pairs(law.draws(600, 1), law) > 0.01
    assert monte_carlo_pairs(wrong.draws(600, 1), law) < 0.005
    assert monte_carlo_pairs([(5, 9)], law) == 0.0


def test_floor_of_the_empirical_tv() -> None:
    uniform = Law({(i, 9): 1 / 64 for i in range(64)})
    assert tv_floor(uniform, 5000) == pytest.approx(0.0448, abs=2e-4)
    law = skewed(30)
    seen = np.mean([empirical_tv(law.draws(400, s), law) for s in range(200)])
    assert tv_floor(law, 400) == pytest.approx(seen, rel=0.03)
