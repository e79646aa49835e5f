"""Texts that a grammar spells out: property names, values of enums, keywords.

Law: only what is likely to be written next; nothing here decides what may be written.
Cost: one bounded walk over the expression per grammar. Source: architecture, room `grammar`.
"""

from __future__ import annotations

import json

from gramspec.grammar import ir
from gramspec.grammar.core import Grammar

_ALTERNATIVES = 64  # texts of one part of the expression
_LONGEST = 512  # bytes of one text
_NODES = 200_000  # parts of the expression that are looked at


def grammar_literals(grammar: Grammar, max_bytes: int = 1 << 16) -> list[bytes]:
    """Collect the texts of two bytes or more that a grammar spells out.

    Parameters
    ----------
    grammar : Grammar
        The grammar; JSON property names come with their quotation marks and colon.
    max_bytes : int
        Bound on the texts together; those that come first in the grammar are kept.

    Returns
    -------
    list of bytes
        Distinct texts in the order of the grammar.
    """
    found: dict[bytes, None] = {}
    held = 0
    seen: set[int] = set()
    todo: list[ir.Expr] = [grammar.expr]
    while todo and len(seen) < _NODES:
        node = todo.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        for text in _texts_at(node):
            if len(text) < 2 or text in found:
                continue
            held += len(text)
            if held > max_bytes:
                return list(found)
            found[text] = None
        todo.extend(reversed(_below(node)))
    return list(found)


def _below(node: ir.Expr) -> list[ir.Expr]:
    if isinstance(node, ir.Builtin):  # written out it may be large, and is no text of the user's
        return []
    if isinstance(node, ir.Ref):
        return [node.rule.body] if node.rule.body is not None else []
    return [part for part in ir.children(node) if not isinstance(part, ir.ByteSet)]


def _texts_at(node: ir.Expr) -> list[bytes]:
    if isinstance(node, ir.JsonObject):
        return [b'"' + word + b'":' for p in node.properties for word in _words(p.key) or ()]
    if not isinstance(node, (ir.Concat, ir.Union, ir.Builtin)):
        return []
    whole = _words(node)
    if whole is not None:
        return whole
    return _runs(node) if isinstance(node, ir.Concat) else []


def _runs(node: ir.Concat) -> list[bytes]:
    """Texts of the longest runs of items that are spelled out."""
    out: list[bytes] = []
    run: list[bytes] = [b""]
    for item in node.items:
        words = _words(item)
        joined = None if words is None else _joined(run, words)
        if joined is None:
            out += run
            run = [b""] if words is None else words
        else:
            run = joined
    return out + run


def _words(node: ir.Expr, depth: int = 8) -> list[bytes] | None:
    """The texts of an expression that is nothing but a few texts."""
    if depth == 0:
        return None
    match node:
        case ir.ByteSet(mask):
            return [bytes([mask.bit_length() - 1])] if mask.bit_count() == 1 else None
        case ir.Builtin() if node.kind == "json text":
            return [json.dumps(str(node.data[0]), ensure_ascii=False)[1:-1].encode("utf-8", "replace")]
        case ir.Call(item):
            return _words(item, depth - 1)
        case ir.Concat(items):
            words: list[bytes] | None = [b""]
            for item in items:
                more = _words(item, depth - 1)
                words = None if more is None or words is None else _joined(words, more)
                if words is None:
                    return None
            return words
        case ir.Union(items) if len(items) <= _ALTERNATIVES:
            found: list[bytes] = []
            for item in items:
                more = _words(item, depth - 1)
                if more is None or len(found) + len(more) > _ALTERNATIVES:
                    return None
                found += more
            return found
        case _:
            return None


def _joined(left: list[bytes], right: list[bytes]) -> list[bytes] | None:
    if len(left) * len(right) > _ALTERNATIVES:
        return None
    joined = [a + b for a in left for b in right]
    return joined if max(map(len, joined), default=0) <= _LONGEST else None
