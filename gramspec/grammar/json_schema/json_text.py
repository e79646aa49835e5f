"""JSON text to values, read without recursion and with the place of every fault.

Law: RFC 8259 and nothing else; no key twice in one object; numbers stay exact; linear time.
Cost: that of the standard library's decoder; a text with a fault, or of great depth, some ten times that.
Source: RFC 8259.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import NoReturn, TypeAlias

from gramspec.errors import GrammarError

Json: TypeAlias = "bool | int | Decimal | str | list[Json] | dict[str, Json] | None"

MAX_DEPTH = 256
"""How deep objects and arrays may nest."""

MAX_DIGITS = 1000
"""How many digits a number may have, leading or trailing zeros of its plain notation included."""

_SPACE = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)((?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)")
_STRINGS = json.JSONDecoder()
_WORD = re.compile(r"-?[A-Za-z]+")
_WORDS: dict[str, Json] = {"true": True, "false": False, "null": None}
_CLOSING = {"{": "}", "[": "]"}


def parse(text: str) -> Json:
    """The value of a JSON text.

    Parameters
    ----------
    text : str
        One JSON value with white space around it.

    Raises
    ------
    GrammarError
        With the character offset: if it is not JSON, writes a key twice in one object, nests deeper
        than `MAX_DEPTH` or holds a number of more than `MAX_DIGITS` digits.
    """
    if text.startswith("\ufeff"):
        raise GrammarError(
            "@0", "a byte order mark is not JSON", "decode the file with the encoding utf-8-sig", text
        )
    # The decoder of the standard library reads what is right; only what it may not have read right, or has
    # refused, is read again by the reader that knows the place of every fault.
    try:
        value: Json = _DECODER.decode(text)
    except (ValueError, ArithmeticError, GrammarError, RecursionError):
        return _Reader(text).run()
    if text.count("[") + text.count("{") > MAX_DEPTH and _is_deep(value):
        return _Reader(text).run()
    return value


def _is_deep(value: Json) -> bool:
    """Whether objects and arrays nest deeper than `MAX_DEPTH`; level by level."""
    level: list[list[Json] | dict[str, Json]] = [value] if isinstance(value, list | dict) else []
    for _ in range(MAX_DEPTH):
        level = [
            part
            for item in level
            for part in (item.values() if isinstance(item, dict) else item)
            if isinstance(part, list | dict)
        ]
        if not level:
            return False
    return True


def _members(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a key is written twice")
    return members


def _whole(digits: str) -> int:
    if len(digits) > MAX_DIGITS + 1:
        raise ValueError("too many digits")
    return int(digits)


def _fraction(digits: str) -> Decimal:
    return exact(Decimal(digits), str)


def _refuse(name: str) -> NoReturn:
    raise ValueError(name)


def exact(value: Decimal, place: Callable[[], str], source: str | None = None) -> Decimal:
    """A number within the limits, without the sign of zero."""
    if not value.is_finite():
        raise GrammarError(place(), f"{value} is not a JSON number", source=source)
    if value != 0 and max(abs(value.adjusted()), len(value.as_tuple().digits)) > MAX_DIGITS:
        raise GrammarError(place(), f"a number has more than {MAX_DIGITS} digits", source=source)
    return Decimal(0) if value == 0 else value


_DECODER = json.JSONDecoder(
    parse_int=_whole, parse_float=_fraction, parse_constant=_refuse, object_pairs_hook=_members
)


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._open: list[list[Json] | dict[str, Json]] = []
        self._keys: list[str] = []

    def run(self) -> Json:
        while True:
            self._skip()
            if self._next() in ("{", "["):
                if self._begin():
                    continue
                value: Json = self._open.pop()
            else:
                value = self._scalar()
            while self._open:  # the value is complete: put it where it belongs
                container = self._open[-1]
                if isinstance(container, dict):
                    container[self._keys.pop()] = value
                else:
                    container.append(value)
                if self._more(container):
                    break
                value = self._open.pop()
            else:
                self._skip()
                if self._at < len(self._text):
                    self._fail("not JSON: more text after the value")
                return value

    def _begin(self) -> bool:
        """Enter an object or array; false if it is empty and thereby complete."""
        if len(self._open) >= MAX_DEPTH:
            self._fail(f"nested deeper than {MAX_DEPTH} levels")
        bracket = self._next()
        self._open.append({} if bracket == "{" else [])
        self._at += 1
        self._skip()
        if self._next() == _CLOSING[bracket]:
            self._at += 1
            return False
        if bracket == "{":
            self._key()
        return True

    def _more(self, container: list[Json] | dict[str, Json]) -> bool:
        """Whether another member follows; otherwise the container is closed."""
        self._skip()
        closing = "}" if isinstance(container, dict) else "]"
        if self._next() == ",":
            self._at += 1
            self._skip()
            if closing == "}":
                self._key()
            return True
        if self._next() != closing:
            self._fail(f"not JSON: expecting , or {closing}")
        self._at += 1
        return False

    def _key(self) -> None:
        start = self._at
        if self._next() != '"':
            self._fail('not JSON: expecting a key in "')
        key = self._string()
        container = self._open[-1]
        assert isinstance(container, dict)
        if key in container:
            self._at = start
            self._fail(f"the key {key!r} is written twice in one object")
        self._keys.append(key)
        self._skip()
        if self._next() != ":":
            self._fail("not JSON: expecting :")
        self._at += 1

    def _scalar(self) -> Json:
        if self._next() == '"':
            return self._string()
        match = _NUMBER.match(self._text, self._at)
        if match is not None:
            return self._number(match)
        match = _WORD.match(self._text, self._at)
        if match is None:
            self._fail("not JSON: expecting a value")
        if match[0] not in _WORDS:
            self._fail(f"not JSON: {match[0]}")
        self._at = match.end()
        return _WORDS[match[0]]

    def _number(self, match: re.Match[str]) -> Json:
        if not match[1] and match.end() - match.start() > MAX_DIGITS + 1:
            self._fail(f"a number has more than {MAX_DIGITS} digits")
        place = self._at
        try:
            value = (
                int(match[0]) if not match[1] else exact(Decimal(match[0]), lambda: f"@{place}", self._text)
            )
        except InvalidOperation:  # an exponent beyond what Decimal can hold
            self._fail(f"a number has more than {MAX_DIGITS} digits")
        self._at = match.end()
        return value

    def _string(self) -> str:
        try:
            value, self._at = _STRINGS.raw_decode(self._text, self._at)
        except json.JSONDecodeError as error:
            self._at = error.pos
            self._fail(f"not JSON: {error.msg}")
        return str(value)

    def _next(self) -> str:
        return self._text[self._at : self._at + 1]

    def _skip(self) -> None:
        match = _SPACE.match(self._text, self._at)
        assert match is not None
        self._at = match.end()

    def _fail(self, reason: str) -> NoReturn:
        raise GrammarError(f"@{self._at}", reason, source=self._text)
