"""Transformers tokenizers: fast ones by their decoder, SentencePiece-backed ones by their model.

Law: special tokens have no bytes; other added tokens are their own UTF-8 unless the model can emit them too.
Source: `tokenizers` (AddedVocabulary, Decoder), `transformers` 5 (TokenizersBackend, SentencePieceBackend).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from gramspec.vocabulary import sentence_piece
from gramspec.vocabulary.spelling import implied_decoder, spelling_of
from gramspec.vocabulary.table import TokenTable, refusal, table_from_pieces, widen


def read(tokenizer: Any, *, size: int | None, eos_ids: Sequence[int] | None) -> TokenTable:
    """Token table of a tokenizer object; dispatch on what it is made of."""
    place = type(tokenizer).__name__
    mistral = _mistral_tokenizer(tokenizer)
    if mistral is not None:
        return _read_mistral(mistral, size, eos_ids, place)
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None and type(tokenizer).__module__.partition(".")[0] == "tokenizers":
        backend = tokenizer
    if backend is not None and hasattr(backend, "get_added_tokens_decoder"):
        return _read_fast(tokenizer, backend, size, eos_ids, place)
    if hasattr(tokenizer, "sp_model") and hasattr(tokenizer, "convert_ids_to_tokens"):
        return _read_sentence_piece(tokenizer, size, eos_ids, place)
    raise refusal(
        place,
        "is not a tokenizer whose tokens have known bytes",
        "use the fast tokenizer (AutoTokenizer), or build the table yourself: Vocabulary(tokens, eos_ids)",
    )


def _own_eos(tokenizer: Any, place: str) -> list[int]:
    eos = getattr(tokenizer, "eos_token_id", None)
    if eos is None:
        token = getattr(tokenizer, "eos_token", None)
        reason = "the tokenizer has no eos_token" if token is None else f"eos_token {token!r} has no id"
        raise refusal(place, f"missing EOS: {reason}", "set tokenizer.eos_token, or pass eos_ids=[...]")
    return [eos] if isinstance(eos, int) else list(eos)


def _read_fast(
    tokenizer: Any, backend: Any, size: int | None, eos_ids: Sequence[int] | None, place: str
) -> TokenTable:
    eos = list(eos_ids) if eos_ids is not None else _own_eos(tokenizer, place)

    def state_of(component: Any) -> dict[str, Any] | None:
        return _state(component, place)

    decoder = state_of(backend.decoder)
    spell = spelling_of(decoder if decoder is not None else implied_decoder(backend, state_of), place)
    by_string = backend.get_vocab(with_added_tokens=False)
    strings = {token_id: string for string, token_id in by_string.items()}
    for token_id in range(backend.get_vocab_size(with_added_tokens=False)):
        if token_id not in strings:  # the same string under two ids, or no string at all
            string = backend.model.id_to_token(token_id)
            if string is not None:
                strings[token_id] = string
    pieces: dict[int, bytes | None] = {token_id: spell(string) for token_id, string in strings.items()}
    special: dict[str, int] = {}
    for token_id, added in backend.get_added_tokens_decoder().items():
        if added.special:
            special[added.content] = token_id
        elif by_string.get(added.content) != token_id:
            pieces[token_id] = added.content.encode()
    named = set(special.values())
    # A special token that was set but never added has no id: `all_special_ids` then holds None.
    for token_id in {*getattr(tokenizer, "all_special_ids", ()), *_unknown_ids(backend)} - {None} - named:
        special[backend.id_to_token(token_id)] = token_id
    return table_from_pieces(pieces, special, eos, size, place)


def _state(component: Any, place: str) -> dict[str, Any] | None:
    if component is None:
        return None
    try:
        state: dict[str, Any] = json.loads(component.__getstate__())
    except Exception as error:  # tokenizers raises bare Exception for a component written in Python
        raise refusal(
            place,
            f"its {type(component).__name__} is custom code",
            "build the table yourself: Vocabulary(tokens, eos_ids)",
        ) from error
    return state


def _unknown_ids(backend: Any) -> list[int]:
    """Id of the token a model writes for what it cannot spell: it stands for no bytes."""
    model = backend.model
    if type(model).__name__ == "Unigram":
        unknown = json.loads(backend.to_str())["model"]["unk_id"]
        return [] if unknown is None else [unknown]
    name = getattr(model, "unk_token", None)
    unknown = None if name is None else model.token_to_id(name)
    return [] if unknown is None else [unknown]


def _mistral_tokenizer(tokenizer: Any) -> Any | None:
    """The mistral_common tokenizer inside a Mistral back-end or `MistralTokenizer`, or `tokenizer` itself."""
    inner = tokenizer
    for attribute in ("tokenizer", "instruct_tokenizer", "tokenizer"):
        inner = getattr(inner, attribute, inner)
    is_mistral = type(inner).__module__.partition(".")[0] == "mistral_common"
    return inner if is_mistral and hasattr(inner, "n_words") else None


def _read_mistral(inner: Any, size: int | None, eos_ids: Sequence[int] | None, place: str) -> TokenTable:
    if not hasattr(inner, "id_to_byte_piece"):
        return sentence_piece.read(inner.file_path, size=size, eos_ids=eos_ids)
    special = {inner.id_to_piece(i): i for i in range(inner.n_words) if inner.is_special(i)}
    tokens = [inner.id_to_byte_piece(i) or None for i in range(inner.n_words)]
    return TokenTable(widen(tokens, size, place), eos_ids if eos_ids is not None else [inner.eos_id], special)


def _read_sentence_piece(
    tokenizer: Any, size: int | None, eos_ids: Sequence[int] | None, place: str
) -> TokenTable:
    """A slow tokenizer over a SentencePiece model, if it leaves the ids of the model as they are."""
    eos = list(eos_ids) if eos_ids is not None else _own_eos(tokenizer, place)
    model = tokenizer.sp_model
    count = model.get_piece_size()
    added = tokenizer.added_tokens_decoder
    mine = tokenizer.convert_ids_to_tokens(list(range(count)))
    for token_id, string in enumerate(mine):
        piece = model.id_to_piece(token_id)
        if token_id not in added and string != piece:
            raise refusal(
                place,
                f"renumbers its SentencePiece model: id {token_id} is {string!r}, not {piece!r}",
                "use the fast tokenizer of the same model",
            )
    table = sentence_piece.read_processor(model, size=None, eos_ids=eos, place=place)
    pieces = dict(enumerate(table.tokens))
    special = dict(table.special_tokens)
    for token_id, token in added.items():
        if token.special:
            special[token.content] = token_id
        elif token_id >= count or mine[token_id] != model.id_to_piece(token_id):
            pieces[token_id] = token.content.encode()
    return table_from_pieces(pieces, special, eos, size, place)
