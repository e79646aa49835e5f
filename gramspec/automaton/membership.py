"""Whole-string membership: `Grammar.accepts` on an engine without a vocabulary.

Law: true iff the bytes (and token ids) given are a member, residual predicates included. Which ids there are
is not known without a vocabulary: every id is taken for a token, and none for EOS.
Cost: one load per grammar, then a few nanoseconds per byte after the first visit of a state.
Source: API, section 1.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence

from gramspec.automaton.engine import Engine
from gramspec.automaton.loader import Loaded, load
from gramspec.errors import EmptyLanguageError, VocabularyError
from gramspec.grammar import ir
from gramspec.grammar.core import Grammar
from gramspec.limits import Limits

_CACHE_SIZE = 64
_cache: OrderedDict[int, tuple[Grammar, Engine, Loaded | None, list[str]]] = OrderedDict()


def accepts(grammar: Grammar, parts: Sequence[bytes | int]) -> bool:
    """Whether the concatenation of `parts` (bytes, or token ids for token edges) is a member."""
    engine, loaded, named = _loaded(grammar)
    if loaded is None:
        return False
    core = engine.core
    config = core.start(loaded.expr)
    others = engine.vocabulary_size - len(named) - 1  # ids from here on are tokens that the grammar names not
    for part in parts:
        if isinstance(part, int):
            if named:
                raise VocabularyError(
                    f"{grammar.description} names the special token {named[0]!r}: "
                    "only a vocabulary has its id\n"
                    "  hint: compile it, and let a matcher read the ids"
                )
            if part < 0:
                return False
            config = core.advance_edge(config, min(part, others))
        else:
            config = core.advance_bytes(config, bytes(part))
        if config == 0:
            return False
    if not core.accepts(config):
        return False
    # Residual predicates see bytes; a grammar that has them has no token edges, so no ids either.
    text = b"".join(bytes(part) for part in parts if not isinstance(part, int))
    return all(residual.holds(text) for residual in grammar.residuals)


def _loaded(grammar: Grammar) -> tuple[Engine, Loaded | None, list[str]]:
    entry = _cache.get(id(grammar))
    if entry is not None and not entry[1].exhausted:
        _cache.move_to_end(id(grammar))
        return entry[1], entry[2], entry[3]
    # Ids 0..255 are the bytes; token edges by id need as many ids as the largest one used. One id stands for
    # all larger ones, and names have ids behind it.
    used = set() if grammar.bytes_only else set(_tokens(grammar.expr))
    names = sorted(token for token in used if isinstance(token, str))
    others = max((token for token in used if isinstance(token, int)), default=255) + 1
    others = max(others, 256)
    special = {name: others + 1 + number for number, name in enumerate(names)}
    tokens: list[bytes | None] = [bytes([b]) for b in range(256)]
    tokens += [None] * (others + 1 + len(names) - len(tokens))
    engine = Engine(tokens, Limits(), every_id=True)
    try:
        loaded: Loaded | None = load(engine, grammar.expr, special, defer=grammar.bytes_only)
    except EmptyLanguageError:
        loaded = None
    _cache[id(grammar)] = (grammar, engine, loaded, names)
    if len(_cache) > _CACHE_SIZE:
        _cache.popitem(last=False)
    return engine, loaded, names


def _tokens(root: ir.Expr) -> Iterator[int | str]:
    for node in ir.walk(root):
        if isinstance(node, ir.TokenEdge):
            yield node.token
        elif isinstance(node, ir.TokenSet):
            yield from node.tokens
