"""Atomic groups and possessive quantifiers: what a body matches first, said with look-ahead.

Law: the result matches, from every position, exactly the one span that backtracking tries first.
Source: `re` of Python 3.11, which tries alternatives from the left and greedy counts from the top.
"""

from __future__ import annotations

import math
from typing import Final

from gramspec.grammar.ranges import intersect
from gramspec.grammar.regex import tree
from gramspec.grammar.regex.tree import Atomic, Chars, Choice, Here, Look, Repetition, Sequence, Tree

_MAX_SPREAD: Final = 64  # combinations of the choices of a sequence that are written out
_MAX_CHOICE: Final = 300  # alternatives of one choice


def atomic(body: Tree, name: str, place: str) -> Tree | None:
    """The tree of what `body` matches first.

    Parameters
    ----------
    body : Tree
        The inside of an atomic group, or the repetition under a possessive quantifier.
    name, place : str
        Name of the construct and pointer to it, for errors.

    Returns
    -------
    Tree or None
        With looks where they suffice, else an `Atomic`. None when something that may be empty is
        repeated in the body: when such a repetition stops is a matter of the engine.
    """
    found = _folded(place, body)
    if found is not None:
        return found
    for node in tree.walk(body):
        free = isinstance(node, Repetition) and node.maximum not in (1, node.minimum)
        if isinstance(node, Repetition) and free and tree.lengths(node.item)[0] == 0:
            return None
    return tree.Atomic(body, name, place)


def possessive(body: Repetition, name: str, place: str) -> Tree | None:
    """The tree of a repetition under a possessive quantifier: every copy is an atomic group of its own.

    Parameters
    ----------
    body : Repetition
        The repetition, as if it were greedy.
    name, place : str
        As for `atomic`.

    Returns
    -------
    Tree or None
        As `atomic` does.
    """
    if body.minimum == body.maximum and has_one_way(body.item):
        return body
    return _until_it_fails(body, atomic(body.item, name, place))


def _folded(place: str, body: Tree) -> Tree | None:
    def first(node: Tree, inner: tuple[Tree | None, ...]) -> Tree | None:
        return _first(place, node, inner)

    return tree.fold(body, first)


def _first(place: str, node: Tree, inner: tuple[Tree | None, ...]) -> Tree | None:
    match node:
        case Chars() | Here() | Look():
            return node
        case Sequence():
            return _first_of_sequence(place, node, inner)
        case Choice():
            return _first_of_choice(place, node, inner)
        case Repetition():
            return _first_of_repetition(node, inner[0])
        case Atomic():
            return None


def _first_of_sequence(place: str, node: Sequence, inner: tuple[Tree | None, ...]) -> Tree | None:
    """What stands before the last choice must match in one way only, so that it is never retried."""
    items = node.items
    for at, item in enumerate(items):
        if has_one_way(item) or _stops_before(item, items[at + 1 :]):
            continue
        if at == len(items) - 1:
            last = inner[at]
            return None if last is None else tree.sequence([*items[:at], last])
        ways = math.prod(len(part.items) for part in items if isinstance(part, Choice))
        if not isinstance(item, Choice) or ways > _MAX_SPREAD:
            return None
        spread = [tree.sequence([*items[:at], part, *items[at + 1 :]]) for part in item.items]
        return _folded(place, tree.choice(spread))
    return node


def _stops_before(item: Tree, rest: tuple[Tree, ...]) -> bool:
    """Whether a repeated character cannot be the next one that must follow: then one count alone fits."""
    if not isinstance(item, Repetition) or not isinstance(item.item, Chars) or not rest:
        return False
    after = rest[0]
    while isinstance(after, Repetition) and after.minimum > 0:
        after = after.item
    return isinstance(after, Chars) and not intersect(after.ranges, item.item.ranges)


def _first_of_choice(place: str, node: Choice, inner: tuple[Tree | None, ...]) -> Tree | None:
    """Each alternative where no earlier one matches."""
    if len(inner) > _MAX_CHOICE:
        return None
    branches: list[Tree] = []
    for index, first in enumerate(inner):
        if first is None:
            return None
        rivals = [item for item in node.items[:index] if not _exclude(item, node.items[index])]
        guard = [tree.Look(tree.choice(rivals), True, True, place)] if rivals else []
        branches.append(tree.sequence([*guard, first]))
    return tree.choice(branches)


def _exclude(first: Tree, second: Tree) -> bool:
    """Whether two bodies begin with characters, one of which tells them apart."""
    for one, two in zip(_head(first), _head(second), strict=False):
        if not isinstance(one, Chars) or not isinstance(two, Chars):
            return False
        if not intersect(one.ranges, two.ranges):
            return True
    return False


def _head(node: Tree) -> tuple[Tree, ...]:
    return node.items if isinstance(node, Sequence) else (node,)


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
    if node.minimum > 1 and not has_one_way(node.item):
        return None
    return _until_it_fails(node, first)


def _until_it_fails(node: Repetition, first: Tree | None) -> Tree | None:
    """Copies of what the item matches first, until it does not match or there are enough."""
    if first is None or tree.lengths(node.item)[0] == 0:
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
            case Chars() | Here() | Look() | Atomic():
                return True
            case Sequence():
                return all(inner)
            case Repetition():
                return inner[0] and node.minimum == node.maximum
        return False

    return tree.fold(body, one_way)
