"""GBNF and xgrammar's EBNF: what the constructs mean, and what is refused, with its place."""

from __future__ import annotations

import random
from collections import Counter

import pytest

import gramspec as gs
from gramspec.grammar import ir

ACCEPTED = [
    # literals and escapes
    (r'root ::= "\n\r\t\\\"\x41é\U0001F600"', ['\n\r\t\\"Aé😀'], [""]),
    (r'root ::= "\a\b\f\v\e\0\'\?\/"', ["\a\b\f\v\x1b\0'?/"], []),
    (r'root ::= "\[\]\-"', ["[]-"], []),
    (r'root ::= "\x4" "\x415"', ["\x04A5"], ["\x04\u0415"]),
    ('root ::= "a\nb"', ["a\nb"], ["ab"]),
    ('root ::= ""', [""], ["a"]),
    ("root ::= \"#\" # a comment\n  'x'".replace("'", '"'), ["#x"], ["#"]),
    # classes
    (r"root ::= [a-cx\]\\^-]", ["a", "c", "x", "]", "\\", "^", "-"], ["d", "", "ab"]),
    (r"root ::= [-a] [a-c-e] [+--] [\[\-\^]", ["-d-["[:0] + "-b,[", "a-+-", "ae-^"], ["bb,[", "-d,["]),
    ("root ::= [^a-c\n]", ["d", "é", "😀", "\x00"], ["a", "\n", "", "dd"]),
    (r"root ::= [\x41-\x43] [\u00e9] [\d]".replace(r" [\d]", ""), ["Aé", "Cé"], ["Dé", "Ae"]),
    (r"root ::= [\ud800-\udfffa]", ["a"], ["b"]),
    ("root ::= [^]", ["a", "\n", "\U0010ffff"], ["", "aa"]),
    ("root ::= [] | [a]", ["a"], [""]),
    ('root ::= "x" .', ["xa", "x\n", "xé", "x\0"], ["x", "xab"]),
    # repetitions
    ('root ::= "ab"*', ["", "abab"], ["aba"]),
    ('root ::= "a"{2} "b"{1,} "c"{0,2} "d"{ 1 , 2 }', ["aabd", "aabbccdd"], ["abd", "aad", "aabcccd"]),
    ('root ::= "a"{0, -1} "b"{1, # at least\n 2}', ["b", "aaabb"], ["aa", "abbb"]),
    ('root ::= "a"** "b"+? "c"{2}{2}', ["cccc", "aabbcccc"], ["cc", "ccc"]),
    ('root ::= "a"? ""* []*', ["", "a"], ["aa"]),
    ("root ::= [ab]{3,100000}", ["aba", "a" * 5000], ["ab", ""]),
    # rules: names, order, newlines, empty alternatives
    ("root ::= a-b _c 1d E\na-b ::= [a]\n_c ::= [c]\n1d ::= [d]\nE ::= [e]", ["acde"], []),
    ("root ::= a.b c.d\na ::= [a]\nb ::= [b]\nc.d ::= [x]", ["a!bx", "a\nbx"], ["abx", "a.bx.d"]),
    ("root ::= a\n  b | c\n| d\na ::= [a]\nb ::= [b]\nc ::= [c]\nd ::= [d]", ["ab", "c", "d"], ["a"]),
    ("\r\nroot\r::=\n[a] |\r\n\t[b]\r", ["a", "b"], ["ab"]),
    ('root ::= ... "abc" ...', ["123abc456", "..\nabcabc"], ["12abc456", "123abc45"]),
    ("\ufeff# first\nroot ::= [a]#last", ["a"], []),
    ('root ::= | "a"\n', ["", "a"], []),
    ('root ::= ("a" | ) () "b"\nx ::=\ny ::= "c"', ["b", "ab"], []),
    # recursion of every kind
    ('root ::= root "+" root | [0-9]', ["1", "1+2+3"], ["1+", "+"]),
    ('root ::= e root "x" | "y"\ne ::= "z"?', ["y", "yx", "zyx", "zyxx"], ["zy", "z"]),
    ('root ::= "(" root ")" root | ""', ["", "(())()"], ["(()", ")("]),
    # xgrammar's look-ahead assertions say nothing about the language
    ('root ::= a "b"\na ::= "a" (= "c" | [d])\n', ["ab"], ["ac"]),
    ('root ::= "a"\n(= "b" root)', ["a"], ["ab"]),
    # macros
    (r'root ::= "x" Regex("\\d+(\\.[0-9])?")*', ["x", "x12.3", "x1.23"], ["x.3", "1"]),
    ('root ::= Regex("a.")', ["a\n", "aé"], ["a"]),
    ('root ::= Regex("a.", flags="i")', ["AB", "a "], ["a\n"]),
    ('root ::= Regex("a.", flags="isu")', ["A\n"], ["a"]),
    ('root ::= Regex("(?i)[^a]k", flags="")', ["bK", "xk"], ["ak", "Ak", "x\u212a"]),
    (r'root ::= Regex("[^x]+\\s", json_string=true)', ["a ", "é "], ['" ', "\\ ", "a\t", "x "]),
    (r'root ::= Regex("(?P<y>a)(?<z>b)\\S(?=c)c")', ["abxc"], ["ab c", "abx"]),
    ('root ::= Substring("ab", "", "c", "ab") "!"', ["!", "ab!", "cab!", "abcab!"], ["a!", "abab!", "ca!"]),
    ('root ::= Token\nToken ::= ("a")', ["a"], []),
    ("root ::= TagDispatch()", ["", "any\né"], []),
    (
        'root ::= TagDispatch(("<a>", b), ("<c>", d)) "."\nb ::= [0-9]+\nd ::= "x" root?',
        [".", "t.", "<<a>12.", "<a>1 <c>x.", "<c>x<a>1..."],
        ["", "<a>.", "<a>1", "<c>1.", "<a>"],
    ),
    (
        'root ::= TagDispatch(("a", b), loop_after_dispatch=false, excludes=("cc", "d",))\nb ::= "x"',
        ["", "c", "zcax", "ax"],
        ["cc", "d", "axz", "a", "axax", "ccax"],
    ),
    # rule attributes
    ('root ::= r "z"\nr[lazy] ::= [a-z]+', ["az"], ["aaz", "z"]),
    (
        'root ::= r r\nr[lazy, capture="x"] ::= s* "b" | "c"\ns ::= [ab]',
        ["aabb", "cb"],
        ["bbb", "a"],
    ),
    ("root ::= r\nr[lazy] ::= [ab]*", [""], ["a"]),
    ("root ::= r[a]\nr[capture] ::= [x]", ["xa"], []),
]


