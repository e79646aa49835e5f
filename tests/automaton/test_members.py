"""Random members: the laws of both ways of drawing, seen whole by enumerating every choice.

Laws: every text drawn is a member; uniform texts of one length are equally likely, lengths too; the weighted
law gives every member within the length a positive probability; residual predicates condition both.
"""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import NamedTuple

import pytest

import gramspec as gs
from gramspec.automaton.graph import TextGraph
from gramspec.automaton.members import (
    MemberLimits,
    UniformMembers,
    WeightedMembers,
    seeded,
    shortest_members,
    weights,
)
from gramspec.grammar import ir
from gramspec.grammar.core import Grammar, Place, Predicate

SMALL = [
    "",
    "(a|b)*abb",
    "a{2,4}b?",
    "(ab|bc){1,2}",
    "(a|ab)(bc|c)",
    "((a*b)?c)*",
    "é|a[éü]?",
    "(aa|aaa){2,3}",
]


class Enumerator:
    """A `choose` that follows a script and remembers how likely its path is."""

    def __init__(self, script: list[list[int]]) -> None:
        self.script = script  # (index, how many) of each choice so far
        self.position = 0
        self.probability = Fraction(1)

    def __call__(self, weights: Sequence[int]) -> int:
        support = [index for index, weight in enumerate(weights) if weight]
        assert support and all(isinstance(weight, int) and weight >= 0 for weight in weights)
        if self.position == len(self.script):
            self.script.append([0, len(support)])
        at, size = self.script[self.position]
        assert size == len(support), "the same choices lead to the same weights"
        self.position += 1
        self.probability *= Fraction(weights[support[at]], sum(weights))
        return support[at]


def law(draw: Callable[[Callable[[Sequence[int]], int]], bytes]) -> dict[bytes, Fraction]:
    """Probability of every text that can be drawn; draws that end in a `LimitError` are left out."""
    out: dict[bytes, Fraction] = {}
    script: list[list[int]] = []
    while True:
        choose = Enumerator(script)
        try:
            text = draw(choose)
            out[text] = out.get(text, Fraction(0)) + choose.probability
        except gs.LimitError:
            pass
        while script and script[-1][0] + 1 == script[-1][1]:
            script.pop()
        if not script:
            return out
        script[-1][0] += 1


def _alphabet(pattern: str) -> bytes:
    return b"a\xc3\xa9\xbc" if "é" in pattern else b"abc"


def members_up_to(grammar: Grammar, length: int, alphabet: bytes) -> set[bytes]:
    texts = (bytes(t) for n in range(length + 1) for t in itertools.product(alphabet, repeat=n))
    return {text for text in texts if grammar.accepts(text)}


@pytest.mark.parametrize("pattern", SMALL)
def test_uniform_members_are_uniform_by_length(pattern: str) -> None:
    grammar = gs.regex(pattern)
    expected = members_up_to(grammar, 6, _alphabet(pattern))
    drawn = UniformMembers(grammar, 6)
    found = law(drawn.draw)
    by_length = Counter(len(text) for text in found)
    assert set(found) == expected
    assert sum(found.values()) == 1
    assert drawn.counts == tuple(by_length[n] for n in range(7))
    for text, probability in found.items():
        assert grammar.accepts(text)
        assert probability == Fraction(1, len(by_length) * by_length[len(text)])


def test_counts_agree_with_a_formula() -> None:
    assert UniformMembers(gs.regex("[a-j]*"), 200).counts == tuple(10**n for n in range(201))
    utf8 = UniformMembers(gs.regex("(?s)."), 4).counts
    assert utf8 == (0, 128, 0x800 - 0x80, 0x10000 - 0x800 - 0x800, 0x110000 - 0x10000)
    dyck = ir.Rule("S")  # S = ( S ) S | empty: Catalan numbers
    dyck.define(ir.optional(ir.concat(ir.literal("("), ir.Ref(dyck), ir.literal(")"), ir.Ref(dyck))))
    assert UniformMembers(Grammar(ir.Ref(dyck)), 12).counts == (1, 0, 1, 0, 2, 0, 5, 0, 14, 0, 42, 0, 132)


@pytest.mark.parametrize("pattern", SMALL)
@pytest.mark.parametrize("length", [0, 4, 6])
def test_the_weighted_law_covers_the_members_within_the_length(pattern: str, length: int) -> None:
    grammar = gs.regex(pattern)
    drawn = WeightedMembers(grammar, length)
    found = law(drawn.draw)
    assert sum(found.values()) == 1 and all(found.values())
    assert all(grammar.accepts(text) and len(text) <= drawn.length for text in found)
    assert drawn.length == max(length, len(min(found, key=len)))
    assert set(found) == members_up_to(grammar, drawn.length, _alphabet(pattern))


