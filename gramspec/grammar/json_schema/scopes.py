"""The dynamic scope of a place, cut down to what its references can see.

Law: a scope says for each name which resource declares it outermost, as far as more than one resource
declares it and a reference by that name can still be met; so places of equal meaning have equal scopes.
Source: JSON Schema Core 2020-12, sections 7.1 and 8.2.3.2; 2019-09, section 8.2.4.2.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from gramspec.grammar.json_schema.resources import Resource

Scope = tuple[str, ...]


class Edge(NamedTuple):
    """A way from one resource into another; `name` if the dynamic scope may lead it elsewhere."""

    source: Resource
    target: Resource
    name: str | None


class Scopes:
    """The dynamic scopes over some resources.

    Parameters
    ----------
    resources : iterable of Resource
        All of them.
    edges : iterable of Edge
        All ways between them: embedding and references.
    """

    def __init__(self, resources: Iterable[Resource], edges: Iterable[Edge]) -> None:
        declaring: dict[str, list[Resource]] = {}
        for resource in resources:
            for name in resource.dynamic:
                declaring.setdefault(name, []).append(resource)
        declaring = {name: found for name, found in declaring.items() if len(found) > 1}
        self._bindings = {
            _binding(name, resource): (name, resource)
            for name, found in declaring.items()
            for resource in found
        }
        self._live = _live_names(edges, declaring) if declaring else {}
        self._entered: dict[tuple[Scope, Resource], Scope] = {}

    def enter(self, scope: Scope, resource: Resource) -> Scope:
        """The scope after entering a resource."""
        live = self._live.get(resource)
        if not live:
            return ()
        key = scope, resource
        if key not in self._entered:
            names = {self._bindings[binding][0]: binding for binding in scope}
            for name in resource.dynamic:
                if _binding(name, resource) in self._bindings:
                    names.setdefault(name, _binding(name, resource))
            self._entered[key] = tuple(sorted(names[name] for name in names.keys() & live))
        return self._entered[key]

    def bound(self, scope: Scope, name: str) -> Resource | None:
        """The outermost resource that declares a name; None where the scope has no say."""
        for binding in scope:
            known, resource = self._bindings[binding]
            if known == name:
                return resource
        return None


def _binding(name: str, resource: Resource) -> str:
    return f"{name}@{resource.document}#{resource.pointer}"


def _live_names(edges: Iterable[Edge], declaring: dict[str, list[Resource]]) -> dict[Resource, set[str]]:
    """For each resource the names by which a reference can still be met from it."""
    live: dict[Resource, set[str]] = {}
    before: dict[Resource, set[Resource]] = {}
    for source, target, name in edges:
        before.setdefault(target, set()).add(source)
        if name is not None and name in declaring:
            live.setdefault(source, set()).add(name)
            for resource in declaring[name]:
                before.setdefault(resource, set()).add(source)
    agenda = list(live)
    while agenda:
        resource = agenda.pop()
        for earlier in before.get(resource, ()):
            known = live.setdefault(earlier, set())
            if not live[resource] <= known:
                known |= live[resource]
                agenda.append(earlier)
    return live
