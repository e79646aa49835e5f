"""Bring a model's sequence to a prefix, keeping what it shares with what is held.

Law: the sequence then holds the prompt and exactly the prefix. Source: laws, trap 9.
"""

from __future__ import annotations

from collections.abc import Sequence

from gramspec.models.protocol import ModelSequence


def align(sequence: ModelSequence, prompt_length: int, prefix: Sequence[int]) -> None:
    """Bring a model's sequence to prompt + `prefix`, keeping what they share.

    Parameters
    ----------
    sequence : ModelSequence
        Opened with the prompt.
    prompt_length : int
        Tokens of it that belong to the prompt.
    prefix : sequence of int
        Tokens wanted after the prompt.
    """
    held = list(sequence.tokens)[prompt_length:]
    common = 0
    for a, b in zip(held, prefix, strict=False):
        if a != b:
            break
        common += 1
    if len(held) > common:
        sequence.rollback(len(held) - common)
    if len(prefix) > common:
        sequence.commit(list(prefix[common:]))
