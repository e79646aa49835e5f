"""Statements as sqlglot's trees.

Law: every function is a call by its name, so that no reading of arguments hides a column.
Source: https://github.com/tobymao/sqlglot.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect as SqlglotDialect
from sqlglot.dialects.mysql import MySQL
from sqlglot.dialects.postgres import Postgres
from sqlglot.dialects.sqlite import SQLite
from sqlglot.errors import SqlglotError

from gramspec.errors import LimitError
from gramspec.grammar.sql.scope_names import ScopeError
from gramspec.grammar.sql.sqlite_text import tokens as words_of

_DIALECTS: Final[dict[str, type[SqlglotDialect]]] = {"sqlite": SQLite, "postgres": Postgres, "mysql": MySQL}
_KEPT: Final = ("CAST", "EXTRACT", "TRIM", "SUBSTRING", "POSITION", "OVERLAY", "GROUP_CONCAT")
_ACTIONS: Final = ("ROLLBACK", "ABORT", "REPLACE", "FAIL", "IGNORE")


@cache
def _plain(dialect: str) -> Any:
    """The dialect of sqlglot, with functions as plain calls."""
    base: Any = _DIALECTS[dialect]
    kept = _KEPT if dialect != "sqlite" else ("CAST",)
    parsers = {name: one for name, one in base.Parser.FUNCTION_PARSERS.items() if name in kept}
    parser = type("Parser", (base.Parser,), {"FUNCTIONS": {}, "FUNCTION_PARSERS": parsers, "LAMBDAS": {}})
    # What stands right of an arrow is read as any expression, and not as a path.
    changes = {"Parser": parser, "to_json_path": lambda self, path: path}
    return type(f"Plain{base.__name__}", (base,), changes)()


def tree_of(text: str, dialect: str) -> Any:
    """The tree of one statement.

    Raises
    ------
    ScopeError
        If sqlglot does not parse the text, or finds another number of statements.
    LimitError
        If it nests too deeply.
    """
    reader = _plain(dialect)
    if dialect == "sqlite":
        text = _inserting(text)
    try:
        tokens = reader.tokenize(text)
        if dialect == "sqlite":
            tokens = _without_actions(tokens)
        trees = [tree for tree in reader.parser().parse(tokens, text) if tree is not None]
    except SqlglotError as error:
        raise ScopeError(f"sqlglot cannot parse it: {str(error).splitlines()[0]}") from None
    except RecursionError:
        raise LimitError(
            "statement depth", "the statement nests too deeply for sqlglot to parse it"
        ) from None
    if len(trees) != 1:
        raise ScopeError(f"it is {len(trees)} statements")
    if isinstance(trees[0], exp.Command):
        raise ScopeError("sqlglot does not parse it")
    return trees[0]


def _inserting(text: str) -> str:
    """With INSERT for the REPLACE that a statement begins with, which sqlglot does not know."""
    first = next((token for token in words_of(text) if token.kind != "space"), None)
    if first is None or first.text.upper() != "REPLACE":
        return text
    return f"{text[: first.offset]}INSERT{text[first.offset + len(first.text) :]}"


def _without_actions(tokens: list[Any]) -> list[Any]:
    """Without the OR REPLACE and the like of UPDATE, which sqlglot does not know."""
    kept: list[Any] = []
    skip = 0
    for index, token in enumerate(tokens):
        if skip:
            skip -= 1
            continue
        ahead = tokens[index + 1].text.upper() if index + 1 < len(tokens) else ""
        after_update = bool(kept) and kept[-1].token_type.name == "UPDATE"
        if after_update and token.token_type.name == "OR" and ahead in _ACTIONS:
            skip = 1
            continue
        kept.append(token)
    return kept
