"""Sets of strings: formulas against a reading of their own, as characters and as JSON values."""

from __future__ import annotations

import json
import random
import re
import time
from pathlib import Path

import pytest

import gramspec as gs
from gramspec.errors import GrammarError, UnsupportedError
from gramspec.grammar import ir
from gramspec.grammar.core import Grammar
from gramspec.grammar.json_schema import formats, layout
from gramspec.grammar.json_schema.formulas import (
    EVERYTHING,
    NOTHING,
    AllOf,
    AnyOf,
    Format,
    Formula,
    Integral,
    Length,
    Negation,
    Pattern,
    Words,
    all_of,
    any_of,
    negation,
)
from gramspec.grammar.json_schema.string_lengths import bounds
from gramspec.grammar.json_schema.string_machines import determined
from gramspec.grammar.json_schema.strings import (
    finite_words,
    simplify,
    string_characters,
    string_empty,
    string_exact,
    string_holds,
    string_value,
)
from gramspec.grammar.regex import parse_regex
from gramspec.grammar.regex.characters import is_empty, matches

ALPHABET = 'ab1-é𝕏"\\\n'
TEXTS = [
    "",
    "a",
    "b",
    "ab",
    "aa",
    "é",
    "𝕏𝕏",
    "a-1",
    "1-1",
    "2024-02-29",
    "2023-02-29",
    "x" * 9,
    "a.b",
    "xn--X",
]
# Their meaning is the same for `re` and for ECMA-262.
PATTERNS = [
    "a", "^a", "b$", "^ab?$", "^[ab]*$", "^[a-z]+$", "^[ab]{2,3}$", "^[b-é]*$", "^(ab|ba)*$", "^a[^a]*b?$",
    "^(a|b1*)-?$", "[^a]", "^$", "", "^(?:..)+$", "-|1", "^a*$|^b+$", r"^[\s\S]{1,2}$", r"^[^\n]*$", r"\\|\"",
]  # fmt: skip


def atom(rng: random.Random) -> Formula:
    match rng.randrange(8):
        case 0 | 1:
            least = rng.randrange(4)
            return Length(least, rng.choice((None, least, least + 1, least + 3, 30)))
        case 2:
            return Words(frozenset(rng.sample(TEXTS, rng.randrange(1, 5))))
        case 3:
            return Format(rng.choice(("date", "hostname", "regex", "ipv4", "json-pointer")))
        case _:
            return Pattern(rng.choice(PATTERNS))


def formula(rng: random.Random, depth: int) -> Formula:
    match rng.randrange(6) if depth else 0:
        case 0:
            return atom(rng)
        case 1:
            return Negation(formula(rng, depth - 1))
        case 2 | 3:
            return AllOf(tuple(formula(rng, depth - 1) for _ in range(rng.randrange(4))))
        case _:
            return AnyOf(tuple(formula(rng, depth - 1) for _ in range(rng.randrange(4))))


def holds(part: Formula, text: str) -> bool:
    """The meaning of a formula, by `re` and `len`."""
    match part:
        case Length(least, most):
            return least <= len(text) and (most is None or len(text) <= most)
        case Pattern(pattern):
            return bool(re.search(pattern.replace("$", r"\Z"), text))
        case Format(name):
            return formats.check(name, text)
        case Words(words):
            return text in words
        case AllOf(parts):
            return all(holds(each, text) for each in parts)
        case AnyOf(parts):
            return any(holds(each, text) for each in parts)
        case Negation(each):
            return not holds(each, text)
    raise AssertionError(part)


def has_inexact(part: Formula) -> bool:
    match part:
        case Format(name):
            return not formats.exact(name)
        case AllOf(parts) | AnyOf(parts):
            return any(map(has_inexact, parts))
        case Negation(each):
            return has_inexact(each)
    return False


def spelled(text: str, rng: random.Random) -> str:
    """A JSON string of the text, some of its characters escaped."""
    found = ""
    for char in text:
        if rng.random() < 0.3:
            units = char.encode("utf-16-be").hex()
            units = units.upper() if rng.random() < 0.5 else units
            found += "".join("\\u" + units[at : at + 4] for at in range(0, len(units), 4))
        else:
            found += json.dumps(char, ensure_ascii=False)[1:-1]
    return f'"{found}"'


