"""The restart sampler: attempts on the † kernel until one is accepted.

Law: given everything before it, each draw follows P*(y) = p(y)·1[y ∈ L]/Φ(ε) exactly.
Cost: h(ε)/Φ(ε) attempts on average, falling as the potential learns. Source: laws, contract S.
"""

from __future__ import annotations

from collections.abc import Callable
from math import exp, inf, log
from typing import TypeVar

from gramspec.decoding.kernel import KilledLaw
from gramspec.decoding.random import RandomSource
from gramspec.decoding.report import Report, Tally
from gramspec.decoding.round import Attempt
from gramspec.decoding.samplers.base import Draw, Sampler
from gramspec.errors import BudgetExhaustedError, UndefinedLawError

T = TypeVar("T")


def first_accepted(
    attempt: Callable[[int], T | None], within_budget: Callable[[int], bool]
) -> tuple[T | None, int]:
    """Make attempts in order until one is accepted; the budget is asked between attempts only.

    Parameters
    ----------
    attempt : callable
        Takes the attempt's number (from 0) and finishes it: the outcome, or None for †.
    within_budget : callable
        Takes the number of attempts made, at least 1; whether another may begin.

    Returns
    -------
    tuple
        The outcome, or None when the budget ended first; and the number of attempts made.
    """
    made = 0
    while made == 0 or within_budget(made):
        outcome = attempt(made)
        made += 1
        if outcome is not None:
            return outcome, made
    return None, made


class RestartSampler(Sampler[KilledLaw]):
    """Exact draws of the grammar-conditional law.

    Parameters
    ----------
    law : KilledLaw
        The † kernel of one prompt.
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

    name = "restart"

    _successes = 0
    _inverse_h = 0.0  # Σ 1/h_k(ε) over all attempts on this prompt

    def draw(self, stream: Callable[[int], RandomSource]) -> Draw:
        """Draw one sample.

        Parameters
        ----------
        stream : callable
            The random source of attempt number k of this sample.

        Raises
        ------
        BudgetExhaustedError
            When no attempt within the budget of this sample was accepted.
        UndefinedLawError
            When h(ε) = 0 certifies that p gives the grammar no mass.
        """
        tally = Tally()
        self._meter.reset()
        self.law.rho_max = 0.0

        def one(k: int) -> Attempt | None:
            attempt = self.begin(tally)
            if attempt.root_h <= 0.0:
                attempt.close()
                raise UndefinedLawError(self._report(tally), _undefined())
            tally.attempts += 1
            self._inverse_h += 1.0 / attempt.root_h
            return attempt if attempt.run(stream(k)) else None

        accepted, _ = first_accepted(one, lambda made: self._within_budget(made, tally))
        if accepted is None:
            if self._root_h() <= 0.0:
                raise UndefinedLawError(self._report(tally), _undefined())
            raise BudgetExhaustedError(self._report(tally), self._exhausted(tally))
        self._successes += 1
        return Draw(accepted.tokens, accepted.logprob, self._report(tally))

    def begin(self, tally: Tally | None = None) -> Attempt:
        """Begin one attempt on the sampler's sequence and drafter.

        Parameters
        ----------
        tally : Tally, optional
            What the sample has cost.
        """
        return Attempt(
            self.law, self._sequence, self._prompt_length, self._drafter, self._options.gamma, tally
        )

    def _within_budget(self, made: int, tally: Tally) -> bool:
        options = self._options
        return (
            made < options.max_attempts
            and (options.max_seconds is None or tally.elapsed() < options.max_seconds)
            and (
                options.max_target_forwards is None
                or self._meter.target_forwards() < options.max_target_forwards
            )
        )

    def _root_h(self) -> float:
        potential = self.law.potential
        assert potential is not None
        return exp(potential.log_h(self.law.compiled.matcher(), (), self.law.budget))

    def _report(self, tally: Tally) -> Report:
        bound = self._root_h()
        estimate = None
        if self._successes and bound > 0:
            estimate = log(min(bound, self._successes / self._inverse_h))
        return Report(
            guarantee="exact",
            law="conditional",
            sampler=self.name,
            log_phi_root=estimate,
            log_phi_bound=log(bound) if bound > 0 else -inf,
            rho_max=self.law.rho_max,
            **self._meter.figures(),
            **tally.figures(),
        )

    def _exhausted(self, tally: Tally) -> str:
        bound = self._root_h()
        likely = min(bound, (self._successes + 3.0) / self._inverse_h)
        return (
            f"no member of the grammar in {tally.attempts} attempts"
            f" ({self._meter.target_forwards()} target forwards, {tally.elapsed():.1f} s)."
            f" Certified: the model ends a valid text with probability Phi <= {bound:.3g};"
            f" from the attempts, Phi is probably below {likely:.3g}."
            "\n  hint: ask for the format in the prompt, allow what the model likes to write (white space,"
            " optional keys), raise max_new_tokens or the budgets of DecodingOptions,"
            " or take law='masked', which is another law"
        )


def _undefined() -> str:
    return (
        "the model gives the grammar no probability at all within max_new_tokens (certified: h = 0),"
        " so there is no conditional law to sample"
        "\n  hint: raise max_new_tokens, or relax top_k and top_p"
    )
