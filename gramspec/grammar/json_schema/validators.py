"""Validators of the library `jsonschema`, made exact: decimals, ECMA-262 patterns, own formats, annotations.

Law: JSON Schema validation of one value; no number is rounded, no network is used.
Source: JSON Schema Core, sections 7, 10 and 11; Validation, section 6; the library for everything else.

The library compares floats, searches with `re`, collects evaluated members by short cuts and leaves the base
URI where it enters a sub-schema of ``not``, ``if`` and ``contains``; the keywords concerned are replaced.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from decimal import Decimal
from itertools import islice
from typing import Any

import jsonschema
import jsonschema.validators
from jsonschema.exceptions import ValidationError
from referencing import Registry, Resource
from referencing.jsonschema import lookup_recursive_ref, specification_with

from gramspec.grammar.json_schema.dialects import Dialect
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


def validator(
    schema: Json,
    dialect: Dialect,
    documents: Mapping[str, Json],
    dialects: Mapping[str, Dialect],
    *,
    formats: bool,
) -> Any:
    """A validator of one schema, as the library's: `is_valid` and `iter_errors` take a value.

    Parameters
    ----------
    schema : Json
        The whole schema.
    dialect : Dialect
        How it is read where no ``$schema`` of `dialects` stands.
    documents : mapping of str to Json
        What references may lead to, by absolute URI, besides the published meta-schemas.
    dialects : mapping of str to Dialect
        The meaning of each ``$schema`` in the schema and the documents.
    formats : bool
        Whether ``format`` is an assertion.
    """
    kinds: dict[Dialect, Any] = {}

    def kind_of(wanted: Dialect) -> Any:
        if wanted not in kinds:
            kinds[wanted] = _validator_class(wanted, formats)
            kinds[wanted].evolve = evolve
        return kinds[wanted]

    def evolve(self: Any, **changes: Any) -> Any:
        # The library would take its own class for a sub-schema that names its draft.
        below = changes.get("schema", self.schema)
        kind = type(self)
        if isinstance(below, Mapping) and isinstance(below.get("$schema"), str):
            named = dialects.get(below["$schema"])
            kind = kind if named is None else kind_of(named)
        return kind(below, registry=self._registry, _resolver=changes.get("_resolver", self._resolver))

    kind = kind_of(dialect)
    plain = _specification(kind)
    resources = [
        (uri, Resource.from_contents(document, default_specification=plain))
        for uri, document in documents.items()
    ]
    return kind(schema, registry=Registry().with_resources(resources))


def violations(checker: Any, value: Json, limit: int | None = None) -> list[Any]:
    """The errors of a value, as the library's `iter_errors` gives them.

    Parameters
    ----------
    checker : validator
        From `validator`.
    value : Json
        What is validated.
    limit : int, optional
        The first so many errors only.
    """
    token = _known.set({})
    try:
        return list(islice(checker.iter_errors(value), limit))
    finally:
        _known.reset(token)


def _validator_class(dialect: Dialect, formats: bool) -> Any:
    """The exact validator class of a dialect."""
    draft = dialect.draft
    base = _CLASSES[draft.number]
    keywords: dict[str, Any] = {name: own for name, own in _KEYWORDS.items() if name in base.VALIDATORS}
    keywords["format"] = _format if formats else _annotation
    if draft.number == 4:
        keywords |= {"minimum": _minimum_4, "maximum": _maximum_4}
    if draft.knows(4, 7):
        keywords["dependencies"] = _dependencies
    keywords |= dict.fromkeys(dialect.ignored, _annotation)
    types = base.TYPE_CHECKER.redefine_many(
        {"number": _is_number, "integer": _is_whole_4 if draft.number == 4 else _is_whole}
    )
    return jsonschema.validators.extend(base, validators=keywords, type_checker=types)


def _specification(kind: Any) -> Any:
    return specification_with(kind.ID_OF(kind.META_SCHEMA))


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


def _holds(validator: Any, value: Any, schema: Any) -> bool:
    """Whether a sub-schema holds, entered with its own base URI."""
    if isinstance(schema, bool):
        return schema
    return _valid(_entered(validator, schema), value)


def _entered(validator: Any, schema: Any) -> Any:
    resource = _specification(validator).create_resource(schema)
    return validator.evolve(schema=schema, _resolver=validator._resolver.in_subresource(resource))


def _valid(validator: Any, value: Any) -> bool:
    """Whether a value is valid; asked once of a schema, a value and a dynamic scope in one validation."""
    known = _known.get()
    scope = tuple(uri for uri, _ in validator._resolver.dynamic_scope())
    key = (id(validator.schema), id(value), type(validator), scope)
    if key not in known:
        known[key] = bool(validator.is_valid(value))
    return known[key]


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
        resolver = validator._resolver
        branches: list[tuple[Any, Any]] = []
        for keyword in ("$ref", "$dynamicRef", "$recursiveRef"):
            if keyword in schema and keyword in validator.VALIDATORS:
                if keyword == "$recursiveRef":
                    target = lookup_recursive_ref(resolver)
                else:
                    target = resolver.lookup(schema[keyword])
                branches.append((target.contents, target.resolver))
        plain: list[Any] = []
        for keyword in ("allOf", "anyOf", "oneOf"):
            plain += schema.get(keyword, [])
        for keyword in ("dependentSchemas", "dependencies"):
            if keyword in validator.VALIDATORS:
                plain += [below for key, below in schema.get(keyword, {}).items() if key in value]
        if "if" in schema:
            held = _holds(validator, value, schema["if"])
            plain += [schema["if"], *([schema["then"]] if "then" in schema else [])] if held else []
            plain += [schema["else"]] if not held and "else" in schema else []
        inner = [validator.evolve(schema=b, _resolver=at) for b, at in branches if isinstance(b, Mapping)]
        inner += [_entered(validator, below) for below in plain if isinstance(below, Mapping)]
        for below in inner:
            if _valid(below, value):
                yield _Evaluated(below, value), below.schema


_KEYWORDS: dict[str, Any] = {
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