@pytest.mark.parametrize("seed", range(8))
def test_formulas_against_their_meaning(seed: int) -> None:
    rng = random.Random(seed)
    kept = 0
    for _ in range(25):
        part = formula(rng, 3)
        texts = [*TEXTS, *("".join(rng.choices(ALPHABET, k=rng.randrange(6))) for _ in range(12))]
        expr, exact = string_characters(part), string_exact(part)
        assert exact or has_inexact(part)
        value = string_value(part)
        grammar = None if isinstance(value, ir.Empty) else Grammar(value)
        words = finite_words(part, 20)
        for text in texts:
            expected = holds(part, text)
            assert string_holds(part, text) == expected, (part, text)
            assert holds(simplify(part), text) == expected, (part, text)
            member = matches(expr, text)
            assert member == expected if exact else member or not expected, (part, text)
            if grammar is not None:
                assert grammar.accepts(spelled(text, rng)) == member, (part, text)
            else:
                assert not member
            assert not (expected and string_empty(part)), (part, text)
            assert words is None or (text in words) == expected, (part, text)
        kept += grammar is not None
    assert kept > 5


def kinds(expr: ir.Expr) -> set[str]:
    return {type(node).__name__ for node in ir.walk(expr)}


@pytest.mark.parametrize(
    ("pattern", "least", "most", "found"),
    [
        ("^[a-z0-9-]+$", 0, 64, (1, 64)),
        ("^(.*)$", 0, 4096, (0, 4096)),
        ("^[a-z][a-z0-9]*$", 3, 10, (3, 10)),
        ("^/.*$", 5, None, (5, None)),
        ("foo$", 0, 10**9, (3, 10**9)),
        ("^(?:ab)*$", 3, 9, (4, 8)),
        ("^$|^[a-z]+$", 0, 5, (0, 5)),
        ("^[a-z]{3}-[0-9]+-[0-9]{2}$", 0, 20, (8, 20)),
        ("^.{2,8}$", 4, 100, (4, 8)),
        ("^[a-z]{2,8}$", 0, 100, (2, 8)),
    ],
)
def test_lengths_go_into_repetitions(
    pattern: str, least: int, most: int | None, found: tuple[int, int | None]
) -> None:
    expr = string_characters(all_of(Pattern(pattern), Length(least, most)))
    assert not kinds(expr) & {"And", "Not"}
    assert bounds(expr) == found


def test_repetitions_of_classes_become_one() -> None:
    parts = (Pattern("^[a-m]+$"), Pattern("^[d-z]{3,9}$"), Length(0, 5), negation(Length(0, 1)))
    expr = string_characters(all_of(*parts))
    assert isinstance(expr, ir.Repeat)
    assert isinstance(expr.item, ir.CharSet)
    assert (expr.item.ranges, expr.minimum, expr.maximum) == (((100, 109),), 3, 5)
    assert isinstance(string_characters(all_of(Pattern("^a*$"), Pattern("^b*$"))), ir.Epsilon)
    assert isinstance(string_characters(all_of(Pattern("^a+$"), Pattern("^b+$"))), ir.Empty)


def test_pure_lengths_share_the_objects_of_the_layout() -> None:
    assert string_value(EVERYTHING) is layout.string(0, None)
    assert string_value(Length(0, None)) is layout.string(0, None)
    assert string_value(Length(2, 7)) is layout.string(2, 7)
    assert string_value(all_of(Length(2, None), Length(0, 7), Pattern(".*"), Pattern(""))) is layout.string(
        2, 7
    )
    assert string_value(any_of(Length(2, 4), Length(5, 7))) is layout.string(2, 7)
    assert string_value(Pattern(r"^[\s\S]{2,7}$")) is layout.string(2, 7)
    assert string_value(negation(Length(0, 1))) is layout.string(2, None)
    free = string_value(all_of(Pattern("a"), Length(0, 9)))
    assert free is string_value(all_of(Pattern("a"), Length(0, 9)))


