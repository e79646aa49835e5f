"""`DraftRows`: the rows q ∝ p_draft·h at the nodes of a growing draft tree.

Law: q is the row a token is really drawn from, after the row options, the mask and h.
Cost: one forward of the draft for all nodes whose row is still missing; none where one token is left.
Source: laws, traps 1 and 2; masking the draft: "Masking the draft ... never lowers acceptance".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gramspec.decoding.drafting.align import align
from gramspec.decoding.drafting.tree import TreeBuilder
from gramspec.decoding.rows import RowLaw, fit_width
from gramspec.models.protocol import LanguageModel

Row = NDArray[np.float64]


class Proposal(NamedTuple):
    """The row that the children of one node are drawn from.

    Attributes
    ----------
    row : ndarray of float64, shape (width,)
        q, normalised.
    support : int
        Tokens with q > 0.
    mass : float
        Σ p_draft·h before q was normalised: the draft's estimate of S at the node; NaN where one token was
        left and the draft was not asked.
    """

    row: Row
    support: int
    mass: float


class DraftRows:
    """Asks a draft model for the rows of a tree, as few times as possible.

    Parameters
    ----------
    model : LanguageModel
        The draft model.
    prompt : sequence of int
        Prompt ids, as the target gets them.
    rows : RowLaw
        The row law of the target.
    """

    def __init__(self, model: LanguageModel, prompt: Sequence[int], rows: RowLaw) -> None:
        self.model = model
        self._rows = rows
        self._sequence = model.open(prompt)
        self._prompt_length = len(self._sequence.tokens)  # an empty prompt may have become a BOS token
        self._logits: dict[int, Row] = {}
        self._proposals: dict[int, Proposal | None] = {}

    def begin(self, builder: TreeBuilder) -> None:
        """Move to the root of a tree that is about to grow."""
        root = builder.nodes[0]
        assert root is not None
        align(self._sequence, self._prompt_length, root.prefix)
        self._logits = {}
        self._proposals = {}

    def at(self, builder: TreeBuilder, index: int) -> Proposal | None:
        """The row at one node; None where the draft sees no token that may follow.

        Parameters
        ----------
        builder : TreeBuilder
            The tree so far.
        index : int
            A node that goes on.
        """
        if index not in self._proposals:
            self._proposals[index] = self._proposal(builder, index)
        return self._proposals[index]

    def _proposal(self, builder: TreeBuilder, index: int) -> Proposal | None:
        node = builder.nodes[index]
        assert node is not None
        law = builder.law
        factors = law.children(node)
        left = np.flatnonzero(factors)
        if len(left) == 0 or node.remaining < 1:
            return None
        if len(left) == 1:
            row = np.zeros(law.width)
            row[left[0]] = 1.0
            return Proposal(row, 1, float("nan"))
        if index not in self._logits:
            self._fetch(builder)
        p = fit_width(self._rows.row(self._logits[index], node.prefix), law.width)
        row = p * factors
        mass = float(row.sum())
        if not mass > 0.0:
            return None
        row /= mass
        return Proposal(row, int(np.count_nonzero(row)), mass)

    def _fetch(self, builder: TreeBuilder) -> None:
        """Score the whole tree in one forward: all leaves get their row at once."""
        inner = [i for i, node in enumerate(builder.nodes) if node is not None]
        place = {i: k - 1 for k, i in enumerate(inner)}  # the root is -1
        tokens = [builder.tokens[i] for i in inner[1:]]
        parents = [place[builder.parents[i]] for i in inner[1:]]
        for i, row in zip(inner, self._sequence.score(tokens, parents), strict=True):
            self._logits[i] = row
