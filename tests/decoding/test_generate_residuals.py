"""`generate` on grammars with residual predicates: every text satisfies them, errors and labels say so."""

from __future__ import annotations

import numpy as np
import pytest

import gramspec as gs
from gramspec.decoding.options import DecodingOptions
from gramspec.grammar.core import Predicate
from gramspec.models.tabular import TabularModel

A, B, EOS = 0, 1, 2
VOCABULARY = gs.Vocabulary([b"a", b"b", None], [EOS])


def balanced(text: bytes) -> bool:
    return text.count(b"a") == text.count(b"b")


def grammar(pattern: str = "[ab]*") -> gs.Grammar:
    predicate = Predicate("@0", "balanced", "counts are compared", "balanced", balanced)
    return gs.Grammar(gs.regex(pattern).expr, "balanced texts", (predicate,))


def model(a: float = 0.0, b: float = 0.0, end: float = 0.0) -> TabularModel:
    return TabularModel(lambda prefix: np.array([a, b, end]), 3, EOS)


@pytest.mark.parametrize("draft", [None, model(1.0, 0.0, -1.0)])
def test_conditional_texts_satisfy_the_predicate(draft: TabularModel | None) -> None:
    [completions] = gs.generate(
        model(), [[]], grammar(), draft=draft, vocabulary=VOCABULARY, max_new_tokens=9, n=40, seed=3
    )
    texts = {completion.text for completion in completions}
    assert all(balanced(text.encode()) for text in texts) and len(texts) > 3
    report = completions[0].report
    assert report.guarantee == "exact" and report.law == "conditional"
    assert max(completion.report.attempts for completion in completions) > 1


def test_masked_draws_are_labelled_and_dead_ends_are_errors() -> None:
    texts, dead = set(), []
    for seed in range(30):
        try:
            [[found]] = gs.generate(
                model(), [[]], grammar(), vocabulary=VOCABULARY, law="masked", max_new_tokens=5, seed=seed
            )
        except gs.DeadEndError as error:
            dead.append(str(error))
            continue
        texts.add(found.text)
        assert found.report.law == "masked|R"
    assert all(balanced(text.encode()) for text in texts) and len(texts) > 1
    assert dead and all("@0: balanced (counts are compared)" in message for message in dead)
    [[exact]] = gs.generate(
        model(), [[]], gs.regex("[ab]*"), vocabulary=VOCABULARY, law="masked", max_new_tokens=5, seed=1
    )
    assert exact.report.law == "masked"


def test_a_language_that_the_predicate_empties_is_certified_empty() -> None:
    with pytest.raises(gs.UndefinedLawError):
        gs.generate(model(), [[]], grammar("a|aa|abb"), vocabulary=VOCABULARY, max_new_tokens=4, seed=0)


def test_a_predicate_that_the_model_avoids_exhausts_the_budget() -> None:
    with pytest.raises(gs.BudgetExhaustedError):
        gs.generate(
            model(a=30.0),
            [[]],
            grammar("[ab]{2,}"),
            vocabulary=VOCABULARY,
            max_new_tokens=30,
            seed=0,
            options=DecodingOptions(max_attempts=5),
        )


def test_the_shortest_text_of_the_automaton_is_a_lower_bound_only() -> None:
    with pytest.raises(gs.BudgetTooSmallError, match="at least 4 tokens"):
        gs.generate(model(), [[]], grammar("[ab]{3,}"), vocabulary=VOCABULARY, max_new_tokens=2, seed=0)
