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
from training.answers import Batch, Pair, answer_logits, grouped

BATCH_TOKENS = 2048
MAX_LENGTH = 256


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
        return functional.cross_entropy(answer_logits(target, batch), batch.labels)

    _fit(target, _batches(tokenizer, seed, "train"), cross_entropy, steps, 4e-3, "4-layer target")
    draft = _model(tokenizer, seed + 1, hidden=48, layers=1, heads=4)

    def divergence(batch: Batch) -> torch.Tensor:
        with torch.no_grad():
            p = answer_logits(target, batch).log_softmax(-1)
        return functional.kl_div(
            answer_logits(draft, batch).log_softmax(-1), p, log_target=True, reduction="batchmean"
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


def _batches(tokenizer: Any, seed: int, stream: str, pool_size: int = 2048) -> Iterator[Batch]:
    source = records(seed, stream)

    def pools() -> Iterator[list[Pair]]:
        while True:
            pool = []
            for request, answer in itertools.islice(source, pool_size):
                prompt = tokenizer(request + "\n")["input_ids"]
                ids = tokenizer(answer, add_special_tokens=False)["input_ids"]
                pool.append((prompt, [*ids, tokenizer.eos_token_id]))
            yield pool

    return grouped(pools(), torch.Generator().manual_seed(seed), tokenizer.pad_token_id, BATCH_TOKENS)


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
