"""What users hand in as a schema: JSON text, Python values, Python types, outlines terms."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import json
import random
import types
from collections.abc import Callable
from decimal import Decimal
from typing import (
    Annotated,
    Any,
    Generic,
    Literal,
    NamedTuple,
    NewType,
    Optional,
    Required,
    TypedDict,
    TypeVar,
)

import pydantic
import pytest

from gramspec.errors import GrammarError, OptionError
from gramspec.grammar.json_schema import json_schema, sources
from gramspec.grammar.json_schema.json_text import MAX_DEPTH, parse
from gramspec.grammar.json_schema.sources import load, plain

Item = TypeVar("Item")


class Colour(enum.Enum):
    RED = "red"
    NUMBER = 3


class Level(enum.IntEnum):
    LOW = 1


class Opaque(enum.Enum):
    THING = object()


class Point(pydantic.BaseModel):
    x: int
    tags: list[Literal["a", "b"]] = []


class Box(pydantic.BaseModel, Generic[Item]):
    value: Item


class Row(NamedTuple):
    name: str
    count: int = 0


class Pair(TypedDict, total=False):
    left: Required[int]
    right: Annotated[str, pydantic.Field(min_length=2)]


class Chain(TypedDict):
    value: int
    next: Chain | None


class Nested(TypedDict):
    pairs: list[Pair]


@dataclasses.dataclass
class Line:
    start: int
    pair: Pair
    end: int = 3
    points: list[Point] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Tree:
    label: str
    children: list[Tree]


Alias = NewType("Alias", int)


@pytest.mark.parametrize(
    ("hint", "members", "others"),
    [
        (Point, ['{"x":1}', '{"x":1,"tags":["a"]}'], ['{"tags":[]}', '{"x":"1"}', '{"x":1,"tags":["c"]}']),
        (Colour, ['"red"', "3"], ['"NUMBER"', "4"]),
        (Level, ["1"], ["2", '"LOW"']),
        (Row, ['["a"]', '["a",1]'], ["[]", '["a",1,2]', '{"name":"a"}']),
        (Pair, ['{"left":1}', '{"left":1,"right":"ab"}'], ["{}", '{"left":1,"right":"a"}']),
        (Chain, ['{"value":1,"next":null}', '{"value":1,"next":{"value":2,"next":null}}'], ['{"value":1}']),
        (Nested, ['{"pairs":[{"left":1}]}'], ['{"pairs":[{}]}']),
        (Line, ['{"start":1,"pair":{"left":2}}'], ['{"start":1}', '{"start":1,"pair":{}}']),
        (Tree, ['{"label":"","children":[{"label":"","children":[]}]}'], ['{"label":"","children":[1]}']),
        (Box[int], ['{"value":1}'], ['{"value":"1"}']),
        (Literal["a", 1, None, True], ['"a"', "1", "null", "true"], ['"b"', "false", "2"]),
        (list[Point], ["[]", '[{"x":1}]'], ['[{"x":null}]', '{"x":1}']),
        (dict[str, int], ["{}", '{"a":1}'], ['{"a":"1"}']),
        (tuple[int, str], ['[1,"a"]'], ["[1]", '["a",1]']),
        (Optional[Point], ["null", '{"x":1}'], ["1"]),  # noqa: UP045
        (int | Point, ["1", '{"x":1}'], ["null"]),
        (Annotated[int, pydantic.Field(ge=3)], ["3"], ["2"]),
        (Alias, ["1"], ['"1"']),
        (pydantic.TypeAdapter(list[int]), ["[1]"], ['["a"]']),
        (datetime.date, ['"2024-02-29"'], ['"2023-02-29"']),
        (int, ["1"], ["null"]),
        (type(None), ["null"], ["1"]),
        (Any, ["null", "[]"], ["{"]),
        (types.MappingProxyType({"type": "null"}), ["null"], ["1"]),
    ],
    ids=str,
)
def test_types(hint: Any, members: list[str], others: list[str]) -> None:
    grammar = json_schema(hint)
    assert [text for text in members if not grammar.accepts(text)] == []
    assert [text for text in others if grammar.accepts(text)] == []


def test_types_that_describe_no_json() -> None:
    class Holder(pydantic.BaseModel):
        call: Callable[[], int]

    for hint, name in [
        (Opaque, "Opaque"),
        (Holder, "Holder"),
        (random.Random, "Random"),
        (Callable[[int], int], "Callable"),
        (list["Missing"], "Missing"),  # type: ignore[name-defined] # noqa: F821
    ]:
        with pytest.raises(OptionError, match=f"(?s)pydantic cannot describe .*{name}"):
            json_schema(hint)


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        (Point(x=1), "the class Point itself"),
        (Line(1, {"left": 1}), "the class Line itself"),
        (load, "TypedDict"),
        (None, "a dict, a bool, JSON text"),
        (b"{}", "JSON text"),
        ([], "a dict"),
        (3, "a dict"),
        (Item, "a dict"),
    ],
)
def test_values_that_are_no_schema(value: Any, hint: str) -> None:
    with pytest.raises(GrammarError, match="a schema cannot be") as caught:
        json_schema(value)
    assert hint in caught.value.hint


def test_models_of_pydantic_1() -> None:
    old = pytest.importorskip("pydantic.v1")

    class Old(old.BaseModel):  # type: ignore[name-defined, misc]
        x: int

    with pytest.raises(OptionError, match=r"Old is a model of pydantic\.v1"):
        json_schema(Old)


# Terms of outlines ---------------------------------------------------------------------------------


def test_outlines_schemas() -> None:
    terms = pytest.importorskip("outlines.types")
    grammar = json_schema(terms.JsonSchema({"type": "array", "items": {"enum": [1, "a"]}}))
    assert grammar.accepts('[1,"a"]') and not grammar.accepts("[2]")
    assert json_schema(terms.JsonSchema(Point)).accepts('{"x":1}')


def test_outlines_terms_in_models() -> None:
    terms = pytest.importorskip("outlines.types")
    model = pydantic.create_model("Contact", code=terms.locale.us.zip_code, colours=list[terms.hex_color])
    grammar = json_schema(model)
    assert grammar.accepts('{"code":"12345-6789","colours":["#aabbcc"]}')
    for text in (
        '{"code":"12345x","colours":[]}',
        '{"code":"x12345","colours":[]}',
        '{"code":"1","colours":[]}',
    ):
        assert not grammar.accepts(text)  # a term speaks of the whole string
    searching = json_schema(pydantic.create_model("Free", a=Annotated[str, pydantic.Field(pattern="b")]))
    assert searching.accepts('{"a":"abc"}')


def test_outlines_terms_that_are_no_json() -> None:
    terms = pytest.importorskip("outlines.types")
    for term, advice in [
        (terms.email, "gs.regex("),
        (terms.either("a", "b"), "gs.regex("),
        (terms.CFG("start: 'a'"), "gs.lark("),
        (terms.Choice(["a", "b"]), "gs.choice("),
    ]:
        with pytest.raises(GrammarError, match="outlines term") as caught:
            json_schema(term)
        assert advice in caught.value.hint


# JSON text -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "0",
        "-12",
        "true",
        "null",
        '""',
        "[]",
        "{}",
        " [ 1 , [ ] , { } ] ",
        '{"a":{"b":[null,false,"\\u0041\\ud83d\\ude00\\n\\u0000"]},"":-0}',
        "\t\r\n1\t\r\n",
        '"\u2028\u007f"',
        '[[[["a"]]],{"a":{"a":{}}}]',
    ],
)
def test_text_reads_as_json(text: str) -> None:
    assert parse(text) == json.loads(text)


@pytest.mark.parametrize(
    ("text", "offset"),
    [
        ("", 0),
        ("  ", 2),
        ("{", 1),
        ("[", 1),
        ("[1", 2),
        ("[1,", 3),
        ("[1,]", 3),
        ("[1 2]", 3),
        ('{"a"}', 4),
        ('{"a":}', 5),
        ('{"a":1,}', 7),
        ("{1:2}", 1),
        ("{'a':1}", 1),
        ("1 2", 2),
        ("]", 0),
        ("[}", 1),
        ("01", 1),
        ("+1", 0),
        (".5", 0),
        ("1.", 1),
        ("1e", 1),
        ("nul", 0),
        ("True", 0),
        ("[NaN]", 1),
        ("[-Infinity]", 1),
        ('"a', 0),
        ('"\\x"', 1),
        ('"\n"', 1),
        ("\ufeff{}", 0),
        ("\u00a01", 0),
        ('{"a":1,"b":2,"a":3}', 13),
        ('[{"a":1,"\\u0061":2}]', 8),
    ],
)
def test_text_that_is_not_json(text: str, offset: int) -> None:
    with pytest.raises(GrammarError) as caught:
        parse(text)
    assert caught.value.pointer == f"@{offset}"
    assert text == caught.value.source


def test_random_texts_read_as_json() -> None:
    choose = random.Random(5)

    def value(depth: int) -> Any:
        kind = choose.randrange(6 if depth < 4 else 4)
        if kind == 4:
            return [value(depth + 1) for _ in range(choose.randrange(4))]
        if kind == 5:
            return {choose.choice("abcdé\n"): value(depth + 1) for _ in range(choose.randrange(4))}
        return choose.choice([None, True, -7, 10**20, "", 'q"\\/', "\U0001f600"])

    for _ in range(300):
        given = value(0)
        text = json.dumps(given, indent=choose.choice([None, 1]), ensure_ascii=choose.random() < 0.5)
        assert parse(text) == given
        place = choose.randrange(len(text))
        broken = text[:place] + choose.choice(["", "{", "]", ",", '"', "1", ":"]) + text[place + 1 :]
        try:
            expected = json.loads(broken, object_pairs_hook=lambda pairs: (len(pairs), dict(pairs)))
        except ValueError:
            with pytest.raises(GrammarError):
                parse(broken)
        else:
            try:
                parse(broken)
            except GrammarError as error:
                assert "twice" in error.reason, broken
            assert expected is not Ellipsis


def test_numbers_stay_exact() -> None:
    assert parse("0.1") == Decimal("0.1")
    assert parse("1e400") == Decimal("1e400")
    assert str(parse("-0.0")) == "0"
    assert plain(0.1) == Decimal("0.1")
    assert parse("9" * 1000) == int("9" * 1000)
    for text in (
        "9" * 1002,
        "1e1001",
        "1e-1001",
        "0." + "1" * 1001,
        "1e999999999999999999999",
        "-1E-99999999999999999999",
    ):
        with pytest.raises(GrammarError, match="more than 1000 digits"):
            parse(f"[{text}]")
    for number in (
        float("nan"),
        float("inf"),
        Decimal("NaN"),
        Decimal("-Infinity"),
        10**1100,
        Decimal("1e1100"),
    ):
        with pytest.raises(GrammarError) as caught:
            plain({"a": [number]})
        assert caught.value.pointer == "/a/0"


@pytest.mark.parametrize("bracket", ["[", '{"a":'])
def test_depth(bracket: str) -> None:
    closing = "]" if bracket == "[" else "}"
    fits = bracket * MAX_DEPTH + "1" + closing * MAX_DEPTH
    assert plain(parse(fits)) == parse(fits)
    for count in (MAX_DEPTH + 1, 10_000, 300_000):
        with pytest.raises(GrammarError, match="nested deeper") as caught:
            parse(bracket * count)
        assert caught.value.pointer == f"@{MAX_DEPTH * len(bracket)}"


def test_values_that_contain_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    circle: dict[str, Any] = {}
    circle["a"] = circle["b"] = circle
    with pytest.raises(GrammarError, match="nested deeper"):
        load(circle)
    monkeypatch.setattr(sources, "_MAX_VALUES", 10_000)
    doubled: Any = {}
    for _ in range(60):
        doubled = [doubled, doubled]
    with pytest.raises(GrammarError, match="values"):
        load({"const": doubled})


def test_values_that_are_not_json() -> None:
    for value, pointer in [
        ({"a": {1: 2}}, "/a"),
        ({"a": [{1, 2}]}, "/a/0"),
        ({"a/b": {"c~": b""}}, "/a~1b/c~0"),
    ]:
        with pytest.raises(GrammarError) as caught:
            load(value)
        assert caught.value.pointer == pointer
    given = {"b": (1, 2), "a": [{"x": None}]}
    copy = load(given)
    assert copy == {"b": [1, 2], "a": [{"x": None}]} and list(copy) == ["b", "a"]  # type: ignore[arg-type]
    assert copy["a"] is not given["a"]  # type: ignore[index,call-overload]


def test_nul_and_surrogates() -> None:
    assert json_schema('{"const": "\\u0000"}').accepts('"\\u0000"')
    assert json_schema({"properties": {"\x00": {"type": "null"}}, "required": ["\x00"]}).accepts(
        '{"\\u0000":null}'
    )
    with pytest.raises(GrammarError, match="surrogate") as caught:
        json_schema('{"properties": {"a": {"enum": ["\\ud83d"]}}, "required": ["a"]}')
    assert caught.value.pointer == "/properties/a/enum"
