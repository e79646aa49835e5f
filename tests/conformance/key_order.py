"""The order of keys under ``property_order="schema"``, by a reading of the schema of its own.

Law: declared keys in the order of first appearance through ``$ref`` and ``allOf``, then all others.
Source: API, section 1.
"""

from __future__ import annotations

import itertools
import json
import math
import random
from collections.abc import Iterator
from typing import Any

# Keywords that may declare keys for some objects only, or give members schemas unseen by this reading.
_CONDITIONAL = {"anyOf", "oneOf", "if", "then", "else", "not", "dependentSchemas", "dependencies"}
_CONDITIONAL |= {"$dynamicRef", "$recursiveRef", "enum", "const", "propertyNames", "contains"}
_CONDITIONAL |= {"unevaluatedProperties", "unevaluatedItems", "$id", "id"}


class Undecided(Exception):
    """The order hangs on more than `properties`, ``$ref`` and ``allOf``."""


def ordered(schema: Any, value: Any, root: Any) -> Any:
    """The instance with its keys in the schema's order; `Undecided` where the reading ends."""
    return _ordered([schema], value, root, 0)


def _ordered(schemas: list[Any], value: Any, root: Any, depth: int) -> Any:
    if not isinstance(value, dict | list) or not value:
        return value
    if depth > 30:
        raise Undecided
    parts: list[dict[str, Any]] = []
    for schema in schemas:
        parts += _conjuncts(schema, root, schema is root, 0)
    if isinstance(value, list):
        return [
            _ordered([s for part in parts for s in _item(part, i)], item, root, depth + 1)
            for i, item in enumerate(value)
        ]
    declared = list(dict.fromkeys(name for part in parts for name in part.get("properties", {})))
    if any(name not in declared for part in parts for name in part.get("required", [])):
        raise Undecided
    keys = [k for k in declared if k in value] + [k for k in value if k not in declared]
    return {
        k: _ordered([s for part in parts for s in _member(part, k)], value[k], root, depth + 1) for k in keys
    }


def _conjuncts(schema: Any, root: Any, at_root: bool, depth: int) -> list[dict[str, Any]]:
    """The schema and all that hold with it, in the order in which they are written."""
    if not isinstance(schema, dict):
        return []
    if depth > 20:
        raise Undecided
    legacy = isinstance(root, dict) and any(d in str(root.get("$schema")) for d in ("-04", "-06", "-07"))
    if "$ref" in schema and legacy:
        return _conjuncts(_target(schema["$ref"], root), root, False, depth + 1)
    conditional = _CONDITIONAL - ({"$id", "id"} if at_root else set())
    if conditional & set(schema):
        raise Undecided
    found: list[dict[str, Any]] = []
    for keyword, content in schema.items():
        if keyword == "properties":
            found.append(schema)
        elif keyword == "$ref":
            found += _conjuncts(_target(content, root), root, False, depth + 1)
        elif keyword == "allOf":
            for branch in content:
                found += _conjuncts(branch, root, False, depth + 1)
    return found if "properties" in schema else [schema, *found]


def _target(reference: Any, root: Any) -> Any:
    if not isinstance(reference, str) or not (reference == "#" or reference.startswith("#/")):
        raise Undecided
    target = root
    for part in reference[2:].split("/") if reference != "#" else ():
        part = part.replace("~1", "/").replace("~0", "~")
        if not isinstance(target, dict) or part not in target or "%" in part:
            raise Undecided
        target = target[part]
    return target


def _item(part: dict[str, Any], index: int) -> list[Any]:
    items = part.get("items", True)
    first = items if isinstance(items, list) else part.get("prefixItems", [])
    if index < len(first):
        return [first[index]]
    return [part.get("additionalItems", True) if isinstance(items, list) else items]


def _member(part: dict[str, Any], name: str) -> list[Any]:
    if "patternProperties" in part:
        raise Undecided
    properties = part.get("properties", {})
    return [properties[name]] if name in properties else [part.get("additionalProperties", True)]


def orders(value: Any, most: int, choose: random.Random) -> list[Any] | None:
    """The value with the keys of all its objects in every order; None if these are more than `most`."""
    if _count(value) > most:
        return None
    found = list(_orders(value))
    choose.shuffle(found)
    return found


def _count(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    own = math.factorial(min(len(value), 20)) if isinstance(value, dict) else 1
    return own * math.prod(_count(child) for child in inner)


def _orders(value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        yield from (list(items) for items in itertools.product(*(list(_orders(item)) for item in value)))
    elif isinstance(value, dict):
        for names in itertools.permutations(value):
            for members in itertools.product(*(list(_orders(value[name])) for name in names)):
                yield dict(zip(names, members, strict=True))
    else:
        yield value


def same_order(one: Any, other: Any) -> bool:
    """Whether two equal values have their keys in the same order."""
    return json.dumps(one) == json.dumps(other)
