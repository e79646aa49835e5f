"""Stop rules: where a path of a draft ends, by the probability that some token of it is rejected.

Law: a rule looks at drafted tokens that stay in the draft and decides whether others are drawn after them.
Source: SpecDec++ (2405.19715), threshold on 1 − ∏ â; laws, trap 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import exp, isnan, log
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from gramspec.decoding.drafting.draft_rows import Proposal
from gramspec.decoding.drafting.tree import DraftTree
from gramspec.errors import OptionError

Row = NDArray[np.float64]
FEATURES = 6


class Path(NamedTuple):
    """What is known of a drafted node before the target has seen it.

    Attributes
    ----------
    reach : float
        Probability of the path under the rows it was drawn from.
    proposal : Proposal or None
        Row the last token was drawn from; None for the root.
    token : int
        The last token; -1 for the root.
    before : Path or None
        The path without it.
    """

    reach: float
    proposal: Proposal | None
    token: int
    before: Path | None

    @classmethod
    def root(cls) -> Path:
        """The path without tokens."""
        return cls(1.0, None, -1, None)

    def then(self, proposal: Proposal, token: int) -> Path:
        """The path with one more token.

        Parameters
        ----------
        proposal : Proposal
            Row the token was drawn from.
        token : int
            The token.
        """
        return Path(self.reach * float(proposal.row[token]), proposal, token, self)


class StopRule(Protocol):
    """Decides whether a path ends after its last token, which stays."""

    def stops(self, path: Path) -> bool:
        """Whether nothing is drafted after this path.

        Parameters
        ----------
        path : Path
            With its last token.
        """
        ...

    def observe(self, tree: DraftTree, paths: Mapping[int, Path]) -> None:
        """Learn from a round, after all of its verdicts.

        Parameters
        ----------
        tree : DraftTree
            Nodes that go on hold their kernel row.
        paths : mapping of int to Path
            Path of each drafted node.
        """
        ...


class ThresholdStop:
    """Stops when the predicted probability that some drafted token is rejected is above a threshold.

    The acceptance of a token is predicted by logistic regression on the draft's probability of it and of
    its rival, the entropy of q, the number of tokens left and the mass the mask has taken from the draft;
    labels are min(1, K/q) at every node whose target row became known, also beside the accepted path.
    A token that is the only one left has acceptance one and never stops a path.

    Parameters
    ----------
    threshold : float
        Stop when 1 − ∏ â is larger.
    rejection_weight : float
        Weight of the rejected share of a label in the loss.
    rate : float
        Step of the stochastic gradient.
    """

    def __init__(self, threshold: float = 0.6, *, rejection_weight: float = 6.0, rate: float = 0.05) -> None:
        if not 0.0 <= threshold <= 1.0:
            raise OptionError(f"threshold={threshold!r}: a probability is needed")
        if not rejection_weight > 0.0 or not rate >= 0.0:
            raise OptionError("rejection_weight is positive, rate is not negative")
        self.threshold = threshold
        self.rejection_weight = rejection_weight
        self.rate = rate
        # Before any label: the acceptance is taken for q of the token, which is right at both ends.
        self.weights = np.zeros(FEATURES)
        self.weights[1] = 1.0

    def acceptance(self, path: Path) -> float:
        """Predicted probability that the last token of a path is accepted, given the ones before it.

        Parameters
        ----------
        path : Path
            With its last token.
        """
        if path.proposal is None or path.proposal.support == 1:
            return 1.0
        return _logistic(float(self.weights @ features(path.proposal, path.token)))

    def stops(self, path: Path) -> bool:
        """Whether 1 − ∏ â is above the threshold; see `StopRule.stops`."""
        if path.proposal is None or path.proposal.support == 1:
            return False
        kept = 1.0
        at: Path | None = path
        while at is not None:
            kept *= self.acceptance(at)
            at = at.before
        return 1.0 - kept > self.threshold

    def observe(self, tree: DraftTree, paths: Mapping[int, Path]) -> None:
        """One gradient step per drafted token whose acceptance is known."""
        for j, path in paths.items():
            if path.proposal is None or path.proposal.support == 1:
                continue
            parent = tree.nodes[tree.parents[j]]
            if parent is None or parent.kernel is None:
                continue
            label = min(1.0, float(parent.kernel[path.token]) / float(path.proposal.row[path.token]))
            x = features(path.proposal, path.token)
            guess = _logistic(float(self.weights @ x))
            # d/dw of  −[label·log a + weight·(1 − label)·log(1 − a)]
            slope = label * (1.0 - guess) - self.rejection_weight * (1.0 - label) * guess
            self.weights += self.rate * slope * x


def features(proposal: Proposal, token: int) -> Row:
    """Features of one drafted token: 1, logit of q, entropy, log of tokens left, log mass, top or not.

    Parameters
    ----------
    proposal : Proposal
        Row the token was drawn from.
    token : int
        The token.
    """
    row = proposal.row
    q = min(max(float(row[token]), 1e-9), 1.0 - 1e-9)
    some = row[row > 0.0]
    entropy = -float(some @ np.log(some))
    mass = 0.0 if isnan(proposal.mass) else log(max(proposal.mass, 1e-12))
    top = 1.0 if q >= float(row.max()) else 0.0
    return np.array([1.0, log(q / (1.0 - q)), entropy, log(proposal.support), max(mass, -20.0), top])


def _logistic(z: float) -> float:
    return 1.0 / (1.0 + exp(-z)) if z >= 0 else exp(z) / (1.0 + exp(z))
