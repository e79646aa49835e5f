"""Loader: an IR expression becomes expressions of a native engine.

Law: the loaded expression denotes the same language, cut down to the bytes the engine can write.
Cost: one native call per IR node, iterative (no recursion limit), nodes counted against `Limits`.
Source: architecture, "The automaton (native core)".
"""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches

from gramspec.automaton.engine import Engine
from gramspec.errors import EmptyLanguageError, GrammarError, LimitError, VocabularyError
from gramspec.grammar import ir

_EMPTY = 0
_EPSILON = 1
_LONGEST = 1 << 59
_EVERY_BYTE = b"\xff" * 32
_MOST_MARKS = 32
_LEAVES = frozenset([ir.ByteSet, ir.Epsilon, ir.Empty, ir.Ref, ir.TokenEdge, ir.TokenSet])


@dataclass(frozen=True, slots=True)
class Loaded:
    """A grammar inside an engine.

    Parameters
    ----------
    expr : int
        Native expression id.
    complete : bool
        Every byte the grammar can use is a token on its own, so that byte liveness is token liveness.
    deferred : Expr, optional
        What was loaded if rules of it may wait for their bodies, so that lengths of completions are lower
        bounds; None: they are exact.
    """

    expr: int
    complete: bool
    deferred: ir.Expr | None = None


