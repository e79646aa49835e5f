"""Fingerprint of a Transformers model: everything that decides its rows.

Law: another configuration, weight, dtype, device type, attention implementation or library version gives
another fingerprint. Cost: weights up to 256 MiB are hashed in full; of larger models, each tensor's name,
shape, dtype and first and last 4,096 elements.
"""

from __future__ import annotations

import hashlib
import json

import torch
import transformers

FULL_HASH_BYTES = 256 << 20
SAMPLE = 4096


def model_fingerprint(model: transformers.PreTrainedModel) -> str:
    """Return a hexadecimal SHA-256 over configuration, weights and back-end."""
    digest = hashlib.sha256()
    config = model.config.to_dict()
    config.pop("_name_or_path", None)  # where the files lie does not change the law
    facts = {
        "class": type(model).__name__,
        "config": config,
        "dtype": str(model.dtype),
        "device": model.device.type,
        "attention": getattr(model.config, "_attn_implementation", None),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }
    digest.update(json.dumps(facts, default=str).encode())
    state = model.state_dict()
    whole = sum(tensor.numel() * tensor.element_size() for tensor in state.values()) <= FULL_HASH_BYTES
    for name in sorted(state):
        tensor = state[name].detach()
        digest.update(f"{name}:{tuple(tensor.shape)}:{tensor.dtype}:{whole}".encode())
        flat = tensor.reshape(-1)
        if not whole and flat.numel() > 2 * SAMPLE:
            flat = torch.cat([flat[:SAMPLE], flat[-SAMPLE:]])
        digest.update(flat.contiguous().cpu().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
