"""Hostile schemas that are gigantic, wide, deep, catastrophic, or of odd characters.

Law: a compile that is right, or a refusal or limit by name, never minutes or gigabytes.
Source: JSON Schema drafts 4 to 2020-12; verdicts by hand.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.conformance.hostile import COMPILED, EMPTY, MALFORMED, REFUSED, Hostile, case


def cases() -> Iterator[Hostile]:
    """All cases; names are unique."""
    yield from _gigantic()
    yield from _wide_and_deep()
    yield from _patterns()
    yield from _characters()


# -- gigantic numbers ---------------------------------------------------------------------------------------


def _gigantic() -> Iterator[Hostile]:
    big = 10**9
    a, b = '"' + "a" * 5000 + '"', "[" + ",".join("1" for _ in range(3000)) + "]"
    wide = "{" + ",".join(f'"k{i}":1' for i in range(1000)) + "}"
    for name, schema, texts in [
        ("maxLength", {"type": "string", "maxLength": big}, {a: True, "1": False}),
        ("minLength", {"type": "string", "minLength": big}, {a: False, "1": False}),
        ("both lengths", {"type": "string", "minLength": 3, "maxLength": big}, {a: True, '"aa"': False}),
        (
            "pattern and maxLength",
            {"type": "string", "pattern": "^(ab|c)*$", "maxLength": big},
            {'"abcab"': True, '"ba"': False},
        ),
        (
            "pattern and minLength",
            {"type": "string", "pattern": "b", "minLength": 3000},
            {'"' + "a" * 2999 + 'b"': True, '"' + "a" * 2998 + 'b"': False, a: False},
        ),
        ("pattern of a count", {"type": "string", "pattern": "^a{0,1000000000}$"}, {a: True, '"b"': False}),
        ("maxItems", {"type": "array", "maxItems": big}, {b: True, "1": False}),
        ("minItems", {"type": "array", "minItems": big}, {b: False, "1": False}),
        (
            "items unlike one another",
            {"type": "array", "prefixItems": [{"const": 1}], "items": {"type": "null"}, "minItems": big},
            {"[1,null]": False},
        ),
        ("maxProperties", {"type": "object", "maxProperties": big}, {wide: True, "1": False}),
        ("minProperties", {"type": "object", "minProperties": big}, {wide: False, "1": False}),
        ("minContains", {"type": "array", "contains": {"const": 1}, "minContains": big}, {b: False}),
        (
            "maxContains",
            {"type": "array", "contains": {"const": 1}, "maxContains": big},
            {b: True, "[]": False},
        ),
        ("length beyond 64 bits", {"type": "string", "maxLength": 10**30}, {a: True}),
        ("integer of 300 digits", {"type": "integer", "maximum": 10**300}, {"5": True, "-1": True}),
        ("integer beyond 64 bits", {"type": "integer", "minimum": 2**64}, {str(2**64): True, "5": False}),
        (
            "far apart",
            {"type": "integer", "minimum": -(10**60), "maximum": 10**60},
            {"0": True, "0.5": False},
        ),
        ("multipleOf of 30 digits", {"type": "integer", "multipleOf": 10**29 + 1}, {"0": True, "5": False}),
        (
            "multipleOf of a million",
            {"type": "integer", "multipleOf": 1_000_003},
            {"2000006": True, "5": False},
        ),
        (
            "multiples of many primes",
            {"type": "integer", "allOf": [{"multipleOf": p} for p in (7, 11, 13, 17, 19, 23, 29, 31, 37)]},
            {"0": True, "7": False},
        ),
    ]:
        yield case(f"gigantic {name}", schema, {COMPILED} | ({EMPTY} if "min" in name else set()), texts)
    for name, text, told in [
        ("minimum of 1e400", '{"type": "number", "minimum": 1e400}', {"5": False}),
        ("maximum of 1e400", '{"type": "number", "maximum": 1e400}', {"5": True, '"a"': False}),
        ("maximum of 1e-400", '{"type": "number", "maximum": 1e-400}', {"-5": True, "5": False}),
        ("minimum of 1e999999999", '{"minimum": 1e999999999}', {'"a"': True, "5": False}),
        ("multipleOf of 1e-300", '{"type": "number", "multipleOf": 1e-300}', {"5": True, '"a"': False}),
        ("multipleOf of 1e300", '{"type": "number", "multipleOf": 1e300}', {"0": True, "5": False}),
        ("multipleOf of 1e-999999999", '{"type": "number", "multipleOf": 1e-999999999}', {'"a"': False}),
        ("constant of 1e999999999", '{"const": 1e999999999}', {"5": False}),
        ("minLength of 1e999999999", '{"type": "string", "minLength": 1e999999999}', {'"a"': False}),
        ("maxLength of 1e2", '{"type": "string", "maxLength": 1e2}', {'"a"': True}),
    ]:
        good = {COMPILED, MALFORMED, EMPTY} if "999" in name else {COMPILED}
        yield case(f"gigantic {name}", text, good, told)


# -- many, and deep -----------------------------------------------------------------------------------------


def _wide_and_deep() -> Iterator[Hostile]:
    names = [f"key{i}" for i in range(10_000)]
    some = '{"key7":1,"key9999":2}'
    many = {"type": "object", "properties": {name: {"type": "integer"} for name in names}}
    twice = '{"key7":1,"key7":1}'
    yield case("10,000 properties", many, {COMPILED}, {some: True, '{"key7":"a"}': False, twice: False})
    closed = {**many, "additionalProperties": False, "minProperties": 2}
    yield case("10,000 properties and no other", closed, {COMPILED}, {some: True, '{"a":1,"b":1}': False})
    required = {**many, "required": names}
    full = json.dumps(dict.fromkeys(names, 1))
    yield case("10,000 required keys", required, {COMPILED}, {some: False, full: True})
    enum = {"enum": [f"value {i}" for i in range(10_000)]}
    yield case("10,000 constants", enum, {COMPILED}, {'"value 77"': True, '"value"': False})
    numbers = {"enum": [i * i for i in range(10_000)]}
    yield case("10,000 numbers", numbers, {COMPILED}, {"99980001": True, "1e4": True, "5": False})
    away = {"not": {"enum": [f"value {i}" for i in range(10_000)]}}
    yield case("not 10,000 constants", away, {COMPILED}, {'"value 77"': False, '"value"': True})
    objects = {"enum": [{"a": i, "b": [i, {"c": i}]} for i in range(3_000)]}
    yield case(
        "3,000 objects",
        objects,
        {COMPILED},
        {'{"b":[7,{"c":7}],"a":7}': True, '{"a":7,"b":[7,{"c":8}]}': False},
    )
    overlapping = {"oneOf": [{"type": "integer", "minimum": i} for i in range(200)]}
    yield case("one of 200 that overlap", overlapping, {COMPILED}, {"0": True, "5": False, "-1": False})
    branches = [
        {"type": "object", "required": [f"k{i}"], "properties": {"t": {"type": "string"}}} for i in range(200)
    ]
    yield case(
        "one of 200 objects that overlap",
        {"oneOf": branches},
        {COMPILED},
        {'{"k7":1}': True, '{"k7":1,"k8":1}': False, "{}": False},
    )
    told = [
        {"properties": {"t": {"const": f"t{i}"}, "v": {"minimum": i}}, "required": ["t"]} for i in range(200)
    ]
    yield case(
        "one of 200 told apart by a tag",
        {"type": "object", "oneOf": told},
        {COMPILED},
        {'{"t":"t7","v":7}': True, '{"t":"t7","v":6}': False, '{"v":7,"t":"t8"}': False},
    )
    conditions = [
        {
            "if": {"properties": {f"k{i}": {"const": 1}}, "required": [f"k{i}"]},
            "then": {"required": [f"r{i}"]},
        }
        for i in range(60)
    ]
    yield case(
        "60 conditions",
        {"type": "object", "allOf": conditions},
        {COMPILED},
        {'{"k7":1}': False, '{"k7":1,"r7":0}': True, '{"k7":2}': True, "{}": True},
    )
    independent = {
        "type": "object",
        "allOf": [{"anyOf": [{"required": [f"a{i}"]}, {"required": [f"b{i}"]}]} for i in range(25)],
    }
    half = json.dumps({f"a{i}": 1 for i in range(25)})
    yield case("2^25 combinations of required keys", independent, {COMPILED}, {half: True, '{"a1":1}': False})
    patterns = {"type": "object", "patternProperties": {f"k{i}": {"minimum": i} for i in range(300)}}
    yield case("300 patterns of keys", patterns, {COMPILED}, {'{"k7":7}': True, '{"k7k9":8}': False})
    unique = {"type": "array", "uniqueItems": True}
    alike = "[" + ",".join(f'{{"a":{i}}}' for i in range(1500)) + "]"
    yield case(
        "1,500 unique items",
        unique,
        {COMPILED},
        {alike: True, "[1,2,1.0]": False, '[{"a":1,"b":2},{"b":2,"a":1}]': False},
    )
    for name, opening, middle, closing in [
        ("properties", '{"properties":{"a":', "{}", "}}"),
        ("items", '{"items":', "{}", "}"),
        ("allOf", '{"allOf":[', "{}", "]}"),
        ("negations", '{"not":', "{}", "}"),
        ("arrays in a constant", "[", "", "]"),
    ]:
        text = opening * 10_000 + middle + closing * 10_000
        text = f'{{"const":{text}}}' if "constant" in name else text
        yield case(f"10,000 levels of {name}", text, {COMPILED, MALFORMED, EMPTY})
    within: dict[str, Any] = {"type": "integer"}
    for _ in range(60):
        within = {"type": "array", "items": within, "maxItems": 1}
    yield case("60 levels of arrays", within, {COMPILED}, {"[" * 60 + "1" + "]" * 60: True, "[1]": False})
    union = {"type": "array", "items": {"anyOf": [{"const": i} for i in range(2_000)]}}
    yield case("2,000 alternatives of an item", union, {COMPILED}, {"[5,1999,0]": True, "[2000]": False})


# -- patterns and characters --------------------------------------------------------------------------------


def _patterns() -> Iterator[Hostile]:
    run = "a" * 3000
    for name, pattern, texts in [
        ("(a+)+$", "^(a+)+$", {f'"{run}"': True, f'"{run}b"': False}),
        ("(a|a)*", "^(a|a)*$", {f'"{run}"': True, f'"{run}b"': False}),
        ("(.*a){20}", "^(.*a){20}$", {f'"{run}"': True, '"aaa"': False}),
        ("25 letters from the end", "a.{24}$", {f'"{run}"': True, f'"b{"a" * 24}"': False}),
        ("nested counts", "^((a{1,100}){1,100}){1,100}$", {f'"{run}"': True, '""': False}),
        ("empty loops", "^(()*)*$", {'""': True, '"a"': False}),
        (
            "look-ahead for 20 letters",
            "".join(f"(?=.*{c})" for c in "abcdefghijklmnopqrst"),
            {'"abc"': False},
        ),
        ("all of Unicode", "^\\p{L}+$", {'"aä"': True, '"1"': False}),
        (
            "20,000 alternatives",
            "^(" + "|".join(f"w{i}" for i in range(20_000)) + ")$",
            {'"w77"': True, '"w"': False},
        ),
    ]:
        good = {COMPILED, MALFORMED} if "Unicode" in name else {COMPILED}
        yield case(f"pattern {name}", {"type": "string", "pattern": pattern}, good, texts)
    for name, pattern in {
        "a reference": r"^(a+)\1$",
        "10,000 groups": "(" * 10_000 + "a" + ")" * 10_000,
    }.items():
        # Ten thousand groups are one letter, or more than the parser reads.
        good = {REFUSED, MALFORMED} | ({COMPILED} if "groups" in name else set())
        yield case(f"pattern {name}", {"type": "string", "pattern": pattern}, good)
    several = {"type": "string", "allOf": [{"pattern": f"{c}.*{c}.*{c}"} for c in "abcdefgh"]}
    yield case(
        "8 patterns at once", several, {COMPILED}, {'"abcdefgh"': False, '"' + "abcdefgh" * 3 + '"': True}
    )


def _characters() -> Iterator[Hostile]:
    yield case(
        "NUL in a key",
        {"type": "object", "required": ["a\0b"], "properties": {"a\0b": {"const": 1}}},
        {COMPILED},
        {'{"a\\u0000b":1}': True, '{"ab":1}': False, '{"a\0b":1}': False},
    )
    yield case(
        "NUL in a constant", {"const": "\0"}, {COMPILED}, {'"\\u0000"': True, '""': False, '"\0"': False}
    )
    yield case("NUL in a pattern", {"pattern": "^\0$"}, {COMPILED}, {'"\\u0000"': True, '"a"': False})
    # A lone surrogate has a spelling in JSON, and none in UTF-8.
    lone = {MALFORMED, REFUSED, COMPILED}
    yield case("lone surrogate in a constant", '{"const":"\\ud800"}', lone | {EMPTY}, {'"a"': False})
    yield case("lone surrogate in a key", '{"required":["\\udc00"]}', lone, {'{"a":1}': False})
    yield case(
        "lone surrogate in a name of a property",
        '{"type":"object","properties":{"\\ud83d":{"type":"null"}}}',
        lone,
        {'{"a":1}': True},
    )
    yield case(
        "lone surrogate in a pattern",
        '{"type":"string","pattern":"^\\ud800$"}',
        lone | {EMPTY},
        {'"a"': False},
    )
    yield case("lone surrogate in an enum", '{"enum":["\\ude00","a"]}', lone, {'"a"': True, '"b"': False})
    yield case(
        "surrogates in a text",
        {"type": "string", "maxLength": 1},
        {COMPILED},
        {'"\\ud83d\\ude00"': True, '"\\u0061"': True, '"\\ud83d\\ude00a"': False},
    )
    yield case(
        "keys alike after unescaping",
        {"type": "object", "maxProperties": 2},
        {COMPILED},
        {'{"a":1,"\\u0061":1}': False, '{"\\ud83d\\ude00":1,"😀":1}': False, '{"a":1,"A":1}': True},
    )
    yield case(
        "control characters", {"type": "string"}, {COMPILED}, {'"\n"': False, '"\\n"': True, '"\x7f"': True}
    )
    yield case("no UTF-8", {"type": "string"}, {COMPILED}, {'"\ud800"': False, '"ä"': True})
