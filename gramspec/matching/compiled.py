"""`compile`: a grammar meets a vocabulary.

Law: the compiled grammar accepts exactly the token sequences whose bytes (and token edges) belong to
the grammar, residual predicates included; every segmentation of a member is a member.
Cost: loading the expression; automaton states and token rows are made when a matcher visits them.
Source: API, section 3; architecture, "Token rows".
"""

from __future__ import annotations

import hashlib

from gramspec._native import CancelToken
from gramspec.automaton.engine import Engine
from gramspec.errors import CancelledError, OptionError
from gramspec.grammar.core import Grammar
from gramspec.limits import Limits
from gramspec.matching.basis import Basis, _engine, _engines, basis_of
from gramspec.matching.matcher import Matcher
from gramspec.matching.residual import ResidualMatcher
from gramspec.vocabulary import Vocabulary

__all__ = ["CompiledGrammar", "_engine", "_engines", "compile"]


class CompiledGrammar:
    """A grammar on a vocabulary; immutable, shared by any number of matchers.

    Attributes
    ----------
    vocabulary : Vocabulary
    grammar : Grammar
    """

    def __init__(self, basis: Basis) -> None:
        self.grammar = basis.grammar
        self.vocabulary = basis.vocabulary
        self._basis = basis
        self._fingerprint: str | None = None

    @property
    def _engine(self) -> Engine:
        return self._basis.engine

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

    def matcher(self, *, cancel: CancelToken | None = None) -> Matcher:
        """A matcher at the empty prefix.

        Parameters
        ----------
        cancel : CancelToken, optional
            Stops the calls of this matcher, and of its forks, when another thread asks for it.
        """
        if self._engine.exhausted:
            # Matchers made before keep the old engine; this and later ones share a fresh one.
            self._basis = self._basis.fresh() or self._basis
        if self.grammar.residuals:
            return ResidualMatcher.begin(self._basis, cancel)
        return Matcher(self._basis, cancel)

    def shortest_text(self, limit: int = 4096) -> bytes | None:
        """A shortest member in bytes; None if it is longer than `limit` or needs token edges.

        Residual predicates are not asked: it is a shortest text of the automaton.
        """
        core = self._basis.core
        found: bytes | None = core.shortest_completion(core.start(self._basis.whole().expr), limit)
        return found

    def statistics(self) -> dict[str, int]:
        """Sizes of the engine that this grammar shares with others on its vocabulary.

        Returns
        -------
        dict of str to int
            States, configurations, bytes of rows, rows by how they were made, masks remembered and
            evicted and their bytes, trie nodes.
        """
        core = self._basis.core
        rows = ("row_bytes", "rows_cold", "rows_spliced", "rows_counted")
        masks = ("masks_stored", "masks_evicted", "mask_bytes")
        names = ("states", "configurations", *rows, *masks, "trie_nodes")
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
    return CompiledGrammar(basis_of(grammar, vocabulary, limits or Limits(), cancel))
