"""The expression IR: what every front end produces and the automaton reads.

Law: an expression denotes a set of byte strings (plus token edges); nodes are immutable.
Source: architecture, "IR".

Leaves over Unicode scalars (`CharSet`) are for regex algebra; `gramspec.grammar.encoding` turns
them into bytes (UTF-8, or the spellings of a JSON string) before the automaton sees them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from threading import RLock
from typing import Final, Literal, TypeAlias

_MAKING: Final = RLock()  # of deferred rules; makers take no other lock


@dataclass(frozen=True, slots=True, eq=False)
class ByteSet:
    """One byte out of a set; bit ``b`` of `mask` (a 256-bit int) is set iff byte ``b`` is in."""

    mask: int


@dataclass(frozen=True, slots=True, eq=False)
class CharSet:
    """One Unicode scalar out of sorted, disjoint, inclusive ranges (no surrogates)."""

    ranges: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Epsilon:
    """The empty string."""


@dataclass(frozen=True, slots=True, eq=False)
class Empty:
    """The empty language."""


@dataclass(frozen=True, slots=True, eq=False)
class Concat:
    """The items one after another."""

    items: tuple[Expr, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Union:
    """Any one of the items."""

    items: tuple[Expr, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Repeat:
    """`item` repeated at least `minimum` and at most `maximum` times (None: unbounded)."""

    item: Expr
    minimum: int
    maximum: int | None


@dataclass(frozen=True, slots=True, eq=False)
class And:
    """Intersection; every item must be regular (no `Ref`, `JsonObject`, `TokenEdge` or `TokenSet` inside)."""

    items: tuple[Expr, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Not:
    """Complement of a regular item, relative to all byte strings over the item's alphabet.

    Always intersect it with what is well-formed (valid UTF-8, JSON string characters);
    `gramspec.grammar.encoding` does so when it lowers a `CharSet` expression.
    """

    item: Expr


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """Same language as `item` (regular), but entered with a stack frame.

    The automaton's token rows inside `item` are then shared by every place that calls an equal
    `item`: use it for what recurs (JSON strings, numbers), not for what is used once.
    """

    item: Expr


class Builtin:
    """A regular expression that the native core makes on its own, from a few values.

    Parameters
    ----------
    kind : str
        What it is; the loader knows each kind.
    data : tuple
        The values, which with `kind` define the language: text, numbers, truth values and None.
    expand : callable
        Makes the same language out of other nodes; called once, by whoever asks for `item`.
    """

    __match_args__ = ("item",)
    __slots__ = ("_expand", "_item", "data", "kind")

    def __init__(self, kind: str, data: tuple[object, ...], expand: Callable[[], Expr]) -> None:
        self.kind = kind
        self.data = data
        self._expand = expand
        self._item: Expr | None = None

    @property
    def item(self) -> Expr:
        """The same language, written out."""
        if self._item is None:
            self._item = self._expand()
        return self._item

    def __repr__(self) -> str:
        return f"Builtin({self.kind!r}, {self.data!r})"


class Rule:
    """A named rule that may be recursive: create it, use ``Ref(rule)``, then `define` it once.

    Parameters
    ----------
    name : str
        For errors and drawings; rules may have equal names.
    make : callable, optional
        Makes the body when it is first asked for: a *deferred* rule. Its maker knows that the body has a
        member, never matches the empty string and begins neither with the rule nor with another deferred
        rule that begins with it. If it raises, it is asked again when the body is asked for again.
    """

    __slots__ = ("_body", "_make", "name")

    def __init__(self, name: str, make: Callable[[], Expr] | None = None) -> None:
        self.name = name
        self._body: Expr | None = None
        self._make = make

    @property
    def body(self) -> Expr | None:
        """The body; None before the rule is defined. That of a deferred rule is made now, once."""
        if self._make is not None:
            with _MAKING:  # whoever comes second finds it made
                if self._make is not None:
                    self._body = self._make()
                    self._make = None
        return self._body

    @property
    def deferred(self) -> bool:
        """Whether the body is still to be made."""
        return self._make is not None

    def define(self, body: Expr) -> None:
        """Give the rule its body; a second definition is a `ValueError`."""
        if self._body is not None or self._make is not None:
            raise ValueError(f"rule {self.name!r} is defined twice")
        self._body = body

    def __repr__(self) -> str:
        return f"Rule({self.name!r})"


@dataclass(frozen=True, slots=True, eq=False)
class Ref:
    """A call of a rule."""

    rule: Rule


@dataclass(frozen=True, slots=True, eq=False)
class TokenEdge:
    """Exactly one vocabulary token, by id or by the name of a special token; never spelled."""

    token: int | str


@dataclass(frozen=True, slots=True, eq=False)
class TokenSet:
    """Exactly one vocabulary token out of a set, never spelled; EOS is in no set.

    `tokens` are ids and names of special tokens; `negated`: any token of the vocabulary but these, whether
    it has bytes or is a special token.
    """

    tokens: tuple[int | str, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Machine:
    """A finite automaton as a regular expression: the language of state 0.

    ``arcs[q]`` holds pairs (expression, state): from state q, a string of the expression, then the
    language of that state. The expressions are regular and never match the empty string; arcs may
    overlap. ``accepting[q]`` tells whether the empty string belongs to state q.
    """

    arcs: tuple[tuple[tuple[Expr, int], ...], ...]
    accepting: tuple[bool, ...]


Marked: TypeAlias = "tuple[tuple[Expr, int], ...]"
"""Further alternatives of a member's value, each with the marks (bits) that writing it sets."""


