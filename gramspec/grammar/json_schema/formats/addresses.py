"""Numeric addresses and identifiers: IPv4, IPv6, UUID.

Law: exactly the texts of the grammars; no zone identifiers, no leading zeros, no prefix lengths.
Source: RFC 2673 section 3.2; RFC 4291 section 2.2; RFC 3986 appendix A (the same IPv6 forms); RFC 4122.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from gramspec.grammar import ir
from gramspec.grammar.regex import parse_regex

_OCTET: Final = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
IPV4: Final = rf"{_OCTET}(?:\.{_OCTET}){{3}}"
_GROUP: Final = r"[0-9A-Fa-f]{1,4}"


def _ipv6() -> str:
    """One alternative for each number of groups after the double colon, and one without it."""
    tail = rf"(?:{_GROUP}:{_GROUP}|{IPV4})"  # the last 32 bits
    forms = [rf"(?:{_GROUP}:){{6}}{tail}"]
    for after in range(5, -1, -1):
        forms.append(rf"{_at_most(5 - after)}::(?:{_GROUP}:){{{after}}}{tail}")
    forms.append(rf"{_at_most(6)}::{_GROUP}")
    forms.append(rf"{_at_most(7)}::")
    return "(?:" + "|".join(forms) + ")"


def _at_most(groups: int) -> str:
    """Up to so many groups before a double colon."""
    return rf"(?:(?:{_GROUP}:){{0,{groups - 1}}}{_GROUP})?" if groups else ""


IPV6: Final = _ipv6()


@lru_cache(maxsize=1)
def ipv4() -> ir.Expr:
    """Four decimal octets."""
    return parse_regex(IPV4, "python")


@lru_cache(maxsize=1)
def ipv6() -> ir.Expr:
    """Eight groups, with one run of zero groups elided or the last two written as IPv4."""
    return parse_regex(IPV6, "python")


@lru_cache(maxsize=1)
def uuid() -> ir.Expr:
    """Groups of 8, 4, 4, 4 and 12 hexadecimal digits; any version and variant."""
    return parse_regex(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}", "python")
