"""Reading a text by a grammar: verdicts, where texts leave, and what was allowed there.

Laws: the place is the first character that no member has there; the characters named are exactly those
that some member goes on with; the way on that is offered ends in a member and none is shorter.
"""

from __future__ import annotations

import itertools
import re
from typing import NamedTuple

import pytest

import gramspec as gs
from gramspec.automaton.graph import TextGraph
from gramspec.automaton.reading import allowed, merge_numbers, read
from gramspec.automaton.wording import allowed_words, byte_words, character_words, visible
from gramspec.grammar.core import Grammar, Place, Predicate
from gramspec.grammar.ranges import SCALARS, of, subtract

PATTERNS = ["(a|b)*abb", "a{2,4}b?", "(ab|bc){1,2}", "", "é|aé?b", "[^a]b", "漢é|é😀*"]
ALPHABET = "abcé漢😀"


@pytest.mark.parametrize("pattern", PATTERNS)
def test_every_short_text_is_read_right(pattern: str) -> None:
    grammar = gs.regex(pattern)
    graph = TextGraph(grammar)
    # Every prefix of up to three characters goes on to a member of at most six.
    texts = ["".join(t) for n in range(7) for t in itertools.product(ALPHABET, repeat=n)]
    members = {text for text in texts if re.fullmatch(pattern, text)}
    prefixes = {text[:n] for text in members for n in range(len(text) + 1)}
    for text in itertools.takewhile(lambda text: len(text) < 3, texts):
        reading = read(graph, text.encode())
        kept = text.encode()[: reading.offset].decode()
        if text in members:
            assert reading.verdict == "member" and kept == text
            continue
        assert reading.verdict == ("ends early" if kept == text else "leaves")
        assert reading.completion is not None and grammar.accepts(kept.encode() + reading.completion)
        assert reading.allowed is not None
        said = {char for char in ALPHABET if subtract(of(char), reading.allowed.characters) == ()}
        assert kept in prefixes
        assert said == {char for char in ALPHABET if kept + char in prefixes}
        assert reading.allowed.end == (kept in members)
        assert kept == text or kept + text[len(kept)] not in prefixes


def test_the_shortest_way_on_is_shortest() -> None:
    graph = TextGraph(gs.regex("(ab|c(de)*f)g{2,}"))
    assert read(graph, b"cdx").completion == b"efgg"
    assert read(graph, b"").completion == b"abgg"
    assert read(graph, b"abggg").verdict == "member"


def test_characters_are_ranges_of_unicode() -> None:
    for pattern, expected in (
        ("(?s).", SCALARS),
        ("[^a]", subtract(SCALARS, of("a"))),
        (
            "[\u0430-\u044f\ud7ff\ue000\U0001f600-\U0001f64f]",
            ((0x430, 0x44F), (0xD7FF, 0xD7FF), (0xE000, 0xE000), (0x1F600, 0x1F64F)),
        ),
    ):
        graph = TextGraph(gs.regex(pattern))
        found = allowed(graph, graph.start)
        assert found.characters == expected and found.complete and not found.stray and not found.end
    assert merge_numbers([(0xD800, 0xD900), (5, 9), (0xD901, 0xDFFF), (7, 12)]) == ((5, 12), (0xD800, 0xDFFF))


def test_bytes_that_begin_no_character() -> None:
    graph = TextGraph(gs.literal(b"\xff") | gs.literal(b"a\x80b"))
    first = read(graph, b"\xfe")
    assert first.offset == 0 and first.allowed is not None
    assert first.allowed.characters == of("a") and first.allowed.stray == b"\xff"
    inside = read(graph, b"ab")
    assert inside.offset == 1 and inside.allowed is not None and inside.allowed.stray == b"\x80"
    cut = read(TextGraph(gs.regex("aé")), b"a\xc3")
    assert cut.verdict == "ends early" and cut.completion == b"\xa9"
    broken = read(TextGraph(gs.regex("aé")), b"a\xc3x")
    assert broken.verdict == "leaves" and broken.offset == 1 and broken.completion == "é".encode()


