"""From the tree of a pattern to its language over characters.

Law: the result is exact: the texts that match as a whole, or that hold a match.
Cost: linear without looks; see `contexts` for anchors, `spine` and `lookaround` for looks.
Source: architecture, "IR".
"""

from __future__ import annotations

from typing import Final

from gramspec.grammar import ir
from gramspec.grammar.regex import tree
from gramspec.grammar.regex.characters import is_empty
from gramspec.grammar.regex.contexts import Builder, piece_of
from gramspec.grammar.regex.spine import with_looks
from gramspec.grammar.regex.tree import Tree

_EMPTINESS: Final = 500


def language(pattern: Tree, source: str, *, search: bool) -> ir.Expr:
    """The language of a tree.

    Parameters
    ----------
    pattern : Tree
        The tree.
    source : str
        The text of the pattern, for errors.
    search : bool
        Whether a match anywhere in the text is enough.

    Returns
    -------
    ir.Expr
        Over `CharSet` leaves.

    Raises
    ------
    UnsupportedError
        If the looks of the pattern need too many states.
    """
    if tree.looks(pattern):
        pattern = tree.simplified(pattern)
    builder = Builder(pattern)
    if not tree.looks(pattern):
        return builder.finish(piece_of(pattern, builder, source), search=search)
    expr = with_looks(pattern, builder, source, search=search)
    return ir.EMPTY if is_empty(expr, _EMPTINESS) else expr
