"""Mail addresses, in ASCII and internationalised.

Law: exactly the mailboxes of the grammar, with a local part of at most 64 octets, as SMTP delivers them.
Source: RFC 5321 sections 4.1.2, 4.1.3 and 4.5.3.1; RFC 6531 section 3.3.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from gramspec.grammar import ir
from gramspec.grammar.json_schema.formats.names import LABEL_LENGTH, within
from gramspec.grammar.regex import parse_regex

_LOCAL_LENGTH: Final = 64
_DOMAIN_LENGTH: Final = 255
_ATOM: Final = r"A-Za-z0-9!#$%&'*+/=?^_`{|}~\-"
_NOT_ASCII: Final = r"\u0080-\U0010ffff"
_OCTET: Final = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|0[0-9]{2}|[0-9]{1,2})"  # Snum: zeros may lead
_IPV4: Final = rf"{_OCTET}(?:\.{_OCTET}){{3}}"
_GROUP: Final = r"[0-9A-Fa-f]{1,4}"


@lru_cache(maxsize=1)
def email() -> ir.Expr:
    """``Mailbox``: a dotted or quoted local part; a domain or an address literal."""
    return ir.concat(within(_local(""), _LOCAL_LENGTH), _host(""))


@lru_cache(maxsize=1)
def idn_email() -> ir.Expr:
    """``Mailbox`` with characters beyond ASCII in local part and domain."""
    return ir.concat(ir.And((_local(_NOT_ASCII), _octets(_LOCAL_LENGTH))), _host(_NOT_ASCII))


def _local(more: str) -> ir.Expr:
    atom = rf"[{_ATOM}{more}]+"
    quoted = rf'"(?:[ !#-\[\]-~{more}]|\\[ -~])*"'
    return parse_regex(rf"{atom}(?:\.{atom})*|{quoted}", "python")


def _host(more: str) -> ir.Expr:
    letter = rf"[A-Za-z0-9{more}]"
    label = rf"{letter}(?:[A-Za-z0-9\-{more}]{{0,{LABEL_LENGTH - 2}}}{letter})?"
    domain = within(parse_regex(rf"{label}(?:\.{label})*", "python"), _DOMAIN_LENGTH)
    literal = parse_regex(rf"\[(?:{_IPV4}|[Ii][Pp][Vv]6:{_ipv6()})\]", "python")
    return ir.concat(parse_regex("@", "python"), ir.union(domain, literal))


def _ipv6() -> str:
    """IPv6 as SMTP writes it: a double colon stands for two groups at least."""
    forms = [rf"(?:{_GROUP}:){{7}}{_GROUP}", rf"(?:{_GROUP}:){{6}}{_IPV4}"]
    for before in range(7):
        head = rf"{_GROUP}(?::{_GROUP}){{{before - 1}}}" if before else ""
        after = rf"{_GROUP}(?::{_GROUP}){{0,{5 - before}}}" if before < 6 else ""
        forms.append(rf"{head}::(?:{after})?" if after else rf"{head}::")
        if before <= 4:
            groups = rf"(?:{_GROUP}:){{0,{4 - before}}}"
            forms.append(rf"{head}::{groups}{_IPV4}")
    return "(?:" + "|".join(forms) + ")"


def _octets(most: int) -> ir.Expr:
    """Texts of one to so many octets in UTF-8: one state for each octet left."""
    sizes = ((0, 0x7F), (0x80, 0x7FF), (0x800, 0xFFFF), (0x10000, 0x10FFFF))
    sets = [parse_regex(rf"[\U{low:08x}-\U{high:08x}]", "python") for low, high in sizes]
    arcs = tuple(
        tuple((chars, left - size) for size, chars in enumerate(sets, 1) if size <= left)
        for left in range(most + 1)
    )
    # State 0 of a machine is where it starts, so that the states are numbered by octets written.
    turned = tuple(tuple((chars, most - left) for chars, left in row) for row in reversed(arcs))
    return ir.Machine(turned, (False,) + (True,) * most)