@pytest.mark.parametrize(("text", "members", "others"), ACCEPTED)
def test_what_the_constructs_mean(text: str, members: list[str], others: list[str]) -> None:
    grammar = gs.gbnf(text)
    assert [member for member in members if not grammar.accepts(member)] == []
    assert [other for other in others if grammar.accepts(other)] == []


def test_a_hexadecimal_escape_of_any_length_in_the_dialect_of_xgrammar() -> None:
    text = r'root ::= "\x1F600" [\x410-\x42F]'
    assert gs.gbnf(text, dialect="xgrammar").accepts("😀Я")
    assert gs.gbnf(text).accepts("\x1f6000")
    assert not gs.gbnf(text).accepts("😀Я")


def test_the_start_rule_is_a_choice() -> None:
    text = 'root ::= "a" item\nitem ::= [0-9]+'
    assert gs.gbnf(text, start="item").accepts("12")
    assert not gs.gbnf(text, start="item").accepts("a1")


def test_grammars_without_recursion_are_regular() -> None:
    word = gs.gbnf('root ::= part ("-" part)*\npart ::= letter{1,3}\nletter ::= [a-z]')
    assert (word & gs.regex("[^-]*")).accepts("abc")
    assert (~word).accepts("a--b")


def test_tokens_are_edges() -> None:
    grammar = gs.gbnf('root ::= <think> !</think>* </think> <[7]> Token(8, 9, 8)? ExcludeToken(1) "."')
    edges = {node.token for node in ir.walk(grammar.expr) if isinstance(node, ir.TokenEdge)}
    sets = {(node.tokens, node.negated) for node in ir.walk(grammar.expr) if isinstance(node, ir.TokenSet)}
    assert edges == {"<think>", "</think>", 7}
    assert sets == {(("</think>",), True), ((8, 9), False), ((1,), True)}


