"""Which tokens have a completion of any length: the expression saturated over a byte automaton.

Law: R[node] = {(q, q') : some word of the node leads q to q'}, least fixpoint (Bar-Hillel); token v may
follow iff the root relates start_v to the flower of all tokens. Cost: O(nodes · states³) per pass. Exact.

And/Not/Machine go through Brzozowski derivatives. `JsonObject` needs a finite language of free keys.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gramspec.grammar import ir
from gramspec.testing.objects import Written
from gramspec.testing.oracle import CLOSE, COLON, COMMA, EDGE_BASE, OPEN, QUOTE, Recogniser, unescape

Relation = NDArray[np.bool_]
Term = tuple[Any, ...]

_EMPTY: Term = ("0",)
_EPSILON: Term = ("e",)


@dataclass
class ByteAutomaton:
    """States are ints; `edges[symbol]` lists the moves under a symbol (256 + id: a token edge)."""

    size: int = 0
    edges: dict[int, list[tuple[int, int]]] = field(default_factory=dict)

    def state(self) -> int:
        """A fresh state."""
        self.size += 1
        return self.size - 1

    def edge(self, source: int, symbol: int, target: int) -> None:
        """Add a move."""
        self.edges.setdefault(symbol, []).append((source, target))

    def path(self, source: int, raw: bytes, target: int) -> None:
        """Add a chain of moves that spells `raw`."""
        for byte in raw[:-1]:
            middle = self.state()
            self.edge(source, byte, middle)
            source = middle
        self.edge(source, raw[-1], target)

    def token(self, source: int, token: int, raw: bytes | None, target: int) -> None:
        """Add a token: by its bytes, and by its edge."""
        if raw:
            self.path(source, raw, target)
        self.edge(source, EDGE_BASE + token, target)


def allowed_tokens(
    expr: ir.Expr,
    tokens: Sequence[bytes | None],
    eos_ids: Sequence[int],
    prefix: Sequence[int],
    *,
    special_tokens: Mapping[str, int] | None = None,
    free_keys: Sequence[bytes] = (),
) -> list[bool]:
    """Whether `prefix` + token can be completed to a member by tokens, however many, for each token.

    Parameters
    ----------
    expr : Expr
        The expression.
    tokens : sequence of bytes or None
        The vocabulary.
    eos_ids : sequence of int
        Tokens that end a sequence.
    prefix : sequence of int
        Tokens already written (no EOS among them).
    special_tokens : mapping of str to int, optional
        Names of token edges.
    free_keys : sequence of bytes
        All bodies of undeclared keys (between the quotes), where the expression has such objects.
    """
    eos = set(eos_ids)
    automaton = ByteAutomaton()
    hub = automaton.state()
    stop = automaton.state()  # the whole input ends here: the prefix alone, for EOS
    for token, raw in enumerate(tokens):
        if token not in eos:
            automaton.token(hub, token, raw, hub)
    starts: dict[int, int] = {}
    for token in [-1, *(t for t in range(len(tokens)) if t not in eos)]:
        here = starts[token] = automaton.state()
        for written in prefix:
            after = automaton.state()
            automaton.token(here, written, tokens[written], after)
            here = after
        if token >= 0:
            automaton.token(here, token, tokens[token], hub)
        else:
            stop = here
    relation = Saturation(automaton, special_tokens or {}, free_keys).solve(expr)
    out = [False] * len(tokens)
    for token, start in starts.items():
        if token >= 0:
            out[token] = bool(relation[start, hub])
    for token in eos:
        out[token] = bool(relation[starts[-1], stop])
    return out


class Saturation:
    """The least relations of all nodes of an expression over one automaton."""

    def __init__(
        self, automaton: ByteAutomaton, special_tokens: Mapping[str, int], free_keys: Sequence[bytes] = ()
    ) -> None:
        self.a = automaton
        self.special_tokens = special_tokens
        self.free_keys = free_keys
        self.unit: Relation = np.eye(automaton.size, dtype=bool)
        self.zero: Relation = np.zeros((automaton.size, automaton.size), dtype=bool)
        self.table: dict[int, Relation] = {}
        self.fixed: dict[int, Relation] = {}
        self.seen: set[int] = set()
        self.changed = False
        self.keep: list[ir.Expr] = []

    def solve(self, expr: ir.Expr) -> Relation:
        """Relation of the root."""
        while True:
            self.seen.clear()
            self.changed = False
            relation = self.of(expr)
            if not self.changed:
                return relation

    def symbol(self, symbol: int) -> Relation:
        """Moves under one symbol."""
        out = self.zero.copy()
        for source, target in self.a.edges.get(symbol, ()):
            out[source, target] = True
        return out

    def word(self, raw: bytes) -> Relation:
        """Moves under one word."""
        out = self.unit
        for byte in raw:
            out = compose(out, self.symbol(byte))
        return out

    def of(self, node: ir.Expr) -> Relation:
        """Relation of a node: from this pass if it was visited, else recomputed."""
        key = id(node)
        if key in self.fixed:
            return self.fixed[key]
        if key in self.seen:
            return self.table.get(key, self.zero)
        self.seen.add(key)
        old = self.table.get(key, self.zero)
        new = self.step(node) | old
        if not np.array_equal(new, old):
            self.changed = True
        self.table[key] = new
        return new

    def step(self, node: ir.Expr) -> Relation:
        """One evaluation of a node from its parts."""
        match node:
            case ir.ByteSet(mask):
                out = self.zero.copy()
                for symbol, moves in self.a.edges.items():
                    if symbol < EDGE_BASE and mask >> symbol & 1:
                        for source, target in moves:
                            out[source, target] = True
                return self.settle(node, out)
            case ir.TokenEdge(token):
                number = self.special_tokens[token] if isinstance(token, str) else token
                return self.settle(node, self.symbol(EDGE_BASE + number))
            case ir.Epsilon():
                return self.unit
            case ir.Empty():
                return self.zero
            case ir.Concat(items):
                out = self.unit
                for item in items:
                    out = compose(out, self.of(item))
                return out
            case ir.Union(items):
                out = self.zero
                for item in items:
                    out = out | self.of(item)
                return out
            case ir.Repeat(item, minimum, maximum):
                return self.repeat(self.of(item), minimum, maximum)
            case ir.And() | ir.Not() | ir.Machine():
                return self.settle(node, self.by_derivatives(node))
            case ir.Call(item) | ir.Builtin(item):
                return self.of(item)
            case ir.Ref(rule):
                assert rule.body is not None, rule
                return self.of(rule.body)
            case ir.JsonObject():
                return self.json_object(node)
            case _:
                raise TypeError(f"not a byte-level expression: {node!r}")

    def settle(self, node: ir.Expr, relation: Relation) -> Relation:
        """Remember a relation that cannot grow any more."""
        self.fixed[id(node)] = relation
        self.keep.append(node)
        return relation

    def repeat(self, item: Relation, minimum: int, maximum: int | None) -> Relation:
        """Powers minimum..maximum of a relation."""
        power = self.unit
        for _ in range(minimum):
            power = compose(power, item)
        if maximum is None:
            return compose(power, closure(item))
        step = item | self.unit
        for _ in range(maximum - minimum):
            power = compose(power, step)
        return power

    def by_derivatives(self, node: ir.Expr) -> Relation:
        """Relation of a regular node: reachability in the product of derivatives and automaton."""
        root = term_of(node)
        successors: dict[Term, dict[int, Term]] = {}
        out = self.zero.copy()
        moves: dict[int, list[tuple[int, int]]] = {}
        for symbol, pairs in self.a.edges.items():
            if symbol < EDGE_BASE:
                for source, target in pairs:
                    moves.setdefault(source, []).append((symbol, target))
        for start in range(self.a.size):
            todo = [(root, start)]
            visited = set(todo)
            while todo:
                term, q = todo.pop()
                if nullable(term):
                    out[start, q] = True
                for symbol, target in moves.get(q, ()):
                    known = successors.setdefault(term, {})
                    if symbol not in known:
                        known[symbol] = derivative(term, symbol)
                    pair = (known[symbol], target)
                    if pair[0] != _EMPTY and pair not in visited:
                        visited.add(pair)
                        todo.append(pair)
        return out

    def json_object(self, node: ir.JsonObject) -> Relation:
        """Relation of an object: a fixpoint over what is written."""
        gap = self.of(node.gap)
        quote = self.symbol(QUOTE)
        tail = compose(compose(quote, gap), compose(self.symbol(COLON), gap))
        rules = Recogniser(node).rules_of(node)
        spelled: dict[str, Relation] = {p.name: self.of(p.key) for p in node.properties}
        free = Recogniser(node.free_key)
        for body in self.free_keys:
            name = unescape(tuple(body))
            if name is not None and name not in rules.place and free.accepts(body):
                spelled[name] = spelled.get(name, self.zero) | self.word(body)
        members: list[tuple[str, int, Relation]] = []
        for name, word in spelled.items():
            head = compose(quote, compose(word, tail))
            members += [(name, marks, compose(head, self.of(value))) for value, marks in rules.values(name)]
        opened = compose(self.symbol(OPEN), gap)
        close = self.symbol(CLOSE)
        comma = compose(gap, compose(self.symbol(COMMA), gap))
        out = self.zero.copy()
        if rules.may_end(Written()):
            out = out | compose(opened, close)
        reached: dict[Written, Relation] = {Written(): opened}
        # Names only accumulate, so going by their number visits every state after its predecessors.
        used_count = -1
        while True:
            used_count += 1
            layer = [at for at in reached if len(at.used) == used_count]
            if not layer:
                return out
            for at in layer:
                for name, marks, member in members:
                    if not rules.fits(name, at):
                        continue
                    after = compose(reached[at], member)
                    if not after.any():
                        continue
                    now = rules.after(name, marks, at)
                    if rules.may_end(now):
                        out = out | compose(compose(after, gap), close)
                    reached[now] = reached.get(now, self.zero) | compose(after, comma)


def compose(left: Relation, right: Relation) -> Relation:
    """Relational composition."""
    product: NDArray[np.float32] = left.astype(np.float32) @ right.astype(np.float32)
    return product > 0.5


def closure(relation: Relation) -> Relation:
    """Reflexive and transitive closure by squaring."""
    out: Relation = relation | np.eye(len(relation), dtype=np.bool_)
    while True:
        bigger = compose(out, out)
        if np.array_equal(bigger, out):
            return bigger
        out = bigger


def term_of(node: ir.Expr) -> Term:
    """A regular expression as a canonical, hashable term."""
    match node:
        case ir.ByteSet(mask):
            return ("b", mask) if mask else _EMPTY
        case ir.Epsilon():
            return _EPSILON
        case ir.Empty():
            return _EMPTY
        case ir.Concat(items):
            return _concat([term_of(item) for item in items])
        case ir.Union(items):
            return _union([term_of(item) for item in items])
        case ir.And(items):
            return _and([term_of(item) for item in items])
        case ir.Not(item):
            return ("!", term_of(item))
        case ir.Call(item) | ir.Builtin(item):
            return term_of(item)
        case ir.Repeat(item, minimum, maximum):
            return _repeat(term_of(item), minimum, maximum)
        case ir.Machine():
            return ("m", node, 0)
        case _:
            raise TypeError(f"not regular: {node!r}")


def _concat(items: list[Term]) -> Term:
    flat: list[Term] = []
    for item in items:
        if item == _EMPTY:
            return _EMPTY
        if item[0] == ".":
            flat.extend(item[1:])
        elif item != _EPSILON:
            flat.append(item)
    if not flat:
        return _EPSILON
    return flat[0] if len(flat) == 1 else (".", *flat)


def _union(items: list[Term]) -> Term:
    flat: set[Term] = set()
    for item in items:
        flat |= set(item[1]) if item[0] == "|" else {item}
    flat.discard(_EMPTY)
    if not flat:
        return _EMPTY
    return next(iter(flat)) if len(flat) == 1 else ("|", frozenset(flat))


def _and(items: list[Term]) -> Term:
    flat: set[Term] = set()
    for item in items:
        flat |= set(item[1]) if item[0] == "&" else {item}
    if _EMPTY in flat:
        return _EMPTY
    return next(iter(flat)) if len(flat) == 1 else ("&", frozenset(flat))


def _repeat(item: Term, minimum: int, maximum: int | None) -> Term:
    if nullable(item):
        minimum = 0  # fewer copies are reached by writing nothing in some of them
    if maximum == 0 or item in (_EPSILON, _EMPTY):
        return _EPSILON if minimum == 0 or item == _EPSILON else _EMPTY
    if minimum == maximum == 1:
        return item
    return ("*", item, minimum, maximum)


def nullable(term: Term) -> bool:
    """Whether the empty word belongs to a term."""
    match term:
        case ("e",):
            return True
        case ("0",) | ("b", _):
            return False
        case (".", *items):
            return all(nullable(item) for item in items)
        case ("|", items):
            return any(nullable(item) for item in items)
        case ("&", items):
            return all(nullable(item) for item in items)
        case ("!", item):
            return not nullable(item)
        case ("*", item, minimum, _):
            return minimum == 0 or nullable(item)
        case ("m", ir.Machine() as machine, int(state)):
            return machine.accepting[state]
    raise TypeError(term)


def derivative(term: Term, byte: int) -> Term:
    """Brzozowski derivative by one byte."""
    match term:
        case ("e",) | ("0",):
            return _EMPTY
        case ("b", int(mask)):
            return _EPSILON if mask >> byte & 1 else _EMPTY
        case (".", *items):
            parts: list[Term] = []
            for k, item in enumerate(items):
                parts.append(_concat([derivative(item, byte), *items[k + 1 :]]))
                if not nullable(item):
                    break
            return _union(parts)
        case ("|", items):
            return _union([derivative(item, byte) for item in items])
        case ("&", items):
            return _and([derivative(item, byte) for item in items])
        case ("!", item):
            return ("!", derivative(item, byte))
        case ("*", item, int(minimum), maximum):
            less = None if maximum is None else maximum - 1
            rest = _repeat(item, max(minimum - 1, 0), less)
            return _concat([derivative(item, byte), rest])
        case ("m", ir.Machine() as machine, int(state)):
            return _union(
                [
                    _concat([derivative(term_of(item), byte), ("m", machine, target)])
                    for item, target in machine.arcs[state]
                ]
            )
    raise TypeError(term)
