"""The tokens that all parts of a SQL grammar share, and calls of rules as tokens.

Law: a rule is called as a token, and what follows it is one expression.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache

from gramspec.grammar import ir
from gramspec.grammar.sql.dialect import Dialect
from gramspec.grammar.sql.lexical import BARE, END, LOOSE, WORD, Follow, Fragment, Lexis, alt, then
from gramspec.grammar.sql.literals import Literals
from gramspec.grammar.sql.names import Names, words


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
        self.call_opening = unspaced(self.opening) if dialect.has("tight calls") else self.opening
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
        texts = tuple(texts)
        touchy = [text for text in texts if not self.dialect.touchy.isdisjoint(text)]
        others = [text for text in texts if self.dialect.touchy.isdisjoint(text)]
        found = [self.lexis.signs(touchy)] if touchy else []
        return alt(*found, *([self.lexis.symbols(others)] if others else []))


def within(fragment: Fragment) -> ir.Expr:
    """The sequences of a fragment without white space in front, for a rule that is called as a token."""
    return fragment.before(END)[BARE]


def collapsed(fragment: Fragment) -> ir.Expr:
    """The sequences of a fragment after an opening parenthesis or a comma."""
    return fragment.before(END)[LOOSE]


def unspaced(fragment: Fragment) -> Fragment:
    """A fragment without white space in front."""

    def before(follow: Follow) -> Follow:
        read = fragment.before(follow)[BARE]
        return read, read, read, read

    return Fragment(before)


def ending_loose(expr: ir.Expr) -> Fragment:
    """An expression with its own white space in front, after which anything may follow."""

    def before(follow: Follow) -> Follow:
        read = then(expr, follow[LOOSE])
        return read, read, read, ir.EMPTY

    return Fragment(before)
