"""Expressions: one set of rules for each world of names and each level of calls.

Law: operators chain freely, for precedence does not decide membership, except where it does: what stands
between BETWEEN and its AND, or between LIKE and ESCAPE, holds operators that bind more tightly only.
Source: https://www.sqlite.org/lang_expr.html and the grammar of SQLite (precedence of its operators).

The rules come in copies. *Worlds* tell which names may stand for columns and tables: in `STRICT` those of
the schema, in `OPEN` also column names that a sub-query or an alias may have made, in `WITH` table names too.
*Levels* tell which calls may stand: `PLAIN` scalar functions, `GROUPED` aggregates too, `WINDOWED` both and
window functions. A sub-query begins again with levels of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Final, NamedTuple

from gramspec.grammar import ir
from gramspec.grammar.sql.calls import WINDOWED, Calls
from gramspec.grammar.sql.lexical import WORD, Fragment, alt, listed, many, opt, seq
from gramspec.grammar.sql.tokens import Words, within

STRICT: Final = 0
OPEN: Final = 1
WITH: Final = 2


class Vocabulary(NamedTuple):
    """The identifiers that the grammar may use, as fragments."""

    tables: Fragment
    """Names of tables and views."""
    columns: Fragment
    """Names of columns."""
    leading: Fragment
    """Those that may begin an expression."""
    aliases: Fragment
    """Names that a statement may make, behind AS or where only a name may stand."""
    bare_aliases: Fragment
    """Those that need no AS."""
    qualifiers: Fragment
    """What may stand before the full stop of a column."""


class Expressions:
    """Makes the rules of expressions; one object per grammar.

    Parameters
    ----------
    words : Words
        Tokens.
    vocabulary : Vocabulary
        Identifiers.
    select : callable
        The rule of a select statement without its parentheses, by world and width (None: any).
    """

    def __init__(
        self,
        tokens: Words,
        vocabulary: Vocabulary,
        select: Callable[[int, int | None], ir.Rule],
    ) -> None:
        self._tokens = tokens
        self._dialect = tokens.dialect
        self._vocabulary = vocabulary
        self._select = select
        self.calls = Calls(tokens, vocabulary.aliases, self)
        self._rules: dict[tuple[object, ...], ir.Rule] = {}
        self._fragments: dict[tuple[object, ...], Fragment] = {}

    # -- what others use ----------------------------------------------------------------------

    def expression(self, world: int, level: int) -> Fragment:
        """Any expression, by a call; a word behind it needs white space, however it ends."""
        return self._fragment(("expression", world, level), lambda: self._called(world, level))

    def column(self, world: int) -> Fragment:
        """A column, qualified or not."""
        return self._fragment(("column", world), lambda: self._column(world))

    def table(self, world: int) -> Fragment:
        """A table or view."""
        tables = self._vocabulary.tables
        return tables | self._vocabulary.aliases if world == WITH else tables

    def subquery(self, world: int, width: int | None) -> Fragment:
        """A select statement in parentheses."""
        tokens = self._tokens
        return seq(tokens.opening, tokens.inside(self._select(world, width)), tokens.closing)

    def ordering(self, world: int, level: int) -> Fragment:
        """ORDER BY and its terms."""
        return self._fragment(
            ("ordering", world, level), lambda: self.calls.ordering(self.expression(world, level))
        )

    # -- rules ----------------------------------------------------------------------------------

    def _rule(self, name: str, world: int, level: int, make: Callable[[int, int], ir.Expr]) -> ir.Rule:
        key = (name, world, level)
        if key not in self._rules:
            self._rules[key] = ir.Rule(name, lambda: make(world, level))
        return self._rules[key]

    def _fragment(self, key: tuple[object, ...], make: Callable[[], Fragment]) -> Fragment:
        if key not in self._fragments:
            self._fragments[key] = make()
        return self._fragments[key]

    def _called(self, world: int, level: int) -> Fragment:
        return self._tokens.spaced("expression", lambda: self._boolean(world, level))

    # -- operands -------------------------------------------------------------------------------

    def _column(self, world: int) -> Fragment:
        v = self._vocabulary
        after = v.columns if world == STRICT else v.columns | v.aliases
        first = v.leading if world == STRICT else v.leading | v.aliases
        return first | seq(v.qualifiers, self._tokens.dot, after)

    def _primary(self, world: int, level: int) -> Fragment:
        tokens = self._tokens
        calls = tokens.call(self._rule("call", world, level, self._call), WORD)
        items = [
            tokens.literals.any,
            self.column(world),
            calls,
            tokens.call(self._rule("parenthesis", world, level, self._parenthesis)),
            tokens.call(self._rule("case", world, level, self._case), WORD, WORD),
        ]
        if level == WINDOWED:
            items.append(tokens.call(self._rule("named window", world, level, self._over_name), WORD, WORD))
        return alt(*items)

    def _call(self, world: int, level: int) -> ir.Expr:
        return within(self.calls.call(world, level))

    def _over_name(self, world: int, _: int) -> ir.Expr:
        return within(self.calls.over_name(world))

    def _parenthesis(self, world: int, level: int) -> ir.Expr:
        tokens = self._tokens
        return within(
            alt(
                seq(tokens.opening, self.expression(world, level), tokens.closing),
                self.subquery(world, 1),
            )
        )

    def _case(self, world: int, level: int) -> ir.Expr:
        key = self._tokens.key
        value = self.expression(world, level)
        branch = seq(key("WHEN"), value, key("THEN"), value)
        return within(
            seq(key("CASE"), opt(value), branch, many(branch), opt(key("ELSE") + value), key("END"))
        )

    # -- operators ------------------------------------------------------------------------------

    def _operand(self, world: int, level: int, negation: bool) -> Fragment:
        tokens = self._tokens
        prefixes = tokens.operators(self._dialect.signs.split())
        if negation:
            prefixes |= tokens.key("NOT")
        operand = many(prefixes) + self._primary(world, level)
        if self._dialect.has("cast operator"):
            operand += many(tokens.lexis.symbols(["::"]) + self.calls.type_name)
        return operand

    @cached_property
    def collation(self) -> Fragment:
        """COLLATE and the name of a collation."""
        return self._tokens.key("COLLATE") + self._tokens.either(self._dialect.collations)

    def _tight(self, world: int, level: int) -> Fragment:
        """What may stand before the AND of BETWEEN, or before ESCAPE."""
        operand = self._operand(world, level, negation=False)
        operators = self._tokens.operators(self._dialect.arithmetic.split())
        operators = alt(operators, *map(self._tokens.key, self._dialect.word_arithmetic))
        steps = operators + operand
        if self._dialect.collations:
            steps |= self.collation
        if self._dialect.has("intervals"):
            tokens, key = self._tokens, self._tokens.key
            value = tokens.literals.number | tokens.literals.text | self.column(world)
            unit = tokens.either(self._dialect.units.split())
            steps |= seq(tokens.operators("+-"), key("INTERVAL"), value, unit)
        return operand + many(steps)

    def _boolean(self, world: int, level: int) -> Fragment:
        key = self._tokens.key
        chained = self._dialect.has("chained comparisons")
        term = self._chain(world, level) if chained else self._single(world, level)
        if self._dialect.has("row values"):
            term |= many(key("NOT")) + self._rows(world, level)
        return term + many((key("AND") | key("OR")) + term)

    def _chain(self, world: int, level: int) -> Fragment:
        """Comparisons one after another, as dialects take them that have no type for truth values."""
        tokens, key, dialect = self._tokens, self._tokens.key, self._dialect
        operand = self._operand(world, level, negation=True)
        tight = self._tight(world, level)
        symbols = tokens.operators((dialect.arithmetic + " " + dialect.comparisons).split())
        like = tokens.either(dialect.likes.split())
        steps = alt(
            alt(symbols, *map(key, dialect.word_comparisons)) + operand,
            alt(*map(key, dialect.postfixes), self.collation),
            opt(key("NOT"))
            + alt(
                tokens.either((dialect.likes + " " + dialect.patterns).split()) + operand,
                seq(like, tight, key("ESCAPE"), operand),
                seq(key("BETWEEN"), tight, key("AND"), operand),
                key("IN") + self._members(world, level),
            ),
        )
        return operand + many(steps)

    def _single(self, world: int, level: int) -> Fragment:
        """At most one comparison; further ones need parentheses."""
        tokens, key, dialect = self._tokens, self._tokens.key, self._dialect
        tight = self._fragment(("tight", world, level), lambda: self._tight(world, level))
        symbols = tokens.operators(dialect.comparisons.split())
        patterns = [key(word) for word in dialect.patterns.split()]
        likes = alt(*map(key, dialect.likes.split()))
        several = seq(key("ANY") | key("ALL"), self.subquery(world, 1))
        if dialect.has("arrays"):
            listing = seq(tokens.opening, self.expression(world, level), tokens.closing)
            several |= (key("ANY") | key("ALL")) + listing
        predicate = alt(
            alt(symbols, *map(key, dialect.word_comparisons)) + tight,
            symbols + several,
            alt(*map(key, dialect.postfixes)),
            opt(key("NOT"))
            + alt(
                *(pattern + tight for pattern in patterns),
                likes + tight + opt(key("ESCAPE") + tokens.literals.text),
                seq(key("BETWEEN"), tight, key("AND"), tight),
                key("IN") + self._members(world, level),
            ),
        )
        return many(key("NOT")) + tight + opt(predicate)

    def _members(self, world: int, level: int) -> Fragment:
        tokens = self._tokens
        several = listed(self.expression(world, level), tokens.comma)
        if self._dialect.has("empty in"):
            several = opt(several)
        found = alt(seq(tokens.opening, several, tokens.closing), self.subquery(world, 1))
        return found | self.table(world) if self._dialect.has("in table") else found

    def _rows(self, world: int, level: int) -> Fragment:
        """Comparisons of rows of equal width."""
        tokens, key = self._tokens, self._tokens.key
        inner = self.expression(world, level)
        symbols = tokens.operators(self._dialect.row_comparisons.split())
        if self._dialect.has("chained comparisons"):
            symbols |= key("IS") | key("IS NOT")
        found = []
        for width in (2, 3):
            row = seq(tokens.opening, listed(inner, tokens.comma, width, width), tokens.closing)
            query = self.subquery(world, width)
            found.append(seq(row, symbols, row | query))
            found.append(seq(row, opt(key("NOT")), key("IN"), query))
        return alt(*found)
