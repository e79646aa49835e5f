"""Named rules with places: what every front end shares whose grammars people write by hand.

Law: the expression made denotes what the rules say; a name without a rule, two rules of a name and a grammar
without members are refused, with their place; rules that nothing uses or that have no member are noted.
Cost: linear in the rules, references followed once; iterative, so that deep grammars are no trouble.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from gramspec.errors import EmptyLanguageError, GrammarError
from gramspec.grammar import ir
from gramspec.grammar.rule_graph import is_larger, parts, productive, recursive, within

SMALL: Final = 16  # nodes of a rule that is written out wherever it is used
LARGE: Final = 200  # of one that is used once
DEEP: Final = 1000  # nesting at which a rule stays a rule; the core's bound is 3000
_MOST_NAMES: Final = 1000
_LISTED: Final = 6


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the text of a grammar.

    Parameters
    ----------
    text : str
        The whole text.
    offset : int
        Characters before the place.
    file : str
        The file's name, where the text is not the one the user gave (an import).
    """

    text: str
    offset: int
    file: str = ""

    @property
    def line(self) -> int:
        """From 1."""
        return self.text.count("\n", 0, self.offset) + 1

    @property
    def column(self) -> int:
        """From 1, in characters."""
        return self.offset - self.text.rfind("\n", 0, self.offset)

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.file else f"{self.line}:{self.column}"

    def error(self, reason: str, hint: str = "", kind: type[GrammarError] = GrammarError) -> GrammarError:
        """An error of this place, with its line and a caret."""
        return kind(str(self), reason, hint, self.text)


@dataclass(frozen=True, slots=True)
class Note:
    """Something about a rule that is allowed but is seldom meant: nothing uses it, or it has no member."""

    name: str
    position: Position
    reason: str

    def __str__(self) -> str:
        return f"{self.position}: {self.reason}"


@dataclass(slots=True)
class _Entry:
    rule: ir.Rule
    position: Position | None = None  # of the definition
    used: Position | None = None  # the first use


