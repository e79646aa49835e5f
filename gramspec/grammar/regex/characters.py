"""Questions about character expressions: membership, emptiness, all members, disjointness.

Law: every answer is exact; None says that the budget was too small to decide.
Cost: membership takes one table look-up per character once the states are known; counts stay symbolic.
Source: Owens, Reppy, Turon, "Regular-expression derivatives re-examined" (JFP 2009).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from heapq import heappop, heappush
from threading import Lock
from typing import Final

from gramspec.errors import LimitError
from gramspec.grammar import ir
from gramspec.grammar.regex.derivatives import ALL, EMPTY, EPSILON, Derivatives, parts_of

_MAX_TERMS: Final = 200_000
_FUEL_PER_STATE: Final = 500
_FUEL_TO_BUILD: Final = 4_000_000


def matches(expr: ir.Expr, text: str, *, fuel: int = 4_000_000) -> bool:
    """Whether a text is a member of a character expression.

    Parameters
    ----------
    expr : ir.Expr
        Regular expression over `CharSet` leaves; it may hold `And`, `Not`, `Call` and `Machine`.
    text : str
        A text with a lone surrogate is no member of anything.
    fuel : int
        Units of work (sizes of new derivatives) before giving up.

    Returns
    -------
    bool
        The exact answer.

    Raises
    ------
    LimitError
        When the fuel is spent, which takes an expression whose counts overlap in very many ways.
    GrammarError
        If the expression holds byte sets, rule calls, token edges or objects.
    """
    engine, lock = _engine(expr)
    with lock:
        engine.fuel = fuel
        (term,) = engine.terms
        number = engine.alphabet.number
        for char in text:
            kind = number(char)
            if kind < 0:
                return False
            if len(engine.keys) > _MAX_TERMS:
                term = engine.forget(term)
            term = engine.step(term, kind)
            if term == EMPTY:
                return False
        return engine.nullable[term]


def is_empty(expr: ir.Expr, budget: int = 2000) -> bool | None:
    """Whether a character expression has no member.

    Parameters
    ----------
    expr : ir.Expr
        As for `matches`.
    budget : int
        States to look at.

    Returns
    -------
    bool or None
        None when the budget does not suffice.

    Raises
    ------
    GrammarError
        As `matches` does.
    """
    plain = _structure(expr.item if isinstance(expr, ir.Not) else expr)
    if plain is not None:
        empty, nullable = plain
        if not isinstance(expr, ir.Not):
            return empty
        if not nullable:
            return False  # the empty string is outside
    try:
        engine = Derivatives([expr], _FUEL_TO_BUILD)
        engine.fuel = budget * _FUEL_PER_STATE
        return _is_empty(engine, engine.terms[0], budget)
    except LimitError:
        return None


def _structure(root: ir.Expr) -> tuple[bool, bool] | None:
    """Whether an expression is empty, and whether the empty string is a member.

    None where that does not follow from those of its parts: intersections, complements, automata.
    """
    known: dict[int, tuple[bool, bool]] = {}
    stack = [root]
    while stack:
        node = stack[-1]
        if id(node) in known:
            stack.pop()
            continue
        if isinstance(node, ir.CharSet):
            known[id(node)] = (not node.ranges, False)
            continue
        if isinstance(node, ir.Epsilon | ir.Empty):
            known[id(node)] = (isinstance(node, ir.Empty), isinstance(node, ir.Epsilon))
            continue
        if not isinstance(node, ir.Concat | ir.Union | ir.Repeat | ir.Call):
            return None
        parts = ir.children(node)
        missing = [part for part in parts if id(part) not in known]
        if missing:
            stack += missing
            continue
        empties = [known[id(part)][0] for part in parts]
        nullables = [known[id(part)][1] for part in parts]
        if isinstance(node, ir.Concat):
            known[id(node)] = (any(empties), all(nullables))
        elif isinstance(node, ir.Repeat) and node.minimum == 0:
            known[id(node)] = (False, True)
        else:
            known[id(node)] = (all(empties), any(nullables))
    return known[id(root)]


def disjoint(first: ir.Expr, second: ir.Expr, budget: int = 2000) -> bool | None:
    """Whether two character expressions have no common member.

    Parameters
    ----------
    first, second : ir.Expr
        As for `matches`.
    budget : int
        States to look at.

    Returns
    -------
    bool or None
        None when the budget does not suffice.

    Raises
    ------
    GrammarError
        As `matches` does.
    """
    return is_empty(ir.And((first, second)), budget)


def words(expr: ir.Expr, cap: int, budget: int = 2000) -> frozenset[str] | None:
    """All members of a character expression, if they are few.

    Parameters
    ----------
    expr : ir.Expr
        As for `matches`.
    cap : int
        The largest number of members to list.
    budget : int
        States to look at; the members together may have 100 characters per state.

    Returns
    -------
    frozenset of str or None
        None when there are more than `cap` members or the budget does not suffice.

    Raises
    ------
    GrammarError
        As `matches` does.
    """
    try:
        engine = Derivatives([expr], _FUEL_TO_BUILD)
        engine.fuel = budget * _FUEL_PER_STATE
        return _Words(engine, cap, budget).of(engine.terms[0])
    except LimitError:
        return None


@lru_cache(maxsize=512)
def _engine(expr: ir.Expr) -> tuple[Derivatives, Lock]:
    return Derivatives([expr], _FUEL_TO_BUILD), Lock()


def _is_empty(engine: Derivatives, root: int, budget: int) -> bool | None:
    """Search for a term that is certainly not empty, first where the least is still asked for.

    The parts of a union are searched apart, so no subset of them becomes a state.
    """
    heap = [(0.0, root)]
    seen = {root}
    while heap:
        _, term = heappop(heap)
        if term != EMPTY and (engine.plain[term] or engine.nullable[term]):
            return False
        if len(seen) > budget:
            return None
        key = engine.keys[term]
        successors: list[int] = []
        if key[0] == "or":
            successors.extend(key[1])
        elif key[0] == "cat" and engine.plain[key[2]]:
            successors.append(key[1])  # what follows is not empty
        elif key[0] == "repeat":
            successors.append(key[1])
        else:
            for block in engine.partition(term):
                successors.append(engine.step(term, (block & -block).bit_length() - 1))
        for successor in successors:
            if successor not in seen and successor != EMPTY:
                seen.add(successor)
                heappush(heap, (_still_asked(engine, successor), successor))
    return True


def _still_asked(engine: Derivatives, term: int) -> float:
    """The fewest characters that the parts of an intersection ask for, added up; a guess, no bound."""
    key = engine.keys[term]
    return sum(engine.shortest[part] for part in key[1]) if key[0] == "and" else engine.shortest[term]


class _TooManyError(Exception):
    """More members than asked for, or infinitely many."""


class _Words:
    """Members bottom-up where a term is plain, along the derivatives where it is not."""

    def __init__(self, engine: Derivatives, cap: int, budget: int) -> None:
        self.engine = engine
        self.cap = cap
        self.budget = budget
        self.letters = budget * 100
        self.known: dict[int, frozenset[str]] = {EMPTY: frozenset(), EPSILON: frozenset(("",))}

    def of(self, root: int) -> frozenset[str] | None:
        stack = [root]
        try:
            while stack:
                term = stack[-1]
                todo = [part for part in self.needed(term) if part not in self.known]
                if term in self.known or todo:
                    if not todo:
                        stack.pop()
                    stack.extend(todo)
                    continue
                stack.pop()
                found = self.plain(term) if self.splits(term) else self.explored(term)
                if found is None:
                    return None
                self.known[term] = self.counted(found)
        except _TooManyError:
            return None
        return self.known[root]

    def needed(self, term: int) -> Sequence[int]:
        return parts_of(self.engine.keys[term]) if self.splits(term) else ()

    def splits(self, term: int) -> bool:
        """Whether too many members of a part are too many of the whole (not beside an empty part)."""
        return self.engine.plain[term] or self.engine.keys[term][0] == "or"

    def counted(self, found: frozenset[str]) -> frozenset[str]:
        if len(found) > self.cap or sum(map(len, found)) > self.letters:
            raise _TooManyError
        return found

    def plain(self, term: int) -> frozenset[str]:
        key = self.engine.keys[term]
        parts = [self.known[part] for part in parts_of(key)]
        if key[0] == "set":
            return self.chars(key[1])
        if key[0] == "or":
            return frozenset().union(*parts)
        if key[0] == "cat":
            return self.product(parts[0], parts[1])
        return self.powers(parts[0], key[2], key[3])

    def product(self, first: frozenset[str], second: frozenset[str]) -> frozenset[str]:
        found: set[str] = set()
        for head in first:
            found.update(head + tail for tail in second)
            if len(found) > self.cap:
                raise _TooManyError
        return self.counted(frozenset(found))

    def chars(self, mask: int) -> frozenset[str]:
        ranges = self.engine.alphabet.ranges(mask)
        if sum(high - low + 1 for low, high in ranges) > self.cap:
            raise _TooManyError
        return frozenset(chr(point) for low, high in ranges for point in range(low, high + 1))

    def powers(self, item: frozenset[str], low: int, high: int) -> frozenset[str]:
        if not item - {""}:
            return item if low else frozenset(("",))
        longest = max(map(len, item))
        if high < 0 or high - low >= self.cap or low * longest > self.letters:
            raise _TooManyError
        layer = frozenset(("",))
        found: frozenset[str] = frozenset()
        for count in range(high + 1):
            if count >= low:
                found = self.counted(found | layer)
            if count < high:
                layer = self.product(layer, item)
        return found

    def explored(self, root: int) -> frozenset[str] | None:
        """Members of a term with algebra: the paths of its derivatives that can still end."""
        arcs = self.graph(root)
        if arcs is None:
            return None
        live = self.live(arcs)
        members: dict[int, frozenset[str]] = {}
        open_terms: set[int] = set()
        stack = [root] if root in live else []
        while stack:
            term = stack[-1]
            onward = [(block, target) for block, target in arcs[term] if target in live]
            todo = [target for _, target in onward if target not in members]
            if term not in members and todo:
                if term in open_terms:  # a target of it is open too: a way around that can end
                    raise _TooManyError
                open_terms.add(term)
                stack.extend(todo)
                continue
            stack.pop()
            if term not in members:
                found = frozenset(("",)) if self.engine.nullable[term] else frozenset()
                for block, target in onward:
                    found = self.counted(found | self.product(self.chars(block), members[target]))
                members[term] = found
        return members.get(root, frozenset())

    def graph(self, root: int) -> dict[int, list[tuple[int, int]]] | None:
        """The derivatives of a term, with the classes that lead to them."""
        engine = self.engine
        arcs: dict[int, list[tuple[int, int]]] = {root: []}
        queue = [root]
        for term in queue:
            if len(arcs) > self.budget:
                return None
            for block in engine.partition(term):
                target = engine.step(term, (block & -block).bit_length() - 1)
                if target == ALL:
                    raise _TooManyError
                arcs[term].append((block, target))
                if target not in arcs:
                    arcs[target] = []
                    queue.append(target)
        return arcs

    def live(self, arcs: dict[int, list[tuple[int, int]]]) -> set[int]:
        """The terms of a graph that have a member."""
        sources: dict[int, list[int]] = {}
        for term, pairs in arcs.items():
            for _, target in pairs:
                sources.setdefault(target, []).append(term)
        stack = [term for term in arcs if self.engine.nullable[term]]
        live = set(stack)
        while stack:
            for source in sources.get(stack.pop(), ()):
                if source not in live:
                    live.add(source)
                    stack.append(source)
        return live
