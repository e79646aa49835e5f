"""Membership against Lark's own Earley parser, on members and on texts a few changes away from one."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from lark_oracle import Subject, texts

FILES = Path(__file__).resolve().parents[3] / "shared" / "data" / "grammars" / "files"

SMALL = [
    # recursion: left, right, hidden, in the middle; ambiguity; rules that match nothing
    "start: start A | A\nA: /[ab]/",
    'start: "a" start | start "b" |',
    'start: e start "a" | "b"\ne: f*\nf: "f" |',
    'start: start start | "a" | "b" start "c" |',
    'start: "(" start ")" start |',
    'start: x "b" | "a" y\nx: "a" x | "a"\ny: y "b" | "b"',
    'start: x\nx: y | "a"\ny: x | "b" z?\nz: z z | "c"',
    'start: ("a" | "b")* "a" ("a" | "b")~2',
    'start: p | q\np: "a" p "a" | "b" p "b" |\nq: "a" q "b" |',
    # repetition
    'start: ("a" "b"?)~2..3 "c"~0..2',
    'start: (("a"~2)~1..2 "b")+',
    'start: [["a"] "b"] ["c" ["d"]]',
    "start: A~2..3 B\nA: /a/~1..2\nB: (/b/ ~ 2)?  /c/",
    # terminals that overlap, and that hold each other
    "start: (A | B | C)+\nA: /a+b/\nB: /ab*/\nC: A B",
    'start: (KEY | NAME "=" NAME)+\nKEY: "if" | "else"\nNAME: /[a-z]/+\n%ignore " "',
    "start: A A\nA: /a|b/ /c|d/",
    "start: A\nA: B? /x/ | (B | C)~2\nB: /[0-9]+/\nC.3: \".\" B",
    'start: "ab"i "c" | /ab/i /d/ | "É"i',
    "start: /[^a]/ /./ /./s /\\s/ /\\w/",
    'start: "a".."c" ("0".."9" | "x".."x")+',
    "start: A\nA: /a(?=b)b|c(?<!x)(?!e)./",
    r"start: A+" "\n" r"A: /x(?:(?=ab)a|b)b+/ | / \b./",
    # order: lazy, alternatives, atomic groups
    "start: A A\nA: /a+?/ | /b{1,2}?/",
    "start: A B\nA: /ab|abc|a/\nB: /c?d|cd+/",
    'start: S "!"?\nS: /".*?"/',
    'start: C x\nx: "*" | "/" | "a"\nC: /\\/\\*.*?\\*\\//',
    "start: A B\nA: /(?>a|ab)c?/\nB: /b?c?d/",
    # ignored text
    'start: "a" "b" ["c"]\n%ignore " "\n%ignore /-+/',
    'start: x*\nx: "a" | "(" x ")"\n%ignore WS\nWS: /[ \\n]/+',
    'start: A WS B | "c"\nA: "a"\nB: "b"\nWS: " "+\n%ignore WS',
    'start: "a"+\n%ignore /#[^\\n]*/\n%ignore "\\n"',
    'start: "ab" | "b" start\n%ignore /a+/',
    'start: \n%ignore "x"',
    # templates, aliases, modifiers
    'start: l{"a"} | l{b} "!"\nl{x}: x ("," x)*\nb: "b" | "(" l{b} ")"',
    'start: f{g, "a"}\nf{h, x}: h{x} x\ng{x}: x x -> two\n    | "-" -> one',
    '!start: x | _y\n?x: "a" "b" -> c | "d"\n_y: x x',
    # the library
    "start: ESCAPED_STRING (\",\" ESCAPED_STRING)*\n%import common.ESCAPED_STRING",
    "start: (NUMBER | CNAME)+\n%import common (NUMBER, CNAME, WS)\n%ignore WS",
    "start: SIGNED_FLOAT C_COMMENT?\n%import common (SIGNED_FLOAT, C_COMMENT)",
    "start: (NAME | STRING | HEX_NUMBER)+\n%import python (NAME, STRING, HEX_NUMBER)",
    '%import common.INT\n%override INT: "7" INT_\nINT_: /[x]/?\n%extend INT: "8"\nstart: INT+',
]  # fmt: skip

IN_FILES = [
    ("lark/examples/tests/negative_priority.lark", "start"),
    ("lark/examples/relative-imports/multiple2.lark", "start"),
    ("lark/tests/grammars/ab.lark", "startab"),
    ("lark/tests/grammars/leading_underscore_grammar.lark", "c"),
    ("lark/examples/composition/json.lark", "start"),
    ("lark/examples/composition/csv.lark", "start"),
    ("lark/examples/composition/storage.lark", "start"),
    ("outlines/src/outlines/grammars/json.lark", "start"),
    ("syncode/syncode/parsers/grammars/prover9.lark", "start"),
    ("syncode/syncode/parsers/grammars/c.lark", "start"),
    ("syncode/syncode/parsers/grammars/sql.lark", "expression"),
    ("llguidance/sample_parser/data/lark.lark", "start"),
]


def disagreements(subject: Subject, seed: str, *, count: int, length: int) -> list[tuple[str, str, bool]]:
    """Texts on which Lark's parser and a grammar here disagree though they may not.

    With the order of matches, both must agree always; without, the grammar accepts what Lark accepts, and no
    more if the order of no match counts. Where ignored text may be cut, Lark may refuse more.
    """
    rng = random.Random(seed)
    plain, ordered = subject.grammar(), subject.grammar("dynamic_complete")
    cut = subject.greedy_gaps
    same = not subject.ordered_terminals and not cut
    found = []
    for text in texts(subject, plain, rng, count=count, length=length):
        belongs = subject.earley(text)
        for name, grammar, equal in (("plain", plain, same), ("ordered", ordered, not cut)):
            here = grammar.accepts(text)
            if (belongs and not here) or (equal and here and not belongs):
                found.append((name, text, belongs))
    return found


@pytest.mark.parametrize("text", SMALL, ids=range(len(SMALL)))
def test_small_grammars_accept_what_lark_accepts(text: str) -> None:
    assert disagreements(Subject(text), text, count=25, length=9) == []


@pytest.mark.skipif(not FILES.is_dir(), reason="the files lie beside the repository, in ../shared/data")
@pytest.mark.parametrize(("name", "start"), IN_FILES)
def test_files_of_other_projects_accept_what_lark_accepts(name: str, start: str) -> None:
    path = FILES / name
    subject = Subject(path.read_text("utf-8"), start, path.parent)
    assert disagreements(subject, name, count=10, length=10) == []


def test_where_the_order_of_a_match_counts_is_known() -> None:
    counted = [text for text in SMALL if Subject(text).ordered_terminals]
    assert len(counted) == 5
    assert Subject("start: A B\nA: /ab|abc|a/\nB: /c?d/").ordered_terminals == ["A"]
    assert Subject("start: A B\nA: /abc|ab|a/\nB: /c??d/").ordered_terminals == []
    assert Subject('start: "a"\n%ignore /#.*/').greedy_gaps
    assert not Subject('start: "a"\n%ignore / +/').greedy_gaps


def test_members_drawn_here_are_members_there() -> None:
    from gramspec.automaton.members import WeightedMembers, seeded

    subject = Subject(
        '?start: sum\n?sum: product | sum "+" product -> add\n?product: atom | product "*" atom\n'
        '?atom: NUMBER | "-" atom | NAME | "(" sum ")"\n%ignore WS_INLINE\n'
        "%import common (NUMBER, WS_INLINE)\n%import common.CNAME -> NAME"
    )
    members, choose = WeightedMembers(subject.grammar(), 20), seeded(5)
    assert all(subject.earley(members.draw(choose).decode()) for _ in range(40))
