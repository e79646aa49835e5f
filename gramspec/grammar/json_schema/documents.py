"""Schema documents: sub-schemas by place, references between them, and the draft of each.

Law: a place is a document, a JSON pointer in it, and as much of the dynamic scope as its references can see;
equal places have equal meaning. Nothing is fetched: references lead into the document, the given registry
or the metaschemas of JSON Schema.
Source: JSON Schema Core 2020-12, sections 8 and 9; 2019-09, section 8.2.4; drafts 4 to 7; RFC 6901.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from gramspec.errors import GrammarError
from gramspec.grammar.json_schema.dialects import Dialect, dialect_of
from gramspec.grammar.json_schema.drafts import Draft, draft_of
from gramspec.grammar.json_schema.registries import draft_number, metaschema, whole_documents
from gramspec.grammar.json_schema.resources import RECURSIVE, Index, Region, Resource
from gramspec.grammar.json_schema.scopes import Edge, Scopes
from gramspec.grammar.json_schema.sources import Json, escape, plain
from gramspec.grammar.json_schema.surveying import survey
from gramspec.grammar.json_schema.uris import decode, defragment, join, tokens, unescape

_POSITION = re.compile(r"0|[1-9][0-9]{0,8}")
_ANCHORS = {2019: re.compile(r"[A-Za-z][-A-Za-z0-9.:_]*"), 2020: re.compile(r"[A-Za-z_][-A-Za-z0-9._]*")}
_SURROGATE = re.compile("[\ud800-\udfff]")
_TEXTS = ("enum", "const", "required", "pattern", "format", "dependentRequired", "dependencies")
_NAMES = ("properties", "patternProperties", "dependentSchemas")
_SHOWN = 8  # how many names an error lists


class Place(NamedTuple):
    """Where a schema is: a document ("" is the user's), a pointer in it, the dynamic scope it can see."""

    resource: str
    pointer: str
    scope: tuple[str, ...] = ()


class Documents:
    """A schema with every document that its references lead to.

    Parameters
    ----------
    root : Json
        The user's schema, as `sources.load` gives it.
    draft : int, str or None
        The draft to read the user's document by; None: by ``$schema``.
    registry : referencing.Registry or None
        Other documents. Its `retrieve` is never called.

    Raises
    ------
    GrammarError
        If ``$schema`` is malformed.
    UnsupportedError
        If the dialect is unknown.
    OptionError
        If the draft or the registry is not one.
    """

    def __init__(self, root: Json, draft: int | str | None = None, registry: object = None) -> None:
        self._registered = registry is not None
        self._others = {} if registry is None else whole_documents(registry)
        self._asked = draft is not None
        self._values: dict[tuple[str, str], Json] = {("", ""): root}
        self._schemas: dict[tuple[str, str], bool | dict[str, Json]] = {}
        self._targets: dict[tuple[str, str, str], tuple[str, str, str | None]] = {}
        self._nearest: dict[tuple[str, str], Region] = {}
        self._complete = False  # whether all documents are indexed
        self._surrogates: set[str] = set()
        self._dialects: dict[str, Dialect] = {}
        self._failures: dict[str, GrammarError] = {}
        self._read: set[str] = set()  # documents of the registry
        self._index = Index(self._dialect)
        if self._asked or not isinstance(root, dict) or "$schema" not in root:
            self._default = Dialect(draft_of(root, draft))
        else:
            self._default = self._dialect(root["$schema"], "", "/$schema")
        # Schemas that may wait, by identity; none where scopes, names or dialects may make a difference.
        self._waiting: set[int] = set()
        self._add("", "", root, self._default)
        if not self._local:
            self._follow()
        self._complete = True
        self._scopes = Scopes(self._index.resources, () if self._local else self._edges())
        self.root = self._place("", "", ())

    def value(self, place: Place) -> Json:
        """The JSON value at a place."""
        return self._value(place.resource, place.pointer)

    def schema(self, place: Place) -> bool | dict[str, Json]:
        """The schema at a place.

        Where siblings of ``$ref`` do not count (drafts 4 to 7) it is ``{"$ref": …}`` alone; keywords
        that the vocabularies of the dialect leave out are not in it.

        Raises
        ------
        GrammarError
            If there is no schema, or one that is malformed in its identifiers or holds text that is
            not Unicode.
        UnsupportedError
            If its dialect is unknown.
        """
        key = place.resource, place.pointer
        if key not in self._schemas:
            self._schemas[key] = self._checked(place)
        return self._schemas[key]

    def may_wait(self, place: Place) -> bool:
        """Whether the schema at a place need not be read before a text reaches it.

        Nothing in or below it can be refused or left to a residual predicate, surely some value satisfies it,
        and it does not depend on what is around it.
        """
        return bool(self._waiting) and id(self.value(place)) in self._waiting

    def waits(self, schema: Json) -> bool:
        """The same of a part of the user's document, told by its identity."""
        return id(schema) in self._waiting

    def child(self, place: Place, *names: str | int) -> Place:
        """The place below a place, by keywords, names and positions (unescaped)."""
        document, pointer, scope = place
        for name in names:
            pointer = f"{pointer}/{escape(str(name))}"
            region = self._index.regions.get((document, pointer))
            if region is not None:
                scope = self._scopes.enter(scope, region.resource)
        return Place(document, pointer, scope)

    def targets(self, place: Place, keyword: str) -> Place:
        """The place that a reference of the schema at a place leads to.

        Parameters
        ----------
        place : Place
            The schema that holds the reference.
        keyword : str
            ``$ref``, ``$dynamicRef`` or ``$recursiveRef``.

        Raises
        ------
        GrammarError
            If it leads nowhere; the message says what was searched.
        """
        key = place.resource, place.pointer, keyword
        if key not in self._targets:
            document, pointer = self._initial(*key, advise=True)
            self._targets[key] = document, pointer, self._moving(*key, document, pointer)
        document, pointer, name = self._targets[key]
        if name is not None:
            bound = self._scopes.bound(place.scope, name)
            if bound is not None:
                document, pointer = bound.document, bound.dynamic[name]
        return self._place(document, pointer, place.scope)

    def draft(self, place: Place) -> Draft:
        """The draft by which the schema at a place is read."""
        return self.dialect(place).draft

    def dialect(self, place: Place) -> Dialect:
        """The dialect of the schema at a place: its draft, and what that dialect ignores."""
        return self._region(place.resource, place.pointer).dialect

    @property
    def contents(self) -> Mapping[str, Json]:
        """Every document that was read, by URI; "" is the user's."""
        return {document: value for (document, pointer), value in self._values.items() if not pointer}

    @property
    def dialects(self) -> Mapping[str, Dialect]:
        """The meaning of every ``$schema`` that was read, but of those that `asked` overrules."""
        return self._dialects

    @property
    def registered(self) -> Mapping[str, tuple[Json, int | None]]:
        """What was read in the registry, by URI, each with the draft that the registry gives it."""
        read = ((uri, self._others[uri]) for uri in sorted(self._read))
        return {uri: (plain(other.contents), draft_number(other)) for uri, other in read}

    @property
    def asked(self) -> bool:
        """Whether the caller chose the draft of the user's document."""
        return self._asked

    def pointer(self, place: Place) -> str:
        """A place as errors name it: the pointer, after the URI of a document that is not the user's."""
        return self._name(place.resource, place.pointer)

    # Reading ---------------------------------------------------------------------------------

    def _checked(self, place: Place) -> bool | dict[str, Json]:
        value, where = self.value(place), self.pointer(place)
        if isinstance(value, bool):
            return value
        if not isinstance(value, dict):
            raise GrammarError(where, "a schema must be an object or a boolean")
        region = self._region(place.resource, place.pointer)
        if region.error is not None:
            raise region.error
        dialect = region.dialect
        if dialect.draft.number <= 7 and "$ref" in value:
            return {"$ref": value["$ref"]}
        _check_core(value, dialect.draft.number, where)
        if place.resource in self._surrogates:
            for keyword in _TEXTS:
                _refuse_surrogates(value.get(keyword), f"{where}/{keyword}")
            for keyword in _NAMES:
                names = value.get(keyword)
                _refuse_surrogates(list(names) if isinstance(names, dict) else None, f"{where}/{keyword}")
        if dialect.ignored.isdisjoint(value):
            return value
        return {keyword: item for keyword, item in value.items() if keyword not in dialect.ignored}

    def _value(self, document: str, pointer: str) -> Json:
        path: list[str] = []
        above = pointer
        while (document, above) not in self._values:
            above, _, token = above.rpartition("/")
            path.append(token)
        value = self._values[document, above]
        for token in reversed(path):
            above = f"{above}/{token}"
            item = _item(value, unescape(token))
            if item is None:
                raise GrammarError(self._name(document, above), "there is nothing at this place")
            value = self._values[document, above] = item[0]
        return value

    def _region(self, document: str, pointer: str) -> Region:
        key = document, pointer
        region = self._nearest.get(key)
        if region is None:
            while (region := self._index.regions.get((document, pointer))) is None:
                pointer = pointer.rpartition("/")[0]
            if self._complete:
                self._nearest[key] = region
        return region

    def _place(self, document: str, pointer: str, scope: tuple[str, ...]) -> Place:
        resource = self._region(document, pointer).resource
        return Place(document, pointer, self._scopes.enter(scope, resource))

    def _name(self, document: str, pointer: str) -> str:
        return f"{document}#{pointer}" if document else pointer

    # References ------------------------------------------------------------------------------

    def _initial(self, document: str, pointer: str, keyword: str, *, advise: bool = False) -> tuple[str, str]:
        """Where a reference leads by its URI alone; errors propose a similar name if `advise`."""
        where = f"{self._name(document, pointer)}/{keyword}"
        holder = self._value(document, pointer)
        reference = holder.get(keyword) if isinstance(holder, dict) else None
        if not isinstance(reference, str):
            raise GrammarError(where, "must be a string")
        if keyword == "$recursiveRef" and reference != "#":
            raise GrammarError(where, f"must be '#', not {reference!r}")
        resource = self._region(document, pointer).resource
        uri, fragment = defragment(reference)
        if uri:
            resource = self._resource(join(resource.uri, uri), where, reference)
        try:
            fragment = decode(fragment)
        except ValueError as error:
            raise GrammarError(where, f"{reference!r} is not percent-encoded UTF-8") from error
        if not fragment:
            return resource.document, resource.pointer
        if fragment.startswith("/"):
            return resource.document, self._descend(resource, fragment, where, reference, advise)
        return resource.document, self._anchor(resource, fragment, where, reference)

    def _moving(self, document: str, pointer: str, keyword: str, target: str, at: str) -> str | None:
        """The name by which the dynamic scope decides where a reference leads; None if it does not."""
        if keyword == "$ref":
            return None
        resource = self._region(target, at).resource
        name = RECURSIVE
        if keyword == "$dynamicRef":
            holder = self._value(document, pointer)
            assert isinstance(holder, dict)
            name = decode(defragment(str(holder[keyword]))[1])
        return name if resource.dynamic.get(name) == at else None

    def _resource(self, uri: str, where: str, reference: str) -> Resource:
        found = self._find(uri)
        if found is None:
            for other in self._others:  # one of them may hold it as an embedded resource
                self._find(other)
            found = self._find(uri)
        if found is None:
            failure = self._failures.get(uri)
            if failure is not None:
                raise GrammarError(where, f"{reference!r} leads to a document that is unreadable: {failure}")
            searched = "the identifiers of this schema, the metaschemas of JSON Schema"
            hint = "pass registry=, a referencing.Registry that holds that document; nothing is fetched"
            if self._registered:
                searched = f"{searched}, the registry ({len(self._others)} documents)"
                hint = f"add {uri!r} to the registry; its `retrieve` is not called and nothing is fetched"
            raise GrammarError(where, f"{reference!r} leads to no known document; searched: {searched}", hint)
        if len(found) > 1:
            names = [self._name(one.document, one.pointer) or "the whole schema" for one in found]
            places = ", ".join(names[:_SHOWN])
            raise GrammarError(where, f"{reference!r} is ambiguous: {uri!r} is the identifier of {places}")
        return found[0]

    def _descend(self, resource: Resource, fragment: str, where: str, reference: str, advise: bool) -> str:
        try:
            names = tokens(fragment)
        except ValueError as error:
            raise GrammarError(where, f"{reference!r} is not a JSON pointer: {error}") from error
        pointer = resource.pointer
        value = self._value(resource.document, pointer)
        for name in names:
            item = _item(value, name)
            if item is None:
                inside = self._name(resource.document, pointer) or "the whole schema"
                close = (
                    difflib.get_close_matches(name, value, 1) if advise and isinstance(value, dict) else []
                )
                hint = f"did you mean {close[0]!r}?" if close else ""
                raise GrammarError(
                    where, f"{reference!r} points to nothing: there is no {name!r} in {inside}", hint
                )
            pointer = f"{pointer}/{escape(name)}"
            value = self._values[resource.document, pointer] = item[0]
        return pointer

    def _anchor(self, resource: Resource, name: str, where: str, reference: str) -> str:
        places = resource.anchors.get(name, [])
        if not places:
            inside = resource.uri or "this schema"
            known = ", ".join(sorted(resource.anchors)[:_SHOWN]) or "none"
            raise GrammarError(
                where,
                f"{reference!r} points to nothing: {inside} has no anchor {name!r} (it has: {known})",
                "a reference by JSON pointer begins with #/, as in #/$defs/name",
            )
        if len(places) > 1:
            raise GrammarError(
                where, f"{reference!r} is ambiguous: the anchor is at {', '.join(places[:_SHOWN])}"
            )
        return places[0]

    # Documents -------------------------------------------------------------------------------

    def _add(self, document: str, uri: str, root: Json, dialect: Dialect) -> None:
        """Index a new document."""
        self._values[document, ""] = root
        local, surrogates, waiting = survey(root, dialect)
        if surrogates:
            self._surrogates.add(document)
        resource = Resource(document, "", uri)
        region = Region(resource, dialect)
        self._index.regions[document, ""] = region
        self._index.add(resource)
        # A document that leads nowhere else and names none of its parts is one resource, whatever is in it.
        self._local = local and not document
        self._index.scan(document, "", root, region, deep=not self._local)
        if self._local and not dialect.ignored:
            self._waiting = waiting

    def _find(self, uri: str) -> list[Resource] | None:
        """The resources of a URI; its document is read if need be."""
        index = self._index.by_uri
        if uri not in index and uri not in self._failures:
            try:
                found = self._outside(uri)
                if found is not None:
                    contents, number = found
                    named = self._default if number is None else Dialect(Draft(number, True))
                    self._add(uri, uri, contents, named)
            except GrammarError as error:
                self._failures[uri] = error
        return index.get(uri)

    def _outside(self, uri: str) -> tuple[Json, int | None] | None:
        """A document that is not the user's, and the draft that the registry gives it."""
        if uri in self._others:
            self._read.add(uri)
            other = self._others[uri]
            return plain(other.contents), draft_number(other)
        contents = metaschema(uri)
        return None if contents is None else (plain(contents), None)

    def _dialect(self, uri: Json, document: str, pointer: str) -> Dialect:
        if document == "" and self._asked:
            return self._default
        dialect = dialect_of(uri, self._name(document, pointer), self._contents)
        self._dialects[str(uri)] = dialect
        return dialect

    def _contents(self, uri: str) -> Json:
        """The document of a metaschema's URI, without indexing it."""
        known = self._index.by_uri.get(uri)
        if known is not None:
            return self._value(known[0].document, known[0].pointer)
        found = self._outside(uri)
        return None if found is None else found[0]

    def _follow(self) -> None:
        """Read every document that references lead to, and the schemas in places that only they show."""
        references = self._index.references
        done = 0
        while done < len(references):
            document, pointer, keyword = references[done]
            done += 1
            try:
                target, at = self._initial(document, pointer, keyword)
            except GrammarError:
                continue  # raised again if that schema is ever used
            value = self._value(target, at)
            if isinstance(value, dict) and not self._index.is_scanned(value):
                self._index.scan(target, at, value, self._region(target, at), known=False)

    def _edges(self) -> Iterator[Edge]:
        """Every way from one resource into another, with the name that moves it, if one does."""
        for document, pointer in self._index.regions:
            if pointer:
                above = self._region(document, pointer.rpartition("/")[0]).resource
                yield Edge(above, self._region(document, pointer).resource, None)
        for document, pointer, keyword in self._index.references:
            source = self._region(document, pointer).resource
            try:
                target, at = self._initial(document, pointer, keyword)
            except GrammarError:
                continue
            name = self._moving(document, pointer, keyword, target, at)
            yield Edge(source, self._region(target, at).resource, name)


def _item(value: Json, name: str) -> tuple[Json] | None:
    """The member or item of a value, None if there is none."""
    if isinstance(value, dict):
        return (value[name],) if name in value else None
    if isinstance(value, list) and _POSITION.fullmatch(name) and int(name) < len(value):
        return (value[int(name)],)
    return None


def _check_core(schema: dict[str, Json], number: int, where: str) -> None:
    """Refuse identifiers, anchors and definitions of the wrong kind."""
    # A draft 4 schema whose `id` is no text has no identifier: it is a property without `properties`.
    if number > 4 and not isinstance(schema.get("$id", ""), str):
        raise GrammarError(f"{where}/$id", "must be a string")
    for keyword in ("$defs", "definitions") if number >= 2019 else ("definitions",):
        named = schema.get(keyword, {})
        if not isinstance(named, dict):
            raise GrammarError(f"{where}/{keyword}", "must be an object")
        for name, item in named.items():
            if not isinstance(item, bool | dict):
                place = f"{where}/{keyword}/{escape(name)}"
                raise GrammarError(place, "a schema must be an object or a boolean")
    for keyword, first in (("$anchor", 2019), ("$dynamicAnchor", 2020)):
        if keyword in schema and number >= first:
            anchor = schema[keyword]
            if not isinstance(anchor, str) or not _ANCHORS[number].fullmatch(anchor):
                raise GrammarError(f"{where}/{keyword}", f"{anchor!r} is not the name of an anchor")


def _has_surrogates(root: Json) -> bool:
    agenda = [root]
    while agenda:
        value = agenda.pop()
        if isinstance(value, str):
            if _SURROGATE.search(value):
                return True
        elif isinstance(value, list):
            agenda.extend(value)
        elif isinstance(value, dict):
            agenda.extend(value)
            agenda.extend(value.values())
    return False


def _refuse_surrogates(value: Json, where: str) -> None:
    if _has_surrogates(value):
        place = where.encode("utf-8", "backslashreplace").decode()
        raise GrammarError(
            place, "a surrogate that is not part of a pair is no character", "write a pair, \\uD83D\\uDE00"
        )
