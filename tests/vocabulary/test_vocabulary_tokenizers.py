"""Fast tokenizers, built here: byte level, byte fallback, Metaspace, WordPiece, plain, and those refused.

Law: the text that ids add after another token, by the tokenizer's own decoder, equals their bytes.
Source: tokenizers 0.23, transformers 5.
"""

from __future__ import annotations

from typing import Any

import pytest
from vocabulary_texts import TEXTS, addition, random_runs

from gramspec.errors import VocabularyError
from gramspec.vocabulary import Vocabulary

tokenizers = pytest.importorskip("tokenizers")

from tokenizers import (  # noqa: E402
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    trainers,
)

BYTE_TOKENS = [f"<0x{b:02X}>" for b in range(256)]


def spelled_ids(vocabulary: Vocabulary) -> list[int]:
    return [i for i, t in enumerate(vocabulary.tokens) if t is not None]


def assert_decodes_alike(vocabulary: Vocabulary, tokenizer: Any, anchor: str, runs: int = 300) -> None:
    """Random runs of the ids that have bytes, after a token whose own text is plain."""
    for ids in random_runs(spelled_ids(vocabulary), runs=runs, length=30):
        expected = addition(tokenizer.decode, tokenizer.token_to_id(anchor), ids)
        assert vocabulary.decode(ids).decode(errors="replace") == expected


@pytest.fixture(scope="module")
def byte_level() -> Any:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=420,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=["<|endoftext|>", "<|im_end|>"],
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    tokenizer.add_tokens(["<tool_call>", "two words"])
    return tokenizer


def test_byte_level(byte_level: Any) -> None:
    v = Vocabulary.from_tokenizer(byte_level, eos_ids=[1, 0])
    assert len(v) == 422
    assert v.special_tokens == {"<|endoftext|>": 0, "<|im_end|>": 1}
    assert v.eos_ids == (0, 1)
    assert v.tokens[420:] == (b"<tool_call>", b"two words")
    assert v.byte_complete == set(range(256))
    assert_decodes_alike(v, byte_level, "a")
    for text in [*TEXTS, "call <tool_call> with two words"]:
        assert v.decode(byte_level.encode(text).ids) == text.encode()
    with pytest.raises(UnicodeDecodeError):
        v.tokens[byte_level.token_to_id("ð")].decode()


def test_byte_level_without_decoder_is_recognised(byte_level: Any) -> None:
    twin = Tokenizer.from_str(byte_level.to_str())
    twin.decoder = None
    twin.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(), pre_tokenizers.ByteLevel()])
    assert (
        Vocabulary.from_tokenizer(twin, eos_ids=[0]).tokens
        == Vocabulary.from_tokenizer(byte_level, eos_ids=[0]).tokens
    )


def test_added_tokens_of_a_byte_level_tokenizer(byte_level: Any) -> None:
    tokenizer = Tokenizer.from_str(byte_level.to_str())
    tokenizer.add_tokens([AddedToken("é"), AddedToken("日本", normalized=False), AddedToken("ĠSELECT")])
    v = Vocabulary.from_tokenizer(tokenizer, eos_ids=[0])
    # `é` is also the model's spelling of byte E9, under the same id: that is what the model emits it for.
    assert v.tokens[tokenizer.token_to_id("é")] == b"\xe9"
    assert v.tokens[tokenizer.token_to_id("日本")] == "日本".encode()
    assert v.tokens[tokenizer.token_to_id("ĠSELECT")] == "ĠSELECT".encode()
    for text in ("das 日本 x", "xĠSELECT"):
        assert v.decode(tokenizer.encode(text).ids) == text.encode()


def test_byte_level_token_with_characters_outside_the_table() -> None:
    # One space, no-break space or soft hyphen in a token, and the decoder takes the whole token as it is.
    strings = ["<eos>", "é", "é ", "é\xa0", "\xadé", "éĠ", "日", "a"]
    tokenizer = Tokenizer(models.WordLevel({s: i for i, s in enumerate(strings)}, unk_token="<unk>"))
    tokenizer.decoder = decoders.ByteLevel()
    v = Vocabulary.from_tokenizer(tokenizer, eos_ids=[0])
    assert v.tokens[1:3] == (b"\xe9", "é ".encode())
    assert_decodes_alike(v, tokenizer, "a")


