"""Typed reading of keyword values.

Law: every malformed value is a `GrammarError` with the pointer of its keyword.
Source: JSON Schema Validation, section 6.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from gramspec.errors import GrammarError
from gramspec.grammar.json_schema.sources import Json


def natural(where: str, schema: Mapping[str, Json], keyword: str) -> int | None:
    """A keyword whose value is a non-negative integer; None when absent."""
    if keyword not in schema:
        return None
    value = schema[keyword]
    if isinstance(value, Decimal) and value == value.to_integral_value():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise GrammarError(f"{where}/{keyword}", "must be a non-negative integer")
    return value


def number(where: str, schema: Mapping[str, Json], keyword: str) -> Decimal | None:
    """A keyword whose value is a number; None when absent."""
    if keyword not in schema:
        return None
    value = schema[keyword]
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise GrammarError(f"{where}/{keyword}", "must be a number")
    return Decimal(value)


def boolean(where: str, schema: Mapping[str, Json], keyword: str) -> bool:
    """A keyword whose value is a boolean; false when absent."""
    value = schema.get(keyword, False)
    if not isinstance(value, bool):
        raise GrammarError(f"{where}/{keyword}", "must be a boolean")
    return value


def names(where: str, schema: Mapping[str, Json], keyword: str) -> list[str]:
    """A keyword whose value is a list of strings, each once."""
    result: dict[str, None] = {}
    for value in items(where, schema, keyword):
        if not isinstance(value, str):
            raise GrammarError(f"{where}/{keyword}", "must be a list of strings")
        result[value] = None
    return list(result)


def items(where: str, schema: Mapping[str, Json], keyword: str) -> list[Json]:
    """A keyword whose value is a list; empty when absent."""
    value = schema.get(keyword, [])
    if not isinstance(value, list):
        raise GrammarError(f"{where}/{keyword}", "must be a list")
    return value


def mapping(where: str, schema: Mapping[str, Json], keyword: str) -> dict[str, Json]:
    """A keyword whose value is an object; empty when absent."""
    value = schema.get(keyword, {})
    if not isinstance(value, dict):
        raise GrammarError(f"{where}/{keyword}", "must be an object")
    return value
