"""The conditional law inside `model.generate` of Transformers, by `custom_generate`.

Run: python examples/transformers_generate.py
"""

from __future__ import annotations

import torch

import gramspec as gs

target, draft = gs.models.embedded()  # any causal model of Transformers with its tokenizer does
model, tokenizer = target.model, target.tokenizer

grammar = gs.regex(r'\{"name": "[A-Z][a-z]+ [A-Z][a-z]+", "age": [1-9][0-9]\}')
decode = gs.transformers.generate(grammar=grammar, tokenizer=tokenizer, draft=draft)

tokenizer.padding_side = "left"
people = ("Maria Lopez, 34", "Wei Chen, 51")
prompts = [f"Write a JSON user profile with name and age for {person}.\n" for person in people]
inputs = tokenizer(prompts, return_tensors="pt", padding=True)
torch.manual_seed(0)
out = model.generate(
    **inputs,
    custom_generate=decode,
    do_sample=True,
    top_k=0,  # Transformers keeps 50 tokens unless told otherwise, and p would be that law
    max_new_tokens=40,
    return_dict_in_generate=True,
)
texts = tokenizer.batch_decode(out.sequences[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
for text, report in zip(texts, out.reports, strict=True):
    assert grammar.accepts(text)
    print(f"{text}   {report.law}, {report.guarantee}; {report.target_forwards} target forwards")
