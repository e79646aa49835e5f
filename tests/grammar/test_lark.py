"""Lark grammars: what each construct means, and where a bad grammar is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

import gramspec as gs

MEANINGS: list[tuple[str, list[str], list[str]]] = [
    # terminals are regular languages: any way to cut the text counts
    ("start: A B\nA: /a+/\nB: /a/", ["aa", "aaaa"], ["a", ""]),
    ('start: A "c"\nA: /a|ab/', ["ac", "abc"], ["c", "bc"]),
    ('start: A "b"\nA: /a.*?/', ["ab", "axxb"], ["a", "b"]),
    ('start: A\nA.2: "a" | B\nB.-1: "b"', ["a", "b"], ["ab"]),
    ('start: A "!"\nA: /x*/', ["!", "xx!"], ["x"]),
    # Lark joins the patterns of a terminal as they are
    ('start: A\nA: /a|b/ "c"', ["a", "bc"], ["ac", "b"]),
    ('start: /a|b/ "c"', ["ac", "bc"], ["a"]),
    # repetition, options, groups
    ('start: "a"? ["b"] ("c" | "d")+ "e"*', ["c", "abdcee", "bd"], ["", "ab", "ba", "ce d"]),
    ('start: "a"~2 "b"~0..2 "c"~0', ["aa", "aabb"], ["a", "aabbb", "aac"]),
    ('start: ("a" x)~2..3\nx: "1" | "(" x ")"', ["a1a(1)", "a1a1a1"], ["a1", "a1a1a1a1"]),
    ("start: A\nA: (/a/ [B])~1..2\nB: /b/", ["a", "abab", "aab"], ["", "b", "aaa"]),
    # names of rules change nothing
    ('?start: _b -> one\n     | c\n_b: "b"\n!c.3: "c" -> two\n     |', ["b", "c", ""], ["bc"]),
    # recursion of every kind
    ('start: start "+" start | start "x" | "1" |', ["1+1x", "", "+", "xx"], ["11"]),
    ('start: e start "a" | "b"\ne: f?\nf: "f" |', ["b", "ba", "fbaa", "ffbaa"], ["fb", "bf"]),
    # literals
    ('start: "Ab"i "\\n" "\\u00e9\\x41" "\\\\" "\\""', ['aB\néA\\"'], ['ab\nÉA\\"']),
    ("start: /A b\\/ [x-z]/x /[\\]]./is", ["Ab/y]\n"], ["A b/y]\n", "ab/y]a"]),
    ('start: "a".."c" "α".."γ"', ["bβ"], ["dβ", "b"]),
    ("start: /(?i)a/ /b/", ["Ab", "ab"], ["AB"]),
    (r"start: /(?<n>\u{41}[\u{1F600}\u{5d}]\u{2a})/ /[(?<]a/", ["A😀*<a", "A]*(a"], ["a😀*<a", "A😀<a"]),
    # templates
    ('start: s{"a", ","} | s{x, ";"}\ns{i, b}: i (b i)*\nx: "x"', ["a,a", "x;x;x"], ["a;a", "a,"]),
    ('start: h{p, "x"}\nh{f, b}: f{b} "!"\np{d}: d "y"', ["xy!"], ["x!"]),
    ('start: a{b{"c"}}\na{x}: x x\nb{y}: y "d" | "(" a{b{y}} ")"', ["cdcd", "cd(cdcd)"], ["cd", "cdc"]),
    # ignored text: before, between and after terminals, never inside
    ('start: "ab" C\nC: "c"+\n%ignore " "\n%ignore /#.*\\n/', [" ab  cc #x\n", "abc"], ["a b c", "ab c c"]),
    ('start: "a"?\n%ignore (" " | "\\t")+', ["", " \t", " a "], ["aa", "\n"]),
    # the library
    (
        "start: ESCAPED_STRING*\n%import common.ESCAPED_STRING",
        ['"a"', '"a\\"b""c\\\\"', ""],
        ['"a"b"', '"a\\"', '"\n"'],
    ),
    ("start: N | C\n%import common.NUMBER -> N\n%import common.CNAME -> C", ["1.5e3", "_x1"], ["1x"]),
    ("%import python (STRING, DEC_NUMBER)\nstart: STRING | DEC_NUMBER", ["'a'", "10", "0"], ["''''", "01"]),
    ("%import unicode.WS\nstart: WS", ["\xa0 \t"], ["a"]),
    ('%import common.INT\n%override INT: "x"\nstart: INT', ["x"], ["1"]),
    ('%import common.INT\n%extend INT: "x"\nstart: INT', ["x", "12"], ["x1"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "inside", "outside"), MEANINGS)
def test_constructs_mean_what_they_say(text: str, inside: list[str], outside: list[str]) -> None:
    grammar = gs.lark(text)
    assert [t for t in inside if not grammar.accepts(t)] == []
    assert [t for t in outside if grammar.accepts(t)] == []


def test_the_order_of_a_match_counts_on_request() -> None:
    text = 'start: A "c"\nA: /a|ab/'
    assert gs.lark(text).accepts("abc")
    ordered = gs.lark(text, lexer="dynamic_complete")
    assert ordered.accepts("ac") and not ordered.accepts("abc")


def test_relative_imports_keep_the_names_of_their_file(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "words.lark").write_text(
        'phrase: word (SEP word)*\nword: W\nW: "w"\nSEP: "-"\n%ignore " "\n%import .more.extra\n', "utf-8"
    )
    (tmp_path / "sub" / "more.lark").write_text('extra: "extra" | "[" extra "]"\n', "utf-8")
    text = '%import .sub.words (phrase, W, extra)\nstart: phrase | extra\nword: "other"\nSEP: "+"\n'
    grammar = gs.lark(text, base_path=tmp_path)
    assert grammar.accepts("w-w") and grammar.accepts("[extra]")
    assert not any(grammar.accepts(t) for t in ("w+w", "other", "w -w"))
    grammar = gs.lark(text + '%override W: "v"\n%extend phrase: "!" phrase\n', base_path=tmp_path)
    assert grammar.accepts("!v-v") and not grammar.accepts("w")
    found = gs.lark("%import sub.words.word\nstart: word", import_paths=[tmp_path])
    assert found.accepts("w")


def test_import_loops_are_refused(tmp_path: Path) -> None:
    (tmp_path / "one.lark").write_text("%import .two.b\na: b\n", "utf-8")
    (tmp_path / "two.lark").write_text("%import .one.a\nb: a\n", "utf-8")
    with pytest.raises(gs.GrammarError, match=r"one.lark → two.lark → one.lark") as caught:
        gs.lark("%import .one.a\nstart: a", base_path=tmp_path)
    assert caught.value.pointer == "two.lark:1:10"


REFUSED: list[tuple[str, str, str]] = [
    ("start: a b\na: 'x'", "2:4", "unexpected"),
    ('start: ("a"', "1:12", "something is due"),
    ('start: "a\n', "1:8", "does not end"),
    ("start: /a\n", "1:8", "does not end"),
    ('start: "' + "\\" * 61, "1:8", "does not end"),
    ('start: wrd\nword: "x"', "1:8", "did you mean `word`?"),
    ('start: "x"\nother: Y', "2:8", "terminal `Y` is used but not defined"),
    ('start: "x"\nstart: "y"', "2:1", "defined twice, first at 1:1"),
    ('begin: "x"', "1:1", "start rule `start` is not defined"),
    ('start: A\nA: b\nb: "x"', "2:4", "rule `b` stands in a terminal"),
    ("start: A\nA: B\nB: A", "2:1", "terminal `A` uses itself by way of `B`"),
    ('start: A\nA: "x" -> y', "2:11", "alias"),
    ('start: ""', "1:8", "empty"),
    ('start: "\\x4"', "1:8", "bad escape"),
    ("start: /(/", "1:8", "terminal `/(/`"),
    ("start: /a/l", "1:8", "terminal `/a/l`"),
    ('start: "ab".."c"', "1:8", "one character"),
    ('start: "b".."a"', "1:8", "ends before it begins"),
    ('start: "a"~3..2', "1:12", "fewer than the least"),
    ('start: "a"~99999999999999999999', "1:12", "repetitions"),
    ('?_a: "x"\nstart: _a', "1:2", "inlined"),
    ('start: s\ns{a}: a "x"', "1:8", "without arguments"),
    ('start: s{"x", "y"}\ns{a}: a "x"', "1:8", "takes 1 argument, not 2"),
    ('start: s{"x"}\ns: "y"', "1:8", "no template"),
    ('start: a{"x"}\na{x}: "y" | a{b{x}}\nb{x}: x x', "2:13", "ever new arguments"),
    ("%import common.NUMBR\nstart: NUMBR", "1:16", "did you mean `NUMBER`?"),
    ("%import nowhere.NUMBER\nstart: NUMBER", "1:9", "no file nowhere.lark"),
    ('%override a: "x"\nstart: a', "1:11", "not defined before"),
    ("%ignore WS\nstart: /a/", "1:9", "terminal `WS` is used but not defined"),
    ("start: " + "(" * 500 + '"a"' + ")" * 500, "1:508", "nested more than"),
]


@pytest.mark.parametrize(("text", "pointer", "words"), REFUSED)
def test_bad_grammars_are_refused_with_their_place(text: str, pointer: str, words: str) -> None:
    with pytest.raises(gs.GrammarError) as caught:
        gs.lark(text)
    assert (caught.value.pointer, words in str(caught.value)) == (pointer, True), str(caught.value)
    assert str(caught.value).count("\n") >= 2  # the line and the caret


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("start: /a(?!b)/", "look-ahead at its end"),
        ("start: A\nA: /(?<!b)a/", "look-behind at its beginning"),
        (r"start: /\ba/", "at its beginning"),
        ("start: /a$/ | /b/", "at its end"),
        ("%declare _INDENT\nstart: _INDENT", "`_INDENT` is only declared"),
        ("%import python.file_input\nstart: file_input", "post-lexing"),
        (r"start: /(a)\1/", "back-reference"),
    ],
)
def test_what_is_no_regular_language_of_its_own_is_refused_by_name(text: str, words: str) -> None:
    with pytest.raises(gs.UnsupportedError) as caught:
        gs.lark(text)
    assert words in str(caught.value)


def test_a_grammar_without_members_is_refused() -> None:
    with pytest.raises(gs.EmptyLanguageError, match="`start` has no member") as caught:
        gs.lark('start: a\na: "x" b\nb: a')
    assert caught.value.pointer == "1:1"


def test_empty_terminals_are_refused_where_lark_refuses_them() -> None:
    with pytest.raises(gs.UnsupportedError, match="empty text"):
        gs.lark('start: A "b"\nA: /a*/', lexer="dynamic_complete")


def test_options_are_checked() -> None:
    with pytest.raises(gs.OptionError, match="lexer"):
        gs.lark('start: "a"', lexer="basic")  # type: ignore[arg-type]
    with pytest.raises(gs.GrammarError, match="a grammar is a str"):
        gs.lark(b"start: A")  # type: ignore[arg-type]
