"""Calls: functions with as many arguments as they take, aggregates, windows, CAST and its like.

Law: no aggregate inside an aggregate, no window function where the clause has none; frames do not end before
they start, and one by a distance of values has one term of order.
Source: https://www.sqlite.org/lang_corefunc.html, https://www.sqlite.org/windowfunctions.html, PostgreSQL
manual 4.2.7 and 4.2.8, MySQL manual 14.19 and 14.20.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Final, Protocol

from gramspec.grammar.sql.lexical import NEVER, Fragment, alt, listed, many, opt, seq
from gramspec.grammar.sql.names import words
from gramspec.grammar.sql.tokens import Words

PLAIN: Final = 0
GROUPED: Final = 1
WINDOWED: Final = 2


class Source(Protocol):
    """Where calls take their arguments from."""

    def expression(self, world: int, level: int) -> Fragment:
        """Any expression."""
        ...

    def subquery(self, world: int, width: int | None) -> Fragment:
        """A query in parentheses."""
        ...


class Calls:
    """Makes the calls of a dialect; one object per grammar.

    Parameters
    ----------
    tokens : Words
        Tokens.
    aliases : Fragment
        Names of windows.
    source : Source
        Arguments.
    """

    def __init__(self, tokens: Words, aliases: Fragment, source: Source) -> None:
        self._tokens = tokens
        self._dialect = tokens.dialect
        self._aliases = aliases
        self._source = source
        self._kept: dict[tuple[object, ...], Fragment] = {}

    # -- what others use ----------------------------------------------------------------------

    def call(self, world: int, level: int) -> Fragment:
        """A call that ends in a parenthesis."""
        key = self._tokens.key
        inner = self._source.expression(world, level)
        items = [self._cast(inner), seq(key("EXISTS"), self._source.subquery(world, None))]
        items += [seq(name, self.arguments(inner, low, high)) for name, low, high in self.named("scalar")]
        if self._dialect.has("standard calls"):
            items += self._standard(inner)
        if self._dialect.has("arrays"):
            tokens = self._tokens
            listing = opt(listed(inner, tokens.comma))
            items.append(seq(key("ARRAY"), tokens.lexis.symbols("["), listing, tokens.lexis.symbols("]")))
        if level != PLAIN:
            plain = self._source.expression(world, PLAIN)
            where = opt(self._filter(world))
            items += [call + where for call in self._aggregates(world, plain, distinct=True)]
            items += self._ordered_sets(world, plain)
        if level == WINDOWED:
            items.append(seq(self._windowed(world), key("OVER"), self.window(world)))
        return alt(*items)

    def over_name(self, world: int) -> Fragment:
        """A call of a window function over a window that has a name."""
        return seq(self._windowed(world), self._tokens.key("OVER"), self._aliases)

    def window(self, world: int) -> Fragment:
        """A window in parentheses."""
        return self._keep(
            ("window", world), lambda: self._tokens.spaced("window", lambda: self._window(world))
        )

    def ordering(self, term: Fragment) -> Fragment:
        """ORDER BY and terms."""
        return self._tokens.key("ORDER BY") + listed(self._ordered(term), self._tokens.comma)

    def _ordered(self, term: Fragment) -> Fragment:
        key = self._tokens.key
        item = seq(term, opt(key("ASC") | key("DESC")))
        return item + opt(key("NULLS") + (key("FIRST") | key("LAST"))) if self._dialect.has("nulls") else item

    def arguments(self, inner: Fragment, low: int, high: int | None) -> Fragment:
        """From `low` to `high` arguments in parentheses."""
        tokens = self._tokens
        if high == 0:
            return tokens.call_opening + tokens.closing
        some = listed(inner, tokens.comma, max(low, 1), high)
        return seq(tokens.call_opening, opt(some) if low == 0 else some, tokens.closing)

    def named(self, kind: str) -> list[tuple[Fragment, int, int | None]]:
        """The names of the functions of a kind, with the fewest and most arguments."""
        return self._functions.get(kind, [])

    @cached_property
    def type_name(self) -> Fragment:
        """The name of a type."""
        tokens, key = self._tokens, self._tokens.key
        whole = tokens.literals.whole
        length = seq(tokens.opening, whole, opt(tokens.comma + whole), tokens.closing)
        names = self._dialect.types
        sized = alt(*(key(name[:-2]) for name in names if name.endswith("()"))) + opt(length)
        found = alt(*(key(name) for name in names if not name.endswith("()"))) | sized
        if self._dialect.has("arrays"):
            found += many(tokens.lexis.symbols("[") + tokens.lexis.symbols("]"))
        return found

    # -- functions ------------------------------------------------------------------------------

    def _keep(self, key: tuple[object, ...], make: Callable[[], Fragment]) -> Fragment:
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]

    @cached_property
    def _functions(self) -> dict[str, list[tuple[Fragment, int, int | None]]]:
        groups: dict[tuple[str, int, int | None], list[str]] = {}
        for function in self._dialect.functions:
            group = groups.setdefault((function.kind, function.least, function.most), [])
            group.extend(function.names.split())
        found: dict[str, list[tuple[Fragment, int, int | None]]] = {}
        for (kind, low, high), texts in groups.items():
            found.setdefault(kind, []).append((words(self._tokens.lexis, texts), low, high))
        return found

    def _cast(self, value: Fragment) -> Fragment:
        tokens, key = self._tokens, self._tokens.key
        return seq(key("CAST"), tokens.call_opening, value, key("AS"), self.type_name, tokens.closing)

    def _standard(self, value: Fragment) -> list[Fragment]:
        """EXTRACT, SUBSTRING and TRIM as the standard writes them."""
        tokens, key = self._tokens, self._tokens.key
        unit = tokens.either(self._dialect.units.split())
        opening, closing = tokens.call_opening, tokens.closing
        side = tokens.either(("BOTH", "LEADING", "TRAILING"))
        found = [
            seq(key("EXTRACT"), opening, unit, key("FROM"), value, closing),
            seq(key("SUBSTRING"), opening, value, key("FROM"), value, opt(key("FOR") + value), closing),
            seq(key("TRIM"), opening, side, opt(value), key("FROM"), value, closing),
        ]
        if self._dialect.has("intervals"):
            amount = seq(tokens.comma, key("INTERVAL"), value, unit, closing)
            found.append(seq(tokens.either(("DATE_ADD", "DATE_SUB")), opening, value, amount))
            two = seq(tokens.comma, value, tokens.comma, value, closing)
            found.append(seq(tokens.either(("TIMESTAMPDIFF", "TIMESTAMPADD")), opening, unit, two))
        return found

    # -- aggregates and window functions ------------------------------------------------------------

    def _windowed(self, world: int) -> Fragment:
        return self._keep(("windowed", world), lambda: self._make_windowed(world))

    def _make_windowed(self, world: int) -> Fragment:
        inner = self._source.expression(world, GROUPED)
        calls = [seq(name, self.arguments(inner, low, high)) for name, low, high in self.named("window")]
        where = opt(self._filter(world))
        return alt(*calls, *(call + where for call in self._aggregates(world, inner, distinct=False)))

    def _filter(self, world: int) -> Fragment:
        if not self._dialect.has("filter"):
            return NEVER
        tokens, key = self._tokens, self._tokens.key
        where = self._source.expression(world, PLAIN)
        return seq(key("FILTER"), tokens.opening, key("WHERE"), where, tokens.closing)

    def _aggregates(self, world: int, inner: Fragment, distinct: bool) -> list[Fragment]:
        tokens, key = self._tokens, self._tokens.key
        opening, closing = tokens.call_opening, tokens.closing
        order = self.ordering(inner) if distinct and self._dialect.has("ordered aggregates") else NEVER
        found = []
        for name, low, high in self.named("aggregate"):
            if high == 0:
                found.append(seq(name, opening, closing))
                continue
            some = listed(inner, tokens.comma, max(low, 1), high) + opt(order)
            if distinct:
                some = some | key("DISTINCT") + listed(inner, tokens.comma, max(low, 1), self._distinct(high))
            if low == 0:
                some = some | tokens.star
                some = opt(some) if self._dialect.has("empty count") else some
            found.append(seq(name, opening, some, closing))
        if self._dialect.has("group_concat") and distinct:
            between = key("SEPARATOR") + tokens.literals.text
            several = listed(inner, tokens.comma)
            whole = seq(opt(key("DISTINCT")), several, opt(self.ordering(inner)), opt(between))
            found.append(seq(key("GROUP_CONCAT"), opening, whole, closing))
        return found

    def _distinct(self, high: int | None) -> int | None:
        return high if self._dialect.has("distinct lists") else 1

    def _ordered_sets(self, world: int, inner: Fragment) -> list[Fragment]:
        tokens, key = self._tokens, self._tokens.key
        group = seq(key("WITHIN GROUP"), tokens.opening, self.ordering(inner), tokens.closing)
        where = opt(self._filter(world))
        calls = self.named("ordered")
        return [seq(name, self.arguments(inner, low, high), group, where) for name, low, high in calls]

    # -- windows --------------------------------------------------------------------------------

    def _window(self, world: int) -> Fragment:
        tokens, key = self._tokens, self._tokens.key
        inner = self._source.expression(world, GROUPED)
        partition = opt(key("PARTITION BY") + listed(inner, tokens.comma))
        item = self._ordered(inner)
        frame = opt(alt(*map(self._frame, self._units)))
        near = self._frame("RANGE", near=True)  # values differ along one term of order only
        further = seq(tokens.comma, listed(item, tokens.comma), frame)
        frames = alt(opt(self._frame("ROWS")), seq(key("ORDER BY"), item, alt(further, frame, near)))
        return seq(tokens.opening, partition, frames, tokens.closing)

    @property
    def _units(self) -> tuple[str, ...]:
        return ("ROWS", "RANGE", "GROUPS") if self._dialect.has("groups") else ("ROWS", "RANGE")

    def _frame(self, unit: str, near: bool = False) -> Fragment:
        key, number = self._tokens.key, self._tokens.literals.number
        first, last, row = key("UNBOUNDED PRECEDING"), key("UNBOUNDED FOLLOWING"), key("CURRENT ROW")
        before = after = NEVER
        if unit != "RANGE" or near:
            before, after = number + key("PRECEDING"), number + key("FOLLOWING")
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
