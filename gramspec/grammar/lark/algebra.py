"""Terminals with ``&`` (both) and ``~`` (not): bodies that Lark has no syntax for.

Law: `~` binds like a repetition's operand, then repetitions, then concatenation, then `&`, then `|`; a
complement is taken among all texts.
Cost: linear in the body; nested at most 100 deep.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NoReturn

from gramspec.grammar import ir
from gramspec.grammar.lark import atoms
from gramspec.grammar.lark.hooks import Context, Lexeme
from gramspec.grammar.lark.patterns import pattern_of
from gramspec.grammar.rules import Position

_MOST_NESTED: Final = 100
_Make = Callable[[Context], ir.Expr]
_COUNTS: Final[dict[str, tuple[int, int | None]]] = {"?": (0, 1), "*": (0, None), "+": (1, None)}


def parse(text: str, words: Sequence[Lexeme], position: Callable[[int], Position]) -> _Make:
    """What makes the language of a terminal's body.

    Raises
    ------
    GrammarError
        At the first word that does not fit.
    """
    parser = _Parser(text, [word for word in words if word.kind != "newline"], position)
    make = parser.either(0)
    if parser.at < len(parser.words):
        parser.wrong("is not expected here")
    return make


class _Parser:
    def __init__(self, text: str, words: list[Lexeme], position: Callable[[int], Position]) -> None:
        self.text, self.words, self.position = text, words, position
        self.at = 0

    def either(self, depth: int) -> _Make:
        if depth > _MOST_NESTED:
            self.wrong(f"is nested more than {_MOST_NESTED} deep")
        parts = [self.both(depth)]
        while self.sees("|"):
            self.at += 1
            parts.append(self.both(depth))
        return parts[0] if len(parts) == 1 else lambda c: ir.union(*(make(c) for make in parts))

    def both(self, depth: int) -> _Make:
        parts = [self.row(depth)]
        while self.sees("&"):
            self.at += 1
            parts.append(self.row(depth))
        return parts[0] if len(parts) == 1 else lambda c: ir.And(tuple(make(c) for make in parts))

    def row(self, depth: int) -> _Make:
        parts: list[_Make] = []
        while self.at < len(self.words) and not (
            self.words[self.at].kind == "op" and self.words[self.at].text in "|&)]"
        ):
            parts.append(self.item(depth))
        if not parts:
            self.wrong("stands where a pattern, a string or a terminal is due")
        return parts[0] if len(parts) == 1 else lambda c: ir.concat(*(make(c) for make in parts))

    def item(self, depth: int) -> _Make:
        negations = 0
        while self.sees("~"):
            self.at += 1
            negations += 1
        make = self.value(depth)
        if negations % 2:
            inner = make
            make = _negated(inner)
        while self.at < len(self.words):
            bounds = self.bounds()
            if bounds is None:
                break
            make = _repeated(make, *bounds)
        return make

    def bounds(self) -> tuple[int, int | None] | None:
        from gramspec.grammar.lark.extensions import count

        word = self.words[self.at]
        if word.kind != "op":
            return None
        if word.text in _COUNTS:
            self.at += 1
            return _COUNTS[word.text]
        if word.text == "{":
            found = count(self.text, word.offset, self.position)
            if found is None:
                self.wrong("is no count")
            self.skip(found[2])
            return found[0], found[1]
        if word.text == "~":
            return self.tilde()
        return None

    def tilde(self) -> tuple[int, int] | None:
        """``~ n`` and ``~ n..m``; before anything else, `~` is a complement."""
        following = self.words[self.at + 1 : self.at + 4]
        if not following or following[0].kind != "number":
            return None
        low = high = int(following[0].text)
        self.at += 2
        if len(following) == 3 and following[1].text == ".." and following[2].kind == "number":
            high = int(following[2].text)
            self.at += 2
        if not 0 <= low <= high:
            raise self.position(following[0].offset).error(f"{low}..{high} repetitions")
        return low, high

    def value(self, depth: int) -> _Make:
        if self.at >= len(self.words):
            self.wrong("")
        word = self.words[self.at]
        place = self.position(word.offset)
        if word.kind == "op" and word.text in "([":
            self.at += 1
            inner = self.either(depth + 1)
            if not self.sees(")" if word.text == "(" else "]"):
                self.wrong(f"stands where `{word.text}` is to be closed")
            self.at += 1
            return inner if word.text == "(" else _repeated(inner, 0, 1)
        if word.kind == "terminal":
            self.at += 1
            return lambda c: c.terminal(word.text, place)
        if word.text == "%regex":
            atom, end = atoms.directive(word, self.text, self.position)
            self.skip(end)
            return atom.make
        if word.kind not in ("string", "regexp"):
            self.wrong("stands where a pattern, a string or a terminal is due")
        self.at += 1
        if word.text == '""':
            return lambda _: ir.EPSILON
        if self.sees("..") and self.at + 1 < len(self.words) and self.words[self.at + 1].kind == "string":
            last = self.words[self.at + 1]
            self.at += 2
            low, high = (self.written(one) for one in (word, last))
            if len(low.value) != 1 or len(high.value) != 1 or low.value > high.value:
                raise place.error(f"{word.text}..{last.text} is no range of characters")
            return lambda c: c.pattern(f"[\\U{ord(low.value):08x}-\\U{ord(high.value):08x}]", place)
        pattern = self.written(word).regexp
        return lambda c: c.pattern(pattern, place)

    def written(self, word: Lexeme) -> Any:
        from lark import Token

        token: Any = Token("STRING" if word.kind == "string" else "REGEXP", word.text)
        return pattern_of(token, self.position(word.offset))

    def sees(self, text: str) -> bool:
        word = self.words[self.at] if self.at < len(self.words) else None
        return word is not None and word.kind == "op" and word.text == text

    def skip(self, end: int) -> None:
        while self.at < len(self.words) and self.words[self.at].offset < end:
            self.at += 1

    def wrong(self, reason: str) -> NoReturn:
        if self.at < len(self.words):
            word = self.words[self.at]
            raise self.position(word.offset).error(f"`{word.text}` {reason}")
        offset = self.words[-1].end if self.words else 0
        raise self.position(offset).error("the terminal ends where something is due")


def _negated(inner: _Make) -> _Make:
    return lambda c: ir.Not(inner(c))


def _repeated(inner: _Make, least: int, most: int | None) -> _Make:
    return lambda c: ir.repeat(inner(c), least, most)
