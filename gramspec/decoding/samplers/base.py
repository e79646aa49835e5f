"""`Sampler`: what every sampler is made from, and the draw it returns.

Law: that of the step law it is given; a subclass adds how attempts become a draw.
Source: laws, "What may be claimed".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import exp, inf, log
from typing import Any, Generic, NamedTuple, TypeVar

from gramspec.decoding.drafting.protocol import Controller, Drafter
from gramspec.decoding.drafting.tree import DraftPlan
from gramspec.decoding.kernel import Node, StepLaw
from gramspec.decoding.meter import Meter
from gramspec.decoding.options import DecodingOptions
from gramspec.decoding.random import RandomSource
from gramspec.decoding.report import Report, Tally
from gramspec.decoding.round import Attempt
from gramspec.decoding.samplers.together import play_together
from gramspec.decoding.verification.protocol import Verifier
from gramspec.errors import ContractError, UndefinedLawError
from gramspec.models.protocol import LanguageModel, ModelSequence

L = TypeVar("L", bound=StepLaw)

_CHAIN = 4  # tokens of a chain where nothing says how long


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
    verifier : Verifier, optional
        The rule; `Auto` by default.
    plan : DraftPlan or Controller, optional
        How much each round drafts; a chain of ``options.gamma`` tokens by default (None: 4).
    model : LanguageModel, optional
        Scores the rounds of several attempts in one call; without it they are scored one by one.

    Attributes
    ----------
    watch : callable or None
        Called with the tokens so far after each round, where nothing can take them back.
    """

    name = "sampler"

    def __init__(
        self,
        law: L,
        sequence: ModelSequence,
        prompt_length: int,
        drafter: Drafter | None = None,
        options: DecodingOptions | None = None,
        meter: Meter | None = None,
        *,
        verifier: Verifier | None = None,
        plan: DraftPlan | Controller | None = None,
        model: LanguageModel | None = None,
    ) -> None:
        self.law = law
        self._sequence = sequence
        self._prompt_length = prompt_length
        self._drafter = drafter
        self._options = options if options is not None else DecodingOptions()
        self._meter = meter if meter is not None else Meter(None, None)
        self._verifier = verifier
        own = _CHAIN if self._options.gamma is None else self._options.gamma
        self._plan = plan if plan is not None else own
        self._model = model
        self.watch: Callable[[tuple[int, ...]], None] | None = None

    def draw(self, stream: Callable[[int], RandomSource]) -> Draw:
        """Draw one sample.

        Parameters
        ----------
        stream : callable
            The random source of attempt number k of this sample.
        """
        raise NotImplementedError

    def close(self) -> None:
        """Let go of everything that is still under way; draws may follow all the same."""

    def attempt(
        self, tally: Tally | None = None, *, sequence: ModelSequence | None = None, start: Node | None = None
    ) -> Attempt:
        """Begin one attempt.

        Parameters
        ----------
        tally : Tally, optional
            What the sample has cost.
        sequence : ModelSequence, optional
            The target's sequence; the sampler's own by default.
        start : Node, optional
            Where it begins; the root by default.
        """
        return Attempt(
            self.law,
            sequence if sequence is not None else self._sequence,
            self._prompt_length,
            self._drafter,
            self._plan,
            tally,
            self._verifier,
            start,
        )

    def play(self, attempt: Attempt, random: RandomSource) -> bool:
        """Play an attempt to its end, showing its tokens to `watch`; whether it ended in EOS.

        Parameters
        ----------
        attempt : Attempt
            An attempt of this sampler.
        random : RandomSource
            Source of every choice.
        """
        if self.watch is None:
            return attempt.run(random)
        try:
            while not attempt.over:
                attempt.step(random)
                self.watch(attempt.tokens)
        finally:
            attempt.close()
        return not attempt.died

    def play_round(self, attempts: Sequence[Attempt], randoms: Sequence[RandomSource]) -> None:
        """One round of each attempt, scored together where the model can.

        Parameters
        ----------
        attempts : sequence of Attempt
            Attempts that are not over.
        randoms : sequence of RandomSource
            The source of each.
        """
        play_together(attempts, randoms, self._model)

    def root_h(self) -> float:
        """h(ε) as the potential has it now."""
        potential = self.law.potential
        assert potential is not None
        node = self.law.root()
        return exp(potential.log_h(node.matcher, (), node.remaining))

    def certified(self) -> float | None:
        """Log h(ε), where it is a bound on log Φ(ε)."""
        potential = self.law.potential
        if potential is None or potential.contract == "W":
            return None
        h = self.root_h()
        return log(h) if h > 0.0 else -inf

    def check_root(self, h: float, tally: Tally) -> None:
        """Refuse a law that certainly does not exist.

        Parameters
        ----------
        h : float
            h(ε).
        tally : Tally
            What the sample has cost.

        Raises
        ------
        UndefinedLawError
            When h(ε) = 0 certifies that p gives the grammar no mass.
        ContractError
            When it certifies nothing: under contract W it may not be 0 here.
        """
        if h > 0.0:
            return
        potential = self.law.potential
        assert potential is not None
        if potential.contract == "W":
            raise ContractError(
                f"potential {potential.name!r} is 0 before the first token, where a member of the grammar"
                " can still be reached; under contract W it has to be positive there"
            )
        raise UndefinedLawError(
            self.report(tally),
            "the model gives the grammar no probability at all within max_new_tokens (certified: h = 0),"
            " so there is no conditional law to sample"
            "\n  hint: raise max_new_tokens, or relax top_k and top_p",
        )

    def report(self, tally: Tally, **claims: Any) -> Report:
        """A report with what was counted.

        Parameters
        ----------
        tally : Tally
            What the sample has cost.
        **claims
            Other fields of the report.
        """
        potential = self.law.potential
        fields: dict[str, Any] = {
            "guarantee": "exact",
            "law": "conditional",
            "sampler": self.name,
            "verifier": getattr(self._verifier, "name", "auto") if self._drafter is not None else "none",
            "drafter": name_of(self._drafter),
            "potential": None if potential is None else potential.name,
            "rho_max": getattr(self.law, "rho_max", None),
            **self._meter.figures(),
            **tally.figures(),
            **claims,
        }
        return Report(**fields)


def name_of(drafter: Drafter | None) -> str:
    """What a drafter is called in a report.

    Parameters
    ----------
    drafter : Drafter or None
        With a `name`, or without.
    """
    return "none" if drafter is None else str(getattr(drafter, "name", type(drafter).__name__))
