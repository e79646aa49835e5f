"""Lark front end: a Lark grammar to the grammar of the texts it describes.

Law: by default scannerless: a terminal is a regular language, whatever its priority and the order of its
alternatives; but one that ends early (`lazy`, `suffix`, `stop`) ends at its first end. `lexer` chooses other
meanings.
Source: API, section 1; the grammar language of Lark 1.2 and later, and llguidance's extensions of it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Literal, get_args

from gramspec.errors import GrammarError, OptionError
from gramspec.grammar.core import Grammar

__all__ = ["Lexer", "lark"]

Lexer = Literal["scannerless", "dynamic_complete", "longest"]


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
    rules, priorities, `%ignore`, `%extend`, `%override`, ranges, flags. By default there is no lexer: a text
    belongs if there is any way to cut it into terminals that the rules allow. What llguidance adds to the
    language is read too.

    Parameters
    ----------
    text : str
        The grammar.
    start : str
        The start rule.
    lexer : {"scannerless", "dynamic_complete", "longest"}
        "scannerless": a terminal denotes all texts that its pattern matches as a whole. "dynamic_complete":
        only those that Lark's Earley parser with that lexer finds, where lazy quantifiers and the order of
        alternatives count. "longest": maximal munch; the text is cut greedily, without going back, into the
        longest terminals, and that one sequence of terminals must be in the grammar.
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
    from gramspec.grammar.lark import longest, scannerless
    from gramspec.grammar.lark.model import Translator
    from gramspec.grammar.lark.modules import Loader, script_folder

    if not isinstance(text, str):
        raise GrammarError("", f"a grammar is a str, not {type(text).__name__}", "read the file first")
    if lexer not in get_args(Lexer):
        names = ", ".join(repr(name) for name in get_args(Lexer))
        raise OptionError(f"lexer: {lexer!r} is none of {names}")
    if not isinstance(start, str):
        raise OptionError(f"start: the name of a rule is a str, not {type(start).__name__}")
    if isinstance(import_paths, (str, bytes, os.PathLike)) or not isinstance(import_paths, Iterable):
        raise OptionError(f"import_paths: a list of folders, not {type(import_paths).__name__}")
    folders = list(import_paths)
    for path in (*folders, "" if base_path is None else base_path):
        if not isinstance(path, (str, os.PathLike)):
            raise OptionError(f"import_paths, base_path: a folder is a path, not {type(path).__name__}")
    folder = script_folder() if base_path is None else os.fspath(base_path)
    try:
        scope = Loader(folders).load(text, folder)
        model = Translator(scope, ordered=lexer == "dynamic_complete").model(start)
    except RecursionError:
        reason = "groups, terminals in terminals or arguments of templates nest too deeply"
        raise GrammarError("", reason, "make rules of some of them") from None
    meaning = longest.lower if lexer == "longest" else scannerless.lower
    return Grammar(meaning(model), f"Lark grammar from `{start}`")
