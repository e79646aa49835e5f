"""Characters, and sets of them, as people can read them.

Law: what is printed names every character of the set, or says that it does not.
Source: Unicode Standard, section 5.22 (code points of characters that cannot be shown).
"""

from __future__ import annotations

from typing import Final

from gramspec.automaton.reading import Allowed
from gramspec.grammar.ranges import SCALARS, Ranges, intersect, normalise, subtract

_MOST: Final = 16
_BEYOND_ASCII: Final = subtract(SCALARS, ((0, 0x7F),))
_NAMES: Final = {0x20: "space", 0x09: "tab", 0x0A: "line feed", 0x0D: "carriage return"}


def allowed_words(allowed: Allowed) -> str:
    """What may come next, in words."""
    parts = []
    if allowed.characters:
        parts.append(character_words(allowed.characters))
    if not allowed.complete:
        parts.append("characters above U+007F")
    if allowed.stray:
        parts.append("bytes " + " ".join(f"0x{byte:02X}" for byte in allowed.stray))
    if allowed.end:
        parts.append("or the end of the text" if parts else "the end of the text")
    return ", ".join(parts) or "nothing"


def character_words(ranges: Ranges) -> str:
    """A set of characters in words: itself, or all but a few."""
    absent = subtract(SCALARS, ranges)
    if not absent:
        return "any character"
    beyond = not subtract(_BEYOND_ASCII, ranges)
    near = subtract(ranges, _BEYOND_ASCII) if beyond else ranges
    if len(absent) < len(near) + beyond and len(absent) <= _MOST:
        return f"any character but {_listed(absent)}"
    return ", ".join([*([_listed(near)] if near else []), *(["any character above U+007F"] * beyond)])


def visible(text: str) -> str:
    """The text with a picture in place of each control character and of what cannot be shown."""
    return "".join(map(_picture, text))


def _picture(char: str) -> str:
    if char == "\x7f":
        return "␡"
    if char < " ":
        return chr(0x2400 + ord(char))
    return char if char.isprintable() else "\ufffd"


def _listed(ranges: Ranges) -> str:
    words: list[str] = []
    for low, high in ranges:
        words += (
            [_one(low)] if low == high else [_one(low), _one(high)] if high == low + 1 else [_span(low, high)]
        )
    more = len(words) - _MOST
    return ", ".join(words if more <= 1 else [*words[:_MOST], f"and {more} further ranges"])


def _span(low: int, high: int) -> str:
    return f"{_one(low)} to {_one(high)}"


def _one(point: int) -> str:
    if point in _NAMES:
        return _NAMES[point]
    char = chr(point)
    if not char.isprintable() or point >= 0x3000:
        return f"U+{point:04X}"
    return f'"{char}"' if char == "'" else f"'{char}'"


def byte_words(data: bytes) -> str:
    """A set of bytes in words: ASCII as characters, the others by their number."""
    ranges = normalise((byte, byte) for byte in data)
    text = _listed(intersect(ranges, ((0, 0x7F),)))
    high = [f"0x{low:02X} to 0x{top:02X}" for low, top in intersect(ranges, ((0x80, 0xFF),))]
    return f"{len(data)}: " + ", ".join([*([text] if text else []), *high]) if data else "none"
