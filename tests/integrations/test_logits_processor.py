"""`GrammarLogitsProcessor` in every mode of `model.generate`: members only, pure masks, untouched scores."""

from __future__ import annotations

import copy
import pickle
import random
import threading
from typing import Any

import pytest
import torch
import transformers

import gramspec as gs
from tests.integrations.transformers_world import EOS, MEMBERS, PAD, VOCAB, A, B, C, language, network

PROMPT = [7, 9, 11]
BATCH = {
    "input_ids": torch.tensor([[PAD, PAD, 7], [7, 9, 11]]),
    "attention_mask": torch.tensor([[0, 0, 1], [1, 1, 1]]),
}


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def compiled() -> gs.CompiledGrammar:
    return language()


@pytest.fixture(scope="module")
def llama() -> transformers.PreTrainedModel:
    return network("llama")


class Checked(gs.GrammarLogitsProcessor):
    """Compares every mask with that of a fresh matcher, the prompt's length given from outside."""

    truth = 3
    calls = 0

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        before = scores.clone()
        out = super().__call__(input_ids, scores)
        assert torch.equal(scores, before) and out is not scores
        for row, old, new in zip(input_ids[:, self.truth :].tolist(), scores, out, strict=True):
            allowed = fresh(self._compiled, row)
            expected = torch.full_like(old, -float("inf"))
            expected[allowed] = old[allowed]
            assert torch.equal(new, expected), row
        self.calls += 1
        return out


def fresh(compiled: gs.CompiledGrammar, row: list[int]) -> list[int]:
    matcher = compiled.matcher()
    for token in row:
        if matcher.is_finished:
            return [EOS]
        try:
            matcher.advance(token)
        except gs.RejectedTokenError:
            return []
    return [EOS] if matcher.is_finished else matcher.allowed_ids().tolist()


def texts(out: torch.Tensor, start: int = 3) -> list[tuple[int, ...]]:
    found = []
    for row in out[:, start:].tolist():
        end = row.index(EOS)
        assert set(row[end + 1 :]) <= {PAD, EOS}
        found.append(tuple(row[: end + 1]))
    return found


def run(model: Any, processor: Any, inputs: Any = None, **options: Any) -> Any:
    inputs = inputs if inputs is not None else {"input_ids": torch.tensor([PROMPT])}
    common = {"max_new_tokens": 4, "eos_token_id": EOS, "pad_token_id": PAD, "do_sample": False, **options}
    return model.generate(**inputs, logits_processor=[processor], **common)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"do_sample": True, "num_return_sequences": 6},
        {"num_beams": 2},
        {"num_beams": 3, "do_sample": True},
        {"num_beams": 5, "num_return_sequences": 2},
    ],
    ids=str,
)
def test_batches_with_left_padding(compiled: Any, llama: Any, options: dict[str, Any]) -> None:
    torch.manual_seed(1)
    processor = Checked(compiled)
    for _ in range(2):  # one processor, several calls
        assert set(texts(run(llama, processor, BATCH, **options))) <= set(MEMBERS)
    assert processor.calls >= 4


@pytest.mark.parametrize("sample", [False, True])
@pytest.mark.parametrize("how", ["draft", "lookup"])
def test_assisted(compiled: Any, llama: Any, how: str, sample: bool) -> None:
    extra = {"assistant_model": network("llama")} if how == "draft" else {"prompt_lookup_num_tokens": 3}
    prompt = {"input_ids": torch.tensor([[A, B, 7, C, C, 9, B, A, 11, A, B]])}
    for seed in range(6):
        torch.manual_seed(seed)
        processor = Checked(compiled)
        processor.truth = 11
        out = run(llama, processor, prompt, do_sample=sample, **extra)
        assert set(texts(out, 11)) <= set(MEMBERS)
        if not sample:
            assert texts(out, 11) == texts(run(llama, gs.GrammarLogitsProcessor(compiled), prompt), 11)


def test_inside_of_a_processor_of_the_callers_own(compiled: Any, llama: Any) -> None:
    processor = Checked(compiled)
    out = run(llama, lambda ids, scores: processor(ids, scores), assistant_model=network("llama", seed=3))
    assert set(texts(out)) <= set(MEMBERS) and processor.calls > 2


