"""Acceptance by automaton state, and a plan that ends where a rejection has become likely.

Law: statistics of earlier rounds decide before a round begins; no token of that round is looked at.
Source: SpecDec++ (2405.19715), threshold on the probability that some drafted token is rejected; laws,
trap 1.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from math import log
from typing import Any

import numpy as np

from gramspec.decoding.drafting.tree import DraftPlan
from gramspec.decoding.kernel import Node
from gramspec.errors import OptionError


def state_class(node: Node) -> Hashable:
    """The class of a node: equal where the same tokens may follow.

    Parameters
    ----------
    node : Node
        Where the attempt stands.
    """
    key: Hashable = getattr(node.matcher, "mask_key", None)
    return key if key is not None else np.packbits(node.matcher.viable(None)).tobytes()


class Acceptance:
    """How often a level of a draft is accepted, by class of the node where the round began.

    A round whose path keeps `a` drafted tokens has seen `a` accepted levels and, where the path was left
    for another symbol at a node with drafted children, one rejected level.

    Parameters
    ----------
    classify : callable, optional
        Class of a node; `state_class` by default.
    prior : float
        Acceptance assumed before anything is known.
    weight : float
        Levels the prior counts for.
    max_classes : int
        Classes remembered; later ones share the mean of all.

    Raises
    ------
    OptionError
        When the prior is no probability.
    """

    def __init__(
        self,
        classify: Callable[[Node], Hashable] = state_class,
        *,
        prior: float = 0.7,
        weight: float = 2.0,
        max_classes: int = 10_000,
    ) -> None:
        if not 0.0 < prior < 1.0 or not weight > 0.0:
            raise OptionError(f"prior={prior!r}, weight={weight!r}: a probability and a positive weight")
        self.classify = classify
        self.prior = prior
        self.weight = weight
        self.max_classes = max_classes
        self._levels: dict[Hashable, list[float]] = {}  # accepted, rejected
        self._all = [0.0, 0.0]

    def rate(self, kind: Hashable = None) -> float:
        """Estimated acceptance of one level.

        Parameters
        ----------
        kind : hashable
            The class; None for the mean of all.
        """
        mean = self._mean(self._all, self.prior)
        found = self._levels.get(kind)
        return mean if found is None else self._mean(found, mean)

    def add(self, kind: Hashable, result: Any) -> None:
        """Count one round.

        Parameters
        ----------
        kind : hashable
            Class of the node where it began.
        result : RoundResult
            What came of it.
        """
        rejected = float(left_for_another(result))
        if not result.drafted:
            return
        if kind not in self._levels and len(self._levels) < self.max_classes:
            self._levels[kind] = [0.0, 0.0]
        for counts in (self._all, self._levels.get(kind)):
            if counts is not None:
                counts[0] += result.accepted
                counts[1] += rejected

    def _mean(self, counts: list[float], prior: float) -> float:
        return (counts[0] + self.weight * prior) / (counts[0] + counts[1] + self.weight)


def left_for_another(result: Any) -> bool:
    """Whether the accepted path of a round ended at a node that had drafted children.

    Parameters
    ----------
    result : RoundResult
        What came of the round.
    """
    if result.accepted >= result.drafted or (len(result.tokens) == result.accepted and not result.died):
        return False  # all drafted tokens are on the path, or an EOS id ended it
    first = min((len(visit.prefix) for visit in result.visits), default=0)
    path = result.tokens[: result.accepted]
    for visit in result.visits:
        if visit.prefix[first:] == path:
            emitted = result.tokens[result.accepted : result.accepted + 1]
            return any(t not in emitted for t in visit.followed)
    return False


class ThresholdPlan:
    """Drafts as deep as the probability that some drafted token is rejected stays below a threshold.

    With acceptance α of a level that is the largest length with 1 − α^length <= threshold, α being that
    of the class of the node where the round begins.

    Parameters
    ----------
    plan : DraftPlan
        Bounds of every round.
    threshold : float
        Largest probability that some level is rejected.
    acceptance : Acceptance, optional
        Statistics to share; fresh ones otherwise.

    Raises
    ------
    OptionError
        When the threshold is no probability.
    """

    def __init__(self, plan: DraftPlan, threshold: float = 0.8, acceptance: Acceptance | None = None) -> None:
        if not 0.0 < threshold < 1.0:
            raise OptionError(f"threshold={threshold!r}: a probability between 0 and 1 is needed")
        self.bounds = plan
        self.threshold = threshold
        self.acceptance = acceptance if acceptance is not None else Acceptance()
        self._kind: Hashable = None

    def plan(self, node: Node) -> DraftPlan:
        """The bounds, with the length of the node's class; at least one token."""
        self._kind = self.acceptance.classify(node)
        rate = min(self.acceptance.rate(self._kind), 1.0 - 1e-9)
        length = int(log(1.0 - self.threshold) / log(rate)) if rate > 0.0 else 1
        return self.bounds._replace(length=max(1, min(self.bounds.length, length)))

    def observe(self, plan: DraftPlan, result: Any, seconds: dict[str, float]) -> None:
        """Count the round for the class it began in."""
        self.acceptance.add(self._kind, result)
