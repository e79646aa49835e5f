"""Sampled checks of a law: Pearson X² with pooled cells, its power, the floor of an empirical TV.

Law: under the null X² is χ² with (cells − 1) degrees of freedom when every cell expects >= 5; lag-1
pairs of one draw depend on each other, so they get a Monte-Carlo p-value. Source: laws, "Sampled tests".
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import NamedTuple, TypeVar

import numpy as np
from scipy import stats

from gramspec.audit.law import Law, Outcome
from gramspec.errors import OptionError

_K = TypeVar("_K", bound=Hashable)

MIN_EXPECTATION = 5.0


class PearsonResult(NamedTuple):
    """Outcome of one X² test.

    `cells` counts after pooling; `impossible` counts draws of probability zero (the p-value is then 0).
    """

    statistic: float
    dof: int
    p_value: float
    cells: int
    impossible: int


def pool_cells(expected: Mapping[_K, float], minimum: float = MIN_EXPECTATION) -> list[list[_K]]:
    """Group outcomes so that every group expects at least `minimum` counts.

    The rarest outcomes are merged first; a remainder below `minimum` joins the smallest group.
    Depends on the expectations alone, never on the counts.
    """
    order = sorted((k for k, e in expected.items() if e > 0.0), key=lambda k: (expected[k], repr(k)))
    groups: list[list[_K]] = []
    open_group: list[_K] = []
    mass = 0.0
    for key in order:
        open_group.append(key)
        mass += expected[key]
        if mass >= minimum:
            groups.append(open_group)
            open_group, mass = [], 0.0
    if open_group:
        if groups:
            groups[0].extend(open_group)
        else:
            groups.append(open_group)
    return groups


def pearson(
    counts: Mapping[_K, int], probabilities: Mapping[_K, float], *, minimum: float = MIN_EXPECTATION
) -> PearsonResult:
    """Pearson's X² of counts against probabilities.

    Parameters
    ----------
    counts : mapping of outcome to int
        What was drawn.
    probabilities : mapping of outcome to float
        The law; must sum to one.
    minimum : float
        Smallest expectation of a cell; rarer outcomes are pooled.
    """
    n = sum(counts.values())
    if n <= 0:
        raise OptionError("pearson needs at least one draw")
    if abs(math.fsum(probabilities.values()) - 1.0) > 1e-6:
        raise OptionError("pearson needs probabilities that sum to one")
    impossible = sum(c for key, c in counts.items() if probabilities.get(key, 0.0) <= 0.0)
    groups = pool_cells({key: n * p for key, p in probabilities.items()}, minimum)
    statistic = 0.0
    for group in groups:
        e = math.fsum(n * probabilities[key] for key in group)
        o = sum(counts.get(key, 0) for key in group)
        statistic += (o - e) ** 2 / e
    dof = len(groups) - 1
    p_value = float(stats.chi2.sf(statistic, dof)) if dof > 0 else 1.0
    if impossible:
        statistic, p_value = math.inf, 0.0
    return PearsonResult(statistic, dof, p_value, len(groups), impossible)


def combine(results: Sequence[PearsonResult]) -> PearsonResult:
    """One test from independent ones: statistics and degrees of freedom add up."""
    statistic = math.fsum(r.statistic for r in results)
    dof = sum(r.dof for r in results)
    impossible = sum(r.impossible for r in results)
    p_value = 0.0 if impossible else (float(stats.chi2.sf(statistic, dof)) if dof > 0 else 1.0)
    return PearsonResult(statistic, dof, p_value, sum(r.cells for r in results), impossible)


def counts_of(draws: Sequence[Sequence[int]]) -> Counter[Outcome]:
    """How often each token sequence was drawn."""
    return Counter(tuple(int(t) for t in ids) for ids in draws)


def monte_carlo_pairs(
    draws: Sequence[Sequence[int]], law: Law, *, replicates: int = 400, seed: int = 0
) -> float:
    """Monte-Carlo p-value of the X² of all lag-1 pairs of tokens, positions pooled.

    Parameters
    ----------
    draws : sequence of token sequences
        What was drawn; a draw outside the law's support gives 0.
    law : Law
        The law tested.
    replicates : int
        Simulated samples of the same size; the smallest p-value is 1 / (replicates + 1).
    seed : int
        Of the simulation.
    """
    outcomes = [ids for ids, p in law.items() if p > 0.0]
    index = {ids: i for i, ids in enumerate(outcomes)}
    observed = np.zeros(len(outcomes))
    for ids, count in counts_of(draws).items():
        if ids not in index:
            return 0.0
        observed[index[ids]] += count
    names: dict[tuple[int, int], int] = {}
    for ids in outcomes:
        for pair in itertools.pairwise(ids):
            names.setdefault(pair, len(names))
    if not names:
        return 1.0
    features = np.zeros((len(outcomes), len(names)))
    for i, ids in enumerate(outcomes):
        for pair in itertools.pairwise(ids):
            features[i, names[pair]] += 1.0
    p = np.array([law[ids] for ids in outcomes])
    n = len(draws)
    expected = n * (p @ features)
    groups = pool_cells({j: float(e) for j, e in enumerate(expected)})
    pooling = np.zeros((len(names), len(groups)))
    for g, members in enumerate(groups):
        pooling[members, g] = 1.0
    cells = expected @ pooling

    def x2(rows: np.ndarray) -> np.ndarray:
        return np.asarray((((rows @ features @ pooling) - cells) ** 2 / cells).sum(axis=-1))

    simulated = np.random.default_rng(seed).multinomial(n, p / p.sum(), size=replicates)
    at_least = int((x2(simulated) >= x2(observed) - 1e-9).sum())
    return (1 + at_least) / (replicates + 1)


class LawTest(NamedTuple):
    """The whole battery on one sample: full outcomes, length, first token, lag-1 pairs."""

    outcomes: PearsonResult
    length: PearsonResult
    first_token: PearsonResult
    pairs_p_value: float

    @property
    def smallest_p(self) -> float:
        """Smallest p-value, multiplied by the number of tests (Bonferroni), at most 1."""
        ps = (self.outcomes.p_value, self.length.p_value, self.first_token.p_value, self.pairs_p_value)
        return min(1.0, len(ps) * min(ps))


def check_draws(draws: Sequence[Sequence[int]], law: Law, *, replicates: int = 400, seed: int = 0) -> LawTest:
    """Test draws against a law in full and in low dimension.

    Parameters
    ----------
    draws : sequence of token sequences
        Independent draws (cold trie each; a warm one hides a missing restart coin).
    law : Law
        Without unresolved mass.
    replicates, seed : int
        Of the Monte-Carlo test of the lag-1 pairs.
    """
    if law.unresolved > 0.0:
        raise OptionError("draws can only be tested against a law without unresolved mass")
    counts = counts_of(draws)

    def marginal(function: Callable[[Outcome], _K]) -> PearsonResult:
        pushed: Counter[_K] = Counter()
        for ids, count in counts.items():
            pushed[function(ids)] += count
        return pearson(pushed, law.pushed(function))

    return LawTest(
        pearson(counts, law),
        marginal(len),
        marginal(lambda ids: ids[0]),
        monte_carlo_pairs(draws, law, replicates=replicates, seed=seed),
    )


def empirical_tv(draws: Sequence[Sequence[int]], law: Law) -> float:
    """Total variation between the sample's frequencies and the law; compare it with `tv_floor`."""
    n = len(draws)
    return law.tv(Law({ids: c / n for ids, c in counts_of(draws).items()}))


