"""Puts the parts of a SQL grammar together: identifiers, statements, the end of the text.

Law: one statement, white space and comments around it, at most one semicolon behind it.
"""

from __future__ import annotations

from collections.abc import Iterable

from gramspec.errors import EmptyLanguageError
from gramspec.grammar import ir
from gramspec.grammar.sql.catalog import Schema
from gramspec.grammar.sql.dialect import Dialect
from gramspec.grammar.sql.expressions import STRICT, Vocabulary
from gramspec.grammar.sql.lexical import LOOSE, Fragment, alt, opt
from gramspec.grammar.sql.modify import Modify
from gramspec.grammar.sql.select import Select
from gramspec.grammar.sql.tokens import Words


def statements_of(
    schema: Schema | None,
    dialect: Dialect,
    kinds: tuple[str, ...],
    *,
    comments: bool,
    aliases: Iterable[str] | None,
) -> ir.Expr:
    """The expression of the statements of the kinds.

    Parameters
    ----------
    schema : Schema or None
        None: any names.
    dialect : Dialect
        The dialect.
    kinds : tuple of str
        Kinds of statements.
    comments : bool
        Whether comments may stand between tokens.
    aliases : iterable of str or None
        Names that a statement may make; None: any.

    Raises
    ------
    EmptyLanguageError
        If only statements are asked for that write, and no table may be written.
    OptionError
        If an alias is no name.
    """
    tokens = Words(dialect, comments)
    vocabulary = vocabulary_of(schema, dialect, tokens, aliases)
    select = Select(tokens, vocabulary)
    modify = Modify(tokens, select, schema, vocabulary.aliases)
    forms: list[Fragment] = []
    if "select" in kinds:
        forms.append(select.statement(STRICT, None))
    forms += [modify.statement(kind) for kind in kinds if kind != "select"]
    if "select" not in kinds and not modify.possible:
        raise EmptyLanguageError("", "the schema has no table that may be written", "ask for SELECT as well")
    free = tokens.lexis.free
    whole = alt(*forms) + opt(tokens.lexis.symbols(";"))
    rule = ir.Rule("statement")
    rule.define(whole.before((free, free, free, ir.EMPTY))[LOOSE])
    return ir.Ref(rule)


def vocabulary_of(
    schema: Schema | None, dialect: Dialect, tokens: Words, aliases: Iterable[str] | None
) -> Vocabulary:
    """The identifiers of a schema and of what a statement makes."""
    names, barred = tokens.names, dialect.not_columns
    if aliases is None:
        free, bare = names.free(dialect.reserved | barred), names.free(dialect.keywords)
    else:
        listed = aliases if isinstance(aliases, str) else list(aliases)
        free, bare = names.some(listed, barred), names.some(listed, dialect.keywords)
    if schema is None:
        known = free if aliases is not None else names.free(dialect.reserved)
        return Vocabulary(known, known, free, free, bare, free)
    tables = [table.name for table in schema.tables]
    columns = [column.name for table in schema.tables for column in table.columns]
    if any(table.rowid and table.kind == "table" for table in schema.tables):
        columns += dialect.rowids
    return Vocabulary(
        tables=names.known(tables),
        columns=names.known(columns),
        leading=names.known(columns, barred),
        aliases=free,
        bare_aliases=bare,
        qualifiers=names.known(tables, barred) | free,
    )
