"""`Grammar`: an expression with its name, and the algebra users see.

Law: a grammar denotes its expression's language cut down by its residual predicates.
Source: API, section 1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from gramspec.errors import GrammarError
from gramspec.grammar import encoding, ir


class Grammar:
    """What may be written. Immutable; made by `gramspec.regex`, `gramspec.json_schema`, ….

    Parameters
    ----------
    expr : ir.Expr
        Byte-level expression (no `CharSet` left).
    description : str
        One line for people.
    """

    __slots__ = ("description", "expr")

    # Set by the package, because membership needs the automaton room, which lies to the right.
    _accepts_hook: ClassVar[Callable[[Grammar, Sequence[bytes | int]], bool]]

    def __init__(self, expr: ir.Expr, description: str = "grammar") -> None:
        self.expr = expr
        self.description = description

    def accepts(self, text: str | bytes | Sequence[bytes | int]) -> bool:
        """Whether the whole of `text` belongs to the grammar.

        Parameters
        ----------
        text : str, bytes or sequence of bytes and int
            Ints are token ids, for grammars with token edges. A str is taken as UTF-8.

        Raises
        ------
        UnicodeEncodeError
            If a str holds lone surrogates.
        """
        if isinstance(text, str):
            parts: Sequence[bytes | int] = [text.encode("utf-8")]
        elif isinstance(text, bytes):
            parts = [text]
        else:
            parts = text
        return Grammar._accepts_hook(self, parts)

    def __or__(self, other: Grammar) -> Grammar:
        return Grammar(ir.union(self.expr, other.expr), f"({self.description} | {other.description})")

    def __add__(self, other: Grammar) -> Grammar:
        return Grammar(ir.concat(self.expr, other.expr), f"({self.description} + {other.description})")

    def __and__(self, other: Grammar) -> Grammar:
        """Intersection; `GrammarError` unless both sides are regular."""
        _require_regular(self, "&")
        _require_regular(other, "&")
        return Grammar(ir.And((self.expr, other.expr)), f"({self.description} & {other.description})")

    def __invert__(self) -> Grammar:
        """All valid UTF-8 texts that are not members; `GrammarError` unless regular."""
        _require_regular(self, "~")
        return Grammar(ir.And((encoding.UTF8_TEXT, ir.Not(self.expr))), f"~{self.description}")

    def __repr__(self) -> str:
        return f"<gramspec.Grammar {self.description}>"


def _require_regular(grammar: Grammar, operator: str) -> None:
    if any(isinstance(node, (ir.Ref, ir.JsonObject, ir.TokenEdge)) for node in ir.walk(grammar.expr)):
        raise GrammarError(
            "",
            f"`{operator}` needs regular operands, and {grammar.description} is not regular",
            "use regex, choice or literal grammars on both sides",
        )
