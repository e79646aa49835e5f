"""The restart sampler: attempts on the † kernel until one is accepted.

Law: given everything before it, each draw follows P*(y) = p(y)·1[y ∈ L]/Φ(ε) exactly.
Cost: h(ε)/Φ(ε) attempts on average, falling as the potential learns. Source: laws, contract S.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import exp, log
from typing import Any, TypeVar

from gramspec.decoding.kernel import KilledLaw
from gramspec.decoding.random import RandomSource
from gramspec.decoding.report import Report, Tally
from gramspec.decoding.round import Attempt
from gramspec.decoding.samplers.base import Draw, Sampler
from gramspec.decoding.samplers.parallel import LaunchOrder
from gramspec.errors import BudgetExhaustedError
from gramspec.models.protocol import ModelSequence

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
    """Exact draws of the grammar-conditional law; see `Sampler` for the parameters.

    With ``options.parallel`` above one, so many attempts are under way at a time; draws come in launch order.
    """

    name = "restart"

    def __init__(self, *parts: Any, **more: Any) -> None:
        super().__init__(*parts, **more)
        self._successes = 0
        self._inverse_h = 0.0  # Σ 1/h_k(ε) over all attempts on this prompt
        self._tally = Tally()
        self._order: LaunchOrder[_Launched] | None = None
        self._idle: list[ModelSequence] = []
        self._stream: Callable[[int], RandomSource] | None = None

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
        found = self.attempts(stream, tally, self._options.max_attempts)
        if found is None:
            self.check_root(self.root_h(), tally)
            raise BudgetExhaustedError(self.report(tally), self.exhausted(tally))
        return found

    def attempts(self, stream: Callable[[int], RandomSource], tally: Tally, max_attempts: int) -> Draw | None:
        """Attempts until one is accepted, or until the budget of the sample is spent.

        Parameters
        ----------
        stream : callable
            The random source of attempt number k of this sample.
        tally : Tally
            What the sample has cost.
        max_attempts : int
            Attempts at most; the other budgets are those of the options.
        """
        self.law.rho_max = 0.0

        def within(made: int) -> bool:
            return made < max_attempts and self._within_budget(tally)

        found: Attempt | None
        if self._options.parallel > 1 and self.watch is None:
            found = self._in_parallel(stream, tally, within)
        else:
            found, _ = first_accepted(lambda k: self._one(stream(k), tally), within)
        if found is None:
            return None
        self._successes += 1
        return Draw(found.tokens, found.logprob, self.report(tally))

    def begin(self, tally: Tally | None = None) -> Attempt:
        """Begin one attempt on the sampler's sequence and drafter; see `Sampler.attempt`."""
        return self.attempt(tally)

    def close(self) -> None:
        """Let go of the attempts that are under way."""
        if self._order is not None:
            for flight in self._order.waiting:
                flight.attempt.close()
            self._order.waiting.clear()

    def _one(self, random: RandomSource, tally: Tally) -> Attempt | None:
        attempt = self.begin(tally)
        if attempt.root_h <= 0.0:
            attempt.close()
            self.check_root(attempt.root_h, tally)
        self._count(attempt, tally)
        return attempt if self.play(attempt, random) else None

    def _count(self, attempt: Attempt, tally: Tally) -> None:
        tally.attempts += 1
        self._inverse_h += 1.0 / attempt.root_h

    def _in_parallel(
        self, stream: Callable[[int], RandomSource], tally: Tally, within: Callable[[int], bool]
    ) -> Attempt | None:
        self._stream, self._tally = stream, tally
        if self._order is None:
            self._order = LaunchOrder(self._launch, self._advance, self._options.parallel)
        for flight in self._order.waiting:  # what is still under way is charged to the sample that waits
            flight.attempt.tally = tally
        try:
            found, _ = self._order.next(within, lambda flight: self._count(flight.attempt, tally))
        except BaseException:
            self.close()
            raise
        return None if found is None else found.attempt

    def _launch(self, number: int) -> _Launched:
        assert self._stream is not None
        sequence = self._idle.pop() if self._idle else self._sequence.fork()
        attempt = self.attempt(self._tally, sequence=sequence)
        if attempt.root_h <= 0.0:
            attempt.close()
            self.check_root(attempt.root_h, self._tally)
        return _Launched(attempt, self._stream(number))

    def _advance(self, flights: Sequence[_Launched]) -> None:
        self.play_round([f.attempt for f in flights], [f.random for f in flights])
        for flight in flights:
            if flight.over:
                flight.attempt.close()
                self._idle.append(flight.attempt.sequence)

    def _within_budget(self, tally: Tally) -> bool:
        options = self._options
        return (options.max_seconds is None or tally.elapsed() < options.max_seconds) and (
            options.max_target_forwards is None or self._meter.target_forwards() < options.max_target_forwards
        )

    def report(self, tally: Tally, **claims: Any) -> Report:
        """A report with the estimate of Φ(ε) from all attempts on this prompt; see `Sampler.report`."""
        bound = self.certified()
        assert bound is not None
        estimate = None
        if self._successes and exp(bound) > 0.0:
            estimate = log(min(exp(bound), self._successes / self._inverse_h))
        return super().report(tally, log_phi_root=estimate, log_phi_bound=bound, **claims)

    def exhausted(self, tally: Tally) -> str:
        """What is known when the budget of a sample is spent.

        Parameters
        ----------
        tally : Tally
            What the sample has cost.
        """
        bound = self.root_h()
        likely = min(bound, (self._successes + 3.0) / self._inverse_h)
        return (
            f"no member of the grammar in {tally.attempts} attempts"
            f" ({self._meter.target_forwards()} target forwards, {tally.elapsed():.1f} s)."
            f" Certified: the model ends a valid text with probability Phi <= {bound:.3g};"
            f" from the attempts, Phi is probably below {likely:.3g}."
            "\n  hint: ask for the format in the prompt, allow what the model likes to write (white space,"
            " optional keys), raise max_new_tokens or the budgets of DecodingOptions, take sampler='auto'"
            " or 'smc', whose draws are consistent instead of exact, or law='masked', which is another law"
        )


class _Launched:
    """An attempt under way and its random source."""

    __slots__ = ("attempt", "random")

    def __init__(self, attempt: Attempt, random: RandomSource) -> None:
        self.attempt = attempt
        self.random = random

    @property
    def over(self) -> bool:
        return self.attempt.over

    @property
    def died(self) -> bool:
        return self.attempt.died
