"""A schema document: sub-schemas by JSON pointer, references, and typed reading of keywords.

Law: every malformed keyword is a `GrammarError` with the pointer of the keyword.
Source: RFC 6901 (pointers), JSON Schema Core sections 8 and 9 (references).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from urllib.parse import unquote, urldefrag, urljoin

from gramspec.errors import GrammarError, UnsupportedError
from gramspec.grammar.json_schema.drafts import ALL_TYPES, NUMBER, Draft
from gramspec.grammar.json_schema.sources import Json, escape

Schema = bool | dict[str, Json]

_DATA_KEYWORDS = frozenset(["enum", "const", "default", "examples"])
_TYPES = {
    **{name: frozenset([name]) for name in ALL_TYPES if name != "fraction"},
    "number": NUMBER,
}
_BAD_TILDE = re.compile(r"~(?![01])")


class Document:
    """One schema document with its draft.

    Parameters
    ----------
    root : Json
        The whole document, as `sources.load` gives it.
    draft : Draft
        How to read it.
    """

    def __init__(self, root: Json, draft: Draft) -> None:
        self.draft = draft
        self._values: dict[str, Json] = {"": root}
        self._bases: dict[str, str] = {"": ""}
        self._resources: dict[str, str] = {"": ""}
        self._find_resources(root)

    def schema(self, pointer: str) -> Schema:
        """The sub-schema at a pointer."""
        value = self._value(pointer)
        if not isinstance(value, bool | dict):
            raise GrammarError(pointer, "a schema must be an object or a boolean")
        if isinstance(value, dict) and self.draft.number <= 7 and "$ref" in value:
            return {"$ref": value["$ref"]}
        return value

    def resolve(self, pointer: str, reference: Json) -> str:
        """The pointer that the ``$ref`` of the schema at `pointer` leads to."""
        place = f"{pointer}/$ref"
        if not isinstance(reference, str):
            raise GrammarError(place, "must be a string")
        uri, fragment = urldefrag(urljoin(self._base_uri(pointer), reference))
        if reference.startswith("#"):
            uri, fragment = self._base_uri(pointer), reference[1:]
        resource = self._resources.get(uri)
        if resource is None:
            raise UnsupportedError(
                place, f"`$ref` to another document, {reference!r}", "copy that schema into `$defs`"
            )
        fragment = unquote(fragment)
        if fragment and not fragment.startswith("/"):
            raise UnsupportedError(
                place, f"`$ref` to an anchor, {reference!r}", "use a JSON pointer: #/$defs/…"
            )
        target = resource
        for token in fragment.split("/")[1:]:
            if _BAD_TILDE.search(token):
                raise GrammarError(place, f"{reference!r} is not a JSON pointer")
            target = f"{target}/{escape(token.replace('~1', '/').replace('~0', '~'))}"
            if not self._exists(target):
                raise GrammarError(place, f"{reference!r} points to nothing")
        return target

    def types(self, pointer: str, schema: dict[str, Json]) -> frozenset[str]:
        """The value types that ``type`` allows."""
        given = schema.get("type")
        if "type" not in schema:
            return ALL_TYPES
        names = given if isinstance(given, list) else [given]
        result: frozenset[str] = frozenset()
        for name in names:
            if not isinstance(name, str) or name not in _TYPES:
                raise GrammarError(f"{pointer}/type", f"{name!r} is not the name of a type")
            result |= _TYPES[name]
        return result

    def natural(self, pointer: str, schema: dict[str, Json], keyword: str) -> int | None:
        """A keyword whose value is a non-negative integer."""
        if keyword not in schema:
            return None
        value = schema[keyword]
        if isinstance(value, Decimal) and value == value.to_integral_value():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise GrammarError(f"{pointer}/{keyword}", "must be a non-negative integer")
        return value

    def number(self, pointer: str, schema: dict[str, Json], keyword: str) -> Decimal | None:
        """A keyword whose value is a number."""
        if keyword not in schema:
            return None
        value = schema[keyword]
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            raise GrammarError(f"{pointer}/{keyword}", "must be a number")
        return Decimal(value)

    def boolean(self, pointer: str, schema: dict[str, Json], keyword: str) -> bool:
        """A keyword whose value is a boolean, false when absent."""
        value = schema.get(keyword, False)
        if not isinstance(value, bool):
            raise GrammarError(f"{pointer}/{keyword}", "must be a boolean")
        return value

    def names(self, pointer: str, schema: dict[str, Json], keyword: str) -> list[str]:
        """A keyword whose value is a list of strings."""
        result: list[str] = []
        for value in self.items(pointer, schema, keyword):
            if not isinstance(value, str):
                raise GrammarError(f"{pointer}/{keyword}", "must be a list of strings")
            result.append(value)
        return list(dict.fromkeys(result))

    def items(self, pointer: str, schema: dict[str, Json], keyword: str) -> list[Json]:
        """A keyword whose value is a list."""
        value = schema.get(keyword, [])
        if not isinstance(value, list):
            raise GrammarError(f"{pointer}/{keyword}", "must be a list")
        return value

    def mapping(self, pointer: str, schema: dict[str, Json], keyword: str) -> dict[str, Json]:
        """A keyword whose value is an object."""
        value = schema.get(keyword, {})
        if not isinstance(value, dict):
            raise GrammarError(f"{pointer}/{keyword}", "must be an object")
        return value

    def branches(self, pointer: str, schema: dict[str, Json], keyword: str) -> list[str]:
        """Pointers of the schemas of ``allOf``, ``anyOf`` or ``oneOf``."""
        value = self.items(pointer, schema, keyword)
        if not value:
            raise GrammarError(f"{pointer}/{keyword}", "must not be empty")
        return [f"{pointer}/{keyword}/{index}" for index in range(len(value))]

    def bounds(self, pointer: str, schema: dict[str, Json]) -> Iterator[tuple[str, Decimal, bool]]:
        """The numeric bounds: keyword ``minimum`` or ``maximum``, value, whether strict."""
        for keyword, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
            value = self.number(pointer, schema, keyword)
            if self.draft.number == 4:
                strict = self.boolean(pointer, schema, exclusive)
                if value is not None:
                    yield keyword, value, strict
                continue
            if value is not None:
                yield keyword, value, False
            value = self.number(pointer, schema, exclusive)
            if value is not None:
                yield keyword, value, True

    def properties(self, pointer: str, schema: dict[str, Json]) -> dict[str | None, str]:
        """Pointers of the schemas of declared properties; under None that of all other properties."""
        result: dict[str | None, str] = {}
        for name in self.mapping(pointer, schema, "properties"):
            result[name] = f"{pointer}/properties/{escape(name)}"
        if "additionalProperties" in schema:
            result[None] = f"{pointer}/additionalProperties"
        return result

    def tuple_items(self, pointer: str, schema: dict[str, Json]) -> tuple[list[str], str | None]:
        """Pointers of the schemas by position, and of the schema of all later items."""
        rest = f"{pointer}/items" if "items" in schema else None
        if self.draft.number >= 2020:
            if isinstance(schema.get("items"), list):
                raise UnsupportedError(
                    f"{pointer}/items", "`items` as a list is not part of draft 2020-12", "use `prefixItems`"
                )
            count = len(self.items(pointer, schema, "prefixItems"))
            return [f"{pointer}/prefixItems/{index}" for index in range(count)], rest
        given = schema.get("items")
        if not isinstance(given, list):
            return [], rest
        later = f"{pointer}/additionalItems" if "additionalItems" in schema else None
        return [f"{pointer}/items/{index}" for index in range(len(given))], later

    def _value(self, pointer: str) -> Json:
        if pointer not in self._values:
            parent, _, token = pointer.rpartition("/")
            container = self._value(parent)
            if isinstance(container, dict):
                self._values[pointer] = container[token.replace("~1", "/").replace("~0", "~")]
            else:
                assert isinstance(container, list)
                self._values[pointer] = container[int(token)]
        return self._values[pointer]

    def _exists(self, pointer: str) -> bool:
        parent, _, token = pointer.rpartition("/")
        container = self._value(parent)
        if isinstance(container, dict):
            return token.replace("~1", "/").replace("~0", "~") in container
        if isinstance(container, list):
            return re.fullmatch(r"0|[1-9][0-9]{0,8}", token) is not None and int(token) < len(container)
        return False

    def _base_uri(self, pointer: str) -> str:
        while pointer not in self._bases:
            pointer = pointer.rpartition("/")[0]
        return self._bases[pointer]

    def _find_resources(self, root: Json) -> None:
        """Note every schema that sets its own base URI."""
        agenda: list[tuple[str, Json]] = [("", root)]
        keyword = self.draft.id_keyword
        while agenda:
            pointer, value = agenda.pop()
            if isinstance(value, list):
                agenda.extend((f"{pointer}/{index}", item) for index, item in enumerate(value))
            if not isinstance(value, dict):
                continue
            name = value.get(keyword)
            hidden = self.draft.number <= 7 and "$ref" in value
            if isinstance(name, str) and not name.startswith("#") and not hidden:
                uri = urldefrag(urljoin(self._base_uri(pointer), name))[0]
                self._bases[pointer] = uri
                self._resources.setdefault(uri, pointer)
            for key, item in reversed(value.items()):
                if key not in _DATA_KEYWORDS and isinstance(item, dict | list):
                    agenda.append((f"{pointer}/{escape(key)}", item))
