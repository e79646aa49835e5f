"""Train the embedded pair: tokenizer, target and draft, from records made on the spot, and write their card.

Cost: 29 minutes of CPU time on one thread with the default steps; same seed and versions, same weights.
Source: the target by cross-entropy on answers, the draft by KL divergence to the target (Hinton et al. 2015).
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from answers import Batch, Pair, answer_logits, grouped
from card import Facts, write_card
from jsonschema import ValidationError, validate
from records import Record, records
from schemas import SCHEMAS
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from torch.nn import functional
from tqdm import tqdm
from transformers import LlamaConfig, LlamaForCausalLM

BOS, EOS, PAD = "<|bos|>", "<|eos|>", "<|pad|>"
VOCAB_SIZE = 4096
MAX_LENGTH = 512
TRAIN_LENGTH = 192
BATCH_TOKENS = 2048
SEPARATOR_SHARE = 0.8


@dataclass(frozen=True)
class Shape:
    """Width, depth and heads of one model of the pair, with its peak learning rate."""

    hidden: int
    layers: int
    heads: int
    intermediate: int
    learning_rate: float


TARGET = Shape(hidden=192, layers=5, heads=6, intermediate=512, learning_rate=4e-3)
DRAFT = Shape(hidden=48, layers=3, heads=4, intermediate=192, learning_rate=5e-3)


class Clock:
    """Wall and CPU minutes since the last lap."""

    def __init__(self) -> None:
        self._last = (time.monotonic(), time.process_time())

    def lap(self) -> tuple[float, float]:
        """Minutes since the last call, wall and CPU."""
        now = (time.monotonic(), time.process_time())
        wall, cpu = ((new - old) / 60 for new, old in zip(now, self._last, strict=True))
        self._last = now
        return wall, cpu


def special(tokenizer: Tokenizer, name: str) -> int:
    """Id of a special token."""
    index = tokenizer.token_to_id(name)
    if index is None:
        raise ValueError(f"the tokenizer has no {name}")
    return int(index)


def train_tokenizer(seed: int, count: int) -> Tokenizer:
    """Byte-level BPE over `count` records; every byte is a token, the sequence starts with `BOS`."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCAB_SIZE,
        special_tokens=[BOS, EOS, PAD],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    drawn = itertools.islice(records(seed, "tokenizer"), count)
    tokenizer.train_from_iterator((f"{r.instruction}\n{r.answer}" for r in drawn), trainer)
    bos = special(tokenizer, BOS)
    tokenizer.post_processor = processors.TemplateProcessing(single=f"{BOS} $A", special_tokens=[(BOS, bos)])
    if tokenizer.get_vocab_size() != VOCAB_SIZE:
        raise ValueError(
            f"the corpus gives {tokenizer.get_vocab_size()} tokens, not {VOCAB_SIZE}: use more records"
        )
    return tokenizer


def encode(tokenizer: Tokenizer, record: Record, newline: bool) -> tuple[list[int], list[int]]:
    """Ids of the prompt (BOS, instruction, a newline or nothing) and of the answer (EOS last)."""
    prompt = tokenizer.encode(record.instruction + ("\n" if newline else "")).ids
    answer = tokenizer.encode(record.answer, add_special_tokens=False).ids
    return prompt, [*answer, special(tokenizer, EOS)]


def batches(tokenizer: Tokenizer, seed: int, stream: str, pool_size: int = 4096) -> Iterator[Batch]:
    """Endless batches of about `BATCH_TOKENS` tokens; records of like length in a pool go together."""
    generator = torch.Generator().manual_seed(seed)
    source = records(seed, stream)

    def pools() -> Iterator[list[Pair]]:
        while True:
            pool = []
            for record in itertools.islice(source, pool_size):
                newline = torch.rand((), generator=generator).item() < SEPARATOR_SHARE
                prompt, answer = encode(tokenizer, record, newline)
                if len(prompt) + len(answer) <= TRAIN_LENGTH:
                    pool.append((prompt, answer))
            yield pool

    return grouped(pools(), generator, special(tokenizer, PAD), BATCH_TOKENS)


