"""The `LanguageModel` protocol: open a sequence, score a tree of tokens in one call, roll back.

Law: row i of `score` is p(. | prefix, path to node i) before temperature, top-k and top-p.
Source: API, section 4; architecture, room `models`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray


@runtime_checkable
class ModelSequence(Protocol):
    """One growing sequence: the committed tokens (prompt, then what was committed)."""

    @property
    def tokens(self) -> Sequence[int]:
        """Committed token ids, prompt first."""
        ...

    def score(self, tokens: Sequence[int] = (), parents: Sequence[int] | None = None) -> NDArray[np.float64]:
        """Logits after the committed tokens and after each node of a token tree, in one forward.

        Parameters
        ----------
        tokens : sequence of int, length n
            Token of each node, parents before children.
        parents : sequence of int, length n, optional
            Index of each node's parent, -1 for the root (the committed tokens). None: a chain.

        Returns
        -------
        ndarray of float64, shape (n + 1, vocab_size)
            Row 0 follows the committed tokens, row i + 1 follows node i. Unnormalised logits or
            log-probabilities; -inf allowed.

        Raises
        ------
        LogitsError
            On NaN, +inf, or a row without a finite entry.
        """
        ...

    def commit(self, tokens: Sequence[int]) -> None:
        """Append tokens; cached state of a path scored last is kept, other nodes are dropped."""
        ...

    def rollback(self, n: int) -> None:
        """Take back the last `n` committed tokens (never the prompt: ValueError)."""
        ...

    def fork(self) -> ModelSequence:
        """An independent copy."""
        ...


@runtime_checkable
class LanguageModel(Protocol):
    """A next-token model over a fixed vocabulary."""

    @property
    def vocab_size(self) -> int:
        """Width of a row of logits."""
        ...

    @property
    def eos_ids(self) -> tuple[int, ...]:
        """Token ids that end a sequence."""
        ...

    @property
    def max_length(self) -> int | None:
        """Longest sequence the model takes, prompt included; None: no bound."""
        ...

    @property
    def fingerprint(self) -> str:
        """Identifies weights, adapters, dtype and back-end; part of every learned key."""
        ...

    @property
    def row_noise(self) -> float:
        """Bound on the relative difference between two evaluations of one row (0: bit-equal)."""
        ...

    def open(self, prompt: Sequence[int]) -> ModelSequence:
        """Start a sequence. Raises `PromptError` for unknown ids or a prompt that is too long."""
        ...

    def score_many(
        self, requests: Sequence[tuple[ModelSequence, Sequence[int], Sequence[int] | None]]
    ) -> list[NDArray[np.float64]]:
        """`score` for several sequences, batched where the model can; same results, same order."""
        ...
