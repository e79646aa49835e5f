"""`Matcher`: the state of one sequence, as a configuration id and a shared history.

Law: a token is in the mask iff some completion of the text after it belongs to the automaton's
language; EOS iff the text satisfies the residual predicates too, each asked once per state at most.
The mask is empty where one of them tells that no continuation can satisfy it.
Cost: `advance` is one table look-up a byte; `fork` is O(1); `rollback(n)` is O(n).
Source: API, section 3; architecture, "Residual predicates".
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gramspec.automaton.engine import Engine
from gramspec.automaton.loader import Loaded, exactly
from gramspec.errors import RejectedTokenError
from gramspec.grammar.core import Reading, Residual
from gramspec.vocabulary import Vocabulary

_FINISHED = -1


_UNASKED = -2
_HOLDS = -1


class _Step:
    """A state on the way: forks share it, so what is known of it is asked once."""

    __slots__ = ("config", "length", "parent", "readings", "refused", "token")

    def __init__(self, config: int, parent: _Step | None, token: int, length: int) -> None:
        self.config = config
        self.parent = parent
        self.token = token
        self.length = length
        self.refused = _UNASKED  # number of the residual that refuses the text, or _HOLDS
        self.readings: tuple[Reading, ...] | None = None  # () where no continuation is left; None: not read


class Matcher:
    """The state of one sequence; made by `CompiledGrammar.matcher`.

    Without residual predicates masks are exact. With them the mask of a token other than EOS is that of the
    automaton, so it may lead to a dead end: a state whose mask is empty before EOS has come.
    """

    __slots__ = (
        "_complete",
        "_core",
        "_engine",
        "_incremental",
        "_loaded",
        "_residuals",
        "_step",
        "_vocabulary",
    )

    def __init__(
        self, engine: Engine, vocabulary: Vocabulary, loaded: Loaded, residuals: tuple[Residual, ...] = ()
    ) -> None:
        self._engine = engine
        self._core: Any = engine.core
        self._vocabulary = vocabulary
        self._loaded = loaded
        self._complete = loaded.complete
        self._residuals = residuals
        self._step = _Step(int(self._core.start(loaded.expr)), None, -1, 0)
        self._incremental = False
        if residuals:
            readings = (residual.reading() for residual in residuals)
            self._step.readings = tuple(reading for reading in readings if reading is not None)
            self._incremental = bool(self._step.readings)

    def fork(self) -> Matcher:
        """An independent matcher in the same state; O(1)."""
        other = object.__new__(Matcher)
        other._engine = self._engine
        other._core = self._core
        other._vocabulary = self._vocabulary
        other._loaded = self._loaded
        other._complete = self._complete
        other._residuals = self._residuals
        other._incremental = self._incremental
        other._step = self._step
        return other

    @property
    def is_accepting(self) -> bool:
        """Whether the text so far is a member, so that EOS is allowed."""
        return self._step.config != _FINISHED and self._may_end()

    @property
    def is_finished(self) -> bool:
        """Whether EOS has been read."""
        return self._step.config == _FINISHED

    def advance(self, token_id: int) -> None:
        """Read one token.

        Raises
        ------
        RejectedTokenError
            If the token is not allowed here; the matcher is unchanged.
        """
        if self.advance_many((token_id,)) == 0:
            raise RejectedTokenError(self._rejection(token_id))

    def advance_many(self, ids: Iterable[int]) -> int:
        """Read tokens up to the first that is not allowed; return how many were read."""
        count = 0
        for token_id in ids:
            following = self._following(token_id)
            if following is None:
                break
            self._step = _Step(following, self._step, token_id, self._step.length + 1)
            count += 1
        return count

    def rollback(self, n: int) -> None:
        """Take back the last `n` tokens, EOS counted; ValueError beyond the history."""
        if not 0 <= n <= self._step.length:
            raise ValueError(f"cannot roll back {n} of {self._step.length} tokens")
        step = self._step
        for _ in range(n):
            assert step.parent is not None
            step = step.parent
        self._step = step

    def _following(self, token_id: int) -> int | None:
        token_id = operator.index(token_id)
        config = self._step.config
        if config == _FINISHED or not 0 <= token_id < len(self._vocabulary):
            return None
        if token_id in self._vocabulary.eos_ids:
            return _FINISHED if self._may_end() else None
        if self._refuted():
            return None
        following = int(self._core.advance(config, token_id))
        if following == 0 or not (self._complete or self._core.token_live(following)):
            return None
        return following

    def _may_end(self) -> bool:
        """Whether the automaton accepts and no residual predicate refuses the text."""
        if not self._core.accepts(self._step.config):
            return False
        return not self._residuals or (not self._refuted() and self._refusing() == _HOLDS)

    def _refuted(self) -> bool:
        """Whether a residual predicate tells that no continuation of the text satisfies it."""
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
        parts: list[bytes] = []
        step = self._step
        while step.parent is not None:
            parts.append(self._vocabulary.tokens[step.token] or b"")
            step = step.parent
        return b"".join(reversed(parts))

    def _rejection(self, token_id: int) -> str:
        if self.is_finished:
            return f"token {token_id}: the sequence has already ended with EOS"
        if not 0 <= int(token_id) < len(self._vocabulary):
            return f"token {token_id} is outside the vocabulary of {len(self._vocabulary)} tokens"
        if token_id in self._vocabulary.eos_ids:
            reason = f"token {token_id} is EOS, but the text so far is not a member"
            if self._core.accepts(self._step.config) and self._refusing() != _HOLDS:
                places = self._residuals[self._refusing()].places
                reason += "; it does not satisfy " + "; ".join(map(str, places))
            return reason
        if self._refuted():
            names = "; ".join(str(place) for residual in self._residuals for place in residual.places)
            return f"token {token_id}: no continuation of the text satisfies {names}"
        spelled = self._vocabulary.tokens[token_id]
        if spelled is None and not self._core.has_token_edges(self._step.config):
            return f"token {token_id} has no bytes (special or unused) and is never allowed here"
        live = bytes(self._core.live_bytes(self._step.config))
        shown = " ".join(repr(bytes([b]))[1:] for b in live[:12]) + (" …" if len(live) > 12 else "")
        return (
            f"token {token_id} ({spelled!r}) is not allowed after {self._step.length} tokens;"
            f" next byte: {shown or 'none'}"
        )

    def _make_exact(self) -> None:
        """Go over to the whole grammar, whose lengths are exact: every state since the start, once."""
        if self._loaded.deferred is None:
            return
        loaded = exactly(self._engine, self._loaded, self._vocabulary.special_tokens)
        steps: list[_Step] = []
        step: _Step | None = self._step
        while step is not None:
            steps.append(step)
            step = step.parent
        above: _Step | None = None
        config = int(self._core.start(loaded.expr))
        for step in reversed(steps):
            if step.parent is not None:
                config = (
                    int(self._core.advance(config, step.token)) if step.config != _FINISHED else _FINISHED
                )
            above, old = _Step(config, above, step.token, step.length), step
            above.refused, above.readings = old.refused, old.readings
        assert above is not None
        self._step, self._loaded = above, loaded

    # -- masks ----------------------------------------------------------------------------------

    def _words(self) -> NDArray[np.uint32]:
        words = np.zeros((len(self._vocabulary) + 31) // 32, dtype=np.uint32)
        if not self.is_finished and not self._refuted():
            self._core.mask(self._step.config, self._complete, words)
            self._add_eos(words)
        return words

    def _add_eos(self, words: NDArray[np.uint32]) -> None:
        if self._may_end():
            for eos in self._vocabulary.eos_ids:
                words[eos >> 5] |= np.uint32(1 << (eos & 31))

    def fill_bitmask(self, array: Any, row: int = 0) -> None:
        """Write the mask of the next token into one row of a packed array.

        Parameters
        ----------
        array : ndarray or torch.Tensor (CPU), int32, shape (rows, ceil(V / 32))
            Bit ``t % 32`` of word ``t // 32`` is set iff token ``t`` is allowed. The row is written in full.
        row : int

        Raises
        ------
        ValueError
            If the array has another dtype, shape, or is not contiguous along the row.
        """
        target = bitmask_row(array, row, len(self._vocabulary))
        if self.is_finished or self._refuted():
            target[:] = 0
            return
        self._core.mask(self._step.config, self._complete, target)
        self._add_eos(target)

    def fill_bitmask_tree(self, parents: Sequence[int], tokens: Sequence[int], array: Any) -> None:
        """Masks after every node of a draft tree; the state is unchanged.

        Parameters
        ----------
        parents : sequence of int, length n
            Parent of each node, before it in the order; -1 for the current state.
        tokens : sequence of int, length n
        array : ndarray or torch.Tensor (CPU), int32, shape (at least n + 1, ceil(V / 32))
            Row 0: the current state; row i + 1: after node i, zero if node i is not allowed.
        """
        if len(parents) != len(tokens):
            raise ValueError(f"{len(parents)} parents for {len(tokens)} tokens")
        self.fill_bitmask(array, 0)
        states: list[Matcher | None] = [self]
        for index, (parent, token) in enumerate(zip(parents, tokens, strict=True)):
            if not -1 <= parent < index:
                raise ValueError(f"parent {parent} of node {index} does not come before it")
            above = states[parent + 1]
            state = above.fork() if above is not None else None
            if state is not None and state.advance_many([token]) == 0:
                state = None
            states.append(state)
            if state is None:
                bitmask_row(array, index + 1, len(self._vocabulary))[:] = 0
            else:
                state.fill_bitmask(array, index + 1)

    def allowed_ids(self) -> NDArray[np.int32]:
        """Ids of the allowed tokens, ascending (EOS included)."""
        return np.flatnonzero(_unpack(self._words(), len(self._vocabulary))).astype(np.int32)

    def viable(self, remaining: int | None, *, exact: bool = False) -> NDArray[np.bool_]:
        """Tokens after which the sequence can still end within a budget.

        Residual predicates decide the EOS ids, and leave nothing where they tell that no continuation
        satisfies them; otherwise they are not asked of other tokens, so that with them the answer is
        an upper bound, and so is `can_end_within`.

        Parameters
        ----------
        remaining : int or None
            Tokens left in all, this one and EOS counted; None: no budget.
        exact : bool
            True: exactly the tokens with a completion within the budget (the search lets undeclared
            object keys that clash with no known key share one state; two such keys of one object are
            not compared with each other). False: by a lower bound on the tokens a completion needs,
            which may keep a dead token and never drops a viable one.

        Returns
        -------
        ndarray of bool, shape (V,)

        Raises
        ------
        LimitError
            If the exact answer needs more than `Limits.search_steps`.
        """
        size = len(self._vocabulary)
        if self.is_finished or self._refuted() or (remaining is not None and remaining < 1):
            return np.zeros(size, dtype=np.bool_)
        if remaining is None:
            return _unpack(self._words(), size)
        words = np.zeros((size + 31) // 32, dtype=np.uint32)
        self._make_exact()
        self._core.viable(self._step.config, self._complete, min(remaining, 1 << 40), exact, words)
        self._add_eos(words)
        return _unpack(words, size)

    def min_tokens(self, *, exact: bool = False, cap: int | None = None) -> int:
        """Fewest tokens to an ending, EOS counted: a lower bound, or exact.

        With residual predicates it is always a lower bound: they are not asked.

        Parameters
        ----------
        exact : bool
        cap : int, optional
            Stop an exact search above this; the answer is then `cap` + 1.
        """
        if self.is_finished:
            return 0
        self._make_exact()
        if not exact:
            return 1 + int(self._core.fewest_tokens_bound(self._step.config))
        limit = (1 << 40) if cap is None else max(cap - 1, 0)
        return 1 + int(self._core.fewest_tokens(self._step.config, self._complete, limit))

    def can_end_within(self, budget: int) -> bool:
        """Whether the sequence can still end with at most `budget` more tokens, EOS counted; exact.

        With residual predicates, whether the automaton can and they do not tell that it is too late.

        Raises
        ------
        LimitError
            If the answer needs more than `Limits.search_steps`.
        """
        if self.is_finished:
            return True
        if budget < 1 or self._refuted():
            return False
        self._make_exact()
        return bool(self._core.within(self._step.config, self._complete, budget - 1))

    # -- forced continuations ---------------------------------------------------------------------

    def forced_ids(self) -> list[int]:
        """The longest run of tokens each of which is the only one allowed; EOS or a dead end ends it."""
        state = self.fork()
        run: list[int] = []
        while not state.is_finished:
            allowed = state.allowed_ids()
            if len(allowed) != 1:
                break
            run.append(int(allowed[0]))
            state.advance(run[-1])
        return run

    def forced_bytes(self) -> bytes:
        """The longest byte string with which every completion begins.

        On a vocabulary in which some byte is no token of its own it may be shorter: it is then read
        off the allowed tokens one after another. It is shorter too where only residual predicates
        refuse the ends before.
        """
        if self.is_finished or self._refuted():
            return b""
        return self._forced_by_bytes() if self._complete else self._forced_by_tokens()

    def _forced_by_bytes(self) -> bytes:
        forced = bytearray()
        config = self._step.config
        while not self._core.accepts(config) and not self._core.has_token_edges(config):
            live = bytes(self._core.live_bytes(config))
            if len(live) != 1:
                break
            forced += live
            config = int(self._core.advance_bytes(config, live))
        return bytes(forced)

    def _forced_by_tokens(self) -> bytes:
        state = self.fork()
        forced = b""
        while True:
            spelled = [self._vocabulary.tokens[t] or b"" for t in state.allowed_ids().tolist()]
            if len(spelled) != 1 or not spelled[0]:
                return forced + _common_prefix(spelled)
            forced += spelled[0]
            state.advance(int(state.allowed_ids()[0]))


def _common_prefix(parts: Sequence[bytes]) -> bytes:
    first, last = min(parts, default=b""), max(parts, default=b"")
    length = next((i for i, b in enumerate(first) if b != last[i]), len(first))
    return first[:length]


def bitmask_row(array: Any, row: int, size: int) -> NDArray[np.uint32]:
    """One row of a packed mask as uint32, sharing memory; ValueError when it cannot be shared."""
    words = (size + 31) // 32
    if len(array.shape) != 2 or array.shape[1] != words:
        raise ValueError(f"a bitmask has shape (rows, {words}), not {tuple(array.shape)}")
    if not 0 <= row < array.shape[0]:
        raise ValueError(f"row {row} of a bitmask of {array.shape[0]} rows")
    part = array[row]
    if not isinstance(part, np.ndarray):
        if getattr(getattr(part, "device", None), "type", "cpu") != "cpu":
            raise ValueError("a bitmask tensor must be on the CPU")
        part = part.numpy()
    if part.dtype != np.int32:
        raise ValueError(f"a bitmask has dtype int32, not {part.dtype}")
    if not part.flags.c_contiguous:
        raise ValueError("a bitmask row must be contiguous")
    view: NDArray[np.uint32] = part.view(np.uint32)
    return view


def _unpack(words: NDArray[np.uint32], size: int) -> NDArray[np.bool_]:
    return np.unpackbits(words.view(np.uint8), bitorder="little", count=size).view(np.bool_)
