"""The embedded pair: it loads offline, is as small as stated and as good as its card says.

Law: the card's held-out loss is measured again here; records obey their schemas and tables.
Source: `training/`, `gramspec/models/embedded/CARD.md`.
"""

from __future__ import annotations

import itertools
import json
import re
import sqlite3
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the extra gramspec[models]")
transformers = pytest.importorskip("transformers", reason="needs the extra gramspec[models]")
jsonschema = pytest.importorskip("jsonschema", reason="needs the extra gramspec[demo]")
pytest.importorskip("faker", reason="needs the extra gramspec[train]")

from tokenizers import Tokenizer, pre_tokenizers  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
PAIR = ROOT / "gramspec" / "models" / "embedded"
PROMPTS = (
    "Write a JSON user profile for Maria Lopez, 34, from Berlin.\n",
    "Is 7 even? Answer true or false.\n",
)
SEED = 20
TARGET_LOSS_BOUND = 0.35  # nats per answer token; log 4096 = 8.3


@pytest.fixture(scope="module")
def training() -> Any:
    """The modules of `training/`, which import one another as scripts do."""
    sys.path.insert(0, str(ROOT / "training"))
    try:
        import records
        import schemas
        import train_embedded
    finally:
        sys.path.pop(0)
    return SimpleNamespace(records=records, schemas=schemas, train=train_embedded)


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return Tokenizer.from_file(str(PAIR / "tokenizer.json"))


@pytest.fixture(scope="module")
def pair() -> tuple[Any, Any]:
    torch.set_num_threads(1)
    load = transformers.LlamaForCausalLM.from_pretrained
    return tuple(
        load(PAIR / name, local_files_only=True, dtype=torch.float32).eval() for name in ("target", "draft")
    )


def card_number(pattern: str) -> float:
    match = re.search(pattern, (PAIR / "CARD.md").read_text("utf-8"))
    assert match, pattern
    return float(match[1].replace(",", ""))


def test_sizes(pair: tuple[Any, Any]) -> None:
    target, draft = pair
    assert 2.7e6 < target.num_parameters() < 3.3e6
    assert 2.7e5 < draft.num_parameters() < 3.3e5
    assert sum(file.stat().st_size for file in PAIR.rglob("*") if file.is_file()) < 10e6
    assert card_number(r"\| parameters \| ([\d,]+) ") == target.num_parameters()
    assert card_number(r"\| parameters \| [\d,]+ \| ([\d,]+) ") == draft.num_parameters()


def test_both_models_share_tokenizer_and_limits(pair: tuple[Any, Any], tokenizer: Any) -> None:
    for model in pair:
        config = model.config
        assert config.vocab_size == tokenizer.get_vocab_size() == 4096
        assert config.max_position_embeddings == 512
        assert config.tie_word_embeddings
        ids = (config.bos_token_id, config.eos_token_id, config.pad_token_id)
        assert ids == tuple(tokenizer.token_to_id(t) for t in ("<|bos|>", "<|eos|>", "<|pad|>"))


def test_tokenizer_has_every_byte_and_round_trips(tokenizer: Any, training: Any) -> None:
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    assert len(alphabet) == 256
    assert all(tokenizer.token_to_id(symbol) is not None for symbol in alphabet)
    texts = ["", " ", "\t\r\n", "Łódź 東京 🎲 \x00\x7f", '{"a": [1, 2.50, null]}']
    texts += [r.answer for r in itertools.islice(training.records.records(5, "round trip"), 200)]
    for text in texts:
        assert tokenizer.decode(tokenizer.encode(text).ids) == text
    assert tokenizer.encode("x").ids[0] == tokenizer.token_to_id("<|bos|>")


def test_held_out_loss_is_what_the_card_says(pair: tuple[Any, Any], tokenizer: Any, training: Any) -> None:
    fresh = training.train.batches(tokenizer, SEED, "test of the pair", pool_size=400)
    target, draft, overlap = training.train.evaluate(*pair, fresh, count=8)
    assert target < TARGET_LOSS_BOUND
    assert target < draft
    # The card was measured on other held-out records: equal up to sampling.
    assert target == pytest.approx(card_number(r"held-out loss[^|]*\| ([\d.]+)"), rel=0.1)
    assert draft == pytest.approx(card_number(r"held-out loss[^|]*\| [\d.]+ \| ([\d.]+)"), rel=0.1)
    assert overlap == pytest.approx(card_number(r"sum of min\(p, q\): (\d\.\d+)"), rel=0.05)
    assert 0.5 < overlap < 1.0


