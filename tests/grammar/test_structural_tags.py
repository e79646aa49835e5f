"""Structural tags: what each format accepts, where errors are, and what is refused in bounded time."""

from __future__ import annotations

import json
import typing
from typing import Any

import pytest

import gramspec as gs
from gramspec.errors import EmptyLanguageError, GrammarError, UnsupportedError

ANY = {"type": "any_text"}


def const(text: str) -> dict[str, Any]:
    return {"type": "const_string", "value": text}


def tag(begin: object, content: object, end: object) -> dict[str, Any]:
    return {"type": "tag", "begin": begin, "content": content, "end": end}


def grammar(form: object) -> gs.Grammar:
    return gs.structural_tag({"type": "structural_tag", "format": form})


def triggered(*tags: object, triggers: tuple[str, ...] = ("<",), **options: object) -> dict[str, Any]:
    return {"type": "triggered_tags", "triggers": list(triggers), "tags": list(tags), **options}


def sequence(*parts: object) -> dict[str, Any]:
    return {"type": "sequence", "elements": list(parts)}


def separated(separator: str, **options: object) -> dict[str, Any]:
    tags = [tag("<", ANY, ">"), tag("[", const("x"), ["]", "}"])]
    return {"type": "tags_with_separator", "tags": tags, "separator": separator, **options}


A1, A2 = tag("<a>", const("1"), "</>"), tag("<b>", const("2"), "</>")

CASES: list[tuple[object, str, str]] = [
    (const(""), "|", "a"),
    (const("aé"), "aé", "a|aéa"),
    ({"type": "regex", "pattern": "[0-9]+"}, "1|23", "|a"),
    (ANY, "|aé<", ""),
    ({"type": "any_text", "excludes": ["ab"]}, "|a|ba|b", "ab|xaby"),
    ({"type": "any_text", "max_chars": 2, "excludes": ["ab"]}, "|aé|ba", "ab|aéa"),
    (sequence(const("a"), const("b")), "ab", "a|b|ba"),
    ({"type": "or", "elements": [const("a"), const("b")]}, "a|b", "ab|"),
    ({"type": "optional", "content": const("a")}, "|a", "aa"),
    ({"type": "star", "content": const("a")}, "|a|aaa", "b"),
    ({"type": "plus", "content": const("a")}, "a|aaa", ""),
    ({"type": "repeat", "content": const("a"), "min": 1, "max": 2}, "a|aa", "|aaa"),
    ({"type": "repeat", "content": const("a"), "min": 2, "max": -1}, "aa|aaaaaa", "|a"),
    (tag("<", const("a"), ["", ">"]), "<a|<a>", "<|<a>>"),
    # Free text directly inside a tag holds no end string, which is then read wherever it fits.
    (tag("a", ANY, "aab"), "axaab|aaaab|aaab", "aaabaab|a"),
    (tag("<", ANY, [">", ""]), "<|<ab|<ab>", "<ab>>"),
    (tag("<", sequence(ANY, const("b")), ">"), "<b>|<abb>", "<>b>|<a>"),
    (tag("<", {"type": "optional", "content": ANY}, ">"), "<>|<a>", "<>>"),
    (tag("<", separated(","), ")"), "<)|<<a>)|<<)>,[x])", "<<a>>)|<,)"),
    # Tags by triggers.
    (triggered(A1, A2), "|t|t<a>1</>t<b>2</>|<a>1</><a>1</>", "<|t<c|<a>2</>|<a>1</"),
    (triggered(A1, A2, at_least_one=True), "<a>1</>|<b>2</>t", "|t|t<a>1</>"),
    (triggered(A1, A2, stop_after_first=True), "|t|t<a>1</>", "<a>1</>t"),
    (triggered(A1, A2, stop_after_first=True, at_least_one=True), "<a>1</>|<b>2</>", "|t|t<a>1</>|<a>1</>t"),
    (triggered(A1, excludes=["no"]), "|n<a>1</>o", "no|<a>1</>no"),
    (tag("(", triggered(A1), ")"), "()|(t)|(t<a>1</>t)", "(t))|(<a>1</>"),
    (triggered(tag("<a", ANY, ">"), tag("xy", const("1"), ""), triggers=("<", "x")), "t<a t>xy1|", "x1|xx"),
    # Separated tags.
    (separated(","), "|<a>|<a>,[x]|<a>,[x},<,>", "a|<a>[x]|<a>,|,"),
    (separated(""), "|<a>[x]<>", "a<a>"),
    (separated(",", at_least_one=True), "<a>|<a>,[x]", ""),
    (separated(",", stop_after_first=True), "|<a>", "<a>,[x]"),
    (separated(",", stop_after_first=True, at_least_one=True), "<a>", "|<a>,[x]"),
    # Dispatch.
    ({"type": "dispatch", "rules": [["t", const("1")], ["u", const("")]]}, "|xt1ut1|u", "t|t2"),
    ({"type": "dispatch", "rules": [["t", const("1")]], "loop": False}, "|x|xt1", "t1x"),
    ({"type": "dispatch", "rules": [["t", const("1")]], "excludes": ["x"]}, "at1b", "x|t1x"),
]


