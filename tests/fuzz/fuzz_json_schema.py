"""Fuzz harness of `json_schema`: a byte of options, then JSON text; compiled and walked.

Law: malformed, empty, refused or over a limit by name, or masks whose texts are JSON and members.
Source: API, sections 1 and 3; JSON Schema, drafts 4 to 2020-12 (the words).
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import gramspec as gs
from gramspec.testing.random_schemas import DRAFTS, Maker
from tests.conformance import hostile_large, hostile_wrong
from tests.fuzz.harness import LIMITS, change_bytes, check, dice_of, text_of
from tests.fuzz.walking import vocabulary, walk

WALKS, STEPS = 3, 40
SEEDS = 120
_DRAFTS: list[str | None] = [None, "4", "6", "7", "2019-09", "2020-12", None, None]
_GAPS: list[str | int] = ["any", "compact", 1, " ?"]

_NUMBERS: list[Any] = [
    0,
    1,
    -1,
    2,
    3,
    0.5,
    -0.0,
    1e3,
    1e-7,
    2**31,
    2**63,
    2**64,
    -(2**63),
    10**30,
    0.1,
    1e308,
]
_STRINGS = [
    "",
    "a",
    "ab",
    "\0",
    '"',
    "\\",
    "ä",
    "\U0001f600",
    "\ud800",
    "a/b",
    "~1",
    "%25",
    "date",
    "1.0",
    "é",
]
_PATTERNS = [
    *("^a", "b$", "", ".", "^(a|b)*$", "a{2,5}", "^(?!a)", "(?=.*b)a", r"\d+", r"^\S+$", r"\p{L}", "[^a-z]"),
    *(
        "(a*)*",
        "^((a{1,9}){1,9}){1,9}$",
        r"\bab\b",
        "(?<=a)b",
        "[\\u0000-\\uffff]",
        "\\ud83d\\ude00",
        "a.{9}$",
    ),
]
_FORMATS = [
    *("date", "time", "date-time", "duration", "email", "idn-email", "hostname", "idn-hostname", "ipv4"),
    *("ipv6", "uri", "uri-reference", "iri", "uuid", "regex", "json-pointer", "uri-template", "nothing"),
]
_TYPES = ["null", "boolean", "integer", "number", "string", "array", "object"]
_SCHEMAS = [
    *("items", "additionalItems", "contains", "additionalProperties", "propertyNames", "not", "if", "then"),
    *("else", "unevaluatedItems", "unevaluatedProperties"),
]
_LISTS = ["allOf", "anyOf", "oneOf", "prefixItems"]
_TABLES = ["properties", "patternProperties", "dependentSchemas", "$defs", "definitions", "dependencies"]
_SIZES = [
    *("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties", "minContains"),
    "maxContains",
]
_BOUNDS = ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"]
_REFERENCES = ["$ref", "$dynamicRef", "$recursiveRef", "$id", "$anchor", "$dynamicAnchor", "$schema"]
_OTHERS = ["type", "enum", "const", "required", "dependentRequired", "pattern", "format", "uniqueItems"]
KEYWORDS = [*_SCHEMAS, *_LISTS, *_TABLES, *_SIZES, *_BOUNDS, *_REFERENCES, *_OTHERS, "$recursiveAnchor"]


class JsonSchemaHarness:
    """See the head of the file."""

    name = "json_schema"
    what = "gramspec.json_schema, compile, and walks along the masks to an ending"
    longest = 4096
    words = (
        *(json.dumps(keyword).encode() + b":" for keyword in KEYWORDS),
        *(json.dumps(word).encode() for word in [*_TYPES, *_FORMATS, *_PATTERNS]),
        *(b"true", b"false", b"null", b"{}", b"[]", b"1e9", b"-0.0", b'"#"', b'"#/$defs/a"', b"\\ud800"),
    )

    def seeds(self) -> Iterator[bytes]:
        """Random schemas of the differential tests, and hostile ones that are not long."""
        for seed in range(SEEDS):
            draft = list(DRAFTS)[seed % len(DRAFTS)]
            document = Maker(seed, draft, depth=2).document()
            yield bytes([seed * 37 & 255]) + json.dumps(document).encode()
        for case in [*hostile_large.cases(), *hostile_wrong.cases()]:
            text = case.schema.encode("utf-8", "surrogatepass")
            if len(text) < 1500:
                yield b"\0" + text

    def mutate(self, data: bytes, choose: random.Random) -> bytes:
        """Another schema: subschemas moved, wrapped, replaced, keywords added; options now and then."""
        try:
            value = json.loads(data[1:])
        except (ValueError, RecursionError):
            return change_bytes(data, choose, self.words, self.longest)
        head = data[:1] if choose.random() < 0.8 else bytes([choose.randrange(256)])
        for _ in range(1 + choose.randrange(3)):
            value = changed(value, choose)
        text = json.dumps(value, ensure_ascii=choose.random() < 0.5)
        return (head + text.encode("utf-8", "surrogatepass"))[: self.longest]

    def run(self, data: bytes) -> None:
        """Compile and walk."""
        flags = data[0] if data else 0
        text = text_of(data[1:])
        try:
            grammar = gs.json_schema(
                text,
                property_order="any" if flags & 1 else "schema",
                whitespace=_GAPS[flags >> 1 & 3],
                draft=_DRAFTS[flags >> 3 & 7],
                formats="annotate" if flags & 64 else "assert",
            )
            compiled = gs.compile(grammar, vocabulary(complete=not flags & 128), limits=LIMITS)
            choose = dice_of(data)
            for _ in range(WALKS):
                ended = walk(compiled, choose, STEPS)
                if ended is not None:
                    check(grammar.accepts(ended), f"a walk ended outside the grammar: {ended!r}")
                    check(is_json(ended), f"a text that is no JSON: {ended!r}")
        except (gs.GrammarError, gs.VocabularyError, gs.LimitError):
            return


def is_json(text: bytes) -> bool:
    """Whether a text is JSON, with numbers of any length."""
    try:
        json.loads(text.decode("utf-8"), parse_int=str, parse_float=str)
    except RecursionError:
        return True
    except ValueError:
        return False
    return True


# -- changes ----------------------------------------------------------------------------------------------


def schema(choose: random.Random, depth: int = 2) -> Any:
    """A small schema."""
    if depth == 0 or choose.random() < 0.15:
        return choose.choice([True, False, {}, {"type": choose.choice(_TYPES)}, {"$ref": "#"}])
    return dict(keyword(choose, depth - 1) for _ in range(1 + choose.randrange(3)))


def constant(choose: random.Random, depth: int = 2) -> Any:
    """A small value."""
    kind = choose.randrange(6 if depth else 4)
    match kind:
        case 0:
            return choose.choice(_NUMBERS)
        case 1:
            return choose.choice(_STRINGS)
        case 2 | 3:
            return choose.choice([None, True, False])
        case 4:
            return [constant(choose, depth - 1) for _ in range(choose.randrange(4))]
        case _:
            return {choose.choice(_STRINGS): constant(choose, depth - 1) for _ in range(choose.randrange(3))}


def keyword(choose: random.Random, depth: int) -> tuple[str, Any]:
    """A keyword with a value that is mostly of its kind."""
    name = choose.choice(KEYWORDS)
    if choose.random() < 0.04:
        return name, constant(choose)
    if name in _SCHEMAS:
        return name, schema(choose, depth)
    if name in _LISTS:
        return name, [schema(choose, depth) for _ in range(1 + choose.randrange(3))]
    if name in _TABLES:
        keys = _PATTERNS if name == "patternProperties" else _STRINGS
        return name, {choose.choice(keys): schema(choose, depth) for _ in range(1 + choose.randrange(2))}
    if name in _SIZES:
        return name, choose.choice([0, 1, 2, 3, 5, 40, 1000, 10**9, 2.0])
    if name in _BOUNDS:
        return name, choose.choice(_NUMBERS)
    if name in _REFERENCES:
        return name, choose.choice(
            ["#", "#/$defs/a", "#a", "a", "http://e/a", "#/properties/a", "", "#/allOf/0"]
        )
    match name:
        case "type":
            return name, choose.choice([choose.choice(_TYPES), choose.sample(_TYPES, choose.randint(1, 3))])
        case "enum":
            return name, [constant(choose) for _ in range(1 + choose.randrange(4))]
        case "required":
            return name, choose.sample(_STRINGS, choose.randrange(4))
        case "dependentRequired":
            return name, {choose.choice(_STRINGS): choose.sample(_STRINGS, choose.randrange(3))}
        case "pattern":
            return name, choose.choice(_PATTERNS)
        case "format":
            return name, choose.choice(_FORMATS)
        case "const":
            return name, constant(choose)
        case _:
            return name, choose.random() < 0.8


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every container with a key or index in it; without recursion, and not of all of a large value."""
    found: list[tuple[Any, Any]] = []
    waiting = [value]
    while waiting and len(found) < 3000:
        here = waiting.pop()
        inside = here.items() if isinstance(here, dict) else enumerate(here) if isinstance(here, list) else ()
        for key, below in inside:
            found.append((here, key))
            waiting.append(below)
    return found


