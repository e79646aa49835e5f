"""The yardstick of acceptance: equal to the linear program, never exceeded, reached where theory says so."""

from __future__ import annotations

import itertools
from collections.abc import Collection

import numpy as np
import pytest
from numpy.typing import NDArray

from gramspec.audit import chain_bound, optimal_acceptance, optimal_acceptance_of_sets
from gramspec.decoding.drafting.tree import Branch, SiblingLaw
from gramspec.decoding.verification import Block, Descent, Token, Traversal
from gramspec.decoding.verification.descent import fixed, greedy, recursive
from gramspec.decoding.verification.k_seq import k_seq, scale_of
from gramspec.errors import OptionError
from gramspec.testing.drafts import (
    EOS,
    bushy,
    chain,
    draft_rows,
    draw,
    emitted_law,
    node_acceptance,
    random_kernel,
)

Row = NDArray[np.float64]


def rows(seed: int, width: int) -> tuple[Row, Row]:
    """K over V ∪ {†} and q, with zeros."""
    kernel = random_kernel(seed, width=width, impossible=0.15)(())
    return kernel, draft_rows(seed, random_kernel(seed, width=width), 2 * (seed % 2))(())


def set_law(row: Row, law: SiblingLaw, count: int) -> dict[frozenset[int], float]:
    """Probability of each candidate set, from the definition of the sibling law."""
    ranked = np.lexsort((np.arange(len(row)), -row)).tolist()
    found: dict[frozenset[int], float] = {}
    if law == "fixed":
        return {frozenset(ranked[:count]): 1.0}
    if law == "greedy":
        left = sum(row[ranked[count - 1 :]])
        return {
            frozenset([*ranked[: count - 1], v]): row[v] / left for v in ranked[count - 1 :] if row[v] > 0.0
        }
    for drawn in itertools.product(range(len(row)), repeat=count):
        mass, left = 1.0, 1.0
        for i, v in enumerate(drawn):
            again = law == "wor" and v in drawn[:i]
            mass *= 0.0 if again or left <= 0.0 else float(row[v]) / left
            left = left - float(row[v]) if law == "wor" else 1.0
        if mass > 0.0:
            found[frozenset(drawn)] = found.get(frozenset(drawn), 0.0) + mass
    return found


def by_linear_program(kernel: Row, sets: dict[frozenset[int], float]) -> float:
    """Maximal flow from candidate sets to symbols, as a linear program."""
    optimize = pytest.importorskip("scipy.optimize")
    arcs = [(i, v) for i, s in enumerate(sets) for v in s]
    out = np.zeros((len(sets), len(arcs)))
    into = np.zeros((len(kernel) - 1, len(arcs)))
    for a, (i, v) in enumerate(arcs):
        out[i, a] = into[v, a] = 1.0
    found = optimize.linprog(
        -np.ones(len(arcs)),
        A_ub=np.vstack((out, into)),
        b_ub=np.concatenate((list(sets.values()), kernel[:-1])),
        method="highs",
    )
    return -float(found.fun)


CASES: list[tuple[SiblingLaw, int]] = [
    ("iid", 1),
    ("iid", 2),
    ("iid", 3),
    ("wor", 2),
    ("wor", 3),
    ("greedy", 2),
    ("greedy", 3),
    ("fixed", 2),
]


@pytest.mark.parametrize(("law", "count"), CASES)
def test_closed_forms_equal_the_linear_program(law: SiblingLaw, count: int) -> None:
    for seed in range(12):
        kernel, row = rows(seed, 5)
        if law in ("wor", "greedy") and np.count_nonzero(row) < count:
            continue
        ranked: Collection[int] = np.lexsort((np.arange(5), -row)).tolist()[:count]
        found = optimal_acceptance(kernel, Branch(tuple(ranked), law, None if law == "fixed" else row))
        sets = set_law(row, law, count)
        assert found == pytest.approx(optimal_acceptance_of_sets(kernel, sets), abs=1e-12)
        assert found == pytest.approx(by_linear_program(kernel, sets), abs=1e-6)  # the solver's own tolerance


def test_a_long_row_without_replacement_agrees_with_pairs() -> None:
    """Two candidates of 300 tokens: Q(H) = Σ_H q·(q(H) − q)/(1 − q)."""
    generator = np.random.default_rng(3)
    row, kernel = generator.dirichlet(np.full(300, 0.1)), generator.dirichlet(np.full(301, 0.1))
    row[row < 1e-6] = 0.0
    row /= row.sum()
    order = np.argsort(np.divide(kernel[:-1], row, out=np.full(300, np.inf), where=row > 0.0))
    bound = 1.0
    for j in range(1, np.count_nonzero(row) + 1):
        q = row[order[:j]]
        bound = min(bound, 1.0 + kernel[order[:j]].sum() - float((q * (q.sum() - q) / (1.0 - q)).sum()))
    assert optimal_acceptance(kernel, Branch((0, 1), "wor", row)) == pytest.approx(bound, abs=1e-10)


