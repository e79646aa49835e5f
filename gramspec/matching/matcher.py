"""`Matcher`: the state of one sequence, as a configuration id and a shared history.

Law: a token is in the mask iff some completion of the text after it belongs to the automaton's
language, and EOS iff the text is a member. Matchers with residual predicates: see `residual`.
Cost: a remembered mask is one copy, `advance` one table look-up a byte; `fork` is O(1), `rollback(n)` O(n). A
matcher takes 200 bytes, and 32 for each token, which forks share.
Source: API, section 3.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from gramspec._native import Cursor
from gramspec.errors import RejectedTokenError
from gramspec.matching.basis import Basis
from gramspec.matching.bitmasks import unpack
from gramspec.vocabulary import Vocabulary


class Matcher(Cursor):
    """The state of one sequence; made by `CompiledGrammar.matcher`.

    Without residual predicates masks are exact. With them the mask of a token other than EOS is that of the
    automaton, so it may lead to a dead end: a state whose mask is empty before EOS has come.

    One thread at a time may use a matcher; matchers of one grammar may be used by different threads.
    """

    __slots__ = ()

    # What the native cursor keeps for this class alone.
    _basis: Basis
    _config: int
    _ends: bool
    _finish: Callable[[int], None]
    _length: int
    _move_to: Callable[[Basis], None]
    _tokens: list[int]

    # `fill_bitmask`, `fill_bitmask_tree`, `advance`, `advance_many`, `rollback`, `is_accepting` and
    # `is_finished` are those of the native cursor.

    def fork(self) -> Matcher:
        """An independent matcher in the same state; O(1)."""
        return Matcher(self)

    @property
    def _core(self) -> Any:
        return self._basis.engine.core

    @property
    def _vocabulary(self) -> Vocabulary:
        return self._basis.vocabulary

    @property
    def _complete(self) -> bool:
        return self._basis.loaded.complete

    def _refuted(self) -> bool:
        """Whether a residual predicate tells that no continuation of the text satisfies it."""
        return False

    def _reject(self, token_id: int) -> NoReturn:
        """Say why a token is not allowed."""
        raise RejectedTokenError(self._rejection(token_id))

    def _rejection(self, token_id: int) -> str:
        if self.is_finished:
            return f"token {token_id}: the sequence has already ended with EOS"
        if not 0 <= int(token_id) < len(self._vocabulary):
            return f"token {token_id} is outside the vocabulary of {len(self._vocabulary)} tokens"
        if token_id in self._vocabulary.eos_ids:
            return f"token {token_id} is EOS, but the text so far is not a member"
        spelled = self._vocabulary.tokens[token_id]
        if spelled is None and not self._core.has_token_edges(self._config):
            return f"token {token_id} has no bytes (special or unused) and is never allowed here"
        live = bytes(self._core.live_bytes(self._config))
        shown = " ".join(repr(bytes([b]))[1:] for b in live[:12]) + (" …" if len(live) > 12 else "")
        return (
            f"token {token_id} ({spelled!r}) is not allowed after {self._length} tokens;"
            f" next byte: {shown or 'none'}"
        )

    def _make_exact(self) -> None:
        """Go over to the whole grammar, whose lengths are exact."""
        if self._basis.loaded.deferred is not None:
            self._move_to(self._basis.whole())

    # -- masks ----------------------------------------------------------------------------------

    def _words(self) -> NDArray[np.int32]:
        words = np.zeros((1, (len(self._vocabulary) + 31) // 32), dtype=np.int32)
        self.fill_bitmask(words)
        return words.reshape(-1)

    def _add_eos(self, words: NDArray[np.uint32]) -> None:
        if self.is_accepting:
            for eos in self._vocabulary.eos_ids:
                words[eos >> 5] |= np.uint32(1 << (eos & 31))

    def allowed_ids(self) -> NDArray[np.int32]:
        """Ids of the allowed tokens, ascending (EOS included)."""
        return np.flatnonzero(unpack(self._words(), len(self._vocabulary))).astype(np.int32)

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
            return unpack(self._words(), size)
        if exact:
            self._make_exact()
        words = np.zeros((size + 31) // 32, dtype=np.uint32)
        self._core.viable(self._config, self._complete, min(remaining, 1 << 40), exact, words)
        self._add_eos(words)
        return unpack(words, size)

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
            return 1 + int(self._core.fewest_tokens_bound(self._config))
        limit = (1 << 40) if cap is None else max(cap - 1, 0)
        return 1 + int(self._core.fewest_tokens(self._config, self._complete, limit))

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
        return bool(self._core.within(self._config, self._complete, budget - 1))

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
        config = self._config
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
