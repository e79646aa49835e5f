"""Least fixed points of polynomial systems: random PCFGs against Kleene's iteration and their strings.

Laws: relative error <= 1e-9; at most 12 Newton steps away from criticality; a start from one, or components
in the wrong order, are caught by the same comparison.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from gramspec.errors import DivergenceError, OptionError
from gramspec.validity.partition_solve import PolynomialSystem, SolveLimits, components_of, solve

Floats = NDArray[np.float64]
Productions = list[
    list[tuple[float, tuple[int, ...], int]]
]  # of each nonterminal: weight, nonterminals, bytes


@dataclass
class Pcfg:
    """Nonterminals rewrite to up to three others and some bytes."""

    productions: Productions

    def system(self) -> PolynomialSystem:
        system = PolynomialSystem()
        for _ in self.productions:
            system.variable()
        for v, productions in enumerate(self.productions):
            for weight, parts, _ in productions:
                system.add(v, weight, parts)
        return system

    def step(self, x: Floats) -> Floats:
        return np.array(
            [sum(w * float(np.prod(x[list(parts)])) for w, parts, _ in ps) for ps in self.productions]
        )

    def kleene(self, steps: int = 200_000) -> Floats:
        x = np.zeros(len(self.productions))
        for _ in range(steps):
            following = self.step(x)
            if np.array_equal(following, x):
                break
            x = following
        return x

    def strings(self, longest: int) -> Floats:
        """Mass of all derivations of at most `longest` bytes, by length: [nonterminal, length]."""
        n = len(self.productions)
        table = np.zeros((n, longest + 1))
        for _ in range(longest + 1):  # every production reads a byte, so each pass settles one length more
            fresh = np.zeros_like(table)
            for v, productions in enumerate(self.productions):
                for weight, parts, length in productions:
                    series = np.zeros(longest + 1)
                    if length <= longest:
                        series[length] = weight
                    for part in parts:
                        series = np.convolve(series, table[part])[: longest + 1]
                    fresh[v] += series
            table = fresh
        return table


def random_pcfg(seed: int) -> Pcfg:
    """Proper or sub-proper weights, mutual recursion, some nonterminals without a string, never critical."""
    rng = np.random.default_rng([seed, 77])
    n = int(rng.integers(1, 9))
    productions: Productions = []
    for _ in range(n):
        chosen = []
        for _ in range(int(rng.integers(1, 5))):
            parts = tuple(int(p) for p in rng.integers(0, n, size=int(rng.choice([0, 0, 1, 2, 2, 3]))))
            chosen.append((parts, int(rng.integers(1, 4))))
        weights = rng.dirichlet(np.ones(len(chosen))) * rng.uniform(0.4, 0.93)
        productions.append([(float(w), parts, k) for w, (parts, k) in zip(weights, chosen, strict=True)])
    return Pcfg(productions)


def worst_error(solver: Callable[[PolynomialSystem], Floats], count: int = 120) -> float:
    """Largest relative error on random PCFGs, against Kleene's iteration."""
    worst = 0.0
    for seed in range(count):
        grammar = random_pcfg(seed)
        exact = grammar.kleene()
        found = solver(grammar.system())[: len(exact)]
        relative = np.abs(found - exact) / np.where(exact > 0.0, exact, 1.0)
        worst = max(worst, float(relative.max()))
    return worst


def test_random_grammars_agree_with_kleene_and_take_few_steps() -> None:
    steps = []

    def solver(system: PolynomialSystem) -> Floats:
        solution = solve(system)
        steps.append(solution.iterations)
        assert all(c.damping == 1.0 for c in solution.components)
        return solution.values

    assert worst_error(solver) <= 1e-9
    assert max(steps) <= 12
    assert sum(s > 2 for s in steps) > 30  # many are recursive


def test_a_start_from_one_is_caught() -> None:
    """Newton from 1 finds another fixed point, or leaves the monotone region."""

    def from_one(system: PolynomialSystem) -> Floats:
        x = np.ones(len(system))
        for _ in range(60):
            jacobian, value = np.zeros((len(x), len(x))), np.array(system.constants)
            for v in range(len(x)):
                for a, i, _ in system.linear[v]:
                    value[v] += a * x[i]
                    jacobian[v, i] += a
                for a, i, j in system.products[v]:
                    value[v] += a * x[i] * x[j]
                    jacobian[v, i] += a * x[j]
                    jacobian[v, j] += a * x[i]
            x = x + np.linalg.lstsq(np.eye(len(x)) - jacobian, value - x, rcond=None)[0]
        return x

    # S -> S S (0.6) | a (0.4) has the fixed points 2/3 and 1; the mass of its strings is 2/3.
    supercritical = Pcfg([[(0.6, (0, 0), 1), (0.4, (), 1)]])
    assert solve(supercritical.system()).values[0] == pytest.approx(2 / 3, rel=1e-12)
    assert from_one(supercritical.system())[0] == pytest.approx(1.0)