def test_objects_within_the_length_or_a_little_longer() -> None:
    schema = {"type": "object", "additionalProperties": {"const": 1}, "required": ["a"]}
    grammar = gs.json_schema(schema, whitespace="compact")
    drawn = WeightedMembers(grammar, 60)
    choose = seeded(5)
    for _ in range(30):
        text = drawn.draw(choose)
        assert grammar.accepts(text) and len(text) <= 80
        pairs = json.loads(text, object_pairs_hook=list)
        assert len({key for key, _ in pairs}) == len(pairs)


def test_many_members_of_free_names() -> None:
    grammar = gs.json_schema({"minProperties": 40, "type": "object"}, whitespace="compact")
    drawn = WeightedMembers(grammar)
    text = drawn.draw(seeded(1))
    assert grammar.accepts(text) and len(json.loads(text)) >= 40


def test_keys_whose_form_asks_for_a_long_value() -> None:
    value = {"type": "object", "required": ["columns"], "properties": {"columns": {"const": "a" * 60}}}
    schema = {"type": "object", "required": ["a"], "patternProperties": {"^[a-z]+$": value}}
    grammar = gs.json_schema(schema, whitespace="compact")
    drawn, choose = WeightedMembers(grammar), seeded(0)
    texts = [drawn.draw(choose) for _ in range(40)]
    assert all(map(grammar.accepts, texts)) and max(map(len, texts)) < 3 * drawn.length
    graph = TextGraph(grammar)
    for prefix in (b'{"a":{"columns":"' + b"a" * 60 + b'"},"xyz', b'{"'):
        rest = graph.completion(graph.advance(graph.start, prefix))
        assert rest is not None and grammar.accepts(prefix + rest)


def test_residual_predicates_condition_both_laws() -> None:
    even = Predicate("", "even", "for the test", "even", lambda text: text.count(b"a") % 2 == 0)
    grammar = Grammar(gs.regex("[ab]{1,3}").expr, residuals=(even,))
    free = gs.regex("[ab]{1,3}")
    held = members_up_to(grammar, 3, b"ab")
    once = MemberLimits(max_attempts=1)  # attempts are independent: what one of them does is the law
    for one, other in (
        (UniformMembers(grammar, 3, limits=once), UniformMembers(free, 3)),
        (WeightedMembers(grammar, 3, limits=once), WeightedMembers(free, 3)),
    ):
        assert law(one.draw) == {text: p for text, p in law(other.draw).items() if text in held}
    choose = seeded(3)
    for members in (UniformMembers(grammar, 3), WeightedMembers(grammar, 3)):
        assert {members.draw(choose) for _ in range(200)} == held
    never = Predicate("/x", "impossible", "for the test", "never", lambda text: False)
    refused = Grammar(free.expr, residuals=(never,))
    limits = MemberLimits(max_attempts=7)
    for refusing in (UniformMembers(refused, 3, limits=limits), WeightedMembers(refused, 3, limits=limits)):
        with pytest.raises(gs.LimitError, match="impossible refused 7 texts"):
            refusing.draw(seeded(1))


class Unlike(NamedTuple):
    """Reads along: no byte twice in a row."""

    last: bytes

    def read(self, data: bytes) -> Unlike | None:
        for index in range(len(data)):
            if data[index : index + 1] == (data[:index] or self.last)[-1:]:
                return None
        return Unlike((self.last + data)[-1:])


class NoByteTwice:
    places = (Place("/x", "unlike", "for the test"),)
    key = "unlike"

    def holds(self, text: bytes) -> bool:
        return all(one != other for one, other in itertools.pairwise(text))

    def reading(self) -> Unlike:
        return Unlike(b"")


def test_predicates_that_read_along_are_asked_on_the_way() -> None:
    grammar = Grammar(gs.regex("[ab]{1,3}|aac").expr, residuals=(NoByteTwice(),))
    drawn = WeightedMembers(grammar, 3, limits=MemberLimits(max_attempts=1))
    found = law(drawn.draw)
    assert set(found) == members_up_to(grammar, 3, b"abc") and len(found) == 6
    end = Fraction(9_000, 9_000 + 2_400)  # the letter that was the last one is not possible
    third = found[b"aba"] / found[b"ab"]
    assert found[b"a"] == Fraction(1, 2) * end == found[b"b"]
    assert third == Fraction(2_400, 9_000) and sum(found.values()) == 1
    unique = gs.json_schema(
        {"type": "array", "uniqueItems": True, "items": {"enum": ["a", "b", "c", "d"]}, "minItems": 4}
    )
    members, choose = WeightedMembers(unique), seeded(4)
    assert all(sorted(json.loads(members.draw(choose))) == list("abcd") for _ in range(5))


