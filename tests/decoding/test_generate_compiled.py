"""`generate` on compiled grammars: real masks, real vocabularies, the embedded pair."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest

import gramspec as gs
from gramspec.errors import BudgetTooSmallError, OptionError
from gramspec.validity import PrefixTrie, Viability
from tests.decoding.test_generate import p_value

VOCABULARY = gs.Vocabulary([b"a", b"b", b"ab", b"", None, b"ba"], [4])


def table(seed):
    def row(prefix):
        return 1.2 * np.random.default_rng([seed, *prefix]).standard_normal(6)

    return gs.models.TabularModel(row, 6, 4)


@pytest.mark.parametrize("law", ["conditional", "masked"])
@pytest.mark.parametrize("drafted", [False, True])
def test_draws_follow_the_exact_law_of_an_unbounded_grammar_within_the_budget(law, drafted):
    target, draft = table(1), table(2)
    grammar = gs.regex("a*b*a?")
    options = gs.DecodingOptions(gamma=2)
    exact = gs.audit.exact_law(
        target, grammar, 4, vocabulary=VOCABULARY, prompt=(0,), law=law, temperature=1.3
    )
    completions = gs.generate(
        target,
        [[0]],
        grammar,
        draft=draft if drafted else None,
        law=law,
        n=1500,
        max_new_tokens=4,
        temperature=1.3,
        seed=4,
        vocabulary=VOCABULARY,
        options=options,
    )[0]
    assert max(len(c.token_ids) for c in completions) == 4
    assert p_value(Counter(c.token_ids for c in completions), dict(exact)) > 1e-5
    for completion in completions[:50]:
        assert grammar.accepts(completion.text) and completion.token_ids[-1] == 4


def test_a_grammar_is_compiled_once_by_hand_or_on_the_way():
    target = table(3)
    compiled = gs.compile(gs.regex("(ab|ba){2}"), VOCABULARY)
    trie = PrefixTrie(Viability(compiled))
    by_hand = gs.generate(target, [[0]], compiled, max_new_tokens=5, seed=0, potential=trie)
    on_the_way = gs.generate(
        target, [[0]], gs.regex("(ab|ba){2}"), max_new_tokens=5, seed=0, vocabulary=VOCABULARY
    )
    assert by_hand[0][0].token_ids == on_the_way[0][0].token_ids
    with pytest.raises(OptionError, match="another grammar"):
        gs.generate(target, [[0]], gs.regex("(ab)*"), max_new_tokens=5, potential=trie, vocabulary=VOCABULARY)


def test_the_shortest_member_is_counted_in_tokens_across_the_grammar():
    target = table(3)
    with pytest.raises(BudgetTooSmallError, match="takes 3 tokens"):
        gs.generate(target, [[0]], gs.regex("abab"), max_new_tokens=2, vocabulary=VOCABULARY)
    [[only]] = gs.generate(target, [[0]], gs.regex("abab"), max_new_tokens=3, seed=0, vocabulary=VOCABULARY)
    assert only.token_ids == (2, 2, 4)


@pytest.fixture(scope="module")
def pair():
    pytest.importorskip("torch")
    return gs.models.embedded()


def test_the_embedded_pair_writes_what_the_schema_says(pair):
    target, draft = pair
    grammar = gs.json_schema({"type": "array", "items": {"type": "boolean"}, "maxItems": 3}, whitespace=1)
    prompt = "Flip 2 coins. Answer with a JSON array of booleans.\n"
    for law in ("conditional", "masked"):
        runs = [
            gs.generate(
                target,
                [text],
                grammar,
                draft=draft,
                law=law,
                n=3,
                max_new_tokens=16,
                seed=2,
                temperature=0.8,
                top_p=0.98,
            )[0]
            for text in (prompt, target.encode(prompt))
        ]
        assert [c.token_ids for c in runs[0]] == [c.token_ids for c in runs[1]]
        for completion in runs[0]:
            value = json.loads(completion.text)
            assert isinstance(value, list) and len(value) <= 3
        assert runs[0][0].report.target_forwards > 0 and runs[0][0].report.draft_forwards > 0


def test_an_empty_prompt_becomes_the_beginning_of_a_sequence(pair):
    target, draft = pair
    bos = target.encode("")
    results = gs.generate(
        target, [[], bos], gs.regex("[a-z ]{1,3}"), draft=draft, law="masked", max_new_tokens=5, n=2, seed=3
    )
    assert all(1 <= len(c.text) <= 3 for cs in results for c in cs)
