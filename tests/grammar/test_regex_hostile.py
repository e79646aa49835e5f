"""Patterns that make backtracking engines or state tables explode: right, or refused, soon."""

from __future__ import annotations

import time

import pytest

from gramspec.errors import GramspecError
from gramspec.grammar import ir
from gramspec.grammar.regex import parse_regex
from gramspec.grammar.regex.characters import is_empty, matches

LONG_WORDS = "|".join(f"word{number}" for number in range(5_000))
RIGHT = {
    "(?:a|b)*a(?:a|b){24}": ("a" * 25, "b" * 25),
    "(?:a*)*b": ("a" * 5_000 + "b", "a" * 5_000),
    "(?:(?:(?:a{1,100}){1,100}){1,100})": ("a" * 9_999, ""),
    "[a-z]{0,1000000000}x": ("abcx", "abc"),
    "(?:ab|c){5,1000000000}": ("abcabcab", "abab"),
    "abcdefghij" * 3_000: ("abcdefghij" * 3_000, "abcdefghij" * 2_999),
    LONG_WORDS: ("word4999", "word5000"),
    f"(?!{LONG_WORDS})[a-z0-9]+": ("wor4999", "word4999"),
    "(?:" * 199 + "a" + ")+" * 199: ("aaaa", "b"),
    "(?=" * 150 + "a" + ")" * 150 + "a": ("a", "b"),
    "(?!" * 151 + "a" + ")" * 151 + "b": ("b", "a"),
    "(?=.*a)" * 150 + ".*": ("bab", "bb"),
    "(?:(?!ab).){0,100000}": ("b" + "a" * 500, "xxabxx"),
    "(?=a{1,100000}b)(?:a|b){5,1000000}": ("aaaabb", "aaaaaa"),
    "a?" * 300 + "a" * 300: ("a" * 450, "a" * 299),
    r"(?:\ba\b){1000}": (None, "a"),
    "(?:^|$|\\b|\\B|a)*" * 8: ("aaa", "b"),
}
REFUSED = [
    "(" * 10_000 + ")" * 10_000,
    "a{99999999999999999999}",
    "(?:(?=.*a.{20}b)[ab])*",
    "(?:(?!.*a.{30}b)[ab])*",
    "(?:" + "".join(f"(?!.*{char}.{{3}}{char})" for char in "abcdefghij") + "[a-j])*",
    f"(?:(?!{LONG_WORDS}|{LONG_WORDS.replace('word', 'other')})[a-z0-9])+",
    "(?:(?<!a[ab]{15})a|b)*c",
    "(^a){2000}b",
    "[" * 50_000,
    "\\" * 49_999,
    "(?<!" * 5_000,
]


@pytest.mark.parametrize("dialect", ["python", "ecma"])
@pytest.mark.parametrize("pattern", RIGHT, ids=lambda pattern: pattern[:20])
def test_right_and_soon(pattern: str, dialect: str) -> None:
    member, other = RIGHT[pattern]
    begin = time.monotonic()
    expr = parse_regex(pattern, dialect)  # type: ignore[arg-type]
    assert member is None or matches(expr, member)
    assert not matches(expr, other)
    assert isinstance(expr, ir.Empty) or is_empty(expr) in (False, None)
    assert time.monotonic() - begin < 15


@pytest.mark.parametrize("dialect", ["python", "ecma"])
@pytest.mark.parametrize("pattern", REFUSED, ids=lambda pattern: pattern[:20])
def test_refused_and_soon(pattern: str, dialect: str) -> None:
    begin = time.monotonic()
    with pytest.raises(GramspecError):
        parse_regex(pattern, dialect)  # type: ignore[arg-type]
    assert time.monotonic() - begin < 15
