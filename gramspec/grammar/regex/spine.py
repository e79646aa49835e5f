"""Looks on the main line of a pattern, as intersections: nothing is written out, counts stay counts.

Law: exact; what stands inside a repetition, inside another look, or crosses another needs an automaton.
Cost: one intersection per look; alternatives with looks are multiplied out, at most `MAX_LINES` of them.
Source: a look-ahead says which texts may follow: (A)(?=B)C is A followed by both B.* and C.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Sequence as SequenceOf
from typing import Final

from gramspec.grammar import ir
from gramspec.grammar.ranges import SCALARS
from gramspec.grammar.regex import tree
from gramspec.grammar.regex.contexts import ANY_TEXT, Builder, Piece, piece_of
from gramspec.grammar.regex.edges import merge
from gramspec.grammar.regex.lookaround import automaton
from gramspec.grammar.regex.tree import (
    Atomic,
    Chars,
    Choice,
    Here,
    Left,
    Look,
    Repetition,
    Right,
    Sequence,
    Tree,
)

MAX_LINES: Final = 32
_LONG: Final = 8  # counts that are worth an intersection
_ANYTHING: Final = Repetition(Chars(SCALARS), 0, None, "@0")
_AT_START: Final = Left((), True)
_AT_END: Final = Right((), True, False)


def with_looks(pattern: Tree, builder: Builder, source: str, *, search: bool) -> ir.Expr:
    """The language of a pattern with looks.

    Parameters
    ----------
    pattern : Tree
        The pattern.
    builder : Builder
        Made for this pattern.
    source : str
        Its text, for errors.
    search : bool
        Whether a match anywhere in the text is enough.

    Returns
    -------
    ir.Expr
        Over `CharSet` leaves, with `And`, `Not` and `Machine`.

    Raises
    ------
    UnsupportedError
        When an automaton is needed and is too large.
    """
    found: list[ir.Expr] = []
    for items in _lines(pattern):
        if search:
            items = [_ANYTHING, *items, _ANYTHING]
        line = _Line(_unanchored(items), builder, source)
        language = line.language()
        found.append(line.with_automaton() if language is None else language)
    return merge(found)


def _lines(pattern: Tree) -> list[list[Tree]]:
    """The pattern as alternative sequences, looks being items of their own as far as possible."""
    lines: list[list[Tree]] = []
    todo: list[list[Tree]] = [[pattern]]
    while todo:
        line = todo.pop()
        for index, item in enumerate(line):
            choices = _choices(item)
            if choices is None or len(lines) + len(todo) + len(choices) > MAX_LINES:
                continue
            todo.extend([*line[:index], *choice, *line[index + 1 :]] for choice in choices)
            break
        else:
            lines.append(line)
    return lines


def _choices(item: Tree) -> list[list[Tree]] | None:
    """The alternatives that an item with looks is made of; None when it is not to be taken apart."""
    if isinstance(item, Look | Atomic) or not tree.looks(item):
        return None
    if isinstance(item, Choice):
        return [[part] for part in item.items]
    if isinstance(item, Repetition):
        return [[item.item], []] if (item.minimum, item.maximum) == (0, 1) else None
    return [list(tree.parts(item))]


def _unanchored(items: list[Tree]) -> list[Tree]:
    """Without "any text" where an anchor makes it the empty one."""
    joined = tree.sequence(items)
    flat: list[Tree] = list(joined.items) if isinstance(joined, Sequence) else [joined]
    if len(flat) > 1 and flat[0] is _ANYTHING and _pair(flat[1]) == (_AT_START, tree.ANY_RIGHT):
        flat = flat[2:]
    if len(flat) > 1 and flat[-1] is _ANYTHING and _pair(flat[-2]) == (tree.ANY_LEFT, _AT_END):
        flat = flat[:-2]
    return flat


def _pair(item: Tree) -> tuple[Left, Right] | None:
    return item.pairs[0] if isinstance(item, Here) and len(item.pairs) == 1 else None


def _views(item: Tree) -> tuple[bool, bool]:
    """Whether a tree may look before itself, and after itself."""
    back = onward = False
    for node in tree.walk(item):
        if isinstance(node, Look):
            back, onward = back or not node.ahead, onward or node.ahead
        elif isinstance(node, Atomic):
            onward = True
        elif isinstance(node, Here):
            back = back or any(left != tree.ANY_LEFT for left, _ in node.pairs)
            onward = onward or any(right != tree.ANY_RIGHT for _, right in node.pairs)
    return back, onward


class _Line:
    """One sequence: look-free stretches, with looks between them."""

    def __init__(self, items: SequenceOf[Tree], builder: Builder, source: str) -> None:
        self.items = items
        self.build = builder
        self.source = source

    def language(self) -> ir.Expr | None:
        """By intersections; None where a look stands in a repetition or in a look, or crosses another."""
        build = self.build
        stretches: list[list[Piece]] = [[]]
        looks: list[Look] = []
        for item in self.items:
            if isinstance(item, Look) and not tree.looks(item.body):
                looks.append(item)
                stretches.append([])
            elif tree.looks(item):
                return None
            else:
                stretches[-1].append(self.piece(item))
        pieces = [build.sequence(stretch) for stretch in stretches]
        whole: list[ir.Expr] = []  # what the text must be besides
        behind: dict[int, Look] = {}
        ahead: dict[int, Look] = {}
        for index, look in enumerate(looks):
            if self.is_edge(pieces[: index + 1] if look.ahead else pieces[index + 1 :], look):
                whole.append(self.text(look))
            else:
                (ahead if look.ahead else behind)[index] = look
        if behind and ahead and max(behind) > min(ahead):
            return None
        middle = max(behind, default=-1) + 1
        left = pieces[0]
        for index in range(middle):
            if index in behind:
                condition = self.condition(behind[index])
                if condition is None:
                    return None
                left = _both(build.kept(left, at_start=True), condition)
            left = build.sequence([left, pieces[index + 1]])
        right: Piece | None = None
        for index in range(len(pieces) - 1, middle, -1):
            right = pieces[index] if right is None else build.sequence([pieces[index], right])
            if index - 1 in ahead:
                condition = self.condition(ahead[index - 1])
                assert condition is not None  # a complement ahead always exists
                right = _both(build.kept(right, at_end=True), condition)
        total = left if right is None else build.sequence([left, right])
        return _all([*whole, build.finish(total)])

    def with_automaton(self) -> ir.Expr:
        """By an automaton, for what lies between the first and the last item that needs one."""
        whole: list[ir.Expr] = []
        items = list(self.items)
        for ahead in (True, False):
            items = self.without_edge_looks(items if ahead else items[::-1], whole, ahead=ahead)
        items.reverse()
        items = _uncounted(items, whole)
        first, last = 0, len(items)
        views = [_views(item) for item in items]
        while first < last and views[first] == (False, False) and not any(back for back, _ in views[first:]):
            first += 1
        while first < last and views[last - 1] == (False, False) and not any(on for _, on in views[:last]):
            last -= 1
        head = [self.piece(item) for item in items[:first]]
        tail = [self.piece(item) for item in items[last:]]
        middle: Piece = {self.build.free: automaton(tree.sequence(items[first:last]), self.source)}
        return _all([*whole, self.build.finish(self.build.sequence([*head, middle, *tail]))])

    def without_edge_looks(self, items: list[Tree], whole: list[ir.Expr], *, ahead: bool) -> list[Tree]:
        """Move the looks at one edge of the text to `whole`; the items come from that edge on."""
        before: list[Piece] = []
        kept: list[Tree] = []
        for index, item in enumerate(items):
            if isinstance(item, Look) and item.ahead is ahead and not tree.looks(item.body):
                if self.is_edge(before if ahead else before[::-1], item):
                    whole.append(self.text(item))
                    continue
            elif not tree.looks(item):
                before.append(self.piece(item))
                kept.append(item)
                continue
            return [*kept, *items[index:]]
        return kept

    def piece(self, item: Tree) -> Piece:
        return piece_of(item, self.build, self.source)

    def is_edge(self, pieces: SequenceOf[Piece], look: Look) -> bool:
        """Whether what stands before a look-ahead (or after a look-behind) is empty."""
        piece = self.build.sequence(pieces)
        return _is_blank(self.build.kept(piece, at_start=look.ahead, at_end=not look.ahead))

    def condition(self, look: Look) -> Piece | None:
        """The texts that may follow (or precede) the position of a look, by what stands on its other side."""
        build = self.build
        body = self.piece(look.body)
        anything: Piece = {build.free: ANY_TEXT}
        if look.ahead:
            found = build.kept(build.sequence([body, anything]), at_end=True)
        else:
            found = build.kept(build.sequence([anything, body]), at_start=True)
        if not look.negative:
            return found
        return build.complement(found, ahead=look.ahead)

    def text(self, look: Look) -> ir.Expr:
        """The texts that a look at their start (or a look-behind at their end) allows."""
        build = self.build
        body = self.piece(look.body)
        anything: Piece = {build.free: ANY_TEXT}
        found = build.finish(build.sequence([body, anything] if look.ahead else [anything, body]))
        return _not(found) if look.negative else found


def _uncounted(items: list[Tree], whole: list[ir.Expr]) -> list[Tree]:
    """Replace the count of one long repetition by the length of the text, where they are the same."""
    sizes = [tree.lengths(item) for item in items]
    hard = [index for index, item in enumerate(items) if tree.looks(item) and not isinstance(item, Look)]
    if len(hard) != 1 or any(low != high for index, (low, high) in enumerate(sizes) if index != hard[0]):
        return items
    (at,) = hard
    item = items[at]
    if not isinstance(item, Repetition) or max(item.minimum, item.maximum or 0) < _LONG:
        return items
    low, high = tree.lengths(item.item)
    if low != high or low == 0:
        return items
    rest = sum(least for index, (least, _) in enumerate(sizes) if index != at)
    most = None if item.maximum is None else item.maximum * low + rest
    whole.append(ir.repeat(ir.CharSet(SCALARS), item.minimum * low + rest, most))
    return [*items[:at], Repetition(item.item, 0, None, item.place), *items[at + 1 :]]


def _is_blank(piece: Piece) -> bool:
    return all(isinstance(language, ir.Epsilon) for language in piece.values())


def _both(first: Piece, second: Piece) -> Piece:
    """What both pieces match, where they stand between the same neighbours."""
    found: dict[tuple[int, int], list[ir.Expr]] = {}
    for (left, right), one in first.items():
        for (left2, right2), two in second.items():
            if left & left2 and right & right2:
                found.setdefault((left & left2, right & right2), []).append(_all([one, two]))
    return {context: merge(items) for context, items in found.items()}


def _all(items: Iterable[ir.Expr]) -> ir.Expr:
    kept: list[ir.Expr] = []
    for item in items:
        if isinstance(item, ir.Empty):
            return item
        if item is not ANY_TEXT:
            kept.append(item)
    if not kept:
        return ANY_TEXT
    return kept[0] if len(kept) == 1 else ir.And(tuple(kept))


def _not(item: ir.Expr) -> ir.Expr:
    return ANY_TEXT if isinstance(item, ir.Empty) else ir.Not(item)
