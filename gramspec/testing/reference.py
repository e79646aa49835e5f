"""A compiled grammar made of a list of its members: the slow stand-in for the native core.

Law: masks, budgets and endings are read off the brute-force language up to N + `slack` tokens; exact there
(with residual predicates as exact as masks then are: they decide EOS and nothing else).
Cost: a dictionary of all prefixes. Source: `testing.oracle`; the surface is that of `gramspec.matching`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gramspec.errors import RejectedTokenError
from gramspec.testing.worlds import World
from gramspec.vocabulary import Vocabulary

_NEVER = 1 << 30


class ReferenceCompiled:
    """What decoding needs of a compiled grammar, for one small world.

    Parameters
    ----------
    world : World
        Grammar, vocabulary and budget N.
    slack : int
        The language is known up to N + slack tokens. With 0 the inexact mask equals the exact one; with
        more, `viable(exact=False)` also lets prefixes pass that cannot end in time (dead ends of the budget).
    """

    def __init__(self, world: World, slack: int = 0) -> None:
        self.vocabulary: Vocabulary = world.vocabulary
        self.residuals: list[str] = [str(place) for r in world.residuals for place in r.places]
        self.masks_exact = not self.residuals
        keys = [residual.key for residual in world.residuals]
        self.fingerprint = f"reference-{world.seed}-{slack}-{keys}"
        self.loose = slack > 0
        # fewest[x]: fewest tokens from x to an ending, EOS counted; residual predicates only refuse EOS.
        self.fewest: dict[tuple[int, ...], int] = {}
        for ids in world.spelled_within(world.max_new_tokens + slack):
            for cut in range(len(ids) + world.holds(ids)):
                key = ids[:cut]
                self.fewest[key] = min(self.fewest.get(key, _NEVER), len(ids) - cut)

    def matcher(self) -> ReferenceMatcher:
        """A fresh matcher."""
        return ReferenceMatcher(self, ())

    def needed(self, prefix: tuple[int, ...], *, exact: bool) -> int:
        """Fewest tokens from `prefix` to an ending, or a lower bound."""
        found = self.fewest.get(prefix, _NEVER)
        return found if exact or not self.loose else min(found, 2)


class ReferenceMatcher:
    """The state of one sequence, as a prefix."""

    def __init__(self, compiled: ReferenceCompiled, prefix: tuple[int, ...]) -> None:
        self._c = compiled
        self._prefix = prefix
        self._eos = frozenset(compiled.vocabulary.eos_ids)

    @property
    def is_finished(self) -> bool:
        """Whether EOS has come."""
        return bool(self._prefix) and self._prefix[-1] in self._eos

    @property
    def is_accepting(self) -> bool:
        """Whether EOS may come now."""
        return not self.is_finished and (*self._prefix, min(self._eos)) in self._c.fewest

    def viable(self, remaining: int | None, *, exact: bool = False) -> NDArray[np.bool_]:
        """Tokens that may follow, within a budget."""
        out = np.zeros(len(self._c.vocabulary), dtype=bool)
        if not self.is_finished:
            for token in range(len(out)):
                child = (*self._prefix, token)
                needed = 0 if token in self._eos else self._c.needed(child, exact=exact)
                if child in self._c.fewest and (remaining is None or 1 + needed <= remaining):
                    out[token] = True
        return out

    def can_end_within(self, budget: int) -> bool:
        """Whether an ending within `budget` more tokens (EOS counted) exists."""
        return self.min_tokens(exact=True) <= budget

    def min_tokens(self, *, exact: bool = False) -> int:
        """Fewest tokens to an ending, EOS included."""
        return self._c.needed(self._prefix, exact=exact)

    def allowed_ids(self) -> NDArray[np.int32]:
        """Tokens with any completion within the known horizon."""
        return np.flatnonzero(self.viable(None)).astype(np.int32)

    def advance(self, token_id: int) -> None:
        """Take one token."""
        if self.is_finished or (*self._prefix, token_id) not in self._c.fewest:
            raise RejectedTokenError(f"token {token_id} after {list(self._prefix)}")
        self._prefix = (*self._prefix, token_id)

    def advance_many(self, ids: Sequence[int]) -> int:
        """Take tokens until one is rejected."""
        for count, token in enumerate(ids):
            try:
                self.advance(token)
            except RejectedTokenError:
                return count
        return len(ids)

    def rollback(self, n: int) -> None:
        """Take back `n` tokens."""
        if not 0 <= n <= len(self._prefix):
            raise ValueError(f"cannot take back {n} of {len(self._prefix)} tokens")
        self._prefix = self._prefix[: len(self._prefix) - n]

    def fork(self) -> ReferenceMatcher:
        """An independent copy."""
        return ReferenceMatcher(self._c, self._prefix)
