"""Transformers' own generation under a mask: token by token, and assisted by a smaller model.

Law: the locally masked law, as `model.generate` samples it (its own random numbers, seeded by one choice).
Cost: counted by a hook on the target, a batch of B as B; positions are those really fed.
Source: transformers `GenerationMixin.generate`, `assistant_model` (Leviathan et al., 2211.17192).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from transformers import LogitsProcessor, LogitsProcessorList

from gramspec.audit.baselines.protocol import Problem, Sampler, Tokens
from gramspec.decoding.random import RandomSource
from gramspec.errors import DeadEndError, OptionError
from gramspec.models.transformers_adapter import TransformersModel

_SEEDS = np.ones(1 << 16)


class PrefixMask(LogitsProcessor):
    """A logits processor that is a function of the tokens alone, so that assisted decoding may use it.

    Parameters
    ----------
    problem : Problem
        The grammar and its budget.
    prompt_length : int
        Tokens before the first generated one.
    """

    def __init__(self, problem: Problem, prompt_length: int) -> None:
        self._problem = problem
        self._prompt_length = prompt_length
        self._masks: dict[Tokens, torch.Tensor] = {}
        self._matchers: dict[Tokens, Any] = {(): problem.compiled.matcher()}

    def __deepcopy__(self, memo: dict[int, Any]) -> PrefixMask:
        """Masks are functions of the prefix: the assistant may share them."""
        return self

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Scores with -inf wherever no ending within the budget can follow."""
        rows = [
            scores[i].masked_fill(~self._mask(tuple(ids), scores.shape[-1]), -torch.inf)
            for i, ids in enumerate(input_ids[:, self._prompt_length :].tolist())
        ]
        return torch.stack(rows)

    def _mask(self, prefix: Tokens, width: int) -> torch.Tensor:
        mask = self._masks.get(prefix)
        if mask is None:
            mask = torch.zeros(width, dtype=torch.bool)
            matcher = self._matcher(prefix)
            remaining = self._problem.budget - len(prefix)
            if matcher is None or matcher.is_finished or remaining < 1:
                mask[:] = True  # a draft that left the grammar or has ended: these rows are never used
            else:
                allowed = matcher.viable(remaining, exact=True)
                mask[: len(allowed)] = torch.from_numpy(np.asarray(allowed)[:width])
            self._masks[prefix] = mask
        return mask

    def _matcher(self, prefix: Tokens) -> Any:
        if prefix not in self._matchers:
            parent = self._matcher(prefix[:-1])
            matcher = None
            if parent is not None and not parent.is_finished and prefix[-1] in parent.allowed_ids():
                matcher = parent.fork()
                matcher.advance(prefix[-1])
            self._matchers[prefix] = matcher
        return self._matchers[prefix]


class TransformersMasked(Sampler):
    """`model.generate` token by token under a mask.

    Parameters
    ----------
    problem : Problem
        Its model is a `TransformersModel`; its row law has a temperature alone (Transformers cuts by top-k
        and top-p after the mask, which is another law).
    assistant : TransformersModel, optional
        Drafts for the target; None decodes token by token.
    drafted : int
        Tokens drafted per round.
    """

    name = "transformers"
    guarantee = "biased"

    def __init__(
        self, problem: Problem, assistant: TransformersModel | None = None, *, drafted: int = 5
    ) -> None:
        super().__init__(problem)
        model = problem.model
        if not isinstance(model, TransformersModel):
            raise OptionError(f"{type(model).__name__} is no TransformersModel, so it cannot `generate`")
        if problem.rows.truncates:
            raise OptionError("top_k and top_p: Transformers applies them after the mask; use a temperature")
        if assistant is not None:
            self.name = "transformers-assisted"
        self._model: Any = model.model
        self._assistant = None if assistant is None else assistant.model
        self._drafted = drafted
        self._mask = PrefixMask(problem, self.prompt_length)

    def draw(self, random: RandomSource) -> Tokens:
        """Draw one sample.

        Raises
        ------
        DeadEndError
            When generation stopped before EOS.
        """
        self.begin_draw()
        self.begin_attempt()
        prompt = torch.tensor([list(self._sequence.tokens)], device=self._model.device)
        options: dict[str, Any] = {}
        if self._assistant is not None:
            config = self._assistant.generation_config
            config.num_assistant_tokens = self._drafted
            config.num_assistant_tokens_schedule = "constant"
            config.assistant_confidence_threshold = 0.0  # stopping by what was drawn would bias the law
            options["assistant_model"] = self._assistant
        seed = random.choose(_SEEDS)
        with torch.random.fork_rng(devices=[]), self._counted():
            torch.manual_seed(seed)
            out = self._model.generate(
                prompt,
                attention_mask=torch.ones_like(prompt),
                do_sample=True,
                temperature=float(self.problem.rows.temperature),
                top_k=0,
                top_p=1.0,
                max_new_tokens=self.problem.budget,
                eos_token_id=sorted(self.eos_ids),
                logits_processor=LogitsProcessorList([self._mask]),
                **options,
            )
        tokens = tuple(int(t) for t in out[0, self.prompt_length :].tolist())
        if not tokens or tokens[-1] not in self.eos_ids:
            raise DeadEndError(f"{self.name}: generation stopped before EOS after {list(tokens)}")
        return tokens

    @contextmanager
    def _counted(self) -> Iterator[None]:
        def count(module: Any, args: Any, kwargs: Any) -> None:
            ids = kwargs["input_ids"] if "input_ids" in kwargs else args[0]
            self.spent.forwards += int(ids.shape[0])
            self.spent.fresh += int(ids.shape[0])
            self.spent.positions += int(ids.numel())

        hook = self._model.register_forward_pre_hook(count, with_kwargs=True)
        try:
            yield
        finally:
            hook.remove()
