"""Lowering to bytes: exactly the UTF-8 of a set, exactly its JSON spellings, and the algebra above."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from regex_oracle import accepts

from gramspec.errors import GrammarError
from gramspec.grammar import encoding, ir
from gramspec.grammar.ranges import SCALARS, Ranges, complement, intersect, normalise, subtract, unite
from gramspec.grammar.regex import parse_regex

EDGES = [
    *(0, 0x1F, 0x20, 0x22, 0x2F, 0x5C, 0x7E, 0x7F, 0x80, 0xFF, 0x7FF, 0x800, 0xFFF, 0x1000, 0xCFFF, 0xD7FF),
    *(0xE000, 0xFFFF, 0x10000, 0x103FF, 0x10400, 0xFFFFF, 0x100000, 0x10FFFE, 0x10FFFF),
]
points = st.one_of(
    st.sampled_from(EDGES),
    st.integers(0, 0x7F),
    st.integers(0, 0xD7FF),
    st.integers(0xE000, 0x10FFFF),
)
range_sets = st.lists(st.tuples(points, points), min_size=1, max_size=4).map(
    lambda pairs: normalise((min(pair), max(pair)) for pair in pairs)
)


def holds(ranges: Ranges, point: int) -> bool:
    return any(low <= point <= high for low, high in ranges)


def probes(ranges: Ranges, rng: random.Random) -> set[int]:
    """Both sides of every end, the edges of the encodings, and a few points inside."""
    found = set(EDGES)
    for low, high in ranges:
        found |= {low - 1, low, low + 1, high - 1, high, high + 1, rng.randint(low, high)}
    return {p for p in found if 0 <= p <= 0x10FFFF and not 0xD800 <= p <= 0xDFFF}


def spellings(point: int) -> list[str]:
    """Every way to write one scalar inside a JSON string (mixed case of digits only in part)."""
    found = [] if point < 0x20 or chr(point) in '"\\' else [chr(point)]
    short = {'"': '"', "\\": "\\", "/": "/", "\b": "b", "\f": "f", "\n": "n", "\r": "r", "\t": "t"}
    if chr(point) in short:
        found.append("\\" + short[chr(point)])
    units = [point]
    if point > 0xFFFF:
        units = [0xD800 + ((point - 0x10000) >> 10), 0xDC00 + ((point - 0x10000) & 0x3FF)]
    lower = "".join(f"\\u{unit:04x}" for unit in units)
    mixed = "".join(f"\\u{f'{unit:04X}'[:2]}{f'{unit:04x}'[2:]}" for unit in units)
    return [*found, lower, lower.upper().replace("U", "u"), mixed]


@settings(max_examples=120, deadline=None)
@given(range_sets, st.randoms(use_true_random=False))
def test_utf8_of_a_set(ranges: Ranges, rng: random.Random) -> None:
    lowered = encoding.utf8(ir.CharSet(ranges))
    for point in probes(ranges, rng):
        assert accepts(lowered, chr(point).encode()) is holds(ranges, point)
    for data in (b"", b"\x80", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe0\x80\x80", b"\xff"):
        assert not accepts(lowered, data)


@settings(max_examples=120, deadline=None)
@given(range_sets, st.randoms(use_true_random=False))
def test_json_spellings_of_a_set(ranges: Ranges, rng: random.Random) -> None:
    lowered = encoding.json_string(ir.CharSet(ranges))
    for point in probes(ranges, rng):
        for text in spellings(point):
            assert json.loads(f'"{text}"') == chr(point)
            assert accepts(lowered, text.encode()) is holds(ranges, point), (hex(point), text)
    wrong = [
        "",
        '"',
        "\\",
        "\n",
        "\\ud800",
        "\\udc00",
        "\\udc00\\ud800",
        "\\ud800\\u0041",
        "\\u12",
        "\\U0041",
        "\\a",
    ]
    for text in wrong:
        assert not accepts(lowered, text.encode())


@pytest.mark.parametrize("lower", [encoding.utf8, encoding.json_string])
def test_counting_members_finds_every_scalar_once(lower: object) -> None:
    """Number of byte strings = sum over scalars of the number of spellings: nothing is lost or doubled."""

    def count(node: ir.Expr) -> int:
        match node:
            case ir.ByteSet(mask=mask):
                return mask.bit_count()
            case ir.Concat(items=items):
                total = 1
                for item in items:
                    total *= count(item)
                return total
            case ir.Union(items=items):
                return sum(map(count, items))
        raise AssertionError(node)

    def forms(point: int) -> int:
        if lower is encoding.utf8:
            return 1
        units = [point] if point <= 0xFFFF else [0xD800 + (point - 0x10000 >> 10), 0xDC00 + (point & 0x3FF)]
        hexadecimal = 1
        for unit in units:
            hexadecimal *= 2 ** sum(digit in "abcdef" for digit in f"{unit:04x}")
        raw = point >= 0x20 and point not in (0x22, 0x5C)
        return raw + (chr(point) in '"\\/\b\f\n\r\t') + hexadecimal

    for ranges in (((0, 0xBFF),), ((0xCABC, 0xD7FF), (0xE000, 0x12345)), ((0xFFF00, 0x10FFFF),)):
        expected = sum(forms(point) for low, high in ranges for point in range(low, high + 1))
        assert count(lower(ir.CharSet(ranges))) == expected  # type: ignore[operator]


def test_equal_sets_share_one_object_and_stay_small() -> None:
    ranges = parse_regex(r"\w")
    assert isinstance(ranges, ir.CharSet)
    again = ir.CharSet(tuple(ranges.ranges))
    assert encoding.utf8(ranges) is encoding.utf8(again)
    assert encoding.json_string(ranges) is encoding.json_string(again)
    assert encoding.utf8(ir.CharSet(SCALARS)) is encoding.UTF8_CHAR
    assert encoding.json_string(ir.CharSet(SCALARS)) is encoding.JSON_CHAR

    def size(root: ir.Expr) -> int:
        seen: set[int] = set()
        stack = [root]
        while stack:
            node = stack.pop()
            if id(node) not in seen:
                seen.add(id(node))
                stack.extend(getattr(node, "items", ()))
        return len(seen)

    assert size(encoding.UTF8_CHAR) <= 32
    assert size(encoding.JSON_CHAR) <= 60
    assert size(encoding.json_string(ranges)) < 4_000


@pytest.mark.parametrize(
    ("lower", "spell"),
    [(encoding.utf8, str), (encoding.json_string, lambda text: json.dumps(text)[1:-1])],
)
@pytest.mark.parametrize("pattern", ["(?:a|é)*b?", "[^a]{1,2}", '"|\\\\|\n|/', "😀+"])
def test_complement_is_relative_to_the_encoding(lower: object, spell: object, pattern: str) -> None:
    inner = parse_regex(pattern)
    negated = lower(ir.Not(inner))  # type: ignore[operator]
    lens = lower(ir.And((ir.Not(inner), parse_regex("(?s:.){2}"))))  # type: ignore[operator]
    for text in ["", "a", "éb", "ab", "ba", "b", '"', "\\", "\n", "/", "😀", "😀😀", "zz", "zzz"]:
        data = spell(text).encode()  # type: ignore[operator]
        assert accepts(negated, data) is not accepts(inner, text), text
        assert accepts(lens, data) is (len(text) == 2 and not accepts(inner, text)), text
    for broken in (b"\xff", b"\xed\xa0\x80", b"\xc3"):
        assert not accepts(negated, broken)
    if lower is encoding.json_string:
        for broken in (b'"', b"\\", b"\n", b"\\ud800", b"\\x"):
            assert not accepts(negated, broken)


def test_json_texts() -> None:
    key = encoding.json_key_spellings('a/"😀')
    for text in ('a/\\"😀', "a\\/\\u0022\\ud83d\\ude00", "\\u0061\\u002f\\u0022\\uD83D\\uDe00"):
        assert accepts(key, text.encode())
        assert json.loads(f'"{text}"') == 'a/"😀'
    for text in ('a/"😀', 'a/\\"', 'A/\\"😀', 'a/\\"\\ud83d'):
        assert not accepts(key, text.encode())
    quoted = encoding.json_literal_string("é")
    assert (
        accepts(quoted, '"é"'.encode())
        and accepts(quoted, b'"\\u00E9"')
        and not accepts(quoted, "é".encode())
    )
    assert accepts(encoding.json_literal_string(""), b'""')
    assert accepts(encoding.JSON_BODY, b"") and accepts(encoding.UTF8_TEXT, "aé😀".encode())


def test_errors_name_the_place() -> None:
    with pytest.raises(GrammarError, match="lone surrogate") as caught:
        encoding.json_key_spellings("ab\ud800")
    assert caught.value.pointer == "@2"
    with pytest.raises(GrammarError, match="ByteSet"):
        encoding.json_string(ir.concat(ir.CharSet(((97, 97),)), ir.literal("b")))


def test_other_nodes_are_kept() -> None:
    rule = ir.Rule("r")
    reference, plain = ir.Ref(rule), ir.literal("xy")
    mixed = ir.concat(reference, ir.Call(ir.CharSet(((233, 233),))), plain)
    lowered = encoding.utf8(mixed)
    assert isinstance(lowered, ir.Concat)
    assert lowered.items[0] is reference
    assert isinstance(lowered.items[1], ir.Call)
    assert encoding.utf8(plain) is plain
    assert encoding.utf8(ir.CharSet(())) is ir.EMPTY
    assert encoding.utf8(ir.repeat(ir.CharSet(()))) is ir.EPSILON
    assert encoding.utf8(ir.repeat(ir.CharSet(()), 2)) is ir.EMPTY


def test_depth_and_sharing_cost_nothing() -> None:
    deep: ir.Expr = ir.CharSet(((97, 98),))
    for _ in range(20_000):
        deep = ir.Repeat(ir.Union((deep, ir.EPSILON)), 0, 2)
    assert isinstance(encoding.utf8(deep), ir.Repeat)
    shared: ir.Expr = ir.CharSet(((97, 98),))
    for _ in range(60):  # 2^60 paths, 60 nodes
        shared = ir.Union((ir.Concat((shared, shared)), shared))
    assert isinstance(encoding.json_string(shared), ir.Union)


@settings(max_examples=100, deadline=None)
@given(range_sets, range_sets, points)
def test_set_algebra(first: Ranges, second: Ranges, point: int) -> None:
    one, two = holds(first, point), holds(second, point)
    assert holds(unite(first, second), point) is (one or two)
    assert holds(intersect(first, second), point) is (one and two)
    assert holds(complement(first), point) is not one
    assert holds(subtract(first, second), point) is (one and not two)
    assert complement(complement(first)) == first
    assert unite(first, complement(first)) == SCALARS


def test_machines_are_lowered_arc_by_arc() -> None:
    a, e = ir.CharSet(((0x61, 0x61),)), ir.CharSet(((0xE9, 0xE9),))
    nothing = ir.CharSet(())
    even = ir.Machine((((a, 1), (nothing, 0)), ((ir.concat(e, a), 0),)), (True, False))
    plain, quoted = encoding.utf8(even), encoding.json_string(even)
    for text, wanted in (("", True), ("a", False), ("aéa", True), ("aéaaéa", True), ("aéaéa", False)):
        assert accepts(even, text) is wanted
        assert accepts(plain, text.encode()) is wanted
        assert accepts(quoted, json.dumps(text)[1:-1].encode()) is wanted
    assert isinstance(plain, ir.Machine) and [len(pairs) for pairs in plain.arcs] == [1, 1]
    assert accepts(encoding.json_string(ir.Machine(((),), (True,))), b"")
