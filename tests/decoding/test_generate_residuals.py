"""`generate` on grammars with residual predicates: every text satisfies them, errors and labels say so."""

from __future__ import annotations

import itertools
import json
import math
from decimal import Decimal

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


# -- a JSON Schema whose items are open -----------------------------------------------------------------

PIECES: list[bytes | None] = [b"[", b"]", b",", b"1", b".0", b"1,", None]
END = 6


def unique(text: bytes) -> bool:
    """Whether a text is an array of different numbers, by the standard library."""
    try:
        value = json.loads(text, parse_int=Decimal, parse_float=Decimal)
    except ValueError:
        return False
    numbers = isinstance(value, list) and all(isinstance(item, Decimal) for item in value)
    return numbers and len(set(value)) == len(value) > 0


def members(budget: int) -> set[tuple[int, ...]]:
    bodies = (ids for n in range(budget) for ids in itertools.product(range(END), repeat=n))
    return {(*ids, END) for ids in bodies if unique(b"".join(PIECES[t] or b"" for t in ids))}


def weights(prefix: object) -> np.ndarray:
    """A model that likes repetition; deterministic in the prefix."""
    seed = [int(t) for t in prefix]  # type: ignore[attr-defined]
    return np.random.default_rng([5, *seed]).standard_normal(END + 1) + np.array([0, 1, 1, 1, 0, 0, 0])


def test_the_law_of_a_schema_with_unique_items_is_that_by_brute_force() -> None:
    schema = {"type": "array", "items": {"type": "number"}, "minItems": 1, "uniqueItems": True}
    vocabulary = gs.Vocabulary(PIECES, [END])
    compiled = gs.compile(gs.json_schema(schema, whitespace="compact"), vocabulary)
    assert [line.split(":")[0] for line in compiled.residuals] == ["/uniqueItems"]
    target = TabularModel(weights, END + 1, END)
    budget = 7
    expected = {}
    for ids in members(budget):
        rows = [np.exp(weights(ids[:t])) for t in range(len(ids))]
        expected[ids] = math.prod(float(row[v] / row.sum()) for row, v in zip(rows, ids, strict=True))
    phi = math.fsum(expected.values())
    law = gs.audit.exact_law(target, compiled, budget, vocabulary=vocabulary)
    assert set(law) == set(expected) and len(expected) >= 20
    assert law.log_phi == pytest.approx(math.log(phi), abs=1e-12)
    assert max(abs(law[ids] - p / phi) for ids, p in expected.items()) <= 1e-12
    masked = gs.audit.exact_law(target, compiled, budget, vocabulary=vocabulary, law="masked")
    assert set(masked) <= set(expected) and 0.0 < masked.unresolved < 1.0
    [drawn] = gs.generate(
        target, [[]], compiled, max_new_tokens=budget, n=60, seed=2, draft=TabularModel(weights, END + 1, END)
    )
    assert {x.token_ids for x in drawn} <= set(expected)