def fallback_tokenizer(decoder: Any) -> Any:
    pieces = ["<unk>", "<s>", "</s>", *BYTE_TOKENS, *'abcdehlortSELCT{}":,1▁é', "▁▁", "▁hello", "he", "A"]
    tokenizer = Tokenizer(
        models.BPE(
            {p: i for i, p in enumerate(pieces)},
            [("h", "e"), ("▁", "▁")],
            unk_token="<unk>",
            byte_fallback=True,
            fuse_unk=True,
        )
    )
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoder
    tokenizer.add_special_tokens(["<unk>", "<s>", "</s>"])
    tokenizer.add_tokens([AddedToken("▁▁", normalized=False), AddedToken("<tool>", normalized=False)])
    return tokenizer


def llama_decoder() -> Any:
    return decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )


def test_byte_fallback() -> None:
    tokenizer = fallback_tokenizer(llama_decoder())
    v = Vocabulary.from_tokenizer(tokenizer, eos_ids=[2])
    assert v.byte_complete == set(range(256))
    assert v.tokens[3:259] == tuple(bytes([b]) for b in range(256))
    assert v.tokens.count(b"A") == 2
    assert v.tokens[tokenizer.token_to_id("▁hello")] == b" hello"
    # An added token that the model can emit keeps the model's meaning, a space per symbol.
    assert v.tokens[tokenizer.token_to_id("▁▁")] == b"  "
    assert v.tokens[tokenizer.token_to_id("<tool>")] == b"<tool>"
    # The decoder writes one replacement character per byte of a broken run of byte tokens, however long,
    # so runs are compared that hold whole characters and broken bytes one at a time.
    others = [i for i in spelled_ids(v) if not 3 <= i < 259]
    characters = [[3 + b for b in c.encode()] for c in "Aé日\U0001f469\x00"]
    units = [*([i] for i in others), *([*c, others[0]] for c in [*characters, [3 + 0x80], [3 + 0xFF]])]
    for run in random_runs(range(len(units)), runs=300, length=20):
        ids = [i for u in run for i in units[u]]
        assert v.decode(ids).decode(errors="replace") == addition(
            tokenizer.decode, tokenizer.token_to_id("a"), ids
        )
    for text in TEXTS:
        assert v.decode(tokenizer.encode(text).ids) == b" " + text.encode()


def test_byte_fallback_without_decoder_is_recognised() -> None:
    with_decoder = Vocabulary.from_tokenizer(fallback_tokenizer(llama_decoder()), eos_ids=[2])
    assert Vocabulary.from_tokenizer(fallback_tokenizer(None), eos_ids=[2]) == with_decoder


@pytest.mark.parametrize("scheme", ["always", "first", "never"])
def test_metaspace(scheme: str) -> None:
    tokenizer = Tokenizer(
        models.Unigram(
            [
                ("<unk>", 0.0),
                ("</s>", 0.0),
                *[(p, -1.0 - i / 99) for i, p in enumerate(["▁", *"abcd_{}", "▁ab"])],
            ],
            unk_id=0,
        )
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme)
    tokenizer.decoder = decoders.Metaspace(prepend_scheme=scheme)
    v = Vocabulary.from_tokenizer(tokenizer, eos_ids=[1])
    assert v.special_tokens == {"<unk>": 0}
    assert v.tokens == (None, None, b" ", b"a", b"b", b"c", b"d", b"_", b"{", b"}", b" ab")
    assert_decodes_alike(v, tokenizer, "a")
    assert v.decode(tokenizer.encode("ab  {cd_}").ids).lstrip() == b"ab  {cd_}"
    tokenizer.decoder = None
    assert Vocabulary.from_tokenizer(tokenizer, eos_ids=[1]) == v


