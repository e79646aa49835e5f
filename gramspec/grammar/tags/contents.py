"""What a tag is bound to: schemas, patterns and grammars, with their places in errors.

Law: a content means what its own front end makes of it; what only the check of a whole text could enforce is
refused inside a tag.
Cost: equal schemas are compiled once.
Source: `gramspec.json_schema`, `gramspec.gbnf`, and the regular expressions of xgrammar.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

from gramspec.errors import GrammarError, UnsupportedError
from gramspec.grammar import ir
from gramspec.grammar.core import Grammar
from gramspec.grammar.encoding import utf8
from gramspec.grammar.tags.fields import Fields
from gramspec.grammar.tags.xml_styles import STYLES

_MOST_VALUES: Final = 20_000  # of a schema that is compared with others


def regex_of(pattern: str, place: str) -> ir.Expr:
    """The texts of a pattern in xgrammar's syntax."""
    from gramspec.grammar.gbnf.regexes import xgrammar_regex

    with placed(place):
        return utf8(xgrammar_regex(pattern))


def grammar_of(fields: Fields) -> Grammar:
    """The grammar in a format's field ``grammar``, in xgrammar's EBNF."""
    from gramspec.grammar.gbnf import gbnf

    text = fields.text("grammar").decode()
    with placed(fields.at("grammar")):
        return gbnf(text, dialect="xgrammar")


def checked_schema(schema: object, place: str) -> object:
    """A JSON Schema, or a class that describes one.

    Raises
    ------
    GrammarError
        If it is neither an object, a truth value nor a class.
    """
    if not isinstance(schema, bool | Mapping | type):
        raise GrammarError(place, "a JSON Schema is an object, true or false")
    return schema


class Contents:
    """Compiles schemas, equal ones once."""

    def __init__(self) -> None:
        self._known: dict[str, Grammar] = {}

    def schema_of(self, fields: Fields) -> Grammar:
        """The grammar of a ``json_schema`` format."""
        fields.get("type")
        schema = checked_schema(fields.need("json_schema"), fields.at("json_schema"))
        style = fields.get("style", "json")
        if not isinstance(style, str) or (style != "json" and style not in STYLES):
            known = ", ".join(["json", *STYLES])
            raise GrammarError(fields.at("style"), f"{style!r} is no style", f"there are {known}")
        excludes = fields.texts("excludes")
        if any(byte in word for word in excludes for byte in b'"\\'):
            reason = "words with quotes or backslashes cannot be excluded from strings"
            raise UnsupportedError(fields.at("excludes"), reason, "take them out")
        order = fields.flag("any_order")
        most = fields.get("max_whitespace_cnt")
        most = None if most is None else fields.number("max_whitespace_cnt", most, 0)
        place = fields.at("json_schema")
        grammar = self.schema(schema, place, style, any_order=order, most_space=most, excludes=excludes)
        fields.close()
        return grammar

    def schema(
        self,
        schema: object,
        place: str,
        style: str = "json",
        *,
        any_order: bool = False,
        most_space: int | None = None,
        excludes: Sequence[bytes] = (),
    ) -> Grammar:
        """The grammar of a schema in a style; errors have places below `place`."""
        key = _key(schema, [style, any_order, most_space, *(word.decode() for word in excludes)])
        known = self._known.get(key) if key is not None else None
        if known is None:
            with placed(place):
                known = _compiled(schema, style, any_order, most_space, excludes)
            if key is not None:
                self._known[key] = known
        return known

    @staticmethod
    def inside(grammar: Grammar, place: str) -> ir.Expr:
        """The expression of a content that is a part of the text only.

        Raises
        ------
        UnsupportedError
            If it has residual predicates.
        """
        for residual in grammar.residuals:
            first = residual.places[0]
            raise UnsupportedError(
                place + first.pointer,
                f"{first.keyword} inside a structural tag is not enforced: {first.reason}",
                "take the keyword out, or let the schema be the whole format",
            )
        return grammar.expr


def _key(schema: object, options: list[object]) -> str | None:
    """A text that is equal for equal schemas and options; None where it would be long, or there is none."""
    waiting, count = [schema], 0
    while waiting:
        value = waiting.pop()
        inner: Sequence[object] = ()
        if isinstance(value, Mapping):
            inner = list(value.values())
        elif isinstance(value, list | tuple):
            inner = value
        count += 1 + len(inner)
        if count > _MOST_VALUES:
            return None
        waiting += inner
    try:
        return json.dumps([schema, options])
    except (TypeError, ValueError, RecursionError):
        return None


def _compiled(
    schema: object, style: str, any_order: bool, most_space: int | None, excludes: Sequence[bytes]
) -> Grammar:
    from gramspec.grammar.json_schema import json_schema

    if style != "json":
        from gramspec.grammar.tags.xml import parameters

        expr = parameters(
            schema, STYLES[style], any_order=any_order, most_space=most_space, excludes=excludes
        )
        return Grammar(expr, style)
    grammar = json_schema(
        schema,
        property_order="any" if any_order else "schema",
        whitespace="any" if most_space is None else most_space,
    )
    expr = grammar.expr  # errors of its making belong here
    if not excludes:
        return grammar
    from gramspec.grammar.tags.excluding import excluding

    return Grammar(excluding(expr, excludes), grammar.description, grammar.residuals)


@contextmanager
def placed(place: str) -> Iterator[None]:
    """Errors of a part get the place of that part in front of theirs."""
    try:
        yield
    except GrammarError as error:
        inner, reason = error.pointer, error.reason
        if inner and not inner.startswith("/"):  # a place in a text, not in the specification
            reason, inner = f"{reason} (at {inner})", ""
        raise type(error)(place + inner, reason, error.hint) from error
