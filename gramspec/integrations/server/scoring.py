"""Log-probabilities of the tokens of a text, and the likeliest others at each place.

Law: those of the model's law p, after temperature, top-k and top-p and before the grammar conditions it.
Cost: one forward of the target for each piece of text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from gramspec.decoding.rows import RowLaw
from gramspec.models.protocol import LanguageModel


class Scored(NamedTuple):
    """One token of a text.

    Attributes
    ----------
    token : bytes
        What it writes.
    logprob : float
        log p(token | before).
    top : tuple
        Bytes and log-probability of the likeliest tokens at its place, in falling order.
    """

    token: bytes
    logprob: float
    top: tuple[tuple[bytes, float], ...]


class Scorer:
    """Scores one growing text.

    Parameters
    ----------
    model : LanguageModel
        The target.
    vocabulary : Vocabulary
        Token bytes.
    prompt : list of int
    rows : RowLaw
        What turns logits into p.
    top : int
        How many of the likeliest tokens are named.
    """

    def __init__(
        self, model: LanguageModel, vocabulary: Any, prompt: Sequence[int], rows: RowLaw, top: int
    ) -> None:
        self._sequence = model.open(prompt)
        self._vocabulary = vocabulary
        self._rows = rows
        self._top = top

    def score(self, tokens: Sequence[int]) -> list[Scored]:
        """Score the next tokens of the text; an EOS id is none of its tokens.

        Parameters
        ----------
        tokens : sequence of int
            What follows the tokens scored before.
        """
        text = [token for token in tokens if token not in self._vocabulary.eos_ids]
        if not text:
            return []
        logits = self._sequence.score(text[:-1])
        self._sequence.commit(text)
        return [self._one(row, token) for row, token in zip(logits, text, strict=True)]

    def _one(self, logits: Any, token: int) -> Scored:
        return scored(self._rows.row(logits), token, self._vocabulary, self._top)


def scored(p: Any, token: int, vocabulary: Any, top: int) -> Scored:
    """One token on its row.

    Parameters
    ----------
    p : ndarray
        The law row at its place.
    token : int
    vocabulary : Vocabulary
    top : int
        How many of the likeliest tokens are named.
    """
    best: list[tuple[bytes, float]] = []
    if top:
        ids = np.argpartition(-p, min(top, len(p)) - 1)[:top]
        for i in sorted(ids.tolist(), key=lambda i: (-p[i], i)):
            if p[i] > 0.0:
                best.append((_bytes(vocabulary, i), float(np.log(p[i]))))
    with np.errstate(divide="ignore"):
        logprob = float(np.log(p[token]))
    return Scored(_bytes(vocabulary, token), logprob, tuple(best))


def spelled(data: bytes) -> str:
    r"""A token as text; one that is no whole character as OpenAI writes it, ``bytes:\xe2\x82``.

    Parameters
    ----------
    data : bytes
    """
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return "bytes:" + "".join(f"\\x{byte:02x}" for byte in data)


def _bytes(vocabulary: Any, token: int) -> bytes:
    data = vocabulary.tokens[token] if token < len(vocabulary) else None
    return data if data is not None else b""
