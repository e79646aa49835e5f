"""`ModelLaws`: what every `LanguageModel` must keep, as a reusable pytest mixin.

Law: a row depends on the prefix alone: not on chunks, trees, rollbacks, forks, or other sequences.
Source: `LanguageModel` protocol; laws, trap 9.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from gramspec.errors import ModelError, PromptError
from gramspec.models.protocol import LanguageModel, ModelSequence

Row = NDArray[np.float64]


def from_scratch(model: LanguageModel, prefix: Sequence[int]) -> Row:
    """Return the row after `prefix` from a sequence that has seen nothing else."""
    row: Row = model.open(prefix).score()[0]
    return row


def random_tree(rng: np.random.Generator, vocab_size: int, size: int) -> tuple[list[int], list[int]]:
    """Return tokens and parents of a random tree; half of the trees repeat few tokens all over."""
    parents = [int(rng.integers(-1, node)) if node else -1 for node in range(size)]
    kinds = vocab_size if rng.random() < 0.5 else min(vocab_size, 3)
    return [int(t) for t in rng.integers(0, kinds, size)], parents


def paths_of(tokens: Sequence[int], parents: Sequence[int]) -> list[list[int]]:
    """Tokens to the root (none) and to each node."""
    paths: list[list[int]] = [[]]
    for token, parent in zip(tokens, parents, strict=True):
        paths.append([*paths[parent + 1], token])
    return paths


class ModelLaws:
    """Tests of one model, which the subclass gives as a fixture named ``model``.

    Attributes
    ----------
    tolerance : float
        Largest difference of two rows, relative to the largest finite logit (at least 1); 0: bit-equal.
    reference : callable, optional
        ``reference(model, prefix) -> row`` of an implementation that shares no code with the model.
        None: a fresh sequence that is scored once.
    rounds, seeds : int
        Length and number of the random walks.
    """

    tolerance: ClassVar[float] = 1e-4
    reference: ClassVar[Callable[[Any, Sequence[int]], Row] | None] = None
    rounds: ClassVar[int] = 25
    seeds: ClassVar[int] = 3
    prompt_length: ClassVar[int] = 5

    def expected(self, model: LanguageModel, prefix: Sequence[int]) -> Row:
        """Return the row that `model` must give after `prefix`."""
        reference = type(self).reference
        return from_scratch(model, prefix) if reference is None else reference(model, prefix)

    def same(self, row: Row, other: Row) -> bool:
        """Whether two rows agree within the tolerance, with -inf at the same tokens."""
        finite = np.isfinite(other)
        if not np.array_equal(np.isfinite(row), finite):
            return False
        scale = max(1.0, float(np.abs(other[finite]).max()))
        return bool(np.abs(row[finite] - other[finite]).max() <= self.tolerance * scale)

    def check(
        self,
        model: LanguageModel,
        sequence: ModelSequence,
        tokens: Sequence[int],
        parents: Sequence[int] | None,
    ) -> list[list[int]]:
        """Score a tree and compare every row; return the paths to the nodes, the root's first."""
        rows = sequence.score(tokens, parents)
        assert rows.dtype == np.float64
        assert rows.shape == (len(tokens) + 1, model.vocab_size)
        paths = paths_of(tokens, range(-1, len(tokens) - 1) if parents is None else parents)
        for row, path in zip(rows, paths, strict=True):
            prefix = [*sequence.tokens, *path]
            assert self.same(row, self.expected(model, prefix)), f"row after {prefix}"
        return paths

    def prompt(self, model: LanguageModel, seed: int = 0) -> list[int]:
        """Return a random prompt."""
        rng = np.random.default_rng(seed)
        return [int(t) for t in rng.integers(0, model.vocab_size, self.prompt_length)]

    def test_protocol(self, model: LanguageModel) -> None:
        """The names and values of the protocol are there."""
        sequence = model.open(self.prompt(model))
        assert isinstance(model, LanguageModel)
        assert isinstance(sequence, ModelSequence)
        assert list(sequence.tokens) == self.prompt(model)
        assert model.eos_ids and all(0 <= eos < model.vocab_size for eos in model.eos_ids)
        assert model.row_noise >= 0
        assert model.fingerprint == model.fingerprint != ""

    def test_rows_tell_prefixes_apart(self, model: LanguageModel) -> None:
        """Without this, every other law would hold for a model that ignores its input."""
        a, b = (from_scratch(model, self.prompt(model, seed)) for seed in (0, 1))
        assert np.abs(a[np.isfinite(a)].max() - b[np.isfinite(b)].max()) > 100 * self.tolerance

    def test_chain_equals_steps(self, model: LanguageModel) -> None:
        """A chain scored at once gives the rows of one token at a time."""
        sequence = model.open(self.prompt(model))
        chain = self.prompt(model, 1)
        together = sequence.score(chain)
        for step, token in enumerate(chain):
            assert self.same(together[step], sequence.score()[0])
            sequence.commit([token])
        assert self.same(together[-1], sequence.score()[0])
        self.check(model, model.open(self.prompt(model)), chain, None)

    def test_tree_equals_paths(self, model: LanguageModel) -> None:
        """A tree scored at once gives the rows of its paths."""
        rng = np.random.default_rng(7)
        sequence = model.open(self.prompt(model))
        for size in (2, 5, 9):
            tokens, parents = random_tree(rng, model.vocab_size, size)
            paths = self.check(model, sequence, tokens, parents)
            sequence.commit(paths[int(rng.integers(len(paths)))])
        self.check(model, sequence, [1, 1, 1], [-1, -1, 0])  # the same token twice beneath one node

    def test_walk_of_rounds(self, model: LanguageModel) -> None:
        """Score, accept a part, correct, take back, fork, begin again: rows stay those of the prefix."""
        for seed in range(self.seeds):
            self.walk(model, np.random.default_rng([11, seed]))

    def walk(self, model: LanguageModel, rng: np.random.Generator) -> None:
        """One random walk of `rounds` rounds."""
        prompt = [int(t) for t in rng.integers(0, model.vocab_size, rng.integers(1, 12))]
        sequence, tokens = model.open(prompt), list(prompt)
        longest = min(model.max_length or 100, 100) - 8
        for _ in range(self.rounds):
            draft, parents = random_tree(rng, model.vocab_size, int(rng.integers(0, 5)))
            paths = self.check(model, sequence, draft, None if rng.random() < 0.6 else parents)
            path = paths[int(rng.integers(len(paths)))]
            accepted = path[: int(rng.integers(len(path) + 1))]
            if rng.random() < 0.8:
                accepted = [*accepted, int(rng.integers(model.vocab_size))]
            sequence.commit(accepted)
            tokens += accepted
            move = rng.random()
            back = 0
            if len(tokens) > longest or move < 0.05:
                back = len(tokens) - len(prompt)
            elif move < 0.25:
                back = int(rng.integers(0, min(6, len(tokens) - len(prompt)) + 1))
            elif move < 0.35:
                left, sequence = sequence, sequence.fork()
                left.score([0, 1])
                left.commit([1])
            sequence.rollback(back)
            tokens = tokens[: len(tokens) - back]
            assert list(sequence.tokens) == tokens

    def test_rollback_restores(self, model: LanguageModel) -> None:
        """After a rollback, short or long, rows are those of before."""
        sequence = model.open(self.prompt(model))
        before = sequence.score()
        for taken in (1, 3, 14):
            for token in range(taken):
                sequence.commit([token % model.vocab_size])
                sequence.score([0])
            sequence.rollback(taken)
            assert self.same(sequence.score()[0], before[0])
            self.check(model, sequence, [1, 0], None)

    def test_rollback_never_takes_the_prompt(self, model: LanguageModel) -> None:
        """A rollback that is too long is refused and changes nothing."""
        sequence = model.open(self.prompt(model))
        sequence.commit([0, 1])
        for n in (3, -1):
            with pytest.raises(ValueError, match="cannot take back"):
                sequence.rollback(n)
        assert list(sequence.tokens) == [*self.prompt(model), 0, 1]
        self.check(model, sequence, [], None)

    def test_forks_are_independent(self, model: LanguageModel) -> None:
        """What happens to one copy is not seen by the other."""
        sequence = model.open(self.prompt(model))
        sequence.commit([1])
        sequence.score([0, 1, 0])
        other = sequence.fork()
        sequence.commit([0, 1])
        other.commit([1, 1])
        self.check(model, sequence, [0], None)
        self.check(model, other, [0, 1], [-1, -1])
        other.rollback(3)
        assert list(sequence.tokens) == [*self.prompt(model), 1, 0, 1]
        assert list(other.tokens) == self.prompt(model)
        self.check(model, sequence, [1], None)
        self.check(model, other, [1], None)

    def test_sequences_do_not_disturb_each_other(self, model: LanguageModel) -> None:
        """Interleaved sequences give the rows that each gives alone."""
        first, second = model.open(self.prompt(model)), model.open(self.prompt(model, 1)[:2])
        for token in (0, 1, 1, 0):
            for sequence in (first, second):
                self.check(model, sequence, [token, 0], None)
                sequence.commit([token])

    def test_score_many(self, model: LanguageModel) -> None:
        """A batch gives the rows of its requests, in order."""
        first, second = model.open(self.prompt(model)), model.open(self.prompt(model, 1)[:3])
        requests = [(first, [1, 0], None), (second, [], None), (second.fork(), [0, 1, 1], [-1, -1, 0])]
        answers = model.score_many(requests)
        assert len(answers) == len(requests)
        for (sequence, tokens, parents), rows in zip(requests, answers, strict=True):
            paths = paths_of(tokens, range(-1, len(tokens) - 1) if parents is None else parents)
            for row, path in zip(rows, paths, strict=True):
                assert self.same(row, self.expected(model, [*sequence.tokens, *path]))
        assert model.score_many([]) == []

    def test_answers_belong_to_the_caller(self, model: LanguageModel) -> None:
        """Writing into an answer changes no later row."""
        sequence = model.open(self.prompt(model))
        rows = sequence.score([1])
        kept = rows.copy()
        rows[:] = 0
        assert all(self.same(row, other) for row, other in zip(sequence.score([1]), kept, strict=True))

    def test_unknown_ids_are_refused(self, model: LanguageModel) -> None:
        """Ids outside the vocabulary, and text, are refused by name; nothing is committed."""
        for prompt in ([0, model.vocab_size], [-1], [0.5], "text"):
            with pytest.raises(PromptError):
                model.open(prompt)  # type: ignore[arg-type]
        sequence = model.open([0])
        for call in (sequence.commit, sequence.score):
            with pytest.raises(PromptError, match=str(model.vocab_size)):
                call([0, model.vocab_size])
        assert list(sequence.tokens) == [0]

    def test_malformed_trees_are_refused(self, model: LanguageModel) -> None:
        """Parents that are no tree are refused; the sequence still works."""
        sequence = model.open([0])
        for tokens, parents in (([0, 1], [-1]), ([0, 1], [-1, 1]), ([0], [-2])):
            with pytest.raises(ModelError, match="parent"):
                sequence.score(tokens, parents)
        self.check(model, sequence, [1, 0], [-1, -1])

    def test_length(self, model: LanguageModel) -> None:
        """Up to `max_length` a path is scored, one token more is an error that says both numbers."""
        longest = model.max_length
        length = 300 if longest is None else longest
        prompt = [0] * length
        self.check(model, model.open(prompt), [], None)
        if longest is None:
            return
        with pytest.raises(PromptError, match=rf"{length + 1} tokens.* {length}"):
            model.open([0] * (length + 1))
        sequence = model.open(prompt[:-1])
        self.check(model, sequence, [1, 1], [-1, -1])
        with pytest.raises(ModelError, match=rf"{length + 1} tokens.*{length}"):
            sequence.score([1, 1])
