"""Terminals that end as soon as they can, and what may stand in their place: free text, mostly.

Law: where the rules allow a rule with `lazy`, `suffix` or `stop` and another terminal at one place, the first
text of the rule is the rule's: no member of the other terminal begins with it. So free text ends where a call
begins. Alternatives that begin with the same terminal are told apart, as they are not in a lexer.
Cost: each rule is written out once for each set of such terminals around it, under a budget.
Source: the lexer of llguidance, which takes a lazy lexeme as soon as it is complete.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import Final

from gramspec.errors import LimitError
from gramspec.grammar import ir
from gramspec.grammar.lark.model import Model
from gramspec.grammar.lark.terminals import Terminal
from gramspec.grammar.ranges import SCALARS
from gramspec.grammar.regex.characters import matches
from gramspec.grammar.rules import Rules

MAX_VARIANTS: Final = 20_000
MAX_SPLIT: Final = 10  # items of a sequence whose optional parts are told apart
_Names = frozenset[str]
_NONE: Final[_Names] = frozenset()


def preempted(model: Model) -> Model:
    """The grammar in which no terminal begins with what ends early in its place.

    Raises
    ------
    LimitError
        If rules stand in too many contexts.
    """
    if not any(terminal.early for terminal in model.terminals.values()):
        return model
    return _Writer(model).write()


class _Expected:
    """Which terminals that end early may begin an expression, and which may go on where it may end."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.empty = {
            name: terminal.regular and matches(terminal.expr, "")
            for name, terminal in model.terminals.items()
        }
        # One that may be empty ends before it begins, and leaves its place to the others.
        self.early = {name for name, t in model.terminals.items() if t.early and not self.empty[name]}
        names = model.rules.names()
        self.known: dict[str, tuple[_Names, bool, _Names]] = dict.fromkeys(names, (_NONE, False, _NONE))
        users: dict[str, list[str]] = {}
        for name in names:
            for used in model.rules.uses(model.rules.body(name)):
                users.setdefault(used, []).append(name)
        todo = deque(reversed(names))
        waiting = set(names)
        while todo:
            name = todo.popleft()
            waiting.discard(name)
            found = self.of(model.rules.body(name))
            if found != self.known[name]:
                self.known[name] = found
                again = [user for user in users.get(name, ()) if user not in waiting]
                waiting.update(again)
                todo.extend(again)

    def of(self, expr: ir.Expr) -> tuple[_Names, bool, _Names]:
        """What may begin it, whether it may be empty, what may go on at its end."""
        match expr:
            case ir.Concat():
                first, empty, goes_on = _NONE, True, _NONE
                for item in expr.items:
                    begins, may_be_empty, ends = self.of(item)
                    first |= begins if empty else _NONE
                    goes_on = ends | (goes_on | begins if may_be_empty else _NONE)
                    empty = empty and may_be_empty
                return first, empty, goes_on
            case ir.Union():
                parts = [self.of(item) for item in expr.items]
                first = frozenset().union(*(part[0] for part in parts))
                return first, any(p[1] for p in parts), frozenset().union(*(p[2] for p in parts))
            case ir.Repeat():
                first, empty, goes_on = self.of(expr.item)
                again = first if expr.maximum is None or expr.maximum > 1 else _NONE
                return first, empty or expr.minimum == 0, goes_on | again
            case ir.Ref():
                name = self.model.rules.name_of(expr.rule)
                if name in self.known:
                    return self.known[name]
                return frozenset({name}) & self.early, self.empty.get(name, False), _NONE
        return _NONE, True, _NONE


