"""Pieces of terminals: patterns that Lark would join, and languages that have no pattern.

Law: literals mean what Lark's own reading of them means; pieces are joined as Lark joins them.
Source: `lark.load_grammar`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from gramspec.grammar import ir
from gramspec.grammar.rules import Position

if TYPE_CHECKING:
    from gramspec.grammar.lark.modules import Scope

MAX_PATTERN: Final = 20_000
_FLAGS: Final = re.compile(r"(?:\(\?[aiLmsux]+\))+")

_CODE_POINT: Final = re.compile(r"\\u\{([0-9a-fA-F]{1,6})\}|\\[\s\S]")
_PARTS: Final = re.compile(
    r"\\u\{[0-9a-fA-F]{1,6}\}|\\[\s\S]|\[\^?\]?(?:\\[\s\S]|[^\]\\])*+\]|(?P<group>\(\?<(?=[A-Za-z_]))"
)


@dataclass(frozen=True, slots=True)
class Written:
    """A piece that has a pattern.

    Parameters
    ----------
    regexp : str
        The pattern, flags included.
    value : str
        Without its flags; a string as it is matched.
    is_string : bool
    """

    regexp: str
    value: str
    is_string: bool = False


Piece: TypeAlias = "Written | ir.Expr"


def pattern_of(token: Any, position: Position) -> Written:
    """What a literal says.

    Raises
    ------
    GrammarError
        If it is empty or an escape in it is malformed.
    """
    from lark.exceptions import GrammarError as LarkError
    from lark.load_grammar import _literal_to_pattern

    if token.type == "REGEXP":
        token = token.update(value=_in_python(token.value, position))
    try:
        found: Any = _literal_to_pattern(token)  # type: ignore[no-untyped-call]
    except LarkError as error:
        reason = str(error.args[0]) if len(error.args) == 1 else f"bad escape in {token.value}"
        raise position.error(reason[:1].lower() + reason[1:]) from None
    except ValueError as error:  # an escape such as "\\x4"
        raise position.error(f"bad escape in {token.value}: {error}") from None
    return Written(found.to_regexp(), found.value, found.type == "str")


def _in_python(pattern: str, position: Position) -> str:
    r"""A pattern with `\u{…}` and `(?<name>…)`, which `re` does not know, as it writes them."""

    def character(match: re.Match[str]) -> str:
        if match[1] is None:
            return match[0]
        point = int(match[1], 16)
        if point > 0x10FFFF or 0xD800 <= point < 0xE000:
            raise position.error(f"{match[0]} is no character")
        char = chr(point)
        if char.isascii() and char.isprintable():
            return char if char.isalnum() else f"\\{char}"
        return f"\\U{point:08x}"

    def part(match: re.Match[str]) -> str:
        if match["group"]:
            return "(?P<"
        return _CODE_POINT.sub(character, match[0])

    return _PARTS.sub(part, pattern)


def range_of(start: Any, end: Any, scope: Scope) -> Written:
    """The characters from one to another.

    Raises
    ------
    GrammarError
        If an end is no single character, or they are in the wrong order.
    """
    points: list[str] = []
    for token in (start, end):
        position = scope.place(token)
        pattern = pattern_of(token, position)
        if token.value.endswith("i"):
            raise position.error("the end of a range takes no flag", 'write ("a".."z" | "A".."Z")')
        if len(pattern.value) != 1:
            raise position.error(f"the end of a range is one character, not {token.value}")
        points.append(pattern.value)
    if points[0] > points[1]:
        raise scope.place(start).error("the range ends before it begins", "swap its ends")
    low, high = (f"\\U{ord(point):08x}" for point in points)
    return Written(f"[{low}-{high}]", f"[{low}-{high}]")


def together(pieces: Sequence[Piece], between: str) -> str | None:
    """The pieces as one pattern; None where one has no pattern, or they are too long together."""
    texts = [piece.regexp for piece in pieces if isinstance(piece, Written)]
    if len(texts) < len(pieces) or sum(map(len, texts)) > MAX_PATTERN:
        return None
    return between.join(texts)


def as_lark_orders(pieces: Sequence[Piece]) -> list[Piece]:
    """Alternatives of a terminal in the order in which Lark tries them: longest first."""
    from lark.utils import get_regexp_width

    def key(piece: Written) -> tuple[int, int, int]:
        least, most = get_regexp_width(piece.regexp)
        return -most, -least, -len(piece.value)

    written = [piece for piece in pieces if isinstance(piece, Written)]
    return list(pieces) if len(written) < len(pieces) else [*sorted(written, key=key)]


def first_found(pattern: str) -> str:
    """The pattern of what a match finds first; flags for the whole pattern stay in front."""
    flags = _FLAGS.match(pattern)
    front = flags[0] if flags else ""
    return f"{front}(?>{pattern[len(front) :]})"
