"""The masked law in any call of `model.generate`: greedy, sampling, beams, a draft model, in batches.

Run: python examples/logits_processor.py
"""

from __future__ import annotations

import torch

import gramspec as gs

target, draft = gs.models.embedded()
model, tokenizer = target.model, target.tokenizer
grammar = gs.regex("(yes|no), because [a-z ]{3,20}[a-z]\\.")
processor = gs.GrammarLogitsProcessor(gs.compile(grammar, target.vocabulary), max_new_tokens="call")

tokenizer.padding_side = "left"
inputs = tokenizer(["Is it raining?", "Is 7 an even number?"], return_tensors="pt", padding=True)
one = tokenizer(["Is it raining?"], return_tensors="pt")
torch.manual_seed(0)
calls = {
    "greedy": (inputs, {"do_sample": False}),
    "sampling": (inputs, {"do_sample": True, "top_k": 0}),
    "beams": (inputs, {"num_beams": 3}),
    "draft model": (one, {"assistant_model": draft.model, "do_sample": True}),
}
for name, (given, options) in calls.items():
    out = model.generate(**given, logits_processor=[processor], max_new_tokens=40, **options)
    for text in tokenizer.batch_decode(out[:, given["input_ids"].shape[1] :], skip_special_tokens=True):
        assert grammar.accepts(text), text
        print(f"{name:<12} {text}")
