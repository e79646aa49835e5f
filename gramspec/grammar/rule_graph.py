"""Questions about rules as a graph: what an expression refers to, which rules end, which are recursive.

Law: references are followed only where a function says so; no function recurses.
Cost: linear in the nodes and references.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from gramspec.grammar import ir


def parts(node: ir.Expr) -> tuple[ir.Expr, ...]:
    """Sub-expressions that may hold references to rules of a grammar's text."""
    match node:
        case ir.Concat() | ir.Union() | ir.And() | ir.Repeat() | ir.Not() | ir.Call():
            return ir.children(node)
    return ()


def within(root: ir.Expr) -> Iterator[ir.Expr]:
    """The nodes of an expression in order, each once, references not followed."""
    seen: set[int] = set()
    todo = [root]
    while todo:
        node = todo.pop()
        if id(node) not in seen:
            seen.add(id(node))
            yield node
            todo.extend(reversed(parts(node)))


def is_larger(root: ir.Expr, bound: int) -> bool:
    """Whether an expression has more nodes, written out, than a bound; the rest is not counted."""
    count, todo = 0, [root]
    while todo and count <= bound:
        count += 1
        todo.extend(parts(todo.pop()))
    return count > bound


def productive(bodies: list[ir.Expr]) -> set[int]:
    """Ids of the nodes that have a member, given that regular leaves have one unless they are empty sets.

    Rules of other grammars, whose bodies are not among these, have members too.
    """
    known = {id(body) for body in bodies}
    parents: dict[int, list[int]] = {}
    needs: dict[int, int] = {}
    ready: deque[int] = deque()
    seen: set[int] = set()
    for root in bodies:
        for node in within(root):
            if id(node) in seen:
                continue
            seen.add(id(node))
            inner: tuple[ir.Expr, ...] = parts(node)
            match node:
                case ir.Ref():
                    body = None if node.rule.deferred else node.rule.body
                    inner = () if body is None or id(body) not in known else (body,)
                    needs[id(node)] = len(inner)
                case ir.Concat() | ir.And():
                    needs[id(node)] = len(inner)
                case ir.Union() | ir.Call():
                    needs[id(node)] = 1
                case ir.Repeat():
                    needs[id(node)] = min(node.minimum, 1)
                case ir.Empty() | ir.CharSet(ranges=()) | ir.ByteSet(mask=0):
                    needs[id(node)] = 1
                case _:
                    needs[id(node)] = 0
            for child in inner:
                parents.setdefault(id(child), []).append(id(node))
            if needs[id(node)] == 0:
                ready.append(id(node))
    found: set[int] = set()
    while ready:
        node_id = ready.popleft()
        if node_id in found:
            continue
        found.add(node_id)
        for parent in parents.get(node_id, ()):
            needs[parent] -= 1
            if needs[parent] == 0:
                ready.append(parent)
    return found


def recursive(uses: dict[str, list[str]]) -> dict[str, set[str]]:
    """The names that use themselves, each with its group (strongly connected component)."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    on_stack: set[str] = set()
    stack: list[str] = []
    groups: dict[str, set[str]] = {}
    for first in uses:
        if first in order:
            continue
        order[first] = low[first] = len(order)
        stack.append(first)
        on_stack.add(first)
        work = [(first, iter(uses[first]))]
        while work:
            name, rest = work[-1]
            deeper = None
            for used in rest:
                if used not in order:
                    deeper = used
                    break
                if used in on_stack:
                    low[name] = min(low[name], order[used])
            if deeper is not None:
                order[deeper] = low[deeper] = len(order)
                stack.append(deeper)
                on_stack.add(deeper)
                work.append((deeper, iter(uses[deeper])))
                continue
            work.pop()
            if work:
                low[work[-1][0]] = min(low[work[-1][0]], low[name])
            if low[name] == order[name]:
                group: set[str] = set()
                while name not in group:
                    member = stack.pop()
                    on_stack.discard(member)
                    group.add(member)
                if len(group) > 1 or name in uses[name]:
                    groups.update(dict.fromkeys(group, group))
    return groups
