"""`Bandit`: which drafter with which plan, learned from the tokens that a round's cost has brought.

Law: the arm is chosen from finished rounds, before anything of the next one is drawn.
Cost: counted forwards, given seconds (`LatencyModel.cost`) or measured seconds; only with the last one does
a choice depend on the clock. Source: UCB1 (Auer et al. 2002), Thompson (1933), for ratios of sums.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf, log, sqrt
from statistics import NormalDist
from typing import Any, Literal

import numpy as np

from gramspec.decoding.drafting.protocol import Drafter, LearningDrafter
from gramspec.decoding.drafting.tree import DraftPlan, DraftTree
from gramspec.decoding.kernel import Node, StepLaw
from gramspec.decoding.random import RandomSource
from gramspec.errors import DraftError, OptionError

Metric = Literal["forwards", "seconds"]
Rule = Literal["ucb", "thompson"]

_QUANTILES = [NormalDist().inv_cdf((i + 0.5) / 32) for i in range(32)]


@dataclass(frozen=True)
class Arm:
    """One choice.

    Parameters
    ----------
    name : str
        For reports.
    drafter : Drafter or None
        Who drafts; None drafts nothing.
    plan : DraftPlan
        How much.
    """

    name: str
    drafter: Drafter | None
    plan: DraftPlan


class Bandit:
    """A controller that chooses among arms; `drafter` drafts with the arm chosen.

    Parameters
    ----------
    arms : sequence of Arm
        At least one, with different names.
    rule : {"ucb", "thompson"}
        How uncertainty counts: an upper bound on tokens per cost, or a draw from what it may be.
    metric : {"forwards", "seconds"}
        "forwards": a round costs one (`cost` may say otherwise). "seconds": what its phases took by the
        clock; then two runs with one seed may choose differently, and texts differ (their law does not).
    cost : callable, optional
        ``cost(plan, result)``: what a round costs, a function of counts; instead of the metric.
    random : RandomSource, optional
        Needed by "thompson"; its own stream, keyed by the seed.
    spread : float
        Weight of the uncertainty.

    Raises
    ------
    OptionError
        For arms without a choice, an unknown rule or metric, a cost beside measured seconds, or
        "thompson" without `random`.

    Notes
    -----
    One bandit belongs to one attempt at a time, like the drafters of its arms. Every drafter learns from
    every round, whoever drafted it.
    """

    def __init__(
        self,
        arms: Sequence[Arm],
        *,
        rule: Rule = "ucb",
        metric: Metric = "forwards",
        cost: Callable[[DraftPlan, Any], float] | None = None,
        random: RandomSource | None = None,
        spread: float = 1.0,
    ) -> None:
        if not arms or len({arm.name for arm in arms}) != len(arms):
            raise OptionError("Bandit: one arm or more, with different names, is needed")
        if rule not in ("ucb", "thompson") or metric not in ("forwards", "seconds"):
            raise OptionError(
                f"rule={rule!r}, metric={metric!r}: 'ucb' or 'thompson', 'forwards' or 'seconds'"
            )
        if rule == "thompson" and random is None:
            raise OptionError("Bandit: rule 'thompson' needs a random source of its own")
        if metric == "seconds" and cost is not None:
            raise OptionError("Bandit: give a cost, or measure seconds; not both")
        self.arms = tuple(arms)
        self.rule = rule
        self.metric = metric
        self.spread = spread
        self._cost = cost
        self._random = random
        self._rounds = [0] * len(arms)
        self._tokens = [0.0] * len(arms)
        self._squares = [0.0] * len(arms)
        self._spent = [0.0] * len(arms)
        self._chosen: int | None = None
        self.drafter = ChosenDrafter(self)

    @property
    def deterministic(self) -> bool:
        """Whether choices are a function of the rounds played (and of `random`), not of the clock."""
        return self.metric != "seconds"

    @property
    def chosen(self) -> Arm | None:
        """The arm of the round that was planned last."""
        return None if self._chosen is None else self.arms[self._chosen]

    def rates(self) -> dict[str, float]:
        """Tokens per cost of each arm so far; NaN for an arm never played."""
        return {arm.name: self._rate(i) for i, arm in enumerate(self.arms)}

    def plan(self, node: Node) -> DraftPlan:
        """Choose an arm; its plan."""
        fresh = [i for i, n in enumerate(self._rounds) if n == 0]
        if fresh:
            self._chosen = fresh[0]
        else:
            scores = [self._score(i) for i in range(len(self.arms))]
            self._chosen = max(range(len(scores)), key=lambda i: scores[i])
        return self.arms[self._chosen].plan

    def observe(self, plan: DraftPlan, result: Any, seconds: dict[str, float]) -> None:
        """Credit the arm that was chosen with the tokens and the cost of its round."""
        if self._chosen is None:
            return
        if self._cost is not None:
            cost = self._cost(plan, result)
        else:
            cost = sum(seconds.values()) if self.metric == "seconds" else 1.0
        i = self._chosen
        tokens = float(len(result.tokens))
        self._rounds[i] += 1
        self._tokens[i] += tokens
        self._squares[i] += tokens * tokens
        self._spent[i] += cost

    def _rate(self, i: int) -> float:
        if self._rounds[i] == 0:
            return float("nan")
        return self._tokens[i] / self._spent[i] if self._spent[i] > 0.0 else inf

    def _score(self, i: int) -> float:
        rate, n = self._rate(i), self._rounds[i]
        if not rate < inf:  # a round that costs nothing is always worth it
            return rate
        mean = self._tokens[i] / n
        # Never below half a token: a few equal rounds are no proof that all are.
        deviation = max(0.5, sqrt(max(0.0, self._squares[i] / n - mean * mean)))
        error = deviation / sqrt(n) * n / self._spent[i]
        if self.rule == "ucb":
            return rate + self.spread * sqrt(2.0 * log(sum(self._rounds))) * error
        assert self._random is not None
        return rate + self.spread * _QUANTILES[self._random.choose(np.ones(len(_QUANTILES)))] * error


class ChosenDrafter:
    """Drafts with the arm that its bandit has chosen.

    Parameters
    ----------
    bandit : Bandit
        Whose `plan` comes before every draft.
    """

    def __init__(self, bandit: Bandit) -> None:
        self._bandit = bandit

    def propose(self, law: StepLaw, node: Node, plan: DraftPlan, random: RandomSource) -> DraftTree:
        """Draft with the chosen arm; see `Drafter.propose`.

        Raises
        ------
        DraftError
            When no arm has been chosen: the bandit has to be the controller too.
        """
        arm = self._bandit.chosen
        if arm is None:
            raise DraftError("a bandit drafts by the arm it has planned; give it as the controller as well")
        return DraftTree.root(node) if arm.drafter is None else arm.drafter.propose(law, node, plan, random)

    def observe(self, tree: DraftTree, emitted: Sequence[int]) -> None:
        """Every drafter learns from the round."""
        seen: list[int] = []
        for arm in self._bandit.arms:
            if isinstance(arm.drafter, LearningDrafter) and id(arm.drafter) not in seen:
                seen.append(id(arm.drafter))
                arm.drafter.observe(tree, emitted)
