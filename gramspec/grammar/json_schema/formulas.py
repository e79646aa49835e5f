"""Formulas over strings and numbers: what the keywords for one scalar type say, as hashable values.

Law: a formula denotes a set of values; equal formulas denote equal sets.
Source: JSON Schema Validation, sections 6.2, 6.3 and 7.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Length:
    """Strings of so many characters (Unicode scalars); `most` None: unbounded."""

    least: int
    most: int | None


@dataclass(frozen=True, slots=True)
class Pattern:
    """Strings in which an ECMA-262 pattern matches somewhere."""

    text: str


@dataclass(frozen=True, slots=True)
class Format:
    """Strings of a known format."""

    name: str


@dataclass(frozen=True, slots=True)
class Words:
    """Some strings."""

    words: frozenset[str]


@dataclass(frozen=True, slots=True)
class Between:
    """Numbers between two bounds; None: unbounded."""

    low: Decimal | None
    low_strict: bool
    high: Decimal | None
    high_strict: bool


@dataclass(frozen=True, slots=True)
class Multiple:
    """Integral multiples of a positive number."""

    divisor: Decimal


@dataclass(frozen=True, slots=True)
class Integral:
    """Numbers of integral value, however they are written."""


@dataclass(frozen=True, slots=True)
class Plain:
    """Integers written without fraction and exponent: the integers of draft 4."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """Some numbers."""

    values: frozenset[Decimal]


@dataclass(frozen=True, slots=True)
class AllOf:
    """What is in every part; everything when there is none."""

    parts: tuple[Formula, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """What is in some part; nothing when there is none."""

    parts: tuple[Formula, ...]


@dataclass(frozen=True, slots=True)
class Negation:
    """What is not in the part."""

    part: Formula


Formula: TypeAlias = (
    Length
    | Pattern
    | Format
    | Words
    | Between
    | Multiple
    | Integral
    | Plain
    | Numbers
    | AllOf
    | AnyOf
    | Negation
)

EVERYTHING = AllOf(())
NOTHING = AnyOf(())


def all_of(*parts: Formula) -> Formula:
    """Conjunction, flattened; equal parts once."""
    found: dict[Formula, None] = {}
    for part in parts:
        if part == NOTHING:
            return NOTHING
        found.update(dict.fromkeys(part.parts if isinstance(part, AllOf) else (part,)))
    return next(iter(found)) if len(found) == 1 else AllOf(tuple(found))


def any_of(*parts: Formula) -> Formula:
    """Disjunction, flattened; equal parts once, listed values together."""
    found: dict[Formula, None] = {}
    for part in parts:
        if part == EVERYTHING:
            return EVERYTHING
        found.update(dict.fromkeys(part.parts if isinstance(part, AnyOf) else (part,)))
    words = [part for part in found if isinstance(part, Words)]
    if len(words) > 1:
        found = {part: None for part in found if not isinstance(part, Words)}
        found[Words(frozenset().union(*(part.words for part in words)))] = None
    numbers = [part for part in found if isinstance(part, Numbers)]
    if len(numbers) > 1:
        found = {part: None for part in found if not isinstance(part, Numbers)}
        found[Numbers(frozenset().union(*(part.values for part in numbers)))] = None
    return next(iter(found)) if len(found) == 1 else AnyOf(tuple(found))


def negation(part: Formula) -> Formula:
    """Complement."""
    if part == EVERYTHING:
        return NOTHING
    if part == NOTHING:
        return EVERYTHING
    return part.part if isinstance(part, Negation) else Negation(part)
