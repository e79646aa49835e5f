"""Can a text be continued to a member, byte by byte? An independent recogniser of prefixes.

Law: open(node, i) iff the input from i to its end begins some word of the node; least fixpoint for rules.
Where every byte is a token of its own this decides masks. Source: `testing.oracle`, the IR read likewise.

Undeclared keys of a `JsonObject` must be of the letters a and b, their classes told apart within `REACH`.
"""

from __future__ import annotations

import heapq
import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from gramspec.grammar import ir
from gramspec.testing.objects import ObjectRules, Written
from gramspec.testing.oracle import (
    CLOSE,
    COLON,
    COMMA,
    EDGE_BASE,
    OPEN,
    QUOTE,
    Recogniser,
    Symbols,
    _Run,
    unescape,
)
from gramspec.testing.saturation import Term, derivative, nullable, term_of

KEY_LETTERS = "ab"
REACH = 4  # letters by which a key is completed, and a new one is long


class PrefixOracle:
    """Decides which texts begin a member.

    Parameters
    ----------
    expr : Expr
        Byte-level expression.
    alphabet : bytes
        Bytes that texts are made of.
    special_tokens : mapping of str to int, optional
        Resolves token edges that are given by name.
    """

    def __init__(
        self, expr: ir.Expr, alphabet: bytes, special_tokens: Mapping[str, int] | None = None
    ) -> None:
        self.recogniser = Recogniser(expr, special_tokens)
        self.alphabet = alphabet
        self._productive: dict[int, bool] = {}
        self._keep: list[ir.Expr] = []
        self._known: dict[Symbols, bool] = {}
        self._ends: dict[tuple[int, Written], bool] = {}
        self._supply: dict[int, list[str]] = {}
        self._names: dict[tuple[int, bytes], list[str]] = {}

    def begins_member(self, data: bytes | Symbols) -> bool:
        """Whether some member begins with `data`."""
        symbols = tuple(data)
        if symbols not in self._known:
            self._known[symbols] = _Open(self, symbols).solve()
        return self._known[symbols]

    def productive(self, node: ir.Expr) -> bool:
        """Whether a node has any word over the alphabet; least fixpoint."""
        if id(node) not in self._productive:
            while True:
                seen: dict[int, bool] = {}
                before = dict(self._productive)
                self._evaluate(node, seen)
                self._productive.update(seen)
                if before == self._productive:
                    break
        return self._productive[id(node)]

    def _evaluate(self, node: ir.Expr, seen: dict[int, bool]) -> bool:
        key = id(node)
        if key in seen:
            return seen[key]
        self._keep.append(node)
        seen[key] = self._productive.get(key, False)

        def all_of(*items: ir.Expr) -> bool:
            values = [self._evaluate(item, seen) for item in items]  # every one: none may go stale
            return all(values)

        match node:
            case ir.ByteSet(mask):
                value = any(mask >> b & 1 for b in self.alphabet)
            case ir.Epsilon() | ir.TokenEdge() | ir.TokenSet():
                value = True
            case ir.Empty():
                value = False
            case ir.Concat(items):
                value = all_of(*items)
            case ir.Union(items):
                values = [self._evaluate(item, seen) for item in items]
                value = any(values)
            case ir.Repeat(item, minimum, _):
                value = all_of(item) or minimum == 0
            case ir.And() | ir.Not() | ir.Machine():
                value = self.regular_open(node, ())
            case ir.Call(item) | ir.Builtin(item):
                value = all_of(item)
            case ir.Ref(rule):
                assert rule.body is not None
                value = all_of(rule.body)
            case ir.JsonObject():
                all_of(*(part for part in ir.children(node) if part not in [c.names for c in node.classes]))
                value = self._can_end(node, Written(), lambda part: seen[id(part)])
            case _:
                raise TypeError(f"not a byte-level expression: {node!r}")
        seen[key] = value
        return value

    def can_end(self, node: ir.JsonObject, at: Written) -> bool:
        """Whether an object of which these members are read has an end."""
        key = (id(node), at)
        if key not in self._ends:
            self._ends[key] = self._can_end(node, at, self.productive)
        return self._ends[key]

    def _can_end(self, node: ir.JsonObject, at: Written, live: Callable[[ir.Expr], bool]) -> bool:
        rules = self.recogniser.rules_of(node)
        dead = {p.name for p in node.properties if not live(p.key)}
        if dead & (rules.required - at.used):
            return False
        bare = (
            rules
            if not dead
            else ObjectRules(
                replace(node, properties=tuple(p for p in node.properties if p.name not in dead)),
                rules.accepts,
            )
        )
        most = None
        if COMMA not in self.alphabet:
            most = 1
        if QUOTE not in self.alphabet or COLON not in self.alphabet:
            most = 0
        return bare.can_end(at, self.supply(node), live, most_members=most)

    def supply(self, node: ir.JsonObject) -> list[str]:
        """Undeclared names that can be written, enough of them for any need."""
        if id(node) not in self._supply:
            found = self.names_from(node, ())
            self._supply[id(node)] = [n for n in found if n not in self.recogniser.rules_of(node).place]
        return self._supply[id(node)]

    def names_from(self, node: ir.JsonObject, begun: Symbols) -> list[str]:
        """Names of up to `REACH` more letters whose spelling begins so."""
        if any(b >= EDGE_BASE or b == QUOTE for b in begun):
            return []
        start = bytes(begun)
        key = (id(node), start)
        if key not in self._names:
            letters = [spelling for letter in KEY_LETTERS if (spelling := self._spelling(letter))]
            cut = re.search(rb"(?<!\\)(?:\\\\)*(\\(?:u[0-9a-f]{0,3})?)$", start)
            openings = [b""]
            if cut:
                escapes = [b"\\u%04x" % ord(letter) for letter in KEY_LETTERS]
                rests = [e[len(cut[1]) :] for e in escapes if e.startswith(cut[1])]
                openings = [rest for rest in rests if set(rest) <= set(self.alphabet)]
            known = Recogniser(node.free_key)
            found: dict[str, None] = {}
            for opening in openings:
                for length in range(REACH + 1):
                    for word in itertools.product(letters, repeat=length):
                        body = start + opening + b"".join(word)
                        name = unescape(tuple(body))
                        if name is not None and known.accepts(body):
                            found[name] = None
            self._names[key] = list(found)
        return self._names[key]

    def _spelling(self, letter: str) -> bytes | None:
        for spelling in (letter.encode(), b"\\u%04x" % ord(letter)):
            if set(spelling) <= set(self.alphabet):
                return spelling
        return None

    def regular_open(self, node: ir.Expr, symbols: Symbols) -> bool:
        """Whether `symbols` begins a word of a regular node, by derivatives."""
        term: Term = term_of(node)
        for symbol in symbols:
            if symbol >= EDGE_BASE:
                return False
            term = derivative(term, symbol)
        todo, visited = [term], {term}
        while todo:
            here = todo.pop()
            if nullable(here):
                return True
            for byte in self.alphabet:
                after = derivative(here, byte)
                if after not in visited:
                    visited.add(after)
                    todo.append(after)
        return False


