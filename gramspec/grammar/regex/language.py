"""From the tree of a pattern to its language over characters.

Law: the result is exact: the texts that match as a whole, or that hold a match.
Cost: linear without looks; see `contexts` for anchors, `spine` and `lookaround` for looks.
Source: architecture, "IR".
"""

from __future__ import annotations

from typing import Final

from gramspec.grammar import ir
from gramspec.grammar.ranges import SCALARS
from gramspec.grammar.regex import tree
from gramspec.grammar.regex.contexts import Builder, Piece
from gramspec.grammar.regex.lookaround import automaton
from gramspec.grammar.regex.tree import Chars, Choice, Here, Look, Repetition, Sequence, Tree

_ANY_TEXT: Final = Repetition(Chars(SCALARS), 0, None, "@0")


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
    pattern = tree.simplified(pattern)
    if tree.looks(pattern):
        if search:
            pattern = tree.sequence([_ANY_TEXT, pattern, _ANY_TEXT])
        return automaton(pattern, source)
    builder = Builder(pattern)
    return builder.finish(piece_of(pattern, builder, source), search=search)


def piece_of(pattern: Tree, builder: Builder, source: str) -> Piece:
    """The piece of a tree without looks."""

    def piece(node: Tree, inner: tuple[Piece, ...]) -> Piece:
        match node:
            case Chars():
                return builder.one_char(node.ranges)
            case Sequence():
                return builder.sequence(inner)
            case Choice():
                return builder.alternatives(inner)
            case Repetition():
                return builder.repetition(inner[0], node.minimum, node.maximum, node.place, source)
            case Here():
                return builder.assertion(node)
            case Look():
                raise AssertionError("looks are taken out before")

    return tree.fold(pattern, piece)
