"""The 4-layer pair: a target and a draft trained on the spot over the tokenizer of the embedded pair.

Cost: about four minutes of CPU time on one thread; the weights are kept in a folder and read from there.
Source: the target by cross-entropy on answers, the draft by KL divergence to the target (Hinton et al. 2015).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional
from tqdm import tqdm
from transformers import LlamaConfig, LlamaForCausalLM

import gramspec as gs
from benchmarks.faithfulness.records import records

BATCH_TOKENS = 2048
MAX_LENGTH = 256

Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor]  # ids, flat positions before an answer token, labels


def trained_pair(folder: Path, *, steps: int = 900, draft_steps: int = 600, seed: int = 4) -> tuple[Any, Any]:
    """(target, draft) as `gs.models`, trained unless `folder` holds them."""
    tokenizer = gs.models.embedded()[0].tokenizer
    names = [folder / f"{role}-{n}" for role, n in (("target", steps), ("draft", draft_steps))]
    if not all((name / "config.json").is_file() for name in names):
        _train(folder, names, tokenizer, steps, draft_steps, seed)
    target, draft = (gs.models.load(name, tokenizer, dtype="float32") for name in names)
    return target, draft


def _train(folder: Path, names: list[Path], tokenizer: Any, steps: int, draft_steps: int, seed: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    target = _model(tokenizer, seed, hidden=128, layers=4, heads=4)

    def cross_entropy(batch: Batch) -> torch.Tensor:
        return functional.cross_entropy(_logits(target, batch), batch[2])

    _fit(target, _batches(tokenizer, seed, "train"), cross_entropy, steps, 4e-3, "4-layer target")
    draft = _model(tokenizer, seed + 1, hidden=48, layers=1, heads=4)

    def divergence(batch: Batch) -> torch.Tensor:
        with torch.no_grad():
            p = _logits(target, batch).log_softmax(-1)
        return functional.kl_div(
            _logits(draft, batch).log_softmax(-1), p, log_target=True, reduction="batchmean"
        )

    _fit(draft, _batches(tokenizer, seed, "train draft"), divergence, draft_steps, 6e-3, "draft")
    for model, name in zip((target, draft), names, strict=True):
        model.save_pretrained(name)


def _model(tokenizer: Any, seed: int, *, hidden: int, layers: int, heads: int) -> Any:
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=3 * hidden,
        max_position_embeddings=MAX_LENGTH,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return LlamaForCausalLM(config)


def _logits(model: Any, batch: Batch) -> torch.Tensor:
    hidden = model.model(input_ids=batch[0], use_cache=False).last_hidden_state
    logits: torch.Tensor = model.lm_head(hidden.flatten(0, 1)[batch[1]])
    return logits


def _batches(tokenizer: Any, seed: int, stream: str, pool_size: int = 2048) -> Iterator[Batch]:
    """Endless right-padded batches; records of like length in a pool go together."""
    source = records(seed, stream)
    generator = torch.Generator().manual_seed(seed)
    eos = tokenizer.eos_token_id
    while True:
        pool = []
        for request, answer in itertools.islice(source, pool_size):
            prompt = tokenizer(request + "\n")["input_ids"]
            pool.append((prompt, [*tokenizer(answer, add_special_tokens=False)["input_ids"], eos]))
        pool.sort(key=lambda pair: len(pair[0]) + len(pair[1]))
        groups: list[list[tuple[list[int], list[int]]]] = [[]]
        for pair in pool:
            if (len(groups[-1]) + 1) * (len(pair[0]) + len(pair[1])) > BATCH_TOKENS:
                groups.append([])
            groups[-1].append(pair)
        for index in torch.randperm(len(groups), generator=generator).tolist():
            yield _padded(groups[index], tokenizer.pad_token_id)


def _padded(pairs: list[tuple[list[int], list[int]]], pad: int) -> Batch:
    width = max(len(prompt) + len(answer) for prompt, answer in pairs)
    ids = torch.full((len(pairs), width), pad)
    positions: list[int] = []
    labels: list[int] = []
    for row, (prompt, answer) in enumerate(pairs):
        ids[row, : len(prompt) + len(answer)] = torch.tensor(prompt + answer)
        start = row * width + len(prompt) - 1
        positions.extend(range(start, start + len(answer)))
        labels.extend(answer)
    return ids, torch.tensor(positions), torch.tensor(labels)


def _fit(model: Any, source: Iterator[Batch], loss_of: Any, steps: int, peak: float, label: str) -> None:
    """AdamW with a warm-up, then a cosine to zero."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=peak, betas=(0.9, 0.98), weight_decay=0.01)
    warm_up = max(1, min(50, steps // 10))

    def factor(step: int) -> float:
        return min(1.0, (step + 1) / warm_up) * 0.5 * (1 + math.cos(math.pi * min(1.0, step / steps)))

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
    model.train()
    running = math.nan
    with tqdm(itertools.islice(source, steps), total=steps, desc=label, mininterval=2.0) as progress:
        for batch in progress:
            loss = loss_of(batch)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            running = loss.item() if math.isnan(running) else 0.95 * running + 0.05 * loss.item()
            progress.set_postfix(loss=f"{running:.3f}", refresh=False)
    model.eval()
