"""Mail addresses, in ASCII and internationalised.

Law: exactly the mailboxes of the grammar; the sizes that SMTP promises to carry are no part of it.
Source: RFC 5321 sections 4.1.2 and 4.1.3; RFC 6531 section 3.3.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from gramspec.grammar import ir
from gramspec.grammar.regex import parse_regex

_ATOM: Final = r"A-Za-z0-9!#$%&'*+/=?^_`{|}~\-"
_NOT_ASCII: Final = r"\u0080-\U0010ffff"
_OCTET: Final = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|0[0-9]{2}|[0-9]{1,2})"  # Snum: zeros may lead
_IPV4: Final = rf"{_OCTET}(?:\.{_OCTET}){{3}}"
_GROUP: Final = r"[0-9A-Fa-f]{1,4}"


@lru_cache(maxsize=1)
def email() -> ir.Expr:
    """``Mailbox``: a dotted or quoted local part; a domain or an address literal."""
    return _mailbox("")


@lru_cache(maxsize=1)
def idn_email() -> ir.Expr:
    """``Mailbox`` with characters beyond ASCII in local part and domain."""
    return _mailbox(_NOT_ASCII)


def _mailbox(more: str) -> ir.Expr:
    atom = rf"[{_ATOM}{more}]+"
    quoted = rf'"(?:[ !#-\[\]-~{more}]|\\[ -~])*"'
    label = rf"[A-Za-z0-9{more}](?:-*[A-Za-z0-9{more}])*"
    domain = rf"{label}(?:\.{label})*"
    literal = rf"\[(?:{_IPV4}|[Ii][Pp][Vv]6:{_ipv6()})\]"
    return parse_regex(rf"(?:{atom}(?:\.{atom})*|{quoted})@(?:{domain}|{literal})", "python")


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
