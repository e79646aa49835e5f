"""Formats of strings: for each name a language, and the verdict on one text.

Law: every text that a format allows is in its `language`; where `exact` holds, no other is.
Cost: a language is built when it is first asked for, and kept.
Source: JSON Schema Validation, section 7.3, and the standards it names.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Final, NamedTuple

from gramspec.grammar import ir
from gramspec.grammar.json_schema.formats import (
    addresses,
    ecma_syntax,
    identifiers,
    labels,
    mail,
    names,
    pointers,
    times,
)
from gramspec.grammar.regex.characters import matches


class _Format(NamedTuple):
    """`language` holds what is allowed, and more if there is a `verdict`; `core` only allowed texts."""

    language: Callable[[], ir.Expr]
    verdict: Callable[[str], bool] | None = None
    core: Callable[[], ir.Expr] | None = None


_FORMATS: Final = {
    "date-time": _Format(times.date_time),
    "date": _Format(times.date),
    "time": _Format(times.time),
    "duration": _Format(times.duration),
    "email": _Format(mail.email),
    "idn-email": _Format(mail.idn_email),
    "hostname": _Format(names.hostname, names.is_hostname, names.plain_hostname),
    "idn-hostname": _Format(labels.idn_hostname, names.is_idn_hostname, names.plain_hostname),
    "ipv4": _Format(addresses.ipv4),
    "ipv6": _Format(addresses.ipv6),
    "uri": _Format(identifiers.uri),
    "uri-reference": _Format(identifiers.uri_reference),
    "iri": _Format(identifiers.iri),
    "iri-reference": _Format(identifiers.iri_reference),
    "uuid": _Format(addresses.uuid),
    "uri-template": _Format(identifiers.uri_template),
    "json-pointer": _Format(pointers.json_pointer),
    "relative-json-pointer": _Format(pointers.relative_json_pointer),
    "regex": _Format(ecma_syntax.pattern, ecma_syntax.is_pattern, ecma_syntax.plain_pattern),
}
NAMES: Final = frozenset(_FORMATS)
COMMON: Final = ("date-time", "date", "time", "duration", "email", "hostname", "ipv4", "ipv6", "uri", "uuid")
"""Formats that schemas ask for often."""


def known(name: str) -> bool:
    """Whether a format is one that JSON Schema defines; others are annotations."""
    return name in _FORMATS


@cache
def language(name: str) -> ir.Expr:
    """All texts of a known format over `CharSet` leaves, and perhaps more; see `exact`."""
    return _FORMATS[name].language()


@cache
def core(name: str) -> ir.Expr:
    """Texts of a known format over `CharSet` leaves: all of them where `exact` holds, else some."""
    entry = _FORMATS[name]
    return language(name) if entry.core is None else entry.core()


def exact(name: str) -> bool:
    """Whether `language` has the texts of the format and no others."""
    return _FORMATS[name].verdict is None


def check(name: str, text: str) -> bool:
    """Whether a text is of a known format; the last word where `language` is not exact.

    Parameters
    ----------
    name : str
        A known format.
    text : str
        Any text; one with a lone surrogate is of no format.
    """
    verdict = _FORMATS[name].verdict
    if verdict is None:
        return matches(language(name), text)
    return not any("\ud800" <= char <= "\udfff" for char in text) and verdict(text)
