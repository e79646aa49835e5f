"""Plain schemas to expressions, straight from their keywords.

Law: the language is that of the schema algebra; a schema that says more than is told apart here goes there.
Cost: about 2 us a keyword and a member; schemas below are rules whose bodies are made when they are needed.
Source: architecture, "JSON Schema as goals"; JSON Schema Validation, section 6.

A schema that may wait (`Documents.may_wait`) is well-formed, surely has a value, leaves nothing to a
residual predicate, and so does all below it. Most schemas are of this kind and need no algebra: no two of
their parts speak of the same value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import lru_cache, partial

from gramspec.grammar.encoding import JSON_BODY, json_key_spellings
from gramspec.grammar.ir import (
    EMPTY,
    EPSILON,
    Call,
    Empty,
    Expr,
    JsonObject,
    JsonProperty,
    Ref,
    Rule,
    concat,
    literal,
    repeat,
    union,
)
from gramspec.grammar.json_schema import formats
from gramspec.grammar.json_schema.documents import Documents, Place
from gramspec.grammar.json_schema.formulas import (
    EVERYTHING,
    Between,
    Format,
    Formula,
    Integral,
    Length,
    Numbers,
    Pattern,
    Plain,
    Words,
    all_of,
)
from gramspec.grammar.json_schema.intervals import ladder
from gramspec.grammar.json_schema.layout import BOOLEAN, FALSE, NULL, TRUE, Layout, any_value, number
from gramspec.grammar.json_schema.logic import scalar_empty
from gramspec.grammar.json_schema.numbers import number_value
from gramspec.grammar.json_schema.sources import Json, escape
from gramspec.grammar.json_schema.strings import string_value
from gramspec.grammar.json_schema.uris import unescape

Object = dict[str, Json]
_SCALARS = frozenset(["null", "boolean", "string", "number"])
_EVERY = _SCALARS | {"array", "object"}
_ALTERNATIVES = ("anyOf", "oneOf", "allOf")
_ABOUT_TEXT = ("minLength", "maxLength", "pattern", "format")
_ABOUT_NUMBERS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")


class _ForTheAlgebra(Exception):
    """The schema says something that is not told apart here."""


class Direct:
    """Makes the expressions of schemas that may wait.

    Parameters
    ----------
    documents : Documents
        Where the schemas are.
    layout : Layout
        Gaps and order of properties.
    asserted : bool
        Whether ``format`` is an assertion.
    otherwise : callable
        Makes the body of the rule of a place by the schema algebra.
    """

    def __init__(
        self, documents: Documents, layout: Layout, *, asserted: bool, otherwise: Callable[[Place], Expr]
    ) -> None:
        self._documents = documents
        self._layout = layout
        self._asserted = asserted
        self._otherwise = otherwise
        self._draft = documents.draft(documents.root).number
        # By identity: the values of the documents live as long as these do.
        self._made: dict[int, Expr] = {}
        self._known: dict[int, frozenset[str]] = {}

    def at(self, place: Place) -> Expr:
        """The expression of the schema at a place that may wait."""
        return self._of(self._documents.value(place), place.pointer)

    def forget(self) -> None:
        """Leave nothing half-made behind."""
        self._made.clear()

    def _of(self, schema: Json, pointer: str) -> Expr:
        """A reference to a rule, or the expression of scalars."""
        schema, pointer = self._followed(schema, pointer)
        if isinstance(schema, bool):
            return any_value(self._layout.gap) if schema else EMPTY
        found = self._made.get(id(schema))
        if found is None:
            found = self._made[id(schema)] = self._new(schema, pointer)
        return found

    def _new(self, schema: Object, pointer: str) -> Expr:
        if self._free(schema):
            return any_value(self._layout.gap)
        if self._types(schema) <= _SCALARS:
            try:
                return self._parts(schema, pointer)
            except _ForTheAlgebra:
                make = partial(self._algebra, pointer)
        else:
            make = partial(self._body, schema, pointer)
        if not self._documents.waits(schema):
            raise _ForTheAlgebra  # it may have no value: let the schema around it see to that
        return Ref(Rule(pointer or "/", make))

    def _body(self, schema: Object, pointer: str) -> Expr:
        try:
            return self._parts(schema, pointer)
        except _ForTheAlgebra:
            return self._algebra(pointer)

    def _algebra(self, pointer: str) -> Expr:
        names = map(unescape, pointer.split("/")[1:])
        return self._otherwise(self._documents.child(self._documents.root, *names))

    def _followed(self, schema: Json, pointer: str) -> tuple[bool | Object, str]:
        """Where references lead; there are no loops of them."""
        while isinstance(schema, dict) and "$ref" in schema:
            reference = schema["$ref"]
            assert isinstance(reference, str)
            pointer = reference[1:]
            schema = self._documents.value(self._documents.root)
            for name in pointer.split("/")[1:]:
                assert isinstance(schema, dict)
                schema = schema[unescape(name)]
        assert isinstance(schema, bool | dict)
        return schema, pointer

    @staticmethod
    def _free(schema: Object) -> bool:
        return _ASSERTIONS.isdisjoint(schema)

    def _types(self, schema: Object) -> frozenset[str]:
        """The types of a schema's values, a superset where it has alternatives.

        Found once for each schema: alternatives may share what they refer to, and that again.
        """
        found = self._known.get(id(schema))
        if found is None:
            found = self._known[id(schema)] = self._new_types(schema)
        return found

    def _new_types(self, schema: Object) -> frozenset[str]:
        for keyword in _ALTERNATIVES:
            if keyword in schema:
                return frozenset().union(*(self._kinds(branch) for branch in _list(schema[keyword])))
        return _SCALARS if self._constants(schema) is not None else _named(schema)[0]

    def _kinds(self, schema: Json) -> frozenset[str]:
        schema, _ = self._followed(schema, "")
        if isinstance(schema, bool):
            return _EVERY if schema else frozenset()
        return self._types(schema)

    def _parts(self, schema: Object, pointer: str) -> Expr:
        for keyword in _ALTERNATIVES:
            if keyword in schema:
                return self._alternatives(schema, pointer, keyword)
        listed = self._constants(schema)
        if listed is not None:
            return self._listed(schema, listed)
        types, integer = _named(schema)
        parts: list[Expr] = []
        if "null" in types:
            parts.append(NULL)
        if "boolean" in types:
            parts.append(BOOLEAN)
        if "string" in types:
            parts.append(self._string(schema))
        if "number" in types:
            parts.append(self._number(schema, integer))
        if "array" in types:
            parts.append(self._array(schema, pointer))
        if "object" in types:
            parts.append(self._object(schema, pointer))
        return union(*parts)

    def _alternatives(self, schema: Object, pointer: str, keyword: str) -> Expr:
        branches = _list(schema[keyword])
        if len(branches) > 1:
            # The algebra puts strings together, and numbers: one set of rows for all of them.
            seen: set[str] = set()
            for branch in branches:
                kinds = self._kinds(branch) & {"string", "number"}
                if not seen.isdisjoint(kinds):
                    raise _ForTheAlgebra
                seen |= kinds
        parts: list[Expr] = []
        for index, branch in enumerate(branches):
            below = f"{pointer}/{keyword}/{index}"
            if isinstance(branch, dict) and "$ref" not in branch and not self._free(branch):
                parts.append(self._parts(branch, below))
            else:
                parts.append(self._of(branch, below))
        return union(*parts)

    def _constants(self, schema: Object) -> list[Json] | None:
        if "const" in schema and self._draft > 4:
            return [schema["const"]]
        return _list(schema["enum"]) if "enum" in schema else None

    def _listed(self, schema: Object, values: list[Json]) -> Expr:
        types, integer = _named(schema)
        parts: list[Expr] = []
        if "null" in types and any(value is None for value in values):
            parts.append(NULL)
        if "boolean" in types:
            kept = {value for value in values if isinstance(value, bool)}
            parts.extend([BOOLEAN] if len(kept) == 2 else [TRUE if value else FALSE for value in kept])
        words = frozenset(value for value in values if isinstance(value, str))
        if words and "string" in types:
            parts.append(string_value(Words(words)))
        listed = frozenset(
            Decimal(value) for value in values if isinstance(value, int) and not isinstance(value, bool)
        )
        if listed and "number" in types:
            parts.append(numbers(all_of(*self._integers(integer), Numbers(listed))))
        return union(*parts)

    def _string(self, schema: Object) -> Expr:
        if not any(keyword in schema for keyword in _ABOUT_TEXT):
            return string_value(EVERYTHING)
        conditions: list[Formula] = []
        least, most = _size(schema, "minLength") or 0, _size(schema, "maxLength")
        if least or most is not None:
            conditions.append(Length(least, most))
        pattern, name = schema.get("pattern"), schema.get("format")
        if isinstance(pattern, str):
            conditions.append(Pattern(pattern))
        if isinstance(name, str) and self._asserted and formats.known(name):
            conditions.append(Format(name))
        if not conditions:
            return string_value(EVERYTHING)
        formula = all_of(*conditions)
        # Of one condition the survey knows that some string meets it.
        return EMPTY if len(conditions) > 1 and scalar_empty(formula, "string") else string_value(formula)

    def _integers(self, integer: bool) -> tuple[Formula, ...]:
        if not integer:
            return ()
        return (Plain(),) if self._draft == 4 else (Integral(),)

    def _number(self, schema: Object, integer: bool) -> Expr:
        conditions = [*self._integers(integer)]
        if any(keyword in schema for keyword in _ABOUT_NUMBERS):
            conditions.extend(self._bounds(schema))
        return numbers(all_of(*conditions) if conditions else EVERYTHING)

    def _bounds(self, schema: Object) -> Iterator[Formula]:
        sides: list[tuple[Decimal | None, bool]] = []
        for name, exclusive, choose in (
            ("minimum", "exclusiveMinimum", max),
            ("maximum", "exclusiveMaximum", min),
        ):
            value, strict = _decimal(schema.get(name)), schema.get(exclusive)
            if self._draft == 4:
                sides.append((value, value is not None and strict is True))
                continue
            beyond = _decimal(strict)
            if value is None or beyond is None:
                sides.append((beyond, True) if value is None and beyond is not None else (value, False))
            else:
                limit = choose(value, beyond)
                sides.append((limit, limit == beyond))
        (low, low_strict), (high, high_strict) = sides
        if low is not None or high is not None:
            yield Between(low, low_strict, high, high_strict)

    def _array(self, schema: Object, pointer: str) -> Expr:
        prefix: list[Expr] = []
        if self._draft >= 2020 and "prefixItems" in schema:
            listed = _list(schema["prefixItems"])
            prefix = [self._of(item, f"{pointer}/prefixItems/{i}") for i, item in enumerate(listed)]
        rest = self._of(schema.get("items", True), f"{pointer}/items")
        least, most = _size(schema, "minItems") or 0, _size(schema, "maxItems")
        return array(self._layout, prefix, rest, least, most)

    def _object(self, schema: Object, pointer: str) -> Expr:
        if "patternProperties" in schema:
            raise _ForTheAlgebra
        ordered = self._layout.order == "schema"
        others = self._of(schema.get("additionalProperties", True), f"{pointer}/additionalProperties")
        closed = isinstance(others, Empty)
        needed = dict.fromkeys(_list(schema.get("required", [])))
        declared: list[JsonProperty] = []
        given = schema.get("properties", {})
        assert isinstance(given, dict)
        for name, value in given.items():
            expr = self._of(value, f"{pointer}/properties/{escape(name)}")
            required = name in needed
            if isinstance(expr, Empty):
                if required:
                    return EMPTY
                if closed:
                    continue
            declared.append(JsonProperty(name, json_key_spellings(name), expr, required))
        for key in needed:
            assert isinstance(key, str)
            if key not in given:
                if closed:
                    return EMPTY
                declared.append(JsonProperty(key, json_key_spellings(key), others, True, (), ordered))
        least, most = _size(schema, "minProperties") or 0, _size(schema, "maxProperties")
        if least <= len(needed):
            least = 0
        if most is not None and (most < len(needed) or most < least):
            return EMPTY
        if closed:
            if least > len(declared):
                return EMPTY
            if most is not None and most >= len(declared):
                most = None
        if not ordered:
            declared.sort(key=lambda member: member.name)
        layout = self._layout
        return JsonObject(
            tuple(declared),
            None if closed else others,
            layout.order,
            layout.gap,
            JSON_BODY,
            (),
            (),
            least,
            most,
            0,
        )


def array(layout: Layout, prefix: list[Expr], rest: Expr, least: int, most: int | None) -> Expr:
    """An array of the given first items and later ones, so many in all."""
    blocked = next((i for i, item in enumerate((*prefix, rest)) if isinstance(item, Empty)), None)
    if blocked is not None:
        most = blocked if most is None else min(blocked, most)
    if most is not None:
        if least > most:
            return EMPTY
        prefix = prefix[:most]
    gap, close = layout.gap, literal("]")
    if not prefix:
        if most == 0:
            return concat(literal("["), gap, close)
        more = None if most is None else most - 1
        body = concat(rest, repeat(concat(layout.separator, rest), max(least, 1) - 1, more))
        return layout.array(body, empty=least == 0)
    separator = layout.separator
    steps = [concat(separator if index else EPSILON, item) for index, item in enumerate(prefix)]
    count = len(prefix)
    end = concat(gap, close)
    leaves = [close if least == 0 else EMPTY]
    leaves.extend(end if least <= size else EMPTY for size in range(1, count))
    if most is None or most > count:
        later = repeat(concat(separator, rest), max(0, least - count), None if most is None else most - count)
        leaves.append(concat(later, end))
    else:
        leaves.append(end)
    return concat(literal("["), gap, ladder(steps, leaves))


@lru_cache(maxsize=4096)
def numbers(formula: Formula) -> Expr:
    """The numbers of a set; in a frame, so that all who read them share their rows."""
    if formula == EVERYTHING:
        return number()
    return EMPTY if scalar_empty(formula, "number") else Call(number_value(formula))


def _named(schema: Object) -> tuple[frozenset[str], bool]:
    """The types that a schema allows, integers as numbers, and whether only integers."""
    given = schema.get("type")
    if given is None:
        return _EVERY, False
    if isinstance(given, str):
        return (frozenset(["number"]), True) if given == "integer" else (frozenset([given]), False)
    names = {name for name in _list(given) if isinstance(name, str)}
    integer = "integer" in names and "number" not in names
    if "integer" in names:
        names = names - {"integer"} | {"number"}
    return frozenset(names), integer


def _list(value: Json) -> list[Json]:
    assert isinstance(value, list)
    return value


def _size(schema: Object, keyword: str) -> int | None:
    value = schema.get(keyword)
    assert value is None or isinstance(value, int)
    return value


def _decimal(value: Json) -> Decimal | None:
    if value is None or isinstance(value, bool):
        return None
    assert isinstance(value, int | Decimal)
    return Decimal(value)


_ASSERTIONS = frozenset(
    [
        *("type", "enum", "const", *_ABOUT_TEXT, *_ABOUT_NUMBERS, *_ALTERNATIVES),
        *("items", "prefixItems", "minItems", "maxItems"),
        *("properties", "patternProperties", "additionalProperties", "required"),
        *("minProperties", "maxProperties"),
    ]
)
