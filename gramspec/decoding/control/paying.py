"""`PayingPlan`: nodes are drafted only while they pay, by the seconds that rounds have taken.

Law: the plan is settled from finished rounds, before anything of the next one is drawn. It goes by the clock:
two runs with one seed may draft, and so write, differently; the law is the same.
Cost: a handful of sums per round. Source: latency model of speculative serving (2605.15051), at the margin:
a node is worth its probability of being kept, and costs what a row costs.
"""

from __future__ import annotations

from typing import Any

from gramspec.decoding.drafting.tree import DraftPlan
from gramspec.decoding.kernel import Node
from gramspec.errors import OptionError

_SPREAD = 4  # every so many rounds a smaller tree is drafted, or the slope could not be told
_CAUTIOUS = 0.01  # least probability of a node before anything was measured


class PayingPlan:
    """Bounds the probability below which nothing is drafted: seconds of a node over seconds of a token.

    Seconds of a round are fitted as a constant and a slope per drafted node, older rounds counting less.
    Drafting a node brings as many tokens as it is likely to be kept; it pays where that is more than what the
    same seconds bring elsewhere.

    Parameters
    ----------
    plan : DraftPlan
        Bounds of every round.
    memory : float
        Share of the weight of a round that is left one round later.

    Raises
    ------
    OptionError
        When the memory is no share.
    """

    def __init__(self, plan: DraftPlan, memory: float = 0.98) -> None:
        if not 0.0 < memory < 1.0:
            raise OptionError(f"memory={memory!r}: a share between 0 and 1 is needed")
        self.bounds = plan
        self._memory = memory
        self._sums = [0.0] * 6  # rounds, nodes, nodes², seconds, nodes·seconds, tokens
        self._played = 0

    @property
    def least(self) -> float:
        """Probability of being kept below which a node does not pay."""
        n, x, xx, t, xt, tokens = self._sums
        spread = n * xx - x * x
        if n < 2.0 or not spread > 1e-9 * xx * n or not (tokens > 0.0 and t > 0.0):
            return _CAUTIOUS
        slope = max(0.0, (n * xt - x * t) / spread)
        return min(0.5, slope / (t / tokens))

    def plan(self, node: Node) -> DraftPlan:
        """The bounds, with the probability from which on a node pays; sometimes a smaller tree."""
        self._played += 1
        least = max(self.bounds.least, self.least)
        if self._played % _SPREAD == 0:
            fewer = max(1, self.bounds.most // 4)
            return self.bounds._replace(length=min(self.bounds.length, fewer), nodes=fewer, least=least)
        return self.bounds._replace(least=least)

    def observe(self, plan: DraftPlan, result: Any, seconds: dict[str, float]) -> None:
        """Count what a round has drafted, brought and taken."""
        x, t = float(result.drafted), sum(seconds.values())
        new = (1.0, x, x * x, t, x * t, float(len(result.tokens)))
        self._sums = [self._memory * old + add for old, add in zip(self._sums, new, strict=True)]
