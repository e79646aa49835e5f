"""The Python dialect: `re` syntax, parsed by `re` itself and translated item by item.

Law: `parse` gives the texts that `re.fullmatch` (or `re.search`) accepts; what is not regular is refused.
Source: `re` of the running Python (`re._parser`).
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Generator, Iterator, Sequence
from functools import cache
from re import _constants as sre  # type: ignore[attr-defined]
from re import _parser as sre_parser  # type: ignore[attr-defined]
from threading import Lock
from typing import Any, Final

from gramspec.errors import GrammarError, UnsupportedError
from gramspec.grammar import ir
from gramspec.grammar.ranges import SCALARS, Ranges, complement, normalise, of, subtract, unite
from gramspec.grammar.regex import contexts
from gramspec.grammar.regex.contexts import Builder, Piece
from gramspec.grammar.regex.unicode import ASCII_WORDS, ignoring_case, python_class

_Tree = Sequence[tuple[Any, Any]]
_Steps = Generator[tuple[_Tree, int], Piece, Piece]

MAX_NESTING: Final = 200
_TYPE_FLAGS: Final = sre.SRE_FLAG_ASCII | sre.SRE_FLAG_LOCALE | sre.SRE_FLAG_UNICODE
_WARNINGS: Final = Lock()  # `catch_warnings` changes state of the whole process
_CHARS: Final = (sre.LITERAL, sre.NOT_LITERAL, sre.IN, sre.ANY)
_REPEATS: Final = (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT)
_LOOKS: Final = ("look-behind", "look-ahead")
_CATEGORIES: Final = {
    sre.CATEGORY_DIGIT: ("d", False),
    sre.CATEGORY_NOT_DIGIT: ("d", True),
    sre.CATEGORY_SPACE: ("s", False),
    sre.CATEGORY_NOT_SPACE: ("s", True),
    sre.CATEGORY_WORD: ("w", False),
    sre.CATEGORY_NOT_WORD: ("w", True),
}
_REFUSED: Final = {
    "look-ahead": r"\(\?[=!]",
    "look-behind": r"\(\?<[=!]",
    "back-reference": r"\(\?P=|\\[1-9]",
    "conditional group": r"\(\?\(",
    "atomic group": r"\(\?>",
    "possessive quantifier": r"[*+?}]\+",
}
_HINTS: Final = {
    "look-ahead": "write the alternatives out",
    "look-behind": "write the alternatives out",
    "back-reference": "repeat the alternatives; a language with back-references is not regular",
    "conditional group": "write both cases as alternatives",
    "atomic group": "use (?:...), which also allows backtracking into the group",
    "possessive quantifier": "use the plain quantifier, which also allows backtracking",
}


def parse(pattern: str, *, search: bool) -> ir.Expr:
    """The language of a pattern over `CharSet` leaves."""
    _check_nesting(pattern)
    try:
        with _WARNINGS, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = sre_parser.parse(pattern)
    except re.error as error:
        raise GrammarError(f"@{error.pos or 0}", error.msg, "", pattern) from error
    except RecursionError as error:
        raise GrammarError("@0", "the pattern is nested too deeply", "flatten the groups", pattern) from error
    except (OverflowError, ValueError) as error:  # ValueError: more digits than int() reads
        raise GrammarError(
            _place(pattern, r"\{"), "the repetition bound is too large", "", pattern
        ) from error
    translator = _Translator(pattern)
    piece = translator.translate(tree, tree.state.flags)
    return translator.builder.finish(piece, search=search)


class _Translator:
    """Turns the tree that `re` parsed into pieces, with a stack of its own instead of recursion."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.literals: dict[tuple[int, int], Piece] = {}
        has_boundary = "\\b" in pattern or "\\B" in pattern
        words = python_class("w", ascii_only=False) if has_boundary else ASCII_WORDS
        self.builder = Builder(ASCII_WORDS, words)

    def translate(self, tree: _Tree, flags: int) -> Piece:
        stack = [self.items(tree, flags)]
        answer: Piece = {}
        resume = False
        while stack:
            try:
                body, inner = stack[-1].send(answer) if resume else next(stack[-1])
            except StopIteration as stop:
                stack.pop()
                answer, resume = stop.value, True
            else:
                stack.append(self.items(body, inner))
                resume = False
        return answer

    def items(self, tree: _Tree, flags: int) -> _Steps:
        """A sequence of items; yields the bodies it needs translated, with their flags."""
        pieces: list[Piece] = []
        build = self.builder
        for op, value in tree:
            if op in _CHARS:
                pieces.append(self.one_char(op, value, flags))
            elif op is sre.BRANCH:
                branches: list[Piece] = []
                for body in value[1]:
                    branches.append((yield body, flags))
                pieces.append(build.alternatives(branches))
            elif op is sre.AT:
                pieces.append(self.anchor(value, flags))
            elif op in _REPEATS:
                self.check(op, value)
                minimum, maximum, body = value
                bound = None if maximum is sre.MAXREPEAT else int(maximum)
                piece = yield body, flags
                place = _place(self.pattern, r"\{")
                pieces.append(build.repetition(piece, int(minimum), bound, place, self.pattern))
            elif op is sre.FAILURE:  # the parser's form of (?!)
                pieces.append({})
            else:
                self.check(op, value)
                if op is sre.SUBPATTERN:
                    pieces.append((yield value[3], _combine(flags, value[1], value[2])))
                elif op is sre.ATOMIC_GROUP:
                    pieces.append((yield value, flags))
        return build.sequence(pieces)

    def one_char(self, op: Any, value: Any, flags: int) -> Piece:
        if op is not sre.LITERAL:
            return self.builder.chars(_one_char(op, value, flags))
        piece = self.literals.get((value, flags))
        if piece is None:
            piece = self.literals[value, flags] = self.builder.chars(_one_char(op, value, flags))
        return piece

    def check(self, op: Any, value: Any) -> None:
        """Refuse what depends on more than the characters it matches."""
        name = ""
        if op is sre.POSSESSIVE_REPEAT:
            name = "" if value[0] == value[1] and _has_one_way(value[2]) else "possessive quantifier"
        elif op is sre.ATOMIC_GROUP:
            name = "" if _has_one_way(value) else "atomic group"
        elif op in (sre.ASSERT, sre.ASSERT_NOT):  # the empty look-ahead asks for nothing
            name = "" if op is sre.ASSERT and not len(value[1]) else _LOOKS[value[0] > 0]
        elif op is sre.GROUPREF:
            name = "back-reference"
        elif op is sre.GROUPREF_EXISTS:
            name = "conditional group"
        elif op not in (sre.SUBPATTERN, *_REPEATS):
            raise UnsupportedError("@0", f"the construct {op} of re", "", self.pattern)
        if name:
            raise UnsupportedError(_place(self.pattern, _REFUSED[name]), name, _HINTS[name], self.pattern)

    def anchor(self, where: Any, flags: int) -> Piece:
        build = self.builder
        if where in (sre.AT_BOUNDARY, sre.AT_NON_BOUNDARY):
            inside, outside = build.boundary(
                ascii_only=bool(flags & sre.SRE_FLAG_ASCII), inside_empty=_non_boundary_in_empty_text()
            )
            return inside if where is sre.AT_BOUNDARY else outside
        left, right = contexts.LEFT_ANY, contexts.RIGHT_ANY
        lines = bool(flags & sre.SRE_FLAG_MULTILINE)
        if where is sre.AT_BEGINNING:
            left = contexts.START | (contexts.NEWLINE if lines else 0)
        elif where is sre.AT_BEGINNING_STRING:
            left = contexts.START
        elif where is sre.AT_END:
            right = contexts.END | contexts.LAST_NEWLINE | (contexts.NEWLINE if lines else 0)
        else:
            right = contexts.END
        return build.assertion([(left, right)])


