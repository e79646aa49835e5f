"""Families of schemas that grow in one way: nested deeper, or more keys, definitions or alternatives.

Law: within a family the text that is read has about as many tokens of the same kinds at each size, so that a
change of the cost of a token comes from the size alone; in the families of depth it grows with the depth.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.measure.rows import Row, row

KINDS: list[tuple[dict[str, Any], Any]] = [
    ({"type": "string"}, "some words of text"),
    ({"type": "integer", "minimum": 0}, 1234),
    ({"type": "boolean"}, True),
    ({"enum": ["red", "green", "blue"]}, "green"),
    ({"type": "array", "items": {"type": "number"}}, [1.5, 2, -3e2]),
    ({"type": "string", "pattern": "^[A-Z]{2}-[0-9]{4}$"}, "AB-1234"),
]
READ = 24  # keys of a text, of all that the schema has


def _object(keys: dict[str, Any], required: list[str]) -> dict[str, Any]:
    return {"type": "object", "properties": keys, "required": required, "additionalProperties": False}


def nested(depth: int) -> tuple[Any, Any]:
    """Objects within objects, each level with a schema of its own."""
    schema: Any = {"type": "string"}
    value: Any = "leaf"
    for level in range(depth):
        schema = _object({"name": {"type": "string"}, f"level{level}": schema}, ["name", f"level{level}"])
        value = {"name": "node", f"level{level}": value}
    return schema, value


def recursive(depth: int) -> tuple[Any, Any]:
    """One schema that refers to itself; the text is nested."""
    schema = _object({"name": {"type": "string"}, "child": {"$ref": "#"}}, ["name"])
    value: Any = {"name": "leaf"}
    for _ in range(depth):
        value = {"name": "node", "child": value}
    return schema, value


def keys(count: int) -> tuple[Any, Any]:
    """An object with this many optional keys; the text has some of them, evenly spread."""
    names = [f"key{i}" for i in range(count)]
    schema = _object({name: KINDS[i % len(KINDS)][0] for i, name in enumerate(names)}, [])
    step = max(1, count // READ)
    value = {names[i]: KINDS[i % len(KINDS)][1] for i in range(0, count, step)}
    return schema, dict(list(value.items())[:READ])


def definitions(count: int) -> tuple[Any, Any]:
    """A union of this many named definitions; the text is a list that holds the same few of them."""
    defs = {}
    for i in range(count):
        defs[f"kind{i}"] = _object(
            {"kind": {"const": f"k{i}"}, "value": KINDS[i % len(KINDS)][0]}, ["kind", "value"]
        )
    schema = {
        "type": "array",
        "items": {"anyOf": [{"$ref": f"#/$defs/{name}"} for name in defs]},
        "$defs": defs,
    }
    value = [{"kind": f"k{i % count}", "value": KINDS[i % count % len(KINDS)][1]} for i in range(6)]
    return schema, value


def alternatives(count: int) -> tuple[Any, Any]:
    """An enumeration of this many strings; the text is a list of some of them."""
    words = [f"{'abcdefghij'[i % 10]}{i}" for i in range(count)]
    return {"type": "array", "items": {"enum": words}}, [words[i * count // 12] for i in range(12)]


FAMILIES: dict[str, tuple[Callable[[int], tuple[Any, Any]], tuple[int, ...]]] = {
    "nested objects": (nested, (1, 4, 16, 64)),
    "depth of a recursive text": (recursive, (1, 4, 16, 64, 256)),
    "keys of an object": (keys, (4, 16, 64, 256, 1024)),
    "definitions in a union": (definitions, (4, 16, 64, 256)),
    "values of an enumeration": (alternatives, (4, 32, 256, 2048)),
}


def member(name: str, size: int, encode: Callable[[str], list[int]]) -> Row:
    """The schema of a family at a size, with a valid instance."""
    schema, value = FAMILIES[name][0](size)
    return row(f"{name} {size}", schema, [{"data": value, "valid": True}], encode)
