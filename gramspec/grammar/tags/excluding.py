"""JSON texts whose strings and keys hold none of given words.

Law: a text is left iff, as it is written, no string and no key in it holds a word between its quotes.
Cost: linear in the expression; rules are copied.
Source: ``excludes`` of xgrammar's ``json_schema`` format.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from gramspec.grammar import ir
from gramspec.grammar.choice import prefix_tree

_QUOTE: Final = 1 << 0x22
_ANY: Final = ir.repeat(ir.ANY_BYTE)


def excluding(root: ir.Expr, words: Sequence[bytes]) -> ir.Expr:
    """The expression of JSON values without strings and keys that hold a word."""
    return _Excluding(words).of(root) if words else root


class _Excluding:
    def __init__(self, words: Sequence[bytes]) -> None:
        held = ir.concat(_ANY, prefix_tree(sorted(set(words))), _ANY)
        self._clean = ir.Not(held)
        self._done: dict[int, tuple[ir.Expr, ir.Expr]] = {}
        self._rules: dict[int, ir.Rule] = {}
        self._pending: list[tuple[ir.Rule, ir.Rule]] = []

    def of(self, root: ir.Expr) -> ir.Expr:
        made = self._expr(root)
        while self._pending:
            old, new = self._pending.pop()
            assert old.body is not None
            new.define(self._expr(old.body))
        return made

    def _kept(self, strings: ir.Expr) -> ir.Expr:
        """Strings, which a quote may end."""
        return ir.And((strings, self._clean))

    def _expr(self, root: ir.Expr) -> ir.Expr:
        stack = [root]
        while stack:
            node = stack[-1]
            if id(node) in self._done:
                stack.pop()
                continue
            missing = [child for child in self._children(node) if id(child) not in self._done]
            if missing:
                stack += missing
                continue
            stack.pop()
            self._done[id(node)] = (node, self._made(node))
        return self._done[id(root)][1]

    @staticmethod
    def _children(node: ir.Expr) -> Sequence[ir.Expr]:
        if isinstance(node, ir.JsonObject):
            values = [value for p in node.properties for value in (p.value, *(v for v, _ in p.marked))]
            values += [value for c in node.classes for value in (c.value, *(v for v, _ in c.marked))]
            values += [value for value, _ in node.marked]
            return [*values, *([] if node.additional is None else [node.additional])]
        return ir.children(node) if isinstance(node, ir.Concat | ir.Union | ir.Repeat) else ()

    def _of(self, node: ir.Expr) -> ir.Expr:
        return self._done[id(node)][1]

    def _made(self, node: ir.Expr) -> ir.Expr:
        match node:
            case ir.Concat():
                return ir.Concat(tuple(self._items(node)))
            case ir.Union():
                return ir.union(*(self._of(item) for item in node.items))
            case ir.Repeat():
                return ir.repeat(self._of(node.item), node.minimum, node.maximum)
            case ir.Ref():
                new = self._rules.get(id(node.rule))
                if new is None:
                    new = self._rules[id(node.rule)] = ir.Rule(node.rule.name)
                    self._pending.append((node.rule, new))
                return ir.Ref(new)
            case ir.JsonObject():
                return self._object(node)
            case _:
                return node

    def _items(self, node: ir.Concat) -> list[ir.Expr]:
        """Items; what follows a quote is a string, with its end or before it."""
        found: list[ir.Expr] = []
        inside = False
        for item in node.items:
            quote = isinstance(item, ir.ByteSet) and item.mask == _QUOTE
            if inside and not quote:
                found.append(self._kept(item))
                inside = not isinstance(item, ir.Call)  # a call reads the closing quote too
            else:
                found.append(self._of(item))
                inside = quote and not inside
        return found

    def _object(self, node: ir.JsonObject) -> ir.JsonObject:
        def marked(values: ir.Marked) -> ir.Marked:
            return tuple((self._of(value), marks) for value, marks in values)

        return replace(
            node,
            properties=tuple(
                replace(p, key=self._kept(p.key), value=self._of(p.value), marked=marked(p.marked))
                for p in node.properties
            ),
            classes=tuple(replace(c, value=self._of(c.value), marked=marked(c.marked)) for c in node.classes),
            additional=None if node.additional is None else self._of(node.additional),
            free_key=self._kept(node.free_key),
            marked=marked(node.marked),
        )
