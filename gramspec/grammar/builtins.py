"""Built-in expressions by kind: what stored grammars name them by.

Law: `builtin(node.kind, node.data)` has the language of the node, for every kind that front ends make; what
`shared` lists is the same object wherever it is used.
Source: `gramspec.grammar.ir.Builtin`.
"""

from __future__ import annotations

from gramspec.errors import GrammarError
from gramspec.grammar import ir
from gramspec.grammar.encoding import json_key_spellings
from gramspec.grammar.json_schema.layout import any_value, gap_of
from gramspec.grammar.json_schema.numerals import from_data as number


def builtin(kind: str, data: tuple[object, ...]) -> ir.Expr:
    """The built-in expression of a kind and its values.

    Raises
    ------
    GrammarError
        If the kind is unknown, or the values are not its values.
    """
    match kind, data:
        case "json text", (str() as text,):
            return json_key_spellings(text)
        case "number", _:
            return number(data)
        case "json value", (("any" | "compact") as whitespace,):
            return any_value(gap_of(whitespace))
        case _:
            raise GrammarError("", f"there is no built-in expression {kind!r} of {data!r:.80}")


def shared() -> list[tuple[str, tuple[object, ...], ir.Expr]]:
    """Expressions that are one object in all grammars of a process: kind, values, expression."""
    spaces = ("any", "compact")
    return [("json value", (space,), any_value(gap_of(space))) for space in spaces]
