"""Bounds of Φ by best-first search: they hold Φ, and meet it at the end; estimates are unbiased."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest

import gramspec as gs
from gramspec.decoding.rows import RowLaw
from gramspec.errors import OptionError
from gramspec.validity import Exact
from gramspec.validity.bracketing import Brackets
from gramspec.validity.reading import RowReader

VOCABULARY = gs.Vocabulary([b"a", b"b", b"ab", b"c", b"</s>"], [4])


def row(prefix):
    random = np.random.default_rng([3, *prefix])
    return random.normal(size=5) * 1.5


TARGET = gs.models.TabularModel(row, 5, 4)
BUDGET = 6


@pytest.fixture(scope="module")
def world():
    compiled = gs.compile(gs.regex("(ab|ba|c)*"), VOCABULARY)
    law = RowLaw(1.3)
    exact = Exact(compiled, TARGET, row=law.row, budget=BUDGET)
    return compiled, RowReader(TARGET, (), law.row), exact


def phi(exact, prefix):
    state = exact.compiled.matcher()
    state.advance_many(list(prefix))
    return float(np.exp(exact.log_h(state, prefix, BUDGET - len(prefix))))


def test_bounds_hold_phi_and_meet(world):
    compiled, reader, exact = world
    search = Brackets(compiled, reader, (), BUDGET, max_prefixes=10_000)
    gaps = []
    more = True
    while more:
        for prefix, bracket in search.bounds().items():
            assert bracket.low - 1e-12 <= phi(exact, prefix) <= bracket.high + 1e-12
        gaps.append(search.bounds()[()].high - search.bounds()[()].low)
        more = search.search(7, at_once=3)
    assert gaps == sorted(gaps, reverse=True)
    whole = search.bounds()[()]
    assert whole.closed and whole.low == pytest.approx(phi(exact, ()), rel=1e-12)


def test_members_are_the_two_laws(world):
    compiled, reader, _ = world
    search = Brackets(compiled, reader, (), BUDGET, max_prefixes=10_000)
    while search.search(1000):
        pass
    members = search.members()
    for name, values in (
        ("conditional", {m.tokens: m.p for m in members}),
        ("masked", {m.tokens: m.masked for m in members}),
    ):
        law = gs.audit.exact_law(TARGET, compiled, BUDGET, vocabulary=None, temperature=1.3, law=name)
        total = sum(values.values())
        assert set(values) == set(law)
        assert all(values[y] / total == pytest.approx(law[y], abs=1e-12) for y in law)


def test_a_followed_text_is_looked_at_everywhere(world):
    compiled, reader, exact = world
    search = Brackets(compiled, reader, (), BUDGET)
    path = search.follow([0, 1, 3])
    assert [each.prefix for each in path] == [(), (0,), (0, 1), (0, 1, 3)]
    search.look_at(path[1], [1])
    search.search(200)
    bounds = search.bounds()
    for each in path:
        assert bounds[each.prefix].low - 1e-12 <= phi(exact, each.prefix) <= bounds[each.prefix].high + 1e-12


def test_estimates_are_unbiased(world):
    compiled, reader, exact = world
    search = Brackets(compiled, reader, (3,), BUDGET - 1)
    search.search(4)
    bracket = search.bounds()[(3,)]
    assert not bracket.closed
    random = np.random.default_rng(5)
    found = [search.estimates([(search.root, bracket, 8)], random.random)[0].mean for _ in range(250)]
    error = float(np.std(found)) / sqrt(len(found))
    assert abs(float(np.mean(found)) - phi(exact, (3,))) < 5 * error
    assert all(bracket.low <= value <= bracket.high for value in found)


def test_bounds_of_the_search(world):
    compiled, reader, _ = world
    search = Brackets(compiled, reader, (), BUDGET, max_prefixes=5)
    assert not search.search(1000) and len(search.opened) == 5
    assert not search.bounds()[()].closed
    with pytest.raises(OptionError, match="not allowed"):
        Brackets(compiled, reader, (0, 0), BUDGET)
    with pytest.raises(OptionError, match="budget"):
        Brackets(compiled, reader, (), 0)


def test_residual_predicates_refuse_members():
    schema = {"type": "array", "items": {"enum": [1, 2]}, "minItems": 2, "maxItems": 2, "uniqueItems": True}
    vocabulary = gs.Vocabulary([b"[", b"]", b",", b"1", b"2", b" ", b"</s>"], [6])
    target = gs.models.TabularModel(lambda x: np.zeros(7), 7, 6)
    compiled = gs.compile(gs.json_schema(schema, whitespace="compact"), vocabulary)
    search = Brackets(compiled, RowReader(target, ()), (), 6, max_prefixes=10_000)
    while search.search(1000):
        pass
    assert sorted(vocabulary.decode(m.tokens) for m in search.members()) == [b"[1,2]", b"[2,1]"]
    assert search.bounds()[()] == pytest.approx((2 * 7.0**-6, 2 * 7.0**-6, True))
