"""What the matchers of one grammar share: the grammar inside an engine, and the engine itself.

Law: an engine that is full is replaced; whoever still uses the old one goes on, or over to the fresh one,
with the same answers.
Cost: one engine a vocabulary and limits; the tokens as a trie once a vocabulary.
Source: architecture, "Token rows" (rows are shared by all grammars on a vocabulary).
"""

from __future__ import annotations

import threading
import weakref
from dataclasses import dataclass
from typing import Any

from gramspec._native import CancelToken, Trie
from gramspec.automaton.engine import Engine, trie_of
from gramspec.automaton.loader import Loaded, exactly, load
from gramspec.errors import ConfigurationLimitError, RowLimitError, StateLimitError
from gramspec.grammar.core import Grammar
from gramspec.limits import Limits
from gramspec.matching.prelude import prepare
from gramspec.vocabulary import Vocabulary

_engines: weakref.WeakKeyDictionary[Vocabulary, dict[Limits, Engine]] = weakref.WeakKeyDictionary()
_tries: weakref.WeakKeyDictionary[Vocabulary, Trie] = weakref.WeakKeyDictionary()
_making = threading.RLock()  # one engine of a kind is made, however many threads ask

_FULL = (StateLimitError, ConfigurationLimitError, RowLimitError)  # possible in a fresh engine, perhaps


@dataclass(frozen=True, slots=True, eq=False)
class Basis:
    """A grammar inside an engine; immutable."""

    grammar: Grammar
    vocabulary: Vocabulary
    engine: Engine
    loaded: Loaded

    @property
    def core(self) -> Any:
        """The native engine."""
        return self.engine.core

    @property
    def expr(self) -> int:
        """The native expression of the grammar."""
        return self.loaded.expr

    def whole(self) -> Basis:
        """The same without rules that wait for their bodies, so that lengths are exact."""
        loaded = exactly(self.engine, self.loaded, self.vocabulary.special_tokens)
        if loaded is self.loaded:
            return self
        return Basis(self.grammar, self.vocabulary, self.engine, loaded)

    def fresh(self) -> Basis | None:
        """The same grammar in an engine with room; None if this one has nothing else in it worth leaving."""
        engine = _engine(self.vocabulary, self.engine.limits, instead_of=self.engine)
        return None if engine is self.engine else into(engine, self.grammar, self.vocabulary)


def into(
    engine: Engine, grammar: Grammar, vocabulary: Vocabulary, cancel: CancelToken | None = None
) -> Basis:
    """Load a grammar into an engine; errors as those of `load`."""

    def whole() -> Loaded:
        return load(engine, grammar.expr, vocabulary.special_tokens, defer=True)

    loaded: Loaded = engine.core.exclusively(whole, engine.limits.compile_seconds, cancel)
    return Basis(grammar, vocabulary, engine, loaded)


def basis_of(
    grammar: Grammar, vocabulary: Vocabulary, limits: Limits, cancel: CancelToken | None = None
) -> Basis:
    """Load a grammar into the engine of a vocabulary, or into a fresh one if that has no room for it."""
    engine = _engine(vocabulary, limits)
    used = engine.core.states > engine.prepared_states
    try:
        return into(engine, grammar, vocabulary, cancel)
    except _FULL:
        if not used:
            raise
        return into(_engine(vocabulary, limits, instead_of=engine), grammar, vocabulary, cancel)


def _engine(vocabulary: Vocabulary, limits: Limits, instead_of: Engine | None = None) -> Engine:
    """The engine of a vocabulary: made when there is none, or it is full, or it is to be replaced."""
    with _making:
        engines = _engines.setdefault(vocabulary, {})
        engine = engines.get(limits)
        if engine is None or engine is instead_of or engine.exhausted:
            trie = _tries.get(vocabulary)
            if trie is None:
                trie = _tries[vocabulary] = trie_of(vocabulary.tokens)
            # Compiled grammars and matchers of the old engine keep it alive as long as they live.
            engine = Engine(vocabulary.tokens, limits, vocabulary.eos_ids, trie=trie)
            prepare(engine)
            engine.prepared_states = engine.core.states
            engines[limits] = engine
        return engine
