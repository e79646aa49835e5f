"""What the members of a character expression can begin and end with, and the part that does so.

Law: a restriction keeps exactly the non-empty members whose edge is wanted; it adds no algebra of its own.
Cost: linear in the number of distinct nodes, memoised by node; no recursion.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from gramspec.errors import LimitError
from gramspec.grammar import ir
from gramspec.grammar.ranges import SCALARS, Ranges, intersect, is_subset, unite

_MAX_ITEMS: Final = 2_000_000


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a language: nullable exactly, first and last characters as a superset."""

    nullable: bool
    first: Ranges
    last: Ranges


@dataclass(slots=True)
class Edges:
    """Facts and restrictions of the expressions of one pattern (`CharSet` leaves)."""

    _facts: dict[int, tuple[ir.Expr, Facts]] = field(default_factory=dict)
    _restrictions: dict[tuple[Ranges, bool], dict[int, ir.Expr]] = field(default_factory=dict)
    _spent: int = 0

    def facts(self, root: ir.Expr) -> Facts:
        """Facts of an expression, bottom-up and memoised by node."""
        stack = [root]
        while stack:
            node = stack[-1]
            if id(node) in self._facts:
                stack.pop()
                continue
            todo = [part for part in _parts(node) if id(part) not in self._facts]
            if todo:
                stack.extend(todo)
                continue
            stack.pop()
            self._facts[id(node)] = (node, self._facts_of(node))
        return self._facts[id(root)][1]

    def _facts_of(self, node: ir.Expr) -> Facts:
        parts = [self._facts[id(part)][1] for part in _parts(node)]
        if isinstance(node, ir.CharSet):
            return Facts(False, node.ranges, node.ranges)
        if isinstance(node, ir.Concat):
            first: Ranges = ()
            last: Ranges = ()
            for part in parts:
                first = unite(first, part.first)
                if not part.nullable:
                    break
            for part in reversed(parts):
                last = unite(last, part.last)
                if not part.nullable:
                    break
            return Facts(all(part.nullable for part in parts), first, last)
        if isinstance(node, ir.Union):
            return Facts(
                any(part.nullable for part in parts),
                unite(*(part.first for part in parts)),
                unite(*(part.last for part in parts)),
            )
        if isinstance(node, ir.Repeat):
            return Facts(node.minimum == 0 or parts[0].nullable, parts[0].first, parts[0].last)
        if isinstance(node, ir.And):
            first, last = parts[0].first, parts[0].last
            for part in parts[1:]:
                first, last = intersect(first, part.first), intersect(last, part.last)
            return Facts(all(part.nullable for part in parts), first, last)
        if isinstance(node, ir.Not):
            return Facts(not parts[0].nullable, SCALARS, SCALARS)
        if isinstance(node, ir.Machine):
            return Facts(node.accepting[0], SCALARS, SCALARS)
        return Facts(isinstance(node, ir.Epsilon), (), ())

    def restricted(self, root: ir.Expr, wanted: Ranges, *, last: bool) -> ir.Expr:
        """The non-empty members whose first or last character is in `wanted`.

        The restriction is pushed down to the characters that can stand there, so the result
        needs no intersection.
        """
        known = self._restrictions.setdefault((wanted, last), {})
        stack = [root]
        while stack:
            node = stack[-1]
            if id(node) in known:
                stack.pop()
                continue
            facts = self.facts(node)
            edge = facts.last if last else facts.first
            if not intersect(edge, wanted):
                known[id(node)] = ir.EMPTY
            elif not facts.nullable and is_subset(edge, wanted):
                known[id(node)] = node
            else:
                needed = self._edge_parts(node, last=last)
                todo = [part for part in needed if id(part) not in known]
                if todo:
                    stack.extend(todo)
                    continue
                known[id(node)] = self._rebuilt(node, wanted, known, last=last)
            stack.pop()
        return known[id(root)]

    def _edge_parts(self, node: ir.Expr, *, last: bool) -> list[ir.Expr]:
        """The parts of a node that its first (or last) character may come from."""
        if isinstance(node, ir.And):
            return [node.items[0]]
        if isinstance(node, ir.Not | ir.Machine):
            return []
        if not isinstance(node, ir.Concat):
            return list(_parts(node))
        found: list[ir.Expr] = []
        for item in reversed(node.items) if last else node.items:
            found.append(item)
            if not self.facts(item).nullable:
                break
        return found

    def _rebuilt(self, node: ir.Expr, wanted: Ranges, known: dict[int, ir.Expr], *, last: bool) -> ir.Expr:
        if isinstance(node, ir.CharSet):
            return ir.CharSet(intersect(node.ranges, wanted))
        parts = self._edge_parts(node, last=last)
        self._spend(len(parts))
        if isinstance(node, ir.Union):
            return merge([known[id(part)] for part in parts])
        if isinstance(node, ir.Repeat):
            low = 0 if self.facts(node.item).nullable else max(node.minimum - 1, 0)
            rest = ir.repeat(node.item, low, None if node.maximum is None else node.maximum - 1)
            edge = known[id(node.item)]
            return ir.concat(rest, edge) if last else ir.concat(edge, rest)
        if isinstance(node, ir.And):
            return ir.And((known[id(node.items[0])], *node.items[1:]))
        if isinstance(node, ir.Not | ir.Machine):
            edge, rest = ir.CharSet(wanted), ir.repeat(ir.CharSet(SCALARS))
            return ir.And((node, ir.concat(rest, edge) if last else ir.concat(edge, rest)))
        assert isinstance(node, ir.Concat)
        found: list[ir.Expr] = []
        for index, part in enumerate(parts):
            edge = known[id(part)]
            if isinstance(edge, ir.Empty):
                continue
            self._spend(len(node.items) - index)
            if last:
                found.append(ir.concat(*node.items[: len(node.items) - index - 1], edge))
            else:
                found.append(ir.concat(edge, *node.items[index + 1 :]))
        return merge(found)

    def _spend(self, amount: int) -> None:
        self._spent += amount
        if self._spent > _MAX_ITEMS:
            raise LimitError("max_nodes", f"the anchors of this pattern need more than {_MAX_ITEMS} items")


