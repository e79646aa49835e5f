"""Lark front end: a Lark grammar to the grammar of the texts it describes.

Law: scannerless; a terminal is a regular language, whatever its priority and the order of its alternatives.
Source: API, section 1; the grammar language of Lark 1.2 and later.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Literal

from gramspec.errors import GrammarError, OptionError
from gramspec.grammar.core import Grammar

__all__ = ["Lexer", "lark"]

Lexer = Literal["scannerless", "dynamic_complete"]


def lark(
    text: str,
    *,
    start: str = "start",
    lexer: Lexer = "scannerless",
    import_paths: Sequence[str | os.PathLike[str]] = (),
    base_path: str | os.PathLike[str] | None = None,
) -> Grammar:
    """The texts that a Lark grammar describes.

    All of Lark's grammar language is read, by Lark's own parser: imports, templates, aliases, inlined
    rules, priorities, `%ignore`, `%extend`, `%override`, ranges, flags. There is no lexer: a text belongs
    if there is any way to cut it into terminals that the rules allow.

    Parameters
    ----------
    text : str
        The grammar.
    start : str
        The start rule.
    lexer : {"scannerless", "dynamic_complete"}
        "scannerless": a terminal denotes all texts that its pattern matches as a whole. "dynamic_complete":
        only those that Lark's Earley parser with that lexer finds, where lazy quantifiers and the order of
        alternatives count.
    import_paths : sequence of path
        Folders in which `%import` looks for grammars before Lark's own library.
    base_path : path, optional
        Folder of relative imports (`%import .file.NAME`); None: that of the running script, as in Lark.

    Returns
    -------
    Grammar
        Over UTF-8.

    Raises
    ------
    GrammarError
        If the text is no Lark grammar; the pointer is ``line:column``, after the file's name for imports.
    UnsupportedError
        For looks and anchors at the ends of terminals, and for what `%declare` names.
    EmptyLanguageError
        If no text belongs to the start rule.
    OptionError
        If an option is out of range.
    """
    from gramspec.grammar.lark.model import Translator
    from gramspec.grammar.lark.modules import Loader, script_folder
    from gramspec.grammar.lark.scannerless import lower

    if not isinstance(text, str):
        raise GrammarError("", f"a grammar is a str, not {type(text).__name__}", "read the file first")
    if lexer not in ("scannerless", "dynamic_complete"):
        raise OptionError(f"lexer: {lexer!r} is neither 'scannerless' nor 'dynamic_complete'")
    folder = script_folder() if base_path is None else os.fspath(base_path)
    try:
        scope = Loader(import_paths).load(text, folder)
        model = Translator(scope, ordered=lexer == "dynamic_complete").model(start)
    except RecursionError:
        reason = "groups, terminals in terminals or arguments of templates nest too deeply"
        raise GrammarError("", reason, "make rules of some of them") from None
    return Grammar(lower(model), f"Lark grammar from `{start}`")
