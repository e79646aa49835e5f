"""Dialects: the draft behind a ``$schema``, and the keywords that its vocabularies leave out.

Law: a metaschema's vocabularies decide which keywords count; an unknown required one is refused by name.
Source: JSON Schema Core 2019-09 and 2020-12, section 8.1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gramspec.errors import GrammarError, UnsupportedError
from gramspec.grammar.json_schema.drafts import Draft, draft_of
from gramspec.grammar.json_schema.sources import Json

_APPLICATORS = frozenset(
    ["items", "contains", "propertyNames", "if", "then", "else", "allOf", "anyOf", "oneOf", "not"]
).union(["additionalProperties", "properties", "patternProperties", "dependentSchemas"])
_UNEVALUATED = frozenset(["unevaluatedItems", "unevaluatedProperties"])
_ASSERTIONS = frozenset(["type", "const", "enum", "multipleOf", "uniqueItems", "required"]).union(
    ["maximum", "exclusiveMaximum", "minimum", "exclusiveMinimum", "maxLength", "minLength", "pattern"],
    ["maxItems", "minItems", "maxContains", "minContains", "maxProperties", "minProperties"],
    ["dependentRequired"],
)
_FORMAT = frozenset(["format"])
_NONE: frozenset[str] = frozenset()
# By draft: the vocabularies and the keywords in each that may decide whether a value is valid.
_VOCABULARIES: dict[int, dict[str, frozenset[str]]] = {
    2019: {
        "core": _NONE,
        "applicator": _APPLICATORS | _UNEVALUATED | {"additionalItems"},
        "validation": _ASSERTIONS,
        "meta-data": _NONE,
        "format": _FORMAT,
        "content": _NONE,
    },
    2020: {
        "core": _NONE,
        "applicator": _APPLICATORS | {"prefixItems"},
        "unevaluated": _UNEVALUATED,
        "validation": _ASSERTIONS,
        "meta-data": _NONE,
        "format-annotation": _FORMAT,
        "format-assertion": _FORMAT,
        "content": _NONE,
    },
}
_PREFIX = {
    2019: "https://json-schema.org/draft/2019-09/vocab/",
    2020: "https://json-schema.org/draft/2020-12/vocab/",
}


@dataclass(frozen=True, slots=True)
class Dialect:
    """A draft, and the keywords of it that are plain annotations here."""

    draft: Draft
    ignored: frozenset[str] = _NONE


def dialect_of(uri: Json, place: str, metaschema: Callable[[str], Json]) -> Dialect:
    """The dialect that a ``$schema`` names.

    Parameters
    ----------
    uri : Json
        The value of ``$schema``.
    place : str
        The pointer of that keyword, for errors.
    metaschema : Callable
        The document of a URI, None if there is none.

    Raises
    ------
    GrammarError
        If the value is not a string.
    UnsupportedError
        If the dialect is unknown, or needs an unknown vocabulary.
    """
    if not isinstance(uri, str):
        raise GrammarError(place, "must be a string")
    seen: list[str] = []
    vocabulary: Json = None
    while True:
        try:
            draft = draft_of({"$schema": uri}, None)
            break
        except UnsupportedError:
            pass
        bare = uri.removesuffix("#")
        document = None if bare in seen else metaschema(bare)
        if not isinstance(document, Mapping) or not isinstance(document.get("$schema"), str):
            raise UnsupportedError(
                place,
                f"the dialect {uri!r} is not known",
                "pass draft= to choose one, or a registry= that holds its metaschema",
            )
        if not seen:
            vocabulary = document.get("$vocabulary")
        seen.append(bare)
        uri = document["$schema"]
        assert isinstance(uri, str)
    return Dialect(draft, _ignored(draft, vocabulary, seen, place))


def _ignored(draft: Draft, vocabulary: Json, seen: list[str], place: str) -> frozenset[str]:
    known = _VOCABULARIES.get(draft.number)
    if known is None or vocabulary is None:
        return _NONE
    if not isinstance(vocabulary, dict):
        raise GrammarError(place, f"$vocabulary of {seen[0]} must be an object")
    prefix = _PREFIX[draft.number]
    kept: frozenset[str] = _NONE
    for name, required in vocabulary.items():
        keywords = known.get(name.removeprefix(prefix)) if name.startswith(prefix) else None
        if keywords is not None:
            kept |= keywords
        elif required is not False:
            raise UnsupportedError(
                place,
                f"the dialect {seen[0]!r} requires the vocabulary {name!r}, which is not known",
                "pass draft= to read the schema without it",
            )
    return frozenset[str]().union(*known.values()) - kept
