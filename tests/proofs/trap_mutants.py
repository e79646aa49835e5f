"""Planted wrong versions of the traps that are no slip in a round: labels, edited laws, figures, sharing.

Law: each `prove_*` passes on the right version and fails on the wrong one, on the same worlds.
Source: laws, "Traps; each is a test that must fail on the wrong version".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any
from unittest import mock

import numpy as np
from numpy.typing import NDArray

from gramspec.audit.enumerate import outcome_masses
from gramspec.audit.law import Law, Outcome
from gramspec.audit.statistics import empirical_tv, tv_floor
from gramspec.decoding.greedy import GreedyLaw
from gramspec.decoding.kernel import KilledLaw, Node
from gramspec.decoding.random import RandomSource
from gramspec.testing import proofs
from gramspec.testing.outer_loop import STUBS, Stub
from gramspec.testing.proofs import (
    TOLERANCE,
    Bench,
    ProofError,
    check_potential,
    conditional_reference,
    prove_frozen,
    prove_masked,
    teach,
)
from gramspec.validity import OneStep, PrefixTrie
from gramspec.validity.prefix_trie import LearnedMass

# -- trap 5: the same greedy string is not the same law -------------------------------------------------


def prove_masked_label(bench: Bench) -> float:
    """What is labelled "masked" follows the masked law."""
    return prove_masked(bench)


def greedy_called_masked() -> Any:
    """The greedy text under the name of the masked law."""
    return mock.patch.object(proofs, "MaskedLaw", GreedyLaw)


# -- trap 6: what edits p is another law ----------------------------------------------------------------


class EnrichedRows(KilledLaw):
    """Mixes the target's row with what a store of past outputs would add."""

    def kernel(self, node: Node, logits: Any) -> Any:
        p = self.rows.row(logits, node.prefix)
        return super().kernel(node, np.log(0.9 * p + 0.1 / len(p)))


class DropsCachedTokens(KilledLaw):
    """Scores every prefix as if its first token had been dropped from the cache."""

    def kernel(self, node: Node, logits: Any) -> Any:
        if len(node.prefix) > 1:
            logits = np.roll(logits, node.prefix[0])
        return super().kernel(node, logits)


# -- trap 7: more look-ahead without restart ------------------------------------------------------------


def local_law(bench: Bench, potential: Any) -> dict[Outcome, float]:
    """One pass of p·h(xv)/S without a weight, by brute force; `proofs.DEAD` where S = 0."""
    world = bench.world
    found: dict[Outcome, float] = {}

    def go(prefix: tuple[int, ...], matcher: Any, mass: float) -> None:
        h = potential.h_children(matcher, prefix, world.max_new_tokens - len(prefix))
        share = world.row(prefix)[: len(h)] * h
        total = math.fsum(share.tolist())
        if total <= 0.0:
            found[proofs.DEAD] = found.get(proofs.DEAD, 0.0) + mass
            return
        for token in np.flatnonzero(share > 0.0).tolist():
            below = mass * float(share[token]) / total
            if token in world.small.eos_ids:
                found[(*prefix, token)] = below
            else:
                after = matcher.fork()
                after.advance(token)
                go((*prefix, token), after, below)

    go((), bench.compiled.matcher(), 1.0)
    return found


def distances(bench: Bench) -> tuple[float, float]:
    """TV to P* of one pass under the mask, and of one pass with a look-ahead of one token."""
    world, expected = bench.world, conditional_reference(bench.world)
    ahead = OneStep(bench.compiled, world.target, world.prompt, own_row=True, row=bench.rows().row)
    result = [
        Law(local_law(bench, potential)).tv(expected)
        for potential in (bench.pieces.base(bench.compiled), ahead)  # type: ignore[arg-type]
    ]
    return result[0], result[1]


# -- trap 11: laws are compared in float64, not bit by bit ----------------------------------------------


class SinglePrecision(KilledLaw):
    """Computes the kernel in float32."""

    def kernel(self, node: Node, logits: Any) -> Any:
        kernel = super().kernel(node, np.float64(np.float32(logits)))
        return np.float64(np.float32(kernel))


# -- trap 12: an empirical TV has a floor ---------------------------------------------------------------


def judge_with_floor(draws: Sequence[Outcome], law: Law) -> bool:
    """Whether the draws look like the law, by a TV beside its floor."""
    return empirical_tv(draws, law) < 1.5 * tv_floor(law, len(draws))


def judge_without_floor(draws: Sequence[Outcome], law: Law) -> bool:
    """Whether the TV is small, as if it could be zero."""
    return empirical_tv(draws, law) < 0.02


# -- trap 14: one budget for several samples ------------------------------------------------------------


def own_budgets(attempt: Callable[[], Stub | None], budget: int) -> list[Stub | None]:
    """Two samples, each with a budget of its own."""
    found: list[Stub | None] = []
    for _ in range(2):
        outcome, spent = None, 0
        while outcome is None and spent < budget:
            outcome = attempt()
            spent += 1
        found.append(outcome)
    return found