class _Loader:
    def __init__(self, engine: Engine, special_tokens: Mapping[str, int], *, defer: bool) -> None:
        self.engine = engine
        self.defer = defer and engine.defers
        self.core = engine.core
        self.special_tokens = special_tokens
        self.nodes = engine.nodes if self.defer else engine.whole_nodes
        self.rules = engine.rules if self.defer else engine.whole_rules
        self.spelled = False
        self.fresh_nodes: list[tuple[dict[int, tuple[ir.Expr, int]], int]] = []
        self.fresh_rules: list[int] = []
        self.fresh_rule_keys: list[int] = []
        self.fresh_deferred: list[int] = []
        self.pending: list[ir.Rule] = []
        self.count = 0
        self.most = engine.limits.max_nodes
        self.deadline = time.monotonic() + engine.limits.compile_seconds

    def load(self, root: ir.Expr) -> int:
        result = self._expr(root)
        while self.pending:
            rule = self.pending.pop()
            if rule.body is None:
                raise GrammarError(
                    rule.name, "the rule is used but never defined", "define it, or remove the reference"
                )
            self.core.define(self.rules[id(rule)][1], self._expr(rule.body))
        self.core.finalise(self.fresh_rules)
        return result

    def _expr(self, root: ir.Expr) -> int:
        # Post-order with an explicit stack, as trees may be deeper than the recursion limit. A node stays
        # on the stack until what lies below it is loaded.
        nodes, build, fresh = self.nodes, self._build, self.fresh_nodes
        stack = [root]
        while stack:
            node = stack[-1]
            key = id(node)
            if key in nodes:
                stack.pop()
                continue
            missing = [child for child in self._children(node) if id(child) not in nodes]
            if missing:
                stack += missing
                continue
            stack.pop()
            self.count += 1
            if self.count % 1024 == 0 or self.count > self.most:
                self._check()
            nodes[key] = (node, build(node))
            fresh.append((nodes, key))
        return nodes[id(root)][1]

    def _of(self, node: ir.Expr) -> int:
        return self.nodes[id(node)][1]

    def forget(self) -> None:
        """Undo after a failure: nothing half-defined may be found by a later grammar."""
        for nodes, key in self.fresh_nodes:
            del nodes[key]
        for key in self.fresh_rule_keys:
            del self.rules[key]
        for number in self.fresh_deferred:
            del self.engine.deferred[number]
        self.core.finalise([])  # no rule is pending any more

    def _check(self) -> None:
        limits = self.engine.limits
        if self.count > limits.max_nodes:
            raise LimitError("max_nodes", f"the grammar has more than {limits.max_nodes} expression nodes")
        if time.monotonic() > self.deadline:
            raise LimitError("compile_seconds", f"loading took longer than {limits.compile_seconds} s")

    def _children(self, node: ir.Expr) -> Iterable[ir.Expr]:
        """What is loaded before a node; the names of key classes are loaded apart."""
        kind = type(node)
        if kind in _LEAVES:
            return ()
        if isinstance(node, ir.Concat | ir.Union | ir.And):
            return node.items
        if isinstance(node, ir.Builtin):
            return (node.item,) if self.spelled else ()
        if not isinstance(node, ir.JsonObject) or not node.classes:
            return ir.children(node)
        parts = list(ir.children(replace(node, classes=())))
        for group in node.classes:
            parts += (group.value, *(value for value, _ in group.marked))
        return parts

    def _build(self, node: ir.Expr) -> int:
        core, of = self.core, self._of
        match node:
            case ir.ByteSet():
                return int(core.byte_set(node.mask.to_bytes(32, "little"), self.spelled))
            case ir.Concat():
                return int(core.concat([of(item) for item in node.items]))
            case ir.Union():
                return int(core.union([of(item) for item in node.items]))
            case ir.Repeat():
                return int(core.repeat(of(node.item), *self._bounds(node)))
            case ir.Epsilon():
                return _EPSILON
            case ir.Empty():
                return _EMPTY
            case ir.And():
                return self._regular("And", lambda: core.intersect([of(item) for item in node.items]))
            case ir.Not():
                writable = core.repeat(core.byte_set(_EVERY_BYTE, self.spelled), 0, None)
                return self._regular(
                    "Not", lambda: core.intersect([writable, core.complement(of(node.item))])
                )
            case ir.Call():
                return int(core.call(of(node.item)))
            case ir.Machine():
                return self._machine(node)
            case ir.Builtin():
                return of(node.item) if self.spelled else self._builtin(node)
            case ir.Ref():
                return int(core.rule(self._rule(node.rule)))
            case ir.TokenEdge():
                return int(core.token(self._token(node.token)))
            case ir.TokenSet():
                return int(core.token_set(self._tokens(node)))
            case ir.JsonObject():
                return self._object(node)
            case ir.CharSet():
                raise GrammarError(
                    "", "a character class was not lowered to bytes", "apply gramspec.grammar.encoding"
                )
        raise GrammarError("", f"unknown expression node {type(node).__name__}")

    def _bounds(self, node: ir.Repeat) -> tuple[int, int | None]:
        if node.minimum > _LONGEST:
            raise LimitError("max_configurations", f"{node.minimum} repetitions are more than can be matched")
        # No text is as long as the largest count, so a larger one bounds nothing.
        return node.minimum, node.maximum if node.maximum is None or node.maximum <= _LONGEST else None

    def _regular(self, what: str, build: Callable[[], int]) -> int:
        try:
            return int(build())
        except ValueError as error:
            raise GrammarError(
                "", f"{what}: {error}", "only regular expressions can be intersected or complemented"
            ) from None

    def _machine(self, node: ir.Machine) -> int:
        arcs = [[(self._of(item), target) for item, target in row] for row in node.arcs]
        try:
            return int(self.core.machine(arcs, list(node.accepting)))
        except ValueError as error:
            raise GrammarError(
                "", f"Machine: {error}", "arcs are regular, read something, and lead to states of the machine"
            ) from None

    def _builtin(self, node: ir.Builtin) -> int:
        if node.kind == "json text":
            return int(self.core.text_spellings(*node.data))
        if node.kind == "number":
            return int(self.core.number(*node.data[:10], list(node.data[10:])))
        raise GrammarError("", f"unknown kind of built-in expression {node.kind!r}")

    def _rule(self, rule: ir.Rule) -> int:
        known = self.rules.get(id(rule))
        if known is None:
            wait = self.defer and rule.deferred
            number = int(self.core.new_deferred_rule(rule.name) if wait else self.core.new_rule(rule.name))
            known = self.rules[id(rule)] = (rule, number)
            self.fresh_rule_keys.append(id(rule))
            if wait:
                self.engine.deferred[number] = (rule, self.special_tokens)
                self.fresh_deferred.append(number)
            else:
                self.fresh_rules.append(number)
                self.pending.append(rule)
        return known[1]

    def _token_id(self, token: int | str) -> int:
        if isinstance(token, str):
            if token not in self.special_tokens:
                raise VocabularyError(_unknown_name(token, self.special_tokens, self.engine))
            token = self.special_tokens[token]
        if not 0 <= token < self.engine.vocabulary_size:
            raise VocabularyError(
                f"token id {token} is outside the vocabulary of {self.engine.vocabulary_size}"
            )
        return token

    def _tokens(self, node: ir.TokenSet) -> list[int]:
        """Ids of a set; without EOS, and if it is negated of tokens that something stands for only."""
        if not node.negated:
            return sorted({self._token(token) for token in node.tokens})
        left_out = self.engine.eos_ids | {self._token_id(token) for token in node.tokens}
        return sorted((self.engine.readable | set(self.special_tokens.values())) - left_out)

    def _token(self, token: int | str) -> int:
        token = self._token_id(token)
        if token in self.engine.eos_ids:
            raise VocabularyError(f"token id {token} is EOS: it ends a text and cannot stand inside one")
        return token

    def _object(self, node: ir.JsonObject) -> int:
        of = self._of
        bits = self._mark_bits(node.marks)

        def marked(values: ir.Marked) -> list[tuple[int, int]]:
            return [(of(value), _dense(marks, bits)) for value, marks in values]

        properties = [
            (p.name.encode("utf-8"), of(p.key), of(p.value), marked(p.marked), p.required, p.late)
            for p in node.properties
        ]
        if len({p.name for p in node.properties}) != len(properties):
            raise GrammarError("", "an object declares the same key twice")
        classes = [(self._names(c.names), of(c.value), marked(c.marked)) for c in node.classes]
        additional = None if node.additional is None else of(node.additional)
        most = None if node.most is None or node.most > _LONGEST else max(node.most, -1)
        try:
            return int(
                self.core.json_object(
                    properties,
                    classes,
                    additional,
                    marked(node.marked),
                    node.order == "schema",
                    of(node.gap),
                    of(node.free_key),
                    min(node.least, _LONGEST),
                    most,
                    _dense(node.marks, bits),
                )
            )
        except ValueError as error:
            raise GrammarError("", str(error), "write them without rules, objects and token edges") from None

    @staticmethod
    def _mark_bits(marks: int) -> list[int]:
        """The bits set, in order; the native core numbers them without gaps."""
        bits = [i for i in range(marks.bit_length()) if marks >> i & 1]
        if len(bits) > _MOST_MARKS:
            raise LimitError(
                "max_states",
                f"an object has {len(bits)} conditions on its members, more than {_MOST_MARKS}",
            )
        return bits

    def _names(self, root: ir.Expr) -> int:
        """Names are not written as they stand: bytes that no token has are left in."""
        written, self.nodes, self.spelled = self.nodes, self.engine.names, True
        try:
            return self._expr(root)
        finally:
            self.nodes, self.spelled = written, False


