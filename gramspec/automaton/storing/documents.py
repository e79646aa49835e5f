"""Predicates that are left over when a schema is compiled, as words.

Law: a predicate that is read back has the key of the one written: both give one answer on every text.
Cost: linear in the schema and the documents that it refers to, which are read anew.
Source: docs/serialisation.md; architecture, "Residual predicates".
"""

from __future__ import annotations

from typing import Literal

from gramspec.automaton.storing.packing import Reader, Writer
from gramspec.automaton.storing.values import json_words, read_json
from gramspec.errors import GramspecError, SerialisationError
from gramspec.grammar.json_schema.documents import Documents
from gramspec.grammar.json_schema.registries import registry_of
from gramspec.grammar.json_schema.residual import SchemaResidual
from gramspec.grammar.json_schema.sources import Json, plain

_FORMATS: tuple[Literal["assert"], Literal["annotate"]] = ("assert", "annotate")
_DRAFTS = {0: None, 4: "4", 6: "6", 7: "7", 2019: "2019-09", 2020: "2020-12"}  # as users ask for them


def write_predicate(writer: Writer, residual: SchemaResidual) -> None:
    """Write the predicate of a schema: its key, what is left over, and every document it reads."""
    documents = residual.documents
    words = writer.words
    words += (writer.string(residual.key), _FORMATS.index(residual.formats), len(residual.places))
    for place in residual.places:
        words += map(writer.string, place)
    asked = documents.draft(documents.root).number if documents.asked else 0
    words.append(asked)
    words += json_words(writer, documents.value(documents.root))
    others = documents.registered
    words.append(len(others))
    for uri, (contents, number) in others.items():
        words += (writer.string(uri), number or 0)
        words += json_words(writer, contents)


def read_predicate(reader: Reader) -> SchemaResidual:
    """Read the predicate of a schema.

    Raises
    ------
    SerialisationError
        If there is none, or what it reads has another meaning here than where it was written.
    """
    key, formats = reader.text(), _FORMATS[reader.below(len(_FORMATS), "meaning of formats")]
    places = [(reader.text(), reader.text(), reader.text()) for _ in range(reader.length("places", 3))]
    if not places:
        raise reader.refusal("a predicate enforces nothing")
    asked = reader.word()
    if asked not in _DRAFTS:
        raise reader.refusal(f"draft {asked} is not known")
    root = read_json(reader)
    others: dict[str, tuple[Json, int | None]] = {}
    for _ in range(reader.length("documents", 3)):
        uri, number = reader.text(), reader.word()
        others[uri] = read_json(reader), number or None
    try:
        registry = registry_of({uri: (plain(value), number) for uri, (value, number) in others.items()})
        residual = SchemaResidual(Documents(plain(root), _DRAFTS[asked], registry), places, formats=formats)
        same = residual.key == key
        residual.check()
    except GramspecError as error:
        raise reader.refusal(f"the schema of a predicate cannot be read: {error}") from error
    if not same:
        raise SerialisationError(
            "predicate",
            "the schema it checks texts against has another meaning here than where it was stored",
            "compile the grammar again: the metaschemas of the installed jsonschema-specifications differ",
        )
    return residual
