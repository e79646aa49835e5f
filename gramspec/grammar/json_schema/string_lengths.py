"""Lengths of the members of character expressions, and bounds on them folded into their repetitions.

Law: `fold` gives exactly the members of a length between the bounds, or nothing at all.
Cost: linear in the number of nodes; nothing is unrolled.
Source: Parikh images of words over one letter; interval arithmetic.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, TypeAlias

from gramspec.grammar import ir
from gramspec.grammar.ranges import SCALARS, intersect

Bounds: TypeAlias = "tuple[int, int | None]"

_NONE: Final[Bounds] = (1, 0)
_MAX_DEPTH: Final = 40
ANY_CHAR: Final = ir.CharSet(SCALARS)
ANY_TEXT: Final = ir.repeat(ANY_CHAR)


def of_length(least: int, most: int | None) -> ir.Expr:
    """All texts of so many characters."""
    return repetition(ir.Repeat(ANY_CHAR, least, most))


def repetition(run: ir.Repeat) -> ir.Expr:
    """A repetition of a character class, as simple as its language; its bounds may cross."""
    assert isinstance(run.item, ir.CharSet)
    if run.maximum is not None and run.minimum > run.maximum:
        return ir.EMPTY
    if not run.item.ranges:
        return ir.EMPTY if run.minimum else ir.EPSILON
    if run.item.ranges == SCALARS and (run.minimum, run.maximum) == (0, None):
        return ANY_TEXT
    return ir.repeat(run.item, run.minimum, run.maximum)


def fold(expr: ir.Expr, least: int, most: int | None) -> ir.Expr | None:
    """The members of `expr` of at least `least` and at most `most` characters (None: unbounded).

    The bounds become bounds of a repetition; None where no single repetition decides the length.
    """
    return _fold(expr, least, most, _table(expr), _MAX_DEPTH)


def conjuncts(expr: ir.Expr) -> tuple[ir.Expr, ...]:
    """The parts of an intersection, or the expression alone."""
    return expr.items if isinstance(expr, ir.And) else (expr,)


def class_repetition(expr: ir.Expr) -> ir.Repeat | None:
    """The expression as a repetition of one character class, if it is one."""
    if isinstance(expr, ir.Repeat) and isinstance(expr.item, ir.CharSet):
        return expr
    return ir.Repeat(expr, 1, 1) if isinstance(expr, ir.CharSet) else None


def meet(one: ir.Repeat, other: ir.Repeat) -> ir.Repeat:
    """The intersection of two repetitions of character classes; see `repetition`."""
    assert isinstance(one.item, ir.CharSet) and isinstance(other.item, ir.CharSet)
    chars = intersect(one.item.ranges, other.item.ranges)
    return ir.Repeat(ir.CharSet(chars), max(one.minimum, other.minimum), shorter(one.maximum, other.maximum))


def shorter(one: int | None, other: int | None) -> int | None:
    """The smaller of two upper bounds; None is no bound."""
    return other if one is None else one if other is None else min(one, other)


def bounds(expr: ir.Expr) -> Bounds:
    """Least and greatest length of the members, or a wider interval; crossed when there is none."""
    return _table(expr)[id(expr)]


def _table(expr: ir.Expr) -> dict[int, Bounds]:
    """Bounds of an expression and of its parts, by identity; no recursion."""
    done: dict[int, Bounds] = {}
    stack = [(expr, False)]
    while stack:
        node, ready = stack.pop()
        if id(node) in done:
            continue
        parts = _parts(node)
        if parts and not ready:
            stack.append((node, True))
            stack.extend((part, False) for part in parts)
        else:
            done[id(node)] = _bounds(node, [done[id(part)] for part in parts])
    return done


def _parts(node: ir.Expr) -> tuple[ir.Expr, ...]:
    return () if isinstance(node, ir.Not | ir.Machine) else ir.children(node)


def _bounds(node: ir.Expr, parts: list[Bounds]) -> Bounds:
    match node:
        case ir.CharSet():
            return (1, 1) if node.ranges else _NONE
        case ir.Epsilon():
            return (0, 0)
        case ir.Empty():
            return _NONE
        case ir.Concat():
            return (
                _NONE if _NONE in parts else (sum(low for low, _ in parts), _sum(high for _, high in parts))
            )
        case ir.Union():
            parts = [part for part in parts if part != _NONE]
            if not parts:
                return _NONE
            highs = [high for _, high in parts if high is not None]
            return (min(low for low, _ in parts), max(highs) if len(highs) == len(parts) else None)
        case ir.And():
            low, high = 0, None
            for part in parts:
                low, high = max(low, part[0]), shorter(high, part[1])
            return _NONE if high is not None and low > high else (low, high)
        case ir.Repeat():
            return _repeated(node, parts[0])
        case ir.Call() | ir.Builtin():
            return parts[0]
        case ir.Machine():
            return _walks(node)
        case _:
            return (0, None)


def _walks(machine: ir.Machine) -> Bounds:
    """Lengths of the members of an automaton of single characters without dead states."""
    if any(not isinstance(item, ir.CharSet) for row in machine.arcs for item, _ in row):
        return (0, None)
    onward = [{target for _, target in row} for row in machine.arcs]
    least, layer, seen = 0, {0}, {0}
    while layer and not any(machine.accepting[state] for state in layer):
        layer = {target for state in layer for target in onward[state]} - seen
        seen |= layer
        least += 1
    if not layer:
        return _NONE
    return (least, _longest(onward))


def _longest(onward: list[set[int]]) -> int | None:
    """Length of the longest walk from state 0; None when there are cycles."""
    arrivals = [0] * len(onward)
    for targets in onward:
        for target in targets:
            arrivals[target] += 1
    depth = [0] * len(onward)
    agenda = [state for state, count in enumerate(arrivals) if count == 0]
    for state in agenda:
        for target in onward[state]:
            depth[target] = max(depth[target], depth[state] + 1)
            arrivals[target] -= 1
            if arrivals[target] == 0:
                agenda.append(target)
    return max(depth) if len(agenda) == len(onward) else None


def _repeated(node: ir.Repeat, part: Bounds) -> Bounds:
    if part == _NONE:
        return _NONE if node.minimum else (0, 0)
    low, high = part
    top = 0 if high == 0 else None if high is None or node.maximum is None else high * node.maximum
    return (low * node.minimum, top)


def _fold(
    node: ir.Expr, least: int, most: int | None, table: dict[int, Bounds], depth: int
) -> ir.Expr | None:
    """`fold` with the bounds of all parts at hand."""
    low, high = table[id(node)]
    if (high is not None and (low > high or high < least)) or (most is not None and low > most):
        return ir.EMPTY
    if least <= low and (most is None or (high is not None and high <= most)):
        return node
    if depth == 0:
        return None
    match node:
        case ir.Repeat():
            return _fold_repeat(node, least, most, table[id(node.item)])
        case ir.Union():
            parts = [_fold(part, least, most, table, depth - 1) for part in node.items]
            found = [part for part in parts if part is not None]
            return ir.union(*found) if len(found) == len(parts) else None
        case ir.Concat():
            loose = [part for part in node.items if table[id(part)][0] != table[id(part)][1]]
            if len(loose) != 1:
                return None
            fixed = sum(table[id(part)][0] for part in node.items if part is not loose[0])
            rest = None if most is None else most - fixed
            inner = _fold(loose[0], max(0, least - fixed), rest, table, depth - 1)
            if inner is None:
                return None
            return ir.concat(*(inner if part is loose[0] else part for part in node.items))
        case _:
            return None


def _fold_repeat(node: ir.Repeat, least: int, most: int | None, item: Bounds) -> ir.Expr | None:
    """Bounds on the number of repetitions when every item has the same length."""
    size, high = item
    if size != high or size == 0:
        return None
    low = max(node.minimum, -(-least // size))
    top = shorter(node.maximum, None if most is None else most // size)
    return ir.EMPTY if top is not None and low > top else ir.repeat(node.item, low, top)


def _sum(values: Iterable[int | None]) -> int | None:
    total = 0
    for value in values:
        if value is None:
            return None
        total += value
    return total