def load(
    engine: Engine, root: ir.Expr, special_tokens: Mapping[str, int] | None = None, *, defer: bool = False
) -> Loaded:
    """Load an expression and check that it has a member the engine can write.

    Parameters
    ----------
    engine : Engine
    root : Expr
    special_tokens : mapping, optional
        Ids by name.
    defer : bool
        Whether deferred rules may wait for their bodies until a text reaches them. Lengths of completions
        are then lower bounds only; nothing else changes.

    Raises
    ------
    EmptyLanguageError
        If no byte string at all belongs to the grammar.
    VocabularyError
        If members exist, but no token sequence spells one.
    LimitError
        If a limit is reached.
    """
    names = special_tokens or {}
    expr = _load(engine, root, names, defer=defer)
    complete = engine.complete
    core = engine.core
    if core.live(expr) and (complete or core.token_live(core.start(expr))):
        return Loaded(expr, complete, root if defer and engine.defers else None)
    if core.live(expr) or _has_member(root, names):
        raise VocabularyError("the vocabulary cannot spell any member of the grammar")
    raise EmptyLanguageError("", "no string satisfies the grammar")


def load_parts(engine: Engine, roots: Sequence[ir.Expr]) -> list[int]:
    """Load expressions without token edges by name, whether or not they have members.

    They share what grammars share that are loaded with ``defer``; they must hold no deferred rule themselves.

    Raises
    ------
    LimitError
        If a limit is reached.
    """
    _load(engine, ir.Concat(tuple(roots)), {}, defer=True)  # all in one go
    return [engine.nodes[id(root)][1] for root in roots]


