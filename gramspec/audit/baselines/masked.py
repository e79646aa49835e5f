"""Masked decoding: p restricted to the viable tokens and renormalised at every step.

Law: ∏ p(v|x)·1[v viable]/Z(x), which is not P(y | y ∈ L). Cost: a forward per token.
Source: Scholak et al. (PICARD, 2109.05093), Willard and Louf (2307.09702); budget-aware here.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gramspec.audit.baselines.protocol import Sampler, Tokens, Walk, log
from gramspec.decoding.random import RandomSource
from gramspec.errors import DeadEndError


class Step(NamedTuple):
    """One token drawn under the mask.

    Attributes
    ----------
    token : int
        The token.
    log_p : float
        log p(token|x).
    log_mass : float
        log Z(x), the viable mass.
    entropy : float
        Entropy of p(.|x) in nats.
    """

    token: int
    log_p: float
    log_mass: float
    entropy: float


class Masked(Sampler):
    """Draws of the locally masked law.

    Parameters
    ----------
    problem : Problem
        What is sampled.

    Attributes
    ----------
    log_weight : float
        log ∏ Z of the last draw: the weight that corrects it.
    """

    name = "masked"
    guarantee = "biased"
    log_weight = 0.0

    def draw(self, random: RandomSource) -> Tokens:
        """Draw one sample.

        Raises
        ------
        DeadEndError
            When the model gives no viable token any probability.
        """
        self.begin_draw()
        self.begin_attempt()
        steps = finish_masked(self, self.walk(), random)
        self.log_weight = sum(step.log_mass for step in steps)
        return tuple(step.token for step in steps)


def finish_masked(sampler: Sampler, walk: Walk, random: RandomSource) -> list[Step]:
    """Masked decoding from where `walk` stands to EOS.

    Raises
    ------
    DeadEndError
        When the model gives no viable token any probability.
    """
    steps: list[Step] = []
    while not steps or steps[-1].token not in sampler.eos_ids:
        p = walk.row()
        weights = p * walk.viable()
        mass = float(weights.sum())
        if not mass > 0.0:
            raise DeadEndError(
                f"{sampler.name}: no viable token has any probability after {list(walk.prefix)}"
            )
        token = random.choose(weights)
        steps.append(step_of(p, mass, token))
        walk.push(token)
    return steps


def step_of(p: np.ndarray, mass: float, token: int) -> Step:
    """What is kept of one row."""
    positive = p[p > 0.0]
    entropy = max(0.0, -float(positive @ np.log(positive)))
    return Step(token, log(float(p[token])), log(mass), entropy)
