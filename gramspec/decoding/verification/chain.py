"""Verification of a chain as a whole, by a rule over its rows: `Token` and `Block`.

Law: the accepted tokens and the symbol after them follow the target rows K, whatever the draft rows q.
Cost: token reads the rows up to the first rejection, block reads them all. Source: token (Leviathan et al.,
2211.17192; Chen et al., 2302.01318), block (Sun et al., 2403.10444).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from gramspec.decoding.drafting.tree import Branch, DraftTree
from gramspec.decoding.random import RandomSource
from gramspec.decoding.verification.candidates import check_branches, drawn_row, refusal
from gramspec.decoding.verification.protocol import Kernels, TreeVerdict
from gramspec.kernels.verification import Verdict, block_rule, token_rule

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
        check_branches(tree, self.name, _no_chain)
        for index, group in enumerate(tree.branches):
            if len(group) > 1:
                raise refusal(tree, index, 1, f"{self.name} verification needs one branch at each node")
        tokens, _, _ = tree.as_chain()
        rows = [drawn_row(group[0]) for group in tree.branches if group]
        verdict = self._rule([k for k in kernels if k is not None], rows, tokens, random)
        return TreeVerdict(tuple(range(1, verdict.accepted + 1)), verdict.next)


class Token(ChainVerifier):
    """Token by token: x is kept with probability min(1, K/q), after a rejection (K − q)₊."""

    def __init__(self) -> None:
        super().__init__(lambda k, q, x, random: token_rule(k, q, x, random.choose), "token")


class Block(ChainVerifier):
    """The drafted block as one: the largest expected number of kept tokens of all rules for a chain."""

    def __init__(self) -> None:
        super().__init__(lambda k, q, x, random: block_rule(k, q, x, random.choose), "block")


def is_chain(tree: DraftTree) -> bool:
    """Whether a tree is a chain of drawn tokens, one at each node.

    Parameters
    ----------
    tree : DraftTree
        What was drafted.
    """
    return all(len(group) <= 1 and all(not _no_chain(b) for b in group) for group in tree.branches)


def _no_chain(branch: Branch) -> str:
    if branch.law == "fixed":
        return "every token has to be drawn from a row"
    return "one drawn token is needed at each node" if len(branch.tokens) > 1 else ""
