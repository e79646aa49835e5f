"""Rules with a parameter of 64 bits: ``name::_ : alternatives %if condition``, used as ``name::0x0``.

Law: a rule and a value of its parameter are one rule of the grammar; alternatives whose condition does not
hold are left out. Counting up and down stops at the ends of the range.
Cost: one rule for each value that the start leads to; their number is bounded.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NoReturn, TypeAlias

from gramspec.errors import LimitError
from gramspec.grammar.lark.hooks import Lexeme, Rewrite
from gramspec.grammar.rules import Position

MAX_INSTANCES: Final = 5_000
_MOST_NESTED: Final = 50
_ALL: Final = (1 << 64) - 1
_TERM: Final = re.compile(r"\s*(0x[0-9a-fA-F]+|\d+|[a-z_]+|[\[\](),:])")
_CHANGES: Final = frozenset({"set_bit", "clear_bit", "bit_and", "bit_or", "incr", "decr"})
_COMPARE: Final[dict[str, Callable[[int, int], bool]]] = {
    name: getattr(operator, name) for name in ("eq", "ne", "lt", "le", "gt", "ge")
}

Term: TypeAlias = "tuple[str, tuple[Term, ...]]"
"""A name or a number, and what stands in parentheses; a range is ``("[", (from, to))``."""


@dataclass(frozen=True, slots=True)
class _Alternative:
    words: tuple[Lexeme, ...]
    condition: Term | None


@dataclass(frozen=True, slots=True)
class _Definition:
    name: str
    begin: int
    end: int
    alternatives: tuple[_Alternative, ...]


class Instances:
    """The rules with a parameter of one grammar, and the values they are used with.

    Parameters
    ----------
    text : str
        The grammar.
    position : callable
        Makes places in it.
    """

    def __init__(self, text: str, position: Callable[[int], Position]) -> None:
        self.text = text
        self.position = position
        self.definitions: dict[str, _Definition] = {}
        self._made: dict[tuple[str, int], str] = {}
        self._todo: list[tuple[str, int]] = []
        self._used: dict[str, int] = {}

    def define(self, name: Lexeme, colons: int, body: Sequence[Lexeme]) -> None:
        """Enter a rule: its name, where the colons behind it are, and its body."""
        if name.text in self.definitions:
            raise self.position(name.offset).error(f"rule `{name.text}` is defined twice")
        alternatives: list[_Alternative] = []
        depth, begun = 0, 0
        for at, word in enumerate([*body, Lexeme("op", "|", body[-1].end if body else colons)]):
            depth += (word.text in "([{") - (word.text in ")]}") if word.kind == "op" else 0
            if word.kind == "op" and word.text == "|" and depth == 0:
                alternatives.append(self._alternative(body[begun:at]))
                begun = at + 1
        end = body[-1].end if body else colons + 3
        self.definitions[name.text] = _Definition(name.text, name.offset, end, tuple(alternatives))

    def call(self, name: Lexeme, colons: int) -> tuple[int, str]:
        """A use outside of rules with a parameter: where it ends, and the name of its rule."""
        term, end = self._term(colons + 2)
        if _mentions(term):
            raise self.position(name.offset).error(
                f"`{self.text[name.offset : end]}` needs the parameter of a rule that has none",
                "write `name::_ : …`",
            )
        return end, self._instance(name, _value(term, 0, self._wrong(colons)))

    def rewrites(self) -> list[Rewrite]:
        """Each rule with a parameter, written out for the values it is used with.

        Raises
        ------
        GrammarError
            If a use has no such rule.
        LimitError
            If there are too many values.
        """
        written: dict[str, list[str]] = {name: [] for name in self.definitions}
        while self._todo:
            name, value = self._todo.pop()
            found = self.definitions.get(name)
            if found is None:
                raise self.position(self._used[name]).error(
                    f"rule `{name}` is used with a parameter and has none", f"define it as `{name}::_ : …`"
                )
            bodies = [
                self._written(one, value)
                for one in found.alternatives
                if one.condition is None or _holds(one.condition, value, self._wrong(found.begin))
            ]
            key = self._made[name, value]
            # A rule without alternatives is one that never ends.
            written[name].append(f"{key}: " + (" | ".join(bodies) if bodies else f'"x" {key}'))
        return [
            Rewrite(one.begin, one.end, "\n".join(written[name])) for name, one in self.definitions.items()
        ]

    def _instance(self, name: Lexeme, value: int) -> str:
        known = self._made.get((name.text, value))
        if known is not None:
            return known
        if len(self._made) >= MAX_INSTANCES:
            raise LimitError("max_nodes", f"more than {MAX_INSTANCES:,} values of parameters of rules")
        self._used.setdefault(name.text, name.offset)
        key = f"{name.text}__{value:x}"
        while key in self.text:
            key += "_"
        self._made[name.text, value] = key
        self._todo.append((name.text, value))
        return key

    def _alternative(self, words: Sequence[Lexeme]) -> _Alternative:
        at = next((i for i, word in enumerate(words) if word.text == "%if"), None)
        if at is None:
            return _Alternative(tuple(words), None)
        condition, end = self._term(words[at].end)
        behind = [word for word in words[at:] if word.offset >= end and word.kind != "newline"]
        if behind:
            raise self.position(behind[0].offset).error(
                f"`{behind[0].text}` follows a condition",
                "a condition ends an alternative; join them by and(…)",
            )
        return _Alternative(tuple(words[:at]), condition)

    def _written(self, alternative: _Alternative, value: int) -> str:
        from gramspec.grammar.lark.extensions import count

        pieces: list[str] = []
        behind = -1
        last = -1
        words = alternative.words
        for at, word in enumerate(words):
            if word.offset < behind or word.kind == "newline" or word.text == '""':
                continue
            if pieces and word.offset > last:
                pieces.append(" ")
            last = word.end
            if word.kind == "rule" and [w.text for w in words[at + 1 : at + 3]] == [":", ":"]:
                term, behind = self._term(words[at + 2].end)
                pieces.append(self._instance(word, _value(term, value, self._wrong(word.offset))))
                last = behind
            elif word.text == "{" and (found := count(self.text, word.offset, self.position)):
                least, most, behind = found
                upper = -1 if most is None else most
                pieces.append(f" ~ {least}" if least == most else f" ~ {least}..{upper}")
                last = behind
            else:
                pieces.append(word.text)
        return "".join(pieces)

    def _term(self, offset: int, depth: int = 0) -> tuple[Term, int]:
        """A term and the offset behind it."""
        word, end = self._word(offset)
        if depth > _MOST_NESTED:
            raise self.position(offset).error(f"terms nested more than {_MOST_NESTED} deep")
        if word == "[":
            low, colon = self._word(end)
            mark, after = self._word(colon)
            high, last = self._word(after)
            close, end = self._word(last)
            if mark != ":" or close != "]" or not (low.isdigit() and high.isdigit()):
                raise self.position(offset).error("a range of bits is written [from:to]")
            return ("[", ((low, ()), (high, ()))), end
        if not (word[0].isalnum() or word[0] == "_"):
            raise self.position(offset).error(f"`{word}` is no parameter, number or condition")
        if self.text[end : end + 1] != "(" or word == "_":
            return (word, ()), end
        arguments: list[Term] = []
        end += 1
        while True:
            argument, end = self._term(end, depth + 1)
            arguments.append(argument)
            mark, end = self._word(end)
            if mark == ")":
                return (word, tuple(arguments)), end
            if mark != ",":
                raise self.position(end).error(f"`{mark}` stands where `,` or `)` is due")

    def _word(self, offset: int) -> tuple[str, int]:
        match = _TERM.match(self.text, offset)
        if match is None:
            raise self.position(min(offset, len(self.text))).error("a parameter or a condition is due")
        return match[1], match.end()

    def _wrong(self, offset: int) -> Callable[[str], NoReturn]:
        def wrong(reason: str) -> NoReturn:
            raise self.position(offset).error(reason)

        return wrong


def _mentions(term: Term) -> bool:
    name, arguments = term
    return name in _CHANGES or name == "_" or any(_mentions(one) for one in arguments)


def _number(term: Term, wrong: Callable[[str], NoReturn]) -> int:
    name, arguments = term
    if arguments or not name[0].isdigit():
        wrong(f"`{name}` stands where a number is due")
    value = int(name, 16 if name.startswith("0x") else 10)
    return value if value <= _ALL else wrong(f"{name} has more than 64 bits")


def _bits(term: Term, wrong: Callable[[str], NoReturn]) -> tuple[int, int]:
    """First bit and number of bits of a range."""
    if term == ("_", ()):
        return 0, 64
    if term[0] != "[":
        wrong(f"`{term[0]}` stands where bits [from:to] are due")
    low, high = (_number(one, wrong) for one in term[1])
    if not low < high <= 64:
        wrong(f"[{low}:{high}] is no range of the 64 bits")
    return low, high - low


def _value(term: Term, value: int, wrong: Callable[[str], NoReturn]) -> int:
    """The value of a parameter's term, from the value that the rule has."""
    name, arguments = term
    if name == "_":
        return value
    if name not in _CHANGES:
        return _number(term, wrong)
    if len(arguments) != 1:
        wrong(f"`{name}` takes one argument")
    if name in ("incr", "decr"):
        low, count = _bits(arguments[0], wrong)
        part = value >> low & (1 << count) - 1
        part = min(part + 1, (1 << count) - 1) if name == "incr" else max(part - 1, 0)
        return value & ~(((1 << count) - 1) << low) | part << low
    number = _number(arguments[0], wrong)
    if name in ("bit_and", "bit_or"):
        return value & number if name == "bit_and" else value | number
    if number > 63:
        wrong(f"bit {number} is none of the 64")
    return value | 1 << number if name == "set_bit" else value & ~(1 << number)


