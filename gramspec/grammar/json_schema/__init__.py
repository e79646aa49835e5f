"""JSON Schema front end: a schema to the grammar of the JSON texts that satisfy it.

Law: exactly the keywords listed in `json_schema` are enforced; every other known one is refused by name.
Source: API, section 1; JSON Schema drafts 4 to 2020-12.
"""

from __future__ import annotations

from typing import Literal

from gramspec.errors import GrammarError, OptionError, UnsupportedError
from gramspec.grammar.core import Grammar
from gramspec.grammar.json_schema.document import Document
from gramspec.grammar.json_schema.drafts import draft_of
from gramspec.grammar.json_schema.emit import Emitter
from gramspec.grammar.json_schema.layout import Layout, gap_of
from gramspec.grammar.json_schema.plans import Planner
from gramspec.grammar.json_schema.sources import load

__all__ = ["json_schema"]


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

    Enforced: ``type``, ``enum``, ``const``, ``properties``, ``required``, ``additionalProperties``,
    ``items``, ``prefixItems``, ``minItems``, ``maxItems``, ``minLength``, ``maxLength``, numeric
    bounds, ``anyOf``, ``allOf`` and local ``$ref``. Any other assertion is refused where it could
    matter. Keys that are equal after unescaping never repeat.

    Parameters
    ----------
    schema : dict, bool, str or type
        The schema, its JSON text, or a pydantic model, dataclass or TypedDict.
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
        If a keyword is not enforced.
    EmptyLanguageError
        If no value satisfies the schema.
    OptionError
        If an option is out of range.
    """
    if property_order not in ("schema", "any"):
        raise OptionError(f"property_order: {property_order!r} is neither 'schema' nor 'any'")
    if formats not in ("assert", "annotate"):
        raise OptionError(f"formats: {formats!r} is neither 'assert' nor 'annotate'")
    if registry is not None:
        raise UnsupportedError("", "references to other documents, so a `registry`, are not enforced")
    layout = Layout(gap_of(whitespace), property_order)
    root = load(schema)
    document = Document(root, draft_of(root, draft))
    try:
        goal, plans = Planner(document, property_order, formats=formats == "assert").run()
        return Grammar(Emitter(plans, layout).run(goal), "JSON Schema")
    except RecursionError as error:
        raise GrammarError("", "constants, or the references around them, nest too deeply") from error
