"""A Transformers model whose logits are a function of the tokens, and a small byte-level tokenizer.

Law: the logits after a prefix are exactly ``fn(prefix)`` in float32, under every generation mode: the cache
holds the token ids themselves, so that beams reorder, assisted decoding crops and left padding hides them.
Source: `transformers.GenerationMixin`; a stand-in for a network in the audit and in tests.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import GenerationConfig, GenerationMixin, PretrainedConfig, PreTrainedModel
from transformers import PreTrainedTokenizerFast as FastTokenizer
from transformers.cache_utils import Cache, DynamicCache
from transformers.modeling_outputs import CausalLMOutputWithPast

Rows = Callable[[Sequence[int]], NDArray[np.float64]]


class TabularConfig(PretrainedConfig):
    """Configuration of a `TabularCausalLM`: one layer of width one."""

    model_type = "gramspec_tabular"

    def __init__(self, vocab_size: int = 2, **settings: Any) -> None:
        self.vocab_size = vocab_size
        self.hidden_size = 1
        self.num_hidden_layers = 1
        self.num_attention_heads = 1
        self.num_key_value_heads = 1
        super().__init__(**settings)


class TabularCausalLM(PreTrainedModel, GenerationMixin):
    """A causal model over a function from prefix to logits.

    Parameters
    ----------
    fn : callable
        ``fn(prefix)``, with the prefix as a tuple of token ids, prompt included and padding left out, gives
        the logits of the next token; -inf allowed. The same prefix always gives the same row.
    vocab_size : int
        Width of a row.
    eos_id, pad_id : int
        Tokens that end a sequence and that pad a batch.
    """

    config_class = TabularConfig
    main_input_name = "input_ids"

    def __init__(self, fn: Rows, vocab_size: int, eos_id: int, pad_id: int) -> None:
        config = TabularConfig(vocab_size, eos_token_id=eos_id, pad_token_id=pad_id)
        super().__init__(config)
        self.anchor = torch.nn.Parameter(torch.zeros(1), requires_grad=False)
        self.generation_config = GenerationConfig(eos_token_id=eos_id, pad_token_id=pad_id)
        self._fn = fn
        self._rows: dict[tuple[int, ...], torch.Tensor] = {}
        self.train(False)

    def row(self, prefix: tuple[int, ...]) -> torch.Tensor:
        """Logits after a prefix, float32; each is computed once."""
        row = self._rows.get(prefix)
        if row is None:
            row = torch.from_numpy(np.array(self._fn(prefix), dtype=np.float32))
            self._rows[prefix] = row
        return row

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        past_key_values: Cache | None = None,
        position_ids: torch.Tensor | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int = 0,
        **unused: Any,
    ) -> CausalLMOutputWithPast:
        """Logits after each token of `input_ids` (the last `logits_to_keep` of them, 0: all)."""
        held = input_ids
        if use_cache is not False:
            past_key_values = DynamicCache() if past_key_values is None else past_key_values
            state = input_ids[:, None, :, None].to(torch.float32)  # ids below 2^24 are exact
            keys, _ = past_key_values.update(state, state, 0)
            held = keys[:, 0, :, 0].to(torch.long)
        total, new = held.shape[1], input_ids.shape[1]
        kept = new if logits_to_keep == 0 else min(new, logits_to_keep)
        logits = torch.empty(input_ids.shape[0], kept, self.config.vocab_size)
        for i, ids in enumerate(held.tolist()):
            seen = [1] * total if attention_mask is None else attention_mask[i].tolist()
            for k in range(kept):
                end = total - kept + k + 1
                prefix = tuple(token for token, real in zip(ids[:end], seen, strict=False) if real)
                logits[i, k] = self.row(prefix)
        return CausalLMOutputWithPast(logits=logits, past_key_values=past_key_values)


def byte_tokenizer(
    merges: Sequence[str], *, eos: str = "<eos>", pad: str = "<pad>", unknown: Sequence[str] = ()
) -> FastTokenizer:
    """A byte-level BPE tokenizer: every byte is a token, and so is each of `merges`.

    Parameters
    ----------
    merges : sequence of str
        Printable ASCII texts of two characters or more, shortest first; each is made of the longest one
        before it that it begins with and of one further token.
    eos, pad : str
        Special tokens.
    unknown : sequence of str
        Further special tokens.

    Returns
    -------
    PreTrainedTokenizerFast
    """
    vocabulary = {char: i for i, char in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    rules: list[tuple[str, str]] = []
    for text in merges:
        cut = next(n for n in range(len(text) - 1, 0, -1) if text[:n] in vocabulary)
        if text[cut:] not in vocabulary:
            raise ValueError(f"merge {text!r}: {text[cut:]!r} is no token before it")
        rules.append((text[:cut], text[cut:]))
        vocabulary[text] = len(vocabulary)
    backend = Tokenizer(models.BPE(vocab=vocabulary, merges=rules))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    backend.decoder = decoders.ByteLevel()
    tokenizer = FastTokenizer(
        tokenizer_object=backend, eos_token=eos, pad_token=pad, additional_special_tokens=list(unknown)
    )
    tokenizer.padding_side = "left"
    return tokenizer
