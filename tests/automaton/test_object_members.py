"""Objects with key classes, member counts, marks and late properties: what masks allow, byte by byte.

The comparison with slow oracles on random grammars is `tests/matching/test_mask_exactness.py`;
here are the real string bodies, names beyond ASCII, and sizes that random grammars do not reach.
"""

from __future__ import annotations

import itertools
import json
import time

import pytest

import gramspec as gs
from gramspec.errors import EmptyLanguageError, LimitError
from gramspec.grammar import ir
from gramspec.grammar.core import Grammar
from gramspec.grammar.encoding import JSON_BODY, json_key_spellings, utf8
from gramspec.testing.oracle import Recogniser

BYTES = gs.Vocabulary([*(bytes([b]) for b in range(256)), None], [256])
DIGIT = ir.byte_set(b"0123456789")
WORD = ir.literal('"w"')


def declared(name: str, value: ir.Expr = DIGIT, required: bool = False, **more: object) -> ir.JsonProperty:
    return ir.JsonProperty(name, json_key_spellings(name), value, required, **more)  # type: ignore[arg-type]


def members(*properties: ir.JsonProperty, additional: ir.Expr | None = None, **more: object) -> ir.JsonObject:
    order = more.pop("order", "any")
    return ir.JsonObject(properties, additional, order, ir.EPSILON, JSON_BODY, **more)  # type: ignore[arg-type]


def read(node: ir.Expr, text: str) -> tuple[int, bool]:
    """Bytes taken, and whether the text may end there."""
    matcher = gs.compile(Grammar(node), BYTES).matcher()
    taken = matcher.advance_many(text.encode())
    return taken, matcher.is_accepting


def check(node: ir.Expr, good: list[str], bad: list[tuple[str, int]]) -> None:
    """Members are read to their end; a bad text is stopped at its first hopeless byte."""
    recogniser = Recogniser(node)
    for text in good:
        assert read(node, text) == (len(text.encode()), True), text
        assert recogniser.accepts(text.encode()), text
    for text, stop in bad:
        assert read(node, text)[0] == stop, text
        assert not recogniser.accepts(text.encode()), text


def one_of(*names: str) -> ir.Expr:
    return ir.union(*(ir.literal(name) for name in names))


def test_a_class_without_values_forbids_what_begins_only_its_names() -> None:
    class_x = ir.JsonKeyClass(ir.concat(ir.literal("x"), ir.repeat(ir.byte_set(b"abc"), 0, 2)), WORD)
    class_y = ir.JsonKeyClass(ir.concat(ir.literal("é"), utf8_anything()), ir.EMPTY)
    node = members(additional=DIGIT, classes=(class_x, class_y))
    check(
        node,
        ["{}", '{"x":"w"}', '{"\\u0078a":"w"}', '{"xabc":1}', '{"e":1}', '{"\\u00e8":1}', '{"\\n":1}'],
        [('{"x":1}', 5), ('{"é":1}', 3), ('{"\\u00e9":1}', 7), ('{"\\u00E9":1}', 7), ('{"xab":1}', 7)],
    )


def utf8_anything() -> ir.Expr:
    scalars = ((0, 0xD7FF), (0xE000, 0x10FFFF))
    return utf8(ir.repeat(ir.CharSet(scalars)))


def test_names_of_a_finite_class_run_out() -> None:
    node = members(classes=(ir.JsonKeyClass(one_of("a", "bc", "😀"), DIGIT),), least=2)
    check(
        node,
        ['{"a":1,"bc":2}', '{"😀":1,"\\u0061":2}', '{"\\uD83D\\uDE00":1,"bc":2,"a":3}'],
        [
            ("{}", 1),
            ('{"a":1}', 6),
            ('{"a":1,"a":2}', 8),
            ('{"a":1,"\\u0061":2}', 13),
            ('{"c":1}', 2),
            ('{"\\ud83d\\ude01":1}', 13),
            ('{"a":1,"bc":1,"😀":1,', 22),
        ],
    )
    with pytest.raises(EmptyLanguageError):
        gs.compile(Grammar(members(classes=node.classes, least=4)), BYTES)


def test_counts_reserve_room_for_required_members() -> None:
    node = members(declared("a"), declared("b", required=True), additional=DIGIT, most=2)
    check(
        node,
        ['{"a":1,"b":1}', '{"b":1,"q":1}', '{"b":3}'],
        [('{"a":1,"c":1}', 8), ('{"q":1,"a":1}', 8), ('{"b":1,"q":1,', 12), ('{"bb":1,"bc":1,', 10)],
    )


def test_marks_are_set_by_different_members_or_the_object_cannot_end() -> None:
    a = declared("a", marked=((WORD, 1),))
    b = declared("b", marked=((WORD, 2), (ir.literal("null"), 3)))
    check(
        members(a, b, marks=3),
        ['{"a":"w","b":"w"}', '{"b":null}', '{"a":1,"b":null}', '{"b":"w","a":"w"}'],
        [("{}", 1), ('{"b":1', 5), ('{"a":1,"b":"', 11)],
    )
    check(members(a, b, marks=3, most=1), ['{"b":null}'], [('{"a', 2), ('{"b":"', 5)])
    many = ir.JsonKeyClass(ir.concat(ir.literal("k"), ir.repeat(DIGIT)), DIGIT, ((WORD, 4),))
    check(
        members(a, b, classes=(many,), marks=5, least=3),
        ['{"a":"w","k1":"w","k2":0}', '{"k":"w","b":1,"a":"w"}'],
        [('{"k":"w","a":1,"b":1', 19), ('{"k":"w","a":"w"}', 16)],
    )


