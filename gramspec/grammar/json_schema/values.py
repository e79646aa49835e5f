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
from gramspec.grammar.json_schema.formulas import Numbers
from gramspec.grammar.json_schema.layout import FALSE, NULL, TRUE, Layout
from gramspec.grammar.json_schema.numbers import number_value
from gramspec.grammar.json_schema.sources import Json


def constants(values: Iterable[Json], layout: Layout) -> Expr:
    """Any of some constants.

    Parameters
    ----------
    values : iterable of Json
        The constants.
    layout : Layout
        Gaps and order of members.

    Raises
    ------
    GrammarError
        If a string holds a lone surrogate.
    """
    return union(*(_constant(value, layout) for value in values))


def _constant(value: Json, layout: Layout) -> Expr:
    if value is None:
        return NULL
    if isinstance(value, bool):
        return TRUE if value else FALSE
    if isinstance(value, str):
        return Call(json_literal_string(value))
    if isinstance(value, int | Decimal):
        return number_value(Numbers(frozenset([Decimal(value)])))
    rule = Rule("constant")
    if isinstance(value, dict):
        members = tuple(
            JsonProperty(name, json_key_spellings(name), _constant(item, layout), True)
            for name, item in value.items()
        )
        rule.define(JsonObject(members, None, layout.order, layout.gap, JSON_BODY))
    elif value:
        items = [_constant(item, layout) for item in value]
        body = concat(items[0], *(concat(layout.separator, item) for item in items[1:]))
        rule.define(layout.array(body, empty=False))
    else:
        rule.define(concat(literal("["), layout.gap, literal("]")))
    return Ref(rule)