@dataclass(frozen=True, slots=True, eq=False)
class JsonProperty:
    """A declared member of a `JsonObject`.

    `name` is the key after unescaping; `key` the regular byte expression of all its spellings
    between the quotes (closing quote not included); `value` the language of the value, `marked`
    its alternatives that set marks. A `late` property is not part of the order: under order
    "schema" it is written among the undeclared keys.
    """

    name: str
    key: Expr
    value: Expr
    required: bool
    marked: Marked = ()
    late: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class JsonKeyClass:
    """Undeclared keys of a `JsonObject` whose values have a language of their own.

    `names` is the regular expression of the keys in UTF-8, after unescaping; `value` and `marked`
    as in `JsonProperty`.
    """

    names: Expr
    value: Expr
    marked: Marked = ()


@dataclass(frozen=True, slots=True, eq=False)
class JsonObject:
    """A JSON object with its braces: declared keys, others, no key twice after unescaping.

    Parameters
    ----------
    properties : tuple of JsonProperty
        In declaration order.
    additional : Expr or None
        Language of the value of an undeclared key of no class; None forbids such keys.
    order : {"schema", "any"}
        "schema": declared keys in order, then undeclared ones; "any": free.
    gap : Expr
        Regular byte expression of the white space allowed between tokens inside the object
        (after ``{``, before and after ``:`` and ``,``, before ``}``; one gap in ``{}``).
    free_key : Expr
        Regular byte expression of the spellings, between the quotes, of undeclared keys that may be
        written: all string bodies when `additional` is given, else the spellings of the keys of
        `classes`. It may or may not hold spellings of declared keys.
    classes : tuple of JsonKeyClass
        Disjoint classes of undeclared keys. A declared key belongs to none, whatever its name.
    marked : Marked
        Alternatives of `additional` that set marks.
    least, most : int, int or None
        Bounds on the number of members.
    marks : int
        Marks (bits) that must all be set when the object closes.
    """

    properties: tuple[JsonProperty, ...]
    additional: Expr | None
    order: Literal["schema", "any"]
    gap: Expr
    free_key: Expr
    classes: tuple[JsonKeyClass, ...] = ()
    marked: Marked = ()
    least: int = 0
    most: int | None = None
    marks: int = 0


Expr: TypeAlias = (
    ByteSet
    | CharSet
    | Epsilon
    | Empty
    | Concat
    | Union
    | Repeat
    | And
    | Not
    | Call
    | Builtin
    | Machine
    | Ref
    | TokenEdge
    | TokenSet
    | JsonObject
)

EPSILON = Epsilon()
EMPTY = Empty()
ANY_BYTE = ByteSet((1 << 256) - 1)


def byte_set(values: Iterable[int]) -> ByteSet:
    """A `ByteSet` of the given byte values."""
    mask = 0
    for value in values:
        mask |= 1 << value
    return ByteSet(mask)


def literal(data: bytes | str) -> Expr:
    """The expression of exactly one byte string (a str is taken as UTF-8)."""
    raw = data.encode("utf-8") if isinstance(data, str) else data
    return concat(*(ByteSet(1 << b) for b in raw))


def concat(*items: Expr) -> Expr:
    """Concatenation, flattened; ε dropped, ∅ absorbing."""
    flat: list[Expr] = []
    for item in items:
        if isinstance(item, Empty):
            return EMPTY
        if isinstance(item, Concat):
            flat.extend(item.items)
        elif not isinstance(item, Epsilon):
            flat.append(item)
    if not flat:
        return EPSILON
    return flat[0] if len(flat) == 1 else Concat(tuple(flat))


def union(*items: Expr) -> Expr:
    """Union, flattened; ∅ dropped, identical objects merged."""
    flat: list[Expr] = []
    seen: set[int] = set()
    for item in items:
        for part in item.items if isinstance(item, Union) else (item,):
            if not isinstance(part, Empty) and id(part) not in seen:
                seen.add(id(part))
                flat.append(part)
    if not flat:
        return EMPTY
    return flat[0] if len(flat) == 1 else Union(tuple(flat))


def repeat(item: Expr, minimum: int = 0, maximum: int | None = None) -> Expr:
    """Bounded or unbounded repetition; raises ValueError when the bounds cross or are negative."""
    if minimum < 0 or (maximum is not None and maximum < minimum):
        raise ValueError(f"bad repetition bounds {{{minimum},{maximum}}}")
    if maximum == 0:
        return EPSILON
    if minimum == maximum == 1:
        return item
    return Repeat(item, minimum, maximum)


def optional(item: Expr) -> Expr:
    """`item` or nothing."""
    return repeat(item, 0, 1)


def children(node: Expr) -> tuple[Expr, ...]:
    """Direct sub-expressions; a `Ref` has none (its rule's body is reached by `walk`)."""
    match node:
        case Concat() | Union() | And():
            return node.items
        case Repeat() | Not() | Call() | Builtin():
            return (node.item,)
        case Machine():
            return tuple(item for arcs in node.arcs for item, _ in arcs)
        case JsonObject():
            parts: list[Expr] = [node.gap, node.free_key]
            for item in node.properties:
                parts += (item.key, item.value, *(value for value, _ in item.marked))
            for group in node.classes:
                parts += (group.names, group.value, *(value for value, _ in group.marked))
            if node.additional is not None:
                parts.append(node.additional)
            return (*parts, *(value for value, _ in node.marked))
        case _:
            return ()


def walk(root: Expr) -> Iterator[Expr]:
    """Every distinct node object below `root`, itself included, through rules too; iterative."""
    seen: set[int] = set()
    todo: list[Expr] = [root]
    while todo:
        node = todo.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        yield node
        todo.extend(children(node))
        if isinstance(node, Ref) and node.rule.body is not None:
            todo.append(node.rule.body)
