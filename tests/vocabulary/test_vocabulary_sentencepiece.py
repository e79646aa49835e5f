"""SentencePiece models against sentencepiece itself and against Transformers.

Law: after a first piece, the text that ids add equals their bytes.
Source: sentencepiece 0.2.
"""

from __future__ import annotations

import io
import shutil
import sys
from collections import Counter
from pathlib import Path
from typing import Any, ClassVar

import pytest
from vocabulary_texts import TEXTS, addition, mistral_file, random_runs

from gramspec.errors import VocabularyError
from gramspec.vocabulary import Vocabulary

spm = pytest.importorskip("sentencepiece")
pytest.importorskip("mistral_common")

V1 = mistral_file("tokenizer.model.v1")
V3 = mistral_file("mistral_instruct_tokenizer_240323.model.v3")


@pytest.fixture(scope="module", params=[V1, V3], ids=["v1", "v3"])
def pair(request: pytest.FixtureRequest) -> tuple[Vocabulary, Any]:
    return Vocabulary.from_sentencepiece(request.param), spm.SentencePieceProcessor(
        model_file=str(request.param)
    )


def test_random_ids(pair: tuple[Vocabulary, Any]) -> None:
    vocabulary, model = pair
    assert len(vocabulary) == model.get_piece_size()
    spelled = [i for i, t in enumerate(vocabulary.tokens) if t is not None]
    anchor = model.piece_to_id("a")
    for ids in random_runs(spelled, runs=300, length=40):
        assert vocabulary.decode(ids).decode(errors="replace") == addition(model.decode, anchor, ids)


def test_texts(pair: tuple[Vocabulary, Any]) -> None:
    vocabulary, model = pair
    for text in TEXTS:
        # Byte fallback makes the round trip exact; the dummy space in front is the model's.
        assert vocabulary.decode(model.encode(text)) == b" " + text.encode()


def test_special_pieces_bytes_and_duplicates() -> None:
    v = Vocabulary.from_sentencepiece(V3)
    model = spm.SentencePieceProcessor(model_file=str(V3))
    controls = {i for i in range(len(v)) if model.is_control(i)}
    assert {i for i, t in enumerate(v.tokens) if t is None} == controls | {model.unk_id()}
    assert v.special_tokens["[INST]"] == 3
    assert v.eos_ids == (model.eos_id(),)
    assert v.byte_complete == set(range(256))
    counts = Counter(t for t in v.tokens if t is not None)
    assert counts[b"A"] == 2
    assert sum(n > 1 for n in counts.values()) > 100


def test_processor_size_and_eos() -> None:
    model = spm.SentencePieceProcessor(model_file=str(V1))
    v = Vocabulary.from_sentencepiece(model, size=32_064, eos_ids=[2, 1])
    assert len(v) == 32_064
    assert v.eos_ids == (1, 2)
    assert set(v.tokens[32_000:]) == {None}
    with pytest.raises(VocabularyError, match="size 31999 is smaller"):
        Vocabulary.from_sentencepiece(model, size=31_999)


def trained(**options: Any) -> Any:
    stream = io.BytesIO()
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter(["a man a plan a canal", "the cat sat on the mat", "hello world"] * 20),
        model_writer=stream,
        vocab_size=60,
        hard_vocab_limit=False,
        minloglevel=2,
        num_threads=1,
        **options,
    )
    return spm.SentencePieceProcessor(model_proto=stream.getvalue())


def test_user_defined_pieces_are_text() -> None:
    model = trained(user_defined_symbols=["<tool>"], control_symbols=["<ctl>"])
    v = Vocabulary.from_sentencepiece(model)
    assert v.tokens[model.piece_to_id("<tool>")] == b"<tool>"
    assert v.tokens[model.piece_to_id("<ctl>")] is None
    assert v.special_tokens == {"<unk>": 0, "<s>": 1, "</s>": 2, "<ctl>": model.piece_to_id("<ctl>")}
    ids = model.encode("hello <tool> cat")
    assert v.decode(ids).decode() == " " + model.decode(ids)


def test_model_without_eos() -> None:
    model = trained(eos_id=-1)
    with pytest.raises(
        VocabularyError, match=r"missing EOS: the model defines no eos piece\n  hint: pass eos_ids"
    ):
        Vocabulary.from_sentencepiece(model)
    assert Vocabulary.from_sentencepiece(model, eos_ids=[1]).eos_ids == (1,)


def test_spaces_after_words_are_refused() -> None:
    with pytest.raises(VocabularyError, match="writes spaces after words"):
        Vocabulary.from_sentencepiece(trained(treat_whitespace_as_suffix=True))


def test_bad_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(VocabularyError, match=r"cannot be read as a SentencePiece model: .*No such file"):
        Vocabulary.from_sentencepiece(tmp_path / "absent.model")
    for content in (b"", b"not a model"):
        (tmp_path / "bad.model").write_bytes(content)
        with pytest.raises(VocabularyError, match=r"bad\.model: cannot be read as a SentencePiece model"):
            Vocabulary.from_sentencepiece(tmp_path / "bad.model")
    with pytest.raises(VocabularyError, match="int: is neither the path of a SentencePiece model"):
        Vocabulary.from_sentencepiece(7)
    monkeypatch.setitem(sys.modules, "sentencepiece", None)
    with pytest.raises(
        VocabularyError, match=r"needs sentencepiece\n  hint: pip install 'gramspec\[tokenizers\]'"
    ):
        Vocabulary.from_sentencepiece(V1)


def test_slow_tokenizer_of_transformers() -> None:
    pytest.importorskip("transformers")
    from transformers.tokenization_utils_sentencepiece import SentencePieceBackend

    class Plain(SentencePieceBackend):
        vocab_files_names: ClassVar = {"vocab_file": "tokenizer.model"}

    slow = Plain(vocab_file=str(V1), unk_token="<unk>", bos_token="<s>", eos_token="</s>")
    assert Vocabulary.from_tokenizer(slow) == Vocabulary.from_sentencepiece(V1)
    slow.add_tokens(["<tool_call>"])
    slow.add_tokens(["<|im_end|>"], special_tokens=True)
    v = Vocabulary.from_tokenizer(slow, size=32_010)
    assert v.tokens[32_000:] == (b"<tool_call>", None) + (None,) * 8
    assert v.special_tokens["<|im_end|>"] == 32_001
    assert v.eos_ids == (2,)

    class Renumbered(Plain):
        def _convert_id_to_token(self, index: int) -> str:
            return super()._convert_id_to_token((index + 1) % 32_000)

    moved = Renumbered(vocab_file=str(V1), unk_token="<unk>", bos_token="<s>", eos_token="</s>")
    with pytest.raises(VocabularyError, match="Renumbered: renumbers its SentencePiece model: id"):
        Vocabulary.from_tokenizer(moved)


def test_same_model_as_fast_tokenizer(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    shutil.copy(V1, tmp_path / "tokenizer.model")
    fast = transformers.LlamaTokenizer.from_pretrained(tmp_path)
    v = Vocabulary.from_tokenizer(fast, eos_ids=[2])
    assert v.tokens[:32_000] == Vocabulary.from_sentencepiece(V1).tokens
    spelled = [i for i, t in enumerate(v.tokens) if t is not None]
    anchor = fast.convert_tokens_to_ids("a")
    decode = fast.backend_tokenizer.decode
    for ids in random_runs(spelled, runs=100, length=30):
        assert v.decode(ids).decode(errors="replace") == addition(decode, anchor, ids)
    for text in TEXTS:
        assert v.decode(fast(text, add_special_tokens=False).input_ids).lstrip(b" ") == text.encode()
