"""Token tables: what every tokenizer reader returns, and how ids become positions.

Law: position i of a table is id i; ids without bytes (special, unused, padding of the head) are None.
Source: none needed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from gramspec.errors import VocabularyError


class TokenTable(NamedTuple):
    """Plain content of a vocabulary, not validated.

    Parameters
    ----------
    tokens : Sequence of bytes or None
        Bytes of each id; None for an id that stands for no bytes.
    eos_ids : Sequence of int
        Ids that end a sequence.
    special_tokens : Mapping of str to int
        Name of each special token and its id.
    """

    tokens: Sequence[bytes | None]
    eos_ids: Sequence[int]
    special_tokens: Mapping[str, int]


def refusal(place: str, reason: str, hint: str = "") -> VocabularyError:
    """`VocabularyError` that names the place, the reason and, where there is one, the way out."""
    return VocabularyError(f"{place}: {reason}" + (f"\n  hint: {hint}" if hint else ""))


def table_from_pieces(
    pieces: Mapping[int, bytes | None],
    special_tokens: Mapping[str, int],
    eos_ids: Iterable[int],
    size: int | None,
    place: str,
) -> TokenTable:
    """Lay out ids in order; ids nobody mentions, up to `size`, are gaps. O(size)."""
    highest = max([*pieces, *special_tokens.values()], default=-1)
    tokens: list[bytes | None] = [None] * (highest + 1)
    for token_id, piece in pieces.items():
        tokens[token_id] = piece
    for token_id in special_tokens.values():
        tokens[token_id] = None
    return TokenTable(widen(tokens, size, place), list(eos_ids), dict(special_tokens))


def widen(tokens: Sequence[bytes | None], size: int | None, place: str) -> list[bytes | None]:
    """Append gaps up to `size`; a size below the highest id is refused."""
    if size is None:
        return list(tokens)
    if isinstance(size, bool) or not isinstance(size, int):
        raise refusal(place, f"size must be an int, not {type(size).__name__}")
    if size < len(tokens):
        raise refusal(
            place,
            f"size {size} is smaller than highest id + 1 = {len(tokens)}",
            "pass the width of the model's output rows, which covers every token id",
        )
    return [*tokens, *[None] * (size - len(tokens))]