def _one_char(op: Any, value: Any, flags: int) -> Ranges:
    """The set that an item of one character matches."""
    ascii_only = bool(flags & sre.SRE_FLAG_ASCII)
    if op is sre.ANY:
        return SCALARS if flags & sre.SRE_FLAG_DOTALL else subtract(SCALARS, of("\n"))
    if op is not sre.IN:
        base = normalise([(value, value)])
        base = complement(base) if op is sre.NOT_LITERAL else base
        spelled = f"[{'^' if op is sre.NOT_LITERAL else ''}{_escape(value)}]"
    else:
        base, spelled = _set(value, ascii_only)
    if not flags & sre.SRE_FLAG_IGNORECASE:
        return base
    return ignoring_case(spelled, base, ascii_only=ascii_only)


def _set(members: Sequence[tuple[Any, Any]], ascii_only: bool) -> tuple[Ranges, str]:
    """A class as ranges, and as a pattern with every character escaped."""
    parts: list[Ranges] = []
    spelled: list[str] = []
    negated = False
    for op, value in members:
        if op is sre.NEGATE:
            negated = True
        elif op is sre.LITERAL:
            parts.append(((value, value),))
            spelled.append(_escape(value))
        elif op is sre.RANGE:
            parts.append((tuple(value),))
            spelled.append(f"{_escape(value[0])}-{_escape(value[1])}")
        else:
            letter, outside = _CATEGORIES[value]
            inside = python_class(letter, ascii_only=ascii_only)
            parts.append(complement(inside) if outside else inside)
            spelled.append("\\" + (letter.upper() if outside else letter))
    ranges = unite(*parts)
    return complement(ranges) if negated else ranges, f"[{'^' if negated else ''}{''.join(spelled)}]"


