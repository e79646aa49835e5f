"""`PrefixTrie` and `Viability`: bounds, snapshots, noise, eviction and keys."""

from __future__ import annotations

from dataclasses import fields, replace
from math import exp

import numpy as np
import pytest

from gramspec.errors import OptionError
from gramspec.validity import LearnedMass, LearningPotential, Potential, PrefixTrie, TrieKey, Viability, Visit
from tests.decoding.finite_language import FiniteLanguage, random_language, random_model, small_vocabulary

SIZE, EOS, BUDGET = 4, (3,), 4
KEY = TrieKey("m", (0,), 1.0, 0, 1.0, "g", EOS, "viability", BUDGET)


def setup(seed, slack=1):
    generator = np.random.default_rng(seed)
    language = FiniteLanguage(
        random_language(generator, SIZE, EOS, BUDGET), small_vocabulary(SIZE, EOS), slack
    )
    model = random_model(seed, SIZE, EOS)

    def row(prefix):
        z = np.exp(model.row((0, *prefix)))
        return z / z.sum()

    return language, row, generator


def phi(language, row, prefix=()):
    if prefix and prefix[-1] in EOS:
        return float(prefix in language.members and len(prefix) <= BUDGET)
    if len(prefix) >= BUDGET:
        return 0.0
    p = row(prefix)
    return sum(p[v] * phi(language, row, (*prefix, v)) for v in range(SIZE) if p[v] > 0)


def state_at(language, prefix):
    state = language.matcher()
    for token in prefix:
        state.advance(token)
    return state


def walk(trie, language, row, generator, *, noise=0.0):
    """One path as an attempt would take it; returns the visits."""
    prefix = ()
    visits = []
    while True:
        state = state_at(language, prefix)
        children = trie.h_children(state, prefix, BUDGET - len(prefix))
        remembered = trie.remembered_row(prefix, SIZE)
        fresh = row(prefix) * (1 + noise * generator.uniform(-0.5, 0.5, SIZE))
        p = fresh if remembered is None else remembered
        mass = p * children
        if mass.sum() == 0:
            visits.append(Visit(prefix, p, children, ()))
            return visits
        token = int(generator.choice(SIZE, p=mass / mass.sum()))
        visits.append(Visit(prefix, p, children, () if token in EOS else (token,)))
        if token in EOS:
            return visits
        prefix = (*prefix, token)


def check_superharmonic(trie, language, row, *, slack=1e-12):
    """h >= Φ, S <= h and h(y·EOS) = 1[y in L] at every prefix that can be reached with h > 0."""
    stack = [()]
    while stack:
        prefix = stack.pop()
        state = state_at(language, prefix)
        h = exp(trie.log_h(state, prefix, BUDGET - len(prefix)))
        children = trie.h_children(state, prefix, BUDGET - len(prefix))
        p = row(prefix)
        assert h >= phi(language, row, prefix) * (1 - slack)
        assert float(p @ children) <= h * (1 + slack)
        for v in range(SIZE):
            if v in EOS:
                assert children[v] == phi(language, row, (*prefix, v))
            elif children[v] > 0:
                after = state_at(language, (*prefix, v))
                assert exp(trie.log_h(after, (*prefix, v), BUDGET - len(prefix) - 1)) == pytest.approx(
                    children[v]
                )
                stack.append((*prefix, v))


@pytest.mark.parametrize("seed", range(15))
def test_learned_mass_is_superharmonic_and_only_falls(seed):
    language, row, generator = setup(seed)
    trie = LearnedMass(Viability(language), BUDGET)
    check_superharmonic(trie, language, row)
    before = trie.root_h
    for _ in range(12):
        trie.begin()
        trie.observe(walk(trie, language, row, generator))
        trie.end()
        assert trie.root_h <= before
        before = trie.root_h
        check_superharmonic(trie, language, row)
    assert trie.root_h == pytest.approx(phi(language, row), rel=0.9)


def test_a_walked_out_trie_knows_phi():
    language, row, generator = setup(3)
    trie = LearnedMass(Viability(language), BUDGET)
    for _ in range(400):
        trie.observe(walk(trie, language, row, generator))
    assert trie.root_h == pytest.approx(phi(language, row), rel=1e-12)


def test_small_phi_is_known_to_full_relative_precision():
    """Mass is a sum of non-negative terms: no cancellation when Φ is far below the base mass."""
    language = FiniteLanguage({(0, 0, 3), (1, 0, 3)}, small_vocabulary(SIZE, EOS))
    p = {
        (): np.array([0.5, 0.5, 0.0, 0.0]),
        (0,): np.array([1e-13, 0.0, 1.0, 0.0]),
        (1,): np.array([3e-13, 0.0, 1.0, 0.0]),
    }
    trie = LearnedMass(Viability(language), 3)
    for first in (0, 1):
        for prefix, token in (((), first), ((first,), 0)):
            children = trie.h_children(state_at(language, prefix), prefix, 3 - len(prefix))
            trie.observe([Visit(prefix, p[prefix], children, (token,))])
    assert trie.root_h == pytest.approx(0.5 * 1e-13 + 0.5 * 3e-13, rel=1e-14)


