"""Every choice of a decoder enumerated with its probability, by replay.

Law: the leaf reached by choices i_1, i_2, … has probability ∏ w[i_t] / Σ w; leaves plus
`unresolved` sum to one. Cost: one run of the decoder per leaf. Source: laws, "How exactness is proved".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from gramspec.audit.law import Law
from gramspec.decoding.random import RandomSource
from gramspec.errors import BudgetExhaustedError, GramspecError, OptionError

_T = TypeVar("_T")
_H = TypeVar("_H", bound=Hashable)


class ReplayError(GramspecError, RuntimeError):
    """A decoder asked for other weights when it was replayed: it is no function of its choices."""


class _DepthReachedError(Exception):
    """Raised inside `choose` when a path is longer than `max_depth`; never leaves this module."""


@dataclass
class _Branch:
    weights: NDArray[np.float64]
    support: list[int]
    position: int = 0

    def probability(self) -> float:
        return float(self.weights[self.support[self.position]] / math.fsum(self.weights.tolist()))


@dataclass
class EnumeratingRandomSource:
    """A `RandomSource` that follows a script and opens a branch where the script ends.

    Parameters
    ----------
    max_depth : int
        Choices one path may hold.
    """

    max_depth: int
    script: list[_Branch] = field(default_factory=list)
    position: int = 0

    def choose(self, weights64: NDArray[np.float64]) -> int:
        """Index of the branch that is being followed; zero-weight indices are never taken."""
        weights = np.array(weights64, dtype=np.float64, copy=True)
        if weights.ndim != 1 or not np.all(np.isfinite(weights)) or np.any(weights < 0.0):
            raise OptionError(f"weights must be one finite, non-negative row, not {weights!r}")
        if self.position < len(self.script):
            branch = self.script[self.position]
            if not np.array_equal(branch.weights, weights):
                raise ReplayError(
                    f"choice {self.position}: weights {weights!r} after {branch.weights!r} on the same path"
                )
        else:
            if self.position >= self.max_depth:
                raise _DepthReachedError
            support = [int(i) for i in np.flatnonzero(weights > 0.0)]
            if not support:
                raise OptionError("weights must have a positive sum")
            branch = _Branch(weights, support)
            self.script.append(branch)
        self.position += 1
        return branch.support[branch.position]

    def path_probability(self) -> float:
        """Probability of the choices made so far."""
        return math.prod((branch.probability() for branch in self.script), start=1.0)

    def next_path(self) -> bool:
        """Move to the next path in depth-first order; False when all were followed."""
        while self.script:
            branch = self.script[-1]
            if branch.position + 1 < len(branch.support):
                branch.position += 1
                self.position = 0
                return True
            self.script.pop()
        return False


@dataclass(frozen=True)
class Leaf(Generic[_T]):
    """One followed path: the decoder's value (None if unresolved), its probability, its choices."""

    value: _T | None
    probability: float
    resolved: bool
    depth: int


def enumerate_leaves(
    run: Callable[[RandomSource], _T],
    *,
    max_leaves: int = 1_000_000,
    max_depth: int = 10_000,
    unresolved_errors: tuple[type[Exception], ...] = (BudgetExhaustedError,),
) -> Iterator[Leaf[_T]]:
    """Follow every path of `run`, which must depend on nothing but its random source.

    Parameters
    ----------
    run : callable
        Takes a random source, returns a value. It must start from the same state in every call.
    max_leaves : int
        Paths to follow; the mass of the others is simply not yielded.
    max_depth : int
        Choices on one path; a longer path is yielded as unresolved.
    unresolved_errors : tuple of exception types
        Errors of `run` that count as an unresolved path instead of a failure.

    Yields
    ------
    Leaf

    Raises
    ------
    ReplayError
        If `run` is not a function of its choices.
    """
    source = EnumeratingRandomSource(max_depth)
    caught: tuple[type[Exception], ...] = (_DepthReachedError, *unresolved_errors)
    for _ in range(max_leaves):
        value: _T | None = None
        resolved = True
        try:
            value = run(source)
        except caught:
            resolved = False
        if source.position < len(source.script):
            raise ReplayError(f"a replay stopped after {source.position} of {len(source.script)} choices")
        yield Leaf(value, source.path_probability(), resolved, len(source.script))
        if not source.next_path():
            return


def outcome_masses(
    run: Callable[[RandomSource], _H],
    *,
    max_leaves: int = 1_000_000,
    max_depth: int = 10_000,
    unresolved_errors: tuple[type[Exception], ...] = (BudgetExhaustedError,),
) -> tuple[dict[_H, float], float]:
    """Mass of each value of `run`, and the mass that was not followed.

    Parameters are those of `enumerate_leaves`.
    """
    masses: dict[_H, list[float]] = {}
    for leaf in enumerate_leaves(
        run, max_leaves=max_leaves, max_depth=max_depth, unresolved_errors=unresolved_errors
    ):
        if leaf.resolved:
            masses.setdefault(cast(_H, leaf.value), []).append(leaf.probability)
    summed = {value: math.fsum(parts) for value, parts in masses.items()}
    return summed, max(0.0, 1.0 - math.fsum(summed.values()))


def output_law(
    decoder: Callable[[RandomSource], Sequence[int]],
    *,
    max_leaves: int = 1_000_000,
    max_depth: int = 10_000,
    unresolved_errors: tuple[type[Exception], ...] = (BudgetExhaustedError,),
) -> Law:
    """The law of a decoder's output, every choice enumerated with its probability.

    Parameters
    ----------
    decoder : callable
        Takes a random source and returns token ids, EOS included. All its choices go through the
        source, and every call starts from the same state.
    max_leaves, max_depth : int
        Bounds on the enumeration; what lies beyond is in `Law.unresolved`.
    unresolved_errors : tuple of exception types
        Errors of the decoder that count as unresolved mass (by default an exhausted budget).

    Returns
    -------
    Law

    Raises
    ------
    ReplayError
        If the decoder is not a function of its choices.
    """
    masses, unresolved = outcome_masses(
        lambda source: tuple(int(t) for t in decoder(source)),
        max_leaves=max_leaves,
        max_depth=max_depth,
        unresolved_errors=unresolved_errors,
    )
    # Rounding of thousands of products stays far below 1e-12; fold it into the unresolved mass.
    return Law(masses, unresolved=unresolved)
