"""tiktoken encodings and bare rank tables: bytes are given, only the layout is ours.

Cost: one look-up per id.
Source: tiktoken, `Encoding.decode_single_token_bytes`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gramspec.vocabulary.table import TokenTable, refusal, table_from_pieces

_EOS = "<|endoftext|>"


def read(
    encoding: Any,
    *,
    special_tokens: Mapping[str, int] | None,
    size: int | None,
    eos_ids: Sequence[int] | None,
) -> TokenTable:
    """Token table of an encoding or of a mapping bytes to rank."""
    place = f"{type(encoding).__name__} {getattr(encoding, 'name', '')}".strip()
    pieces: dict[int, bytes | None]
    if isinstance(encoding, Mapping):
        pieces = _ranks(encoding, place)
        special = dict(special_tokens or {})
        if any(isinstance(i, bool) or not isinstance(i, int) or i < 0 for i in special.values()):
            raise refusal("special_tokens", "every id must be a non-negative int")
    elif all(hasattr(encoding, a) for a in ("n_vocab", "special_tokens_set", "decode_single_token_bytes")):
        if special_tokens is not None:
            raise refusal(place, "brings its own special tokens", "leave special_tokens out")
        special = {name: encoding.encode_single_token(name) for name in sorted(encoding.special_tokens_set)}
        pieces = _encoding_pieces(encoding)
    else:
        raise refusal(
            place,
            "is neither a tiktoken.Encoding nor a mapping of bytes to rank",
            "pass tiktoken.get_encoding(name)",
        )
    if eos_ids is None:
        if _EOS not in special:
            raise refusal(place, f"missing EOS: no special token {_EOS!r}", "pass eos_ids=[...]")
        eos_ids = [special[_EOS]]
    return table_from_pieces(pieces, special, eos_ids, size, place)


def _ranks(ranks: Mapping[Any, Any], place: str) -> dict[int, bytes | None]:
    pieces: dict[int, bytes | None] = {}
    for piece, rank in ranks.items():
        if not isinstance(piece, bytes) or isinstance(rank, bool) or not isinstance(rank, int) or rank < 0:
            raise refusal(place, f"entry {piece!r}: {rank!r} is not bytes: non-negative int")
        if rank in pieces:
            raise refusal(place, f"rank {rank} is given to both {pieces[rank]!r} and {piece!r}")
        pieces[rank] = piece
    return pieces


def _encoding_pieces(encoding: Any) -> dict[int, bytes | None]:
    pieces: dict[int, bytes | None] = {}
    for token_id in range(encoding.n_vocab):
        try:
            pieces[token_id] = encoding.decode_single_token_bytes(token_id)
        except KeyError:  # an id between the ranks and the special tokens that nothing uses
            pieces[token_id] = None
    return pieces
