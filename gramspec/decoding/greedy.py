"""Greedy decoding under the mask: the most probable viable token at every step, the smaller id on a tie.

Law: one text, not a sample; it is the masked law at temperature 0 and not the mode of P(y | y ∈ L).
Cost: one target forward per round; drafts change the cost only. Source: laws, trap 5 ("same greedy string").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gramspec.decoding.completion import Completion
from gramspec.decoding.drafting import ModelDrafter
from gramspec.decoding.kernel import MaskedLaw, Node
from gramspec.decoding.meter import Meter
from gramspec.decoding.options import DecodingOptions
from gramspec.decoding.random import NumpyRandomSource
from gramspec.decoding.rows import RowLaw
from gramspec.decoding.samplers import MaskedSampler
from gramspec.models.memo import MemoModel
from gramspec.models.protocol import LanguageModel
from gramspec.validity.protocol import CompiledLanguage

# A drafter has to guess one token, so it draws from a sharp row; the verdict is whether it guessed right.
_SHARP = RowLaw(temperature=0.05)


class GreedyLaw(MaskedLaw):
    """All mass on the viable token with the largest logit; † where no viable token has a finite one."""

    def kernel(self, node: Node, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """The one-hot row over V ∪ {†}; `p` and `mass` are those of the untempered row."""
        factors = self.children(node)
        p = self.rows.row(logits, node.prefix)
        viable = np.where(factors > 0.0, logits, -np.inf)
        best = int(viable.argmax())
        kernel = np.zeros(self.width + 1)
        kernel[best if viable[best] > -np.inf else self.width] = 1.0
        node.read(p, float((p * factors).sum()), kernel)
        return kernel


def greedy(
    target: LanguageModel,
    prompts: Sequence[Sequence[int]],
    compiled: CompiledLanguage,
    *,
    draft: LanguageModel | None = None,
    max_new_tokens: int,
    options: DecodingOptions | None = None,
) -> list[Completion]:
    """Decode one text per prompt.

    Parameters
    ----------
    target : LanguageModel
        Whose logits decide.
    prompts : sequence of token-id sequences
        Checked already.
    compiled : CompiledGrammar
        What may be written.
    draft : LanguageModel, optional
        Drafts; the text is the same without it.
    max_new_tokens : int
        EOS included; only tokens after which an ending within it exists are viable.
    options : DecodingOptions, optional
        Round length and memory.

    Raises
    ------
    DeadEndError
        When no viable token has a finite logit, or residual predicates refuse every ending.
    """
    options = options if options is not None else DecodingOptions()
    model: LanguageModel = MemoModel(target, max_bytes=options.memo_bytes) if options.memo_bytes else target
    law = GreedyLaw(compiled, RowLaw(), budget=max_new_tokens, width=target.vocab_size)
    results = []
    for prompt in prompts:
        sequence = model.open(prompt)
        drafter = ModelDrafter(draft, prompt, _SHARP) if draft is not None and options.gamma != 0 else None
        sampler = MaskedSampler(law, sequence, len(sequence.tokens), drafter, options, Meter(model, draft))
        draw = sampler.draw(lambda attempt: NumpyRandomSource((0, attempt)))
        text = b"".join(compiled.vocabulary.tokens[t] or b"" for t in draw.tokens)
        report = replace(draw.report, law="greedy", log_weight=0.0)
        results.append(Completion(draw.tokens, text.decode("utf-8", errors="replace"), draw.logprob, report))
    return results
