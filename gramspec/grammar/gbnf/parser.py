"""From tokens to the rules: alternatives, groups, repetitions, references.

Law: every construct gets its meaning or is refused with its place; nesting needs no call stack.
Cost: linear in the text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final, NoReturn

from gramspec.errors import UnsupportedError
from gramspec.grammar import ir
from gramspec.grammar.encoding import utf8_ranges
from gramspec.grammar.gbnf import macros
from gramspec.grammar.gbnf.escapes import Characters, Dialect
from gramspec.grammar.gbnf.lexer import Token, tokens
from gramspec.grammar.gbnf.options import Options, read_options
from gramspec.grammar.ranges import SCALARS
from gramspec.grammar.rules import Position, Rules

MAX_NESTING: Final = 1000
MAX_COUNT: Final = 10**15
_BYTES: Final = tuple(ir.ByteSet(1 << byte) for byte in range(256))  # shared: long literals are few nodes
_BOUNDS: Final = {"*": (0, None), "+": (1, None), "?": (0, 1)}
_COMMENT: Final = re.compile(r"#[^\r\n]*")
_NUMBER: Final = re.compile("(-?)([0-9]+)")
_PIECE: Final = re.compile(r"\.|[^.]+")


@dataclass(slots=True)
class _Group:
    """A group that is open (or a rule's body): finished alternatives and the current one."""

    token: Token
    alternatives: list[ir.Expr] = field(default_factory=list)
    sequence: list[ir.Expr] = field(default_factory=list)
    wraps: int = 0  # repetitions around the last item

    def next_alternative(self) -> None:
        self.alternatives.append(ir.concat(*self.sequence))
        self.sequence = []
        self.wraps = -1

    def close(self) -> ir.Expr:
        self.next_alternative()
        return ir.union(*self.alternatives)


class Parser:
    """Reads one grammar.

    Parameters
    ----------
    text : str
        The rules.
    dialect : {"llama.cpp", "xgrammar"}
        As `gbnf` takes it.
    """

    def __init__(self, text: str, dialect: Dialect) -> None:
        self.text = text
        self.rules = Rules(text)
        self.tokens = tokens(text)
        self.at = 0
        self.defined = {token.text for token in self.tokens if token.kind == "definition"}
        self.characters = Characters(text, dialect)
        self.leaves: dict[str, ir.Expr] = {}
        self.bodies: dict[str, ir.Expr] = {}
        self.lazy: list[Token] = []

    def run(self, start: str) -> ir.Expr:
        """The language of the start rule."""
        while self.here.kind != "end":
            self.rule()
        self.rules.check_names(start)
        for name in self.lazy:
            self.check_lazy(name)
        return self.rules.finish(start)

    # -- the text ---------------------------------------------------------------------------

    @property
    def here(self) -> Token:
        """The token that is next."""
        return self.tokens[self.at]

    def take(self) -> Token:
        """The next token; moves past it."""
        token = self.tokens[self.at]
        self.at += 1
        return token

    def position(self, token: Token) -> Position:
        """Where a token stands."""
        return Position(self.text, token.offset)

    def fail(self, token: Token, reason: str, hint: str = "") -> NoReturn:
        """Refuse a token."""
        raise self.position(token).error(reason, hint)

    def refuse(self, token: Token, reason: str, hint: str = "") -> NoReturn:
        """Refuse a construct that is understood."""
        raise self.position(token).error(reason, hint, UnsupportedError)

    # -- rules ------------------------------------------------------------------------------

    def rule(self) -> None:
        """Read one rule."""
        name = self.take()
        if name.kind != "definition":
            self.fail(name, f"expected a rule, found {_shown(name)}", "a grammar is rules `name ::= ...`")
        options = read_options(self.take(), self.text) if self.here.kind == "options" else Options()
        self.take()  # ::=
        body = self.body(name)
        if options.lazy:
            self.lazy.append(name)
            longer = ir.concat(body, ir.repeat(ir.ANY_BYTE, 1, None))
            body = ir.And((body, ir.Not(longer)))
        self.rules.define(name.text, body, self.position(name))
        self.bodies[name.text] = body

    def body(self, name: Token) -> ir.Expr:
        """The alternatives of a rule, up to the next rule."""
        stack = [_Group(name, wraps=-1)]
        while True:
            token = self.take()
            group = stack[-1]
            match token.kind:
                case "(":
                    if len(stack) > MAX_NESTING:
                        self.fail(token, f"groups nested more than {MAX_NESTING} deep", "name a part of them")
                    stack.append(_Group(token, wraps=-1))
                case ")":
                    if len(stack) == 1:
                        self.fail(token, "unmatched `)`", 'write ")" for the character itself')
                    if stack[-1].token.kind == "look":
                        self.after_look_ahead(stack)
                        return stack[0].close()
                    item = stack.pop().close()
                    stack[-1].sequence.append(item)
                    stack[-1].wraps = 0
                case "|":
                    group.next_alternative()
                case "*" | "+" | "?" | "range":
                    self.quantify(group, token)
                case "look":
                    if len(stack) > 1:
                        self.misplaced_look_ahead(token)
                    stack.append(_Group(token, wraps=-1))
                case "definition" | "end":
                    if len(stack) > 1:
                        self.fail(stack[-1].token, "this group is not closed", "add `)`")
                    self.at -= 1
                    return group.close()
                case "literal" | "class" | "name" | "edge":
                    group.sequence.extend(self.items(token))
                    group.wraps = 0
                case _:
                    self.fail(token, f"unexpected {_shown(token)}", "alternatives are separated by `|`")

    def after_look_ahead(self, stack: list[_Group]) -> None:
        """Drop a look-ahead assertion, which says nothing about the language, once it is read."""
        look = stack.pop()
        if self.here.kind not in ("definition", "end"):
            self.misplaced_look_ahead(look.token)

    def misplaced_look_ahead(self, token: Token) -> NoReturn:
        """Refuse a look-ahead assertion that is not the last item of a rule."""
        self.fail(
            token,
            "a look-ahead assertion stands at the end of a rule",
            "it is a note of what follows the rule and restricts nothing; take it out",
        )

    def quantify(self, group: _Group, token: Token) -> None:
        """Repeat the last item of a group."""
        if group.wraps < 0:
            self.fail(token, "nothing to repeat", f'write "{token.text[0]}" for the character itself')
        group.wraps += 1
        if group.wraps > MAX_NESTING:
            self.fail(
                token, f"an item is repeated more than {MAX_NESTING} times over", "take repetitions out"
            )
        if token.kind != "range":
            minimum, maximum = _BOUNDS[token.kind]
        else:
            minimum, maximum = self.bounds(token)
        group.sequence[-1] = _repeated(group.sequence[-1], minimum, maximum)

    def bounds(self, token: Token) -> tuple[int, int | None]:
        """The bounds of ``{m,n}``."""
        text = _COMMENT.sub("", token.text)
        numbers: list[int | None] = []
        for sign, written in _NUMBER.findall(text):
            digits = written.lstrip("0") or "0"
            if len(digits) > len(str(MAX_COUNT)) or int(digits) > MAX_COUNT:
                self.fail(token, "this number of repetitions is too large", f"the largest is {MAX_COUNT}")
            if sign and (digits != "1" or not numbers):
                self.fail(token, "a negative number of repetitions", "only {m, -1} is known, for {m,}")
            numbers.append(None if sign else int(digits))
        minimum = numbers[0]
        assert minimum is not None
        if "," not in text:
            return minimum, minimum
        maximum = numbers[1] if len(numbers) > 1 else None
        if maximum is None:
            return minimum, None
        if maximum < minimum:
            self.fail(token, f"the bounds cross: {minimum} > {maximum}", "write {smaller,larger}")
        return minimum, maximum

    # -- items ------------------------------------------------------------------------------

    def items(self, token: Token) -> list[ir.Expr]:
        """What a token stands for; several items where a name holds dots."""
        if token.kind == "edge":
            return [self.edge(token)]
        if token.kind == "name":
            return self.name(token)
        found = self.leaves.get(token.text)
        if found is None:
            if token.kind == "literal":
                spelling = self.characters.literal(token.offset, token.end).encode("utf-8")
                found = ir.concat(*(_BYTES[byte] for byte in spelling))
            else:
                ranges = self.characters.character_class(token.offset, token.end)
                found = utf8_ranges(ranges) if ranges else ir.EMPTY
            self.leaves[token.text] = found
        return [found]

    def name(self, token: Token) -> list[ir.Expr]:
        """A rule, a macro, or rules and any characters (dots) in a row."""
        if token.text in self.defined:
            return [self.rules.reference(token.text, self.position(token))]
        if token.text in macros.NAMES:
            return [macros.meaning(self, token)]
        found: list[ir.Expr] = []
        for piece in _PIECE.finditer(token.text):
            if piece[0] == ".":
                found.append(utf8_ranges(SCALARS))
            else:
                place = Position(self.text, token.offset + piece.start())
                found.append(self.rules.reference(piece[0], place))
        return found

    def edge(self, token: Token) -> ir.Expr:
        """One token of the vocabulary, or any but one."""
        negated = token.text[0] == "!"
        text = token.text.removeprefix("!")
        named = text if text[1] != "[" else macros.token_id(self, token, text[2:-2])
        return ir.TokenSet((named,), negated=True) if negated else ir.TokenEdge(named)

    def check_lazy(self, name: Token) -> None:
        """Refuse a lazy rule that is not regular: its shortest matches are no expression."""
        reached: dict[str, None] = {}
        todo = [name.text]
        while todo:
            rule = todo.pop()
            if rule not in reached:
                reached[rule] = None
                todo.extend(self.rules.uses(self.bodies[rule]))
        self.rules.refuse_recursion(reached, f"the rule `{name.text}` is lazy: its body must be regular")
        for rule in reached:
            if any(isinstance(node, ir.TokenEdge | ir.TokenSet) for node in ir.walk(self.bodies[rule])):
                self.refuse(name, f"the lazy rule `{name.text}` names a token", "lazy rules match characters")


def _repeated(item: ir.Expr, minimum: int, maximum: int | None) -> ir.Expr:
    """A repetition; of `*`, `+` and `?` on one another only one is left."""
    if isinstance(item, ir.Epsilon):
        return item
    if isinstance(item, ir.Empty):
        return ir.EMPTY if minimum else ir.EPSILON
    if isinstance(item, ir.Repeat) and item.minimum <= 1 and minimum <= 1:
        least = item.minimum * minimum
        if item.maximum is None and maximum != 0:
            return ir.repeat(item.item, least, None)
        if item.maximum == 1 and maximum in (None, 1):
            return ir.repeat(item.item, least, maximum)
    return ir.repeat(item, minimum, maximum)


def _shown(token: Token) -> str:
    if token.kind == "end":
        return "the end of the text"
    text = token.text if len(token.text) <= 40 else token.text[:37] + "..."
    return f"`{text}`"
