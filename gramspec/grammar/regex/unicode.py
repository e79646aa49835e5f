"""Character classes of the two regex dialects as ranges, computed when first used.

Cost: one pass over all scalars per class, about 0.05 s; for case, `re` is asked about 3,000 characters.
Source: `re` of the running Python; ECMA-262 section 22.2.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from itertools import chain
from typing import Final

import numpy as np

from gramspec.grammar.ranges import SCALARS, Ranges, intersect, normalise, subtract, unite

ASCII_DIGITS: Final[Ranges] = ((0x30, 0x39),)
ASCII_WORDS: Final[Ranges] = ((0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A))
ECMA_LINE_ENDS: Final[Ranges] = ((0x0A, 0x0A), (0x0D, 0x0D), (0x2028, 0x2029))
# WhiteSpace and LineTerminator of ECMA-262, the class `\s`. Written out, as many schemas need it and asking
# every scalar for the category Zs takes 0.1 s; that category has been the same since Unicode 6.3.
ECMA_SPACE: Final[Ranges] = (
    (0x09, 0x0D),
    (0x20, 0x20),
    (0xA0, 0xA0),
    (0x1680, 0x1680),
    (0x2000, 0x200A),
    (0x2028, 0x2029),
    (0x202F, 0x202F),
    (0x205F, 0x205F),
    (0x3000, 0x3000),
    (0xFEFF, 0xFEFF),
)
BLOCK: Final = 0x4000  # scalars that are a text at one time: all of them would take 20 MB for good
CATEGORIES: Final = {
    "L": ("Letter", ("Lu", "Ll", "Lt", "Lm", "Lo")),
    "LC": ("Cased_Letter", ("Lu", "Ll", "Lt")),
    "Lu": ("Uppercase_Letter", ("Lu",)),
    "Ll": ("Lowercase_Letter", ("Ll",)),
    "Lt": ("Titlecase_Letter", ("Lt",)),
    "Lm": ("Modifier_Letter", ("Lm",)),
    "Lo": ("Other_Letter", ("Lo",)),
    "M": ("Mark", ("Mn", "Mc", "Me")),
    "Mn": ("Nonspacing_Mark", ("Mn",)),
    "Mc": ("Spacing_Mark", ("Mc",)),
    "Me": ("Enclosing_Mark", ("Me",)),
    "N": ("Number", ("Nd", "Nl", "No")),
    "Nd": ("Decimal_Number", ("Nd",)),
    "Nl": ("Letter_Number", ("Nl",)),
    "No": ("Other_Number", ("No",)),
    "P": ("Punctuation", ("Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po")),
    "Pc": ("Connector_Punctuation", ("Pc",)),
    "Pd": ("Dash_Punctuation", ("Pd",)),
    "Ps": ("Open_Punctuation", ("Ps",)),
    "Pe": ("Close_Punctuation", ("Pe",)),
    "Pi": ("Initial_Punctuation", ("Pi",)),
    "Pf": ("Final_Punctuation", ("Pf",)),
    "Po": ("Other_Punctuation", ("Po",)),
    "S": ("Symbol", ("Sm", "Sc", "Sk", "So")),
    "Sm": ("Math_Symbol", ("Sm",)),
    "Sc": ("Currency_Symbol", ("Sc",)),
    "Sk": ("Modifier_Symbol", ("Sk",)),
    "So": ("Other_Symbol", ("So",)),
    "Z": ("Separator", ("Zs", "Zl", "Zp")),
    "Zs": ("Space_Separator", ("Zs",)),
    "Zl": ("Line_Separator", ("Zl",)),
    "Zp": ("Paragraph_Separator", ("Zp",)),
    "C": ("Other", ("Cc", "Cf", "Cs", "Co", "Cn")),
    "Cc": ("Control", ("Cc",)),
    "Cf": ("Format", ("Cf",)),
    "Cs": ("Surrogate", ("Cs",)),
    "Co": ("Private_Use", ("Co",)),
    "Cn": ("Unassigned", ("Cn",)),
}


@cache
def python_class(letter: str, *, ascii_only: bool) -> Ranges:
    r"""The set of ``\d``, ``\w`` or ``\s`` in `re`."""
    pattern = re.compile(f"\\{letter}+", re.ASCII if ascii_only else 0)
    return _spans(pattern)


@lru_cache(maxsize=4096)
def ignoring_case(item: str, base: Ranges, *, ascii_only: bool) -> Ranges:
    """What one character or class matches in `re` under IGNORECASE.

    Parameters
    ----------
    item : str
        A pattern that matches one character.
    base : ranges
        What it matches with regard to case.
    ascii_only : bool
        Whether the ASCII flag is set.

    Notes
    -----
    Characters that have no other case and are the other case of none are decided by `base`.
    """
    cased, ranges = _cased()
    flags = re.IGNORECASE | (re.ASCII if ascii_only else re.NOFLAG)
    found = {ord(char) for char in re.findall(item, cased, flags | re.DOTALL)}
    return unite(subtract(base, ranges), _points(found))


@lru_cache(maxsize=4096)
def ecma_ignoring_case(ranges: Ranges) -> Ranges:
    """What a set of characters matches in ECMA-262 under flags ``i`` and ``u``: simple case folding."""
    classes, cased = _simple_folds()
    found = [ranges]
    for low, high in intersect(ranges, cased):
        for point in range(low, high + 1):
            found.append(classes[point])
    return unite(*found)


@cache
def _simple_folds() -> tuple[dict[int, Ranges], Ranges]:
    """The characters that fold to the same one, by character; and all that fold together with others.

    Two characters have the same simple folding exactly when they have the same full one.
    """
    groups: dict[str, list[int]] = {}
    for char in chain.from_iterable(text for _, text in scalar_texts()):
        folded = char.casefold()
        if folded != char:
            start = [ord(folded)] if len(folded) == 1 else []
            groups.setdefault(folded, start).append(ord(char))
    classes = {point: _points(group) for group in groups.values() for point in group if len(group) > 1}
    return classes, _points(classes)


@cache
def _cased() -> tuple[str, Ranges]:
    """All characters for which case matters in some way, as a text and as ranges."""
    points: set[int] = set()
    for char in chain.from_iterable(text for _, text in scalar_texts()):
        lower, upper = char.lower(), char.upper()
        if lower != char or upper != char:
            points.update(map(ord, char + lower + upper))
    text = "".join(map(chr, sorted(points)))
    return text, _points(points)


def _spans(pattern: re.Pattern[str]) -> Ranges:
    pairs: list[tuple[int, int]] = []
    for low, text in scalar_texts():
        pairs.extend((low + match.start(), low + match.end() - 1) for match in pattern.finditer(text))
    return normalise(pairs)


def scalar_texts() -> Iterator[tuple[int, str]]:
    """All scalars in blocks: the first of each, and its scalars as a text."""
    for first, last in SCALARS:
        for low in range(first, last + 1, BLOCK):
            points = np.arange(low, min(low + BLOCK, last + 1), dtype="<u4")
            yield low, points.tobytes().decode("utf-32-le")


def _points(points: Iterable[int]) -> Ranges:
    return normalise((point, point) for point in points)