def _holds(term: Term, value: int, wrong: Callable[[str], NoReturn]) -> bool:
    name, arguments = term
    count = {"true": 0, "and": 2, "or": 2, "not": 1}.get(name)
    if count is not None:
        if len(arguments) != count:
            wrong(f"`{name}` takes {count} arguments")
        if name in ("and", "or"):
            found = [_holds(one, value, wrong) for one in arguments]
            return all(found) if name == "and" else any(found)
        return not _holds(arguments[0], value, wrong) if name == "not" else True
    if name in ("bit_set", "bit_clear", "is_ones", "is_zeros"):
        if len(arguments) != 1:
            wrong(f"`{name}` takes one argument")
        if name.startswith("bit"):
            return bool(value >> _number(arguments[0], wrong) & 1) == (name == "bit_set")
        low, count = _bits(arguments[0], wrong)
        part, full = value >> low & (1 << count) - 1, (1 << count) - 1
        return part == (full if name == "is_ones" else 0)
    compare = _COMPARE.get(name.removeprefix("bit_count_"))
    if compare is None:
        wrong(f"unknown condition `{name}`")
    if len(arguments) != 2:
        wrong(f"`{name}` takes bits and a number")
    low, count = _bits(arguments[0], wrong)
    part = value >> low & (1 << count) - 1
    return compare(part.bit_count() if name.startswith("bit_count") else part, _number(arguments[1], wrong))