def test_dead_ends_of_residual_predicates(llama: Any) -> None:
    tokens = [None, None, None, *(bytes([b]) for b in b"[],1"), *[None] * 43]
    schema = {"type": "array", "items": {"type": "integer"}, "uniqueItems": True, "minItems": 2}
    compiled = gs.compile(gs.json_schema(schema, whitespace="compact"), gs.Vocabulary(tokens, [EOS]))
    assert not compiled.masks_exact
    processor = gs.GrammarLogitsProcessor(compiled, prompt_length=1)
    scores = torch.zeros(1, VOCAB)
    assert torch.isfinite(processor(torch.tensor([[7, 3, 6, 5, 6]]), scores)).any()  # [1,1 may be [1,11
    with pytest.raises(
        gs.DeadEndError, match=r"row 0 after 5 generated tokens: no token is allowed: .*residual"
    ):
        processor(torch.tensor([[7, 3, 6, 5, 6, 4]]), scores)


def test_prompts_that_continue_an_output(compiled: Any, llama: Any) -> None:
    """Each call has its own prompt, also where it is, id for id, what the call before has written."""
    processor = Checked(compiled)
    for _ in range(3):
        out = run(llama, processor)
        for more in ([], [9, 9], [A]):
            longer = {"input_ids": torch.cat([out, torch.tensor([more], dtype=torch.long)], dim=1)}
            processor.truth = longer["input_ids"].shape[1]
            found = run(llama, processor, longer)
            assert set(texts(found, processor.truth)) <= set(MEMBERS)
        cut = {"input_ids": out[:, :4]}  # the first token of the text now belongs to the prompt
        processor.truth = 4
        assert set(texts(run(llama, processor, cut), 4)) <= set(MEMBERS)
        processor.truth = 3


def test_a_prefix_of_the_text_in_the_prompt(compiled: Any, llama: Any) -> None:
    """An explicit length: the text begins inside of the prompt."""
    processor = gs.GrammarLogitsProcessor(compiled, prompt_length=3)
    out = run(llama, processor, {"input_ids": torch.tensor([[*PROMPT, C]])})
    assert texts(out) == [(C, C, EOS)]


class Calling(transformers.LogitsProcessor):
    """Decodes another text with the same processor in the middle of a step."""

    def __init__(self, model: Any, processor: Any) -> None:
        self.model, self.processor, self.found = model, processor, []

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        truth, self.processor.truth = self.processor.truth, 2
        out = run(self.model, self.processor, {"input_ids": torch.tensor([[9, 7]])}, do_sample=True)
        self.processor.truth = truth
        self.found += texts(out, 2)
        return scores


def test_generations_inside_of_each_other(compiled: Any, llama: Any) -> None:
    processor = Checked(compiled)
    calling = Calling(llama, processor)
    out = llama.generate(
        torch.tensor([PROMPT]), logits_processor=[calling, processor], max_new_tokens=4, pad_token_id=PAD
    )
    assert set(texts(out)) <= set(MEMBERS)
    assert len(calling.found) >= 2 and set(calling.found) <= set(MEMBERS)


def test_loops_of_the_callers_own(compiled: Any) -> None:
    scores, processor = torch.zeros(1, VOCAB), Checked(compiled)
    processor(torch.tensor([PROMPT]), scores)
    processor(torch.tensor([[*PROMPT, A]]), scores)
    processor(torch.tensor([[*PROMPT, B]]), scores)  # another beam
    for other, why in (
        ([7, 9, 13], "begins with none"),
        ([7, 9], "begins with none"),
        ([*PROMPT, A, B, EOS], "goes on by more than a token"),
    ):
        with pytest.raises(gs.PromptError, match=rf"row 0 is not of the running.*{why}(.|\n)*reset\(\)"):
            processor(torch.tensor([other]), scores)
    processor(torch.tensor([[*PROMPT, A, B]]), scores)
    processor.reset()
    processor.truth = 5
    processor(torch.tensor([[*PROMPT, A, B]]), scores)  # now a prompt
    one, two = (gs.GrammarLogitsProcessor(compiled).for_prompt(torch.tensor([p])) for p in (PROMPT, [9]))
    for tokens in ([], [A], [A, B]):  # interleaved, each for its own prompt
        assert torch.equal(
            one(torch.tensor([PROMPT + tokens]), scores), two(torch.tensor([[9, *tokens]]), scores)
        )


