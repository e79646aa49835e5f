"""Verifiers by name, and the choice of one for a tree.

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
    """`Block` for a chain of drawn tokens, `Descent` for every other tree.

    The choice depends on the shape of the tree alone, and both rules hold for a chain whose length depends on
    its tokens.
    """

    name = "auto"

    def __init__(self) -> None:
        self._block, self._descent = Block(), Descent()

    def choice(self, tree: DraftTree) -> Verifier:
        """The verifier for a tree.

        Parameters
        ----------
        tree : DraftTree
            What was drafted.
        """
        return self._block if is_chain(tree) else self._descent

    def verify(self, tree: DraftTree, kernels: Kernels, random: RandomSource) -> TreeVerdict:
        """Decide which path is kept; see `Verifier.verify`."""
        return self.choice(tree).verify(tree, kernels, random)


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
