"""`Vocabulary`: token id to bytes, the end-of-sequence ids, the names of special tokens.

Law: decode(ids) is the concatenation of tokens[id]; equal content has equal fingerprints. O(V) to build.
Source: design, public API section 2.
"""

from __future__ import annotations

import hashlib
import operator
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from os import PathLike
from typing import Any

import numpy as np

from gramspec.vocabulary import hugging_face, sentence_piece, tekken, tiktoken_ranks
from gramspec.vocabulary.table import TokenTable, refusal, widen


class Vocabulary:
    """Bytes of every token id of a model. Immutable, picklable, compared by content.

    Parameters
    ----------
    tokens : Sequence of bytes or None
        Bytes of each id. None (or empty bytes) marks an id that is never allowed as text: gaps, padding of
        the model's head, special tokens. Several ids may share the same bytes; bytes need not be valid UTF-8.
    eos_ids : Sequence of int
        Ids that end a sequence; at least one. They have no bytes, whatever `tokens` says of them.
    special_tokens : Mapping of str to int, optional
        Special tokens by name; their ids have no bytes either.

    Raises
    ------
    VocabularyError
        If there are no tokens, no EOS id, an id out of range, or an entry of the wrong type.
    """

    def __init__(
        self,
        tokens: Sequence[bytes | None],
        eos_ids: Sequence[int],
        *,
        special_tokens: Mapping[str, int] | None = None,
    ) -> None:
        table = _checked_tokens(tokens)
        if not table:
            raise refusal("tokens", "a vocabulary needs at least one token")
        self._eos_ids = _checked_eos(eos_ids, len(table))
        self._special_tokens = _checked_special(special_tokens or {}, len(table))
        for token_id in (*self._eos_ids, *self._special_tokens.values()):
            table[token_id] = None
        self._tokens = tuple(table)

    @property
    def tokens(self) -> tuple[bytes | None, ...]:
        """Bytes of each id; None where an id stands for no bytes."""
        return self._tokens

    @property
    def eos_ids(self) -> tuple[int, ...]:
        """End-of-sequence ids, ascending, without repetition."""
        return self._eos_ids

    @property
    def special_tokens(self) -> dict[str, int]:
        """Special tokens: name to id (a copy)."""
        return dict(self._special_tokens)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over tokens, EOS ids and special tokens, in hexadecimal."""
        digest = hashlib.sha256(b"gramspec.Vocabulary/1")
        lengths = np.array([-1 if t is None else len(t) for t in self._tokens], dtype="<i8")
        digest.update(np.array([len(lengths), len(self._eos_ids)], dtype="<i8").tobytes())
        digest.update(lengths.tobytes())
        digest.update(b"".join(t for t in self._tokens if t is not None))
        digest.update(np.array(self._eos_ids, dtype="<i8").tobytes())
        for name, token_id in sorted(self._special_tokens.items()):
            encoded = name.encode("utf-8", "surrogatepass")
            digest.update(np.array([len(encoded), token_id], dtype="<i8").tobytes() + encoded)
        return digest.hexdigest()

    @cached_property
    def byte_complete(self) -> frozenset[int]:
        """Byte values that exist as a single-byte token."""
        return frozenset(t[0] for t in self._tokens if t is not None and len(t) == 1)

    def decode(self, ids: Iterable[int]) -> bytes:
        """Concatenate the bytes of `ids`; special tokens, EOS and gaps add nothing.

        Parameters
        ----------
        ids : Iterable of int
            Token ids.

        Returns
        -------
        bytes
            Not necessarily valid UTF-8: a sequence may stop within a character.

        Raises
        ------
        VocabularyError
            If an id is not in the vocabulary.
        """
        return b"".join(self._tokens[_checked_id(i, len(self._tokens), "ids")] or b"" for i in ids)

    def with_size(self, size: int) -> Vocabulary:
        """Return the same vocabulary with gaps appended up to `size` ids, for a wider model head.

        Parameters
        ----------
        size : int
            Width of the model's output rows; not below ``len(self)``.

        Returns
        -------
        Vocabulary
            This object itself if it already has that size.

        Raises
        ------
        VocabularyError
            If `size` is below ``len(self)``.
        """
        if size == len(self):
            return self
        return Vocabulary(
            widen(self._tokens, size, "with_size"), self._eos_ids, special_tokens=self._special_tokens
        )

    @classmethod
    def from_tokenizer(
        cls, tokenizer: Any, *, size: int | None = None, eos_ids: Sequence[int] | None = None
    ) -> Vocabulary:
        """Read any Transformers tokenizer whose tokens have bytes of their own.

        Byte-level, byte-fallback, Metaspace, WordPiece and plain fast tokenizers; SentencePiece-backed slow
        ones; the Mistral back-end; a bare ``tokenizers.Tokenizer``. Bytes are those a token adds *after*
        other tokens: the space that some decoders strip from the very first token of a text is kept.

        Parameters
        ----------
        tokenizer : transformers.PreTrainedTokenizerBase or tokenizers.Tokenizer
            The tokenizer.
        size : int, optional
            Width of the model's output rows where it exceeds the tokenizer; the ids beyond are gaps.
        eos_ids : Sequence of int, optional
            End-of-sequence ids, in place of the tokenizer's own ``eos_token_id`` (a model's generation
            configuration often lists several).

        Returns
        -------
        Vocabulary
            The vocabulary.

        Raises
        ------
        VocabularyError
            If the class is not one of these, its decoder gives tokens no bytes of their own, there is no EOS
            token, or `size` is too small.
        """
        return cls._from_table(hugging_face.read(tokenizer, size=size, eos_ids=eos_ids))

    @classmethod
    def from_tekken(
        cls, path: str | PathLike[str], *, size: int | None = None, eos_ids: Sequence[int] | None = None
    ) -> Vocabulary:
        """Read a Tekken file (``tekken.json``).

        Parameters
        ----------
        path : path-like
            The JSON file.
        size, eos_ids
            As in `from_tokenizer`; EOS is ``</s>`` unless given.

        Returns
        -------
        Vocabulary
            Special tokens first, then the ranks, ``default_vocab_size`` ids in all.

        Raises
        ------
        VocabularyError
            If the file cannot be read or is not a Tekken file.
        """
        return cls._from_table(tekken.read(path, size=size, eos_ids=eos_ids))

    @classmethod
    def from_sentencepiece(
        cls,
        path: str | PathLike[str] | Any,
        *,
        size: int | None = None,
        eos_ids: Sequence[int] | None = None,
    ) -> Vocabulary:
        """Read a SentencePiece model.

        Parameters
        ----------
        path : path-like or sentencepiece.SentencePieceProcessor
            The ``.model`` file, or a loaded processor.
        size, eos_ids
            As in `from_tokenizer`; EOS is the model's own unless given.

        Returns
        -------
        Vocabulary
            Control, unknown and unused pieces have no bytes.

        Raises
        ------
        VocabularyError
            If sentencepiece is not installed, the model cannot be read, it writes spaces after words, or it
            has no EOS.
        """
        return cls._from_table(sentence_piece.read(path, size=size, eos_ids=eos_ids))

    @classmethod
    def from_tiktoken(
        cls,
        encoding: Any,
        *,
        special_tokens: Mapping[str, int] | None = None,
        size: int | None = None,
        eos_ids: Sequence[int] | None = None,
    ) -> Vocabulary:
        """Read a ``tiktoken.Encoding`` or a table of mergeable ranks.

        Parameters
        ----------
        encoding : tiktoken.Encoding or Mapping of bytes to int
            The encoding, or its ranks.
        special_tokens : Mapping of str to int, optional
            Special tokens that go with bare ranks; an encoding brings its own.
        size, eos_ids
            As in `from_tokenizer`; EOS is ``<|endoftext|>`` unless given.

        Returns
        -------
        Vocabulary
            The vocabulary.

        Raises
        ------
        VocabularyError
            If `encoding` is neither, or there is no EOS token.
        """
        return cls._from_table(
            tiktoken_ranks.read(encoding, special_tokens=special_tokens, size=size, eos_ids=eos_ids)
        )

    @classmethod
    def _from_table(cls, table: TokenTable) -> Vocabulary:
        return cls(table.tokens, table.eos_ids, special_tokens=table.special_tokens)

    def __len__(self) -> int:
        return len(self._tokens)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Vocabulary):
            return NotImplemented
        return self is other or self.fingerprint == other.fingerprint

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def __repr__(self) -> str:
        spelled = sum(t is not None for t in self._tokens)
        return f"Vocabulary({len(self)} ids, {spelled} with bytes, eos_ids={list(self._eos_ids)})"


def _checked_tokens(tokens: Sequence[Any]) -> list[bytes | None]:
    if isinstance(tokens, (str, bytes, Mapping)):
        raise refusal("tokens", f"must be a sequence of bytes or None, not {type(tokens).__name__}")
    table: list[bytes | None] = []
    for i, token in enumerate(tokens):
        if token is None:
            table.append(None)
        elif isinstance(token, (bytes, bytearray)):
            table.append(bytes(token) or None)
        else:
            hint = "encode text first: token.encode()" if isinstance(token, str) else ""
            raise refusal(f"tokens[{i}]", f"must be bytes or None, not {type(token).__name__}", hint)
    return table


def _checked_eos(eos_ids: Any, size: int) -> tuple[int, ...]:
    if isinstance(eos_ids, (str, bytes, int)) or eos_ids is None:
        raise refusal(
            "eos_ids", f"must be a sequence of ids, not {type(eos_ids).__name__}", "write [2] for id 2"
        )
    checked = tuple(sorted({_checked_id(i, size, "eos_ids") for i in eos_ids}))
    if not checked:
        raise refusal("eos_ids", "missing EOS", "a sequence ends with an EOS token: give at least one id")
    return checked


def _checked_special(special_tokens: Mapping[str, int], size: int) -> dict[str, int]:
    checked: dict[str, int] = {}
    for name, token_id in special_tokens.items():
        if not isinstance(name, str) or not name:
            raise refusal("special_tokens", f"a name must be a non-empty str, not {name!r}")
        checked[name] = _checked_id(token_id, size, f"special_tokens[{name!r}]")
    return checked


def _checked_id(token_id: int, size: int, place: str) -> int:
    if type(token_id) is int:
        value = token_id
    else:
        if isinstance(token_id, (bool, np.bool_)):
            raise refusal(place, f"{token_id!r} is not a token id")
        try:
            value = operator.index(token_id)
        except TypeError:
            raise refusal(place, f"{token_id!r} is not a token id") from None
    if not 0 <= value < size:
        raise refusal(place, f"id {value} is outside 0..{size - 1}")
    return value
