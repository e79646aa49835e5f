"""Literals: numbers, texts, blobs, constants.

Source: https://www.sqlite.org/lang_expr.html; PostgreSQL manual, 4.1.2; MySQL manual, 11.1.
"""

from __future__ import annotations

from gramspec.grammar import ir
from gramspec.grammar.encoding import utf8_ranges
from gramspec.grammar.ranges import SCALARS, of, subtract
from gramspec.grammar.sql.dialect import Dialect
from gramspec.grammar.sql.lexical import NEVER, WORD, Fragment, Lexis, folded
from gramspec.grammar.sql.names import words

_DIGIT = ir.byte_set(b"0123456789")
_HEX = ir.byte_set(b"0123456789abcdefABCDEF")


class Literals:
    """The literals of a dialect, each kind a fragment.

    Parameters
    ----------
    dialect : Dialect
        Its constants and the forms of its texts.
    lexis : Lexis
        Makes the tokens.
    """

    def __init__(self, dialect: Dialect, lexis: Lexis) -> None:
        digits = ir.repeat(_DIGIT, 1)
        exponent = ir.optional(ir.concat(folded("e"), ir.optional(ir.byte_set(b"+-")), digits))
        fraction = ir.concat(ir.literal("."), digits)
        self.whole = lexis.token(ir.Call(digits), WORD, WORD)
        tail = ir.concat(ir.optional(ir.concat(ir.literal("."), ir.repeat(_DIGIT))), exponent)
        self.number = lexis.token(ir.Call(ir.concat(digits, tail)), WORD, WORD)
        self.number |= lexis.token(ir.Call(ir.concat(fraction, exponent)), ends=WORD)
        if dialect.has("hexadecimal"):
            self.number |= lexis.token(
                ir.concat(ir.literal("0"), folded("x"), ir.repeat(_HEX, 1, 16)), WORD, WORD
            )
        self.text = self._text(dialect, lexis)
        self.blob = NEVER
        if dialect.has("blobs"):
            pairs = ir.Call(ir.concat(ir.repeat(ir.concat(_HEX, _HEX)), ir.literal("'")))
            self.blob = lexis.token(ir.concat(folded("x"), ir.literal("'"), pairs), WORD)
        self.constant = words(lexis, dialect.constants.split())
        self.any = self.number | self.text | self.blob | self.constant
        if dialect.typed_texts:
            self.any |= words(lexis, dialect.typed_texts.split()) + self.text

    @staticmethod
    def _text(dialect: Dialect, lexis: Lexis) -> Fragment:
        slashes = dialect.has("back slashes")
        found = lexis.token(_quoted("'", slashes))
        if dialect.has("double quoted texts"):
            found |= lexis.token(_quoted('"', slashes))
        if dialect.has("escape texts"):
            found |= lexis.token(ir.concat(folded("e"), _quoted("'", True)), WORD)
        if dialect.has("dollar texts"):
            no_dollar = _all_but("$")
            body = ir.repeat(ir.union(no_dollar, ir.concat(ir.literal("$"), no_dollar)))
            # A word or a number in front would swallow the first sign.
            found |= lexis.token(
                ir.concat(ir.literal("$$"), ir.Call(ir.concat(body, ir.literal("$$")))), WORD
            )
        return found


def _quoted(quote: str, slashes: bool) -> ir.Expr:
    """A text in quotes, doubled inside; with `slashes` a back slash escapes the character behind it."""
    plain = _all_but(quote + "\\" if slashes else quote)
    parts = [plain, ir.literal(quote * 2)]
    if slashes:
        # Escapes that stand for one character of their own; numbered ones may spell what no text holds.
        parts.append(ir.concat(ir.literal("\\"), ir.byte_set(b"'\\bfnrt" if quote == "'" else b'"\\bnrt')))
    return ir.concat(ir.literal(quote), ir.Call(ir.concat(ir.repeat(ir.union(*parts)), ir.literal(quote))))


def _all_but(chars: str) -> ir.Expr:
    return utf8_ranges(subtract(SCALARS, of("\0" + chars)))
