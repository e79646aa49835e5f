"""The whole road on one page: schema, prompt, two laws, what they cost and how they differ.

Run: make demo (or python examples/demo.py); about half a minute on two cores.
"""

from __future__ import annotations

import json
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import gramspec as gs

SCHEMA = Path(__file__).parent / "user.schema.json"
SEED = 1


def title(text: str) -> None:
    print(f"\n== {text}")


def checker(schema: dict[str, Any]) -> Any:
    """Judge texts with the jsonschema package, which shares no code with gramspec."""
    if find_spec("jsonschema") is None:
        raise SystemExit("the demo checks its texts with jsonschema: pip install 'gramspec[demo]'")
    import jsonschema

    return jsonschema.Draft202012Validator(schema)


def a_real_schema(target: Any, draft: Any) -> None:
    schema = json.loads(SCHEMA.read_text("utf-8"))
    validator = checker(schema)
    prompt = "Write a JSON user profile for Maria Lopez.\n"
    for law in ("conditional", "masked"):
        title(f"{SCHEMA.name} under law {law!r}: {prompt.strip()}")
        [completions] = gs.generate(
            target, [prompt], gs.json_schema(schema), draft=draft, law=law, n=3, max_new_tokens=160, seed=SEED
        )
        for completion in completions:
            validator.validate(json.loads(completion.text))
            report = completion.report
            print(" ".join(completion.text.split()))
            print(
                f"   valid; {report.target_forwards} target forwards for {len(completion.token_ids)} tokens,"
                f" {report.attempts} attempts, {report.accepted_length:.1f} drafted tokens kept a round,"
                f" log p {completion.logprob:.1f}"
            )
        print("-- report of the last one")
        print(completions[-1].report)


def two_laws(target: Any) -> None:
    schema = {"type": "array", "items": {"enum": ["red", "green", "blue"]}, "minItems": 1, "maxItems": 2}
    prompt = "Pick one: red, green or blue. Answer with a JSON string.\n"
    title(f"where the laws differ, every text of {json.dumps(schema)}: {prompt.strip()}")
    grammar = gs.json_schema(schema, whitespace="compact")
    laws = [
        gs.audit.exact_law(
            gs.models.MemoModel(target),
            grammar,
            9,
            vocabulary=target.vocabulary,
            prompt=target.encode(prompt),
            law=law,
        )
        for law in ("conditional", "masked")
    ]
    conditional, masked = (law.by_text(target.vocabulary) for law in laws)
    print(f"{'text':<20}{'P(text | fits)':>16}{'local masking':>16}")
    for text, probability in sorted(conditional.items(), key=lambda item: -item[1])[:8]:
        print(f"{text:<20}{probability:>16.4f}{masked[text]:>16.4f}")
    by_text = sum(abs(conditional[text] - masked[text]) for text in conditional) / 2
    print(
        f"total variation between the two laws: {by_text:.3f} over {len(conditional)} texts,"
        f" {laws[0].tv(laws[1]):.3f} over their {len(laws[0])} token sequences"
    )


def a_real_vocabulary() -> None:
    title("the 131,072 tokens of Tekken, with a Llama of random weights")
    if find_spec("mistral_common") is None:
        print("left out: pip install 'gramspec[tokenizers]' brings the vocabulary file")
        return
    import mistral_common
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    path = Path(mistral_common.__file__).parent / "data" / "tekken_240911.json"
    begun = time.perf_counter()
    vocabulary = gs.Vocabulary.from_tekken(path)
    schema = {
        "type": "object",
        "properties": {"ok": {"type": "boolean"}, "code": {"type": "integer", "minimum": 0, "maximum": 999}},
        "required": ["ok", "code"],
        "additionalProperties": False,
    }
    compiled = gs.compile(gs.json_schema(schema, whitespace="compact"), vocabulary)
    print(f"vocabulary and grammar ready in {time.perf_counter() - begun:.2f} s")
    torch.manual_seed(SEED)
    eos = vocabulary.eos_ids[0]
    config = LlamaConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=256,
        tie_word_embeddings=True,
        bos_token_id=1,
        eos_token_id=eos,
        pad_token_id=None,
    )
    model = gs.models.load(LlamaForCausalLM(config))
    begun = time.perf_counter()
    [[completion]] = gs.generate(
        model, [[1]], compiled, law="masked", max_new_tokens=24, seed=SEED, vocabulary=vocabulary
    )
    checker(schema).validate(json.loads(completion.text))
    print(f"{completion.text}   valid; masked law, {time.perf_counter() - begun:.2f} s")
    print(
        f"   log weight {completion.report.log_weight:.1f}: the weights are noise, so next to none of its"
        " probability fits\n   the schema; sampling the conditional law by restarts would take about as many"
        f" attempts as e^{-completion.report.log_weight:.0f}."
    )


def main() -> None:
    begun = time.perf_counter()
    target, draft = gs.models.embedded()
    a_real_schema(target, draft)
    two_laws(target)
    a_real_vocabulary()
    print(f"\ndone in {time.perf_counter() - begun:.1f} s")


if __name__ == "__main__":
    main()
