"""Tekken files against mistral_common's own Tekkenizer, and as a Transformers tokenizer.

Law: the bytes of every id equal `Tekkenizer.id_to_byte_piece`.
Source: mistral_common 1.13, transformers 5.
"""

from __future__ import annotations

import base64
import json
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from vocabulary_texts import TEXTS, mistral_file, random_runs

from gramspec.errors import VocabularyError
from gramspec.vocabulary import Vocabulary

pytest.importorskip("mistral_common")

FILE = mistral_file("tekken_240911.json")


@pytest.fixture(scope="module")
def tekken() -> Vocabulary:
    return Vocabulary.from_tekken(FILE)


@pytest.fixture(scope="module")
def tekkenizer() -> Any:
    from mistral_common.tokens.tokenizers.tekken import Tekkenizer

    return Tekkenizer.from_file(FILE)


def test_every_id(tekken: Vocabulary, tekkenizer: Any) -> None:
    assert len(tekken) == tekkenizer.n_words == 131_072
    assert [t or b"" for t in tekken.tokens] == [tekkenizer.id_to_byte_piece(i) for i in range(131_072)]
    assert tekken.special_tokens == {tekkenizer.id_to_piece(i): i for i in tekkenizer.special_ids}
    assert len(tekken.special_tokens) == 1000
    assert tekken.eos_ids == (tekkenizer.eos_id,)
    assert tekken.byte_complete == set(range(256))


def test_random_ids_and_texts(tekken: Vocabulary, tekkenizer: Any) -> None:
    for ids in random_runs(range(131_072), runs=300, length=40):
        # The library decodes the runs between special tokens apart; joined bytes compare without them.
        plain = [i for i in ids if i >= 1000]
        assert tekken.decode(ids).decode(errors="replace") == tekkenizer.decode(plain)
    for text in TEXTS:
        ids = tekkenizer.encode(text, bos=True, eos=True)
        assert tekken.decode(ids) == text.encode()


def test_invalid_utf8_tokens_are_kept_apart(tekken: Vocabulary) -> None:
    broken = 0
    for token in tekken.tokens:
        try:
            (token or b"").decode()
        except UnicodeDecodeError:
            broken += 1
    assert broken > 700
    assert len({t for t in tekken.tokens if t is not None}) == 130_072


def test_reading_is_fast() -> None:
    begin = time.process_time()
    Vocabulary.from_tekken(FILE)
    assert time.process_time() - begin < 1.0


def test_as_transformers_tokenizer(tekken: Vocabulary, tekkenizer: Any, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    shutil.copy(FILE, tmp_path / "tekken.json")
    fast = transformers.PreTrainedTokenizerFast.from_pretrained(tmp_path)
    with pytest.raises(VocabularyError, match=r"missing EOS: the tokenizer has no eos_token\n  hint: set"):
        Vocabulary.from_tokenizer(fast)
    fast.eos_token = "</s>"
    vocabulary = Vocabulary.from_tokenizer(fast)
    assert vocabulary.tokens == tekken.tokens
    assert vocabulary.eos_ids == tekken.eos_ids
    assert {"<s>", "</s>", "[INST]", "<pad>"} <= vocabulary.special_tokens.keys()


def test_mistral_back_end_is_read_through_its_bytes(
    tekken: Vocabulary, tekkenizer: Any, tmp_path: Path
) -> None:
    transformers = pytest.importorskip("transformers")
    shutil.copy(FILE, tmp_path / "tekken.json")
    slow = transformers.MistralCommonBackend.from_pretrained(tmp_path)
    assert Vocabulary.from_tokenizer(slow) == tekken
    assert Vocabulary.from_tokenizer(tekkenizer, eos_ids=[2, 4]).eos_ids == (2, 4)


def small_file(path: Path, **changes: Any) -> Path:
    vocab = [
        {"rank": i, "token_bytes": base64.b64encode(piece).decode(), "token_str": None}
        for i, piece in enumerate([bytes([b]) for b in range(256)] + [b"ab", "é".encode(), b"unused"])
    ]
    document: dict[str, Any] = {
        "config": {"default_vocab_size": 262, "default_num_special_tokens": 4, "version": "v11"},
        "vocab": vocab,
        "special_tokens": [
            {"rank": 0, "token_str": "<unk>", "is_control": True},
            {"rank": 1, "token_str": "<s>", "is_control": True},
            {"rank": 3, "token_str": "</s>", "is_control": True},
        ],
    }
    document["config"] |= changes.pop("config", {})
    document = {k: v for k, v in (document | changes).items() if v is not None}
    file = path / "tekken.json"
    file.write_text(json.dumps(document))
    return file


def test_listed_special_tokens_and_fillers(tmp_path: Path) -> None:
    v = Vocabulary.from_tekken(small_file(tmp_path))
    assert v.special_tokens == {"<unk>": 0, "<s>": 1, "<SPECIAL_2>": 2, "</s>": 3}
    assert len(v) == 262
    assert v.eos_ids == (3,)
    assert v.tokens[:5] == (None, None, None, None, b"\x00")
    assert v.tokens[-2:] == (b"ab", "é".encode())


def test_size_and_eos(tmp_path: Path) -> None:
    v = Vocabulary.from_tekken(str(small_file(tmp_path)), size=300, eos_ids=[2, 3])
    assert len(v) == 300
    assert v.eos_ids == (2, 3)
    assert set(v.tokens[262:]) == {None}
    with pytest.raises(VocabularyError, match="size 261 is smaller"):
        Vocabulary.from_tekken(small_file(tmp_path), size=261)


def without_eos() -> list[dict[str, Any]]:
    return [{"rank": 0, "token_str": "<unk>", "is_control": True}]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"vocab": None}, "is not a Tekken file: KeyError: 'vocab'"),
        ({"config": {"default_vocab_size": None}}, "is not a Tekken file: TypeError"),
        ({"config": {"default_vocab_size": 500}}, "/vocab: has 259 entries, but .* asks for 496"),
        ({"config": {"default_num_special_tokens": 2}}, "/special_tokens: does not fit"),
        ({"special_tokens": None}, "version 'v11' must list its special_tokens"),
        ({"special_tokens": without_eos()}, r"missing EOS: no special token '</s>'\n  hint: pass eos_ids"),
        ({"special_tokens": without_eos() * 2}, "two entries have the same token_str"),
        ({"vocab": [{"rank": 0, "token_bytes": "?", "token_str": None}]}, "has 1 entries"),
        (
            {"vocab": [{"rank": 1, "token_bytes": "YQ==", "token_str": None}] * 300},
            "not in the order of their rank",
        ),
        (
            {"vocab": [{"rank": 0, "token_bytes": "YQ", "token_str": None}] * 300},
            "is not a Tekken file: Error",
        ),
    ],
)
def test_malformed_files(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(VocabularyError, match=message):
        Vocabulary.from_tekken(small_file(tmp_path, **changes))


@pytest.mark.parametrize("content", ["", "[1]", "{}", "nothing"])
def test_other_files(tmp_path: Path, content: str) -> None:
    file = tmp_path / "tekken.json"
    file.write_text(content)
    with pytest.raises(VocabularyError, match=r"tekken\.json: (is not|cannot be read as) a Tekken file"):
        Vocabulary.from_tekken(file)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(VocabularyError, match=r"cannot be read as a Tekken file: .*No such file"):
        Vocabulary.from_tekken(tmp_path / "absent.json")
