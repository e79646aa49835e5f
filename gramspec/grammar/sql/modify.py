"""INSERT, UPDATE and DELETE.

Law: only tables are written, never views or generated columns; a row has as many values as columns are named,
and a target of ON CONFLICT is one of the table's unique keys.
Source: https://www.sqlite.org/lang_insert.html, https://www.sqlite.org/lang_UPSERT.html,
https://www.sqlite.org/lang_update.html, https://www.sqlite.org/lang_delete.html.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import permutations
from typing import Final

from gramspec.grammar.sql.calls import PLAIN
from gramspec.grammar.sql.catalog import Schema, Table
from gramspec.grammar.sql.expressions import OPEN, STRICT, WITH
from gramspec.grammar.sql.lexical import NEVER, NOTHING, Follow, Fragment, alt, either, listed, many, opt, seq
from gramspec.grammar.sql.select import COUNTED, Select
from gramspec.grammar.sql.tokens import Words

_ROWS: Final = 3  # columns of a row on the left of an assignment, at most
_ORDERS: Final = 3  # columns of a unique key whose orders are all written out


class Target:
    """A table that may be written, or any table where no schema is given.

    Parameters
    ----------
    name : Fragment
        Its name.
    columns : Fragment
        The columns that may be written.
    width : int or None
        Number of columns of a row without a list of columns; None: not known.
    most : int
        Longest list of columns.
    keys : tuple of Fragment
        The unique keys, as lists.
    """

    def __init__(
        self,
        name: Fragment,
        columns: Fragment,
        width: int | None,
        most: int,
        keys: tuple[Fragment, ...],
    ) -> None:
        self.name = name
        self.columns = columns
        self.width = width
        self.most = most
        self.keys = keys


class Modify:
    """Makes the statements that write; one object per grammar.

    Parameters
    ----------
    tokens : Words
        Tokens.
    select : Select
        Queries.
    schema : Schema or None
        The tables; None: any.
    free : Fragment
        Any name; used without a schema.
    """

    def __init__(self, tokens: Words, select: Select, schema: Schema | None, free: Fragment) -> None:
        self._tokens = tokens
        self._select = select
        self._dialect = tokens.dialect
        self._free = free
        if schema is None:
            self._targets = [Target(free, free, None, COUNTED, (listed(free, tokens.comma),))]
        else:
            self._targets = [self._target(table) for table in schema.tables if self._writable(table)]
        self._sources: dict[tuple[int, int | None], Fragment] = {}

    def statement(self, kind: str) -> Fragment:
        """The statements of a kind ("insert", "update", "delete"), with their WITH.

        Parameters
        ----------
        kind : str
            The kind.
        """
        make = {"insert": self._insert, "update": self._update, "delete": self._delete}[kind]
        if not self._targets:
            return NEVER
        return make(STRICT) | self._select.with_clause(STRICT) + make(WITH)

    @property
    def possible(self) -> bool:
        """Whether there is a table to write."""
        return bool(self._targets)

    # -- targets --------------------------------------------------------------------------------

    def _writable(self, table: Table) -> bool:
        return table.kind == "table" and any(not c.generated and not c.hidden for c in table.columns)

    def _target(self, table: Table) -> Target:
        names = self._tokens.names
        written = [c.name for c in table.columns if not c.generated and not c.hidden]
        extra = self._dialect.rowids if table.rowid else ()
        name = names.known([table.name])
        keys = tuple(self._key(key) for unique in table.unique for key in self._orders(unique))
        return Target(name, names.known([*written, *extra]), len(written), len(written), keys)

    @staticmethod
    def _orders(unique: tuple[str, ...]) -> list[tuple[str, ...]]:
        return list(permutations(unique)) if len(unique) <= _ORDERS else [unique]

    def _key(self, columns: tuple[str, ...]) -> Fragment:
        names, comma = self._tokens.names, self._tokens.comma
        parts = [names.known([column]) for column in columns]
        return seq(parts[0], *(comma + part for part in parts[1:]))

    def _each(self, name: str, make: Callable[[Target], Fragment]) -> Fragment:
        """The name of every table and what may follow it, by a call for each."""
        return alt(*(self._one(name, target, make) for target in self._targets))

    def _one(self, name: str, target: Target, make: Callable[[Target], Fragment]) -> Fragment:
        return target.name + self._tokens.spaced(name, lambda: make(target))

    # -- INSERT ---------------------------------------------------------------------------------

    def _insert(self, world: int) -> Fragment:
        key = self._tokens.key
        verbs = [key("INSERT")]
        if self._dialect.has("or"):
            verbs.append(key("INSERT OR") + self._tokens.either(self._dialect.conflict_words))
        if self._dialect.has("insert ignore"):
            verbs.append(key("INSERT IGNORE"))
        if self._dialect.has("replace") and world == STRICT:
            verbs.append(key("REPLACE"))
        return (
            alt(*verbs) + key("INTO") + self._each("insert", cache(lambda target: self._into(world, target)))
        )

    def _into(self, world: int, target: Target) -> Fragment:
        key = self._tokens.key
        alias = opt(key("AS") + self._select.aliases) if self._dialect.has("target alias") else NOTHING
        written = opt(self._returning(world))
        conflict = opt(self._conflict(world, target)) + written

        def body(width: int | None) -> Fragment:
            return self._values(world, width) + conflict | self._query(world, width) + written

        widths = (target.width,) if target.width is not None else (*range(1, COUNTED + 1), None)
        forms = [self._listed(target, body), *map(body, widths)]
        if self._dialect.has("default values"):
            forms.append(key("DEFAULT VALUES") + written)
        return alias + alt(*forms)

    def _listed(self, target: Target, body: Callable[[int | None], Fragment]) -> Fragment:
        """Columns in parentheses, then as many values."""
        tokens = self._tokens

        def before(follow: Follow) -> Follow:
            found = NEVER.before(follow)
            for number in range(target.most, 0, -1):
                here = (tokens.closing + body(number)).before(follow)
                found = target.columns.before(either(here, tokens.comma.before(found)))
            return tokens.opening.before(found)

        return Fragment(before)

    def _values(self, world: int, width: int | None) -> Fragment:
        return self._select.values(world, width)

    def _query(self, world: int, width: int | None) -> Fragment:
        exact = width if width is not None and width <= COUNTED else None
        found = (world, exact)
        if found not in self._sources:
            self._sources[found] = self._tokens.spaced(
                "insert query", lambda: self._select.selection(world, exact)
            )
        return self._sources[found]

    def _conflict(self, world: int, target: Target) -> Fragment:
        tokens, key = self._tokens, self._tokens.key
        if self._dialect.has("on duplicate key"):
            return key("ON DUPLICATE KEY UPDATE") + self._assignments(world, target)
        if not self._dialect.has("on conflict"):
            return NEVER
        update = seq(key("DO UPDATE SET"), self._assignments(world, target), opt(self._where(world)))
        nothing = key("DO NOTHING")
        keyed = NEVER
        if target.keys:
            keyed = seq(tokens.opening, alt(*target.keys), tokens.closing, nothing | update)
        return key("ON CONFLICT") + (keyed | nothing)

    # -- UPDATE, DELETE ---------------------------------------------------------------------------

    def _update(self, world: int) -> Fragment:
        key = self._tokens.key
        verbs = [key("UPDATE")]
        if self._dialect.has("or"):
            verbs.append(key("UPDATE OR") + self._tokens.either(self._dialect.conflict_words))
        return alt(*verbs) + self._each("update", cache(lambda target: self._set(world, target)))

    def _set(self, world: int, target: Target) -> Fragment:
        key = self._tokens.key
        alias = opt(key("AS") + self._select.aliases)

        def form(inside: int, source: Fragment) -> Fragment:
            end = seq(opt(self._where(inside)), opt(self._returning(world)))
            return seq(self._assignments(inside, target), source, end)

        if not self._dialect.has("update from"):
            plain = self._assignments(world, target) + opt(self._where(world))
            return seq(alias, key("SET"), plain, opt(self._select.ordering_limit(world)))
        sources = self._select.sources
        if world != STRICT:
            forms = form(world, opt(key("FROM") + sources(world, world, None)))
        else:
            forms = form(STRICT, opt(key("FROM") + sources(STRICT, STRICT, True)))
            forms |= form(OPEN, key("FROM") + sources(OPEN, STRICT, False))
        return seq(alias, key("SET"), forms)

    def _assignments(self, world: int, target: Target) -> Fragment:
        tokens = self._tokens
        equals = tokens.lexis.symbols("=")
        value = self._select.expressions.expression(world, PLAIN)
        forms = [seq(target.columns, equals, value)]
        if self._dialect.has("row assignments"):
            for width in range(2, min(_ROWS, target.most) + 1):
                left = seq(tokens.opening, listed(target.columns, tokens.comma, width, width), tokens.closing)
                row = seq(tokens.opening, listed(value, tokens.comma, width, width), tokens.closing)
                forms.append(seq(left, equals, row | self._select.expressions.subquery(world, width)))
        one = alt(*forms)
        return one + many(tokens.comma + one)

    def _delete(self, world: int) -> Fragment:
        key = self._tokens.key
        alias = opt(key("AS") + self._select.aliases)
        if self._dialect.has("ordered writes"):
            end = opt(self._select.ordering_limit(world))
        else:
            end = opt(self._returning(world))
        tail = seq(alias, opt(self._where(world)), end)
        return seq(key("DELETE FROM"), alt(*(target.name for target in self._targets)), tail)

    # -- what they share ----------------------------------------------------------------------------

    def _where(self, world: int) -> Fragment:
        return self._tokens.key("WHERE") + self._select.expressions.expression(world, PLAIN)

    def _returning(self, world: int) -> Fragment:
        if not self._dialect.has("returning"):
            return NEVER
        tokens = self._tokens
        value = self._select.expressions.expression(world, PLAIN)
        item = value + opt(self._select.alias()) | tokens.star
        return tokens.key("RETURNING") + listed(item, tokens.comma)