def vocabulary() -> gs.Vocabulary:
    tokens = [*(bytes([byte]) for byte in range(256)), b"</s>", b"<think>", b"</think>"]
    return gs.Vocabulary(tokens, [256], special_tokens={"<think>": 257, "</think>": 258})


def test_tokens_are_matched_as_tokens() -> None:
    matcher = gs.compile(gs.gbnf("root ::= <think> !</think>{2} </think> <[7]> [.]"), vocabulary()).matcher()
    assert matcher.allowed_ids().tolist() == [257]
    assert matcher.advance_many([257]) == 1
    assert set(range(259)) - set(matcher.allowed_ids().tolist()) == {256, 258}
    assert matcher.advance_many([257, ord("x"), 258, 7, ord("."), 256]) == 6


def test_tokens_dispatch() -> None:
    text = 'root ::= TokenTagDispatch((257, a), excludes=(5,){}) \na ::= "x"'
    matcher = gs.compile(gs.gbnf(text.replace("{}", "")), vocabulary()).matcher()
    assert matcher.advance_many([1, 2, 257, ord("x"), 3, 257, ord("x"), 256]) == 8
    matcher = gs.compile(gs.gbnf(text.format(", loop_after_dispatch=false")), vocabulary()).matcher()
    assert matcher.advance_many([1, 5]) == 1
    assert matcher.advance_many([257, ord("x"), 3]) == 2
    assert matcher.allowed_ids().tolist() == [256]


def error_of(text: str, kind: type[gs.GrammarError] = gs.GrammarError) -> gs.GrammarError:
    with pytest.raises(kind) as caught:
        gs.gbnf(text)
    return caught.value


