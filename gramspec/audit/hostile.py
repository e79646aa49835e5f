"""Grammars that mean harm: small texts that ask for much time or memory, for the limits suite.

Law: each is written down by a rule here, so that the corpus is a few kilobytes of code.
Source: classes of inputs that have hung or exhausted engines in use: nested counts, deep nesting, wide
alternatives, endless references, ambiguity, lexers that swallow what a later terminal needs.
"""

from __future__ import annotations

import json
from typing import Any, Final, NamedTuple


class Hostile(NamedTuple):
    """One grammar.

    Attributes
    ----------
    name : str
        What it asks for.
    kind : str
        Kind of grammar.
    text : str
        The grammar.
    """

    name: str
    kind: str
    text: str


def _nested(levels: int, inner: Any) -> Any:
    for _ in range(levels):
        inner = {"type": "array", "items": inner}
    return inner


def _schema(name: str, schema: Any) -> Hostile:
    return Hostile(name, "json_schema", json.dumps(schema))


def _deep(name: str, levels: int) -> Hostile:
    opening, closing = '{"type": "array", "items": ', "}"
    return Hostile(name, "json_schema", opening * levels + "true" + closing * levels)


def _either(count: int) -> Any:
    return {
        "allOf": [{"anyOf": [{"required": [f"a{i}"]}, {"required": [f"b{i}"]}]} for i in range(count)],
        "type": "object",
    }


_DEAD: Final = {"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]}

REGEXES: Final = (
    Hostile("a letter 24 places before the end", "regex", "(a|b)*a(a|b){24}"),
    Hostile("counts in counts in counts", "regex", "((a{1,100}){1,100}){1,100}"),
    Hostile("a count of a million", "regex", "a{0,1000000}"),
    Hostile("counts that overlap", "regex", "(a|aa){0,1000}(a|b){0,1000}"),
    Hostile("stars in stars", "regex", "((a*)*)*b"),
    Hostile("3,000 groups in one another", "regex", "(" * 3000 + "a" + ")" * 3000),
    Hostile("5,000 words", "regex", "|".join(f"w{i * 7919 % 100_003}x" for i in range(5000))),
    Hostile("10,000 groups never closed", "regex", "(" * 10_000),
)

SCHEMAS: Final = (
    _schema(
        "2,000 properties, all required",
        {
            "type": "object",
            "properties": {f"p{i}": {"type": "integer"} for i in range(2000)},
            "required": [f"p{i}" for i in range(2000)],
        },
    ),
    _schema(
        "400 properties, none required",
        {
            "type": "object",
            "properties": {f"p{i}": {"type": "boolean"} for i in range(400)},
            "additionalProperties": False,
        },
    ),
    _deep("3,000 arrays in one another", 3000),
    _deep("60 arrays in one another", 60),
    _schema("a reference to itself", {"$ref": "#"}),
    _schema("an object that can never end", _DEAD),
    _schema("a text of up to a million characters", {"type": "string", "maxLength": 1_000_000}),
    _schema("a text of at least a billion characters", {"type": "string", "minLength": 10**9}),
    _schema("an array of at least 100,000 items", {"type": "array", "minItems": 100_000}),
    _schema("10,000 constants", {"enum": [f"value {i}" for i in range(10_000)]}),
    _schema("2^20 combinations of keys", _either(20)),
    _schema("a pattern with nested counts", {"type": "string", "pattern": "^((a{1,60}){1,60}){1,60}$"}),
    _schema(
        "100 patterns of keys",
        {
            "type": "object",
            "patternProperties": {f"^.*{i}.*$": {"type": "integer", "minimum": i} for i in range(100)},
        },
    ),
)

GRAMMARS: Final = (
    Hostile("a terminal that swallows the next", "lark", "start: A B\nA: /a+/\nB: /a/\n"),
    Hostile("a rule that never ends", "lark", 'start: "x" | "a" bad\nbad: "a" bad\n'),
    Hostile("every way to group a's", "lark", 'start: start start start | start start | "a"\n'),
    Hostile("nothing, repeated", "lark", 'start: empty* "a"\nempty: maybe maybe\nmaybe: "b"?\n'),
    Hostile(
        "2,000 rules in a chain",
        "lark",
        "start: r0\n" + "".join(f'r{i}: "a" r{i + 1} | "b" r{i + 1}\n' for i in range(2000)) + 'r2000: "c"\n',
    ),
    Hostile("every way to group a's", "gbnf", 'root ::= root root root | root root | "a"\n'),
    Hostile("a rule that never ends", "gbnf", 'root ::= "x" | "a" bad\nbad ::= "a" bad\n'),
    Hostile("a rule that is itself", "gbnf", "root ::= root\n"),
    Hostile("stacks that differ at their bottom", "gbnf", 'root ::= "a" root "b" | "a" root "c" | "d"\n'),
)

CORPUS: Final = (*REGEXES, *SCHEMAS, *GRAMMARS)
"""All of them."""

QUICK: Final = tuple(
    case
    for case in CORPUS
    if case.name
    in (
        "a letter 24 places before the end",
        "counts in counts in counts",
        "3,000 groups in one another",
        "3,000 arrays in one another",
        "an object that can never end",
        "a text of up to a million characters",
        "a terminal that swallows the next",
        "every way to group a's",
    )
)
"""Some of each kind."""
