"""`Learned`: contract W, convergence to Φ where states decide it, features, files, wrong versions."""

from __future__ import annotations

import contextlib
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gramspec.errors import OptionError, SerialisationError
from gramspec.testing.potentials import WeakPotentialLaws
from gramspec.testing.proofs import Bench, suffix_phi
from gramspec.validity import Learned, Viability
from tests.validity.shared_worlds import NativeWorlds, SharedWorlds, found, native, refused


def learned(bench: Bench, runs: int = 12, kind: type[Learned] = Learned, **options: Any) -> Learned:
    potential = kind(bench.compiled, **options)
    teach(potential, bench, runs)
    return potential


def teach(potential: Learned, bench: Bench, runs: int, seed: int = 0) -> None:
    w = bench.world
    potential.fit(w.target, [w.prompt], row=bench.rows().row, budget=w.max_new_tokens, runs=runs, seed=seed)


class TestLearned(SharedWorlds, WeakPotentialLaws):
    count = 8

    def make(self, bench: Bench) -> Any:
        return learned(bench)


class TestCold(SharedWorlds, WeakPotentialLaws):
    count = 4

    def make(self, bench: Bench) -> Any:
        return Learned(bench.compiled)


class TestWithFeatures(SharedWorlds, WeakPotentialLaws):
    count = 6
    residuals = True

    def make(self, bench: Bench) -> Any:
        features = lambda prefix: np.array([len(prefix) / 4, sum(prefix) % 3 - 1.0])  # noqa: E731
        return learned(bench, features=features, max_tokens=2, memo_bytes=0)


def no_memory(bench: Bench) -> Bench:
    """The same world with rows that do not depend on the prefix: Φ is then a function of state and budget."""
    rows = bench.world.target_rows
    return native(replace(bench.world, target_rows=lambda prefix: rows(())))


def gap(bench: Bench, potential: Any) -> float:
    """Mean |h − Φ| over the prefixes of members that have any probability, weighted by it."""
    world = bench.world
    total = weight = 0.0
    for prefix in {ids[:cut] for ids, p in world.weights.items() if p > 0 for cut in range(len(ids))}:
        matcher = bench.compiled.matcher()
        matcher.advance_many(prefix)
        h = math.exp(potential.log_h(matcher, prefix, world.max_new_tokens - len(prefix)))
        reach = sum(p for ids, p in world.weights.items() if ids[: len(prefix)] == prefix)
        total += reach * abs(h - suffix_phi(world, prefix))
        weight += reach
    return total / weight


def test_values_converge_where_states_decide_phi() -> None:
    for world in found(6, 12, False, False):
        bench = no_memory(native(world))
        if not 0.0 < bench.world.phi < 0.95:
            continue
        before, after = gap(bench, Viability(bench.compiled)), gap(bench, learned(bench, 600, rate=0.02))
        assert after <= max(0.02, 0.25 * before), (before, after, str(bench.world))


def test_features_lower_the_error_where_states_do_not() -> None:
    """The first token decides Φ below it, and the automaton forgets it; one feature remembers it."""
    import gramspec as gs
    from gramspec.decoding.rows import RowLaw
    from gramspec.models.tabular import TabularModel

    vocabulary = gs.Vocabulary([b"a", b"b", b"c", b"x", b"</s>"], [4])
    compiled = gs.compile(gs.regex("[ab]cc"), vocabulary)

    def rows(prefix: Any) -> Any:
        if len(prefix) == 0:
            return np.log([0.5, 0.5, 1e-9, 1e-9, 1e-9])
        if len(prefix) == 1:
            return np.log([1e-9, 1e-9, 1.0, 1e-9, 1e-9])
        if len(prefix) == 3:
            return np.log([1e-9, 1e-9, 1e-9, 1e-9, 1.0])
        good = 0.9 if prefix[0] == 0 else 0.1
        return np.log([1e-9, 1e-9, good, 1 - good, 1e-9])

    def first(prefix: Any) -> Any:
        return np.array([1.0 if prefix[:1] == (0,) else -1.0 if prefix else 0.0])

    model = TabularModel(rows, 5, 4)
    errors = []
    for features in (None, first):
        potential = Learned(compiled, features=features, rate=0.05)
        potential.fit(model, [()], row=RowLaw().row, budget=4, runs=400)
        error = 0.0
        for token, good in ((0, 0.9), (1, 0.1)):
            matcher = compiled.matcher()
            matcher.advance(token)
            error += abs(potential.h_children(matcher, (token,), 3)[2] - good)
        errors.append(error)
    assert errors[1] < 0.05 and errors[0] > 0.5


def test_values_move_between_runs_only() -> None:
    bench = native(found(6, 12, False, False)[0])
    potential = learned(bench, 3)
    n = bench.world.max_new_tokens
    root = bench.compiled.matcher()
    first = potential.h_children(root, (), n)
    assert np.array_equal(first, potential.h_children(root, (), n)) and potential.runs == 3
    name = potential.name
    teach(potential, bench, 40, seed=1)
    assert potential.name != name and potential.runs == 43


