"""The `Verifier` protocol: which path of a draft tree is kept, and what is emitted after it.

Law: path and symbol follow the target rows K from the root, whatever was drafted.
Source: laws, "Verification rules".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from gramspec.decoding.drafting.tree import DraftTree
from gramspec.decoding.random import RandomSource

Kernels = Sequence[NDArray[np.float64] | None]


class TreeVerdict(NamedTuple):
    """What a verifier decided.

    Attributes
    ----------
    path : tuple of int
        Indices of the accepted nodes, from a child of the root downwards.
    next : int or None
        Symbol emitted after the path, never a drafted child of its end; the width of the rows stands for
        †; None after an EOS id.
    """

    path: tuple[int, ...]
    next: int | None


class Verifier(Protocol):
    """Decides one round."""

    @property
    def name(self) -> str:
        """Name of the rule."""
        ...

    def verify(self, tree: DraftTree, kernels: Kernels, random: RandomSource) -> TreeVerdict:
        """Decide which path is kept.

        Parameters
        ----------
        tree : DraftTree
            What was drafted.
        kernels : sequence of ndarray, shape (width + 1,), or None
            K(.|x) at each node of the tree; None after an EOS id.
        random : RandomSource
            Asked only where the outcome is open.

        Raises
        ------
        DraftError
            When the rule does not hold for such a tree.
        """
        ...
