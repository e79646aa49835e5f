"""Tokens as the page shows them, and texts as tokens.

Law: the tokens of a text spell exactly its bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from gramspec.errors import OptionError
from gramspec.models.protocol import LanguageModel
from gramspec.vocabulary import Vocabulary


def shown(vocabulary: Vocabulary, token: int) -> dict[str, Any]:
    """One token: its id, its text, its bytes in hexadecimal where they are no text, and whether it ends."""
    data = vocabulary.tokens[token] or b""
    found: dict[str, Any] = {"id": int(token), "text": data.decode("utf-8", "replace")}
    if token in vocabulary.eos_ids:
        found["eos"] = True
    elif "\ufffd" in found["text"]:
        found["hex"] = data.hex(" ")
    return found


def tokens_of(target: LanguageModel, vocabulary: Vocabulary, text: str) -> list[int]:
    """Tokens that spell a text: those of the tokenizer, or else the longest that fit, from the left.

    Parameters
    ----------
    target : LanguageModel
        With a tokenizer or without.
    vocabulary : Vocabulary
    text : str

    Raises
    ------
    OptionError
        If no tokens spell it.
    """
    data = text.encode("utf-8", "replace")
    encode = getattr(target, "encode", None)
    if encode is not None:
        ids = [int(t) for t in encode(text)]
        if vocabulary.decode(ids) == data and all(vocabulary.tokens[t] for t in ids):
            return ids
    spelled = _by_bytes(vocabulary)
    longest = max(map(len, spelled), default=0)
    found: list[int] = []
    at = 0
    while at < len(data):
        for size in range(min(longest, len(data) - at), 0, -1):
            token = spelled.get(data[at : at + size])
            if token is not None:
                found.append(token)
                at += size
                break
        else:
            raise OptionError(
                f"text: no token of the model spells byte {data[at]:#04x} (byte {at} of the text)"
            )
    return found


def check_tokens(vocabulary: Vocabulary, tokens: Sequence[int]) -> None:
    """Refuse ids that the vocabulary does not have.

    Raises
    ------
    OptionError
        Naming the first.
    """
    wrong = next((t for t in tokens if not 0 <= t < len(vocabulary)), None)
    if wrong is not None:
        raise OptionError(f"tokens: {wrong} is not in 0..{len(vocabulary) - 1}")


@lru_cache(maxsize=4)
def _by_bytes(vocabulary: Vocabulary) -> Mapping[bytes, int]:
    return {data: token for token, data in reversed(list(enumerate(vocabulary.tokens))) if data}
