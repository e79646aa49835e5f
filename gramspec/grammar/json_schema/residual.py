"""`SchemaResidual`: the predicate left over when a schema is not enforced by its automaton alone.

Law: holds iff the text is one JSON value without repeated keys that is valid against the whole schema.
Cost: one validation of the text at its end; repeated items are found as they are written.
Source: architecture, "Residual predicates".
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Literal

from gramspec.errors import GrammarError, LimitError
from gramspec.grammar import core
from gramspec.grammar.json_schema.dialects import Dialect
from gramspec.grammar.json_schema.documents import Documents, Place
from gramspec.grammar.json_schema.drafts import Draft
from gramspec.grammar.json_schema.sources import Json, escape
from gramspec.grammar.json_schema.texts import NotJsonError, parse
from gramspec.grammar.json_schema.unique_items import Reading, UniqueItems

_URIS = {
    4: "http://json-schema.org/draft-04/schema#",
    6: "http://json-schema.org/draft-06/schema#",
    7: "http://json-schema.org/draft-07/schema#",
    2019: "https://json-schema.org/draft/2019-09/schema",
    2020: "https://json-schema.org/draft/2020-12/schema",
}


class SchemaResidual:
    """Validation of whole texts against a JSON Schema, by the library `jsonschema` made exact.

    Parameters
    ----------
    schema : Json
        The whole schema, with exact numbers.
    places : sequence of (str, str, str)
        What is left over: pointer, keyword, and why no automaton enforces it; at least one.
    dialect : Dialect
        How the schema is read.
    formats : {"assert", "annotate"}
        Whether ``format`` is an assertion.
    documents : mapping of str to Json, optional
        Other documents that references lead to, by absolute URI. Nothing else is looked up but the
        published meta-schemas.
    dialects : mapping of str to Dialect, optional
        The meaning of each ``$schema`` that occurs; one that is not listed changes nothing.
    unique_items : UniqueItems, optional
        Finds repeated items before a text ends; it must not refute what `holds` accepts.
    """

    def __init__(
        self,
        schema: Json,
        places: Sequence[tuple[str, str, str]],
        dialect: Dialect,
        *,
        formats: Literal["assert", "annotate"] = "assert",
        documents: Mapping[str, Json] | None = None,
        dialects: Mapping[str, Dialect] | None = None,
        unique_items: UniqueItems | None = None,
    ) -> None:
        self.schema = schema
        self.places = tuple(dict.fromkeys(core.Place(*place) for place in places))
        self.dialect = dialect
        self.formats = formats
        self.documents = dict(documents or {})
        self.dialects = dict(dialects or {})
        self.unique_items = unique_items

    @cached_property
    def key(self) -> str:
        """Hash of everything that the verdicts depend on."""
        dialects = [_spelled(self.dialect), *((uri, _spelled(d)) for uri, d in self.dialects.items())]
        parts = [dialects, self.formats, self.schema, self.documents]
        text = json.dumps(parts, default=lambda number: ["decimal", str(number)])
        return f"json-schema {hashlib.sha256(text.encode()).hexdigest()}"

    def holds(self, text: bytes) -> bool:
        """Whether a text is valid JSON that satisfies the schema.

        Raises
        ------
        LimitError
            If it nests too deeply to be validated, or an exponent has more than 17 digits.
        GrammarError
            If a reference leads to a document that was not given.
        """
        try:
            return not self._errors(text, 1)
        except NotJsonError:
            return False

    def reading(self) -> Reading | None:
        """Reads texts for items that repeat where they may not; None if that is not among the places."""
        return None if self.unique_items is None else self.unique_items.reading()

    def explain(self, text: bytes) -> list[tuple[str, core.Place]]:
        """Where a text violates what: JSON pointers into the text, each with the place of the schema.

        Empty where the predicate holds, and for a text that is not JSON.

        Raises
        ------
        LimitError, GrammarError
            As `holds` does.
        """
        found: list[tuple[str, core.Place]] = []
        try:
            errors = self._errors(text)
        except NotJsonError:
            return []
        for error in errors:
            pointer = "".join(f"/{escape(str(part))}" for part in error.absolute_path)
            place = next((p for p in self.places if p.keyword == error.validator), self.places[0])
            found.append((pointer, place))
        return list(dict.fromkeys(found))

    def _errors(self, text: bytes, limit: int | None = None) -> list[Any]:
        """The violations as the library tells them."""
        from referencing.exceptions import Unresolvable

        from gramspec.grammar.json_schema.validators import violations

        try:
            return violations(self._validator, parse(text), limit)
        except RecursionError:
            raise LimitError(
                "text depth", "the text, or the references of its schema, nest too deeply to be validated"
            ) from None
        except Unresolvable as error:
            raise GrammarError(self.places[0].pointer, f"a reference leads nowhere: {error}") from error

    @cached_property
    def _validator(self) -> Any:
        from gramspec.grammar.json_schema.validators import validator

        return validator(
            self.schema, self.dialect, self.documents, self.dialects, formats=self.formats == "assert"
        )

    def __repr__(self) -> str:
        return f"SchemaResidual({'; '.join(map(str, self.places))})"


def residual_of(
    documents: Documents,
    places: Sequence[tuple[str, str, str]],
    *,
    formats: Literal["assert", "annotate"] = "assert",
) -> SchemaResidual:
    """The residual predicate of a schema with all documents that its references lead to.

    Parameters
    ----------
    documents : Documents
        The schema.
    places : sequence of (str, str, str)
        Pointer, keyword and reason of everything that is left over; at least one.
    formats : {"assert", "annotate"}
        Whether ``format`` is an assertion.
    """
    root = documents.value(documents.root)
    dialect = documents.dialect(documents.root)
    outside: dict[str, Json] = {}
    for uri, document in documents.contents.items():
        if uri:
            own = documents.dialect(Place(uri, ""))
            outside[uri] = _naming(document, own.draft) if own != dialect else document
    if documents.asked:
        root = _unnamed(root)
    dialects = {uri: Dialect(Draft(number, True)) for number, uri in _URIS.items()}
    return SchemaResidual(
        root,
        places,
        dialect,
        formats=formats,
        documents=outside,
        dialects={**dialects, **documents.dialects},
        unique_items=UniqueItems(documents) if any(place[1] == "uniqueItems" for place in places) else None,
    )


def _naming(document: Json, draft: Draft) -> Json:
    """A document that names its draft; the registry may know it without that."""
    if not isinstance(document, dict) or "$schema" in document:
        return document
    return {"$schema": _URIS[draft.number], **document}


def _unnamed(value: Json) -> Json:
    """A schema that names no draft: the caller's choice overrules what it says."""
    if isinstance(value, list):
        return [_unnamed(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: item if key in ("const", "enum") else _unnamed(item)
        for key, item in value.items()
        if key != "$schema" or not isinstance(item, str)
    }


def _spelled(dialect: Dialect) -> list[Json]:
    return [dialect.draft.number, dialect.draft.declared, *sorted(dialect.ignored)]
