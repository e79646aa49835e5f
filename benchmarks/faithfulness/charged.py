"""A model whose rows are computed once for all methods, and whose forwards are charged to each of them.

Law: the rows of the inner model. Cost: every `score` is one forward, however its rows were come by; positions
are the tokens that a cache of keys and values would not hold (catch-up after remembered rows) and the tree.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.faithfulness.plain import PlainLlama, weights_of
from gramspec.errors import ModelError
from gramspec.models.counters import Counters
from gramspec.models.trees import tree_parents

Tokens = tuple[int, ...]
Rows = NDArray[np.float64]


class Place:
    """A prefix: its row once it is computed, and where the keys and values of its last token are kept."""

    __slots__ = ("children", "depth", "kept", "parent", "row", "token")

    def __init__(self, parent: Place | None, token: int) -> None:
        self.parent = parent
        self.token = token
        self.depth: int = 0 if parent is None else parent.depth + 1
        self.children: dict[int, Place] = {}
        self.row: NDArray[np.floating[Any]] | None = None
        self.kept = -1

    def child(self, token: int) -> Place:
        """The prefix one token longer."""
        found = self.children.get(token)
        if found is None:
            found = self.children[token] = Place(self, token)
        return found

    def tokens(self) -> Tokens:
        """The whole prefix."""
        found: list[int] = []
        at: Place | None = self
        while at is not None and at.parent is not None:
            found.append(at.token)
            at = at.parent
        return tuple(reversed(found))


class SharedRows:
    """Rows of one model by prefix, each computed once, for all methods.

    Parameters
    ----------
    model : LanguageModel
        The model; a Llama is computed by `PlainLlama`, any other one asks the model itself.
    max_bytes : int
        When so much is kept, `forget_some` drops all of it; never within a run.
    """

    def __init__(self, model: Any, *, max_bytes: int = 1 << 30) -> None:
        self.model = model
        weights = weights_of(model)
        self._plain = None if weights is None else PlainLlama(weights)
        self._max_bytes = max_bytes
        self._root = Place(None, -1)
        self._rows = 0
        self.difference = 0.0 if self._plain is None else self._compare()

    def _compare(self) -> float:
        """Largest difference of a logit between the model and its plain copy, on a small tree."""
        width = self.model.vocab_size
        prompt, tokens = [(31 * k + 7) % width for k in range(12)], [(17 * k + 5) % width for k in range(6)]
        parents = [-1, 0, 0, 1, -1, 4]
        theirs = self.model.open(prompt).score(tokens, parents)
        ours = ChargedModel(self).open(prompt).score(tokens, parents)
        found = float(np.abs(ours - theirs).max())
        if not found <= 1e-3:
            raise ModelError(f"the plain copy of the model gives logits that differ by {found:.2g}")
        return found

    @property
    def remembered_bytes(self) -> int:
        """Bytes held now, about."""
        width = 4 if self._plain is not None else 8
        rows = self._rows * (width * int(self.model.vocab_size) + 400)
        return rows + (self._plain.bytes if self._plain is not None else 0)

    def forget_some(self) -> None:
        """Drop everything if it has become too much; call it between runs."""
        if self.remembered_bytes > self._max_bytes:
            self._root, self._rows = Place(None, -1), 0
            if self._plain is not None:
                self._plain.forget()

    def at(self, tokens: Sequence[int]) -> list[Place]:
        """The places of a prefix, the empty one left out."""
        places = []
        place = self._root
        for token in tokens:
            place = place.child(token)
            places.append(place)
        return places

    def fill(self, places: Sequence[Place]) -> None:
        """Compute the rows that are missing; parents come first."""
        if self._plain is None:
            for place in places:
                if place.row is None:
                    place.row = self.model.open(place.tokens()).score()[0]
                    self._rows += 1
            return
        missing: dict[Place, None] = {}
        for place in places:
            before: list[Place] = []
            at: Place | None = place
            while at is not None and at.parent is not None and at.row is None and at not in missing:
                before.append(at)
                at = at.parent
            missing.update(dict.fromkeys(reversed(before)))
        if missing:
            self._plain.compute(list(missing))
            self._rows += len(missing)


class ChargedModel:
    """A `LanguageModel` in front of another one.

    Parameters
    ----------
    model : LanguageModel or SharedRows
        The model that computes.
    max_bytes : int
        Bound on the rows kept in common.
    """

    def __init__(self, model: Any, *, max_bytes: int = 1 << 30) -> None:
        self.shared = model if isinstance(model, SharedRows) else SharedRows(model, max_bytes=max_bytes)
        self.counters = Counters()
        inner = self.shared.model
        self.vocab_size: int = inner.vocab_size
        self.eos_ids: tuple[int, ...] = inner.eos_ids
        self.max_length: int | None = inner.max_length
        self.row_noise: float = inner.row_noise

    @property
    def fingerprint(self) -> str:
        """That of the inner model."""
        return str(self.shared.model.fingerprint)

    def __getattr__(self, name: str) -> Any:
        if name in ("vocabulary", "tokenizer", "encode"):
            return getattr(self.shared.model, name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def again(self) -> ChargedModel:
        """The same rows with counters of its own."""
        return ChargedModel(self.shared)

    def open(self, prompt: Sequence[int]) -> ChargedSequence:
        """Start a sequence."""
        tokens = self.shared.model.open(prompt).tokens  # an empty prompt may become a BOS token
        return ChargedSequence(self, self.shared.at(tokens), len(tokens), set())

    def score_many(self, requests: Sequence[tuple[Any, Any, Any]]) -> list[Rows]:
        """One after the other: a batch of B counts B."""
        return [sequence.score(tokens, parents) for sequence, tokens, parents in requests]


class ChargedSequence:
    """One growing sequence."""

    def __init__(
        self, model: ChargedModel, places: list[Place], prompt_length: int, held: set[Place]
    ) -> None:
        self._model = model
        self._places = places
        self._prompt_length = prompt_length
        self._held = held  # prefixes whose last token a cache would hold

    @property
    def tokens(self) -> Tokens:
        return tuple([place.token for place in self._places])

    def score(self, tokens: Sequence[int] = (), parents: Sequence[int] | None = None) -> Rows:
        here = self._places[-1]
        tree: list[Place] = []
        for token, parent in zip(tokens, tree_parents(len(tokens), parents), strict=True):
            tree.append((here if parent < 0 else tree[parent]).child(int(token)))
        asked = [here, *tree]
        if any(place.row is None for place in asked):
            self._model.shared.fill(asked)
        rows = np.empty((len(asked), self._model.vocab_size))
        for i, place in enumerate(asked):
            rows[i] = place.row
        known = len(self._places)
        while known and self._places[known - 1] not in self._held:
            known -= 1
        pending = len(self._places) - known + len(tree)
        # Only the path to the committed tokens and the tree just scored stay cached.
        self._held = {*self._places, *tree}
        self._model.counters.add(forwards=1, rows=len(rows), positions=max(1, pending))
        return rows

    def commit(self, tokens: Sequence[int]) -> None:
        for token in tokens:
            self._places.append(self._places[-1].child(int(token)))

    def rollback(self, n: int) -> None:
        if not 0 <= n <= len(self._places) - self._prompt_length:
            raise ValueError(f"cannot take back {n} tokens")
        if n:
            del self._places[-n:]

    def fork(self) -> ChargedSequence:
        return ChargedSequence(self._model, list(self._places), self._prompt_length, set(self._held))
