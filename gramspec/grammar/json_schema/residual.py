"""`SchemaResidual`: the predicate left over when a schema is not enforced by its automaton alone.

Law: holds iff the text is one JSON value without repeated keys that is valid against the whole schema.
Cost: one validation of the text at its end; repeated items are found as they are written.
Source: architecture, "Residual predicates".
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from gramspec.errors import LimitError
from gramspec.grammar import core
from gramspec.grammar.json_schema.dialects import Dialect
from gramspec.grammar.json_schema.documents import Documents, Place
from gramspec.grammar.json_schema.nodes import At, Nodes
from gramspec.grammar.json_schema.parse import Schemas
from gramspec.grammar.json_schema.sources import Json, escape
from gramspec.grammar.json_schema.texts import NotJsonError, parse
from gramspec.grammar.json_schema.unique_items import Reading, UniqueItems

if TYPE_CHECKING:
    from gramspec.grammar.json_schema.validators import Validators

_MOST_SCHEMAS = 1_000_000


class SchemaResidual:
    """Validation of whole texts against a JSON Schema, by the library `jsonschema` made exact.

    Parameters
    ----------
    documents : Documents
        The schema, with all documents that its references lead to.
    places : sequence of (str, str, str)
        What is left over: pointer, keyword, and why no automaton enforces it; at least one.
    formats : {"assert", "annotate"}
        Whether ``format`` is an assertion.
    """

    def __init__(
        self,
        documents: Documents,
        places: Sequence[tuple[str, str, str]],
        *,
        formats: Literal["assert", "annotate"] = "assert",
    ) -> None:
        self.documents = documents
        self.places = tuple(dict.fromkeys(core.Place(*place) for place in places))
        self.formats = formats
        unique = any(place.keyword == "uniqueItems" for place in self.places)
        self._unique_items = UniqueItems(documents) if unique else None

    @cached_property
    def key(self) -> str:
        """Hash of everything that the verdicts depend on."""
        documents = self.documents
        contents = [
            (uri, _spelled(documents.dialect(Place(uri, ""))), value)
            for uri, value in documents.contents.items()
        ]
        dialects = [(uri, _spelled(dialect)) for uri, dialect in documents.dialects.items()]
        parts = [self.formats, documents.asked, contents, dialects]
        text = json.dumps(parts, default=lambda number: ["decimal", str(number)])
        return f"json-schema {hashlib.sha256(text.encode()).hexdigest()}"

    def holds(self, text: bytes) -> bool:
        """Whether a text is valid JSON that satisfies the schema.

        Raises
        ------
        LimitError
            If it nests too deeply to be validated, or an exponent has more than 17 digits.
        """
        try:
            return not self._errors(text, 1)
        except NotJsonError:
            return False

    def check(self) -> None:
        """Read every schema that can be reached, needed or not.

        A grammar is made of a schema after its front end has read it; a predicate made of documents
        alone is checked by this, so that no malformed keyword is met when a text is validated.

        Raises
        ------
        GrammarError
            If one is malformed.
        LimitError
            If there are more than 1,000,000.
        """
        nodes = Nodes()
        schemas = Schemas(self.documents, nodes, formats=self.formats == "assert")
        schemas.at(self.documents.root)
        done = 0
        while done < len(nodes):
            node = nodes.node(2 * done)
            if isinstance(node, At):
                schemas.body(node.place)
            done += 1
            if done > _MOST_SCHEMAS:
                raise LimitError("max_nodes", f"a predicate reads more than {_MOST_SCHEMAS} schemas")

    def reading(self) -> Reading | None:
        """Reads texts for items that repeat where they may not; None if that is not among the places."""
        return None if self._unique_items is None else self._unique_items.reading()

    def explain(self, text: bytes) -> list[tuple[str, core.Place]]:
        """Where a text violates what: JSON pointers into the text, each with the place of the schema.

        Empty where the predicate holds, and for a text that is not JSON.

        Raises
        ------
        LimitError
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
        try:
            return self._validators.violations(parse(text), limit)
        except RecursionError:
            raise LimitError(
                "text depth", "the text, or the references of its schema, nest too deeply to be validated"
            ) from None

    @cached_property
    def _validators(self) -> Validators:
        # The library is heavy, and few schemas need it.
        from gramspec.grammar.json_schema.validators import Validators

        return Validators(self.documents, formats=self.formats == "assert")

    def __repr__(self) -> str:
        return f"SchemaResidual({'; '.join(map(str, self.places))})"


def residual_of(
    documents: Documents,
    places: Sequence[tuple[str, str, str]],
    *,
    formats: Literal["assert", "annotate"] = "assert",
) -> SchemaResidual:
    """The residual predicate of a schema; parameters as of `SchemaResidual`."""
    return SchemaResidual(documents, places, formats=formats)


def _spelled(dialect: Dialect) -> list[Json]:
    return [dialect.draft.number, dialect.draft.declared, *sorted(dialect.ignored)]
