"""`Sampler`: what every sampler is made from, and the draw it returns.

Law: that of the step law it is given; a subclass adds how attempts become a draw.
Source: laws, "What may be claimed".
"""

from __future__ import annotations

from typing import Generic, NamedTuple, TypeVar

from gramspec.decoding.drafting.protocol import Drafter
from gramspec.decoding.kernel import StepLaw
from gramspec.decoding.meter import Meter
from gramspec.decoding.options import DecodingOptions
from gramspec.decoding.report import Report
from gramspec.models.protocol import ModelSequence

L = TypeVar("L", bound=StepLaw)


class Draw(NamedTuple):
    """One sample.

    Attributes
    ----------
    tokens : tuple of int
        Token ids, EOS included.
    logprob : float
        log p(tokens).
    report : Report
        What it cost and what may be claimed.
    """

    tokens: tuple[int, ...]
    logprob: float
    report: Report


class Sampler(Generic[L]):
    """One prompt's sampler.

    Parameters
    ----------
    law : StepLaw
        The rows that attempts follow.
    sequence : ModelSequence
        The target's sequence, opened with the prompt.
    prompt_length : int
        Tokens of the prompt.
    drafter : Drafter or None
        Who drafts.
    options : DecodingOptions
        Budgets and round length.
    meter : Meter
        Counts forwards of target and draft.
    """

    def __init__(
        self,
        law: L,
        sequence: ModelSequence,
        prompt_length: int,
        drafter: Drafter | None = None,
        options: DecodingOptions | None = None,
        meter: Meter | None = None,
    ) -> None:
        self.law = law
        self._sequence = sequence
        self._prompt_length = prompt_length
        self._drafter = drafter
        self._options = options if options is not None else DecodingOptions()
        self._meter = meter if meter is not None else Meter(None, None)
