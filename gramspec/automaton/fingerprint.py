"""Structural fingerprint of an expression: equal trees, equal fingerprints, whatever their objects.

Cost: one pass over the distinct nodes; recursion through rules is numbered in visiting order.
Source: laws, "PrefixTrie" (its key holds everything that defines the law).
"""

from __future__ import annotations

import hashlib

from gramspec.grammar import ir


def fingerprint(root: ir.Expr) -> str:
    """Hex SHA-256 of the expression's structure."""
    digest = hashlib.sha256()
    numbers: dict[int, int] = {}
    rules: dict[int, int] = {}
    pending: list[ir.Expr] = [root]
    keep: list[ir.Expr] = []
    while pending:
        stack: list[tuple[ir.Expr, bool]] = [(pending.pop(0), False)]
        while stack:
            node, ready = stack.pop()
            if id(node) in numbers:
                continue
            children = _children(node)
            if children and not ready:
                stack.append((node, True))
                stack.extend((child, False) for child in reversed(children))
                continue
            text = f"{type(node).__name__}:{_payload(node)}:{[numbers[id(c)] for c in children]}"
            if isinstance(node, ir.Ref):
                if id(node.rule) not in rules:
                    rules[id(node.rule)] = len(rules)
                    if node.rule.body is not None:
                        pending.append(node.rule.body)
                text += f":{rules[id(node.rule)]}"
            numbers[id(node)] = len(numbers)
            keep.append(node)
            digest.update(text.encode("utf-8", "surrogatepass") + b"\n")
        digest.update(b"--\n")
    return digest.hexdigest()


def _children(node: ir.Expr) -> tuple[ir.Expr, ...]:
    match node:
        case ir.Concat() | ir.Union() | ir.And():
            return node.items
        case ir.Repeat() | ir.Not() | ir.Call():
            return (node.item,)
        case ir.JsonObject():
            parts: list[ir.Expr] = [node.gap, node.free_key]
            for item in node.properties:
                parts += (item.key, item.value)
            return tuple(parts) if node.additional is None else (*parts, node.additional)
        case _:
            return ()


def _payload(node: ir.Expr) -> str:
    match node:
        case ir.ByteSet():
            return hex(node.mask)
        case ir.CharSet():
            return repr(node.ranges)
        case ir.Repeat():
            return f"{node.minimum},{node.maximum}"
        case ir.TokenEdge():
            return repr(node.token)
        case ir.JsonObject():
            names = [(p.name, p.required) for p in node.properties]
            return f"{names!r},{node.order},{node.additional is not None}"
        case _:
            return ""
