"""Atomic groups and possessive quantifiers: what a body matches first, said with look-ahead.

Law: the result matches, from every position, exactly the one span that backtracking tries first.
Source: `re` of Python 3.11, which tries alternatives from the left and greedy counts from the top.
"""

from __future__ import annotations

from gramspec.grammar.regex import tree
from gramspec.grammar.regex.tree import Chars, Choice, Here, Look, Repetition, Sequence, Tree


def atomic(body: Tree) -> Tree | None:
    """The tree of what `body` matches first.

    Parameters
    ----------
    body : Tree
        The inside of an atomic group, or the repetition under a possessive quantifier.

    Returns
    -------
    Tree or None
        None when the first match cannot be told from the others by look-ahead here.
    """
    return tree.fold(body, _first)


def _first(node: Tree, inner: tuple[Tree | None, ...]) -> Tree | None:
    match node:
        case Chars() | Here() | Look():
            return node
        case Sequence():
            return _first_of_sequence(node, inner)
        case Choice():
            return _first_of_choice(node, inner)
        case Repetition():
            return _first_of_repetition(node, inner[0])


def _first_of_sequence(node: Sequence, inner: tuple[Tree | None, ...]) -> Tree | None:
    """What stands before the last choice must match in one way only, so that it is never retried."""
    open_items = [index for index, item in enumerate(node.items) if not has_one_way(item)]
    if not open_items:
        return node
    at = open_items[0]
    last = inner[at]
    if at != len(node.items) - 1 or last is None:
        return None
    return tree.sequence([*node.items[:at], last])


def _first_of_choice(node: Choice, inner: tuple[Tree | None, ...]) -> Tree | None:
    branches: list[Tree] = []
    for index, first in enumerate(inner):
        if first is None:
            return None
        before = [tree.Look(item, True, True, "@0") for item in node.items[:index]]
        branches.append(tree.sequence([*before, first]))
    return tree.choice(branches)


def _first_of_repetition(node: Repetition, first: Tree | None) -> Tree | None:
    if node.lazy:  # the fewest copies; only a copy with several ways could be retried
        alone = node.minimum <= 1 or has_one_way(node.item)
        return (
            None
            if first is None or not alone
            else tree.Repetition(first, node.minimum, node.minimum, node.place)
        )
    if node.minimum == node.maximum and has_one_way(node.item):
        return node
    if first is None or tree.lengths(node.item)[0] == 0:
        return None
    if node.minimum > 1 and not has_one_way(node.item):
        return None
    stop = tree.Look(node.item, True, True, node.place)
    if node.maximum is None:
        return tree.sequence([tree.Repetition(first, node.minimum, None, node.place), stop])
    full = tree.Repetition(first, node.maximum, node.maximum, node.place)
    if node.minimum == node.maximum:
        return full
    fewer = tree.Repetition(first, node.minimum, node.maximum - 1, node.place)
    return tree.choice([full, tree.sequence([fewer, stop])])


def has_one_way(body: Tree) -> bool:
    """Whether a body can match in one way only from any position, so that atomicity changes nothing."""

    def one_way(node: Tree, inner: tuple[bool, ...]) -> bool:
        match node:
            case Chars() | Here() | Look():
                return True
            case Sequence():
                return all(inner)
            case Repetition():
                return inner[0] and node.minimum == node.maximum
        return False

    return tree.fold(body, one_way)
