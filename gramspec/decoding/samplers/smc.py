"""Sequential Monte Carlo: particles with twisted proposals, resampled where their weights degenerate.

Law: consistent as particles grow; at any number E[Ẑ·f(y)] = Σ p(y)·1[y ∈ L]·f(y), Ẑ the mean weight. A
particle at prefix x weighs p(x)·h(x)/K(x), whatever number of tokens its rounds took and whatever the
potential has learned meanwhile, as each h is read once. Cost: one attempt per particle.
Source: Loula et al. (2504.13139); bounds: Zhao et al. (2404.17546), section 5; Andrieu et al. (2010).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf, log
from typing import Any, NamedTuple

import numpy as np

from gramspec.decoding.drafting.tree import DraftTree
from gramspec.decoding.kernel import TwistedLaw
from gramspec.decoding.random import RandomSource
from gramspec.decoding.report import Tally
from gramspec.decoding.round import Attempt
from gramspec.decoding.samplers.base import Draw, Sampler
from gramspec.decoding.samplers.weights import effective, log_mean, scaled, systematic
from gramspec.decoding.verification.protocol import Kernels, TreeVerdict
from gramspec.errors import BudgetExhaustedError

Resample = Callable[[Sequence[float], RandomSource], list[int]]


class Run(NamedTuple):
    """A finished run.

    Attributes
    ----------
    attempts : list of Attempt
        One per particle; an attempt may stand for several.
    log_weights : list of float
        Of each particle; -inf where it ended in †.
    """

    attempts: list[Attempt]
    log_weights: list[float]

    @property
    def log_z(self) -> float:
        """Log Ẑ."""
        return log_mean(self.log_weights)


class SmcSampler(Sampler[TwistedLaw]):
    """One draw per independent run; see `Sampler` for the parameters."""

    name = "smc"

    def __init__(self, *parts: Any, **more: Any) -> None:
        super().__init__(*parts, **more)
        self._log_z: list[float] = []  # of all runs on this prompt

    def draw(self, stream: Callable[[int], RandomSource]) -> Draw:
        """Draw one sample by a run of its own.

        Parameters
        ----------
        stream : callable
            The random source of attempt number k; a run uses number 0 for all of its choices.

        Raises
        ------
        BudgetExhaustedError
            When every particle ended with weight zero.
        UndefinedLawError
            When h(ε) = 0 certifies that p gives the grammar no mass.
        """
        self._meter.reset()
        return self.one_run(stream(0), Tally())

    def one_run(self, random: RandomSource, tally: Tally, member: Sequence[int] | None = None) -> Draw:
        """One run and one draw from its particles.

        Parameters
        ----------
        random : RandomSource
            Source of every choice.
        tally : Tally
            What the sample has cost.
        member : sequence of int, optional
            An exact draw of the same law: both bounds on log Φ(ε) are then reported.

        Raises
        ------
        BudgetExhaustedError, UndefinedLawError
            As for `draw`.
        """
        self.law.rho_max = 0.0
        run = self.run(random, tally)
        self._log_z.append(run.log_z)
        if run.log_z == -inf:
            self.check_root(self.root_h(), tally)
            raise BudgetExhaustedError(self.report(tally, guarantee="consistent", ess=0.0), self._lost(tally))
        chosen = run.attempts[random.choose(scaled(run.log_weights))]
        upper = self.upper_bound(member, random, tally) if member is not None else None
        report = self.report(
            tally,
            guarantee="consistent",
            ess=effective(run.log_weights),
            log_weight=run.log_z,
            log_phi_root=log_mean(self._log_z),
            log_phi_bound=self.certified(),
            log_phi_lower=run.log_z if upper is not None else None,
            log_phi_upper=upper,
        )
        return Draw(chosen.tokens, chosen.logprob, report)

    def run(self, random: RandomSource, tally: Tally | None = None) -> Run:
        """Run all particles to their ends.

        Parameters
        ----------
        random : RandomSource
            Source of every choice.
        tally : Tally, optional
            What the sample has cost.
        """
        tally = tally if tally is not None else Tally()
        particles = [self._begin(tally) for _ in range(self._options.particles)]
        return self._run(particles, random)

    def upper_bound(self, member: Sequence[int], random: RandomSource, tally: Tally | None = None) -> float:
        """Log Ẑ of a conditional run, one of whose particles is `member`: E[1/Ẑ] <= 1/Φ(ε).

        Particles go one token per round here and are resampled independently of each other, so that
        E[1/Ẑ]·Φ(ε) is the probability that such a run, unconditioned, has a weight above zero.

        Parameters
        ----------
        member : sequence of int
            An exact draw of the law, EOS included.
        random : RandomSource
            Source of every choice.
        tally : Tally, optional
            What the sample has cost.
        """
        tally = tally if tally is not None else Tally()
        particles = [self._begin(tally, _Along(member))]
        particles += [self._begin(tally, _OneToken()) for _ in range(self._options.particles - 1)]
        return self._run(particles, random, _with_the_first, _OneToken()).log_z

    def _begin(self, tally: Tally, verifier: _Along | _OneToken | None = None) -> Attempt:
        tally.attempts += 1
        sequence = self._sequence.fork()
        if verifier is None:
            return self.attempt(tally, sequence=sequence)
        return Attempt(self.law, sequence, self._prompt_length, None, 0, tally, verifier)

    def _run(
        self,
        particles: list[Attempt],
        random: RandomSource,
        resample: Resample | None = None,
        free: _OneToken | None = None,
    ) -> Run:
        """Run to the end; copies of a particle follow `free` where it is given."""
        resample = resample if resample is not None else _systematic
        # Weight since the last resampling: `base` + the particle's own log weight.
        base = [0.0] * len(particles)
        begun = list(particles)
        try:
            self.check_root(particles[0].root_h, particles[0].tally)
            while True:
                under_way = [a for a in particles if not a.over]
                log_weights = [b + log_weight(a) for b, a in zip(base, particles, strict=True)]
                if not under_way:
                    return Run(particles, log_weights)
                level = log_mean(log_weights)
                if effective(log_weights) < self._options.ess_threshold * len(particles) and level > -inf:
                    chosen, particles = particles, []
                    for i in resample(log_weights, random):
                        # What is over never changes again; what goes on needs a copy of its own.
                        shared = any(chosen[i] is a for a in particles) and not chosen[i].over
                        particles.append(chosen[i].fork(free) if shared else chosen[i])
                        if shared:
                            begun.append(particles[-1])
                    base = [level - log_weight(a) for a in particles]
                    under_way = [a for a in particles if not a.over]
                if under_way:
                    self.play_round(under_way, [random] * len(under_way))
        finally:
            for attempt in begun:
                attempt.close()

    def _lost(self, tally: Tally) -> str:
        bound = self.certified()
        certified = "" if bound is None else f" Certified: Phi <= {np.exp(bound):.3g}."
        return (
            f"all {self._options.particles} particles ended with weight zero"
            f" ({self._meter.target_forwards()} target forwards, {tally.elapsed():.1f} s), so nothing can be"
            f" drawn and Phi is estimated as 0.{certified}"
            "\n  hint: raise DecodingOptions(particles=...), take a potential that sees further ahead,"
            " sampler='restart', or raise max_new_tokens"
        )


def log_weight(attempt: Attempt) -> float:
    """Log of p(x)·h(x)/K(x), or of p(y)/K(y) at the end; -inf after †.

    Parameters
    ----------
    attempt : Attempt
        A particle on a `TwistedLaw`.
    """
    if attempt.died:
        return -inf
    h = 0.0 if attempt.node is None else log(attempt.node.h)
    return attempt.logprob - attempt.log_kernel + h


def _systematic(log_weights: Sequence[float], random: RandomSource) -> list[int]:
    counts = systematic(scaled(log_weights), random)
    return [i for i, count in enumerate(counts) for _ in range(count)]


def _with_the_first(log_weights: Sequence[float], random: RandomSource) -> list[int]:
    weights = scaled(log_weights)
    return [0, *(random.choose(weights) for _ in log_weights[1:])]


class _OneToken:
    """Draws the next symbol from K."""

    name = "none"

    def verify(self, tree: DraftTree, kernels: Kernels, random: RandomSource) -> TreeVerdict:
        kernel = kernels[0]
        assert kernel is not None
        return TreeVerdict((), random.choose(kernel))


class _Along:
    """Follows a given text."""

    name = "along"

    def __init__(self, text: Sequence[int]) -> None:
        self._text = tuple(text)

    def verify(self, tree: DraftTree, kernels: Kernels, random: RandomSource) -> TreeVerdict:
        node = tree.nodes[0]
        assert node is not None
        return TreeVerdict((), self._text[len(node.prefix)])
