"""Documents that are not the user's: those of a registry, and the metaschemas of JSON Schema.

Law: a document is there or it is not; nothing is retrieved.
Source: the libraries `referencing` and `jsonschema_specifications`, imported when first needed.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from gramspec.errors import OptionError, UnsupportedError

if TYPE_CHECKING:
    from referencing import Resource

_SPECIFICATIONS = {4: "DRAFT4", 6: "DRAFT6", 7: "DRAFT7", 2019: "DRAFT201909", 2020: "DRAFT202012"}


def whole_documents(registry: object) -> dict[str, Resource[object]]:
    """The documents of a registry by URI, without those that are a part of another one.

    A registry that was crawled lists embedded resources too. Where they are embedded decides what
    their relative identifiers mean, so they are indexed there.
    """
    from referencing import Registry

    if not isinstance(registry, Registry):
        raise OptionError(f"registry: a referencing.Registry is needed, not a {type(registry).__name__}")
    found: dict[str, Resource[object]] = {uri: registry[uri] for uri in registry}
    inner: set[int] = set()
    agenda: list[object] = [resource.contents for resource in found.values()]
    seen = {id(contents) for contents in agenda}
    while agenda:
        value = agenda.pop()
        below = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
        for item in below:
            if isinstance(item, Mapping | list):
                inner.add(id(item))
                if id(item) not in seen:
                    seen.add(id(item))
                    agenda.append(item)
    return {uri: resource for uri, resource in found.items() if id(resource.contents) not in inner}


def draft_number(resource: Resource[object]) -> int | None:
    """The draft that a registry gives a document, None if it gives none of those known here."""
    from referencing import jsonschema

    for number, name in _SPECIFICATIONS.items():
        if getattr(jsonschema, name).create_resource(resource.contents) == resource:
            return number
    return None


def registry_of(documents: Mapping[str, tuple[object, int | None]]) -> object:
    """A registry of documents with the draft of each, None if there are none.

    Raises
    ------
    OptionError
        If a draft is not known.
    """
    if not documents:
        return None
    from referencing import Registry, Specification, jsonschema

    resources: list[tuple[str, Resource[object]]] = []
    for uri, (contents, number) in documents.items():
        if number is None:
            resources.append((uri, Specification.OPAQUE.create_resource(contents)))
        elif number in _SPECIFICATIONS:
            resources.append((uri, getattr(jsonschema, _SPECIFICATIONS[number]).create_resource(contents)))
        else:
            raise OptionError(f"registry: draft {number} of {uri!r} is not known")
    return Registry[object]().with_resources(resources)


def metaschema(uri: str) -> object:
    """A metaschema of JSON Schema itself, None if the URI is of no such."""
    if "json-schema.org/" not in uri:
        return None
    try:
        registry = importlib.import_module("jsonschema_specifications").REGISTRY
    except ImportError as error:
        raise UnsupportedError(
            "", f"the metaschema {uri!r} comes with the package jsonschema", "pip install jsonschema"
        ) from error
    return registry[uri].contents if uri in registry else None
