"""A Lark grammar with its names resolved: rules over rules and terminals, before a lexer's meaning is chosen.

Law: templates are written out, aliases and modifiers are gone; nothing else of the grammar is.
Cost: each rule, instance of a template and terminal that the start leads to is translated once.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any, Final

from gramspec.errors import GrammarError
from gramspec.grammar import ir
from gramspec.grammar.encoding import utf8
from gramspec.grammar.lark import extensions
from gramspec.grammar.lark.modules import Definition, Scope, check_template
from gramspec.grammar.lark.repetitions import bounds
from gramspec.grammar.lark.terminals import (
    MAX_NESTING,
    Terminal,
    Terminals,
    check_declared,
    first_token,
)
from gramspec.grammar.lark.trees import Token
from gramspec.grammar.regex import parse_regex
from gramspec.grammar.rule_graph import recursive
from gramspec.grammar.rules import Position, Rules

MAX_INSTANCES: Final = 5000
_MAX_NAME: Final = 2000


@dataclass(frozen=True, slots=True)
class Model:
    """The grammar.

    Parameters
    ----------
    rules : Rules
        The bodies of the rules, over references to rules and terminals; terminals are not defined in it.
    terminals : dict
        Those that rules use or that are ignored, by the name of their reference.
    ignored : tuple of str
        Names of terminals that may stand around every terminal.
    start : str
    initial_gap : bool
        Whether ignored text may stand before the first terminal.
    """

    rules: Rules
    terminals: dict[str, Terminal]
    ignored: tuple[str, ...]
    start: str
    initial_gap: bool = True


@dataclass(frozen=True, slots=True)
class _Symbol:
    """What a name or a literal in a rule means: a name in the rules, and whose it is."""

    key: str
    definition: Definition | None = None  # None: a literal, or an instance of a template


@dataclass(frozen=True, slots=True)
class _Job:
    key: str
    definition: Definition
    arguments: dict[str, _Symbol]


class Translator:
    """Translates what the start leads to.

    Parameters
    ----------
    scope : Scope
        The user's own text.
    ordered : bool
        As in `Terminals`.
    """

    def __init__(self, scope: Scope, *, ordered: bool) -> None:
        self.scope = scope
        self.rules = Rules(scope.source.text)
        self.terminals: dict[str, Terminal] = {}
        self.makers = Terminals(self, ordered=ordered)
        self._keys: dict[int, str] = {}
        self._taken: set[str] = set()
        self._jobs: deque[_Job] = deque()
        self._instances: set[str] = set()

    def model(self, start: str) -> Model:
        """The grammar from a start rule."""
        _check_names(self.scope)
        found = self.scope.names.get(start)
        if found is None:
            reason = f"the start rule `{start}` is not defined"
            raise self.scope.source.position(0).error(reason, self.scope.suggest(start))
        if found.params:
            raise found.position.error(f"template `{start}` cannot be the start: it has parameters")
        check_declared(found, found.position)
        first = self._symbol(found).key
        while self._jobs:
            self._define(self._jobs.popleft())
        ignored = tuple(dict.fromkeys(self._ignored(tree) for tree in self.scope.ignored))
        return Model(self.rules, self.terminals, ignored, first, self.scope.initial_gap)

    # What atoms and attributes may ask for.

    def terminal(self, name: str, position: Position) -> ir.Expr:
        """The language of a named terminal, over `CharSet` leaves."""
        found = self.scope.names.get(name)
        if found is None or not found.is_terminal:
            reason = f"terminal `{name}` is used but not defined"
            raise position.error(reason, self.scope.suggest(name))
        check_declared(found, position)
        return self.makers.expression(found)

    def pattern(self, pattern: str, position: Position) -> ir.Expr:
        """The language of a regular expression in Python's syntax, over `CharSet` leaves."""
        try:
            return parse_regex(pattern)
        except GrammarError as error:
            raise position.error(error.reason, error.hint, type(error)) from None

    def grammar(self, text: str, position: Position) -> ir.Expr:
        """The language of a nested grammar, over bytes."""
        from gramspec.grammar.lark import lark

        try:
            return lark(text).expr
        except GrammarError as error:
            reason = f"in the nested grammar, at {error.pointer}: {error.reason}"
            raise position.error(reason, error.hint, type(error)) from None

    # Names.

    def _key(self, definition: Definition) -> str:
        key = self._keys.get(id(definition))
        if key is None:
            key = definition.name
            while key in self._taken:
                key += "'"
            self._taken.add(key)
            self._keys[id(definition)] = key
        return key

    def _symbol(self, definition: Definition) -> _Symbol:
        """The symbol of a definition, which will be translated."""
        key = self._key(definition)
        if definition.is_terminal:
            if key not in self.terminals:
                self.terminals[key] = self.makers.named(definition)
        elif not definition.params and key not in self._instances:
            self._instances.add(key)
            self._jobs.append(_Job(key, definition, {}))
        return _Symbol(key, definition)

    def _of_token(self, token: Token, scope: Scope, arguments: dict[str, _Symbol]) -> _Symbol:
        if token.type == "RULE" and token.value in arguments:
            return arguments[token.value]
        found = scope.find(token)
        check_declared(found, scope.place(token))
        return self._symbol(found)

    def _instance(self, tree: Any, scope: Scope, arguments: dict[str, _Symbol], depth: int) -> _Symbol:
        """The rule that a use of a template stands for."""
        token = tree.children[0].children[0]
        template = self._of_token(token, scope, arguments).definition
        given = [self._value(child, scope, arguments, depth + 1) for child in tree.children[1:]]
        if template is None or not template.params:
            raise scope.place(token).error(
                f"`{token.value}` is no template, so it takes no arguments in braces"
            )
        if len(given) != len(template.params):
            count = len(template.params)
            raise scope.place(token).error(
                f"template `{token.value}` takes {count} argument{'s' if count > 1 else ''}, not {len(given)}"
            )
        key = f"{self._key(template)}{{{','.join(symbol.key for symbol in given)}}}"
        if key not in self._instances:
            if len(self._instances) > MAX_INSTANCES or len(key) > _MAX_NAME:
                raise scope.place(token).error(
                    f"template `{token.value}` is used with ever new arguments: more than {MAX_INSTANCES:,}"
                    f" rules, or a rule whose name has more than {_MAX_NAME:,} characters",
                    "a template that uses itself must do so with the same arguments in the end",
                )
            self._instances.add(key)
            self._jobs.append(_Job(key, template, dict(zip(template.params, given, strict=True))))
        return _Symbol(key)

    # Bodies.

    def _define(self, job: _Job) -> None:
        definition = job.definition
        check_template(definition)
        if definition.attributes is not None and definition.attributes.lexeme:
            body = self.makers.expression(definition)
            expr = extensions.lexeme(definition.attributes, body, self)
            self.terminals[job.key] = Terminal(job.key, expr, definition.position, early=expr is not body)
            return
        bodies = [self._body(tree, scope, job.arguments, 0) for tree, scope in definition.bodies]
        self.rules.define(job.key, ir.union(*bodies), definition.position)

    def _body(self, tree: Any, scope: Scope, arguments: dict[str, _Symbol], depth: int) -> ir.Expr:
        if depth > MAX_NESTING:
            reason = f"groups nested more than {MAX_NESTING} deep"
            raise scope.source.position(first_token(tree, 0)).error(reason, "make rules of some of them")
        match tree.data:
            case "expansions":
                return ir.union(*[self._body(part, scope, arguments, depth + 1) for part in tree.children])
            case "expansion":
                return ir.concat(*[self._body(part, scope, arguments, depth + 1) for part in tree.children])
            case "alias":
                return self._body(tree.children[0], scope, arguments, depth)
            case "maybe":
                return ir.optional(self._body(tree.children[0], scope, arguments, depth + 1))
            case "expr":
                least, most = bounds(tree, scope)
                return ir.repeat(self._body(tree.children[0], scope, arguments, depth + 1), least, most)
        symbol = self._value(tree, scope, arguments, depth)
        if symbol.definition is not None and symbol.definition.params:
            token = first_token(tree, 0)
            raise scope.source.position(token).error(
                f"template `{symbol.key}` is used without arguments",
                f"write {symbol.key}{{…}} with {len(symbol.definition.params)} of them",
            )
        return self.rules.reference(symbol.key, scope.source.position(first_token(tree, 0)))

    def _value(self, tree: Any, scope: Scope, arguments: dict[str, _Symbol], depth: int) -> _Symbol:
        if depth > MAX_NESTING:
            reason = f"arguments nested more than {MAX_NESTING} deep"
            raise scope.source.position(first_token(tree, 0)).error(reason)
        child = tree.children[0]
        match child.data:
            case "literal":
                return self._anonymous(self.makers.literal(child.children[0], scope))
            case "range":
                return self._anonymous(self.makers.range(child.children[0], child.children[1], scope))
            case "template_usage":
                return self._instance(child, scope, arguments, depth)
        return self._of_token(child.children[0], scope, arguments)

    def _anonymous(self, terminal: Terminal) -> _Symbol:
        self.terminals.setdefault(terminal.name, terminal)
        return _Symbol(terminal.name)

    def _ignored(self, tree: Any) -> str:
        parts = tree.children
        if len(parts) == 1 and parts[0].data == "expansion" and len(parts[0].children) == 1:
            value = parts[0].children[0]
            if value.data == "value" and value.children[0].data == "terminal":
                return self._of_token(value.children[0].children[0], self.scope, {}).key
        place = self.scope.source.position(first_token(tree, 0))
        name = f"%ignore at {place}"
        self.terminals[name] = self.makers.tree(tree, self.scope, name)
        return name