def test_an_alternative_that_sets_marks_is_followed_beside_the_plain_one() -> None:
    """The same text is of both languages: what it sets is decided by what is needed later."""
    both = declared("a", ir.repeat(DIGIT, 1, 3), marked=((ir.repeat(DIGIT, 2, 2), 1),))
    check(members(both, marks=1), ['{"a":12}'], [('{"a":1}', 6), ('{"a":123}', 7)])


def test_late_properties_come_after_the_sequence_in_any_order() -> None:
    node = members(
        declared("a", required=True),
        declared("z", late=True, required=True),
        declared("b"),
        additional=DIGIT,
        order="schema",
    )
    check(
        node,
        ['{"a":1,"z":1}', '{"a":1,"b":1,"z":1}', '{"a":1,"q":1,"z":1,"r":1}', '{"a":1,"z":1,"q":1}'],
        [('{"z":1', 2), ('{"a":1,"b":1}', 12), ('{"a":1,"z":1,"b":1', 15), ('{"a":1,"q":1,"b":1', 15)],
    )


def test_every_walk_along_masks_can_be_finished() -> None:
    """A finite world, walked in full: every text a mask allows begins a member."""
    classes = (
        ir.JsonKeyClass(one_of("a", "ab"), ir.literal("0"), ((ir.literal("1"), 1),)),
        ir.JsonKeyClass(one_of("b", "ba"), ir.EMPTY, ((ir.literal("0"), 2),)),
    )
    letters = ir.union(ir.byte_set(b"ab"))
    node = ir.JsonObject((), None, "any", ir.EPSILON, ir.repeat(letters), classes, (), 2, 3, 3)
    names = {"a": ("01", 1), "ab": ("01", 1), "b": ("0", 2), "ba": ("0", 2)}
    wanted = set()
    for count in (2, 3):
        for keys in itertools.permutations(names, count):
            for values in itertools.product(*(names[k][0] for k in keys)):
                marks = 0
                for key, value in zip(keys, values, strict=True):
                    marks |= names[key][1] if names[key][1] == 2 or value == "1" else 0
                if marks == 3:
                    text = ",".join(f'"{k}":{v}' for k, v in zip(keys, values, strict=True))
                    wanted.add("{" + text + "}")
    alphabet = '{}":,ab01'
    small = gs.Vocabulary([*(c.encode() for c in alphabet), None], [len(alphabet)])
    compiled = gs.compile(Grammar(node), small)
    found, todo = set(), [""]
    begun = {text[:i] for text in wanted for i in range(len(text) + 1)}
    while todo:
        text = todo.pop()
        matcher = compiled.matcher()
        matcher.advance_many([alphabet.index(c) for c in text])
        allowed = matcher.allowed_ids().tolist()
        assert {text + alphabet[t] for t in allowed if t < len(alphabet)} == {
            b for b in begun if len(b) == len(text) + 1 and b.startswith(text)
        }
        if matcher.is_accepting:
            found.add(text)
        todo.extend(text + alphabet[t] for t in allowed if t < len(alphabet))
    assert found == wanted and len(wanted) == 56


def test_names_are_spelled_by_escapes_where_their_letters_are_no_tokens() -> None:
    """The vocabulary has no letter b: a name with it can only be escaped."""
    alphabet = b'{}":,a0\\u62'
    small = gs.Vocabulary([*(bytes([b]) for b in alphabet), None], [len(alphabet)])
    node = members(classes=(ir.JsonKeyClass(one_of("a", "b"), ir.literal("0")),), least=2)
    matcher = gs.compile(Grammar(node), small).matcher()
    text = b'{"\\u0062":0,"a":0}'
    assert matcher.advance_many([alphabet.index(b) for b in text]) == len(text)
    assert matcher.is_accepting
    with pytest.raises(EmptyLanguageError):
        gs.compile(Grammar(members(classes=node.classes, least=3)), small)


@pytest.mark.parametrize("bounds", [{"least": 9}, {"most": 9}, {"marks": 3}, {"least": 4_000}])
def test_thousands_of_properties_with_counts_and_marks(bounds: dict[str, int]) -> None:
    marked = ((WORD, 1), (ir.literal("null"), 2)) if "marks" in bounds else ()
    node = members(*(declared(f"k{i}", marked=marked) for i in range(4_000)), **bounds)
    matcher = gs.compile(Grammar(node), BYTES).matcher()
    start = time.process_time()
    for i in range(8):
        text = ("," if i else "{") + f'"k{i * 7}":{i}'
        assert matcher.advance_many(text.encode()) == len(text)
        matcher.allowed_ids()
    assert time.process_time() - start < 8.0


def test_all_of_many_conditions_on_members_is_a_limit() -> None:
    marked = tuple((ir.literal(str(i)), 1 << i) for i in range(40))
    for marks in ((1 << 40) - 1, (1 << 20) - 1):
        with pytest.raises(LimitError, match="conditions"):
            gs.compile(Grammar(members(declared("a", marked=marked), additional=DIGIT, marks=marks)), BYTES)


def test_fewest_tokens_know_how_long_new_names_are() -> None:
    """Three undeclared keys: the empty one, then one byte each; the name "" may be declared or written."""
    node = members(additional=DIGIT, least=3)
    compiled = gs.compile(Grammar(node), BYTES)
    cases = [
        ("", '{"":0,"a":0,"b":0}'),
        ('{"":1', ',"a":0,"b":0}'),
        ('{"a":1,"', '":0,"b":0}'),
        ('{"a', '":0,"":0,"b":0}'),
    ]
    for text, rest in cases:
        matcher = compiled.matcher()
        matcher.advance_many(text.encode())
        assert matcher.min_tokens() <= len(rest) + 1, text
        assert matcher.min_tokens() >= len(rest) - 1, text
        json.loads(text + rest)
