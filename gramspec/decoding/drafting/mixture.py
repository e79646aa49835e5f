"""`Mixture`: a convex mixture of what several sources expect, its weights learned online.

Law: none; the mixture is the row that candidates are drawn from, and changes after the verdicts of a round.
Cost: a sum over the tokens named, once to mix and once to judge.
Source: mixture of experts by exponentiated gradient (Kivinen & Warmuth, 1997).
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from math import exp

from gramspec.decoding.drafting.sources import Suggestion

_STEP = 0.5  # of the gradient
_HEARD = 0.01  # share of the mixture below which a suggestion is left out
_BOUND = 1e3  # of a weight, up and down
_REMEMBERED = 1 << 16  # weights

Said = Sequence[tuple[str, Suggestion]]


class Mixture:
    """Weights of sources by the evidence they state, and by grammar state; may be shared by prompts.

    A source's share is the product of two weights: of what it states anywhere, and of the source here.
    """

    def __init__(self) -> None:
        self._weights: dict[tuple[str, Hashable], float] = {}

    def weight(self, source: str, said: Suggestion, state: Hashable) -> float:
        """Weight of a suggestion in the mixture.

        Parameters
        ----------
        source : str
            Name of its source.
        said : Suggestion
            What it says.
        state : hashable
            Class of the grammar state.
        """
        stated = self._weights.get((source, said.confidence), 1.0)
        return stated * self._weights.get((source, ("state", state)), 1.0)

    def mix(self, said: Said, state: Hashable) -> dict[int, float]:
        """The mixture at one node.

        Parameters
        ----------
        said : sequence of (str, Suggestion)
            Name and suggestion of each source that has one.
        state : hashable
            Class of the grammar state.
        """
        if len(said) == 1:
            return dict(said[0][1].items)
        weights = [self.weight(name, one, state) for name, one in said]
        total = sum(weights)
        mixed: dict[int, float] = {}
        for weight, (_, one) in zip(weights, said, strict=True):
            share = weight / total
            if share < _HEARD:
                continue
            for token, p in one.items:
                mixed[token] = mixed.get(token, 0.0) + share * p
        return mixed

    def judge(self, said: Said, state: Hashable, row: dict[int, float]) -> None:
        """Move the weights towards the sources that gave the target's row more probability.

        Parameters
        ----------
        said, state
            As for `mix`.
        row : dict of int to float
            Most probable tokens of the target's row.
        """
        if len(said) < 2:
            return
        mixed = self.mix(said, state)
        shares = {token: p / mixed[token] for token, p in row.items() if token in mixed}
        gains = [sum(p * shares.get(token, 0.0) for token, p in one.items) for _, one in said]
        weights = [self.weight(name, one, state) for name, one in said]
        mean = sum(w * g for w, g in zip(weights, gains, strict=True)) / sum(weights)
        if len(self._weights) > _REMEMBERED:
            self._weights.clear()
        for (name, one), gain in zip(said, gains, strict=True):
            factor = exp(_STEP * max(-2.0, min(2.0, gain - mean)))
            keys: tuple[tuple[str, Hashable], ...] = ((name, one.confidence), (name, ("state", state)))
            for key in keys:
                self._weights[key] = max(1.0 / _BOUND, min(_BOUND, self._weights.get(key, 1.0) * factor))
