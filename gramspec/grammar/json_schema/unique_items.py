"""Repeated items found while a text is being written: an incremental reading for ``uniqueItems``.

Law: a text is refuted only if an array that must have unique items, whatever follows, holds two equal ones.
Cost: a pass over the bytes; a reading is immutable and shares its frames with the readings before it.
Source: JSON Schema Validation, section 6.4.3; architecture, "Residual predicates".

Only what holds unconditionally is read: from the root through references, ``allOf``, members and items.
Texts are prefixes of members of the schema's automaton, so they are not checked for syntax.
"""

from __future__ import annotations

import json
import re
from collections.abc import Hashable, Iterable
from functools import lru_cache
from typing import NamedTuple, TypeAlias

from gramspec.errors import LimitError
from gramspec.grammar.json_schema.documents import Documents, Place
from gramspec.grammar.json_schema.formulas import Pattern
from gramspec.grammar.json_schema.nodes import identity
from gramspec.grammar.json_schema.sources import Json
from gramspec.grammar.json_schema.strings import string_holds
from gramspec.grammar.json_schema.texts import NotJsonError, parse

Where: TypeAlias = tuple[Place, ...]
"""Schemas that a value has to satisfy, references and ``allOf`` followed."""

_DEEPEST_COMPARED = 64
_QUOTE_OR_ESCAPE = re.compile(rb'["\\]')
_END_OF_SCALAR = re.compile(rb"[,\]} \t\n\r]")
_STRUCTURE, _STRING, _SCALAR = range(3)


class UniqueItems:
    """Which values of a schema's texts must have unique items.

    Parameters
    ----------
    documents : Documents
        The schema.
    """

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self.root = self._closed([documents.root])
        self.member = lru_cache(maxsize=4096)(self._member)
        self.item = lru_cache(maxsize=4096)(self._item)

    def reading(self) -> Reading:
        """The reading of the empty text."""
        return Reading(self, None, _STRUCTURE, None, False)

    def unique(self, where: Where) -> bool:
        """Whether the items of an array there must be unique."""
        return any(self._schema(place).get("uniqueItems") is True for place in where)

    def _member(self, where: Where, name: str) -> Where:
        """Where the member of an object there is."""
        found: list[Place] = []
        for place in where:
            schema = self._schema(place)
            before = len(found)
            if _has(schema, "properties", name):
                found.append(self._documents.child(place, "properties", name))
            patterns = schema.get("patternProperties")
            for pattern in patterns if isinstance(patterns, dict) else ():
                if string_holds(Pattern(pattern), name):
                    found.append(self._documents.child(place, "patternProperties", pattern))
            if len(found) == before and "additionalProperties" in schema:
                found.append(self._documents.child(place, "additionalProperties"))
        return self._closed(found)

    def _item(self, where: Where, index: int) -> Where:
        """Where an item of an array there is."""
        found: list[Place] = []
        for place in where:
            schema = self._schema(place)
            latest = self._documents.draft(place).number >= 2020
            listed, rest = ("prefixItems", "items") if latest else ("items", "additionalItems")
            first = schema.get(listed)
            if isinstance(first, list) and index < len(first):
                found.append(self._documents.child(place, listed, index))
            elif not latest and not isinstance(first, list):
                found += [self._documents.child(place, listed)] if listed in schema else []
            elif rest in schema:
                found.append(self._documents.child(place, rest))
        return self._closed(found)

    def _closed(self, places: Iterable[Place]) -> Where:
        found: dict[Place, None] = {}
        agenda = list(places)
        while agenda:
            place = agenda.pop()
            if place in found:
                continue
            found[place] = None
            schema = self._schema(place)
            for keyword in ("$ref", "$dynamicRef", "$recursiveRef"):
                if keyword in schema and self._knows(place, keyword):
                    agenda.append(self._documents.targets(place, keyword))
            branches = schema.get("allOf")
            for index in range(len(branches) if isinstance(branches, list) else 0):
                agenda.append(self._documents.child(place, "allOf", index))
        return tuple(place for place in found if self._speaks(place))

    def _knows(self, place: Place, keyword: str) -> bool:
        number = self._documents.draft(place).number
        return keyword == "$ref" or number == (2020 if keyword == "$dynamicRef" else 2019)

    def _speaks(self, place: Place) -> bool:
        return not _SPEAKING.isdisjoint(self._schema(place))

    def _schema(self, place: Place) -> dict[str, Json]:
        schema = self._documents.schema(place)
        return schema if isinstance(schema, dict) else {}


_SPEAKING = frozenset(["uniqueItems", "properties", "patternProperties", "additionalProperties"]) | {
    "prefixItems",
    "items",
    "additionalItems",
}


def _has(schema: dict[str, Json], keyword: str, name: str) -> bool:
    members = schema.get(keyword)
    return isinstance(members, dict) and name in members


Groups: TypeAlias = "tuple[frozenset[Hashable], ...]"
"""A set as groups that halve in size, so that a shared set of n values grows in time log n."""


class _Chunks(NamedTuple):
    """The bytes of a scalar so far, last first."""

    data: bytes
    before: _Chunks | None


class _Items(NamedTuple):
    """The values of a container so far, last first."""

    value: Hashable
    before: _Items | None


class _Frame(NamedTuple):
    """A container that is open."""

    above: _Frame | None
    is_array: bool
    where: Where
    unique: bool
    wanted: bool
    """Whether the value of the container itself is compared."""
    depth: int
    """How many containers around it, itself included, are compared."""
    seen: Groups
    items: _Items | None
    position: int
    key: str | None


