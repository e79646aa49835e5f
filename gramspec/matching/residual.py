"""Matchers of grammars with residual predicates: what no automaton enforces is asked of the text.

Law: EOS is in the mask iff the automaton accepts and the text satisfies the predicates, each asked once per
state at most. The mask is empty where one of them tells that no continuation can satisfy it.
Cost: beside the native matcher, a Python object for each token; predicates read only when a mask asks them.
Source: architecture, "Residual predicates".
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from typing import Any

from gramspec._native import CancelToken
from gramspec.grammar.core import Reading, Residual
from gramspec.matching.basis import Basis
from gramspec.matching.bitmasks import row_of
from gramspec.matching.matcher import Matcher

_UNASKED = -2
_HOLDS = -1


class _Step:
    """A state on the way: forks share it, so what is known of it is asked once."""

    __slots__ = ("parent", "readings", "refused", "token")

    def __init__(self, parent: _Step | None, token: int) -> None:
        self.parent = parent
        self.token = token
        self.refused = _UNASKED  # number of the residual that refuses the text, or _HOLDS
        self.readings: tuple[Reading, ...] | None = None  # () where no continuation is left; None: not read


class ResidualMatcher(Matcher):
    """A matcher that asks residual predicates too."""

    __slots__ = ("_incremental", "_residuals", "_step")

    _residuals: tuple[Residual, ...]
    _step: _Step
    _incremental: bool

    @classmethod
    def begin(cls, basis: Basis, cancel: CancelToken | None) -> ResidualMatcher:
        """The matcher of the empty text."""
        self = cls(basis, cancel, True)
        self._residuals = basis.grammar.residuals
        self._step = _Step(None, -1)
        readings = (residual.reading() for residual in self._residuals)
        self._step.readings = tuple(reading for reading in readings if reading is not None)
        self._incremental = bool(self._step.readings)
        return self

    def fork(self) -> ResidualMatcher:
        """An independent matcher in the same state; O(1)."""
        other = ResidualMatcher(self)
        other._residuals = self._residuals
        other._step = self._step
        other._incremental = self._incremental
        return other

    @property
    def is_accepting(self) -> bool:
        """Whether the text so far is a member, so that EOS is allowed."""
        return bool(self._ends) and not self._refuted() and self._refusing() == _HOLDS

    @property
    def mask_key(self) -> Any:
        """Equal keys, equal masks."""
        if self.is_finished or self._refuted():
            return (0, -1)
        return (*super().mask_key, self.is_accepting)

    def advance(self, token_id: int) -> None:
        """Read one token; RejectedTokenError if it is not allowed, and nothing changes."""
        if not self._take(token_id):
            self._reject(token_id)

    def advance_many(self, ids: Iterable[int]) -> int:
        """Read tokens up to the first that is not allowed; return how many were read."""
        count = 0
        for token_id in ids:
            if not self._take(token_id):
                break
            count += 1
        return count

    def rollback(self, n: int) -> None:
        """Take back the last `n` tokens, EOS counted; ValueError beyond the history."""
        super().rollback(n)
        for _ in range(n):
            assert self._step.parent is not None
            self._step = self._step.parent

    def fill_bitmask(self, array: Any, row: int = 0) -> None:
        """Write the mask of allowed tokens into one row of a packed array; see `Matcher`."""
        target = row_of(array, operator.index(row), len(self._vocabulary))
        if self._refuted():
            target[:] = 0
            return
        super().fill_bitmask(array, row)
        self.correct(array, row)

    def correct(self, array: Any, row: int) -> None:
        """Make the mask of the automaton, already in the row, that of the grammar."""
        if self.is_finished:
            return
        target = row_of(array, row, len(self._vocabulary))
        if self._refuted():
            target[:] = 0
        elif self._ends and not self.is_accepting:
            for eos in self._vocabulary.eos_ids:
                target[eos >> 5] &= ~(1 << (eos & 31)) & 0xFFFFFFFF

    def fill_bitmask_tree(self, parents: Sequence[int], tokens: Sequence[int], array: Any) -> None:
        """Masks after every node of a draft tree; the state is unchanged. See `Matcher`."""
        if len(parents) != len(tokens):
            raise ValueError(f"{len(parents)} parents for {len(tokens)} tokens")
        for index, parent in enumerate(parents):
            if not -1 <= parent < index:
                raise ValueError(f"parent {parent} of node {index} does not come before it")
        size = len(self._vocabulary)
        row_of(array, len(tokens), size)
        self.fill_bitmask(array, 0)
        states: list[ResidualMatcher | None] = [self]
        for index, (parent, token) in enumerate(zip(parents, tokens, strict=True)):
            above = states[parent + 1]
            state = above.fork() if above is not None else None
            if state is not None and not state._take(token):
                state = None
            states.append(state)
            if state is None:
                row_of(array, index + 1, size)[:] = 0
            else:
                state.fill_bitmask(array, index + 1)

    def _take(self, token_id: int) -> bool:
        token_id = operator.index(token_id)
        if token_id in self._vocabulary.eos_ids:
            if self.is_finished or not self.is_accepting:
                return False
            self._finish(token_id)
        elif self._refuted() or super().advance_many((token_id,)) == 0:
            return False
        self._step = _Step(self._step, token_id)
        return True

    def _refuted(self) -> bool:
        if not self._incremental:
            return False
        if self._step.readings is None:
            self._read()
        return not self._step.readings

    def _read(self) -> None:
        """Let the predicates read the tokens since the last state that they have read."""
        unread: list[_Step] = []
        step = self._step
        while step.readings is None:
            unread.append(step)
            assert step.parent is not None
            step = step.parent
        readings = step.readings
        for step in reversed(unread):
            data = self._vocabulary.tokens[step.token] or b""
            after = [reading.read(data) for reading in readings]
            readings = () if None in after else tuple(reading for reading in after if reading is not None)
            step.readings = readings

    def _refusing(self) -> int:
        """Number of the first residual predicate that refuses the text, or _HOLDS."""
        step = self._step
        if step.refused == _UNASKED:
            text = self._text()
            numbers = range(len(self._residuals))
            step.refused = next((i for i in numbers if not self._residuals[i].holds(text)), _HOLDS)
        return step.refused

    def _text(self) -> bytes:
        """The bytes of the tokens read so far."""
        return b"".join(self._vocabulary.tokens[token] or b"" for token in self._tokens)

    def _rejection(self, token_id: int) -> str:
        known = not self.is_finished and 0 <= int(token_id) < len(self._vocabulary)
        if known and token_id in self._vocabulary.eos_ids:
            reason = super()._rejection(token_id)
            if self._ends and self._refusing() != _HOLDS:
                places = self._residuals[self._refusing()].places
                reason += "; it does not satisfy " + "; ".join(map(str, places))
            return reason
        if known and self._refuted():
            names = "; ".join(str(place) for residual in self._residuals for place in residual.places)
            return f"token {token_id}: no continuation of the text satisfies {names}"
        return super()._rejection(token_id)
