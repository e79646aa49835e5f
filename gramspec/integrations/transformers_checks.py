"""What a call of `model.generate` may ask for, and what is refused by name.

Law: an option that would define another law, or that would be ignored, is an error; nothing is dropped.
Source: `transformers.GenerationMixin.generate`, which hands its callable the prepared inputs.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from types import FrameType
from typing import Any

import torch
from transformers.generation.stopping_criteria import EosTokenCriteria, MaxLengthCriteria

from gramspec.errors import OptionError, PromptError

_ROUNDS = "rounds are set by gs.transformers.generate(options=DecodingOptions("
# Option of the generation configuration -> values that ask for nothing, and why others are refused.
_NEUTRAL: dict[str, tuple[tuple[Any, ...], str]] = {
    "num_beams": ((1,), "beam search maximises and samples no law"),
    "num_beam_groups": ((1,), "beam search maximises and samples no law"),
    "diversity_penalty": ((0, 0.0), "beam search maximises and samples no law"),
    "constraints": ((), "beam search maximises and samples no law; write the constraint as a grammar"),
    "force_words_ids": ((), "beam search maximises and samples no law; write the words into the grammar"),
    "penalty_alpha": ((0, 0.0), "contrastive search is no sampling law"),
    "dola_layers": ((), "DoLa replaces the target's rows"),
    "prompt_lookup_num_tokens": ((), "drafts are made by gs.transformers.generate"),
    "assistant_early_exit": ((), "drafts are made by gs.transformers.generate"),
    "use_mtp": ((False,), "drafts are made by gs.transformers.generate"),
    "speculation_type": ((), "drafts are made by gs.transformers.generate"),
    "assistant_ensemble_weight": ((0, 0.0), "it changes the law of the drafts that are kept"),
    "guidance_scale": ((1, 1.0), "it runs the model a second time and keeps state between calls"),
    "watermarking_config": ((), "a watermark's key would have to be part of p"),
    "token_healing": ((False,), "it rewrites the prompt; let the grammar begin where the prompt ends"),
    "stop_strings": ((), "a text ends where the grammar lets it; write the stop into the grammar"),
    "max_time": ((), "a budget inside an attempt biases the law; take DecodingOptions(max_seconds=...)"),
    "low_memory": ((False,), "it belongs to contrastive search"),
    "cache_implementation": (("dynamic",), "the cache has to be rolled back: only the dynamic one is used"),
    "output_scores": ((False,), "rounds score trees, not one row per token"),
    "output_logits": ((False,), "rounds score trees, not one row per token"),
    "output_attentions": ((False,), "they are not kept"),
    "output_hidden_states": ((False,), "they are not kept"),
    "use_cache": ((True,), "rounds roll a cache back"),
    "cache_config": ((), "the cache has to be rolled back: only the dynamic one is used"),
    "compile_config": ((), "compiled forwards need a static cache"),
    "prefill_chunk_size": ((0,), "a prompt is read in one forward"),
    "num_assistant_tokens": ((20,), f"{_ROUNDS}gamma=...)"),
    "num_assistant_tokens_schedule": (("constant",), f"{_ROUNDS}controller=...)"),
    "assistant_confidence_threshold": ((0.4,), f"{_ROUNDS}drafter=...)"),
    "max_matching_ngram_size": ((), f"{_ROUNDS}drafter=...)"),
}

# Arguments that Transformers prepares for every model.
_PREPARED = frozenset(
    {"attention_mask", "position_ids", "past_key_values", "cache_params", "use_cache", "logits_to_keep"}
    | {"cache_position"}
)


def check_config(config: Any) -> None:
    """Refuse generation options that have no law here.

    Raises
    ------
    OptionError
        Naming the option and the reason.
    """
    for name, (neutral, reason) in _NEUTRAL.items():
        value = getattr(config, name, None)
        if value is not None and value not in neutral:
            raise OptionError(f"{name}={value!r}: {reason}")


def check_stopping(criteria: Sequence[Any]) -> None:
    """Refuse stopping criteria other than the length and the EOS ids.

    Raises
    ------
    OptionError
        Naming the class.
    """
    for place, criterion in enumerate(criteria):
        if type(criterion) not in (MaxLengthCriteria, EosTokenCriteria):
            raise OptionError(
                f"stopping_criteria[{place}] is {type(criterion).__name__}: a text that is stopped elsewhere"
                " than at its end is none of the grammar"
                "\n  hint: write the rule into the grammar, or limit the attempts between two looks:"
                " DecodingOptions(max_seconds=..., max_attempts=...)"
            )


def check_model_kwargs(model_kwargs: dict[str, Any], mask: torch.Tensor) -> None:
    """Refuse model inputs besides token ids and their mask.

    Parameters
    ----------
    model_kwargs : dict
        As Transformers passes them.
    mask : tensor, shape (rows, length)
        One where a prompt token is.

    Raises
    ------
    OptionError
        Naming the argument.
    """
    for name, value in model_kwargs.items():
        if value is not None and name not in _PREPARED:
            raise OptionError(f"{name}: the model is run on token ids alone, this input would be ignored")
    for name in ("past_key_values", "cache_params"):
        if getattr(model_kwargs.get(name), "_is_user_defined", False):
            raise OptionError(f"{name}: a cache that is already filled is not used; pass the whole prompt")
    positions = model_kwargs.get("position_ids")
    if positions is None:
        return
    usual = (mask.cumsum(-1) - 1).clamp(min=0)
    if positions.shape != usual.shape or bool(((positions != usual) & (mask > 0)).any()):
        raise OptionError("position_ids: only the usual positions 0, 1, 2, ... of each prompt are used")


def callers_streamer(frame: FrameType | None) -> Any:
    """The streamer that `generate` was given: Transformers hands it to no callable.

    It has been given the prompt by `generate`, and nobody would end it, so that its consumer would wait for
    ever. It is seen in the frame of `generate`, if that is the caller.

    Parameters
    ----------
    frame : frame or None
        The caller's frame.
    """
    return _arguments(frame).get("streamer")


def check_dropped(frame: FrameType | None) -> None:
    """Refuse further arguments of `generate` that Transformers takes but hands to no callable.

    Parameters
    ----------
    frame : frame or None
        The caller's frame.

    Raises
    ------
    OptionError
        Naming the argument and where it belongs.
    """
    here = _arguments(frame)
    if here.get("assistant_model") is not None:
        raise OptionError(
            "assistant_model: Transformers does not hand it to a custom_generate callable"
            "\n  hint: pass it as gs.transformers.generate(draft=...)"
        )
    if here.get("synced_gpus"):
        raise OptionError("synced_gpus=True: the forwards of several processes are not kept in step")


def _arguments(frame: FrameType | None) -> dict[str, Any]:
    if frame is None or frame.f_code.co_name != "generate":
        return {}
    return inspect.getargvalues(frame).locals


def prompts_of(input_ids: torch.Tensor, mask: torch.Tensor | None) -> tuple[list[list[int]], torch.Tensor]:
    """The prompts without their padding, and the mask.

    Parameters
    ----------
    input_ids : tensor, shape (rows, length)
        Left-padded prompts.
    mask : tensor or None
        Attention mask; None: no padding.

    Raises
    ------
    PromptError
        When a row is empty, or padded elsewhere than on the left.
    """
    if mask is None:
        mask = torch.ones_like(input_ids)
    if mask.shape != input_ids.shape:
        raise PromptError(f"attention_mask has shape {tuple(mask.shape)}, input_ids {tuple(input_ids.shape)}")
    mask = (mask != 0).to(torch.long)
    prompts = []
    for i, (ids, seen) in enumerate(zip(input_ids.tolist(), mask.tolist(), strict=True)):
        count = sum(seen)
        if count == 0:
            raise PromptError(f"input_ids[{i}] is empty: every token of it is masked")
        if seen[len(seen) - count :] != [1] * count:
            raise PromptError(
                f"attention_mask[{i}] hides tokens that are not on the left"
                "\n  hint: pad with tokenizer.padding_side = 'left'"
            )
        prompts.append(ids[len(ids) - count :])
    return prompts, mask
