"""The words of a Lark grammar, and its text with extensions replaced by what Lark reads.

Law: strings, patterns and comments end where Lark's own lexer ends them; every place in the text that Lark
reads maps back to the user's text.
Cost: one pass, without backtracking.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from gramspec.grammar.lark.hooks import Atom, Kind, Lexeme, Rewrite
from gramspec.grammar.rules import Position

LONGEST_GAP: Final = 200
_WORD: Final = re.compile(
    r"""(?P<blank>[ \t]+ | \\[ ]*\n | //[^\n]* | \#[^\n]*)
      | (?P<newline>(?:\r?\n)+)
      | (?P<special><\[[^\]\n]*\]> | <[^\s<>"\[]+>)
      | (?P<string>"(?:[^"\\\n]|\\[^\n])*+"i?)
      | (?P<regexp>/(?!/)(?:[^/\\]|\\[\s\S])*+/[imslux]*)
      | (?P<directive>%[a-zA-Z_]+)
      | (?P<rule>_?[a-z][_a-z0-9]*)
      | (?P<terminal>_?[A-Z][_A-Z0-9]*)
      | (?P<number>[+-]?[0-9]+)
      | (?P<op>->|\.\.|[\s\S])""",
    re.VERBOSE,
)
_KINDS: Final[dict[str, Kind]] = {
    "newline": "newline",
    "string": "string",
    "regexp": "regexp",
    "directive": "directive",
    "special": "special",
    "rule": "rule",
    "terminal": "terminal",
    "number": "number",
    "op": "op",
}
_UNENDED: Final = {
    '"': ("a string that does not end on its line", 'close it with `"`; a quote inside it is written `\\"`'),
    "/": ("a regular expression that does not end", "close it with `/`; a slash inside it is written `\\/`"),
}


def lexemes(text: str, file: str = "") -> list[Lexeme]:
    """The words of a grammar's text; blanks and comments are left out.

    Raises
    ------
    GrammarError
        For a string or a pattern without an end.
    """
    return list(_lexemes(text, file))


def _lexemes(text: str, file: str) -> Iterator[Lexeme]:
    for match in _WORD.finditer(text):
        name = match.lastgroup
        if name is None or name == "blank":
            continue
        if name == "op" and match[0] in _UNENDED:
            raise Position(text, match.start(), file).error(*_UNENDED[match[0]])
        yield Lexeme(_KINDS[name], match[0], match.start())


def long_gaps(text: str, found: list[Lexeme], others: tuple[Rewrite, ...]) -> tuple[Rewrite, ...]:
    """Long blanks and comments between words shortened: Lark takes their length squared to read them."""
    taken = sorted((change.begin, change.end) for change in others)
    gaps: list[Rewrite] = []
    end, breaks, at = 0, False, 0
    for lexeme in (*found, Lexeme("op", "", len(text))):
        if lexeme.kind == "newline":
            breaks = True
            continue
        if lexeme.offset - end > LONGEST_GAP:
            while at < len(taken) and taken[at][1] <= end:
                at += 1
            if at == len(taken) or taken[at][0] >= lexeme.offset:
                gaps.append(Rewrite(end, lexeme.offset, "\n" if breaks else " "))
        end, breaks = lexeme.end, False
    return tuple(gaps)


@dataclass(slots=True)
class Source:
    """The text of one file as the user wrote it and as Lark reads it.

    Parameters
    ----------
    text : str
        As the user wrote it.
    file : str
        Its name for errors; empty for the text given to `lark`.
    read : str
        As Lark reads it; the same until `rewrite`.
    atoms : list of Atom
        What the rewritten spans stand for, by the number in their stand-ins.
    """

    text: str
    file: str = ""
    read: str = ""
    atoms: list[Atom] = field(default_factory=list)
    _begins: list[int] = field(default_factory=list)
    _spans: list[tuple[int, int, Rewrite]] = field(default_factory=list)
    _mark: str = ""

    def __post_init__(self) -> None:
        self.read = self.text

    def rewrite(self, rewrites: tuple[Rewrite, ...]) -> None:
        """Replace spans of the text; they do not overlap."""
        self._mark = next(chr(c) for c in range(0xFDD0, 0x110000) if chr(c) not in self.text)
        pieces: list[str] = []
        at = length = 0
        for change in sorted(rewrites, key=lambda r: r.begin):
            if change.begin < at:
                raise ValueError(f"rewrites overlap at {change.begin}")
            new = change.new if isinstance(change.new, str) else self._stand_in(change.new)
            pieces += (self.text[at : change.begin], new)
            length += change.begin - at
            self._begins.append(length)
            self._spans.append((length, length + len(new), change))
            length += len(new)
            at = change.end
        self.read = "".join(pieces) + self.text[at:]

    def position(self, offset: int) -> Position:
        """The place, in the user's text, of an offset in the text that Lark reads."""
        return Position(self.text, self._original(offset), self.file)

    def rewritten(self, offset: int) -> bool:
        """Whether an offset in the text that Lark reads lies in a replaced span."""
        index = bisect_right(self._begins, offset) - 1
        return index >= 0 and offset < self._spans[index][1]

    def atom(self, literal: str) -> Atom | None:
        """The atom that a string literal stands for, if it stands for one."""
        if not self._mark or not literal.startswith(f'"{self._mark}'):
            return None
        return self.atoms[int(literal[2:-1])]

    def _stand_in(self, atom: Atom) -> str:
        self.atoms.append(atom)
        return f'"{self._mark}{len(self.atoms) - 1}" '  # no flag may follow

    def _original(self, offset: int) -> int:
        index = bisect_right(self._begins, offset) - 1
        if index < 0:
            return min(offset, len(self.text))
        _, end, change = self._spans[index]
        return change.begin if offset < end else min(change.end + offset - end, len(self.text))
