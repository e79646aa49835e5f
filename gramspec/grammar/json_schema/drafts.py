"""The drafts of JSON Schema: which one a document follows, and which keywords each one knows.

Law: a keyword that its draft does not know is an annotation; a known one is enforced.
Source: JSON Schema drafts 4, 6, 7, 2019-09 and 2020-12.
"""

from __future__ import annotations

from dataclasses import dataclass

from gramspec.errors import GrammarError, OptionError, UnsupportedError
from gramspec.grammar.json_schema.sources import Json

_NAMES = {
    "4": 4,
    "draft-04": 4,
    "draft4": 4,
    "6": 6,
    "draft-06": 6,
    "draft6": 6,
    "7": 7,
    "draft-07": 7,
    "draft7": 7,
    "2019-09": 2019,
    "2020-12": 2020,
}
_URIS = {
    "json-schema.org/draft-04/schema": 4,
    "json-schema.org/draft-06/schema": 6,
    "json-schema.org/draft-07/schema": 7,
    "json-schema.org/draft/2019-09/schema": 2019,
    "json-schema.org/draft/2020-12/schema": 2020,
    "json-schema.org/schema": 2020,
}


@dataclass(frozen=True, slots=True)
class Draft:
    """One draft; `declared` is false when neither the document nor the caller named it."""

    number: int
    declared: bool

    def knows(self, first: int, last: int) -> bool:
        """Whether a keyword of the drafts ``first..last`` counts here."""
        return first <= self.number <= last or (not self.declared and last == 7)

    @property
    def id_keyword(self) -> str:
        """The keyword that gives a schema its own base URI."""
        return "id" if self.number == 4 else "$id"


def draft_of(document: Json, asked: str | int | None) -> Draft:
    """The draft a document is read by.

    Parameters
    ----------
    document : Json
        The whole schema.
    asked : str, int or None
        The caller's choice; None: by ``$schema``, and 2020-12 with `dependencies` when it has none.

    Raises
    ------
    OptionError
        If the caller's choice is not known.
    UnsupportedError
        If ``$schema`` names another dialect.
    """
    if asked is not None:
        text = str(asked)
        number = _NAMES.get(text, _URIS.get(_bare(text)))
        if number is None:
            raise OptionError(f"draft: {asked!r} is not known; give one of {', '.join(_NAMES)}")
        return Draft(number, True)
    if not isinstance(document, dict) or "$schema" not in document:
        return Draft(2020, False)
    uri = document["$schema"]
    if not isinstance(uri, str):
        raise GrammarError("/$schema", "must be a string")
    number = _URIS.get(_bare(uri))
    if number is None:
        raise UnsupportedError("/$schema", f"the dialect {uri!r} is not known", "pass draft= to choose one")
    return Draft(number, True)


def _bare(uri: str) -> str:
    return uri.removeprefix("https://").removeprefix("http://").rstrip("#").rstrip("/")
