"""Structural tags on tiny worlds: members by a reading of the text, conditional laws by enumeration."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import Any

import pytest
from benches import bench

import gramspec as gs
from gramspec.testing.grammars import SmallVocabulary
from gramspec.testing.proofs import prove_frozen, prove_learned, prove_masked, prove_restarts
from gramspec.testing.worlds import World, random_rows

TOKENS = (b"a", b"<", b"<a", b">", None, None)
TOOL, EOS = 4, 5
SMALL = SmallVocabulary(TOKENS, [EOS], {"<|tool|>": TOOL})


def const(text: str) -> dict[str, Any]:
    return {"type": "const_string", "value": text}


def tag(begin: object, content: object, end: object) -> dict[str, Any]:
    return {"type": "tag", "begin": begin, "content": content, "end": end}


TOKEN = {"type": "token", "token": "<|tool|>"}
FORMATS: dict[str, object] = {
    "triggered": {"type": "triggered_tags", "triggers": ["<"], "tags": [tag("<a", const(""), ">")]},
    "once": {
        "type": "triggered_tags",
        "triggers": ["<"],
        "tags": [tag("<", {"type": "any_text"}, ">")],
        "stop_after_first": True,
        "at_least_one": True,
    },
    "dispatch": {"type": "dispatch", "rules": [["aa", const("<")], ["<", const(">")]]},
    "token": {"type": "sequence", "elements": [{"type": "any_text", "excludes": ["<"]}, TOKEN, const("a")]},
    "tagged": {"type": "star", "content": tag(TOKEN, {"type": "any_text", "max_chars": 2}, ">")},
}


def world(name: str, seed: int) -> World:
    grammar = gs.structural_tag({"type": "structural_tag", "format": FORMATS[name]})
    width = len(TOKENS)
    target = random_rows(seed, width)
    draft = random_rows(seed + 1, width, base=target)
    return World(seed, name, grammar.expr, SMALL, width, 4, (), 1.0, 0, 1.0, 2, target, draft)


def calls_only(text: str) -> bool:
    """Free text in which every ``<`` begins ``<a>``."""
    while "<" in text:
        text = text[text.index("<") :]
        if not text.startswith("<a>"):
            return False
        text = text[3:]
    return True


def test_members_are_the_texts_that_read_so() -> None:
    here = world("triggered", 1)
    wanted = set()
    for length in range(here.max_new_tokens):
        for body in itertools.product(range(4), repeat=length):
            if calls_only(b"".join(TOKENS[t] or b"" for t in body).decode()):
                wanted.add((*body, EOS))
    assert set(here.members) == wanted


@pytest.mark.parametrize("name", FORMATS)
def test_the_law_over_a_structural_tag_is_exact(name: str) -> None:
    for seed in range(2):
        here = world(name, 10 * seed)
        assert 0.0 < here.phi < 1.0
        for gamma in (0, 2):
            variant = replace(here, gamma=gamma, draft_rows=here.draft_rows if gamma else None)
            b = bench(variant, "native", slack=seed)
            assert prove_frozen(b, b.killed(b.learned())) <= 1e-12
            assert prove_masked(b) <= 1e-12
            assert prove_learned(b, 2, seed, together=1 + seed) <= 1e-12


def test_restarts_over_a_structural_tag_are_exact() -> None:
    here = replace(world("once", 3), max_new_tokens=3, gamma=0, draft_rows=None)
    assert prove_restarts(bench(here, "native", slack=0), 2) <= 1e-12


def free_tokens(ids: tuple[int, ...]) -> bool:
    """A tag ``<|tool|>a``, then any tokens in which every ``<|tool|>`` has an ``a`` behind it."""
    return ids[:2] == (TOOL, 0) and all(ids[i + 1 : i + 2] == (0,) for i, t in enumerate(ids) if t == TOOL)


def test_the_law_over_sets_of_tokens_is_exact() -> None:
    form = {
        "type": "token_triggered_tags",
        "trigger_tokens": ["<|tool|>"],
        "tags": [tag(TOKEN, const("a"), "")],
        "at_least_one": True,
    }
    here = world("token", 7)
    grammar = gs.structural_tag({"type": "structural_tag", "format": form})
    weights = {}
    for length in range(5):
        for body in itertools.product(range(5), repeat=length):
            if free_tokens(body):
                weights[*body, EOS] = math.prod(
                    float(here.row(body[:t])[token]) for t, token in enumerate((*body, EOS))
                )
    law = gs.audit.exact_law(here.target, grammar, 5, vocabulary=here.vocabulary)
    assert len(weights) > 20 and set(law) <= set(weights)
    total = math.fsum(weights.values())
    assert max(abs(law.get(ids, 0.0) - weight / total) for ids, weight in weights.items()) <= 1e-12
    draws = gs.generate(
        here.target, [[]], grammar, vocabulary=here.vocabulary, max_new_tokens=5, n=20, seed=2
    )
    assert {tuple(draw.token_ids) for draw in draws[0]} <= set(weights)
    assert all(draw.report.guarantee == "exact" for draw in draws[0])


def test_completions_show_what_is_spelled() -> None:
    here = world("token", 4)
    [[completion]] = gs.generate(
        here.target, [[]], here.grammar, vocabulary=here.vocabulary, max_new_tokens=5, seed=1
    )
    assert tuple(completion.token_ids) in set(here.members)
    assert TOOL in completion.token_ids and completion.text == completion.text.replace("<|tool|>", "")
