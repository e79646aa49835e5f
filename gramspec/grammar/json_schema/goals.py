"""Goals: sets of sub-schemas that one value has to satisfy together, split into branches.

Law: a value satisfies a goal iff it satisfies the own keywords of every member of one of its branches.
Source: architecture, "JSON Schema as goals".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from gramspec.errors import GrammarError
from gramspec.grammar.json_schema.document import Document
from gramspec.grammar.json_schema.drafts import ALL_TYPES
from gramspec.grammar.json_schema.sources import Json

Goal: TypeAlias = tuple[str, ...]
"""Pointers of sub-schemas, each once; the empty goal is satisfied by every value."""

MAX_BRANCHES = 4096


def in_place(document: Document, pointer: str, schema: dict[str, Json], keyword: str) -> list[str]:
    """Pointers of the schemas that an in-place applicator applies to the same value."""
    if keyword == "$ref":
        return [document.resolve(pointer, schema["$ref"])]
    if keyword in ("allOf", "anyOf", "oneOf"):
        branches = document.branches(pointer, schema, keyword)
        return branches if keyword != "oneOf" or len(branches) == 1 else []
    return []


class Goals:
    """Goals over one document.

    Parameters
    ----------
    document : Document
        Where the pointers lead.
    order : {"schema", "any"}
        With "schema" the order of members is kept: it decides the order of properties.
    """

    def __init__(self, document: Document, order: Literal["schema", "any"]) -> None:
        self._document = document
        self._order = order
        self._sound: set[str] = set()

    def canonical(self, pointers: list[str]) -> Goal:
        """The goal of some sub-schemas; those that hold for every value are left out."""
        kept: dict[str, None] = {}
        for pointer in pointers:
            schema = self._document.schema(pointer)
            if schema is not True and schema != {}:
                kept[pointer] = None
        return tuple(sorted(kept)) if self._order == "any" else tuple(kept)

    def branches(self, goal: Goal) -> list[Goal]:
        """The branches of a goal: in-place applicators resolved, one choice for each ``anyOf``."""
        for pointer in goal:
            self.check_loops(pointer)
        results: dict[Goal, None] = {}
        pending = [_State([("schema", pointer) for pointer in reversed(goal)], {}, set(), ALL_TYPES)]
        steps = 0
        while pending:
            steps += 1
            if steps > 16 * MAX_BRANCHES or len(results) > MAX_BRANCHES:
                reason = f"`anyOf` multiplies out to more than {MAX_BRANCHES} cases"
                raise GrammarError(goal[0], reason, "merge some of the cases")
            state = pending.pop()
            choice = self._run(state)
            if choice is None:
                continue
            if not choice:
                found = sorted(state.members) if self._order == "any" else state.members
                results[tuple(found)] = None
            for pointer in reversed(choice):
                agenda = [*state.agenda, ("schema", pointer)]
                pending.append(_State(agenda, dict(state.members), set(state.opened), state.types))
        return list(results)

    def check_loops(self, pointer: str) -> None:
        """Raise if a schema refers to itself without any step into the value."""
        if pointer in self._sound:
            return
        path: dict[str, None] = {}
        agenda = [(pointer, False)]
        while agenda:
            place, leave = agenda.pop()
            if leave:
                del path[place]
                self._sound.add(place)
                continue
            if place in path:
                raise GrammarError(place, "infinite reference loop: the schema refers to itself in place")
            schema = self._document.schema(place)
            if place in self._sound or isinstance(schema, bool):
                continue
            path[place] = None
            agenda.append((place, True))
            for keyword in schema:
                agenda.extend((target, False) for target in in_place(self._document, place, schema, keyword))

    def _run(self, state: _State) -> list[str] | None:
        """Work a state off until its next ``anyOf``: its alternatives; none at the end; None if it died."""
        while state.agenda:
            action, pointer = state.agenda.pop()
            schema = self._document.schema(pointer)
            if isinstance(schema, bool):
                if not schema:
                    return None
            elif action == "member":
                state.members[pointer] = None
            elif action == "choose":
                return in_place(self._document, pointer, schema, "anyOf")
            elif pointer not in state.opened:
                state.opened.add(pointer)
                state.types &= self._document.types(pointer, schema)
                if not state.types:
                    return None
                state.agenda.extend(reversed(self._actions(pointer, schema)))
        return []

    def _actions(self, pointer: str, schema: dict[str, Json]) -> list[tuple[str, str]]:
        """What a schema asks for, in the order in which it is written."""
        actions: list[tuple[str, str]] = []
        for keyword in schema:
            if keyword == "properties":
                actions.append(("member", pointer))
            elif keyword == "anyOf":
                actions.append(("choose", pointer))
            else:
                actions.extend(
                    ("schema", target) for target in in_place(self._document, pointer, schema, keyword)
                )
        if "properties" not in schema:
            actions.append(("member", pointer))
        return actions


@dataclass(slots=True)
class _State:
    """A branch under way: what is left to do (last first), members found, schemas seen, types left."""

    agenda: list[tuple[str, str]]
    members: dict[str, None]
    opened: set[str]
    types: frozenset[str]
