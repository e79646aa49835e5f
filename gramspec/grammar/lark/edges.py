"""Looks and anchors of a terminal's pattern that see past its ends, and lazy parts that something follows.

Law: a pattern that passes `check` denotes the same set of texts wherever the terminal stands, as long as its
looks do not reach past what must follow or precede them inside the terminal.
Cost: linear in the tree.
"""

from __future__ import annotations

from collections.abc import Iterator

from gramspec.errors import UnsupportedError
from gramspec.grammar.regex import tree
from gramspec.grammar.regex.tree import (
    ANY_LEFT,
    ANY_RIGHT,
    Atomic,
    Choice,
    Here,
    Look,
    Repetition,
    Sequence,
    Tree,
)
from gramspec.grammar.rules import Position


def check(root: Tree, name: str, position: Position) -> None:
    """Refuse looks at the ends of a terminal.

    Parameters
    ----------
    root : Tree
        The pattern.
    name : str
        The terminal's.
    position : Position
        Where it is defined.

    Raises
    ------
    UnsupportedError
        If a look or an anchor may see what stands before or after the terminal.
    """
    if not any(isinstance(node, Here | Look) for node in tree.walk(root)):
        return
    for node, before, after in _placed(root):
        what = _sees_past(node, before, after)
        if what:
            raise position.error(
                f"terminal {name}: {what}",
                "a terminal is a set of texts of its own here; say in the rules what may stand beside it",
                UnsupportedError,
            )


def stops_early(root: Tree) -> bool:
    """Whether a lazy repetition is followed by something that every text has: a delimiter, mostly."""
    if not any(isinstance(node, Repetition) and node.lazy for node in tree.walk(root)):
        return False
    return any(isinstance(node, Repetition) and node.lazy and after > 0 for node, _, after in _placed(root))


def _sees_past(node: Tree, before: int, after: int) -> str:
    if isinstance(node, Here):
        if any(left != ANY_LEFT for left, _ in node.pairs) and before < 1:
            return "an anchor or `\\b` at its beginning sees what stands before it"
        if any(right != ANY_RIGHT for _, right in node.pairs) and after < 1:
            return "an anchor or `\\b` at its end sees what stands after it"
    if isinstance(node, Look) and (after if node.ahead else before) < 1:
        _, high = tree.lengths(node.body)
        if high != 0 or any(isinstance(inner, Here | Look) for inner in tree.walk(node.body)):
            where, side = ("end", "after") if node.ahead else ("beginning", "before")
            return f"the {node.name} at its {where} sees what stands {side} it"
    return ""


def _placed(root: Tree) -> Iterator[tuple[Tree, int, int]]:
    """Each node with the fewest characters that stand before and after it in the terminal."""
    fewest: dict[int, int] = {}
    stack: list[tuple[Tree, int, int]] = [(root, 0, 0)]
    seen: set[tuple[int, int, int]] = set()
    while stack:
        node, before, after = stack.pop()
        before, after = min(before, 1), min(after, 1)
        if (id(node), before, after) in seen:
            continue
        seen.add((id(node), before, after))
        yield node, before, after
        match node:
            case Sequence():
                sizes = [_fewest(item, fewest) for item in node.items]
                total = sum(sizes)
                passed = 0
                for item, size in zip(node.items, sizes, strict=True):
                    stack.append((item, before + passed, after + total - passed - size))
                    passed += size
            case Choice():
                stack += [(item, before, after) for item in node.items]
            case Repetition():
                stack.append((node.item, before, after))
            case Atomic():
                stack.append((node.body, before, after))


def _fewest(node: Tree, known: dict[int, int]) -> int:
    if id(node) not in known:
        known[id(node)] = min(tree.lengths(node)[0], 1)
    return known[id(node)]