class Rules:
    """The rules of one grammar, in any order: refer, define, then `finish` once.

    Parameters
    ----------
    text : str
        The user's text; `position` makes places in it.
    what : str
        What an error calls one of them: "rule", "terminal".
    """

    def __init__(self, text: str, *, what: str = "rule") -> None:
        self.text = text
        self.what = what
        self.notes: tuple[Note, ...] = ()
        self._entries: dict[str, _Entry] = {}
        self._names: dict[int, str] = {}

    def position(self, offset: int) -> Position:
        """A place in the user's text."""
        return Position(self.text, offset)

    def define(self, name: str, body: ir.Expr, position: Position) -> None:
        """Give a rule its body.

        Raises
        ------
        GrammarError
            If it has one already.
        """
        entry = self._entry(name)
        if entry.position is not None:
            reason = f"{self.what} `{name}` is defined twice, first at {entry.position}"
            raise position.error(reason, "rename one, or write both as alternatives of one")
        entry.position = position
        entry.rule.define(body)

    def reference(self, name: str, position: Position) -> ir.Ref:
        """A use of a rule, defined or not yet."""
        entry = self._entry(name)
        if entry.used is None:
            entry.used = position
        return ir.Ref(entry.rule)

    def defined(self, name: str) -> bool:
        """Whether a rule has its body."""
        return name in self._entries and self._entries[name].position is not None

    def names(self) -> list[str]:
        """The names that have a body, in order of their first mention."""
        return [name for name, entry in self._entries.items() if entry.position is not None]

    def check_names(self, start: str, position: Position | None = None) -> None:
        """Refuse names without a rule, the start among them.

        Parameters
        ----------
        start : str
            Name of the start rule.
        position : Position, optional
            Where the start is named; None: as an argument.

        Raises
        ------
        GrammarError
            At the first use of the first such name.
        """
        missing = [e for e in self._entries.values() if e.position is None and e.used is not None]
        if missing:
            entry = min(missing, key=_used_at)
            assert entry.used is not None
            raise entry.used.error(
                f"{self.what} `{entry.rule.name}` is used but not defined", self.suggestion(entry.rule.name)
            )
        if not self.defined(start):
            place = position if position is not None else self.position(0)
            raise place.error(f"the start {self.what} `{start}` is not defined", self.suggestion(start))

    def suggestion(self, name: str) -> str:
        """A hint for a name that has no rule: the name meant, perhaps."""
        return near(name, self.names(), self.what)

    def refuse_recursion(self, names: Iterable[str], hint: str = "") -> None:
        """Refuse rules, out of the given ones, that use themselves, as terminals of some dialects may not.

        Raises
        ------
        GrammarError
            At the definition of the first that does.
        """
        among = set(names)
        uses = {
            name: [used for used in self.uses(self.body(name)) if used in among and self.defined(used)]
            for name in among
            if self.defined(name)
        }
        groups = recursive(uses)
        for name in self.names():
            group = groups.get(name)
            if group is not None:
                around = "" if len(group) == 1 else f" by way of {_listed(sorted(group - {name}))}"
                raise self.place(name).error(f"{self.what} `{name}` uses itself{around}", hint)

    def uses(self, body: ir.Expr) -> Iterator[str]:
        """The names that a body refers to, each node's once."""
        for node in within(body):
            if isinstance(node, ir.Ref) and id(node.rule) in self._names:
                yield self._names[id(node.rule)]

    def finish(self, start: str, position: Position | None = None) -> ir.Expr:
        """The language of the start rule; fills `notes`.

        Rules without recursion are written out where that is no larger, and are calls of regular
        expressions otherwise, so that a grammar without recursion is a regular expression.

        Parameters
        ----------
        start : str
            Name of the start rule.
        position : Position, optional
            Where the start is named; None: as an argument.

        Raises
        ------
        GrammarError
            For names without a rule.
        EmptyLanguageError
            If the start has no member.
        """
        self.check_names(start, position)
        reached = self._reached(start)
        alive = productive([self.body(name) for name in self._entries if self.defined(name)])
        barren = [name for name in reached if id(self.body(name)) not in alive]
        if start in barren:
            raise self.place(start).error(*self._why_empty(start, set(barren)), EmptyLanguageError)
        notes = [self._note(name, f"{self.what} `{name}` has no member: it never ends") for name in barren]
        unused = [name for name in self.names() if name not in reached]
        notes += [self._note(name, f"{self.what} `{name}` is not used from `{start}`") for name in unused]
        self.notes = tuple(sorted(notes, key=lambda note: (note.position.file, note.position.offset)))
        return _Writer(self, reached, set(barren)).write(start)

    def body(self, name: str) -> ir.Expr:
        """The body of a rule that is defined."""
        body = self._entries[name].rule.body
        assert body is not None
        return body

    def name_of(self, rule: ir.Rule) -> str:
        """The name of the rule that a reference leads to."""
        return self._names[id(rule)]

    def place(self, name: str) -> Position:
        """Where a rule is defined."""
        position = self._entries[name].position
        assert position is not None
        return position

    def _entry(self, name: str) -> _Entry:
        entry = self._entries.get(name)
        if entry is None:
            entry = self._entries[name] = _Entry(ir.Rule(name))
            self._names[id(entry.rule)] = name
        return entry

    def _note(self, name: str, reason: str) -> Note:
        return Note(name, self.place(name), reason)

    def _reached(self, start: str) -> dict[str, list[str]]:
        """The rules that a rule leads to, itself first, each with what its body uses."""
        found: dict[str, list[str]] = {}
        todo = [start]
        while todo:
            name = todo.pop()
            if name not in found:
                found[name] = list(self.uses(self.body(name)))
                todo.extend(reversed(found[name]))
        return found

    def _why_empty(self, start: str, barren: set[str]) -> tuple[str, str]:
        """Reason and hint: rules on the way from the start that need each other, or what matches nothing."""
        path: list[str] = []
        name: str | None = start
        while name is not None and name not in path:
            path.append(name)
            name = next((used for used in self.uses(self.body(name)) if used in barren), None)
        if name is None:
            return f"{self.what} `{start}` has no member: `{path[-1]}` matches nothing", ""
        cycle = path[path.index(name) :]
        needs = (
            "needs itself"
            if len(cycle) == 1
            else f"needs {_listed(cycle[1:])}, which need `{cycle[0]}` again"
        )
        return (
            f"{self.what} `{start}` has no member: `{cycle[0]}` {needs}",
            f"give one of them an alternative without {'it' if len(cycle) == 1 else 'the others'}",
        )


def near(name: str, names: list[str], what: str) -> str:
    """A hint for a name that is not among the given ones: the name meant, perhaps.

    Parameters
    ----------
    name : str
        The name.
    names : list of str
        Those there are.
    what : str
        What one of them is called.
    """
    close = difflib.get_close_matches(name[:60], [n for n in names[:_MOST_NAMES] if len(n) <= 60], n=1)
    if close:
        return f"did you mean `{close[0]}`?"
    if not names:
        return f"the grammar defines no {what}"
    listed = ", ".join(f"`{n}`" for n in names[:_LISTED])
    return f"defined are {listed}{' and others' if len(names) > _LISTED else ''}"


