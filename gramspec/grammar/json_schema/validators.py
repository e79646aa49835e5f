"""Validators of the library `jsonschema`, made exact: decimals, ECMA-262 patterns, own formats, annotations.

Law: JSON Schema validation of one value; no number is rounded, no network is used.
Source: JSON Schema Core, sections 7, 10 and 11; Validation, section 6; the library for everything else.

The library compares floats, searches with `re`, collects evaluated members by short cuts, and loses base URIs
and dynamic scopes at some turns; the keywords concerned are replaced, and `Documents` say where they lead.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextvars import ContextVar
from decimal import Decimal
from itertools import islice
from typing import Any, NamedTuple

import jsonschema
import jsonschema.validators
from jsonschema.exceptions import ValidationError

from gramspec.grammar.json_schema.dialects import Dialect
from gramspec.grammar.json_schema.documents import Documents, Place
from gramspec.grammar.json_schema.formulas import Pattern
from gramspec.grammar.json_schema.nodes import identity
from gramspec.grammar.json_schema.sources import Json
from gramspec.grammar.json_schema.strings import string_holds
from gramspec.grammar.json_schema.texts import LongInteger

_CLASSES = {
    4: jsonschema.Draft4Validator,
    6: jsonschema.Draft6Validator,
    7: jsonschema.Draft7Validator,
    2019: jsonschema.Draft201909Validator,
    2020: jsonschema.Draft202012Validator,
}

Errors = Iterator[Any]

# Verdicts of the validation that is under way: nested ``unevaluated*`` would ask for them over and over.
_known: ContextVar[dict[Any, bool]] = ContextVar("known")


class Validators:
    """Validators of one schema with its documents.

    Parameters
    ----------
    documents : Documents
        The schema; they say where sub-schemas and references lead, and which dialect is spoken there.
    formats : bool
        Whether ``format`` is an assertion.
    """

    def __init__(self, documents: Documents, *, formats: bool) -> None:
        self.documents = documents
        self._formats = formats
        self._kinds: dict[Dialect, Any] = {}
        self._names: dict[tuple[str, str], dict[int, tuple[str | int, ...]]] = {}

    def violations(self, value: Json, limit: int | None = None) -> list[Any]:
        """The errors of a value, as the library's `iter_errors` gives them.

        Parameters
        ----------
        value : Json
            What is validated.
        limit : int, optional
            The first so many errors only.
        """
        schema = self.documents.schema(self.documents.root)
        if isinstance(schema, bool):
            return [] if schema else [_wrong("false")]
        token = _known.set({})
        try:
            return list(islice(self.at(self.documents.root).iter_errors(value), limit))
        finally:
            _known.reset(token)

    def at(self, place: Place) -> Any:
        """The library's validator of the schema (no boolean) at a place."""
        kind = self._kind(self.documents.dialect(place))
        # Not the library's resolver: nothing in the classes made here asks it but the functions below.
        return kind(self.documents.schema(place), _resolver=_At(self, place))

    def below(self, place: Place, schema: Any) -> Place:
        """The place of a sub-schema of the schema at a place, which is told by its identity."""
        key = place.resource, place.pointer
        if key not in self._names:
            self._names[key] = _sub_schemas(self.documents.schema(place))
        return self.documents.child(place, *self._names[key][id(schema)])

    def _kind(self, dialect: Dialect) -> Any:
        """The exact validator class of a dialect."""
        if dialect in self._kinds:
            return self._kinds[dialect]
        draft = dialect.draft
        base = _CLASSES[draft.number]
        keywords: dict[str, Any] = {name: own for name, own in _KEYWORDS.items() if name in base.VALIDATORS}
        keywords["format"] = _format if self._formats else _annotation
        if draft.number == 4:
            keywords |= {"minimum": _minimum_4, "maximum": _maximum_4}
        if draft.knows(4, 7):
            keywords["dependencies"] = _dependencies
        keywords |= dict.fromkeys(dialect.ignored, _annotation)
        types = base.TYPE_CHECKER.redefine_many(
            {"number": _is_number, "integer": _is_whole_4 if draft.number == 4 else _is_whole}
        )
        made: Any = jsonschema.validators.extend(base, validators=keywords, type_checker=types)
        made.descend = _descend
        self._kinds[dialect] = made
        return made


