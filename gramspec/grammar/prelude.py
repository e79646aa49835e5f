"""The prelude: expressions that no schema changes, by name, with texts that lead through their states.

Law: nothing here depends on a grammar of a user's; an engine without the prelude has the same masks.
Cost: 50 ms of a process, once; 11 ms of an engine on 131,072 tokens, before its first grammar.
Source: architecture, "Token rows" (rows are shared by all grammars on the vocabulary).
"""

from __future__ import annotations

from functools import cache
from typing import Final

from gramspec.grammar.ir import Call, Expr
from gramspec.grammar.json_schema import formats
from gramspec.grammar.json_schema.formulas import Format, Integral
from gramspec.grammar.json_schema.layout import any_value, gap_of, number, string
from gramspec.grammar.json_schema.numbers import number_value
from gramspec.grammar.json_schema.strings import string_value

_NUMBERS: Final = (b"-0.5", b"12.25e-1", b"1.0E+2", b"0e1")
_INTEGERS: Final = (b"-120", b"12.0", b"1.5E+2", b"0.01e2", b"0e-1")
_STRING: Final = b'"a \\" \\u00e9 \\\\ \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 \\ud83d\\ude00 z"'
_VALUES: Final = (
    b'{"a": "b", "\\u0062": -1.5e+1, "c": [], "d": [1, "x", true, null], "e": {}, "f": false}',
    b'[{"a": {"b": [[0]]}}, "c"]',
    b"[ 1 , 2 ]",
)


@cache
def expressions() -> dict[str, Expr]:
    """The expressions, by names that stay what they are between versions."""
    return {
        "json value": any_value(gap_of("any")),
        "compact json value": any_value(gap_of("compact")),
        "json string": string(0, None),
        "json number": number(),
        "json integer": Call(number_value(Integral())),
        **{f"format {name}": string_value(Format(name)) for name in formats.COMMON},
    }


def texts() -> dict[str, tuple[bytes, ...]]:
    """Members of some of the expressions; the masks before each of their bytes are what schemas share."""
    return {
        "json value": _VALUES,
        "json string": (_STRING,),
        "json number": _NUMBERS,
        "json integer": _INTEGERS,
    }
