"""`TabularModel`: a language model given by a function from prefix to row.

Law: row i of `score` is exactly ``fn(prefix + path)``, in float64; nothing is cached, row_noise is 0.
Source: API, section 4; used by the audit and by tests, on the same code path as large models.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gramspec.errors import LogitsError, ModelError, PromptError
from gramspec.models.committed import CommittedTokens
from gramspec.models.counters import Counters
from gramspec.models.trees import check_row, token_ids, tree_depths, tree_parents, tree_paths


class TabularModel:
    """A `LanguageModel` over a function.

    Parameters
    ----------
    fn : callable
        ``fn(prefix)`` with the prefix as a tuple of token ids, prompt included, returns float64
        log-probabilities or logits of shape ``[vocab_size]``; -inf allowed. It must be a function:
        the same prefix always gives the same row.
    vocab_size : int
        Width of a row.
    eos_id : int or sequence of int
        The token or tokens that end a sequence.
    fingerprint : str, optional
        Identifies the law for learned keys. None: unique to this object.
    max_length : int, optional
        Longest sequence the model takes, prompt included. None: no bound.

    Attributes
    ----------
    counters : Counters
        One `score` is one forward; each call of `fn` is one row and one position.

    Raises
    ------
    ModelError
        For a vocabulary without tokens, or an EOS id outside it.
    """

    def __init__(
        self,
        fn: Callable[[Sequence[int]], ArrayLike],
        vocab_size: int,
        eos_id: int | Sequence[int],
        *,
        fingerprint: str | None = None,
        max_length: int | None = None,
    ) -> None:
        if not callable(fn):
            raise ModelError(f"fn is {fn!r}, not a function from prefix to row")
        if vocab_size < 1:
            raise ModelError(f"vocab_size is {vocab_size}; at least 1 is needed")
        ids = sorted(set([eos_id] if isinstance(eos_id, (int, np.integer)) else eos_id))
        if not ids or not 0 <= ids[0] <= ids[-1] < vocab_size:
            raise ModelError(f"eos_id is {eos_id!r}; at least one id within 0 to {vocab_size - 1} is needed")
        if max_length is not None and max_length < 1:
            raise ModelError(f"max_length is {max_length}; at least 1 is needed")
        self._fn = fn
        self._vocab_size = int(vocab_size)
        self._eos_ids = tuple(int(i) for i in ids)
        self._fingerprint = fingerprint if fingerprint is not None else f"tabular-{uuid.uuid4().hex}"
        self._max_length = max_length
        self.counters = Counters()

    @property
    def vocab_size(self) -> int:
        """Width of a row."""
        return self._vocab_size

    @property
    def eos_ids(self) -> tuple[int, ...]:
        """Token ids that end a sequence, ascending."""
        return self._eos_ids

    @property
    def max_length(self) -> int | None:
        """Longest sequence, prompt included; None: no bound."""
        return self._max_length

    @property
    def fingerprint(self) -> str:
        """Identifies the law."""
        return self._fingerprint

    @property
    def row_noise(self) -> float:
        """0: two evaluations of one row are equal bit by bit."""
        return 0.0

    def open(self, prompt: Sequence[int] = ()) -> TabularSequence:
        """Start a sequence after `prompt`, which may be empty.

        Raises
        ------
        PromptError
            For unknown ids, or a prompt longer than `max_length`.
        """
        ids = token_ids(prompt, self._vocab_size, "prompt")
        if self._max_length is not None and len(ids) > self._max_length:
            raise PromptError(f"the prompt has {len(ids)} tokens; the model takes at most {self._max_length}")
        return TabularSequence(self, ids, len(ids))

    def score_many(
        self, requests: Sequence[tuple[Any, Sequence[int], Sequence[int] | None]]
    ) -> list[NDArray[np.float64]]:
        """`score` of each request, in order."""
        return [sequence.score(tokens, parents) for sequence, tokens, parents in requests]

    def row(self, prefix: tuple[int, ...]) -> NDArray[np.float64]:
        """Return the checked row after `prefix`: one call of the function.

        Raises
        ------
        LogitsError
            When the function returns no row of this width, or one that is no law.
        """
        try:
            row = np.array(self._fn(prefix), dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise LogitsError(f"fn({list(prefix)}) is no row of numbers: {error}") from error
        if row.shape != (self._vocab_size,):
            raise LogitsError(f"fn({list(prefix)}) has shape {row.shape}; ({self._vocab_size},) is needed")
        check_row(row, prefix)
        return row


class TabularSequence(CommittedTokens):
    """One growing sequence of a `TabularModel`."""

    def __init__(self, model: TabularModel, tokens: list[int], prompt_length: int) -> None:
        super().__init__(tokens, prompt_length, model.vocab_size)
        self._model = model

    def score(self, tokens: Sequence[int] = (), parents: Sequence[int] | None = None) -> NDArray[np.float64]:
        """Rows after the committed tokens and after each node of the tree; one call of `fn` each."""
        model = self._model
        ids = token_ids(tokens, model.vocab_size, "tokens")
        links = tree_parents(len(ids), parents)
        prefix = tuple(self._tokens)
        deepest = len(prefix) + max(tree_depths(links), default=0)
        if model.max_length is not None and deepest > model.max_length:
            raise ModelError(
                f"a path of {deepest} tokens is longer than the model takes ({model.max_length})"
            )
        rows = [model.row(prefix)]
        rows.extend(model.row(prefix + path) for path in tree_paths(ids, links))
        model.counters.add(forwards=1, rows=len(rows), positions=len(rows))
        return np.stack(rows)

    def fork(self) -> TabularSequence:
        """Return an independent copy."""
        return TabularSequence(self._model, list(self._tokens), self._prompt_length)