class _At(NamedTuple):
    """Where a validator's schema is; stands where the library keeps its resolver."""

    validators: Validators
    place: Place


def _sub_schemas(schema: Any) -> dict[int, tuple[str | int, ...]]:
    """The keywords, and names or positions, that lead to each object or list in a schema."""
    found: dict[int, tuple[str | int, ...]] = {}
    for keyword, content in schema.items():
        found[id(content)] = (keyword,)
        if isinstance(content, dict):
            found.update((id(item), (keyword, name)) for name, item in content.items())
        elif isinstance(content, list):
            found.update((id(item), (keyword, index)) for index, item in enumerate(content))
    return found


def _descend(
    self: Any, instance: Any, schema: Any, path: Any = None, schema_path: Any = None, resolver: Any = None
) -> Errors:
    """The errors of a value under a sub-schema; in the place of the library's method of this name."""
    if schema is True:
        return
    errors = iter([_wrong("false")]) if schema is False else _entered(self, schema).iter_errors(instance)
    for error in errors:
        if path is not None:
            error.path.appendleft(path)
        yield error


def _entered(validator: Any, schema: Any) -> Any:
    """The validator of a sub-schema."""
    here: _At = validator._resolver
    return here.validators.at(here.validators.below(here.place, schema))


def _holds(validator: Any, value: Any, schema: Any) -> bool:
    """Whether a sub-schema holds."""
    return schema if isinstance(schema, bool) else _valid(_entered(validator, schema), value)


def _valid(validator: Any, value: Any) -> bool:
    """Whether a value is valid; asked once of a place and a value in one validation."""
    known = _known.get()
    key = (validator._resolver.place, id(value))
    if key not in known:
        known[key] = next(validator.iter_errors(value), None) is None
    return known[key]


def _target(validator: Any, keyword: str) -> Any:
    """The validator that a reference leads to, or a boolean."""
    here: _At = validator._resolver
    place = here.validators.documents.targets(here.place, keyword)
    schema = here.validators.documents.schema(place)
    return schema if isinstance(schema, bool) else here.validators.at(place)


def _reference(keyword: str) -> Any:
    def follow(validator: Any, reference: Any, value: Any, schema: Any) -> Errors:
        target = _target(validator, keyword)
        if isinstance(target, bool):
            yield from () if target else (_wrong(keyword),)
        else:
            yield from target.iter_errors(value)

    return follow


def divides(divisor: int | Decimal, value: int | Decimal) -> bool:
    """Whether `value` is a multiple of `divisor` > 0, exactly and without large powers of ten."""
    size, size_power, digits = _parts(Decimal(value))
    part, part_power, _ = _parts(Decimal(divisor))
    if size == 0:
        return True
    power = size_power - part_power
    if power >= 0:
        return size * pow(10, power, part) % part == 0
    # `size` does not end in more zeros than it has digits.
    return -power <= digits and size % (part * 10**-power) == 0


def _parts(value: Decimal) -> tuple[int, int, int]:
    """The digits as a number, the power of ten behind them, and how many they are."""
    _, digits, power = value.as_tuple()
    assert isinstance(power, int)
    return int(Decimal((0, digits, 0))), power, len(digits)


def _is_number(checker: object, value: object) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


def _is_whole_4(checker: object, value: object) -> bool:
    return isinstance(value, int | LongInteger) and not isinstance(value, bool)


def _is_whole(checker: object, value: object) -> bool:
    return _is_whole_4(checker, value) or (isinstance(value, Decimal) and divides(1, value))


def _wrong(keyword: str) -> ValidationError:
    return ValidationError(keyword)


# -- assertions ---------------------------------------------------------------------------------------


def _annotation(validator: Any, given: Any, value: Any, schema: Any) -> None:
    return None


def _format(validator: Any, name: Any, value: Any, schema: Any) -> Errors:
    from gramspec.grammar.json_schema import formats

    if isinstance(value, str) and formats.known(name) and not formats.check(name, value):
        yield _wrong("format")


