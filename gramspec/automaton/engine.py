"""Engines: one native core per vocabulary, with limits; rebuilt when it has grown past its limit.

Law: ids of one engine stay valid as long as anything refers to the engine.
Source: architecture, "Token rows" (rows are shared by all grammars on the vocabulary).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from typing import Any

from gramspec import _native
from gramspec.grammar import ir
from gramspec.limits import Limits

# Long calls look out for Ctrl-C in the thread where Python handles signals.
_native.set_main_thread(threading.main_thread().ident or threading.get_ident())
os.register_at_fork(after_in_child=lambda: _native.set_main_thread(threading.get_ident()))


class Engine:
    """A native core over a table of token bytes, and what the loader remembers about it.

    Parameters
    ----------
    tokens : sequence of bytes or None
        Bytes of each token id; None or empty: the id is never spelled.
    limits : Limits
    eos_ids : sequence of int
        Ids that end a text and are therefore no token edges.
    """

    def __init__(self, tokens: Sequence[bytes | None], limits: Limits, eos_ids: Sequence[int] = ()) -> None:
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
        self.core: Any = _native.Engine([token or b"" for token in tokens], bounds)
        # Whether every byte of a token is a token on its own, so that byte liveness is token liveness.
        self.complete = bool(self.core.complete)
        self.vocabulary_size = len(tokens)
        # Rules and expression nodes loaded before: id of the object -> (object kept alive, native id).
        # What grammars share (numbers, strings, any JSON value) is then loaded once per engine.
        self.rules: dict[int, tuple[ir.Rule, int]] = {}
        self.nodes: dict[int, tuple[ir.Expr, int]] = {}
        # The same for names of key classes, which are spelled by other bytes than their own.
        self.names: dict[int, tuple[ir.Expr, int]] = {}

    @property
    def exhausted(self) -> bool:
        """Whether the next grammar should get a fresh engine."""
        limits = self.limits
        return bool(
            self.core.row_bytes > limits.max_row_bytes // 2
            or self.core.states > limits.max_states // 2
            or self.core.configurations_used > limits.max_configurations // 2
        )
