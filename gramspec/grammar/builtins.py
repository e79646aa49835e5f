"""Built-in expressions by kind: what stored grammars name them by.

Law: `builtin(node.kind, node.data)` has the language of the node, for every kind that front ends make.
Source: `gramspec.grammar.ir.Builtin`.
"""

from __future__ import annotations

from gramspec.errors import GrammarError
from gramspec.grammar import ir
from gramspec.grammar.encoding import json_key_spellings
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
        case _:
            raise GrammarError("", f"there is no built-in expression {kind!r} of {data!r:.80}")
