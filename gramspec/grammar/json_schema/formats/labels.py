"""Internationalised host names as a regular language of labels.

Law: every valid name is a member; contexts, directions, normalisation and Punycode are the check's to judge.
Cost: one pass over the characters that IDNA2008 allows, when the format is first used.
Source: RFC 5891 section 4.2; RFC 5892 appendix B.1 (tables of the library idna).
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import Final

import idna.idnadata

from gramspec.grammar import ir
from gramspec.grammar.json_schema.formats.names import LABEL_LENGTH, STOPS
from gramspec.grammar.ranges import Ranges, normalise, of, subtract, unite

_HYPHEN: Final = of("-")
_LDH: Final = of("-", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz", "0123456789")


@lru_cache(maxsize=1)
def idn_hostname() -> ir.Expr:
    """Names of labels of at most 63 characters, which A-labels cannot exceed.

    The intersection of the contextual rules (RFC 5892, appendix A) and of the Bidi rule (RFC 5893) is
    regular too, but has so many states over the tables of Unicode that masks would take a second.
    """
    chars, marks = _allowed()
    label = ir.union(_label(_LDH, _HYPHEN), _label(unite(chars, _HYPHEN), unite(marks, _HYPHEN)))
    return ir.concat(label, ir.repeat(ir.concat(ir.CharSet(of(STOPS)), label)))


def _label(chars: Ranges, not_first: Ranges) -> ir.Expr:
    """A label that does not end with a hyphen."""
    rest = ir.repeat(ir.CharSet(chars), 0, LABEL_LENGTH - 2)
    last = ir.CharSet(subtract(chars, _HYPHEN))
    return ir.concat(ir.CharSet(subtract(chars, not_first)), ir.optional(ir.concat(rest, last)))


def _allowed() -> tuple[Ranges, Ranges]:
    """The characters of U-labels, and the combining marks among them."""
    classes = idna.idnadata.codepoint_classes
    named = unite(*(_intervals(classes[name]) for name in ("PVALID", "CONTEXTJ", "CONTEXTO")))
    points = [point for low, high in named for point in range(low, high + 1)]
    marks = normalise((p, p) for p in points if unicodedata.category(chr(p)).startswith("M"))
    return named, marks


def _intervals(packed: tuple[int, ...]) -> Ranges:
    """Ranges out of the packing of the library: first code point and the one after the last."""
    return normalise((pair >> 32, (pair & 0xFFFFFFFF) - 1) for pair in packed)
