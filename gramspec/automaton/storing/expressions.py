"""Expressions as words: one entry a node, children before parents, rules by number.

Law: reading gives an expression of equal structure, whose sharing is at least that of the one written.
Cost: one pass over the distinct nodes, without recursion; equal nodes are written once.
Source: docs/serialisation.md; `gramspec.grammar.ir`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from threading import Lock
from typing import TypeAlias, cast

from gramspec.automaton.storing.packing import Reader, Writer
from gramspec.automaton.storing.values import json_words, read_json
from gramspec.errors import GrammarError, SerialisationError
from gramspec.grammar import ir
from gramspec.grammar.builtins import builtin, shared
from gramspec.grammar.json_schema.json_text import Json

MOST_DEPTH = 3000
"""How deep nodes may nest inside a rule, as in the engine."""

_Words: TypeAlias = Iterable[int]

# Codes of the kinds of nodes; a code is never used for another kind.
_EMPTY, _EPSILON, _BYTE, _BYTES, _CONCAT, _UNION, _REPEAT, _AND = range(8)
_NOT, _CALL, _MACHINE, _REF, _TOKEN, _NAMED_TOKEN, _OBJECT, _BUILTIN, _TOKEN_SET = range(8, 17)

_LISTS: dict[type[ir.Concat | ir.Union | ir.And], int] = {
    ir.Concat: _CONCAT,
    ir.Union: _UNION,
    ir.And: _AND,
}
_WRAPPERS: dict[type[ir.Not | ir.Call], int] = {ir.Not: _NOT, ir.Call: _CALL}


class ExpressionWriter:
    """Writes expressions that may share nodes and rules.

    Parameters
    ----------
    writer : Writer
        Takes the strings.
    """

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._numbers: dict[int, int] = {}  # by id of the node
        self._kept: list[ir.Expr] = []  # ids stay valid while the nodes live
        self._known: dict[tuple[int, ...], int] = {}
        self._words: list[int] = []
        # What all grammars share is named, so that they share it again where they are read.
        self._shared = {id(node): (kind, data) for kind, data, node in shared()}
        self._made: dict[tuple[int, ...], int] = {}
        self._depths: list[int] = []
        self._rules: dict[int, int] = {}
        self._pending: list[ir.Rule] = []
        self._bodies: list[int] = []

    def add(self, root: ir.Expr) -> int:
        """Write an expression with its rules, and give its number.

        Raises
        ------
        SerialisationError
            If it nests deeper than `MOST_DEPTH`, or uses a rule that is not defined.
        """
        number = self._add(root)
        while len(self._bodies) < len(self._pending):
            rule = self._pending[len(self._bodies)]
            body = rule.body
            if body is None:
                raise SerialisationError(rule.name, "the rule is used but never defined")
            self._bodies.append(self._add(body))
        return number

    def finish(self) -> None:
        """Hand everything to the writer."""
        words = self._writer.words
        words.append(len(self._pending))
        words.extend(self._writer.string(rule.name) for rule in self._pending)
        words.append(len(self._made))
        for made in self._made:
            words += made
        words += (len(self._depths), len(self._words) + len(self._bodies))
        words += self._words
        words += self._bodies

    def _add(self, root: ir.Expr) -> int:
        numbers = self._numbers
        stack: list[tuple[ir.Expr, bool]] = [(root, False)]
        while stack:
            node, ready = stack.pop()
            if id(node) in numbers:
                continue
            whole = isinstance(node, ir.Builtin) or id(node) in self._shared
            children = () if whole else ir.children(node)
            if children and not ready:
                stack.append((node, True))
                stack.extend((child, False) for child in children if id(child) not in numbers)
                continue
            words = tuple(self._encoded(node))
            number = self._known.get(words)
            if number is None:
                number = self._known[words] = len(self._depths)
                self._words += words
                below = max((self._depths[numbers[id(child)]] for child in children), default=0)
                if below >= MOST_DEPTH:
                    raise SerialisationError("expression", f"it nests deeper than {MOST_DEPTH} levels")
                self._depths.append(below + 1)
            numbers[id(node)] = number
            self._kept.append(node)
        return numbers[id(root)]

    def _of(self, node: ir.Expr) -> int:
        return self._numbers[id(node)]

    def _encoded(self, node: ir.Expr) -> _Words:
        of, writer = self._of, self._writer
        if id(node) in self._shared:
            return self._builtin(*self._shared[id(node)])
        match node:
            case ir.Empty():
                return (_EMPTY,)
            case ir.Epsilon():
                return (_EPSILON,)
            case ir.ByteSet():
                if node.mask.bit_count() == 1:
                    return (_BYTE, node.mask.bit_length() - 1)
                return (_BYTES, *(node.mask >> shift & 0xFFFFFFFF for shift in range(0, 256, 32)))
            case ir.Concat() | ir.Union() | ir.And():
                return (_LISTS[type(node)], len(node.items), *map(of, node.items))
            case ir.Repeat():
                return (_REPEAT, of(node.item), *writer.count(node.minimum), *writer.count(node.maximum))
            case ir.Not() | ir.Call():
                return (_WRAPPERS[type(node)], of(node.item))
            case ir.Machine():
                words = [_MACHINE, len(node.arcs)]
                for accepting, arcs in zip(node.accepting, node.arcs, strict=True):
                    words += (int(accepting), len(arcs))
                    for item, target in arcs:
                        words += (of(item), target)
                return words
            case ir.Ref():
                return (_REF, self._rule(node.rule))
            case ir.TokenEdge():
                if isinstance(node.token, str):
                    return (_NAMED_TOKEN, writer.string(node.token))
                return (_TOKEN, *writer.count(node.token))
            case ir.TokenSet():
                return self._token_set(node)
            case ir.JsonObject():
                return self._object(node)
            case ir.Builtin():
                return self._builtin(node.kind, node.data)
            case _:
                raise SerialisationError(
                    "expression", f"a {type(node).__name__} is no part of a compiled grammar"
                )

    def _builtin(self, kind: str, data: tuple[object, ...]) -> _Words:
        values = cast("list[Json]", list(data))
        words = (self._writer.string(kind), *json_words(self._writer, values))
        number = self._made.setdefault(words, len(self._made))
        return (_BUILTIN, number)

    def _token_set(self, node: ir.TokenSet) -> _Words:
        words = [_TOKEN_SET, int(node.negated), len(node.tokens)]
        for token in node.tokens:
            if isinstance(token, str):
                words += (1, self._writer.string(token))
            else:
                words += (0, *self._writer.count(token))
        return words

    def _rule(self, rule: ir.Rule) -> int:
        number = self._rules.get(id(rule))
        if number is None:
            number = self._rules[id(rule)] = len(self._pending)
            self._pending.append(rule)
        return number

    def _object(self, node: ir.JsonObject) -> _Words:
        of, writer = self._of, self._writer
        words = [_OBJECT, int(node.order == "any"), of(node.gap), of(node.free_key)]
        words.append(0 if node.additional is None else 1 + of(node.additional))

        def marked(alternatives: ir.Marked) -> None:
            words.append(len(alternatives))
            for value, marks in alternatives:
                words.append(of(value))
                words.extend(writer.count(marks))

        words.append(len(node.properties))
        for member in node.properties:
            words += (writer.string(member.name), of(member.key), of(member.value))
            words.append(int(member.required) | int(member.late) << 1)
            marked(member.marked)
        words.append(len(node.classes))
        for group in node.classes:
            words += (of(group.names), of(group.value))
            marked(group.marked)
        marked(node.marked)
        words.extend(writer.count(node.least))
        # One more than the bound, which may lie below zero; None stays None.
        words.extend(writer.count(None if node.most is None else max(node.most, -1) + 1))
        words.extend(writer.count(node.marks))
        return words


class ExpressionReader:
    """Reads what an `ExpressionWriter` wrote: rules and built-in expressions at once, nodes when asked for.

    Parameters
    ----------
    reader : Reader
    most_nodes : int
        How many nodes there may be.

    Attributes
    ----------
    rules : list of Rule
        Without bodies until `decode` is called.
    builtins : list of Expr
    size : int
        How many nodes there are.
    section : Reader
        The words of nodes and bodies.

    Raises
    ------
    SerialisationError
        If a field is out of range.
    """

    def __init__(self, reader: Reader, most_nodes: int) -> None:
        self._reader = reader
        self.rules = [ir.Rule(self._name()) for _ in range(reader.length("rules"))]
        self.builtins = [self._builtin() for _ in range(reader.length("built-in expressions", 3))]
        self.size = reader.word()
        self.section = reader.part(reader.length("words of nodes"))
        if self.size > min(most_nodes, self.section.left):
            raise reader.refusal(
                f"{self.size} nodes are more than the {most_nodes} allowed, or than the words"
            )
        self._nodes: list[ir.Expr] = []
        self._depths: list[int] = []
        self._deepest = 0
        self._token_ids = False
        self._lock = Lock()

    def decode(self) -> tuple[list[ir.Expr], bool]:
        """All nodes, and whether one is a token edge by id.

        Raises
        ------
        SerialisationError
            If a field is out of range, or nodes nest deeper than `MOST_DEPTH`.
        """
        with self._lock:
            if len(self._nodes) < self.size:
                self._decode()
        return self._nodes, self._token_ids

    def _decode(self) -> None:
        reader = self._reader = self.section.again()
        self._nodes.clear()
        self._depths.clear()
        decoders = self._decoders()
        for _ in range(self.size):
            self._deepest = 0
            node = decoders[reader.below(len(decoders), "node kind")]()
            if self._deepest >= MOST_DEPTH:
                raise reader.refusal(f"nodes nest deeper than {MOST_DEPTH} levels")
            self._nodes.append(node)
            self._depths.append(self._deepest + 1)
        bodies = [self.node() for _ in self.rules]
        reader.end()
        for rule, body in zip(self.rules, bodies, strict=True):
            rule.define(body)

    def node(self) -> ir.Expr:
        """The node that the next word numbers."""
        number = self._reader.below(len(self._nodes), "node")
        if self._depths[number] > self._deepest:
            self._deepest = self._depths[number]
        return self._nodes[number]

    def _decoders(self) -> list[Callable[[], ir.Expr]]:
        """By code."""
        reader, node = self._reader, self.node
        return [
            lambda: ir.EMPTY,
            lambda: ir.EPSILON,
            lambda: ir.ByteSet(1 << reader.below(256, "byte")),
            lambda: ir.ByteSet(sum(reader.word() << shift for shift in range(0, 256, 32))),
            lambda: ir.Concat(self._items()),
            lambda: ir.Union(self._items()),
            self._repeat,
            lambda: ir.And(self._items()),
            lambda: ir.Not(node()),
            lambda: ir.Call(node()),
            self._machine,
            lambda: ir.Ref(self.rules[reader.below(len(self.rules), "rule")]),
            self._token,
            lambda: ir.TokenEdge(self._name()),
            self._object,
            lambda: self.builtins[reader.below(len(self.builtins), "built-in expression")],
            self._token_set,
        ]

    def _items(self) -> tuple[ir.Expr, ...]:
        return tuple([self.node() for _ in range(self._reader.length("items"))])

    def _name(self) -> str:
        """A name that is Unicode text."""
        text = self._reader.text()
        if not text.isascii() and any("\ud800" <= c <= "\udfff" for c in text):
            raise self._reader.refusal("a name holds a lone surrogate")
        return text

    def _repeat(self) -> ir.Expr:
        item, minimum, maximum = self.node(), self._reader.natural(), self._reader.count()
        if maximum is not None and maximum < minimum:
            raise self._reader.refusal(f"the bounds {minimum} and {maximum} of a repetition cross")
        return ir.Repeat(item, minimum, maximum)

    def _machine(self) -> ir.Expr:
        reader = self._reader
        size = reader.length("states", 2)
        accepting: list[bool] = []
        arcs: list[tuple[tuple[ir.Expr, int], ...]] = []
        for _ in range(size):
            accepting.append(bool(reader.below(2, "flag")))
            own = [(self.node(), reader.below(size, "state")) for _ in range(reader.length("arcs", 2))]
            arcs.append(tuple(own))
        return ir.Machine(tuple(arcs), tuple(accepting))

    def _token(self) -> ir.Expr:
        self._token_ids = True
        return ir.TokenEdge(self._reader.natural())

    def _token_set(self) -> ir.Expr:
        reader = self._reader
        negated = bool(reader.below(2, "flag"))
        tokens: list[int | str] = []
        for _ in range(reader.length("tokens", 2)):
            if reader.below(2, "flag"):
                tokens.append(self._name())
            else:
                self._token_ids = True
                tokens.append(reader.natural())
        return ir.TokenSet(tuple(tokens), negated)

    def _builtin(self) -> ir.Expr:
        kind, data = self._name(), read_json(self._reader)
        if not isinstance(data, list):
            raise self._reader.refusal("the values of a built-in expression are no list")
        try:
            return builtin(kind, tuple(data))
        except GrammarError as error:
            raise self._reader.refusal(f"no built-in expression: {error}") from error

    def _object(self) -> ir.Expr:
        reader, node = self._reader, self.node

        def marked() -> ir.Marked:
            return tuple([(node(), reader.natural()) for _ in range(reader.length("alternatives", 2))])

        free = reader.below(2, "order")
        gap, free_key = node(), node()
        number = reader.below(len(self._nodes) + 1, "node")
        additional = None
        if number:
            additional = self._nodes[number - 1]
            self._deepest = max(self._deepest, self._depths[number - 1])
        properties: list[ir.JsonProperty] = []
        for _ in range(reader.length("properties", 5)):
            name, key, value, flags = self._name(), node(), node(), reader.below(4, "flags")
            properties.append(ir.JsonProperty(name, key, value, bool(flags & 1), marked(), bool(flags & 2)))
        classes = [ir.JsonKeyClass(node(), node(), marked()) for _ in range(reader.length("classes", 3))]
        alternatives = marked()
        least, most, marks = reader.natural(), reader.count(), reader.natural()
        return ir.JsonObject(
            tuple(properties),
            additional,
            "any" if free else "schema",
            gap,
            free_key,
            tuple(classes),
            alternatives,
            least,
            None if most is None else most - 1,
            marks,
        )
