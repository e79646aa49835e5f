"""Named rules of grammars written by hand: names, places, empty languages, and what becomes of recursion."""

from __future__ import annotations

import pytest

from gramspec.errors import EmptyLanguageError, GrammarError, caret
from gramspec.grammar import ir
from gramspec.grammar.core import Grammar
from gramspec.grammar.rules import Position, Rules


def reader(text: str) -> Rules:
    """Rules from lines ``name = word word | word``: a quoted word is itself, others are references."""
    rules = Rules(text)
    offset = 0
    for line in text.split("\n"):
        name, _, body = line.partition("=")
        alternatives = []
        place = offset + len(name) + 1
        for part in body.split("|"):
            items: list[ir.Expr] = []
            for word in part.split():
                at = rules.position(place + part.index(word))
                is_text = word.startswith("'")
                items.append(ir.literal(word.strip("'")) if is_text else rules.reference(word, at))
            alternatives.append(ir.concat(*items))
            place += len(part) + 1
        rules.define(name.strip(), ir.union(*alternatives), rules.position(offset))
        offset += len(line) + 1
    return rules


def test_recursive_rules_denote_what_they_say() -> None:
    grammar = Grammar(reader("s = s '+' t | t\nt = '(' s ')' | 'x'").finish("s"))
    assert all(grammar.accepts(text) for text in ("x", "x+x", "(x+(x))+x"))
    assert not any(grammar.accepts(text) for text in ("", "x+", "(x", "x)"))


def test_rules_without_recursion_are_a_regular_expression() -> None:
    words = "w = 'a' | 'b' | 'c' | 'd' | 'e' | 'f' | 'g' | 'h' | 'ij' | 'kl' | 'mn' | 'op'"
    expr = reader(f"s = w '-' w x\nx = y | \ny = 'z' w\n{words}").finish("s")
    assert not any(isinstance(node, ir.Ref) for node in ir.walk(expr))
    assert any(isinstance(node, ir.Call) for node in ir.walk(expr))
    grammar = Grammar(expr)
    assert grammar.accepts("a-opzij") and grammar.accepts("mn-a") and not grammar.accepts("a-z")
    assert (~grammar).accepts("a-z")


@pytest.mark.parametrize(
    ("text", "pointer", "words"),
    [
        ("s = value\nvalues = 'x'", "1:5", "did you mean `values`?"),
        ("s = 'a'\nt = zzz | 'b'", "2:5", "defined are `s`, `t`"),
        ("s = 'a'\n\ns = 'b'".replace("\n\n", "\n"), "2:1", "defined twice, first at 1:1"),
        ("t = 'a'", "1:1", "start rule `s` is not defined"),
    ],
)
def test_bad_names_are_refused_with_their_place(text: str, pointer: str, words: str) -> None:
    with pytest.raises(GrammarError) as caught:
        reader(text).finish("s")
    assert caught.value.pointer == pointer
    assert words in str(caught.value)
    assert f"    {text.split(chr(10))[int(pointer[0]) - 1]}\n" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("s = s 'a'", "`s` needs itself"),
        ("s = a\na = 'x' b\nb = c\nc = 'y' a", "`a` needs `b`, `c`, which need `a` again"),
    ],
)
def test_a_grammar_without_members_is_refused(text: str, words: str) -> None:
    with pytest.raises(EmptyLanguageError, match="has no member") as caught:
        reader(text).finish("s")
    assert words in str(caught.value)


def test_rules_without_use_or_without_members_are_noted() -> None:
    rules = reader("s = 'a' | b\nb = 'x' b\nc = 'y'")
    grammar = Grammar(rules.finish("s"))
    assert grammar.accepts("a") and not grammar.accepts("x")
    assert [str(note) for note in rules.notes] == [
        "2:1: rule `b` has no member: it never ends",
        "3:1: rule `c` is not used from `s`",
    ]


def test_recursion_of_some_rules_can_be_refused() -> None:
    rules = reader("s = s A | A\nA = 'a' B\nB = A | 'b'")
    with pytest.raises(GrammarError, match="rule `A` uses itself by way of `B`") as caught:
        rules.refuse_recursion(["A", "B"])
    assert caught.value.pointer == "2:1"
    reader("s = s A | A\nA = 'a'").refuse_recursion(["A"])


def test_long_chains_take_no_recursion() -> None:
    lines = [f"r{i} = 'a' r{i + 1}" for i in range(3000)]
    grammar = Grammar(reader("\n".join([*lines, "r3000 = 'b'"])).finish("r0"))
    assert grammar.accepts("a" * 3000 + "b") and not grammar.accepts("a" * 2999 + "b")
    doubling = [f"r{i} = r{i + 1} r{i + 1} 'x' r{i + 1}" for i in range(200)]
    expr = reader("\n".join([*doubling, "r200 = 'b' | r0"])).finish("r0")
    assert sum(1 for _ in ir.walk(expr)) < 2000


def test_a_place_shows_its_line() -> None:
    place = Position("ab\ncd\tef\n", 6, "other.lark")
    assert str(place) == "other.lark:2:4"
    assert str(place.error("bad")).split("\n") == ["other.lark:2:4: bad", "    cd ef", "       ^"]
    assert caret("x" * 200, 1, 101) == "\n    " + "x" * 80 + "\n    " + " " * 40 + "^"
    assert caret("", 1, 1) == "\n    \n    ^"
