"""Vocabulary: the bytes of every token id, for every tokenizer family.

Law: the bytes of a sequence are the concatenation of the bytes of its ids; special tokens have none.
Source: the decoders of `tokenizers`, SentencePiece, tiktoken and Tekken.
"""

from __future__ import annotations

from gramspec.vocabulary.core import Vocabulary

__all__ = ["Vocabulary"]
