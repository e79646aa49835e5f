"""JSON Schema front end: a schema to the grammar of the JSON texts that satisfy it.

Law: every assertion and applicator is enforced: by the expression, or by the residual predicate beside it.
Source: API, section 1; JSON Schema drafts 4 to 2020-12.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Final, Literal

from gramspec.errors import GrammarError, OptionError
from gramspec.grammar.core import Grammar
from gramspec.grammar.ir import Expr
from gramspec.grammar.json_schema.documents import Documents
from gramspec.grammar.json_schema.emit import Emitter
from gramspec.grammar.json_schema.expand import TooMuchWork
from gramspec.grammar.json_schema.layout import Layout, gap_of
from gramspec.grammar.json_schema.logic import Logic
from gramspec.grammar.json_schema.nodes import Nodes
from gramspec.grammar.json_schema.parse import Schemas
from gramspec.grammar.json_schema.plans import EFFORTS, Planner
from gramspec.grammar.json_schema.sources import load

__all__ = ["json_schema"]

# How many of the schemas that may wait until a text reaches them are read at once all the same: what is small
# then costs nothing later.
EAGER: Final = 0
_eager: ContextVar[int] = ContextVar("eager", default=EAGER)


def json_schema(
    schema: object,
    *,
    property_order: Literal["schema", "any"] = "schema",
    whitespace: str | int = "any",
    draft: str | int | None = None,
    formats: Literal["assert", "annotate"] = "assert",
    registry: object = None,
) -> Grammar:
    """The JSON texts that satisfy a JSON Schema.

    All assertions and applicators of drafts 4 to 2020-12 are enforced. What no automaton of
    reasonable size enforces (``uniqueItems`` over arbitrary items, for one) is checked at the end of
    a text by a residual predicate: `Grammar.residuals` says which keywords. Keys that are equal
    after unescaping never repeat.

    Parameters
    ----------
    schema : dict, bool, str, type or type hint
        The schema, its JSON text, or what describes one: a pydantic model or TypeAdapter, dataclass,
        TypedDict, NamedTuple, Enum, ``Literal``, any hint of these such as ``list[Model]``, or a
        JSON Schema term of outlines.
    property_order : {"schema", "any"}
        "schema": declared keys in order of first appearance, then the others. "any": free.
    whitespace : "any", "compact", int or str
        Between tokens: any amount, none, at most so many characters, or what a pattern allows
        (cut down to JSON white space). There is none around the whole value.
    draft : str, int or None
        Draft to read the schema by; None: by ``$schema``, else 2020-12 with ``dependencies``.
    formats : {"assert", "annotate"}
        Whether ``format`` is an assertion.
    registry : object
        A `referencing.Registry`; schemas are never fetched from a network.

    Returns
    -------
    Grammar
        Numbers without bounds are those of RFC 8259. Integers, numbers under bounds and constants
        are decimals, or have an exponent of at most 400 in size after a one-digit integer part.

    Raises
    ------
    GrammarError
        If the schema is malformed; the JSON pointer says where.
    UnsupportedError
        If the dialect is unknown, or a pattern uses what no regular language has.
    EmptyLanguageError
        If no value satisfies the schema.
    OptionError
        If an option is out of range.
    """
    if property_order not in ("schema", "any"):
        raise OptionError(f"property_order: {property_order!r} is neither 'schema' nor 'any'")
    if formats not in ("assert", "annotate"):
        raise OptionError(f"formats: {formats!r} is neither 'assert' nor 'annotate'")
    layout = Layout(gap_of(whitespace), property_order)
    root = load(schema)
    documents = Documents(root, draft, registry)
    ordered = property_order == "schema"
    logic = Logic(Schemas(documents, Nodes(), formats=formats == "assert", ordered=ordered))
    try:
        planner, expr = _expression(logic, layout, ordered=ordered)
    except RecursionError as error:
        raise GrammarError(
            "", "sub-schemas for one value, or references between them, nest too deeply"
        ) from error
    if not planner.open:
        return Grammar(expr, "JSON Schema")
    from gramspec.grammar.json_schema.residual import residual_of

    residual = residual_of(documents, list(planner.open), formats=formats)
    return Grammar(expr, "JSON Schema", (residual,))


def _expression(logic: Logic, layout: Layout, *, ordered: bool) -> tuple[Planner, Expr]:
    """The expression of a schema, with as much told apart as can be."""
    documents = logic.schemas.documents
    if documents.may_wait(documents.root) and not _eager.get():
        planner = Planner(logic, ordered=ordered, effort=EFFORTS[0])
        return planner, Emitter(planner, layout).plain(documents.root)
    root = logic.schemas.at(documents.root)
    for effort in EFFORTS:
        planner = Planner(logic, ordered=ordered, effort=effort, eager=_eager.get())
        try:
            return planner, Emitter(planner, layout).run(planner.goal(root))
        except TooMuchWork:
            continue
    raise AssertionError("the least effort always ends")
