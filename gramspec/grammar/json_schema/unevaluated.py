"""``unevaluatedProperties`` and ``unevaluatedItems`` in terms of the other keywords.

Law: a union over sets of sub-schemas that hold: what they evaluate is free, the rest satisfies the keyword.
Source: JSON Schema Core 2020-12, sections 11.2 and 11.3; 2019-09, sections 9.3.1.3 and 9.3.2.4.

Which sub-schemas evaluate something is a matter of structure; which of them hold depends on the
value. For every consistent set of conditions there is a case that asks for these conditions and for
the rest of the value to satisfy the keyword. A case with fewer conditions than hold only asks for
more, so no case needs to deny a condition.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass

from gramspec.errors import GrammarError
from gramspec.grammar.json_schema import keywords
from gramspec.grammar.json_schema.documents import Place
from gramspec.grammar.json_schema.nodes import (
    FALSE,
    TRUE,
    Items,
    Literal,
    Members,
    Opaque,
    Required,
    TypeIs,
    negate,
)
from gramspec.grammar.json_schema.parse import Schemas, tuple_items
from gramspec.grammar.json_schema.sources import Json

MAX_CASES = 256


@dataclass(frozen=True, slots=True)
class _Seen:
    """What some sub-schemas evaluate: names and patterns of keys, or items; or everything."""

    names: frozenset[str] = frozenset()
    patterns: frozenset[str] = frozenset()
    count: int = 0
    holding: frozenset[Literal] = frozenset()
    everything: bool = False

    def __or__(self, other: _Seen) -> _Seen:
        return _Seen(
            self.names | other.names,
            self.patterns | other.patterns,
            max(self.count, other.count),
            self.holding | other.holding,
            self.everything or other.everything,
        )


@dataclass(frozen=True, slots=True)
class _Condition:
    """What has to hold for a sub-schema to count; of one `group` only one index can hold."""

    literal: Literal
    group: Hashable = None
    index: int = 0


_Conditions = tuple[_Condition, ...]


def unevaluated_members(schemas: Schemas, place: Place) -> Literal:
    """The literal of the ``unevaluatedProperties`` of the schema at a place."""
    return _Unevaluated(schemas, place, "unevaluatedProperties").literal()


def unevaluated_items(schemas: Schemas, place: Place) -> Literal:
    """The literal of the ``unevaluatedItems`` of the schema at a place."""
    return _Unevaluated(schemas, place, "unevaluatedItems").literal()


class _Unevaluated:
    def __init__(self, schemas: Schemas, place: Place, keyword: str) -> None:
        self._schemas = schemas
        self._place = place
        self._keyword = keyword

    def literal(self) -> Literal:
        nodes = self._schemas.nodes
        value = self._schemas.child(self._place, self._keyword)
        if value == TRUE:
            return TRUE
        base = _Seen()
        found: dict[_Conditions, _Seen] = {}
        for conditions, seen in self._walk(self._place, (), ()):
            if not conditions:
                base |= seen
            else:
                found[conditions] = found.get(conditions, _Seen()) | seen
        cases: list[tuple[dict[Literal, _Condition], _Seen]] = [({}, base)]
        for conditions, seen in found.items():
            if base | seen == base:
                continue
            for chosen, before in list(cases):
                together = _together(chosen, conditions)
                if together is not None and before | seen != before:
                    cases.append((together, before | seen))
            if len(cases) > MAX_CASES:
                where = f"{self._schemas.where(self._place)}/{self._keyword}"
                reason = f"the sub-schemas beside it have more than {MAX_CASES} combinations"
                return nodes.literal(Opaque(where, self._keyword, reason))
        return nodes.any(nodes.all([*chosen, self._rest(seen, value)]) for chosen, seen in cases)

    def _rest(self, seen: _Seen, value: Literal) -> Literal:
        """What is not seen satisfies the keyword."""
        if seen.everything:
            return TRUE
        if self._keyword == "unevaluatedProperties":
            names = tuple((name, TRUE) for name in sorted(seen.names))
            patterns = tuple((pattern, TRUE) for pattern in sorted(seen.patterns))
            return self._schemas.note(
                Members(names, patterns, value, ordered=False), self._place, self._keyword
            )
        rest = self._schemas.nodes.any([value, *sorted(seen.holding)])
        if rest == TRUE:
            return TRUE
        return self._schemas.note(Items((TRUE,) * seen.count, rest), self._place, self._keyword)

    def _walk(
        self, place: Place, conditions: _Conditions, path: tuple[Place, ...]
    ) -> Iterator[tuple[_Conditions, _Seen]]:
        """What the schema at a place and its in-place sub-schemas evaluate, and when."""
        schemas = self._schemas
        if place in path:
            raise GrammarError(
                schemas.where(place), "infinite reference loop: the schema refers to itself in place"
            )
        path = (*path, place)
        schema = schemas.documents.schema(place)
        if isinstance(schema, bool):
            return
        yield conditions, self._own(place, schema, inner=len(path) > 1)
        for keyword in schemas.known(place, schema):
            if keyword in ("$ref", "$dynamicRef", "$recursiveRef"):
                yield from self._walk(schemas.documents.targets(place, keyword), conditions, path)
            elif keyword in ("allOf", "anyOf", "oneOf"):
                for index, branch in enumerate(schemas.branches(place, schema, keyword)):
                    more: _Conditions = ()
                    if keyword != "allOf":
                        group = (place, keyword) if keyword == "oneOf" else None
                        more = (_Condition(schemas.at(branch), group, index),)
                    yield from self._walk(branch, conditions + more, path)
            elif keyword == "if":
                child = schemas.documents.child
                yes = (_Condition(schemas.at(child(place, "if")), (place, "if"), 0),)
                no = (_Condition(negate(schemas.at(child(place, "if"))), (place, "if"), 1),)
                yield from self._walk(child(place, "if"), conditions + yes, path)
                if "then" in schema:
                    yield from self._walk(child(place, "then"), conditions + yes, path)
                if "else" in schema:
                    yield from self._walk(child(place, "else"), conditions + no, path)
            elif keyword in ("dependentSchemas", "dependencies"):
                for name, value in keywords.mapping(schemas.where(place), schema, keyword).items():
                    if isinstance(value, dict):
                        object_ = schemas.nodes.literal(TypeIs(frozenset(["object"])))
                        present = schemas.nodes.all([object_, schemas.nodes.literal(Required(name))])
                        has = (_Condition(present),)
                        yield from self._walk(
                            schemas.documents.child(place, keyword, name), conditions + has, path
                        )

    def _own(self, place: Place, schema: dict[str, Json], *, inner: bool) -> _Seen:
        """What the keywords of one schema evaluate by themselves."""
        schemas = self._schemas
        if inner and self._keyword in schema:
            return _Seen(everything=True)
        if self._keyword == "unevaluatedProperties":
            where = schemas.where(place)
            return _Seen(
                names=frozenset(keywords.mapping(where, schema, "properties")),
                patterns=frozenset(keywords.mapping(where, schema, "patternProperties")),
                everything="additionalProperties" in schema,
            )
        prefix, rest = tuple_items(schemas, place, schema)
        holding: frozenset[Literal] = frozenset()
        if "contains" in schema and schemas.documents.draft(place).number >= 2020:
            holding = frozenset([schemas.child(place, "contains")])
        return _Seen(count=len(prefix), holding=holding, everything=rest is not None)


def _together(chosen: dict[Literal, _Condition], more: _Conditions) -> dict[Literal, _Condition] | None:
    """Conditions of a case and some more; None if they exclude each other."""
    result = dict(chosen)
    for condition in more:
        if condition.literal == FALSE or negate(condition.literal) in result:
            return None
        for other in result.values():
            if (
                condition.group is not None
                and other.group == condition.group
                and other.index != condition.index
            ):
                return None
        if condition.literal != TRUE:
            result[condition.literal] = condition
    return result
