"""The ECMA-262 dialect: a hand-written parser of RegExp syntax over code points (flag ``u``).

Law: `parse` gives the strings on which `RegExp.prototype.test` is true (search) or that match as a whole.
Source: ECMA-262 section 22.2.1, with the leniency of Annex B.1.2 where flag ``u`` would be a syntax error.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final, NoReturn

from gramspec.errors import GrammarError, UnsupportedError
from gramspec.grammar.ranges import SCALARS, Ranges, complement, normalise, unite
from gramspec.grammar.regex import tree
from gramspec.grammar.regex.properties import unicode_property
from gramspec.grammar.regex.tree import ANY_LEFT, ANY_RIGHT, Here, Left, Right, Tree
from gramspec.grammar.regex.unicode import (
    ASCII_DIGITS,
    ASCII_WORDS,
    ECMA_LINE_ENDS,
    ECMA_SPACE,
    ecma_ignoring_case,
)

MAX_NESTING: Final = 200
_CONTROL: Final = {"f": 0x0C, "n": 0x0A, "r": 0x0D, "t": 0x09, "v": 0x0B}
_QUANTIFIER: Final = re.compile(r"[*+?]|\{([0-9]+)(,([0-9]*))?\}")
_GROUP_NAME: Final = re.compile(r"\(\?<((?:[^>\\=!]|\\u\{[0-9A-Fa-f]{1,6}\}|\\u[0-9A-Fa-f]{4})+)>")
_PYTHON_GROUP_NAME: Final = re.compile(r"\(\?P<([A-Za-z_][A-Za-z0-9_]*)>")
_NAME_ESCAPE: Final = re.compile(r"\\u\{?([0-9A-Fa-f]+)\}?")
_OCTAL: Final = re.compile(r"[0-3][0-7]{0,2}|[4-7][0-7]?")
_HEX2: Final = re.compile(r"x([0-9A-Fa-f]{2})")
_HEX4: Final = re.compile(r"u([0-9A-Fa-f]{4})")
_LOW_HALF: Final = re.compile(r"\\u([Dd][C-Fc-f][0-9A-Fa-f]{2})")
_BRACED: Final = re.compile(r"u\{([0-9A-Fa-f]+)\}")
_PROPERTY: Final = re.compile(r"[pP]\{([A-Za-z0-9_]+)(?:=([A-Za-z0-9_]+))?\}")
_SCOPED_FLAGS: Final = re.compile(r"\(\?([ims]*)(?:-([ims]*))?:")
_LOOKS: Final = {"(?=": (True, False), "(?!": (True, True), "(?<=": (False, False), "(?<!": (False, True)}
_MAX_DIGITS: Final = 18
_NO_LINE_END: Final = complement(ECMA_LINE_ENDS)


@dataclass(frozen=True, slots=True)
class Habits:
    r"""Where engines with ECMA-262's syntax have a meaning of their own; the defaults are the standard's.

    Parameters
    ----------
    any_character : Ranges
        What ``.`` matches.
    space : Ranges
        What ``\s`` matches.
    ignoring_case : callable
        A set of characters with those that differ from them in case alone.
    ignore_case : bool
        Whether case is ignored from the beginning.
    python_syntax : bool
        Whether ``(?i)`` may stand at the beginning, and ``(?P<name>...)`` is a group.
    """

    any_character: Ranges = _NO_LINE_END
    space: Ranges = ECMA_SPACE
    ignoring_case: Callable[[Ranges], Ranges] = ecma_ignoring_case
    ignore_case: bool = False
    python_syntax: bool = False


def parse(pattern: str, habits: Habits | None = None) -> Tree:
    """The tree of a pattern."""
    return _Parser(pattern, habits or Habits()).run()


@dataclass(frozen=True, slots=True)
class _Flags:
    """The flags in force; flag ``u`` always is."""

    ignore_case: bool = False
    multiline: bool = False
    dotall: bool = False


@dataclass(slots=True)
class _Frame:
    """A group that is open: finished alternatives and the current one."""

    offset: int
    flags: _Flags  # of what follows the group
    look: tuple[bool, bool] | None = None  # (ahead, negative)
    alternatives: list[Tree] = field(default_factory=list)
    sequence: list[Tree] = field(default_factory=list)


class _Parser:
    def __init__(self, pattern: str, habits: Habits) -> None:
        self.text = pattern
        self.habits = habits
        leading = habits.python_syntax and pattern.startswith("(?i)")
        self.at = 4 if leading else 0
        self.flags = _Flags(ignore_case=habits.ignore_case or leading)
        self.names: set[str] = set()
        self.literals: dict[tuple[str, bool], Tree] = {}
        self.groups, self.named = self.count_groups()

    def run(self) -> Tree:
        stack = [_Frame(0, self.flags)]
        while self.at < len(self.text):
            char = self.text[self.at]
            if char == "(":
                stack.append(_Frame(self.at, self.flags))
                if len(stack) > MAX_NESTING + 1:
                    self.fail(self.at, f"groups nested more than {MAX_NESTING} deep", "flatten the groups")
                stack[-1].look = self.open_group()
            elif char == ")":
                if len(stack) == 1:
                    self.fail(self.at, "unmatched ')'", "write \\) for the character itself")
                self.at += 1
                frame = stack.pop()
                item = self.close(frame)
                self.flags = frame.flags
                if frame.look is None or frame.look[0]:  # Annex B: a look-ahead may be repeated
                    item = self.quantified(item)
                elif _QUANTIFIER.match(self.text, self.at):
                    self.fail(self.at, "a look-behind cannot be repeated", "put it into a group (?:...)")
                stack[-1].sequence.append(item)
            elif char == "|":
                self.at += 1
                frame = stack[-1]
                frame.alternatives.append(tree.sequence(frame.sequence))
                frame.sequence = []
            else:
                stack[-1].sequence.append(self.term(char))
        if len(stack) > 1:
            self.fail(stack[-1].offset, "this group is not closed", "add ')' or write \\(")
        return self.close(stack[0])

    # -- groups and quantifiers -------------------------------------------------------------

    def close(self, frame: _Frame) -> Tree:
        last = tree.sequence(frame.sequence)
        body = tree.choice([*frame.alternatives, last]) if frame.alternatives else last
        if frame.look is None:
            return body
        ahead, negative = frame.look
        return tree.Look(body, ahead, negative, f"@{frame.offset}")

    def open_group(self) -> tuple[bool, bool] | None:
        """Move past the opening of a group; what it looks for, if it does."""
        text, start = self.text, self.at
        if not text.startswith("(?", start):
            self.at += 1
            return None
        for opening, look in _LOOKS.items():
            if text.startswith(opening, start):
                self.at += len(opening)
                return look
        scoped = _SCOPED_FLAGS.match(text, start)
        if scoped:
            self.at = scoped.end()
            self.flags = self.scoped(start, scoped[1], scoped[2] or "")
            return None
        named = self.group_name(start)
        if named:
            name = _group_name(named[1])
            if name in self.names:
                self.fail(start, f"two groups are named {name!r}")
            if name is None:
                self.fail(start, "this group name is not an identifier", "use letters, digits, _ and $")
            self.names.add(name)
            self.at = named.end()
            return None
        self.fail(start, "unknown kind of group", "ECMA-262 knows (...), (?:...) and (?<name>...)")

    def scoped(self, start: int, added: str, removed: str) -> _Flags:
        letters = added + removed
        if len(set(letters)) != len(letters) or self.text.startswith("(?-:", start):
            self.fail(start, "a flag is named twice, or none is", "write (?i:...) or (?i-m:...)")
        known = {"i": "ignore_case", "m": "multiline", "s": "dotall"}
        changes = {known[letter]: letter in added for letter in letters}
        return replace(self.flags, **changes)

    def quantified(self, item: Tree) -> Tree:
        found = _QUANTIFIER.match(self.text, self.at)
        if not found:
            return item
        start, self.at = self.at, found.end()
        self.at += self.text.startswith("?", self.at)  # lazy: another order of search, the same language
        if found[1] is None:
            minimum, maximum = {"*": (0, None), "+": (1, None), "?": (0, 1)}[found[0]]
        else:
            if max(len(found[1]), len(found[3] or "")) > _MAX_DIGITS:
                self.fail(start, "this repetition bound is too large")
            minimum = int(found[1])
            maximum = minimum if found[2] is None else int(found[3]) if found[3] else None
        if maximum is not None and maximum < minimum:
            self.fail(start, "the bounds of this repetition cross", "write {smaller,larger}")
        return tree.Repetition(item, minimum, maximum, f"@{start}")

    # -- terms --------------------------------------------------------------------------------

    def term(self, char: str) -> Tree:
        if _QUANTIFIER.match(self.text, self.at):
            self.fail(self.at, "there is nothing to repeat", f"write \\{char} for the character itself")
        if char in "^$":
            self.at += 1
            lines = ECMA_LINE_ENDS if self.flags.multiline else ()
            left = Left(lines, True) if char == "^" else ANY_LEFT
            right = Right(lines, True, False) if char == "$" else ANY_RIGHT
            return Here(((left, right),))
        if self.text.startswith(("\\b", "\\B"), self.at):
            inside, outside = tree.boundary(self.words(), inside_empty=True)
            self.at += 2
            return inside if self.text[self.at - 1] == "b" else outside
        if char == ".":
            self.at += 1
            ranges = SCALARS if self.flags.dotall else self.habits.any_character
        elif char == "[":
            ranges = self.char_class()
        elif char == "\\":
            escaped = self.escape(in_class=False)
            ranges = self.folded(_point(escaped) if isinstance(escaped, int) else escaped)
        else:
            self.at += 1
            found = self.literals.get((char, self.flags.ignore_case))
            if found is None:
                found = tree.Chars(self.folded(_point(ord(char))))
                self.literals[char, self.flags.ignore_case] = found
            return self.quantified(found)
        return self.quantified(tree.Chars(ranges))

    def folded(self, ranges: Ranges) -> Ranges:
        return self.habits.ignoring_case(ranges) if self.flags.ignore_case else ranges

    def words(self) -> Ranges:
        return self.folded(ASCII_WORDS)

    def char_class(self) -> Ranges:
        start = self.at
        self.at += 1
        negated = self.text.startswith("^", self.at)
        self.at += negated
        parts: list[Ranges] = []
        while True:
            if self.at >= len(self.text):
                self.fail(start, "this class is not closed", "add ']' or write \\[")
            if self.text[self.at] == "]":
                self.at += 1
                break
            offset = self.at
            low = self.class_atom()
            if not self.text.startswith("-", self.at) or self.text[self.at + 1 : self.at + 2] in ("]", ""):
                parts.append(_point(low) if isinstance(low, int) else low)
                continue
            self.at += 1
            end = self.at
            high = self.class_atom()
            for place in (offset, end):  # with flag u an error; without it the p is a letter
                if self.text.startswith(("\\p{", "\\P{"), place):
                    self.fail(place, "a Unicode property cannot end a range", "write \\- for a hyphen")
            if isinstance(low, int) and isinstance(high, int):
                if low > high:
                    self.fail(offset, "the ends of this range cross", "write the smaller character first")
                parts.append(normalise([(low, high)]))
            else:  # Annex B: a class escape beside a hyphen leaves the hyphen a character
                parts.extend(_point(end) if isinstance(end, int) else end for end in (low, high))
                parts.append(_point(ord("-")))
        ranges = self.folded(unite(*parts))
        return complement(ranges) if negated else ranges

    def class_atom(self) -> int | Ranges:
        char = self.text[self.at]
        if char == "\\":
            return self.escape(in_class=True)
        self.at += 1
        return ord(char)

    def escape(self, *, in_class: bool) -> int | Ranges:
        """The character or class of the escape here; moves past it."""
        start = self.at
        self.at += 1
        char = self.text[self.at : self.at + 1]
        if not char:
            self.fail(start, "a backslash ends the pattern", "write \\\\ for the character itself")
        if char in "dDsSwW":
            self.at += 1
            inside = {"d": ASCII_DIGITS, "w": self.words()}.get(char.lower()) or self.habits.space
            return complement(inside) if char.isupper() else inside
        if char in "pP":
            return self.property_escape(start)
        if char.isascii() and char.isdigit():
            return self.digits(start, in_class=in_class)
        if char == "k" and self.named and not in_class:
            self.refuse_reference(start)
        if char == "c":
            return self.control(in_class=in_class)
        if char in "xu":
            point = self.hexadecimal()
            if point is not None:
                return point
        self.at += 1
        if char == "b" and in_class:
            return 0x08
        return _CONTROL.get(char, ord(char))

    def hexadecimal(self) -> int | None:
        found = _HEX2.match(self.text, self.at) or _BRACED.match(self.text, self.at)
        if found is None:
            found = _HEX4.match(self.text, self.at)
            if found is None:
                return None  # Annex B: the letter itself
            self.at = found.end()
            point = int(found[1], 16)
            low = _LOW_HALF.match(self.text, self.at) if 0xD800 <= point <= 0xDBFF else None
            if low is None:
                return point
            self.at = low.end()
            return 0x10000 + ((point - 0xD800) << 10) + int(low[1], 16) - 0xDC00
        digits = found[1].lstrip("0") or "0"
        if len(digits) > 6 or int(digits, 16) > 0x10FFFF:
            self.fail(self.at - 1, "there is no such code point", "the last one is \\u{10FFFF}")
        self.at = found.end()
        return int(digits, 16)

    def control(self, *, in_class: bool) -> int:
        letter = self.text[self.at + 1 : self.at + 2]
        if re.match("[A-Za-z0-9_]" if in_class else "[A-Za-z]", letter):
            self.at += 2
            return ord(letter) % 32
        return ord("\\")  # Annex B: the backslash itself; the c is read next

    def digits(self, start: int, *, in_class: bool) -> int:
        run = re.compile("[0-9]+").match(self.text, self.at)
        assert run is not None
        if not in_class and run[0][0] != "0" and (len(run[0]) < 6 and int(run[0]) <= self.groups):
            self.refuse_reference(start)
        octal = _OCTAL.match(self.text, self.at)
        if octal is None:  # \8 and \9
            self.at += 1
            return ord(run[0][0])
        self.at = octal.end()
        return int(octal[0], 8)

    def property_escape(self, start: int) -> int | Ranges:
        letter = self.text[self.at]
        found = _PROPERTY.match(self.text, self.at)
        if found is None:
            if self.text.startswith("{", self.at + 1):
                self.fail(start, "malformed Unicode property", "write \\p{Name} or \\p{Name=Value}")
            self.at += 1
            return ord(letter)
        ranges = unicode_property(found[1], found[2])
        if ranges is None:
            hint = "write \\p{Script=Greek}, \\p{Lu}, \\p{Emoji}; names are told apart by case"
            self.fail(start, f"there is no Unicode property {found[0][2:-1]}", hint)
        self.at = found.end()
        return complement(ranges) if letter == "P" else ranges

    # -- helpers ------------------------------------------------------------------------------

    def count_groups(self) -> tuple[int, bool]:
        """Number of capturing groups, and whether any has a name."""
        count, named, offset, in_class = 0, False, 0, False
        while offset < len(self.text):
            char = self.text[offset]
            if char == "\\":
                offset += 1
            elif in_class:
                in_class = char != "]"
            elif char == "[":
                in_class = True
            elif char == "(":
                with_name = bool(self.group_name(offset))
                count += with_name or not self.text.startswith("(?", offset)
                named = named or with_name
            offset += 1
        return count, named

    def group_name(self, offset: int) -> re.Match[str] | None:
        """The opening of a named group."""
        found = _GROUP_NAME.match(self.text, offset)
        if found is None and self.habits.python_syntax:
            found = _PYTHON_GROUP_NAME.match(self.text, offset)
        return found

    def refuse_reference(self, start: int) -> NoReturn:
        hint = "repeat the alternatives; a language with back-references is not regular"
        raise UnsupportedError(f"@{start}", "back-reference", hint, self.text)

    def fail(self, offset: int, reason: str, hint: str = "") -> NoReturn:
        raise GrammarError(f"@{offset}", reason, hint, self.text)


def _point(point: int) -> Ranges:
    return normalise([(point, point)])


def _group_name(text: str) -> str | None:
    """The name of a group with its escapes resolved; None when it is not an identifier."""
    name = _NAME_ESCAPE.sub(lambda found: chr(min(int(found[1], 16), 0x10FFFF)), text)
    name = name.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    plain = name.replace("$", "_")
    rest = plain[1:].replace("\u200c", "").replace("\u200d", "")
    return name if (plain[:1] + rest).isidentifier() else None
