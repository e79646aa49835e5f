"""A Llama in plain NumPy that keeps keys and values by prefix: what benchmarks compute rows with.

Law: the logits of the Transformers model to float32 noise, compared at the start. Cost: one pass over the
prefixes that are new, in one batch, each after its own ancestors; nothing is computed twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from benchmarks.faithfulness.charged import Place

Values = NDArray[np.float32]


class Layer(NamedTuple):
    """Weights of one layer, transposed for products from the right."""

    before: Values  # RMS norm in front of attention
    qkv: Values
    out: Values
    after: Values  # RMS norm in front of the gated unit
    gate: Values
    up: Values
    down: Values


class Weights(NamedTuple):
    """A Llama with as many heads of keys as of queries, and default rotary positions."""

    embedding: Values
    layers: tuple[Layer, ...]
    norm: Values
    head: Values
    heads: int
    epsilon: float
    theta: float
    length: int


def weights_of(model: Any) -> Weights | None:
    """The weights of a `TransformersModel`; None when it is no Llama of that kind."""
    inner: Any = getattr(model, "model", None)
    config: Any = getattr(inner, "config", None)
    if getattr(config, "model_type", None) != "llama":
        return None
    rope = config.rope_parameters
    plain = rope["rope_type"] == "default" and config.hidden_act == "silu"
    biased = config.attention_bias or config.mlp_bias
    if not plain or biased or config.num_key_value_heads != config.num_attention_heads:
        return None
    state = {
        name: np.ascontiguousarray(value.detach().float().cpu().numpy())
        for name, value in inner.state_dict().items()
    }

    def across(name: str) -> Values:
        return np.ascontiguousarray(state[f"{name}.weight"].T)

    layers = []
    for k in range(config.num_hidden_layers):
        at = f"model.layers.{k}"
        qkv = np.concatenate([across(f"{at}.self_attn.{x}_proj") for x in "qkv"], axis=1)
        layers.append(
            Layer(
                state[f"{at}.input_layernorm.weight"],
                qkv,
                across(f"{at}.self_attn.o_proj"),
                state[f"{at}.post_attention_layernorm.weight"],
                across(f"{at}.mlp.gate_proj"),
                across(f"{at}.mlp.up_proj"),
                across(f"{at}.mlp.down_proj"),
            )
        )
    embedding = state["model.embed_tokens.weight"]
    head = embedding if config.tie_word_embeddings else state["lm_head.weight"]
    return Weights(
        embedding,
        tuple(layers),
        state["model.norm.weight"],
        np.ascontiguousarray(head.T),
        config.num_attention_heads,
        float(config.rms_norm_eps),
        float(rope["rope_theta"]),
        int(config.max_position_embeddings),
    )


class PlainLlama:
    """Rows of prefixes.

    Parameters
    ----------
    weights : Weights
        The model.
    """

    def __init__(self, weights: Weights) -> None:
        self._w = weights
        self._size = weights.layers[0].out.shape[0] // weights.heads
        steps = np.arange(0, self._size, 2, dtype=np.float32) / self._size
        angles = np.outer(np.arange(weights.length, dtype=np.float32), 1.0 / weights.theta**steps)
        angles = np.concatenate([angles, angles], axis=1)
        self._cos, self._sin = np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)
        self.forget()

    def forget(self) -> None:
        """Drop all keys and values."""
        wide = self._w.heads * self._size
        self._kept = np.empty((len(self._w.layers), 2, 256, wide), np.float32)
        self._count = 0

    @property
    def bytes(self) -> int:
        """Bytes of keys and values."""
        return self._kept.nbytes

    def compute(self, places: Sequence[Place]) -> None:
        """Set rows and keys of places without them; parents come first, and have theirs."""
        w, heads, size, new = self._w, self._w.heads, self._size, len(places)
        context, mask = self._ancestors(places)
        depths = np.array([place.depth - 1 for place in places])
        cos, sin = self._cos[depths][:, None], self._sin[depths][:, None]
        first = self._room(new)
        columns = np.concatenate([context, np.arange(first, first + new)])
        x = w.embedding[[place.token for place in places]]
        for at, layer in enumerate(w.layers):
            qkv = (_norm(x, layer.before, w.epsilon) @ layer.qkv).reshape(new, 3, heads, size)
            q, k = _turned(qkv[:, 0], cos, sin), _turned(qkv[:, 1], cos, sin)
            self._kept[at, 0, first : first + new] = k.reshape(new, -1)
            self._kept[at, 1, first : first + new] = qkv[:, 2].reshape(new, -1)
            keys, values = (self._kept[at, i, columns].reshape(-1, heads, size) for i in (0, 1))
            scores = q.transpose(1, 0, 2) @ keys.transpose(1, 2, 0) / np.float32(size**0.5)
            scores += mask
            scores -= scores.max(axis=2, keepdims=True)
            np.exp(scores, out=scores)
            scores /= scores.sum(axis=2, keepdims=True)
            mixed = (scores @ values.transpose(1, 0, 2)).transpose(1, 0, 2).reshape(new, -1)
            x = x + mixed @ layer.out
            y = _norm(x, layer.after, w.epsilon)
            gate = y @ layer.gate
            x = x + (gate / (1.0 + np.exp(-gate)) * (y @ layer.up)) @ layer.down
        logits = _norm(x, w.norm, w.epsilon) @ w.head
        for i, place in enumerate(places):
            place.kept = first + i
            place.row = logits[i]

    def _room(self, count: int) -> int:
        """The first of `count` free indices."""
        first = self._count
        self._count += count
        if self._count > self._kept.shape[2]:
            larger = np.empty((*self._kept.shape[:2], 2 * self._count, self._kept.shape[3]), np.float32)
            larger[:, :, :first] = self._kept[:, :, :first]
            self._kept = larger
        return first

    @staticmethod
    def _ancestors(places: Sequence[Place]) -> tuple[NDArray[np.int64], Values]:
        """Kept ancestors of all places, and what is added to scores: -inf where a place is no ancestor."""
        column: dict[Place, int] = {}
        chains: dict[Place, list[int]] = {}
        for place in places:
            parent = place.parent
            if parent is None or parent.kept < 0 or parent in chains:
                continue
            chain = []
            at: Place | None = parent
            while at is not None and at.kept >= 0:
                chain.append(column.setdefault(at, len(column)))
                at = at.parent
            chains[parent] = chain
        old = len(column)
        mask = np.full((len(places), old + len(places)), -np.inf, np.float32)
        index = {place: i for i, place in enumerate(places)}
        for i, place in enumerate(places):
            parent = place.parent
            assert parent is not None
            if parent in index:
                mask[i] = mask[index[parent]]
            elif parent in chains:
                mask[i, chains[parent]] = 0.0
            mask[i, old + i] = 0.0
        return np.array([place.kept for place in column], dtype=np.int64), mask


def _norm(x: Values, weight: Values, epsilon: float) -> Values:
    square = np.einsum("ij,ij->i", x, x)[:, None] / np.float32(x.shape[1])
    found: Values = x / np.sqrt(square + np.float32(epsilon)) * weight
    return found


def _turned(x: Values, cos: Values, sin: Values) -> Values:
    """Rotary positions, halves as pairs."""
    half = x.shape[-1] // 2
    found: Values = x * cos + np.concatenate([-x[..., half:], x[..., :half]], axis=-1) * sin
    return found