@pytest.mark.parametrize(("form", "accepted", "rejected"), CASES)
def test_formats(form: object, accepted: str, rejected: str) -> None:
    made = grammar(form)
    for text in accepted.split("|"):
        assert made.accepts(text), text
    for text in rejected.split("|") if rejected else []:
        assert not made.accepts(text), text


SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
LEGACY = {
    "type": "structural_tag",
    "structures": [{"begin": "<f>", "schema": SCHEMA, "end": "</f>"}],
    "triggers": ["<f"],
}


def test_forms_of_a_specification() -> None:
    plain = {"type": "structural_tag", "format": triggered(A1)}

    class Model:
        def model_dump(self, *, mode: str, by_alias: bool) -> object:
            return plain

    wrapped: list[object] = [
        plain,
        json.dumps(plain),
        Model(),
        {"response_format": plain},
        {"structured_outputs": {"structural_tag": json.dumps(plain)}, "response_format": None},
    ]
    for spec in wrapped:
        assert gs.structural_tag(spec).accepts("t<a>1</>")
        assert not gs.structural_tag(spec).accepts("t<a>2</>")

    class Point(typing.TypedDict):
        x: int

    described = grammar({"type": "json_schema", "json_schema": Point})
    assert described.accepts('{"x": 1}') and not described.accepts('{"x": "1"}')
    old = gs.structural_tag(LEGACY)
    assert old.accepts('t<f>{"a": 1}</f>t') and not old.accepts("<f>{}</f>") and not old.accepts("<fx")


def test_schemas() -> None:
    form = {"type": "json_schema", "json_schema": SCHEMA}
    assert grammar(form).accepts('{"a":1}') and not grammar(form).accepts("{}")
    assert grammar(tag("<", form, ">")).accepts('<{"a": 1}>')
    two = {"type": "object", "properties": {"a": {}, "b": {}}, "additionalProperties": False}
    free = {"type": "json_schema", "json_schema": two, "any_order": True, "max_whitespace_cnt": 1}
    assert grammar(free).accepts('{"b": 1,"a":2}') and not grammar(free).accepts('{"b":  1}')
    assert not grammar({**free, "any_order": False}).accepts('{"b": 1,"a":2}')
    unique = {"type": "json_schema", "json_schema": {"type": "array", "uniqueItems": True}}
    whole = grammar(unique)
    assert whole.residuals and whole.accepts("[1,2]") and not whole.accepts("[1,1]")
    with pytest.raises(UnsupportedError, match="uniqueItems") as caught:
        grammar(sequence(unique))
    assert caught.value.pointer.startswith("/format/elements/0/json_schema")


