"""Grammars of single vocabulary tokens.

Law: a token edge is that token and nothing that spells like it.
Source: architecture, "token edges".
"""

from __future__ import annotations

from gramspec.errors import GrammarError
from gramspec.grammar import ir
from gramspec.grammar.core import Grammar


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
    if isinstance(value, int) and not 0 <= value < 1 << 31:
        raise GrammarError(place, f"{value} is no token id", "ids count from 0")
    return value
