"""What gs.lark reads beyond Lark: llguidance's nested schemas, tokens, attributes, algebra and parameters."""

from __future__ import annotations

import gzip
import itertools
import json
from pathlib import Path

import pytest

import gramspec as gs

CASES = Path(__file__).resolve().parents[3] / "shared" / "data" / "grammars" / "cases.jsonl.gz"
MEANINGS: list[tuple[str, list[str], list[str]]] = [
    # nested languages
    ('start: "x" %json {"type": "integer", "minimum": 3}', ["x3", "x10"], ["x2", "3", "x 3"]),
    ('start: a | "z"\na: "[" %json {"const": {"a": [1]}} "]"', ['[{"a": [1]}]', "z"], ['{"a":[1]}', "[]"]),
    ('start: %lark {\n start: "a" b\n b: "b"~2 | "}"\n} "c"', ["abbc", "a}c"], ["abb", "ac"]),
    ('start: "<" %regex {"substring_chunks": ["fo", "", "b"]} ">"', ["<>", "<fob>", "<b>"], ["<bfo>", "<f>"]),
    ('start: S\nS: %regex {"substring_words": "to be, or"} "!"', ["be, or!", " !", "!"], ["to or!", "b!"]),
    ('start: %regex {"substring_chars": "aba"}', ["", "ab", "ba", "aba"], ["aa", "abab"]),
    # counts in braces
    ('start: "a"{2} ("b" | "c"){,2} /d/{1,}', ["aad", "aabcdd"], ["ad", "aabbbd", "aab"]),
    ('start: t{"a", "b"}{2}\nt{x, y}: x{1,2} y', ["abaab"], ["ab", "aaabab"]),
    # algebra of terminals
    ("start: A\nA: /[ab]*/ & ~/.*aa.*/", ["", "abab", "b"], ["aab", "c"]),
    ('start: A "x"\nA: "a" | ~"b" "c" & /../ | B\nB: "é"', ["ax", "éx", "acx", "ccx"], ["bcx", "x", "abx"]),
    ('start: A\nA: ~("a" | "b"{2})*  & ("a".."c")~1..2', ["b", "ab", "aa", "c"], ["", "d", "abc"]),
    # where a rule ends
    ('start: name "!"\nname[lazy]: /.*/ "</x>"', ["a</x>!", "</x>!"], ["a</x></x>!", "a!"]),
    ('start: s s\ns[suffix="."]: /.+/', ["a.b.", "..b."], ["a.", "a..", "a.b.c."]),
    ('start: line "x"\nline[stop=/[,;]/]: /.*/', ["ab,x", ";x"], ["a,b;x", "abx", "a,,x"]),
    ('start: "<" r "b"\nr[stop=">"]: /[a-z]*/\n%ignore " "', ["<a>b", "< a> b"], ["<a a>b", "<a b"]),
    ('start: a /b+/\na[capture, stop=""]: /a*/\n', ["aab", "b"], ["a"]),
    ('start: w\nw[capture="word"]: "a" w | ""', ["", "aa"], ["b"]),
    # parameters
    (
        'start: p::0\np::_: "X" %if is_ones([0:2]) | "a" p::set_bit(0) %if bit_clear(0)\n'
        '    | "b" p::set_bit(1) %if bit_clear(1)',
        ["abX", "baX"],
        ["X", "aX", "aabX"],
    ),
    (
        'start: n::0x1 "."\nn::_: "a" n::incr([0:2]) %if lt([0:2], 3) | "b" n::_ %if eq(_, 9) | ""',
        ["aa.", "."],
        ["aaa.", "b."],
    ),
    (
        'start: s::7\ns::_: "1" s::bit_and(4) %if and(bit_set(0), not(is_zeros(_)))\n'
        '    | "2" %if bit_count_eq([0:3], 1)',
        ["12"],
        ["2", "112"],
    ),
    ('start: "z" | q::1\nq::_: "a" %if eq(_, 2)', ["z"], ["a"]),
    # ignored text at the beginning
    ('%llguidance {}\nstart: "a" "b"\n%ignore " "', ["ab", "a b "], [" ab"]),
    ('%llguidance {"allow_initial_skip": true}\nstart: "a"\n%ignore " "', [" a"], []),
    ('start: "a" ""\n%ignore " "\nx: <|end|>', [" a"], [""]),
]  # fmt: skip

