"""What literals say: possible types, sets of strings and numbers, and whether a constant satisfies them.

Law: types and formulas are exact up to `Opaque` parts, for which they are supersets; so is `holds`.
Source: JSON Schema Validation, section 6.
"""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache

from gramspec.errors import GrammarError
from gramspec.grammar.json_schema.formulas import (
    EVERYTHING,
    NOTHING,
    Formula,
    Numbers,
    Pattern,
    Words,
    all_of,
    any_of,
    negation,
)
from gramspec.grammar.json_schema.nodes import (
    FALSE,
    TRUE,
    All,
    At,
    Constants,
    Contains,
    Count,
    Goal,
    Items,
    Literal,
    Members,
    Names,
    One,
    Opaque,
    Required,
    Scalar,
    TypeIs,
    Unique,
    identity,
    negate,
)
from gramspec.grammar.json_schema.numbers import number_empty, number_holds
from gramspec.grammar.json_schema.parse import TYPES, Schemas, constants
from gramspec.grammar.json_schema.sources import Json
from gramspec.grammar.json_schema.strings import string_empty, string_holds

NO_TYPE: frozenset[str] = frozenset()


def type_of(value: Json) -> str:
    """The JSON type of a value."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | Decimal):
        return "number"
    return {str: "string", list: "array", dict: "object"}[type(value)]


class Logic:
    """Facts about the literals of some schemas.

    Parameters
    ----------
    schemas : Schemas
        Where literals come from.

    Attributes
    ----------
    violations : dict
        What `ObjectFacts.violations` has told of `Members` nodes.
    """

    def __init__(self, schemas: Schemas) -> None:
        self.schemas = schemas
        self.nodes = schemas.nodes
        self._types: dict[Literal, frozenset[str] | None] = {}
        self._formulas: dict[tuple[Literal, str], Formula] = {}
        self._tables: dict[Literal, dict[str, Literal]] = {}
        self.violations: dict[Literal, tuple[list[tuple[str, Literal]], bool]] = {}
        self._implied: dict[tuple[Literal, Literal], bool] = {}
        self._applied: dict[tuple[Literal, str], Literal] = {}

    def types(self, literal: Literal) -> frozenset[str]:
        """The types of the values that may satisfy a literal.

        Raises
        ------
        GrammarError
            If a schema refers to itself in place.
        """
        if literal in self._types:
            found = self._types[literal]
            if found is None:
                node = self.nodes.node(literal)
                place = self.schemas.where(node.place) if isinstance(node, At) else ""
                raise GrammarError(place, "infinite reference loop: the schema refers to itself in place")
            return found
        self._types[literal] = None
        result = self._types[literal] = self._possible(literal)
        return result

    def _possible(self, literal: Literal) -> frozenset[str]:
        node, negative = self.nodes.node(literal), literal & 1
        match node:
            case At():
                return self.types(self.schemas.body(node.place) ^ negative)
            case All():
                # Every part is visited, so that a loop is found wherever it is.
                found = [self.types(part ^ negative) for part in node.parts]
                if negative:
                    return NO_TYPE.union(*found)
                return TYPES.intersection(*found)
            case One():
                for part in node.parts:
                    self.types(part)
                return TYPES if negative else NO_TYPE.union(*(self.types(part) for part in node.parts))
            case TypeIs():
                return TYPES - node.types if negative else node.types
            case Constants():
                return TYPES if negative else frozenset(type_of(value) for value in node.values)
            case Opaque():
                return TYPES
            case Scalar() | Count():
                return frozenset([node.type]) if negative else TYPES
            case Items() | Contains() | Unique():
                return frozenset(["array"]) if negative else TYPES
            case Members() | Required() | Names():
                return frozenset(["object"]) if negative else TYPES

    def goal_types(self, goal: Goal) -> frozenset[str]:
        """The types of the values that may satisfy a goal."""
        return TYPES.intersection(*(self.types(literal) for literal in goal))

    def formula(self, literal: Literal, kind: str) -> Formula:
        """The strings or numbers (by `kind`) that satisfy a literal."""
        key = (literal, kind)
        found = self._formulas.get(key)
        if found is None:
            found = self._formulas[key] = self._formula(literal, kind)
        return found

    def goal_formula(self, goal: Goal, kind: str) -> Formula:
        """The strings or numbers that satisfy a goal."""
        return all_of(*(self.formula(literal, kind) for literal in goal))

    def _formula(self, literal: Literal, kind: str) -> Formula:
        node, negative = self.nodes.node(literal), literal & 1
        match node:
            case At():
                return self.formula(self.schemas.body(node.place) ^ negative, kind)
            case All():
                parts = [self.formula(part ^ negative, kind) for part in node.parts]
                return any_of(*parts) if negative else all_of(*parts)
            case One():
                return self._one(node, kind, negative=bool(negative))
            case Opaque():
                return EVERYTHING
            case TypeIs():
                found: Formula = EVERYTHING if kind in node.types else NOTHING
            case Constants() if kind == "string":
                words = frozenset(value for value in node.values if isinstance(value, str))
                found = Words(words) if words else NOTHING
            case Constants():
                values = [value for value in node.values if type_of(value) == "number"]
                numbers = frozenset(Decimal(value) for value in values)  # type: ignore[arg-type]
                found = Numbers(numbers) if numbers else NOTHING
            case Scalar() if node.type == kind:
                found = node.formula
            case _:
                found = EVERYTHING
        return negation(found) if negative else found

    def _one(self, node: One, kind: str, *, negative: bool) -> Formula:
        yes = [self.formula(part, kind) for part in node.parts]
        no = [self.formula(negate(part), kind) for part in node.parts]
        alive = [index for index, part in enumerate(yes) if part != NOTHING]
        if all(isinstance(yes[index], Words) for index in alive) and not negative:
            counts: dict[str, int] = {}
            for index in alive:
                words = yes[index]
                assert isinstance(words, Words)
                for word in words.words:
                    counts[word] = counts.get(word, 0) + 1
            single = frozenset(word for word, count in counts.items() if count == 1)
            return Words(single) if single else NOTHING
        if negative:
            cases = [all_of(*no)]
            pairs = ((i, j) for i in alive for j in alive if i < j)
            cases.extend(
                all_of(yes[i], yes[j]) for i, j in pairs if not scalar_empty(all_of(yes[i], yes[j]), kind)
            )
            return any_of(*cases)
        cases = []
        for i in alive:
            others = [j for j in alive if j != i and not scalar_empty(all_of(yes[i], yes[j]), kind)]
            cases.append(all_of(yes[i], *(no[j] for j in others)))
        return any_of(*cases)

    def where(self, goal: Goal) -> str:
        """The place of a goal's first schema, as users know it."""
        for literal in goal:
            node = self.nodes.node(literal)
            if isinstance(node, At):
                return self.schemas.where(node.place)
            if node in self.schemas.origins:
                return self.schemas.origins[node][0]
            if isinstance(node, All | One) and (found := self.where(node.parts)):
                return found
        return ""

    def table(self, literal: Literal) -> dict[str, Literal]:
        """The declared names of a `Members` node."""
        found = self._tables.get(literal)
        if found is None:
            node = self.nodes.node(literal)
            assert isinstance(node, Members)
            found = self._tables[literal] = dict(node.declared)
        return found

    def applied(self, literal: Literal, name: str) -> Literal:
        """What a `Members` node asks for of the value under a name."""
        found = self._applied.get((literal, name))
        if found is None:
            node, table = self.nodes.node(literal), self.table(literal)
            assert isinstance(node, Members)
            parts = [table[name]] if name in table else []
            parts.extend(part for pattern, part in node.patterns if string_holds(Pattern(pattern), name))
            found = self._applied[literal, name] = self.nodes.all(parts) if parts else node.others
        return found

    def implies(self, one: Literal, other: Literal) -> bool:
        """Whether all that satisfies one literal satisfies the other; seen for conjunctions and constants."""
        if one == other:
            return True
        key = (one, other)
        found = self._implied.get(key)
        if found is None:
            found = self._implied[key] = self._implies(one, other)
        return found

    def _implies(self, one: Literal, other: Literal) -> bool:
        node, wanted = self.nodes.node(one), self.nodes.node(other)
        if isinstance(node, All) and not one & 1:
            return any(self.implies(part, other) for part in node.parts)
        if isinstance(wanted, All) and other & 1:
            return any(self.implies(one, negate(part)) for part in wanted.parts)
        if isinstance(wanted, All):
            return all(self.implies(one, part) for part in wanted.parts)
        if one & 1 or not isinstance(node, Constants):
            return False
        if isinstance(wanted, TypeIs):
            return all((type_of(value) in wanted.types) != bool(other & 1) for value in node.values)
        if not isinstance(wanted, Constants):
            return False
        return node.keys.isdisjoint(wanted.keys) if other & 1 else node.keys <= wanted.keys

    def equals(self, value: Json) -> Literal:
        """The literal of being equal to a constant, containers spelled out by members or items."""
        nodes = self.nodes
        if isinstance(value, list):
            size = len(value)
            items = nodes.literal(Items(tuple(self.equals(item) for item in value), TRUE))
            counts = [negate(nodes.literal(Count("array", size + 1)))]
            counts.extend([nodes.literal(Count("array", size))] if size else [])
            return nodes.all([nodes.literal(TypeIs(frozenset(["array"]))), items, *counts])
        if isinstance(value, dict):
            pairs = tuple((name, self.equals(item)) for name, item in value.items())
            members = nodes.literal(Members(pairs, (), FALSE, ordered=False))
            required = [nodes.literal(Required(name)) for name in value]
            return nodes.all([nodes.literal(TypeIs(frozenset(["object"]))), members, *required])
        return constants(nodes, [value])

    def holds(self, value: Json, literal: Literal) -> bool:
        """Whether a value satisfies a literal."""
        node = self.nodes.node(literal)
        if isinstance(node, Opaque):
            return True
        if isinstance(node, At):
            self.types(literal)
            return self.holds(value, self.schemas.body(node.place) ^ (literal & 1))
        if isinstance(node, All) and literal & 1:
            return any(self.holds(value, negate(part)) for part in node.parts)
        return self._satisfies(value, literal & ~1) != bool(literal & 1)

    def _satisfies(self, value: Json, literal: Literal) -> bool:
        node = self.nodes.node(literal)
        match node:
            case All():
                return all(self.holds(value, part) for part in node.parts)
            case One():
                return sum(self.holds(value, part) for part in node.parts) == 1
            case TypeIs():
                return type_of(value) in node.types
            case Constants():
                return identity(value) in node.keys
            case Scalar():
                return self._scalar(value, node)
            case Count():
                return type_of(value) != node.type or len(value) >= node.count  # type: ignore[arg-type]
        if isinstance(value, list):
            match node:
                case Items():
                    size = len(node.prefix)
                    return all(
                        self.holds(item, node.prefix[index] if index < size else node.rest)
                        for index, item in enumerate(value)
                    )
                case Contains():
                    return sum(self.holds(item, node.item) for item in value) >= node.count
                case Unique():
                    return len({identity(item) for item in value}) == len(value)
        if isinstance(value, dict):
            match node:
                case Members():
                    return all(self.holds(item, self.applied(literal, name)) for name, item in value.items())
                case Required():
                    return node.name in value
                case Names():
                    return all(self.holds(name, node.name) for name in value)
        return True

    def _scalar(self, value: Json, node: Scalar) -> bool:
        if type_of(value) != node.type:
            return True
        if isinstance(value, str):
            return string_holds(node.formula, value)
        assert isinstance(value, int | Decimal)
        return number_holds(node.formula, Decimal(value), plain=isinstance(value, int))


@lru_cache(maxsize=1 << 14)
def scalar_empty(formula: Formula, kind: str) -> bool:
    """Whether a set of strings or numbers is surely empty."""
    if formula == NOTHING:
        return True
    return string_empty(formula) if kind == "string" else number_empty(formula)
