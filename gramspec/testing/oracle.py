"""A slow, independent recogniser of the expression IR, and brute force over token sequences.

Law: membership by the set semantics of the IR, read off node by node as sets of end positions, least
fixpoint for rules. Cost: exponential in nothing but the token budget; for short inputs. Source: `grammar.ir`.

Input symbols are ints: 0-255 a byte, 256 + id a token edge. Nothing here shares code with the automaton.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence

from gramspec.grammar import ir
from gramspec.testing.objects import ObjectRules, Written

Symbols = tuple[int, ...]

QUOTE, COLON, COMMA, OPEN, CLOSE = (ord(c) for c in '":,{}')
EDGE_BASE = 256


def symbols_of(
    token_ids: Sequence[int], tokens: Sequence[bytes | None], edges: frozenset[int] = frozenset()
) -> Symbols | None:
    """Input symbols of a token sequence without EOS; None if a token has neither bytes nor an edge."""
    out: list[int] = []
    for token in token_ids:
        raw = tokens[token]
        if token in edges:
            out.append(EDGE_BASE + token)
        elif raw:
            out.extend(raw)
        else:
            return None
    return tuple(out)


class Recogniser:
    """Membership in an expression's language by fixpoint over (node, start) → set of ends.

    Parameters
    ----------
    expr : Expr
        Byte-level expression; rules may be recursive in any way.
    special_tokens : mapping of str to int
        Resolves token edges that are given by name.
    """

    def __init__(self, expr: ir.Expr, special_tokens: Mapping[str, int] | None = None) -> None:
        self.expr = expr
        self.special_tokens = dict(special_tokens or {})
        self._known: dict[Symbols, bool] = {}
        self._rules: dict[int, ObjectRules] = {}
        self._names: dict[int, Recogniser] = {}

    def rules_of(self, node: ir.JsonObject) -> ObjectRules:
        """The meaning of an object of the expression."""
        if id(node) not in self._rules:
            self._rules[id(node)] = ObjectRules(node, self._is_name)
        return self._rules[id(node)]

    def _is_name(self, names: ir.Expr, raw: bytes) -> bool:
        if id(names) not in self._names:
            self._names[id(names)] = Recogniser(names)
        return self._names[id(names)].accepts(raw)

    def accepts(self, data: bytes | Symbols) -> bool:
        """Whether the whole of `data` is in the language."""
        symbols = tuple(data)
        if symbols not in self._known:
            self._known[symbols] = len(symbols) in _Run(self, symbols).solve()
        return self._known[symbols]


class _Run:
    """One input: the table of ends, filled until nothing changes."""

    def __init__(self, owner: Recogniser, symbols: Symbols) -> None:
        self.owner = owner
        self.s = symbols
        self.table: dict[tuple[int, int], frozenset[int]] = {}
        self.seen: set[tuple[int, int]] = set()
        self.changed = False

    def solve(self) -> frozenset[int]:
        while True:
            self.seen.clear()
            self.changed = False
            ends = self.ends(self.owner.expr, 0)
            if not self.changed:
                return ends

    def ends(self, node: ir.Expr, i: int) -> frozenset[int]:
        key = (id(node), i)
        if key in self.seen:
            return self.table.get(key, frozenset())
        self.seen.add(key)
        old = self.table.get(key, frozenset())
        new = frozenset(self.step(node, i)) | old
        if new != old:
            self.changed = True
        self.table[key] = new
        return new

    def through(self, node: ir.Expr, starts: frozenset[int]) -> frozenset[int]:
        return frozenset(itertools.chain.from_iterable(self.ends(node, i) for i in starts))

    def at(self, i: int, symbol: int) -> bool:
        return i < len(self.s) and self.s[i] == symbol

    def step(self, node: ir.Expr, i: int) -> frozenset[int]:
        match node:
            case ir.ByteSet(mask):
                ok = i < len(self.s) and self.s[i] < EDGE_BASE and bool(mask >> self.s[i] & 1)
                return frozenset((i + 1,)) if ok else frozenset()
            case ir.TokenEdge(token):
                number = self.owner.special_tokens[token] if isinstance(token, str) else token
                return frozenset((i + 1,)) if self.at(i, EDGE_BASE + number) else frozenset()
            case ir.TokenSet(tokens, negated):
                if i >= len(self.s) or self.s[i] < EDGE_BASE:
                    return frozenset()
                names = self.owner.special_tokens
                numbers = {names[token] if isinstance(token, str) else token for token in tokens}
                return frozenset((i + 1,)) if (self.s[i] - EDGE_BASE in numbers) != negated else frozenset()
            case ir.Epsilon():
                return frozenset((i,))
            case ir.Empty():
                return frozenset()
            case ir.Concat(items):
                here = frozenset((i,))
                for item in items:
                    here = self.through(item, here)
                return here
            case ir.Union(items):
                return frozenset(itertools.chain.from_iterable(self.ends(item, i) for item in items))
            case ir.Repeat(item, minimum, maximum):
                return self.repeat(item, minimum, maximum, i)
            case ir.And(items):
                sets = [self.ends(item, i) for item in items]
                return frozenset.intersection(*sets) if sets else frozenset(range(i, len(self.s) + 1))
            case ir.Not(item):
                plain = i
                while plain < len(self.s) and self.s[plain] < EDGE_BASE:
                    plain += 1
                return frozenset(range(i, plain + 1)) - self.ends(item, i)
            case ir.Call(item) | ir.Builtin(item):
                return self.ends(item, i)
            case ir.Machine():
                return self.machine(node, i)
            case ir.Ref(rule):
                assert rule.body is not None, rule
                return self.ends(rule.body, i)
            case ir.JsonObject():
                return frozenset(self.json_object(node, i))
            case _:
                raise TypeError(f"not a byte-level expression: {node!r}")

    def repeat(self, item: ir.Expr, minimum: int, maximum: int | None, i: int) -> frozenset[int]:
        level = frozenset((i,))
        found: set[int] = set(level) if minimum == 0 else set()
        count = 0
        history = {level}
        while maximum is None or count < maximum:
            level = self.through(item, level)
            count += 1
            if count >= minimum:
                before = len(found)
                found |= level
                if not level or (len(found) == before and level in history):
                    break
                history.add(level)
            elif not level:
                break
        return frozenset(found)

    def machine(self, node: ir.Machine, i: int) -> frozenset[int]:
        todo = [(0, i)]
        visited = set(todo)
        while todo:
            state, here = todo.pop()
            for item, target in node.arcs[state]:
                new = {(target, end) for end in self.ends(item, here)} - visited
                visited |= new
                todo.extend(new)
        return frozenset(end for state, end in visited if node.accepting[state])

    def json_object(self, node: ir.JsonObject, i: int) -> Iterator[int]:
        if not self.at(i, OPEN):
            return
        rules = self.owner.rules_of(node)
        after_open = self.ends(node.gap, i + 1)
        if rules.may_end(Written()):
            yield from (p + 1 for p in after_open if self.at(p, CLOSE))
        todo: list[tuple[int, Written]] = [(p, Written()) for p in after_open]
        visited = set(todo)
        while todo:
            position, before = todo.pop()
            for end_of_value, after in self.member(node, position, before):
                for p in self.ends(node.gap, end_of_value):
                    if self.at(p, CLOSE) and rules.may_end(after):
                        yield p + 1
                    if self.at(p, COMMA):
                        for start in self.ends(node.gap, p + 1):
                            state = (start, after)
                            if state not in visited:
                                visited.add(state)
                                todo.append(state)

    def member(self, node: ir.JsonObject, i: int, at: Written) -> Iterator[tuple[int, Written]]:
        """Ends of the members that begin at `i`, and what is then written."""
        rules = self.owner.rules_of(node)
        for name, k in self.keys(node, i):
            if rules.fits(name, at):
                for value, marks in rules.values(name):
                    for end in self.value(node, value, k):
                        yield end, rules.after(name, marks, at)

    def keys(self, node: ir.JsonObject, i: int) -> Iterator[tuple[str, int]]:
        """Keys (after unescaping) whose opening quote is at `i`, with the places of their closing quotes."""
        if not self.at(i, QUOTE):
            return
        for prop in node.properties:
            for k in self.ends(prop.key, i + 1):
                yield prop.name, k
        declared = self.owner.rules_of(node).place
        for k in self.ends(node.free_key, i + 1):
            name = unescape(self.s[i + 1 : k])
            if name is not None and name not in declared:
                yield name, k

    def value(self, node: ir.JsonObject, value: ir.Expr, k: int) -> frozenset[int]:
        """Ends of `" gap : gap value`, the closing quote of the key at `k`."""
        if not self.at(k, QUOTE):
            return frozenset()
        colons = frozenset(c + 1 for c in self.ends(node.gap, k + 1) if self.at(c, COLON))
        return self.through(value, self.through(node.gap, colons))


def unescape(body: Symbols) -> str | None:
    """The text of a JSON string body, None if it is not one."""
    if any(b >= EDGE_BASE for b in body):
        return None
    try:
        text = json.loads('"' + bytes(body).decode("utf-8") + '"')
    except ValueError:
        return None
    return text if isinstance(text, str) else None


def token_language(
    recogniser: Recogniser,
    tokens: Sequence[bytes | None],
    eos_ids: Sequence[int],
    max_tokens: int,
    edges: frozenset[int] = frozenset(),
) -> list[tuple[int, ...]]:
    """Every token sequence of at most `max_tokens` tokens, EOS counted, whose bytes are accepted.

    Pure brute force: all V^(max_tokens − 1) bodies are looked at; order is by length, then by id.
    """
    eos = set(eos_ids)
    usable = [t for t, raw in enumerate(tokens) if t not in eos and (raw or t in edges)]
    members: list[tuple[int, ...]] = []
    for length in range(max_tokens):
        for body in itertools.product(usable, repeat=length):
            symbols = symbols_of(body, tokens, edges)
            assert symbols is not None
            if recogniser.accepts(symbols):
                members.extend((*body, end) for end in eos_ids)
    return members


def brute_force_viable(
    members: Sequence[tuple[int, ...]], prefix: Sequence[int], remaining: int, size: int
) -> list[bool]:
    """Whether some member of length <= len(prefix) + remaining begins prefix + v, for each v < `size`.

    Exact for budgets when `members` is `token_language` with max_tokens >= len(prefix) + remaining;
    without a budget when the language is finite and `members` is all of it.
    """
    start = tuple(prefix)
    out = [False] * size
    for ids in members:
        if len(ids) > len(start) and ids[: len(start)] == start and len(ids) - len(start) <= remaining:
            out[ids[len(start)]] = True
    return out


def fewest_tokens(members: Sequence[tuple[int, ...]], prefix: Sequence[int]) -> int | None:
    """Fewest tokens, EOS counted, from `prefix` to a member among `members`; None if there is none."""
    start = tuple(prefix)
    below = (ids for ids in members if len(ids) > len(start) and ids[: len(start)] == start)
    return min((len(ids) - len(start) for ids in below), default=None)
