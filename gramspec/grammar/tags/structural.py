"""Structural tags: a specification in JSON becomes a grammar.

Law: the language is what the formats say, member by member; a format, field or style that is not enforced is
refused by name.
Source: the JSON form of xgrammar's structural tags, the older form with ``structures``, and the wrappers of
OpenAI-compatible servers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from gramspec.errors import GrammarError
from gramspec.grammar.core import Grammar
from gramspec.grammar.tags.fields import Fields, pointer
from gramspec.grammar.tags.formats import Formats

_WRAPPERS = ("response_format", "structured_outputs", "structural_tag")


def structural_tag(spec: object) -> Grammar:
    """The grammar of a structural tag: free text, and tags in it whose contents are bound to a grammar.

    Parameters
    ----------
    spec : dict, str or object with ``model_dump``
        ``{"type": "structural_tag", "format": {...}}``, or the older form with ``structures`` and
        ``triggers``; as a dict, as JSON text, or as a model of such a dict. It may stand in
        ``response_format``, ``structured_outputs`` or ``structural_tag`` as servers take it.

    Returns
    -------
    Grammar
        Free text is valid UTF-8. A JSON Schema means what `gramspec.json_schema` makes of it.

    Raises
    ------
    GrammarError
        If the specification is malformed; the JSON pointer says where.
    UnsupportedError
        For what is not enforced: bounds on tokens, and schemas inside a tag that leave residual predicates.
    EmptyLanguageError
        If a schema in it has no member.

    Examples
    --------
    >>> import gramspec as gs
    >>> digits = {"type": "regex", "pattern": "[0-9]+"}
    >>> call = {"type": "tag", "begin": "<call>", "content": digits, "end": "</call>"}
    >>> tags = {"type": "triggered_tags", "triggers": ["<call>"], "tags": [call]}
    >>> grammar = gs.structural_tag({"type": "structural_tag", "format": tags})
    >>> grammar.accepts("seven: <call>7</call>!"), grammar.accepts("seven: <call>x</call>")
    (True, False)
    """
    place, value = _unwrapped("", _loaded(spec, ""), 0)
    fields = Fields(value, place, "a structural tag")
    kind = fields.need("type")
    if kind != "structural_tag":
        hint = 'write {"type": "structural_tag", "format": ...}'
        raise GrammarError(fields.at("type"), f"the type is {kind!r}, not 'structural_tag'", hint)
    formats = Formats()
    if "format" in value or "structures" not in value:
        content = formats.whole(fields.need("format"), fields.at("format"))
    else:
        content = formats.legacy(fields)
    fields.close()
    return Grammar(content.expr, "structural tag", content.residuals)


def _loaded(spec: object, place: str) -> Any:
    """The specification as plain data."""
    if hasattr(spec, "model_dump") and not isinstance(spec, type):
        return spec.model_dump(mode="json", by_alias=True)
    if isinstance(spec, bytes):
        raise GrammarError(place, "a structural tag is a dict or JSON text, not bytes", "decode it first")
    if not isinstance(spec, str):
        return spec
    try:
        return json.loads(spec)
    except json.JSONDecodeError as error:
        raise GrammarError(f"@{error.pos}", f"not JSON: {error.msg}", "", spec) from None
    except RecursionError:
        raise GrammarError(place, "the JSON text is nested too deep") from None


def _unwrapped(place: str, value: Any, depth: int) -> tuple[str, Any]:
    """What stands inside the fields by which servers take a structural tag, and its place."""
    if not isinstance(value, Mapping) or "type" in value or depth > len(_WRAPPERS):
        return place, value
    names = [name for name in _WRAPPERS if value.get(name) is not None]
    if len(names) != 1 or any(value[key] is not None for key in value if key not in names):
        return place, value
    place = pointer(place, names[0])
    return _unwrapped(place, _loaded(value[names[0]], place), depth + 1)
