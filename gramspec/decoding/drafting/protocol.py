"""The `Drafter` protocol: a chain of drafted tokens with the rows they were drawn from.

Law: whatever was drawn stays in the draft; row i is the law token i was really drawn from.
Source: laws, traps 1 and 2.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from gramspec.decoding.kernel import Node, StepLaw
from gramspec.decoding.random import RandomSource


class Proposal(NamedTuple):
    """A drafted chain.

    Attributes
    ----------
    tokens : tuple of int
        Drafted tokens; only the last one may be an EOS id.
    rows : tuple of ndarray, shape (width,)
        The law each token was drawn from.
    nodes : tuple of Node
        The node before each drafted token, and the node after the last one unless that is an EOS id.
    """

    tokens: tuple[int, ...]
    rows: tuple[NDArray[np.float64], ...]
    nodes: tuple[Node, ...]


class Drafter(Protocol):
    """Proposes the next tokens of an attempt."""

    def propose(self, law: StepLaw, node: Node, limit: int, random: RandomSource) -> Proposal:
        """Draft at most `limit` tokens after `node`.

        Parameters
        ----------
        law : StepLaw
            The law to be sampled; tokens with factor zero are not drafted.
        node : Node
            Where the attempt stands.
        limit : int
            Largest number of tokens.
        random : RandomSource
            Source of every choice.
        """
        ...
