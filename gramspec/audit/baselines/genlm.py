"""SMC with adaptive weighted rejection as the package genlm-control runs it, on our models and masks.

Law: nearer to P(y | y ∈ L) with more particles. Cost: a forward per token and particle, as it asks for them.
Source: genlm-control 0.4 (`AWRS`, `SMC`); Loula et al. (2504.13139), Lipkin et al. (2504.05410). Its random
numbers are its own, seeded by choices of ours.
"""

from __future__ import annotations

import asyncio
import math
from importlib import import_module
from typing import Any

import numpy as np

from gramspec.audit.baselines.protocol import Problem, Row, Sampler, Tokens
from gramspec.decoding.random import RandomSource
from gramspec.decoding.rows import fit_width
from gramspec.errors import DeadEndError, ModelError, OptionError

_SEEDS = np.ones(1 << 15)


def _package() -> Any:
    try:
        return import_module("genlm.control")
    except ModuleNotFoundError as error:
        raise ModelError(
            f"this baseline needs the package {error.name}\n  hint: pip install 'gramspec[genlm]'"
        ) from error


class GenlmSmc(Sampler):
    """n particles of genlm-control, extended by its AWRS and resampled by its SMC.

    Parameters
    ----------
    problem : Problem
        What is sampled.
    particles : int
        n.
    threshold : float
        Resample when the ESS falls below this share of n.

    Raises
    ------
    ModelError
        When genlm-control is not installed.
    OptionError
        When an option is out of range, or the vocabulary has several EOS tokens: genlm-control has one.

    Notes
    -----
    The model is a potential with `logw_next`, the grammar a Boolean one that knows the budget. Calls are
    not batched across particles, so that each row asked for is one forward. `draw` begins an event loop.
    """

    guarantee = "consistent"

    def __init__(self, problem: Problem, particles: int = 10, threshold: float = 0.5) -> None:
        super().__init__(problem)
        if particles < 1 or not 0.0 <= threshold <= 1.0:
            raise OptionError(
                f"particles={particles!r}, threshold={threshold!r}: at least 1, and a share, are needed"
            )
        if len(self.eos_ids) != 1:
            raise OptionError(
                f"the vocabulary has {len(self.eos_ids)} EOS tokens: genlm-control knows one end of a text"
            )
        self._control = _package()
        [self._eos] = self.eos_ids
        self.particles = particles
        self.threshold = threshold
        self.name = f"genlm-smc-awrs-{particles}"
        width = problem.model.vocab_size
        self._ids = np.array([v for v in range(width) if v != self._eos] + [self._eos])  # EOS comes last
        self._model, self._grammar = _potentials(self._control, self)
        self._walk = self.walk()
        self._matchers: dict[Tokens, Any] = {}
        self._allowed: dict[Tokens, Row] = {}

    def draw(self, random: RandomSource) -> Tokens:
        """Draw one sample: one particle of one run, in proportion to its weight.

        Raises
        ------
        DeadEndError
            When all weights have become 0.
        """
        self.begin_draw()
        self.begin_attempt()
        self._matchers, self._allowed = {(): self.problem.compiled.matcher()}, {}
        seed = random.choose(_SEEDS) * len(_SEEDS) + random.choose(_SEEDS)
        sampler = self._control.AWRS(self._model, self._grammar, seed=seed, autobatch=False)
        before = np.random.get_state()  # noqa: NPY002 - its resampling draws from there
        np.random.seed(seed)  # noqa: NPY002
        try:
            found = asyncio.run(
                sampler.smc(
                    n_particles=self.particles, ess_threshold=self.threshold, max_tokens=self.problem.budget
                )
            )
        finally:
            np.random.set_state(before)  # noqa: NPY002
        weights = np.asarray(found.log_weights, dtype=np.float64)
        if not np.isfinite(weights.max()):
            raise DeadEndError(f"{self.name}: all particles met a prefix without a viable token")
        chosen = found.contexts[random.choose(np.exp(weights - weights.max()))]
        return tuple(self._eos if token is self._control.EOS else int(token) for token in chosen)

    def log_row(self, context: list[int]) -> Row:
        """Logarithms of p after a context, EOS last; one forward."""
        self._walk.prefix = tuple(context)
        with np.errstate(divide="ignore"):
            row: Row = np.log(self._walk.row()[self._ids])
        return row

    def allowed(self, context: list[int]) -> Row:
        """0.0 for each token after which an ending within the budget exists, -inf otherwise; EOS last."""
        prefix = tuple(context)
        found = self._allowed.get(prefix)
        if found is None:
            remaining = self.problem.budget - len(prefix)
            viable = self._matcher(prefix).viable(remaining, exact=True).astype(np.float64)
            wide = fit_width(viable, self.problem.model.vocab_size)
            found = self._allowed[prefix] = np.where(wide[self._ids] > 0.0, 0.0, -math.inf)
        return found

    def _matcher(self, prefix: Tokens) -> Any:
        found = self._matchers.get(prefix)
        if found is None:
            found = self._matcher(prefix[:-1]).fork()
            found.advance(prefix[-1])
            self._matchers[prefix] = found
        return found


def _potentials(control: Any, sampler: GenlmSmc) -> tuple[Any, Any]:
    """The model and the grammar as potentials over token ids."""
    base: Any = control.Potential
    vocabulary = [int(v) for v in sampler._ids[:-1]]
    place = {token: k for k, token in enumerate(vocabulary)}
    end = len(vocabulary)

    class Model(base):  # type: ignore[misc]
        """Logarithms of p of prefixes, and of texts with EOS."""

        async def prefix(self, context: list[int]) -> float:
            rows = (sampler.log_row(context[:k])[place[token]] for k, token in enumerate(context))
            return math.fsum(rows)

        async def complete(self, context: list[int]) -> float:
            return await self.prefix(context) + float(sampler.log_row(context)[end])

        async def logw_next(self, context: list[int]) -> Any:
            return self.make_lazy_weights(sampler.log_row(context))

    class Language(base):  # type: ignore[misc]
        """0 for prefixes of members within the budget and for members, -inf for all others."""

        async def prefix(self, context: list[int]) -> float:
            return float(sampler.allowed(context[:-1])[place[context[-1]]]) if context else 0.0

        async def complete(self, context: list[int]) -> float:
            return float(sampler.allowed(context)[end])

        async def logw_next(self, context: list[int]) -> Any:
            return self.make_lazy_weights(sampler.allowed(context))

    tables = control.Potential.build_tables(vocabulary)
    return Model(vocabulary, tables=tables), Language(vocabulary, tables=tables)
