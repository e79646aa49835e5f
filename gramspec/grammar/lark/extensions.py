"""Syntax beyond Lark's."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gramspec.errors import UnsupportedError
from gramspec.grammar import ir
from gramspec.grammar.lark.hooks import Attributes, Context, Extended, Lexeme
from gramspec.grammar.rules import Position


def extend(text: str, found: Sequence[Lexeme], position: Callable[[int], Position]) -> Extended:
    """What a text holds beyond Lark's syntax."""
    return Extended()


def lexeme(attributes: Attributes, body: ir.Expr, context: Context) -> ir.Expr:
    """The language of a rule with attributes that make it one terminal."""
    raise attributes.position.error("attributes of rules are not known", kind=UnsupportedError)
