"""lexer="longest": against a greedy tokeniser with CYK over terminals, and against Lark's basic lexer."""

from __future__ import annotations

import itertools
import random
import re
from typing import Any, NamedTuple

import pytest
from lark.utils import get_regexp_width

import gramspec as gs
from gramspec.testing.cfg import KINDS, Cfg, Letter, Name, Times, random_cfg
from gramspec.testing.cyk import Cyk
from gramspec.testing.grammars import SeededDice

WORDS = ["".join(word) for length in range(10) for word in itertools.product("ab", repeat=length)]
PATTERNS = [
    "a",
    "b",
    "a+",
    "a+b",
    "a(?:ba)*",
    "[ab]",
    "ab?",
    "(?:ab|b)a",
    "aab",
    "b+a?",
    "abb",
    "[ab]{3}",
    "ba*b",
]


class Written(NamedTuple):
    """A terminal of a random grammar."""

    name: str
    pattern: str
    is_string: bool
    priority: int

    def lark(self) -> str:
        mark = '"' if self.is_string else "/"
        return f"{self.name}.{self.priority}: {mark}{self.pattern}{mark}\n"

    def rank(self) -> tuple[int, bool, int, int, str]:
        width = get_regexp_width(self.pattern)[1]
        return -self.priority, not self.is_string, -width, -len(self.pattern), self.name


class Greedy:
    """A tokeniser by the words of each terminal, which are all looked at."""

    def __init__(self, terminals: list[Written]) -> None:
        self.terminals = sorted(terminals, key=Written.rank)
        self.live: set[str] = set()
        for one in terminals:
            for word in WORDS:
                if word and re.fullmatch(one.pattern, word):
                    self.live.update(word[:end] for end in range(1, len(word) + 1))

    def names(self, text: str) -> list[str] | None:
        found: list[str] = []
        at = 0
        while at < len(text):
            end = at
            while end < len(text) and text[at : end + 1] in self.live:
                end += 1
            taken = (one.name for one in self.terminals if re.fullmatch(one.pattern, text[at:end]))
            name = next(taken, None)
            if name is None or end == at:
                return None
            found.append(name)
            at = end
        return found


def reached(cfg: Cfg) -> set[str]:
    """Terminals that the start leads to."""
    todo, rules, letters = [0], {0}, set[str]()
    while todo:
        stack: list[Any] = [item for items in cfg.rules[todo.pop()] for item in items]
        while stack:
            match stack.pop():
                case Letter(some):
                    letters.update(map(chr, some))
                case Name(number):
                    todo += [number] if number not in rules else []
                    rules.add(number)
                case Times(alternatives):
                    stack += [item for items in alternatives for item in items]
    return letters


@pytest.mark.parametrize("part", range(6))
def test_the_language_is_what_the_greedy_tokeniser_reads(part: int) -> None:
    members = empty = 0
    for seed in range(40 * part, 40 * part + 40):
        dice, choose = SeededDice((seed, 77)), random.Random(seed)
        cfg = random_cfg(dice, KINDS[seed % len(KINDS)], b"ABC")
        patterns = choose.sample(PATTERNS, 4)
        terminals = [
            Written(
                name, pattern, pattern.isalpha() and choose.random() < 0.7, choose.choice([0, 0, 0, 1, -1])
            )
            for name, pattern in zip("ABCI", patterns, strict=True)
        ]
        ignored = choose.random() < 0.5
        text = re.sub('"([ABC])"', r"\1", cfg.lark()) + "".join(one.lark() for one in terminals)
        used = reached(cfg) | ({"I"} if ignored else set())
        greedy = Greedy([one for one in terminals if one.name in used])
        oracle = Cyk(cfg.expr())
        try:
            grammar = gs.lark(text + ("%ignore I\n" if ignored else ""), start="r0", lexer="longest")
        except gs.EmptyLanguageError:
            grammar = None
            empty += 1
        for word in WORDS[:255]:
            names = greedy.names(word)
            wanted = names is not None and oracle.accepts(
                "".join(name for name in names if name != "I").encode()
            )
            members += wanted
            assert (grammar is not None and grammar.accepts(word)) == wanted, (seed, word, names, text)
    assert members > 100 and empty > 0


JSON = """
?start: value
value: object | array | STRING | NUMBER | "true" | "false" | "null"
array: "[" [value ("," value)*] "]"
object: "{" [pair ("," pair)*] "}"
pair: STRING ":" value
STRING: /"[^"]*"/
NUMBER: /-?[0-9]+(\\.[0-9]+)?/
%ignore /[ \\n]+/
"""
PROGRAM = """
start: (assign | cond)*
assign: NAME "=" sum ";"
cond: "if" sum "then" start "end"
sum: product (("+" | "-" | "==") product)*
product: NAME | INT | "-" product | "(" sum ")"
NAME: /[a-z_][a-z0-9_]*/
INT: /[0-9]+/
%ignore " "
"""


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        (JSON, ["[", "]", "{", "}", ",", ":", '"a"', '"', "1", "-2.5", ".", "true", "truefalse", " ", "\n"]),
        (
            PROGRAM,
            ["if", "then", "end", "x", "if1", "=", "==", ";", "+", "-", "1", "12", " ", "(", ")", "x=1;"],
        ),
    ],
)
def test_lark_with_its_basic_lexer_agrees(text: str, pieces: list[str]) -> None:
    import lark

    parser: Any = lark.Lark(text, parser="lalr", lexer="basic")
    grammar = gs.lark(text, lexer="longest")
    choose = random.Random(5)
    accepted = 0
    for _ in range(1_500):
        word = "".join(choose.choice(pieces) for _ in range(choose.randint(1, 7)))
        try:
            parser.parse(word)
            wanted = True
        except lark.exceptions.LarkError:
            wanted = False
        accepted += wanted
        assert grammar.accepts(word) == wanted, word
    assert accepted > 20


