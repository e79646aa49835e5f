"""Syntax beyond Lark's, that of llguidance: schemas and grammars inside, tokens, algebra of terminals.

Law: what an extension denotes is a set of texts, or it is refused by name; nothing is dropped. What only
concerns sampling (`capture`) is read and has no effect on the language.
Source: llguidance's grammar syntax.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any, Final

from gramspec.errors import UnsupportedError
from gramspec.grammar import ir
from gramspec.grammar.lark import algebra, atoms, attributes, parametric
from gramspec.grammar.lark.attributes import lexeme
from gramspec.grammar.lark.hooks import Atom, Attributes, Extended, Lexeme, Rewrite
from gramspec.grammar.rules import Position

__all__ = ["extend", "lexeme"]

_COUNT: Final = re.compile(r"\{\s*(-?\d+)?\s*(,)?\s*(-?\d+)?\s*\}")
_OPTIONS: Final = {"allow_initial_skip", "allow_invalid_utf8", "no_forcing"}
_ATOMS: Final = frozenset({"%json", "%regex", "%lark"})


def extend(text: str, found: Sequence[Lexeme], position: Callable[[int], Position]) -> Extended:
    """What a text holds beyond Lark's syntax.

    Raises
    ------
    GrammarError
        If an extension is malformed.
    UnsupportedError
        If it has no meaning as a set of texts.
    """
    if "::" not in text and not any(_is_sign(one) for one in found):
        return Extended()
    return _Reader(text, found, position).read()


def _is_sign(one: Lexeme) -> bool:
    """Whether a word may be the beginning of an extension; `[` and `{` have meanings of Lark's too."""
    if one.kind in ("op", "special"):
        return one.kind == "special" or one.text in "&~[{@"
    return one.kind == "directive" and (one.text in _ATOMS or one.text in ("%llguidance", "%if"))


