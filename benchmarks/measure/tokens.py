"""The tokens of a run: bytes of every id and the encoder, whole or cut to a smaller vocabulary.

Law: every engine gets the same table; a cut keeps the special ids and the first merges, so it is a byte-pair
encoding of its own and every text still has tokens.
Source: Tekken files, as `mistral_common` ships one (ids = special ids, then ranks of the merges).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path


@dataclass(frozen=True)
class TokenTable:
    """Bytes of each id (None: a special token), and what encoders need besides."""

    tokens: tuple[bytes | None, ...]
    specials: dict[str, int]
    eos: int
    pattern: str  # splits a text before merging

    def __len__(self) -> int:
        return len(self.tokens)

    def ranks(self) -> dict[bytes, int]:
        """Mergeable tokens with their ids, which grow with their rank."""
        return {token: i for i, token in enumerate(self.tokens) if token is not None}

    def encoder(self) -> Callable[[str], list[int]]:
        """Text to ids, without special tokens."""
        from tiktoken import Encoding

        first = next(i for i, token in enumerate(self.tokens) if token is not None)
        ranks = {token: i - first for token, i in self.ranks().items()}
        encoding = Encoding("cut", pat_str=self.pattern, mergeable_ranks=ranks, special_tokens={})
        return lambda text: [first + rank for rank in encoding.encode_ordinary(text)]


def default_file() -> Path:
    """The Tekken file of 131,072 ids in the package `mistral_common`."""
    return Path(str(resources.files("mistral_common") / "data" / "tekken_240911.json"))


def tekken(path: Path, size: int | None = None) -> TokenTable:
    """Read a Tekken file; `size` keeps that many ids in all."""
    data = json.loads(path.read_text(encoding="utf-8"))
    config = data["config"]
    count = int(config["default_num_special_tokens"])
    whole = int(config["default_vocab_size"])
    size = min(size or whole, whole)
    if size < count + 256:
        raise ValueError(f"a vocabulary of {size} ids has no room for {count} special ids and 256 bytes")
    names = {int(token["rank"]): str(token["token_str"]) for token in data.get("special_tokens") or ()}
    specials = {names.get(i, f"<SPECIAL_{i}>"): i for i in range(count)}
    tokens = [base64.b64decode(token["token_bytes"]) for token in data["vocab"][: size - count]]
    eos = specials.get("</s>", 2)
    return TokenTable((None,) * count + tuple(tokens), specials, eos, config["pattern"])
