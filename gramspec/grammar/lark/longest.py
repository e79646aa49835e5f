"""The meaning of a Lark grammar under maximal munch: one way to cut a text into terminals, the greedy one.

Law: the lexer reads on as long as some terminal, ignored ones included, may still match; it stops in front of
a character that none can take, or at the end of the text, and is not taken back: if what it has read then is
no terminal, the text is refused. The terminals found, ignored ones left out, must be in the grammar.
Cost: one variant of a rule for each pair of sets of characters that may come first and next.
Source: the product of Bar-Hillel, Perles and Shamir, 1961, of the grammar and what each lexeme may be
followed by.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from gramspec.errors import EmptyLanguageError, LimitError, UnsupportedError
from gramspec.grammar import ir
from gramspec.grammar.lark import scannerless
from gramspec.grammar.lark.lexer import Lexer
from gramspec.grammar.lark.model import Model
from gramspec.grammar.regex.characters import matches
from gramspec.grammar.rule_graph import within

MAX_VARIANTS: Final = 50_000
MAX_COPIES: Final = 1_000

_Row: TypeAlias = "dict[int, ir.Expr]"
"""What a part reads from one guard, by the guard behind it; a guard is a mask of what may come next."""


def lower(model: Model) -> ir.Expr:
    """The language of a grammar over bytes.

    Raises
    ------
    EmptyLanguageError
        If the greedy way to cut texts leaves none.
    UnsupportedError
        If a terminal is no set of texts, or holds the empty text.
    LimitError
        If the product is too large.
    """
    for name, terminal in model.terminals.items():
        if not terminal.regular:
            reason = f"{name}: only terminals that are sets of texts have a longest match"
            hint = 'use lexer="scannerless" for nested grammars and tokens'
            raise terminal.position.error(reason, hint, UnsupportedError)
        if matches(terminal.expr, ""):
            reason = f"terminal {name} matches the empty text, which no lexer finds"
            raise terminal.position.error(reason, "let the rules say what may be left out", UnsupportedError)
    scannerless.lower(model)  # names that are missing, rules that never end
    return _Product(model).whole()


class _Product:
    def __init__(self, model: Model) -> None:
        self.model = model
        self.rules = model.rules
        self.lexer = Lexer(list(model.terminals.values()))
        self.gaps: dict[int, _Row] = {}
        self.found: dict[tuple[int, int], set[int]] = {}  # (body, guard) -> guards behind it
        self.bodies: dict[tuple[int, int], ir.Expr] = {}
        self.readers: dict[tuple[int, int], set[tuple[int, int]]] = {}
        self.reader: tuple[int, int] | None = None
        self.queue: list[tuple[int, int]] = []
        self.queued: set[tuple[int, int]] = set()
        self.stars: dict[tuple[int, int], _Row] = {}
        self.rows: dict[tuple[int, int], _Row] = {}
        self.variants: dict[tuple[int, int, int], ir.Rule] = {}
        self.todo: list[tuple[ir.Expr, int, int, ir.Rule]] = []

    def whole(self) -> ir.Expr:
        start = self.rules.body(self.model.start)
        before: _Row = (
            self.gap(self.lexer.begin) if self.model.initial_gap else {self.lexer.begin: ir.EPSILON}
        )
        for guard in before:
            self.settle(start, guard)
        parts: list[ir.Expr] = []
        for guard, gap in before.items():
            parts += [
                ir.concat(gap, ir.Ref(self.variant(start, guard, end))) for end in self.known(start, guard)
            ]
        if not parts:
            raise self.rules.place(self.model.start).error(*self.why(), EmptyLanguageError)
        while self.todo:
            body, guard, end, rule = self.todo.pop()
            rule.define(self.row(body, guard).get(end, ir.EMPTY))
        return ir.union(*parts)

    # Which guards may stand behind a part.

    def settle(self, root: ir.Expr, guard: int) -> None:
        """The least solution: a body is looked at again when something that it reads has grown."""
        self.known(root, guard)
        while self.queue:
            self.reader = self.queue.pop()
            self.queued.discard(self.reader)
            new = self.ends(self.bodies[self.reader], self.reader[1])
            if not new <= self.found[self.reader]:
                self.found[self.reader] |= new
                for other in self.readers[self.reader]:
                    self.ask(other)
        self.reader = None

    def known(self, body: ir.Expr, guard: int) -> set[int]:
        """As far as known; a rule's body that is met for the first time is looked at soon."""
        key = id(body), guard
        if key not in self.found:
            if len(self.found) > MAX_VARIANTS:
                reason = f"the grammar times its lexer has more than {MAX_VARIANTS:,} parts"
                raise LimitError("max_states", reason)
            self.found[key], self.bodies[key], self.readers[key] = set(), body, set()
            self.ask(key)
        if self.reader is not None:
            self.readers[key].add(self.reader)
        return self.found[key]

    def ask(self, key: tuple[int, int]) -> None:
        if key not in self.queued:
            self.queued.add(key)
            self.queue.append(key)

    def ends(self, node: ir.Expr, guard: int) -> set[int]:
        match node:
            case ir.Epsilon():
                return {guard}
            case ir.Concat(items):
                here = {guard}
                for item in items:
                    here = set().union(*(self.ends(item, at) for at in here))
                return here
            case ir.Union(items):
                return set().union(*(self.ends(item, guard) for item in items))
            case ir.Repeat(item, minimum, maximum):
                return self.repeated(item, guard, minimum, maximum)
            case ir.Ref(rule):
                name = self.rules.name_of(rule)
                if name in self.model.terminals:
                    return set(self.terminal(name, guard))
                return self.known(self.rules.body(name), guard)
        return set()

    def repeated(self, item: ir.Expr, guard: int, minimum: int, maximum: int | None) -> set[int]:
        here, found, seen = {guard}, set[int](), list[set[int]]()
        count = 0
        while True:
            if count >= minimum:
                found |= here
            if count == maximum or (here in seen and count >= minimum) or not here:
                return found
            if here in seen:  # the same guards come again and again on the way to the minimum
                period = count - seen.index(here)
                count += (minimum - count) // period * period
                seen = []
                if count >= minimum:
                    continue
            seen.append(here)
            here = set().union(*(self.ends(item, at) for at in here))
            count += 1

    # Terminals and what is ignored behind them.

    def terminal(self, name: str, guard: int) -> _Row:
        key = id(self.model.terminals[name]), guard
        if key not in self.rows:
            row: dict[int, list[ir.Expr]] = {}
            for after, text in self.lexeme(name, guard).items():
                for end, gap in self.gap(after).items():
                    row.setdefault(end, []).append(ir.concat(text, gap))
            self.rows[key] = {end: ir.union(*parts) for end, parts in row.items()}
        return self.rows[key]

    def lexeme(self, name: str, guard: int) -> _Row:
        found = self.lexer.lexemes[self.lexer.same.get(name, name)]
        return {one.after: self.lexer.language(one, guard) for one in found if one.first & guard}

    def gap(self, guard: int) -> _Row:
        """Ignored terminals, any number, by the guard behind them."""
        if guard not in self.gaps:
            steps: dict[int, dict[int, list[ir.Expr]]] = {}
            todo = [guard]
            for at in todo:
                steps[at] = {}
                for name in self.model.ignored:
                    for after, text in self.lexeme(name, at).items():
                        steps[at].setdefault(after, []).append(text)
                todo += [after for after in steps[at] if after not in steps and after not in todo]
            self.gaps[guard] = {end: _paths(steps, guard, end) for end in steps}
        return self.gaps[guard]

    # The expression.

    def variant(self, body: ir.Expr, guard: int, end: int) -> ir.Rule:
        key = id(body), guard, end
        if key not in self.variants:
            if len(self.variants) > MAX_VARIANTS:
                raise LimitError(
                    "max_states", f"the grammar times its lexer has more than {MAX_VARIANTS:,} rules"
                )
            rule = self.variants[key] = ir.Rule(f"{len(self.variants)}")
            self.todo.append((body, guard, end, rule))
        return self.variants[key]

    def row(self, node: ir.Expr, guard: int) -> _Row:
        key = id(node), guard
        if key not in self.rows:
            self.rows[key] = self.built(node, guard)
        return self.rows[key]

    def built(self, node: ir.Expr, guard: int) -> _Row:
        match node:
            case ir.Epsilon():
                return {guard: ir.EPSILON}
            case ir.Concat(items):
                row: _Row = {guard: ir.EPSILON}
                for item in items:
                    row = self.then(row, item)
                return row
            case ir.Union(items):
                parts: dict[int, list[ir.Expr]] = {}
                for item in items:
                    for end, part in self.row(item, guard).items():
                        parts.setdefault(end, []).append(part)
                return {end: ir.union(*found) for end, found in parts.items()}
            case ir.Repeat(item, minimum, maximum):
                return self.repetition(item, guard, minimum, maximum)
            case ir.Ref(rule):
                name = self.rules.name_of(rule)
                if name in self.model.terminals:
                    return self.terminal(name, guard)
                body = self.rules.body(name)
                return {end: ir.Ref(self.variant(body, guard, end)) for end in self.known(body, guard)}
        return {}

    def then(self, row: _Row, item: ir.Expr) -> _Row:
        return _chained(row, lambda at: self.row(item, at))

    def repetition(self, item: ir.Expr, guard: int, minimum: int, maximum: int | None) -> _Row:
        """Copies are written out until the guards no longer change; mostly that is one."""
        found: dict[int, list[ir.Expr]] = {}
        row: _Row = {guard: ir.EPSILON}
        least, most = minimum, maximum
        for _ in range(MAX_COPIES):
            rest: _Row = {}
            for at, front in row.items():
                step = self.row(item, at)
                if step.keys() == {at}:
                    found.setdefault(at, []).append(ir.concat(front, ir.repeat(step[at], least, most)))
                elif most is None and least == 0:
                    for end, back in self.star(item, at).items():
                        found.setdefault(end, []).append(ir.concat(front, back))
                else:
                    rest[at] = front
            if least == 0:
                for at, front in rest.items():
                    found.setdefault(at, []).append(front)
            if not rest or most == 0:
                return {end: ir.union(*parts) for end, parts in found.items()}
            row = self.then(rest, item)
            least, most = max(least - 1, 0), None if most is None else most - 1
        raise LimitError(
            "max_nodes", f"more than {MAX_COPIES:,} repetitions whose ends differ, under a lexer"
        )

    def star(self, item: ir.Expr, guard: int) -> _Row:
        key = id(item), guard
        if key not in self.stars:
            self.stars[key] = self.any_number(item, guard)
        return self.stars[key]

    def any_number(self, item: ir.Expr, guard: int) -> _Row:
        steps: dict[int, dict[int, list[ir.Expr]]] = {}
        todo = [guard]
        for at in todo:
            steps[at] = {end: [part] for end, part in self.row(item, at).items()}
            todo += [end for end in steps[at] if end not in steps and end not in todo]
        return {end: _paths(steps, guard, end) for end in steps}

    # Why there is no text at all.

    def why(self) -> tuple[str, str]:
        shadowed = [
            name
            for name in self.model.terminals
            if not self.lexer.lexemes.get(name, name in self.lexer.same) and name not in self.model.ignored
        ]
        reason = f"no text belongs to `{self.model.start}` where the longest match is taken"
        hint = 'use lexer="scannerless" for every way to cut a text into terminals'
        for name in shadowed:
            winner = self.lexer.winner_of(name)
            return f"{reason}: every text of {name} is taken for {winner}", hint
        pair = self.clash()
        if pair:
            return f"{reason}: {pair[0]} is read on into what {pair[1]} begins with", hint
        return reason, hint

    def clash(self) -> tuple[str, str] | None:
        """Neighbours in a rule of which the second never begins where the first ends."""
        everything = self.lexer.begin
        for node in [node for body in list(self.bodies.values()) for node in within(body)]:
            if not isinstance(node, ir.Concat):
                continue
            here = {everything}
            for number, item in enumerate(node.items):
                after = set().union(*(self.ends(item, at) for at in here))
                if here and not after and self.ends(item, everything) and number:
                    first, second = (
                        self.rules.name_of(one.rule) if isinstance(one, ir.Ref) else "a group"
                        for one in node.items[number - 1 : number + 1]
                    )
                    return f"`{first}`", f"`{second}`"
                here = after
        return None


def _chained(row: _Row, following: Callable[[int], _Row]) -> _Row:
    parts: dict[int, list[ir.Expr]] = {}
    for at, front in row.items():
        for end, back in following(at).items():
            parts.setdefault(end, []).append(ir.concat(front, back))
    return {end: ir.union(*found) for end, found in parts.items()}


def _paths(steps: dict[int, dict[int, list[ir.Expr]]], start: int, end: int) -> ir.Expr:
    """What the paths of a graph read, from one place to another."""
    leads = {end}
    size = 0
    while size != len(leads):
        size = len(leads)
        leads |= {at for at, arcs in steps.items() if leads & arcs.keys()}
    if start == end and leads & steps[start].keys() <= {start}:
        return ir.repeat(ir.union(*steps[start].get(start, [])))
    rules = {at: ir.Rule(f"from {at:x}") for at in steps if at in leads}
    for at, rule in rules.items():
        parts = [
            ir.concat(text, ir.Ref(rules[after]))
            for after, texts in steps[at].items()
            if after in rules
            for text in texts
        ]
        rule.define(ir.union(*parts, *([ir.EPSILON] if at == end else [])))
    return ir.Ref(rules[start]) if start in rules else ir.EMPTY
