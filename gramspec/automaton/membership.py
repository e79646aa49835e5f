"""Whole-string membership: `Grammar.accepts` on an engine without a vocabulary.

Law: true iff the bytes (and token ids) given are a member, residual predicates included.
Cost: one load per grammar, then a few nanoseconds per byte after the first visit of a state.
Source: API, section 1.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from gramspec.automaton.engine import Engine
from gramspec.automaton.loader import Loaded, load
from gramspec.errors import EmptyLanguageError
from gramspec.grammar import ir
from gramspec.grammar.core import Grammar
from gramspec.limits import Limits

_CACHE_SIZE = 64
_cache: OrderedDict[int, tuple[Grammar, Engine, Loaded | None]] = OrderedDict()


def accepts(grammar: Grammar, parts: Sequence[bytes | int]) -> bool:
    """Whether the concatenation of `parts` (bytes, or token ids for token edges) is a member."""
    engine, loaded = _loaded(grammar)
    if loaded is None:
        return False
    core = engine.core
    config = core.start(loaded.expr)
    for part in parts:
        if isinstance(part, int):
            if not 0 <= part < engine.vocabulary_size:
                return False
            config = core.advance_edge(config, part)
        else:
            config = core.advance_bytes(config, bytes(part))
        if config == 0:
            return False
    if not core.accepts(config):
        return False
    # Residual predicates see bytes; a grammar that has them has no token edges, so no ids either.
    text = b"".join(bytes(part) for part in parts if not isinstance(part, int))
    return all(residual.holds(text) for residual in grammar.residuals)


def _loaded(grammar: Grammar) -> tuple[Engine, Loaded | None]:
    entry = _cache.get(id(grammar))
    if entry is not None and not entry[1].exhausted:
        _cache.move_to_end(id(grammar))
        return entry[1], entry[2]
    # Ids 0..255 are the bytes; token edges by id need as many ids as the largest one used.
    tokens: list[bytes | None] = [bytes([b]) for b in range(256)]
    largest = _largest_token(grammar.expr)
    tokens += [None] * max(0, largest + 1 - len(tokens))
    engine = Engine(tokens, Limits())
    try:
        loaded: Loaded | None = load(engine, grammar.expr)
    except EmptyLanguageError:
        loaded = None
    _cache[id(grammar)] = (grammar, engine, loaded)
    if len(_cache) > _CACHE_SIZE:
        _cache.popitem(last=False)
    return engine, loaded


def _largest_token(root: ir.Expr) -> int:
    edges = (node.token for node in ir.walk(root) if isinstance(node, ir.TokenEdge))
    return max((token for token in edges if isinstance(token, int)), default=-1)
