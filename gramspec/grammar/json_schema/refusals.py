"""Keywords that are understood but not enforced: refused by name where they could matter.

Law: a keyword passes only if it is void for every value type that the branch still allows.
Source: design rule "nothing is silently dropped".
"""

from __future__ import annotations

from decimal import Decimal

from gramspec.errors import GrammarError, UnsupportedError
from gramspec.grammar.json_schema.document import Document
from gramspec.grammar.json_schema.drafts import NUMBER, REFUSED, STRING_FORMATS
from gramspec.grammar.json_schema.sources import Json

_HINTS = {
    "format": 'pass formats="annotate" to leave formats unchecked',
    "oneOf": "use `anyOf` where no value can satisfy two branches",
    "dependencies": "spell the cases out with `anyOf`",
    "dependentRequired": "spell the cases out with `anyOf`",
    "dependentSchemas": "spell the cases out with `anyOf`",
    "if": "spell the cases out with `anyOf`",
    "not": "say what is allowed instead",
    "unevaluatedProperties": "use `additionalProperties`",
}


def refuse(
    document: Document, pointer: str, schema: dict[str, Json], types: frozenset[str], *, formats: bool
) -> None:
    """Raise if a schema has a keyword that would cut the values of `types` and is not enforced.

    Parameters
    ----------
    document : Document
        The document of the schema.
    pointer : str
        Where the schema is.
    schema : dict
        The schema.
    types : frozenset of str
        Value types that are still possible.
    formats : bool
        Whether ``format`` is an assertion.
    """
    for keyword in schema:
        entry = REFUSED.get(keyword)
        if entry is None or not document.draft.knows(entry[1], entry[2]) or types.isdisjoint(entry[0]):
            continue
        if keyword == "format" and not formats:
            continue
        if not _void(document, pointer, schema, keyword, types):
            what = f"`{keyword}` is not enforced"
            if keyword == "format":
                what = f"`format` {schema[keyword]!r} is not enforced"
            raise UnsupportedError(f"{pointer}/{keyword}", what, _HINTS.get(keyword, ""))


def _void(
    document: Document, pointer: str, schema: dict[str, Json], keyword: str, types: frozenset[str]
) -> bool:
    """Whether a keyword holds for every value of the given types, whatever it is."""
    value = schema[keyword]
    if keyword in ("patternProperties", "dependencies", "dependentRequired", "dependentSchemas"):
        return not document.mapping(pointer, schema, keyword)
    if keyword in ("unevaluatedItems", "unevaluatedProperties", "propertyNames"):
        return value is True or value == {}
    if keyword == "uniqueItems":
        most = document.natural(pointer, schema, "maxItems")
        return not document.boolean(pointer, schema, keyword) or (most is not None and most <= 1)
    if keyword == "contains":
        return schema.get("minContains") == 0 and "maxContains" not in schema
    if keyword == "multipleOf":
        divisor = document.number(pointer, schema, keyword)
        if divisor is None or divisor <= 0:
            raise GrammarError(f"{pointer}/multipleOf", "must be a number above 0")
        return types & NUMBER == {"integer"} and divides(divisor, Decimal(1))
    if keyword == "not":
        return value is False
    if keyword == "if":
        return "then" not in schema and "else" not in schema
    if keyword == "oneOf":
        return len(document.branches(pointer, schema, keyword)) == 1
    if keyword in ("pattern", "format"):
        if not isinstance(value, str):
            raise GrammarError(f"{pointer}/{keyword}", "must be a string")
        if keyword == "format":
            return "string" not in types or value not in STRING_FORMATS
        return value == ""
    return False


def divides(divisor: Decimal, value: Decimal) -> bool:
    """Whether ``value / divisor`` is an integer, exactly."""
    top, bottom = value.as_integer_ratio()
    over, under = divisor.as_integer_ratio()
    return top * under % (bottom * over) == 0