REFUSED = [
    ('root ::= "a" x', "1:14", "`x` is used but not defined"),
    ('root ::= "a" (= x)', "1:17", "`x` is used but not defined"),
    ('rot ::= "a"', "1:1", "start rule `root` is not defined"),
    ("", "1:1", "start rule `root` is not defined"),
    ('root ::= "a"\nroot ::= "b"', "2:1", "`root` is defined twice, first at 1:1"),
    ('root ::= "a" b ::= "c"', "1:14", "begins in the middle of a line"),
    ('::= "a"', "1:1", "without a rule name"),
    ('"a" ::= "a"', "1:5", "without a rule name"),
    ('"a"\nroot ::= "a"', "1:1", "expected a rule"),
    ('root ::= "a', "1:10", "not closed"),
    ('root ::= "a\nb ::= "c"\nc ::= [d]', "1:10", "runs over the end of the line"),
    ("root ::= [a\nb", "1:10", "class is not closed"),
    ('root ::= ("a" | ("b")\nx ::= "y"', "1:10", "group is not closed"),
    ('root ::= "a")', "1:13", "unmatched"),
    (r'root ::= "\q"', "1:11", r"unknown escape \q"),
    (r"root ::= [a\w]", "1:12", r"unknown escape \w"),
    (r'root ::= "\u12"', "1:11", "4 hexadecimal digits"),
    (r'root ::= "\xg"', "1:11", "without hexadecimal digits"),
    (r'root ::= "\U00110000"', "1:11", "no such code point"),
    (r'root ::= "\ud83d"', "1:11", "lone surrogate U+D83D"),
    ('root ::= "\ud83d"', "1:11", "lone surrogate U+D83D"),
    ("root ::= [az-b]", "1:12", "z-b cross"),
    ('root ::= "a"{5,2}', "1:13", "bounds cross"),
    ('root ::= "a"{,2}', "1:13", "malformed repetition"),
    ('root ::= "a"{2', "1:13", "malformed repetition"),
    ('root ::= "a"{ # 2}', "1:13", "malformed repetition"),
    ('root ::= "a"{-1}', "1:13", "negative"),
    ('root ::= "a"{1,-2}', "1:13", "negative"),
    (f'root ::= "a"{{0,{"9" * 99}}}', "1:13", "too large"),
    ('root ::= "b" | *', "1:16", "nothing to repeat"),
    ("root ::= (+)", "1:11", "nothing to repeat"),
    ('root ::= "a" , "b"', "1:14", "unexpected `,`"),
    ('root : "a"', "1:6", "unexpected character ':'"),
    ("root ::= 'a'", "1:10", "unexpected character"),
    ("root ::= é", "1:10", "unexpected character"),
    ("root ::= \x01", "1:10", "U+0001"),
    ('root ::= !"a"', "1:10", "without a token"),
    ("root ::= <[x]>", "1:10", "malformed token"),
    ("root ::= <[99999999999]>", "1:10", "no token of this id"),
    ('root ::= "a" (= "b") "c"', "1:14", "end of a rule"),
    ('root ::= ("a" (= "b"))', "1:15", "end of a rule"),
    ("root ::= Regex", "1:10", "neither a rule nor a call"),
    ('root ::= Regex("(")', "1:16", "at @0: this group is not closed"),
    ('root ::= Regex("a", "b")', "1:10", "one text"),
    ('root ::= Regex("a", flags="x")', "1:16", "unknown flag 'x'"),
    ('root ::= Regex("a", x=true)', "1:23", "no argument `x`"),
    ('root ::= Regex("a", json_string=1)', "1:33", "true or false"),
    ('root ::= Regex("a" "b")', "1:20", "expected `,`"),
    ('root ::= Regex("a",', "1:20", "no argument of a macro"),
    ("root ::= Substring(5)", "1:20", "takes texts"),
    ("root ::= Token()", "1:10", "one token id"),
    ("root ::= TokenTagDispatch((1, root), excludes=(1,))", "1:28", "is excluded"),
    ('root ::= TagDispatch("a")', "1:22", "pairs of a tag and a rule"),
    ('root ::= TagDispatch(("a", b))', "1:28", "`b` is used but not defined"),
    ('root ::= TagDispatch(("", root))', "1:23", "not empty"),
    ('root ::= TagDispatch(("a", "b"))', "1:28", "names a rule"),
    ('root ::= TagDispatch(\n("ab", a), excludes=("a"))\na ::= "x"', "2:2", "can never be reached"),
    ('root ::= TagDispatch(excludes="a")', "1:31", "is a tuple"),
    ('root ::= TagDispatch(("a", (b)))', "1:28", "no argument of a macro"),
    ('root ::= Token("a")', "1:16", "no token id"),
    ('root ::= r\nr[foo] ::= "a"', "2:3", "unknown rule attribute"),
    ('root ::= r\nr[lazy, lazy] ::= "a"', "2:9", "named twice"),
    ('root ::= r\nr[lazy=1] ::= "a"', "2:3", "no such value"),
    ('root ::= r\nr[lazy] ::= "a" s\ns ::= s "b" | "c"', "3:1", "uses itself"),
]


@pytest.mark.parametrize(("text", "pointer", "reason"), REFUSED)
def test_what_is_refused_is_named_with_its_place(text: str, pointer: str, reason: str) -> None:
    error = error_of(text)
    assert error.pointer == pointer
    assert reason in error.reason
    line = text.split("\n")[int(pointer.split(":")[0]) - 1].rstrip("\r")
    assert "^" in str(error)
    assert line.isprintable() is False or line[:20] in str(error)


