r"""The characters of literals and classes: escapes, ranges, negation.

Law: a literal denotes the UTF-8 of its characters, a class one character; no character is a surrogate.
Source: the escapes of llama.cpp and of xgrammar, all of both.
"""

from __future__ import annotations

import re
from typing import Final, Literal, NoReturn

from gramspec.grammar.ranges import Ranges, complement, normalise
from gramspec.grammar.rules import Position

Dialect = Literal["llama.cpp", "xgrammar"]
DIALECTS: Final = ("llama.cpp", "xgrammar")

_CONTROL: Final = {"n": 10, "r": 13, "t": 9, "a": 7, "b": 8, "f": 12, "v": 11, "e": 27, "0": 0}
_ITSELF: Final = frozenset("\\\"'?/[]-")
_ITSELF_IN_CLASS: Final = _ITSELF | frozenset("^$.*+?(){}|")
_HEX: Final = re.compile("[0-9A-Fa-f]+")
_WIDTHS: Final = {"u": 4, "U": 8}
_LAST: Final = 0x10FFFF


class Characters:
    r"""Reads the characters of one grammar's literals and classes.

    Parameters
    ----------
    text : str
        The whole text.
    dialect : {"llama.cpp", "xgrammar"}
        How many digits ``\x`` takes.
    """

    def __init__(self, text: str, dialect: Dialect) -> None:
        self.text = text
        self.dialect = dialect

    def literal(self, begin: int, end: int) -> str:
        """The characters of a literal, given where it stands, quotes included."""
        inner = self.text[begin + 1 : end - 1]
        if "\\" not in inner and not _has_surrogate(inner):
            return inner
        found: list[str] = []
        at = begin + 1
        while at < end - 1:
            point, after = self._one(at, end - 1, in_class=False)
            if 0xD800 <= point <= 0xDFFF:
                self._fail(
                    at,
                    f"lone surrogate U+{point:04X}",
                    "surrogates have no UTF-8; write the character, or \\U with eight digits",
                )
            found.append(chr(point))
            at = after
        return "".join(found)

    def character_class(self, begin: int, end: int) -> Ranges:
        """The characters of a class, given where it stands, brackets included."""
        at, last = begin + 1, end - 1
        negated = at < last and self.text[at] == "^"
        at += negated
        parts: list[tuple[int, int]] = []
        while at < last:
            start = at
            low, at = self._one(at, last, in_class=True)
            high = low
            if at + 1 < last and self.text[at] == "-":
                high, at = self._one(at + 1, last, in_class=True)
                if high < low:
                    self._fail(
                        start,
                        f"the ends of the range {self.text[start:at]} cross",
                        "write the smaller one first",
                    )
            parts.append((low, high))
        ranges = normalise(parts)
        return complement(ranges) if negated else ranges

    def _one(self, at: int, end: int, *, in_class: bool) -> tuple[int, int]:
        """The code point of the character or escape here, and where the next one begins."""
        char = self.text[at]
        if char != "\\":
            return ord(char), at + 1
        letter = self.text[at + 1]
        if letter in "xuU":
            return self._hexadecimal(at, end, letter)
        if letter in _CONTROL:
            return _CONTROL[letter], at + 2
        if letter in (_ITSELF_IN_CLASS if in_class else _ITSELF):
            return ord(letter), at + 2
        shown = letter if letter.isprintable() else f"U+{ord(letter):04X}"
        if letter in "dDsSwW":
            hint = "write the characters: [0-9], [ \\t\\r\\n], [a-zA-Z0-9_]"
        else:
            hint = 'write \\\\ for a backslash; escapes are \\n \\t \\r \\" \\xHH \\uHHHH \\UHHHHHHHH'
        self._fail(at, f"unknown escape \\{shown}", hint)

    def _hexadecimal(self, at: int, end: int, letter: str) -> tuple[int, int]:
        found = _HEX.match(self.text, at + 2, end)
        digits = found[0] if found else ""
        if letter == "x":
            width = len(digits) if self.dialect == "xgrammar" else min(2, len(digits))
            if not digits:
                self._fail(at, "\\x without hexadecimal digits", "write two: \\x0A")
        else:
            width = _WIDTHS[letter]
            if len(digits) < width:
                self._fail(at, f"\\{letter} takes {width} hexadecimal digits", "fill up with zeros: \\u0041")
        digits = digits[:width]
        point = int(digits, 16) if len(digits.lstrip("0")) <= 8 else _LAST + 1
        if point > _LAST:
            self._fail(at, "there is no such code point", "the last one is \\U0010FFFF")
        return point, at + 2 + width

    def _fail(self, at: int, reason: str, hint: str) -> NoReturn:
        raise Position(self.text, at).error(reason, hint)


def _has_surrogate(text: str) -> bool:
    return not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text)
