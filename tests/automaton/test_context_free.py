"""Random context-free grammars: members, masks and viability against CYK, Earley's parser and saturation."""

from __future__ import annotations

import pytest

import gramspec as gs
from gramspec.grammar import ir
from gramspec.testing.cfg import KINDS, Cfg, Earley, Letter, Name, Times
from gramspec.testing.cyk import Cyk
from gramspec.testing.oracle import Recogniser
from tests.automaton.cfg_fuzz import case, finds, words

A, B = Letter(b"a"), Letter(b"b")
# `S: | A S "b"`, `A: S | A "a" | (A | "a")*`: nullable, left-recursive, hidden, cyclic and ambiguous at once.
AWKWARD = Cfg(
    (
        ((), (Name(1), Name(0), B)),
        ((Name(0),), (Name(1), A), (Times(((Name(1),), (A,)), 0, None),)),
        ((Name(2), A),),
    )
)


@pytest.mark.parametrize("part", range(8))
def test_the_automaton_agrees_with_the_oracles(part: int) -> None:
    assert not list(finds(100_000 + 120 * part, 120, earley_every=0))


def test_earley_agrees_too() -> None:
    assert not list(finds(7_000, 24, earley_every=1))


def test_the_oracles_read_a_grammar_by_hand() -> None:
    oracle, other, slow = Cyk(AWKWARD.expr()), Earley(AWKWARD.lark()), Recogniser(AWKWARD.expr())
    grammar = gs.Grammar(AWKWARD.expr())
    for word in words(b"ab", 5):
        wanted = word == b"" or word.endswith(b"b")
        found = (oracle.accepts(word), slow.accepts(word), grammar.accepts(word))
        assert found == (wanted,) * 3, word
        assert oracle.viable(word)
        if len(word) < 4:
            assert other.accepts(word.decode()) == wanted, word


def test_a_planted_difference_is_found() -> None:
    balanced, unbalanced = ir.Rule("s"), ir.Rule("s")
    for rule, end in ((balanced, ir.EPSILON), (unbalanced, ir.literal("b"))):
        rule.define(ir.union(ir.concat(ir.literal("a"), ir.Ref(rule), ir.literal("b")), end))
    grammar, oracle = gs.Grammar(ir.Ref(balanced)), Cyk(ir.Ref(unbalanced))
    assert [w for w in words(b"ab", 3) if grammar.accepts(w) != oracle.accepts(w)] == [
        b"",
        b"b",
        b"ab",
        b"abb",
    ]
    assert not oracle.viable(b"ba") and oracle.viable(b"aab")


def test_cyk_knows_what_has_no_member() -> None:
    loop = ir.Rule("loop")
    loop.define(ir.union(ir.concat(ir.literal("a"), ir.Ref(loop)), ir.Ref(loop)))
    oracle = Cyk(ir.Ref(loop))
    assert not oracle.lives and not oracle.viable(b"a") and not oracle.accepts(b"")
    with pytest.raises(TypeError, match="Not"):
        Cyk(ir.Not(ir.EPSILON))


def test_cyk_counts_repetitions() -> None:
    oracle = Cyk(ir.repeat(ir.concat(ir.literal("a"), ir.optional(ir.literal("b"))), 2, 3))
    assert [oracle.accepts(w) for w in (b"a", b"aa", b"abab", b"aaba", b"aaaa")] == [
        False,
        True,
        True,
        True,
        False,
    ]


def test_the_generator_makes_what_it_says() -> None:
    """Empty languages, empty words and infinite languages all occur."""
    oracles = [Cyk(case((kind, number))[1].expr()) for kind in range(len(KINDS)) for number in range(30)]
    assert sum(not oracle.lives for oracle in oracles) >= 5
    assert sum(oracle.empty for oracle in oracles) >= 50
    assert sum(oracle.lives and not oracle.empty for oracle in oracles) >= 50
