"""One round, enumerated from every prefix and composed: the law of an attempt is p(y)/h(ε) on L."""

from __future__ import annotations

import numpy as np
import pytest

from gramspec.decoding.drafting import ModelDrafter
from gramspec.decoding.kernel import KilledLaw, MaskedLaw, Node
from gramspec.decoding.round import Attempt, play_round
from gramspec.decoding.rows import RowLaw
from gramspec.validity import LearnedMass, Viability
from tests.decoding.finite_language import (
    FiniteLanguage,
    every_path,
    random_language,
    random_model,
    small_vocabulary,
)

SIZE, EOS, BUDGET, PROMPT = 4, (3,), 4, (0,)


def world(seed, slack=0, eos=EOS):
    generator = np.random.default_rng(seed)
    vocabulary = small_vocabulary(SIZE, eos)
    language = FiniteLanguage(random_language(generator, SIZE, eos, BUDGET + 1), vocabulary, slack)
    target = random_model(2 * seed, SIZE, eos)
    draft = random_model(2 * seed + 1, SIZE, eos)
    return language, target, draft


def true_law(language, target, rows, budget):
    law = {}
    for member in language.members:
        if len(member) <= budget:
            probability, prefix = 1.0, PROMPT
            for token in member:
                probability *= rows.row(target.row(prefix))[token]
                prefix = (*prefix, token)
            if probability > 0:
                law[member] = probability
    return law


def attempt_law(law, target, draft, rows, gamma):
    """Compose enumerated rounds over (prefix, h) states; returns mass of each ending and of †."""
    states = [((), law.root().h, 1.0)]
    endings, died = {}, 0.0
    while states:
        prefix, h, mass = states.pop()

        def run(random, prefix=prefix, h=h):
            matcher = law.compiled.matcher()
            for token in prefix:
                matcher.advance(token)
            sequence = target.open(PROMPT)
            sequence.commit(list(prefix))
            drafter = ModelDrafter(draft, PROMPT, rows) if draft is not None else None
            node = Node(prefix, matcher, law.budget - len(prefix), h)
            return play_round(law, node, sequence, drafter, gamma, random)

        for probability, result in every_path(run):
            y = prefix + result.tokens
            if result.died:
                died += mass * probability
            elif result.node is None:
                endings[y] = endings.get(y, 0.0) + mass * probability
            else:
                assert result.node.prefix == y
                states.append((y, result.node.h, mass * probability))
    return endings, died


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("gamma", [0, 1, 3])
def test_a_cold_attempt_follows_the_killed_law(seed, gamma):
    language, target, draft = world(seed, slack=seed % 2, eos=(3,) if seed % 3 else (2, 3))
    rows = RowLaw(temperature=0.8, top_k=3 if seed % 4 == 0 else 0, top_p=0.9 if seed % 4 == 1 else 1.0)
    law = KilledLaw(LearnedMass(Viability(language), BUDGET), rows, budget=BUDGET, width=SIZE)
    if law.root().h == 0.0:
        pytest.skip("no member fits the budget")
    endings, died = attempt_law(law, target, draft if gamma else None, rows, gamma)
    truth = true_law(language, target, rows, BUDGET)
    for y in endings.keys() | truth.keys():
        assert abs(endings.get(y, 0.0) - truth.get(y, 0.0)) < 1e-12
    assert abs(died - (1.0 - sum(truth.values()))) < 1e-12


@pytest.mark.parametrize("seed", range(12))
def test_a_taught_attempt_follows_the_killed_law(seed):
    language, target, draft = world(seed, slack=seed % 2)
    rows = RowLaw()
    trie = LearnedMass(Viability(language), BUDGET)
    law = KilledLaw(trie, rows, budget=BUDGET, width=SIZE)
    truth = true_law(language, target, rows, BUDGET)
    generator = np.random.default_rng(seed)

    class Stream:
        def choose(self, weights64):
            return int(generator.choice(len(weights64), p=weights64 / weights64.sum()))

    if not truth:
        pytest.skip("no member fits the budget")
    before = trie.root_h
    for gamma in (2, 0, 3):
        for _ in range(2):
            drafter = ModelDrafter(draft, PROMPT, rows) if gamma else None
            Attempt(law, target.open(PROMPT), 1, drafter, gamma).run(Stream())
            assert sum(truth.values()) * (1 - 1e-12) <= trie.root_h <= before
            before = trie.root_h
        endings, died = attempt_law(law, target, draft, rows, gamma)
        for y in endings.keys() | truth.keys():
            assert abs(endings.get(y, 0.0) - truth.get(y, 0.0) / before) < 1e-12
        assert abs(died - (1.0 - sum(truth.values()) / before)) < 1e-12


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("gamma", [0, 2])
def test_the_masked_law_is_local_masking(seed, gamma):
    language, target, draft = world(seed, slack=1)
    target = random_model(2 * seed, SIZE, EOS, impossible=0.0)
    rows = RowLaw()
    law = MaskedLaw(language, rows, budget=BUDGET, width=SIZE)
    members = [y for y in language.members if len(y) <= BUDGET]
    if not members:
        pytest.skip("no member fits the budget")
    endings, died = attempt_law(law, target, draft if gamma else None, rows, gamma)
    assert died == 0.0
    for y in members:
        probability = 1.0
        for t in range(len(y)):
            p = rows.row(target.row(PROMPT + y[:t]))
            allowed = {m[t] for m in members if m[:t] == y[:t] and len(m) > t}
            probability *= p[y[t]] / sum(p[v] for v in allowed)
        assert abs(endings.pop(y) - probability) < 1e-12
    assert not endings


def test_only_one_forward_of_the_target_per_round_and_none_of_a_leaf():
    vocabulary = small_vocabulary(SIZE, EOS)
    language = FiniteLanguage({(0, 1, 3)}, vocabulary)
    target = random_model(5, SIZE, EOS, impossible=0.0)
    law = MaskedLaw(language, RowLaw(), budget=3, width=SIZE)
    drafter = ModelDrafter(target, PROMPT, RowLaw())

    class First:
        def choose(self, weights64):
            return int(np.flatnonzero(weights64 > 0)[0])

    before = target.counters.copy()
    result = play_round(law, law.root(), target.open(PROMPT), drafter, 8, First())
    spent = target.counters.since(before)
    assert result.tokens == (0, 1, 3) and result.accepted == 3 and result.node is None
    assert spent.forwards == 3 + 1 and spent.rows == 3 + 3  # three drafted; rows before each, none after EOS
