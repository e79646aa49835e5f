"""Terminals: from Lark's trees to the languages they denote.

Law: a terminal denotes every text that Lark's pattern for it matches as a whole, whatever its quantifiers and
alternatives prefer; under "dynamic_complete", the texts that Lark's Earley parser finds. Pieces are joined to
one pattern as Lark joins them, so that a look-behind sees the piece before it.
Cost: linear in the patterns written out; what would be too long to write out is composed piece by piece.
Source: `lark.load_grammar.TerminalTreeToPattern`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from gramspec.errors import GrammarError, UnsupportedError
from gramspec.grammar import ir
from gramspec.grammar.lark import edges
from gramspec.grammar.lark.hooks import Context
from gramspec.grammar.lark.modules import Definition, Scope
from gramspec.grammar.lark.patterns import (
    Piece,
    Written,
    as_lark_orders,
    first_found,
    pattern_of,
    range_of,
    together,
)
from gramspec.grammar.lark.repetitions import bounds
from gramspec.grammar.lark.trees import Token, Tree
from gramspec.grammar.regex import python
from gramspec.grammar.regex.language import language
from gramspec.grammar.regex.tree import lengths
from gramspec.grammar.rules import Position

MAX_NESTING: Final = 100


@dataclass(frozen=True, slots=True)
class Terminal:
    """A terminal that the rules use.

    Parameters
    ----------
    name : str
        That of its definition, or the literal as written.
    expr : ir.Expr
        Its language: over `CharSet` leaves if `regular`, else over bytes, rules and token edges.
    position : Position
        Of its definition, or of the literal's first use.
    pattern : str
        Its regular expression as Lark writes it; empty if Lark has none.
    priority : int
    kind : str
        "string" or "regexp" for what is one literal; "other".
    regular : bool
    early : bool
        Whether it ends at the first text that belongs to it, and so does what stands in its place.
    """

    name: str
    expr: ir.Expr
    position: Position
    pattern: str = ""
    priority: int = 0
    kind: str = "other"
    regular: bool = True
    early: bool = False


class Terminals:
    """Makes the languages of terminals, each once.

    Parameters
    ----------
    ordered : bool
        Whether a terminal denotes what a match finds first, as in Lark's Earley parser.
    """

    def __init__(self, context: Context, *, ordered: bool) -> None:
        self.context = context
        self.ordered = ordered
        self._pieces: dict[int, Piece] = {}
        self._open: list[Definition] = []

    def named(self, definition: Definition) -> Terminal:
        """The terminal of a definition."""
        piece = self._piece_of(definition)
        position = definition.position
        kind = "string" if isinstance(piece, Written) and piece.is_string else "other"
        expr, pattern = self._language(piece, f"`{definition.name}`", position, _is_library(definition))
        return Terminal(definition.name, expr, position, pattern, definition.priority, kind)

    def literal(self, token: Token, scope: Scope) -> Terminal:
        """The terminal of a literal that stands in a rule, or of an atom."""
        position = scope.place(token)
        atom = scope.source.atom(token.value)
        if atom is not None:
            expr = atom.make(self.context)
            return Terminal(f"{token.value}@{position}", expr, atom.position, regular=atom.regular)
        pattern = pattern_of(token, position)
        expr, text = self._language(pattern, f"`{token.value}`", position)
        kind = "string" if token.type == "STRING" else "regexp"
        return Terminal(token.value, expr, position, text, 0, kind)

    def range(self, start: Token, end: Token, scope: Scope) -> Terminal:
        """The terminal of a range of characters."""
        pattern = range_of(start, end, scope)
        name = f"{start.value}..{end.value}"
        expr, text = self._language(pattern, f"`{name}`", scope.place(start))
        return Terminal(name, expr, scope.place(start), text)

    def tree(self, tree: Tree, scope: Scope, name: str) -> Terminal:
        """The terminal of alternatives that have no name: what `%ignore` is followed by."""
        position = scope.source.position(first_token(tree, 0))
        expr, pattern = self._language(self._piece(tree, scope, 0), name, position)
        return Terminal(name, expr, position, pattern)

    def expression(self, definition: Definition) -> ir.Expr:
        """The whole language of a definition, over `CharSet` leaves."""
        return self._composed(self._piece_of(definition), definition.position)

    def _language(
        self, piece: Piece, name: str, position: Position, library: bool = False
    ) -> tuple[ir.Expr, str]:
        if not isinstance(piece, Written):
            if self.ordered:
                reason = f"terminal {name} has no pattern of Lark's, or too long a one, for dynamic_complete"
                raise position.error(reason, 'use lexer="scannerless"', UnsupportedError)
            return piece, ""
        text = piece.regexp
        if piece.is_string and text == re.escape(piece.value):
            return ir.concat(*(ir.CharSet(((ord(char), ord(char)),)) for char in piece.value)), text
        root = _parsed(text, name, position)
        if not library:
            edges.check(root, name, position)
        if self.ordered and not piece.is_string:
            if lengths(root)[0] == 0:
                reason = f"terminal {name} matches the empty text, which Lark refuses"
                raise position.error(reason, "let the rules say what may be left out", UnsupportedError)
            text = first_found(text)
            root = _parsed(text, name, position)
        return _guarded(lambda: language(root, text, search=False), name, position), piece.regexp

    def _composed(self, piece: Piece, position: Position) -> ir.Expr:
        if not isinstance(piece, Written):
            return piece
        return self._language(piece, "piece", position)[0]

    def _part(self, piece: Piece, position: Position) -> ir.Expr:
        """A piece inside one that is composed: shared as it is, however often it is used."""
        expr = self._composed(piece, position)
        return ir.Call(expr) if isinstance(expr, ir.Concat | ir.Union) else expr

    def _piece_of(self, definition: Definition) -> Piece:
        known = self._pieces.get(id(definition))
        if known is not None:
            return known
        if definition in self._open:
            around = self._open[self._open.index(definition) + 1 :]
            way = f" by way of {', '.join(f'`{d.name}`' for d in around)}" if around else ""
            reason = f"terminal `{definition.name}` uses itself{way}"
            raise definition.position.error(reason, "only rules may be recursive; make it one (lower case)")
        if len(self._open) >= MAX_NESTING:
            reason = f"terminals used in terminals more than {MAX_NESTING} deep"
            raise definition.position.error(reason, "write some of them out, or make them rules")
        self._open.append(definition)
        pieces: list[Piece] = []
        for body, scope in definition.bodies:
            if len(body.children) == 1 and not body.children[0].children:
                raise definition.position.error(f"terminal `{definition.name}` is empty")
            pieces.append(self._piece(body, scope, 0))
        self._open.pop()
        piece = self._either(pieces, definition.position)
        if _is_library(definition) and isinstance(piece, Written):
            piece = _closed(piece, definition)
        self._pieces[id(definition)] = piece
        return piece

    def _piece(self, tree: Any, scope: Scope, depth: int) -> Piece:
        if depth > MAX_NESTING:
            reason = f"groups nested more than {MAX_NESTING} deep"
            raise scope.source.position(first_token(tree, 0)).error(reason, "name some of them")
        match tree.data:
            case "expansions":
                at = scope.source.position(first_token(tree, 0))
                return self._either([self._piece(part, scope, depth + 1) for part in tree.children], at)
            case "expansion":
                at = scope.source.position(first_token(tree, 0))
                return self._joined([self._piece(part, scope, depth + 1) for part in tree.children], at)
            case "alias":
                alias = tree.children[1].children[0]
                raise scope.place(alias).error(
                    f"the alias `{alias.value}` names an alternative of a terminal",
                    "aliases are for alternatives of rules",
                )
            case "maybe":
                at = scope.source.position(first_token(tree, 0))
                return self._repeated(self._piece(tree.children[0], scope, depth + 1), 0, 1, at)
            case "expr":
                least, most = bounds(tree, scope)
                at = scope.source.position(first_token(tree, 0))
                return self._repeated(self._piece(tree.children[0], scope, depth + 1), least, most, at)
        return self._value(tree.children, scope)

    def _value(self, children: list[Any], scope: Scope) -> Piece:
        child = children[0]
        match child.data:
            case "literal":
                token = child.children[0]
                atom = scope.source.atom(token.value)
                if atom is None:
                    return pattern_of(token, scope.place(token))
                if not atom.regular:
                    raise atom.position.error("this stands in a terminal, and only rules may hold it")
                return atom.make(self.context)
            case "range":
                return range_of(child.children[0], child.children[1], scope)
            case "terminal":
                token = child.children[0]
                found = scope.find(token)
                check_declared(found, scope.place(token))
                return self._piece_of(found)
        token = next(child.scan_values(lambda value: True))
        raise scope.place(token).error(
            f"rule `{token.value}` stands in a terminal", "only terminals (upper case) may stand in terminals"
        )

    def _joined(self, pieces: list[Piece], position: Position) -> Piece:
        if len(pieces) == 1:
            return pieces[0]
        text = together(pieces, "")
        if text is None:
            return ir.concat(*(self._part(piece, position) for piece in pieces))
        return Written(text, text)

    def _either(self, pieces: list[Piece], position: Position) -> Piece:
        if len(pieces) == 1:
            return pieces[0]
        if self.ordered:
            pieces = _guarded(lambda: as_lark_orders(pieces), "alternative", position)
        text = together(pieces, "|")
        if text is None:
            return ir.union(*(self._part(piece, position) for piece in pieces))
        return Written(f"(?:{text})", f"(?:{text})")

    def _repeated(self, piece: Piece, least: int, most: int | None, position: Position) -> Piece:
        text = together([piece], "")
        if text is None:
            return ir.repeat(self._composed(piece, position), least, most)
        count = {(0, 1): "?", (0, None): "*", (1, None): "+"}.get((least, most))
        if count is None:
            count = f"{{{least}}}" if least == most else f"{{{least},{'' if most is None else most}}}"
        return Written(f"(?:{text}){count}", f"(?:{text}){count}")


def first_token(tree: Any, otherwise: int) -> int:
    """Offset of the first word of a tree, in the text that Lark reads."""
    stack = [tree]
    while stack:
        node = stack.pop()
        if hasattr(node, "start_pos"):
            return int(node.start_pos)
        stack.extend(reversed(getattr(node, "children", ())))
    return otherwise


def check_declared(definition: Definition, position: Position) -> None:
    """Refuse what `%declare` names: only a step after Lark's lexer could make it."""
    if not definition.bodies:
        raise position.error(
            f"{definition.kind} `{definition.name}` is only declared (`%declare`): a post-lexing step of"
            " Lark, such as an indenter, would have to make it, and there is none here",
            "define it, or take out the rules that use it",
            UnsupportedError,
        )


def _is_library(definition: Definition) -> bool:
    return all(scope.library for _, scope in definition.bodies)


def _closed(piece: Written, definition: Definition) -> Written:
    """A pattern of Lark's library, ending at the first delimiter where a lazy part precedes one."""
    root = _parsed(piece.regexp, f"`{definition.name}`", definition.position)
    if not edges.stops_early(root):
        return piece
    return Written(first_found(piece.regexp), piece.value)


def _parsed(pattern: str, name: str, position: Position) -> Any:
    return _guarded(lambda: python.parse(pattern), name, position)


def _guarded(make: Any, name: str, position: Position) -> Any:
    """What `make` gives; its errors, which count in a pattern, at the terminal."""
    try:
        return make()
    except GrammarError as error:
        reason = f"terminal {name}: {error.reason}"
        raise position.error(reason, error.hint, type(error)) from None
