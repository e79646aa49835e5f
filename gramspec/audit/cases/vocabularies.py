"""Vocabularies of an audit: a small one over all bytes, where every token can be tried by hand.

Law: every byte is a token, so that a byte that may follow can be written; pieces of several bytes cross the
borders that masks get wrong (quotes with braces, halves of characters, escapes, words with blanks).
"""

from __future__ import annotations

import functools
from typing import Final

from gramspec.vocabulary import Vocabulary

_PIECES: Final = (
    '{"', '"}', '":', '": ', '", "', '","', '"]', "]}", "}}", "},", '},{"', "[[", "],", '":"', '":{"', "{}",
    "[]", '""', ": ", ", ", "  ", "\n  ", "\r\n", '\\"', "\\\\", "\\n", "\\u", "\\u00", "00", "10", "12",
    "123", "0.", ".0", ".5", "e1", "E+", "-1", "1,", "1}", "true", "false", "null", "tru", "nul", "ab",
    "abc", "aa", "aaa", "bc", "na", "name", '"name', "id", '"a"', '"a":', 'a"', 'b"', " a", " the", "é",
    "日", "😀", "ü", "x", "xy", "foo", "bar", "fo", "(", "))", "()", "+1", "20", "2024", "-01", "@", ".com",
)  # fmt: skip
_HALVES: Final = (b"\xc3", b'\xa9"', b"\xe6\x97", b"\xa5", b"\xf0\x9f", b'\x98\x80"')


@functools.cache
def small_vocabulary() -> Vocabulary:
    """All bytes, some eighty pieces of several bytes, and EOS, which is the last id."""
    tokens = [bytes([value]) for value in range(256)]
    for piece in (*(p.encode() for p in _PIECES), *_HALVES):
        if piece not in tokens:
            tokens.append(piece)
    return Vocabulary([*tokens, None], [len(tokens)])
