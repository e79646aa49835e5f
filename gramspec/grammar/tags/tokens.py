"""Grammars of single vocabulary tokens.

Law: a token edge is that token and nothing that spells like it.
Source: architecture, "token edges".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from gramspec.errors import GrammarError
from gramspec.grammar import ir
from gramspec.grammar.core import Grammar

_MOST_IDS: Final = 1 << 22  # more than any vocabulary has


def token(name_or_id: str | int) -> Grammar:
    """The grammar of exactly one vocabulary token, never spelled.

    Parameters
    ----------
    name_or_id : str or int
        Name of a special token, looked up when the grammar is compiled, or the id of any token.

    Returns
    -------
    Grammar
        Its members are sequences with that token id in them; `Grammar.accepts` takes them as lists of
        bytes and ids.

    Raises
    ------
    GrammarError
        If it is neither a name nor an id. Whether the vocabulary has such a token, and that it is not EOS,
        is seen when the grammar is compiled (`VocabularyError`).

    Examples
    --------
    >>> import gramspec as gs
    >>> vocabulary = gs.Vocabulary([b"a", b"b", None, None], [3], special_tokens={"<|tool|>": 2})
    >>> matcher = gs.compile(gs.literal("a") + gs.token("<|tool|>"), vocabulary).matcher()
    >>> matcher.advance_many([0, 2, 3])
    3
    """
    return Grammar(ir.TokenEdge(checked_token(name_or_id, "")), f"token {name_or_id!r}")


def any_token(*, exclude: Iterable[str | int] = ()) -> Grammar:
    """The grammar of exactly one vocabulary token, whichever it is, but for some.

    Parameters
    ----------
    exclude : iterable of str or int
        Names of special tokens and ids that it is not.

    Returns
    -------
    Grammar
        Tokens with bytes and special tokens; never EOS. It is a token and not the text of it, so that a
        repetition of it may hold any bytes, valid UTF-8 or not.

    Raises
    ------
    GrammarError
        As for `token`; the pointer is ``/exclude/index``.
    """
    if isinstance(exclude, str) or not isinstance(exclude, Iterable):
        raise GrammarError("/exclude", f"tokens are listed, not {type(exclude).__name__}", "write [token]")
    excluded = tuple(checked_token(each, f"/exclude/{index}") for index, each in enumerate(exclude))
    return Grammar(ir.TokenSet(excluded, negated=True), f"any token but {len(excluded)}")


def checked_token(value: object, place: str) -> str | int:
    """A name or id that may stand in a token edge.

    Raises
    ------
    GrammarError
        If it is neither.
    """
    if isinstance(value, bool) or not isinstance(value, int | str):
        hint = 'write the name of a special token ("<|tool|>") or an id (128000)'
        raise GrammarError(place, f"a token is a name or an id, not {type(value).__name__}", hint)
    if isinstance(value, str) and not value:
        raise GrammarError(place, "the name of a token is empty", "write the name of a special token")
    if isinstance(value, int) and not 0 <= value < _MOST_IDS:
        raise GrammarError(place, f"{value} is no token id", f"ids count from 0 to {_MOST_IDS - 1} at most")
    return value
