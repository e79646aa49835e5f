"""The Python dialect against `re` itself: random patterns, case folding, anchors, refusals."""

from __future__ import annotations

import json
import random
import re

import pytest
from regex_oracle import accepts, mutate, sample

from gramspec.errors import EmptyLanguageError, GrammarError, UnsupportedError
from gramspec.grammar import ir
from gramspec.grammar.core import Grammar
from gramspec.grammar.encoding import json_string, utf8
from gramspec.grammar.ranges import SCALARS
from gramspec.grammar.regex import parse_regex, regex
from gramspec.grammar.regex.unicode import python_class

ATOMS = [
    *("a", "b", r"\n", " ", ".", "[ab]", "[^a]", r"\w", r"\W", r"\s", r"\D", r"[a-c\n]", "é", "(?:)"),
    *("^", "$", r"\A", r"\Z", r"\b", r"\B", "(?m:^)", "(?m:$)", r"(?a:\b)"),
    *("(?i:a)", "(?s:.)", "(?-i:a)", "(?i:[^k])", "(?i:ß)", "(?a:\\w)", "(?ai:k)", "ab", r"\x41", "a{2}+"),
]
QUANTIFIERS = ["*", "+", "?", "{2}", "{0,2}", "{1,3}", "*?", "+?", "{2,}", "{,1}"]


def random_pattern(rng: random.Random, depth: int) -> str:
    kind = rng.random()
    if depth == 0 or kind < 0.35:
        return rng.choice(ATOMS)
    if kind < 0.6:
        return random_pattern(rng, depth - 1) + random_pattern(rng, depth - 1)
    if kind < 0.75:
        return f"(?:{random_pattern(rng, depth - 1)}|{random_pattern(rng, depth - 1)})"
    if kind < 0.95:
        return f"(?:{random_pattern(rng, depth - 1)}){rng.choice(QUANTIFIERS)}"
    return f"({random_pattern(rng, depth - 1)})"


@pytest.mark.parametrize("seed", range(8))
def test_random_patterns_equal_re(seed: int) -> None:
    rng = random.Random(seed)
    accepted = refused = 0
    for _ in range(300):
        flags = rng.choice(["", "", "(?m)", "(?i)", "(?s)", "(?a)"])
        pattern = flags + random_pattern(rng, rng.randint(1, 5))
        compiled = re.compile(pattern)
        search = rng.random() < 0.4
        expr = parse_regex(pattern, search=search)
        texts = ["".join(rng.choice("ab\n\n Aéß_kK") for _ in range(rng.randint(0, 5))) for _ in range(8)]
        member = None if isinstance(expr, ir.Empty) else sample(expr, rng)
        if member is not None and len(member) < 30:
            texts += [member, mutate(member, rng), mutate(member, rng)]
        for text in texts:
            wanted = (compiled.search if search else compiled.fullmatch)(text) is not None
            assert accepts(expr, text) is wanted, (pattern, text, "search" if search else "fullmatch")
            accepted += wanted
            refused += not wanted
    assert accepted > 400 and refused > 400


def test_random_patterns_through_the_automaton() -> None:
    rng = random.Random(99)
    accepted = 0
    for _ in range(60):
        pattern = rng.choice(["", "(?m)", "(?a)"]) + random_pattern(rng, rng.randint(1, 5))
        compiled = re.compile(pattern)
        expr = parse_regex(pattern)
        plain, quoted = Grammar(utf8(expr)), Grammar(json_string(expr))
        for _ in range(12):
            text = "".join(rng.choice("ab\n Aé_") for _ in range(rng.randint(0, 4)))
            wanted = compiled.fullmatch(text) is not None
            assert plain.accepts(text) is wanted, (pattern, text)
            assert quoted.accepts(json.dumps(text)[1:-1]) is wanted, (pattern, text)
            accepted += wanted
    assert accepted > 50


@pytest.mark.parametrize("letter", ["d", "w", "s"])
@pytest.mark.parametrize("ascii_only", [False, True])
def test_classes_equal_re_on_every_scalar(letter: str, ascii_only: bool) -> None:
    flags = re.ASCII if ascii_only else re.NOFLAG
    ranges = python_class(letter, ascii_only=ascii_only)
    for low, high in SCALARS:
        text = "".join(map(chr, range(low, high + 1)))
        found = "".join(re.findall(f"\\{letter}", text, flags))
        ours = "".join(chr(point) for a, b in ranges if low <= a <= high for point in range(a, b + 1))
        assert ours == found


@pytest.mark.parametrize(
    "pattern",
    [
        *("(?i)k", "(?i)ſ", "(?i)[^k]", "(?i)ß", "(?i)İ", "(?i)[i-j]", "(?i)\u0345", "(?i)[α-ω]", "(?ai)k"),
        *("(?ai)[^a-z]", r"(?i)[\w-]", r"(?i)[^\W\d_]", "(?i)[\U00010400-\U00010427]", "(?i)\U00010400"),
        *("(?i)[Ǆ-ǌ]", "(?i)[^\U00010400x]", "(?i).", "(?is).", "(?i)ﬆ", "(?i)[ա-ֆ]", "(?i)[\u1c80-\u1c88]"),
    ],
)
def test_ignoring_case_equals_re_on_every_scalar(pattern: str) -> None:
    expr = parse_regex(pattern)
    assert isinstance(expr, ir.CharSet)
    ours = {point for low, high in expr.ranges for point in range(low, high + 1)}
    text = "".join(chr(point) for low, high in SCALARS for point in range(low, high + 1))
    theirs = set(map(ord, re.findall(pattern, text)))
    assert ours == theirs


