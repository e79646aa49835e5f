"""Text up to a trigger as a grammar.

Law: the members of ``text_until(triggers)`` are the texts in which a trigger ends at the end, and nowhere
before it.
Source: API, section 1.
"""

from __future__ import annotations

from collections.abc import Iterable

from gramspec.errors import GrammarError
from gramspec.grammar import ir
from gramspec.grammar.core import Grammar
from gramspec.grammar.tags.fields import encoded
from gramspec.grammar.tags.text import free_text, until


def text_until(
    triggers: str | Grammar | Iterable[str | Grammar], *, include: bool = True, excludes: Iterable[str] = ()
) -> Grammar:
    """Free text up to the first of some triggers.

    Parameters
    ----------
    triggers : str, Grammar or iterable of these
        Texts, or single tokens made by `gramspec.token`. One alone stands for a list of one.
    include : bool
        True: the members end with a trigger, and no trigger ends before that. False: the members are the
        texts without any trigger; what follows them must be said by the grammar they are joined with, and
        tokens as triggers bound nothing, for a token is no part of a text.
    excludes : iterable of str
        Texts that occur nowhere in it, the trigger included.

    Returns
    -------
    Grammar
        Valid UTF-8; regular unless a trigger is a token.

    Raises
    ------
    GrammarError
        If there is no trigger, one is empty, or one can never be reached because another one or an excluded
        text ends inside it; the pointer is its ``/index``.
    LimitError
        If the triggers are too long or overlap in too many ways.

    Examples
    --------
    >>> import gramspec as gs
    >>> thought = gs.text_until("</think>")
    >>> thought.accepts("2 < 3</think>"), thought.accepts("a</think>b</think>")
    (True, False)
    """
    words, places, tokens = [], [], []
    for place, trigger in _listed(triggers):
        if isinstance(trigger, Grammar):
            if not isinstance(trigger.expr, ir.TokenEdge):
                reason = f"{trigger.description} is not a single token"
                raise GrammarError(place, reason, "write a text, or gs.token(name_or_id)")
            tokens.append(trigger.expr)
        else:
            words.append(encoded(trigger, place, "a trigger"))
            places.append(place)
    banned = [encoded(text, f"/excludes/{i}", "an excluded text") for i, text in enumerate(excludes)]
    shown = f"text until {len(words) + len(tokens)} trigger{'s' if len(words) + len(tokens) > 1 else ''}"
    reached = until([(word, ir.EPSILON) for word in words], excludes=banned, places=places)
    plain = free_text([*words, *banned])
    if not include:
        return Grammar(plain, f"{shown}, without it")
    return Grammar(ir.union(reached, *(ir.concat(plain, edge) for edge in tokens)), shown)


def _listed(triggers: object) -> list[tuple[str, object]]:
    if isinstance(triggers, str | bytes | Grammar):
        return [("", triggers)]
    if not isinstance(triggers, Iterable):
        reason = f"triggers are texts or tokens, not {type(triggers).__name__}"
        raise GrammarError("", reason, 'write text_until(["<tool>"])')
    found = [(f"/{index}", trigger) for index, trigger in enumerate(triggers)]
    if not found:
        raise GrammarError("", "there is no trigger", "give at least one")
    return found
