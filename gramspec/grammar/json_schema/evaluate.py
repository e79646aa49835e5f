"""Does a constant satisfy a schema? Used to filter ``enum`` and ``const`` by the keywords beside them.

Law: JSON Schema validation, exact on numbers; keywords that are not enforced are refused here too.
Source: JSON Schema Validation, section 6.
"""

from __future__ import annotations

from collections.abc import Hashable
from decimal import Decimal

from gramspec.grammar.json_schema.document import Document
from gramspec.grammar.json_schema.goals import Goals, in_place
from gramspec.grammar.json_schema.refusals import divides, refuse
from gramspec.grammar.json_schema.sources import Json


def identity(value: Json) -> Hashable:
    """A key that two JSON values share iff they are equal: 1 and 1.0 are, 1 and true are not."""
    if isinstance(value, bool):
        return ("boolean", value)
    if isinstance(value, int | Decimal):
        return ("number", Decimal(value))
    if isinstance(value, list):
        return ("array", tuple(identity(item) for item in value))
    if isinstance(value, dict):
        return ("object", frozenset((key, identity(item)) for key, item in value.items()))
    return value


def types_of(value: Json, draft: int) -> frozenset[str]:
    """The value types of a constant."""
    if value is None:
        return frozenset(["null"])
    if isinstance(value, bool):
        return frozenset(["boolean"])
    if isinstance(value, int):
        return frozenset(["integer"])
    if isinstance(value, Decimal):
        integral = draft > 4 and value == value.to_integral_value()
        return frozenset(["integer" if integral else "fraction"])
    name = {str: "string", list: "array", dict: "object"}[type(value)]
    return frozenset([name])


class Evaluator:
    """Validation of constants against the sub-schemas of one document.

    Parameters
    ----------
    document : Document
        Where the pointers lead.
    goals : Goals
        Checks that references do not loop.
    formats : bool
        Whether ``format`` is an assertion.
    """

    def __init__(self, document: Document, goals: Goals, *, formats: bool) -> None:
        self._document = document
        self._goals = goals
        self._formats = formats
        self._enums: dict[str, frozenset[Hashable]] = {}

    def satisfies(self, value: Json, pointer: str) -> bool:
        """Whether a value satisfies the schema at a pointer."""
        self._goals.check_loops(pointer)
        schema = self._document.schema(pointer)
        if isinstance(schema, bool):
            return schema
        for keyword in schema:
            targets = in_place(self._document, pointer, schema, keyword)
            if targets and not (any if keyword == "anyOf" else all)(
                self.satisfies(value, target) for target in targets
            ):
                return False
        return self.own(value, pointer)

    def own(self, value: Json, pointer: str) -> bool:
        """Whether a value satisfies a schema's keywords other than the in-place applicators."""
        schema = self._document.schema(pointer)
        if isinstance(schema, bool):
            return schema
        types = types_of(value, self._document.draft.number)
        if not types <= self._document.types(pointer, schema):
            return False
        key = identity(value)
        if "enum" in schema and key not in self._listed(pointer, schema):
            return False
        if self._document.draft.number > 4 and "const" in schema and identity(schema["const"]) != key:
            return False
        if isinstance(value, int | Decimal) and not isinstance(value, bool):
            if not self._number(Decimal(value), pointer, schema):
                return False
            schema = {name: item for name, item in schema.items() if name != "multipleOf"}
        refuse(self._document, pointer, schema, types, formats=self._formats)
        if isinstance(value, str):
            return self._size(len(value), pointer, schema, "Length")
        if isinstance(value, list):
            return self._array(value, pointer, schema)
        if isinstance(value, dict):
            return self._object(value, pointer, schema)
        return True

    def _listed(self, pointer: str, schema: dict[str, Json]) -> frozenset[Hashable]:
        if pointer not in self._enums:
            listed = self._document.items(pointer, schema, "enum")
            self._enums[pointer] = frozenset(identity(item) for item in listed)
        return self._enums[pointer]

    def _number(self, value: Decimal, pointer: str, schema: dict[str, Json]) -> bool:
        for keyword, bound, strict in self._document.bounds(pointer, schema):
            if value == bound and strict:
                return False
            if value < bound if keyword == "minimum" else value > bound:
                return False
        divisor = self._document.number(pointer, schema, "multipleOf")
        if divisor is None or divisor <= 0:
            refuse(self._document, pointer, schema, frozenset(["fraction"]), formats=False)
            return True
        return divides(divisor, value)

    def _size(self, size: int, pointer: str, schema: dict[str, Json], what: str) -> bool:
        least = self._document.natural(pointer, schema, f"min{what}")
        most = self._document.natural(pointer, schema, f"max{what}")
        return (least is None or size >= least) and (most is None or size <= most)

    def _array(self, value: list[Json], pointer: str, schema: dict[str, Json]) -> bool:
        prefix, rest = self._document.tuple_items(pointer, schema)
        for index, item in enumerate(value):
            target = prefix[index] if index < len(prefix) else rest
            if target is not None and not self.satisfies(item, target):
                return False
        return self._size(len(value), pointer, schema, "Items")

    def _object(self, value: dict[str, Json], pointer: str, schema: dict[str, Json]) -> bool:
        properties = self._document.properties(pointer, schema)
        for key, item in value.items():
            target = properties.get(key, properties.get(None))
            if target is not None and not self.satisfies(item, target):
                return False
        if any(name not in value for name in self._document.names(pointer, schema, "required")):
            return False
        return self._size(len(value), pointer, schema, "Properties")
