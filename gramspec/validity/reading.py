"""`RowReader`: rows of a language model after a prompt, for potentials that are fitted to a model.

Law: the row at a prefix is the first one read there until the memory forgets it (`MemoModel`).
Cost: one forward for each prefix or set of children that is not remembered. Source: laws, "Rows".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gramspec.models.memo import MemoModel
from gramspec.models.protocol import LanguageModel, ModelSequence

RowFunction = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""Turns a row of logits into probabilities that sum to one (`RowLaw(...).row` is one)."""


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities of one row of logits at temperature 1, nothing truncated.

    Parameters
    ----------
    logits : ndarray, shape (V,)
        With a finite entry; -inf allowed.
    """
    p: NDArray[np.float64] = np.exp(logits - logits.max())
    p /= p.sum()
    return p


class Bound(NamedTuple):
    """What a potential was made from.

    Attributes
    ----------
    model : str
        Fingerprint of the model.
    prompt : tuple of int
        Prompt ids.
    law : object
        What the row function belongs to (a `RowLaw`), or the function itself.
    """

    model: str
    prompt: tuple[int, ...]
    law: Any


class RowReader:
    """Rows after `prompt` + any prefix, through a memory of rows.

    Parameters
    ----------
    model : LanguageModel
        Wrapped in a `MemoModel` unless it is one: pass the one that decoding uses, and no row is paid twice.
    prompt : sequence of int
        Prompt ids.
    row : callable
        From logits to probabilities.
    memo_bytes : int
        Bytes of rows remembered where `model` is no `MemoModel`.
    """

    def __init__(
        self,
        model: LanguageModel,
        prompt: Sequence[int],
        row: RowFunction = softmax,
        *,
        memo_bytes: int = 1 << 27,
    ) -> None:
        self.model: LanguageModel = (
            model if isinstance(model, MemoModel) else MemoModel(model, max_bytes=memo_bytes)
        )
        self.prompt = tuple(int(t) for t in prompt)
        self._row = row
        self._sequence = self.model.open(self.prompt)
        self._begun = len(self._sequence.tokens)  # an empty prompt may have become a BOS token

    @property
    def bound(self) -> Bound:
        """Model, prompt and law of these rows."""
        return Bound(self.model.fingerprint, self.prompt, getattr(self._row, "__self__", self._row))

    def row(self, prefix: Sequence[int]) -> NDArray[np.float64]:
        """p(.|prompt, prefix), float64 [width of the model]."""
        return self._row(self._at(prefix).score()[0])

    def below(self, prefix: Sequence[int], tokens: Sequence[int]) -> list[NDArray[np.float64]]:
        """p(.|prompt, prefix, v) for every v of `tokens`, in one forward over a tree of depth one."""
        if not tokens:
            return []
        logits = self._at(prefix).score(list(tokens), [-1] * len(tokens))
        return [self._row(each) for each in logits[1:]]

    def tree(
        self, tokens: Sequence[int], parents: Sequence[int], prefix: Sequence[int] = ()
    ) -> Iterator[NDArray[np.float64]]:
        """P after the prompt and `prefix`, then after each node of a tree (parent -1: there), one forward."""
        for logits in self._at(prefix).score(tokens, parents):
            yield self._row(logits)

    def fork(self, prefix: Sequence[int] = ()) -> ModelSequence:
        """A sequence of one's own at prompt + `prefix`, for `score`."""
        return self._at(prefix).fork()

    def score(self, sequences: Sequence[ModelSequence]) -> list[NDArray[np.float64]]:
        """P after each of several sequences, from one batched call of the model."""
        requests: list[tuple[ModelSequence, Sequence[int], Sequence[int] | None]]
        requests = [(sequence, (), None) for sequence in sequences]
        return [self._row(each[0]) for each in self.model.score_many(requests)]

    def _at(self, prefix: Sequence[int]) -> ModelSequence:
        held = self._sequence.tokens[self._begun :]
        common = 0
        for a, b in zip(held, prefix, strict=False):
            if a != b:
                break
            common += 1
        if len(held) > common:
            self._sequence.rollback(len(held) - common)
        if len(prefix) > common:
            self._sequence.commit(list(prefix[common:]))
        return self._sequence
