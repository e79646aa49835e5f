"""A model whose rows are computed once for all methods, and whose forwards are charged to each of them.

Law: the rows of the inner model. Cost: every `score` is one forward, however its rows were come by; positions
are the tokens that a cache of keys and values would not hold (catch-up after remembered rows) and the tree.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gramspec.models.counters import Counters
from gramspec.models.memo import MemoModel
from gramspec.models.trees import tree_parents, tree_paths

Tokens = tuple[int, ...]


class TimedModel:
    """A model that keeps the CPU seconds its rows took."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.seconds = 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    def score_many(self, requests: Sequence[Any]) -> list[NDArray[np.float64]]:
        begun = time.process_time()
        rows: list[NDArray[np.float64]] = self.model.score_many(requests)
        self.seconds += time.process_time() - begun
        return rows


class SharedRows(MemoModel):
    """Rows remembered for all methods; `seconds` is the CPU time of those that were computed."""

    @property
    def seconds(self) -> float:
        return float(self.model.seconds)  # type: ignore[attr-defined]


class ChargedModel:
    """A `LanguageModel` in front of another one.

    Parameters
    ----------
    model : LanguageModel
        The model that computes.
    max_bytes : int
        Bound on the rows kept in common.
    """

    def __init__(self, model: Any, *, max_bytes: int = 1 << 30) -> None:
        self.shared = (
            model if isinstance(model, SharedRows) else SharedRows(TimedModel(model), max_bytes=max_bytes)
        )
        self.counters = Counters()

    def __getattr__(self, name: str) -> Any:
        if name in ("vocab_size", "eos_ids", "max_length", "fingerprint", "row_noise"):
            return getattr(self.shared, name)
        if name in ("vocabulary", "tokenizer", "encode"):
            return getattr(self.shared.model, name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def again(self) -> ChargedModel:
        """The same rows with counters of its own."""
        return ChargedModel(self.shared)

    def open(self, prompt: Sequence[int]) -> ChargedSequence:
        """Start a sequence."""
        return ChargedSequence(self, self.shared.open(prompt), set())

    def score_many(self, requests: Sequence[tuple[Any, Any, Any]]) -> list[NDArray[np.float64]]:
        """One after the other: a batch of B counts B."""
        return [sequence.score(tokens, parents) for sequence, tokens, parents in requests]


class ChargedSequence:
    """One growing sequence."""

    def __init__(self, model: ChargedModel, inner: Any, held: set[Tokens]) -> None:
        self._model = model
        self._inner = inner
        self._held = held  # prefixes whose last token a cache would hold

    @property
    def tokens(self) -> Tokens:
        return tuple(self._inner.tokens)

    def score(self, tokens: Sequence[int] = (), parents: Sequence[int] | None = None) -> NDArray[np.float64]:
        rows: NDArray[np.float64] = self._inner.score(tokens, parents)
        here = self.tokens
        known = len(here)
        while known and here[:known] not in self._held:
            known -= 1
        paths = [here + path for path in tree_paths(list(tokens), tree_parents(len(tokens), parents))]
        # Only the path to the committed tokens and the tree just scored stay cached.
        self._held = {here[:n] for n in range(1, len(here) + 1)} | set(paths)
        pending = len(here) - known + len(paths)
        self._model.counters.add(forwards=1, rows=len(rows), positions=max(1, pending))
        return rows

    def commit(self, tokens: Sequence[int]) -> None:
        self._inner.commit(tokens)

    def rollback(self, n: int) -> None:
        self._inner.rollback(n)

    def fork(self) -> ChargedSequence:
        return ChargedSequence(self._model, self._inner.fork(), set(self._held))
