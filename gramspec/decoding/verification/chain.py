"""Verification of a chain as a whole, by a rule over its rows.

Law: that of the rule. Source: token (Leviathan et al., 2211.17192), block (Sun et al., 2403.10444).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from gramspec.decoding.drafting.tree import DraftTree
from gramspec.decoding.random import RandomSource
from gramspec.decoding.verification.protocol import Kernels, TreeVerdict
from gramspec.kernels.verification import Verdict

Rows = Sequence[NDArray[np.float64]]
ChainRule = Callable[[Rows, Rows, Sequence[int], RandomSource], Verdict]


class ChainVerifier:
    """Verifies drafts that are chains of drawn tokens.

    Parameters
    ----------
    rule : callable
        Takes the target rows, the draft rows, the drafted tokens and the random source.
    name : str
        Name of the rule.
    """

    def __init__(self, rule: ChainRule, name: str) -> None:
        self.name = name
        self._rule = rule

    def verify(self, tree: DraftTree, kernels: Kernels, random: RandomSource) -> TreeVerdict:
        """Decide how much of the chain is kept; see `Verifier.verify`."""
        tokens, rows, _ = tree.as_chain()
        verdict = self._rule([k for k in kernels if k is not None], rows, tokens, random)
        return TreeVerdict(tuple(range(1, verdict.accepted + 1)), verdict.next)