def lowered(terminal: Terminal) -> ir.Expr:
    """The language of a terminal over bytes."""
    return utf8(terminal.expr) if terminal.regular else terminal.expr


def _check_names(scope: Scope) -> None:
    """Refuse names without a definition in the user's own text, used or not, and recursive terminals."""
    uses: dict[str, list[str]] = {}
    for name, definition in scope.names.items():
        found: list[str] = []
        for tree, inside in definition.bodies:
            if inside is scope:
                found += _names_of(tree, scope, definition)
        if definition.is_terminal:
            uses[name] = [used for used in found if used in scope.names]
        elif definition.params:
            check_template(definition)
    groups = recursive(uses)
    for name in uses:
        if name in groups:
            around = sorted(groups[name] - {name})
            way = f" by way of {', '.join(f'`{other}`' for other in around[:6])}" if around else ""
            reason = f"terminal `{name}` uses itself{way}"
            raise scope.names[name].position.error(
                reason, "only rules may be recursive; make it one (lower case)"
            )
    for tree in scope.ignored:
        _names_of(tree, scope, None)


def _names_of(root: Any, scope: Scope, definition: Definition | None) -> list[str]:
    """The names in a body, each defined; without those of aliases and parameters."""
    found: list[str] = []
    stack = [root]
    while stack:
        tree = stack.pop()
        if tree.data == "alias":
            stack.append(tree.children[0])
        elif tree.data in ("terminal", "nonterminal"):
            token = tree.children[0]
            if definition is not None and token.value in definition.params:
                continue
            if token.type == "RULE" and (definition is None or definition.is_terminal):
                known = scope.names.get(token.value)
                if known is not None:
                    raise scope.place(token).error(
                        f"rule `{token.value}` stands in a terminal",
                        "only terminals (upper case) may stand in terminals",
                    )
            scope.find(token)
            found.append(token.value)
        else:
            stack.extend(child for child in tree.children if hasattr(child, "data"))
    return found
