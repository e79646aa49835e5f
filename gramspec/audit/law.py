"""`Law`: a probability law over token sequences, with the mass that was not followed.

Law: probabilities plus `unresolved` sum to one; distances are in float64.
Source: API, section 6.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from gramspec.errors import OptionError

if TYPE_CHECKING:
    from gramspec.vocabulary import Vocabulary

Outcome = tuple[int, ...]
_K = TypeVar("_K", bound=Hashable)

_SUM_TOLERANCE = 1e-9


class Law(Mapping[Outcome, float]):
    """Probability of each token sequence, EOS included.

    Parameters
    ----------
    probabilities : mapping of token sequence to float
        Followed outcomes; entries of probability 0 are kept (they belong to the language).
    unresolved : float
        Mass of the paths that were not followed to their end.
    log_phi : float, optional
        log of the mass that was conditioned on, log Phi(ε), where it is known.

    Raises
    ------
    OptionError
        If a probability is negative or not finite, or the masses do not sum to one.
    """

    def __init__(
        self,
        probabilities: Mapping[Sequence[int], float] | Mapping[Outcome, float],
        *,
        unresolved: float = 0.0,
        log_phi: float | None = None,
    ) -> None:
        self._probabilities: dict[Outcome, float] = {
            tuple(int(t) for t in ids): float(p) for ids, p in probabilities.items()
        }
        self.unresolved = float(unresolved)
        self.log_phi = log_phi
        masses = [*self._probabilities.values(), self.unresolved]
        if any(not math.isfinite(p) or p < 0.0 for p in masses):
            raise OptionError("a law needs finite, non-negative probabilities")
        total = math.fsum(masses)
        if abs(total - 1.0) > _SUM_TOLERANCE:
            raise OptionError(f"the masses of a law must sum to one, these sum to {total!r}")

    def __getitem__(self, ids: Sequence[int]) -> float:
        """Probability of `ids`; KeyError where the sequence is no outcome."""
        return self._probabilities[tuple(ids)]

    def __iter__(self) -> Iterator[Outcome]:
        """Outcomes in insertion order."""
        return iter(self._probabilities)

    def __len__(self) -> int:
        """Number of followed outcomes."""
        return len(self._probabilities)

    def __repr__(self) -> str:
        """Short form: size and unresolved mass."""
        return f"<Law of {len(self)} sequences, unresolved {self.unresolved:.3g}>"

    def tv(self, other: Law) -> float:
        """Total variation distance; with unresolved mass, the largest it can be."""
        keys = self._probabilities.keys() | other._probabilities.keys()
        gaps = (abs(self.get(k, 0.0) - other.get(k, 0.0)) for k in keys)
        return min(1.0, 0.5 * (math.fsum(gaps) + self.unresolved + other.unresolved))

    def kl(self, other: Law) -> float:
        """Kullback-Leibler divergence KL(self || other) in nats; inf outside `other`'s support.

        Raises
        ------
        OptionError
            If either law has unresolved mass (take `conditioned` first and say so).
        """
        if self.unresolved > 0.0 or other.unresolved > 0.0:
            raise OptionError("kl needs laws without unresolved mass; condition them first")
        total = []
        for ids, p in self.items():
            if p > 0.0:
                q = other.get(ids, 0.0)
                if q <= 0.0:
                    return math.inf
                total.append(p * math.log(p / q))
        return max(0.0, math.fsum(total))

    def conditioned(self) -> Law:
        """The law given that the path was followed to its end.

        Raises
        ------
        OptionError
            If no mass was followed.
        """
        followed = math.fsum(self._probabilities.values())
        if followed <= 0.0:
            raise OptionError("no outcome of this law was followed to its end")
        return Law({ids: p / followed for ids, p in self.items()}, log_phi=self.log_phi)

    def by_text(self, vocabulary: Vocabulary) -> dict[str, float]:
        """Mass of each text, all its segmentations and EOS ids pooled.

        Bytes that are not UTF-8 become lone surrogates (`surrogateescape`), so that different
        texts stay different.
        """
        eos = set(vocabulary.eos_ids)
        out: dict[str, float] = {}
        for ids, p in self.items():
            raw = b"".join(vocabulary.tokens[t] or b"" for t in ids if t not in eos)
            text = raw.decode("utf-8", errors="surrogateescape")
            out[text] = out.get(text, 0.0) + p
        return out

    def pushed(self, function: Callable[[Outcome], _K]) -> dict[_K, float]:
        """Law of a function of the outcome (its length, its first token, …)."""
        out: dict[_K, float] = {}
        for ids, p in self.items():
            key = function(ids)
            out[key] = out.get(key, 0.0) + p
        return out

    def draws(self, n: int, seed: int) -> list[Outcome]:
        """`n` independent draws, for the power and the null of a test.

        Raises
        ------
        OptionError
            If the law has unresolved mass.
        """
        if self.unresolved > 0.0:
            raise OptionError("a law with unresolved mass cannot be drawn from")
        outcomes = list(self._probabilities)
        p = np.array([self._probabilities[k] for k in outcomes])
        picks = np.random.default_rng(seed).choice(len(outcomes), size=n, p=p / p.sum())
        return [outcomes[i] for i in picks]