def _found(pattern: str, text: str) -> bool:
    return string_holds(Pattern(pattern), text)


def _pattern(validator: Any, pattern: Any, value: Any, schema: Any) -> Errors:
    if isinstance(value, str) and not _found(pattern, value):
        yield _wrong("pattern")


def _multiple_of(validator: Any, divisor: Any, value: Any, schema: Any) -> Errors:
    if _is_number(None, value) and not divides(divisor, value):
        yield _wrong("multipleOf")


def _minimum_4(validator: Any, bound: Any, value: Any, schema: Any) -> Errors:
    if _is_number(None, value) and (value < bound or (value == bound and schema.get("exclusiveMinimum"))):
        yield _wrong("minimum")


def _maximum_4(validator: Any, bound: Any, value: Any, schema: Any) -> Errors:
    if _is_number(None, value) and (value > bound or (value == bound and schema.get("exclusiveMaximum"))):
        yield _wrong("maximum")


def _enum(validator: Any, values: Any, value: Any, schema: Any) -> Errors:
    key = identity(value)
    if all(identity(item) != key for item in values):
        yield _wrong("enum")


def _const(validator: Any, constant: Any, value: Any, schema: Any) -> Errors:
    if identity(constant) != identity(value):
        yield _wrong("const")


def _unique_items(validator: Any, unique: Any, value: Any, schema: Any) -> Errors:
    if unique is True and isinstance(value, list) and len({identity(item) for item in value}) < len(value):
        yield _wrong("uniqueItems")


# -- applicators --------------------------------------------------------------------------------------


def _pattern_properties(validator: Any, patterns: Any, value: Any, schema: Any) -> Errors:
    if isinstance(value, dict):
        for pattern, below in patterns.items():
            for key, item in value.items():
                if _found(pattern, key):
                    yield from validator.descend(item, below, path=key, schema_path=pattern)


def _undeclared(value: dict[str, Any], schema: Any) -> Iterator[str]:
    declared, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    for key in value:
        if key not in declared and not any(_found(pattern, key) for pattern in patterns):
            yield key


def _additional_properties(validator: Any, below: Any, value: Any, schema: Any) -> Errors:
    if isinstance(value, dict):
        for key in _undeclared(value, schema):
            yield from validator.descend(value[key], below, path=key)


def _additional_items(validator: Any, below: Any, value: Any, schema: Any) -> Errors:
    listed = schema.get("items")
    if isinstance(value, list) and isinstance(listed, list):
        for index, item in enumerate(value[len(listed) :], len(listed)):
            yield from validator.descend(item, below, path=index)


def _contains(validator: Any, below: Any, value: Any, schema: Any) -> Errors:
    if isinstance(value, list):
        counted = "unevaluatedItems" in validator.VALIDATORS  # since 2019-09
        least = schema.get("minContains", 1) if counted else 1
        most = schema.get("maxContains") if counted else None
        found = sum(_holds(validator, item, below) for item in value)
        if found < least or (most is not None and found > most):
            yield _wrong("contains")


def _dependencies(validator: Any, dependencies: Any, value: Any, schema: Any) -> Errors:
    if isinstance(value, dict):
        for key, needed in dependencies.items():
            if key in value and isinstance(needed, list):
                if any(name not in value for name in needed):
                    yield _wrong("dependencies")
            elif key in value:
                yield from validator.descend(value, needed, schema_path=key)


def _one_of(validator: Any, branches: Any, value: Any, schema: Any) -> Errors:
    if sum(_holds(validator, value, branch) for branch in branches) != 1:
        yield _wrong("oneOf")


def _any_of(validator: Any, branches: Any, value: Any, schema: Any) -> Errors:
    if not any(_holds(validator, value, branch) for branch in branches):
        yield _wrong("anyOf")


def _not(validator: Any, below: Any, value: Any, schema: Any) -> Errors:
    if _holds(validator, value, below):
        yield _wrong("not")


def _if(validator: Any, condition: Any, value: Any, schema: Any) -> Errors:
    branch = "then" if _holds(validator, value, condition) else "else"
    if branch in schema:
        yield from validator.descend(value, schema[branch], schema_path=branch)