MEANINGS: list[tuple[str, list[str], list[str]]] = [
    # stuck where nothing matches, though a shorter match did
    ('start: A A\nA: /a(bc)?/', ["aa", "abca"], ["ab", "aba"]),
    ('start: N "." | N\nN: /[0-9]+(\\.[0-9]+)?/', ["1", "1.5", "1.5."], ["1."]),
    # ties: priority, strings, wider patterns
    ('start: X | "if" Y\nX: /[a-z]+/\nY: /[0-9]+/', ["ab", "if1"], ["if"]),
    ('start: X | "if" Y\nX.1: /[a-z]+/\nY: /[0-9]+/', ["ab", "if"], ["if1"]),
    ('start: P | Q "!"\nP: /ab/\nQ: /[ab]{1,2}/', ["a!", "ab!"], ["ab"]),
    # a literal that is a terminal by another name
    ('start: A | "(" "a" ")"\nA: "a"', ["a", "(a)"], ["()"]),
    # ignored text is a terminal like others
    ('start: "a" "b"\n%ignore /a?b /', ["aab b"], ["ab", "ab b"]),
    ('start: "a" "b"\n%ignore /-+/', ["-a--b-", "ab"], ["a", "- ab"]),
    # what ends early does so
    ('start: line+ W?\nline[suffix=";"]: /[a-z]*/\nW: /[a-z;]+/', ["a;b;", ";", "a;b"], ["a", "a;b;!"]),
    # characters beyond ASCII
    ('start: W "é"\nW: /[à-ü]+/', [], ["éé", "àé"]),
    ('start: W " " "é"\nW: /[à-ü]+x/', ["éàx é"], ["é é"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "inside", "outside"), MEANINGS)
def test_maximal_munch(text: str, inside: list[str], outside: list[str]) -> None:
    if not inside:
        with pytest.raises(gs.EmptyLanguageError):
            gs.lark(text, lexer="longest")
        return
    grammar = gs.lark(text, lexer="longest")
    assert [t for t in inside if not grammar.accepts(t)] == []
    assert [t for t in outside if grammar.accepts(t)] == []


@pytest.mark.parametrize(
    ("text", "words", "kind"),
    [
        ("start: A B\nA: /a+/\nB: /a/", "every text of B is taken for A", gs.EmptyLanguageError),
        ("start: A B\nA: /a+/\nB: /ab/", "`A` is read on into what `B` begins with", gs.EmptyLanguageError),
        ("start: A\nA: /a*/", "the empty text", gs.UnsupportedError),
        ("start: <|x|>", "longest match", gs.UnsupportedError),
        ('start: ("a" B)~5000\nB: /b+/ ', "", gs.GramspecError),
        ("start: A\nA: /(a|b)*a(a|b){16}/", "max_states", gs.LimitError),
    ],
)
def test_what_has_no_longest_match_is_refused(text: str, words: str, kind: type[gs.GramspecError]) -> None:
    if not words:
        assert gs.lark(text, lexer="longest").accepts("abb" * 5_000)
        return
    with pytest.raises(kind) as error:
        gs.lark(text, lexer="longest")
    assert words in str(error.value)


def test_masks_look_ahead_of_a_lexeme() -> None:
    """After "if" a letter goes on with a name, which is allowed only where one is."""
    grammar = gs.lark('start: ("if" NAME | NAME "=" NAME)*\nNAME: /[a-z]+/\n%ignore " "', lexer="longest")
    tokens: list[bytes | None] = [b"i", b"f", b"x", b" ", b"=", b"if ", b"x=", b"fx", b"= "]
    endings = ["", "x", "=x", " x", " =x", "x=x", "f=x", "fx=x", " x=x", "if x", "x=x", " if x"]
    eos = len(tokens)
    compiled = gs.compile(grammar, gs.Vocabulary([*tokens, None], [eos]))
    todo: list[tuple[int, ...]] = [()]
    for prefix in itertools.islice(todo, 150):
        matcher = compiled.matcher()
        matcher.advance_many(prefix)
        text = b"".join(tokens[token] or b"" for token in prefix).decode()
        allowed = set(matcher.allowed_ids().tolist())
        for token, raw in enumerate(tokens):
            longer = text + (raw or b"").decode()
            assert (token in allowed) == any(grammar.accepts(longer + end) for end in endings), longer
        assert (eos in allowed) == grammar.accepts(text)
        todo += [(*prefix, token) for token in sorted(allowed - {eos})]


def test_a_chain_of_rules_is_settled_once_each() -> None:
    rules = "\n".join(f'r{number}: "x" r{number + 1} | "y"' for number in range(1_500))
    grammar = gs.lark(f'start: r0\n{rules}\nr1500: "z"', lexer="longest")
    assert grammar.accepts("x" * 100 + "y") and not grammar.accepts("x")
