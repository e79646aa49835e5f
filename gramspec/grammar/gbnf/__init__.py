"""Grammars in the notation of llama.cpp (GBNF) and of xgrammar (EBNF): one front end for both.

Law: a text that one of the two engines reads has here the language it has there; where they differ on one
text, `dialect` decides, and what this cannot keep is refused by name.
Source: the documentation and behaviour of llama.cpp and xgrammar; docs/gbnf.md lists the decisions.
"""

from __future__ import annotations

from gramspec.errors import GrammarError
from gramspec.grammar.core import Grammar
from gramspec.grammar.gbnf.escapes import DIALECTS, Dialect
from gramspec.grammar.gbnf.parser import Parser

__all__ = ["Dialect", "gbnf"]


def gbnf(text: str, *, start: str = "root", dialect: Dialect = "llama.cpp") -> Grammar:
    r"""The grammar of a text in GBNF or in xgrammar's EBNF.

    Parameters
    ----------
    text : str
        The rules, ``name ::= ...``: what llama.cpp reads from a ``.gbnf`` file, what xgrammar takes as EBNF.
        Recursion of every kind is allowed.
    start : str
        The rule that a text must match as a whole.
    dialect : {"llama.cpp", "xgrammar"}
        Whose meaning ``\x`` has, the one escape that both know and read differently: two hexadecimal digits,
        or as many as follow.

    Returns
    -------
    Grammar
        Over UTF-8, and over tokens where the text names some.

    Raises
    ------
    GrammarError
        If the text is malformed, uses an undefined rule or has one twice; the pointer is ``line:column``.
    UnsupportedError
        For what restricts sampling and not the language (``max_tokens``, ``temperature``), and for
        constructs that the automaton cannot keep.
    EmptyLanguageError
        If nothing matches the start rule.

    Examples
    --------
    >>> import gramspec as gs
    >>> digits = gs.gbnf('root ::= "0x" [0-9a-f]{2,4}')
    >>> digits.accepts("0x1f"), digits.accepts("0x1")
    (True, False)
    """
    if not isinstance(text, str):
        raise GrammarError("", f"a grammar is a str, not {type(text).__name__}", "read the file first")
    if dialect not in DIALECTS:
        known = " and ".join(f'"{name}"' for name in DIALECTS)
        raise GrammarError("", f"unknown dialect {dialect!r}", f"the dialects are {known}")
    if not isinstance(start, str):
        raise GrammarError("", f"the name of a rule is a str, not {type(start).__name__}", 'start="root"')
    expr = Parser(text, dialect).run(start)
    return Grammar(expr, f"GBNF grammar, rule `{start}`")
