"""Weighted samplers, chains, labels and parallel attempts: their promises enumerated, and wrong versions."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any
from unittest import mock

import numpy as np
import pytest
from benches import bench, tiny_worlds

from gramspec.audit.enumerate import outcome_masses
from gramspec.decoding.kernel import TwistedLaw
from gramspec.decoding.random import RandomSource
from gramspec.decoding.samplers import McmcSampler, mcmc, restart, smc
from gramspec.decoding.samplers.parallel import LaunchOrder
from gramspec.decoding.samplers.weights import effective, systematic
from gramspec.errors import ContractError
from gramspec.testing import weighted as proofs
from gramspec.testing.proofs import Bench, ProofError
from gramspec.testing.weighted import (
    cold,
    prove_invariant,
    prove_labels,
    prove_parallel,
    prove_smc,
    prove_twisted,
    prove_upper_bound,
)
from gramspec.validity.viability import Viability


class Uneven(Viability):
    """Contract W: a positive number that depends on the prefix in no reasonable way."""

    name = "uneven"
    contract = "W"

    def log_h(self, state: Any, prefix: Any, budget: int) -> float:
        return super().log_h(state, prefix, budget) + _scale(prefix)

    def h_children(self, state: Any, prefix: Any, budget: int) -> Any:
        h = super().h_children(state, prefix, budget)
        inner = [v for v in range(len(h)) if v not in self.compiled.vocabulary.eos_ids]
        for v in inner:
            h[v] *= np.exp(_scale((*prefix, v)))
        return h


def _scale(prefix: Any) -> float:
    return float(np.random.default_rng([5, len(prefix), *prefix]).normal())


def uneven(b: Bench) -> Any:
    return Uneven(b.compiled)


POTENTIALS = {"trie": cold, "uneven": uneven}


@pytest.mark.parametrize("gamma", [0, 1])
@pytest.mark.parametrize("potential", POTENTIALS)
def test_weights_of_one_pass_are_unbiased(potential: str, gamma: int, seed: int) -> None:
    for i, world in enumerate(tiny_worlds(seed + 70 + gamma, 5, gamma)):
        assert prove_twisted(bench(world, "native", slack=i % 2), POTENTIALS[potential]) <= 1e-12


@pytest.mark.parametrize("threshold", [0.0, 0.8, 1.0])
@pytest.mark.parametrize("potential", POTENTIALS)
def test_runs_are_properly_weighted(potential: str, threshold: float, seed: int) -> None:
    """With and without resampling; a potential that learns from the other particle; drafted rounds."""
    resampled, gamma = 0, int(threshold == 0.8)
    for i, world in enumerate(tiny_worlds(seed + 80, 5, gamma)):
        b = bench(world, "reference", slack=i % 2)
        with mock.patch.object(smc, "systematic", wraps=smc.systematic) as spy:
            assert prove_smc(b, POTENTIALS[potential], particles=2, ess_threshold=threshold) <= 1e-12
        resampled += spy.call_count
    assert threshold > 0.0 or resampled == 0


@pytest.mark.parametrize("potential", POTENTIALS)
def test_conditional_runs_bound_phi_from_above(potential: str, seed: int) -> None:
    for world in tiny_worlds(seed + 90, 4, 0):
        b = bench(world, "reference")
        for threshold in (0.0, 1.0):
            worst = prove_upper_bound(b, POTENTIALS[potential], particles=2, ess_threshold=threshold)
            assert worst <= 1e-11


@pytest.mark.parametrize(("gamma", "fresh"), [(0, 0.0), (0, 0.5), (0, 1.0), (1, 0.5)])
@pytest.mark.parametrize("potential", POTENTIALS)
def test_moves_leave_the_law_as_it_is(potential: str, gamma: int, fresh: float, seed: int) -> None:
    for i, world in enumerate(tiny_worlds(seed + 100 + gamma, 3, gamma)):
        b = bench(world, "native", slack=i % 2)
        assert prove_invariant(b, POTENTIALS[potential], mcmc_fresh=fresh) <= 1e-12
        if i < 1 and gamma == 0:
            assert prove_invariant(b, POTENTIALS[potential], moves=2, mcmc_fresh=fresh) <= 1e-12


def test_a_draw_labelled_exact_is_exact_whatever_the_others_are(seed: int) -> None:
    for world in tiny_worlds(seed + 110, 3, 0):
        assert prove_labels(bench(world, "reference"), 2, auto_attempts=1, particles=1) <= 1e-11
        assert prove_labels(bench(world, "reference"), 1, auto_attempts=1, particles=2) <= 1e-11


@pytest.mark.parametrize(("draws", "attempts"), [(1, 2), (1, 3), (2, 1)])
def test_parallel_attempts_are_taken_in_launch_order(draws: int, attempts: int, seed: int) -> None:
    for world in tiny_worlds(seed + 120, 3, 0):
        assert prove_parallel(bench(world, "reference"), draws, 2, attempts) <= 1e-11


# -- the queue alone ------------------------------------------------------------------------------------


class Stub:
    """An attempt with outcome y after 1 round, y' after 3, † after 2."""

    ROUNDS = (1, 3, 2)

    def __init__(self, kind: int) -> None:
        self.kind, self.left = kind, self.ROUNDS[kind]

    @property
    def over(self) -> bool:
        return self.left == 0

    @property
    def died(self) -> bool:
        return self.kind == 2


