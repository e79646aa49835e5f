"""SQLite's tokens: enough of them to cut scripts into statements and to tell quotes apart.

Law: `tokens` covers a text without gaps; `statements` cuts where SQLite's own shell does, triggers included.
Cost: linear in the text.
Source: https://www.sqlite.org/c3ref/complete.html and SQLite's tokenizer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from gramspec.errors import GrammarError
from gramspec.grammar.rules import Position

_TOKEN = re.compile(
    r"""(?P<space>[ \t\n\f\r]++|--[^\n]*+|/\*.*?(?:\*/|\Z))
    |(?P<string>'(?:[^']|'')*+')
    |(?P<name>"(?:[^"]|"")*+"|`(?:[^`]|``)*+`|\[[^\]]*+\])
    |(?P<word>[A-Za-z0-9_$\x80-\U0010FFFF]++)
    |(?P<open>['"`\[])
    |(?P<mark>.)""",
    re.VERBOSE | re.DOTALL,
)


class Token(NamedTuple):
    """A piece of a text.

    Attributes
    ----------
    kind : str
        "space" (comments too), "string", "name" (quoted), "word", "open" (quote not closed), "mark".
    text : str
        With its quotes.
    offset : int
        Characters before it.
    """

    kind: str
    text: str
    offset: int

    @property
    def value(self) -> str:
        """What is named: a quoted name without its quotes."""
        if self.kind not in ("name", "string"):
            return self.text
        closing = self.text[-1]
        return self.text[1:-1] if closing == "]" else self.text[1:-1].replace(closing * 2, closing)


def tokens(text: str) -> Iterator[Token]:
    """The tokens of a text, white space and comments included."""
    for match in _TOKEN.finditer(text):
        yield Token(match.lastgroup or "mark", match.group(), match.start())


class Statement(NamedTuple):
    """One statement of a script, without its semicolon.

    Attributes
    ----------
    tokens : tuple of Token
        Without white space; their offsets count from the begin of the script.
    text : str
        From its first token to its last.
    """

    tokens: tuple[Token, ...]
    text: str

    @property
    def offset(self) -> int:
        """Characters of the script before it."""
        return self.tokens[0].offset

    def words(self, count: int) -> tuple[str, ...]:
        """Its first words, in capitals, up to the first token that is none."""
        found: list[str] = []
        for token in self.tokens[:count]:
            if token.kind != "word":
                break
            found.append(token.text.upper())
        return tuple(found)


def statements(script: str) -> Iterator[Statement]:
    """The statements of a script.

    Raises
    ------
    GrammarError
        If a quote is not closed.
    """
    found: list[Token] = []
    trigger = False
    for token in tokens(script):
        if token.kind == "space":
            continue
        if token.kind == "open":
            raise placed(script, token.offset, f"the quote {token.text} is not closed", "close it")
        if token.text != ";":
            found.append(token)
            if token.kind == "word" and token.text.upper() == "TRIGGER" and 2 <= len(found) <= 3:
                trigger = found[0].text.upper() == "CREATE"
            continue
        if not found:
            continue
        # The statements of a trigger's body end with semicolons too; the last of them is followed by END.
        if trigger and not (found[-1].text.upper() == "END" and found[-2].text == ";"):
            found.append(token)
            continue
        yield _statement(script, found)
        found, trigger = [], False
    if found:
        yield _statement(script, found)


def placed(text: str, offset: int, reason: str, hint: str = "") -> GrammarError:
    """An error at a character of the user's text, by line and column."""
    return Position(text, offset).error(reason, hint)


def without_double_quotes(text: str) -> str:
    """The statement with every name in double quotes in back quotes instead.

    SQLite takes a name in double quotes that it does not know for a string, one in back quotes never.
    """
    if '"' not in text:
        return text
    parts = []
    for token in tokens(text):
        if token.kind == "name" and token.text[0] == '"':
            parts.append("`" + token.value.replace("`", "``") + "`")
        else:
            parts.append(token.text)
    return "".join(parts)


def _statement(script: str, found: list[Token]) -> Statement:
    last = found[-1]
    return Statement(tuple(found), script[found[0].offset : last.offset + len(last.text)])
