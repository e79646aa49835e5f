"""Languages in context: exact algebra for anchors and word boundaries, which look at neighbours.

Law: a piece is a union of terms (left, language, right): a member matches where its neighbours are so.
Cost: nothing for pieces without assertions; a concatenation costs the product of the numbers of terms.

Left contexts: start of text, or the class of the last character. Right contexts: end of text, a
newline that ends the text (what ``$`` of Python accepts), or the class of the next character.
Requirements on a neighbour inside the piece are pushed into the characters that can stand there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from gramspec.errors import LimitError, UnsupportedError
from gramspec.grammar import ir
from gramspec.grammar.ranges import SCALARS, Ranges, complement, intersect, unite
from gramspec.grammar.regex.edges import Edges, contains_char, merge

# Classes of one character; both contexts use the same bits for them.
NEWLINE: Final = 1
ASCII_WORD: Final = 2
OTHER_WORD: Final = 4  # a word character for Unicode only
PLAIN: Final = 8
CHARS: Final = NEWLINE | ASCII_WORD | OTHER_WORD | PLAIN
START: Final = 16  # left only
END: Final = 16  # right only
LAST_NEWLINE: Final = 32  # right only: "\n" and then the end; whoever demands NEWLINE demands this too
LEFT_ANY: Final = CHARS | START
RIGHT_ANY: Final = CHARS | END | LAST_NEWLINE

Context = tuple[int, int]
Piece = Mapping[Context, ir.Expr]

_FREE: Final[Context] = (LEFT_ANY, RIGHT_ANY)
_ANY_CHAR: Final = ir.CharSet(SCALARS)
_ANY_TEXT: Final = ir.repeat(_ANY_CHAR)
_NEWLINE_CHAR: Final = ir.CharSet(((10, 10),))
_MAX_UNROLLED: Final = 1_000
_MAX_TERMS: Final = 2_000_000
_LONG_CONCAT: Final = 64


@dataclass(slots=True)
class Builder:
    """Combines pieces for one pattern.

    Parameters
    ----------
    ascii_word, unicode_word : ranges
        Word characters in the two senses; equal where a dialect has one only.
    """

    ascii_word: Ranges
    unicode_word: Ranges
    _edges: Edges = field(default_factory=Edges)
    _chars: dict[Ranges, Piece] = field(default_factory=dict)
    _spent: int = 0

    # -- making pieces --------------------------------------------------------------------

    def chars(self, ranges: Ranges) -> Piece:
        """One character out of a set."""
        piece = self._chars.get(ranges)
        if piece is None:
            piece = self._chars[ranges] = {_FREE: ir.CharSet(ranges)} if ranges else {}
        return piece

    def assertion(self, rectangles: Iterable[Context]) -> Piece:
        """The empty string at positions whose (left, right) lies in one of the rectangles."""
        return {context: ir.EPSILON for context in rectangles if all(context)}

    def boundary(self, *, ascii_only: bool, inside_empty: bool) -> tuple[Piece, Piece]:
        """The word boundary and its negation (`inside_empty`: the latter holds in the empty text)."""
        word = ASCII_WORD if ascii_only else ASCII_WORD | OTHER_WORD
        left, right = LEFT_ANY & ~word, RIGHT_ANY & ~word
        outside = [(left, right)] if inside_empty else [(START, right & ~END), (left & ~START, right)]
        return self.assertion([(word, right), (left, word)]), self.assertion([(word, word), *outside])

    def alternatives(self, pieces: Iterable[Piece]) -> Piece:
        """Union."""
        found: dict[Context, list[ir.Expr]] = {}
        for piece in pieces:
            for context, language in piece.items():
                found.setdefault(context, []).append(language)
        return {context: merge(items) for context, items in found.items()}

    def sequence(self, pieces: Iterable[Piece]) -> Piece:
        """Concatenation."""
        total: Piece | None = None
        run: list[ir.Expr] = []
        for piece in pieces:
            if len(piece) == 1 and _FREE in piece:
                run.append(piece[_FREE])
                continue
            if run:
                total = self._join(total, {_FREE: ir.concat(*run)})
                run = []
            total = self._join(total, piece)
        if run or total is None:
            total = self._join(total, {_FREE: ir.concat(*run)})
        return total

    def repetition(self, piece: Piece, minimum: int, maximum: int | None, place: str, source: str) -> Piece:
        """`piece` repeated; `place` (a pointer) and `source` say where, should it have to be refused."""
        if maximum == 0:
            return {_FREE: ir.EPSILON}
        if not piece:
            return {_FREE: ir.EPSILON} if minimum == 0 else {}
        if len(piece) == 1 and _FREE in piece:
            item = piece[_FREE]
            return {_FREE: item if isinstance(item, ir.Epsilon) else ir.repeat(item, minimum, maximum)}
        if max(minimum, maximum or 0) > _MAX_UNROLLED:
            raise UnsupportedError(
                place,
                f"an anchor or word boundary inside a repetition with a bound above {_MAX_UNROLLED}",
                "move the anchor out of the repetition",
                source,
            )
        head = self._power(piece, minimum)
        if maximum is None:
            return self._join(head, self._star(piece))
        if maximum == minimum:
            return head
        tail = self._power(self.alternatives([piece, {_FREE: ir.EPSILON}]), maximum - minimum)
        return self._join(head, tail)

    def finish(self, piece: Piece, *, search: bool) -> ir.Expr:
        """The texts that match as a whole, or that hold a match (`search`)."""
        if search:
            anything: Piece = {_FREE: _ANY_TEXT}
            piece = self._join(self._join(anything, piece), anything)
        members = [language for (left, right), language in piece.items() if left & START and right & END]
        return merge([self._absorbed(language) for language in members])

    def _absorbed(self, language: ir.Expr) -> ir.Expr:
        """Shorten what stands beside "any text": an optional part says nothing there."""
        if not isinstance(language, ir.Concat):
            return language
        items: list[ir.Expr] = list(language.items)
        for _ in range(2):  # once towards the end, once towards the beginning
            kept: list[ir.Expr] = []
            for item in items:
                if kept and _is_any_text(kept[-1]):
                    if self._edges.facts(item).nullable:
                        continue
                    if isinstance(item, ir.Repeat):
                        item = ir.repeat(item.item, item.minimum, item.minimum)
                kept.append(item)
            items = kept[::-1]
        return ir.concat(*items)

    # -- concatenation --------------------------------------------------------------------

    def _join(self, first: Piece | None, second: Piece) -> Piece:
        if first is None:
            return second
        found: dict[Context, list[ir.Expr]] = {}
        for (left, right), head in first.items():
            for (left2, right2), tail in second.items():
                for begin, head_part in self._ending(left, head, left2):
                    for end, tail_part in self._starting(right2, tail, right):
                        if begin and end:
                            self._spend(1)
                            found.setdefault((begin, end), []).append(_concat(head_part, tail_part))
        return {context: merge(items) for context, items in found.items()}

    def _ending(self, left: int, language: ir.Expr, wanted: int) -> list[tuple[int, ir.Expr]]:
        """The parts of a term before a position that demands `wanted` of its left side."""
        if wanted == LEFT_ANY:
            return [(left, language)]
        parts: list[tuple[int, ir.Expr]] = []
        if self._edges.facts(language).nullable:
            parts.append((left & wanted, ir.EPSILON))
        body = self._ends_with(language, wanted & CHARS)
        if not isinstance(body, ir.Empty):
            parts.append((left, body))
        return parts

    def _starting(self, right: int, language: ir.Expr, wanted: int) -> list[tuple[int, ir.Expr]]:
        """The parts of a term after a position that demands `wanted` of its right side."""
        if wanted == RIGHT_ANY:
            return [(right, language)]
        parts: list[tuple[int, ir.Expr]] = []
        if self._edges.facts(language).nullable:
            parts.append((right & wanted, ir.EPSILON))
        if wanted & LAST_NEWLINE and not wanted & NEWLINE and contains_char(language, 10):
            parts.append((right & END, _NEWLINE_CHAR))
        body = self._starts_with(language, wanted & CHARS)
        if not isinstance(body, ir.Empty):
            parts.append((right, body))
        return parts

    def _ends_with(self, language: ir.Expr, classes: int) -> ir.Expr:
        """The non-empty members whose last character is in `classes`."""
        return self._edges.restricted(language, self._class_ranges(classes), last=True)

    def _starts_with(self, language: ir.Expr, classes: int) -> ir.Expr:
        """The non-empty members whose first character is in `classes`."""
        return self._edges.restricted(language, self._class_ranges(classes), last=False)

    def _class_ranges(self, classes: int) -> Ranges:
        newline: Ranges = ((10, 10),)
        parts: list[Ranges] = []
        if classes & NEWLINE:
            parts.append(newline)
        if classes & ASCII_WORD:
            parts.append(self.ascii_word)
        if classes & OTHER_WORD:
            parts.append(intersect(self.unicode_word, complement(self.ascii_word)))
        if classes & PLAIN:
            parts.append(complement(unite(self.unicode_word, newline)))
        return unite(*parts)

    # -- repetition -----------------------------------------------------------------------

    def _power(self, piece: Piece, count: int) -> Piece:
        """`piece` repeated exactly `count` times, by squaring."""
        total: Piece = {_FREE: ir.EPSILON}
        while count:
            if count & 1:
                total = self._join(total, piece)
            count >>= 1
            if count:
                piece = self._join(piece, piece)
        return total

    def _star(self, piece: Piece) -> Piece:
        """Unbounded repetition: Kleene's construction over the contexts between two copies.

        Copies that match the empty string add nothing. A node is (class of the last character,
        what the last copy demands of its right side).
        """
        groups = self._char_groups(left for left, _ in piece)
        nodes: dict[Context, int] = {}
        edges: dict[tuple[int, int], list[ir.Expr]] = {}
        entries: list[tuple[int, int, ir.Expr]] = []

        def node(group: int, right: int) -> int:
            return nodes.setdefault((group, right), len(nodes))

        def arrivals(right: int, language: ir.Expr) -> Iterable[tuple[int, ir.Expr]]:
            for group in groups:
                body = self._ends_with(language, group)
                if not isinstance(body, ir.Empty):
                    yield node(group, right), body

        for (left, right), language in piece.items():
            entries.extend((left, target, body) for target, body in arrivals(right, language))
        done = 0
        while done < len(nodes):
            group, demand = list(nodes)[done]
            for (left, right), language in piece.items():
                if group & left != group:
                    continue
                for end, part in self._starting(right, language, demand):
                    if end and not isinstance(part, ir.Epsilon):
                        for target, body in arrivals(end, part):
                            edges.setdefault((done, target), []).append(body)
            done += 1
        paths = self._closure(len(nodes), edges)
        demands = [right for _, right in nodes]
        terms: list[Piece] = [{_FREE: ir.EPSILON}]
        for left, source, body in entries:
            for target, path in paths[source].items():
                terms.append({(left, demands[target]): _concat(body, path)})
        return self.alternatives(terms)

    def _closure(self, size: int, edges: Mapping[tuple[int, int], list[ir.Expr]]) -> list[dict[int, ir.Expr]]:
        """Languages of all paths between nodes, the empty path included."""
        paths: list[dict[int, ir.Expr]] = [{} for _ in range(size)]
        for (source, target), bodies in edges.items():
            paths[source][target] = merge(bodies)
        for via in range(size):
            if via in paths[via]:
                loop = ir.repeat(paths[via][via])
                paths[via] = {target: _concat(loop, tail) for target, tail in paths[via].items()}
                paths[via][via] = loop
            onward = dict(paths[via])
            for source in range(size):
                if source == via or via not in paths[source]:
                    continue
                reach = paths[source][via]
                for target, tail in onward.items():
                    self._spend(1)
                    old = paths[source].get(target, ir.EMPTY) if target != via else ir.EMPTY
                    paths[source][target] = merge([old, _concat(reach, tail)])
        for source in range(size):
            paths[source][source] = merge([ir.EPSILON, paths[source].get(source, ir.EMPTY)])
        return paths

    def _char_groups(self, lefts: Iterable[int]) -> list[int]:
        """The coarsest partition of the character classes that the given left contexts respect."""
        masks = list(lefts)
        groups: dict[tuple[int, ...], int] = {}
        for char in (NEWLINE, ASCII_WORD, OTHER_WORD, PLAIN):
            key = tuple(mask & char and 1 for mask in masks)
            groups[key] = groups.get(key, 0) | char
        return list(groups.values())

    def _spend(self, amount: int) -> None:
        self._spent += amount
        if self._spent > _MAX_TERMS:
            raise LimitError("max_nodes", f"the anchors of this pattern need more than {_MAX_TERMS} terms")


def _is_any_text(node: ir.Expr) -> bool:
    return (
        isinstance(node, ir.Repeat)
        and (node.minimum, node.maximum) == (0, None)
        and isinstance(node.item, ir.CharSet)
        and node.item.ranges == SCALARS
    )


def _concat(first: ir.Expr, second: ir.Expr) -> ir.Expr:
    """Concatenation that does not copy long sequences, so that powers stay linear."""
    long = any(isinstance(part, ir.Concat) and len(part.items) > _LONG_CONCAT for part in (first, second))
    if long and not any(isinstance(part, ir.Epsilon | ir.Empty) for part in (first, second)):
        return ir.Concat((first, second))
    return ir.concat(first, second)