RULES = {"iid": [recursive, k_seq], "wor": [recursive], "greedy": [greedy], "fixed": [fixed]}


@pytest.mark.parametrize(("law", "count"), CASES)
def test_no_rule_exceeds_the_yardstick(law: SiblingLaw, count: int) -> None:
    """One candidate, greedy and fixed candidates reach it; K-sequential selection comes within 1 − 1/e."""
    for seed in range(20, 28):
        kernel, row = rows(seed, 4)
        if law != "iid" and np.count_nonzero(row) < count:
            continue
        first = draw(_First(), row, law, count)
        bound = optimal_acceptance(kernel, first)
        for rule in [*RULES[law], fixed]:
            found = node_acceptance(rule, kernel, row, law, count)
            assert found <= bound + 1e-12
            if rule is not fixed and (count == 1 or law in ("greedy", "fixed")):
                assert found == pytest.approx(bound, abs=1e-12)
            if rule is k_seq:
                assert found == pytest.approx(scale_of(kernel, row, count).any_accepted, abs=1e-12)
                assert found >= (1.0 - 1.0 / np.e) * bound - 1e-12


class _First:
    def choose(self, weights64: Row) -> int:
        return int(np.flatnonzero(weights64)[0])


def test_the_example_is_ordered_as_published() -> None:
    """k = 3, V = 8: one candidate < k-seq < without replacement < greedy < bound."""
    q = np.array([0.02, 0.03, 0.45, 0.08, 0.03, 0.08, 0.18, 0.13])
    k = np.array([0.05, 0.13, 0.22, 0.11, 0.08, 0.15, 0.14, 0.12, 0.0])
    single = node_acceptance(recursive, k, q, "iid", 1)
    sequential = node_acceptance(k_seq, k, q, "iid", 3)
    without = node_acceptance(recursive, k, q, "wor", 3)
    chosen = node_acceptance(greedy, k, q, "greedy", 3)
    bounds = [optimal_acceptance(k, Branch((2, 6, 7), law, q)) for law in ("iid", "wor", "greedy")]
    assert single < sequential < without < chosen < bounds[1]
    found = [single, sequential, without, chosen, *bounds]
    assert found == pytest.approx([0.72, 0.8715, 0.8921, 0.9511, 0.9573, 1.0, 0.9511], abs=5e-5)
    # Σ_top K + Σ_rest min(K, q/q(rest)), written out.
    top, rest = [2, 6], [0, 1, 3, 4, 5, 7]
    closed = k[top].sum() + np.minimum(k[rest], q[rest] / q[rest].sum()).sum()
    assert chosen == pytest.approx(closed, abs=1e-12)


def test_chains_stay_below_their_bound() -> None:
    for seed in range(24):
        target = random_kernel(seed, coin=seed % 3 > 0)
        draft = draft_rows(seed, target, seed % 3)
        for length in (1, 2, 3):
            token, block, traversal = (
                emitted_law(v, chain(length), target, draft).accepted for v in (Token(), Block(), Traversal())
            )
            bound = chain_bound(target, draft, length, {EOS})
            assert token <= block + 1e-12 and block <= bound + 1e-12
            assert traversal == pytest.approx(block, abs=1e-12)
            if length == 1:
                assert token == pytest.approx(bound, abs=1e-12)


def test_the_toy_has_a_bound_of_twelve_ninths() -> None:
    k, q = np.array([0.0, 1 / 3, 2 / 3, 0.0]), np.array([0.0, 2 / 3, 1 / 3])
    assert chain_bound(lambda _: k, lambda _: q, 2) == pytest.approx(12 / 9, abs=1e-12)
    for verifier, accepted in ((Token(), 10 / 9), (Block(), 11 / 9)):
        found = emitted_law(verifier, chain(2), lambda _: k, lambda _: q).accepted
        assert found == pytest.approx(accepted, abs=1e-12)


def test_traversal_keeps_more_of_a_tree_on_average() -> None:
    way = bushy("wor", 2, 1)
    gains = []
    for seed in range(16):
        target = random_kernel(seed, impossible=0.0, coin=False)
        draft = draft_rows(seed, target, 0)
        up, down = (emitted_law(v, way, target, draft).accepted for v in (Traversal(), Descent()))
        gains.append(up - down)
    assert np.mean(gains) > 0.0


def test_bad_input_is_refused() -> None:
    kernel, row = np.array([0.5, 0.5, 0.0, 0.0]), np.array([0.5, 0.5, 0.0])
    for branch in (
        Branch((), "iid", row),
        Branch((0,), "iid", None),
        Branch((0,), "iid", row[:2]),
        Branch((0, 1, 2), "wor", row),
        Branch((0, 1, 2), "greedy", row),
    ):
        with pytest.raises(OptionError, match="optimal_acceptance"):
            optimal_acceptance(kernel, branch)
    with pytest.raises(OptionError, match="20 at most"):
        optimal_acceptance_of_sets(np.ones(30), {})
