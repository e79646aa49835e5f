"""Attributes of a rule in xgrammar's EBNF: ``name[lazy, capture="x"] ::= ...``.

Law: what changes the language is kept, what only reports a match is read and has no effect, and what
restricts sampling is refused by name.
Source: the documentation of xgrammar, "Rule options".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from gramspec.errors import UnsupportedError
from gramspec.grammar.gbnf.lexer import Token
from gramspec.grammar.rules import Position

_OPTION: Final = re.compile(r'[ \t]*([A-Za-z_]+)[ \t]*(?:=[ \t]*("[^"]*"|[0-9.eE+\-]+)[ \t]*)?(?:,|$)')
_REPORTS: Final = frozenset(
    [
        "capture",
        "stop_capture",
        "capture_hidden_suffix_bytes",
        "capture_hidden_stop_bytes",
        "capture_hidden_body_rule_id",
        "capture_hidden_marker_rule_id",
    ]
)
_SAMPLING: Final = {
    "max_tokens": "a bound on tokens, not on text",
    "max_chars": "a bound that gives way where the rule cannot end",
    "temperature": "a change of the law, not of the language",
}


@dataclass(frozen=True, slots=True)
class Options:
    """What the attributes of a rule ask for."""

    lazy: bool = False


def read_options(token: Token, text: str) -> Options:
    """The attributes that stand in brackets behind a rule's name.

    Raises
    ------
    GrammarError
        If one is malformed, unknown or named twice.
    UnsupportedError
        If one restricts sampling.
    """
    seen: set[str] = set()
    inner, at = token.text[1:-1], 0
    while at < len(inner) or not seen:
        place = Position(text, token.offset + 1 + at)
        found = _OPTION.match(inner, at)
        if found is None:
            raise place.error("malformed rule attribute", 'write name[lazy, capture="x"] ::= ...')
        name, value = found[1], found[2]
        place = Position(text, token.offset + 1 + found.start(1))
        if name in seen:
            raise place.error(f"the attribute `{name}` is named twice")
        seen.add(name)
        if name in _SAMPLING:
            hint = "bound the text with {m,n}, and sampling by the options of `generate`"
            raise place.error(f"the rule attribute `{name}` ({_SAMPLING[name]})", hint, UnsupportedError)
        if name != "lazy" and name not in _REPORTS:
            raise place.error(f"unknown rule attribute `{name}`", "attributes are lazy and capture")
        if (name == "lazy" and value is not None) or value == '""':
            raise place.error(f"the attribute `{name}` takes no such value")
        at = found.end()
    return Options(lazy="lazy" in seen)
