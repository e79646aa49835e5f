"""A compiled grammar made of a finite set of token sequences, for tests of the decoding room alone."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gramspec.decoding.random import RandomSource
from gramspec.models.tabular import TabularModel
from gramspec.vocabulary import Vocabulary


class FiniteMatcher:
    """State of one sequence: the members that still extend it."""

    def __init__(self, language: FiniteLanguage, prefix: tuple[int, ...] = ()) -> None:
        self._language = language
        self.prefix = prefix

    @property
    def _rests(self) -> list[tuple[int, ...]]:
        n = len(self.prefix)
        return [y[n:] for y in self._language.members if y[:n] == self.prefix]

    @property
    def is_finished(self) -> bool:
        return bool(self.prefix) and self.prefix[-1] in self._language.vocabulary.eos_ids

    @property
    def is_accepting(self) -> bool:
        return any(rest and rest[0] in self._language.vocabulary.eos_ids for rest in self._rests)

    def viable(self, remaining: int | None, *, exact: bool = False) -> NDArray[np.bool_]:
        mask = np.zeros(len(self._language.vocabulary), dtype=bool)
        slack = 0 if exact else self._language.slack
        for rest in self._rests:
            if rest and (remaining is None or len(rest) <= remaining + slack):
                mask[rest[0]] = True
        return mask

    def can_end_within(self, budget: int) -> bool:
        """Whether an ending within `budget` more tokens (EOS counted) exists."""
        return self.min_tokens(exact=True) <= budget

    def min_tokens(self, *, exact: bool = False) -> int:
        least = min((len(rest) for rest in self._rests), default=10**9)
        return least if exact else max(0, least - self._language.slack)

    def advance(self, token_id: int) -> None:
        after = FiniteMatcher(self._language, (*self.prefix, token_id))
        assert after._rests, (self.prefix, token_id)
        self.prefix = after.prefix

    def fork(self) -> FiniteMatcher:
        return FiniteMatcher(self._language, self.prefix)


class FiniteLanguage:
    """`slack`: how far the bound on the tokens to an ending lies below the truth."""

    residuals: tuple[str, ...] = ()

    def __init__(self, members: set[tuple[int, ...]], vocabulary: Vocabulary, slack: int = 0) -> None:
        self.members = frozenset(members)
        self.vocabulary = vocabulary
        self.slack = slack
        self.fingerprint = hashlib.sha256(
            repr((sorted(members), vocabulary.fingerprint)).encode()
        ).hexdigest()

    def matcher(self) -> FiniteMatcher:
        return FiniteMatcher(self)


def small_vocabulary(size: int, eos_ids: Sequence[int]) -> Vocabulary:
    tokens: list[bytes | None] = [bytes([97 + i]) for i in range(size)]
    for eos in eos_ids:
        tokens[eos] = None
    return Vocabulary(tokens, list(eos_ids))


def random_language(
    generator: np.random.Generator, size: int, eos_ids: Sequence[int], longest: int
) -> set[tuple[int, ...]]:
    """Some members of up to `longest` tokens, EOS included; never empty."""
    letters = [t for t in range(size) if t not in eos_ids]
    members: set[tuple[int, ...]] = set()
    while len(members) < 2 or generator.random() < 0.85:
        body = generator.choice(letters, size=int(generator.integers(0, longest)))
        members.add((*(int(t) for t in body), int(generator.choice(list(eos_ids)))))
    return members


def random_model(seed: int, size: int, eos_ids: Sequence[int], impossible: float = 0.1) -> TabularModel:
    """Rows by hashing the prefix; some tokens impossible."""

    def row(prefix: Sequence[int]) -> NDArray[np.float64]:
        generator = np.random.default_rng([seed, len(prefix), *prefix])
        logits = 1.5 * generator.standard_normal(size)
        dead = generator.random(size) < impossible
        dead[int(generator.integers(size))] = False
        return np.where(dead, -np.inf, logits)

    return TabularModel(row, size, list(eos_ids))


class Replay:
    """A random source that follows a script; `branches` are the open alternatives it met."""

    def __init__(self, script: Sequence[int]) -> None:
        self._script = list(script)
        self._at = 0
        self.path: list[int] = []
        self.branches: list[list[int]] = []
        self.probability = 1.0

    def choose(self, weights64: NDArray[np.float64]) -> int:
        total = float(weights64.sum())
        assert np.isfinite(total) and total > 0 and (weights64 >= 0).all()
        support = [int(i) for i in np.flatnonzero(weights64 > 0)]
        pick = self._script[self._at] if self._at < len(self._script) else support[0]
        self._at += 1
        self.path.append(pick)
        self.branches.append(support)
        self.probability *= float(weights64[pick]) / total
        return pick


def every_path(run):  # type: ignore[no-untyped-def]
    """Yield (probability, value) of every path of `run(random)`."""
    scripts: list[list[int]] = [[]]
    while scripts:
        script = scripts.pop()
        source: RandomSource | Replay = Replay(script)
        value = run(source)
        yield source.probability, value
        for depth in range(len(script), len(source.path)):
            for other in source.branches[depth][1:]:
                scripts.append([*source.path[:depth], other])
