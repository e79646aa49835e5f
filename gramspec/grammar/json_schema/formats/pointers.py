"""JSON pointers, absolute and relative.

Law: exactly the texts of the grammars; a pointer is not resolved.
Source: RFC 6901 section 3; draft-bhutton-relative-json-pointer-00 section 3.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from gramspec.grammar import ir
from gramspec.grammar.regex import parse_regex

_POINTER: Final = r"(?:/(?:[^/~]|~[01])*)*"
_NUMBER: Final = r"(?:0|[1-9][0-9]*)"


@lru_cache(maxsize=1)
def json_pointer() -> ir.Expr:
    """The string form, not the URI fragment form."""
    return parse_regex(_POINTER, "python")


@lru_cache(maxsize=1)
def relative_json_pointer() -> ir.Expr:
    """Levels up, an optional index manipulation, then ``#`` or a pointer."""
    return parse_regex(rf"{_NUMBER}(?:[+\-]{_NUMBER})?(?:#|{_POINTER})", "python")