def test_inexact_formats_give_supersets_under_every_sign() -> None:
    for name in ("hostname", "idn-hostname", "regex"):
        texts = ["", "a", "xn--X", "xn--ll-0ea", "a_b", "(", "(a)", "[", "a" * 64, "ab--c", "a.b"]
        for part in (Format(name), negation(Format(name)), negation(negation(Format(name)))):
            assert not string_exact(part)
            assert all(matches(string_characters(part), text) for text in texts if string_holds(part, text))
            some = all_of(part, Words(frozenset(texts)))
            assert string_exact(some)
            assert all(matches(string_characters(some), text) == string_holds(part, text) for text in texts)
    assert not matches(string_characters(negation(Format("hostname"))), "example.com")


@pytest.mark.parametrize(
    "part",
    [
        NOTHING,
        Length(3, 2),
        all_of(Length(3, None), Length(0, 2)),
        all_of(Words(frozenset("ab")), Words(frozenset("cd"))),
        all_of(Words(frozenset("ab")), Length(2, None)),
        all_of(Pattern("^a"), negation(Pattern("^a"))),
        all_of(Pattern("^a+$"), Pattern("^b+$")),
        all_of(Pattern("^ab*$"), Pattern("^b")),
        all_of(Format("uuid"), Length(0, 35)),
        all_of(Format("ipv4"), Pattern("[a-z]")),
        all_of(Format("date"), Format("time")),
        all_of(Format("hostname"), Pattern("_")),
        all_of(Pattern("^a.*b$"), Length(0, 1)),
        negation(EVERYTHING),
        negation(any_of(Length(0, 3), Length(4, None))),
        Pattern("a^"),
    ],
)
def test_contradictions_are_found(part: Formula) -> None:
    assert string_empty(part)
    assert finite_words(part, 5) == frozenset()


def test_finite_sets_are_listed() -> None:
    assert finite_words(Pattern("^(red|green)$"), 2) == {"red", "green"}
    assert finite_words(Pattern("^(red|green)$"), 1) is None
    assert finite_words(Length(0, 0), 1) == {""}
    assert finite_words(Length(0, 1), 1000) is None
    assert finite_words(Pattern("red"), 10) is None
    assert finite_words(all_of(Words(frozenset(("a", "b", "cc"))), Pattern("^.$")), 2) == {"a", "b"}
    assert finite_words(all_of(Pattern("^[ab]{2}$"), negation(Pattern("a"))), 9) == {"bb"}
    assert finite_words(all_of(Format("hostname"), Pattern("^(xn--X|a)$")), 9) == {"a"}


def test_gigantic_bounds_cost_nothing() -> None:
    begin = time.perf_counter()
    for part in (
        Length(0, 10**9),
        Length(10**9, None),
        all_of(Pattern("x"), Length(0, 10**9)),
        all_of(Pattern("^(a|bc)*$"), Length(2, 10**18)),
        all_of(Format("uri"), Pattern("^https?://"), Length(0, 10**9)),
        negation(Length(10**9, 10**10)),
    ):
        assert not string_empty(part)
        assert string_holds(part, "https://example.com/x") == holds(part, "https://example.com/x")
        assert len(list(ir.walk(string_value(part)))) < 3000
        assert not Grammar(string_value(part)).accepts('"\\u0000"') or holds(part, "\0")
    assert time.perf_counter() - begin < 10


def test_many_words_share_their_prefixes() -> None:
    words = frozenset(f"item-{number:05}" for number in range(5000))
    expr = string_characters(Words(words))
    assert len(list(ir.walk(expr))) < 12_000
    assert all(matches(expr, word) for word in ("item-00000", "item-04999"))
    assert not matches(expr, "item-05000")
    chain = frozenset("a" * count for count in range(3000))
    assert matches(string_characters(Words(chain)), "a" * 2999)


def test_words_with_lone_surrogates_are_no_strings() -> None:
    assert string_characters(Words(frozenset(("\ud800",)))) is ir.EMPTY
    assert finite_words(Words(frozenset(("a", "x\udfff"))), 5) == {"a"}