def _escape(point: int) -> str:
    return f"\\U{point:08x}"


def _combine(flags: int, added: int, removed: int) -> int:
    """Flags inside a scoped group, as `re` combines them."""
    if added & _TYPE_FLAGS:
        flags &= ~_TYPE_FLAGS
    return (flags | added) & ~removed


def _has_one_way(tree: _Tree) -> bool:
    """Whether a body can match a given text in one way only, so that atomicity changes nothing."""
    for op, value in tree:
        if op is sre.SUBPATTERN:
            if not _has_one_way(value[3]):
                return False
        elif op not in _CHARS:
            return False
    return True


@cache
def _non_boundary_in_empty_text() -> bool:
    r"""Whether ``\B`` matches in the empty text: Python changed its mind in 3.14."""
    return re.search(r"\B", "") is not None


def _places(pattern: str) -> Iterator[int]:
    """Offsets of the pattern that stand outside classes and are not escaped."""
    offset, in_class = 0, False
    while offset < len(pattern):
        char = pattern[offset]
        if not in_class:
            yield offset
        if char == "\\":
            offset += 1
        elif in_class:
            in_class = char != "]"
        elif char == "[":
            in_class = True
            if pattern[offset + 1 : offset + 2] == "^":
                offset += 1
            if pattern[offset + 1 : offset + 2] == "]":
                offset += 1
        offset += 1


def _place(pattern: str, construct: str) -> str:
    """Pointer to the first place where a construct (a pattern for its beginning) stands."""
    start = re.compile(construct)
    return next((f"@{offset}" for offset in _places(pattern) if start.match(pattern, offset)), "@0")


def _check_nesting(pattern: str) -> None:
    depth = 0
    for offset in _places(pattern):
        if pattern[offset] == "(":
            depth += 1
            if depth > MAX_NESTING:
                reason = f"groups nested more than {MAX_NESTING} deep"
                raise GrammarError(f"@{offset}", reason, "flatten the groups", pattern)
        elif pattern[offset] == ")":
            depth -= 1