def contains_char(root: ir.Expr, point: int) -> bool:
    """Whether the text of the single character `point` is a member of a `CharSet` expression.

    Cost: linear in the number of distinct nodes; no recursion.
    """
    # Per node: (is the empty text a member, is the single character a member).
    known: dict[int, tuple[bool, bool]] = {}
    stack = [root]
    while stack:
        node = stack[-1]
        todo = [part for part in _parts(node) if id(part) not in known]
        if id(node) in known or todo:
            if id(node) in known:
                stack.pop()
            stack.extend(todo)
            continue
        stack.pop()
        known[id(node)] = _char_facts(node, [known[id(part)] for part in _parts(node)], point)
    return known[id(root)][1]


def _char_facts(node: ir.Expr, parts: list[tuple[bool, bool]], point: int) -> tuple[bool, bool]:
    if isinstance(node, ir.CharSet):
        return False, any(low <= point <= high for low, high in node.ranges)
    if isinstance(node, ir.Concat):
        blank = all(empty for empty, _ in parts)
        solid = [single for empty, single in parts if not empty]
        if len(solid) > 1:
            return blank, False
        return blank, solid[0] if solid else any(single for _, single in parts)
    if isinstance(node, ir.Union):
        return any(empty for empty, _ in parts), any(single for _, single in parts)
    if isinstance(node, ir.Repeat):
        empty, single = parts[0]
        return node.minimum == 0 or empty, single and (node.minimum <= 1 or empty)
    if isinstance(node, ir.And):
        return all(empty for empty, _ in parts), all(single for _, single in parts)
    if isinstance(node, ir.Not):
        return not parts[0][0], not parts[0][1]
    if isinstance(node, ir.Machine):
        steps = [(item, node.accepting[target]) for item, target in node.arcs[0]]
        return node.accepting[0], any(ends and contains_char(item, point) for item, ends in steps)
    return isinstance(node, ir.Epsilon), False


def _parts(node: ir.Expr) -> tuple[ir.Expr, ...]:
    if isinstance(node, ir.Concat | ir.Union | ir.And):
        return node.items
    return (node.item,) if isinstance(node, ir.Repeat | ir.Not) else ()


def merge(items: list[ir.Expr]) -> ir.Expr:
    """Union; alternatives that are single characters are merged, and ε is dropped beside a star."""
    if any(isinstance(item, ir.Repeat) and item.minimum == 0 for item in items):
        items = [item for item in items if not isinstance(item, ir.Epsilon)]
    sets = [item for item in items if isinstance(item, ir.CharSet)]
    if len(sets) < 2:
        return ir.union(*items)
    merged = ir.CharSet(unite(*(item.ranges for item in sets)))
    return ir.union(merged, *(item for item in items if not isinstance(item, ir.CharSet)))


Counts = tuple[int, int | None]


def joined_counts(inner: Counts, outer: Counts) -> Counts | None:
    """The bounds of `x{inner}{outer}` as a single repetition of x; None when its counts leave gaps."""
    (low, high), (least, most) = inner, outer
    # With one number of copies every sum between the bounds occurs; otherwise the largest gap lies
    # between the fewest copies and one more.
    if least != most:
        if low > 1 and least == 0:
            return None
        if high is not None and (max(least, 1) + 1) * low > max(least, 1) * high + 1:
            return None
    unbounded = (high is None and most != 0) or (most is None and high != 0)
    return low * least, None if unbounded else (high or 0) * (most or 0)
