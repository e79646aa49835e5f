"""The ECMA-262 dialect: meaning of each construct, Annex B leniency, refusals."""

from __future__ import annotations

import pytest
from regex_oracle import accepts

from gramspec.errors import GrammarError, UnsupportedError
from gramspec.grammar import encoding, ir
from gramspec.grammar.regex import parse_regex, regex

# Every row was checked with RegExp.prototype.test of node, flag u where the pattern compiles with it.
SEARCHES = [
    ("", ["", "x"], []),
    ("b", ["b", "abc", "\nb"], ["", "a"]),
    ("^ab?$", ["a", "ab"], ["a\n", "xa", "\na", "abb"]),
    ("^a|b$", ["a", "ax", "xb", "b"], ["xa", "bx"]),
    ("^$", [""], ["\n", "a"]),
    (r"\bfoo\b", ["foo", "a foo.", "éfoo"], ["xfoo", "foo1", "foo_"]),
    (r"^\B$", [""], ["a"]),
    (r"^\d$", ["5"], ["٣", "a"]),
    (r"^\w$", ["_", "Z"], ["é", "-"]),
    (r"^\s$", ["\ufeff", "\u00a0", "\u2028", "\u3000", "\t"], ["\u0085", "\u200b", "a"]),
    ("^.$", ["a", "\u0085", "😀"], ["\n", "\r", "\u2028", "\u2029", "ab"]),
    ("^[^]$", ["\n", "a", "😀"], ["", "ab"]),
    ("^[^a-c]$", ["d", "\n"], ["a", "c"]),
    (r"^\u{1F600}\ud83d\ude00😀$", ["😀😀😀"], ["😀"]),
    (r"^[😀-😂]$", ["😀", "😁"], ["😃", "\ud83d"]),
    (r"^[\ud83d\ude00-\ud83d\ude02]$", ["😁"], ["😃"]),
    (r"^\x41\u0042\cJ\0\t$", ["AB\n\x00\t"], ["AB\n0\t"]),
    (r"^[\b\-\]]$", ["\b", "-", "]"], ["b"]),
    (r"^\-\/\_\@$", ["-/_@"], []),
    ("^a{,2}$", ["a{,2}"], ["a", "aa"]),
    ("^x{2$", ["x{2"], ["xx"]),
    ("^{}]$", ["{}]"], []),
    (r"^[\w-.]$", ["a", "-", "."], ["/"]),
    (r"^[a-\d]$", ["a", "-", "7"], ["b"]),
    (r"^\8\12$", ["8\n"], ["\n"]),
    (r"^\c\x4\u61$", ["\\cx4u61"], []),
    (r"^\Z\A\e$", ["ZAe"], [""]),
    (r"^\p{Lu}\p{L}\P{Letter}$", ["Éé1"], ["éé1", "ÉÉa"]),
    (r"^[\p{Nd}_][^\p{gc=Lu}]$", ["٣a", "_1"], ["aa", "_A"]),
    (r"^\p{ASCII}\p{Any}\p{Uppercase}\p{White_Space}$", ["a😀Ⓐ\u0085"], ["é😀A ", "aaa "]),
    ("^(?<first>a|b)(c)(?:d)+?$", ["acd", "bcddd"], ["ac"]),
    ("^(?:a|ab)(?:c|bcd)d*$", ["abcd", "acd", "abc"], ["ab"]),
    (r"(^|,)x(,|$)", ["x", "a,x", "x,b", "a,x,b"], ["ax", "xa"]),
    (r"^(?:\w+\s?)+$", ["ab c ", "a"], ["a  b", ""]),
]


@pytest.mark.parametrize(("pattern", "members", "others"), SEARCHES)
def test_search(pattern: str, members: list[str], others: list[str]) -> None:
    expr = parse_regex(pattern, "ecma", search=True)
    for text in members:
        assert accepts(expr, text), text
    for text in others:
        assert not accepts(expr, text), text


def test_anchored_search_is_the_bare_language() -> None:
    expr = parse_regex("^abc$", "ecma", search=True)
    assert isinstance(expr, ir.Concat)
    assert [item.ranges for item in expr.items if isinstance(item, ir.CharSet)] == [((c, c),) for c in b"abc"]
    assert len(expr.items) == 3


def test_search_keeps_no_part_that_says_nothing() -> None:
    def shape(pattern: str) -> ir.Expr:
        return parse_regex(pattern, "ecma", search=True)

    counted = shape(r"\d{2,255}x?")
    assert isinstance(counted, ir.Concat) and len(counted.items) == 3
    middle = counted.items[1]
    assert isinstance(middle, ir.Repeat) and (middle.minimum, middle.maximum) == (2, 2)
    assert isinstance(shape(".*(?:a|b?)"), ir.Repeat)
    prefix = shape("^ab*c*")
    assert isinstance(prefix, ir.Concat) and len(prefix.items) == 2
    assert encoding.json_string(shape("a*")) is encoding.JSON_BODY
    assert encoding.utf8(shape("")) is encoding.UTF8_TEXT


def test_whole_match_is_not_a_search() -> None:
    expr = parse_regex("a|ab", "ecma")
    assert accepts(expr, "ab") and accepts(expr, "a") and not accepts(expr, "xa")


@pytest.mark.parametrize(
    ("pattern", "name", "offset"),
    [
        (r"(a)\1", "back-reference", 3),
        (r"\1(a)", "back-reference", 0),
        (r"(?<n>a)\k<n>", "back-reference", 7),
    ],
)
def test_refused_by_name(pattern: str, name: str, offset: int) -> None:
    with pytest.raises(UnsupportedError) as caught:
        regex(pattern, dialect="ecma")
    assert caught.value.reason == name
    assert caught.value.pointer == f"@{offset}"


@pytest.mark.parametrize(
    ("pattern", "offset"),
    [
        *(("(a", 0), ("a)", 1), ("[a", 0), ("*a", 0), ("a**", 2), ("a{3,2}", 1), ("^*", 1), ("{2}", 0)),
        *(("(?P<x>a)", 0), ("(?<1>a)", 0), ("(?<a>x)(?<a>y)", 7), ("[z-a]", 1), ("\\", 0), ("(?i)a", 0)),
        *(
            (r"\u{110000}", 0),
            (r"\p{^L}", 0),
            (r"a\p{Script=greek}", 1),
            (r"\p{ASCII=Yes}", 0),
            (r"[\p{L}-z]", 1),
            (r"[a-\P{L}]", 3),
            ("a++", 2),
            ("(?>a)", 0),
        ),
    ],
)
def test_syntax_errors_point_at_the_place(pattern: str, offset: int) -> None:
    with pytest.raises(GrammarError) as caught:
        regex(pattern, dialect="ecma")
    assert not isinstance(caught.value, UnsupportedError)
    assert caught.value.pointer == f"@{offset}"
    assert "^" in str(caught.value)
