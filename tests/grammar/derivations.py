"""Random derivations of a grammar: every alternative has its turn, however seldom a walk meets it."""

from __future__ import annotations

import random
from typing import Final

from gramspec.automaton.members import WeightedMembers, seeded
from gramspec.grammar import ir
from gramspec.grammar.core import Grammar

_REGULAR: Final = (ir.And, ir.Not, ir.Machine, ir.Builtin)


class Derivations:
    """Draws members of an expression by choosing among alternatives.

    Parameters
    ----------
    grammar : Grammar
        Without token edges and JSON objects.
    """

    def __init__(self, grammar: Grammar) -> None:
        self.root = grammar.expr
        self.regular: dict[int, WeightedMembers] = {}
        self.heights = _heights(self.root)

    def draw(self, seed: int, steps: int) -> bytes:
        """One member; after so many steps the flattest derivation is taken."""
        rng = random.Random(seed)
        choose = seeded(seed)
        written: list[bytes] = []
        todo: list[ir.Expr] = [self.root]
        while todo:
            node = todo.pop()
            steps -= 1
            if isinstance(node, _REGULAR):
                if id(node) not in self.regular:
                    self.regular[id(node)] = WeightedMembers(Grammar(node), 8)
                written.append(self.regular[id(node)].draw(choose))
                continue
            match node:
                case ir.ByteSet():
                    bits = [byte for byte in range(256) if node.mask >> byte & 1]
                    plain = [byte for byte in bits if 0x61 <= byte <= 0x7A] or bits
                    written.append(bytes([rng.choice(rng.choice((plain, bits)))]))
                case ir.Concat():
                    todo.extend(reversed(node.items))
                case ir.Union():
                    live = [item for item in node.items if id(item) in self.heights]
                    if steps <= 0:
                        least = min(self.heights[id(item)] for item in live)
                        live = [item for item in live if self.heights[id(item)] == least]
                    todo.append(rng.choice(live))
                case ir.Repeat():
                    most = node.minimum + 3 if node.maximum is None else min(node.maximum, node.minimum + 3)
                    count = rng.randint(node.minimum, most) if steps > 0 else node.minimum
                    todo.extend([node.item] * count)
                case ir.Call():
                    todo.append(node.item)
                case ir.Ref():
                    assert node.rule.body is not None
                    todo.append(node.rule.body)
        return b"".join(written)


def _heights(root: ir.Expr) -> dict[int, int]:
    """Rules on the longest way of the flattest derivation of each node that has one."""
    nodes = list(ir.walk(root))
    heights: dict[int, int] = {}
    while True:
        before = dict(heights)
        for node in nodes:
            height = _height(node, heights)
            if height is not None:
                heights[id(node)] = min(height, heights.get(id(node), height))
        if heights == before:
            return heights


def _height(node: ir.Expr, heights: dict[int, int]) -> int | None:
    if isinstance(node, (*_REGULAR, ir.ByteSet, ir.Epsilon)):
        return 0
    if isinstance(node, ir.Ref):
        assert node.rule.body is not None
        below = heights.get(id(node.rule.body))
        return None if below is None else below + 1
    known = [heights.get(id(part)) for part in ir.children(node)]
    if isinstance(node, ir.Union):
        return min((height for height in known if height is not None), default=None)
    if isinstance(node, ir.Repeat) and node.minimum == 0:
        return 0
    return None if None in known else max((height for height in known if height is not None), default=None)