@pytest.mark.parametrize("entries", [1, 65536])
def test_order_of_calls_does_not_matter(compiled: Any, entries: int) -> None:
    processor = Checked(compiled, prompt_length=3, max_entries=entries)
    prefixes = sorted({m[:n] for m in MEMBERS for n in range(len(m) + 1)}) * 3
    random.Random(5).shuffle(prefixes)
    scores = torch.randn(1, VOCAB)
    for prefix in prefixes:
        processor(torch.tensor([[*PROMPT, *prefix]]), scores)
    assert processor.calls == len(prefixes)
    if entries == 1:
        assert processor._local.states.nodes <= 2 * max(len(m) for m in MEMBERS)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_types_and_wider_heads(compiled: Any, dtype: torch.dtype) -> None:
    scores = torch.zeros(2, VOCAB + 14, dtype=dtype)
    out = gs.GrammarLogitsProcessor(compiled)(torch.tensor([PROMPT, PROMPT]), scores)
    assert out.dtype == dtype and torch.isfinite(out[0]).nonzero().flatten().tolist() == [A, B, C]


def test_refusals(compiled: Any) -> None:
    scores = torch.zeros(2, VOCAB)
    processor = gs.GrammarLogitsProcessor(compiled, prompt_length=1)
    with pytest.raises(
        gs.RejectedTokenError, match=r"row 1 left the grammar at generated position 1: token 5"
    ):
        processor(torch.tensor([[7, A, B], [9, A, C]]), scores)
    with pytest.raises(gs.RejectedTokenError, match="after EOS"):
        processor(torch.tensor([[7, A, EOS, PAD, 9]]), scores[:1])
    with pytest.raises(gs.LogitsError, match="another tokenizer's"):
        processor(torch.tensor([[7]]), scores[:1, :-1])
    with pytest.raises(gs.DeadEndError, match=r"row 0 after 1 generated tokens: every token.*score −inf"):
        processor(torch.tensor([[7, C]]), scores[:1].index_fill(1, torch.tensor([C]), -torch.inf))
    with pytest.raises(gs.LogitsError, match="rows of ids"):
        processor(torch.tensor([[7]]), scores)
    with pytest.raises(gs.PromptError, match="shorter"):
        processor(torch.zeros(2, 0, dtype=torch.long), scores)
    with pytest.raises(gs.PromptError, match="none of the prompts"):
        processor.for_prompt(torch.tensor([[7]]))(torch.tensor([[9]]), scores[:1])
    for bad in ({"prompt_length": -1}, {"max_entries": 0}, {"pad_token_id": "x"}, {"max_new_tokens": True}):
        with pytest.raises(gs.OptionError):
            gs.GrammarLogitsProcessor(compiled, **bad)
    with pytest.raises(gs.OptionError, match="give what `gramspec"):
        gs.GrammarLogitsProcessor(gs.regex("a"))


def test_continuous_batching_is_refused(compiled: Any, llama: Any) -> None:
    from transformers.generation.continuous_batching.cb_logits_processors import (
        ContinuousBatchingLogitsProcessorList,
    )

    processor = gs.GrammarLogitsProcessor(compiled)
    assert processor.supports_continuous_batching is False
    assert gs.GrammarLogitsProcessor.supports_continuous_batching is False
    for refused in (
        lambda: llama.generate_batch([PROMPT], logits_processor=[processor]),
        lambda: run(llama, processor, cache_implementation="paged"),
        lambda: ContinuousBatchingLogitsProcessorList(transformers.LogitsProcessorList([processor])),
    ):
        with pytest.raises(gs.OptionError, match="GrammarLogitsProcessor in continuous batching"):
            refused()
    assert llama.generate_batch([]) == {}  # calls without it are as they were


