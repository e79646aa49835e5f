"""Facts about a grammar: its size, its language, its frames, and what is left to residual predicates.

Law: every fact is proved by what was looked at, or says that the search met its bound.
Cost: at most `AnalysisLimits.max_explored` configurations and `max_pairs` steps of the search for ambiguity.
Source: architecture, "The automaton (native core)".
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np

from gramspec.automaton.ambiguity import AmbiguityReport, find_ambiguity
from gramspec.automaton.graph import TextGraph
from gramspec.automaton.members import MemberLimits, WeightedMembers, seeded, shortest_members
from gramspec.errors import LimitError
from gramspec.grammar import ir
from gramspec.grammar.core import Grammar, Place

Extent: TypeAlias = Literal["finite", "infinite", "undecided"]

_SAMPLES = 5
_SHORTEST = 3
_LONGEST = 1 << 20
_LIMITS = MemberLimits(max_steps=100_000, max_attempts=200)


@dataclass(frozen=True, slots=True)
class AnalysisLimits:
    """Bounds of an analysis.

    Parameters
    ----------
    max_explored : int
        Configurations visited for the alphabet and for whether the language is finite.
    max_steps : int
        Bytes tried on the way.
    max_pairs : int
        Steps of the search for ambiguity, in all.
    max_pairs_each : int
        Steps of that search in one node.
    """

    max_explored: int = 2_000
    max_steps: int = 60_000
    max_pairs: int = 12_000
    max_pairs_each: int = 500


@dataclass(frozen=True, slots=True)
class Language:
    """What the configurations visited tell about the language, residual predicates not asked.

    Parameters
    ----------
    extent : {"finite", "infinite", "undecided"}
    members : int or None
        How many, where the language is finite and was visited as a whole.
    alphabet : bytes
        Bytes that occur in members.
    alphabet_complete : bool
        False: further bytes may occur.
    explored : int
        Configurations visited.
    complete : bool
        Whether these are all.
    """

    extent: Extent
    members: int | None
    alphabet: bytes
    alphabet_complete: bool
    explored: int
    complete: bool


@dataclass(frozen=True, slots=True)
class Frame:
    """A kind of stack frame that a grammar uses.

    Parameters
    ----------
    kind : str
    count : int
        Nodes of the expression that use it.
    enforces : str
        What it is for.
    """

    kind: str
    count: int
    enforces: str


@dataclass(frozen=True, slots=True)
class Analysis:
    """Facts about a grammar.

    Parameters
    ----------
    nodes : dict of str to int
        Distinct nodes of the expression by kind.
    rules, recursive_rules : int
        Named rules, and those that call themselves, directly or not.
    language : Language
    shortest, samples : tuple of bytes
        The shortest members, and a few random ones.
    samples_refused : str or None
        Why there are no samples: the residual predicates refused too many, or they are too long.
    frames : tuple of Frame
    residuals : tuple of Place
        What is enforced by predicates on the whole text.
    ambiguity : AmbiguityReport
    """

    nodes: dict[str, int]
    rules: int
    recursive_rules: int
    language: Language
    shortest: tuple[bytes, ...]
    samples: tuple[bytes, ...]
    samples_refused: str | None
    frames: tuple[Frame, ...]
    residuals: tuple[Place, ...]
    ambiguity: AmbiguityReport


def analyse(grammar: Grammar, *, limits: AnalysisLimits | None = None, seed: int = 0) -> Analysis:
    """Analyse a grammar without a vocabulary.

    Parameters
    ----------
    grammar : Grammar
    limits : AnalysisLimits, optional
    seed : int
        Of the samples.

    Returns
    -------
    Analysis

    Raises
    ------
    EmptyLanguageError
        If no text belongs to the grammar.
    UnsupportedError
        If the grammar has token edges.
    LimitError
        If it cannot be loaded.
    """
    limits = limits or AnalysisLimits()
    graph = TextGraph(grammar)
    nodes = list(ir.walk(grammar.expr))
    rules = {id(node.rule): node.rule for node in nodes if isinstance(node, ir.Ref)}
    samples, refused = _samples(grammar, seed)
    return Analysis(
        nodes=dict(Counter(type(node).__name__ for node in nodes).most_common()),
        rules=len(rules),
        recursive_rules=len(_recursive(list(rules.values()))),
        language=_language(graph, nodes, limits),
        shortest=_shortest(graph),
        samples=samples,
        samples_refused=refused,
        frames=tuple(_frames(nodes)),
        residuals=tuple(place for residual in grammar.residuals for place in residual.places),
        ambiguity=find_ambiguity(graph, max_pairs=limits.max_pairs, max_pairs_each=limits.max_pairs_each),
    )


def _shortest(graph: TextGraph) -> tuple[bytes, ...]:
    graph.refresh()
    found: tuple[bytes, ...] = ()
    with suppress(LimitError):
        found = tuple(shortest_members(graph, _SHORTEST))
    if not found and not graph.grammar.residuals:
        # Too long for the search; a way straight on that is as short as the lower bound is shortest.
        only = graph.completion(graph.start, _LONGEST)
        return (only,) if only is not None and len(only) == graph.distance(graph.start) else ()
    return found


def _samples(grammar: Grammar, seed: int) -> tuple[tuple[bytes, ...], str | None]:
    choose, members = seeded(seed), WeightedMembers(grammar, limits=_LIMITS)
    try:
        return tuple(members.draw(choose) for _ in range(_SAMPLES)), None
    except LimitError as error:
        return (), str(error)


# -- the language -------------------------------------------------------------------------------------


@dataclass
class _Visited:
    edges: dict[int, list[tuple[int, int]]] = field(default_factory=dict)  # successor, how many bytes
    alphabet: set[int] = field(default_factory=set)
    complete: bool = True


def _language(graph: TextGraph, nodes: list[ir.Expr], limits: AnalysisLimits) -> Language:
    visited = _visit(graph, limits)
    order = _topological(visited.edges)
    bound = _byte_bound(nodes)
    alphabet = bytes(sorted(visited.alphabet))
    extent: Extent = "undecided"
    members: int | None = None
    if order is None:  # every configuration is live: a cycle can be pumped
        extent = "infinite"
    elif visited.complete:
        extent = "finite"
        members = _count(graph, visited.edges, order)
    elif _bounded(nodes):
        extent = "finite"
    alphabet_complete = visited.complete or (bound is not None and set(alphabet) == bound)
    return Language(extent, members, alphabet, alphabet_complete, len(visited.edges), visited.complete)


def _visit(graph: TextGraph, limits: AnalysisLimits) -> _Visited:
    """Configurations, nearest first, with the edges between those visited."""
    out = _Visited()
    queue = [graph.start]
    known = {graph.start}
    most = graph.steps + limits.max_steps
    for config in queue:  # grows
        if len(out.edges) == limits.max_explored or graph.steps > most:
            out.complete = False
            break
        try:
            successors = graph.successors(config)
        except LimitError:  # more configurations than the engine may hold: what was seen stands
            out.complete = False
            break
        out.edges[config] = [(successor, len(data)) for successor, data in successors]
        for successor, data in successors:
            out.alphabet.update(data)
            if successor not in known:
                known.add(successor)
                queue.append(successor)
    return out


def _topological(edges: dict[int, list[tuple[int, int]]]) -> list[int] | None:
    """The visited configurations in an order in which edges lead forward; None if there is a cycle."""
    incoming = Counter(successor for targets in edges.values() for successor, _ in targets)
    ready = [config for config in edges if not incoming[config]]
    for config in ready:  # grows
        for successor, _ in edges[config]:
            incoming[successor] -= 1
            if not incoming[successor] and successor in edges:
                ready.append(successor)
    return ready if len(ready) == len(edges) else None


def _count(graph: TextGraph, edges: dict[int, list[tuple[int, int]]], order: list[int]) -> int:
    counts: dict[int, int] = {}
    for config in reversed(order):
        further = sum(width * counts[successor] for successor, width in edges[config])
        counts[config] = further + graph.accepts(config)
    return counts[graph.start]


def _byte_bound(nodes: list[ir.Expr]) -> set[int] | None:
    """Bytes that the leaves name; None where a complement may use any byte."""
    if any(isinstance(node, ir.Not) for node in nodes):
        return None
    mask = 0
    for node in nodes:
        if isinstance(node, ir.ByteSet):
            mask |= node.mask
        elif isinstance(node, ir.JsonObject):
            mask |= sum(1 << byte for byte in b'{}:,"')
    return {byte for byte in range(256) if mask >> byte & 1}


def _bounded(nodes: list[ir.Expr]) -> bool:
    """Whether nothing in the expression can repeat without end."""
    for node in nodes:
        match node:
            case ir.Repeat(maximum=None) | ir.Not() | ir.Machine():
                return False
            case ir.JsonObject() if node.additional is not None or node.classes:
                return False
    rules = {id(node.rule): node.rule for node in nodes if isinstance(node, ir.Ref)}
    return not _recursive(list(rules.values()))


# -- rules and frames ---------------------------------------------------------------------------------


def _recursive(rules: list[ir.Rule]) -> set[int]:
    """Rules (by id) that reach themselves: those of a strongly connected component with a cycle."""
    if not rules:
        return set()
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    number = {id(rule): i for i, rule in enumerate(rules)}
    edges = [(number[id(rule)], number[other]) for rule in rules for other in _calls(rule) if other in number]
    callers, callees = (np.array([edge[end] for edge in edges], dtype=np.int64) for end in (0, 1))
    graph = csr_array((np.ones(len(edges)), (callers, callees)), shape=(len(rules), len(rules)))
    _, component = connected_components(graph, directed=True, connection="strong")
    sizes = Counter(component.tolist())
    loops = {caller for caller, callee in edges if caller == callee}
    return {id(rule) for i, rule in enumerate(rules) if sizes[int(component[i])] > 1 or i in loops}


def _calls(rule: ir.Rule) -> set[int]:
    """Rules that the body of one calls itself."""
    found: set[int] = set()
    seen: set[int] = set()
    todo: list[ir.Expr] = [] if rule.body is None else [rule.body]
    while todo:
        node = todo.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, ir.Ref):
            found.add(id(node.rule))
        todo.extend(ir.children(node))
    return found


def _frames(nodes: list[ir.Expr]) -> list[Frame]:
    objects = [node for node in nodes if isinstance(node, ir.JsonObject)]
    counted = [n for n in nodes if isinstance(n, ir.Repeat) and (n.minimum > 1 or (n.maximum or 0) > 1)]
    found = [
        Frame("rule", len({id(n.rule) for n in nodes if isinstance(n, ir.Ref)}), "calls of named rules"),
        Frame("call", sum(isinstance(n, ir.Call) for n in nodes), "parts whose token rows are shared"),
        Frame("object", len(objects), "keys in order or free, required keys, no key twice"),
        Frame(
            "object with counts",
            sum(o.least > 0 or o.most is not None for o in objects),
            "number of members",
        ),
        Frame("object with marks", sum(o.marks != 0 for o in objects), "members that must occur"),
        Frame(
            "object with key classes", sum(bool(o.classes) for o in objects), "values by the form of the key"
        ),
        Frame("counter", len(counted), "repetitions between bounds"),
        Frame("machine", sum(isinstance(n, ir.Machine) for n in nodes), "finite automata given as such"),
    ]
    return [frame for frame in found if frame.count]
