"""Verifiers by name, and the one for every tree.

Law: that of the verifier. Source: laws, "Verification rules".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gramspec.decoding.drafting.tree import DraftTree
from gramspec.decoding.random import RandomSource
from gramspec.decoding.verification.chain import Block, Token, is_chain
from gramspec.decoding.verification.descent import Descent, Greedy, Match, Recursive
from gramspec.decoding.verification.k_seq import KSeq
from gramspec.decoding.verification.protocol import Kernels, TreeVerdict, Verifier
from gramspec.decoding.verification.traversal import Traversal
from gramspec.errors import OptionError


class Auto:
    """Traversal of any tree; a chain of drawn tokens by `Block`, which is the same decision in fewer steps.

    There is one rule for all shapes on purpose. A drafter may let the shape depend on what it drew; then a
    rule picked by the shape is picked by those tokens, and block for chains with a descent for other trees,
    both lossless alone, emit another law together.
    """

    name = "auto"

    def __init__(self) -> None:
        self._block, self._traversal = Block(), Traversal()

    def verify(self, tree: DraftTree, kernels: Kernels, random: RandomSource) -> TreeVerdict:
        """Decide which path is kept; see `Verifier.verify`."""
        verifier = self._block if is_chain(tree) else self._traversal
        return verifier.verify(tree, kernels, random)


VERIFIERS: Mapping[str, Callable[[], Verifier]] = {
    "auto": Auto,
    "token": Token,
    "block": Block,
    "match": Match,
    "k-seq": KSeq,
    "recursive": Recursive,
    "greedy": Greedy,
    "descent": Descent,
    "traversal": Traversal,
}


def by_name(name: str) -> Verifier:
    """The verifier of that name.

    Parameters
    ----------
    name : str
        "auto", "token", "block", "match", "k-seq", "recursive", "greedy", "descent" or "traversal".

    Raises
    ------
    OptionError
        When there is none.
    """
    made = VERIFIERS.get(name) if isinstance(name, str) else None
    if made is None:
        raise OptionError(f"verifier={name!r}: one of {', '.join(map(repr, VERIFIERS))} is needed")
    return made()