def test_tokens_begin_and_end_tags() -> None:
    form = tag({"type": "token", "token": 300}, ANY, {"type": "token", "token": 301})
    assert grammar(form).accepts([300, b"free > text", 301])
    assert not grammar(form).accepts([300, b"free"]) and not grammar(form).accepts("free")
    named = grammar(sequence(const("a"), {"type": "token", "token": "<|t|>"}))
    vocabulary = gs.Vocabulary([b"a", None, None], [2], special_tokens={"<|t|>": 1})
    assert gs.compile(named, vocabulary).matcher().advance_many([0, 1, 2]) == 3


def token(name: str | int) -> dict[str, Any]:
    return {"type": "token", "token": name}


T_TAG = tag(token("<t>"), const("a"), token("<u>"))
TOKEN_CASES: list[tuple[object, str, str]] = [
    (token("<t>"), "<t>", "|a|<u>|<t> <t>"),
    ({"type": "exclude_token", "exclude_tokens": ["<t>", 1]}, "a|ab|<u>", "|b|<t>|a a"),
    ({"type": "any_tokens", "exclude_tokens": ["<t>"]}, "|a|a \xff ab <u>", "<t>|a <t>"),
    ({"type": "any_tokens", "max_tokens": 2}, "|a|ab <t>", "a a a"),
    (tag(token("<t>"), {"type": "any_tokens"}, token("<u>")), "<t> <u>|<t> a <t> <u>", "<t>|<t> <u> <u>"),
    (tag(token("<t>"), {"type": "exclude_token"}, token("<u>")), "<t> b <u>", "<t> <u> <u>|<t> <u>"),
    (tag("a", {"type": "any_tokens"}, "b"), "a b|ab|a ab b|a <t> b b", "a|ab a|a b <t>"),
    ({"type": "token_triggered_tags", "trigger_tokens": ["<t>"], "tags": [T_TAG]},
     "|b <u>|b <t> a <u> b <t> a <u>", "<t>|<t> b <u>|<t> a"),
    ({"type": "token_triggered_tags", "trigger_tokens": ["<t>"], "tags": [T_TAG], "exclude_tokens": [5, 1]},
     "|a|a <t> a <u> a", "b|<u>|a <t> a <u> b"),
    ({"type": "token_triggered_tags", "trigger_tokens": ["<t>"], "tags": [T_TAG], "at_least_one": True},
     "<t> a <u>|<t> a <u> b", "|b|b <t> a <u>"),
    ({"type": "token_triggered_tags", "trigger_tokens": ["<t>"], "tags": [T_TAG], "stop_after_first": True},
     "|b|b <t> a <u>", "<t> a <u> b"),
    (tag("a", {"type": "token_triggered_tags", "trigger_tokens": ["<t>"], "tags": [T_TAG]}, token("<v>")),
     "a <v>|a b <v>|a <t> a <u> <u> <v>", "a|a <v> <v>|a <t> <v>"),
    ({"type": "token_dispatch", "rules": [["<t>", const("a")], [1, const("b")]], "exclude_tokens": ["<v>"]},
     "|a|b b a <t> a", "b|b a|<v>|<t> b"),
    ({"type": "token_dispatch", "rules": [["<t>", const("a")]], "loop": False}, "|b|b <t> a", "<t> a b"),
]  # fmt: skip
TOKENS = [b"a", b"b", b"ab", b"\xff", None, None, None, None]
IDS = {"a": 0, "b": 1, "ab": 2, "\xff": 3, "<t>": 4, "<u>": 5, "<v>": 6}


@pytest.mark.parametrize(("form", "accepted", "rejected"), TOKEN_CASES)
def test_formats_of_tokens(form: object, accepted: str, rejected: str) -> None:
    special = {name: IDS[name] for name in ("<t>", "<u>", "<v>")}
    compiled = gs.compile(grammar(form), gs.Vocabulary(TOKENS, [7], special_tokens=special))
    for texts, wanted in ((accepted, True), (rejected, False)):
        for text in texts.split("|"):
            ids = [IDS[name] for name in text.split()]
            matcher = compiled.matcher()
            assert (matcher.advance_many([*ids, 7]) == len(ids) + 1) == wanted, text


