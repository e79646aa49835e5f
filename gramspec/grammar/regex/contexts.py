"""Languages in context: exact algebra for anchors and word boundaries, which look at neighbours.

Law: a piece is a union of terms (left, language, right): a member matches where its neighbours are so.
Cost: nothing for pieces without assertions; a concatenation costs the product of the numbers of terms.

Left contexts: start of text, or the class of the last character. Right contexts: end of text, a
newline that ends the text (what ``$`` of Python accepts), or the class of the next character.
Requirements on a neighbour inside the piece are pushed into the characters that can stand there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from gramspec.errors import LimitError, UnsupportedError
from gramspec.grammar import ir
from gramspec.grammar.ranges import SCALARS, Ranges
from gramspec.grammar.regex.alphabet import Alphabet
from gramspec.grammar.regex.edges import Edges, contains_char, joined_counts, merge
from gramspec.grammar.regex.tree import Chars, Choice, Here, Repetition, Sequence, Tree, fold, walk

Context = tuple[int, int]
Piece = Mapping[Context, ir.Expr]

_ANY_CHAR: Final = ir.CharSet(SCALARS)
ANY_TEXT: Final = ir.repeat(_ANY_CHAR)
_NEWLINE: Final = ((10, 10),)
_NEWLINE_CHAR: Final = ir.CharSet(_NEWLINE)
_MAX_UNROLLED: Final = 1_000
_MAX_TERMS: Final = 2_000_000
_LONG_CONCAT: Final = 64


class Builder:
    """Combines pieces for one pattern.

    Parameters
    ----------
    pattern : Tree
        The pattern: the neighbours that it asks for say which characters must be told apart.

    Attributes
    ----------
    chars : int
        Mask of all classes of characters; both contexts use the same bits for them.
    start, end : int
        Bit of the start (in a left context) and of the end (in a right one): the same bit.
    last_newline : int
        Bit, in a right context, of a newline that ends the text; who demands the class of the
        newline demands this too.
    any_left, any_right : int
        Contexts that ask for nothing.
    free : Context
        Both.
    """

    def __init__(self, pattern: Tree) -> None:
        sets: list[Ranges] = [_NEWLINE]
        for node in walk(pattern):
            if isinstance(node, Here):
                sets.extend(side.chars for pair in node.pairs for side in pair)
        self._alphabet = Alphabet(sets)
        self.chars = self._alphabet.full
        self.newline = self._alphabet.masks[_NEWLINE]
        self.start = self.end = 1 << self._alphabet.size
        self.last_newline = self.start << 1
        self.any_left = self.chars | self.start
        self.any_right = self.chars | self.end | self.last_newline
        self.free: Context = (self.any_left, self.any_right)
        self._edges = Edges()
        self._sets: dict[Ranges, Piece] = {}
        self._spent = 0

    # -- making pieces --------------------------------------------------------------------

    def one_char(self, ranges: Ranges) -> Piece:
        """One character out of a set."""
        piece = self._sets.get(ranges)
        if piece is None:
            piece = self._sets[ranges] = {self.free: ir.CharSet(ranges)} if ranges else {}
        return piece

    def assertion(self, node: Here) -> Piece:
        """The empty text at positions whose neighbours are as one of the pairs says."""
        masks = self._alphabet.masks
        found: dict[Context, ir.Expr] = {}
        for before, after in node.pairs:
            left = masks[before.chars] | (self.start if before.start else 0)
            right = masks[after.chars] | (self.end if after.end else 0)
            if after.last_newline or right & self.newline:
                right |= self.last_newline
            if left and right:
                found[left, right] = ir.EPSILON
        return found

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
            if len(piece) == 1 and self.free in piece:
                run.append(piece[self.free])
                continue
            if run:
                total = self._join(total, {self.free: ir.concat(*run)})
                run = []
            total = self._join(total, piece)
        if run or total is None:
            total = self._join(total, {self.free: ir.concat(*run)})
        return total

    def repetition(self, piece: Piece, minimum: int, maximum: int | None, place: str, source: str) -> Piece:
        """`piece` repeated; `place` (a pointer) and `source` say where, should it have to be refused."""
        if maximum == 0:
            return {self.free: ir.EPSILON}
        if not piece:
            return {self.free: ir.EPSILON} if minimum == 0 else {}
        if len(piece) == 1 and self.free in piece:
            return {self.free: _repeated(piece[self.free], minimum, maximum)}
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
        tail = self._power(self.alternatives([piece, {self.free: ir.EPSILON}]), maximum - minimum)
        return self._join(head, tail)

    def finish(self, piece: Piece, *, search: bool = False) -> ir.Expr:
        """The texts that match as a whole, or that hold a match (`search`)."""
        if search:
            anything: Piece = {self.free: ANY_TEXT}
            piece = self._join(self._join(anything, piece), anything)
        members = self.kept(self.kept(piece, at_start=True), at_end=True).values()
        return merge([self._absorbed(language) for language in members])

    def kept(self, piece: Piece, *, at_start: bool = False, at_end: bool = False) -> Piece:
        """The terms that can stand at the start or at the end of the text, with that context alone."""
        found: dict[Context, list[ir.Expr]] = {}
        for (left, right), language in piece.items():
            context = left & self.start if at_start else left, right & self.end if at_end else right
            if all(context):
                found.setdefault(context, []).append(language)
        return {context: merge(items) for context, items in found.items()}

    def complement(self, piece: Piece, *, ahead: bool) -> Piece | None:
        """The texts from here to the end (`ahead`), or from the start to here, that are not in a piece.

        None where a last newline is told from other newlines, which no complement can say.
        """
        sides = [context[0 if ahead else 1] for context in piece]
        bits = [1 << number for number in range(self._alphabet.size + 1)]
        if not ahead:
            if any(side & self.last_newline and not side & self.newline for side in sides):
                return None
            bits = [bit | self.last_newline if bit == self.newline else bit for bit in bits]
        groups: dict[tuple[int, ...], int] = {}
        for bit in bits:
            key = tuple(index for index, side in enumerate(sides) if side & bit)
            groups[key] = groups.get(key, 0) | bit
        languages = list(piece.values())
        found: dict[Context, ir.Expr] = {}
        for key, group in groups.items():
            inside = merge([languages[index] for index in key])
            context = (group, self.end) if ahead else (self.start, group)
            found[context] = ANY_TEXT if isinstance(inside, ir.Empty) else ir.Not(inside)
        return found

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
        if wanted == self.any_left:
            return [(left, language)]
        parts: list[tuple[int, ir.Expr]] = []
        if self._edges.facts(language).nullable:
            parts.append((left & wanted, ir.EPSILON))
        body = self._ends_with(language, wanted & self.chars)
        if not isinstance(body, ir.Empty):
            parts.append((left, body))
        return parts

    def _starting(self, right: int, language: ir.Expr, wanted: int) -> list[tuple[int, ir.Expr]]:
        """The parts of a term after a position that demands `wanted` of its right side."""
        if wanted == self.any_right:
            return [(right, language)]
        parts: list[tuple[int, ir.Expr]] = []
        if self._edges.facts(language).nullable:
            parts.append((right & wanted, ir.EPSILON))
        if wanted & self.last_newline and not wanted & self.newline and contains_char(language, 10):
            parts.append((right & self.end, _NEWLINE_CHAR))
        body = self._starts_with(language, wanted & self.chars)
        if not isinstance(body, ir.Empty):
            parts.append((right, body))
        return parts

    def _ends_with(self, language: ir.Expr, classes: int) -> ir.Expr:
        """The non-empty members whose last character is in `classes`."""
        return self._edges.restricted(language, self._alphabet.ranges(classes), last=True)

    def _starts_with(self, language: ir.Expr, classes: int) -> ir.Expr:
        """The non-empty members whose first character is in `classes`."""
        return self._edges.restricted(language, self._alphabet.ranges(classes), last=False)

    # -- repetition -----------------------------------------------------------------------

    def _power(self, piece: Piece, count: int) -> Piece:
        """`piece` repeated exactly `count` times, by squaring."""
        total: Piece = {self.free: ir.EPSILON}
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
        terms: list[Piece] = [{self.free: ir.EPSILON}]
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
        for char in (1 << number for number in range(self._alphabet.size)):
            key = tuple(mask & char and 1 for mask in masks)
            groups[key] = groups.get(key, 0) | char
        return list(groups.values())

    def _spend(self, amount: int) -> None:
        self._spent += amount
        if self._spent > _MAX_TERMS:
            raise LimitError("max_nodes", f"the anchors of this pattern need more than {_MAX_TERMS} terms")


def _repeated(item: ir.Expr, minimum: int, maximum: int | None) -> ir.Expr:
    """A repetition, of the inner item where two of them are one."""
    if isinstance(item, ir.Epsilon):
        return item
    if isinstance(item, ir.Repeat):
        counts = joined_counts((item.minimum, item.maximum), (minimum, maximum))
        if counts is not None:
            return ir.repeat(item.item, *counts)
    return ir.repeat(item, minimum, maximum)


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


def piece_of(pattern: Tree, builder: Builder, source: str) -> Piece:
    """The piece of a tree without looks; `source` is the text of the pattern, for errors."""

    def piece(node: Tree, inner: tuple[Piece, ...]) -> Piece:
        match node:
            case Chars():
                return builder.one_char(node.ranges)
            case Sequence():
                return builder.sequence(inner)
            case Choice():
                return builder.alternatives(inner)
            case Repetition():
                return builder.repetition(inner[0], node.minimum, node.maximum, node.place, source)
            case Here():
                return builder.assertion(node)
        raise TypeError("a look has no piece")

    return fold(pattern, piece)