def exactly(engine: Engine, loaded: Loaded, special_tokens: Mapping[str, int]) -> Loaded:
    """The same grammar loaded whole, so that lengths are exact; the same object if it is so already.

    Raises
    ------
    LimitError
        If a limit is reached.
    """
    return loaded if loaded.deferred is None else load(engine, loaded.deferred, special_tokens)


def _unknown_name(name: str, special_tokens: Mapping[str, int], engine: Engine) -> str:
    """The error of a name that no special token has."""
    near = get_close_matches(name, special_tokens, 3, 0.5)
    spelled = engine.id_of(name.encode("utf-8", "surrogatepass"))
    if spelled is not None:
        hint = f"token {spelled} is spelled like this; use its id"
    elif near:
        hint = f"did you mean {' or '.join(map(repr, near))}?"
    elif special_tokens:
        hint = f"its special tokens are {', '.join(map(repr, list(special_tokens)[:8]))}"
        hint += f" and {len(special_tokens) - 8} more" if len(special_tokens) > 8 else ""
    else:
        hint = "it names no special tokens; use ids"
    return f"the vocabulary has no special token named {name!r}\n  hint: {hint}"


def _dense(marks: int, bits: list[int]) -> int:
    return sum(1 << place for place, bit in enumerate(bits) if marks >> bit & 1)


def _load(
    engine: Engine, root: ir.Expr, names: Mapping[str, int], *, defer: bool = False, into: int | None = None
) -> int:
    """Load an expression, and make it the body of a deferred rule if one is given."""

    def whole() -> int:
        loader = _Loader(engine, names, defer=defer)
        try:
            expr = loader.load(root)
            if into is not None:
                engine.core.expand(into, expr)
            return expr
        except BaseException:
            loader.forget()
            raise

    if defer and engine.defers and not engine.listens:
        known = weakref.ref(engine)  # the core must not keep alive what keeps it alive
        engine.core.on_rule_needed(lambda number: _expand(known, number))
        engine.listens = True

    # Rules are half-defined until all is loaded: no other thread may use the engine meanwhile.
    return int(engine.core.exclusively(whole))


def _expand(known: weakref.ref[Engine], number: int) -> None:
    """Load the body of a deferred rule; another thread may have done so meanwhile."""
    engine = known()
    assert engine is not None
    waiting = engine.deferred.get(number)
    if waiting is None:
        return
    rule, names = waiting
    body = rule.body
    assert body is not None
    _load(engine, body, names, defer=True, into=number)
    engine.deferred.pop(number, None)


def _has_member(root: ir.Expr, names: Mapping[str, int]) -> bool:
    """Whether some byte string belongs to the grammar, whatever the vocabulary."""
    from gramspec.limits import Limits

    size = 1 + max(names.values(), default=0)
    every_byte: list[bytes | None] = [bytes([b]) for b in range(256)]
    engine = Engine(every_byte + [None] * size, Limits())
    expr = _load(engine, root, names)
    return bool(engine.core.live(expr))