def test_files_bring_back_the_same_values(tmp_path: Any) -> None:
    bench, other = native(found(41, 12, False)[0]), native(found(41, 12, False)[1])
    potential = learned(bench, 20)
    assert len(potential) > 0
    path = tmp_path / "values.npz"
    potential.save(path)
    again = Learned.load(path, native(bench.world).compiled)
    assert gap(bench, potential) == gap(bench, again) and again.runs == 20
    root = bench.compiled.matcher()
    n = bench.world.max_new_tokens
    assert np.array_equal(potential.h_children(root, (), n), again.h_children(root, (), n))
    teach(again, bench, 2)  # a loaded potential learns on
    with pytest.raises(SerialisationError, match="another language"):
        Learned.load(path, other.compiled)
    with pytest.raises(SerialisationError, match="has 0 features"):
        Learned.load(path, bench.compiled, features=lambda prefix: np.zeros(2))
    next(iter(potential._entries.values())).value = 1.5
    potential.save(path)
    with pytest.raises(SerialisationError, match=r"values: has values outside 0\.\.1"):
        Learned.load(path, bench.compiled)
    path.write_bytes(b"PK\x03\x04 no archive")
    with pytest.raises(SerialisationError, match="cannot be read"):
        Learned.load(path, bench.compiled)


def test_a_damaged_file_is_refused_whatever_was_damaged(tmp_path: Any) -> None:
    bench = native(found(41, 12, False)[0])
    path = tmp_path / "values.npz"
    learned(bench, 8, features=lambda prefix: np.ones(2)).save(path)
    with np.load(path) as data:
        whole = {name: data[name] for name in data.files}
    random = np.random.default_rng(0)
    refusals = 0
    for _ in range(60):
        name = sorted(whole)[int(random.integers(len(whole)))]
        bent = np.array(whole[name])
        if bent.size == 0:
            continue
        kind = int(random.integers(4))
        if kind == 0:
            bent = bent[:-1]
        elif kind == 1:
            bent = bent.astype(np.float32 if bent.dtype != np.float32 else np.int8)
        elif kind == 2:
            bent.flat[int(random.integers(bent.size))] = 127
        else:
            bent = -bent if bent.dtype != np.uint8 else bent[::-1]
        np.savez(path, **{**whole, name: bent})
        try:
            Learned.load(path, bench.compiled, features=lambda prefix: np.ones(2))
        except SerialisationError:
            refusals += 1
    assert refusals > 30
    data = bytearray(path.read_bytes())
    for place in range(0, len(data), max(1, len(data) // 60)):
        bent_bytes = bytearray(data)
        bent_bytes[place] ^= 0x5A
        path.write_bytes(bent_bytes)
        with contextlib.suppress(SerialisationError):
            Learned.load(path, bench.compiled, features=lambda prefix: np.ones(2))


def test_bad_options_are_refused() -> None:
    bench = native(found(41, 12, False)[0])
    with pytest.raises(OptionError, match="rate=0"):
        Learned(bench.compiled, rate=0)
    with pytest.raises(OptionError, match="prompts"):
        Learned(bench.compiled).fit(bench.world.target, [], row=bench.rows().row, budget=3)
    with pytest.raises(OptionError, match="one prompt is all"):
        Learned(bench.compiled, features=lambda prefix: np.zeros(1)).fit(
            bench.world.target, [(), (0,)], row=bench.rows().row, budget=3
        )
    with pytest.raises(OptionError, match="features: after"):
        Learned(bench.compiled, features=lambda prefix: np.array([np.nan]))


# -- planted wrong versions -----------------------------------------------------------------------------


class LearnsWhileReading(Learned):
    """Values move within an attempt."""

    def _children(self, state: Any, prefix: Any, budget: int) -> Any:
        h = super()._children(state, prefix, budget)
        for entry in self._entries.values():
            entry.value *= 0.9
        self._memo.clear()
        return h


class NoFloor(Learned):
    """A state that never ended in a run has value zero."""

    def fit(self, *parts: Any, **options: Any) -> None:
        super().fit(*parts, **options)
        self.floor = 0.0
        for entry in self._entries.values():
            entry.value = max(0.0, entry.value - 0.5)


@pytest.mark.parametrize("wrong", [LearnsWhileReading, NoFloor])
def test_a_wrong_version_is_caught(wrong: type[Learned]) -> None:
    class Wrong(NativeWorlds, WeakPotentialLaws):
        def make(self, bench: Bench) -> Any:
            return learned(bench, kind=wrong)

    assert refused(Wrong(), "test_contract_on_every_prefix", "test_values_do_not_move_while_they_are_read")


class ForgetsTheBudget(Learned):
    """One value per state, whatever is left."""

    def _value(self, key: Any, depth: int, remaining: int, features: Any) -> float:
        return super()._value(key, depth, 10**6, features)


def test_a_forgotten_budget_is_caught() -> None:
    """a*, one state, Φ = Σ_{k<r} 0.1·0.8^k with r tokens left."""
    import gramspec as gs
    from gramspec.decoding.rows import RowLaw
    from gramspec.models.tabular import TabularModel

    compiled = gs.compile(gs.regex("a*"), gs.Vocabulary([b"a", b"x", b"</s>"], [2]))
    model = TabularModel(lambda x: np.log([0.8, 0.1, 0.1]), 3, 2)
    errors = []
    for kind in (Learned, ForgetsTheBudget):
        potential = kind(compiled, rate=0.02)
        potential.fit(model, [()], row=RowLaw().row, budget=6, runs=500)
        state, error = compiled.matcher(), 0.0
        for depth in range(1, 6):
            state.advance(0)
            phi = sum(0.1 * 0.8**k for k in range(6 - depth))
            error = max(error, abs(math.exp(potential.log_h(state, (0,) * depth, 6 - depth)) - phi))
        errors.append(error)
    assert errors[0] < 0.02 < 0.1 < errors[1]
