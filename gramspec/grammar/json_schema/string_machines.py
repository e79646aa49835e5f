"""Intersections and complements of character expressions as small deterministic automata.

Law: `determined` keeps the language, and from each of its states a member can still be completed.
Cost: one derivative for each state and class of characters; None beyond the budget.
Source: Owens, Reppy, Turon, "Regular-expression derivatives re-examined"; Moore's refinement.
"""

from __future__ import annotations

from typing import Final

from gramspec.errors import LimitError
from gramspec.grammar import ir
from gramspec.grammar.regex.derivatives import EMPTY, Derivatives

_FUEL: Final = 200_000


def determined(expr: ir.Expr, states: int) -> ir.Expr | None:
    """The language of an expression without `And` and `Not`.

    Parts of an intersection that can never agree again are found here once. The automaton would
    otherwise meet them while a text is written and search each of them, counters of lengths included.

    Parameters
    ----------
    expr : ir.Expr
        Over `CharSet` leaves.
    states : int
        The largest number of states to look at.

    Returns
    -------
    ir.Expr or None
        A `Machine`, or something simpler; None when it needs more states or more work.
    """
    try:
        found = _explored(expr, states)
    except LimitError:
        return None
    if found is None:
        return None
    engine, arcs, accepting = found
    live = _live(arcs, accepting)
    if 0 not in live:
        return ir.EMPTY
    groups = _groups(arcs, accepting, live)
    numbers: dict[int, int] = {groups[0]: 0}
    members = {group: state for state, group in groups.items()}
    rows: list[dict[int, int]] = []
    ends: list[bool] = []
    agenda = [groups[0]]
    for group in agenda:
        row: dict[int, int] = {}
        for target, mask in arcs[members[group]].items():
            if target in live:
                if groups[target] not in numbers:
                    numbers[groups[target]] = len(numbers)
                    agenda.append(groups[target])
                number = numbers[groups[target]]
                row[number] = row.get(number, 0) | mask
        rows.append(row)
        ends.append(accepting[members[group]])
    return _emitted(engine, rows, ends)


def _explored(expr: ir.Expr, states: int) -> tuple[Derivatives, list[dict[int, int]], list[bool]] | None:
    """Deterministic arcs (target to mask of classes) and accepting states; state 0 is the expression."""
    engine = Derivatives([expr], _FUEL)
    (root,) = engine.terms
    numbers = {root: 0}
    agenda = [root]
    arcs: list[dict[int, int]] = []
    for term in agenda:
        row: dict[int, int] = {}
        for mask in engine.partition(term):
            target = engine.step(term, (mask & -mask).bit_length() - 1)
            if target == EMPTY:
                continue
            if target not in numbers:
                if len(numbers) == states:
                    return None
                numbers[target] = len(numbers)
                agenda.append(target)
            number = numbers[target]
            row[number] = row.get(number, 0) | mask
        arcs.append(row)
    return engine, arcs, [engine.nullable[term] for term in agenda]


def _live(arcs: list[dict[int, int]], accepting: list[bool]) -> set[int]:
    """The states from which an accepting one is reached."""
    sources: list[list[int]] = [[] for _ in arcs]
    for state, row in enumerate(arcs):
        for target in row:
            sources[target].append(state)
    agenda = [state for state, ends in enumerate(accepting) if ends]
    live = set(agenda)
    for state in agenda:
        fresh = [source for source in sources[state] if source not in live]
        live.update(fresh)
        agenda.extend(dict.fromkeys(fresh))
    return live


def _groups(arcs: list[dict[int, int]], accepting: list[bool], live: set[int]) -> dict[int, int]:
    """States with the same language get the same number."""
    groups = {state: int(accepting[state]) for state in sorted(live)}
    count = len(set(groups.values()))
    while True:
        seen: dict[tuple[int, frozenset[tuple[int, int]]], int] = {}
        refined: dict[int, int] = {}
        for state, group in groups.items():
            onward: dict[int, int] = {}
            for target, mask in arcs[state].items():
                if target in live:
                    onward[groups[target]] = onward.get(groups[target], 0) | mask
            refined[state] = seen.setdefault((group, frozenset(onward.items())), len(seen))
        if len(seen) == count:
            return refined
        groups, count = refined, len(seen)


def _emitted(engine: Derivatives, rows: list[dict[int, int]], ends: list[bool]) -> ir.Expr:
    sets: dict[int, ir.CharSet] = {}
    for row in rows:
        for mask in row.values():
            sets.setdefault(mask, ir.CharSet(engine.alphabet.ranges(mask)))
    chain = _chain(rows, ends)
    if chain is not None:
        mask, least, most = chain
        return ir.repeat(sets[mask], least, most) if mask else ir.EPSILON
    arcs = tuple(tuple((sets[mask], target) for target, mask in row.items()) for row in rows)
    return ir.Machine(arcs, tuple(ends))


def _chain(rows: list[dict[int, int]], ends: list[bool]) -> tuple[int, int, int | None] | None:
    """The repetition of one class that an automaton is: mask (0 for none), least and most times."""
    last = len(rows) - 1
    least = ends.index(True)
    if not all(ends[least:]) or any(set(row) != {state + 1} for state, row in enumerate(rows[:-1])):
        return None
    if set(rows[last]) - {last}:
        return None
    masks = {mask for row in rows for mask in row.values()}
    return None if len(masks) > 1 else (max(masks, default=0), least, None if rows[last] else last)
