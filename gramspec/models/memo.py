"""`MemoModel`: a language model that remembers the rows another model gave.

Law: the first row seen at a prefix is the row from then on, bit by bit, until it is evicted.
Cost: one inner `score` per request that has a missing row, none otherwise; 8 bytes per logit kept.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gramspec.errors import ModelError, OptionError
from gramspec.models.committed import CommittedTokens
from gramspec.models.counters import Counters
from gramspec.models.protocol import LanguageModel, ModelSequence
from gramspec.models.trees import token_ids, tree_depths, tree_parents, tree_paths
from gramspec.models.wrapped import WrappedModel

_ENTRY_BYTES = 256  # array header, dictionary slot and tuple header of one remembered row

Row = NDArray[np.float64]
Prefix = tuple[int, ...]


class _Plan(NamedTuple):
    keys: list[Prefix]  # of row 0, then of each node
    found: dict[int, Row]  # row index -> remembered row
    sub_tokens: list[int]  # the smallest tree that holds every missing node
    sub_parents: list[int]
    sub_rows: dict[int, int]  # row index -> row index in the answer to the smaller tree


class MemoModel(WrappedModel):
    """A `LanguageModel` in front of another one, with a memory of rows keyed by the full prefix.

    Parameters
    ----------
    model : LanguageModel
        The model that computes.
    max_bytes : int
        Bound on the remembered rows; the least recently used go first.

    Attributes
    ----------
    counters : Counters
        `forwards` and `positions` are what the inner model did for this memo (0 for a request that
        was answered from memory); `rows` are the rows handed out, remembered ones included.
    hits : int
        Rows handed out from memory.

    Notes
    -----
    `row_noise` is that of the inner model: an evicted row is computed again.
    """

    def __init__(self, model: LanguageModel, *, max_bytes: int = 1 << 28) -> None:
        if max_bytes < 0:
            raise OptionError(f"max_bytes is {max_bytes}; it cannot be negative")
        super().__init__(model)
        self.counters = Counters()
        self.hits = 0
        self._longest = model.max_length  # asked once: a model may have to look it up
        self._max_bytes = max_bytes
        self._bytes = 0
        self._rows: OrderedDict[Prefix, Row] = OrderedDict()

    @property
    def remembered_bytes(self) -> int:
        """Bytes held now."""
        return self._bytes

    def __len__(self) -> int:
        """Rows remembered now."""
        return len(self._rows)

    def remembers(self, tokens: Sequence[int]) -> bool:
        """Whether the row after `tokens` (prompt included) will be answered from memory.

        Parameters
        ----------
        tokens : sequence of int
            The prefix of the row.
        """
        return tuple(tokens) in self._rows

    def open(self, prompt: Sequence[int]) -> MemoSequence:
        """Start a sequence; the inner model checks the prompt."""
        return MemoSequence(self, self.model.open(prompt))

    def score_many(self, requests: Sequence[tuple[Any, Sequence[int], Sequence[int] | None]]) -> list[Row]:
        """Rows of each request; what is missing goes to the inner model in one `score_many`, once each."""
        plans: list[_Plan] = []
        missing: list[tuple[ModelSequence, Sequence[int], Sequence[int] | None]] = []
        coming: set[Prefix] = set()  # asked for by an earlier request of the batch
        for sequence, tokens, parents in requests:
            plan = self._plan(sequence, tokens, parents, coming)
            coming.update(plan.keys[index] for index in plan.sub_rows)
            plans.append(plan)
            if plan.sub_rows:
                missing.append((sequence.inner(), plan.sub_tokens, plan.sub_parents))
        answers = iter(self._forward(missing))
        fresh: dict[Prefix, Row] = {}
        return [self._assemble(plan, next(answers) if plan.sub_rows else None, fresh) for plan in plans]

    def _plan(
        self,
        sequence: MemoSequence,
        tokens: Sequence[int],
        parents: Sequence[int] | None,
        coming: set[Prefix],
    ) -> _Plan:
        ids = token_ids(tokens, self.vocab_size, "tokens")
        links = tree_parents(len(ids), parents)
        prefix = sequence.tokens
        deepest = len(prefix) + max(tree_depths(links), default=0)
        if self._longest is not None and deepest > self._longest:
            raise ModelError(f"a path of {deepest} tokens is longer than the model takes ({self._longest})")
        keys = [prefix, *(prefix + path for path in tree_paths(ids, links))]
        found: dict[int, Row] = {}
        for index, key in enumerate(keys):
            row = self._rows.get(key)
            if row is not None:
                self._rows.move_to_end(key)
                found[index] = row
        wanted = {i for i in range(len(keys)) if i not in found and keys[i] not in coming}
        for node in range(len(ids) - 1, -1, -1):  # ancestors are computed on the way
            if node + 1 in wanted and links[node] >= 0:
                wanted.add(links[node] + 1)
        sub_tokens: list[int] = []
        sub_parents: list[int] = []
        sub_rows: dict[int, int] = {0: 0} if wanted else {}
        for node in range(len(ids)):
            if node + 1 in wanted:
                sub_parents.append(sub_rows[links[node] + 1] - 1)
                sub_tokens.append(ids[node])
                sub_rows[node + 1] = len(sub_tokens)
        return _Plan(keys, found, sub_tokens, sub_parents, sub_rows)

    def _forward(
        self, requests: list[tuple[ModelSequence, Sequence[int], Sequence[int] | None]]
    ) -> list[Row]:
        if not requests:
            return []
        counters = getattr(self.model, "counters", None)
        before = counters.copy() if isinstance(counters, Counters) else None
        answers = self.model.score_many(requests)
        if before is not None and isinstance(counters, Counters):
            spent = counters.since(before)
            self.counters.add(forwards=spent.forwards, positions=spent.positions)
        else:
            positions = sum(len(tokens) + 1 for _, tokens, _ in requests)
            self.counters.add(forwards=len(requests), positions=positions)
        return answers

    def _assemble(self, plan: _Plan, answer: Row | None, fresh: dict[Prefix, Row]) -> Row:
        result = np.empty((len(plan.keys), self.vocab_size), dtype=np.float64)
        for index, key in enumerate(plan.keys):
            row = plan.found.get(index)
            if row is None and index not in plan.sub_rows:
                row = fresh[key]
            if row is not None:
                self.hits += 1
            else:
                assert answer is not None
                row = fresh[key] = self._remember(key, answer[plan.sub_rows[index]])
            result[index] = row
        self.counters.add(rows=len(plan.keys))
        return result

    def _remember(self, key: Prefix, row: Row) -> Row:
        known = self._rows.get(key)
        if known is not None:  # another request of the same batch brought it first
            return known
        kept = np.array(row, dtype=np.float64)
        kept.flags.writeable = False
        size = self._size(key, kept)
        if size > self._max_bytes:
            return kept
        self._rows[key] = kept
        self._bytes += size
        while self._bytes > self._max_bytes:
            old_key, old_row = self._rows.popitem(last=False)
            self._bytes -= self._size(old_key, old_row)
        return kept

    @staticmethod
    def _size(key: Prefix, row: Row) -> int:
        return row.nbytes + 8 * len(key) + _ENTRY_BYTES


class MemoSequence(CommittedTokens):
    """One growing sequence; the inner sequence follows only when a row is missing."""

    def __init__(
        self,
        model: MemoModel,
        inner: ModelSequence,
        tokens: tuple[int, ...] | None = None,
        prompt_length: int | None = None,
    ) -> None:
        committed = list(inner.tokens if tokens is None else tokens)
        super().__init__(
            committed, len(committed) if prompt_length is None else prompt_length, model.vocab_size
        )
        self._model = model
        self._inner = inner

    def score(self, tokens: Sequence[int] = (), parents: Sequence[int] | None = None) -> Row:
        """Rows of the tree, from memory where they are known."""
        return self._model.score_many([(self, tokens, parents)])[0]

    def fork(self) -> MemoSequence:
        """Return an independent copy that shares the memory."""
        return MemoSequence(self._model, self._inner.fork(), self.tokens, self._prompt_length)

    def inner(self) -> ModelSequence:
        """Return the inner sequence, brought to the same committed tokens."""
        held = list(self._inner.tokens)
        if held != self._tokens:
            common = next(
                (i for i, (a, b) in enumerate(zip(held, self._tokens, strict=False)) if a != b),
                min(len(held), len(self._tokens)),
            )
            self._inner.rollback(len(held) - common)
            self._inner.commit(self._tokens[common:])
        return self._inner