# -- what is left unevaluated ---------------------------------------------------------------------------


def _unevaluated_properties(validator: Any, below: Any, value: Any, schema: Any) -> Errors:
    if isinstance(value, dict):
        for key in value.keys() - _Evaluated(validator, value).keys(schema):
            yield from validator.descend(value[key], below, path=key)


def _unevaluated_items(validator: Any, below: Any, value: Any, schema: Any) -> Errors:
    if isinstance(value, list):
        for index in set(range(len(value))) - _Evaluated(validator, value).indexes(schema):
            yield from validator.descend(value[index], below, path=index)


class _Evaluated:
    """Which members or items of a value the keywords of a schema have evaluated, ``unevaluated*`` excepted.

    Only asked where everything beside the keyword holds or fails by itself; so an applicator that takes all
    members counts for all of them.
    """

    def __init__(self, validator: Any, value: Any) -> None:
        self._validator = validator
        self._value = value

    def keys(self, schema: Any) -> set[str]:
        found: set[str] = set()
        if "additionalProperties" in schema:
            return set(self._value)
        found.update(key for key in schema.get("properties", {}) if key in self._value)
        for pattern in schema.get("patternProperties", {}):
            found.update(key for key in self._value if _found(pattern, key))
        for below, inner in self._in_place(schema):
            found |= set(self._value) if "unevaluatedProperties" in inner else below.keys(inner)
        return found

    def indexes(self, schema: Any) -> set[int]:
        size = len(self._value)
        every = set(range(size))
        listed = schema.get("items")
        latest = "prefixItems" in self._validator.VALIDATORS
        if ("items" in schema and (latest or not isinstance(listed, list))) or (
            not latest and isinstance(listed, list) and "additionalItems" in schema
        ):
            return every
        found = set(range(min(size, len(schema.get("prefixItems", [])) if latest else len(listed or []))))
        if latest and "contains" in schema:
            found.update(i for i in every if _holds(self._validator, self._value[i], schema["contains"]))
        for below, inner in self._in_place(schema):
            found |= every if "unevaluatedItems" in inner else below.indexes(inner)
        return found

    def _in_place(self, schema: Any) -> Iterator[tuple[_Evaluated, Any]]:
        """The sub-schemas that hold for the same value and whose annotations count."""
        validator, value = self._validator, self._value
        inner = [
            _target(validator, keyword)
            for keyword in ("$ref", "$dynamicRef", "$recursiveRef")
            if keyword in schema and keyword in validator.VALIDATORS
        ]
        below: list[Any] = []
        for keyword in ("allOf", "anyOf", "oneOf"):
            below += schema.get(keyword, [])
        for keyword in ("dependentSchemas", "dependencies"):
            if keyword in validator.VALIDATORS:
                below += [item for key, item in schema.get(keyword, {}).items() if key in value]
        if "if" in schema:
            held = _holds(validator, value, schema["if"])
            below += [schema["if"], *([schema["then"]] if "then" in schema else [])] if held else []
            below += [schema["else"]] if not held and "else" in schema else []
        inner += [_entered(validator, item) for item in below if isinstance(item, dict)]
        for one in inner:
            if not isinstance(one, bool) and _valid(one, value):
                yield _Evaluated(one, value), one.schema


_KEYWORDS: dict[str, Any] = {
    "$dynamicRef": _reference("$dynamicRef"),
    "$recursiveRef": _reference("$recursiveRef"),
    "$ref": _reference("$ref"),
    "additionalItems": _additional_items,
    "additionalProperties": _additional_properties,
    "anyOf": _any_of,
    "const": _const,
    "contains": _contains,
    "dependencies": _dependencies,
    "enum": _enum,
    "if": _if,
    "multipleOf": _multiple_of,
    "not": _not,
    "oneOf": _one_of,
    "pattern": _pattern,
    "patternProperties": _pattern_properties,
    "unevaluatedItems": _unevaluated_items,
    "unevaluatedProperties": _unevaluated_properties,
    "uniqueItems": _unique_items,
}