def changed(value: Any, choose: random.Random) -> Any:
    """The value with one change."""
    spots = places(value)
    if not spots or choose.random() < 0.05:
        return wrapped(value, choose)
    where, key = choose.choice(spots)
    here = where[key]
    match choose.randrange(9):
        case 0:
            where[key] = schema(choose)
        case 1:
            where[key] = constant(choose)
        case 2:
            other, place = choose.choice(spots)
            where[key] = json.loads(json.dumps(other[place])[:2000] or "0") if _small(other[place]) else 0
        case 3 if isinstance(where, list):
            where.insert(key, schema(choose))
        case 4:
            del where[key]
        case 5:
            where[key] = wrapped(here, choose)
        case 6 if isinstance(here, (int, float)) and not isinstance(here, bool):
            where[key] = choose.choice([here + 1, here - 1, -here, here * 10, choose.choice(_NUMBERS)])
        case 6 if isinstance(here, str):
            at = choose.randrange(len(here) + 1)
            where[key] = here[:at] + choose.choice([*_STRINGS, *_PATTERNS]) + here[at + choose.randrange(3) :]
        case _:
            table = here if isinstance(here, dict) else where if isinstance(where, dict) else None
            if table is not None:
                name, more = keyword(choose, 1)
                table[name] = more
    return value


def _small(value: Any) -> bool:
    try:
        return len(json.dumps(value)) <= 2000
    except (ValueError, RecursionError):
        return False


def wrapped(value: Any, choose: random.Random) -> Any:
    """A schema below a keyword."""
    name = choose.choice([*_SCHEMAS, *_LISTS, "properties", "patternProperties"])
    if name in _SCHEMAS:
        return {name: value}
    if name in _LISTS:
        return {name: [value, schema(choose)]}
    return {name: {choose.choice(["a", "b", "^a", ""]): value}}
