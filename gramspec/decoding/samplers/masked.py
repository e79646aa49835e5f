"""The masked sampler: one pass of local masking, the law that constrained decoders usually sample.

Law: ∏ p(v|x)·1[v viable]/Z(x), budget-aware and exact for that law; it is not P(y | y ∈ L). With residual
predicates, which are asked at the end only, it is this law given that no dead end is met ("masked|R").
Source: laws, first paragraph; API, section 4.
"""

from __future__ import annotations

from collections.abc import Callable

from gramspec.decoding.kernel import MaskedLaw
from gramspec.decoding.random import RandomSource
from gramspec.decoding.report import Tally
from gramspec.decoding.samplers.base import Draw, Sampler
from gramspec.errors import DeadEndError


class MaskedSampler(Sampler[MaskedLaw]):
    """Exact draws of the locally masked law; see `Sampler` for the parameters."""

    name = "masked"

    def draw(self, stream: Callable[[int], RandomSource]) -> Draw:
        """Draw one sample.

        Parameters
        ----------
        stream : callable
            The random source of attempt number k; a masked sample makes one attempt, number 0.

        Raises
        ------
        DeadEndError
            When the model gives no viable token any probability, or residual predicates leave none.
        """
        tally = Tally()
        self._meter.reset()
        tally.attempts = 1
        attempt = self.attempt(tally)
        if not self.play(attempt, stream(0)):
            raise DeadEndError(self._dead_end(attempt.tokens))
        report = self.report(
            tally,
            law="masked|R" if self.law.compiled.residuals else "masked",
            log_weight=attempt.log_mass,
        )
        return Draw(attempt.tokens, attempt.logprob, report)

    def _dead_end(self, tokens: tuple[int, ...]) -> str:
        text = f"after {list(tokens)} the model gives none of the allowed tokens any probability"
        hint = "relax top_k and top_p, which cut the row before the grammar does"
        residuals = self.law.compiled.residuals
        if residuals:
            text += f"; the text may not end there unless it satisfies {'; '.join(residuals)}"
            hint = "take law='conditional', which begins anew at a dead end, or draw again"
        return f"{text}\n  hint: {hint}"
