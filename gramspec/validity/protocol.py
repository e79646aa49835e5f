"""Potentials h ≈ Φ behind one protocol, and what they need to know of a compiled grammar.

Law: h(y·EOS) = 1[y ∈ L]; "E": h = Φ, "S": Σ_v p(v|x)·h(xv) <= h(x), "W": any h > 0 where viable.
Source: laws, "One frame for everything".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Contract = Literal["E", "S", "W"]


class GrammarState(Protocol):
    """The state of one sequence in a compiled grammar (what a `Matcher` offers to this room)."""

    @property
    def is_accepting(self) -> bool:
        """Whether EOS may come now."""
        ...

    @property
    def is_finished(self) -> bool:
        """Whether EOS has come."""
        ...

    def viable(self, remaining: int | None, *, exact: bool = False) -> NDArray[np.bool_]:
        """Tokens after which an ending within `remaining` tokens (this one and EOS counted) may exist.

        The EOS ids are exact: they are there iff the text is a member, residual predicates included.
        """
        ...

    def min_tokens(self, *, exact: bool = False) -> int:
        """Fewest tokens to an ending, EOS included; a lower bound unless `exact` and without residuals."""
        ...

    def can_end_within(self, budget: int) -> bool:
        """Whether an ending within `budget` more tokens (EOS counted) exists; exact without residuals."""
        ...

    def advance(self, token_id: int) -> None:
        """Take one token."""
        ...

    def fork(self) -> Any:
        """An independent copy."""
        ...


class CompiledLanguage(Protocol):
    """A grammar compiled for a vocabulary (what a `CompiledGrammar` offers to this room)."""

    @property
    def fingerprint(self) -> str:
        """Identifies the language together with the vocabulary."""
        ...

    @property
    def vocabulary(self) -> Any:
        """The vocabulary; `tokens`, `eos_ids` and `len` are used."""
        ...

    @property
    def residuals(self) -> Sequence[str]:
        """What the automaton does not enforce; EOS is refused where it fails."""
        ...

    def matcher(self) -> Any:
        """A fresh `GrammarState` before the first token."""
        ...


@runtime_checkable
class Potential(Protocol):
    """A number for every prefix: how likely a valid ending still is, under a stated contract."""

    @property
    def name(self) -> str:
        """Names the function and its parameters; part of every learned key."""
        ...

    @property
    def contract(self) -> Contract:
        """What may be relied upon."""
        ...

    @property
    def compiled(self) -> CompiledLanguage:
        """The language and vocabulary that h speaks of."""
        ...

    def log_h(self, state: GrammarState, prefix: Sequence[int], budget: int) -> float:
        """Return log h at a prefix; `budget` counts the tokens that may still come, EOS included."""
        ...

    def h_children(self, state: GrammarState, prefix: Sequence[int], budget: int) -> NDArray[np.float64]:
        """h(xv) for every token v of the vocabulary, float64 [V]; a fresh array."""
        ...


class Visit(NamedTuple):
    """A prefix whose target row became known.

    Attributes
    ----------
    prefix : tuple of int
        The prefix x, prompt excluded.
    p : ndarray of float64
        The law row p(.|x), at least as wide as the vocabulary.
    children : ndarray of float64
        h(xv) as read by the attempt, as wide as `p`.
    followed : tuple of int
        Tokens after x that were drafted or emitted; EOS ids excluded.
    """

    prefix: tuple[int, ...]
    p: NDArray[np.float64]
    children: NDArray[np.float64]
    followed: tuple[int, ...]


@runtime_checkable
class LearningPotential(Potential, Protocol):
    """A potential that falls as rows of the target become known."""

    def begin(self) -> None:
        """An attempt begins: until it ends, no value may rise."""
        ...

    def end(self) -> None:
        """An attempt has ended."""
        ...

    def observe(self, visits: Sequence[Visit]) -> None:
        """Learn from known rows; called only after all verdicts of a round."""
        ...

    def remembered_row(self, prefix: Sequence[int], width: int) -> NDArray[np.float64] | None:
        """The law row first seen at this prefix, on the tokens with h > 0, or None."""
        ...
