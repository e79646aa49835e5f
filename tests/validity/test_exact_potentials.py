"""`Exact` and `ExactNgram`: equal to Φ by brute force and to the law of the audit; limits and refusals."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import gramspec as gs
from gramspec.audit import exact_law
from gramspec.decoding.rows import RowLaw
from gramspec.errors import ContractError, ExactLimitError, LimitError, OptionError
from gramspec.models.tabular import TabularModel
from gramspec.testing.potentials import ExactPotentialLaws, PotentialLaws
from gramspec.testing.proofs import Bench, prove_frozen
from gramspec.testing.worlds import World, random_rows
from gramspec.validity import Exact, ExactNgram
from tests.validity.shared_worlds import NativeWorlds, SharedWorlds, found, native, refused


def exact(bench: Bench, **options: Any) -> Exact:
    w = bench.world
    settings = {"row": bench.rows().row, "budget": w.max_new_tokens, **options}
    return Exact(bench.compiled, w.target, w.prompt, **settings)


def short_memory(world: World, n: int) -> World:
    """The same world with a target that looks back n − 1 tokens."""
    rows = random_rows(world.seed * 4 + 9, world.width)

    def looks_back(prefix: Any) -> Any:
        return rows(tuple(prefix)[max(0, len(prefix) - n + 1) :] if n > 1 else ())

    return replace(world, target_rows=looks_back)


def ngram(bench: Bench, n: int, **options: Any) -> ExactNgram:
    w = bench.world
    settings = {"n": n, "row": bench.rows().row, "budget": w.max_new_tokens, **options}
    return ExactNgram(bench.compiled, w.target, w.prompt, **settings)


class TestExact(SharedWorlds, ExactPotentialLaws):
    def make(self, bench: Bench) -> Any:
        return exact(bench)


class TestExactWithResiduals(SharedWorlds, ExactPotentialLaws):
    residuals = True
    count = 6

    def make(self, bench: Bench) -> Any:
        return exact(bench, chunk=3)


class ShortMemory(NativeWorlds):
    n = 2

    def benches(self) -> list[Bench]:
        worlds = [short_memory(w, self.n) for w in found(self.seed, self.count, self.residuals)]
        return [native(world) for world in worlds if world.phi > 0.0]

    def make(self, bench: Bench) -> Any:
        return ngram(bench, self.n)


class TestUnigram(ShortMemory, ExactPotentialLaws):
    n = 1
    count = 9


class TestBigram(ShortMemory, ExactPotentialLaws):
    pass


class TestTrigramWithResiduals(ShortMemory, PotentialLaws):
    n = 3
    residuals = True
    count = 8

    def test_contract_is_that_of_a_bound(self) -> None:
        assert all(self.make(bench).contract == "S" for bench in self.benches())


def test_restarts_never_die_under_an_exact_potential() -> None:
    for world in found(41, 12, False)[:6]:
        bench = native(world)
        law = bench.killed(exact(bench))
        assert law.root().h == pytest.approx(world.phi, abs=1e-12)
        prove_frozen(bench, law)
    for bench in ShortMemory().benches()[:6]:
        prove_frozen(bench, bench.killed(ngram(bench, 2)))


def test_smaller_budgets_are_served_from_one_list() -> None:
    for world in found(41, 12, False)[:8]:
        bench = native(world)
        wide = exact(bench, budget=world.max_new_tokens)
        for budget in range(1, world.max_new_tokens):
            below = replace(world, max_new_tokens=budget)
            h = wide.log_h(bench.compiled.matcher(), (), budget)
            assert math.exp(h) == pytest.approx(below.phi, abs=1e-12)
        with pytest.raises(OptionError, match="listed up to"):
            wide.log_h(bench.compiled.matcher(), (), world.max_new_tokens + 1)


def bytes_vocabulary(text: str) -> gs.Vocabulary:
    return gs.Vocabulary([*(c.encode() for c in text), b"((", b"</s>"], [len(text) + 1])


def test_the_table_equals_the_exact_law_on_a_deeper_language() -> None:
    """Dyck words under a bigram model: log Φ(ε) and the law by one-step ratios, against enumeration."""
    vocabulary = bytes_vocabulary("()")
    nested = gs.regex(r"(\((\((\(\))*\))*\))*")
    rows = random_rows(11, 4, impossible=0.0)
    model = TabularModel(lambda x: rows(tuple(x)[-1:]), 4, 3, fingerprint="bigram")
    compiled = gs.compile(nested, vocabulary)
    law = exact_law(model, compiled, 9, vocabulary=vocabulary)
    table = ExactNgram(compiled, model, n=2, row=RowLaw().row, budget=9)
    listed = Exact(compiled, model, row=RowLaw().row, budget=9)
    root = compiled.matcher()
    assert table.log_h(root, (), 9) == pytest.approx(law.log_phi, abs=1e-12)
    assert listed.log_h(root, (), 9) == pytest.approx(law.log_phi, abs=1e-12)
    assert len(table) < listed.prefixes
    for ids, mass in law.items():
        drawn, state = 1.0, compiled.matcher()
        for t, token in enumerate(ids):
            h = table.h_children(state, ids[:t], 9 - t)
            p = RowLaw().row(model.row(tuple(ids[:t])))
            drawn *= p[token] * h[token] / float(p @ h)
            state.advance(token)
        assert drawn == pytest.approx(mass, abs=1e-12)


def test_limits_come_before_rows() -> None:
    vocabulary = bytes_vocabulary("ab")
    model = TabularModel(lambda x: np.zeros(4), 4, 3)
    compiled = gs.compile(gs.regex("[ab]*"), vocabulary)
    with pytest.raises(ExactLimitError, match=r"max_prefixes: .*more than 100 prefixes") as error:
        Exact(compiled, model, row=RowLaw().row, budget=30, max_prefixes=100)
    assert isinstance(error.value, LimitError) and model.counters.forwards == 0
    dyck = gs.compile(gs.regex("a{0,40}b"), vocabulary)
    with pytest.raises(ExactLimitError, match="max_table_states"):
        ExactNgram(dyck, model, n=2, row=RowLaw().row, budget=30, max_table_states=8)


def test_a_model_with_a_longer_memory_is_found_out() -> None:
    rows = random_rows(3, 4, impossible=0.0)
    model = TabularModel(lambda x: rows(tuple(x)), 4, 3)
    compiled = gs.compile(gs.regex("[ab]*"), bytes_vocabulary("ab"))
    with pytest.raises(ContractError, match="remembers more than 1 tokens"):
        ExactNgram(compiled, model, n=2, row=RowLaw().row, budget=5)


# -- planted wrong versions -----------------------------------------------------------------------------


class IgnoresBudget(Exact):
    """Φ of the whole budget wherever it stands."""

    def h_children(self, state: Any, prefix: Any, budget: int) -> Any:
        return super().h_children(state, prefix, self.budget - len(prefix))

    def log_h(self, state: Any, prefix: Any, budget: int) -> float:
        return super().log_h(state, prefix, self.budget - len(prefix))


class KeepsResiduals(ExactNgram):
    """Promises E although predicates refuse endings that the automaton counts."""

    @property
    def contract(self) -> Any:
        return "E"

    @contract.setter
    def contract(self, value: Any) -> None:
        pass


def test_wrong_versions_are_caught() -> None:
    class Slack(NativeWorlds, ExactPotentialLaws):
        def make(self, bench: Bench) -> Any:
            w = bench.world
            return IgnoresBudget(
                bench.compiled, w.target, w.prompt, row=bench.rows().row, budget=w.max_new_tokens + 1
            )

    class Residual(ShortMemory, ExactPotentialLaws):
        residuals = True
        count = 8

        def make(self, bench: Bench) -> Any:
            w = bench.world
            return KeepsResiduals(
                bench.compiled, w.target, w.prompt, n=2, row=bench.rows().row, budget=w.max_new_tokens
            )

    class WrongRow(NativeWorlds, ExactPotentialLaws):
        def make(self, bench: Bench) -> Any:
            return exact(bench, row=RowLaw(temperature=1.3).row)

    for wrong in (Slack, Residual, WrongRow):
        assert refused(wrong(), "test_h_is_phi"), wrong.__name__
