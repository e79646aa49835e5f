"""Membership and viability in context-free grammars by the algorithm of Cocke, Younger and Kasami.

Law: the expression as a binary grammar without empty rules; one cell for each factor of a text.
Cost: quadratic in a text's length once its factors are known. Source: Lange and Leiß, Informatica
Didactica 8, 2009 (binary rules, unit rules kept and closed over).

Shares no code with the automaton, nor with the other oracles: those read expressions by sets of ends.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from gramspec.grammar import ir

_Body = tuple[int, ...]


@dataclass
class _Grammar:
    """Rules over symbols that are numbers; a rule has at most two symbols on its right."""

    letters: dict[int, int] = field(default_factory=dict)  # symbol -> mask of the bytes it derives
    rules: list[tuple[int, _Body]] = field(default_factory=list)
    size: int = 0

    def fresh(self) -> int:
        self.size += 1
        return self.size - 1

    def chain(self, head: int, body: _Body) -> None:
        """A rule of any length, cut into pairs."""
        while len(body) > 2:
            rest = self.fresh()
            self.rules.append((head, (body[0], rest)))
            head, body = rest, body[1:]
        self.rules.append((head, body))


class Cyk:
    """Membership in the language of an expression of rules, concatenations, unions and repetitions.

    Parameters
    ----------
    expr : Expr
        Over bytes. Intersections, complements, machines, objects and token edges are not read.

    Raises
    ------
    TypeError
        If the expression holds what is not read.
    """

    def __init__(self, expr: ir.Expr) -> None:
        grammar = _Grammar()
        root = _read(grammar, expr)
        nullable = _nullable(grammar)
        productive = _productive(grammar)
        rules = _without_empty(grammar, nullable)
        rules = {(h, body) for h, body in rules if {h, *body} <= productive}
        letters = {s: mask for s, mask in grammar.letters.items() if mask}
        self.empty = root in nullable
        self.lives = root in productive
        self._whole = _Table(grammar.size, rules, letters, root)
        # Symbol n + s derives the beginnings, the empty one left out, of what s derives.
        n = grammar.size
        begun = set(rules)
        for head, body in rules:
            begun.add((n + head, (n + body[0],)))
            if len(body) == 2:
                begun.add((n + head, (body[0], n + body[1])))
        self._begun = _Table(
            2 * n, begun, {**letters, **{n + s: mask for s, mask in letters.items()}}, n + root
        )

    def accepts(self, text: bytes) -> bool:
        """Whether the text belongs to the language."""
        return self._whole.derives(text) if text else self.empty

    def viable(self, prefix: bytes) -> bool:
        """Whether some member begins with `prefix`."""
        return self._begun.derives(prefix) if prefix else self.lives


class _Table:
    """Cells of a grammar in which no rule is empty: the set of symbols, as a bit mask, of each factor."""

    def __init__(self, size: int, rules: set[tuple[int, _Body]], letters: dict[int, int], root: int) -> None:
        self.root = root
        above: dict[int, set[int]] = {}
        self.pairs: dict[int, list[tuple[int, int]]] = {}
        for head, body in rules:
            if len(body) == 1:
                above.setdefault(body[0], set()).add(head)
            else:
                self.pairs.setdefault(body[0], []).append((1 << body[1], head))
        self.closure = [_closure(symbol, above) for symbol in range(size)]
        self.letters = [0] * 256
        for symbol, mask in letters.items():
            for byte in range(256):
                if mask >> byte & 1:
                    self.letters[byte] |= self.closure[symbol]
        self.cells: dict[bytes, int] = {}
        self.products: dict[tuple[int, int], int] = {}

    def derives(self, text: bytes) -> bool:
        return bool(self.cell(text) >> self.root & 1)

    def cell(self, text: bytes) -> int:
        """Symbols that derive a text; shorter factors first."""
        for length in range(1, len(text) + 1):
            for start in range(len(text) - length + 1):
                factor = text[start : start + length]
                if factor not in self.cells:
                    found = self.letters[factor[0]] if length == 1 else 0
                    for cut in range(1, length):
                        found |= self.product(self.cells[factor[:cut]], self.cells[factor[cut:]])
                    self.cells[factor] = found
        return self.cells[text]

    def product(self, left: int, right: int) -> int:
        known = self.products.get((left, right))
        if known is None:
            known = 0
            for symbol in _bits(left):
                for wanted, head in self.pairs.get(symbol, ()):
                    if right & wanted:
                        known |= self.closure[head]
            self.products[left, right] = known
        return known


def _read(grammar: _Grammar, root: ir.Expr) -> int:
    """The symbol of an expression; nodes and rules are read once each, without recursion."""
    symbols: dict[int, int] = {}
    todo: list[ir.Expr] = []
    kept: list[ir.Expr] = []  # ids stay taken as long as the nodes live

    def of(node: ir.Expr) -> int:
        if id(node) not in symbols:
            symbols[id(node)] = grammar.fresh()
            todo.append(node)
            kept.append(node)
        return symbols[id(node)]

    start = of(root)
    while todo:
        node = todo.pop()
        head = symbols[id(node)]
        match node:
            case ir.ByteSet(mask):
                grammar.letters[head] = mask
            case ir.Epsilon():
                grammar.rules.append((head, ()))
            case ir.Empty():
                pass
            case ir.Concat(items):
                grammar.chain(head, tuple(of(item) for item in items))
            case ir.Union(items):
                grammar.rules.extend((head, (of(item),)) for item in items)
            case ir.Call(item) | ir.Builtin(item):
                grammar.rules.append((head, (of(item),)))
            case ir.Ref(rule):
                if rule.body is not None:
                    grammar.rules.append((head, (of(rule.body),)))
            case ir.Repeat(item, minimum, maximum):
                _repetition(grammar, head, of(item), minimum, maximum)
            case _:
                raise TypeError(f"not read: {type(node).__name__}")
    return start


def _repetition(grammar: _Grammar, head: int, item: int, minimum: int, maximum: int | None) -> None:
    if maximum is None:
        more = grammar.fresh()
        grammar.rules += [(more, ()), (more, (item, more))]
        grammar.chain(head, (*[item] * minimum, more))
        return
    for count in range(minimum, maximum + 1):
        grammar.chain(head, (item,) * count)


def _nullable(grammar: _Grammar) -> set[int]:
    return _least(set(), grammar.rules)


def _productive(grammar: _Grammar) -> set[int]:
    return _least({symbol for symbol, mask in grammar.letters.items() if mask}, grammar.rules)


def _least(known: set[int], rules: list[tuple[int, _Body]]) -> set[int]:
    """Symbols that derive something made of `known` ones."""
    found = set(known)
    size = -1
    while size != len(found):
        size = len(found)
        found |= {head for head, body in rules if found.issuperset(body)}
    return found


def _without_empty(grammar: _Grammar, nullable: set[int]) -> set[tuple[int, _Body]]:
    out: set[tuple[int, _Body]] = set()
    for head, body in grammar.rules:
        if body:
            out.add((head, body))
        if len(body) == 2:
            if body[0] in nullable:
                out.add((head, body[1:]))
            if body[1] in nullable:
                out.add((head, body[:1]))
    return out


def _closure(symbol: int, above: dict[int, set[int]]) -> int:
    """The symbol and all that derive it by unit rules, as a mask."""
    mask, todo = 1 << symbol, [symbol]
    while todo:
        for head in above.get(todo.pop(), ()):
            if not mask >> head & 1:
                mask |= 1 << head
                todo.append(head)
    return mask


def _bits(mask: int) -> list[int]:
    out = []
    while mask:
        low = mask & -mask
        out.append(low.bit_length() - 1)
        mask ^= low
    return out
