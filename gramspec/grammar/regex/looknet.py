"""The network of a pattern with looks: states, moves by character class, guarded empty moves.

Law: a guard is a condition on the position: on the character before it, on what follows, on what precedes.
Cost: one state per character of the pattern, counted repetitions written out, under `MAX_STATES`.
Source: Thompson, "Regular expression search algorithm" (CACM 1968).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NoReturn, TypeAlias

from gramspec.errors import UnsupportedError
from gramspec.grammar.ranges import SCALARS, Ranges
from gramspec.grammar.regex import tree
from gramspec.grammar.regex.alphabet import Alphabet
from gramspec.grammar.regex.tree import (
    Atomic,
    Chars,
    Choice,
    Here,
    Left,
    Look,
    Repetition,
    Right,
    Sequence,
    Tree,
)

MAX_STATES: Final = 10_000
END: Final = 0  # the text must end here
TRUE: Final = 1  # nothing more is asked
_NEWLINE: Final[Ranges] = ((10, 10),)


@dataclass(frozen=True, slots=True)
class Before:
    """The class of the character before the position; or the start of the text."""

    mask: int
    start: bool


@dataclass(frozen=True, slots=True)
class Follows:
    """Whether what follows the position is accepted from a state."""

    state: int
    negative: bool


@dataclass(frozen=True, slots=True)
class Precedes:
    """Whether a span that ends at the position is matched by a look-behind, by its number."""

    look: int
    negative: bool


Guard: TypeAlias = Before | Follows | Precedes
Span: TypeAlias = tuple[int, int]


class Network:
    """States of a pattern and of its looks.

    Parameters
    ----------
    pattern : Tree
        The pattern; the text must end where it ends.
    source : str
        Its text, for errors.

    Attributes
    ----------
    start : int
        The state where the pattern begins.
    moves : list of list of (mask, state)
        By state: the classes of a character and where it leads.
    empty : list of list of (guards, state)
        By state: moves without a character, under the condition that all guards hold.
    behind : list of (state, state)
        First and last state of every look-behind.
    """

    def __init__(self, pattern: Tree, source: str) -> None:
        self.source = source
        self.place = next((look for look in tree.looks(pattern)), None)
        sets: list[Ranges] = [_NEWLINE]
        for node in tree.walk(pattern):
            if isinstance(node, Chars):
                sets.append(node.ranges)
            elif isinstance(node, Here):
                sets.extend(side.chars for pair in node.pairs for side in pair)
        self.alphabet = Alphabet(sets)
        self.moves: list[list[tuple[int, int]]] = []
        self.empty: list[list[tuple[tuple[Guard, ...], int]]] = []
        self.behind: list[tuple[int, int]] = []
        self._rights: dict[Right, int] = {}
        self._guards: dict[Look, Guard] = {}
        self.state()
        self.state()
        self.start = self.state()
        self._todo: list[tuple[Tree, int, int]] = [(pattern, self.start, END)]
        self._first: list[tuple[Tree, Span, Span]] = []
        while self._todo or self._first:
            if self._todo:
                self._build(*self._todo.pop())
            else:
                self._build_first(*self._first.pop())

    def state(self) -> int:
        """A new state."""
        if len(self.moves) >= MAX_STATES:
            self.refuse(f"more than {MAX_STATES} states")
        self.moves.append([])
        self.empty.append([])
        return len(self.moves) - 1

    def refuse(self, needs: str) -> NoReturn:
        """Give up on the pattern."""
        look = self.place
        assert look is not None  # patterns without looks are no networks
        name, place = look.name, look.place
        hint = "lower the bounds of the repetitions, or move it to the start or the end of the pattern"
        raise UnsupportedError(place, f"this {name} needs {needs} here", hint, self.source)

    def _build(self, node: Tree, first: int, last: int) -> None:
        """The states of a node between two states; it never comes back to the first nor leaves the last."""
        match node:
            case Chars():
                self.moves[first].append((self.alphabet.masks[node.ranges], last))
            case Sequence():
                if not node.items:
                    self.empty[first].append(((), last))
                for index, item in enumerate(node.items):
                    after = last if index == len(node.items) - 1 else self.state()
                    self._todo.append((item, first, after))
                    first = after
            case Choice():
                self._build_choice(node, first, last)
            case Repetition():
                self._build_repetition(node, first, last)
            case Here():
                for left, right in node.pairs:
                    self.empty[first].append((self._neighbours(left, right), last))
            case Look():
                self.empty[first].append(((self._guard(node),), last))
            case Atomic():
                self._first.append((node.body, (first, last), (self.state(), TRUE)))

    def _guard(self, node: Look) -> Guard:
        """The condition of a look; copies of one look, in a repetition, share its states."""
        found = self._guards.get(node)
        if found is None:
            begin = self.state()
            if node.ahead:
                self._todo.append((node.body, begin, TRUE))
                found = Follows(begin, node.negative)
            else:
                end = self.state()
                self._todo.append((node.body, begin, end))
                self.behind.append((begin, end))
                found = Precedes(len(self.behind) - 1, node.negative)
            self._guards[node] = found
        return found

    def _build_choice(self, node: Choice, first: int, last: int) -> None:
        """Alternatives that begin with the same characters share the state after them."""
        groups: dict[Ranges, list[Tree]] = {}
        for item in node.items:
            head = item.items[0] if isinstance(item, Sequence) and item.items else item
            if not isinstance(head, Chars):
                self._todo.append((item, first, last))
                continue
            rest = item.items[1:] if isinstance(item, Sequence) else ()
            groups.setdefault(head.ranges, []).append(tree.sequence(list(rest)))
        for ranges, rests in groups.items():
            middle = self.state()
            self.moves[first].append((self.alphabet.masks[ranges], middle))
            self._todo.append((tree.choice(rests), middle, last))

    def _build_repetition(self, node: Repetition, first: int, last: int) -> None:
        if node.maximum == 0:
            self.empty[first].append(((), last))
            return
        at = first
        for count in range(max(node.minimum, node.maximum or 0)):
            after = self.state()
            if count >= node.minimum:
                self.empty[at].append(((), last))
            self._todo.append((node.item, at, after))
            at = after
        if node.maximum is not None:
            self.empty[at].append(((), last))
            return
        loop, back = self.state(), self.state()
        self.empty[at].append(((), loop))
        self._todo.append((node.item, loop, back))
        self.empty[back].append(((), loop))
        self.empty[loop].append(((), last))

    def _build_first(self, node: Tree, real: Span, shadow: Span) -> None:
        """The states of a part of an atomic body, twice.

        The shadow accepts whatever the body could still match; the real states take a choice only
        where the shadow of every choice that is tried earlier fails.
        """
        match node:
            case Sequence() if node.items:
                for index, item in enumerate(node.items):
                    is_last = index == len(node.items) - 1
                    ends = (real[1], shadow[1]) if is_last else (self.state(), self.state())
                    self._first.append((item, (real[0], ends[0]), (shadow[0], ends[1])))
                    real, shadow = (ends[0], real[1]), (ends[1], shadow[1])
            case Choice():
                at = real[0]
                for index, item in enumerate(node.items):
                    enter = self.state(), self.state()
                    self.empty[at].append(((), enter[0]))
                    self.empty[shadow[0]].append(((), enter[1]))
                    self._first.append((item, (enter[0], real[1]), (enter[1], shadow[1])))
                    if index < len(node.items) - 1:
                        otherwise = self.state()
                        self.empty[at].append(((Follows(enter[1], True),), otherwise))
                        at = otherwise
            case Repetition():
                self._repeat_first(node, real, shadow)
            case Look():
                guard = self._guard(node)
                self.empty[real[0]].append(((guard,), real[1]))
                self.empty[shadow[0]].append(((guard,), shadow[1]))
            case _:
                self._build(node, *real)
                self._build(node, *shadow)

    def _repeat_first(self, node: Repetition, real: Span, shadow: Span) -> None:
        at = real[0], shadow[0]
        copies = max(node.minimum, node.maximum or 0)
        for count in range(copies + (node.maximum is None)):
            enter = (self.state(), self.state()) if count >= node.minimum else at
            if count >= copies:  # the copies without end
                loop = self.state(), self.state()
                self._link(at, loop)
                after = at = loop
            else:
                after = self.state(), self.state()
            if count >= node.minimum:
                leave = self.state(), self.state()
                self._link(leave, (real[1], shadow[1]))
                first, second = (leave, enter) if node.lazy else (enter, leave)
                self.empty[at[0]].append(((), first[0]))
                self.empty[at[0]].append(((Follows(first[1], True),), second[0]))
                self.empty[at[1]].extend((((), first[1]), ((), second[1])))
            self._first.append((node.item, (enter[0], after[0]), (enter[1], after[1])))
            at = after
        if node.maximum is not None:
            self._link(at, (real[1], shadow[1]))

    def _link(self, sources: Span, targets: Span) -> None:
        for source, target in zip(sources, targets, strict=True):
            self.empty[source].append(((), target))

    def _neighbours(self, left: Left, right: Right) -> tuple[Guard, ...]:
        guards: list[Guard] = []
        if left != tree.ANY_LEFT:
            guards.append(Before(self.alphabet.masks[left.chars], left.start))
        if right.chars != SCALARS or not right.end:
            guards.append(Follows(self._right(right), False))
        return tuple(guards)

    def _right(self, right: Right) -> int:
        """A state from which exactly what may stand to the right is accepted."""
        found = self._rights.get(right)
        if found is None:
            found = self._rights[right] = self.state()
            mask = self.alphabet.masks[right.chars]
            newline = self.alphabet.masks[_NEWLINE]
            self.moves[found].append((mask, TRUE))
            if right.end:
                self.empty[found].append(((), END))
            if right.last_newline and not mask & newline:
                self.moves[found].append((newline, END))
        return found
