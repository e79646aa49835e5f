"""`Rollout`: contract W, frozen by its seed, unbiased for the draft's Φ, wrong versions caught."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from gramspec.errors import OptionError
from gramspec.testing.potentials import WeakPotentialLaws
from gramspec.testing.proofs import Bench
from gramspec.validity import Rollout
from tests.validity.shared_worlds import NativeWorlds, SharedWorlds, found, native, refused


def rollout(bench: Bench, kind: type[Rollout] = Rollout, **options: Any) -> Rollout:
    w = bench.world
    model = w.draft if w.draft is not None else w.target
    return kind(bench.compiled, model, w.prompt, **options)


class TestFree(SharedWorlds, WeakPotentialLaws):
    count = 8

    def make(self, bench: Bench) -> Any:
        return rollout(bench, runs=3)


class TestMasked(SharedWorlds, WeakPotentialLaws):
    count = 6
    residuals = True

    def make(self, bench: Bench) -> Any:
        return rollout(bench, runs=2, masked=True, horizon=2, max_tokens=2, memo_bytes=0)


def test_free_runs_count_successes() -> None:
    for world in found(41, 12, False)[:6]:
        bench = native(world)
        h = rollout(bench, runs=4).h_children(bench.compiled.matcher(), (), world.max_new_tokens)
        inner = [v for v in np.flatnonzero(h).tolist() if v not in world.small.eos_ids]
        if len(inner) <= 8:
            counts = h[inner] * 5 - 0.5
            assert np.allclose(counts, np.round(counts)) and (counts >= -1e-9).all() and (counts < 4.1).all()


@pytest.mark.parametrize("masked", [False, True])
def test_the_mean_over_seeds_is_phi(masked: bool) -> None:
    """Without the ½, s/k has the mean Φ of the model that runs; free runs are coins: the error is known."""
    world = next(w for w in found(6, 12, False, False) if 0.1 < w.phi < 0.9)
    bench = native(world)
    n = world.max_new_tokens
    runs, seeds = 20, 60
    values = []
    for seed in range(seeds):
        potential = Rollout(bench.compiled, world.target, world.prompt, runs=runs, seed=seed, masked=masked)
        h = float(np.exp(potential.log_h(bench.compiled.matcher(), (), n)))
        values.append((h * (runs + 1) - 0.5) / runs)
    error = (world.phi * (1 - world.phi) / (runs * seeds)) ** 0.5  # runs under the mask vary less
    assert abs(np.mean(values) - world.phi) <= 5 * error


def test_a_seed_fixes_the_values_and_another_changes_them() -> None:
    world = next(w for w in found(6, 12, False, False) if 0.2 < w.phi < 0.8)
    bench = native(world)
    n = world.max_new_tokens

    def read(seed: int) -> list[float]:
        return rollout(bench, runs=7, seed=seed).h_children(bench.compiled.matcher(), (), n).tolist()

    assert read(3) == read(3)
    assert len({tuple(read(seed)) for seed in range(6)}) > 1


def test_options_are_checked() -> None:
    bench = native(found(41, 12, False)[0])
    for name, value in (("runs", 0), ("max_tokens", 0), ("seed", -1), ("horizon", 0)):
        with pytest.raises(OptionError, match=f"{name}={value}"):
            rollout(bench, **{name: value})


# -- planted wrong versions -----------------------------------------------------------------------------


class DrawsAnew(Rollout):
    """Another estimate at every reading."""

    _calls = itertools.count()

    def _children(self, state: Any, prefix: Any, budget: int) -> Any:
        self.seed = next(self._calls)
        self._memo.clear()
        return super()._children(state, prefix, budget)


class NoFloor(Rollout):
    """s/k."""

    def _estimate(self, starts: Any, budget: int) -> Any:
        self.floor = 0.0
        return (super()._estimate(starts, budget) * (self.runs + 1) - 0.5) / self.runs


@pytest.mark.parametrize("wrong", [DrawsAnew, NoFloor])
def test_a_wrong_version_is_caught(wrong: type[Rollout]) -> None:
    class Wrong(NativeWorlds, WeakPotentialLaws):
        def make(self, bench: Bench) -> Any:
            return rollout(bench, wrong, runs=2)

    assert refused(Wrong(), "test_contract_on_every_prefix", "test_values_do_not_move_while_they_are_read")
