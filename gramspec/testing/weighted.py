"""Proofs for weighted samplers, every choice enumerated: what their weights and moves promise holds exactly.

Law: twisted E[w·1{y}] = p(y)·1[y ∈ L]; smc E[Ẑ·1{y}] = p(y)·1[y ∈ L] and, conditionally, E[1/Ẑ] = 1/Φ(ε)
(times the probability that a run has any weight); mcmc Σ P*(y)·k(y, y') = P*(y'); auto and parallel
attempts: an exact draw follows P* given what came before.
Source: laws, "What may be claimed"; Andrieu, Doucet and Holenstein (2010).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gramspec.audit.enumerate import enumerate_leaves
from gramspec.audit.law import Outcome
from gramspec.decoding.kernel import TwistedLaw, child_node
from gramspec.decoding.options import DecodingOptions
from gramspec.decoding.random import RandomSource
from gramspec.decoding.report import Tally
from gramspec.decoding.samplers import (
    AutoSampler,
    McmcSampler,
    RestartSampler,
    SmcSampler,
    TwistedSampler,
)
from gramspec.decoding.samplers.mcmc import State
from gramspec.decoding.samplers.smc import _OneToken
from gramspec.decoding.samplers.weights import scaled
from gramspec.errors import BudgetExhaustedError, DeadEndError
from gramspec.testing.proofs import DEAD, TOLERANCE, Bench, conditional_reference
from gramspec.validity.protocol import Potential

Make = Callable[[Bench], Potential]


def cold(bench: Bench) -> Potential:
    """The learned potential of the world, cold."""
    return bench.learned()


def weighted(bench: Bench, kind: Any, potential: Any, **options: Any) -> Any:
    """A fresh sampler of one kind on one potential.

    Parameters
    ----------
    bench : Bench
        The world.
    kind : type
        A sampler class.
    potential : Potential
        Any contract that the sampler takes.
    **options
        Of `DecodingOptions`.
    """
    w = bench.world
    twisted = TwistedLaw(potential, bench.rows(), budget=w.max_new_tokens, width=w.width)
    parts = (
        w.target.open(w.prompt),
        len(w.prompt),
        bench.drafter(),
        DecodingOptions(gamma=w.gamma, **options),
    )
    if issubclass(kind, RestartSampler):
        return kind(bench.killed(potential), *parts)
    if issubclass(kind, AutoSampler):
        return kind(RestartSampler(bench.killed(potential), *parts), SmcSampler(twisted, *parts))
    return kind(twisted, *parts)


def mean_weights(
    run: Callable[[RandomSource], tuple[Outcome, float]], *, max_leaves: int = 200_000
) -> dict[Outcome, float]:
    """E[w·1{y}] of every outcome, all choices enumerated.

    Parameters
    ----------
    run : callable
        Returns an outcome and its weight.
    max_leaves : int
        Paths to follow; more are an error.
    """
    parts: dict[Outcome, list[float]] = {}
    total: list[float] = []
    for leaf in enumerate_leaves(run, max_leaves=max_leaves, unresolved_errors=()):
        assert leaf.value is not None
        outcome, weight = leaf.value
        parts.setdefault(outcome, []).append(leaf.probability * weight)
        total.append(leaf.probability)
    assert abs(math.fsum(total) - 1.0) <= TOLERANCE, "not every path was followed"
    return {outcome: math.fsum(p) for outcome, p in parts.items()}


def _worst(
    bench: Bench, found: Mapping[Outcome, float], expected: Mapping[Outcome, float], what: str
) -> float:
    keys = {*found, *expected} - {DEAD}
    worst = max(abs(found.get(y, 0.0) - expected.get(y, 0.0)) for y in keys)
    if not worst <= TOLERANCE:
        raise bench.fail(f"{what} is off by {worst:.3g}")
    return worst


def prove_twisted(bench: Bench, make: Make = cold, *, kind: type[TwistedSampler] = TwistedSampler) -> float:
    """E[w·1{y}] = p(y)·1[y ∈ L] for one pass.

    Parameters
    ----------
    bench : Bench
        The world.
    make : callable
        The potential, anew for each path.
    kind : type
        The sampler.
    """
    return _unbiased(bench, lambda: weighted(bench, kind, make(bench)), DeadEndError, "twisted draw")


def prove_smc(
    bench: Bench, make: Make = cold, *, kind: type[SmcSampler] = SmcSampler, **options: Any
) -> float:
    """E[Ẑ·1{y}] = p(y)·1[y ∈ L] for one run, whence E[Ẑ] = Φ(ε).

    Parameters
    ----------
    bench : Bench
        The world.
    make : callable
        The potential, anew for each path.
    kind : type
        The sampler.
    **options
        Of `DecodingOptions`: particles, ess_threshold.
    """
    return _unbiased(
        bench, lambda: weighted(bench, kind, make(bench), **options), BudgetExhaustedError, "run"
    )


def _unbiased(bench: Bench, sampler: Callable[[], Any], weightless: type[Exception], what: str) -> float:
    """Error of E[w·1{y}] = p(y)·1[y ∈ L] over a fresh sampler for each path; `weightless` counts as w = 0."""

    def run(random: RandomSource) -> tuple[Outcome, float]:
        try:
            draw = sampler().draw(lambda _: random)
        except weightless:
            return DEAD, 0.0
        return draw.tokens, math.exp(draw.report.log_weight)

    return _worst(bench, mean_weights(run), bench.world.weights, f"mean weight of a {what}")


def prove_upper_bound(
    bench: Bench, make: Make = cold, *, kind: type[SmcSampler] = SmcSampler, **options: Any
) -> float:
    """E[Φ(ε)/Ẑ] over an exact draw and the conditional run through it is P(Ẑ > 0) of runs of that kind.

    Parameters
    ----------
    bench : Bench
        The world.
    make : callable
        The potential, anew for each path.
    kind : type
        The sampler.
    **options
        Of `DecodingOptions`: particles, ess_threshold.
    """
    exact = conditional_reference(bench.world)
    parts: list[float] = []
    for member, share in exact.items():
        if share <= 0.0:
            continue

        def run(random: RandomSource, member: Outcome = member) -> tuple[Outcome, float]:
            log_z = weighted(bench, kind, make(bench), **options).upper_bound(member, random)
            return member, math.exp(-log_z)

        parts.append(share * mean_weights(run)[member])

    def unconditioned(random: RandomSource) -> tuple[Outcome, float]:
        sampler = weighted(bench, kind, make(bench), **options)
        particles = [sampler._begin(Tally(), _OneToken()) for _ in range(sampler._options.particles)]
        run = sampler._run(particles, random, _multinomial)
        return DEAD, float(run.log_z > -math.inf)

    worst = abs(math.fsum(parts) * bench.world.phi - mean_weights(unconditioned)[DEAD])
    if not worst <= 1e-11:
        raise bench.fail(f"mean of Φ/Ẑ over conditional runs is off by {worst:.3g}")
    return worst


def _multinomial(log_weights: Sequence[float], random: RandomSource) -> list[int]:
    weights = scaled(log_weights)
    return [random.choose(weights) for _ in log_weights]


def prove_invariant(
    bench: Bench, make: Make = cold, *, moves: int = 1, kind: type[McmcSampler] = McmcSampler, **options: Any
) -> float:
    """Σ P*(y)·k(y, y') = P*(y') for so many moves.

    Parameters
    ----------
    bench : Bench
        The world.
    make : callable
        The potential, anew for each path.
    moves : int
        Moves made one after the other.
    kind : type
        The sampler.
    **options
        Of `DecodingOptions`: mcmc_fresh.
    """
    exact = conditional_reference(bench.world)
    after: dict[Outcome, list[float]] = {}
    for member, share in exact.items():
        if share <= 0.0:
            continue

        def run(random: RandomSource, member: Outcome = member) -> tuple[Outcome, float]:
            sampler = weighted(bench, kind, make(bench), **options)
            state = state_at(sampler.law, bench, member)
            for _ in range(moves):
                state = sampler.move(state, random)
            return state.tokens, 1.0

        for outcome, mass in mean_weights(run).items():
            after.setdefault(outcome, []).append(share * mass)
    found = {outcome: math.fsum(p) for outcome, p in after.items()}
    return _worst(bench, found, exact, f"P* after {moves} moves")


def state_at(law: TwistedLaw, bench: Bench, member: Sequence[int]) -> State:
    """The state of a chain at a given text.

    Parameters
    ----------
    law : TwistedLaw
        The proposals of the chain.
    bench : Bench
        The world.
    member : sequence of int
        The text.
    """
    node = law.root()
    steps = []
    for token in member:
        with_row = bench.world.target.open(bench.world.prompt)
        with_row.commit(list(node.prefix))
        kernel = law.kernel(node, with_row.score()[0])
        assert node.p is not None
        steps.append((math.log(float(node.p[token])), math.log(float(kernel[token]))))
        if token not in law.eos_ids:
            node = child_node(law, node, token)
    return State(tuple(member), tuple(steps))


def prove_labels(bench: Bench, draws: int = 2, **options: Any) -> float:
    """Of "auto": given everything before it, a draw labelled exact follows P*.

    Parameters
    ----------
    bench : Bench
        The world.
    draws : int
        Draws of one sampler.
    **options
        Of `DecodingOptions`: auto_attempts, particles.
    """

    def run(random: RandomSource) -> tuple[Outcome, float]:
        sampler = weighted(bench, AutoSampler, bench.learned(), **options)
        return draw_all(sampler, random, draws), 1.0

    return _exact_given_before(bench, mean_weights(run), draws)


def prove_parallel(
    bench: Bench, draws: int, width: int, max_attempts: int, *, kind: type[RestartSampler] = RestartSampler
) -> float:
    """Of parallel attempts: each of several draws follows P* given the draws before it.

    Parameters
    ----------
    bench : Bench
        The world.
    draws, width, max_attempts : int
        Draws of one sampler, attempts under way at a time, attempts per draw.
    kind : type
        The sampler.
    """

    def run(random: RandomSource) -> tuple[Outcome, float]:
        sampler = weighted(bench, kind, bench.learned(), parallel=width, max_attempts=max_attempts)
        try:
            return draw_all(sampler, random, draws), 1.0
        finally:
            sampler.close()

    return _exact_given_before(bench, mean_weights(run), draws)


def draw_all(sampler: Any, random: RandomSource, draws: int) -> Any:
    """Label and tokens of each draw, one after the other."""
    found: list[Any] = []
    for _ in range(draws):
        try:
            draw = sampler.draw(lambda _: random)
            found.append((draw.report.guarantee, draw.tokens))
        except BudgetExhaustedError:
            found.append(("none", DEAD))
    return tuple(found)


def _exact_given_before(bench: Bench, found: Mapping[Any, float], draws: int) -> float:
    exact = conditional_reference(bench.world)
    worst, compared = 0.0, 0
    for k in range(draws):
        given: dict[Any, dict[Outcome, list[float]]] = {}
        for path, mass in found.items():
            label, tokens = path[k]
            if label == "exact":
                given.setdefault(path[:k], {}).setdefault(tokens, []).append(mass)
        for before, masses in given.items():
            total = math.fsum(m for parts in masses.values() for m in parts)
            if total < 1e-6:  # shares of a vanishing event say nothing at 1e-12
                continue
            compared += 1
            for y in {*masses, *exact}:
                off = abs(math.fsum(masses.get(y, ())) / total - exact.get(y, 0.0))
                if not off <= 1e-11:
                    raise bench.fail(f"draw {k} labelled exact is off by {off:.3g} given {before}")
                worst = max(worst, off)
    assert compared > 0
    return worst