class _Writer:
    """Writes rules out by what may stand beside their first terminals and what may follow them."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.expected = _Expected(model)
        self.rules = Rules(model.rules.text)
        self.terminals = dict(model.terminals)
        self.todo: deque[tuple[str, str, _Names, _Names]] = deque()
        self.keys: dict[tuple[str, _Names, _Names], str] = {}
        self.named: set[str] = set()

    def write(self) -> Model:
        start = self.model.start
        if start in self.expected.known:
            start = self._variant(start, self.expected.known[start][0], _NONE)
        while self.todo:
            key, name, here, after = self.todo.popleft()
            body = self._written(self.model.rules.body(name), here, after)
            self.rules.define(key, body, self.model.rules.place(name))
        return replace(self.model, rules=self.rules, terminals=self.terminals, start=start)

    def _variant(self, name: str, here: _Names, after: _Names) -> str:
        found = self.keys.get((name, here, after))
        if found is None:
            if len(self.keys) >= MAX_VARIANTS:
                what = "contexts of rules beside terminals that end early (lazy, suffix, stop)"
                raise LimitError("max_states", f"more than {MAX_VARIANTS} {what}")
            found = f"{name} ({len(self.keys)})" if name in self.named else name
            self.named.add(name)
            self.keys[name, here, after] = found
            self.todo.append((found, name, here, after))
        return found

    def _written(self, expr: ir.Expr, here: _Names, after: _Names) -> ir.Expr:
        """An expression where `here` may stand at its beginning and `after` begins what follows."""
        match expr:
            case ir.Concat():
                return ir.concat(*self._in_order(expr.items, here, after))
            case ir.Union():
                return ir.union(*[self._written(item, here, after) for item in expr.items])
            case ir.Repeat():
                first, _, goes_on = self.expected.of(expr.item)
                if expr.maximum is None or expr.maximum > 1:
                    here, after = here | first | after | goes_on, after | first
                return ir.repeat(self._written(expr.item, here, after), expr.minimum, expr.maximum)
            case ir.Ref():
                name = self.model.rules.name_of(expr.rule)
                key = (
                    self._variant(name, here, after) if name in self.expected.known else self._cut(name, here)
                )
                return self.rules.reference(key, self.rules.position(0))
        return expr

    def _in_order(self, items: tuple[ir.Expr, ...], here: _Names, after: _Names) -> list[ir.Expr]:
        if not items:
            return []
        facts = [self.expected.of(item) for item in items]
        follows = [after]
        for first, empty, _ in reversed(facts[1:]):
            follows.append(first | (follows[-1] if empty else _NONE))
        follows.reverse()  # follows[i]: what may begin what is behind item i
        written: list[ir.Expr] = []
        for at, (item, follow, (_, empty, goes_on)) in enumerate(zip(items, follows, facts, strict=True)):
            behind = follow | goes_on
            if _is_optional(item) and behind != here and len(items) < MAX_SPLIT:
                # What is behind it stands at another place if it is left out.
                given = self._written(ir.children(item)[0], here, follow)
                rest = ir.concat(*self._in_order(items[at + 1 :], behind, after))
                left_out = ir.concat(*self._in_order(items[at + 1 :], here, after))
                return [*written, ir.Union((ir.concat(given, rest), left_out))]
            written.append(self._written(item, here, follow))
            here = behind | (here if empty else _NONE)
        return written

    def _cut(self, name: str, here: _Names) -> str:
        """A terminal without the members that begin with one of others that end early."""
        terminal = self.terminals.get(name)
        stronger = sorted(here - {name})
        if not stronger or terminal is None or not terminal.regular:
            return name
        key = f"{name} before {', '.join(stronger)}"
        if key not in self.terminals:
            self.terminals[key] = _without(terminal, [self.terminals[other] for other in stronger])
        return key


def _is_optional(expr: ir.Expr) -> bool:
    return isinstance(expr, ir.Repeat) and (expr.minimum, expr.maximum) == (0, 1)


def _without(terminal: Terminal, stronger: list[Terminal]) -> Terminal:
    """The members that begin with no member of others; two that end early may end at the same place."""
    rest = ir.repeat(ir.CharSet(SCALARS), int(terminal.early))
    begun = [ir.Not(ir.concat(other.expr, rest)) for other in stronger if other.regular]
    return replace(terminal, expr=ir.And((terminal.expr, *begun)))
