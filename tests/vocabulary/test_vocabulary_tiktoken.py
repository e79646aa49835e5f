"""tiktoken encodings, built here from a small rank table.

Law: the bytes of ids equal `Encoding.decode_bytes`.
Source: tiktoken 0.14.
"""

from __future__ import annotations

from typing import Any

import pytest
from vocabulary_texts import TEXTS, random_runs

from gramspec.errors import VocabularyError
from gramspec.vocabulary import Vocabulary

tiktoken = pytest.importorskip("tiktoken")

PIECES = [bytes([b]) for b in range(256)] + [
    b" t",
    b"he",
    b" the",
    b'":',
    b" \xf0\x9f",
    b"\x9f\x91",
    b"\xe6\x97",
]
RANKS = {piece: rank for rank, piece in enumerate(PIECES)}
SPECIAL = {"<|endoftext|>": 270, "<|fim|>": 272}


@pytest.fixture(scope="module")
def encoding() -> Any:
    return tiktoken.Encoding("small", pat_str=r"\s*\S+|\s+", mergeable_ranks=RANKS, special_tokens=SPECIAL)


def test_encoding(encoding: Any) -> None:
    v = Vocabulary.from_tiktoken(encoding)
    assert len(v) == encoding.n_vocab == 273
    assert v.eos_ids == (270,)
    assert v.special_tokens == SPECIAL
    assert v.tokens[: len(PIECES)] == tuple(PIECES)
    assert set(v.tokens[len(PIECES) :]) == {None}
    for ids in random_runs(range(len(PIECES)), runs=200, length=30):
        assert v.decode(ids) == encoding.decode_bytes(ids)
    for text in TEXTS:
        assert v.decode(encoding.encode(text)) == text.encode()
    assert any(i >= 256 for text in TEXTS for i in encoding.encode(text))


def test_ranks() -> None:
    v = Vocabulary.from_tiktoken(RANKS, special_tokens=SPECIAL)
    assert len(v) == 273
    assert v.eos_ids == (270,)
    assert Vocabulary.from_tiktoken(RANKS, eos_ids=[264], size=265).eos_ids == (264,)
    assert Vocabulary.from_tiktoken(RANKS, special_tokens=SPECIAL, size=300).tokens[273:] == (None,) * 27


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        (RANKS, {}, r"missing EOS: no special token '<\|endoftext\|>'\n  hint: pass eos_ids"),
        (RANKS, {"eos_ids": [500]}, r"eos_ids: id 500 is outside 0\.\.262"),
        (RANKS, {"special_tokens": SPECIAL, "size": 272}, "size 272 is smaller than highest id"),
        (
            RANKS,
            {"special_tokens": {"<|endoftext|>": -1}},
            "special_tokens: every id must be a non-negative int",
        ),
        ({b"a": 0, b"b": 0}, {"eos_ids": [0]}, "rank 0 is given to both b'a' and b'b'"),
        ({"a": 0}, {"eos_ids": [0]}, "entry 'a': 0 is not bytes: non-negative int"),
        ({b"a": -1}, {"eos_ids": [0]}, "entry b'a': -1 is not bytes"),
        ("cl100k_base", {}, "is neither a tiktoken.Encoding nor"),
        ({}, {"eos_ids": []}, "tokens: a vocabulary needs at least one token"),
    ],
)
def test_refusals(source: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(VocabularyError, match=message):
        Vocabulary.from_tiktoken(source, **options)


def test_encoding_refusals() -> None:
    bare = tiktoken.Encoding("bare", pat_str=r"\S+|\s+", mergeable_ranks=RANKS, special_tokens={})
    with pytest.raises(VocabularyError, match="Encoding bare: missing EOS"):
        Vocabulary.from_tiktoken(bare)
    assert Vocabulary.from_tiktoken(bare, eos_ids=[262]).tokens[262] is None
    with pytest.raises(VocabularyError, match="brings its own special tokens"):
        Vocabulary.from_tiktoken(bare, special_tokens=SPECIAL)