def test_unigram_with_one_string_under_two_ids() -> None:
    tokenizer = Tokenizer(
        models.Unigram([("<unk>", 0.0), ("a", -1.0), ("a", -2.0), ("b", -1.0), ("</s>", 0.0)], 0)
    )
    tokenizer.decoder = decoders.Fuse()
    assert Vocabulary.from_tokenizer(tokenizer, eos_ids=[4]).tokens == (None, b"a", b"a", b"b", None)


@pytest.mark.parametrize("cleanup", [False, True])
def test_word_piece(cleanup: bool) -> None:
    words = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "hello",
        "world",
        "##ing",
        "##s",
        ".",
        ",",
        "!",
        "'s",
        "n't",
        "日",
    ]
    tokenizer = Tokenizer(models.WordPiece({w: i for i, w in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece(prefix="##", cleanup=cleanup)
    tokenizer.add_special_tokens(words[:4])
    v = Vocabulary.from_tokenizer(tokenizer, eos_ids=[3])
    assert v.tokens[4:9] == (b" hello", b" world", b"ing", b"s", b"." if cleanup else b" .")
    assert v.tokens[13] == " 日".encode()
    assert_decodes_alike(v, tokenizer, "hello")
    assert v.decode(tokenizer.encode("hello worlds").ids) == b" hello worlds"
    tokenizer.decoder = None
    bare = Vocabulary.from_tokenizer(tokenizer, eos_ids=[3])
    assert bare.tokens[4:9] == (b" hello", b" world", b"ing", b"s", b" .")


def word_level(decoder: Any, words: str = "<eos> a b ab é aa") -> Any:
    tokenizer = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words.split(" "))}, unk_token="<unk>"))
    tokenizer.decoder = decoder
    return tokenizer


@pytest.mark.parametrize(
    ("decoder", "tokens"),
    [
        (decoders.Fuse(), "a b ab é aa"),
        (decoders.Replace("a", "--"), "-- b --b é ----"),
        (decoders.Replace("ab", "."), "a b . é aa"),
        (decoders.Replace(Regex("a+"), "x"), "x b xb é x"),
        (decoders.Strip("a", 1, 0), " b b é a"),
        (decoders.Strip("a", 0, 1), " b ab é a"),
        (decoders.Sequence([decoders.Fuse(), decoders.Replace("b", "z")]), "a z az é aa"),
        (
            decoders.Sequence([decoders.Sequence([decoders.Replace("é", "e")]), decoders.Fuse()]),
            "a b ab e aa",
        ),
    ],
)
def test_other_decoders(decoder: Any, tokens: str) -> None:
    tokenizer = word_level(decoder)
    v = Vocabulary.from_tokenizer(tokenizer, eos_ids=[0])
    assert [t or b"" for t in v.tokens[1:]] == [t.encode() for t in tokens.split(" ")]
    assert_decodes_alike(v, tokenizer, "b", runs=50)


def test_without_decoder_tokens_are_their_characters() -> None:
    v = Vocabulary.from_tokenizer(word_level(None), eos_ids=[0])
    assert v.tokens == (None, b"a", b"b", b"ab", "é".encode(), b"aa")


@pytest.mark.parametrize(
    ("decoder", "named"),
    [
        (decoders.BPEDecoder(), "BPEDecoder"),
        (decoders.CTC(), "CTC"),
        (decoders.Sequence([decoders.Fuse(), decoders.Strip(" ", 0, 1)]), "Strip at the end of the text"),
        (decoders.Sequence([decoders.Fuse(), decoders.Replace("ab", "c")]), "Replace of 'ab' in joined text"),
        (decoders.Sequence([decoders.Fuse(), decoders.Replace(Regex("a+"), "c")]), "Replace in joined text"),
        (decoders.Sequence([decoders.Fuse(), decoders.Metaspace()]), "Metaspace in joined text"),
        (decoders.Sequence([decoders.ByteLevel(), decoders.Replace("a", "b")]), "Replace after ByteLevel"),
    ],
)
def test_decoders_that_look_around_are_refused(decoder: Any, named: str) -> None:
    with pytest.raises(VocabularyError, match=r"Tokenizer: its decoder .*different bytes") as caught:
        Vocabulary.from_tokenizer(word_level(decoder), eos_ids=[0])
    assert f"({named})" in str(caught.value)


