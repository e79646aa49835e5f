"""The card of the embedded pair, filled with what was measured in the run that made it.

Law: every number in the card comes from `Facts`.
Source: `train_embedded.run`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Facts:
    """Figures of one training run. Losses are nats per answer token on held-out records."""

    seed: int
    threads: int
    target_parameters: int
    draft_parameters: int
    target_steps: int
    draft_steps: int
    batch_tokens: int
    target_minutes: float
    draft_minutes: float
    target_cpu_minutes: float
    draft_cpu_minutes: float
    target_loss: float
    draft_loss: float
    overlap: float
    valid_share: float
    bytes_total: int


CARD = """# The embedded pair

A target and a draft language model small enough to ship inside the package, so that demos and tests run
without a download. Both were made by `training/train_embedded.py` from records the script generates itself;
no other text, model or data set was used.

**What it is for.** Trying gramspec and testing it: a real tokenizer, real Transformers models, a draft that
agrees with its target often but not always, and a target that usually, not always, writes what a schema
asks for.

**What it is not.** A useful language model. It knows a few dozen kinds of one-line instruction in English.
Its names, cities, arithmetic and SQL are imitation, often wrong, and instructions unlike the training ones
get arbitrary text. All people, addresses and companies are invented by Faker.

| | target | draft |
| --- | --- | --- |
| architecture | Llama, tied embeddings | Llama, tied embeddings |
| parameters | {target_parameters:,} | {draft_parameters:,} |
| training | cross-entropy on answers | KL divergence to the target on answers |
| steps of about {batch_tokens:,} tokens (Muon, AdamW, cosine) | {target_steps:,} | {draft_steps:,} |
| CPU time, {threads} thread(s) | {target_cpu_minutes:.1f} min | {draft_cpu_minutes:.1f} min |
| wall time | {target_minutes:.1f} min | {draft_minutes:.1f} min |
| held-out loss, nats per answer token | {target_loss:.4f} | {draft_loss:.4f} |

* Mean overlap of the two next-token laws on held-out answers, sum of min(p, q): {overlap:.3f}.
* Unconstrained samples of the target (temperature 1, 200 held-out JSON instructions) that fit the schema
  asked for: {valid_share:.1%}.
* Tokenizer: byte-level BPE, 4,096 tokens, all 256 single bytes among them; `<|bos|>`, `<|eos|>`, `<|pad|>`.
* Longest sequence 512 tokens, trained on sequences of at most 192. Weights are float16 safetensors;
  {megabytes:.1f} MB in all.
* Seed {seed}; the tokenizer's training time is inside the target's. Wall time above CPU
  time: the cores were shared with other work.

**Format.** `<|bos|>` + one-line instruction + newline (or nothing) + answer + `<|eos|>`. The loss covers
the answer and `<|eos|>` only.

**Data.** JSON records (users, products, orders, events, books, weather, tickets, lists: 55 %), small values
(booleans, integers, enumerations, short arrays: 25 %) and SQL over four tables (20 %), in compact, spaced
and indented JSON and in upper- and lower-case SQL. On purpose 8 % of the answers carry a fault a language
model might make: a code fence, a sentence in front, a missing brace, an extra key, `Yes` for `true`.
Schemas and tables are in `training/schemas.py`.

Licence: Apache-2.0, like the package.
"""


def write_card(path: Path, facts: Facts) -> None:
    """Write the card."""
    path.write_text(CARD.format(**vars(facts), megabytes=facts.bytes_total / 1e6), "utf-8")
