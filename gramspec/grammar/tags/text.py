"""Free text: valid UTF-8 without given words, and up to the first of given triggers.

Law: text ends at the first trigger that is completed in it, whatever could have been read otherwise. If one
trigger ends another, the longer one is the one completed.
Source: the dispatch of xgrammar's structural tags; overlaps of words in `overlaps`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from gramspec.grammar import ir
from gramspec.grammar.choice import prefix_tree
from gramspec.grammar.encoding import UTF8_CHAR, UTF8_TEXT
from gramspec.grammar.tags.overlaps import overlaps, refuse_inside

_CACHE: Final = 256


def free_text(
    excludes: Sequence[bytes] = (), *, endings: Sequence[bytes] = (), most: int | None = None
) -> ir.Expr:
    """Valid UTF-8 in which none of some words occurs.

    Parameters
    ----------
    excludes : sequence of bytes
        The words, not empty, in valid UTF-8.
    endings : sequence of bytes
        What the text does not end with.
    most : int, optional
        Bound on the number of characters.

    Returns
    -------
    ir.Expr
        Regular.
    """
    return _free_text(tuple(sorted(set(excludes))), tuple(sorted(set(endings))), most)


@lru_cache(maxsize=_CACHE)
def _free_text(excludes: tuple[bytes, ...], endings: tuple[bytes, ...], most: int | None) -> ir.Expr:
    parts = [UTF8_TEXT if most is None else ir.repeat(UTF8_CHAR, 0, most)]
    if excludes:
        parts.append(ir.Not(ir.concat(UTF8_TEXT, prefix_tree(list(excludes)), UTF8_TEXT)))
    if endings:
        parts.append(ir.Not(ir.concat(UTF8_TEXT, prefix_tree(list(endings)))))
    return parts[0] if len(parts) == 1 else ir.And(tuple(parts))


def tag_dispatch(
    pairs: Sequence[tuple[bytes, ir.Expr]],
    *,
    loop: bool,
    excludes: Sequence[bytes] = (),
    places: Sequence[str] = (),
) -> ir.Expr:
    """Free text that may end anywhere, or go on after a trigger with what follows that trigger.

    Parameters
    ----------
    pairs : sequence of (bytes, ir.Expr)
        Triggers in valid UTF-8, not empty, and what follows each; at least one. A trigger given twice is
        followed by either.
    loop : bool
        Whether free text goes on after that, with triggers again.
    excludes : sequence of bytes
        Words that never occur in the free text, nor end inside a trigger.
    places : sequence of str
        Places of the triggers in the user's input, for errors.

    Returns
    -------
    ir.Expr

    Raises
    ------
    GrammarError
        If a trigger cannot be completed because another word ends inside it.
    LimitError
        If the words overlap in too many ways.
    """
    called = _calls(pairs, excludes, places)
    rest = free_text([*(trigger for trigger, _ in pairs), *excludes])
    if len(called) == 1 and called[0][0] is rest:
        after = called[0][1]
        tail = ir.repeat(ir.concat(after, rest)) if loop else ir.optional(after)
        return ir.concat(rest, tail)
    once = ir.union(*(ir.concat(text, after) for text, after in called))
    return ir.concat(ir.repeat(once), rest) if loop else ir.union(rest, once)


def until(
    pairs: Sequence[tuple[bytes, ir.Expr]], *, excludes: Sequence[bytes] = (), places: Sequence[str] = ()
) -> ir.Expr:
    """Free text up to the first trigger, the trigger, and what follows it; as `tag_dispatch`, once."""
    return ir.union(*(ir.concat(text, after) for text, after in _calls(pairs, excludes, places)))


def _calls(
    pairs: Sequence[tuple[bytes, ir.Expr]], excludes: Sequence[bytes], places: Sequence[str]
) -> list[tuple[ir.Expr, ir.Expr]]:
    """Texts before triggers, and the triggers with what follows; triggers with equal texts together."""
    follow: dict[bytes, list[ir.Expr]] = {}
    first: dict[bytes, str] = {}
    for number, (trigger, expr) in enumerate(pairs):
        follow.setdefault(trigger, []).append(expr)
        first.setdefault(trigger, places[number] if places else f"/{number}")
    triggers = list(follow)
    found = overlaps(triggers, excludes)
    refuse_inside(found, triggers, excludes, list(first.values()))
    groups: dict[frozenset[bytes], list[bytes]] = {}
    for trigger, before in zip(triggers, found.before, strict=True):
        groups.setdefault(before, []).append(trigger)
    words = [*triggers, *excludes]
    tails = {trigger: ir.union(*exprs) for trigger, exprs in follow.items()}
    return [
        (free_text(words, endings=sorted(before)), prefix_tree(sorted(group), tails))
        for before, group in groups.items()
    ]
