"""SELECT, VALUES, set operations and WITH.

Law: the parts of a set operation, and the columns of a common table expression and its query, have equal
widths, sub-queries that stand for a value have one column, by counting up to `COUNTED`; beyond, and where
``*`` stands, widths are left to the scope predicate.
Source: https://www.sqlite.org/lang_select.html, https://www.sqlite.org/lang_with.html.

A query has three forms in the strict world, for the names that may stand in it depend on what it makes:
without aliases of columns; with one (its own clauses then see that name); and with a source that makes
names, such as a sub-query, in FROM.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from gramspec.grammar import ir
from gramspec.grammar.sql.calls import GROUPED, PLAIN, WINDOWED
from gramspec.grammar.sql.expressions import OPEN, STRICT, WITH, Expressions, Vocabulary
from gramspec.grammar.sql.lexical import LOOSE, NEVER, NOTHING, WORD, Fragment, alt, listed, many, opt, seq
from gramspec.grammar.sql.tokens import Words, collapsed, within

COUNTED: Final = 8


class Select:
    """Makes the rules of queries; one object per grammar.

    Parameters
    ----------
    tokens : Words
        Tokens.
    vocabulary : Vocabulary
        Identifiers.
    """

    def __init__(self, tokens: Words, vocabulary: Vocabulary) -> None:
        self._tokens = tokens
        self._dialect = tokens.dialect
        self._vocabulary = vocabulary
        self.expressions = Expressions(tokens, vocabulary, self.query)
        self._rules: dict[tuple[object, ...], ir.Rule] = {}
        self._fragments: dict[tuple[object, ...], Fragment] = {}

    # -- what others use ----------------------------------------------------------------------

    def query(self, world: int, width: int | None) -> ir.Rule:
        """The rule of a query that stands in parentheses; it brings the white space in front.

        Parameters
        ----------
        world : int
            Which names may stand in it.
        width : int or None
            Its number of columns; None: any.
        """
        return self._rule(("query", world, width), lambda: collapsed(self.statement(world, width)))

    def statement(self, world: int, width: int | None) -> Fragment:
        """A query with its WITH."""
        body = self._body(world, width)
        return body | seq(self.with_clause(world), self._body(WITH, width))

    def with_clause(self, world: int) -> Fragment:
        """WITH and its common table expressions."""
        return self._call(("with",), self._with_clause, LOOSE)

    def selection(self, world: int, width: int | None) -> Fragment:
        """A query with its WITH that is no list of values."""
        return self._selection(world, width) | self.with_clause(world) + self._selection(WITH, width)

    def values(self, world: int, width: int | None) -> Fragment:
        """VALUES and its rows of equal width; None: more than `COUNTED`."""
        return self._call(("values", world, width), lambda: self._values(world, width), LOOSE)

    def ordering_limit(self, world: int) -> Fragment:
        """ORDER BY and LIMIT of a statement that writes."""
        limit = self._tokens.key("LIMIT") + self._tokens.literals.whole
        return self.expressions.ordering(world, PLAIN) + opt(limit) | limit

    @property
    def aliases(self) -> Fragment:
        """Names that a statement may make."""
        return self._vocabulary.aliases

    # -- rules ----------------------------------------------------------------------------------

    def _rule(self, key: tuple[object, ...], make: Callable[[], ir.Expr]) -> ir.Rule:
        if key not in self._rules:
            self._rules[key] = ir.Rule(str(key[0]), make)
        return self._rules[key]

    def _fragment(self, key: tuple[object, ...], make: Callable[[], Fragment]) -> Fragment:
        if key not in self._fragments:
            self._fragments[key] = make()
        return self._fragments[key]

    def _call(self, key: tuple[object, ...], make: Callable[[], Fragment], ends: int = WORD) -> Fragment:
        return self._fragment(key, lambda: self._tokens.spaced(str(key[0]), make, ends))

    # -- the list of results ------------------------------------------------------------------------

    def _body(self, world: int, width: int | None) -> Fragment:
        return self._fragment(("body", world, width), lambda: self._make_body(world, width))

    def _make_body(self, world: int, width: int | None) -> Fragment:
        forms = self._selection(world, width)
        if not self._dialect.has("bare values"):
            return forms
        widths = (width,) if width is not None else (*range(1, COUNTED + 1), None)
        rows = [self.values(world, n) + opt(self._more(world, n)) for n in widths]
        return alt(forms, *rows)

    def _selection(self, world: int, width: int | None) -> Fragment:
        return self._fragment(("selection", world, width), lambda: self._cores(world, width, closing=True))

    def _cores(self, world: int, width: int | None, closing: bool) -> Fragment:
        """SELECT and all that follows; `closing`: ORDER BY, LIMIT and set operations too."""
        key = self._tokens.key
        every = key("DISTINCT") | key("ALL")
        if self._dialect.has("distinct on"):
            tokens = self._tokens
            terms = listed(self.expressions.expression(world, PLAIN), tokens.comma)
            every |= seq(key("DISTINCT ON"), tokens.opening, terms, tokens.closing)
        head = seq(key("SELECT"), opt(every))
        if world != STRICT:
            return head + self._lists(
                world, width, None, lambda n, _: self._after(world, n, "any", world, closing)
            )

        def after(number: int | None, aliased: bool) -> Fragment:
            return self._after(STRICT, number, "clean", OPEN if aliased else STRICT, closing)

        strict = self._lists(STRICT, width, False, after)
        free = self._lists(OPEN, width, None, lambda n, _: self._after(STRICT, n, "making", OPEN, closing))
        return head + (strict | free)

    def _lists(
        self,
        world: int,
        width: int | None,
        aliased: bool | None,
        after: Callable[[int | None, bool], Fragment],
    ) -> Fragment:
        """Lists of results of the width, each followed by what `after` tells for their number."""
        tokens = self._tokens
        plain = self.expressions.expression(world, WINDOWED)
        named = plain + self.alias("string aliases")
        star = tokens.star | seq(self._vocabulary.qualifiers, tokens.dot, tokens.star)
        ends = {seen: after(None, seen) for seen in (False, True) if aliased is not None or seen}
        if aliased is None:
            plain = plain | named

        def rest(seen: bool) -> Fragment:
            if aliased is None or seen:
                return many(tokens.comma + (plain | named | star)) + ends[True]
            some = many(tokens.comma + (plain | star))
            return some + (ends[False] | seq(tokens.comma, named, rest(True)))

        def counted(number: int, seen: bool) -> Fragment:
            def behind(seen: bool) -> Fragment:
                if width == number:
                    return after(number, seen)
                if number < COUNTED:
                    further = tokens.comma + counted(number + 1, seen)
                    return further if width is not None else after(number, seen) | further
                return tokens.comma + beyond(seen)

            if aliased is None or seen:
                found = (plain | named) + behind(True)
            else:
                found = plain + behind(False) | named + behind(True)
            if number == 1 and width is not None:
                return found | star + after(None, aliased is None)
            return found if width is not None else found | star + rest(seen or aliased is None)

        def beyond(seen: bool) -> Fragment:
            if aliased is None or seen:
                return (plain | named | star) + rest(True)
            return (plain | star) + rest(False) | named + rest(True)

        return counted(1, aliased is None)

    def alias(self, feature: str = "") -> Fragment:
        """An alias, with AS or without."""
        tokens, aliases = self._tokens, self._vocabulary.aliases
        after = aliases | tokens.literals.text if feature and self._dialect.has(feature) else aliases
        return tokens.key("AS") + after | tokens.space + self._vocabulary.bare_aliases

    # -- behind the list ----------------------------------------------------------------------------

    def _after(self, base: int, width: int | None, sources: str, world: int, closing: bool) -> Fragment:
        key = ("after", base, width, sources, world, closing)
        return self._fragment(key, lambda: self._make_after(base, width, sources, world, closing))

    def _make_after(self, base: int, width: int | None, sources: str, world: int, closing: bool) -> Fragment:
        name = ("clauses", base, width if closing else None, sources, world, closing)
        if closing:
            # The last thing a query holds: called in its place, nothing is left to return to.
            rule = self._rule(name, lambda: within(self._clauses(base, width, sources, world, True)))
            found = self._tokens.call(rule, WORD, WORD)
        else:
            found = self._fragment(name, lambda: self._clauses(base, width, sources, world, False))
        return found if sources == "making" else opt(found)

    def _clauses(self, base: int, width: int | None, sources: str, world: int, closing: bool) -> Fragment:
        key = self._tokens.key
        clean = {"clean": True, "making": False, "any": None}[sources]
        source = key("FROM") + self.sources(world, base, clean)
        ending = self._tail(world)
        if closing:
            last = self._last(base, width, world)
            ending = ending + opt(last) | last
        return source + opt(ending) if sources == "making" else source + opt(ending) | ending

    def _tail(self, world: int) -> Fragment:
        """WHERE, GROUP BY, HAVING, WINDOW: at least one of them."""
        return self._call(("clauses", world), lambda: self._make_tail(world))

    def _make_tail(self, world: int) -> Fragment:
        tokens, key, e = self._tokens, self._tokens.key, self.expressions
        where = key("WHERE") + e.expression(world, PLAIN)
        group = seq(
            key("GROUP BY"),
            listed(e.expression(world, PLAIN), tokens.comma),
            opt(key("HAVING") + e.expression(world, GROUPED)),
        )
        window = seq(self._vocabulary.aliases, key("AS"), e.calls.window(world))
        windows = key("WINDOW") + listed(window, tokens.comma)
        return alt(seq(where, opt(group), opt(windows)), seq(group, opt(windows)), windows)

    def _last(self, base: int, width: int | None, world: int) -> Fragment:
        """ORDER BY and LIMIT, or further queries of the width."""
        limit = self._limit(base)
        order = self.expressions.ordering(world, WINDOWED) + opt(limit)
        return alt(order, limit, self._more(base, width))

    def _more(self, base: int, width: int | None) -> Fragment:
        rule = self._rule(("more queries", base, width), lambda: within(self._rest(base, width)))
        return self._tokens.call(rule, WORD, WORD)

    def _rest(self, base: int, width: int | None) -> Fragment:
        """A set operator and a query; then more of them, or if the query was no VALUES, the order of all."""
        tokens, key = self._tokens, self._tokens.key
        query = self._call(("core", base, width), lambda: self._cores(base, width, closing=False))
        number = tokens.literals.whole if width is None else self._numbers(width)
        term = number | self.expressions.column(OPEN if base == STRICT else base)
        if self._dialect.collations:
            term += opt(self.expressions.collation)
        order = self.expressions.calls.ordering(term)
        limit, more = self._limit(base), self._more(base, width)
        forms = query + opt(alt(order + opt(limit), limit, more))
        if self._dialect.has("values statement"):
            forms |= self.values(base, width) + opt(more)
        return alt(*map(key, self._dialect.set_operators)) + forms

    def _numbers(self, most: int) -> Fragment:
        lexis = self._tokens.lexis
        return lexis.token(ir.union(*(ir.literal(str(n)) for n in range(1, most + 1))), WORD, WORD)

    def _limit(self, base: int) -> Fragment:
        return self._call(("limit", base), lambda: self._make_limit(base))

    def _make_limit(self, base: int) -> Fragment:
        tokens, key = self._tokens, self._tokens.key
        signs = many(tokens.operators("-+"))
        operand = signs + (tokens.literals.number | self.expressions.subquery(base, 1))
        value = operand + many(tokens.operators("+-*") + operand)
        offset = key("OFFSET") + value
        if self._dialect.has("comma limit"):
            offset |= tokens.comma + value
        if self._dialect.has("offset alone"):
            return seq(key("LIMIT"), value | key("ALL"), opt(offset)) | offset
        return seq(key("LIMIT"), value, opt(offset))

    # -- FROM -----------------------------------------------------------------------------------

    def sources(self, world: int, base: int, clean: bool | None) -> Fragment:
        """What stands behind FROM; `clean`: whether it makes no names of columns, None: either way."""
        return self._call(("sources", world, base, clean), lambda: self._make_sources(world, base, clean))

    def _make_sources(self, world: int, base: int, clean: bool | None, several: bool = False) -> Fragment:
        tokens, key, e = self._tokens, self._tokens.key, self.expressions
        plain, making = self._tables(base), self._makers(base)
        on = key("ON") + e.expression(STRICT if clean else world, PLAIN)
        columns = self._vocabulary.columns if clean else self._vocabulary.columns | self._vocabulary.aliases
        using = seq(key("USING"), tokens.opening, listed(columns, tokens.comma), tokens.closing)
        joins = [self._join(text) for text in self._dialect.joins]
        natural = seq(key("NATURAL"), alt(*(join for join, condition in joins if condition != "never")))

        def joined(source: Fragment) -> Fragment:
            behind = {"optional": opt(on | using), "needed": on | using, "never": opt(NEVER)}
            rest = [
                seq(alt(*(join for join, found in joins if found == condition)), source, ending)
                for condition, ending in behind.items()
            ]
            return alt(seq(natural if several else tokens.comma | natural, source), *rest)

        if clean is None:
            further = joined(plain | making) + many(joined(plain | making))
            return (plain | making) + (further if several else opt(further))
        if clean:
            return plain + many(joined(plain))
        behind = many(joined(plain | making))
        return alt(making + behind, seq(self._make_sources(world, base, True), joined(making), behind))

    def _join(self, text: str) -> tuple[Fragment, str]:
        """A join and whether it needs a condition: a mark behind its words tells."""
        condition = {"!": "needed", "-": "never"}.get(text[-1], "optional")
        return self._tokens.key(text.rstrip("!-")), condition

    def _tables(self, base: int) -> Fragment:
        return self.expressions.table(base) + opt(self.alias())

    def _makers(self, base: int) -> Fragment:
        """Sources that make names of columns."""
        tokens, key, e = self._tokens, self._tokens.key, self.expressions
        lateral = opt(key("LATERAL")) if self._dialect.has("lateral") else NOTHING
        found = [seq(lateral, e.subquery(base, None), self._derived())]
        inner = e.expression(OPEN if base == STRICT else base, PLAIN)
        calls = e.calls.named("table")
        if calls:
            call = alt(*(name + e.calls.arguments(inner, low, high) for name, low, high in calls))
            found.append(call + opt(self._derived()))
        several = not self._dialect.has("nested tables")
        nested = self._rule(
            ("join", base), lambda: collapsed(self._make_sources(max(base, OPEN), base, None, several))
        )
        found.append(seq(tokens.opening, tokens.inside(nested), tokens.closing))
        return alt(*found)

    def _derived(self) -> Fragment:
        """The alias of what is no table, with names for its columns where the dialect has them."""
        alias = self.alias()
        if self._dialect.has("column aliases"):
            tokens = self._tokens
            alias += opt(seq(tokens.opening, listed(self.aliases, tokens.comma), tokens.closing))
        return alias if self._dialect.has("derived names") else opt(alias)

    # -- VALUES and WITH ----------------------------------------------------------------------------

    def _values(self, world: int, width: int | None) -> Fragment:
        tokens = self._tokens
        inner = self.expressions.expression(world, PLAIN)
        if width is None:
            items = listed(inner, tokens.comma, COUNTED + 1)
        else:
            items = listed(inner, tokens.comma, width, width)
        row = seq(tokens.opening, items, tokens.closing)
        return tokens.key("VALUES") + listed(row, tokens.comma)

    def _with_clause(self) -> Fragment:
        tokens, key = self._tokens, self._tokens.key
        name = self._vocabulary.aliases
        how = key("AS")
        if self._dialect.has("materialized"):
            how += opt(opt(key("NOT")) + key("MATERIALIZED"))
        columns = self._vocabulary.columns | name
        forms = [seq(name, how, self.expressions.subquery(WITH, None))]
        for width in (*range(1, COUNTED + 1), None):
            least, most = (width, width) if width is not None else (COUNTED + 1, None)
            listing = seq(tokens.opening, listed(columns, tokens.comma, least, most), tokens.closing)
            forms.append(seq(name, listing, how, self.expressions.subquery(WITH, width)))
        return seq(key("WITH"), opt(key("RECURSIVE")), listed(alt(*forms), tokens.comma))
