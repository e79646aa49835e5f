"""A second oracle: JSON Schema by the letter, with evaluated members and items as they are defined there.

Law: ``evaluate`` gives the verdict, and the names and indices that some keyword has evaluated.
Source: JSON Schema drafts 4 to 2020-12, core and validation; references are those within the document.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

_ORDER = {"draft-04": 4, "draft-06": 6, "draft-07": 7, "2019-09": 2019, "2020-12": 2020}
_NUMBER = int | float | Decimal


class Seen(NamedTuple):
    """Outcome of a schema on a value: verdict, names and indices evaluated."""

    valid: bool
    names: frozenset[str] = frozenset()
    items: frozenset[int] = frozenset()


class Interpreter:
    """One schema document."""

    def __init__(self, root: Any) -> None:
        self.root = root
        uri = str(root.get("$schema", "2020-12")) if isinstance(root, dict) else "2020-12"
        self.draft = next((number for name, number in _ORDER.items() if name in uri), 2020)

    def evaluate(self, value: Any) -> bool:
        """The verdict on a value."""
        return self._schema(self.root, value).valid

    def _schema(self, schema: Any, value: Any) -> Seen:
        if isinstance(schema, bool):
            return Seen(schema)
        if "$ref" in schema and self.draft <= 7:
            return self._schema(self._target(schema["$ref"]), value)
        if not all(self._assertion(schema, k, content, value) for k, content in schema.items()):
            return Seen(False)
        names: set[str] = set()
        items: set[int] = set()
        # In place first, then members and items, last what they have left.
        for step in (self._in_place, self._members, self._items, self._left):
            for seen in step(schema, value, names, items):
                if not seen.valid:
                    return Seen(False)
                names |= seen.names
                items |= seen.items
        return Seen(True, frozenset(names), frozenset(items))

    def _target(self, reference: str) -> Any:
        target = self.root
        if reference.startswith("#") and reference[1:2].isalpha():
            return next(one for one in _objects(self.root) if one.get("$anchor") == reference[1:])
        for part in reference.lstrip("#").split("/")[1:]:
            target = target[
                int(part) if isinstance(target, list) else part.replace("~1", "/").replace("~0", "~")
            ]
        return target

    # -- assertions -----------------------------------------------------------------------------------

    def _assertion(self, schema: dict[str, Any], keyword: str, bound: Any, value: Any) -> bool:
        number = isinstance(value, _NUMBER) and not isinstance(value, bool)
        text, array, members = isinstance(value, str), isinstance(value, list), isinstance(value, dict)
        checks: dict[str, tuple[bool, Callable[[], bool]]] = {
            "type": (
                True,
                lambda: any(self._is(t, value) for t in ([bound] if isinstance(bound, str) else bound)),
            ),
            "enum": (True, lambda: any(equal(value, one) for one in bound)),
            "const": (self.draft >= 6, lambda: equal(value, bound)),
            "minimum": (
                number,
                lambda: (
                    value > bound if self.draft == 4 and schema.get("exclusiveMinimum") else value >= bound
                ),
            ),
            "maximum": (
                number,
                lambda: (
                    value < bound if self.draft == 4 and schema.get("exclusiveMaximum") else value <= bound
                ),
            ),
            "exclusiveMinimum": (number and self.draft > 4, lambda: value > bound),
            "exclusiveMaximum": (number and self.draft > 4, lambda: value < bound),
            "multipleOf": (number, lambda: Fraction(value) % Fraction(bound) == 0),
            "minLength": (text, lambda: len(value) >= bound),
            "maxLength": (text, lambda: len(value) <= bound),
            "pattern": (text, lambda: bool(re.search(bound, value))),
            "minItems": (array, lambda: len(value) >= bound),
            "maxItems": (array, lambda: len(value) <= bound),
            "uniqueItems": (
                array and bound,
                lambda: not any(equal(a, b) for i, a in enumerate(value) for b in value[:i]),
            ),
            "minProperties": (members, lambda: len(value) >= bound),
            "maxProperties": (members, lambda: len(value) <= bound),
            "required": (members, lambda: all(name in value for name in bound)),
            "propertyNames": (
                members and self.draft >= 6,
                lambda: all(self._schema(bound, name).valid for name in value),
            ),
            "dependentRequired": (
                members and self.draft >= 2019,
                lambda: all(n in value for name, need in bound.items() if name in value for n in need),
            ),
        }
        applies, check = checks.get(keyword, (False, bool))
        return not applies or check()

    def _is(self, kind: str, value: Any) -> bool:
        boolean, number = isinstance(value, bool), isinstance(value, _NUMBER)
        return {
            "null": value is None,
            "boolean": boolean,
            "integer": not boolean and isinstance(value, int),
            "number": not boolean and number,
            "string": isinstance(value, str),
            "array": isinstance(value, list),
            "object": isinstance(value, dict),
        }[kind]

    # -- applicators ----------------------------------------------------------------------------------

    def _in_place(
        self, schema: dict[str, Any], value: Any, names: set[str], items: set[int]
    ) -> Iterator[Seen]:
        if "$ref" in schema:
            yield self._schema(self._target(schema["$ref"]), value)
        for branch in schema.get("allOf", ()):
            yield self._schema(branch, value)
        for keyword in ("anyOf", "oneOf"):
            if keyword in schema:
                held = [seen for seen in (self._schema(b, value) for b in schema[keyword]) if seen.valid]
                yield Seen(bool(held) if keyword == "anyOf" else len(held) == 1)
                yield from held
        if "not" in schema:
            yield Seen(not self._schema(schema["not"], value).valid)
        if "if" in schema and self.draft >= 7:
            condition = self._schema(schema["if"], value)
            if condition.valid:
                yield condition
            yield self._schema(schema.get("then" if condition.valid else "else", True), value)
        if isinstance(value, dict):
            for name, branch in schema.get("dependentSchemas", {}).items() if self.draft >= 2019 else ():
                if name in value:
                    yield self._schema(branch, value)
            for name, branch in schema.get("dependencies", {}).items() if self.draft <= 7 else ():
                if name in value and isinstance(branch, list):
                    yield Seen(all(need in value for need in branch))
                elif name in value:
                    yield self._schema(branch, value)

    def _members(
        self, schema: dict[str, Any], value: Any, names: set[str], items: set[int]
    ) -> Iterator[Seen]:
        if not isinstance(value, dict):
            return
        for name, member in value.items():
            parts = [schema["properties"][name]] if name in schema.get("properties", {}) else []
            parts += [s for p, s in schema.get("patternProperties", {}).items() if re.search(p, name)]
            if not parts and "additionalProperties" in schema:
                parts = [schema["additionalProperties"]]
            for part in parts:
                yield Seen(self._schema(part, member).valid, frozenset([name]))

    def _items(self, schema: dict[str, Any], value: Any, names: set[str], items: set[int]) -> Iterator[Seen]:
        if not isinstance(value, list):
            return
        rest = schema.get("items")
        first = (
            schema.get("prefixItems", []) if self.draft >= 2020 else rest if isinstance(rest, list) else []
        )
        if isinstance(rest, list):
            rest = schema.get("additionalItems")
        for index, item in enumerate(value):
            part = first[index] if index < len(first) else rest
            if part is not None:
                yield Seen(self._schema(part, item).valid, items=frozenset([index]))
        if "contains" in schema and self.draft >= 6:
            held = frozenset(
                i for i, item in enumerate(value) if self._schema(schema["contains"], item).valid
            )
            counts = self.draft >= 2019
            least = schema.get("minContains", 1) if counts else 1
            most = schema.get("maxContains", len(value)) if counts else len(value)
            yield Seen(least <= len(held) <= most, items=held if self.draft >= 2020 else frozenset())

    def _left(self, schema: dict[str, Any], value: Any, names: set[str], items: set[int]) -> Iterator[Seen]:
        if self.draft < 2019:
            return
        if isinstance(value, dict) and "unevaluatedProperties" in schema:
            for name in [name for name in value if name not in names]:
                yield Seen(
                    self._schema(schema["unevaluatedProperties"], value[name]).valid, frozenset([name])
                )
        if isinstance(value, list) and "unevaluatedItems" in schema:
            for index in [i for i in range(len(value)) if i not in items]:
                verdict = self._schema(schema["unevaluatedItems"], value[index]).valid
                yield Seen(verdict, items=frozenset([index]))


def _objects(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _objects(child)


def equal(one: Any, other: Any) -> bool:
    """Equality of JSON values: numbers by value, booleans unlike numbers."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(equal, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(equal(one[k], other[k]) for k in one)
    return bool(one == other)
