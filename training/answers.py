"""Batches of prompts with answers, and the logits of the answers: what every training run here is made of.

Law: a loss is on answer tokens alone, EOS included; padding is on the right, so causality alone hides it.
Cost: records of like length in a pool share a batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from transformers import LlamaForCausalLM

Pair = tuple[list[int], list[int]]  # ids of a prompt, ids of its answer


@dataclass(frozen=True)
class Batch:
    """Right-padded token ids and the positions (flattened) whose next token is part of an answer."""

    ids: torch.Tensor
    positions: torch.Tensor
    labels: torch.Tensor


def grouped(pools: Iterable[list[Pair]], generator: torch.Generator, pad: int, most: int) -> Iterator[Batch]:
    """Batches of about `most` tokens from each pool, in an order drawn from `generator`."""
    for pool in pools:
        pool.sort(key=lambda pair: len(pair[0]) + len(pair[1]))
        groups: list[list[Pair]] = [[]]
        for pair in pool:
            if (len(groups[-1]) + 1) * (len(pair[0]) + len(pair[1])) > most:
                groups.append([])
            groups[-1].append(pair)
        for index in torch.randperm(len(groups), generator=generator).tolist():
            yield padded(groups[index], pad)


def padded(pairs: list[Pair], pad: int) -> Batch:
    """One batch."""
    width = max(len(prompt) + len(answer) for prompt, answer in pairs)
    ids = torch.full((len(pairs), width), pad)
    positions: list[int] = []
    labels: list[int] = []
    for row, (prompt, answer) in enumerate(pairs):
        ids[row, : len(prompt) + len(answer)] = torch.tensor(prompt + answer)
        start = row * width + len(prompt) - 1
        positions.extend(range(start, start + len(answer)))
        labels.extend(answer)
    return Batch(ids, torch.tensor(positions), torch.tensor(labels))


def answer_logits(model: LlamaForCausalLM, batch: Batch) -> torch.Tensor:
    """Logits at the answer positions of a batch."""
    hidden = model.model(input_ids=batch.ids, use_cache=False).last_hidden_state
    logits: torch.Tensor = model.lm_head(hidden.flatten(0, 1)[batch.positions])
    return logits
