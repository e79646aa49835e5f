"""What a pattern says, the same for both dialects: characters, order, choice, repetition, looks.

Law: captures are gone and laziness with them; a node matches a span of a text, in view of its neighbours.
Source: the syntax of `re` and of ECMA-262 section 22.2.1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias, TypeVar

from gramspec.grammar.ranges import SCALARS, Ranges, complement, unite

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True, eq=False)
class Chars:
    """One character out of a set."""

    ranges: Ranges


@dataclass(frozen=True, slots=True, eq=False)
class Sequence:
    """The items one after another."""

    items: tuple[Tree, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """Any one of the items, the first preferred (which matters inside `Atomic` alone)."""

    items: tuple[Tree, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Repetition:
    """`item` from `minimum` to `maximum` times (None: unbounded); `place` is a pointer for errors."""

    item: Tree
    minimum: int
    maximum: int | None
    place: str
    lazy: bool = False


@dataclass(frozen=True, slots=True)
class Left:
    """What may stand before a position: a character out of a set, or the start of the text."""

    chars: Ranges
    start: bool


@dataclass(frozen=True, slots=True)
class Right:
    r"""What may stand after a position: a character out of a set, the end, or a last "\n"."""

    chars: Ranges
    end: bool
    last_newline: bool


@dataclass(frozen=True, slots=True, eq=False)
class Here:
    """The empty text at positions with such neighbours (one of the pairs)."""

    pairs: tuple[tuple[Left, Right], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """The empty text where `body` matches from here on (`ahead`) or up to here; or does not."""

    body: Tree
    ahead: bool
    negative: bool
    place: str

    @property
    def name(self) -> str:
        """The construct as an error names it."""
        return "look-ahead" if self.ahead else "look-behind"


@dataclass(frozen=True, slots=True, eq=False)
class Atomic:
    """What `body` matches first, by the order of its choices and the greed of its repetitions."""

    body: Tree
    name: str
    place: str


Tree: TypeAlias = Chars | Sequence | Choice | Repetition | Here | Look | Atomic

ANY_LEFT: Final = Left(SCALARS, True)
ANY_RIGHT: Final = Right(SCALARS, True, True)
NOTHING: Final = Sequence(())
NEVER: Final = Choice(())


def sequence(items: list[Tree]) -> Tree:
    """Concatenation, flattened."""
    flat: list[Tree] = []
    for item in items:
        flat.extend(item.items if isinstance(item, Sequence) else (item,))
    return flat[0] if len(flat) == 1 else Sequence(tuple(flat))


def choice(items: list[Tree]) -> Tree:
    """Alternatives, flattened."""
    flat: list[Tree] = []
    for item in items:
        flat.extend(item.items if isinstance(item, Choice) else (item,))
    return flat[0] if len(flat) == 1 else Choice(tuple(flat))


def boundary(word: Ranges, *, inside_empty: bool) -> tuple[Tree, Tree]:
    """The word boundary and its negation (`inside_empty`: the latter holds in the empty text)."""
    other = complement(word)
    left, right = Left(word, False), Right(word, False, False)
    no_left, no_right = Left(other, True), Right(other, True, True)
    outside = [(no_left, no_right)]
    if not inside_empty:
        outside = [(Left((), True), Right(other, False, False)), (Left(other, False), no_right)]
    return Here(((left, no_right), (no_left, right))), Here(((left, right), *outside))


def parts(node: Tree) -> tuple[Tree, ...]:
    """Direct sub-trees."""
    match node:
        case Sequence() | Choice():
            return node.items
        case Repetition():
            return (node.item,)
        case Look() | Atomic():
            return (node.body,)
    return ()


def fold(root: Tree, value: Callable[[Tree, tuple[_Value, ...]], _Value]) -> _Value:
    """Compute a value bottom-up, each node once, without recursion."""
    known: dict[int, _Value] = {}
    stack = [root]
    while stack:
        node = stack[-1]
        if id(node) in known:
            stack.pop()
            continue
        inner = parts(node)
        todo = [part for part in inner if id(part) not in known]
        if todo:
            stack.extend(todo)
        else:
            stack.pop()
            known[id(node)] = value(node, tuple([known[id(part)] for part in inner]))
    return known[id(root)]


def walk(root: Tree) -> Iterator[Tree]:
    """Every node, each once."""
    seen: set[int] = set()
    stack = [root]
    while stack:
        node = stack.pop()
        if id(node) not in seen:
            seen.add(id(node))
            yield node
            stack.extend(reversed(parts(node)))


def looks(root: Tree) -> list[Look | Atomic]:
    """The looks and atomic groups of a tree, those inside others too, in the order of the pattern."""
    return [node for node in walk(root) if isinstance(node, Look | Atomic)]


def rebuilt(node: Tree, new: tuple[Tree, ...]) -> Tree:
    """The node with other sub-trees."""
    if all(one is other for one, other in zip(parts(node), new, strict=True)):
        return node
    match node:
        case Sequence():
            return sequence(list(new))
        case Choice():
            return choice(list(new))
        case Repetition():
            return Repetition(new[0], node.minimum, node.maximum, node.place, node.lazy)
        case Look():
            return Look(new[0], node.ahead, node.negative, node.place)
        case Atomic():
            return Atomic(new[0], node.name, node.place)
    return node


def simplified(root: Tree) -> Tree:
    """The tree with every look that asks for one neighbour only turned into `Here`."""
    return fold(root, lambda node, new: _as_neighbour(rebuilt(node, new)))


def _as_neighbour(node: Tree) -> Tree:
    if not isinstance(node, Look):
        return node
    chars: list[Ranges] = []
    edge = last_newline = False
    for item in node.body.items if isinstance(node.body, Choice) else (node.body,):
        if isinstance(item, Chars):
            chars.append(item.ranges)
        elif isinstance(item, Here):
            for left, right in item.pairs:
                if (left if node.ahead else right) != (ANY_LEFT if node.ahead else ANY_RIGHT):
                    return node
                side = right if node.ahead else left
                chars.append(side.chars)
                edge = edge or (side.end if isinstance(side, Right) else side.start)
                last_newline = last_newline or (isinstance(side, Right) and side.last_newline)
        elif item is NOTHING or (isinstance(item, Sequence) and not item.items):
            return NEVER if node.negative else NOTHING
        else:
            return node
    ranges = unite(*chars)
    has_newline = any(low <= 10 <= high for low, high in ranges)
    if node.negative:
        if last_newline and not has_newline:
            return node
        ranges, edge, has_newline = complement(ranges), not edge, not has_newline
        last_newline = False
    if node.ahead:
        return Here(((ANY_LEFT, Right(ranges, edge, last_newline or has_newline)),))
    return Here(((Left(ranges, edge), ANY_RIGHT),))


def lengths(root: Tree) -> tuple[int, int | None]:
    """Bounds of the number of characters that a tree matches."""

    def bounds(node: Tree, inner: tuple[tuple[int, int | None], ...]) -> tuple[int, int | None]:
        match node:
            case Chars():
                return 1, 1
            case Sequence():
                most = None if any(high is None for _, high in inner) else sum(high or 0 for _, high in inner)
                return sum(low for low, _ in inner), most
            case Choice() if inner:
                most = None if any(high is None for _, high in inner) else max(high or 0 for _, high in inner)
                return min(low for low, _ in inner), most
            case Repetition():
                low, high = inner[0]
                if high == 0 or node.maximum == 0:
                    return 0, 0
                return (
                    low * node.minimum,
                    None if high is None or node.maximum is None else high * node.maximum,
                )
            case Atomic():
                return inner[0]
        return 0, 0

    return fold(root, bounds)
