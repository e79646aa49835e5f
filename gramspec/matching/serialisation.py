"""Compiled grammars as bytes: what `CompiledGrammar.to_bytes` and `from_bytes` do.

Law: masks after a round trip are equal bit for bit; bytes that were not written here give an error.
Cost: a pass over the stored expression, then that of loading it; no front end runs.
Source: API, section 3; docs/serialisation.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import gramspec
from gramspec.automaton.storing import (
    Reader,
    StoredGrammar,
    Writer,
    load_stored,
    pack,
    read_grammar,
    unpack,
    write_grammar,
)
from gramspec.errors import EmptyLanguageError, GrammarError, SerialisationError, VocabularyError
from gramspec.grammar.core import Grammar
from gramspec.limits import Limits
from gramspec.matching.basis import _FULL as FULL
from gramspec.matching.basis import Basis
from gramspec.matching.basis import _engine as engine_of
from gramspec.vocabulary import Vocabulary

if TYPE_CHECKING:
    from gramspec.matching.compiled import CompiledGrammar

_BYTES_A_NODE = 128  # of a body, for each node that the limits allow


def to_bytes(compiled: CompiledGrammar) -> bytes:
    """The bytes of a compiled grammar; see `CompiledGrammar.to_bytes`."""
    writer = Writer()
    vocabulary = compiled.vocabulary
    writer.words += (
        writer.string(gramspec.__version__),
        writer.string(vocabulary.fingerprint),
        *writer.count(len(vocabulary)),
    )
    write_grammar(writer, compiled.grammar)
    return pack(writer)


def stored_grammar(data: bytes, *, limits: Limits | None = None) -> Grammar:
    """The grammar in the bytes of a compiled one, whatever vocabulary it was compiled for.

    Raises
    ------
    SerialisationError
        If the bytes are malformed, damaged, of another format, or beyond the limits.
    """
    limits = limits or Limits()
    reader = unpack(data, limits.max_nodes * _BYTES_A_NODE)
    _read_origin(reader)
    stored = read_grammar(reader, limits)
    reader.end()
    stored.expressions.decode()
    return stored.grammar


def from_bytes(
    data: bytes, vocabulary: Vocabulary, *, limits: Limits, other_vocabulary: bool = False
) -> CompiledGrammar:
    """The compiled grammar of bytes; see `CompiledGrammar.from_bytes`."""
    from gramspec.matching.compiled import CompiledGrammar, compile

    reader = unpack(data, limits.max_nodes * _BYTES_A_NODE)
    version, fingerprint, size = _read_origin(reader)
    same = fingerprint == vocabulary.fingerprint
    if not same and not other_vocabulary:
        raise VocabularyError(
            f"the grammar was stored for another vocabulary, of {size} tokens ({fingerprint[:12]}…), not for"
            f" this one of {len(vocabulary)} ({vocabulary.fingerprint[:12]}…)\n"
            "  hint: compile it again, or pass other_vocabulary=True if the language of bytes is what counts"
        )
    stored = read_grammar(reader, limits)
    reader.end()
    if not stored.grammar.residuals:
        basis = _loaded(stored, vocabulary, limits)
        if basis is not None:
            return CompiledGrammar(basis)
    if stored.expressions.decode()[1] and not same:
        raise VocabularyError(
            "the grammar has token edges by id, which mean other tokens in this vocabulary\n"
            "  hint: name special tokens in the grammar, or compile it again"
        )
    try:
        return compile(stored.grammar, vocabulary, limits=limits)
    except EmptyLanguageError:
        raise
    except GrammarError as error:
        raise SerialisationError(
            "expression", f"it is none that gramspec {version} compiles: {error}"
        ) from error


def _loaded(stored: StoredGrammar, vocabulary: Vocabulary, limits: Limits) -> Basis | None:
    """The grammar inside the engine of the vocabulary, or in a fresh one if that has no room for it."""
    engine = engine_of(vocabulary, limits)
    used = engine.core.states > 2
    try:
        loaded = load_stored(engine, stored)
    except FULL:
        if not used:
            raise
        engine = engine_of(vocabulary, limits, instead_of=engine)
        loaded = load_stored(engine, stored)
    return None if loaded is None else Basis(stored.grammar, vocabulary, engine, loaded)


def _read_origin(reader: Reader) -> tuple[str, str, int]:
    """The version of gramspec, the fingerprint of the vocabulary and its size."""
    return reader.text(), reader.text(), reader.natural()
