"""The state of a grammar after every sequence of ids that a logits processor has been asked about.

Law: a state depends on the sequence of ids alone, not on the order of the questions.
Cost: one edge of a trie per token of a row; one fork and one advance of a matcher per new sequence.
Source: the calls that Transformers makes of a logits processor: beams, drafts, look-up.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gramspec.errors import RejectedTokenError
from gramspec.matching.batch import fill_bitmasks
from gramspec.matching.compiled import CompiledGrammar
from gramspec.matching.matcher import Matcher


class State:
    """The state after one sequence of generated ids."""

    __slots__ = ("children", "left", "length", "matcher", "pad", "shown")

    def __init__(self, matcher: Matcher, pad: int | None, left: str | None, length: int) -> None:
        self.matcher = matcher
        self.pad = pad  # the token that fills the row after EOS, once one has come
        self.left = left  # why and where the row left the grammar
        self.length = length  # tokens so far
        self.children: dict[int, State] = {}
        self.shown = 0  # the last generation that asked here

    @property
    def is_live(self) -> bool:
        """Whether the text goes on: neither ended nor outside the grammar."""
        return self.left is None and not self.matcher.is_finished


class PrefixStates:
    """A trie of states.

    Parameters
    ----------
    compiled : CompiledGrammar
    pad_token_id : int or None
        The token that fills rows after EOS; None: any, but the same one throughout a row.
    most : int
        States kept; above it those that the rows at hand do not begin with are forgotten.
    """

    def __init__(self, compiled: CompiledGrammar, pad_token_id: int | None, most: int) -> None:
        self.size = len(compiled.vocabulary)
        self.nodes = 0
        self._eos = frozenset(compiled.vocabulary.eos_ids)
        self._most = most
        self._kept = 0
        self._root = State(compiled.matcher(), pad_token_id, None, 0)

    def find(self, tokens: Sequence[int]) -> State | None:
        """The state after these ids, if it has been asked for."""
        state: State | None = self._root
        for token in tokens:
            if state is None:
                return None
            state = state.children.get(token)
        return state

    def states(self, rows: Sequence[Sequence[int]]) -> list[State]:
        """The state after each row of ids."""
        found = [self._walk(row) for row in rows]
        if self.nodes > max(self._most, 2 * self._kept):
            self._forget(rows)
            found = [self._walk(row) for row in rows]
        return found

    def masks(self, states: Sequence[State], budget: int | None) -> NDArray[np.int32]:
        """One packed mask per state: EOS alone after the end, nothing outside the grammar.

        With a budget, of tokens of a text in all, only tokens after which a text can end in time.
        """
        table = np.zeros((len(states), (self.size + 31) // 32), dtype=np.int32)
        live = [i for i, state in enumerate(states) if state.is_live]
        if live and budget is None:
            fill_bitmasks([states[i].matcher for i in live], table, rows=live)
        elif budget is not None:
            padded = np.zeros(32 * table.shape[1], dtype=np.bool_)
            for i in live:
                padded[: self.size] = states[i].matcher.viable(budget - states[i].length, exact=True)
                table[i] = np.packbits(padded, bitorder="little").view(np.int32)
        for i, state in enumerate(states):
            if state.left is None and state.matcher.is_finished:
                self.allow_eos(table[i])
        return table

    def allow_eos(self, words: NDArray[np.int32]) -> None:
        """Set the bits of the EOS ids in one packed mask."""
        bits = words.view(np.uint32)
        for eos in self._eos:
            bits[eos >> 5] |= np.uint32(1 << (eos & 31))

    def _walk(self, tokens: Sequence[int]) -> State:
        state = self._root
        for token in tokens:
            child = state.children.get(token)
            if child is None:
                child = state.children[token] = self._step(state, token)
                self.nodes += 1
            state = child
        return state

    def _step(self, state: State, token: int) -> State:
        length = state.length + 1
        if state.left is not None:
            return State(state.matcher, state.pad, state.left, length)
        if state.matcher.is_finished:
            if token in self._eos:
                return State(state.matcher, state.pad, None, length)
            if state.pad is None or state.pad == token:
                return State(state.matcher, token, None, length)
            why = f"token {token} after EOS, where only EOS and padding ({state.pad}) may come"
            return State(state.matcher, state.pad, f"at generated position {state.length}: {why}", length)
        matcher = state.matcher.fork()
        try:
            matcher.advance(token)
        except RejectedTokenError as error:
            return State(matcher, state.pad, f"at generated position {state.length}: {error}", length)
        return State(matcher, state.pad, None, length)

    def _forget(self, rows: Sequence[Sequence[int]]) -> None:
        """Keep the states on the way to these rows alone."""
        old = self._root
        new = State(old.matcher, old.pad, None, 0)
        new.shown = old.shown
        self.nodes = 0
        for row in rows:
            source, target = old, new
            for token in row:
                source = source.children[token]
                kept = target.children.get(token)
                if kept is None:
                    kept = State(source.matcher, source.pad, source.left, source.length)
                    kept.shown = source.shown
                    target.children[token] = kept
                    self.nodes += 1
                target = kept
        self._root, self._kept = new, self.nodes