BAD: list[tuple[object, str, str]] = [
    (7, "/format", "an object, not a number"),
    ({}, "/format", "has no 'type'"),
    ({"type": "any_txt"}, "/format/type", "did you mean 'any_text'"),
    ({"type": ["any_text"]}, "/format/type", "no type of format"),
    ({**ANY, "exclude": ["a"]}, "/format/exclude", "did you mean 'excludes'"),
    ({**ANY, "excludes": "a"}, "/format/excludes", "a list, not a text"),
    ({**ANY, "excludes": [""]}, "/format/excludes/0", "empty"),
    ({**ANY, "max_chars": -1}, "/format/max_chars", "less than 0"),
    ({**ANY, "max_chars": True}, "/format/max_chars", "an integer"),
    ({**ANY, "max_tokens": 3}, "/format/max_tokens", "tokens of a part"),
    (sequence(), "/format/elements", "empty"),
    ({"type": "or", "elements": []}, "/format/elements", "empty"),
    ({"type": "sequence"}, "/format", "has no 'elements'"),
    (sequence(const("a"), {"type": "const_string"}), "/format/elements/1", "has no 'value'"),
    ({"type": "repeat", "content": ANY, "min": 3, "max": 2}, "/format/max", "less than 'min'"),
    ({"type": "repeat", "content": ANY, "min": -1, "max": 2}, "/format/min", "less than 0"),
    ({"type": "repeat", "content": ANY, "min": 0, "max": -2}, "/format/max", "less than -1"),
    ({"type": "regex", "pattern": "("}, "/format/pattern", "@"),
    ({"type": "json_schema", "json_schema": {"type": "int"}}, "/format/json_schema/type", "int"),
    ({"type": "json_schema", "json_schema": SCHEMA, "style": "yaml"}, "/format/style", "yaml"),
    (tag("<", ANY, ""), "/format/content", "end is empty"),
    (tag("<", sequence(triggered(A1)), [""]), "/format/content/elements/0", "end is empty"),
    (tag("<", ANY, []), "/format/end", "empty"),
    (tag("<", ANY, 5), "/format/end", "a list, not a number"),
    (tag(5, ANY, "a"), "/format/begin", "a text, not int"),
    (tag(const("a"), ANY, "a"), "/format/begin/type", "'token' has to stand here"),
    ({"type": "tag", "content": ANY, "end": "a"}, "/format", "has no 'begin'"),
    (triggered(A1, triggers=()), "/format/triggers", "empty"),
    (triggered(A1, triggers=("",)), "/format/triggers/0", "empty"),
    (triggered(), "/format/tags", "empty"),
    (triggered(A1, triggers=("x",)), "/format/tags/0/begin", "no trigger"),
    (triggered(A1, triggers=("<", "<a")), "/format/tags/0/begin", "more than one trigger"),
    (triggered(A1, A2, triggers=("<a", "<b", "<c")), "/format/triggers/2", "no tag begins"),
    (triggered(A1, excludes=["<"]), "/format/triggers/0", "excluded text '<'"),
    (triggered(tag({"type": "token", "token": 1}, ANY, "a")), "/format/tags/0/begin", "begins with a text"),
    (triggered(A1, at_least_one=1), "/format/at_least_one", "true or false"),
    (triggered({**A1, "type": "or"}), "/format/tags/0/type", "'tag' has to stand here"),
    ({"type": "dispatch", "rules": []}, "/format/rules", "empty"),
    ({"type": "dispatch", "rules": [["a"]]}, "/format/rules/0", "a list of a pattern and a format"),
    ({"type": "dispatch", "rules": [["", ANY]]}, "/format/rules/0/0", "empty"),
    ({"type": "dispatch", "rules": [["a", ANY], ["ab", ANY]]}, "/format/rules/1/0", "never be reached"),
    ({"type": "tags_with_separator", "tags": [A1]}, "/format", "has no 'separator'"),
    (token(""), "/format/token", "empty"),
    (token(True), "/format/token", "name or an id, not bool"),
    (token(-1), "/format/token", "no token id"),
    ({"type": "any_tokens", "exclude_tokens": [0, None]}, "/format/exclude_tokens/1", "NoneType"),
    (tag("a", {"type": "any_tokens"}, ""), "/format/content", "end is empty"),
    (
        {"type": "token_triggered_tags", "trigger_tokens": ["<t>"], "tags": [A1]},
        "/format/tags/0/begin",
        "begin with a token",
    ),
    (
        {"type": "token_triggered_tags", "trigger_tokens": [5], "tags": [T_TAG]},
        "/format/tags/0/begin",
        "'<t>' is none of them",
    ),
    (
        {"type": "token_triggered_tags", "trigger_tokens": [5, "<t>"], "tags": [T_TAG]},
        "/format/trigger_tokens/0",
        "no tag begins with the trigger 5",
    ),
    ({"type": "token_dispatch", "rules": [["<t>"]]}, "/format/rules/0", "a list of a pattern and a format"),
]


