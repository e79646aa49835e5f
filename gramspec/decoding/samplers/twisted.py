"""The twisted sampler: one pass of the twisted proposal, with the weight it lacks.

Law: y ~ r(y) = ∏ p·h/S, reported with w = p(y)/r(y), so that E[w·f(y)] = Σ p(y)·1[y ∈ L]·f(y). A draw
without its weight is biased and says so, unless h = Φ (contract E): then it is exact.
Cost: one attempt. Source: laws, contract W.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any

from gramspec.decoding.kernel import TwistedLaw
from gramspec.decoding.random import RandomSource
from gramspec.decoding.report import Tally
from gramspec.decoding.samplers.base import Draw, Sampler
from gramspec.decoding.samplers.weights import effective, log_mean
from gramspec.errors import DeadEndError


class TwistedSampler(Sampler[TwistedLaw]):
    """Weighted draws, one pass each; see `Sampler` for the parameters."""

    name = "twisted"

    def __init__(self, *parts: Any, **more: Any) -> None:
        super().__init__(*parts, **more)
        self._log_weights: list[float] = []

    def draw(self, stream: Callable[[int], RandomSource]) -> Draw:
        """Draw one sample; its weight is ``report.log_weight``.

        Parameters
        ----------
        stream : callable
            The random source of attempt number k; a twisted sample makes one attempt, number 0.

        Raises
        ------
        DeadEndError
            When the pass ends where no token has p·h > 0: a draw of weight zero.
        """
        tally = Tally()
        self._meter.reset()
        self.law.rho_max = 0.0
        attempt = self.attempt(tally)
        if attempt.root_h <= 0.0:
            attempt.close()
            self.check_root(attempt.root_h, tally)
        tally.attempts = 1
        if not self.play(attempt, stream(0)):
            self._log_weights.append(-inf)
            raise DeadEndError(
                f"after {list(attempt.tokens)} no token has p·h > 0: this draw has weight 0"
                "\n  hint: count it as one with weight 0 and draw again, or take sampler='smc' or 'restart',"
                " which begin anew at a dead end"
            )
        log_weight = attempt.logprob - attempt.log_kernel
        self._log_weights.append(log_weight)
        report = self.report(
            tally,
            guarantee="exact" if self.law.contract == "E" else "biased",
            ess=effective(self._log_weights),
            log_weight=log_weight,
            log_phi_root=log_mean(self._log_weights),
            log_phi_bound=self.certified(),
        )
        return Draw(attempt.tokens, attempt.logprob, report)
