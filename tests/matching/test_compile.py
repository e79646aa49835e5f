"""`compile` and what it refuses: empty languages, vocabularies, limits; whole-string membership and algebra.

Each limit raises by its own name, and an engine that met one still gives right answers.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

import pytest
from small_vocabulary import EOS, TOKENS, TOOL, compiled, ids, vocabulary

import gramspec as gs
from gramspec.grammar import ir
from gramspec.grammar.core import Grammar

# -- compile ----------------------------------------------------------------------------------------


def test_a_compiled_grammar_describes_itself() -> None:
    one, same, other = compiled("(ab)+"), compiled("(ab)+"), compiled("(ab)*")
    assert one.masks_exact and one.residuals == []
    assert one.fingerprint == same.fingerprint != other.fingerprint
    wider = gs.compile(one.grammar, gs.Vocabulary([*TOKENS, b"q"], EOS, special_tokens=TOOL))
    assert wider.fingerprint != one.fingerprint
    assert one.shortest_text() == b"ab" and other.shortest_text() == b""
    assert compiled("a{9}").shortest_text(limit=8) is None
    assert compiled(Grammar(ir.TokenEdge(5))).shortest_text() is None
    one.matcher().allowed_ids()
    figures = one.statistics()
    assert figures["trie_nodes"] == 8 and figures["states"] > 0 and figures["row_bytes"] > 0
    assert figures["rows_cold"] + figures["rows_spliced"] + figures["rows_counted"] > 0
    assert "on 11 tokens" in repr(one)


@pytest.mark.parametrize(
    "expr",
    [
        ir.EMPTY,
        ir.byte_set([]),
        ir.And((ir.literal("a"), ir.literal("b"))),
        ir.And((ir.repeat(ir.literal("ab")), ir.repeat(ir.literal("aab"), 1))),
        ir.concat(ir.literal("a"), ir.And((ir.literal("a"), ir.Not(ir.literal("a"))))),
    ],
)
def test_empty_languages(expr: ir.Expr) -> None:
    for _ in range(2):
        with pytest.raises(gs.EmptyLanguageError, match="no string satisfies"):
            compiled(Grammar(expr))


def test_a_rule_that_never_ends_is_empty() -> None:
    rule = ir.Rule("a")
    rule.define(ir.concat(ir.literal("a"), ir.Ref(rule)))
    with pytest.raises(gs.EmptyLanguageError):
        compiled(Grammar(ir.Ref(rule)))
    open_rule = Grammar(ir.Ref(ir.Rule("lost")))
    for _ in range(2):
        with pytest.raises(gs.GrammarError, match=r"lost.*never defined"):
            compiled(open_rule)


@pytest.mark.parametrize("pattern", ["q", "aq", "(ab)+[q-w]"])
def test_members_that_the_vocabulary_cannot_spell(pattern: str) -> None:
    with pytest.raises(gs.VocabularyError, match="cannot spell"):
        compiled(pattern)


def test_dead_branches_are_never_entered() -> None:
    # No token is b"d" or holds one: after "ab" only "c" can follow.
    assert ids(compiled("abc|ad|abd|d").matcher()) == [0, 2, 7, 8]
    one = gs.compile(gs.regex("ab|cb"), gs.Vocabulary([b"ab", b"c", b"a", None], [3]))
    assert ids(one.matcher()) == [0], "b alone is no token: neither a nor c leads anywhere"
    with pytest.raises(gs.RejectedTokenError):
        one.matcher().advance(1)


def test_compile_refuses_other_types() -> None:
    with pytest.raises(gs.OptionError, match="Grammar"):
        gs.compile("a+", vocabulary())  # type: ignore[arg-type]
    with pytest.raises(gs.OptionError, match="Vocabulary"):
        gs.compile(gs.regex("a"), TOKENS)  # type: ignore[arg-type]


# -- limits -----------------------------------------------------------------------------------------


def nested() -> Grammar:
    rule = ir.Rule("n")
    rule.define(ir.union(ir.literal("c"), ir.concat(ir.literal("a"), ir.Ref(rule), ir.literal("b"))))
    return Grammar(ir.Ref(rule))


def walk(one: gs.CompiledGrammar, tokens: Sequence[int]) -> None:
    matcher = one.matcher()
    for token in tokens:
        matcher.allowed_ids()
        matcher.advance(token)
    matcher.allowed_ids()


@pytest.mark.parametrize(
    ("field", "value", "grammar", "tokens"),
    [
        ("max_nodes", 3, gs.regex("abca"), []),
        ("max_states", 8, gs.regex("abcaabca"), []),
        ("max_configurations", 40, gs.regex("a{0,1000}"), [0] * 100),
        ("max_stack_depth", 30, nested(), [0] * 100),
        ("max_row_bytes", 60, gs.regex("(abc|cab|ba)+x"), [0, 1, 4, 4, 0, 1, 3]),
        ("mask_steps", 3, gs.regex("[abc]*"), []),
    ],
)
def test_limits_raise_by_their_own_name(field: str, value: int, grammar: Grammar, tokens: list[int]) -> None:
    walk(compiled(grammar), tokens)  # the default limits are enough
    for _ in range(2):  # and an engine that hit a limit raises again, or gives right answers
        with pytest.raises(gs.LimitError) as caught:
            walk(compiled(grammar, **{field: value}), tokens)
        assert caught.value.limit == field and str(caught.value).startswith(f"{field}: ")
    walk(compiled(grammar), tokens)


def test_a_limit_met_while_reading_leaves_the_state() -> None:
    matcher = compiled(nested(), max_stack_depth=30).matcher()
    read = 0
    with pytest.raises(gs.LimitError) as caught:
        for _ in range(100):
            matcher.advance(0)
            read += 1
    assert caught.value.limit == "max_stack_depth" and 10 < read < 32
    matcher.rollback(read)
    with pytest.raises(ValueError, match="of 0"):
        matcher.rollback(1)
    assert ids(matcher) == [0, 4, 7] and matcher.advance_many([0, 4, 1]) == 3 and matcher.is_accepting


def test_compile_seconds_is_a_backstop() -> None:
    words = gs.choice([f"{a}{b}" for a in itertools.product("abc", repeat=5) for b in range(9)])
    with pytest.raises(gs.LimitError) as caught:
        gs.compile(
            Grammar(ir.concat(*(ir.repeat(words.expr, i, i + 1) for i in range(2, 6000)))),
            vocabulary(),
            limits=gs.Limits(compile_seconds=0.0),
        )
    assert caught.value.limit == "compile_seconds"


def test_search_steps_bound_exact_budgets() -> None:
    grammar = gs.regex("(aba|bac){12}")
    matcher = compiled(grammar, search_steps=20).matcher()
    for ask in (matcher.min_tokens, lambda exact: matcher.viable(14, exact=exact)):
        with pytest.raises(gs.LimitError) as caught:
            ask(exact=True)
        assert caught.value.limit == "search_steps"
    # ba c ba c …: two tokens for each three bytes; ab ab ac is no member, ab a ba c is: 2 for each item.
    assert compiled(grammar).matcher().min_tokens(exact=True) == 25


def test_a_failed_compile_leaves_the_engine_usable() -> None:
    v, limits = vocabulary(), gs.Limits(max_nodes=40)
    rule, other = ir.Rule("r"), ir.Rule("s")
    rule.define(ir.union(ir.literal("c"), ir.concat(ir.literal("a"), ir.Ref(rule), ir.Ref(other))))
    other.define(ir.concat(*(ir.byte_set([97]) for _ in range(60))))
    for _ in range(2):
        with pytest.raises(gs.LimitError):
            gs.compile(Grammar(ir.Ref(rule)), v, limits=limits)
    assert ids(gs.compile(gs.regex("abc"), v, limits=limits).matcher()) == [0, 2, 7, 8]
    assert ids(gs.compile(nested(), v, limits=limits).matcher()) == [0, 4, 7]


# -- membership -------------------------------------------------------------------------------------


def test_accepts() -> None:
    grammar = gs.regex("[é☃]+b")
    assert grammar.accepts("é☃b") and grammar.accepts("é☃b".encode())
    assert grammar.accepts([b"\xc3", b"\xa9b"]) and grammar.accepts([b"", "é".encode(), b"b"])
    assert not grammar.accepts("é") and not grammar.accepts(b"\xc3") and not grammar.accepts([])
    with pytest.raises(UnicodeEncodeError):
        grammar.accepts("\ud800b")
    assert gs.regex("").accepts("") and gs.regex("").accepts([])
    assert not Grammar(ir.EMPTY).accepts("")


def test_accepts_with_token_edges() -> None:
    grammar = Grammar(ir.concat(ir.literal("a"), ir.TokenEdge(300), ir.literal("b")))
    assert grammar.accepts([b"a", 300, b"b"])
    assert not grammar.accepts([b"a", 299, b"b"]) and not grammar.accepts([b"a", b"b"])
    assert not grammar.accepts([b"a", 1 << 40, b"b"]) and not grammar.accepts([b"a", -1, b"b"])
    # An id below 256 is an edge, not the byte of that value.
    low = Grammar(ir.concat(ir.TokenEdge(97), ir.literal("b")))
    assert low.accepts([97, b"b"]) and not low.accepts("ab")
    assert not gs.regex("a").accepts([97])


def test_union_and_concatenation_of_grammars() -> None:
    a, b = gs.regex("a+"), gs.choice(["b", "ba"])
    either, both = a | b, a + b
    texts = ["".join(t) for n in range(5) for t in itertools.product("ab", repeat=n)]
    for text in texts:
        assert either.accepts(text) == (re.fullmatch("a+|b|ba", text) is not None)
        assert both.accepts(text) == (re.fullmatch("a+ba?", text) is not None)
    assert (a + b + a).accepts("abaa") and (a | b | gs.literal("x")).accepts("x")
    assert ids(compiled(either).matcher()) == [0, 1, 3, 7]
    assert ids(compiled(both).matcher()) == [0, 2, 7]
    assert "|" in repr(either) and "+" in repr(both)
