"""Sequential Monte Carlo with adaptive weighted rejection sampling (SMC + AWRS).

Law: consistent: a draw nears P(y | y ∈ L) as the particles grow; per token E[Ẑ·1{v}] = p(v)·1[v viable].
Cost: a forward per token and particle. Source: Loula et al. (2504.13139), Lipkin et al. (2504.05410).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import numpy as np

from gramspec.audit.baselines.protocol import Problem, Row, Sampler, Tokens, Walk, log
from gramspec.decoding.random import RandomSource
from gramspec.errors import DeadEndError, OptionError


def weighted_rejection(
    p: Row,
    valid: Callable[[int], bool],
    random: RandomSource,
    kind: Literal["recursive", "two-pass"] = "recursive",
) -> tuple[int | None, float]:
    """A token of p among the valid ones, with an unbiased weight of the valid mass.

    Parameters
    ----------
    p : ndarray
        The law row.
    valid : callable
        The check; asked only of tokens that are drawn.
    random : RandomSource
        Source of every choice.
    kind : {"recursive", "two-pass"}
        "recursive": tokens without replacement; each rejection multiplies the weight by one less the
        share of the token among those not tried, the first acceptance by its own share if the next
        token in the order is invalid. "two-pass": go on after the first acceptance until a second
        valid token comes; (1 − rejected mass of the first pass)/(rejections + 1).

    Returns
    -------
    tuple of int or None and float
        None and 0.0 where no token of positive probability is valid.
    """
    left = p.copy()

    def take() -> tuple[int, float] | None:
        total = float(left.sum())
        if not total > 0.0:
            return None
        token = random.choose(left)
        share = float(left[token]) / total
        left[token] = 0.0
        return token, share

    if kind == "recursive":
        weight = 1.0
        while (drawn := take()) is not None:
            token, share = drawn
            if valid(token):
                after = take()
                return token, weight if after is not None and valid(after[0]) else weight * share
            weight *= 1.0 - share
        return None, 0.0
    if kind != "two-pass":
        raise OptionError(f"kind={kind!r}: 'recursive' or 'two-pass'")
    rejected, count = 0.0, 0
    accepted: int | None = None
    while (drawn := take()) is not None:
        token = drawn[0]
        if valid(token):
            accepted = token
            break
        rejected += float(p[token])
        count += 1
    if accepted is None:
        return None, 0.0
    left[accepted] = p[accepted]  # the second pass draws again among all that was not rejected
    while (drawn := take()) is not None and not valid(drawn[0]):
        count += 1
    return accepted, (float(p.sum()) - rejected) / (count + 1)


class SmcAwrs(Sampler):
    """n particles extended by weighted rejection, resampled when their ESS falls below a share of n.

    Parameters
    ----------
    problem : Problem
        What is sampled.
    particles : int
        n.
    threshold : float
        Resample below this share of n; 0 never does (importance sampling).
    kind : {"recursive", "two-pass"}
        Of `weighted_rejection`.

    Attributes
    ----------
    log_z : float
        Estimate of log Φ(ε) by the last run; its exponential is unbiased.
    """

    guarantee = "consistent"
    log_z = -math.inf

    def __init__(
        self,
        problem: Problem,
        particles: int = 10,
        threshold: float = 0.5,
        kind: Literal["recursive", "two-pass"] = "recursive",
    ) -> None:
        super().__init__(problem)
        if particles < 1 or not 0.0 <= threshold <= 1.0:
            raise OptionError(
                f"particles={particles!r}, threshold={threshold!r}: at least 1, and a share, are needed"
            )
        self.particles = particles
        self.threshold = threshold
        self.kind = kind
        self.name = f"smc-awrs-{particles}"

    def draw(self, random: RandomSource) -> Tokens:
        """Draw one sample: one particle of one run, in proportion to its weight.

        Raises
        ------
        DeadEndError
            When all weights have become 0.
        """
        self.begin_draw()
        self.begin_attempt()
        walks = [Walk(self, self._sequence.fork()) for _ in range(self.particles)]
        ended: list[Tokens | None] = [None] * self.particles
        weights = np.zeros(self.particles)  # logarithms
        self.log_z = 0.0
        while any(done is None and w > -math.inf for done, w in zip(ended, weights, strict=True)):
            for i, walk in enumerate(walks):
                if ended[i] is None and weights[i] > -math.inf:
                    ended[i], factor = self._extend(walk, random)
                    weights[i] += log(factor)
            if not np.isfinite(weights.max()):
                break
            open_ones = any(done is None and w > -math.inf for done, w in zip(ended, weights, strict=True))
            if open_ones and _ess(weights) < self.threshold * self.particles:
                self.log_z += _log_mean(weights)
                picks = [random.choose(_normal(weights)) for _ in walks]
                ended = [ended[k] for k in picks]
                walks = [walks[k].fork() for k in picks]
                weights = np.zeros(self.particles)
        if not np.isfinite(weights.max()):
            self.log_z = -math.inf
            raise DeadEndError(f"{self.name}: all particles met a prefix without a viable token")
        self.log_z += _log_mean(weights)
        chosen = ended[random.choose(_normal(weights))]
        assert chosen is not None
        return chosen

    def _extend(self, walk: Walk, random: RandomSource) -> tuple[Tokens | None, float]:
        viable = walk.viable()
        token, weight = weighted_rejection(walk.row(), lambda t: bool(viable[t]), random, self.kind)
        if token is None:
            return None, 0.0
        if token in self.eos_ids:
            return (*walk.prefix, token), weight
        walk.push(token)
        return None, weight


def _normal(weights: Row) -> Row:
    shares: Row = np.exp(weights - weights.max())
    return shares


def _ess(weights: Row) -> float:
    w = _normal(weights)
    return float(w.sum() ** 2 / (w @ w))


def _log_mean(weights: Row) -> float:
    return float(weights.max()) + math.log(float(_normal(weights).mean()))