def test_components_in_the_wrong_order_are_caught() -> None:
    def without_components(system: PolynomialSystem) -> Floats:
        x = np.zeros(len(system))
        for v in range(len(system)):  # each variable once, in the order of the grammar
            x = solve(system, values=x, variables=[v]).values
        return x

    assert worst_error(without_components, count=30) > 1e-3


def test_strings_up_to_a_length_add_up_to_the_partition_function() -> None:
    for seed in range(12):
        grammar = random_pcfg(seed)
        table = grammar.strings(160)
        exact = solve(grammar.system()).values[: len(table)]
        below = table.sum(axis=1)
        last = table[:, 80:].sum(axis=1)
        assert (below <= exact * (1 + 1e-12)).all()
        # Masses fall geometrically with length: what is missing is less than what the second half brought.
        assert (exact - below <= last + 1e-12).all()


def test_a_critical_grammar_takes_a_bit_a_step() -> None:
    critical = solve(Pcfg([[(0.5, (0, 0), 1), (0.5, (), 1)]]).system())
    assert critical.values[0] == pytest.approx(1.0, abs=1e-7)
    assert 20 <= critical.iterations <= 60


def test_zero_variables_and_products_of_many() -> None:
    # 0 -> 1 2 2 1 ; 1 -> a (0.5) ; 2 -> b (0.25) | 0 3 ; 3 -> 3 3 (no string)
    grammar = Pcfg(
        [
            [(1.0, (1, 2, 2, 1), 0)],
            [(0.5, (), 1)],
            [(0.25, (), 1), (0.75, (0, 3), 1)],
            [(1.0, (3, 3), 1)],
        ]
    )
    assert solve(grammar.system()).values[:4] == pytest.approx([0.25 * 0.0625, 0.5, 0.25, 0.0])


def test_no_finite_solution_is_an_error_or_damped() -> None:
    endless = Pcfg([[(1.0, (0, 0), 1), (0.5, (), 1)]])  # x = x² + 1/2 has no solution
    with pytest.raises(DivergenceError, match="no finite solution"):
        solve(endless.system())
    damped = solve(endless.system(), damp=True)
    assert damped.damped == 1 and 0.5 < damped.values[0] < 2.0
    large = PolynomialSystem()
    for v in range(80):  # a ring, large enough for a sparse factorisation
        large.variable()
        large.add(v, 0.1)
    for v in range(80):
        large.add(v, 1.2, [(v + 1) % 80])
    with pytest.raises(DivergenceError):
        solve(large)


def test_a_large_component_is_solved_with_sparse_matrices() -> None:
    """150 nonterminals that all depend on each other, against Kleene's iteration."""
    rng = np.random.default_rng(5)
    n = 150
    productions: Productions = []
    for v in range(n):
        weights = rng.dirichlet(np.ones(4)) * 0.9
        parts = [((v + 1) % n,), (int(rng.integers(n)), int(rng.integers(n))), (int(rng.integers(n)),), ()]
        productions.append([(float(w), p, 1) for w, p in zip(weights, parts, strict=True)])
    grammar = Pcfg(productions)
    solution = solve(grammar.system())
    assert [len(c.variables) for c in solution.components] == [n]
    assert np.allclose(solution.values, grammar.kleene(), rtol=1e-9, atol=0.0)
    assert solution.iterations <= 12


def test_components_come_after_what_they_mention() -> None:
    for seed in range(40):
        system = random_pcfg(seed).system()
        seen: set[int] = set()
        for component in components_of(system, range(len(system))):
            seen |= set(component)
            assert all(w in seen for v in component for w in system.successors(v))
        assert seen == set(range(len(system)))


def test_bad_terms_and_limits_are_refused() -> None:
    system = PolynomialSystem()
    system.variable()
    for bad in (-1.0, float("nan"), float("inf")):
        with pytest.raises(OptionError, match="coefficient"):
            system.add(0, bad)
    with pytest.raises(OptionError, match="one factor"):
        system.add(0, 1.0, [0, 0], length=1)
    with pytest.raises(OptionError, match="max_variables"):
        solve(system, limits=SolveLimits(max_variables=0))
    system.add(0, 0.25)
    system.add(0, 1.0, [0, 0])
    with pytest.raises(DivergenceError, match="max_iterations = 3"):
        solve(system, limits=SolveLimits(max_iterations=3))