def shared_budget(attempt: Callable[[], Stub | None], budget: int) -> list[Stub | None]:
    """Two samples out of one budget that pays what each attempt cost."""
    found: list[Stub | None] = []
    left = 2 * budget
    for _ in range(2):
        outcome = None
        while outcome is None and left > 0:
            outcome = attempt()
            left -= 1 if outcome is None else outcome.cost
        found.append(outcome)
    return found


def prove_list(samples: Callable[[Callable[[], Stub | None], int], list[Stub | None]], budget: int) -> float:
    """Given that both samples succeeded, each has the law of the stub, and they are independent."""
    weights = np.array([weight for _, weight in STUBS])

    def run(random: RandomSource) -> tuple[str, ...]:
        found = samples(lambda: STUBS[random.choose(weights)][0], budget)
        return tuple("none" if outcome is None else outcome.value for outcome in found)

    masses, lost = outcome_masses(run, unresolved_errors=())
    both = {pair: mass for pair, mass in masses.items() if "none" not in pair}
    total = math.fsum(both.values())
    alone = {stub.value: weight for stub, weight in STUBS if stub is not None}
    scale = math.fsum(alone.values()) ** 2
    worst = lost
    for first, p in alone.items():
        for second, q in alone.items():
            worst = max(worst, abs(both.get((first, second), 0.0) / total - p * q / scale))
    if not worst <= TOLERANCE:
        raise ProofError(f"a list of two samples is off by {worst:.3g} given that both succeeded")
    return worst


# -- trap 15: what a shared trie may not be asked for ---------------------------------------------------


class TrieWithoutTemperature(PrefixTrie):
    """Shares learned mass between temperatures."""

    def at(self, key: Any, *, row_noise: float = 0.0) -> LearnedMass:
        for known in self._tries:
            if all(getattr(known, f) == getattr(key, f) for f in key.__slots__ if f != "temperature"):
                return super().at(known, row_noise=row_noise)
        return super().at(key, row_noise=row_noise)


def prove_two_temperatures(bench: Bench) -> float:
    """What one trie learned at another temperature must not leak into this one."""
    trie = bench.pieces.trie(bench.pieces.base(bench.compiled))
    hotter = replace(bench, world=replace(bench.world, temperature=3.0 * bench.world.temperature))
    teach(hotter, hotter.learned(trie), 3, bench.world.seed)
    learned = bench.learned(trie)
    check_potential(bench, learned)
    return prove_frozen(bench, bench.killed(learned))


class _Recorded:
    """Keeps, for each choice, the interval of uniforms that leads to it."""

    def __init__(self, random: RandomSource) -> None:
        self.random = random
        self.intervals: list[tuple[float, float]] = []

    def choose(self, weights64: NDArray[np.float64]) -> int:
        index = self.random.choose(weights64)
        ends = np.cumsum(weights64) / np.sum(weights64)
        self.intervals.append((float(ends[index - 1]) if index else 0.0, float(ends[index])))
        return index


class _Replayed:
    """Uses the recorded uniforms again, in their order; then fresh ones."""

    def __init__(self, random: RandomSource, intervals: Sequence[tuple[float, float]]) -> None:
        self.random = random
        self.intervals = list(intervals)

    def choose(self, weights64: NDArray[np.float64]) -> int:
        if not self.intervals:
            return self.random.choose(weights64)
        low, high = self.intervals.pop(0)
        ends = np.cumsum(weights64) / np.sum(weights64)
        begins = np.concatenate([[0.0], ends[:-1]])
        overlap = np.maximum(np.minimum(ends, high) - np.maximum(begins, low), 0.0)
        overlap[weights64 <= 0.0] = 0.0
        return self.random.choose(overlap)


def prove_second_call(bench: Bench, *, replay: bool) -> float:
    """A second draw on the trie that a first one taught, given success, follows P*.

    Parameters
    ----------
    bench : Bench
        A tiny world.
    replay : bool
        Whether the second draw uses the first one's random numbers again, as a seed would.
    """

    def run(random: RandomSource) -> Outcome:
        learned = bench.learned()
        first = _Recorded(random)
        bench.attempt(bench.killed(learned)).run(first)
        again = bench.attempt(bench.killed(learned))
        if again.over:
            return proofs.DEAD
        lived = again.run(_Replayed(random, first.intervals) if replay else random)
        return again.tokens if lived else proofs.DEAD

    masses, lost = outcome_masses(run, unresolved_errors=())
    masses.pop(proofs.DEAD, None)
    total = math.fsum(masses.values())
    expected = conditional_reference(bench.world)
    worst = max([lost, *(abs(masses.get(y, 0.0) / total - expected[y]) for y in expected)])
    if not worst <= TOLERANCE:
        raise bench.fail(f"a second call on a taught trie is off by {worst:.3g}")
    return worst