@pytest.mark.parametrize("seed", range(6))
def test_eviction_keeps_the_contract_and_waits_for_live_attempts(seed):
    language, row, generator = setup(seed)
    trie = LearnedMass(Viability(language), BUDGET, max_nodes=4)
    trie.begin()
    for _ in range(6):
        trie.observe(walk(trie, language, row, generator))
    held = trie.nodes
    root = trie.root_h
    trie.begin()
    trie.end()  # another attempt is still alive: nothing may rise
    assert (trie.nodes, trie.root_h) == (held, root)
    trie.end()
    assert trie.nodes <= 4
    assert trie.root_h >= root
    check_superharmonic(trie, language, row)
    for _ in range(10):
        trie.begin()
        trie.observe(walk(trie, language, row, generator))
        trie.end()
        assert trie.nodes <= 4
        check_superharmonic(trie, language, row)


def test_end_without_begin_is_refused():
    language, _, _ = setup(0)
    with pytest.raises(ValueError, match="begin"):
        LearnedMass(Viability(language), BUDGET).end()


@pytest.mark.parametrize("seed", range(6))
def test_row_noise_is_covered_by_a_margin(seed, monkeypatch):
    monkeypatch.setattr("gramspec.validity.trie_node._STORED_ROW_ENTRIES", 0)
    language, row, generator = setup(seed)
    noise = 0.01
    trie = LearnedMass(Viability(language), BUDGET, row_noise=noise)
    for _ in range(30):
        visits = walk(trie, language, row, generator, noise=noise)
        trie.observe(visits)
        kept = [trie.remembered_row(v.prefix, SIZE) for v in visits]
        assert all(row_kept is None or not row_kept.any() for row_kept in kept)  # S = 0 needs no room
        for visit in visits:
            h = exp(trie.log_h(state_at(language, visit.prefix), visit.prefix, BUDGET - len(visit.prefix)))
            children = trie.h_children(
                state_at(language, visit.prefix), visit.prefix, BUDGET - len(visit.prefix)
            )
            assert float((row(visit.prefix) * (1 - noise / 2)) @ children) <= h * (1 + 1e-12)


def test_under_noise_the_first_row_seen_is_p():
    language, row, generator = setup(1)
    trie = LearnedMass(Viability(language), BUDGET, row_noise=0.01, truncated=True)
    visits = walk(trie, language, row, generator, noise=0.01)
    trie.observe(visits)
    for visit in visits:
        kept = trie.remembered_row(visit.prefix, SIZE)
        allowed = visit.children > 0
        assert np.array_equal(kept[allowed], visit.p[allowed])
    other = walk(trie, language, row, generator, noise=0.01)
    trie.observe(other)
    assert np.array_equal(
        trie.remembered_row((), SIZE)[visits[0].children > 0], visits[0].p[visits[0].children > 0]
    )


def test_a_truncated_noisy_row_that_cannot_be_kept_teaches_nothing():
    language, row, generator = setup(1)
    trie = LearnedMass(Viability(language), BUDGET, row_noise=0.01, truncated=True, max_row_bytes=0)
    before = trie.root_h
    trie.observe(walk(trie, language, row, generator, noise=0.01))
    assert trie.root_h == before and trie.nodes == 1


@pytest.mark.parametrize("name", [f.name for f in fields(TrieKey)])
def test_every_field_of_the_key_separates(name):
    language, row, generator = setup(1)
    trie = PrefixTrie(Viability(language))
    taught = trie.at(KEY)
    for _ in range(20):
        taught.observe(walk(taught, language, row, generator))
    assert taught.root_h < 1.0
    assert trie.at(KEY) is taught
    value = getattr(KEY, name)
    other = {str: "other", tuple: (1, 2), float: 0.5, int: 9}[type(value)]
    assert trie.at(replace(KEY, **{name: other})).root_h == 1.0
    assert trie.cold().at(KEY).root_h == 1.0


def test_idle_keys_are_forgotten_and_live_ones_are_not():
    language, _, _ = setup(2)
    trie = PrefixTrie(Viability(language), max_keys=2)
    live = trie.at(KEY)
    live.begin()
    second = trie.at(replace(KEY, budget=3))
    for top_k in range(1, 5):
        trie.at(replace(KEY, top_k=top_k))
    assert trie.at(KEY) is live
    assert trie.at(replace(KEY, budget=3)) is not second


def test_a_weak_base_is_refused():
    language, _, _ = setup(0)
    base = Viability(language)
    base.contract = "W"
    with pytest.raises(OptionError, match="contract"):
        PrefixTrie(base)
    with pytest.raises(OptionError, match="max_nodes"):
        PrefixTrie(Viability(language), max_nodes=0)


def test_protocols():
    language, _, _ = setup(0)
    base = Viability(language)
    learned = PrefixTrie(base).at(KEY)
    assert isinstance(base, Potential) and not isinstance(base, LearningPotential)
    assert isinstance(learned, LearningPotential)
    assert learned.contract == base.contract == "S"
    assert learned.name == "prefix-trie(viability)"


@pytest.mark.parametrize("slack", [0, 2])
def test_viability_never_spends_the_last_token_on_anything_but_eos(slack):
    language = FiniteLanguage({(0, 3), (0, 1, 3), (3,)}, small_vocabulary(SIZE, EOS), slack)
    base = Viability(language)
    assert base.h_children(language.matcher(), (), 1).tolist() == [0, 0, 0, 1]
    state = state_at(language, (0, 1))
    assert base.h_children(state, (0, 1), 1).tolist() == [0, 0, 0, 1]
    assert base.log_h(state_at(language, (0, 1, 3)), (0, 1, 3), 0) == 0.0
    assert base.log_h(language.matcher(), (), 3) == 0.0
    if slack == 0:
        assert base.log_h(state, (0, 1), 0) == -np.inf
