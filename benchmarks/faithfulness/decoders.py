"""Decoders of one law with different drafts: forwards, tokens and CPU seconds of each.

Law: the locally masked law, which token-by-token and assisted generation sample too; drafts change no law.
Cost: real forwards of the real models, prompt included; CPU time of the process, in one thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from gramspec.audit.baselines import Problem
from gramspec.decoding.drafting import (
    DRAWN_PLAN,
    MODEL_FREE_PLAN,
    DraftMemory,
    ModelDrafter,
    model_free,
    model_free_drawn,
)
from gramspec.decoding.drafting.draft_rows import DraftRows
from gramspec.decoding.drafting.dyspec import DySpecDrafter
from gramspec.decoding.drafting.model_free import DRAWN_KEEP
from gramspec.decoding.drafting.model_tree import ModelTreeDrafter
from gramspec.decoding.drafting.sources import TOP
from gramspec.decoding.drafting.tree import DraftPlan
from gramspec.decoding.kernel import MaskedLaw
from gramspec.decoding.random import NumpyRandomSource, RandomSource
from gramspec.decoding.report import Tally
from gramspec.decoding.round import Attempt
from gramspec.decoding.rows import RowLaw
from gramspec.errors import DeadEndError

Ids = tuple[int, ...]


@dataclass(frozen=True)
class Setting:
    """Which drafts, and how many."""

    drafter: str  # "none", "transformers", "assisted", or a name of `Decoder._drafter`
    length: int = 4
    width: int = 1
    nodes: int | None = None

    @property
    def label(self) -> str:
        if self.drafter in ("none", "transformers"):
            return self.drafter
        extra = f", width {self.width}" if self.width > 1 else ""
        extra += f", {self.nodes} nodes" if self.nodes is not None else ""
        return f"{self.drafter}, length {self.length}{extra}"


@dataclass(frozen=True)
class Speed:
    """What a stream of prompts took."""

    tokens: int
    forwards: int
    positions: int
    draft_forwards: int
    seconds: float
    samples: tuple[Ids, ...]

    @property
    def per_forward(self) -> float:
        return self.tokens / max(1, self.forwards)


class Decoder:
    """One setting on one grammar; what its drafter learns is kept from prompt to prompt."""

    def __init__(
        self, setting: Setting, target: Any, draft: Any, compiled: Any, budget: int, temperature: float
    ) -> None:
        self.setting = setting
        self._target, self._draft = target, draft
        self._compiled, self._budget = compiled, budget
        self._rows = RowLaw(temperature)
        self._law = MaskedLaw(compiled, self._rows, budget=budget, width=target.vocab_size)
        kept = _TABLES.get(setting.drafter)
        self._memory = DraftMemory(compiled, keep=kept) if kept else None

    def run(self, prompts: Sequence[Ids], seed: int) -> Speed:
        """One sample for each prompt."""
        counters, drafts = self._target.counters, self._draft.counters
        forwards, positions, drafted = counters.forwards, counters.positions, drafts.forwards
        hooked = [0, 0]
        samples = []
        begun = time.process_time()
        for k, prompt in enumerate(prompts):
            source = NumpyRandomSource((seed, k))
            if self.setting.drafter in ("transformers", "assisted"):
                samples.append(self._transformers(prompt, source, hooked))
            else:
                samples.append(self._gramspec(prompt, source))
        seconds = time.process_time() - begun
        return Speed(
            sum(len(y) for y in samples),
            counters.forwards - forwards + hooked[0],
            counters.positions - positions + hooked[1],
            drafts.forwards - drafted,
            seconds,
            tuple(samples),
        )

    def _gramspec(self, prompt: Ids, source: RandomSource) -> Ids:
        sequence = self._target.open(prompt)
        attempt = Attempt(
            self._law,
            sequence,
            len(sequence.tokens),
            self._drafter(prompt),
            DraftPlan(self.setting.length, self.setting.width, self.setting.nodes),
            Tally(),
        )
        if not attempt.run(source):
            raise DeadEndError(f"no viable token after {list(attempt.tokens)}")
        return attempt.tokens

    def _drafter(self, prompt: Ids) -> Any:
        kind = self.setting.drafter
        if kind == "none":
            return None
        if kind == "model-free":
            return model_free(self._compiled, prompt, memory=self._memory)
        if kind == "drawn tables":
            return model_free_drawn(self._compiled, prompt, memory=self._memory)
        if kind == "drawn tables and model":
            draft = DraftRows(self._draft, prompt, self._rows)
            return model_free_drawn(self._compiled, prompt, memory=self._memory, draft=draft)
        if kind == "tree":
            return ModelTreeDrafter(self._draft, prompt, self._rows)
        if kind == "dyspec":
            return DySpecDrafter(self._draft, prompt, self._rows)
        drawn = ModelDrafter(self._draft, prompt, self._rows)
        if kind == "mixed":
            return model_free(self._compiled, prompt, memory=self._memory, drawn=drawn)
        return drawn

    def _transformers(self, prompt: Ids, source: RandomSource, hooked: list[int]) -> Ids:
        from gramspec.audit.baselines.hugging_face import TransformersMasked

        problem = Problem(self._target, self._compiled, prompt, self._budget, self._rows)
        assistant = self._draft if self.setting.drafter == "assisted" else None
        sampler = TransformersMasked(problem, assistant, drafted=self.setting.length)
        tokens = sampler.draw(source)
        hooked[0] += sampler.spent.forwards
        hooked[1] += sampler.spent.positions
        return tokens


_TABLES = {
    "model-free": TOP,
    "mixed": TOP,
    "drawn tables": DRAWN_KEEP,
    "drawn tables and model": DRAWN_KEEP,
}
REFERENCES = (Setting("transformers"), Setting("assisted", 5), Setting("none", 0))
OURS = (
    Setting("model-free", MODEL_FREE_PLAN.length, MODEL_FREE_PLAN.width, MODEL_FREE_PLAN.nodes),
    Setting("model", 5),
    Setting("tree", 5, 2, 16),
    Setting("mixed", 6, 8, 16),
    Setting("drawn tables", DRAWN_PLAN.length, DRAWN_PLAN.width, 24),
    Setting("drawn tables", *DRAWN_PLAN[:3]),
    Setting("drawn tables and model", *DRAWN_PLAN[:3]),
)
Make = Callable[[Setting], Decoder]
