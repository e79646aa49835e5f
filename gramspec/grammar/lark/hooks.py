"""What extensions of Lark's syntax hand to the loader: other text, atoms, and attributes of rules.

Law: an extension says where it stands in the user's text; the loader maps every place back to that text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from gramspec.grammar import ir
from gramspec.grammar.rules import Position

Kind = Literal["rule", "terminal", "string", "regexp", "number", "directive", "special", "newline", "op"]


@dataclass(frozen=True, slots=True)
class Lexeme:
    """A word: a name, a literal, ``%import``, ``<token>``, a line break, or any other character."""

    kind: Kind
    text: str
    offset: int

    @property
    def end(self) -> int:
        """The offset behind it."""
        return self.offset + len(self.text)


class Context(Protocol):
    """What the loader offers to an atom or to the attributes of a rule."""

    def terminal(self, name: str, position: Position) -> ir.Expr:
        """The language of a named terminal, over `CharSet` leaves."""
        ...

    def pattern(self, pattern: str, position: Position) -> ir.Expr:
        """The language of a regular expression in Python's syntax, over `CharSet` leaves."""
        ...

    def grammar(self, text: str, position: Position) -> ir.Expr:
        """The language of a nested grammar, over bytes."""
        ...


@dataclass(frozen=True, slots=True)
class Atom:
    """Something that stands where Lark has a literal.

    Parameters
    ----------
    make : callable
        Gives its language; called once for each use.
    position : Position
        Where it stands.
    regular : bool
        True: over `CharSet` leaves, so that it may stand in terminals. False: over bytes, rules and token
        edges, so that it may stand in rules only.
    """

    make: Callable[[Context], ir.Expr]
    position: Position
    regular: bool = True


@dataclass(frozen=True, slots=True)
class Rewrite:
    """A span of the user's text and what Lark reads in its place."""

    begin: int
    end: int
    new: str | Atom


@dataclass(frozen=True, slots=True)
class Attributes:
    """What stands in brackets after the name of a rule that is being defined.

    Parameters
    ----------
    values : mapping
        As the extension reads them.
    position : Position
        Where the bracket opens.
    lexeme : bool
        Whether the rule's body is one terminal: regular, without ignored text inside.
    """

    values: Mapping[str, object]
    position: Position
    lexeme: bool


@dataclass(frozen=True, slots=True)
class Extended:
    """What a text holds beyond Lark's syntax; `initial_gap`: whether ignored text may stand first."""

    rewrites: tuple[Rewrite, ...] = ()
    attributes: Mapping[str, Attributes] = field(default_factory=dict)
    initial_gap: bool = True
