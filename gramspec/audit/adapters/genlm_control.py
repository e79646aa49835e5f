"""genlm-control as a decoder under test: its AWRS and SMC, with its own automata, on the worlds' models.

Law: claims P(y | y ∈ L) as the particles grow; judged from draws, as its random numbers are its own.
Source: genlm-control 0.4 (`AWRS`, `BoolFSA`); Lipkin et al. (2504.05410).
"""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Sequence
from importlib import import_module, metadata
from typing import Any, Final

import numpy as np

from gramspec.audit.adapters.decoder import Decoder, RefusedGrammarError
from gramspec.audit.law_worlds import LawWorld, Tokens
from gramspec.audit.named_laws import cut
from gramspec.decoding.random import RandomSource
from gramspec.errors import OptionError

RUNS: Final = 20
"""Runs until a particle has weight: what a caller does who needs a text."""

_SEEDS = np.ones(1 << 15)
_ONE_AT_A_TIME = threading.RLock()


class GenlmDecoder(Decoder):
    """One particle of `AWRS(model, grammar).smc(n_particles)`, in proportion to its weight.

    Parameters
    ----------
    particles : int
        Of one run.
    draws : int
        Runs that its law is judged from; the report states their power.

    Raises
    ------
    OptionError
        If genlm-control is not installed, or a number is out of range.
    """

    name = "genlm-control"
    claims = "conditional"
    exact = False
    kinds = ("regex",)  # its JSON Schemas are judged at the end of a text: few particles live that long

    def __init__(self, particles: int = 20, draws: int = 500) -> None:
        if particles < 1 or draws < 1:
            raise OptionError(f"particles={particles!r}, draws={draws!r}: at least 1 each is needed")
        try:
            self._control: Any = import_module("genlm.control")
        except ImportError as error:
            raise OptionError(
                f"engine 'genlm-control': {error}\n  hint: pip install 'gramspec[genlm]'"
            ) from error
        self.version = metadata.version("genlm-control")
        self.particles = particles
        self.draws = draws
        self.settings = {"particles": str(particles), "sampler": "AWRS", "ess_threshold": "0.5"}
        self._held: dict[tuple[Any, ...], tuple[Any, Any]] = {}

    def sample(self, world: LawWorld, random: RandomSource) -> Sequence[int]:
        """One run, or more where all particles of it have weight zero."""
        model, grammar = self._potentials(world)
        for _ in range(RUNS):
            with _ONE_AT_A_TIME:  # its resampling draws from NumPy's global generator
                found = self._run(model, grammar, world, random)
            weights = np.asarray(found.log_weights, dtype=np.float64)
            if np.isfinite(weights.max()):
                chosen = found.contexts[random.choose(np.exp(weights - weights.max()))]
                return [world.eos if token is self._control.EOS else int(token) for token in chosen]
        raise RuntimeError(f"all particles of {RUNS} runs have weight zero")

    def _run(self, model: Any, grammar: Any, world: LawWorld, random: RandomSource) -> Any:
        seed = random.choose(_SEEDS) * len(_SEEDS) + random.choose(_SEEDS)
        sampler = self._control.AWRS(model, grammar, seed=seed, autobatch=False)
        before = np.random.get_state()  # noqa: NPY002
        np.random.seed(seed)  # noqa: NPY002
        try:
            return asyncio.run(
                sampler.smc(n_particles=self.particles, ess_threshold=0.5, max_tokens=world.max_new_tokens)
            )
        finally:
            np.random.set_state(before)  # noqa: NPY002

    def fresh(self) -> Decoder:
        """Another one."""
        return GenlmDecoder(self.particles, self.draws)

    def _potentials(self, world: LawWorld) -> tuple[Any, Any]:
        options = (world.temperature, world.top_k, world.top_p)
        key = (world.kind, world.grammar, world.seed, world.prompt_ids, options)
        if key not in self._held:
            model = _model(self._control, world)
            self._held[key] = model, self._grammar(world, model)
        return self._held[key]

    def _grammar(self, world: LawWorld, model: Any) -> Any:
        if world.kind != "regex":
            raise RefusedGrammarError(f"genlm-control is asked for no grammar of kind {world.kind!r} here")
        byte_level = self._control.BoolFSA.from_regex(world.grammar)
        tokens = world.vocabulary.tokens

        def spelled(context: Sequence[int]) -> bytes:
            return b"".join(tokens[token] or b"" for token in context)

        return byte_level.coerce(model, f=spelled)


def _model(control: Any, world: LawWorld) -> Any:
    """The world's target as a potential over token ids, EOS last."""
    base: Any = control.Potential
    ids = [token for token, raw in enumerate(world.vocabulary.tokens) if raw and token in world.active]
    order = np.array([*ids, world.eos])
    options = world.temperature, world.top_k, world.top_p
    rows: dict[Tokens, np.ndarray] = {}

    def row(context: Sequence[int]) -> np.ndarray:
        prefix = tuple(int(token) for token in context)
        if prefix not in rows:
            logits = np.asarray(world.target_rows((*world.prompt_ids, *prefix)), dtype=np.float64)
            with np.errstate(divide="ignore"):
                rows[prefix] = np.log(cut(logits, *options)[order])
        return rows[prefix]

    class Model(base):  # type: ignore[misc]
        """Logarithms of p of prefixes, and of texts with EOS."""

        async def prefix(self, context: list[int]) -> float:
            return math.fsum(float(row(context[:k])[ids.index(t)]) for k, t in enumerate(context))

        async def complete(self, context: list[int]) -> float:
            return await self.prefix(context) + float(row(context)[-1])

        async def logw_next(self, context: list[int]) -> Any:
            return self.make_lazy_weights(row(context))

    return Model(ids)
