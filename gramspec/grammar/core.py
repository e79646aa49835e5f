"""`Grammar`: an expression with its name, and the algebra users see.

Law: a grammar denotes its expression's language cut down by its residual predicates.
Source: API, section 1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from gramspec.grammar import ir


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

    # Filled in by the automaton room, which grammar may not import.
    _accepts_hook: ClassVar[Callable[[Grammar, Sequence[bytes | int]], bool] | None] = None

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
        hook = Grammar._accepts_hook
        if hook is None:
            import importlib

            importlib.import_module("gramspec.automaton.membership")
            hook = Grammar._accepts_hook
            assert hook is not None
        return hook(self, parts)

    def __or__(self, other: Grammar) -> Grammar:
        return Grammar(ir.union(self.expr, other.expr), f"({self.description} | {other.description})")

    def __add__(self, other: Grammar) -> Grammar:
        return Grammar(ir.concat(self.expr, other.expr), f"({self.description} + {other.description})")

    def __repr__(self) -> str:
        return f"<gramspec.Grammar {self.description}>"
