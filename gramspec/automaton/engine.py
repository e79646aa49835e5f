"""Engines: one native core per vocabulary, with limits; rebuilt when it has grown past its limit.

Law: ids of one engine stay valid as long as anything refers to the engine.
Source: architecture, "Token rows" (rows are shared by all grammars on the vocabulary).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from gramspec import _native
from gramspec.grammar import ir
from gramspec.limits import Limits

# Long calls look out for Ctrl-C in the thread where Python handles signals.
_native.set_main_thread(threading.main_thread().ident or threading.get_ident())
os.register_at_fork(after_in_child=lambda: _native.set_main_thread(threading.get_ident()))
Nodes: TypeAlias = dict[int, tuple[ir.Expr, int]]
Rules: TypeAlias = dict[int, tuple[ir.Rule, int]]

_MOST_DEFERRED = 100_000  # rules that wait keep the schemas they come from


def trie_of(tokens: Sequence[bytes | None]) -> _native.Trie:
    """The tokens of a vocabulary by their bytes; 40 ms for 131,072 of them."""
    return _native.Trie([token or b"" for token in tokens])


class Engine:
    """A native core over a table of token bytes, and what the loader remembers about it.

    Parameters
    ----------
    tokens : sequence of bytes or None
        Bytes of each token id; None or empty: the id is never spelled.
    limits : Limits
    eos_ids : sequence of int
        Ids that end a text and are therefore no token edges.
    trie : Trie, optional
        The tokens as a trie (see `trie_of`), which engines of one vocabulary share.
    every_id : bool
        Whether ids without bytes are tokens too that a set may hold without naming them.
    """

    def __init__(
        self,
        tokens: Sequence[bytes | None],
        limits: Limits,
        eos_ids: Sequence[int] = (),
        *,
        trie: _native.Trie | None = None,
        every_id: bool = False,
    ) -> None:
        bounds = _native.Bounds()
        bounds.max_states = limits.max_states
        bounds.max_configurations = limits.max_configurations
        bounds.max_stack_depth = limits.max_stack_depth
        bounds.max_row_bytes = limits.max_row_bytes
        bounds.mask_steps = limits.mask_steps
        bounds.search_steps = limits.search_steps
        bounds.max_cache_bytes = limits.max_cache_bytes
        bounds.mask_seconds = limits.mask_seconds
        self.limits = limits
        self.eos_ids = frozenset(eos_ids)
        self.core: Any = _native.Engine(trie or trie_of(tokens), bounds, sorted(eos_ids))
        # Whether every byte of a token is a token on its own, so that byte liveness is token liveness.
        self.complete = bool(self.core.complete)
        self.vocabulary_size = len(tokens)
        self._tokens = tokens
        self._every_id = every_id
        # Whether rules may wait for their bodies: what is said of them then holds if any text can be spelled.
        self.defers = self.complete and bool(self.core.everything_writable)
        # Rules and expression nodes loaded before: id of the object -> (object kept alive, native id).
        # What grammars share (numbers, strings, any JSON value) is then loaded once per engine.
        self.rules: Rules = {}
        self.nodes: Nodes = {}
        # The same for grammars that are loaded whole, without deferred rules: exact lengths need that.
        self.whole_rules: Rules = {} if self.defers else self.rules
        self.whole_nodes: Nodes = {} if self.defers else self.nodes
        # Deferred rules by their native number, with the special tokens of their grammar.
        self.deferred: dict[int, tuple[ir.Rule, Mapping[str, int]]] = {}
        self.prepared_states = 2  # what the core holds before the first grammar
        self.listens = False  # whether the core knows who loads their bodies
        # The same for names of key classes, which are spelled by other bytes than their own.
        self.names: Nodes = {}

    @property
    def readable(self) -> set[int]:
        """Ids that a set of tokens may hold without naming them."""
        return {token_id for token_id, token in enumerate(self._tokens) if token or self._every_id}

    def id_of(self, spelling: bytes) -> int | None:
        """The first token with these bytes."""
        return next((token_id for token_id, token in enumerate(self._tokens) if token == spelling), None)

    @property
    def exhausted(self) -> bool:
        """Whether the next grammar should get a fresh engine."""
        return len(self.deferred) > _MOST_DEFERRED or bool(self.core.exhausted)
