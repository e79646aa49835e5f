"""Internationalised host names as a regular language: all but Punycode and normalisation.

Law: every valid name is a member; the contextual rules and the Bidi rule are kept exactly.
Source: RFC 5891 section 4.2; RFC 5892 appendix A; RFC 5893 section 2.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import Final

import idna.idnadata

from gramspec.grammar import ir
from gramspec.grammar.json_schema.formats.names import LABEL_LENGTH, NAME_LENGTH, STOPS, within
from gramspec.grammar.ranges import Ranges, complement, intersect, normalise, of, subtract, unite
from gramspec.grammar.regex import parse_regex

_VIRAMA: Final = 9  # canonical combining class
_MIDDLE_DOT: Final = of(0xB7)
_KERAIA: Final = of(0x375)
_GERESH: Final = of(0x5F3, 0x5F4)
_KATAKANA_DOT: Final = of(0x30FB)
_NON_JOINER: Final = of(0x200C)
_JOINER: Final = of(0x200D)
_ARABIC_DIGITS: Final = ((0x660, 0x669),)
_EASTERN_DIGITS: Final = ((0x6F0, 0x6F9),)
_ANY_SIDE: Final = ("EN", "ES", "CS", "ET", "ON", "BN", "NSM")  # allowed in labels of both directions
_LDH: Final = of("-", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz", "0123456789")


@lru_cache(maxsize=1)
def idn_hostname() -> ir.Expr:
    """Names of LDH labels and of U-labels, an A-label being any LDH label."""
    chars, sides, marks = _allowed()
    hyphen = of("-")
    name = _joined(ir.union(_label(_LDH, hyphen), _label(unite(chars, hyphen), unite(marks, hyphen))))
    rules = (
        _between(_MIDDLE_DOT, of("l")),
        _followed(_KERAIA, _script("Greek")),
        _preceded(_GERESH, _script("Hebrew")),
        _preceded(_JOINER, _viramas(chars)),
        _non_joiners(chars),
        _joined(_katakana_dots()),
        _joined(ir.union(_without(_ARABIC_DIGITS), _without(_EASTERN_DIGITS))),
        _bidi(sides),
        _hyphens(),
    )
    return within(ir.And((name, *rules)), NAME_LENGTH)


@lru_cache(maxsize=1)
def _allowed() -> tuple[Ranges, dict[str, Ranges], Ranges]:
    """The characters of U-labels; all characters by bidirectional class; combining marks."""
    classes = idna.idnadata.codepoint_classes
    named = unite(*(_intervals(classes[name]) for name in ("PVALID", "CONTEXTJ", "CONTEXTO")))
    sides: dict[str, list[tuple[int, int]]] = {}
    marks: list[tuple[int, int]] = []
    for low, high in unite(named, _LDH):
        for point in range(low, high + 1):
            sides.setdefault(unicodedata.bidirectional(chr(point)), []).append((point, point))
            if unicodedata.category(chr(point)).startswith("M"):
                marks.append((point, point))
    unknown = normalise(sides.pop("", []))  # newer than the tables of the running Python
    found = {side: normalise(points) for side, points in sides.items()}
    return subtract(named, unknown), found, normalise(marks)


def _label(chars: Ranges, not_first: Ranges) -> ir.Expr:
    """A label that does not end with a hyphen."""
    last = _set(subtract(chars, of("-")))
    rest = ir.concat(ir.repeat(_set(chars), 0, LABEL_LENGTH - 2), last)
    return ir.concat(_set(subtract(chars, not_first)), ir.optional(rest))


def _hyphens() -> ir.Expr:
    """Names whose labels with hyphens in places three and four begin with xn and are ASCII."""
    begin = rf"(?s:.*[{STOPS}])?"
    other = rf"(?:[^xX{STOPS}][^{STOPS}]|[xX][^nN{STOPS}])--(?s:.*)"
    wide = rf"[xX][nN]--[^{STOPS}]*[^\x00-\x7f{STOPS}](?s:.*)"
    return ir.Not(parse_regex(rf"{begin}(?:{other}|{wide})", "python"))


def _bidi(sides: dict[str, Ranges]) -> ir.Expr:
    """Names without right-to-left characters, or all of whose labels follow the six conditions."""

    def of_sides(*names: str) -> Ranges:
        return unite(*(sides.get(name, ()) for name in names))

    def label(first: Ranges, inside: Ranges, last: Ranges) -> ir.Expr:
        marks = ir.repeat(_set(of_sides("NSM")))
        end = ir.concat(_set(last), marks)
        only = ir.concat(_set(intersect(first, last)), marks)
        return ir.union(only, ir.concat(_set(first), ir.repeat(_set(inside)), end))

    right = of_sides("R", "AL")
    neutral = of_sides(*(side for side in _ANY_SIDE if side != "EN"))
    labels = [label(of_sides("L"), of_sides("L", *_ANY_SIDE), of_sides("L", "EN"))]
    for digits in (of_sides("EN"), of_sides("AN")):
        labels.append(label(right, unite(right, digits, neutral), unite(right, digits)))
    plain = complement(of_sides("R", "AL", "AN"))
    return ir.union(ir.repeat(_set(plain)), _joined(ir.union(*labels)))


def _non_joiners(chars: Ranges) -> ir.Expr:
    """A zero-width non-joiner stands after a virama, or between letters that join around it."""
    left, right, both, clear = (_joining(chars, kind) for kind in "LRDT")
    spaces = ir.repeat(_set(clear))
    mark = _set(_NON_JOINER)
    linked = ir.concat(
        _set(unite(left, both)),
        spaces,
        ir.repeat(ir.concat(mark, spaces, _set(both), spaces)),
        mark,
        spaces,
        _set(unite(right, both)),
    )
    after_virama = ir.concat(_set(_viramas(chars)), mark)
    return ir.repeat(ir.union(_set(complement(_NON_JOINER)), after_virama, linked))


def _katakana_dots() -> ir.Expr:
    """A label with a middle dot of Katakana has a letter of Hiragana, Katakana or Han."""
    letters = subtract(unite(*map(_script, ("Hiragana", "Katakana", "Han"))), _KATAKANA_DOT)
    inside = ir.repeat(_set(complement(of(STOPS))))
    return ir.union(_without(_KATAKANA_DOT), ir.concat(inside, _set(letters), inside))


def _without(chars: Ranges) -> ir.Expr:
    """Texts within a label that have none of some characters."""
    return ir.repeat(_set(complement(unite(chars, of(STOPS)))))


def _between(chars: Ranges, around: Ranges) -> ir.Expr:
    """Texts in which `chars` stand only between two of `around`."""
    chain = ir.concat(_set(around), ir.repeat(ir.concat(_set(chars), _set(around))))
    return ir.repeat(ir.union(_set(complement(unite(chars, around))), chain))


def _followed(chars: Ranges, after: Ranges) -> ir.Expr:
    """Texts in which one of `after` follows each of `chars`."""
    chain = ir.concat(ir.repeat(_set(intersect(chars, after))), _set(subtract(after, chars)))
    step = ir.concat(_set(chars), chain)
    return ir.repeat(ir.union(_set(complement(chars)), step))


def _preceded(chars: Ranges, before: Ranges) -> ir.Expr:
    """Texts in which one of `before` precedes each of `chars`."""
    chain = ir.concat(_set(subtract(before, chars)), _set(chars), ir.repeat(_set(intersect(chars, before))))
    return ir.repeat(ir.union(_set(complement(chars)), chain))


def _joined(label: ir.Expr) -> ir.Expr:
    return ir.concat(label, ir.repeat(ir.concat(_set(of(STOPS)), label)))


def _viramas(chars: Ranges) -> Ranges:
    return normalise(
        (point, point)
        for low, high in chars
        for point in range(low, high + 1)
        if unicodedata.combining(chr(point)) == _VIRAMA
    )


def _joining(chars: Ranges, kind: str) -> Ranges:
    return intersect(chars, _intervals(idna.idnadata.joining_types[kind]))


def _script(name: str) -> Ranges:
    return _intervals(idna.idnadata.scripts[name])


def _intervals(packed: tuple[int, ...]) -> Ranges:
    """Ranges out of the packing of the library: first code point and the one after the last."""
    return normalise((pair >> 32, (pair & 0xFFFFFFFF) - 1) for pair in packed)


def _set(ranges: Ranges) -> ir.Expr:
    return ir.CharSet(ranges) if ranges else ir.EMPTY