def test_two_tokenizers_are_refused() -> None:
    target, draft = gs.models.embedded()
    tokenizer, other = target.tokenizer, copy.deepcopy(target.tokenizer)
    other.add_tokens(["<extra>"])
    wide = copy.deepcopy(draft.model)
    wide.resize_token_embeddings(len(other))
    processor = gs.GrammarLogitsProcessor(gs.compile(gs.regex("[a-z]+"), target.vocabulary))
    with pytest.raises(gs.OptionError, match="assistant_tokenizer: assisted decoding between two"):
        target.model.generate(
            **tokenizer("A word: ", return_tensors="pt"),
            logits_processor=[processor],
            assistant_model=wide,
            tokenizer=tokenizer,
            assistant_tokenizer=other,
            max_new_tokens=4,
        )


def test_a_call_that_ends_at_text_is_refused(compiled: Any, llama: Any) -> None:
    with pytest.raises(gs.VocabularyError, match=r"the call ends at token 4, which is the text b'b'"):
        run(llama, gs.GrammarLogitsProcessor(compiled), eos_token_id=[EOS, B])


def test_max_new_tokens_keeps_texts_whole(llama: Any) -> None:
    tokens = [None, None, None, b"a", b"b", b"c", *(b"%d" % i for i in range(10, 54))]
    grammar = gs.regex("(ab){1,9}c")
    compiled = gs.compile(grammar, gs.Vocabulary(tokens, [EOS]))
    options = {"do_sample": True, "num_return_sequences": 16, "max_new_tokens": 8, "temperature": 3.0}
    found = run(llama, gs.GrammarLogitsProcessor(compiled, max_new_tokens=8), **options)
    lengths = set()
    for row in texts(found):
        assert grammar.accepts(b"".join(tokens[t] for t in row[:-1])) and len(row) <= 8
        lengths.add(len(row))
    assert lengths == {4, 6, 8}
    rows = run(llama, gs.GrammarLogitsProcessor(compiled, max_new_tokens="call"), **options)
    assert {len(row) for row in texts(rows)} == {4, 6, 8}
    with pytest.raises(gs.BudgetTooSmallError, match="max_new_tokens=3: the shortest text has 4 tokens"):
        run(llama, gs.GrammarLogitsProcessor(compiled, max_new_tokens=3), **options)
    with pytest.raises(gs.OptionError, match="max_new_tokens='call' outside"):
        gs.GrammarLogitsProcessor(compiled, max_new_tokens="call")(torch.tensor([[7]]), torch.zeros(1, VOCAB))


def test_encoder_decoder_and_static_cache(compiled: Any, llama: Any) -> None:
    torch.manual_seed(3)
    t5 = transformers.T5ForConditionalGeneration(
        transformers.T5Config(
            vocab_size=VOCAB,
            d_model=16,
            d_kv=8,
            d_ff=32,
            num_layers=1,
            num_heads=2,
            eos_token_id=EOS,
            pad_token_id=PAD,
            decoder_start_token_id=PAD,
        )
    ).eval()
    for options in ({}, {"num_beams": 3}, {"do_sample": True, "num_return_sequences": 3}):
        processor = Checked(compiled)
        processor.truth = 1
        assert set(texts(run(t5, processor, BATCH, **options), 1)) <= set(MEMBERS)
    static = run(llama, Checked(compiled), BATCH, cache_implementation="static")
    assert static.tolist() == run(llama, Checked(compiled), BATCH).tolist()


def test_copies(compiled: Any) -> None:
    processor = gs.GrammarLogitsProcessor(compiled, prompt_length=1)
    scores, ids = torch.randn(1, VOCAB), torch.tensor([[7, C]])
    expected = processor(ids, scores)
    for twin in (copy.copy(processor), copy.deepcopy(processor), pickle.loads(pickle.dumps(processor))):
        assert torch.equal(twin(ids, scores), expected)


def test_threads_have_their_own_generation(compiled: Any) -> None:
    processor, scores = Checked(compiled), torch.zeros(1, VOCAB)
    processor(torch.tensor([PROMPT]), scores)
    other = threading.Thread(target=processor, args=(torch.tensor([[9, 7, 9]]), scores))
    other.start()
    other.join()
    processor(torch.tensor([[*PROMPT, A]]), scores)
    assert processor.calls == 3