class _Open(_Run):
    """One input: which nodes can still be open at its end."""

    def __init__(self, oracle: PrefixOracle, symbols: Symbols) -> None:
        super().__init__(oracle.recogniser, symbols)
        self.oracle = oracle
        self.opened: set[tuple[int, int]] = set()
        self.visited: set[tuple[int, int]] = set()
        self.n = len(symbols)
        self.settled = False

    def solve(self) -> bool:  # type: ignore[override]
        """Fixpoint of `open` at the root."""
        expr = self.owner.expr
        if not self.oracle.productive(expr):
            return False
        while True:
            self.visited.clear()
            before = (len(self.opened), dict(self.table))
            self.seen.clear()
            result = self.open(expr, 0)
            if result or before == (len(self.opened), self.table):
                return result

    def open(self, node: ir.Expr, i: int) -> bool:
        key = (id(node), i)
        if key in self.opened:
            return True
        if key in self.visited:
            return False
        self.visited.add(key)
        if self.oracle.productive(node) and self.opens(node, i):
            self.opened.add(key)
            return True
        return False

    def opens(self, node: ir.Expr, i: int) -> bool:
        if i == self.n:
            return True
        match node:
            case ir.ByteSet() | ir.TokenEdge() | ir.TokenSet():
                return i == self.n - 1 and bool(self.step(node, i))
            case ir.Epsilon() | ir.Empty():
                return False
            case ir.Concat(items):
                starts = frozenset((i,))
                for item in items:
                    if any(self.open(item, j) for j in starts):
                        return True
                    starts = self.through(item, starts)
                return False
            case ir.Union(items):
                return any(self.open(item, i) for item in items)
            case ir.Repeat(item, minimum, maximum):
                level = frozenset((i,))
                last = minimum + self.n + 2
                for _ in range(last if maximum is None else min(maximum, last)):
                    if any(self.open(item, j) for j in level):
                        return True
                    level = self.through(item, level)
                return False
            case ir.And() | ir.Not() | ir.Machine():
                return self.oracle.regular_open(node, self.s[i:])
            case ir.Call(item) | ir.Builtin(item):
                return self.open(item, i)
            case ir.Ref(rule):
                assert rule.body is not None
                return self.open(rule.body, i)
            case ir.JsonObject():
                return self.object_open(node, i)
            case _:
                raise TypeError(f"not a byte-level expression: {node!r}")

    def object_open(self, node: ir.JsonObject, i: int) -> bool:
        """Follow every way of reading the members so far; stop where the input ends and hope is left."""
        if not self.at(i, OPEN):
            return False
        if self.open(node.gap, i + 1):
            return True
        rules = self.owner.rules_of(node)
        # A member starts at the position.
        starts = self.ends(node.gap, i + 1)
        todo: list[tuple[int, Written]] = [(p, Written()) for p in starts]
        done = set(todo)
        if rules.may_end(Written()) and any(self.at(p, CLOSE) and p + 1 == self.n for p in starts):
            return True
        while todo:
            position, before = todo.pop()
            if self.key_open(node, position, before):
                return True
            for end, now in self.member(node, position, before):
                if not self.oracle.can_end(node, now):
                    continue
                if self.open(node.gap, end):
                    return True
                for q in self.ends(node.gap, end):
                    if self.at(q, CLOSE) and q + 1 == self.n and rules.may_end(now):
                        return True
                    if self.at(q, COMMA) and self.more(node, now):
                        if self.open(node.gap, q + 1):
                            return True
                        for start in self.ends(node.gap, q + 1):
                            state = (start, now)
                            if state not in done:
                                done.add(state)
                                todo.append(state)
        return False

    def usable(self, node: ir.JsonObject, name: str, at: Written) -> bool:
        """Whether a member of this name may come next and leave a way to the end."""
        rules = self.owner.rules_of(node)
        if not rules.fits(name, at):
            return False
        if name in rules.place and not self.oracle.productive(node.properties[rules.place[name]].key):
            return False
        return any(
            self.oracle.productive(value) and self.oracle.can_end(node, rules.after(name, marks, at))
            for value, marks in rules.values(name)
        )

    def more(self, node: ir.JsonObject, at: Written) -> bool:
        """Whether another member may come."""
        names = [*(p.name for p in node.properties), *self.oracle.supply(node)]
        return any(self.usable(node, name, at) for name in names)

    def key_open(self, node: ir.JsonObject, i: int, at: Written) -> bool:
        """Whether the input ends within the member that starts at `i`."""
        if i == self.n:
            return self.more(node, at)
        if not self.at(i, QUOTE):
            return False
        for prop in node.properties:
            if self.usable(node, prop.name, at) and self.open(prop.key, i + 1):
                return True
        declared = self.owner.rules_of(node).place
        for name in self.oracle.names_from(node, self.s[i + 1 :]):
            if name not in declared and self.usable(node, name, at):
                return True
        for name, k in self.keys(node, i):
            if self.usable(node, name, at):
                for value, marks in self.owner.rules_of(node).values(name):
                    after = self.owner.rules_of(node).after(name, marks, at)
                    if self.oracle.can_end(node, after) and self.tail_open(node, value, k):
                        return True
        return False

    def tail_open(self, node: ir.JsonObject, value: ir.Expr, k: int) -> bool:
        """Whether the input ends within `" gap : gap value` that starts at `k`."""
        if k == self.n:
            return True
        if not self.at(k, QUOTE):
            return False
        if self.open(node.gap, k + 1):
            return True
        colons = [c + 1 for c in self.ends(node.gap, k + 1) if self.at(c, COLON)]
        if any(self.open(node.gap, c) for c in colons):
            return True
        starts = frozenset(e for c in colons for e in self.ends(node.gap, c))
        return any(self.open(value, e) for e in starts)


def search_completion(
    oracle: PrefixOracle, pieces: Sequence[Symbols], text: Symbols, known: dict[Symbols, bool], limit: int
) -> bool | None:
    """Whether `text` can be completed by pieces of text; None when `limit` texts did not decide it.

    Parameters
    ----------
    oracle : PrefixOracle
        Prunes texts that begin no member.
    pieces : sequence of symbols
        What the tokens write.
    text : symbols
        What is written already.
    known : dict
        Earlier answers; extended.
    limit : int
        Texts to look at, shortest first.
    """
    heap = [(len(text), text)]
    above: dict[Symbols, Symbols | None] = {text: None}
    looked = 0
    while heap:
        looked += 1
        if looked > limit:
            return None
        here = heapq.heappop(heap)[1]
        if known.get(here) is False or not oracle.begins_member(here):
            continue
        if known.get(here) or oracle.recogniser.accepts(here):
            back: Symbols | None = here
            while back is not None:
                known[back] = True
                back = above[back]
            return True
        for piece in pieces:
            longer = here + piece
            if longer not in above:
                above[longer] = here
                heapq.heappush(heap, (len(longer), longer))
    known.update(dict.fromkeys(above, False))
    return False
