"""Expressions of constants: every way to write the values of ``enum`` and ``const``.

Law: numbers by value, strings by characters; objects in any member order, or as written under "schema".
Source: API, section 1; JSON Schema Core, section 4.2.2 (equality).
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from gramspec.grammar.encoding import JSON_BODY, json_key_spellings, json_literal_string
from gramspec.grammar.ir import (
    Call,
    Expr,
    JsonObject,
    JsonProperty,
    Ref,
    Rule,
    concat,
    literal,
    union,
)
from gramspec.grammar.json_schema.layout import FALSE, NULL, TRUE, Layout
from gramspec.grammar.json_schema.numbers import numbers_among, numbers_between
from gramspec.grammar.json_schema.sources import Json


def constants(values: Iterable[tuple[Json, bool]], layout: Layout) -> Expr:
    """Any of some constants; those with the flag set are numbers without fraction and exponent.

    Parameters
    ----------
    values : iterable of (Json, bool)
        Constants and flags.
    layout : Layout
        Gaps and order of members.

    Raises
    ------
    GrammarError
        If a string holds a lone surrogate.
    """
    regular: list[Expr] = []
    numbers: list[Decimal] = []
    containers: list[Expr] = []
    for value, plain in values:
        if isinstance(value, list | dict):
            containers.append(_container(value, layout))
        elif isinstance(value, bool) or value is None or isinstance(value, str):
            regular.append(_scalar(value))
        elif plain:
            regular.append(numbers_between(Decimal(value), False, Decimal(value), False, "digits"))
        else:
            numbers.append(Decimal(value))
    if numbers:
        regular.append(numbers_among(numbers))
    return union(Call(union(*regular)) if regular else union(), *containers)


def _scalar(value: bool | str | None) -> Expr:
    if value is None:
        return NULL
    if isinstance(value, bool):
        return TRUE if value else FALSE
    return json_literal_string(value)


def _container(value: list[Json] | dict[str, Json], layout: Layout) -> Expr:
    rule = Rule("constant")
    if isinstance(value, dict):
        members = tuple(
            JsonProperty(name, json_key_spellings(name), constants([(item, False)], layout), True)
            for name, item in value.items()
        )
        rule.define(JsonObject(members, None, layout.order, layout.gap, JSON_BODY))
    elif value:
        items = [constants([(item, False)], layout) for item in value]
        body = concat(items[0], *(concat(layout.separator, item) for item in items[1:]))
        rule.define(layout.array(body, empty=False))
    else:
        rule.define(concat(literal("["), layout.gap, literal("]")))
    return Ref(rule)
