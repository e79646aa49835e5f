"""Host names in ASCII, and what the library idna says of internationalised labels.

Law: `hostname` holds every valid name, `plain_hostname` only valid ones; the two checks decide.
Source: RFC 1123 section 2.1; RFC 5890 to 5893 (IDNA2008, with the tables of the library idna).
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

import idna

from gramspec.grammar import ir
from gramspec.grammar.regex import parse_regex

LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9\-]{0,61}[A-Za-z0-9])?"
NAME_LENGTH: Final = 253
LABEL_LENGTH: Final = 63
STOPS: Final = "\u3002\uff0e\uff61."  # what IDNA2003 took for a full stop (RFC 3490, section 3.1)
PREFIX: Final = "xn--"
_SPLIT: Final = re.compile(f"[{STOPS}]")
_NAME: Final = re.compile(rf"{LABEL}(?:\.{LABEL})*")


@lru_cache(maxsize=1)
def hostname() -> ir.Expr:
    """Letters, digits and hyphens, at most 63 characters a label; names may be too long."""
    return parse_regex(_NAME.pattern, "python")


@lru_cache(maxsize=1)
def plain_hostname() -> ir.Expr:
    """Up to four labels of up to 61 characters without two hyphens in a row: short and no A-labels."""
    label = r"[A-Za-z0-9](?:-?[A-Za-z0-9]){0,30}"
    return parse_regex(rf"{label}(?:\.{label}){{0,3}}", "python")


def is_hostname(text: str) -> bool:
    """Whether a text is a host name whose A-labels stand for valid U-labels."""
    if len(text) > NAME_LENGTH or not _NAME.fullmatch(text):
        return False
    labels = text.lower().split(".")
    return not any(label.startswith(PREFIX) for label in labels) or _valid(labels)


def is_idn_hostname(text: str) -> bool:
    """Whether a text is an internationalised host name: LDH labels, A-labels and U-labels."""
    if len(text) > NAME_LENGTH:
        return False
    labels = [label.lower() if label.isascii() else label for label in _SPLIT.split(text)]
    return all(labels) and _valid(labels)


def _valid(labels: list[str]) -> bool:
    """Whether each label is valid, and all of them follow the Bidi rule if one is right to left."""
    try:
        texts = [idna.ulabel(label) for label in labels]
        octets = [len(label if label.isascii() else idna.alabel(label)) for label in labels]
        if max(octets) > LABEL_LENGTH or sum(octets) + len(octets) - 1 > NAME_LENGTH:
            return False
        if any(right_to_left(text) for text in texts):
            for text in texts:
                idna.check_bidi(text, check_ltr=True)
    except idna.IDNAError:
        return False
    return True


def right_to_left(text: str) -> bool:
    """Whether a label makes its name a Bidi domain name (RFC 5893, section 1.4)."""
    return any(unicodedata.bidirectional(char) in ("R", "AL", "AN") for char in text)