def make_model(shape: Shape, tokenizer: Tokenizer, seed: int) -> LlamaForCausalLM:
    """A freshly initialised Llama with tied embeddings."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=VOCAB_SIZE,
        hidden_size=shape.hidden,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        intermediate_size=shape.intermediate,
        max_position_embeddings=MAX_LENGTH,
        tie_word_embeddings=True,
        bos_token_id=special(tokenizer, BOS),
        eos_token_id=special(tokenizer, EOS),
        pad_token_id=special(tokenizer, PAD),
    )
    return LlamaForCausalLM(config)


def train(
    model: LlamaForCausalLM,
    source: Iterator[Batch],
    loss_of: Callable[[Batch], torch.Tensor],
    steps: int,
    peak: float,
    label: str,
) -> None:
    """Muon on the matrices of the layers, AdamW on embeddings and norms; warm-up, then a cosine to zero."""
    inner = [p for name, p in model.named_parameters() if p.ndim == 2 and "embed" not in name]
    outer = [p for name, p in model.named_parameters() if p.ndim != 2 or "embed" in name]
    optimizers: list[torch.optim.Optimizer] = [
        torch.optim.Muon(inner, lr=peak, weight_decay=0.05, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(outer, lr=peak, betas=(0.9, 0.98), weight_decay=0.0, fused=True),
    ]
    warm_up = max(1, min(100, steps // 10))

    def factor(step: int) -> float:
        return min(1.0, (step + 1) / warm_up) * 0.5 * (1 + math.cos(math.pi * min(1.0, step / steps)))

    schedules = [torch.optim.lr_scheduler.LambdaLR(optimizer, factor) for optimizer in optimizers]
    model.train()
    running = 0.0
    with tqdm(itertools.islice(source, steps), total=steps, desc=label, mininterval=2.0) as progress:
        for step, batch in enumerate(progress):
            loss = loss_of(batch)
            model.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            for optimizer in optimizers:
                optimizer.step()
            for schedule in schedules:
                schedule.step()
            running = loss.item() if step == 0 else 0.95 * running + 0.05 * loss.item()
            progress.set_postfix(loss=f"{running:.3f}", refresh=False)
    model.eval()


def stored(model: LlamaForCausalLM, folder: Path) -> LlamaForCausalLM:
    """Write a model as float16 and read it back in float32, as users will."""
    model.half().save_pretrained(folder)
    (folder / "model.safetensors").chmod(0o644)
    read: LlamaForCausalLM = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32)
    read.eval()
    return read


@torch.inference_mode()
def evaluate(
    target: LlamaForCausalLM, draft: LlamaForCausalLM, source: Iterator[Batch], count: int
) -> list[float]:
    """Held-out nats per answer token of target and draft, and their mean overlap sum(min(p, q))."""
    sums = [0.0, 0.0, 0.0]
    tokens = 0
    for batch in itertools.islice(source, count):
        p, q = (answer_logits(model, batch).log_softmax(-1) for model in (target, draft))
        sums[0] += functional.nll_loss(p, batch.labels, reduction="sum").item()
        sums[1] += functional.nll_loss(q, batch.labels, reduction="sum").item()
        sums[2] += torch.minimum(p, q).exp().sum().item()
        tokens += len(batch.labels)
    return [total / tokens for total in sums]


@torch.inference_mode()
def valid_share(model: Any, tokenizer: Tokenizer, seed: int, count: int) -> float:
    """Share of unconstrained samples (temperature 1) on held-out JSON instructions that fit their schema."""
    torch.manual_seed(seed)
    asked = (r for r in records(seed, "held-out samples") if r.schema != "sql")
    valid = 0
    for record in itertools.islice(asked, count):
        prompt, _ = encode(tokenizer, record, newline=True)
        ids = torch.tensor([prompt])
        out = model.generate(
            ids, attention_mask=torch.ones_like(ids), do_sample=True, top_k=0, top_p=1.0, max_new_tokens=160
        )
        try:
            validate(json.loads(tokenizer.decode(out[0, len(prompt) :].tolist())), SCHEMAS[record.schema])
            valid += 1
        except (ValueError, ValidationError):
            pass
    return valid / count


def run(out: Path, seed: int, target_steps: int, draft_steps: int, threads: int) -> None:
    """Make the whole pair and its card in `out`."""
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    clock = Clock()
    out.mkdir(parents=True, exist_ok=True)
    tokenizer = train_tokenizer(seed, count=30_000)
    tokenizer.save(str(out / "tokenizer.json"), pretty=False)

    target = make_model(TARGET, tokenizer, seed)

    def cross_entropy(batch: Batch) -> torch.Tensor:
        # bfloat16 products take two thirds of the time of float32 at this width; weights stay float32.
        with torch.autocast("cpu", torch.bfloat16):
            logits = answer_logits(target, batch)
        return functional.cross_entropy(logits.float(), batch.labels)

    train(
        target, batches(tokenizer, seed, "train"), cross_entropy, target_steps, TARGET.learning_rate, "target"
    )
    target = stored(target, out / "target")
    target_minutes, target_cpu_minutes = clock.lap()

    draft = make_model(DRAFT, tokenizer, seed + 1)

    def divergence(batch: Batch) -> torch.Tensor:
        with torch.no_grad():
            p = answer_logits(target, batch).log_softmax(-1)
        q = answer_logits(draft, batch).log_softmax(-1)
        return functional.kl_div(q, p, log_target=True, reduction="batchmean")

    train(
        draft, batches(tokenizer, seed, "train draft"), divergence, draft_steps, DRAFT.learning_rate, "draft"
    )
    draft = stored(draft, out / "draft")

    draft_minutes, draft_cpu_minutes = clock.lap()
    target_loss, draft_loss, overlap = evaluate(target, draft, batches(tokenizer, seed, "held-out"), count=40)
    write_card(
        out / "CARD.md",
        Facts(
            seed=seed,
            threads=threads,
            target_parameters=target.num_parameters(),
            draft_parameters=draft.num_parameters(),
            target_steps=target_steps,
            draft_steps=draft_steps,
            batch_tokens=BATCH_TOKENS,
            target_minutes=target_minutes,
            draft_minutes=draft_minutes,
            target_cpu_minutes=target_cpu_minutes,
            draft_cpu_minutes=draft_cpu_minutes,
            target_loss=target_loss,
            draft_loss=draft_loss,
            overlap=overlap,
            valid_share=valid_share(target, tokenizer, seed, count=200),
            bytes_total=sum(
                file.stat().st_size for file in out.rglob("*") if file.suffix in (".json", ".safetensors")
            ),
        ),
    )


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description="Train the embedded pair (tokenizer, target, draft) and write its card.",
        epilog="example: python training/train_embedded.py --out pair --target-steps 50 --draft-steps 50",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--target-steps", type=int, default=3000)
    parser.add_argument("--draft-steps", type=int, default=1600)
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (part of what fixes the weights)")
    arguments = parser.parse_args()
    run(arguments.out, arguments.seed, arguments.target_steps, arguments.draft_steps, arguments.threads)


if __name__ == "__main__":
    main()