@pytest.mark.parametrize(
    ("pattern", "members", "others"),
    [
        ("a$", ["a"], ["a\n", ""]),
        ("a$\n?", ["a", "a\n"], ["a\n\n"]),
        ("(?m)(a$\n)*b", ["b", "a\na\nb"], ["ab", "a\n"]),
        ("(?m)(^a|\n)+", ["a", "\na\n\na"], ["aa", ""]),
        ("^|b", ["", "b"], ["bb"]),
        ("(^a|b)*", ["", "a", "ab", "bb"], ["ba", "aa"]),
        (r"(\bfoo\b|\s)*", ["foo foo", " ", ""], ["foofoo"]),
        (r"(?x) a  b # c", ["ab"], ["a b", "ab # c"]),
        ("(?P<x>a)(?:b)(c)", ["abc"], ["ab"]),
        ("(?>[ab]c)d", ["acd"], ["cd"]),
        (r"\N{DIGIT ONE}\u0032\U00000033\x34\065", ["12345"], ["1234"]),
        ("[]a]", ["]", "a"], ["b"]),
        ("a{,2}", ["", "aa"], ["aaa"]),
        ("a{2", ["a{2"], ["aa"]),
    ],
)
def test_members(pattern: str, members: list[str], others: list[str]) -> None:
    expr = parse_regex(pattern)
    for text in members + others:
        assert accepts(expr, text) is (text in members) is (re.fullmatch(pattern, text) is not None), text


@pytest.mark.parametrize(
    ("pattern", "name", "offset"),
    [
        (r"(a)\\\1", "back-reference", 5),
        ("(?P<x>a)(?P=x)", "back-reference", 8),
        ("(a)?(?(1)b|c)", "conditional group", 4),
        ("(?>(?:a?b?)*c)d", "atomic group", 0),
        ("[*+](?:a?b?)*+b", "possessive quantifier", 12),
        ("(^a){2000}", "an anchor or word boundary inside a repetition", 4),
    ],
)
def test_refused_by_name(pattern: str, name: str, offset: int) -> None:
    with pytest.raises(UnsupportedError) as caught:
        regex(pattern)
    assert caught.value.reason.startswith(name)
    assert caught.value.pointer == f"@{offset}"
    assert caught.value.source == pattern


@pytest.mark.parametrize(
    ("pattern", "offset"),
    [
        ("((a", 1),
        ("a)", 1),
        ("[a", 0),
        ("a**", 2),
        ("a{3,2}", 2),
        ("*a", 0),
        ("[z-a]", 1),
        ("a\\", 1),
        ("(?<x>a)", 1),
    ],
)
def test_syntax_errors_point_at_the_place(pattern: str, offset: int) -> None:
    with pytest.raises(GrammarError) as caught:
        regex(pattern)
    assert not isinstance(caught.value, UnsupportedError)
    assert caught.value.pointer == f"@{offset}"
    assert "^" in str(caught.value)


@pytest.mark.parametrize("dialect", ["python", "ecma"])
@pytest.mark.parametrize("pattern", ["(" * 10_000 + ")" * 10_000, "(?:" * 201 + "a" + ")*" * 201])
def test_deep_nesting_is_an_error(pattern: str, dialect: str) -> None:
    with pytest.raises(GrammarError, match="nested"):
        regex(pattern, dialect=dialect)  # type: ignore[arg-type]


@pytest.mark.parametrize("dialect", ["python", "ecma"])
def test_nesting_up_to_the_limit(dialect: str) -> None:
    expr = parse_regex("(?:" * 40 + "a" + "|b)*" * 40, dialect)  # type: ignore[arg-type]
    assert accepts(expr, "abba") and not accepts(expr, "c")
    deep = parse_regex("(" * 200 + "a" + ")" * 200, dialect)  # type: ignore[arg-type]
    assert isinstance(deep, ir.CharSet)


@pytest.mark.parametrize("dialect", ["python", "ecma"])
@pytest.mark.parametrize("pattern", [r"[^\s\S]", "a^b", r"a\bb", "$a", r"\ud800", r"(?:x$)+y", r"\B|[^\w\W]"])
def test_empty_language(pattern: str, dialect: str) -> None:
    if pattern.startswith(r"\B") and (dialect == "ecma" or re.search(r"\B", "")):
        assert accepts(parse_regex(pattern, dialect), "")  # type: ignore[arg-type]
        return
    with pytest.raises(EmptyLanguageError):
        regex(pattern, dialect=dialect)  # type: ignore[arg-type]


@pytest.mark.parametrize("dialect", ["python", "ecma"])
def test_huge_bounds_stay_bounds(dialect: str) -> None:
    expr = parse_regex("(?:ab?){2,4000000000}", dialect)  # type: ignore[arg-type]
    assert isinstance(expr, ir.Repeat) and (expr.minimum, expr.maximum) == (2, 4_000_000_000)
    with pytest.raises(GrammarError, match="too large"):
        regex("a{" + "9" * 5_000 + "}", dialect=dialect)  # type: ignore[arg-type]


@pytest.mark.parametrize("bad", [5, None, b"a"])
def test_not_a_pattern(bad: object) -> None:
    with pytest.raises(GrammarError, match="a pattern is a str"):
        regex(bad)  # type: ignore[arg-type]
    with pytest.raises(GrammarError, match="dialect"):
        regex("a", dialect="perl")  # type: ignore[arg-type]


def test_grammar_is_over_utf8() -> None:
    grammar = regex("(?i)é|[^a]")
    assert isinstance(grammar, Grammar)
    assert grammar.description == "regex '(?i)é|[^a]'"
    for text in ("é", "É", "😀", "b"):
        assert accepts(grammar.expr, text.encode())
    for data in (b"a", b"\xc3", b"\xed\xa0\x80", b"\xff"):
        assert not accepts(grammar.expr, data)
