"""Sets of tokens: matchers against all token sequences of small vocabularies, masks, budgets, storing."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest

import gramspec as gs
from gramspec.automaton.fingerprint import fingerprint
from gramspec.grammar import ir
from gramspec.grammar.core import Grammar
from gramspec.testing.oracle import EDGE_BASE, Recogniser

TOKENS = [b"a", b"b", b"ab", None, None, None]
NAMES = {"<t>": 3, "<e>": 5}
EOS = 5
VOCABULARY = gs.Vocabulary(TOKENS, [EOS], special_tokens=NAMES)
READABLE = [0, 1, 2, 3]  # 4 is neither text nor named


def part(rng: random.Random, depth: int) -> ir.Expr:
    kind = rng.randrange(8 if depth else 4)
    if kind == 0:
        return ir.literal(rng.choice([b"a", b"b", b"ab"]))
    if kind == 1:
        return ir.TokenEdge(rng.choice([0, 2, 3, "<t>"]))
    if kind in (2, 3):
        return ir.TokenSet(tuple(rng.sample([0, 1, 2, "<t>"], rng.randint(1, 3))), rng.random() < 0.6)
    if kind == 4:
        return ir.repeat(part(rng, depth - 1), rng.randrange(2), rng.choice([2, None]))
    if kind == 5:
        return ir.union(part(rng, depth - 1), part(rng, depth - 1))
    return ir.concat(part(rng, depth - 1), part(rng, depth - 1))


def member(known: Recogniser, ids: tuple[int, ...]) -> bool:
    """Whether some reading of the ids, each as its bytes or as itself, is in the language."""
    ways = [[tuple(TOKENS[i] or b"")] * bool(TOKENS[i]) + [(EDGE_BASE + i,)] for i in ids]
    return any(known.accepts(tuple(itertools.chain(*way))) for way in itertools.product(*ways))


@pytest.mark.parametrize("seed", range(12))
def test_matchers_read_what_the_oracle_reads(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(3):
        expr = part(rng, 3)
        compiled = gs.compile(Grammar(expr), VOCABULARY)
        known = Recogniser(expr, special_tokens=NAMES)
        reachable: dict[tuple[int, ...], bool] = {}
        for length in range(5, -1, -1):
            for ids in itertools.product(READABLE, repeat=length):
                here = member(known, ids)
                reachable[ids] = here or any(reachable.get((*ids, t), False) for t in READABLE)
                if length > 3:
                    continue  # what is longer only says what can be finished
                matcher = compiled.matcher()
                taken = matcher.advance_many(ids)
                if taken == length:
                    assert matcher.is_accepting == here, (expr, ids)
                    allowed = {int(i) for i in matcher.allowed_ids()} - {EOS}
                    assert allowed >= {t for t in READABLE if reachable[(*ids, t)]}, (expr, ids)
                    assert 4 not in allowed
                    if matcher.min_tokens(exact=True, cap=3) == 1:
                        assert here
                else:
                    assert not reachable[ids], (expr, ids)


def test_masks_of_sets() -> None:
    anything = gs.compile(gs.any_token(), VOCABULARY)
    assert anything.matcher().allowed_ids().tolist() == READABLE
    some = gs.compile(gs.any_token(exclude=["<t>", 1]) + gs.token("<t>"), VOCABULARY).matcher()
    assert some.allowed_ids().tolist() == [0, 2]
    some.advance(2)
    assert some.allowed_ids().tolist() == [3]
    named = gs.compile(Grammar(ir.TokenSet(("<t>", 0))), VOCABULARY)
    assert named.matcher().allowed_ids().tolist() == [0, 3]
    assert not named.matcher().forced_ids() and named.matcher().forced_bytes() == b""


def test_sets_under_budgets() -> None:
    rest = ir.repeat(ir.TokenSet(("<t>",), negated=True))
    compiled = gs.compile(Grammar(ir.concat(rest, ir.TokenEdge("<t>"), ir.literal("b"))), VOCABULARY)
    matcher = compiled.matcher()
    assert matcher.min_tokens(exact=True) == 3
    for budget, wanted in ((2, []), (3, [3]), (4, READABLE)):
        exact = matcher.viable(budget, exact=True)
        assert np.flatnonzero(exact).tolist() == wanted
        assert not (exact & ~matcher.viable(budget)).any()


def test_membership_without_a_vocabulary() -> None:
    grammar = gs.any_token(exclude=[7]) + gs.literal("x")
    assert grammar.accepts([300, b"x"]) and grammar.accepts([0, b"x"]) and grammar.accepts([10**9, b"x"])
    assert not grammar.accepts([7, b"x"]) and not grammar.accepts("ax") and not grammar.accepts([-1, b"x"])
    named = gs.literal("x") | gs.any_token(exclude=["<t>"])
    assert named.accepts("x") and not named.accepts("xx")
    with pytest.raises(gs.VocabularyError, match="names the special token"):
        named.accepts([7])


def test_sets_are_stored_and_told_apart() -> None:
    by_name, by_id = gs.any_token(exclude=["<t>"]), gs.any_token(exclude=[3])
    assert fingerprint(by_name.expr) != fingerprint(by_id.expr)
    assert fingerprint(by_name.expr) != fingerprint(ir.TokenSet(("<t>",)))
    other = gs.Vocabulary([b"a", None, None], [2], special_tokens={"<t>": 1})
    for grammar in (by_name, by_id):
        data = gs.compile(grammar, VOCABULARY).to_bytes()
        again = gs.CompiledGrammar.from_bytes(data, VOCABULARY)
        assert again.matcher().allowed_ids().tolist() == [0, 1, 2]
        if grammar is by_name:
            moved = gs.CompiledGrammar.from_bytes(data, other, other_vocabulary=True)
            assert moved.matcher().allowed_ids().tolist() == [0]
        else:
            with pytest.raises(gs.VocabularyError, match="edges by id"):
                gs.CompiledGrammar.from_bytes(data, other, other_vocabulary=True)


def test_sets_that_are_refused() -> None:
    for bad in (9, "<u>"):
        with pytest.raises(gs.VocabularyError):
            gs.compile(gs.any_token(exclude=[bad]), VOCABULARY)
    with pytest.raises(gs.VocabularyError, match="EOS"):
        gs.compile(Grammar(ir.TokenSet((EOS,))), VOCABULARY)
    assert gs.compile(gs.any_token(exclude=[EOS]), VOCABULARY).matcher().allowed_ids().tolist() == READABLE
    with pytest.raises(gs.VocabularyError, match="spell"):
        gs.compile(gs.any_token(exclude=[0, 1, 2, 3]), VOCABULARY)
    with pytest.raises(gs.GrammarError, match="regular"):
        gs.any_token() & gs.literal("a")
    with pytest.raises(gs.VocabularyError, match="token 2 is spelled like this"):
        gs.compile(gs.token("ab"), VOCABULARY)
    with pytest.raises(gs.GrammarError) as caught:
        gs.any_token(exclude=["<t>", None])  # type: ignore[list-item]
    assert caught.value.pointer == "/exclude/1"
    with pytest.raises(gs.GrammarError, match="listed"):
        gs.any_token(exclude="<t>")
