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

from collections.abc import Callable, Iterable
from functools import cache, cached_property
from typing import Final, NamedTuple

from gramspec.grammar import ir
from gramspec.grammar.sql.dialect import Dialect
from gramspec.grammar.sql.lexical import (
    BARE,
    END,
    LOOSE,
    WORD,
    Follow,
    Fragment,
    Lexis,
    alt,
    listed,
    many,
    opt,
    seq,
    then,
)
from gramspec.grammar.sql.literals import Literals
from gramspec.grammar.sql.names import Names, words

STRICT: Final = 0
OPEN: Final = 1
WITH: Final = 2

PLAIN: Final = 0
GROUPED: Final = 1
WINDOWED: Final = 2


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


class Words:
    """The tokens that expressions and statements share.

    Parameters
    ----------
    dialect : Dialect
        The dialect.
    comments : bool
        Whether comments may stand between tokens.
    """

    def __init__(self, dialect: Dialect, comments: bool) -> None:
        self.dialect = dialect
        self.lexis = lexis = Lexis(comments, dialect.line_comment)
        self.names = Names(dialect, lexis)
        self.literals = Literals(dialect, lexis)
        self.comma = lexis.symbols(",")
        self.dot = lexis.symbols(".")
        self.opening = lexis.symbols("(")
        self.closing = lexis.symbols(")")
        self.star = lexis.symbols("*")
        self.space = ending_loose(lexis.some)

    def key(self, text: str) -> Fragment:
        """Key words in any case."""
        return self.lexis.keyword(text)

    def either(self, texts: Iterable[str]) -> Fragment:
        """One of some single key words."""
        return words(self.lexis, texts)

    def call(self, rule: ir.Rule, starts: int = LOOSE, ends: int = LOOSE) -> Fragment:
        """A rule as a token."""
        return self.lexis.token(ir.Ref(rule), starts, ends)

    def inside(self, rule: ir.Rule) -> Fragment:
        """A rule whose ending white space does not matter, because a sign follows; it brings its own gap."""
        return ending_loose(ir.Ref(rule))

    def spaced(self, name: str, make: Callable[[], Fragment], ends: int = WORD) -> Fragment:
        """A fragment by a call, one rule for each place it is called from; its own end is not looked at.

        Parameters
        ----------
        name : str
            Of the rules.
        make : callable
            Makes the fragment when it is needed.
        ends : int
            How it is taken to end.
        """
        once = cache(lambda: make().before(END))

        def made(place: int) -> ir.Rule:
            return ir.Rule(name, lambda: once()[place])

        rules = [made(place) for place in (WORD, LOOSE, BARE)]
        calls = [ir.Ref(rule) for rule in rules]

        def before(follow: Follow) -> Follow:
            after_word, loose, bare = (then(call, follow[ends]) for call in calls)
            return after_word, loose, ir.EMPTY, bare

        return Fragment(before)

    def operators(self, texts: Iterable[str]) -> Fragment:
        """Operators written with signs."""
        touchy = [text for text in texts if text[-1] in self.dialect.touchy]
        others = [text for text in texts if text[-1] not in self.dialect.touchy]
        found = [self.lexis.signs(touchy)] if touchy else []
        return alt(*found, *([self.lexis.symbols(others)] if others else []))


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
            ("ordering", world, level), lambda: self._ordering(self.expression(world, level))
        )

    def order_terms(self, term: Fragment) -> Fragment:
        """ORDER BY with the given terms."""
        return self._ordering(term)

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
        calls = tokens.call(self._rule("call", world, level, self._calls), WORD)
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

    # -- calls ----------------------------------------------------------------------------------

    def _calls(self, world: int, level: int) -> ir.Expr:
        key = self._tokens.key
        inner = self.expression(world, level)
        items = [self._cast(inner), seq(key("EXISTS"), self.subquery(world, None))]
        items += [seq(name, self._arguments(inner, low, high)) for name, low, high in self._named("scalar")]
        if level != PLAIN:
            plain = self.expression(world, PLAIN)
            where = self._filter(world)
            items += [seq(call, opt(where)) for call in self._aggregates(plain, distinct=True)]
        if level == WINDOWED:
            items.append(seq(self._windowed(world), key("OVER"), self.window(world)))
        return within(alt(*items))

    def _over_name(self, world: int, level: int) -> ir.Expr:
        over = seq(self._windowed(world), self._tokens.key("OVER"), self._vocabulary.aliases)
        return within(over)

    def _windowed(self, world: int) -> Fragment:
        return self._fragment(("windowed", world), lambda: self._make_windowed(world))

    def _make_windowed(self, world: int) -> Fragment:
        inner = self.expression(world, GROUPED)
        calls = [seq(name, self._arguments(inner, low, high)) for name, low, high in self._named("window")]
        return alt(
            *calls, *(seq(c, opt(self._filter(world))) for c in self._aggregates(inner, distinct=False))
        )

    def _filter(self, world: int) -> Fragment:
        tokens, key = self._tokens, self._tokens.key
        return seq(key("FILTER"), tokens.opening, key("WHERE"), self.expression(world, PLAIN), tokens.closing)

    def _aggregates(self, inner: Fragment, distinct: bool) -> list[Fragment]:
        tokens, key = self._tokens, self._tokens.key
        found = []
        for name, low, high in self._named("aggregate"):
            found.append(seq(name, self._arguments(inner, low, high)))
            if low == 0:
                found.append(seq(name, tokens.opening, tokens.star, tokens.closing))
            if distinct and low <= 1:
                found.append(seq(name, tokens.opening, key("DISTINCT"), inner, tokens.closing))
        return found

    def _arguments(self, inner: Fragment, low: int, high: int | None) -> Fragment:
        tokens = self._tokens
        if high == 0:
            return tokens.opening + tokens.closing
        some = listed(inner, tokens.comma, max(low, 1), high)
        return seq(tokens.opening, opt(some) if low == 0 else some, tokens.closing)

    def _named(self, kind: str) -> list[tuple[Fragment, int, int | None]]:
        return self._functions[kind]

    @cached_property
    def _functions(self) -> dict[str, list[tuple[Fragment, int, int | None]]]:
        found: dict[str, list[tuple[Fragment, int, int | None]]] = {
            "scalar": [],
            "aggregate": [],
            "window": [],
        }
        groups: dict[tuple[str, int, int | None], list[str]] = {}
        for function in self._dialect.functions:
            group = groups.setdefault((function.kind, function.least, function.most), [])
            group.extend(function.names.split())
        for (kind, low, high), texts in groups.items():
            found[kind].append((words(self._tokens.lexis, texts), low, high))
        return found

    def _cast(self, value: Fragment) -> Fragment:
        tokens, key = self._tokens, self._tokens.key
        return seq(key("CAST"), tokens.opening, value, key("AS"), self.type_name, tokens.closing)

    @cached_property
    def type_name(self) -> Fragment:
        """The name of a type."""
        tokens, key = self._tokens, self._tokens.key
        whole = tokens.literals.whole
        length = seq(tokens.opening, whole, opt(tokens.comma + whole), tokens.closing)
        plain = [key(name) for name in self._dialect.types if not name.endswith("()")]
        sized = [seq(key(name[:-2]), opt(length)) for name in self._dialect.types if name.endswith("()")]
        return alt(*plain, *sized)

    def window(self, world: int) -> Fragment:
        """A window in parentheses."""
        return self._tokens.call(self._rule("window", world, GROUPED, self._window))

    def _window(self, world: int, level: int) -> ir.Expr:
        tokens, key = self._tokens, self._tokens.key
        partition = seq(key("PARTITION BY"), listed(self.expression(world, level), tokens.comma))
        order = self.ordering(world, level)
        return within(
            seq(
                tokens.opening,
                opt(partition),
                alt(opt(self._frame("ROWS")), seq(order, opt(alt(*map(self._frame, self._units))))),
                tokens.closing,
            )
        )

    @property
    def _units(self) -> tuple[str, ...]:
        return ("ROWS", "RANGE", "GROUPS") if self._dialect.has("groups") else ("ROWS", "RANGE")

    def _frame(self, unit: str) -> Fragment:
        key, number = self._tokens.key, self._tokens.literals.number
        before, after = number + key("PRECEDING"), number + key("FOLLOWING")
        first, last, row = key("UNBOUNDED PRECEDING"), key("UNBOUNDED FOLLOWING"), key("CURRENT ROW")
        ends = alt(
            seq(alt(first, before), key("AND"), alt(before, row, after, last)),
            seq(row, key("AND"), alt(row, after, last)),
            seq(after, key("AND"), alt(after, last)),
        )
        frame = seq(key(unit), alt(first, before, row, key("BETWEEN") + ends))
        if not self._dialect.has("exclude"):
            return frame
        out = alt(*map(key, ("NO OTHERS", "CURRENT ROW", "GROUP", "TIES")))
        return frame + opt(key("EXCLUDE") + out)

    def _ordering(self, term: Fragment) -> Fragment:
        tokens, key = self._tokens, self._tokens.key
        item = seq(term, opt(key("ASC") | key("DESC")))
        if self._dialect.has("nulls"):
            item += opt(key("NULLS") + (key("FIRST") | key("LAST")))
        return seq(key("ORDER BY"), listed(item, tokens.comma))

    # -- operators ------------------------------------------------------------------------------

    def _operand(self, world: int, level: int, negation: bool) -> Fragment:
        prefixes = self._tokens.operators(self._dialect.signs.split())
        if negation:
            prefixes |= self._tokens.key("NOT")
        return many(prefixes) + self._primary(world, level)

    @cached_property
    def collation(self) -> Fragment:
        """COLLATE and the name of a collation."""
        return self._tokens.key("COLLATE") + self._tokens.either(self._dialect.collations)

    def _tight(self, world: int, level: int) -> Fragment:
        """What may stand before the AND of BETWEEN, or before ESCAPE."""
        operand = self._operand(world, level, negation=False)
        operators = self._tokens.operators(self._dialect.arithmetic.split())
        return operand + many(alt(operators + operand, self.collation))

    def _boolean(self, world: int, level: int) -> Fragment:
        tokens, key = self._tokens, self._tokens.key
        dialect = self._dialect
        operand = self._operand(world, level, negation=True)
        tight = self._tight(world, level)
        symbols = tokens.operators((dialect.arithmetic + " " + dialect.comparisons).split())
        negated = opt(key("NOT"))
        like = tokens.either(dialect.likes.split())
        steps = alt(
            alt(symbols, *map(key, dialect.word_comparisons)) + operand,
            alt(*map(key, dialect.postfixes), self.collation),
            negated
            + alt(
                tokens.either((dialect.likes + " " + dialect.patterns).split()) + operand,
                seq(like, tight, key("ESCAPE"), operand),
                seq(key("BETWEEN"), tight, key("AND"), operand),
                key("IN") + self._members(world, level),
            ),
        )
        term = operand + many(steps)
        if dialect.has("row values"):
            term |= many(key("NOT")) + self._rows(world, level)
        return term + many((key("AND") | key("OR")) + term)

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
        symbols = alt(tokens.operators(self._dialect.comparisons.split()), key("IS"), key("IS NOT"))
        found = []
        for width in (2, 3):
            row = seq(tokens.opening, listed(inner, tokens.comma, width, width), tokens.closing)
            query = self.subquery(world, width)
            found.append(seq(row, symbols, row | query))
            found.append(seq(row, opt(key("NOT")), key("IN"), query))
        return alt(*found)


def within(fragment: Fragment) -> ir.Expr:
    """The sequences of a fragment without white space in front, for a rule that is called as a token."""
    return fragment.before(END)[BARE]


def collapsed(fragment: Fragment) -> ir.Expr:
    """The sequences of a fragment after an opening parenthesis or a comma."""
    return fragment.before(END)[LOOSE]


def ending_loose(expr: ir.Expr) -> Fragment:
    """An expression with its own white space in front, after which anything may follow."""

    def before(follow: Follow) -> Follow:
        read = then(expr, follow[LOOSE])
        return read, read, read, ir.EMPTY

    return Fragment(before)
