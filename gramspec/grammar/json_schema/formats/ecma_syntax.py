"""The format ``regex``: whether a text is a pattern of ECMA-262.

Law: `is_pattern` is what `new RegExp` takes with or without flag ``u``, but for escaped letters without use.
Source: ECMA-262 section 22.2.1 and Annex B.1.2; section 22.2.1.1 for the early errors.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from gramspec.grammar import ir
from gramspec.grammar.regex import parse_regex
from gramspec.grammar.regex.properties import unicode_property

_POINT: Final = re.compile(r"\\u(?:[0-9A-Fa-f]{4}|\{[0-9A-Fa-f]+\})")
_JOINERS: Final = re.compile("[\u200c\u200d]")
_NAME: Final = rf"(?:[^\\<>]|{_POINT.pattern})+"
_QUANTIFIER: Final = re.compile(r"(?:[*+?]|\{([0-9]+)(?:,([0-9]*))?\})\??")
_GROUP: Final = re.compile(
    rf"\((?:\?(?:(?P<look><?[=!])|(?P<flags>[ims]*(?:-[ims]*)?):|<(?P<name>{_NAME})>)|(?P<plain>(?!\?)))"
)
_REFERENCE: Final = re.compile(rf"k<({_NAME})>")
_NUMBER: Final = re.compile(r"[1-9][0-9]*")
_ESCAPE: Final = re.compile(
    r"[dDsSwWfnrtv]|0(?![0-9])|c[A-Za-z]|x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|u\{0*(?:10|[0-9A-Fa-f])?[0-9A-Fa-f]{1,4}\}"
    r"|[^0-9A-Za-z]",
    re.DOTALL,
)
_PROPERTY: Final = re.compile(r"[pP]\{([A-Za-z0-9_]+)(?:=([A-Za-z0-9_]+))?\}")
_CONTROL: Final = {"f": 0x0C, "n": 0x0A, "r": 0x0D, "t": 0x09, "v": 0x0B, "b": 0x08, "0": 0}


@lru_cache(maxsize=1)
def pattern() -> ir.Expr:
    """Sequences of whole tokens; parentheses need not balance, bounds may cross."""
    hexadecimal = r"[0-9A-Fa-f]"
    escape = (
        rf"\\(?:[^0-9A-Za-z]|[dDsSwWbBfnrtv0-9]|c[A-Za-z]|x{hexadecimal}{{2}}|u{hexadecimal}{{4}}"
        rf"|u\{{{hexadecimal}+\}}|[pP]\{{[A-Za-z0-9_]+(?:=[A-Za-z0-9_]+)?\}}|k<[^>]+>)"
    )
    item = rf"(?:[^\\\]]|{escape})"
    atom = rf"(?:[^\\^$*+?()\[|]|\)|{escape}|\[\^?{item}*\])"
    quantifier = r"(?:[*+?]|\{[0-9]+(?:,[0-9]*)?\})\??"
    opening = r"\((?:\?(?:<?[=!]|[ims]*(?:-[ims]*)?:|<[^>]+>))?"
    return parse_regex(rf"(?s:(?:{atom}(?:{quantifier})?|{opening}|[\^$|])*)", "python")


@lru_cache(maxsize=1)
def plain_pattern() -> ir.Expr:
    """Texts without any character that has a meaning in patterns."""
    return parse_regex(r"[^\\^$.*+?()\[\]{}|]*", "python")


def is_pattern(text: str) -> bool:
    """Whether a text is a pattern.

    Cost: about linear in the length of the text.
    """
    try:
        _Reader(text).run()
    except _Malformed:
        return False
    return True


class _Malformed(Exception):
    """The text is not a pattern."""


@dataclass(slots=True)
class _Group:
    """A group that is open: whether a quantifier may follow it, and the names in its alternatives."""

    repeatable: bool
    earlier: set[str] = field(default_factory=set)
    current: set[str] = field(default_factory=set)

    def declare(self, names: set[str]) -> None:
        if not names.isdisjoint(self.current):
            raise _Malformed
        self.current = _merged(self.current, names)

    def names(self) -> set[str]:
        return _merged(self.earlier, self.current)


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.count = 0
        self.highest = 0
        self.references: set[str] = set()

    def run(self) -> None:
        """Read the whole text; `_Malformed` where it is no pattern."""
        stack = [_Group(repeatable=False)]
        while self.at < len(self.text):
            char = self.text[self.at]
            if char == "(":
                stack.append(self.open_group())
            elif char == ")":
                if len(stack) == 1:
                    raise _Malformed
                group = stack.pop()
                stack[-1].declare(group.names())
                self.at += 1
                self.quantifier(allowed=group.repeatable)
            elif char == "|":
                self.at += 1
                stack[-1].earlier = stack[-1].names()
                stack[-1].current = set()
            else:
                self.term(char)
        if len(stack) > 1 or self.highest > self.count:
            raise _Malformed
        if not self.references <= stack[0].names():
            raise _Malformed

    def open_group(self) -> _Group:
        found = _GROUP.match(self.text, self.at)
        if not found:
            raise _Malformed
        self.at = found.end()
        group = _Group(repeatable=not (found["look"] or "").startswith("<"))
        flags = found["flags"]
        if flags is not None and (flags == "-" or len(set(flags)) != len(flags)):
            raise _Malformed
        if found["name"] is not None:
            group.current.add(_group_name(found["name"]))
        self.count += found["name"] is not None or found["plain"] is not None
        return group

    def quantifier(self, *, allowed: bool) -> None:
        found = _QUANTIFIER.match(self.text, self.at)
        if not found:
            return
        if not allowed or (found[2] and _before(found[2], found[1])):
            raise _Malformed
        self.at = found.end()

    def term(self, char: str) -> None:
        if _QUANTIFIER.match(self.text, self.at):
            raise _Malformed
        if char in "^$" or self.text.startswith((r"\b", r"\B"), self.at):
            self.at += 1 if char in "^$" else 2
            self.quantifier(allowed=False)
            return
        if char == "[":
            self.char_class()
        elif char == "\\":
            self.escape()
        else:
            self.at += 1
        self.quantifier(allowed=True)

    def escape(self) -> None:
        """An escape outside classes: references, then what classes know too."""
        self.at += 1
        number = _NUMBER.match(self.text, self.at)
        reference = _REFERENCE.match(self.text, self.at)
        if number:
            # More digits than groups have is too many groups; int() of a long text would be slow.
            self.highest = max(self.highest, int(number[0]) if len(number[0]) < 10 else 10**10)
            self.at = number.end()
        elif reference:
            self.references.add(_group_name(reference[1]))
            self.at = reference.end()
        else:
            self.character()

    def character(self) -> int | None:
        """The character of an escape, None for a class; the backslash is behind."""
        found = _PROPERTY.match(self.text, self.at)
        if found:
            if unicode_property(found[1], found[2]) is None:
                raise _Malformed
            self.at = found.end()
            return None
        found = _ESCAPE.match(self.text, self.at)
        if not found:
            raise _Malformed
        self.at = found.end()
        text = found[0]
        if text in "dDsSwW":
            return None
        if text[0] in "xu" and len(text) > 1:
            return int(text[1:].strip("{}"), 16)
        if text[0] == "c" and len(text) > 1:
            return ord(text[1]) % 32
        return _CONTROL.get(text, ord(text[0]))

    def char_class(self) -> None:
        self.at += 2 if self.text.startswith("[^", self.at) else 1
        while not self.text.startswith("]", self.at):
            low = self.class_atom()
            if self.text.startswith("-", self.at) and not self.text.startswith("-]", self.at):
                self.at += 1
                high = self.class_atom()
                if low is not None and high is not None and low > high:
                    raise _Malformed
        self.at += 1

    def class_atom(self) -> int | None:
        if self.at >= len(self.text):
            raise _Malformed
        char = self.text[self.at]
        self.at += 1
        if char != "\\":
            return ord(char)
        if self.text.startswith("b", self.at):
            self.at += 1
            return _CONTROL["b"]
        return self.character()


def _merged(one: set[str], other: set[str]) -> set[str]:
    """The union; the smaller set goes into the larger, so that deep nesting copies no name often."""
    large, small = (one, other) if len(one) >= len(other) else (other, one)
    large |= small
    return large


def _before(first: str, second: str) -> bool:
    """Whether one decimal number is less than another, however long they are."""
    one, other = first.lstrip("0"), second.lstrip("0")
    return (len(one), one) < (len(other), other)


def _group_name(text: str) -> str:
    """A group name with its escapes resolved; `_Malformed` unless it is an identifier."""
    name = _POINT.sub(lambda found: chr(min(int(found[0][2:].strip("{}"), 16), 0x10FFFF)), text)
    name = name.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    plain = name.replace("$", "_")
    if not (plain[:1] + _JOINERS.sub("", plain[1:])).isidentifier():
        raise _Malformed
    return name
