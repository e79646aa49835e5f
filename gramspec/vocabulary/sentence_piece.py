"""SentencePiece models: byte pieces, and the meta symbol read as a space.

Law: pieces of type control, unknown and unused have no bytes; a byte piece and a normal piece may coincide.
Source: sentencepiece, `SentencePieceProcessor::Decode` (the space it strips at the start of a text is kept).
"""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from gramspec.vocabulary.table import TokenTable, refusal, widen

META_SYMBOL = "\N{LOWER ONE EIGHTH BLOCK}"


def read(path: str | PathLike[str] | Any, *, size: int | None, eos_ids: Sequence[int] | None) -> TokenTable:
    """Token table of a SentencePiece model file or of a loaded processor."""
    if isinstance(path, (str, PathLike)):
        place = fspath(path)
        processor = _load(place)
    elif hasattr(path, "id_to_piece") and hasattr(path, "is_byte"):
        place, processor = type(path).__name__, path
    else:
        raise refusal(
            type(path).__name__, "is neither the path of a SentencePiece model nor a SentencePieceProcessor"
        )
    return read_processor(processor, size=size, eos_ids=eos_ids, place=place)


def read_processor(
    processor: Any, *, size: int | None, eos_ids: Sequence[int] | None, place: str
) -> TokenTable:
    """Token table of a loaded processor; O(V) calls."""
    if "".join(processor.encode("a b", out_type=str)).endswith(META_SYMBOL):
        raise refusal(
            place,
            "the model writes spaces after words and drops the last, so a token's bytes depend on its place",
        )
    if eos_ids is None:
        if processor.eos_id() < 0:
            raise refusal(place, "missing EOS: the model defines no eos piece", "pass eos_ids=[...]")
        eos_ids = [processor.eos_id()]
    tokens: list[bytes | None] = []
    special_tokens: dict[str, int] = {}
    for token_id in range(processor.get_piece_size()):
        piece = processor.id_to_piece(token_id)
        if processor.is_byte(token_id):
            tokens.append(bytes([int(piece[3:5], 16)]))
        elif processor.is_control(token_id) or processor.is_unknown(token_id):
            special_tokens[piece] = token_id
            tokens.append(None)
        elif processor.is_unused(token_id):
            tokens.append(None)
        else:
            tokens.append(piece.replace(META_SYMBOL, " ").encode())
    return TokenTable(widen(tokens, size, place), eos_ids, special_tokens)


def _load(place: str) -> Any:
    try:
        import sentencepiece
    except ImportError as error:
        raise refusal(
            place, "reading a SentencePiece model needs sentencepiece", "pip install 'gramspec[tokenizers]'"
        ) from error
    try:
        content = Path(place).read_bytes()
        if not content:  # the library would leave the processor unset without an error
            raise ValueError("the file is empty")
        return sentencepiece.SentencePieceProcessor(model_proto=content)
    except (OSError, RuntimeError, ValueError) as error:
        raise refusal(place, f"cannot be read as a SentencePiece model: {error}") from error
