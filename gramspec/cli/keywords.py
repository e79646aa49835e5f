"""Keywords of a JSON Schema, each with what enforces it: automaton, object frame, residual predicate.

Law: the keywords listed are those that the schema's draft knows, in every sub-schema that can be reached.
Cost: one visit of each reachable sub-schema.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from gramspec.grammar.core import Place as Residual
from gramspec.grammar.json_schema import formats
from gramspec.grammar.json_schema.documents import Documents, Place
from gramspec.grammar.json_schema.nodes import Nodes
from gramspec.grammar.json_schema.parse import Schemas
from gramspec.grammar.json_schema.sources import Json, load

_REFERENCES: Final = ("$ref", "$dynamicRef", "$recursiveRef")
# What the frame of an object remembers: which keys were written, how many, and what must still come.
_FRAME: Final = frozenset(
    [
        "properties",
        "patternProperties",
        "additionalProperties",
        "unevaluatedProperties",
        "propertyNames",
        "required",
        "minProperties",
        "maxProperties",
        "dependencies",
        "dependentRequired",
        "dependentSchemas",
    ]
)
_ONE: Final = frozenset(
    [
        "items",
        "additionalItems",
        "unevaluatedItems",
        "contains",
        "additionalProperties",
        "unevaluatedProperties",
        "propertyNames",
        "not",
        "if",
        "then",
        "else",
    ]
)
_LISTS: Final = frozenset(["items", "prefixItems", "allOf", "anyOf", "oneOf"])
_MAPS: Final = frozenset(["properties", "patternProperties", "dependentSchemas", "dependencies"])


class Enforced(NamedTuple):
    """One keyword in one place.

    Attributes
    ----------
    pointer : str
        Of the keyword.
    keyword : str
    by : str
        "automaton", "object frame", "residual predicate", or "nothing: annotation".
    """

    pointer: str
    keyword: str
    by: str


def enforced_keywords(
    text: str, *, draft: str | None, assert_formats: bool, residuals: tuple[Residual, ...]
) -> list[Enforced]:
    """The keywords of a schema that compiles, in the order in which sub-schemas are reached.

    Parameters
    ----------
    text : str
        The schema.
    draft : str or None
    assert_formats : bool
    residuals : tuple of Place
        What the compiled grammar leaves to residual predicates.
    """
    documents = Documents(load(text), draft, None)
    schemas = Schemas(documents, Nodes(), formats=assert_formats, ordered=True)
    left_over = {place.pointer for place in residuals}
    found: list[Enforced] = []
    queue = [documents.root]
    seen = {documents.root}
    for place in queue:  # grows
        schema = documents.schema(place)
        if isinstance(schema, bool):
            continue
        for keyword in schemas.known(place, schema):
            pointer = f"{documents.pointer(place)}/{keyword}"
            found.append(Enforced(pointer, keyword, _by(pointer, keyword, schema, left_over, assert_formats)))
        for below in _below(documents, place, schema, set(schemas.known(place, schema))):
            if below not in seen:
                seen.add(below)
                queue.append(below)
    return found


def _by(
    pointer: str, keyword: str, schema: dict[str, Json], left_over: set[str], assert_formats: bool
) -> str:
    if pointer in left_over:
        return "residual predicate"
    if keyword == "format":
        name = schema["format"]
        if not assert_formats or not (isinstance(name, str) and formats.known(name)):
            return "nothing: annotation"
    return "object frame" if keyword in _FRAME else "automaton"


def _below(documents: Documents, place: Place, schema: dict[str, Json], known: set[str]) -> Iterator[Place]:
    if "if" in known:
        known = known | {"then", "else"}
    for keyword in schema:
        if keyword not in known:
            continue
        value = schema[keyword]
        if keyword in _REFERENCES:
            yield documents.targets(place, keyword)
        elif keyword in _MAPS and isinstance(value, dict):
            for name, item in value.items():
                if isinstance(item, bool | dict):  # a list is a dependency on keys
                    yield documents.child(place, keyword, name)
        elif keyword in _LISTS and isinstance(value, list):
            yield from (documents.child(place, keyword, index) for index in range(len(value)))
        elif keyword in _ONE and isinstance(value, bool | dict):
            yield documents.child(place, keyword)