def test_bad_patterns_are_refused_with_their_offset() -> None:
    for ask in (string_characters, string_value, simplify, string_empty):
        with pytest.raises(GrammarError) as error:
            ask(all_of(Length(0, 5), Pattern("a(b")))
        assert error.value.pointer == "@1"
        with pytest.raises(UnsupportedError):
            ask(negation(Pattern(r"(a)\1")))
    with pytest.raises(TypeError):
        string_characters(Integral())


def test_determined_expressions_have_no_dead_end() -> None:
    rng = random.Random(5)
    small = 0
    for _ in range(60):
        first, second = (parse_regex(rng.choice(PATTERNS), "ecma", search=True) for _ in range(2))
        expr = ir.And((first, ir.Not(second)) if rng.random() < 0.5 else (first, second))
        found = determined(expr, 100)
        if found is None:
            continue
        small += 1
        assert not kinds(found) & {"And", "Not"}
        for _ in range(20):
            text = "".join(rng.choices(ALPHABET, k=rng.randrange(5)))
            assert matches(found, text) == matches(expr, text)
        if isinstance(found, ir.Machine):
            for state in range(len(found.arcs)):
                order = [state, *(other for other in range(len(found.arcs)) if other != state)]
                place = {old: new for new, old in enumerate(order)}
                arcs = tuple(tuple((chars, place[to]) for chars, to in found.arcs[old]) for old in order)
                turned = ir.Machine(arcs, tuple(found.accepting[old] for old in order))
                assert is_empty(turned) is False
    assert small > 40


def test_repetitions_are_recognised_in_automata() -> None:
    for pattern, least, most in (("^[ab]{2,5}$", 2, 5), ("^[ab]+$", 1, None), ("^[ab]*$", 0, None)):
        twice = ir.And(
            (parse_regex(pattern, "ecma", search=True), ir.Not(parse_regex("c", "ecma", search=True)))
        )
        found = determined(twice, 50)
        assert isinstance(found, ir.Repeat)
        assert isinstance(found.item, ir.CharSet)
        assert (found.item.ranges, found.minimum, found.maximum) == (((97, 98),), least, most)
    assert determined(ir.And((parse_regex("a*"), parse_regex("b*"))), 50) is ir.EPSILON
    assert determined(ir.And((parse_regex("a+"), parse_regex("b+"))), 50) is ir.EMPTY
    assert determined(parse_regex("(?:a|b)*a(?:a|b){20}"), 300) is None


def test_contradictory_rests_are_not_searched_with_their_lengths() -> None:
    # After "xx" nothing can follow; with the bound as part of the state that takes 10^5 steps to see.
    expr = string_value(all_of(Pattern("^x*y$"), Pattern("^y*x*$"), Length(0, 10**5)))
    begin = time.perf_counter()
    assert Grammar(expr).accepts('"y"')
    assert not Grammar(expr).accepts('"xxx"')
    assert time.perf_counter() - begin < 1


@pytest.mark.parametrize("name", sorted(formats.NAMES - {"idn-hostname"}))
def test_masks_along_members_of_formats(name: str) -> None:
    """Every byte of a member is allowed where it stands, and the end after it."""
    alphabet = [bytes([byte]) for byte in range(256)]
    vocabulary = gs.Vocabulary([*alphabet, None], [256])
    compiled = gs.compile(Grammar(string_value(Format(name))), vocabulary)
    cases = json.loads(Path(__file__).with_name("format_cases.json").read_text(encoding="utf-8"))[name]
    for text in cases["good"][:6]:
        matcher = compiled.matcher()
        for byte in json.dumps(text, ensure_ascii=False).encode():
            assert not matcher.is_accepting
            assert byte in matcher.allowed_ids()
            matcher.advance(byte)
        assert matcher.is_accepting
    if formats.exact(name):
        for text in cases["bad"]:
            matcher = compiled.matcher()
            raw = json.dumps(text, ensure_ascii=False).encode()
            assert matcher.advance_many(list(raw)) < len(raw)
