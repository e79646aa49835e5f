"""Tiny random Transformers models, one per sort of cache.

Law: the same name gives the same weights. Weights are larger than usual, so that rows differ clearly.
"""

from __future__ import annotations

from typing import Any

import torch
import transformers

VOCAB = 50
LENGTH = 128

_SHAPE: dict[str, Any] = {
    "vocab_size": VOCAB,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "intermediate_size": 64,
    "max_position_embeddings": LENGTH,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
_RECURRENT: dict[str, Any] = {
    "vocab_size": VOCAB,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "state_size": 8,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}


def config(name: str) -> transformers.PreTrainedConfig:
    """Return a small configuration of one family."""
    if name == "llama":
        return transformers.LlamaConfig(**_SHAPE)
    if name == "qwen2":
        return transformers.Qwen2Config(**_SHAPE)
    if name == "gpt2":
        return transformers.GPT2Config(
            vocab_size=VOCAB,
            n_embd=32,
            n_layer=2,
            n_head=2,
            n_positions=LENGTH,
            bos_token_id=1,
            eos_token_id=2,
            pad_token_id=0,
        )
    if name == "gemma3":  # sliding windows of 8 in two of four layers
        shape = _SHAPE | {"num_hidden_layers": 4, "head_dim": 16, "sliding_window": 8}
        return transformers.Gemma3TextConfig(**shape, layer_types=["sliding_attention", "full_attention"] * 2)
    if name == "lfm2":  # convolutions
        return transformers.Lfm2Config(**_SHAPE, layer_types=["conv", "full_attention"])
    if name == "mamba2":  # several tokens may follow a warm cache
        return transformers.Mamba2Config(**_RECURRENT, num_heads=4, head_dim=16, n_groups=1, chunk_size=8)
    if name == "bamba":  # recurrent layers beside attention with rotary positions
        return transformers.BambaConfig(
            **_SHAPE,
            attn_layer_indices=[1],
            mamba_n_heads=4,
            mamba_d_head=16,
            mamba_d_state=8,
            mamba_n_groups=1,
            mamba_chunk_size=8,
        )
    if name == "mamba":  # only one token may
        return transformers.MambaConfig(**_RECURRENT)
    raise KeyError(name)


KINDS = {
    "llama": "full",
    "qwen2": "full",
    "gpt2": "full",
    "gemma3": "window",
    "lfm2": "window",
    "mamba2": "recurrent",
    "mamba": "recurrent",
    "bamba": "recurrent",
}


def network(name: str, *, scale: float = 3.0, seed: int = 0, **options: Any) -> transformers.PreTrainedModel:
    """Return a model with random weights."""
    torch.manual_seed(seed)
    model = transformers.AutoModelForCausalLM.from_config(config(name), **options).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.mul_(scale)
    return model
