"""Pushdown systems with several control states: masses against runs, step by step.

Laws: the mass of a configuration is the sum over all runs that empty its stack (by iteration over steps, and
run by run for short ones); push and pop keep it.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest

from gramspec.errors import DivergenceError, OptionError
from gramspec.validity.partition_pushdown import Pushdown, Transition

Configuration = tuple[int, tuple[str, ...]]


def random_rules(seed: int) -> tuple[int, list[Transition]]:
    """Two or three states, three symbols, sub-proper weights."""
    rng = np.random.default_rng([seed, 5])
    states, symbols = int(rng.integers(2, 4)), "XYZ"
    rules = []
    for state in range(states):
        for symbol in symbols:
            count = int(rng.integers(1, 5))
            weights = rng.dirichlet(np.ones(count + 1)) * 0.95
            # A pop for each pair, so that most configurations end.
            rules.append(Transition(state, symbol, int(rng.integers(states)), (), float(weights[-1])))
            for w in weights[:-1]:
                word = tuple(
                    rng.choice(list(symbols), size=int(rng.choice([0, 1, 2, 3], p=[0.4, 0.3, 0.2, 0.1])))
                )
                rules.append(Transition(state, symbol, int(rng.integers(states)), word, float(w)))
    return states, rules


def by_iteration(states: int, rules: list[Transition], steps: int = 4000) -> dict[str, np.ndarray]:
    """Mass of the runs that pop each symbol within more and more steps of its own; no polynomial system."""
    masses = {x: np.zeros((states, states)) for x in "XYZ"}
    for _ in range(steps):
        fresh = {x: np.zeros((states, states)) for x in "XYZ"}
        for rule in rules:
            after = np.eye(states)
            for symbol in rule.word:
                after = after @ masses[symbol]
            fresh[rule.symbol][rule.state] += rule.weight * after[rule.target]
        if all(np.array_equal(fresh[x], masses[x]) for x in "XYZ"):
            break
        masses = fresh
    return masses


def by_runs(rules: list[Transition], final: np.ndarray, start: Configuration, steps: int) -> float:
    """Mass of the runs that empty the stack within so many transitions, one after another."""
    where, done = {start: 1.0}, 0.0
    for _ in range(steps):
        following: defaultdict[Configuration, float] = defaultdict(float)
        for (state, word), mass in where.items():
            for rule in rules:
                if word and (rule.state, rule.symbol) == (state, word[0]):
                    following[rule.target, (*rule.word, *word[1:])] += mass * rule.weight
        done += sum(mass * final[state] for (state, word), mass in following.items() if not word)
        where = following
    return done


@pytest.mark.parametrize("seed", range(12))
def test_masses_equal_the_sum_over_runs(seed: int) -> None:
    states, rules = random_rules(seed)
    final = np.random.default_rng(seed).uniform(0.2, 1.0, states)
    system = Pushdown(states, rules, final)
    masses = by_iteration(states, rules)
    for symbol in "XYZ":
        assert np.allclose(system.matrix(symbol), masses[symbol], rtol=1e-9, atol=0.0)
    value = system.stack("XY").value(0)
    within = [by_runs(rules, final, (0, ("X", "Y")), steps) for steps in (2, 4, 6)]
    assert 0.0 < within[0] < within[1] < within[2] < value * (1 + 1e-12)
    assert within[2] > 0.4 * value  # most runs are short


def test_push_and_pop_keep_suffix_vectors() -> None:
    states, rules = random_rules(3)
    system = Pushdown(states, rules, np.ones(states))
    stack = system.stack("XYZ")
    expected = system.matrix("X") @ system.matrix("Y") @ system.matrix("Z") @ np.ones(states)
    assert np.allclose(stack.vector, expected, rtol=1e-13)
    assert stack.push("Y").pop() is stack and stack.pop().pop().pop().below is None
    assert np.array_equal(system.stack().vector, np.ones(states))
    with pytest.raises(IndexError, match="empty"):
        system.stack().pop()


def test_one_state_is_a_context_free_grammar() -> None:
    # S -> ( S ) S (0.3) | nothing (0.7): Z = 0.7 + 0.3 Z², so Z = 1; S -> ( S ) S (0.6) | 0.4: Z = 2/3.
    for gain, expected in ((0.3, 1.0), (0.6, 2 / 3)):
        rules = [Transition(0, "S", 0, ("S", "S"), gain), Transition(0, "S", 0, (), 1 - gain)]
        system = Pushdown(1, rules, [0.5])
        assert system.stack("S").value(0) == pytest.approx(0.5 * expected, rel=1e-12)
        assert max(c.iterations for c in system.components) <= 12


def test_a_proxy_with_memory_needs_several_states() -> None:
    """Dyck words under a proxy in which a closing bracket is never followed by an opening one."""
    up, down = 0.4, 0.5  # state 0: before any close; state 1: after one
    rules = [
        Transition(0, "S", 0, ("S", "C", "S"), up),  # ( S ) S, the bracket to close is C
        Transition(0, "S", 0, (), 1.0),
        Transition(1, "S", 1, (), 1.0),
        Transition(0, "C", 1, (), down),
        Transition(1, "C", 1, (), down),
    ]
    system = Pushdown(2, rules, [1.0, 1.0])
    # Only (ⁿ)ⁿ is left: the sum of (up·down)ⁿ.
    assert system.stack("S").value(0) == pytest.approx(1 / (1 - up * down), rel=1e-12)
    assert np.allclose(system.matrix("nobody"), 0.0)


def test_bad_systems_are_refused() -> None:
    with pytest.raises(OptionError, match="final"):
        Pushdown(2, [], [1.0])
    with pytest.raises(OptionError, match="state 2"):
        Pushdown(2, [Transition(0, "X", 2, (), 0.5)], [1.0, 1.0])
    with pytest.raises(OptionError, match="coefficient"):
        Pushdown(1, [Transition(0, "X", 0, (), -0.5)], [1.0])
    with pytest.raises(DivergenceError):
        Pushdown(1, [Transition(0, "X", 0, ("X", "X"), 1.0), Transition(0, "X", 0, (), 0.5)], [1.0])
    assert Pushdown(1, [], [1.0]).stack("X").value(0) == 0.0
