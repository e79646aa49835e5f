"""Membership by sets of end positions: a slow, independent reading of regular expressions of the IR.

Cost: O(nodes x length^2) memoised by node and position; works on str (over `CharSet`) and on bytes.
Source: the definitions of the operations, nothing else.
"""

from __future__ import annotations

import random

from gramspec.grammar import ir


class Oracle:
    """Ends of matches of every node at every position of one text."""

    def __init__(self, text: str | bytes) -> None:
        self.points = list(text) if isinstance(text, bytes) else [ord(char) for char in text]
        self.bytes = isinstance(text, bytes)
        self.known: dict[tuple[int, int], frozenset[int]] = {}

    def ends(self, node: ir.Expr, start: int) -> frozenset[int]:
        key = (id(node), start)
        if key not in self.known:
            self.known[key] = frozenset(self._ends(node, start))
        return self.known[key]

    def _ends(self, node: ir.Expr, start: int) -> set[int] | frozenset[int]:
        size = len(self.points)
        match node:
            case ir.Epsilon():
                return {start}
            case ir.Empty():
                return set()
            case ir.CharSet(ranges=ranges):
                assert not self.bytes
                hit = start < size and any(low <= self.points[start] <= high for low, high in ranges)
                return {start + 1} if hit else set()
            case ir.ByteSet(mask=mask):
                assert self.bytes
                return {start + 1} if start < size and mask >> self.points[start] & 1 else set()
            case ir.Concat(items=items):
                reached = {start}
                for item in items:
                    reached = {end for middle in reached for end in self.ends(item, middle)}
                return reached
            case ir.Union(items=items):
                return {end for item in items for end in self.ends(item, start)}
            case ir.And(items=items):
                return frozenset.intersection(*(self.ends(item, start) for item in items))
            case ir.Not(item=item):
                return set(range(start, size + 1)) - self.ends(item, start)
            case ir.Call(item=item) | ir.Builtin(item=item):
                return self.ends(item, start)
            case ir.Repeat():
                return self._repeat(node, start)
            case ir.Machine():
                reached = {(0, start)}
                queue = [(0, start)]
                for state, middle in queue:
                    for item, target in node.arcs[state]:
                        found = {(target, end) for end in self.ends(item, middle)} - reached
                        reached |= found
                        queue.extend(found)
                return {end for state, end in reached if node.accepting[state]}
        raise AssertionError(node)

    def _repeat(self, node: ir.Repeat, start: int) -> set[int]:
        def step(layer: frozenset[int]) -> frozenset[int]:
            return frozenset(end for middle in layer for end in self.ends(node.item, middle))

        layer, count = frozenset({start}), 0
        seen: dict[frozenset[int], int] = {}
        while layer and count < node.minimum:
            if layer in seen:  # the layers cycle: leave whole periods out
                period = count - seen[layer]
                count += (node.minimum - count) // period * period
                seen = {}
                if count == node.minimum:
                    break
            else:
                seen[layer] = count
            layer, count = step(layer), count + 1
        found: set[int] = set()
        visited: set[frozenset[int]] = set()
        while layer and layer not in visited and (node.maximum is None or count <= node.maximum):
            visited.add(layer)
            found |= layer
            layer, count = step(layer), count + 1
        return found


def accepts(node: ir.Expr, text: str | bytes) -> bool:
    return len(text) in Oracle(text).ends(node, 0)


def sample(node: ir.Expr, rng: random.Random) -> str | None:
    """A random member of a `CharSet` expression; None where an intersection stands in the way."""
    match node:
        case ir.Epsilon():
            return ""
        case ir.CharSet(ranges=ranges):
            low, high = rng.choice(ranges)
            return chr(rng.choice((low, high, rng.randint(low, high))))
        case ir.Concat(items=items):
            parts = [sample(item, rng) for item in items]
            return None if None in parts else "".join(part for part in parts if part)
        case ir.Union(items=items):
            return sample(rng.choice(items), rng)
        case ir.Repeat(item=item, minimum=low, maximum=high):
            count = rng.randint(low, min(high if high is not None else low + 2, low + 2))
            return sample(ir.Concat((item,) * count), rng) if count < 50 else None
    return None


def mutate(text: str, rng: random.Random) -> str:
    """A near miss: one character dropped, doubled, replaced or added."""
    at = rng.randint(0, len(text))
    stray = rng.choice("aAbZ09_ \n\r.-é\u2028\U0001f600\x00")
    return rng.choice(
        (
            text[:at] + text[at + 1 :],
            text[:at] + text[at : at + 1] * 2 + text[at + 1 :],
            text[:at] + stray + text[at + 1 :],
            text[:at] + stray + text[at:],
        )
    )
