r"""Regular expressions as xgrammar reads them: in ``Regex(...)`` and in structural tags.

Law: ECMA-262 syntax over code points; ``\s`` and ``(?i)`` know ASCII alone, and ``.`` is any character.
Source: the documentation of xgrammar, "Regex", and its behaviour.
"""

from __future__ import annotations

from typing import Final

from gramspec.errors import EmptyLanguageError, GrammarError
from gramspec.grammar import ir
from gramspec.grammar.ranges import SCALARS, Ranges, complement, intersect, normalise, of, subtract, unite
from gramspec.grammar.regex import ecma
from gramspec.grammar.regex.language import language

_SPACE: Final = of(" \t\n\r\f\v")
_JSON_PLAIN: Final = subtract(((0x20, 0xD7FF), (0xE000, 0x10FFFF)), of('"\\'))
_ASCII_UPPER: Final = ((0x41, 0x5A),)
_ASCII_LOWER: Final = ((0x61, 0x7A),)


def xgrammar_regex(pattern: str, *, flags: str | None = None, json_string: bool = False) -> ir.Expr:
    """The texts that match a pattern as a whole, over `CharSet` leaves.

    Parameters
    ----------
    pattern : str
        The expression; ``(?i)`` at its beginning ignores the case of ASCII letters.
    flags : str, optional
        Out of ``i`` (the case of ASCII letters is ignored), ``s`` (``.`` is any character) and ``u`` (no
        effect). Where flags are given, ``.`` is no line feed unless ``s`` is among them.
    json_string : bool
        Only texts without control characters, quotes and backslashes.

    Raises
    ------
    GrammarError
        If the pattern or a flag is not known.
    EmptyLanguageError
        If no text matches.
    """
    for flag in flags or "":
        if flag not in "isu":
            raise GrammarError("", f"unknown flag {flag!r}", "flags are i, s and u")
    habits = ecma.Habits(
        any_character=SCALARS if flags is None or "s" in flags else complement(of("\n")),
        space=_SPACE,
        ignoring_case=_ignoring_ascii_case,
        ignore_case="i" in (flags or ""),
        python_syntax=True,
    )
    expr = language(ecma.parse(pattern, habits), pattern, search=False)
    if json_string:
        expr = ir.And((expr, ir.repeat(ir.CharSet(_JSON_PLAIN))))
    if isinstance(expr, ir.Empty):
        raise EmptyLanguageError("", "no text matches this pattern", "", pattern)
    return expr


def _ignoring_ascii_case(ranges: Ranges) -> Ranges:
    lower = normalise((low + 32, high + 32) for low, high in intersect(ranges, _ASCII_UPPER))
    upper = normalise((low - 32, high - 32) for low, high in intersect(ranges, _ASCII_LOWER))
    return unite(ranges, lower, upper)
