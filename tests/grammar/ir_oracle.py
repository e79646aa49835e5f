"""A slow reading of the expression IR, for tests only: which strings does an expression denote?

Law: direct from the definitions in `gramspec.grammar.ir`; shares no code with the automaton.
Source: memoised sets of end positions, one per (node, start).
"""

from __future__ import annotations

import json
import re
import sys

from gramspec.grammar import ir

_JSON_STRING_BODY = re.compile(rb'(?:[^"\\]|\\.)*', re.DOTALL)


class Oracle:
    """Membership of byte strings in one expression (token edges excluded)."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.memo: dict[tuple[int, int], frozenset[int]] = {}
        self.active: set[tuple[int, int]] = set()

    def ends(self, expr: ir.Expr, at: int) -> frozenset[int]:
        """Every `e` such that ``data[at:e]`` belongs to `expr`."""
        key = (id(expr), at)
        known = self.memo.get(key)
        if known is not None:
            return known
        if key in self.active:
            raise AssertionError("left recursion, which this oracle does not read")
        self.active.add(key)
        result = frozenset(self._ends(expr, at))
        self.active.discard(key)
        self.memo[key] = result
        return result

    def _ends(self, expr: ir.Expr, at: int) -> set[int] | frozenset[int]:
        if isinstance(expr, ir.ByteSet):
            return {at + 1} if at < len(self.data) and expr.mask >> self.data[at] & 1 else set()
        if isinstance(expr, ir.Epsilon):
            return {at}
        if isinstance(expr, ir.Empty):
            return set()
        if isinstance(expr, ir.Concat):
            front = {at}
            for item in expr.items:
                front = {e for p in front for e in self.ends(item, p)}
                if not front:
                    break
            return front
        if isinstance(expr, ir.Union):
            return {e for item in expr.items for e in self.ends(item, at)}
        if isinstance(expr, ir.Repeat):
            return self._repeat(expr, at)
        if isinstance(expr, ir.And):
            result = set(self.ends(expr.items[0], at))
            for item in expr.items[1:]:
                result &= self.ends(item, at)
            return result
        if isinstance(expr, ir.Not):
            return set(range(at, len(self.data) + 1)) - self.ends(expr.item, at)
        if isinstance(expr, ir.Call):
            return self.ends(expr.item, at)
        if isinstance(expr, ir.Machine):
            return self._machine(expr, at)
        if isinstance(expr, ir.Ref):
            assert expr.rule.body is not None, f"{expr.rule!r} has no body"
            return self.ends(expr.rule.body, at)
        if isinstance(expr, ir.JsonObject):
            return self._object(expr, at)
        raise AssertionError(f"not read: {type(expr).__name__}")

    def _repeat(self, expr: ir.Repeat, at: int) -> set[int]:
        result = {at} if expr.minimum == 0 else set()
        front = {at}
        count = 0
        seen: set[int] = set()
        while front and (expr.maximum is None or count < expr.maximum):
            count += 1
            front = {e for p in front for e in self.ends(expr.item, p)}
            if count >= expr.minimum:
                result |= front
                if expr.maximum is None:
                    front -= seen
                    seen |= front
        return result

    def _machine(self, expr: ir.Machine, at: int) -> set[int]:
        agenda = [(0, at)]
        done = set(agenda)
        while agenda:
            state, here = agenda.pop()
            for item, target in expr.arcs[state]:
                new = {(target, end) for end in self.ends(item, here)} - done
                done |= new
                agenda.extend(new)
        return {end for state, end in done if expr.accepting[state]}

    def _object(self, expr: ir.JsonObject, at: int) -> set[int]:
        data = self.data
        if at >= len(data) or data[at] != 0x7B:
            return set()
        place = {p.name: i for i, p in enumerate(expr.properties)}
        required = frozenset(p.name for p in expr.properties if p.required)
        result: set[int] = set()
        opened = self.ends(expr.gap, at + 1)
        if not required:
            result |= {p + 1 for p in opened if data[p : p + 1] == b"}"}
        agenda = [(p, 0, frozenset[str]()) for p in opened]
        done = set(agenda)
        while agenda:
            pos, low, keys = agenda.pop()
            if data[pos : pos + 1] != b'"':
                continue
            match = _JSON_STRING_BODY.match(data, pos + 1)
            assert match is not None
            stop = match.end()
            if stop not in self.ends(expr.free_key, pos + 1) or data[stop : stop + 1] != b'"':
                continue
            name = json.loads(data[pos : stop + 1])
            if name in keys:
                continue
            index = place.get(name)
            if index is not None:
                member = expr.properties[index]
                assert stop in self.ends(member.key, pos + 1), f"spelling of {name!r} not in its key"
                value: ir.Expr | None = member.value
                if expr.order == "schema" and index < low:
                    continue
                after = index + 1
            else:
                value, after = expr.additional, len(expr.properties)
            if value is None:
                continue
            colons = {c + 1 for c in self.ends(expr.gap, stop + 1) if data[c : c + 1] == b":"}
            for start in {v for c in colons for v in self.ends(expr.gap, c)}:
                for end in {g for v in self.ends(value, start) for g in self.ends(expr.gap, v)}:
                    mark = data[end : end + 1]
                    if mark == b"}" and required <= keys | {name}:
                        result.add(end + 1)
                    elif mark == b",":
                        for following in self.ends(expr.gap, end + 1):
                            state = (following, after, keys | {name})
                            if state not in done:
                                done.add(state)
                                agenda.append(state)
        return result


def accepts(expr: ir.Expr, text: str | bytes) -> bool:
    """Whether the whole of `text` belongs to `expr`."""
    data = text.encode("utf-8") if isinstance(text, str) else text
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(max(limit, 60_000))
    try:
        return len(data) in Oracle(data).ends(expr, 0)
    finally:
        sys.setrecursionlimit(limit)


def node_count(expr: ir.Expr) -> int:
    """Nodes of an expression, counted with sharing."""
    seen: set[int] = set()
    agenda: list[object] = [expr]
    while agenda:
        node = agenda.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, ir.Concat | ir.Union | ir.And):
            agenda.extend(node.items)
        elif isinstance(node, ir.Repeat | ir.Not | ir.Call):
            agenda.append(node.item)
        elif isinstance(node, ir.Machine):
            agenda.extend(item for row in node.arcs for item, _ in row)
        elif isinstance(node, ir.Ref):
            agenda.append(node.rule.body)
        elif isinstance(node, ir.JsonObject):
            agenda.extend([node.gap, node.free_key, *([node.additional] if node.additional else [])])
            for member in node.properties:
                agenda.extend([member.key, member.value])
    return len(seen)