def tv_floor(law: Law, n: int) -> float:
    """Expected empirical TV of a perfect sampler with `n` draws.

    Exact: half the sum of the binomials' mean absolute deviations (De Moivre):
    E|X − np| = 2 k (1−p)^(n−k+1) p^k C(n, k) with k = floor(np) + 1.
    """
    total = []
    for p in law.values():
        if 0.0 < p < 1.0:
            k = math.floor(n * p) + 1
            log_term = math.log(2 * k) + (n - k + 1) * math.log1p(-p) + k * math.log(p)
            log_term += math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
            total.append(math.exp(log_term) / n if k <= n else 0.0)
    return 0.5 * math.fsum(total)


def power_line(n: int, tv: float, cells: int, alpha: float = 1e-3) -> float:
    """Least power of the X² test of `n` draws against any law at distance `tv`, all cells kept.

    The noncentrality n Σ Δ²/p is smallest, 4 n tv², when |Δ| ∝ p (Cauchy-Schwarz).
    """
    dof = cells - 1
    if dof < 1:
        raise OptionError("a test of a single cell has no power")
    return float(stats.ncx2.sf(stats.chi2.isf(alpha, dof), dof, 4.0 * n * tv * tv))


def draws_for_power(tv: float, cells: int, *, alpha: float = 1e-3, power: float = 0.99) -> int:
    """Fewest draws for which `power_line` reaches `power`."""
    if not 0.0 < tv < 1.0:
        raise OptionError("tv must lie in (0, 1)")
    high = 1
    while power_line(high, tv, cells, alpha) < power:
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        if power_line(middle, tv, cells, alpha) >= power:
            high = middle
        else:
            low = middle
    return high


def planted(law: Law, tv: float) -> Law:
    """A law at distance `tv` that the X² test finds hardest: |Δ| as close to ∝ p as subsets allow.

    Raises
    ------
    OptionError
        If no subset of outcomes can lose that much mass.
    """
    order = sorted((ids for ids, p in law.items() if p > 0.0), key=lambda ids: -law[ids])
    up: list[Outcome] = []
    down: list[Outcome] = []
    mass_up = mass_down = 0.0
    for ids in order:  # greedy halving
        if mass_up <= mass_down:
            up.append(ids)
            mass_up += law[ids]
        else:
            down.append(ids)
            mass_down += law[ids]
    if mass_down < tv:
        raise OptionError(f"no {tv} of mass can be moved in a law of {len(order)} outcomes")
    moved = dict(law)
    for ids in up:
        moved[ids] *= 1.0 + tv / mass_up
    for ids in down:
        moved[ids] *= 1.0 - tv / mass_down
    return Law(moved)