def _advance(stubs: Any) -> None:
    for stub in stubs:
        stub.left -= 1


def stub_law(order: Callable[..., Any], width: int, budget: int) -> dict[Any, float]:
    """Joint law of two draws, each with its own budget."""
    weights = np.array([0.3, 0.2, 0.5])

    def run(random: RandomSource) -> tuple[int | None, ...]:
        queue = order(lambda _: Stub(random.choose(weights)), _advance, width)
        drawn = []
        for _ in range(2):
            found, _ = queue.next(lambda made: made < budget)
            drawn.append(None if found is None else found.kind)
        return tuple(drawn)

    return outcome_masses(run, unresolved_errors=())[0]


def stub_error(order: Callable[..., Any], width: int, budget: int) -> float:
    found = stub_law(order, width, budget)
    first = {kind: sum(m for k, m in found.items() if k[0] == kind) for kind in (0, 1)}
    shares = [first]
    for before in (None, 0, 1):
        shares.append({kind: found.get((before, kind), 0.0) for kind in (0, 1)})
    return max(abs(share[0] / (share[0] + share[1]) - 0.6) for share in shares)


class FirstFinished(LaunchOrder[Any]):
    """Returns whatever is accepted first."""

    def next(self, within_budget: Any, ended: Any = None) -> Any:
        taken = launched = 0
        while True:
            for one in [a for a in self.waiting if a.over]:
                self.waiting.remove(one)
                taken += 1
                if ended is not None:
                    ended(one)
                if not one.died:
                    return one, taken
            begun = taken + len(self.waiting)
            while len(self.waiting) < self._width and (begun == 0 or within_budget(begun)):
                self.waiting.append(self._launch(launched))
                launched += 1
                begun += 1
            if not self.waiting:
                return None, taken
            self._advance(list(self.waiting))


class DropsTheRest(LaunchOrder[Any]):
    """Throws away what is still under way, and keeps what has ended."""

    def next(self, within_budget: Any, ended: Any = None) -> Any:
        found = super().next(within_budget, ended)
        kept = [a for a in self.waiting if a.over]
        self.waiting.clear()
        self.waiting.extend(kept)
        return found


@pytest.mark.parametrize(("width", "budget"), [(1, 3), (2, 2), (2, 4), (3, 3)])
def test_launch_order_on_stubs(width: int, budget: int) -> None:
    assert stub_error(LaunchOrder, width, budget) <= 1e-12
    if width > 1:
        assert stub_error(DropsTheRest, width, budget) > 1e-3
        assert stub_error(FirstFinished, width, budget) > 1e-3


# -- offspring ------------------------------------------------------------------------------------------


def test_systematic_resampling_gives_each_its_share(seed: int) -> None:
    generator = np.random.default_rng(seed)
    for n in (1, 2, 3, 5, 8):
        for _ in range(6):
            weights = generator.gamma(0.5, size=n) * (generator.random(n) < 0.8)
            weights[int(generator.integers(n))] += 0.1
            mean = np.zeros(n)
            found, lost = outcome_masses(lambda r, w=weights: tuple(systematic(w, r)), unresolved_errors=())
            share = n * weights / weights.sum()
            for counts, mass in found.items():
                assert sum(counts) == n
                assert all(
                    np.floor(s - 1e-9) <= c <= np.ceil(s + 1e-9) for c, s in zip(counts, share, strict=True)
                )
                mean += mass * np.array(counts)
            assert lost <= 1e-12 and np.abs(mean - share).max() <= 1e-12
    assert effective([0.0, 0.0]) == pytest.approx(2.0)
    assert effective([-float("inf")] * 3) == 0.0