REFUSED: list[tuple[str, str, type[gs.GramspecError]]] = [
    ('start: a\na[max_tokens=3]: "x"', "2:3: `max_tokens`", gs.UnsupportedError),
    ('start: a\na[temperature=0.5]: "x"', "2:3: `temperature`", gs.UnsupportedError),
    ('start: a\na[colour="x"]: "x"', "unknown attribute `colour`", gs.GrammarError),
    ('start: a\na[max_tokens="x"]: "x"', "is a number", gs.GrammarError),
    ('start: a\na[lazy, stop="x"]: "x"', "only one of", gs.GrammarError),
    ("start: a\na[lazy]: b\nb: start", "2:10", gs.GrammarError),
    ('start: "a" & "b"', "1:12: `&` joins terminals only", gs.UnsupportedError),
    ('start: "a" ~"b"', "a rule has no complement", gs.UnsupportedError),
    ("start: A\nA: /a/ & <|x|>", "2:10", gs.GrammarError),
    ("start: A\nA: /a/ <|x|>", "only rules may hold it", gs.GrammarError),
    ("start: <[200-100]>", "1:8: invalid token range", gs.GrammarError),
    ("start: <[*,100]>", "invalid token range", gs.GrammarError),
    ("start: <[0-999999999]>", "max_nodes", gs.LimitError),
    ("start: <[32003201]>", "token id 32,003,201", gs.LimitError),
    ("start: %json {}i", "`i` is used but not defined", gs.GrammarError),
    ("start: %json []", "1:8: in the schema", gs.GrammarError),
    ('start: %json {"a"', "bad JSON", gs.GrammarError),
    ('start: %json {"type": "string", "x-guidance": {"lenient": 1}}', "'lenient'", gs.UnsupportedError),
    ('start: %regex {"foobar": true}', "'foobar'", gs.GrammarError),
    ("start: %lark { start: ", "close them", gs.GrammarError),
    ('start: %lark {start: b}', "in the nested grammar", gs.GrammarError),
    ("start: A\nA: /a/{7,6}", "fewer than the least", gs.GrammarError),
    ("start: A\nA: /a/{-1,}", "negative", gs.GrammarError),
    ('%llguidance {"speed": 3}\nstart: "a"', "unknown option 'speed'", gs.GrammarError),
    ('%llguidance {"allow_invalid_utf8": true}\nstart: "a"', "allow_invalid_utf8", gs.UnsupportedError),
    ("start: foo\nfoo: bar::_\nbar::_: bar::_", "2:6", gs.GrammarError),
    ('start: x::1\nx: "a"', "used with a parameter and has none", gs.GrammarError),
    ('start: x::1\nx::_: "a" %if often(_)', "unknown condition `often`", gs.GrammarError),
    ('start: x::1\nx::_: "a" x::incr([3:1])', "no range", gs.GrammarError),
    ('start: x::0\nx::_: "a" x::incr(_) | ""', "max_nodes", gs.LimitError),
    ('BAZ: qux::0\nstart: BAZ\nqux::_: "baz"', "1:6", gs.GrammarError),
    ("start: a %if true", "without a parameter", gs.GrammarError),
    ('start: "a" @other', "1:12: `@` names another grammar", gs.UnsupportedError),
]  # fmt: skip


@pytest.mark.parametrize(("text", "inside", "outside"), MEANINGS)
def test_extensions_mean_what_they_say(text: str, inside: list[str], outside: list[str]) -> None:
    grammar = gs.lark(text)
    assert [t for t in inside if not grammar.accepts(t)] == []
    assert [t for t in outside if grammar.accepts(t)] == []


@pytest.mark.parametrize(("text", "words", "kind"), REFUSED)
def test_what_has_no_meaning_is_refused_by_name(text: str, words: str, kind: type[gs.GramspecError]) -> None:
    with pytest.raises(kind) as error:
        gs.lark(text)
    assert words in str(error.value)


def test_special_tokens_are_never_spelled() -> None:
    vocabulary = gs.Vocabulary(
        [b"a", b"<|x|>", None, None, None], [4], special_tokens={"<|x|>": 2, "</y>": 3}
    )

    def ids(text: str) -> list[int]:
        return sorted(gs.compile(gs.lark(text), vocabulary).matcher().allowed_ids().tolist())

    assert ids('start: <|x|> "a" | "<|x|>" | </y>') == [1, 2, 3]
    assert ids('start: <[0,2-3]> "a"') == [0, 2, 3]
    assert ids("start: <[^2]>") == [0, 1, 3]
    assert ids("start: <[*]>") == [0, 1, 2, 3]


def test_algebra_agrees_with_llguidance() -> None:
    llguidance = pytest.importorskip("llguidance")
    tokenizer = llguidance.LLTokenizer("byte")
    grammars = [
        'start: A\nA: ~"a" "b" & /../ | "c"{2,3}',
        'start: A\nA: ~"a"* & /aa|a|b|/',
        'start: x "c"?\nx[lazy]: /[ab]*/ "b"',
        'start: x "c"\nx[suffix="ab"]: /[ab]*/',
        'start: x "c"\nx[stop=/b|ab/]: /[ab]*/',
        'start: x "c"\nx[stop=""]: /[ab]*/',
        'start: p::1 "c"\np::_: "a" p::incr([0:2]) %if lt([0:2], 3) | "b" %if ge(_, 2)',
    ]
    for text in grammars:
        grammar = gs.lark(text)
        for length in range(5):
            for word in map("".join, itertools.product("abc", repeat=length)):
                matcher = llguidance.LLMatcher(tokenizer, text)
                tokens = tokenizer.tokenize_str(word)
                wanted = matcher.try_consume_tokens(tokens) == len(tokens) and matcher.is_accepting()
                assert grammar.accepts(word) == wanted, (text, word)


@pytest.mark.skipif(not CASES.exists(), reason="the recorded grammars are not here")
def test_recorded_cases_of_llguidance() -> None:
    """The one verdict that differs: a constant is written in its shortest spelling only, there."""
    wrong, judged = [], 0
    with gzip.open(CASES, "rt", encoding="utf-8") as lines:
        cases = [case for case in map(json.loads, lines) if case["format"] == "llguidance-lark"]
    for case in cases:
        try:
            grammar = gs.lark(case["grammar"])
        except gs.GramspecError as error:
            refused = isinstance(error, gs.UnsupportedError) and "max_tokens" in str(error)
            if not refused and "grammar_error" not in case and 'name: ""' not in case["grammar"]:
                wrong.append((case["id"], str(error)))
            continue
        if "grammar_error" in case:
            wrong.append((case["id"], "no error"))
        for text, verdict in [(t, True) for t in case["accept"]] + [(t, False) for t in case["reject"]]:
            judged += 1
            if grammar.accepts(text) != verdict:
                wrong.append((case["id"], text))
    assert judged > 50
    assert [place for place in wrong if place[1] != '"\\u00e9"'] == [] and len(wrong) <= 0.03 * judged
