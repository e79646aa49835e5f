"""Markov chain Monte Carlo: Metropolis-Hastings on whole texts, proposals from the twisted law.

Law: every move leaves P* invariant; consistent as moves grow, not exact at any number of them.
A move keeps a prefix of the present text (none of it with probability `mcmc_fresh`, else a cut drawn evenly
from its positions) and draws the rest anew. Cost: one attempt per move, less what is kept.
Source: Anaya Gonzalez et al. (2506.05754), sections 3 and 4.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import exp, log
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gramspec.decoding.kernel import Node, TwistedLaw, child_node
from gramspec.decoding.random import RandomSource
from gramspec.decoding.report import Tally
from gramspec.decoding.samplers.base import Draw, Sampler
from gramspec.decoding.samplers.restart import first_accepted
from gramspec.errors import BudgetExhaustedError
from gramspec.validity.protocol import (
    CompiledLanguage,
    Contract,
    GrammarState,
    LearningPotential,
    Visit,
)


class State(NamedTuple):
    """Where a chain stands.

    Attributes
    ----------
    tokens : tuple of int
        A member of the grammar, EOS included.
    steps : tuple of tuple of float
        log p and log K of each token.
    """

    tokens: tuple[int, ...]
    steps: tuple[tuple[float, float], ...]

    @property
    def logprob(self) -> float:
        """Log p of the text."""
        return sum(log_p for log_p, _ in self.steps)

    def log_weight(self, cut: int = 0) -> float:
        """Log of p/K of the tokens from `cut` on."""
        return sum(log_p - log_k for log_p, log_k in self.steps[cut:])


class McmcSampler(Sampler[TwistedLaw]):
    """The end of one chain per draw; see `Sampler` for the parameters.

    A potential that learns is held still while a chain runs and taught when it has ended.
    """

    name = "mcmc"

    def __init__(self, law: TwistedLaw, *parts: Any, **more: Any) -> None:
        potential = law.potential
        assert potential is not None
        self._still = HeldStill(potential) if isinstance(potential, LearningPotential) else None
        if self._still is not None:
            law = law.on(self._still)
        super().__init__(law, *parts, **more)

    def draw(self, stream: Callable[[int], RandomSource]) -> Draw:
        """Draw one sample by a chain of its own.

        Parameters
        ----------
        stream : callable
            The random source of attempt number k: number k begins the chain at its k-th try, and makes all
            of its moves when that try succeeds.

        Raises
        ------
        BudgetExhaustedError
            When no text to begin with was found within the attempts of this sample.
        UndefinedLawError
            When h(ε) = 0 certifies that p gives the grammar no mass.
        """
        tally = Tally()
        self._meter.reset()
        self.law.rho_max = 0.0
        try:
            return self._chain(stream, tally)
        finally:
            if self._still is not None:
                self._still.release()

    def begin(self, random: RandomSource, tally: Tally | None = None) -> State | None:
        """A text of the proposal law to begin a chain with, or None at a dead end.

        Parameters
        ----------
        random : RandomSource
            Source of every choice.
        tally : Tally, optional
            What the sample has cost.
        """
        return self._propose(None, 0, random, tally if tally is not None else Tally())

    def move(self, state: State, random: RandomSource, tally: Tally | None = None) -> State:
        """One move; the same state where it is refused.

        Parameters
        ----------
        state : State
            Where the chain stands.
        random : RandomSource
            Source of every choice.
        tally : Tally, optional
            What the sample has cost.
        """
        tally = tally if tally is not None else Tally()
        cuts = self._cuts(len(state.tokens))
        cut = random.choose(cuts)
        other = self._propose(state, cut, random, tally)
        if other is None:
            return state
        back = float(self._cuts(len(other.tokens))[cut])
        ratio = log(back / float(cuts[cut])) + other.log_weight(cut) - state.log_weight(cut)
        keep = exp(min(0.0, ratio))
        if keep < 1.0 and random.choose(np.array([keep, 1.0 - keep])) == 1:
            return state
        return other

    def _chain(self, stream: Callable[[int], RandomSource], tally: Tally) -> Draw:
        options = self._options

        def within(made: int) -> bool:
            return (
                made < options.max_attempts
                and (options.max_seconds is None or tally.elapsed() < options.max_seconds)
                and (
                    options.max_target_forwards is None
                    or self._meter.target_forwards() < options.max_target_forwards
                )
            )

        def one(k: int) -> State | None:
            found = self.begin(stream(k), tally)
            if found is None and self._still is not None:  # no chain yet, so what was seen may be used
                self._still.release()
            return found

        state, made = first_accepted(one, within)
        if state is None:
            self.check_root(self.root_h(), tally)
            raise BudgetExhaustedError(
                self.report(tally, guarantee="consistent", log_phi_bound=self.certified()),
                f"no text to begin a chain with in {made} attempts, each of which met a dead end"
                f" ({self._meter.target_forwards()} target forwards, {tally.elapsed():.1f} s)"
                "\n  hint: take a potential that sees further ahead, raise the budgets of DecodingOptions or"
                " max_new_tokens, or relax top_k and top_p",
            )
        random = stream(made)
        moved = 0
        for _ in range(options.mcmc_steps):
            after = self.move(state, random, tally)
            moved += after is not state
            state = after
        report = self.report(
            tally,
            guarantee="consistent",
            proposed=options.mcmc_steps,
            moved=moved,
            log_phi_bound=self.certified(),
        )
        return Draw(state.tokens, state.logprob, report)

    def _cuts(self, length: int) -> NDArray[np.float64]:
        """Probability of each cut in a text of so many tokens."""
        cuts = np.full(length, (1.0 - self._options.mcmc_fresh) / length)
        cuts[0] += self._options.mcmc_fresh
        return cuts

    def _propose(self, state: State | None, cut: int, random: RandomSource, tally: Tally) -> State | None:
        start: Node | None = None
        if state is not None and cut > 0:
            start = self.law.root()
            for token in state.tokens[:cut]:
                start = child_node(self.law, start, token)
        attempt = self.attempt(tally, start=start)
        if attempt.root_h <= 0.0:
            attempt.close()
            self.check_root(attempt.root_h, tally)
        tally.attempts += 1
        if not attempt.run(random):
            return None
        before = state.steps[:cut] if state is not None else ()
        return State(attempt.tokens, before + attempt.steps)


class HeldStill:
    """A learning potential that is not taught while a chain runs, and learns at its end.

    Parameters
    ----------
    inner : LearningPotential
        The potential.
    max_bytes : int
        Bytes of rows kept for the end; what exceeds them is not learned.
    """

    def __init__(self, inner: LearningPotential, *, max_bytes: int = 1 << 28) -> None:
        self._inner = inner
        self._visits: dict[tuple[int, ...], list[Visit]] = {}
        self._max_bytes = max_bytes
        self._bytes = 0
        self._held = False

    @property
    def name(self) -> str:
        """Name of the potential."""
        return self._inner.name

    @property
    def contract(self) -> Contract:
        """Contract of the potential."""
        return self._inner.contract

    @property
    def compiled(self) -> CompiledLanguage:
        """The language and vocabulary that h speaks of."""
        return self._inner.compiled

    def log_h(self, state: GrammarState, prefix: Sequence[int], budget: int) -> float:
        """Log h of the potential."""
        return self._inner.log_h(state, prefix, budget)

    def h_children(self, state: GrammarState, prefix: Sequence[int], budget: int) -> NDArray[np.float64]:
        """h(xv) of the potential; a fresh array."""
        return self._inner.h_children(state, prefix, budget)

    def begin(self) -> None:
        """A chain begins with its first attempt."""
        if not self._held:
            self._inner.begin()
            self._held = True

    def end(self) -> None:
        """The chain goes on."""

    def observe(self, visits: Sequence[Visit]) -> None:
        """Keep what was seen."""
        for visit in visits:
            known = self._visits.setdefault(visit.prefix, [])
            if known:  # one row per prefix is enough; what followed it is small
                known.append(visit._replace(p=known[0].p, children=known[0].children))
            elif self._bytes < self._max_bytes:
                known.append(visit)
                self._bytes += visit.p.nbytes + visit.children.nbytes

    def remembered_row(self, prefix: Sequence[int], width: int) -> NDArray[np.float64] | None:
        """The row that the potential remembers."""
        return self._inner.remembered_row(prefix, width)

    def release(self) -> None:
        """The chain has ended: teach what was seen, forget what was held."""
        if not self._held:
            return
        self._held = False
        try:
            self._inner.observe([_together(found) for found in self._visits.values() if found])
        finally:
            self._visits.clear()
            self._bytes = 0
            self._inner.end()


def _together(visits: list[Visit]) -> Visit:
    """One visit with everything that followed in any of them."""
    followed = dict.fromkeys(token for visit in visits for token in visit.followed)
    return visits[0]._replace(followed=tuple(followed))
