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
        if isinstance(expr, ir.Call | ir.Builtin):
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
        result: set[int] = set()
        opened = self.ends(expr.gap, at + 1)
        if _may_close(expr, frozenset(), 0):
            result |= {p + 1 for p in opened if data[p : p + 1] == b"}"}
        agenda = [(p, 0, frozenset[str](), 0) for p in opened]
        done = set(agenda)
        while agenda:
            pos, low, keys, marks = agenda.pop()
            if data[pos : pos + 1] != b'"':
                continue
            match = _JSON_STRING_BODY.match(data, pos + 1)
            assert match is not None
            stop = match.end()
            if data[stop : stop + 1] != b'"':
                continue
            name = json.loads(data[pos : stop + 1])
            if name in keys:
                continue
            place = next((i for i, p in enumerate(expr.properties) if p.name == name), None)
            after = len(expr.properties)
            if place is None:
                if stop not in self.ends(expr.free_key, pos + 1):
                    continue
                values = _values_of_undeclared(expr, name)
            else:
                member = expr.properties[place]
                assert stop in self.ends(member.key, pos + 1), f"spelling of {name!r} not in its key"
                values = ((member.value, 0), *member.marked)
                if not member.late:
                    if expr.order == "schema" and place < low:
                        continue
                    after = place + 1
            now = keys | {name}
            colons = {c + 1 for c in self.ends(expr.gap, stop + 1) if data[c : c + 1] == b":"}
            starts = {v for c in colons for v in self.ends(expr.gap, c)}
            for value, more in values:
                seen = marks | more
                ends = {g for s in starts for v in self.ends(value, s) for g in self.ends(expr.gap, v)}
                for end in ends:
                    mark = data[end : end + 1]
                    if mark == b"}" and _may_close(expr, now, seen):
                        result.add(end + 1)
                    elif mark == b",":
                        states = {(following, after, now, seen) for following in self.ends(expr.gap, end + 1)}
                        agenda.extend(states - done)
                        done |= states
        return result


def _may_close(expr: ir.JsonObject, keys: frozenset[str], marks: int) -> bool:
    required = {p.name for p in expr.properties if p.required}
    enough = expr.least <= len(keys) and (expr.most is None or len(keys) <= expr.most)
    return required <= keys and enough and marks & expr.marks == expr.marks


def _values_of_undeclared(expr: ir.JsonObject, name: str) -> ir.Marked:
    for group in expr.classes:
        if accepts(group.names, name):
            return ((group.value, 0), *group.marked)
    plain: ir.Marked = () if expr.additional is None else ((expr.additional, 0),)
    return (*plain, *expr.marked)


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
    return sum(1 for _ in ir.walk(expr))
