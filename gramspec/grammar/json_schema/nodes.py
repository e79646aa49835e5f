"""The schema algebra: every keyword as a node, every schema as a signed node, all of them interned.

Law: a literal ``2 * n`` holds for the values that satisfy node n, ``2 * n + 1`` for all others.
Source: JSON Schema Core, sections 7.6 and 10; And-inverter graphs for the Boolean part.

An assertion or applicator that speaks of one type holds for every value of another type. What a
keyword says in full is a Boolean combination of the nodes below: ``anyOf`` is a negated `All` of
negations, ``maxItems: 3`` a negated ``Count("array", 4)``, and so on.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TypeAlias

from gramspec.grammar.json_schema.documents import Place
from gramspec.grammar.json_schema.formulas import Formula
from gramspec.grammar.json_schema.sources import Json

Literal: TypeAlias = int
"""A node's number doubled, plus one when it is negated."""

Goal: TypeAlias = tuple[Literal, ...]
"""Literals that a value has to satisfy together, each once; the empty goal holds for every value."""

TRUE: Literal = 0
FALSE: Literal = 1


@dataclass(frozen=True, slots=True)
class At:
    """The schema at a place of the documents."""

    place: Place


@dataclass(frozen=True, slots=True)
class All:
    """All parts hold."""

    parts: tuple[Literal, ...]


@dataclass(frozen=True, slots=True)
class One:
    """Exactly one of the parts holds."""

    parts: tuple[Literal, ...]


@dataclass(frozen=True, slots=True)
class TypeIs:
    """The value is of one of some types."""

    types: frozenset[str]


@dataclass(frozen=True, slots=True)
class Constants:
    """The value equals one of some constants; `keys` are their identities."""

    keys: frozenset[Hashable]
    values: tuple[Json, ...] = field(compare=False)


@dataclass(frozen=True, slots=True)
class Scalar:
    """A string or a number is in a set; `type` is "string" or "number"."""

    type: str
    formula: Formula


@dataclass(frozen=True, slots=True)
class Items:
    """Every item of an array satisfies the schema of its position, later ones `rest`."""

    prefix: tuple[Literal, ...]
    rest: Literal


@dataclass(frozen=True, slots=True)
class Contains:
    """At least `count` items of an array satisfy a schema."""

    item: Literal
    count: int


@dataclass(frozen=True, slots=True)
class Unique:
    """No two items of an array are equal."""


@dataclass(frozen=True, slots=True)
class Count:
    """A value of type "array" or "object" has at least `count` items or members."""

    type: str
    count: int


@dataclass(frozen=True, slots=True)
class Members:
    """Every member of an object satisfies the schemas of its key.

    They are those of `declared` under its name and of each of the `patterns` (ECMA-262, search)
    that match, and `others` where there is none. `ordered`: the declared names have an order.
    """

    declared: tuple[tuple[str, Literal], ...]
    patterns: tuple[tuple[str, Literal], ...]
    others: Literal
    ordered: bool = True


@dataclass(frozen=True, slots=True)
class Required:
    """An object has a member of this name."""

    name: str


@dataclass(frozen=True, slots=True)
class Names:
    """The name of every member of an object satisfies a schema."""

    name: Literal


@dataclass(frozen=True, slots=True)
class Opaque:
    """Something that no node says: either sign of it is left to the check of the whole text."""

    pointer: str
    keyword: str
    reason: str


Node: TypeAlias = (
    Opaque
    | At
    | All
    | One
    | TypeIs
    | Constants
    | Scalar
    | Items
    | Contains
    | Unique
    | Count
    | Members
    | Required
    | Names
)


def negate(literal: Literal) -> Literal:
    """The opposite literal."""
    return literal ^ 1


class Nodes:
    """Interns nodes: equal nodes have equal numbers, given out in order of first use."""

    def __init__(self) -> None:
        self._nodes: list[Node] = []
        self._numbers: dict[Node, int] = {}
        self.literal(All(()))

    def __len__(self) -> int:
        return len(self._nodes)

    def node(self, literal: Literal) -> Node:
        """The node of a literal, whatever its sign."""
        return self._nodes[literal >> 1]

    def literal(self, node: Node) -> Literal:
        """The positive literal of a node."""
        number = self._numbers.get(node)
        if number is None:
            number = self._numbers[node] = len(self._nodes)
            self._nodes.append(node)
        return 2 * number

    def all(self, parts: Iterable[Literal]) -> Literal:
        """All of some literals, simplified."""
        kept: dict[Literal, None] = {}
        for part in parts:
            if part == FALSE or negate(part) in kept:
                return FALSE
            if part != TRUE:
                kept[part] = None
        return next(iter(kept)) if len(kept) == 1 else self.literal(All(tuple(kept)))

    def any(self, parts: Iterable[Literal]) -> Literal:
        """Some of some literals, simplified."""
        return negate(self.all(negate(part) for part in parts))

    def one(self, parts: Iterable[Literal]) -> Literal:
        """Exactly one of some literals, simplified."""
        kept = [part for part in parts if part != FALSE]
        if kept.count(TRUE) > 1:
            return FALSE
        if TRUE in kept:
            return self.all(negate(part) for part in kept if part != TRUE)
        if not kept:
            return FALSE
        return kept[0] if len(kept) == 1 else self.literal(One(tuple(kept)))


def identity(value: Json) -> Hashable:
    """A key that two JSON values share iff they are equal: 1 and 1.0 are, 1 and true are not."""
    if isinstance(value, bool):
        return ("boolean", value)
    if isinstance(value, int | Decimal):
        return ("number", Decimal(value))
    if isinstance(value, list):
        return ("array", tuple(identity(item) for item in value))
    if isinstance(value, dict):
        return ("object", frozenset((key, identity(item)) for key, item in value.items()))
    return value
