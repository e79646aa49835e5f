"""`InScope`: the predicate that the names of a statement lead to tables and columns of a schema.

Law: holds iff every column belongs to exactly one table, alias, common table expression or sub-query that can
be named where it stands, and every query is as wide as its place. What sqlglot cannot
parse does not hold.
Cost: one parse by sqlglot and one walk, at the end of the text; short texts are remembered.
Source: architecture, "Residual predicates"; docs/sql.md.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from functools import cached_property
from typing import TYPE_CHECKING, Final

from gramspec.errors import LimitError, OptionError
from gramspec.grammar.core import Place, Reading
from gramspec.grammar.sql.catalog import Schema
from gramspec.grammar.sql.scope_names import RULES, ScopeError, Tables

if TYPE_CHECKING:
    from gramspec.grammar.sql.scope_statements import Statements

MAX_STATEMENT: Final = 200_000
"""Longest statement that is read, in bytes."""

_REMEMBERED: Final = 8_192
_REMEMBERED_BYTES: Final = 1_024


class InScope:
    """The predicate of scope.

    Parameters
    ----------
    schema : Schema
        Its tables and columns; its dialect says how names are found.
    """

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self._tables = Tables(schema, RULES[schema.dialect])
        self._known: dict[bytes, str | None] = {}

    @property
    def places(self) -> tuple[Place, ...]:
        """The whole statement."""
        return (Place("", "scope", "which names a query may use depends on its FROM clauses"),)

    @cached_property
    def key(self) -> str:
        """Hash of the tables and their columns, with the version of the rules."""
        text = json.dumps([1, asdict(self.schema)])
        return f"sql-scope {hashlib.sha256(text.encode()).hexdigest()}"

    def holds(self, text: bytes) -> bool:
        """Whether the names of the statement are in scope.

        Raises
        ------
        LimitError
            If the text is too long, or nests too deeply.
        """
        return self.refusal(text) is None

    def refusal(self, text: bytes) -> str | None:
        """What is wrong with the names of the text; None if nothing is."""
        known = self._known
        if (remembered := known.get(text, "")) != "":
            return remembered
        found = self._refusal(text)
        if len(text) <= _REMEMBERED_BYTES:
            # Masks ask at every prefix that may end, and samplers come by the same ones again.
            if len(known) >= _REMEMBERED:
                known.clear()
            known[text] = found
        return found

    def _refusal(self, text: bytes) -> str | None:
        if len(text) > MAX_STATEMENT:
            raise LimitError(
                "statement length", f"{len(text):,} bytes are more than the {MAX_STATEMENT:,} that are read"
            )
        from gramspec.grammar.sql.scope_trees import tree_of

        try:
            tree = tree_of(text.decode(), self.schema.dialect)
            self._reader().statement(tree)
        except UnicodeDecodeError:
            return "it is not UTF-8"
        except ScopeError as error:
            return str(error)
        except (AttributeError, KeyError, TypeError):
            return "sqlglot's tree of it has a shape that is not known here"
        except RecursionError:
            raise LimitError("statement depth", "the statement nests too deeply to be read") from None
        return None

    def reading(self) -> Reading | None:
        """Names are looked for at the end of the text."""
        return None

    def _reader(self) -> Statements:
        from gramspec.grammar.sql.scope_statements import Statements

        return Statements(self._tables, RULES[self.schema.dialect])

    def __reduce__(self) -> tuple[type[InScope], tuple[Schema]]:
        return InScope, (self.schema,)

    def __repr__(self) -> str:
        return f"InScope({len(self.schema.tables)} tables)"


def scope_residual(schema: Schema) -> InScope:
    """The predicate of scope.

    Raises
    ------
    OptionError
        If sqlglot is not installed.
    """
    try:
        import sqlglot  # noqa: F401
    except ImportError:
        raise OptionError(
            'sql: a schema needs sqlglot, which finds what names lead to\n  hint: pip install "gramspec[sql]"'
        ) from None
    return InScope(schema)
