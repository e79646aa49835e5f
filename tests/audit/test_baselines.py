"""The published samplers against their own claims, by enumeration of every choice on tiny worlds."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gramspec as gs
from gramspec.audit import Law, check_draws, exact_law, outcome_masses, output_law
from gramspec.audit.baselines import (
    Ars,
    Asap,
    Cars,
    Masked,
    Mcmc,
    Problem,
    Rejection,
    Rsft,
    SmcAwrs,
    weighted_rejection,
)
from gramspec.audit.baselines.mcmc import tokens_of
from gramspec.decoding.random import NumpyRandomSource
from gramspec.decoding.rows import RowLaw
from gramspec.errors import BudgetExhaustedError, DeadEndError, OptionError
from gramspec.models.tabular import TabularModel
from gramspec.testing.worlds import World, worlds

TOLERANCE = 1e-12
REJECTIONS = (Rejection, Rsft, Ars, Cars)


def tiny(seed: int, count: int) -> list[World]:
    kinds = ("finite", "regular", "recursive", "counted")
    return worlds(seed, count, size=2, budget=3, kinds=kinds, draft=False, max_sequences=60)


def problem(world: World) -> Problem:
    rows = RowLaw(temperature=world.temperature, top_k=world.top_k, top_p=world.top_p)
    compiled: Any = gs.compile(world.grammar, world.vocabulary)
    return Problem(world.target, compiled, world.prompt, world.max_new_tokens, rows)


def conditional(world: World) -> Law:
    return Law({y: w / world.phi for y, w in world.weights.items()})


WORLDS = tiny(51, 12)


@pytest.mark.parametrize("sampler", REJECTIONS)
def test_every_attempt_of_a_rejection_sampler_is_exact(sampler: type[Rejection]) -> None:
    """One attempt: y with probability p(y)/θ, θ the mass the root is normalised by."""
    for world in WORLDS:
        at = problem(world)
        law = output_law(lambda random, at=at: sampler(at, max_forwards=1).draw(random))
        assert 0.0 < 1.0 - law.unresolved <= 1.0 + TOLERANCE
        assert law.conditioned().tv(conditional(world)) <= TOLERANCE, str(world)


@pytest.mark.parametrize("sampler", (Ars, Cars))
def test_learned_attempts_stay_exact_and_accept_more(sampler: type[Ars]) -> None:
    """After earlier attempts, whatever they were, an attempt gives y with probability p(y)/θ(ε)."""
    for world in WORLDS[:6]:
        at = problem(world)
        accepted = []
        for earlier in (0, 1, 3, 8):
            thetas = []

            def run(random: Any, at: Problem = at, n: int = earlier, out: list[float] = thetas) -> Any:
                one = sampler(at, max_forwards=1)
                source = NumpyRandomSource((7,))
                for _ in range(n):
                    one._attempt(source)
                out.append(one.theta)
                return one.draw(random)

            law = output_law(run)
            assert law.conditioned().tv(conditional(world)) <= TOLERANCE
            accepted.append(1.0 - law.unresolved)
            if earlier:  # an unvisited root is masked, or not, by the sampler's own rule
                assert abs(accepted[-1] - world.phi / thetas[0]) <= TOLERANCE
        assert accepted == sorted(accepted) or np.allclose(accepted, sorted(accepted), atol=1e-12)


def test_whole_draws_are_exact_given_success() -> None:
    for world in sorted(WORLDS, key=lambda w: len(w.members))[:5]:
        at = problem(world)
        law = output_law(lambda random, at=at: Cars(at, max_forwards=2).draw(random))
        assert law.conditioned().tv(conditional(world)) <= TOLERANCE


def second(make: Callable[[], Any]) -> Callable[[Any], Any]:
    """The second draw of a fresh sampler."""

    def run(random: Any) -> Any:
        one = make()
        one.draw(random)
        return one.draw(random)

    return run


def test_asap_is_biased_at_finite_time_and_moves_towards_the_law() -> None:
    gaps: dict[str, list[float]] = {"masked": [], "first": [], "second": []}
    for world in WORLDS:
        at = problem(world)
        law = conditional(world)
        try:
            gaps["masked"].append(output_law(lambda r, at=at: Masked(at).draw(r)).tv(law))
            gaps["first"].append(output_law(lambda r, at=at: Asap(at).draw(r)).tv(law))
            gaps["second"].append(output_law(second(lambda at=at: Asap(at))).tv(law))
        except DeadEndError:
            continue
    assert max(gaps["first"]) > 0.05
    assert max(gaps["second"]) > 0.01
    assert np.allclose(gaps["masked"], gaps["first"], atol=1e-12)  # a cold ASAp is masked decoding
    assert sum(gaps["second"]) < sum(gaps["first"])


def test_asap_without_bias_would_be_noticed() -> None:
    """The same comparison accepts CARS, which differs from ASAp by its restarts alone."""
    world = max(WORLDS, key=lambda w: masked_gap(w))
    cars = output_law(lambda r: Cars(problem(world), max_forwards=1).draw(r)).conditioned()
    asap = output_law(lambda r: Asap(problem(world)).draw(r))
    assert cars.tv(conditional(world)) <= TOLERANCE < 0.05 < asap.tv(conditional(world))


def masked_gap(world: World) -> float:
    try:
        return output_law(lambda r: Masked(problem(world)).draw(r)).tv(conditional(world))
    except DeadEndError:
        return 0.0


@pytest.mark.parametrize("kind", ("restart", "uniform", "priority"))
def test_mcmc_steps_keep_the_law(kind: Any) -> None:
    moved = 0
    for world in WORLDS:
        law = conditional(world)
        if masked_gap(world) == 0.0:
            continue
        sampler = Mcmc(problem(world), kind, 1)
        after: dict[tuple[int, ...], float] = {}
        for y, share in law.items():
            if share == 0.0:
                continue
            chain = sampler.chain_of(y)
            masses, left = outcome_masses(lambda r, s=sampler, c=chain: tokens_of(s.step(c, r)))
            assert left <= TOLERANCE
            for z, mass in masses.items():
                after[z] = after.get(z, 0.0) + share * mass
                moved += z != y and mass > 0.0
        assert law.tv(Law(after)) <= TOLERANCE, str(world)
    assert moved > 20


def test_mcmc_gets_nearer_with_every_step_and_is_not_exact() -> None:
    world = max(WORLDS, key=masked_gap)
    gaps = [
        output_law(lambda r, k=k: Mcmc(problem(world), "restart", k).draw(r)).tv(conditional(world))
        for k in (0, 1, 2)
    ]
    assert gaps[0] > gaps[1] > gaps[2] > 1e-6


@pytest.mark.parametrize("kind", ("recursive", "two-pass"))
def test_awrs_weights_are_unbiased(kind: Any) -> None:
    generator = np.random.default_rng(3)
    for _ in range(20):
        p = generator.dirichlet(np.ones(5))
        p[generator.integers(5)] = 0.0
        p /= p.sum()
        valid = generator.random(5) < 0.5
        masses, left = outcome_masses(lambda r, p=p, v=valid: weighted_rejection(p, v.__getitem__, r, kind))
        assert left <= TOLERANCE
        for token in range(5):
            mean = math.fsum(mass * weight for (t, weight), mass in masses.items() if t == token)
            assert abs(mean - (p[token] if valid[token] else 0.0)) <= TOLERANCE


def test_smc_estimates_phi_without_bias_and_nears_the_law() -> None:
    rows = {(): [0.5, 0.2, 0.3], (0,): [0.6, 0.2, 0.2], (1,): [0.1, 0.0, 0.9]}
    model = TabularModel(lambda x: np.log(np.maximum(rows[tuple(x)], 1e-300)), 3, 2)
    vocabulary = gs.Vocabulary([b"a", b"b", None], [2])
    compiled: Any = gs.compile(gs.regex("[ab]?"), vocabulary)
    at = Problem(model, compiled, (), 2)
    law = exact_law(model, compiled, 2, vocabulary=vocabulary)
    assert law.log_phi is not None

    def run(particles: int) -> Callable[[Any], tuple[Any, float]]:
        def one(random: Any) -> tuple[Any, float]:
            sampler = SmcAwrs(at, particles, 0.9)
            return sampler.draw(random), math.exp(sampler.log_z)

        return one

    gaps = []
    for particles in (1, 2):
        masses, left = outcome_masses(run(particles), max_leaves=20_000)
        assert left <= TOLERANCE
        mean = math.fsum(z * mass for (_, z), mass in masses.items())
        assert abs(mean - math.exp(law.log_phi)) <= TOLERANCE
        drawn: dict[Any, float] = {}
        for (tokens, _), mass in masses.items():
            drawn[tokens] = drawn.get(tokens, 0.0) + mass
        gaps.append(law.tv(Law(drawn)))
    assert 0.01 < gaps[1] < gaps[0]


def test_forwards_are_counted_with_and_without_a_memory_of_rows() -> None:
    world = WORLDS[0]
    sampler = Cars(problem(world))
    source = NumpyRandomSource((1,))
    before = world.target.counters.forwards
    for _ in range(20):
        sampler.draw(source)
    assert sampler.spent.forwards == world.target.counters.forwards - before
    prefixes = {y[:t] for y in world.members for t in range(len(y))}
    assert sampler.spent.fresh <= len(prefixes) + world.width < sampler.spent.forwards


def test_budgets_and_bad_options() -> None:
    hard = next(w for w in tiny(54, 20) if w.phi < 0.2)
    with pytest.raises(BudgetExhaustedError, match="max_forwards"):
        source = NumpyRandomSource((1,))
        for _ in range(50):
            Rejection(problem(hard), max_forwards=1).draw(source)
    with pytest.raises(OptionError):
        Mcmc(problem(hard), "anneal")  # type: ignore[arg-type]
    with pytest.raises(OptionError):
        SmcAwrs(problem(hard), 0)
    with pytest.raises(OptionError):
        Problem(hard.target, gs.compile(hard.grammar, hard.vocabulary), (), 0)  # type: ignore[arg-type]


@pytest.mark.parametrize("assisted", (False, True))
def test_transformers_samples_the_masked_law(assisted: bool) -> None:
    from gramspec.audit.baselines.hugging_face import TransformersMasked

    target, draft = gs.models.embedded()
    compiled: Any = gs.compile(gs.json_schema({"enum": [1, 2, 12, 66]}), target.vocabulary)
    prompt = tuple(target.encode("Roll a die.\n"))
    at = Problem(target, compiled, prompt, 4, RowLaw(2.0))
    law = exact_law(
        target, compiled, 4, vocabulary=target.vocabulary, prompt=prompt, temperature=2.0, law="masked"
    )
    sampler = TransformersMasked(at, draft if assisted else None)
    source = NumpyRandomSource((11,))
    draws = [sampler.draw(source) for _ in range(120)]
    assert check_draws(draws, law).smallest_p > 1e-4
    tokens = sum(len(y) for y in draws)
    assert (sampler.spent.forwards < tokens) if assisted else (sampler.spent.forwards == tokens)
    with pytest.raises(OptionError, match="after the mask"):
        TransformersMasked(Problem(target, compiled, prompt, 4, RowLaw(1.0, 0, 0.9)))
