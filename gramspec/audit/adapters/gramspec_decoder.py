"""`gramspec.generate` as a decoder under test, with or without a draft model.

Law: conditional; enumerated with every choice of the production loop taken from the audit's source, attempts
beyond the second left open (given a success before, the law is the same).
Source: laws, "How exactness is proved".
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, Final
from unittest import mock

import numpy as np

import gramspec
from gramspec.audit.adapters.decoder import Decoder, Sources
from gramspec.audit.adapters.ours import Gramspec
from gramspec.audit.enumerate import EnumeratingRandomSource
from gramspec.audit.law_worlds import DRAFTED, LawWorld
from gramspec.decoding.random import RandomSource
from gramspec.models.tabular import TabularModel

MOST_ATTEMPTS: Final = 1000
_SEEDS: Final = np.ones(1 << 15)
_ONE_AT_A_TIME = threading.RLock()


class GramspecDecoder(Decoder):
    """`gramspec.generate(target, prompts, grammar, draft=...)`.

    Parameters
    ----------
    law : {"conditional", "masked"}
        What is asked for.
    """

    version = gramspec.__version__
    modes = ("sample", "assisted")
    batches = True
    pathwise = False  # rows of a call share what drafters have learned: the law is the same, the path is not

    def __init__(self, law: str = "conditional") -> None:
        self.name = "gramspec-generate" if law == "conditional" else f"gramspec-generate[{law}]"
        self.claims = law if law == "conditional" else "masked, cut first"
        self.settings = {"law": law, "sampler": "restart" if law == "conditional" else "masked"}
        self._law = law
        self._masks = Gramspec()
        self._compiled: dict[tuple[str, str, str], Any] = {}

    def sample(self, world: LawWorld, random: RandomSource) -> Sequence[int]:
        """One text; a source that enumerates sees every choice, any other gives a seed."""
        if isinstance(random, EnumeratingRandomSource):
            return self.generate(world, [world.prompt_ids], "sample", lambda _: random)[0]
        seed = random.choose(_SEEDS) * len(_SEEDS) + random.choose(_SEEDS)
        return self._call(world, [world.prompt_ids], "sample", MOST_ATTEMPTS, seed)[0]

    def generate(
        self, world: LawWorld, prompts: Sequence[Sequence[int]], mode: str, sources: Sources
    ) -> list[list[int]]:
        """One call for all prompts, every choice of a row through its source."""
        module = import_module("gramspec.decoding.generate")
        enumerating = any(isinstance(sources(i), EnumeratingRandomSource) for i in range(len(prompts)))
        attempts = (2 if len(world.members) < 5 else 1) if enumerating else MOST_ATTEMPTS

        def source_of(seed: int | None, prompt: int, sample: int) -> Callable[[int], RandomSource]:
            return lambda attempt: sources(prompt)

        with _ONE_AT_A_TIME, mock.patch.object(module, "source_of", source_of):
            return self._call(world, prompts, mode, attempts, 0)

    def _call(
        self, world: LawWorld, prompts: Sequence[Sequence[int]], mode: str, attempts: int, seed: int
    ) -> list[list[int]]:
        width = len(world.tokenizer)
        target = TabularModel(world.target_rows, width, world.eos, fingerprint=f"{world.seed} target")
        draft = None
        if mode == "assisted":
            draft = TabularModel(world.draft_rows, width, world.eos, fingerprint=f"{world.seed} draft")
        drawn = gramspec.generate(
            target,
            [list(prompt) for prompt in prompts],
            self._grammar(world),
            draft=draft,
            law=self._law,  # type: ignore[arg-type]
            sampler="restart" if self._law == "conditional" else "auto",
            max_new_tokens=world.max_new_tokens,
            temperature=world.temperature,
            top_k=world.top_k,
            top_p=world.top_p,
            seed=seed,
            options=gramspec.DecodingOptions(gamma=DRAFTED, max_attempts=attempts),
        )
        return [list(row[0].token_ids) for row in drawn]

    def _grammar(self, world: LawWorld) -> Any:
        key = (world.kind, world.grammar, world.vocabulary.fingerprint)
        if key not in self._compiled:
            grammar = self._masks.grammar(world.kind, world.grammar, {})
            self._compiled[key] = gramspec.compile(grammar, world.vocabulary)
        return self._compiled[key]

    def fresh(self) -> Decoder:
        """Another one."""
        return GramspecDecoder(self._law)

    def snippet(self, world: LawWorld, mode: str = "sample") -> str:
        """A call of `gramspec.generate`."""
        return (
            "from gramspec.audit.adapters.gramspec_decoder import GramspecDecoder\n"
            "from gramspec.audit.law_worlds import ALL_WORLDS\n"
            "from gramspec.audit.streams import RowStreams\n\n"
            f"world = ALL_WORLDS[{world.name!r}]\n"
            f"decoder = GramspecDecoder({self._law!r})\n"
            f"print(decoder.generate(world, [world.prompt_ids], {mode!r}, RowStreams([0])))\n"
        )
