"""What a logits processor can know of the call of `model.generate` that it runs in: where the prompt ends.

Law: none; facts are read from the frame of `generate`, nothing is guessed from the ids.
Cost: a walk over the frames of the stack. Source: `transformers.GenerationMixin.generate`, which tells a
processor neither the length of the prompt nor that a call has begun.
"""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any, NamedTuple

from gramspec.errors import OptionError

# The function of a candidate generator under which a draft runs inside assisted decoding.
_DRAFTING = "get_candidates"


class RunningCall(NamedTuple):
    """The call of `model.generate` for which a processor works.

    Attributes
    ----------
    length : int
        Ids of a row before the text, padding counted; for an encoder-decoder those of the decoder.
    max_length : int
        Most ids of a row.
    drafting : bool
        Whether the scores are of a draft that the target has yet to verify.
    assisted : bool
        Whether the loop is that of assisted decoding, which also shows prefixes that it will discard.
    eos_ids : frozenset of int
        Tokens at which the call ends a row.
    """

    length: int
    max_length: int
    drafting: bool
    assisted: bool
    eos_ids: frozenset[int]


def running_call() -> RunningCall | None:
    """The call that this function runs under; None outside of `model.generate`.

    A draft of assisted decoding has a call of its own, whose prompt is the text so far: the call
    meant is the one that it drafts for.

    Raises
    ------
    OptionError
        For assisted decoding between two tokenizers.
    """
    frame: FrameType | None = sys._getframe(1)
    found: dict[str, Any] | None = None
    drafting = assisted = proposing = False
    while frame is not None:
        name = frame.f_code.co_name
        if name == "generate":
            here = frame.f_locals
            if isinstance(here.get("input_ids_length"), int) and here.get("generation_config") is not None:
                if found is not None and not proposing:
                    break  # a call around this one that has nothing to do with it
                found, proposing = here, False
        elif name == _DRAFTING:
            proposing = drafting = True
        elif name == "_assisted_decoding":
            assisted = True
        frame = frame.f_back
    if found is None:
        return None
    _check_tokenizers(found)
    config = found["generation_config"]
    return RunningCall(
        found["input_ids_length"], config.max_length, drafting, assisted, _eos_ids(config.eos_token_id)
    )


def _check_tokenizers(here: dict[str, Any]) -> None:
    given = here.get("generation_mode_kwargs") or {}
    if given.get("assistant_model") is not None and given.get("assistant_tokenizer") is not None:
        raise OptionError(
            "assistant_tokenizer: assisted decoding between two tokenizers shows a processor ids of both, and"
            " the draft's mean other texts"
            "\n  hint: take a draft with the target's tokenizer, or gs.transformers.generate(draft=...)"
        )


def _eos_ids(ids: Any) -> frozenset[int]:
    if ids is None:
        return frozenset()
    return frozenset(int(i) for i in (ids if isinstance(ids, (list, tuple)) else [ids]))