class _Reader:
    """Goes through the words once, statement by statement."""

    def __init__(self, text: str, found: Sequence[Lexeme], position: Callable[[int], Position]) -> None:
        self.text = text
        self.words = found
        self.position = position
        self.rewrites: list[Rewrite] = []
        self.attributes: dict[str, Attributes] = {}
        self.initial_gap = True
        self.empties: list[Lexeme] = []
        self.parametric = parametric.Instances(text, position)

    def read(self) -> Extended:
        at = 0
        while at < len(self.words):
            at = self._statement(at)
        self.rewrites += self.parametric.rewrites()
        if self.rewrites:  # Lark itself has no empty literal
            for word in self.empties:
                place = self.position(word.offset)
                self._rewrite(word.offset, word.end, Atom(lambda _: ir.EPSILON, place))
        return Extended(tuple(self.rewrites), self.attributes, self.initial_gap)

    def _statement(self, at: int) -> int:
        """Read one statement; the index behind it."""
        word = self.words[at]
        if word.kind == "newline":
            return at + 1
        if word.text == "%llguidance":
            return self._header(at)
        head = at
        while self.words[head].text in ("!", "?") and head + 1 < len(self.words):
            head += 1
        end = self._end(at)
        if self.words[head].kind not in ("rule", "terminal"):
            self._body(at + 1, end, in_terminal=word.text == "%ignore")
            return end
        return self._definition(head, end)

    def _definition(self, head: int, end: int) -> int:
        name = self.words[head]
        at = head + 1
        is_parametric = self._texts(at, 3) == [":", ":", "_"]
        if is_parametric:
            if name.kind == "terminal":
                raise self.position(name.offset).error("a terminal takes no parameter", "make it a rule")
            at += 3
        if self._texts(at, 1) == ["["]:
            close = next((i for i in range(at, end) if self.words[i].text == "]"), None)
            if close is None:
                raise self.position(self.words[at].offset).error("`[` is not closed", "close it with `]`")
            given = attributes.read(self.text, self.words[at : close + 1], self.position)
            if is_parametric and given.lexeme:
                raise given.position.error(f"rule `{name.text}` takes a parameter, so it is no terminal")
            if name.kind == "terminal":
                raise given.position.error("attributes belong to rules", "write the name in lower case")
            self.attributes[name.text] = given
            self._rewrite(self.words[at].offset, self.words[close].end, "")
            at = close + 1
        colon = next((i for i in range(at, end) if self.words[i].text == ":"), None)
        if colon is None:
            return end  # Lark says what is wrong
        body = range(colon + 1, end)
        if is_parametric:
            for one in [name] if name.text in self.attributes else []:
                raise self.position(one.offset).error(
                    "attributes of a rule that takes a parameter", "leave them out", UnsupportedError
                )
            self._counts_only(body)
            self.parametric.define(name, self.words[head + 1].offset, [self.words[i] for i in body])
            return end
        if name.kind == "terminal" and any(self._is_algebra(i) for i in body):
            begin, last = self.words[colon + 1].offset, self.words[end - 1].end
            make = algebra.parse(self.text, [self.words[i] for i in body], self.position)
            self._rewrite(begin, last, Atom(make, self.position(begin)))
            return end
        self._body(colon + 1, end, in_terminal=name.kind == "terminal")
        return end

    def _body(self, at: int, end: int, *, in_terminal: bool) -> None:
        while at < end:
            word = self.words[at]
            if word.text in _ATOMS and word.kind == "directive":
                at = self._atom(at)
                continue
            if word.text == '""':
                self.empties.append(word)
            elif word.kind == "special":
                self._rewrite(word.offset, word.end, atoms.token(word, self.position(word.offset)))
            elif word.text == "{":
                at = self._count(at)
                continue
            elif word.text == "@":
                raise self.position(word.offset).error(
                    "`@` names another grammar of a list, and there is only this one",
                    "write it inside %lark { … }, or %import it",
                    UnsupportedError,
                )
            elif word.text == "%if":
                raise self.position(word.offset).error(
                    "`%if` stands in a rule without a parameter", "write `name::_ : …`"
                )
            elif word.kind == "rule" and self._texts(at + 1, 2) == [":", ":"] and self._joined(at):
                if in_terminal:
                    raise self.position(word.offset).error("a rule with a parameter stands in a terminal")
                at = self._call(at)
                continue
            elif self._is_algebra(at):
                what = "`&`" if word.text == "&" else "`~` before what it negates"
                raise self.position(word.offset).error(
                    f"{what} joins terminals only: a rule has no complement",
                    "make a terminal of it: a name in upper case",
                    UnsupportedError,
                )
            at += 1

    def _call(self, at: int) -> int:
        word = self.words[at]
        end, key = self.parametric.call(word, self.words[at + 1].offset)
        self._rewrite(word.offset, end, key)
        while at < len(self.words) and self.words[at].offset < end:
            at += 1
        return at

    def _atom(self, at: int) -> int:
        word = self.words[at]
        atom, end = atoms.directive(word, self.text, self.position)
        self._rewrite(word.offset, end, atom)
        while at < len(self.words) and self.words[at].offset < end:
            at += 1
        return at

    def _count(self, at: int) -> int:
        """``{m,n}`` as Lark writes it; braces of templates are left alone."""
        found = count(self.text, self.words[at].offset, self.position)
        if found is None:
            return at + 1
        least, most, end = found
        upper = -1 if most is None else most
        self._rewrite(self.words[at].offset, end, f" ~ {least}" if least == most else f" ~ {least}..{upper}")
        while at < len(self.words) and self.words[at].offset < end:
            at += 1
        return at

    def _counts_only(self, body: range) -> None:
        for i in body:
            word = self.words[i]
            if (word.text in _ATOMS and word.kind == "directive") or word.kind == "special":
                raise self.position(word.offset).error(
                    f"`{word.text}` in a rule that takes a parameter",
                    "make a rule of it that takes none",
                    UnsupportedError,
                )
            if self._is_algebra(i):
                raise self.position(word.offset).error(f"`{word.text}` joins terminals only")

    def _header(self, at: int) -> int:
        word = self.words[at]
        given, end = json_at(self.text, word.end, self.position)
        place = self.position(word.offset)
        if not isinstance(given, dict):
            raise place.error("`%llguidance` is followed by an object")
        for name, value in given.items():
            if name not in _OPTIONS:
                raise place.error(f"unknown option {name!r}", f"known are {', '.join(sorted(_OPTIONS))}")
            if not isinstance(value, bool):
                raise place.error(f"option {name!r} is true or false")
        if given.get("allow_invalid_utf8"):
            reason = "option 'allow_invalid_utf8': terminals are texts of characters here"
            raise place.error(reason, "leave it out", UnsupportedError)
        self.initial_gap = bool(given.get("allow_initial_skip", False))
        self._rewrite(word.offset, end, "")
        while at < len(self.words) and self.words[at].offset < end:
            at += 1
        return at

    def _end(self, at: int) -> int:
        """Index behind a statement: a line break that no `|` follows, outside the JSON of a directive."""
        depth = 0
        while at < len(self.words):
            word = self.words[at]
            if word.kind == "directive" and word.text in _ATOMS:
                _, end = atoms.directive(word, self.text, self.position)
                while at < len(self.words) and self.words[at].offset < end:
                    at += 1
                continue
            depth += (word.text in ("(", "[")) - (word.text in (")", "]")) if word.kind == "op" else 0
            if word.kind == "newline" and depth <= 0:
                following = self.words[at + 1] if at + 1 < len(self.words) else None
                if following is None or following.text not in ("|", "&"):
                    return at
            at += 1
        return at

    def _is_algebra(self, at: int) -> bool:
        word = self.words[at]
        if word.kind != "op":
            return False
        if word.text == "&":
            return True
        return word.text == "~" and (at + 1 >= len(self.words) or self.words[at + 1].kind != "number")

    def _texts(self, at: int, count: int) -> list[str]:
        return [word.text for word in self.words[at : at + count]]

    def _joined(self, at: int) -> bool:
        """Whether a word and the two after it stand without blanks between them."""
        return all(self.words[at + i].end == self.words[at + i + 1].offset for i in range(2))

    def _rewrite(self, begin: int, end: int, new: str | Atom) -> None:
        self.rewrites.append(Rewrite(begin, end, new))