class _Writer:
    """Makes the expression of the rules: those without recursion written out or called, the others rules."""

    def __init__(self, rules: Rules, reached: dict[str, list[str]], barren: set[str]) -> None:
        self.rules = rules
        self.recursive = recursive(reached)
        self.barren = barren
        self.reached = reached
        self.counts: dict[str, int] = {}
        for used in reached.values():
            for name in used:
                self.counts[name] = self.counts.get(name, 0) + 1
        self.irregular: set[str] = set(self.recursive)
        self.made: dict[str, ir.Expr] = {}
        self.fresh: dict[str, ir.Rule] = {}
        self.depths: dict[int, int] = {}  # of nodes, which the expressions made keep alive

    def write(self, start: str) -> ir.Expr:
        for name in self._callees_first():
            if name in self.barren:
                self.made[name] = ir.EMPTY
            elif name in self.recursive:
                self.made[name] = ir.Ref(self._fresh(name))
            else:
                if not self._is_regular(name):
                    self.irregular.add(name)
                self.made[name] = self._use(name, self._rebuilt(self.rules.body(name)))
        for name in self.reached:
            if name in self.recursive and name not in self.barren:
                self._fresh(name).define(self._rebuilt(self.rules.body(name)))
        if start in self.recursive:
            return self.made[start]
        return self._rebuilt(self.rules.body(start))

    def _is_regular(self, name: str) -> bool:
        """Whether a rule without recursion is regular, given those it uses."""
        if not self.irregular.isdisjoint(self.reached[name]):
            return False
        nodes = within(self.rules.body(name))
        mine = self.rules._names
        return not any(
            isinstance(node, ir.TokenEdge | ir.TokenSet | ir.JsonObject)
            or (isinstance(node, ir.Ref) and id(node.rule) not in mine)
            for node in nodes
        )

    def _use(self, name: str, body: ir.Expr) -> ir.Expr:
        """What stands for a rule without recursion where it is used."""
        if self._depth(body) > DEEP:
            self.irregular.add(name)  # a call of a rule ends the nesting
        elif not is_larger(body, LARGE if self.counts.get(name, 0) <= 1 else SMALL):
            return body
        if name not in self.irregular:
            return ir.Call(body)
        rule = self._fresh(name)
        rule.define(body)
        return ir.Ref(rule)

    def _depth(self, root: ir.Expr) -> int:
        """How deep an expression is nested, references not followed."""
        stack = [(root, False)]
        while stack:
            node, ready = stack.pop()
            if id(node) in self.depths:
                continue
            below = parts(node)
            if ready or not below:
                self.depths[id(node)] = 1 + max((self.depths[id(part)] for part in below), default=0)
            else:
                stack.append((node, True))
                stack.extend((part, False) for part in below)
        return self.depths[id(root)]

    def _fresh(self, name: str) -> ir.Rule:
        if name not in self.fresh:
            self.fresh[name] = ir.Rule(name)
        return self.fresh[name]

    def _callees_first(self) -> list[str]:
        """The names so that a rule without recursion comes after those it uses."""
        order: dict[str, None] = {}
        open_: set[str] = set()
        for first in self.reached:
            stack = [(first, iter(self.reached[first]))]
            while stack:
                name, rest = stack[-1]
                open_.add(name)
                used = next((u for u in rest if u not in order and u not in open_), None)
                if used is not None:
                    stack.append((used, iter(self.reached[used])))
                else:
                    stack.pop()
                    order[name] = None
        return list(order)

    def _rebuilt(self, root: ir.Expr) -> ir.Expr:
        done: dict[int, ir.Expr] = {}
        stack: list[tuple[ir.Expr, bool]] = [(root, False)]
        while stack:
            node, ready = stack.pop()
            if id(node) in done:
                continue
            if isinstance(node, ir.Ref):
                name = self.rules._names.get(id(node.rule))
                done[id(node)] = node if name is None else self.made[name]
                continue
            inner = parts(node)
            if inner and not ready:
                stack.append((node, True))
                stack.extend((part, False) for part in inner)
            else:
                done[id(node)] = _replaced(node, tuple([done[id(part)] for part in inner]))
        return done[id(root)]


def _replaced(node: ir.Expr, new: tuple[ir.Expr, ...]) -> ir.Expr:
    if all(one is other for one, other in zip(parts(node), new, strict=True)):
        return node
    match node:
        case ir.Concat():
            return ir.concat(*new)
        case ir.Union():
            return ir.union(*new)
        case ir.And():
            return ir.EMPTY if any(isinstance(part, ir.Empty) for part in new) else ir.And(new)
        case ir.Not():
            return ir.Not(new[0])
        case ir.Call():
            return ir.EMPTY if isinstance(new[0], ir.Empty) else ir.Call(new[0])
        case ir.Repeat():
            if isinstance(new[0], ir.Empty):
                return ir.EMPTY if node.minimum else ir.EPSILON
            return ir.repeat(new[0], node.minimum, node.maximum)
    return node


def _used_at(entry: _Entry) -> tuple[str, int]:
    assert entry.used is not None
    return entry.used.file, entry.used.offset


def _listed(names: list[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:_LISTED])
    return f"{shown} and others" if len(names) > _LISTED else shown
