"""`Rollout`: the draft model finishes k times, and what ends in the language is counted.

Law: contract W, h(x) = (s + ½)/(k + 1): s of k runs from x ended in L (free runs), or Σ ∏Z over runs under
the mask, whose mean is the draft's Φ. Never zero. Nothing is fitted.
Cost: for each node at most `max_tokens`·k runs of up to `horizon` draft rows, batched over runs; no target
row. Source: laws, "Rollout".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gramspec.kernels.inverse_cdf import pick
from gramspec.models.protocol import LanguageModel, ModelSequence
from gramspec.validity.graded import GradedPotential, check_number, fill_rest, likeliest
from gramspec.validity.protocol import CompiledLanguage, Contract
from gramspec.validity.reading import RowFunction, RowReader, softmax


class _Lane:
    """One run: where it stands, and its weight."""

    __slots__ = ("alive", "owner", "prefix", "sequence", "state", "weight")

    def __init__(self, owner: int, prefix: tuple[int, ...], state: Any, sequence: ModelSequence) -> None:
        self.owner = owner
        self.prefix = prefix
        self.state = state
        self.sequence = sequence
        self.weight = 1.0
        self.alive = True


class Rollout(GradedPotential):
    """Monte-Carlo estimates of Φ with the draft model, for one prompt.

    Parameters
    ----------
    compiled : CompiledGrammar
        The language and its vocabulary.
    model : LanguageModel
        The draft model.
    prompt : sequence of int
        Prompt ids.
    runs : int
        k, the runs from each prefix.
    masked : bool
        False: free runs, which die at the first token that is not viable. True: runs under the mask, each
        counted with its product of masked masses; less noise where many runs would die.
    horizon : int or None
        Tokens after which a run that is still viable counts as it stands. None: the budget.
    max_tokens : int
        Tokens v after which runs are made, the draft's most probable ones first; the others get the mean.
    seed : int
        Of this potential's own random numbers.
    row : callable
        From the draft's logits to probabilities.
    memo_bytes : int
        Bytes of remembered children.

    Notes
    -----
    The random numbers of a prefix are keyed by (seed, remaining budget, prefix): h is a function of the
    prefix, whoever asks and how often, so nothing moves within an attempt. They are not those of the decoder,
    and no run is ever handed out as a draft: a draft that h has seen would bias the verifier.
    """

    contract: Contract = "W"

    def __init__(
        self,
        compiled: CompiledLanguage,
        model: LanguageModel,
        prompt: Sequence[int] = (),
        *,
        runs: int = 4,
        masked: bool = False,
        horizon: int | None = None,
        max_tokens: int = 8,
        seed: int = 0,
        row: RowFunction = softmax,
        memo_bytes: int = 1 << 26,
    ) -> None:
        check_number("runs", runs, 1)
        check_number("max_tokens", max_tokens, 1)
        check_number("seed", seed, 0)
        if horizon is not None:
            check_number("horizon", horizon, 1)
        super().__init__(compiled, floor=0.5 / (runs + 1), memo_bytes=memo_bytes)
        self.runs = runs
        self.masked = masked
        self.horizon = horizon
        self.max_tokens = max_tokens
        self.seed = seed
        self._rows = RowReader(model, prompt, row)
        self._ends = frozenset(int(t) for t in self._eos)
        kind = "masked" if masked else "free"
        limit = "" if horizon is None else f", horizon {horizon}"
        self.name = f"rollout({runs} {kind} runs{limit}, {max_tokens} tokens, seed {seed})"

    def _root(self, state: Any, budget: int) -> float:
        return float(self._estimate([((), state)], budget)[0])

    def _interior(
        self, state: Any, prefix: tuple[int, ...], budget: int, tokens: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        p = self._rows.row(prefix)
        order = likeliest(tokens, p, self.max_tokens)
        starts = []
        for token in order.tolist():
            after = state.fork()
            after.advance(token)
            starts.append(((*prefix, token), after))
        h = np.zeros(len(self.compiled.vocabulary))
        h[order] = self._estimate(starts, budget - 1)
        fill_rest(h, p, order, 0.5)  # (0 + ½)/(0 + 1): what no run says
        return h[tokens]

    def _estimate(self, starts: list[tuple[tuple[int, ...], Any]], budget: int) -> NDArray[np.float64]:
        """(s + ½)/(k + 1) for several prefixes at once; the runs of all of them share their forwards."""
        sources = [np.random.default_rng([self.seed, budget, *prefix]) for prefix, _ in starts]
        lanes: list[_Lane] = []
        for owner, (prefix, state) in enumerate(starts):
            first = self._rows.fork(prefix)
            for run in range(self.runs):
                sequence = first if run == 0 else first.fork()
                lanes.append(_Lane(owner, prefix, state.fork(), sequence))
        successes = np.zeros(len(starts))
        steps = budget if self.horizon is None else min(budget, self.horizon)
        for step in range(steps):
            uniforms = [
                source.random(self.runs) for source in sources
            ]  # for ended runs too: none depends on another
            live = [(i, lane) for i, lane in enumerate(lanes) if lane.alive]
            if not live:
                break
            rows = self._rows.score([lane.sequence for _, lane in live])
            for (i, lane), p in zip(live, rows, strict=True):
                successes[lane.owner] += self._step(
                    lane, p, budget - step, float(uniforms[lane.owner][i % self.runs])
                )
        for lane in lanes:
            if lane.alive:  # stopped by the horizon
                successes[lane.owner] += lane.weight
        estimate: NDArray[np.float64] = (successes + 0.5) / (self.runs + 1)
        return estimate

    def _step(self, lane: _Lane, p: NDArray[np.float64], remaining: int, u: float) -> float:
        """Draw one token of a run; what it adds to the successes."""
        viable = self._viability.h_children(lane.state, lane.prefix, remaining)
        p = p[: len(viable)]
        if self.masked:
            p = p * viable
            lane.weight *= float(p.sum())
        token = pick(p, u)
        if token < 0 or not viable[token]:
            lane.alive = False
            return 0.0
        if token in self._ends:
            lane.alive = False
            return lane.weight
        lane.prefix = (*lane.prefix, token)
        lane.state.advance(token)
        lane.sequence.commit([token])
        return 0.0
