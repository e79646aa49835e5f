"""`Hmm`: the backward pass against enumeration, EM against likelihoods, files, bounds, wrong versions."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gramspec.errors import OptionError, SerialisationError
from gramspec.models.tabular import TabularModel
from gramspec.testing.potentials import WeakPotentialLaws
from gramspec.testing.proofs import Bench, suffix_phi
from gramspec.testing.worlds import World
from gramspec.validity import HiddenMarkov, Hmm, draw_sequences
from tests.validity.shared_worlds import NativeWorlds, SharedWorlds, found, native, refused


def proxy(seed: int, states: int, size: int) -> HiddenMarkov:
    random = np.random.default_rng([seed, states])
    laws = (random.dirichlet(np.full(n, 0.7), size=states) for n in (states, size))
    return HiddenMarkov(random.dirichlet(np.ones(states)), *laws)


def logits(model: HiddenMarkov, prefix: Any) -> Any:
    belief = model.start
    for token in prefix:
        belief = model.after(belief, token)
    with np.errstate(divide="ignore"):
        return np.log(belief @ model.emission)


def as_target(world: World, model: HiddenMarkov) -> World:
    """The world with the hidden Markov model itself as the target: Φ is then known by brute force."""
    return replace(
        world,
        width=model.size,
        prompt=(),
        temperature=1.0,
        top_k=0,
        top_p=1.0,
        target_rows=lambda prefix: logits(model, prefix),
    )


def own_benches(count: int = 12) -> list[tuple[Bench, HiddenMarkov]]:
    out = []
    for i, world in enumerate(found(41, count, False)):
        model = proxy(i, 1 + i % 3, len(world.vocabulary))
        out.append((native(as_target(world, model)), model))
    return out


class TestHmm(SharedWorlds, WeakPotentialLaws):
    count = 8

    def make(self, bench: Bench) -> Any:
        return Hmm(bench.compiled, proxy(bench.world.seed, 3, len(bench.world.vocabulary)))


class TestHmmBounded(SharedWorlds, WeakPotentialLaws):
    count = 6
    residuals = True

    def make(self, bench: Bench) -> Any:
        model = proxy(bench.world.seed, 2, len(bench.world.vocabulary))
        return Hmm(bench.compiled, model, max_states=2, max_tokens=2, memo_bytes=0)


def gap(bench: Bench, model: HiddenMarkov, kind: type[Hmm] = Hmm) -> float:
    """Largest |h − Φ| over all prefixes of members."""
    world = bench.world
    potential = kind(bench.compiled, model, floor=1e-300)
    worst = 0.0
    for prefix in {ids[:cut] for ids in world.members for cut in range(len(ids))}:
        matcher = bench.compiled.matcher()
        matcher.advance_many(prefix)
        h = math.exp(potential.log_h(matcher, prefix, world.max_new_tokens - len(prefix)))
        worst = max(worst, abs(h - suffix_phi(world, prefix)))
    return worst


def test_the_backward_pass_is_phi_of_the_proxy() -> None:
    for bench, model in own_benches():
        assert gap(bench, model) <= 1e-10, str(bench.world)


def test_states_beyond_the_bound_are_read_one_step_from_it() -> None:
    """With every state but the root beyond, h of a child is one step into the table, within [0, 1]."""
    for bench, model in own_benches(6):
        h = Hmm(bench.compiled, model, max_states=1).h_children(
            bench.compiled.matcher(), (), bench.world.max_new_tokens
        )
        assert (h >= 0.0).all() and (h <= 1.0).all()


def test_expected_counts_are_those_of_enumeration() -> None:
    """One iteration without a prior, against sums over all hidden paths."""
    model = proxy(3, 2, 3)
    data = [np.array(s) for s in ((0, 2, 1), (1,), (2, 2), (0, 1, 1, 2))]
    start, transition, emission = np.zeros(2), np.zeros((2, 2)), np.zeros((2, 3))
    for sequence in data:
        paths = {}
        for path in itertools.product(range(2), repeat=len(sequence)):
            mass = model.start[path[0]]
            for t, token in enumerate(sequence):
                mass *= model.emission[path[t], token]
                if t:
                    mass *= model.transition[path[t - 1], path[t]]
            paths[path] = mass
        total = math.fsum(paths.values())
        for path, mass in paths.items():
            start[path[0]] += mass / total
            for t, token in enumerate(sequence):
                emission[path[t], token] += mass / total
                if t:
                    transition[path[t - 1], path[t]] += mass / total
    from gramspec.validity.hidden_markov import _iterate

    score, after = _iterate(model, data, np.ones(3) / 3, 0.0)
    assert score == pytest.approx(model.log_likelihood(data), abs=1e-12)
    for mine, expected in ((after.start, start), (after.transition, transition), (after.emission, emission)):
        law = expected / expected.sum(axis=-1, keepdims=True)
        assert np.abs(mine - law).max() <= 1e-12


def test_fitting_climbs_and_comes_near_the_truth() -> None:
    truth = HiddenMarkov(
        np.array([1.0, 0.0]),
        np.array([[0.1, 0.9], [0.9, 0.1]]),
        np.array([[0.9, 0.0, 0.1], [0.0, 0.8, 0.2]]),
    )
    target = TabularModel(lambda x: logits(truth, x), 3, 2)
    drawn = draw_sequences(target, [()], 400, max_tokens=12, seed=5)
    steps: list[tuple[int, int]] = []
    for smoothing in (0.0, 1.0):
        fitted = HiddenMarkov.fit(
            drawn, 3, states=2, iterations=200, smoothing=smoothing, progress=lambda *step: steps.append(step)
        )
        assert len(fitted.history) > 3
        assert all(b >= a - 1e-8 for a, b in itertools.pairwise(fitted.history))
        assert fitted.log_likelihood(drawn) >= truth.log_likelihood(drawn) - 5.0
        one = HiddenMarkov.fit(drawn, 3, states=1, smoothing=smoothing)
        assert one.log_likelihood(drawn) < truth.log_likelihood(drawn) - 20.0
    assert steps[-1][0] == steps[-1][1]


def test_samples_follow_the_model_and_their_seed() -> None:
    target = TabularModel(lambda x: np.log([0.5, 0.25, 0.25]), 3, 2)
    drawn = draw_sequences(target, [(), (1,)], 200, max_tokens=4, seed=1)
    assert len(drawn) == 400 and drawn == draw_sequences(
        target, [(), (1,)], 200, max_tokens=4, seed=1, batch=7
    )
    assert all(len(s) == 4 or s[-1] == 2 for s in drawn) and all(2 not in s[:-1] for s in drawn)
    first = np.bincount([s[0] for s in drawn], minlength=3) / 400
    assert np.abs(first - [0.5, 0.25, 0.25]).max() < 0.12


def test_files_bring_back_the_same_values(tmp_path: Any) -> None:
    bench = native(found(41, 12, False)[0])
    size = len(bench.world.vocabulary)
    sequences = [ids for ids in bench.world.members for _ in range(2)]
    fitted = Hmm.fit(bench.compiled, sequences, states=2, iterations=3)
    fitted.save(tmp_path / "proxy.npz")
    again = Hmm.load(tmp_path / "proxy.npz", bench.compiled)
    n = bench.world.max_new_tokens
    root = bench.compiled.matcher()
    assert np.array_equal(fitted.h_children(root, (), n), again.h_children(root, (), n))
    other = next(
        b
        for b in map(native, found(41, 12, False)[1:])
        if b.world.vocabulary.fingerprint != bench.world.vocabulary.fingerprint
    )
    with pytest.raises(SerialisationError, match="another vocabulary"):
        Hmm.load(tmp_path / "proxy.npz", other.compiled)
    whole = (tmp_path / "proxy.npz").read_bytes()
    for name, data in (("cut", whole[:200]), ("text", b"{}"), ("empty", b"")):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(SerialisationError, match="cannot be read"):
            HiddenMarkov.load(tmp_path / name)
    fitted.model.transition[0, 0] += 0.5
    fitted.save(tmp_path / "bent.npz")
    with pytest.raises(SerialisationError, match="no probabilities"):
        HiddenMarkov.load(tmp_path / "bent.npz")
    with pytest.raises(OptionError, match="no token"):
        HiddenMarkov.fit([], size)
    with pytest.raises(OptionError, match=f"token {size}"):
        HiddenMarkov.fit([[size]], size)
    with pytest.raises(OptionError, match="the proxy has"):
        Hmm(bench.compiled, proxy(0, 2, size + 1))


# -- planted wrong versions -----------------------------------------------------------------------------


class IgnoresBudget(Hmm):
    """The value of a long budget wherever it stands."""

    def _ahead(self, key: Any, state: Any, prefix: Any, budget: int) -> Any:
        return super()._ahead(key, state, prefix, budget + 3)


class ForgetsThePrefix(Hmm):
    """No forward filter."""

    def _belief(self, prefix: Any) -> Any:
        return self.model.start


class EmitsAfterMoving(Hmm):
    """Off by one between the hidden state and its token."""

    def _belief(self, prefix: Any) -> Any:
        return super()._belief(prefix) @ self.model.transition


class NoFloor(Hmm):
    """Zero where the proxy underflows."""

    def __init__(self, compiled: Any, model: HiddenMarkov) -> None:
        super().__init__(compiled, model)
        self.floor = 0.0


@pytest.mark.parametrize("wrong", [IgnoresBudget, ForgetsThePrefix, EmitsAfterMoving])
def test_a_wrong_backward_pass_is_caught(wrong: type[Hmm]) -> None:
    assert max(gap(bench, model, wrong) for bench, model in own_benches(9)) > 1e-3


def test_a_missing_floor_is_caught() -> None:
    class Wrong(NativeWorlds, WeakPotentialLaws):
        def make(self, bench: Bench) -> Any:
            model = proxy(1, 2, len(bench.world.vocabulary))
            model.emission[:, 1] = 0.0
            return NoFloor(bench.compiled, model)

    assert refused(Wrong(), "test_contract_on_every_prefix")
