"""The text of a Lark grammar to Lark's own syntax tree, its errors with their place.

Law: what Lark's grammar parser refuses is refused here, at the same place and for the same reason.
Cost: that of Lark's parser, a few seconds for a million characters; longer texts are refused.
Source: `lark.load_grammar`.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final

from gramspec.errors import GrammarError
from gramspec.grammar.lark.extensions import extend
from gramspec.grammar.lark.hooks import Extended
from gramspec.grammar.lark.scan import Source, lexemes, long_gaps
from gramspec.grammar.lark.trees import Tree

MAX_TEXT: Final = 1_000_000
_HINTS: Final = {
    "Incorrect type of value": "values are names, strings, patterns between slashes, and ranges",
    "Unclosed parenthesis": "close it with `)`",
    "Illegal name for rules or terminals": "rules are in lower case, terminals in upper case",
    "Alias expects lowercase name": "write the alias in lower case",
    "Misplaced operator": "`?`, `*`, `+` and `~` follow what they repeat",
    "Terminal names cannot contain dots": "a dot after a name is followed by its priority, a number",
    "%import expects a name": "for example `%import common.NUMBER`",
    "%ignore expects a value": "for example `%ignore WS`",
}


def read(text: str, file: str = "", *, plain: bool = False) -> tuple[Source, Extended, Tree]:
    """The syntax tree of a grammar.

    Parameters
    ----------
    text : str
        The grammar.
    file : str
        Its name for errors, if it is not the user's own text.
    plain : bool
        Whether it is known to hold nothing beyond Lark's syntax.

    Returns
    -------
    Source
        The text, which tells the place of every token.
    Extended
        What it holds beyond Lark's syntax.
    Tree
        Lark's tree.

    Raises
    ------
    GrammarError
        If the text is no Lark grammar.
    """
    source = Source(text, file)
    if len(text) > MAX_TEXT:
        reason = f"a grammar of {len(text):,} characters; the most that is read is {MAX_TEXT:,}"
        raise source.position(MAX_TEXT).error(reason, "split it into files, or write long lists as a choice")
    extended = Extended()
    if not plain:
        found = lexemes(text, file)
        extended = extend(text, found, source.position)
        source.rewrite((*extended.rewrites, *long_gaps(text, found, extended.rewrites)))
    return source, extended, _parse(source)


def _parse(source: Source) -> Tree:
    from lark import load_grammar
    from lark.exceptions import UnexpectedInput, UnexpectedToken

    lark: Any = load_grammar
    parser = lark._get_parser()
    try:
        return parser.parse(source.read + "\n", "start")
    except UnexpectedInput as error:
        reason = ""
        if isinstance(error, UnexpectedToken):
            with suppress(TypeError):  # Lark's own, where it compares two states
                reason = lark._translate_parser_exception(parser.parse, error)
        place = min(error.pos_in_stream or 0, len(source.read))
        raise _refusal(source, place, reason or "") from None


def _refusal(source: Source, place: int, reason: str) -> GrammarError:
    position = source.position(place)
    if not reason:
        found = source.read[place : place + 1]
        reason = f"unexpected {found!r}" if found.strip() else "the line ends where something is due"
    hint = next((hint for words, hint in _HINTS.items() if reason.startswith(words)), "")
    return position.error(reason[0].lower() + reason[1:] if reason[:1] != "%" else reason, hint)