class Reading:
    """What is known after a prefix of a text; immutable."""

    __slots__ = ("_chunks", "_escaped", "_frame", "_mode", "_schemas")

    def __init__(
        self,
        schemas: UniqueItems,
        frame: _Frame | None,
        mode: int,
        chunks: _Chunks | None,
        escaped: bool,
    ) -> None:
        self._schemas = schemas
        self._frame = frame
        self._mode = mode
        self._chunks = chunks
        self._escaped = escaped

    def read(self, data: bytes) -> Reading | None:
        """The reading after more bytes; None when an array holds an item twice that may not.

        None too when the text so far begins no JSON text, which no text of a schema's own expression does.
        """
        try:
            return self._after(data)
        except NotJsonError:
            return None

    def _after(self, data: bytes) -> Reading | None:
        frame, mode, chunks, escaped = self._frame, self._mode, self._chunks, self._escaped
        at = 0
        while at < len(data):
            if mode == _STRING:
                if escaped:
                    chunks, escaped, at = _Chunks(data[at : at + 1], chunks), False, at + 1
                    continue
                match = _QUOTE_OR_ESCAPE.search(data, at)
                end = len(data) if match is None else match.start()
                if end > at:
                    chunks = _Chunks(data[at:end], chunks)
                at = end + 1
                if match is not None and match[0] == b"\\":
                    chunks, escaped = _Chunks(b"\\", chunks), True
                elif match is not None:
                    text = _joined(chunks)
                    mode, chunks = _STRUCTURE, None
                    if frame is not None and not frame.is_array and frame.key is None:
                        frame = frame._replace(key=_string(text))
                    elif _wants(frame):
                        frame = _with(frame, _string(text))
                        if frame is None:
                            return None
            elif mode == _SCALAR:
                match = _END_OF_SCALAR.search(data, at)
                end = len(data) if match is None else match.start()
                chunks = _Chunks(data[at:end], chunks) if end > at else chunks
                at = end
                if match is not None:
                    text = _joined(chunks)
                    mode, chunks = _STRUCTURE, None
                    if _wants(frame):
                        frame = _with(frame, _scalar(text))
                        if frame is None:
                            return None
            else:
                byte = data[at : at + 1]
                at += 1
                if byte == b'"':
                    mode = _STRING
                elif byte in b"[{":
                    frame = self._opened(frame, byte == b"[")
                elif byte in b"]}":
                    if frame is None:
                        raise NotJsonError("nothing is open")
                    closed, frame = frame, frame.above
                    if _wants(frame):
                        frame = _with(frame, _value(closed))
                        if frame is None:
                            return None
                elif byte == b",":
                    if frame is None:
                        raise NotJsonError("nothing is open")
                    frame = frame._replace(position=frame.position + 1, key=None)
                elif byte not in b": \t\n\r":
                    mode, at = _SCALAR, at - 1
        return Reading(self._schemas, frame, mode, chunks, escaped)

    def _opened(self, frame: _Frame | None, is_array: bool) -> _Frame:
        schemas = self._schemas
        if frame is None:
            where = schemas.root
        elif not frame.where:
            where = ()
        elif frame.is_array:
            where = schemas.item(frame.where, frame.position)
        else:
            if frame.key is None:
                raise NotJsonError("a value without a key")
            where = schemas.member(frame.where, frame.key)
        depth = frame.depth + 1 if frame is not None and _wants(frame) else 0
        unique = is_array and schemas.unique(where)
        wanted = 0 < depth <= _DEEPEST_COMPARED
        return _Frame(frame, is_array, where, unique, wanted, depth, (), None, 0, None)


def _wants(frame: _Frame | None) -> bool:
    """Whether the values directly inside a container are compared."""
    return frame is not None and (frame.unique or frame.wanted)


def _with(frame: _Frame | None, value: Hashable) -> _Frame | None:
    """A container after one more value; None if that value stands there a second time."""
    assert frame is not None
    if frame.unique:
        if any(value in group for group in frame.seen):
            return None
        frame = frame._replace(seen=_added(frame.seen, value))
    if frame.wanted:
        frame = frame._replace(items=_Items((frame.key, value), frame.items))
    return frame


def _added(groups: Groups, value: Hashable) -> Groups:
    last = frozenset((value,))
    while groups and len(groups[-1]) <= len(last):
        groups, last = groups[:-1], groups[-1] | last
    return (*groups, last)


def _value(frame: _Frame) -> Hashable:
    """What a closed container is compared by; nothing equals one that nests too deeply."""
    if not frame.wanted:
        return object()
    values: list[tuple[str | None, Hashable]] = []
    items = frame.items
    while items is not None:
        values.append(items.value)  # type: ignore[arg-type]
        items = items.before
    if frame.is_array:
        return ("array", tuple(value for _, value in reversed(values)))
    return ("object", frozenset(values))


def _joined(chunks: _Chunks | None) -> bytes:
    parts: list[bytes] = []
    while chunks is not None:
        parts.append(chunks.data)
        chunks = chunks.before
    return b"".join(reversed(parts))


def _string(text: bytes) -> str:
    try:
        found: str = json.loads(f'"{text.decode()}"')
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise NotJsonError(str(error)) from None
    return found


def _scalar(text: bytes) -> Hashable:
    try:
        return identity(parse(text))
    except LimitError:
        return object()  # beyond what can be compared: equal to nothing
