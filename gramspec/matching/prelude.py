"""What an engine learns before its first grammar: the prelude, and the token rows of its texts.

Law: masks are the same without it.
Cost: about 11 ms on 131,072 tokens, once an engine.
Source: architecture, "Token rows" (reference rows).
"""

from __future__ import annotations

import numpy as np

from gramspec.automaton.engine import Engine
from gramspec.automaton.loader import load
from gramspec.limits import Limits

_ROOM = 10  # how many times smaller than by default limits may be for an engine to learn anything beforehand


def prepare(engine: Engine) -> None:
    """Load the prelude into a new engine, unless its limits are tight or its vocabulary lacks bytes."""
    if not (engine.defers and _has_room(engine.limits)):
        return
    from gramspec.grammar import prelude  # the front end of JSON Schema: not before an engine is made

    core = engine.core
    row = np.zeros((engine.vocabulary_size + 31) // 32, dtype=np.uint32)
    texts = prelude.texts()
    for name, expr in prelude.expressions().items():
        loaded = load(engine, expr, defer=True)
        for text in texts.get(name, ()):
            config = core.start(loaded.expr)
            for byte in text:
                core.mask(config, loaded.complete, row)
                config = core.advance_bytes(config, bytes([byte]))


def _has_room(limits: Limits) -> bool:
    """Whether what is learnt beforehand is little beside the limits."""
    usual = Limits()
    counted = ("max_states", "max_configurations", "max_row_bytes", "max_nodes", "mask_steps")
    return (
        all(getattr(limits, name) * _ROOM >= getattr(usual, name) for name in counted)
        and limits.max_stack_depth >= 100
        and min(limits.compile_seconds, limits.mask_seconds) >= 1
    )
