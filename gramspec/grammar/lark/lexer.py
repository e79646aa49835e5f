"""The automaton of a lexer that takes the longest match and never goes back.

Law: it reads characters as long as some terminal may still match; where it stops it must be in an accepting
state, whose terminal is the one with the greatest priority, then a string before a pattern, then the wider,
then the longer pattern, then by name. A terminal that ends early (lazy, suffix, stop) stops the lexer where
it matches.
Cost: the subset construction over derivatives of all terminals, under a budget of states.
Source: Aho, Sethi, Ullman, section 3.8; ties as in Lark's `BasicLexer`.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from gramspec.errors import LimitError
from gramspec.grammar import ir
from gramspec.grammar.encoding import utf8
from gramspec.grammar.lark.terminals import Terminal
from gramspec.grammar.regex.derivatives import EMPTY, Derivatives

MAX_STATES: Final = 20_000
_FUEL: Final = 20_000_000

_State = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Lexeme:
    """Some texts of a terminal, all of which may be followed by the same characters.

    Parameters
    ----------
    terminal : str
    after : int
        Classes of characters, as a mask, at which the lexer stops behind these texts.
    first : int
        Classes of characters that these texts begin with.
    """

    terminal: str
    after: int
    first: int


class Lexer:
    """The automaton of some terminals.

    Parameters
    ----------
    terminals : sequence of Terminal
        Over characters; none matches the empty text.

    Raises
    ------
    LimitError
        If the automaton has too many states.
    """

    def __init__(self, terminals: Sequence[Terminal]) -> None:
        self.same = _literals_of_names(terminals)
        self.terminals = sorted((one for one in terminals if one.name not in self.same), key=_rank)
        self.engine = Derivatives([terminal.expr for terminal in self.terminals], _FUEL)
        start = tuple((number, term) for number, term in enumerate(self.engine.terms) if term != EMPTY)
        self.numbers: dict[_State, int] = {start: 0}
        self.arcs: list[list[tuple[int, int]]] = []
        self.winners: list[int | None] = []
        todo = [start]
        while len(self.arcs) < len(todo):
            state = todo[len(self.arcs)]
            taken = [n for n, term in state if self.engine.nullable[term]]
            early = [n for n in taken if self.terminals[n].early]
            self.winners.append(next(iter(early or taken), None))
            steps = {} if early else self._steps(state)
            self.arcs.append([(mask, self._number(target, todo)) for target, mask in steps.items()])
        live = self._live()
        self.arcs = [[(mask, target) for mask, target in arcs if target in live] for arcs in self.arcs]
        self.back: list[list[int]] = [[] for _ in self.arcs]
        for source, arcs in enumerate(self.arcs):
            for _, target in arcs:
                self.back[target].append(source)
        self.begin = _joined(mask for mask, _ in self.arcs[0])
        # What may follow without being read on, of what a terminal may begin with.
        self.after = [self.begin & ~_joined(mask for mask, _ in arcs) for arcs in self.arcs]
        self._made: dict[tuple[str, int, int], ir.Expr] = {}
        self._sets: dict[int, ir.Expr] = {}
        self._ends: dict[tuple[str, int], list[int]] = {}
        for number, winner in enumerate(self.winners):
            if winner is not None and number:
                key = self.terminals[winner].name, self.after[number]
                self._ends.setdefault(key, []).append(number)
        self.lexemes: dict[str, list[Lexeme]] = {terminal.name: [] for terminal in self.terminals}
        for (name, after), ends in self._ends.items():
            inside = self._before(ends)
            first = _joined(mask for mask, target in self.arcs[0] if target in inside)
            self.lexemes[name].append(Lexeme(name, after, first))

    def language(self, lexeme: Lexeme, allowed: int) -> ir.Expr:
        """The texts of a lexeme that begin with allowed characters, over bytes."""
        key = lexeme.terminal, lexeme.after, lexeme.first & allowed
        if key not in self._made:
            self._made[key] = self._machine(self._ends[key[:2]], key[2])
        return self._made[key]

    def winner_of(self, name: str) -> str:
        """A terminal that takes a text of `name`, which has no lexeme of its own."""
        number = next(n for n, terminal in enumerate(self.terminals) if terminal.name == name)
        for state, at in self.numbers.items():
            winner = self.winners[at]
            if winner is not None and any(n == number and self.engine.nullable[term] for n, term in state):
                return self.terminals[winner].name
        return name

    def _machine(self, ends: list[int], first: int) -> ir.Expr:
        inside = self._before(ends)
        states = [0]
        places: dict[int, int] = {}  # the start itself is left at once and may be come back to
        for at in states:
            for _, target in self.arcs[at]:
                if target in inside and target not in places:
                    places[target] = len(states)
                    states.append(target)
        accepting = set(ends)
        rows: list[tuple[tuple[ir.Expr, int], ...]] = []
        for place, state in enumerate(states):
            row: list[tuple[ir.Expr, int]] = []
            for mask, target in self.arcs[state]:
                read = mask & first if place == 0 else mask
                if target in inside and read:
                    row.append((self._set(read), places[target]))
            rows.append(tuple(row))
        flags = tuple(place > 0 and state in accepting for place, state in enumerate(states))
        return ir.Machine(tuple(rows), flags)

    def _set(self, mask: int) -> ir.Expr:
        """Characters of some classes, over bytes."""
        if mask not in self._sets:
            self._sets[mask] = utf8(ir.CharSet(self.engine.alphabet.ranges(mask)))
        return self._sets[mask]

    def _number(self, state: _State, todo: list[_State]) -> int:
        known = self.numbers.get(state)
        if known is None:
            if len(todo) >= MAX_STATES:
                raise LimitError("max_states", f"the lexer needs more than {MAX_STATES:,} states")
            known = self.numbers[state] = len(todo)
            todo.append(state)
        return known

    def _steps(self, state: _State) -> dict[_State, int]:
        """The states behind one, each with the classes of characters that lead there."""
        engine = self.engine
        blocks = [engine.alphabet.full]
        for _, term in state:
            parts = engine.partition(term)
            if len(parts) > 1:
                blocks = [block & part for block in blocks for part in parts if block & part]
        found: dict[_State, int] = {}
        for block in blocks:
            kind = (block & -block).bit_length() - 1
            target = tuple(
                (number, following)
                for number, term in state
                if (following := engine.step(term, kind)) != EMPTY
            )
            if target:
                found[target] = found.get(target, 0) | block
        return found

    def _live(self) -> set[int]:
        back: list[list[int]] = [[] for _ in self.arcs]
        for source, arcs in enumerate(self.arcs):
            for _, target in arcs:
                back[target].append(source)
        return _reached([n for n, winner in enumerate(self.winners) if winner is not None], back)

    def _before(self, ends: list[int]) -> set[int]:
        return _reached(ends, self.back)


def _literals_of_names(terminals: Sequence[Terminal]) -> dict[str, str]:
    """Literals in rules that are a terminal by another name too, as in Lark: the terminal's name."""
    known: dict[tuple[str, str], str] = {}
    same: dict[str, str] = {}
    for terminal in sorted(terminals, key=lambda one: (_is_literal(one), _rank(one))):
        key = terminal.kind, terminal.pattern
        if not terminal.pattern or key not in known:
            known[key] = terminal.name
        elif _is_literal(terminal):
            same[terminal.name] = known[key]
    return same


def _is_literal(terminal: Terminal) -> bool:
    return terminal.name[:1] in ('"', "/")


def _rank(terminal: Terminal) -> tuple[int, bool, int, int, str]:
    """The order in which terminals win where several match the same text."""
    width = 0
    if terminal.pattern:
        from lark.utils import get_regexp_width

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of `re`, about sets in sets
            width = int(get_regexp_width(terminal.pattern)[1])
    return -terminal.priority, terminal.kind != "string", -width, -len(terminal.pattern), terminal.name


def _reached(found: Iterable[int], arcs: Sequence[Sequence[int]]) -> set[int]:
    seen = set(found)
    todo = list(seen)
    while todo:
        for other in arcs[todo.pop()]:
            if other not in seen:
                seen.add(other)
                todo.append(other)
    return seen


def _joined(masks: Iterable[int]) -> int:
    out = 0
    for mask in masks:
        out |= mask
    return out
