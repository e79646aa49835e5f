"""A native look over a schema document, before anything of it is read.

Law: what is said to be local has one resource and no anchors; what may wait is neither refused nor empty.
Cost: about 100 ns a value of the document.
Source: JSON Schema Core, sections 8 to 10.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from gramspec._native import survey as native_survey
from gramspec.grammar.json_schema import formats
from gramspec.grammar.json_schema.dialects import Dialect
from gramspec.grammar.json_schema.sources import Json


class Survey(NamedTuple):
    """What a look over a document finds.

    `local`: it is one resource without anchors or dynamic references, and every reference leads into it.
    `surrogates`: some text in it is no Unicode. `waiting`: identities of the schemas that need not be
    read before a text reaches them; only to be used where the document is local.
    """

    local: bool
    surrogates: bool
    waiting: set[int]


def survey(root: Json, dialect: Dialect) -> Survey:
    """Look over a document.

    Parameters
    ----------
    root : Json
        The document; its parts are told by identity, so it must stay as it is.
    dialect : Dialect
        How it is read.
    """
    draft = dialect.draft
    return Survey(*native_survey(root, draft.number, draft.declared, *_formats()))


@cache
def _formats() -> tuple[list[str], list[str]]:
    exact = [name for name in sorted(formats.NAMES) if formats.exact(name)]
    return [name for name in sorted(formats.NAMES) if name not in exact], exact
