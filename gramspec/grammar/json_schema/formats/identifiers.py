"""Resource identifiers: URI, IRI, references, URI templates.

Law: exactly the texts of the grammars; nothing is decoded, normalised or resolved.
Source: RFC 3986 appendix A; RFC 3987 section 2.2; RFC 6570 section 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from gramspec.grammar import ir
from gramspec.grammar.json_schema.formats.addresses import IPV6
from gramspec.grammar.regex import parse_regex

_PLANES: Final = "".join(rf"\U{plane:04x}0000-\U{plane:04x}fffd" for plane in range(1, 14))
_UCS: Final = rf"\u00a0-\ud7ff\uf900-\ufdcf\ufdf0-\uffef{_PLANES}\U000e1000-\U000efffd"
_PRIVATE: Final = r"\ue000-\uf8ff\U000f0000-\U000ffffd\U00100000-\U0010fffd"
_UNRESERVED: Final = r"A-Za-z0-9._~\-"
_DELIMITERS: Final = r"!$&'()*+,;="
_ENCODED: Final = r"%[0-9A-Fa-f]{2}"
_SCHEME: Final = r"[A-Za-z][A-Za-z0-9+.\-]*"
_FUTURE: Final = rf"[Vv][0-9A-Fa-f]+\.[{_UNRESERVED}{_DELIMITERS}:]+"


@dataclass(frozen=True, slots=True)
class _Rules:
    """The rules that URI and IRI share; they differ in two sets of characters."""

    unreserved: str
    private: str

    def chars(self, more: str) -> str:
        """One character out of the unreserved, the delimiters and `more`, or a percent-encoded one."""
        return rf"(?:[{self.unreserved}{_DELIMITERS}{more}]|{_ENCODED})"

    def suffix(self) -> str:
        """Query and fragment."""
        return rf"(?:\?{self.chars(':@/?' + self.private)}*)?(?:#{self.chars(':@/?')}*)?"

    def hierarchy(self, first: str) -> str:
        """Authority and path, or a path alone; `first` is the character of its first segment."""
        pchar = self.chars(":@")
        more = rf"(?:/{pchar}*)*"
        host = rf"(?:\[(?:{IPV6}|{_FUTURE})\]|{self.chars('')}*)"
        authority = rf"(?:{self.chars(':')}*@)?{host}(?::[0-9]*)?"
        return rf"(?://{authority}{more}|/(?:{pchar}+{more})?|{first}+{more}|)"

    def absolute(self) -> str:
        return rf"{_SCHEME}:{self.hierarchy(self.chars(':@'))}{self.suffix()}"

    def reference(self) -> str:
        return rf"{self.absolute()}|{self.hierarchy(self.chars('@'))}{self.suffix()}"


_URI: Final = _Rules(_UNRESERVED, "")
_IRI: Final = _Rules(_UNRESERVED + _UCS, _PRIVATE)


@lru_cache(maxsize=1)
def uri() -> ir.Expr:
    """``URI``: with a scheme."""
    return parse_regex(_URI.absolute(), "python")


@lru_cache(maxsize=1)
def uri_reference() -> ir.Expr:
    """``URI-reference``."""
    return parse_regex(_URI.reference(), "python")


@lru_cache(maxsize=1)
def iri() -> ir.Expr:
    """``IRI``: with a scheme."""
    return parse_regex(_IRI.absolute(), "python")


@lru_cache(maxsize=1)
def iri_reference() -> ir.Expr:
    """``IRI-reference``."""
    return parse_regex(_IRI.reference(), "python")


@lru_cache(maxsize=1)
def uri_template() -> ir.Expr:
    """``URI-Template`` of level 4."""
    literal = rf"(?:[!#$&(-;=?-\[\]_a-z~{_UCS}{_PRIVATE}]|{_ENCODED})"
    letter = rf"(?:[A-Za-z0-9_]|{_ENCODED})"
    variable = rf"{letter}(?:\.?{letter})*(?::[1-9][0-9]{{0,3}}|\*)?"
    expression = rf"\{{[+#./;?&=,!@|]?{variable}(?:,{variable})*\}}"
    return parse_regex(rf"(?:{literal}|{expression})*", "python")
