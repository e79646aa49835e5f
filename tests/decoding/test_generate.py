"""`generate`: law, reproducibility, sharing of learned mass, and every refusal."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from gramspec.decoding.generate import generate
from gramspec.decoding.options import DecodingOptions
from gramspec.decoding.rows import RowLaw
from gramspec.errors import (
    BudgetExhaustedError,
    BudgetTooSmallError,
    OptionError,
    PromptError,
    VocabularyError,
)
from gramspec.models.tabular import TabularModel
from gramspec.validity import LearnedMass, PrefixTrie, Viability
from gramspec.vocabulary import Vocabulary
from tests.decoding.finite_language import FiniteLanguage, random_language, random_model, small_vocabulary

SIZE, EOS, BUDGET = 5, (4,), 5


def world(seed=21):
    generator = np.random.default_rng(seed)
    language = FiniteLanguage(random_language(generator, SIZE, EOS, BUDGET), small_vocabulary(SIZE, EOS), 1)
    return language, random_model(seed, SIZE, EOS, 0.0), random_model(seed + 1, SIZE, EOS, 0.0)


def laws(language, model, prompt, rows):
    conditional, masked = {}, {}
    for y in language.members:
        p = q = 1.0
        for t, token in enumerate(y):
            row = rows.row(model.row((*prompt, *y[:t])))
            allowed = {m[t] for m in language.members if m[:t] == y[:t] and len(m) > t}
            p *= row[token]
            q *= row[token] / max(sum(row[v] for v in allowed), 1e-300)
        conditional[y], masked[y] = p, q
    total = sum(conditional.values())
    return {y: p / total for y, p in conditional.items()}, masked


def p_value(counts, law):
    """Pearson X² with cells of expectation below 5 pooled."""
    n = sum(counts.values())
    big = [y for y in law if n * law[y] >= 5]
    observed = [counts[y] for y in big]
    expected = [n * law[y] for y in big]
    rest = n - sum(expected)
    if rest > 1e-9:
        observed.append(n - sum(observed))
        expected.append(rest)
    return stats.chisquare(observed, expected).pvalue


@pytest.mark.parametrize("law", ["conditional", "masked"])
@pytest.mark.parametrize("drafted", [False, True])
def test_cold_draws_follow_the_law_and_not_the_other_one(law, drafted):
    language, target, draft = world()
    counts = Counter(
        generate(
            target,
            [[0]],
            language,
            draft=draft if drafted else None,
            law=law,
            max_new_tokens=BUDGET,
            temperature=0.9,
            seed=seed,
            options=DecodingOptions(gamma=3, drafter="model" if drafted else "none"),
        )[0][0].token_ids
        for seed in range(1500)
    )
    conditional, masked = laws(language, target, (0,), RowLaw(temperature=0.9))
    mine, other = (conditional, masked) if law == "conditional" else (masked, conditional)
    assert p_value(counts, mine) > 1e-4
    assert p_value(counts, other) < 1e-9


def test_many_draws_of_one_call_follow_the_law():
    language, target, draft = world(19)
    [completions] = generate(target, [[0]], language, draft=draft, n=3000, max_new_tokens=BUDGET, seed=5)
    conditional, _ = laws(language, target, (0,), RowLaw())
    ids = [c.token_ids for c in completions]
    assert p_value(Counter(ids), conditional) > 1e-4
    pairs = Counter(zip(ids[::2], ids[1::2], strict=True))
    assert (
        p_value(pairs, {(a, b): conditional[a] * conditional[b] for a in conditional for b in conditional})
        > 1e-4
    )
    # The trie has learned: later samples need fewer attempts.
    attempts = [c.report.attempts for c in completions]
    assert np.mean(attempts[-500:]) < np.mean(attempts[:20])


def test_a_seed_repeats_the_call_and_a_sample_does_not_depend_on_n():
    language, target, draft = world()

    def run(seed, n=3, prompts=((0,), (1,))):
        results = generate(
            target, [list(p) for p in prompts], language, draft=draft, n=n, max_new_tokens=BUDGET, seed=seed
        )
        return [[(c.token_ids, c.logprob) for c in cs] for cs in results]

    assert run(7) == run(7)
    assert [cs[:2] for cs in run(7)] == run(7, n=2)
    assert run(7)[0] == run(7, prompts=((0,),))[0]
    assert any(run(7) != run(seed) for seed in (8, 2**32 + 7, 2**64 - 1))
    unseeded = {tuple(c for cs in run(None, n=8) for c in cs) for _ in range(4)}
    assert len(unseeded) > 1


def test_completions_carry_text_and_probability():
    language, target, _ = world()
    rows = RowLaw(0.7, 4, 0.95)
    for completion in generate(
        target, [[1]], language, n=20, max_new_tokens=BUDGET, temperature=0.7, top_k=4, top_p=0.95, seed=0
    )[0]:
        y = completion.token_ids
        assert y in language.members
        assert completion.text == "".join(chr(97 + t) for t in y[:-1]) == str(completion)
        expected = sum(np.log(rows.row(target.row((1, *y[:t])))[y[t]]) for t in range(len(y)))
        assert completion.logprob == pytest.approx(expected)


def test_a_trie_is_shared_without_a_seed_and_private_with_one():
    language, target, _ = world()
    trie = PrefixTrie(Viability(language))
    cold = generate(target, [[0]], language, max_new_tokens=BUDGET, seed=3)[0][0]
    generate(target, [[0]], language, n=200, max_new_tokens=BUDGET, potential=trie)
    [key] = trie._tries
    assert key.prompt == (0,) and key.budget == BUDGET and key.model == target.fingerprint
    taught = trie.at(key).root_h
    assert taught < 0.9
    seeded = generate(target, [[0]], language, max_new_tokens=BUDGET, potential=trie, seed=3)[0][0]
    assert seeded.report.attempts == cold.report.attempts and seeded.token_ids == cold.token_ids
    assert trie.at(key).root_h == taught
    generate(target, [[0]], language, max_new_tokens=BUDGET + 1, potential=trie)
    assert len(trie._tries) == 2
    plain = generate(target, [[0]], language, max_new_tokens=BUDGET, potential=Viability(language), seed=1)
    assert plain[0][0].token_ids in language.members


def test_remembered_rows_save_target_forwards_and_change_nothing():
    language, target, draft = world()

    def run(memo_bytes):
        options = DecodingOptions(memo_bytes=memo_bytes)
        return generate(
            target, [[0]], language, draft=draft, n=30, max_new_tokens=BUDGET, seed=2, options=options
        )[0]

    with_memo, without = run(1 << 24), run(0)
    assert [c.token_ids for c in with_memo] == [c.token_ids for c in without]
    assert (
        sum(c.report.target_forwards for c in with_memo) < sum(c.report.target_forwards for c in without) / 2
    )


def test_progress_is_told():
    language, target, _ = world()
    seen = []
    generate(
        target,
        [[0], [1]],
        language,
        n=2,
        max_new_tokens=BUDGET,
        seed=0,
        progress=lambda a, b: seen.append((a, b)),
    )
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert generate(target, [], language, max_new_tokens=BUDGET) == []


def refused(error, match, **changes):
    language, target, _ = world()
    arguments = {"target": target, "prompts": [[0]], "grammar": language, "max_new_tokens": BUDGET} | changes
    before = target.counters.copy()
    with pytest.raises(error, match=match):
        generate(arguments.pop("target"), arguments.pop("prompts"), arguments.pop("grammar"), **arguments)
    assert target.counters == before


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"temperature": 0}, "temperature=0.*greedy"),
        ({"top_p": 0}, "top_p"),
        ({"top_k": -1}, "top_k"),
        ({"n": 0}, "n=0"),
        ({"max_new_tokens": 0}, "max_new_tokens=0"),
        ({"seed": -1}, "seed=-1"),
        ({"seed": 2**64}, "seed="),
        ({"seed": 1.0}, "seed="),
        ({"law": "greedy"}, "law='greedy'"),
        ({"sampler": "hmc"}, "sampler='hmc'.*'auto' or 'restart' or 'smc'"),
        ({"law": "masked", "sampler": "restart"}, "for law 'masked' there is 'auto'"),
        ({"prompts": "hello"}, r"write \[prompt\]"),
        ({"prompts": 5}, "a list is needed"),
        ({"potential": 3}, "potential=3"),
        ({"grammar": "a+"}, "CompiledGrammar is needed, not str"),
    ],
)
def test_options_are_refused_before_a_token_is_made(changes, match):
    refused(OptionError, match, **changes)


@pytest.mark.parametrize(
    ("prompts", "match"),
    [
        (["text"], r"prompts\[0\].*no tokenizer"),
        ([[0], 3], r"prompts\[1\]"),
        ([[0], [0, 99]], r"prompts\[1\]: token 99"),
        ([[0], ["a"]], r"prompts\[1\]"),
    ],
)
def test_prompts_are_refused_by_their_place(prompts, match):
    refused(PromptError, match, prompts=prompts)


def test_potentials_for_something_else_are_refused():
    language, _, _ = world()
    other, _, _ = world(99)
    refused(OptionError, "another grammar", potential=Viability(other))
    refused(OptionError, "pass its PrefixTrie", potential=LearnedMass(Viability(language), BUDGET))
    refused(OptionError, "uses none", law="masked", potential=Viability(language))


def test_models_and_vocabularies_that_do_not_fit_are_refused():
    rows = lambda prefix: np.zeros(SIZE)  # noqa: E731
    refused(
        PromptError,
        r"prompts\[0\]: 1 tokens .* exceed the 4 tokens",
        target=TabularModel(rows, SIZE, 4, max_length=4),
    )
    refused(PromptError, "the draft takes", draft=TabularModel(rows, SIZE, 4, max_length=4))
    refused(VocabularyError, "rows only 3", target=TabularModel(lambda prefix: np.zeros(3), 3, 2))
    refused(VocabularyError, "token 1, which is no EOS", target=TabularModel(rows, SIZE, [1, 4]))
    refused(VocabularyError, "draft: its rows have 3", draft=TabularModel(lambda prefix: np.zeros(3), 3, 2))
    draft = TabularModel(rows, SIZE, 4)
    draft.vocabulary = Vocabulary([b"a", b"b", b"X", b"d", None], [4])
    refused(VocabularyError, "draft: token 2 is b'X' there and b'c'", draft=draft)
    draft.vocabulary = Vocabulary([b"a", b"b", b"c", None, None], [3])
    refused(VocabularyError, "draft: token 3", draft=draft)
    refused(OptionError, "compiled for another", vocabulary=small_vocabulary(6, (5,)))


def test_a_padded_draft_vocabulary_is_the_same_vocabulary():
    language, target, draft = world()
    wide = TabularModel(lambda prefix: np.append(draft.row(tuple(prefix)), 0.0), SIZE + 1, 4)
    wide.vocabulary = Vocabulary([*language.vocabulary.tokens, None], [4])
    assert (
        generate(target, [[0]], language, draft=wide, max_new_tokens=BUDGET, seed=0)[0][0].token_ids
        in language.members
    )


def test_a_budget_below_the_shortest_member_is_refused():
    language = FiniteLanguage({(0, 1, 4), (0, 1, 2, 4)}, small_vocabulary(SIZE, EOS), 1)
    refused(BudgetTooSmallError, "max_new_tokens=2.*takes 3 tokens", grammar=language, max_new_tokens=2)


def test_an_exhausted_budget_is_an_error_with_a_report():
    language = FiniteLanguage({(0, 1, 4)}, small_vocabulary(SIZE, EOS))
    model = TabularModel(lambda prefix: np.array([0.0, 0.0, 30.0, 0.0, 30.0]), SIZE, 4)
    with pytest.raises(BudgetExhaustedError) as caught:
        generate(
            model,
            [[0]],
            language,
            sampler="restart",
            max_new_tokens=3,
            seed=0,
            options=replace(DecodingOptions(gamma=0), max_attempts=2),
        )
    assert caught.value.report.attempts == 2
