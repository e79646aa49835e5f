"""What the Transformers adapter costs, refuses and survives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from model_networks import KINDS, VOCAB, network
from transformers.cache_utils import DynamicCache

from gramspec.errors import LogitsError, ModelError, PromptError
from gramspec.models import Counters, TransformersModel, embedded, load


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def spent(model: TransformersModel, before: Counters) -> tuple[int, int, int]:
    delta = model.counters.since(before)
    return delta.forwards, delta.rows, delta.positions


# ---------------------------------------------------------------------------------------------- cost


@pytest.mark.parametrize("name", ["llama", "gemma3", "lfm2"])
def test_a_round_is_one_forward(name: str) -> None:
    """Prompt and draft; then only the correction and the next draft are fed."""
    model = TransformersModel(network(name))
    sequence = model.open([3, 4, 5, 6, 7, 8, 9, 10, 11, 12])
    assert model.counters == Counters()
    sequence.score([13, 14, 15])
    assert spent(model, Counters()) == (1, 4, 13)
    for accepted, feeds in (([13, 20], 4), ([21, 22, 23, 9], 4), ([30], 4)):
        before = model.counters.copy()
        sequence.commit(accepted)
        sequence.score([21, 22, 23])
        assert spent(model, before) == (1, 4, feeds)
    before = model.counters.copy()
    sequence.commit([21, 22])  # accepted in full, nothing new: the row is known
    sequence.score()
    sequence.score([23])
    assert spent(model, before) == (0, 3, 0)


@pytest.mark.parametrize(("name", "forwards", "positions"), [("mamba2", 3, 6), ("mamba", 6, 6)])
def test_recurrent_states_are_replayed(name: str, forwards: int, positions: int) -> None:
    model = TransformersModel(network(name))
    sequence = model.open([3, 4, 5])
    sequence.score([6, 7, 8])
    before = model.counters.copy()
    sequence.commit([6, 9])  # 6 is replayed with 9, then the next draft
    sequence.score([7, 8])
    sequence.commit([7, 8])
    sequence.score()  # the states of the whole draft are there
    sequence.commit([1, 2])
    sequence.score()
    assert spent(model, before) == (forwards, 5, positions)


def test_a_tree_is_one_forward_and_its_path_stays_cached() -> None:
    model = TransformersModel(network("llama"))
    sequence = model.open([3, 4, 5])
    sequence.score([6, 7, 8, 9, 10], [-1, -1, 1, 1, 3])
    assert spent(model, Counters()) == (1, 6, 8)
    before = model.counters.copy()
    sequence.commit([7, 9])  # nodes 1 and 3
    sequence.score()
    assert spent(model, before) == (0, 1, 0)
    sequence.commit([11])
    sequence.score([1, 2], [-1, -1])
    assert spent(model, before) == (1, 4, 3)


@pytest.mark.parametrize(("name", "narrow", "wide"), [("gemma3", 3, 5), ("mamba2", 3, 5), ("mamba", 5, 5)])
def test_other_trees_cost_a_forward_per_stretch(name: str, narrow: int, wide: int) -> None:
    """Prompt, 6, and 7-8-9 (three forwards where tokens go one by one); then 7 with 8 and 9 beneath it."""
    model = TransformersModel(network(name))
    assert not model.scores_trees
    for parents, forwards in (([-1, -1, 1, 2], narrow), ([-1, -1, 1, 1], wide)):
        before = model.counters.copy()
        model.open([3, 4, 5]).score([6, 7, 8, 9], parents)
        assert spent(model, before)[0] == forwards


@pytest.mark.parametrize("name", ["gemma3", "lfm2", "llama"])
def test_at_most_one_crop_between_forwards(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = TransformersModel(network(name))
    calls: list[str] = []
    crop, run = DynamicCache.crop, model._network.run

    def watched_crop(self: Any, n: int) -> None:
        calls.append("crop")
        crop(self, n)

    def watched_run(*args: Any) -> Any:
        calls.append("run")
        return run(*args)

    sequence = model.open(list(range(3, 15)))
    sequence.score([1, 2])
    sequence.commit([1])
    sequence.score([4, 5])  # the first crop of a window also crops the copy that is kept of the prompt
    monkeypatch.setattr(DynamicCache, "crop", watched_crop)
    monkeypatch.setattr(model._network, "run", watched_run)
    for _ in range(6):
        sequence.commit([4, 6])
        sequence.score([4, 5, 7])
    assert calls == ["crop", "run"] * 6


def test_a_restart_at_the_prompt_is_cheap() -> None:
    """Windows and recurrent states are copied at the prompt; attention is cropped."""
    for name in KINDS:
        model = TransformersModel(network(name))
        prompt = list(range(3, 33))
        sequence = model.open(prompt)
        sequence.score()
        for token in (1, 2, 3, 4):
            sequence.commit([token, 5])
            sequence.score([6, 7])
        sequence.rollback(8)
        before = model.counters.copy()
        sequence.commit([1])
        sequence.score([6, 7])
        assert spent(model, before)[2] <= 4, name


# ------------------------------------------------------------------------------------------ survival


@pytest.mark.parametrize("name", ["llama", "gemma3", "mamba2"])
def test_an_interrupted_forward_leaves_no_trace(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = TransformersModel(network(name))
    sequence = model.open([3, 4, 5, 6])
    sequence.score([7, 8])
    expected = model.open([3, 4, 5, 6, 7, 9]).score([7])
    sequence.commit([7, 9])
    last = [module for module in model.model.modules() if isinstance(module, torch.nn.Linear)][-1]

    def interrupt(*args: Any) -> None:
        raise KeyboardInterrupt

    with last.register_forward_pre_hook(interrupt), pytest.raises(KeyboardInterrupt):
        sequence.score([7])
    assert list(sequence.tokens) == [3, 4, 5, 6, 7, 9]
    assert np.abs(sequence.score([7]) - expected).max() < 1e-4


@pytest.mark.parametrize("name", ["llama", "gemma3", "mamba2"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_bad_logits_name_the_prefix(name: str, value: float) -> None:
    """The bad token is named, not those before or beside it, which attend to it with weight 0."""
    inner = network(name)

    def poison(module: Any, ids: Any, states: torch.Tensor) -> torch.Tensor:
        return states.masked_fill((ids[0] == 17)[..., None], value)

    inner.get_input_embeddings().register_forward_hook(poison)
    sequence = TransformersModel(inner).open([3, 4])
    sequence.score([5])
    sequence.commit([5])
    for tokens, parents, path in (([6, 17], None, "6, 17"), ([6, 17, 7], [-1, -1, 0], "17")):
        with pytest.raises(LogitsError, match=rf"prefix of \d tokens: \[3, 4, 5, {path}\]"):
            sequence.score(tokens, parents)
        assert np.isfinite(sequence.score([6, 7])).all()


def test_trees_fall_back_to_paths_where_masks_are_ignored() -> None:
    """A model that does not look at the mask it is given is found out at its first tree."""
    inner = network("llama")
    forward = inner.model.forward

    def deaf(*args: Any, attention_mask: Any = None, **options: Any) -> Any:
        return forward(*args, attention_mask=None, **options)

    inner.model.forward = deaf
    model = TransformersModel(inner)
    assert not model.scores_trees
    rows = model.open([3, 4]).score([5, 6, 7], [-1, -1, 1])
    alone = TransformersModel(network("llama")).open([3, 4, 6, 7]).score()
    assert np.abs(rows[3] - alone[0]).max() < 1e-4
    assert model.counters.forwards == 3


# ------------------------------------------------------------------------------------------ identity


def test_fingerprint_follows_the_law() -> None:
    base = TransformersModel(network("llama")).fingerprint
    assert TransformersModel(network("llama")).fingerprint == base
    assert TransformersModel(network("llama"), dtype="float64").fingerprint != base
    assert TransformersModel(network("llama", attn_implementation="eager")).fingerprint != base
    assert TransformersModel(network("llama", seed=1)).fingerprint != base
    assert TransformersModel(network("qwen2")).fingerprint != base
    touched = network("llama")
    with torch.no_grad():
        touched.lm_head.weight[7, 3] += 1e-3
    assert TransformersModel(touched).fingerprint != base


def test_large_models_are_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    from gramspec.models import fingerprint

    inner = network("llama")
    whole = fingerprint.model_fingerprint(inner)
    monkeypatch.setattr(fingerprint, "FULL_HASH_BYTES", 0)
    monkeypatch.setattr(fingerprint, "SAMPLE", 100)
    sampled = fingerprint.model_fingerprint(inner)
    assert sampled != whole
    with torch.no_grad():
        inner.lm_head.weight[0, 0] += 1
    assert fingerprint.model_fingerprint(inner) != sampled


def test_eos_sources_in_their_order() -> None:
    inner = network("llama")
    assert TransformersModel(inner).eos_ids == (2,)
    inner.generation_config.eos_token_id = [9, 7, 9]
    assert TransformersModel(inner).eos_ids == (7, 9)
    inner.generation_config.eos_token_id = None
    inner.config.eos_token_id = 5
    assert TransformersModel(inner).eos_ids == (5,)
    inner.config.eos_token_id = None
    with pytest.raises(ModelError, match="no EOS token"):
        TransformersModel(inner)
    inner.config.eos_token_id = VOCAB
    with pytest.raises(ModelError, match=f"config.eos_token_id is {VOCAB}; the model gives {VOCAB} logits"):
        TransformersModel(inner)


def test_empty_prompt_is_bos() -> None:
    inner = network("llama")
    assert TransformersModel(inner).open([]).tokens == (1,)
    inner.generation_config.bos_token_id = inner.config.bos_token_id = None
    with pytest.raises(PromptError, match="no BOS"):
        TransformersModel(inner).open([])


@pytest.mark.parametrize("dtype", ["float64", "bfloat16", "float16"])
def test_other_types_of_weights(dtype: str) -> None:
    model = TransformersModel(network("llama"), dtype=dtype)
    assert model.model.dtype is getattr(torch, dtype)
    sequence = model.open([3, 4, 5])
    together = sequence.score([6, 7, 8, 9], [-1, -1, 0, 2])
    assert together.dtype == np.float64
    sequence.commit([6, 8])
    assert relative(together[3], model.open(sequence.tokens).score()[0]) <= model.row_noise


# ---------------------------------------------------------------------------------------- row noise


def relative(row: Any, other: Any) -> float:
    """Largest relative difference of a probability."""
    a, b = (r - r.max() - np.log(np.exp(r - r.max()).sum()) for r in (row, other))
    return float(np.abs(np.expm1(a - b)).max())


@pytest.mark.parametrize("name", list(KINDS))
def test_row_noise_holds_on_random_models(name: str) -> None:
    model = TransformersModel(network(name))
    worst = noise(model, [int(t) for t in np.random.default_rng(3).integers(0, VOCAB, 60)])
    assert worst <= model.row_noise


def test_row_noise_holds_on_the_embedded_pair() -> None:
    for model in embedded():
        text = 'Write a JSON user profile for Maria Lopez, 34.\n{"name": "Maria Lopez", "age": 34}'
        worst = noise(model, model.encode(text))
        assert 0 < worst <= model.row_noise


def noise(model: TransformersModel, tokens: list[int]) -> float:
    """One chunk against steps and against chunks of five."""
    chunk = model.open(tokens[:1]).score(tokens[1:])
    worst = 0.0
    for size in (1, 5):
        sequence = model.open(tokens[:1])
        for begin in range(1, len(tokens), size):
            part = tokens[begin : begin + size]
            for offset, row in enumerate(sequence.score(part)):
                worst = max(worst, relative(row, chunk[begin - 1 + offset]))
            sequence.commit(part)
    return worst


# ------------------------------------------------------------------------------------------- loading


def test_the_embedded_pair_is_loaded_once() -> None:
    target, draft = embedded()
    assert embedded()[0] is target
    assert target.vocab_size == draft.vocab_size == len(target.tokenizer)
    assert target.vocabulary is not None and draft.vocabulary is not None
    assert target.vocabulary.fingerprint == draft.vocabulary.fingerprint
    assert target.vocabulary.eos_ids == target.eos_ids == (target.tokenizer.eos_token_id,)
    assert target.fingerprint != draft.fingerprint
    assert target.model.dtype is torch.float32
    ids = target.encode('{"a": 1}')
    assert target.vocabulary.decode(ids) == b'{"a": 1}'


def test_load_from_a_directory(tmp_path: Path) -> None:
    inner = network("llama")
    inner.save_pretrained(tmp_path / "net")
    first, second = load(tmp_path / "net"), load(str(tmp_path / "net"))
    assert first.fingerprint == second.fingerprint
    assert first.tokenizer is None and first.vocabulary is None
    with pytest.raises(ModelError, match="no tokenizer"):
        first.encode("text")
    expected = TransformersModel(inner).open([3, 4]).score()
    assert np.abs(first.open([3, 4]).score() - expected).max() < 1e-5
    assert load(first) is first
    with pytest.raises(ModelError, match="loaded already"):
        load(first, dtype="float64")


def test_load_refuses_by_name(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no local directory 'meta-llama/Llama-3-8B'; nothing is downloaded"):
        load("meta-llama/Llama-3-8B")
    with pytest.raises(ModelError, match=r"holds no config\.json"):
        load(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ModelError, match="cannot load a model"):
        load(tmp_path)
    with pytest.raises(ModelError, match="tokenizer: no local file"):
        load(network("llama"), tmp_path / "tokenizer.json")
    (tmp_path / "tokenizer.json").write_text("[]")
    with pytest.raises(ModelError, match="cannot load a tokenizer"):
        load(network("llama"), tmp_path / "tokenizer.json")
    with pytest.raises(ModelError, match="dict is not a transformers"):
        load({})
    with pytest.raises(ModelError, match="dtype is 'float12'"):
        load(network("llama"), dtype="float12")
    with pytest.raises(ModelError, match="cannot move"):
        load(network("llama"), device="no-such-device")


def test_models_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ModelError, match="encoder-decoder"):
        load(
            transformers.T5ForConditionalGeneration(
                transformers.T5Config(vocab_size=9, d_model=8, d_ff=8, d_kv=4, num_layers=1, num_heads=2)
            )
        )
    shape = {"vocab_size": 9, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    with pytest.raises(ModelError, match="BertModel"):
        load(transformers.BertModel(transformers.BertConfig(**shape, intermediate_size=8)))
    target = embedded()[0]
    with pytest.raises(ModelError, match=f"{len(target.tokenizer)} tokens, the model gives {VOCAB} logits"):
        load(network("llama"), target.tokenizer)
