"""What the tests of documents share: a validator of few keywords that finds every sub-schema through them."""

from __future__ import annotations

from typing import Any

import referencing
import referencing.jsonschema

from gramspec.grammar.json_schema.documents import Documents, Place
from gramspec.grammar.json_schema.sources import load

URIS = {
    4: "http://json-schema.org/draft-04/schema#",
    6: "http://json-schema.org/draft-06/schema#",
    7: "http://json-schema.org/draft-07/schema#",
    2019: "https://json-schema.org/draft/2019-09/schema",
    2020: "https://json-schema.org/draft/2020-12/schema",
}


def documents(schema: Any, draft: int | None = None, registry: Any = None) -> Documents:
    return Documents(load(schema), None if draft is None else URIS.get(draft, draft), registry)


def registry_of(contents: dict[str, Any], draft: int = 2020) -> Any:
    specification = {
        7: referencing.jsonschema.DRAFT7,
        2019: referencing.jsonschema.DRAFT201909,
        2020: referencing.jsonschema.DRAFT202012,
    }[draft]
    return referencing.Registry().with_resources(
        (uri, referencing.Resource.from_contents(schema, default_specification=specification))
        for uri, schema in contents.items()
    )


_TYPES = {"string": str, "object": dict, "array": list, "boolean": bool, "null": type(None)}
_DEEPEST = 60


class TooDeepError(Exception):
    """The references go in a circle."""


def valid(documents: Documents, value: Any, place: Place | None = None, depth: int = 0) -> bool:
    """Whether a value satisfies the schema at a place."""
    place = documents.root if place is None else place
    if depth > _DEEPEST:
        raise TooDeepError
    schema = documents.schema(place)
    if isinstance(schema, bool):
        return schema

    def holds(item: Any, *path: str | int) -> bool:
        return valid(documents, item, documents.child(place, *path), depth + 1)

    for keyword, given in schema.items():
        if not _holds(documents, place, keyword, given, value, schema, holds, depth):
            return False
    return True


def _holds(
    documents: Documents,
    place: Place,
    keyword: str,
    given: Any,
    value: Any,
    schema: Any,
    holds: Any,
    depth: int,
) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    match keyword:
        case "type":
            return any(_is(value, name) for name in ([given] if isinstance(given, str) else given))
        case "const":
            return type(value) is type(given) and bool(value == given)
        case "enum":
            return any(type(value) is type(item) and value == item for item in given)
        case "minimum":
            return not number or value >= given
        case "maximum":
            return not number or value <= given
        case "minLength":
            return not isinstance(value, str) or len(value) >= given
        case "maxLength":
            return not isinstance(value, str) or len(value) <= given
        case "required":
            return not isinstance(value, dict) or all(name in value for name in given)
        case "properties" if isinstance(value, dict):
            return all(holds(value[name], keyword, name) for name in given if name in value)
        case "additionalProperties" if isinstance(value, dict):
            others = [name for name in value if name not in schema.get("properties", {})]
            return all(holds(value[name], keyword) for name in others)
        case "prefixItems" if isinstance(value, list) and documents.draft(place).number >= 2020:
            return all(holds(item, keyword, index) for index, item in enumerate(value[: len(given)]))
        case "items" if isinstance(value, list):
            if isinstance(given, list):
                return all(holds(item, keyword, index) for index, item in enumerate(value[: len(given)]))
            first = len(schema.get("prefixItems", [])) if documents.draft(place).number >= 2020 else 0
            return all(holds(item, keyword) for item in value[first:])
        case "allOf":
            return all(holds(value, keyword, index) for index in range(len(given)))
        case "anyOf":
            return any(holds(value, keyword, index) for index in range(len(given)))
        case "oneOf":
            return sum(holds(value, keyword, index) for index in range(len(given))) == 1
        case "not":
            return not holds(value, keyword)
        case "if":
            branch = "then" if holds(value, keyword) else "else"
            return branch not in schema or holds(value, branch)
        case "$ref" | "$dynamicRef" | "$recursiveRef":
            if not documents.draft(place).knows(*_REFERENCES[keyword]):
                return True
            return valid(documents, value, documents.targets(place, keyword), depth + 1)
    return True


_REFERENCES = {"$ref": (4, 2020), "$dynamicRef": (2020, 2020), "$recursiveRef": (2019, 2019)}


def _is(value: Any, name: str) -> bool:
    if isinstance(value, bool):
        return name == "boolean"
    if isinstance(value, int | float):
        return name == "number" or (name == "integer" and value == int(value))
    return name in _TYPES and isinstance(value, _TYPES[name])
