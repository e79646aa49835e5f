"""The Python dialect: `re` syntax, parsed by `re` itself and translated item by item.

Law: `parse` gives the texts that `re.fullmatch` (or `re.search`) accepts; what is not regular is refused.
Source: `re` of the running Python (`re._parser`).
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Generator, Iterator, Sequence
from functools import cache, cached_property
from re import _constants as sre  # type: ignore[attr-defined, unused-ignore]
from re import _parser as sre_parser  # type: ignore[attr-defined, unused-ignore]
from threading import Lock
from typing import Any, Final, NoReturn

from gramspec.errors import GrammarError, UnsupportedError
from gramspec.grammar.ranges import SCALARS, Ranges, complement, normalise, of, subtract, unite
from gramspec.grammar.regex import tree
from gramspec.grammar.regex.atomic import atomic, possessive
from gramspec.grammar.regex.tree import ANY_LEFT, ANY_RIGHT, Here, Left, Right, Tree
from gramspec.grammar.regex.unicode import ASCII_WORDS, ignoring_case, python_class

_Items = Sequence[tuple[Any, Any]]
_Steps = Generator[tuple[_Items, int], Tree, Tree]

MAX_NESTING: Final = 200
_TYPE_FLAGS: Final = sre.SRE_FLAG_ASCII | sre.SRE_FLAG_LOCALE | sre.SRE_FLAG_UNICODE
_WARNINGS: Final = Lock()  # `catch_warnings` changes state of the whole process
_CHARS: Final = (sre.LITERAL, sre.NOT_LITERAL, sre.IN, sre.ANY)
_REPEATS: Final = (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT)
_CATEGORIES: Final = {
    sre.CATEGORY_DIGIT: ("d", False),
    sre.CATEGORY_NOT_DIGIT: ("d", True),
    sre.CATEGORY_SPACE: ("s", False),
    sre.CATEGORY_NOT_SPACE: ("s", True),
    sre.CATEGORY_WORD: ("w", False),
    sre.CATEGORY_NOT_WORD: ("w", True),
}
_REFUSED: Final = {
    "back-reference": r"\(\?P=|\\[1-9]",
    "conditional group": r"\(\?\(",
    "atomic group": r"\(\?>",
    "possessive quantifier": r"[*+?}]\+",
}
_HINTS: Final = {
    "back-reference": "repeat the alternatives; a language with back-references is not regular",
    "conditional group": "write both cases as alternatives",
    "atomic group": "use (?:...), which also allows backtracking into the group",
    "possessive quantifier": "use the plain quantifier, which also allows backtracking",
}
_NEWLINE: Final[Ranges] = ((10, 10),)


def parse(pattern: str) -> Tree:
    """The tree of a pattern."""
    _check_nesting(pattern)
    try:
        with _WARNINGS, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            items = sre_parser.parse(pattern)
    except re.error as error:
        raise GrammarError(f"@{error.pos or 0}", error.msg, "", pattern) from error
    except RecursionError as error:
        raise GrammarError("@0", "the pattern is nested too deeply", "flatten the groups", pattern) from error
    except (OverflowError, ValueError) as error:  # ValueError: more digits than int() reads
        raise GrammarError(
            _place(pattern, r"\{"), "the repetition bound is too large", "", pattern
        ) from error
    return _Translator(pattern).translate(items, items.state.flags)


class _Translator:
    """Turns what `re` parsed into a tree, with a stack of its own instead of recursion."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.chars: dict[tuple[int, int], Tree] = {}
        start = re.compile(r"\(\?<?[=!]")
        self.looks = iter([f"@{offset}" for offset in _places(pattern) if start.match(pattern, offset)])

    def translate(self, items: _Items, flags: int) -> Tree:
        stack = [self.items(items, flags)]
        answer: Tree = tree.NOTHING
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

    def items(self, items: _Items, flags: int) -> _Steps:
        """A sequence of items; yields the bodies it needs translated, with their flags."""
        found: list[Tree] = []
        for op, value in items:
            if op in _CHARS:
                found.append(self.one_char(op, value, flags))
            elif op is sre.BRANCH:
                branches: list[Tree] = []
                for body in value[1]:
                    branches.append((yield body, flags))
                found.append(tree.choice(branches))
            elif op is sre.AT:
                found.append(_anchor(value, flags))
            elif op in _REPEATS:
                found.append(self.repetition(op, value[0], value[1], (yield value[2], flags)))
            elif op is sre.FAILURE:  # the parser's form of (?!)
                next(self.looks, None)
                found.append(tree.NEVER)
            elif op is sre.SUBPATTERN:
                found.append((yield value[3], _combine(flags, value[1], value[2])))
            elif op is sre.ATOMIC_GROUP:
                place = _place(self.pattern, _REFUSED["atomic group"])
                found.append(
                    self.known(atomic((yield value, flags), "atomic group", place), "atomic group", place)
                )
            elif op in (sre.ASSERT, sre.ASSERT_NOT):
                place = next(self.looks, "@0")
                self.check_width(value, place)
                body = yield value[1], flags
                found.append(tree.Look(body, value[0] > 0, op is sre.ASSERT_NOT, place))
            else:
                self.refuse(op)
        return tree.sequence(found)

    def one_char(self, op: Any, value: Any, flags: int) -> Tree:
        if op is not sre.LITERAL:
            return tree.Chars(_one_char(op, value, flags))
        found = self.chars.get((value, flags))
        if found is None:
            found = self.chars[value, flags] = tree.Chars(_one_char(op, value, flags))
        return found

    def repetition(self, op: Any, minimum: Any, maximum: Any, item: Tree) -> Tree:
        bound = None if maximum is sre.MAXREPEAT else int(maximum)
        found = tree.Repetition(item, int(minimum), bound, self.brace, op is sre.MIN_REPEAT)
        if op is not sre.POSSESSIVE_REPEAT:
            return found
        place = _place(self.pattern, _REFUSED["possessive quantifier"])
        return self.known(possessive(found, "possessive quantifier", place), "possessive quantifier", place)

    @cached_property
    def brace(self) -> str:
        """Where the first counted repetition stands; `re` does not say where each one does."""
        return _place(self.pattern, r"\{")

    def known(self, found: Tree | None, name: str, place: str) -> Tree:
        if found is None:
            raise UnsupportedError(place, name, _HINTS[name], self.pattern)
        return found

    def check_width(self, value: Any, place: str) -> None:
        low, high = value[1].getwidth()
        if value[0] < 0 and low != high:
            reason = "look-behind requires fixed-width pattern"
            raise GrammarError(place, reason, "write one look-behind for each width", self.pattern)

    def refuse(self, op: Any) -> NoReturn:
        name = {sre.GROUPREF: "back-reference", sre.GROUPREF_EXISTS: "conditional group"}.get(op)
        if name is None:
            raise UnsupportedError("@0", f"the construct {op} of re", "", self.pattern)
        raise UnsupportedError(_place(self.pattern, _REFUSED[name]), name, _HINTS[name], self.pattern)


def _anchor(where: Any, flags: int) -> Tree:
    if where in (sre.AT_BOUNDARY, sre.AT_NON_BOUNDARY):
        word = ASCII_WORDS if flags & sre.SRE_FLAG_ASCII else python_class("w", ascii_only=False)
        inside, outside = tree.boundary(word, inside_empty=_non_boundary_in_empty_text())
        return inside if where is sre.AT_BOUNDARY else outside
    lines = _NEWLINE if flags & sre.SRE_FLAG_MULTILINE else ()
    left, right = ANY_LEFT, ANY_RIGHT
    if where is sre.AT_BEGINNING:
        left = Left(lines, True)
    elif where is sre.AT_BEGINNING_STRING:
        left = Left((), True)
    elif where is sre.AT_END:
        right = Right(lines, True, True)
    else:
        right = Right((), True, False)
    return Here(((left, right),))


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