def test_keys_of_open_objects_leave_the_set_incomplete() -> None:
    graph = TextGraph(gs.json_schema({"type": "object"}))
    reading = read(graph, b'{"key')
    assert reading.allowed is not None and not reading.allowed.complete
    assert allowed_words(reading.allowed).endswith("characters above U+007F")
    assert reading.verdict == "ends early" and reading.completion == b'":0}'
    twice = read(graph, b'{"a":1,"a":2}')
    assert twice.verdict == "leaves" and twice.offset == 9  # the quote that would close the key again
    assert twice.allowed is not None and not subtract(of("b"), twice.allowed.characters)
    assert subtract(of('"'), twice.allowed.characters) == of('"')


class Explained:
    """A residual predicate that says where."""

    places = (Place("/uniqueItems", "uniqueItems", "for the test"),)
    key = "no a twice"

    def holds(self, text: bytes) -> bool:
        return text.count(b"a") < 2

    def explain(self, text: bytes) -> list[tuple[str, Place]]:
        return [("/1", self.places[0])]

    def reading(self) -> None:
        return None


class Counting(NamedTuple):
    """Reads along: at most two é."""

    text: bytes

    def read(self, data: bytes) -> Counting | None:
        text = self.text + data
        return None if text.count("é".encode()) > 2 else Counting(text)


class AtMostTwo:
    places = (Place("/max", "max", "for the test"),)
    key = "at most two"

    def holds(self, text: bytes) -> bool:
        return text.count("é".encode()) <= 2

    def reading(self) -> Counting:
        return Counting(b"")


def test_predicates_that_read_along_say_where() -> None:
    graph = TextGraph(Grammar(gs.regex("[aé]*b").expr, residuals=(AtMostTwo(),)))
    assert read(graph, "aéaéb".encode()).verdict == "member"
    for text in ("aéaéaéab", "aéaéaéa", "aéaéaéax"):  # accepted, too short, leaving: refused before
        reading = read(graph, text.encode())
        assert reading.verdict == "refused" and reading.offset == len("aéaéa".encode())
        assert [refusal.offset for refusal in reading.refusals] == [reading.offset]
    assert read(graph, "aéaéax".encode()).verdict == "leaves"
    assert read(graph, "aéaéa".encode()).verdict == "ends early"


def test_residual_predicates_say_no() -> None:
    even = Predicate("/minimum", "minimum", "for the test", "even", lambda text: len(text) % 2 == 0)
    graph = TextGraph(Grammar(gs.regex("[ab]*").expr, residuals=(even, Explained())))
    assert read(graph, b"ab").verdict == "member"
    assert read(graph, b"abx").verdict == "leaves"
    [one] = read(graph, b"b").refusals
    assert one.place.keyword == "minimum" and one.where is None
    one, other = read(graph, b"aba").refusals
    assert (one.place.keyword, other.place.keyword, other.where) == ("minimum", "uniqueItems", "/1")


def test_sets_in_words() -> None:
    assert character_words(SCALARS) == "any character"
    assert character_words(subtract(SCALARS, of("a\n"))) == "any character but line feed, 'a'"
    assert character_words(of("az", " ")) == "space, 'a', 'z'"
    assert character_words(((0x30, 0x39), (0x61, 0x62))) == "'0' to '9', 'a', 'b'"
    assert character_words(of("'\x00\u3042")) == 'U+0000, "\'", U+3042'
    beyond = subtract(SCALARS, ((0, 0x40), (0x42, 0x7F)))
    assert character_words(beyond) == "'A', any character above U+007F"
    many = character_words(of(*range(0x400, 0x500, 2)))
    assert many.count(",") == 16 and many.endswith("and 112 further ranges")
    graph = TextGraph(gs.regex("a?"))
    assert allowed_words(allowed(graph, graph.start)) == "'a', or the end of the text"
    assert allowed_words(allowed(graph, graph.advance(graph.start, b"a"))) == "the end of the text"
    assert byte_words(b"\x80\x81abc") == "5: 'a' to 'c', 0x80 to 0x81"
    assert byte_words(b"") == "none"
    assert visible("a\tb\x7f\ud800é") == "a␉b␡\ufffdé"