@pytest.mark.parametrize(
    ("text", "pointer", "reason"),
    [
        ('root ::= r\nr[max_tokens=3] ::= "a"', "2:3", "`max_tokens`"),
        ('root ::= r\nr[capture, temperature=0.5] ::= "a"', "2:12", "`temperature`"),
        ("root ::= r\nr[lazy] ::= <think>", "2:1", "names a token"),
    ],
)
def test_what_cannot_be_kept_is_refused_by_name(text: str, pointer: str, reason: str) -> None:
    error = error_of(text, gs.UnsupportedError)
    assert error.pointer == pointer
    assert reason in error.reason


@pytest.mark.parametrize("text", ["root ::= root", 'root ::= a "x"\na ::= "(" root ")"', "root ::= []"])
def test_empty_languages_are_errors(text: str) -> None:
    assert error_of(text, gs.EmptyLanguageError).pointer == "1:1"


def test_arguments_of_the_wrong_kind() -> None:
    with pytest.raises(gs.GrammarError, match="a grammar is a str, not bytes"):
        gs.gbnf(b"root ::= [a]")  # type: ignore[arg-type]
    with pytest.raises(gs.GrammarError, match="unknown dialect 'bnf'"):
        gs.gbnf("root ::= [a]", dialect="bnf")  # type: ignore[arg-type]
    with pytest.raises(gs.GrammarError, match="did you mean `item`"):
        gs.gbnf("root ::= item\nitem ::= [a]", start="itme")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("root ::= " + "(" * 300_000, "nested more than 1000 deep"),
        ('root ::= "a"' + "{2}" * 100_000, "more than 1000"),
        ("root ::= " + "[" * 300_000, "class is not closed"),
        ('root ::= "' + "\\" * 300_001, "not closed"),
        ("(" * 300_000, "expected a rule"),
        ('root ::= "a"{1,' + "0" * 300_000, "malformed repetition"),
    ],
)
def test_hostile_texts_end_in_an_error(text: str, reason: str) -> None:
    assert reason in error_of(text).reason


def test_damaged_texts_end_in_an_error_or_a_grammar() -> None:
    rng = random.Random(3)
    words = ["::=", "{2}", "{1,", "(=", "root", "\\x", "\\u", "Regex(", "<[", "[lazy]"]
    pieces = [*'"[](){}|*+?\\-^.:=#<>!,\n\r aé0', *words]
    outcomes = Counter[str]()
    for _ in range(1500):
        text = rng.choice(ACCEPTED)[0]
        for _ in range(rng.randint(1, 3)):
            at = rng.randrange(len(text) + 1)
            text = text[:at] + rng.choice(pieces) + text[at + rng.randrange(3) :]
        try:
            gs.gbnf(text)
            outcomes["grammar"] += 1
        except gs.GrammarError as error:
            outcomes[type(error).__name__] += 1
    assert outcomes["grammar"] > 100
    assert outcomes["GrammarError"] > 500


def test_large_grammars_are_read() -> None:
    assert gs.gbnf('root ::= "a"' + "*+?" * 300).accepts("aaa")
    assert gs.gbnf("root ::= " + '("a" | ' * 900 + '"b"' + ")" * 900).accepts("b")
    assert gs.gbnf('root ::= "' + "a" * 100_000 + '"').accepts("a" * 100_000)
    links = "\n".join(f"r{i} ::= r{i + 1}" for i in range(5_000))
    assert gs.gbnf(f'root ::= r0\n{links}\nr5000 ::= "x"').accepts("x")
    steps = "\n".join(f'r{i} ::= "x" r{i + 1} | "y"' for i in range(5_000))
    assert gs.gbnf(f'root ::= r0\n{steps}\nr5000 ::= "z"').accepts("x" * 4_000 + "y")