def test_custom_components_are_refused() -> None:
    class Upper:
        def decode(self, tokens: list[str]) -> str:
            return "".join(tokens).upper()

    with pytest.raises(VocabularyError, match="Tokenizer: its Decoder is custom code"):
        Vocabulary.from_tokenizer(word_level(decoders.Decoder.custom(Upper())), eos_ids=[0])


def test_gaps_and_wider_heads() -> None:
    tokenizer = Tokenizer(models.WordLevel({"<eos>": 0, "a": 2, "b": 5}, unk_token="<unk>"))
    tokenizer.decoder = decoders.Fuse()
    assert Vocabulary.from_tokenizer(tokenizer, eos_ids=[0]).tokens == (None, None, b"a", None, None, b"b")
    assert len(Vocabulary.from_tokenizer(tokenizer, eos_ids=[0], size=64)) == 64
    with pytest.raises(VocabularyError, match=r"Tokenizer: size 5 is smaller than highest id \+ 1 = 6"):
        Vocabulary.from_tokenizer(tokenizer, eos_ids=[0], size=5)
    with pytest.raises(VocabularyError, match="Tokenizer: size must be an int, not float"):
        Vocabulary.from_tokenizer(tokenizer, eos_ids=[0], size=64.0)  # type: ignore[arg-type]
    with pytest.raises(VocabularyError, match=r"eos_ids: id 64 is outside 0\.\.63"):
        Vocabulary.from_tokenizer(tokenizer, eos_ids=[64], size=64)


def test_transformers_wrapper(byte_level: Any) -> None:
    transformers = pytest.importorskip("transformers")
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=byte_level)
    with pytest.raises(
        VocabularyError, match=r"missing EOS: the tokenizer has no eos_token\n  hint: set tokenizer"
    ):
        Vocabulary.from_tokenizer(fast)
    fast.eos_token = "<|absent|>"
    with pytest.raises(VocabularyError, match=r"missing EOS: eos_token '<\|absent\|>' has no id"):
        Vocabulary.from_tokenizer(fast)
    fast.add_special_tokens({"eos_token": "<|im_end|>", "pad_token": "<|pad|>"})
    fast.bos_token = "<|absent|>"
    v = Vocabulary.from_tokenizer(fast, size=512)
    assert v.eos_ids == (1,)
    assert v.special_tokens == {"<|endoftext|>": 0, "<|im_end|>": 1, "<|pad|>": fast.pad_token_id}
    assert len(v) == 512
    fast.bos_token = "t"  # an ordinary token named as special is skipped by decode, and has no bytes
    assert Vocabulary.from_tokenizer(fast).special_tokens["t"] == fast.convert_tokens_to_ids("t")
    fast.bos_token = None
    assert Vocabulary.from_tokenizer(fast, eos_ids=[0, 1]).eos_ids == (0, 1)
    for text in TEXTS:
        assert v.decode(fast(text).input_ids).decode() == fast.decode(fast(text).input_ids) == text


@pytest.mark.parametrize("other", [object(), "gpt2", None])
def test_other_objects_are_refused(other: Any) -> None:
    with pytest.raises(
        VocabularyError, match=f"{type(other).__name__}: is not a tokenizer whose tokens have known"
    ):
        Vocabulary.from_tokenizer(other)


def test_slow_tokenizers_without_bytes_are_refused() -> None:
    transformers = pytest.importorskip("transformers")
    with pytest.raises(
        VocabularyError, match="ByT5Tokenizer: is not a tokenizer whose tokens have known bytes"
    ):
        Vocabulary.from_tokenizer(transformers.ByT5Tokenizer())
