"""The law of cold draws against the exact law: X², TV and KL in both directions, each with its floor.

Law: every draw is one run on a cold trie (n = 1), as a warm one hides a missing restart coin. A floor is
what a perfect sampler shows with as many draws; KL(law || draws) adds half a count to every outcome.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.faithfulness.methods import Method, Pair
from benchmarks.faithfulness.tasks import Task
from gramspec.audit import (
    Law,
    check_draws,
    draws_for_power,
    empirical_tv,
    exact_law,
    pearson,
    planted,
    power_line,
    tv_floor,
)


def law_of(pair: Pair, task: Task, law: str = "conditional") -> Law:
    """The exact law of an enumerable task."""
    return exact_law(
        pair.target.again(),
        pair.compiled(task),
        task.max_new_tokens,
        vocabulary=pair.vocabulary,
        prompt=pair.prompt(task),
        temperature=task.temperature,
        law=law,
        max_sequences=20_000,
    )


def cold_draws(method: Method, pair: Pair, task: Task, count: int, seed: int) -> list[tuple[int, ...]]:
    """One draw per seed, each a run of its own."""
    found = []
    for k in range(count):
        found += method(pair, task, 1, seed + k, 1_000_000).tokens
    return found


def draws_needed(law: Law, tv: float, most: int) -> int:
    """Draws with which X² at level 1e-3 finds a law at distance `tv` with power 0.99; `most` at most."""
    count = most
    while True:  # cells are pooled by what is expected in them, so fewer draws may need still fewer
        expected = Counter({y: max(1, round(count * p)) for y, p in law.items()})
        cells = pearson(expected, law).cells
        needed = min(count, draws_for_power(tv, cells)) if cells > 1 else count
        if needed == count:
            return count
        count = needed


def planted_draws(law: Law, tv: float, count: int, seed: int) -> list[tuple[int, ...]]:
    """Draws of the law at that distance which X² finds hardest."""
    other = planted(law, tv)
    outcomes = list(other)
    p = np.array([other[y] for y in outcomes])
    picks = np.random.default_rng(seed).choice(len(outcomes), size=count, p=p / p.sum())
    return [outcomes[i] for i in picks]


def divergences(draws: Sequence[tuple[int, ...]], law: Law) -> tuple[float, float]:
    """KL(draws || law) and KL(law || draws smoothed by half a count)."""
    n, counts = len(draws), Counter(draws)
    forward = sum(
        c / n * math.log(c / n / law[y]) if law.get(y, 0.0) > 0 else math.inf for y, c in counts.items()
    )
    total = n + 0.5 * len(law)
    backward = sum(p * math.log(p / ((counts.get(y, 0) + 0.5) / total)) for y, p in law.items() if p > 0.0)
    return forward, backward


def compare(draws: Sequence[tuple[int, ...]], law: Law, off: float, seed: int = 0) -> dict[str, Any]:
    """All figures of one sample of draws; `off` is the distance whose power is told."""
    n = len(draws)
    test = check_draws(draws, law)
    forward, backward = divergences(draws, law)
    outcomes = list(law)
    p = np.array([law[y] for y in outcomes])
    picks = np.random.default_rng(seed).choice(len(outcomes), size=(100, n), p=p / p.sum())
    floors = np.array([divergences([outcomes[i] for i in row], law) for row in picks])
    cells = test.outcomes.cells
    return {
        "draws": n,
        "sequences": len(law),
        "cells": cells,
        "x2": test.outcomes.statistic,
        "p": test.outcomes.p_value,
        "smallest p of all tests": test.smallest_p,
        "tv": empirical_tv(draws, law),
        "tv floor": tv_floor(law, n),
        "kl draws||law": forward,
        "kl draws||law floor": float(floors[:, 0].mean()),
        "kl law||draws": backward,
        "kl law||draws floor": float(floors[:, 1].mean()),
        "power": power_line(n, off, cells) if cells > 1 else None,
    }
