"""Random schemas over all keywords of a draft, and random instances that collide with them.

Law: every schema made here satisfies its metaschema; alphabets are small, so that keywords meet on values.
Source: JSON Schema drafts 4, 6, 7, 2019-09 and 2020-12.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator
from typing import Any

DRAFTS = {
    "4": "http://json-schema.org/draft-04/schema#",
    "6": "http://json-schema.org/draft-06/schema#",
    "7": "http://json-schema.org/draft-07/schema#",
    "2019-09": "https://json-schema.org/draft/2019-09/schema",
    "2020-12": "https://json-schema.org/draft/2020-12/schema",
}
_ORDER = ["4", "6", "7", "2019-09", "2020-12"]
_NAMES = ["a", "b", "c", "ab"]
_STRINGS = ["", "a", "b", "ab", "ba", "aab", "c", "1", "ä", "\U0001f600", "a\U0001f600b"]
_NUMBERS: list[Any] = [0, 1, 2, 3, 4, 6, -1, -2, 10, 0.5, 1.5, -0.5, 2.0, 100, 0.25, 0.3, 0.7, 1e3]
_PATTERNS = ["^a", "b$", "a", "^[ab]*$", "^.$", "^(a|b)", "[^a]", "^(?!a)", "", "^ab?$", "c|^$", "a.*b"]
_TYPES = ["null", "boolean", "integer", "number", "string", "array", "object"]
_LOCAL = ["x", "y", "z"]


class Maker:
    """Makes one schema, and instances for it, from a seed.

    Parameters
    ----------
    seed : int or random.Random
        A generator is used as it is.
    draft : str
        Key of `DRAFTS`.
    depth : int
        Nesting of applicators.
    density : float
        Mean number of keywords a schema has besides its type.
    """

    def __init__(
        self, seed: int | random.Random, draft: str = "2020-12", *, depth: int = 3, density: float = 2.0
    ) -> None:
        self.choose = seed if isinstance(seed, random.Random) else random.Random(seed)
        self.draft = draft
        self.number = _ORDER.index(draft)
        self.depth = depth
        self.density = density
        self.letters = ["a", "b", "", "ä"]
        self.names = _NAMES
        if self.choose.random() < 0.1:
            # Names that need escapes, or have several spellings.
            self.names = self.choose.sample(
                ["", "a", 'a"', "ä", "a\tb", "\0", "\U0001f600", "a/b", "~", "a%25"], 4
            )
        self.strings = _STRINGS
        # How definitions are referred to; anchors and embedded resources came with 2019-09.
        styles = ["pointer"] * 6 + ["anchor", "resource"] * (self.number >= 3)
        self.style = self.choose.choice(styles)
        self.defs = "$defs" if self.number >= 3 else "definitions"

    # -- schemas --------------------------------------------------------------------------------------

    def document(self) -> Any:
        """A schema with three definitions that refer to each other, in place only forwards."""
        schema = self._schema(self.depth, 0)
        if not isinstance(schema, dict):
            return schema if self.number >= 1 else {}
        definitions = {name: self._schema(2, i + 1) for i, name in enumerate(_LOCAL)}
        definitions = {name: self._named(definition, name) for name, definition in definitions.items()}
        if "Ref" in json.dumps([schema, definitions]) or '"$ref' in json.dumps([schema, definitions]):
            schema[self.defs] = definitions
        if self.style == "resource":
            schema |= {"$id": "http://e/root", **self._dynamic()}
        return {"$schema": DRAFTS[self.draft], **schema}

    def _named(self, definition: Any, name: str) -> Any:
        """A definition with the name by which it is referred to."""
        if self.style == "pointer":
            return definition
        definition = definition if isinstance(definition, dict) else {} if definition else {"not": {}}
        return {
            "anchor": {"$anchor": name, **definition},
            "resource": {"$id": f"http://e/{name}", **self._dynamic(), **definition},
        }[self.style]

    def _dynamic(self) -> dict[str, Any]:
        dynamic = self.choose.random() < 0.7
        if self.number == 4:
            return {"$dynamicAnchor" if dynamic else "$anchor": "node"}
        return {"$recursiveAnchor": dynamic}

    def _reference(self, name: str) -> str:
        """A reference to a definition, or to the root if `name` is empty."""
        if self.style == "resource":
            return f"http://e/{name or 'root'}"
        if not name:
            return "#"
        return f"#{name}" if self.style == "anchor" else f"#/{self.defs}/{name}"

    def _schema(self, depth: int, first: int) -> Any:
        """A schema whose in-place references go to the definitions from number `first` on."""
        choose = self.choose
        if self.number >= 1 and choose.random() < 0.07:
            return choose.random() < 0.6
        schema: dict[str, Any] = {}
        if choose.random() < 0.55:
            some = choose.random() < 0.75
            schema["type"] = choose.choice(_TYPES) if some else choose.sample(_TYPES, choose.randint(1, 4))
        table = list(self._keywords(depth, first, schema.get("type")))
        total = sum(weight for weight, _, _ in table)
        for _ in range(int(min(6.0, choose.expovariate(1 / self.density) + 0.5))):
            spot = choose.random() * total
            for weight, keyword, make in table:
                spot -= weight
                if spot <= 0:
                    if keyword not in schema:
                        schema[keyword] = make()
                    break
        self._complete(schema, depth, first)
        items = list(schema.items())
        choose.shuffle(items)
        return dict(items)

    def _complete(self, schema: dict[str, Any], depth: int, first: int) -> None:
        """Keywords that mean something beside others only."""
        choose = self.choose
        if "if" in schema:
            for keyword in ("then", "else"):
                if choose.random() < 0.75:
                    schema[keyword] = self._schema(depth - 1, first)
        if "contains" in schema and self.number >= 3:
            if choose.random() < 0.5:
                schema["minContains"] = choose.randrange(4)
            if choose.random() < 0.5:
                schema["maxContains"] = choose.randrange(1, 4)
        if self.number == 0:
            for keyword, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
                if bound in schema and choose.random() < 0.3:
                    schema[keyword] = choose.random() < 0.7
        if isinstance(schema.get("items"), list) and choose.random() < 0.5:
            schema["additionalItems"] = self._schema(depth - 1, 0)

    def _keywords(
        self, depth: int, first: int, kind: object
    ) -> Iterator[tuple[float, str, Callable[[], Any]]]:
        """Weight, keyword, and how to make its value; keywords of the schema's type weigh more."""
        choose, number = self.choose, self.number

        def of(*types: str) -> float:
            return 1.0 if kind is None else 3.0 if kind in types else 0.6 if isinstance(kind, list) else 0.15

        numeric, arrays, objects = of("integer", "number"), of("array"), of("object")
        for keyword in ("minimum", "maximum"):
            yield 0.5 * numeric, keyword, lambda: choose.choice(_NUMBERS)
        if number >= 1:
            for keyword in ("exclusiveMinimum", "exclusiveMaximum"):
                yield 0.3 * numeric, keyword, lambda: choose.choice(_NUMBERS)
        yield 0.5 * numeric, "multipleOf", lambda: choose.choice([1, 2, 3, 0.5, 1.5, 4, 0.1, 0.3])
        yield 0.4 * of("string"), "minLength", lambda: choose.randrange(4)
        yield 0.4 * of("string"), "maxLength", lambda: choose.randrange(4)
        yield 0.7 * of("string"), "pattern", lambda: choose.choice(_PATTERNS)
        yield 0.5 * arrays, "minItems", lambda: choose.randrange(4)
        yield 0.5 * arrays, "maxItems", lambda: choose.randrange(4)
        yield 0.3 * arrays, "uniqueItems", lambda: choose.random() < 0.8
        yield 0.6 * objects, "required", self._names(1 if number == 0 else 0)
        yield 0.4 * objects, "minProperties", lambda: choose.randrange(4)
        yield 0.4 * objects, "maxProperties", lambda: choose.randrange(4)
        if number >= 3:
            yield (
                0.4 * objects,
                "dependentRequired",
                lambda: {name: self._names()() for name in choose.sample(self.names, choose.randint(1, 2))},
            )
        yield 0.35, "enum", lambda: self._constants(choose.randint(1, 5))
        if number >= 1:
            yield 0.2, "const", lambda: self.value(2)
        if depth > 0:
            yield from self._applicators(depth, first, arrays, objects)

    def _applicators(
        self, depth: int, first: int, arrays: float, objects: float
    ) -> Iterator[tuple[float, str, Callable[[], Any]]]:
        choose, number = self.choose, self.number

        # Inside a value any definition may be meant; beside it only later ones, so that no loop is endless.
        def inner() -> Any:
            return self._schema(depth - 1, 0)

        def beside() -> Any:
            return self._schema(depth - 1, first)

        def several(make: Callable[[], Any], most: int = 3) -> Callable[[], list[Any]]:
            return lambda: [make() for _ in range(choose.randint(1, most))]

        def named(names: list[str], make: Callable[[], Any]) -> Callable[[], dict[str, Any]]:
            return lambda: {name: make() for name in choose.sample(names, choose.randint(1, 3))}

        yield 1.2 * objects, "properties", named(self.names, inner)
        yield 0.7 * objects, "patternProperties", named(_PATTERNS, inner)
        yield 0.7 * objects, "additionalProperties", inner
        yield 1.0 * arrays, "items", inner
        if number < 4:
            yield 0.6 * arrays, "items", several(inner)
        else:
            yield 0.6 * arrays, "prefixItems", several(inner)
        if number >= 1:
            yield 0.6 * arrays, "contains", inner
            yield 0.4 * objects, "propertyNames", lambda: self._schema(1, 0)
        if number <= 2:
            yield (
                0.7 * objects,
                "dependencies",
                lambda: {
                    name: self._names(1 if number == 0 else 0)() if choose.random() < 0.5 else beside()
                    for name in choose.sample(self.names, choose.randint(1, 2))
                },
            )
        if number >= 3:
            yield 0.5 * objects, "dependentSchemas", named(self.names, beside)
            yield 0.7 * objects, "unevaluatedProperties", inner
            yield 0.6 * arrays, "unevaluatedItems", inner
        yield 0.5, "allOf", several(beside)
        yield 0.6, "anyOf", several(beside)
        yield 0.6, "oneOf", several(beside)
        yield 0.5, "not", beside
        if number >= 2:
            yield 0.5, "if", beside
        if first < len(_LOCAL):
            yield 0.7, "$ref", lambda: self._reference(choose.choice(_LOCAL[first:]))
        if first == 0:
            # Through a property or an item: every definition, and the root.
            yield 0.3 * objects, "properties", lambda: {choose.choice(self.names): self._anywhere()}
            yield 0.3 * arrays, "items", self._anywhere

    def _anywhere(self) -> dict[str, Any]:
        choose = self.choose
        if self.style == "resource" and choose.random() < 0.5:
            return {"$dynamicRef": "#node"} if self.number == 4 else {"$recursiveRef": "#"}
        return {"$ref": self._reference("" if choose.random() < 0.4 else choose.choice(_LOCAL))}

    def _names(self, least: int = 0) -> Callable[[], list[str]]:
        return lambda: self.choose.sample(self.names, self.choose.randint(least, 2))

    def _constants(self, size: int) -> list[Any]:
        found: list[Any] = []
        for _ in range(size):
            value = self.value(2)
            if not any(_same(value, other) for other in found):
                found.append(value)
        return found

    # -- instances ------------------------------------------------------------------------------------

    def value(self, depth: int) -> Any:
        """A random value."""
        choose = self.choose
        kind = choose.random()
        if depth == 0 or kind < 0.45:
            pools: list[list[Any]] = [[None, True, False], _NUMBERS, self.strings]
            return choose.choice(choose.choice(pools))
        if kind < 0.7:
            return [self.value(depth - 1) for _ in range(choose.randrange(4))]
        return {name: self.value(depth - 1) for name in choose.sample(self.names, choose.randrange(4))}

    def fitting(self, schema: Any, root: Any, depth: int = 5) -> Any:
        """A value made after some of the schema's keywords, often but not always valid."""
        choose = self.choose
        if depth <= 0 or not isinstance(schema, dict) or choose.random() < 0.06:
            return self.value(1)
        if "$ref" in schema and (self.number <= 2 or choose.random() < 0.5):
            name = re.split("[/#]", schema["$ref"])[-1]
            target = root.get(self.defs, {}).get(name, root)
            return self.fitting(target, root, depth - 1)
        branches = [
            branch for keyword in ("anyOf", "oneOf", "allOf") for branch in schema.get(keyword, ())
        ] + [schema[keyword] for keyword in ("then", "else", "if") if keyword in schema]
        if branches and choose.random() < 0.5:
            return self.fitting(choose.choice(branches), root, depth - 1)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return choose.choice(schema["enum"])
        kind = schema.get("type") or choose.choice(self._hinted(schema))
        kind = choose.choice(kind) if isinstance(kind, list) else kind
        if kind == "object":
            return self._object(schema, root, depth)
        if kind == "array":
            return self._array(schema, root, depth)
        pools: dict[str, list[Any]] = {
            "null": [None],
            "boolean": [True, False],
            "integer": [n for n in _NUMBERS if n == int(n)],
            "number": _NUMBERS,
            "string": self.strings,
        }
        return choose.choice(pools[kind])

    def _hinted(self, schema: dict[str, Any]) -> list[str]:
        text = " ".join(schema)
        hints = [
            kind
            for kind, words in (
                ("object", ("ropert", "depend", "required")),
                ("array", ("tems", "ontains")),
                ("string", ("Length", "pattern")),
                ("number", ("imum", "multiple")),
            )
            if any(word in text for word in words)
        ]
        return hints or _TYPES

    def _object(self, schema: dict[str, Any], root: Any, depth: int) -> Any:
        choose = self.choose
        given = schema.get("properties", {})
        names = {*choose.sample(self.names, choose.randrange(3)), *schema.get("required", []), *given}
        order = sorted(names)
        choose.shuffle(order)
        wanted = [n for n in order if n in schema.get("required", []) or choose.random() < 0.55]
        others = [*schema.get("patternProperties", {}).values()]
        others += [schema[k] for k in ("additionalProperties", "unevaluatedProperties") if k in schema]
        return {
            name: self.fitting(given.get(name, choose.choice(others) if others else {}), root, depth - 1)
            for name in wanted
        }

    def _array(self, schema: dict[str, Any], root: Any, depth: int) -> Any:
        choose = self.choose
        least = schema.get("minItems", 0)
        size = choose.randint(least, max(least, min(4, schema.get("maxItems", 3))))
        items = schema.get("items", {})
        first = items if isinstance(items, list) else schema.get("prefixItems", [])
        others = [schema[k] for k in ("contains", "unevaluatedItems", "additionalItems") if k in schema]
        others += [] if isinstance(items, list) else [items, items]
        rest = [self.fitting(choose.choice(others or [{}]), root, depth - 1) for _ in range(size)]
        return [self.fitting(first[i], root, depth - 1) if i < len(first) else rest[i] for i in range(size)]

    def mutated(self, value: Any) -> Any:
        """`value` with one small change somewhere."""
        choose = self.choose
        inside = isinstance(value, dict | list) and value and choose.random() < 0.6
        if isinstance(value, list):
            items = list(value)
            if inside:
                spot = choose.randrange(len(items))
                items[spot] = self.mutated(items[spot])
            elif items and choose.random() < 0.5:
                del items[choose.randrange(len(items))]
            else:
                items.insert(choose.randint(0, len(items)), choose.choice([*items, self.value(1)]))
            return items
        if isinstance(value, dict):
            members = dict(value)
            if inside:
                name = choose.choice(list(members))
                members[name] = self.mutated(members[name])
            elif members and choose.random() < 0.5:
                del members[choose.choice(list(members))]
            else:
                members[choose.choice(self.names)] = choose.choice([*members.values(), self.value(1)])
            return members
        if isinstance(value, str) and choose.random() < 0.6:
            spot = choose.randint(0, len(value))
            return value[:spot] + choose.choice(self.letters) + value[spot + choose.randrange(2) :]
        if isinstance(value, int | float) and not isinstance(value, bool) and choose.random() < 0.6:
            return value + choose.choice([1, -1, 0.5, 2])
        return self.value(1)

    def instances(self, schema: Any, count: int) -> list[Any]:
        """Random, fitting and mutated values."""
        root = schema if isinstance(schema, dict) else {}
        found = [self.fitting(schema, root) for _ in range(count - count // 5)]
        found += [self.value(2) for _ in range(count // 5)]
        return [self.mutated(value) if self.choose.random() < 0.35 else value for value in found]


def _same(one: Any, other: Any) -> bool:
    # Only 1 and true differ between JSON and Python here; numbers are equal by value in both.
    return json.dumps(one) == json.dumps(other) or (one == other and not _has_boolean([one, other]))


def _has_boolean(value: Any) -> bool:
    if isinstance(value, dict):
        value = list(value.values())
    return any(map(_has_boolean, value)) if isinstance(value, list) else isinstance(value, bool)
