"""Notations of tool calls: what each writes, order, counts, names, excluded words, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

import gramspec as gs
from gramspec.errors import EmptyLanguageError, GrammarError, UnsupportedError


def form(schema: object, style: str, **options: object) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": schema, "style": style, **options}


def written(schema: object, style: str, **options: object) -> gs.Grammar:
    return gs.structural_tag({"type": "structural_tag", "format": form(schema, style, **options)})


def closed(required: tuple[str, ...] = (), **properties: object) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


SCHEMA = closed(
    ("i",), s={"type": "string"}, i={"type": "integer"}, o={"type": "object"}, e={"enum": ["x y", 7]}
)
S, I, O, E = "text with < and }", "42", '{"a": "</b>"}', "x y"  # noqa: E741
DSML = "\uff5cDSML\uff5c"
STYLES = {
    "qwen_xml": lambda k, v, t: f"<parameter={k}>{v}</parameter>",
    "minimax_xml": lambda k, v, t: f'<parameter name="{k}">{v}</parameter>',
    "glm_xml": lambda k, v, t: f"<arg_key>{k}</arg_key>\n<arg_value>{v}</arg_value>",
    "deepseek_xml": lambda k, v, t: (
        f'<{DSML}parameter name="{k}" string="{str(t == "string").lower()}">{v}</{DSML}parameter>'
    ),
    "deepseek_v4_1_xml": lambda k, v, t: (
        f'<{DSML} parameter name="{k}" string="{str(t == "string").lower()}">{v}</{DSML} parameter>'
    ),
    "kimi_k3_xml": lambda k, v, t: f'<|open|>argument key="{k}" type="{t}"<|sep|>{v}<|close|>argument<|sep|>',
}


@pytest.mark.parametrize("style", STYLES)
def test_flat_styles(style: str) -> None:
    def p(key: str, value: str, kind: str) -> str:
        return STYLES[style](key, value, kind)

    grammar = written(SCHEMA, style)
    integer = p("i", I, "number")
    assert grammar.accepts(p("s", S, "string") + integer + p("o", O, "object") + p("e", E, "string"))
    assert grammar.accepts("\n" + integer + " ") and grammar.accepts(integer + p("e", " 7\n", "number"))
    assert grammar.accepts(p("s", "", "string") + integer) and grammar.accepts(p("i", " 42 ", "number"))
    rejected = [
        "",
        p("s", S, "string"),  # what is required is missing
        integer + p("s", S, "string"),  # out of order
        integer + integer,
        p("i", "x", "number"),
        integer + p("o", "[]", "object"),
        integer + p("e", '"x y"', "string"),
        integer + p("n", "1", "number"),
        integer.replace("42", ""),
        integer + "x",
    ]
    assert not [text for text in rejected if grammar.accepts(text)]


def test_types_of_kimi_parameters_fit_their_values() -> None:
    p = STYLES["kimi_k3_xml"]
    grammar = written(closed(u={"type": ["string", "number", "null"]}), "kimi_k3_xml")
    for value, kind in (
        ("x", "string"),
        ("1.5", "number"),
        ("15", "integer"),
        ("null", "null"),
        ("1", "string"),
    ):
        assert grammar.accepts(p("u", value, kind)), (value, kind)
    for value, kind in (("x", "number"), ("1.5", "integer"), ("null", "boolean"), ("{}", "object")):
        assert not grammar.accepts(p("u", value, kind)), (value, kind)


def cohere(value: str, kind: str, name: str | None = None) -> str:
    shown = "" if name is None else f' name="{name}"'
    return f'<cofl:value{shown} type="{kind}">{value}</cofl:value>'


def test_cohere_writes_objects_and_lists_in_its_own_way() -> None:
    node = closed(("v",), v={"type": "integer"}, next={"$ref": "#/$defs/node"})
    schema = closed(
        (),
        list={"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 2},
        n={"$ref": "#/$defs/node"},
    )
    schema["$defs"] = {"node": node}
    schema["properties"]['a"b<&>'] = {"type": "null"}
    grammar = written(schema, "cohere_xml")
    one, two = cohere("a", "raw"), cohere("a", "raw") + cohere("", "raw")
    assert grammar.accepts(cohere(one, "list", "list")) and grammar.accepts(
        cohere(f" {two}\n", "list", "list")
    )
    assert not grammar.accepts(cohere("", "list", "list")) and not grammar.accepts(
        cohere(one + two, "list", "list")
    )
    inner = cohere("1", "json", "v")
    for _ in range(4):
        inner = cohere("1", "json", "v") + cohere(inner, "dict", "next")
    assert grammar.accepts(cohere(inner, "dict", "n"))
    assert not grammar.accepts(cohere('{"v": 1}', "json", "n"))
    assert grammar.accepts(cohere("null", "json", "a&quot;b&lt;&amp;&gt;"))
    anything = written({"type": "object"}, "cohere_xml")
    assert anything.accepts(cohere(cohere(one + cohere("1", "json"), "list", "x"), "dict", "y"))
    assert not anything.accepts(cohere("a", "json", "x"))
    listed = written(closed(c={"enum": [[1], "x"]}), "cohere_xml")
    assert listed.accepts(cohere("[1]", "json", "c")) and listed.accepts(cohere("x", "raw", "c"))


def minimax(value: str, name: str = "item") -> str:
    return f"]<]minimax[>[<{name}>{value}]<]minimax[>[</{name}>"


def test_minimax_m3_nests() -> None:
    items = {"type": "array", "items": closed(("q",), q={"type": "string"})}
    grammar = written(closed(a=items, b={"type": "boolean"}), "minimax_m3_xml")
    assert grammar.accepts(minimax(minimax(minimax("v < w", "q")) * 2, "a") + minimax("true", "b"))
    assert grammar.accepts("") and grammar.accepts(minimax("", "a"))
    for bad in (
        minimax(minimax(minimax("]<]minimax[>[", "q")), "a"),
        minimax("yes", "b"),
        minimax("true", "c"),
    ):
        assert not grammar.accepts(bad)
    with pytest.raises(UnsupportedError, match="without a schema"):
        written(closed(a={}), "minimax_m3_xml")
    with pytest.raises(UnsupportedError, match="not declared"):
        written({"type": "object", "additionalProperties": {"type": "string"}}, "minimax_m3_xml")


def q(key: str, value: str) -> str:
    return STYLES["qwen_xml"](key, value, "")


def test_orders_and_counts() -> None:
    parts = {name: {"type": "integer"} for name in "abc"}
    free = written(closed(("a", "b"), **parts), "qwen_xml", any_order=True)
    assert free.accepts(q("c", "1") + q("b", "2") + q("a", "3")) and free.accepts(q("b", "2") + q("a", "3"))
    assert not free.accepts(q("a", "1") + q("c", "1")) and not free.accepts(q("a", "1") * 2 + q("b", "1"))
    counted = written({**closed((), **parts), "minProperties": 1, "maxProperties": 2}, "qwen_xml")
    assert [counted.accepts("".join(q(k, "1") for k in keys)) for keys in ("", "b", "ac", "abc")] == [
        False, True, True, False,
    ]  # fmt: skip
    wide = {f"p{number}": {"type": "integer"} for number in range(40)}
    assert written(closed((), **wide), "qwen_xml").accepts(q("p3", "1") + q("p39", "2"))
    with pytest.raises(UnsupportedError, match="in any order"):
        written(closed((), **wide), "qwen_xml", any_order=True)


def test_parameters_that_are_not_declared() -> None:
    schema = {
        "properties": {"a": {"type": "integer"}},
        "patternProperties": {"^x_": {"type": "null"}},
        "additionalProperties": {"type": "boolean"},
    }
    grammar = written(schema, "qwen_xml")
    assert grammar.accepts(q("a", "1") + q("x_1", "null") + q("b", "true") + q("x_2", "null"))
    assert not grammar.accepts(q("x_1", "true")) and not grammar.accepts(q("b", "null"))
    assert not grammar.accepts(q("a", "true")) and not grammar.accepts(q("1b", "true"))
    mixed = written(schema, "qwen_xml", any_order=True)
    assert mixed.accepts(q("b", "true") + q("a", "1") + q("c", "true")) and not mixed.accepts(q("a", "1") * 2)
    assert written(True, "qwen_xml").accepts(q("any", "thing") + q("o", '{"a": "</parameter>"}'))


def test_strings_keep_their_constraints() -> None:
    text = {"type": "string", "minLength": 2, "maxLength": 12, "pattern": "a"}
    grammar = written(closed(t=text), "qwen_xml")
    assert grammar.accepts(q("t", "xa")) and grammar.accepts(q("t", "</p>a"))
    assert not grammar.accepts(q("t", "a")) and not grammar.accepts(q("t", "xx"))
    assert not grammar.accepts(q("t", "a</parameter>"))
    spaced = written(closed(t={"type": "integer"}), "qwen_xml", max_whitespace_cnt=1)
    assert spaced.accepts(q("t", " 1\n")) and not spaced.accepts(q("t", "  1"))


@pytest.mark.parametrize("style", ["json", "kimi_k3_xml"])
def test_excluded_words(style: str) -> None:
    schema = closed(s={"type": "string"}, o={"type": "object"}, e={"enum": ["<|ok", "x|y"]})
    grammar = written(schema, style, excludes=["<|", "|>"])

    def shown(**values: str) -> str:
        if style == "json":
            return "{" + ", ".join(f'"{key}": {value}' for key, value in values.items()) + "}"
        types = {"s": "string", "o": "object", "e": "string"}
        plain = {key: value if key == "o" else value[1:-1] for key, value in values.items()}
        return "".join(STYLES[style](key, value, types[key]) for key, value in plain.items())

    assert grammar.accepts(shown(s='"< | >"', o='{"a": ["| >", {"k<": 1}]}', e='"x|y"'))
    for bad in ({"s": '"<|"'}, {"o": '{"a": ["|>"]}'}, {"o": '{"<|": 1}'}, {"e": '"<|ok"'}):
        assert not grammar.accepts(shown(**bad)), bad
        assert written(schema, style).accepts(shown(**bad)), bad


def test_excluded_words_in_other_places_of_json() -> None:
    schema = {
        "properties": {"ab": {"const": ["ab"]}},
        "patternProperties": {"c$": {}},
        "additionalProperties": {"const": 1},
    }
    grammar = written(schema, "json", excludes=["ab"])
    assert grammar.accepts('{"a": 1, "xc": "ba", "b": 1.0}') and grammar.accepts("{}")
    assert grammar.accepts('{"\\u0061b": ["a\\u0062"]}'), "as it is written"
    for bad in ('{"ab": ["a\\u0062"]}', '{"abc": 1}', '{"xc": "cab"}', '{"xc": {"ab": 1}}', '{"xab": 1}'):
        assert not grammar.accepts(bad), bad


HELD = {"type": "array", "contains": {"const": "x"}}


@pytest.mark.parametrize(
    ("schema", "style", "error", "pointer", "reason"),
    [
        ({"type": "string"}, "qwen_xml", GrammarError, "", "no object satisfies"),
        (False, "glm_xml", EmptyLanguageError, "", "no value"),
        (closed(a={"type": "int"}), "qwen_xml", GrammarError, "/properties/a/type", "int"),
        (closed(a={"uniqueItems": True}), "qwen_xml", UnsupportedError, "/properties/a/uniqueItems", "uni"),
        ({"not": {"additionalProperties": {"type": "null"}}}, "qwen_xml", UnsupportedError, "", "conditions"),
        (closed(a=HELD), "cohere_xml", UnsupportedError, "/properties/a", "contains"),
        (7, "qwen_xml", GrammarError, "", "an object, true or false"),
    ],
)  # fmt: skip
def test_schemas_that_are_refused(
    schema: object, style: str, error: type[GrammarError], pointer: str, reason: str
) -> None:
    with pytest.raises(error, match=reason) as caught:
        written(schema, style)
    assert caught.value.pointer == "/format/json_schema" + pointer


def test_the_old_name_of_a_style() -> None:
    old = {"type": "qwen_xml_parameter", "json_schema": closed(a={"type": "integer"})}
    assert gs.structural_tag({"type": "structural_tag", "format": old}).accepts(q("a", "1"))
    with pytest.raises(UnsupportedError, match="quotes"):
        written(True, "json", excludes=['"'])
    with pytest.raises(GrammarError, match="there are json, qwen_xml"):
        written(True, "xml")
