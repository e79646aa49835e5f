"""Tekken files: special tokens first, then byte ranks shifted by their number.

Cost: one JSON parse of 150,000 entries, about a third of a second.
Source: mistral_common, `Tekkenizer.from_file` (layout of the file and names of implied special tokens).
"""

from __future__ import annotations

import binascii
import json
from collections.abc import Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from gramspec.vocabulary.table import TokenTable, refusal, widen

# Files up to version v7 may leave the list out; it is then this one.
_IMPLIED_SPECIAL_TOKENS = (
    "<unk>",
    "<s>",
    "</s>",
    "[INST]",
    "[/INST]",
    "[AVAILABLE_TOOLS]",
    "[/AVAILABLE_TOOLS]",
    "[TOOL_RESULTS]",
    "[/TOOL_RESULTS]",
    "[TOOL_CALLS]",
    "[IMG]",
    "<pad>",
    "[IMG_BREAK]",
    "[IMG_END]",
    "[PREFIX]",
    "[MIDDLE]",
    "[SUFFIX]",
    "[SYSTEM_PROMPT]",
    "[/SYSTEM_PROMPT]",
    "[TOOL_CONTENT]",
)
_VERSIONS_WITH_IMPLIED = ("v1", "v2", "v3", "v7")
_EOS = "</s>"


def read(path: str | PathLike[str], *, size: int | None, eos_ids: Sequence[int] | None) -> TokenTable:
    """Token table of a Tekken file."""
    place = fspath(path)
    try:
        document = json.loads(Path(path).read_bytes())
    except (OSError, ValueError) as error:
        raise refusal(place, f"cannot be read as a Tekken file: {error}") from error
    try:
        config = document["config"]
        vocab_size = int(config["default_vocab_size"])
        special_count = int(config["default_num_special_tokens"])
        special_tokens = _special_tokens(document, special_count, place)
        ranks = _ranks(document["vocab"], vocab_size - special_count, place)
    except (KeyError, TypeError, binascii.Error) as error:
        raise refusal(place, f"is not a Tekken file: {type(error).__name__}: {error}") from error
    if eos_ids is None:
        if _EOS not in special_tokens:
            raise refusal(place, f"missing EOS: no special token {_EOS!r}", "pass eos_ids=[...]")
        eos_ids = [special_tokens[_EOS]]
    tokens: list[bytes | None] = [None] * special_count
    tokens.extend(ranks)
    return TokenTable(widen(tokens, size, place), eos_ids, special_tokens)


def _special_tokens(document: dict[str, Any], count: int, place: str) -> dict[str, int]:
    listed = document.get("special_tokens")
    if listed is None:
        version = document["config"].get("version")
        if version not in _VERSIONS_WITH_IMPLIED:
            raise refusal(place, f"version {version!r} must list its special_tokens")
        named = {name: i for i, name in enumerate(_IMPLIED_SPECIAL_TOKENS)}
    else:
        named = {entry["token_str"]: int(entry["rank"]) for entry in listed}
        if len(named) != len(listed):
            raise refusal(f"{place}: /special_tokens", "two entries have the same token_str")
    if len(named) > count or any(not 0 <= i < count for i in named.values()):
        raise refusal(f"{place}: /special_tokens", f"does not fit default_num_special_tokens = {count}")
    fillers = sorted(set(range(count)) - set(named.values()))
    return named | {f"<SPECIAL_{i}>": i for i in fillers}


def _ranks(vocab: list[dict[str, Any]], count: int, place: str) -> list[bytes]:
    if not 0 <= count <= len(vocab):
        raise refusal(
            f"{place}: /vocab", f"has {len(vocab)} entries, but default_vocab_size asks for {count}"
        )
    ranks = [binascii.a2b_base64(entry["token_bytes"]) for entry in vocab[:count]]
    if any(entry["rank"] != i for i, entry in enumerate(vocab[:count])):
        raise refusal(f"{place}: /vocab", "entries are not in the order of their rank")
    return ranks
