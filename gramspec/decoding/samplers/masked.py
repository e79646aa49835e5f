"""The masked sampler: one pass of local masking, the law that constrained decoders usually sample.

Law: ∏ p(v|x)·1[v viable]/Z(x), budget-aware and exact for that law; it is not P(y | y ∈ L). With residual
predicates, which are asked at the end only, it is this law given that no dead end is met ("masked|R").
Source: laws, first paragraph; API, section 4.
"""

from __future__ import annotations

from collections.abc import Callable

from gramspec.decoding.kernel import MaskedLaw
from gramspec.decoding.random import RandomSource
from gramspec.decoding.report import Report, Tally
from gramspec.decoding.round import Attempt
from gramspec.decoding.samplers.base import Draw, Sampler
from gramspec.errors import DeadEndError


class MaskedSampler(Sampler[MaskedLaw]):
    """Exact draws of the locally masked law.

    Parameters
    ----------
    law : MaskedLaw
        The masked rows of one prompt.
    sequence : ModelSequence
        The target's sequence, opened with the prompt.
    prompt_length : int
        Tokens of the prompt.
    drafter : Drafter or None
        Who drafts.
    options : DecodingOptions
        Round length.
    meter : Meter
        Counts forwards of target and draft.
    """

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
        attempt = Attempt(
            self.law, self._sequence, self._prompt_length, self._drafter, self._options.gamma, tally
        )
        if not attempt.run(stream(0)):
            raise DeadEndError(self._dead_end(attempt.tokens))
        report = Report(
            guarantee="exact",
            law="masked|R" if self.law.compiled.residuals else "masked",
            sampler=self.name,
            log_weight=attempt.log_mass,
            **self._meter.figures(),
            **tally.figures(),
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
