"""The embedded pair: cold-trie draws follow the exact law, masked draws fail the same test."""

from __future__ import annotations

import pytest

from benchmarks.law import CASES, Pair
from gramspec.audit import Law, LawTest, check_draws, empirical_tv, power_line, tv_floor
from gramspec.audit.statistics import combine

DRAWS = 2000


@pytest.fixture(scope="module")
def pair() -> Pair:
    import torch

    torch.set_num_threads(1)
    return Pair()


def test_conditional_draws_follow_the_exact_law(pair: Pair) -> None:
    """8 prompts × 2,000 draws, each with its own seed and a cold trie, with and without the draft."""
    tests: list[LawTest] = []
    for i, case in enumerate(CASES):
        law = pair.exact(case, "conditional")
        assert 10 <= len(law) <= 5000
        drawn = pair.draw(case, "conditional", range(i * DRAWS, (i + 1) * DRAWS))
        tests.append(check_draws(drawn, law))
        assert tests[-1].smallest_p > 1e-4, (case, tests[-1])
        # The deviation of a sample's TV is below 1 / (2 sqrt(n)); five of them above the floor.
        assert empirical_tv(drawn, law) < tv_floor(law, DRAWS) + 5 * 0.5 / DRAWS**0.5, case
    assert len(tests) == 8
    whole = combine([t.outcomes for t in tests])
    assert whole.p_value > 1e-3, whole
    # Least power of the combined test against a law 0.03 off in every prompt.
    assert power_line(8 * DRAWS, 0.03, whole.dof + 1, alpha=1e-3) > 0.5, whole


def test_masked_draws_fail_the_same_test(pair: Pair) -> None:
    failed = 0
    tests = []
    for i, case in enumerate(CASES):
        drawn = pair.draw(case, "masked", range(i * DRAWS, i * DRAWS + DRAWS // 2))
        masked: Law = pair.exact(case, "masked")
        assert check_draws(drawn, masked).smallest_p > 1e-4, case  # it is exact for its own law
        tests.append(check_draws(drawn, pair.exact(case, "conditional")))
        failed += tests[-1].smallest_p < 1e-4
    assert failed >= 5, tests
    assert combine([t.outcomes for t in tests]).p_value < 1e-12
