"""Plain rejection: sample from the model, stop at the first token that no member allows, begin again.

Law: exact, P(y | y ∈ L). Cost: 1/Φ(ε) attempts, a forward per generated token. Stopping early favours
it: published loops finish the text first. Source: rejection sampling; `Rsft` as in Parys et al. (2510.01902).
"""

from __future__ import annotations

import numpy as np

from gramspec.audit.baselines.protocol import Sampler, Tokens
from gramspec.decoding.random import RandomSource


class Rejection(Sampler):
    """Rejection sampling (RS).

    Parameters
    ----------
    problem : Problem
        What is sampled.
    max_forwards : int or None
        Forwards of one draw after which no further attempt begins.
    """

    name = "rejection"
    constrain_first = False

    def draw(self, random: RandomSource) -> Tokens:
        """Draw one sample.

        Raises
        ------
        BudgetExhaustedError
            When no attempt within the budget ended in the grammar.
        """
        self.begin_draw()
        while True:
            self.begin_attempt()
            walk = self.walk()
            while True:
                p = walk.row()
                viable = walk.viable()
                if self.constrain_first and not walk.prefix:
                    p = p * viable
                    if not float(p.sum()) > 0.0:
                        self.undefined()
                token = random.choose(np.asarray(p))
                if not viable[token]:
                    break
                if token in self.eos_ids:
                    return (*walk.prefix, token)
                walk.push(token)


class Rsft(Rejection):
    """Rejection sampling whose first token is masked (RSFT)."""

    name = "rsft"
    constrain_first = True
