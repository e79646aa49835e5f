"""Lark grammars made to cost much: each is read or refused with its place, with little work."""

from __future__ import annotations

import pytest

import gramspec as gs


def numbered(form: str, count: int, last: str) -> str:
    """Definitions made from a form: ``#`` is a number, ``@`` the next one."""
    lines = [form.replace("#", str(i)).replace("@", str(i + 1)) for i in range(count)]
    return "\n".join([*lines, last])


READ: list[tuple[str, str, str]] = [
    ("line breaks", "\n" * 300_000 + 'start: "a"', "a"),
    ("lines of blanks", " \n" * 100_000 + "// x\n" * 20_000 + 'start: "a"' + " " * 100_000, "a"),
    ("backslashes", 'start: "' + "\\" * 50_000 + '"', "\\" * 25_000),
    ("counts of counts", 'start: ((x~0..1000)~1000)~0..1000\nx: "a" | "(" x ")"', "a(a)((a))"),
    ("counts in a terminal", 'start: A\nA: (("a"~0..1000)~1000)~0..1000', "a" * 1001),
    ("terminals doubled", numbered('A#: A@ | "b" A@', 60, 'A60: "a"\nstart: A0'), "bba"),
    ("rules doubled", numbered("r#: r@? r@?", 60, 'r60: "a"\nstart: r0'), "aaa"),
    ("a chain of rules", numbered('r#: "b"? r@', 2000, 'r2000: "a"\nstart: r0'), "bbba"),
    ("ambiguity", 'start: start start | start start start | "a" |', "aaaaaaaa"),
    ("a large priority", "start." + "9" * 5000 + ': "a"', "a"),
]  # fmt: skip

REFUSED: list[tuple[str, str, str]] = [
    ("an open string", 'start: "' + "\\" * 100_001 + "\n", "1:8"),
    ("an open pattern", "start: /" + "\\" * 100_001, "1:8"),
    ("too long", 'start: "a"\n' + "//" + "x" * 1_000_000, "2:999990"),
    ("a long count", 'start: "a"~' + "9" * 5000, "1:12"),
    ("arguments in arguments", "start: " + "t{" * 500 + '"x"' + "}" * 500 + "\nt{x}: x", "1:206"),
    ("brackets in brackets", "start: " + "[" * 5000 + '"a"' + "]" * 5000, "1:5008"),
    ("terminals in terminals", numbered('A#: A@ "b"?', 2000, 'A2000: "a"\nstart: A0'), "101:1"),
    ("new arguments for ever", 'start: t{"x"}\nt{x}: "a" | t{p{x, x}}\np{a, b}: a b', "2:15"),
    ("a long name", "start: " + "a" * 100_000, "1:8"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "member"), [case[1:] for case in READ], ids=[case[0] for case in READ])
def test_what_looks_large_is_read(text: str, member: str) -> None:
    assert gs.lark(text).accepts(member)


@pytest.mark.parametrize(("text", "pointer"), [c[1:] for c in REFUSED], ids=[c[0] for c in REFUSED])
def test_what_is_too_large_is_refused_with_its_place(text: str, pointer: str) -> None:
    with pytest.raises(gs.GrammarError) as caught:
        gs.lark(text)
    assert caught.value.pointer == pointer