def test_seeds_make_choices_reproducible_and_exact() -> None:
    grammar = gs.regex("[a-z]{1,9}")
    one, other = WeightedMembers(grammar), WeightedMembers(grammar)
    first, second, third = seeded(7), seeded(7), seeded(8)
    texts = [one.draw(first) for _ in range(20)]
    assert texts == [other.draw(second) for _ in range(20)] != [other.draw(third) for _ in range(20)]
    choose = seeded(1)
    assert all(choose([0, 10**400, 0]) == 1 for _ in range(50))
    assert {choose([1, 0, 1]) for _ in range(50)} == {0, 2}
    counts = Counter(choose([1, 2, 5]) for _ in range(8000))
    # Five standard deviations of a binomial share: a false alarm about once in two million runs.
    for index, share in enumerate((1 / 8, 2 / 8, 5 / 8)):
        assert abs(counts[index] - 8000 * share) < 5 * (8000 * share * (1 - share)) ** 0.5
    with pytest.raises(gs.OptionError, match="seed=-1"):
        seeded(-1)


def test_samples_look_like_something_a_person_would_write() -> None:
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "tags": {"type": "array", "items": {"type": "string"}}},
        "required": ["name", "tags"],
        "additionalProperties": False,
    }
    drawn = WeightedMembers(gs.json_schema(schema))
    choose = seeded(2)
    texts = [drawn.draw(choose).decode() for _ in range(200)]
    written = "".join(texts)
    printable = sum(char.isascii() and char.isprintable() for char in written)
    assert printable > 0.99 * len(written)
    assert written.count(" ") < 0.1 * len(written) and written.count("\\") < 0.01 * len(written)
    names = [json.loads(text)["name"] for text in texts]
    assert 3 < sum(map(len, names)) / len(names) < 15
    assert sum(bool(json.loads(text)["tags"]) for text in texts) > 50


def test_weights_are_positive_and_let_repetitions_end() -> None:
    every = bytes(range(256))
    for nearer in (False, True):
        assert min(weights(every, [nearer] * 256)) > 0
    live = b"@abcdefghijklmnopqrstuvwxyz"
    scaled = weights(live, [True] + [False] * 26)
    assert 7 * scaled[0] >= sum(scaled)


def test_shortest_members_come_by_length() -> None:
    assert list(shortest_members(TextGraph(gs.regex("b{2,3}|a|cccc")), 9)) == [b"a", b"bb", b"bbb", b"cccc"]
    found = list(shortest_members(TextGraph(gs.regex("(a|b)*abb")), 7))
    assert list(map(len, found)) == [3, 4, 4, 5, 5, 5, 5] and len(set(found)) == 7
    user = gs.json_schema({"type": "object", "required": ["k"], "properties": {"k": {"type": "integer"}}})
    texts = list(shortest_members(TextGraph(user), 3))
    assert [len(text) for text in texts] == [7, 7, 7] and all(map(user.accepts, texts))
    assert list(shortest_members(TextGraph(gs.regex("a{9000}")), 1, max_explored=100)) == []
    odd = Predicate("", "odd", "for the test", "odd", lambda text: text[-1] % 2 == 1)
    graph = TextGraph(Grammar(gs.regex("[a-z]{3}").expr, residuals=(odd,)))
    assert list(shortest_members(graph, 3)) == [b"aaa", b"aac", b"aae"]
    assert len(list(shortest_members(graph, 10**6))) == 26 * 26 * 13


def test_bounds_and_refusals() -> None:
    wide = gs.json_schema({"type": "object"})
    with pytest.raises(gs.LimitError, match=r"max_explored.*ask for shorter"):
        UniformMembers(wide, 12, limits=MemberLimits(max_explored=500))
    with pytest.raises(gs.LimitError, match="max_steps"):
        UniformMembers(wide, 12, limits=MemberLimits(max_steps=500))
    with pytest.raises(gs.LimitError, match="max_steps"):
        WeightedMembers(gs.regex("[a-z]{40}"), limits=MemberLimits(max_steps=500)).draw(seeded(0))
    with pytest.raises(gs.LimitError, match="max_counts"):
        UniformMembers(gs.regex("[a-z]*"), 200, limits=MemberLimits(max_counts=100))
    with pytest.raises(
        gs.OptionError, match="max_length=3: no member is that short; the shortest has 4 bytes"
    ):
        UniformMembers(gs.regex("a{4}"), 3)
    for bad in (lambda: UniformMembers(gs.regex("a"), -1), lambda: WeightedMembers(gs.regex("a"), -1)):
        with pytest.raises(gs.OptionError, match="length=-1"):
            bad()
    with pytest.raises(gs.UnsupportedError, match="token 'tool', which has no spelling"):
        WeightedMembers(Grammar(ir.TokenEdge("tool")))
    with pytest.raises(gs.EmptyLanguageError):
        WeightedMembers(Grammar(ir.EMPTY))


def test_a_full_engine_is_replaced_between_texts() -> None:
    drawn = WeightedMembers(gs.json_schema({"type": "object"}), 80)
    drawn._graph.limits = gs.Limits(max_configurations=60_000)
    drawn._graph._load()
    engines = set()
    choose = seeded(0)
    for _ in range(40):
        json.loads(drawn.draw(choose))
        engines.add(drawn._graph.engine)
    assert len(engines) > 1
