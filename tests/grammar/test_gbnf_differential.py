"""Random grammars in GBNF against an oracle that enumerates, and against xgrammar where it is installed."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
from gbnf_oracle import language, random_rules, written

import gramspec as gs
from gramspec.automaton.members import WeightedMembers, seeded
from gramspec.grammar.gbnf import Dialect

ALPHABET = "abc"
TEXTS = ["".join(letters) for length in range(5) for letters in product(ALPHABET, repeat=length)]


def verdicts(text: str, dialect: Dialect = "llama.cpp") -> set[str]:
    """The members among `TEXTS`; none where the language is empty."""
    try:
        grammar = gs.gbnf(text, dialect=dialect)
    except gs.EmptyLanguageError:
        return set()
    return {member for member in TEXTS if grammar.accepts(member)}


@pytest.mark.parametrize("part", range(4))
def test_random_grammars_have_the_language_of_their_rules(part: int) -> None:
    rng = random.Random(part)
    members = 0
    for _ in range(60):
        rules = random_rules(rng)
        expected = language(rules, "root", ALPHABET, 4)
        text = written(rules, rng)
        assert verdicts(text) == expected, text
        members += len(expected)
    assert members > 200


def xgrammar_accepts(text: str) -> Callable[[str], bool]:
    xgrammar: Any = pytest.importorskip("xgrammar")
    testing: Any = pytest.importorskip("xgrammar.testing")
    grammar = xgrammar.Grammar.from_ebnf(text)

    def accepts(candidate: str) -> bool:
        return bool(testing._is_grammar_accept_string(grammar, candidate))

    return accepts


def test_random_grammars_against_xgrammar() -> None:
    """Guarded ones: rules that begin with themselves by way of empty ones crash it."""
    rng = random.Random(99)
    for _ in range(40):
        text = written(random_rules(rng, guarded=True), rng)
        accepts = xgrammar_accepts(text)
        found = verdicts(text, "xgrammar")
        candidates = [*rng.sample(TEXTS, 12), *rng.sample(sorted(found), min(8, len(found)))]
        assert {c for c in candidates if accepts(c)} == found.intersection(candidates), text


LARGER = [
    r"""
root   ::= object
value  ::= object | array | string | number | "true" | "false" | "null"
object ::= "{" ws (pair ("," ws pair)*)? "}" ws
pair   ::= string ":" ws value
array  ::= "[" ws (value ("," ws value)*)? "]" ws
string ::= "\"" ([^"\\\x00-\x1f] | "\\" (["\\/bfnrt] | "u" [0-9a-fA-F]{4}))* "\"" ws
number ::= "-"? ("0" | [1-9] [0-9]{0,15}) ("." [0-9]+)? ([eE] [-+]? [0-9]{1,3})? ws
ws     ::= "" | " " | "\n" [ \t]{0,20}
""",
    r"""
root ::= expr "=" (ws "é" | [α-ω]+ "\u00e9") ("\U0001F600" [^\u0000-\uffff])?
expr ::= expr ws [-+*/] ws expr | "(" expr ")" | [0-9]+ | "-" expr
ws ::= " "*
""",
    'root ::= "s" TagDispatch(("<t>", t), ("<u ", u), excludes=("</s>",)) "</s>"\n'
    't ::= [0-9]{1,3} "</t>"\nu ::= Regex("k=[a-z]*") ">" Substring("one ", "two ", "three ")',
]


@pytest.mark.parametrize("text", LARGER)
def test_what_is_drawn_is_accepted_by_xgrammar(text: str) -> None:
    accepts = xgrammar_accepts(text)
    members = WeightedMembers(gs.gbnf(text, dialect="xgrammar"), 40)
    choose = seeded(5)
    for _ in range(40):
        member = members.draw(choose).decode("utf-8")
        assert accepts(member), member