def count(text: str, offset: int, position: Callable[[int], Position]) -> tuple[int, int | None, int] | None:
    """``{m}``, ``{m,}``, ``{,n}``, ``{m,n}`` at an offset: least, most and the offset behind it.

    Raises
    ------
    GrammarError
        If a number is negative or they cross.
    """
    match = _COUNT.match(text, offset)
    if match is None or not (match[1] or match[3]):
        return None
    place = position(offset)
    if "-" in match[0]:
        raise place.error("a negative number of repetitions")
    least = int(match[1] or 0)
    most = least if match[2] is None else int(match[3]) if match[3] else None
    if most is not None and most < least:
        raise place.error(f"{match[0]}: the most repetitions are fewer than the least")
    return least, most, match.end()


def json_at(text: str, offset: int, position: Callable[[int], Position]) -> tuple[Any, int]:
    """The JSON value behind blanks at an offset, and the offset behind it.

    Raises
    ------
    GrammarError
        If there is none.
    """
    while offset < len(text) and text[offset].isspace():
        offset += 1
    try:
        return json.JSONDecoder().raw_decode(text, offset)
    except (json.JSONDecodeError, RecursionError) as error:
        place = error.pos if isinstance(error, json.JSONDecodeError) else offset
        reason = error.msg if isinstance(error, json.JSONDecodeError) else "nested too deep"
        raise position(min(place, len(text))).error(f"bad JSON: {reason}") from None
