"""MCMC: Metropolis-Hastings on whole members, with masked decoding as the proposal of suffixes.

Law: every step keeps P(y | y ∈ L) invariant; after k steps the law is nearer to it, never exactly it.
Cost: a forward per token of the first member and of every proposed suffix.
Source: Anaya Gonzalez et al. (2506.05754), kinds "uniform", "priority" and "restart".
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from gramspec.audit.baselines.masked import Step, finish_masked, step_of
from gramspec.audit.baselines.protocol import Problem, Row, Sampler, Tokens
from gramspec.decoding.random import RandomSource
from gramspec.errors import OptionError

Chain = tuple[Step, ...]  # a member with what its rows said


class Mcmc(Sampler):
    """k Metropolis-Hastings steps from a masked draw.

    Parameters
    ----------
    problem : Problem
        What is sampled.
    kind : {"restart", "uniform", "priority"}
        Where a proposal cuts the member: at its beginning, anywhere alike, or in proportion to the
        perplexity exp H(p(.|x)) of the row at the cut.
    steps : int
        k.
    """

    guarantee = "consistent"

    def __init__(
        self, problem: Problem, kind: Literal["restart", "uniform", "priority"] = "restart", steps: int = 10
    ) -> None:
        super().__init__(problem)
        if kind not in ("restart", "uniform", "priority"):
            raise OptionError(f"kind={kind!r}: 'restart', 'uniform' or 'priority'")
        if steps < 0:
            raise OptionError(f"steps={steps!r}: at least 0 is needed")
        self.kind = kind
        self.steps = steps
        self.name = f"mcmc-{kind}"

    def draw(self, random: RandomSource) -> Tokens:
        """Draw one sample: the state after k steps.

        Raises
        ------
        DeadEndError
            When the model gives no viable token any probability.
        """
        self.begin_draw()
        chain = self.start(random)
        for _ in range(self.steps):
            chain = self.step(chain, random)
        return tokens_of(chain)

    def start(self, random: RandomSource) -> Chain:
        """A masked draw."""
        self.begin_attempt()
        return tuple(finish_masked(self, self.walk(), random))

    def step(self, chain: Chain, random: RandomSource) -> Chain:
        """One proposal, accepted or not.

        Parameters
        ----------
        chain : Chain
            The current member.
        random : RandomSource
            Source of every choice.
        """
        self.begin_attempt()
        cuts = self.cuts(chain)
        cut = random.choose(cuts) if np.count_nonzero(cuts) > 1 else 0
        walk = self.walk()
        for step in chain[:cut]:
            walk.push(step.token)
        proposed = chain[:cut] + tuple(finish_masked(self, walk, random))
        log_ratio = (
            _log_p(proposed)
            - _log_p(chain)
            + self._log_proposal(proposed, chain)
            - self._log_proposal(chain, proposed)
        )
        accept = math.exp(min(0.0, log_ratio))
        if accept >= 1.0:
            return proposed
        return proposed if random.choose(np.array([accept, 1.0 - accept])) == 0 else chain

    def chain_of(self, tokens: Tokens) -> Chain:
        """The state of a given member; its rows are asked for."""
        walk = self.walk()
        steps = []
        for token in tokens:
            p = walk.row()
            steps.append(step_of(p, float((p * walk.viable()).sum()), token))
            walk.push(token)
        return tuple(steps)

    def cuts(self, chain: Chain) -> Row:
        """Weights of the lengths a proposal may keep, 0 to n − 1."""
        weights = np.zeros(len(chain))
        if self.kind == "restart":
            weights[0] = 1.0
        elif self.kind == "uniform":
            weights[:] = 1.0
        else:
            weights[:] = [math.exp(step.entropy) for step in chain]
        shares: Row = weights / weights.sum()
        return shares

    def _log_proposal(self, old: Chain, new: Chain) -> float:
        """The logarithm of q(new | old), over the cuts before which both agree."""
        cuts = self.cuts(old)
        total = 0.0
        tail = sum(step.log_p - step.log_mass for step in new)
        for i in range(len(old)):
            if cuts[i] > 0.0:
                total += float(cuts[i]) * math.exp(tail)
            if i + 1 >= len(new) or old[i].token != new[i].token:
                break
            tail -= new[i].log_p - new[i].log_mass
        return math.log(total) if total > 0.0 else -math.inf


def tokens_of(chain: Chain) -> Tokens:
    """The tokens of a state."""
    return tuple(step.token for step in chain)


def _log_p(chain: Chain) -> float:
    return sum(step.log_p for step in chain)
