"""A small vocabulary, a finite language and tiny networks for `model.generate(custom_generate=...)`.

Law: the reference is computed from raw logits and from the processors that Transformers prepares.
"""

from __future__ import annotations

import importlib
import math
from typing import Any
from unittest import mock

import torch
import transformers

import gramspec as gs
from tests.models.model_networks import VOCAB, network

EOS, PAD = 2, 0
A, B, C = 3, 4, 5
TEXTS = {(A,), (B,), (A, B), (B, A), (C, C)}
MEMBERS = sorted((*text, EOS) for text in TEXTS)

__all__ = [
    "EOS",
    "MEMBERS",
    "PAD",
    "VOCAB",
    "batch_logprobs",
    "conditional",
    "enumerated",
    "language",
    "network",
]


def language() -> gs.CompiledGrammar:
    """The texts a, b, ab, ba and cc over 50 tokens."""
    tokens = [None, None, None, b"a", b"b", b"c", *(b"%d" % i for i in range(10, 54))]
    vocabulary = gs.Vocabulary(tokens, [EOS])
    return gs.compile(gs.regex("a|b|ab|ba|cc"), vocabulary)


def raw_row(model: transformers.PreTrainedModel, ids: list[int]) -> torch.Tensor:
    """Logits after `ids`, in one forward without a cache."""
    with torch.no_grad():
        return model(torch.tensor([ids]), use_cache=False).logits[0, -1]


def probe(model: transformers.PreTrainedModel, inputs: dict[str, Any], **options: Any) -> Any:
    """The processors that Transformers prepares for a call."""
    seen = []

    def look(model: Any, input_ids: Any, logits_processor: Any = None, **rest: Any) -> Any:
        seen.append(logits_processor)
        return input_ids

    model.generate(**inputs, custom_generate=look, **options)
    return seen[0]


def batch_logprobs(
    model: transformers.PreTrainedModel,
    inputs: dict[str, Any],
    row: int,
    tokens: tuple[int, ...],
    **options: Any,
) -> float:
    """log p(tokens) of one row: raw logits of the unpadded prompt, processed as a batch."""
    processors = probe(model, inputs, **options)
    ids, mask = inputs["input_ids"], inputs["attention_mask"]
    prompt = ids[row][mask[row] > 0].tolist()
    total = 0.0
    for t, token in enumerate(tokens):
        logits = raw_row(model, [*prompt, *tokens[:t]]).float()
        grown = torch.cat([ids, torch.tensor([tokens[:t]] * len(ids), dtype=torch.long)], dim=-1)
        scores = processors(grown, logits.repeat(len(ids), 1))
        total += float(scores[row].double().log_softmax(-1)[token])
    return total


def enumerated(run: Any, random: Any) -> Any:
    """`run()` with every choice of `gramspec.generate` taken from `random`."""
    module = importlib.import_module("gramspec.decoding.generate")
    with mock.patch.object(module, "source_of", lambda *_: lambda _: random):
        return run()


def conditional(model: transformers.PreTrainedModel, prompt: list[int]) -> dict[tuple[int, ...], float]:
    """P* of the language under the raw model, by brute force."""
    weights = {}
    for member in MEMBERS:
        log = 0.0
        for t, token in enumerate(member):
            log += float(raw_row(model, [*prompt, *member[:t]]).double().log_softmax(-1)[token])
        weights[member] = math.exp(log)
    total = math.fsum(weights.values())
    return {member: weight / total for member, weight in weights.items()}