@pytest.mark.parametrize(("form", "pointer", "reason"), BAD)
def test_formats_that_are_refused(form: object, pointer: str, reason: str) -> None:
    with pytest.raises(GrammarError, match=reason) as caught:
        grammar(form)
    assert caught.value.pointer == pointer


@pytest.mark.parametrize(
    ("spec", "pointer", "reason"),
    [
        ("{", "@1", "not JSON"),
        ("7", "", "an object"),
        (b"{}", "", "not bytes"),
        (None, "", "an object, not null"),
        ({"format": ANY}, "", "has no 'type'"),
        ({"type": "structural_tag"}, "", "has no 'format'"),
        (ANY, "/type", "not 'structural_tag'"),
        ({"type": "structural_tag", "format": ANY, "triggers": []}, "/triggers", "no field"),
        ({**LEGACY, "structures": []}, "/structures", "empty"),
        ({**LEGACY, "triggers": ["x"]}, "/structures/0", "no trigger"),
        ({"response_format": {"type": "structural_tag"}}, "/response_format", "has no 'format'"),
    ],
)
def test_specifications_that_are_refused(spec: object, pointer: str, reason: str) -> None:
    with pytest.raises(GrammarError, match=reason) as caught:
        gs.structural_tag(spec)
    assert caught.value.pointer == pointer


def test_contents_without_members_are_named() -> None:
    with pytest.raises(EmptyLanguageError) as caught:
        grammar(triggered(tag("<", {"type": "json_schema", "json_schema": False}, ">")))
    assert caught.value.pointer == "/format/tags/0/content/json_schema"


def test_depth_and_cycles_are_bounded() -> None:
    form: dict[str, Any] = const("a")
    for _ in range(90):
        form = {"type": "optional", "content": form}
    assert grammar(form).accepts("a") and grammar(form).accepts("")
    for _ in range(1000):
        form = {"type": "optional", "content": form}
    with pytest.raises(GrammarError, match="more than 100 deep"):
        grammar(form)
    circle: dict[str, Any] = {"type": "star"}
    circle["content"] = circle
    with pytest.raises(GrammarError, match="more than 100 deep"):
        grammar(circle)
    shared: dict[str, Any] = const("a")
    for _ in range(60):
        shared = sequence(shared, shared)  # 2^60 formats when written out
    with pytest.raises(gs.LimitError, match="more than 100000 formats"):
        grammar(shared)
    with pytest.raises(GrammarError, match="nested too deep"):
        gs.structural_tag("[" * 100_000)


def test_many_tags() -> None:
    content = {"type": "json_schema", "json_schema": SCHEMA}
    tags = [tag(f"<function=tool_{number}>", content, "</function>") for number in range(4000)]
    made = grammar(triggered(*tags, triggers=("<function=",)))
    assert made.accepts(
        'Now: <function=tool_3711>{"a": 1}</function> and <function=tool_0>{"a":2}</function>'
    )
    assert not made.accepts("<function=tool_4000>")