def test_the_package_loads_the_same_pair(pair: tuple[Any, Any], tokenizer: Any) -> None:
    from gramspec import models

    prompt = tokenizer.encode(PROMPTS[0]).ids
    for loaded, model in zip(models.embedded(), pair, strict=True):
        assert b"".join(loaded.vocabulary.tokens[i] for i in prompt[1:]).decode() == PROMPTS[0]
        assert loaded.vocabulary.tokens[prompt[0]] is None
        assert tuple(loaded.eos_ids) == (tokenizer.token_to_id("<|eos|>"),)
        with torch.inference_mode():
            expected = model(torch.tensor([prompt])).logits[0, -1].numpy()
        assert loaded.open(prompt).score()[0] == pytest.approx(expected, abs=1e-3)


def greedy(model: Any, tokenizer: Any, prompt: str) -> list[int]:
    ids = torch.tensor([tokenizer.encode(prompt).ids])
    out = model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=120)
    return out[0, ids.shape[1] :].tolist()


def test_greedy_text_is_deterministic_and_fits(pair: tuple[Any, Any], tokenizer: Any) -> None:
    target, draft = pair
    schema = json.loads((ROOT / "examples" / "user.schema.json").read_text("utf-8"))
    user, boolean = (greedy(target, tokenizer, prompt) for prompt in PROMPTS)
    assert [user, boolean] == [greedy(target, tokenizer, prompt) for prompt in PROMPTS]
    jsonschema.validate(json.loads(tokenizer.decode(user)), schema)
    assert tokenizer.decode(boolean) in ("true", "false")
    assert greedy(draft, tokenizer, PROMPTS[0]) == greedy(draft, tokenizer, PROMPTS[0])


def test_records_follow_their_schemas_and_tables(training: Any) -> None:
    database = sqlite3.connect(":memory:")
    database.executescript(training.schemas.TABLES)
    drawn = list(itertools.islice(training.records.records(9, "check"), 700))
    seen = set()
    for record in drawn:
        if not record.clean:
            continue
        seen.add(record.schema)
        if record.schema == "sql":
            assert sqlite3.complete_statement(record.answer.rstrip(";") + ";")
            database.execute(record.answer)
        else:
            jsonschema.validate(json.loads(record.answer), training.schemas.SCHEMAS[record.schema])
    assert seen == {"sql", *training.schemas.SCHEMAS}
    slips = sum(not record.clean for record in drawn)
    assert 0.05 < slips / len(drawn) < 0.11
    assert drawn == list(itertools.islice(training.records.records(9, "check"), 700))
    assert drawn[:50] != list(itertools.islice(training.records.records(9, "other"), 50))


def test_example_schema_uses_only_core_keywords(training: Any) -> None:
    jsonschema.Draft202012Validator.check_schema(training.schemas.USER)
    core = {"type", "properties", "required", "additionalProperties", "items", "enum"}
    core |= {"minLength", "maxLength", "minItems", "maxItems", "minimum", "maximum"}

    def keywords(schema: dict[str, Any]) -> set[str]:
        nested = [*schema.get("properties", {}).values(), *([schema["items"]] if "items" in schema else [])]
        return set(schema).union(*(keywords(sub) for sub in nested))

    assert keywords(training.schemas.USER) == core


def test_a_short_training_run_learns(tokenizer: Any, training: Any) -> None:
    train = training.train
    torch.set_num_threads(1)
    source = train.batches(tokenizer, SEED, "short run", pool_size=400)
    held_out = next(train.batches(tokenizer, SEED, "short run, held out", pool_size=100))
    model = train.make_model(train.DRAFT, tokenizer, SEED)

    def loss(batch: Any) -> Any:
        return torch.nn.functional.cross_entropy(train.answer_logits(model, batch), batch.labels)

    before = loss(held_out).item()
    train.train(model, source, loss, steps=12, peak=train.DRAFT.learning_rate, label="short")
    assert before == pytest.approx(8.3, abs=0.4)  # log 4096: nothing known yet
    assert loss(held_out).item() < before - 1.0
