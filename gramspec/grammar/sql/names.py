"""Identifiers: those of a schema and free ones, bare and quoted.

Law: a bare identifier is no key word of its place; quotes inside a quoted one are doubled.
Source: https://www.sqlite.org/lang_keywords.html and its like for the other dialects.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from gramspec.errors import OptionError
from gramspec.grammar import ir
from gramspec.grammar.choice import prefix_tree
from gramspec.grammar.encoding import utf8_ranges
from gramspec.grammar.ranges import SCALARS, of, subtract
from gramspec.grammar.sql.dialect import Dialect
from gramspec.grammar.sql.lexical import NEVER, WORD, Fragment, Lexis, fold_byte

_ASCII_WORD: Final = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
_NO_NAME: Final = re.compile("[\0\ud800-\udfff]")
_CLOSING: Final = {'"': '"', "`": "`", "[": "]"}


class Names:
    """The identifiers of a dialect.

    Parameters
    ----------
    dialect : Dialect
        Its quotes and key words.
    lexis : Lexis
        Makes the tokens.
    """

    def __init__(self, dialect: Dialect, lexis: Lexis) -> None:
        self._dialect = dialect
        self._lexis = lexis
        others = utf8_ranges(((0x80, 0xD7FF), (0xE000, 0x10FFFF)))
        first = ir.union(ir.byte_set(_ASCII_WORD), others)
        later = ir.union(ir.byte_set(_ASCII_WORD + b"0123456789$"), others)
        self._word = ir.concat(first, ir.repeat(later))

    def free(self, barred: frozenset[str]) -> Fragment:
        """Any identifier: a bare word that is not barred, or anything in quotes but the empty text."""
        words = sorted(word.lower().encode() for word in barred)
        bare = ir.And((self._word, ir.Not(_any_case(prefix_tree(words)))))
        fragment = self._lexis.token(ir.Call(bare), WORD, WORD)
        for opening in self._dialect.quotes:
            closing = _CLOSING[opening]
            char = utf8_ranges(subtract(SCALARS, of("\0" + closing)))
            inside = char if opening == "[" else ir.union(char, ir.literal(closing * 2))
            body = ir.concat(ir.repeat(inside, 1), ir.literal(closing))
            fragment |= self._lexis.token(ir.concat(ir.literal(opening), ir.Call(body)))
        return fragment

    def known(self, names: Iterable[str], barred: frozenset[str] = frozenset()) -> Fragment:
        """The given names, in quotes or bare where they may be; bare they match in any ASCII case.

        Parameters
        ----------
        names : iterable of str
            As the database spells them.
        barred : frozenset of str
            Words in capitals that need quotes besides the reserved ones.
        """
        kept = self._dialect.has("quoted case")
        texts = sorted({name if kept else name.lower() for name in names if "\0" not in name})
        plain = [name for name in texts if self._is_bare(name, barred) and name == name.lower()]
        fragment = NEVER
        if plain:
            fragment |= self._lexis.token(ir.Call(_tree(plain)), WORD, WORD)
        for opening in self._dialect.quotes:
            closing = _CLOSING[opening]
            inside = [n.replace(closing, closing * 2) for n in texts if opening != "[" or closing not in n]
            if inside:
                tree = prefix_tree(sorted({name.encode() for name in inside})) if kept else _tree(inside)
                quoted = ir.concat(tree, ir.literal(closing))
                fragment |= self._lexis.token(ir.concat(ir.literal(opening), ir.Call(quoted)))
        return fragment

    def _is_bare(self, name: str, barred: frozenset[str]) -> bool:
        upper = name.upper()
        return _is_word(name) and upper not in self._dialect.reserved and upper not in barred

    def some(self, aliases: Iterable[str], barred: frozenset[str]) -> Fragment:
        """Aliases out of a list.

        Raises
        ------
        OptionError
            If there is none, or one is no text, empty, or holds NUL or a lone surrogate.
        """
        names = [aliases] if isinstance(aliases, str) else list(aliases)
        if not names:
            raise OptionError("aliases: no names; name one at least, or write None for any")
        for name in names:
            if not isinstance(name, str) or not name or _NO_NAME.search(name):
                raise OptionError(f"aliases: {name!r} is no name")
        return self.known(names, barred)


def _is_word(name: str) -> bool:
    if not name or not (name[0].isalpha() or name[0] == "_" or name[0] >= "\x80"):
        return False
    return all(c == "_" or c == "$" or c >= "\x80" or (c.isascii() and c.isalnum()) for c in name)


def _tree(names: list[str]) -> ir.Expr:
    return _any_case(prefix_tree(sorted({name.encode("utf-8") for name in names})))


def _any_case(expr: ir.Expr) -> ir.Expr:
    """The expression of literals with every ASCII letter in either case."""
    match expr:
        case ir.Concat():
            return ir.Concat(tuple(_any_case(item) for item in expr.items))
        case ir.Union():
            return ir.Union(tuple(_any_case(item) for item in expr.items))
        case ir.ByteSet():
            return fold_byte(expr.mask.bit_length() - 1)
        case _:
            return expr


def words(lexis: Lexis, texts: Iterable[str]) -> Fragment:
    """Single key words in any case, as one token."""
    tree = _any_case(prefix_tree(sorted({text.lower().encode() for text in texts})))
    return lexis.token(tree, WORD, WORD)
