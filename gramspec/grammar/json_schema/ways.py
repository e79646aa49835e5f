"""What expansion, arrays and objects share: bounds on size, and the ways of one value to count.

Law: the ways cover every value of the base; each names conditions that its values meet.
Source: JSON Schema Validation, sections 6.4 and 6.5.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import combinations

from gramspec.grammar.json_schema.nodes import FALSE, TRUE, Count, Goal, Literal, Nodes, negate

Alternatives = tuple[tuple[Goal, int], ...]
"""Goals of a value, each with the conditions (bits) that it is known to meet."""


def size_bounds(nodes: Nodes, atoms: Iterable[Literal]) -> tuple[int, int | None]:
    """Bounds on the number of items or members among some atoms."""
    least, most = 0, None
    for literal in atoms:
        node = nodes.node(literal)
        if isinstance(node, Count):
            if literal & 1:
                most = node.count - 1 if most is None else min(most, node.count - 1)
            else:
                least = max(least, node.count)
    return least, most


def canonical(literals: Iterable[Literal], *, ordered: bool) -> Goal | None:
    """A goal without repetitions; None if it contradicts itself."""
    kept = dict.fromkeys(literal for literal in literals if literal != TRUE)
    if FALSE in kept or any(negate(literal) in kept for literal in kept):
        return None
    return tuple(kept) if ordered else tuple(sorted(kept))


def ways(
    base: list[Literal],
    conditions: Sequence[Literal],
    goal: Callable[[list[Literal]], Goal | None],
    exact: int = 0,
) -> Alternatives:
    """Every way in which a value satisfies a base and some of the conditions.

    Parameters
    ----------
    base : list of Literal
        What each value satisfies.
    conditions : sequence of Literal
        By bit.
    goal : callable
        The goal of some literals; None if nothing satisfies them.
    exact : int
        Conditions (bits) that the other ways deny; of the rest a way may meet more than it names.
    """
    forced = sum(1 << bit for bit, part in enumerate(conditions) if part == TRUE or part in base)
    free = [bit for bit, part in enumerate(conditions) if part != FALSE and not forced >> bit & 1]
    found: dict[tuple[Goal, int], None] = {}
    for size in range(len(free) + 1):
        for chosen in combinations(free, size):
            denied = [negate(conditions[bit]) for bit in free if exact >> bit & 1 and bit not in chosen]
            met = goal([*base, *(conditions[bit] for bit in chosen), *denied])
            if met is not None:
                found[met, forced | sum(1 << bit for bit in chosen)] = None
    return tuple(found)
