"""JSON values as words, and the predicates that are left over when a schema is compiled.

Law: numbers, the order of keys and lone surrogates come back as they were; a predicate that is read back has
the key of the one written, so both give the same answer on every text.
Cost: linear, without recursion.
Source: docs/serialisation.md; architecture, "Residual predicates".
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from gramspec.automaton.storing.packing import Reader, Writer
from gramspec.errors import GramspecError, SerialisationError
from gramspec.grammar.json_schema.documents import Documents
from gramspec.grammar.json_schema.registries import registry_of
from gramspec.grammar.json_schema.residual import SchemaResidual
from gramspec.grammar.json_schema.sources import MAX_DEPTH, MAX_DIGITS, Json, plain

_NULL, _FALSE, _TRUE, _NATURAL, _NEGATIVE, _DECIMAL, _TEXT, _LIST, _OBJECT = range(9)
_PLAIN: tuple[Json, ...] = (None, False, True)
_FORMATS: tuple[Literal["assert"], Literal["annotate"]] = ("assert", "annotate")
_DRAFTS = {0: None, 4: "4", 6: "6", 7: "7", 2019: "2019-09", 2020: "2020-12"}  # as users ask for them
_LONGEST_NUMBER = MAX_DIGITS + 20  # characters, with sign, point and exponent


def write_json(writer: Writer, root: Json) -> None:
    """Write a JSON value: each before what is in it, the name of a member before its value."""
    words = writer.words
    agenda: list[tuple[str | None, Json]] = [(None, root)]
    while agenda:
        name, value = agenda.pop()
        if name is not None:
            words.append(writer.string(name))
        if value is None or isinstance(value, bool):
            words.append(_PLAIN.index(value))
        elif isinstance(value, int):
            words += (_NEGATIVE if value < 0 else _NATURAL, *writer.count(abs(value)))
        elif isinstance(value, Decimal):
            words += (_DECIMAL, writer.string(str(value)))
        elif isinstance(value, str):
            words += (_TEXT, writer.string(value))
        elif isinstance(value, list):
            words += (_LIST, len(value))
            agenda.extend((None, item) for item in reversed(value))
        else:
            words += (_OBJECT, len(value))
            agenda.extend(reversed(value.items()))


def read_json(reader: Reader) -> Json:
    """Read a JSON value.

    Raises
    ------
    SerialisationError
        If there is none, or it nests deeper than `MAX_DEPTH` or holds a longer number than a schema may.
    """
    whole: list[Json] = []
    open_: list[tuple[list[Json] | dict[str, Json], int]] = [(whole, 1)]
    while open_:
        container, left = open_[-1]
        if not left:
            open_.pop()
            continue
        open_[-1] = container, left - 1
        name = reader.text() if isinstance(container, dict) else ""
        value = _value(reader)
        if isinstance(value, list | dict):
            if len(open_) > MAX_DEPTH:
                raise reader.refusal(f"JSON nested deeper than {MAX_DEPTH} levels")
            open_.append((value, reader.length("members", 2 if isinstance(value, dict) else 1)))
        if isinstance(container, list):
            container.append(value)
        elif name in container:
            raise reader.refusal(f"the key {name!r} stands twice in an object")
        else:
            container[name] = value
    return whole[0]


def _value(reader: Reader) -> Json:
    """A scalar, or an empty container whose members follow."""
    kind = reader.below(_OBJECT + 1, "kind of JSON value")
    if kind <= _TRUE:
        return _PLAIN[kind]
    if kind == _DECIMAL:
        text = reader.text()
        if len(text) > _LONGEST_NUMBER:
            raise reader.refusal(f"a number has {len(text)} characters")
        try:
            return Decimal(text)
        except ArithmeticError:
            raise reader.refusal(f"{text!r} is not a number") from None
    if kind in (_NATURAL, _NEGATIVE):
        return reader.natural() if kind == _NATURAL else -reader.natural()
    if kind == _TEXT:
        return reader.text()
    return [] if kind == _LIST else {}


def write_predicate(writer: Writer, residual: SchemaResidual) -> None:
    """Write the predicate of a schema: its key, what is left over, and every document it reads."""
    documents = residual.documents
    words = writer.words
    words += (writer.string(residual.key), _FORMATS.index(residual.formats), len(residual.places))
    for place in residual.places:
        words += map(writer.string, place)
    asked = documents.draft(documents.root).number if documents.asked else 0
    words.append(asked)
    write_json(writer, documents.value(documents.root))
    others = documents.registered
    words.append(len(others))
    for uri, (contents, number) in others.items():
        words += (writer.string(uri), number or 0)
        write_json(writer, contents)


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
