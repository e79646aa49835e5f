"""Regular expressions as grammars: two dialects, exact over Unicode scalars.

Law: the language is what the dialect's own engine accepts; what cannot be kept exact is refused by name.
Source: `re` of the running Python; ECMA-262 section 22.2.
"""

from __future__ import annotations

from typing import Literal

from gramspec.errors import EmptyLanguageError, GrammarError
from gramspec.grammar import ir
from gramspec.grammar.core import Grammar
from gramspec.grammar.encoding import utf8
from gramspec.grammar.regex import ecma, python
from gramspec.grammar.regex.language import language

Dialect = Literal["python", "ecma"]

__all__ = ["Dialect", "parse_regex", "regex"]


def regex(pattern: str, *, dialect: Dialect = "python") -> Grammar:
    r"""The grammar of the texts that match a regular expression as a whole.

    Parameters
    ----------
    pattern : str
        The expression. Its flags stand inside it: ``(?i)`` (Python dialect only), ``(?s:...)``.
    dialect : {"python", "ecma"}
        "python": the syntax and meaning of `re.fullmatch`. "ecma": ECMA-262 with flag ``u``;
        what that flag makes a syntax error is read as Annex B reads it, but a malformed or unknown
        ``\p{...}`` is an error. Properties are those of the Unicode version of the library `regex`.

    Returns
    -------
    Grammar
        Over UTF-8.

    Raises
    ------
    GrammarError
        If the pattern is not valid in the dialect; the pointer is a character offset.
    UnsupportedError
        For back-references and conditional groups; for atomic groups and possessive quantifiers that
        repeat what may be empty; for looks and atomic groups whose automaton is too large
        (`lookaround.MAX_STATES`). The pointer is where it stands.
    LimitError
        If the anchors of the pattern need too many terms.
    EmptyLanguageError
        If the pattern matches no text at all.
    """
    expr = parse_regex(pattern, dialect)
    if isinstance(expr, ir.Empty):
        raise EmptyLanguageError("", "no text matches this pattern", "", pattern)
    return Grammar(utf8(expr), f"regex {pattern!r}")


def parse_regex(pattern: str, dialect: Dialect = "python", *, search: bool = False) -> ir.Expr:
    """The language of a pattern as an expression over `CharSet` leaves.

    Parameters
    ----------
    pattern : str
        The expression.
    dialect : {"python", "ecma"}
        See `regex`.
    search : bool
        False: the texts that match as a whole. True: the texts in which a match occurs, as
        ``pattern`` of JSON Schema means it.

    Returns
    -------
    ir.Expr
        `ir.Empty` when no text matches. Patterns with looks may hold `And`, `Not` and `Machine`.
        Lower it with `encoding.utf8` or `encoding.json_string`.

    Raises
    ------
    GrammarError, UnsupportedError
        As `regex` does.
    """
    if not isinstance(pattern, str):
        raise GrammarError("", f"a pattern is a str, not {type(pattern).__name__}")
    if dialect == "python":
        tree = python.parse(pattern)
    elif dialect == "ecma":
        tree = ecma.parse(pattern)
    else:
        raise GrammarError("", f"unknown regex dialect {dialect!r}", 'the dialects are "python" and "ecma"')
    return language(tree, pattern, search=search)