# -- planted wrong versions -----------------------------------------------------------------------------


class NoRatio(McmcSampler):
    """Accepts every proposal."""

    def move(self, state: Any, random: RandomSource, tally: Any = None) -> Any:
        with mock.patch.object(mcmc, "exp", lambda _: 1.0):
            return super().move(state, random, tally)


class ForgetsLengths(McmcSampler):
    """Leaves the probability of the cut out of the ratio."""

    def move(self, state: Any, random: RandomSource, tally: Any = None) -> Any:
        with mock.patch.object(mcmc, "log", lambda x: 0.0):
            return super().move(state, random, tally)


@contextlib.contextmanager
def _weights_kept_after_resampling() -> Any:
    right = smc.systematic

    def wrong(weights: Any, random: Any) -> Any:
        right(weights, random)
        return [1] * len(weights)  # nobody moves, and yet all weights become their mean

    with mock.patch.object(smc, "systematic", wrong):
        yield


@contextlib.contextmanager
def _prefix_weight_without_h() -> Any:
    """The weight at the resampling step and the weight after it use different numbers for h."""
    right = smc.log_weight
    seen: list[int] = []

    def wrong(attempt: Any) -> float:
        seen.append(1)
        return right(attempt) + (0.0 if attempt.over else 0.1 * (len(seen) % 2))

    with mock.patch.object(smc, "log_weight", wrong):
        yield


class KeepsP(TwistedLaw):
    """Weights against the row before the twist."""

    def kernel(self, node: Any, logits: Any) -> Any:
        kernel = super().kernel(node, logits)
        node.read(node.p, node.mass, np.append(node.p, 0.0))
        return kernel


@contextlib.contextmanager
def _first_particle_goes_free() -> Any:
    with mock.patch.object(smc, "_with_the_first", lambda w, r: [r.choose(smc.scaled(w)) for _ in w]):
        yield


@contextlib.contextmanager
def _keeps_p() -> Any:
    with mock.patch.object(proofs, "TwistedLaw", KeepsP):
        yield


@contextlib.contextmanager
def _finished_first() -> Any:
    with mock.patch.object(restart, "LaunchOrder", FirstFinished):
        yield


def _smc(b: Bench) -> float:
    return prove_smc(b, uneven, particles=2, ess_threshold=1.0)


WRONG: dict[str, tuple[Callable[[Bench], float], Callable[[], Any], dict[str, Any]]] = {
    "every proposal accepted": (
        lambda b, **k: prove_invariant(b, uneven, mcmc_fresh=0.5, **k),
        contextlib.nullcontext,
        {"kind": NoRatio},
    ),
    "cut left out of the ratio": (
        lambda b, **k: prove_invariant(b, uneven, mcmc_fresh=0.5, **k),
        contextlib.nullcontext,
        {"kind": ForgetsLengths},
    ),
    "weights reset without resampling": (_smc, _weights_kept_after_resampling, {}),
    "two numbers for one h": (_smc, _prefix_weight_without_h, {}),
    "weight against p": (lambda b: prove_twisted(b, uneven), _keeps_p, {}),
    "retained particle lost": (
        lambda b: prove_upper_bound(b, uneven, particles=2, ess_threshold=1.0),
        _first_particle_goes_free,
        {},
    ),
    "first finished of a batch": (lambda b: prove_parallel(b, 1, 2, 3), _finished_first, {}),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_weighted_version_is_caught(name: str) -> None:
    prove, patch, changes = WRONG[name]
    caught = 0
    for world in tiny_worlds(31, 6, 0):
        b = bench(world, "reference")
        assert prove(b) <= 1e-11
        with patch():
            try:
                prove(b, **changes)
            except (ProofError, ContractError):
                caught += 1
        if caught >= 2:
            return
    raise AssertionError(f"{name} passed on all but {caught} worlds")
