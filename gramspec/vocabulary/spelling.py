"""Spelling: from the decoder of a fast tokenizer to a function token string -> bytes.

Law: decode(before + [token]) = decode(before) + spelling(token) for any non-empty `before`; decoders without
such a function (they look at neighbours, or at the end of the text) are refused by name.
Source: `tokenizers`, src/decoders (tokenizers 0.23).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from gramspec.errors import VocabularyError
from gramspec.vocabulary.table import refusal

Spelling = Callable[[str], bytes]
_Step = Callable[[str], str | bytes]

_BYTE_TOKEN = re.compile(r"<0x([0-9A-Fa-f]{2})>")
_HINT = "build the table yourself: Vocabulary(tokens, eos_ids)"


class _Progress(NamedTuple):
    """Where the decoder stands: are tokens joined already, are they bytes already."""

    joined: bool = False
    bytes_made: bool = False


def spelling_of(decoder: dict[str, Any], place: str) -> Spelling:
    """Compile a decoder, given as the JSON it serialises to.

    Parameters
    ----------
    decoder : dict
        ``{"type": ...}``; a sequence is flattened.
    place : str
        Name of the tokenizer, for errors.

    Returns
    -------
    callable
        Bytes that a token adds after other tokens.

    Raises
    ------
    VocabularyError
        If no such function exists for this decoder.
    """
    steps: list[_Step] = []
    progress = _Progress()
    for stage in _flatten(decoder):
        step, progress = _compile_stage(stage, progress, place)
        if step is not None:
            steps.append(step)

    def spell(token: str) -> bytes:
        value: str | bytes = token
        for step in steps:
            if isinstance(value, bytes):
                break
            value = step(value)
        return value if isinstance(value, bytes) else value.encode()

    return spell


def _flatten(decoder: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if decoder["type"] == "Sequence":
        for stage in decoder["decoders"]:
            yield from _flatten(stage)
    else:
        yield decoder


def _compile_stage(stage: dict[str, Any], progress: _Progress, place: str) -> tuple[_Step | None, _Progress]:
    kind = stage["type"]
    if kind == "Fuse":
        return None, progress._replace(joined=True)
    if kind == "Strip" and progress.joined:
        if stage["stop"]:
            raise _refused(place, "Strip at the end of the text")
        return None, progress  # takes away from the start of the text only
    if progress.bytes_made:
        raise _refused(place, f"{kind} after ByteLevel")
    if kind == "Replace" and "String" in stage["pattern"]:
        old, new = stage["pattern"]["String"], stage["content"]
        if progress.joined and len(old) != 1:
            raise _refused(place, f"Replace of {old!r} in joined text")
        return (lambda token: token.replace(old, new)), progress
    if progress.joined:
        raise _refused(place, f"{kind} in joined text")
    if kind == "ByteLevel":
        return byte_level_bytes, _Progress(joined=True, bytes_made=True)
    if kind == "ByteFallback":
        return _byte_fallback, progress
    if kind == "Metaspace":
        symbol = stage["replacement"]
        return (lambda token: token.replace(symbol, " ")), progress
    if kind in ("Replace", "WordPiece", "Strip"):
        return _library_step(stage), progress
    raise _refused(place, kind)


def _refused(place: str, what: str) -> VocabularyError:
    return refusal(place, f"its decoder ({what}) gives a token different bytes in different places", _HINT)


def _byte_level_table() -> dict[int, int]:
    """Code point -> byte of GPT-2; other code points below 256 go where Latin-1 cannot follow."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [b for b in range(256) if b not in set(printable)]
    table = dict.fromkeys(others, 0xFFFF) | {b: b for b in printable}
    return table | {256 + i: b for i, b in enumerate(others)}


_BYTE_LEVEL = _byte_level_table()


def byte_level_bytes(token: str) -> bytes:
    """Invert GPT-2's table; as in `tokenizers`, a token with any other character is its own UTF-8."""
    try:
        return token.translate(_BYTE_LEVEL).encode("latin-1")
    except UnicodeEncodeError:
        return token.encode()


def _byte_fallback(token: str) -> str | bytes:
    match = _BYTE_TOKEN.fullmatch(token)
    return bytes([int(match[1], 16)]) if match else token


def _library_step(stage: dict[str, Any]) -> _Step:
    """Run the library's own stage on one token that follows another."""
    from tokenizers import Regex, decoders

    if stage["type"] == "Replace":
        decoder = decoders.Replace(Regex(stage["pattern"]["Regex"]), stage["content"])
        return lambda token: decoder.decode([token])
    if stage["type"] == "Strip":
        stripper = decoders.Strip(stage["content"], stage["start"], stage["stop"])
        return lambda token: stripper.decode([token])
    word_piece = decoders.WordPiece(stage["prefix"], stage["cleanup"])
    return lambda token: word_piece.decode(["", token])


def implied_decoder(backend: Any, state_of: Callable[[Any], dict[str, Any] | None]) -> dict[str, Any]:
    """Decoder of a tokenizer that has none, from the way it cuts text.

    Parameters
    ----------
    backend : tokenizers.Tokenizer
        A tokenizer whose `decoder` is None; its own `decode` then writes tokens apart, with spaces between.
    state_of : callable
        JSON of a component of the tokenizer; None where there is no component.

    Returns
    -------
    dict
        The inverse of its pre-tokenizer and normalizer; without any, tokens stand for their own characters.
    """
    cuts = list(_components(state_of(backend.pre_tokenizer), "pretokenizers"))
    if any(c["type"] == "ByteLevel" for c in cuts):
        return {"type": "ByteLevel"}
    prefix = getattr(backend.model, "continuing_subword_prefix", None)
    if prefix and type(backend.model).__name__ == "WordPiece":
        return {"type": "WordPiece", "prefix": prefix, "cleanup": False}
    stages = [c for c in cuts if c["type"] == "Metaspace"][:1]
    for change in _components(state_of(backend.normalizer), "normalizers"):
        if change["type"] == "Replace" and change["pattern"] == {"String": " "}:
            stages.append({"type": "Replace", "pattern": {"String": change["content"]}, "content": " "})
    if getattr(backend.model, "byte_fallback", False):
        stages.append({"type": "ByteFallback"})
    return {"type": "Sequence", "decoders": [*stages, {"type": "Fuse"}]}


def _components(state: dict[str, Any] | None, field: str) -> Iterator[dict[str, Any]]:
    if state is None:
        return
    if state["type"] == "Sequence":
        for part in state[field]:
            yield from _components(part, field)
    else:
        yield state
