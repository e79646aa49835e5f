"""Structural fingerprint of an expression: equal trees, equal fingerprints, whatever their objects.

Cost: one pass over the distinct nodes; recursion through rules is numbered in visiting order.
Source: laws, "PrefixTrie" (its key holds everything that defines the law).
"""

from __future__ import annotations

import hashlib

from gramspec.grammar import ir


def fingerprint(root: ir.Expr) -> str:
    """Hex SHA-256 of the expression's structure.

    Rules count as equal when they are met in the same order and have equal bodies.
    """
    hashes: dict[int, bytes] = {}
    rules: dict[int, int] = {}
    bodies: list[ir.Expr] = [root]
    keep: list[ir.Expr] = []  # ids in `hashes` stay valid while the nodes live
    digest = hashlib.sha256()
    for body in bodies:  # grows while rules are met
        stack: list[tuple[ir.Expr, bool]] = [(body, False)]
        while stack:
            node, ready = stack.pop()
            if id(node) in hashes:
                continue
            children = () if isinstance(node, ir.Builtin) else ir.children(node)
            if children and not ready:
                stack.append((node, True))
                stack.extend((child, False) for child in reversed(children))
                continue
            own = hashlib.sha256(f"{type(node).__name__}:{_payload(node)}".encode("utf-8", "surrogatepass"))
            for child in children:
                own.update(hashes[id(child)])
            if isinstance(node, ir.Ref):
                if id(node.rule) not in rules:
                    rules[id(node.rule)] = len(rules)
                    bodies.append(node.rule.body if node.rule.body is not None else ir.EMPTY)
                own.update(b"%d" % rules[id(node.rule)])
            hashes[id(node)] = own.digest()
            keep.append(node)
        digest.update(hashes[id(body)])
    return digest.hexdigest()


def _payload(node: ir.Expr) -> str:
    match node:
        case ir.ByteSet():
            return hex(node.mask)
        case ir.CharSet():
            return repr(node.ranges)
        case ir.Repeat():
            return f"{node.minimum},{node.maximum}"
        case ir.Machine():
            return f"{[[target for _, target in row] for row in node.arcs]!r},{node.accepting!r}"
        case ir.Builtin():
            return repr((node.kind, node.data))
        case ir.TokenEdge():
            return repr(node.token)
        case ir.TokenSet():
            return repr((sorted(set(map(repr, node.tokens))), node.negated))
        case ir.JsonObject():
            declared = [(p.name, p.required, p.late, _marks(p.marked)) for p in node.properties]
            classes = [_marks(c.marked) for c in node.classes]
            others = (node.additional is not None, _marks(node.marked))
            bounds = (node.least, node.most, node.marks)
            return f"{declared!r},{node.order},{classes!r},{others!r},{bounds!r}"
        case _:
            return ""


def _marks(alternatives: ir.Marked) -> list[int]:
    return [marks for _, marks in alternatives]
