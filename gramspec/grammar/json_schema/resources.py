"""Schema resources: which parts of a document are schemas, and the names they give themselves.

Law: only schemas are indexed, never data or unknown keywords, unless a reference leads there; linear in the
size of the document.
Source: JSON Schema Core 2020-12, sections 8.2 and 9; drafts 4 to 2019-09 alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from gramspec.errors import GrammarError
from gramspec.grammar.json_schema.dialects import Dialect
from gramspec.grammar.json_schema.sources import Json, escape
from gramspec.grammar.json_schema.uris import defragment, join

RECURSIVE = ""
"""The name under which ``$recursiveAnchor`` takes part in the dynamic scope; no anchor is empty."""

# Keywords that hold schemas, with the first and last draft that knows them.
_ONE = {
    "additionalItems": (4, 2019),
    "additionalProperties": (4, 2020),
    "contains": (6, 2020),
    "contentSchema": (2019, 2020),
    "else": (7, 2020),
    "if": (7, 2020),
    "items": (4, 2020),
    "not": (4, 2020),
    "propertyNames": (6, 2020),
    "then": (7, 2020),
    "unevaluatedItems": (2019, 2020),
    "unevaluatedProperties": (2019, 2020),
}
_LIST = {
    "allOf": (4, 2020),
    "anyOf": (4, 2020),
    "items": (4, 2019),
    "oneOf": (4, 2020),
    "prefixItems": (2020, 2020),
}
_NAMED = {
    "$defs": (4, 2020),
    "definitions": (4, 2020),
    "dependencies": (4, 7),
    "dependentSchemas": (2019, 2020),
    "patternProperties": (4, 2020),
    "properties": (4, 2020),
}


@dataclass(eq=False, slots=True)
class Resource:
    """A schema with a base URI of its own: a document, or an embedded schema with an identifier."""

    document: str
    pointer: str
    uri: str
    anchors: dict[str, list[str]] = field(default_factory=dict)
    """Pointers by plain name; more than one makes the name ambiguous."""
    dynamic: dict[str, str] = field(default_factory=dict)
    """Pointers by name that takes part in the dynamic scope."""


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """A part of a document with one base URI and one dialect; `error` if the dialect cannot be read."""

    resource: Resource
    dialect: Dialect
    error: GrammarError | None = None


class Reference(NamedTuple):
    """A reference found while scanning."""

    document: str
    pointer: str
    keyword: str


class Index:
    """What scanning documents has found.

    Parameters
    ----------
    dialect : Callable
        The dialect of a ``$schema`` and the place to name in errors.
    """

    def __init__(self, dialect: Callable[[Json, str, str], Dialect]) -> None:
        self._dialect = dialect
        self._scanned: set[int] = set()
        self.regions: dict[tuple[str, str], Region] = {}
        self.resources: list[Resource] = []
        self.by_uri: dict[str, list[Resource]] = {}
        self.references: list[Reference] = []

    def add(self, resource: Resource, *, known: bool = True) -> None:
        """Note a new resource, by its URI if its place holds a schema by the specification."""
        self.resources.append(resource)
        if known:
            self._name(resource)

    def scan(
        self,
        document: str,
        pointer: str,
        value: Json,
        region: Region,
        *,
        known: bool = True,
        deep: bool = True,
    ) -> None:
        """Index a schema and those below it.

        Parameters
        ----------
        document, pointer : str
            Where it is.
        value : Json
            The schema.
        region : Region
            The region around it.
        known : bool
            Whether its place holds a schema by the specification. What is not is readable once a
            reference leads there, but names in it count only inside it.
        deep : bool
            False: nothing below the schema has a name or leads out of the document.
        """
        agenda: list[tuple[str, Json, Region]] = [(pointer, value, region)]
        while agenda:
            place, schema, around = agenda.pop()
            if not isinstance(schema, dict) or id(schema) in self._scanned:
                continue
            self._scanned.add(id(schema))
            inner = self._enter(document, place, schema, around, known)
            if inner is not around:
                self.regions[document, place] = inner
            if known or inner.resource is not region.resource:
                self._anchors(place, schema, inner)
            self._note_references(document, place, schema, inner)
            if not deep:
                return
            found = [(f"{place}/{path}", item, inner) for path, item in _schemas(schema, inner)]
            agenda.extend(reversed(found))

    def is_scanned(self, value: Json) -> bool:
        """Whether a value was indexed as a schema."""
        return id(value) in self._scanned

    def _enter(
        self, document: str, place: str, schema: dict[str, Json], around: Region, known: bool
    ) -> Region:
        dialect, error = around.dialect, around.error
        if "$schema" in schema and (place or document):
            try:
                dialect = self._dialect(schema["$schema"], document, f"{place}/$schema")
                error = None
            except GrammarError as failure:
                error = failure
        number = dialect.draft.number
        name = schema.get(dialect.draft.id_keyword)
        resource = around.resource
        if isinstance(name, str) and not (number <= 7 and "$ref" in schema):
            uri = join(resource.uri, defragment(name)[0])
            if uri != resource.uri and not place:
                resource.uri = uri  # a document goes by its own identifier and by the one it was found by
                self._name(resource)
            elif uri != resource.uri:
                resource = Resource(document, place, uri)
                self.add(resource, known=known)
        if resource is around.resource and dialect == around.dialect and error is around.error:
            return around
        return Region(resource, dialect, error)

    def _name(self, resource: Resource) -> None:
        named = self.by_uri.setdefault(resource.uri, [])
        if not named or named[0].document == resource.document:  # an earlier document has precedence
            named.append(resource)

    def _anchors(self, place: str, schema: dict[str, Json], region: Region) -> None:
        draft, resource = region.dialect.draft, region.resource
        number = draft.number
        names: list[Json] = []
        if number >= 2019:
            names.append(schema.get("$anchor"))
        elif isinstance(identifier := schema.get(draft.id_keyword), str):
            uri, fragment = defragment(identifier)
            # Beside `$ref` an identifier sets no base, but a name in it is still taken as one.
            if fragment and not fragment.startswith("/") and not (uri and "$ref" in schema):
                names.append(fragment)
        if number >= 2020 and isinstance(moving := schema.get("$dynamicAnchor"), str):
            resource.dynamic.setdefault(moving, place)
            names.append(moving)
        for name in dict.fromkeys(name for name in names if isinstance(name, str)):
            resource.anchors.setdefault(name, []).append(place)
        if number == 2019 and place == resource.pointer and schema.get("$recursiveAnchor") is True:
            resource.dynamic[RECURSIVE] = place

    def _note_references(self, document: str, place: str, schema: dict[str, Json], region: Region) -> None:
        number = region.dialect.draft.number
        for keyword, first, last in (
            ("$ref", 4, 2020),
            ("$recursiveRef", 2019, 2019),
            ("$dynamicRef", 2020, 2020),
        ):
            if isinstance(schema.get(keyword), str) and first <= number <= last:
                self.references.append(Reference(document, place, keyword))


def _schemas(schema: dict[str, Json], region: Region) -> Iterator[tuple[str, Json]]:
    """The schemas directly below a schema, each with its pointer from there."""
    draft = region.dialect.draft
    for keyword, value in schema.items():
        if isinstance(value, dict):
            if keyword in _NAMED and draft.knows(*_NAMED[keyword]):
                for name, item in value.items():
                    yield f"{keyword}/{escape(name)}", item
            elif keyword in _ONE and draft.knows(*_ONE[keyword]):
                yield keyword, value
        elif isinstance(value, list) and keyword in _LIST and draft.knows(*_LIST[keyword]):
            for index, item in enumerate(value):
                yield f"{keyword}/{index}", item
