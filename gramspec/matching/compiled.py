"""`compile`: a grammar meets a vocabulary.

Law: the compiled grammar accepts exactly the token sequences whose bytes (and token edges) belong to
the grammar, residual predicates included; every segmentation of a member is a member.
Cost: loading the expression; automaton states and token rows are made when a matcher visits them.
Source: API, section 3; architecture, "Token rows".
"""

from __future__ import annotations

import hashlib
import weakref

from gramspec._native import CancelToken
from gramspec.automaton.engine import Engine
from gramspec.automaton.loader import Loaded, exactly, load
from gramspec.errors import CancelledError, OptionError
from gramspec.grammar.core import Grammar
from gramspec.limits import Limits
from gramspec.matching.matcher import Matcher
from gramspec.vocabulary import Vocabulary

_engines: weakref.WeakKeyDictionary[Vocabulary, dict[Limits, Engine]] = weakref.WeakKeyDictionary()


class CompiledGrammar:
    """A grammar on a vocabulary; immutable, shared by any number of matchers.

    Attributes
    ----------
    vocabulary : Vocabulary
    grammar : Grammar
    """

    def __init__(self, grammar: Grammar, vocabulary: Vocabulary, engine: Engine, loaded: Loaded) -> None:
        self.grammar = grammar
        self.vocabulary = vocabulary
        self._engine = engine
        self._loaded = loaded
        self._fingerprint: str | None = None

    @property
    def masks_exact(self) -> bool:
        """Whether every token of a mask has a completion: no residual predicate is left over."""
        return not self.grammar.residuals

    @property
    def residuals(self) -> list[str]:
        """What the automaton does not enforce, one line each; it is checked at the end of the text."""
        return [str(place) for residual in self.grammar.residuals for place in residual.places]

    @property
    def fingerprint(self) -> str:
        """Identifies the language on this vocabulary (hex)."""
        if self._fingerprint is None:
            text = self.grammar.fingerprint + self.vocabulary.fingerprint
            self._fingerprint = hashlib.sha256(text.encode()).hexdigest()
        return self._fingerprint

    def matcher(self) -> Matcher:
        """A matcher at the empty prefix."""
        if self._engine.exhausted:
            # Matchers made before keep the old engine; this and later ones share a fresh one.
            engine = _engine(self.vocabulary, self._engine.limits)
            self._loaded = load(engine, self.grammar.expr, self.vocabulary.special_tokens, defer=True)
            self._engine = engine
        return Matcher(self._engine, self.vocabulary, self._loaded, self.grammar.residuals)

    def shortest_text(self, limit: int = 4096) -> bytes | None:
        """A shortest member in bytes; None if it is longer than `limit` or needs token edges.

        Residual predicates are not asked: it is a shortest text of the automaton.
        """
        core = self._engine.core
        loaded = exactly(self._engine, self._loaded, self.vocabulary.special_tokens)
        found: bytes | None = core.shortest_completion(core.start(loaded.expr), limit)
        return found

    def statistics(self) -> dict[str, int]:
        """Sizes of the engine that this grammar shares with others on its vocabulary.

        Returns
        -------
        dict of str to int
            States, configurations, bytes of rows, rows by how they were made, trie nodes.
        """
        core = self._engine.core
        rows = ("row_bytes", "rows_cold", "rows_spliced", "rows_counted")
        names = ("states", "configurations", *rows, "trie_nodes")
        return {name: int(getattr(core, name)) for name in names}

    def to_bytes(self) -> bytes:
        """The grammar as bytes that `from_bytes` reads; never pickle.

        Returns
        -------
        bytes
            Versioned and under a digest. The expression is stored whole, with its description and the
            schemas of its residual predicates; of the vocabulary, the fingerprint.

        Raises
        ------
        UnsupportedError
            If a residual predicate is a function (`gramspec.grammar.core.Predicate`).
        SerialisationError
            If the grammar nests too deeply to be stored.
        """
        from gramspec.matching.serialisation import to_bytes

        return to_bytes(self)

    @classmethod
    def from_bytes(
        cls,
        data: bytes,
        vocabulary: Vocabulary,
        *,
        limits: Limits | None = None,
        other_vocabulary: bool = False,
    ) -> CompiledGrammar:
        """Read what `to_bytes` wrote, and load it on its vocabulary: the masks are equal bit for bit.

        Parameters
        ----------
        data : bytes
            From any source: whatever is wrong with them gives an error. Their digest finds damage; it is
            no signature, so bytes of a stranger may hold a grammar of the stranger's.
        vocabulary : Vocabulary
            The one that the grammar was compiled for.
        limits : Limits, optional
            Bounds of reading, compiling and matching.
        other_vocabulary : bool
            Allow another vocabulary. Grammars are sequences of bytes, and token edges by name are looked up
            anew; token edges by id are refused.

        Raises
        ------
        SerialisationError
            If the bytes are malformed, damaged, of another format, or beyond the limits.
        VocabularyError
            If they were written for another vocabulary, or this one cannot spell any member.
        LimitError
            If a limit is reached.
        """
        from gramspec.matching.serialisation import from_bytes

        return from_bytes(data, vocabulary, limits=limits or Limits(), other_vocabulary=other_vocabulary)

    def __repr__(self) -> str:
        return f"<gramspec.CompiledGrammar {self.grammar.description} on {len(self.vocabulary)} tokens>"


def compile(
    grammar: Grammar,
    vocabulary: Vocabulary,
    *,
    limits: Limits | None = None,
    cancel: CancelToken | None = None,
) -> CompiledGrammar:
    """Compile a grammar for a vocabulary.

    Parameters
    ----------
    grammar : Grammar
    vocabulary : Vocabulary
    limits : Limits, optional
        Bounds of compiling and matching; `Limits()` by default.
    cancel : CancelToken, optional
        Stops this compile when another thread asks for it.

    Returns
    -------
    CompiledGrammar

    Raises
    ------
    EmptyLanguageError
        If nothing at all satisfies the grammar (residual predicates are not asked).
    VocabularyError
        If the vocabulary cannot spell any member.
    LimitError
        If a limit is reached.
    CancelledError
        If `cancel` has asked for an end.
    """
    if not isinstance(grammar, Grammar):
        raise OptionError(
            f"grammar must be a gramspec.Grammar (regex, json_schema, …), not {type(grammar).__name__}"
        )
    if not isinstance(vocabulary, Vocabulary):
        raise OptionError(f"vocabulary must be a gramspec.Vocabulary, not {type(vocabulary).__name__}")
    if cancel is not None and cancel.cancelled:
        raise CancelledError("cancelled on request")
    limits = limits or Limits()
    engine = _engine(vocabulary, limits)

    def whole() -> Loaded:
        return load(engine, grammar.expr, vocabulary.special_tokens, defer=True)

    loaded: Loaded = engine.core.exclusively(whole, limits.compile_seconds, cancel)
    return CompiledGrammar(grammar, vocabulary, engine, loaded)


def _engine(vocabulary: Vocabulary, limits: Limits) -> Engine:
    engines = _engines.setdefault(vocabulary, {})
    engine = engines.get(limits)
    if engine is None or engine.exhausted:
        # Compiled grammars and matchers of the old engine keep it alive as long as they live.
        engine = engines[limits] = Engine(vocabulary.tokens, limits, vocabulary.eos_ids)
    return engine
