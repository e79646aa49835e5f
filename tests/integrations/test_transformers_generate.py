"""`model.generate(custom_generate=gs.transformers.generate(...))`: law, shapes, and what is refused."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from transformers import LogitsProcessor, TextIteratorStreamer
from transformers.generation.logits_process import TopKLogitsWarper

import gramspec as gs
from gramspec.audit import output_law
from tests.integrations.transformers_world import (
    EOS,
    MEMBERS,
    PAD,
    VOCAB,
    batch_logprobs,
    conditional,
    enumerated,
    language,
    network,
)

PROMPT = [7, 9, 11]
BATCH = {
    "input_ids": torch.tensor([[PAD, PAD, 7], [7, 9, 11]]),
    "attention_mask": torch.tensor([[0, 0, 1], [1, 1, 1]]),
}
N = 3


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def compiled() -> gs.CompiledGrammar:
    return language()


@pytest.fixture(scope="module")
def llama() -> transformers.PreTrainedModel:
    return network("llama")


def inputs(prompt: list[int] = PROMPT) -> dict[str, Any]:
    return {"input_ids": torch.tensor([prompt])}


# ---------------------------------------------------------------------------------------------- law


@pytest.mark.parametrize("drafted", [False, True])
@pytest.mark.parametrize("name", ["llama", "mamba2", "mamba"])
def test_law_with_every_choice_enumerated(name: str, drafted: bool, compiled: gs.CompiledGrammar) -> None:
    """Two attempts, learning between them; recurrent states are copied and replayed under drafts."""
    model = network(name).double()
    draft = network("llama", seed=3).double() if drafted else None
    options = gs.DecodingOptions(
        gamma=1,
        max_attempts=2,
        memo_bytes=1 << 20 if name == "llama" else 0,
        drafter="model" if drafted else "none",
    )
    call = gs.transformers.generate(compiled, draft=draft, options=options, sampler="restart")

    def run(random: Any) -> tuple[int, ...]:
        found = enumerated(
            lambda: model.generate(
                **inputs(), custom_generate=call, do_sample=True, top_k=0, max_new_tokens=N
            ),
            random,
        )
        return tuple(found[0, len(PROMPT) :].tolist())

    law = output_law(run).conditioned()
    expected = conditional(model, PROMPT)
    assert set(law) <= set(expected)
    # Recurrent families compute in float32 inside; a wrong state would be off by 1e-3 and more.
    tolerance = 1e-8 if name == "llama" else 1e-6
    assert max(abs(law.get(y, 0.0) - p) for y, p in expected.items()) < tolerance


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"temperature": 3.0, "top_k": 0},
        {"temperature": 4.0, "top_k": 40, "top_p": 0.99},
        {"temperature": 4.0, "repetition_penalty": 1.3, "min_new_tokens": 2, "top_k": 0},
        {"temperature": 4.0, "top_k": 0, "min_p": 0.001, "typical_p": 0.999, "renormalize_logits": True},
        {"temperature": 4.0, "no_repeat_ngram_size": 1, "suppress_tokens": [20], "top_k": 45},
    ],
    ids=str,
)
def test_p_is_what_transformers_would_sample(
    options: dict[str, Any], llama: transformers.PreTrainedModel, compiled: gs.CompiledGrammar
) -> None:
    """The log-probability of each completion, from the processors of Transformers on the padded batch."""
    call = gs.transformers.generate(compiled, seed=1, draft=network("llama", seed=3))
    options = {"do_sample": True, "max_new_tokens": N, **options}
    out = llama.generate(
        **BATCH, custom_generate=call, num_return_sequences=2, return_dict_in_generate=True, **options
    )
    for i, completion in enumerate(out.completions):
        expected = batch_logprobs(llama, BATCH, i // 2, completion.token_ids, **options)
        assert completion.logprob == pytest.approx(expected, abs=2e-3)
    assert out.target_law["do_sample"]
    if not options.keys() & {"min_p", "typical_p"}:
        assert out.target_law["top_k"] == options.get("top_k", 50)  # the default of Transformers


class MaskProcessor(LogitsProcessor):
    """The grammar's mask as a logits processor: a pure function of the prefix."""

    def __init__(self, compiled: gs.CompiledGrammar, length: int, budget: int) -> None:
        self.compiled, self.length, self.budget = compiled, length, budget

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        scores = scores.clone()
        for row, ids in zip(scores, input_ids[:, self.length :].tolist(), strict=True):
            matcher = self.compiled.matcher()
            matcher.advance_many([t for t in ids if t != PAD])
            if not matcher.is_finished:
                viable = torch.from_numpy(matcher.viable(self.budget - len(ids), exact=True))
                row[~viable] = -torch.inf
        return scores


@pytest.mark.parametrize("name", ["llama", "mamba2"])
@pytest.mark.parametrize("drafted", [False, True])
def test_greedy_is_the_greedy_text_under_the_mask(
    name: str, drafted: bool, compiled: gs.CompiledGrammar
) -> None:
    for seed in range(4):
        model = network(name, seed=seed)
        call = gs.transformers.generate(compiled, draft=network("llama", seed=seed) if drafted else None)
        found = model.generate(
            **inputs(), custom_generate=call, max_new_tokens=N, return_dict_in_generate=True
        )
        mask = MaskProcessor(compiled, len(PROMPT), N)
        expected = model.generate(**inputs(), logits_processor=[mask], max_new_tokens=N)
        assert found.sequences.tolist() == expected.tolist()
        assert found.reports[0].law == "greedy" and found.reports[0].guarantee == "exact"


def test_masked_law_is_labelled(llama: transformers.PreTrainedModel, compiled: gs.CompiledGrammar) -> None:
    call = gs.transformers.generate(compiled, law="masked")
    out = llama.generate(
        **inputs(),
        custom_generate=call,
        do_sample=True,
        top_k=0,
        max_new_tokens=N,
        return_dict_in_generate=True,
    )
    assert out.reports[0].law == "masked" and out.reports[0].log_weight < 0.0
    assert out.completions[0].token_ids in MEMBERS


# ------------------------------------------------------------------------------------------- shapes


def test_rows_are_padded_and_in_order(
    llama: transformers.PreTrainedModel, compiled: gs.CompiledGrammar
) -> None:
    call = gs.transformers.generate(compiled)
    transformers.set_seed(5)
    options = {"do_sample": True, "temperature": 20.0, "top_k": 0, "max_new_tokens": N}
    options |= {"num_return_sequences": 4, "suppress_tokens": list(range(6, VOCAB))}
    out = llama.generate(**BATCH, custom_generate=call, return_dict_in_generate=True, **options)
    transformers.set_seed(5)
    plain = llama.generate(**BATCH, custom_generate=call, **options)
    assert torch.equal(out.sequences, plain)  # reproducible by Transformers' own seed
    assert plain.dtype == torch.long and plain.shape[0] == 8
    lengths = set()
    for i, row in enumerate(plain.tolist()):
        assert row[:3] == BATCH["input_ids"][i // 4].tolist()
        new = tuple(row[3:])
        end = new.index(EOS) + 1
        assert new[:end] in MEMBERS and set(new[end:]) <= {PAD}
        assert out.completions[i].token_ids == new[:end]
        lengths.add(end)
    assert len(lengths) > 1  # so that some row was padded
    assert plain.shape[1] == 3 + max(lengths)
    assert len(out.reports) == 8 and all(r.guarantee == "exact" for r in out.reports)


def test_eos_ids_of_the_call(llama: transformers.PreTrainedModel) -> None:
    """An EOS id passed to `generate` ends texts in this call."""
    tokens = [None, None, None, b"a", b"b", None, *(b"%d" % i for i in range(10, 54))]
    compiled = gs.compile(gs.regex("ab?"), gs.Vocabulary(tokens, [2, 5]))
    call = gs.transformers.generate(compiled, law="masked")
    ends = set()
    for seed in range(12):
        torch.manual_seed(seed)
        row = llama.generate(
            **inputs(),
            custom_generate=call,
            do_sample=True,
            temperature=5.0,
            top_k=0,
            max_new_tokens=N,
            eos_token_id=[2, 5],
        )[0].tolist()
        ends.add(row[-1])
    assert ends == {2, 5}
    with pytest.raises(gs.VocabularyError, match="ends sequences with token 7"):
        llama.generate(**inputs(), custom_generate=call, do_sample=True, max_new_tokens=N, eos_token_id=7)


def test_max_length_counts_the_padded_prompt(
    llama: transformers.PreTrainedModel, compiled: gs.CompiledGrammar
) -> None:
    call = gs.transformers.generate(compiled, law="masked")
    rows = llama.generate(**BATCH, custom_generate=call, do_sample=True, top_k=0, max_length=5)
    assert rows.shape == (2, 5) and set(rows[:, 4].tolist()) == {EOS}
    with pytest.raises(gs.BudgetTooSmallError, match="max_new_tokens=1"):
        llama.generate(**BATCH, custom_generate=call, do_sample=True, top_k=0, max_length=4)


class Recorder:
    def __init__(self) -> None:
        self.chunks: list[list[int]] = []
        self.ended = 0

    def put(self, value: torch.Tensor) -> None:
        self.chunks.append(value.reshape(-1).tolist())

    def end(self) -> None:
        self.ended += 1


def test_the_streamer_gets_prompt_and_text_and_is_ended(
    llama: transformers.PreTrainedModel, compiled: gs.CompiledGrammar
) -> None:
    recorder = Recorder()
    call = gs.transformers.generate(compiled, streamer=recorder)
    [row] = llama.generate(
        **inputs(), custom_generate=call, do_sample=True, top_k=0, max_new_tokens=N
    ).tolist()
    assert (
        recorder.chunks[0] == PROMPT
        and [*recorder.chunks[0], *recorder.chunks[1]] == row
        and recorder.ended == 1
    )
    with pytest.raises(gs.OptionError, match="num_beams"):
        llama.generate(**inputs(), custom_generate=call, num_beams=2, max_new_tokens=N)
    assert recorder.ended == 2
    with pytest.raises(gs.OptionError, match=r"one text can be streamed, not 2\n.*stream=.*Chunk"):
        llama.generate(**BATCH, custom_generate=call, max_new_tokens=N)


@pytest.mark.parametrize("options", [{"do_sample": True, "top_k": 0}, {}], ids=["sampling", "greedy"])
def test_the_streamer_of_the_call_is_heard(
    options: dict[str, Any], llama: transformers.PreTrainedModel, compiled: gs.CompiledGrammar
) -> None:
    """Transformers hands it to no callable: it would get the prompt, and no end."""
    own, of_the_call = Recorder(), Recorder()
    call = gs.transformers.generate(compiled, streamer=own)
    [row] = llama.generate(
        **inputs(), custom_generate=call, streamer=of_the_call, max_new_tokens=N, **options
    ).tolist()
    for recorder in (own, of_the_call):
        assert recorder.chunks[0] == PROMPT and recorder.ended == 1
        assert [token for chunk in recorder.chunks for token in chunk] == row
    with pytest.raises(gs.OptionError, match="max_time"):
        llama.generate(**inputs(), custom_generate=call, streamer=of_the_call, max_new_tokens=N, max_time=1.0)
    assert of_the_call.ended == 2


def test_text_that_nothing_takes_back_is_streamed_at_once(
    llama: transformers.PreTrainedModel, compiled: gs.CompiledGrammar
) -> None:
    recorder = Recorder()
    options = gs.DecodingOptions(drafter="none")
    call = gs.transformers.generate(compiled, streamer=recorder, law="masked", options=options, seed=1)
    [row] = llama.generate(
        **inputs(), custom_generate=call, do_sample=True, top_k=0, max_new_tokens=N
    ).tolist()
    assert recorder.chunks == [PROMPT, *([token] for token in row[len(PROMPT) :])]


def test_a_waiting_consumer_is_told() -> None:
    target, _ = gs.models.embedded()
    tokenizer = target.tokenizer
    streamer = TextIteratorStreamer(tokenizer, skip_prompt=True, timeout=60)
    call = gs.transformers.generate(gs.choice(["yes", "no"]), tokenizer=tokenizer, streamer=streamer)
    thread = threading.Thread(
        target=target.model.generate,
        args=(tokenizer("Is it so? ", return_tensors="pt")["input_ids"],),
        kwargs={"custom_generate": call, "max_new_tokens": 8},
    )
    thread.start()
    text = "".join(streamer)
    thread.join()
    assert text.removesuffix("<|eos|>") in ("yes", "no")


# ----------------------------------------------------------------------------------------- refusals


class Stateful(LogitsProcessor):
    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        return scores - 0.5 * torch.nn.functional.one_hot(torch.tensor([9]), scores.shape[-1])


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"num_beams": 2}, "num_beams=2: beam search"),
    ({"penalty_alpha": 0.5, "top_k": 4}, "penalty_alpha=0.5: contrastive"),
    ({"prompt_lookup_num_tokens": 2}, "prompt_lookup_num_tokens=2"),
    ({"max_time": 1.0}, "max_time=1.0: a budget inside an attempt"),
    ({"output_scores": True, "return_dict_in_generate": True}, "output_scores=True"),
    ({"cache_implementation": "static"}, "cache_implementation='static'"),
    ({"guidance_scale": 2.0}, "guidance_scale=2.0"),
    ({"prefix_allowed_tokens_fn": lambda i, ids: [3]}, "prefix_allowed_tokens_fn is a second constraint"),
    ({"remove_invalid_values": True}, "rows with NaN are refused"),
    ({"logits_processor": [Stateful()]}, r"logits_processor\[0\] is Stateful"),
    ({"stopping_criteria": [lambda ids, scores: False]}, r"stopping_criteria\[\d\] is function"),
    ({"synced_gpus": True}, "synced_gpus=True: the forwards of several processes"),
    ({"use_cache": False}, "use_cache=False: rounds roll a cache back"),
    ({"prefill_chunk_size": 2}, "prefill_chunk_size=2: a prompt is read in one"),
    ({"num_assistant_tokens": 4}, r"num_assistant_tokens=4: rounds are set by .*gamma="),
    ({"max_matching_ngram_size": 4}, r"max_matching_ngram_size=4: rounds are set by"),
    ({"attention_mask": torch.tensor([[1, 1, 0]])}, r"attention_mask\[0\] hides tokens"),
    ({"attention_mask": torch.tensor([[0, 0, 0]])}, r"input_ids\[0\] is empty"),
    ({"position_ids": torch.tensor([[0, 1, 5]])}, "position_ids: only the usual"),
    ({"past_key_values": transformers.DynamicCache()}, "past_key_values: a cache"),
]


@pytest.mark.parametrize(("options", "message"), REFUSED, ids=lambda value: str(value)[:40])
def test_refused_by_name(
    options: dict[str, Any],
    message: str,
    llama: transformers.PreTrainedModel,
    compiled: gs.CompiledGrammar,
) -> None:
    call = gs.transformers.generate(compiled)
    options = {"do_sample": True, "max_new_tokens": N, **options}
    if options.keys() & {"num_beams", "penalty_alpha", "prompt_lookup_num_tokens"}:
        options["do_sample"] = False
    with pytest.raises(gs.GramspecError, match=message):
        llama.generate(**inputs(), custom_generate=call, **options)


def test_refused_when_made(compiled: gs.CompiledGrammar) -> None:
    for options, message in (
        ({"temperature": 0.5}, "temperature: this is an argument of model.generate"),
        ({"nucleus": 1}, "nucleus: unknown option; known are .*draft"),
        ({"seed": -1}, "seed=-1"),
        ({"law": "local"}, "law='local'"),
        ({"pure_processors": [Stateful()]}, "pure_processors: classes"),
    ):
        with pytest.raises(gs.OptionError, match=message):
            gs.transformers.generate(compiled, **options)


def test_other_refusals(llama: transformers.PreTrainedModel, compiled: gs.CompiledGrammar) -> None:
    call = gs.transformers.generate(gs.choice(["a"]))
    with pytest.raises(gs.VocabularyError, match="no tokenizer"):
        llama.generate(**inputs(), custom_generate=call, max_new_tokens=N)
    call = gs.transformers.generate(compiled, law="conditional")
    with pytest.raises(gs.OptionError, match="law='conditional' with do_sample=False"):
        llama.generate(**inputs(), custom_generate=call, max_new_tokens=N)
    training = network("llama").train()
    with pytest.raises(gs.OptionError, match="training mode"):
        training.generate(**inputs(), custom_generate=call, max_new_tokens=N)
    t5 = transformers.T5Config(vocab_size=VOCAB, d_model=16, d_kv=8, d_ff=32, num_layers=1, num_heads=2)
    t5.decoder_start_token_id = PAD
    with pytest.raises(gs.OptionError, match="encoder_outputs: the model is run on token ids alone"):
        transformers.T5ForConditionalGeneration(t5).eval().generate(
            **inputs(), custom_generate=gs.transformers.generate(compiled), max_new_tokens=N
        )
    with pytest.raises(gs.OptionError, match=r"GrammarLogitsProcessor: two grammars are one"):
        llama.generate(
            **inputs(),
            custom_generate=gs.transformers.generate(compiled),
            logits_processor=[gs.GrammarLogitsProcessor(compiled)],
            max_new_tokens=N,
        )
    with pytest.raises(gs.OptionError, match="assistant_model: Transformers does not hand it"):
        llama.generate(**inputs(), custom_generate=call, max_new_tokens=N, assistant_model=network("llama"))


def test_a_vouched_processor_is_part_of_p(
    llama: transformers.PreTrainedModel, compiled: gs.CompiledGrammar
) -> None:
    call = gs.transformers.generate(compiled, pure_processors=(Stateful,), seed=2)
    options = {"do_sample": True, "temperature": 3.0, "max_new_tokens": N, "logits_processor": [Stateful()]}
    out = llama.generate(**BATCH, custom_generate=call, return_dict_in_generate=True, **options)
    assert out.target_law["processors"] == ("Stateful",)
    for i, completion in enumerate(out.completions):
        expected = batch_logprobs(llama, BATCH, i, completion.token_ids, **options)
        assert completion.logprob == pytest.approx(expected, abs=2e-3)


# ------------------------------------------------------------------------------------ learned mass


def test_learned_mass_is_kept_apart_by_processors_and_weights(compiled: gs.CompiledGrammar) -> None:
    """One shared trie over calls with another penalty and other weights: rho stays at most 1."""
    model = network("llama")
    trie = gs.PrefixTrie(gs.Viability(compiled))
    call = gs.transformers.generate(compiled, potential=trie)
    options = {"do_sample": True, "temperature": 4.0, "top_k": 0, "max_new_tokens": N}
    for penalty in (1.0, 1.5, 1.0):
        for _ in range(2):
            out = model.generate(
                **inputs(),
                custom_generate=call,
                repetition_penalty=penalty,
                return_dict_in_generate=True,
                **options,
            )
            assert out.reports[0].rho_max <= 1.0 + 1e-3
        with torch.no_grad():
            model.lm_head.weight.mul_(0.9)
    assert len(trie._tries) == 3


def test_cut_rows_keep_their_support() -> None:
    """A processor that cuts rows makes learned rows kept, as top-k does."""
    from gramspec.integrations.processors import ProcessedModel, row_options

    class Flat:
        vocab_size, eos_ids, max_length, fingerprint, row_noise = VOCAB, (EOS,), None, "flat", 1e-4

    cut = row_options([TopKLogitsWarper(3), transformers.MinPLogitsWarper(0.1)])
    assert cut.rows.top_k == 0 and len(cut.processors) == 2
    assert ProcessedModel(Flat(), cut.processors).truncates
    smooth = row_options([transformers.RepetitionPenaltyLogitsProcessor(2.0), TopKLogitsWarper(3)])
    assert smooth.rows.top_k == 3
    model = ProcessedModel(Flat(), smooth.processors)
    assert not model.truncates and np.isclose(model.row_noise, 2e-4)


# ------------------------------------------------------------------------------------------- lanes


def test_prompts_of_a_batch_share_forwards(llama: transformers.PreTrainedModel) -> None:
    """Four prompts side by side: the same texts as one after the other, in fewer calls of the network."""
    compiled = language()
    prompts = {"input_ids": torch.tensor([[7, 9], [11, 13], [15, 8], [20, 21]])}
    calls: list[int] = []
    forward = llama.forward

    def watched(*args: Any, **options: Any) -> Any:
        calls.append(len(options["input_ids"]))
        return forward(*args, **options)

    found = {}
    for lanes in (1, 4):
        options = gs.DecodingOptions(lanes=lanes, drafter="model", gamma=2)
        call = gs.transformers.generate(
            compiled, seed=3, draft=network("llama", seed=3), options=options, sampler="restart"
        )
        llama.generate(**prompts, custom_generate=call, do_sample=True, temperature=3.0, max_new_tokens=N)
        calls.clear()
        llama.forward = watched
        try:
            out = llama.generate(
                **prompts,
                custom_generate=call,
                do_sample=True,
                temperature=3.0,
                top_k=0,
                max_new_tokens=N,
                return_dict_in_generate=True,
            )
        finally:
            del llama.forward
        found[lanes] = (
            [c.token_ids for c in out.completions],
            [(r.attempts, r.target_forwards, r.draft_forwards) for r in out.reports],
            list(calls),
        )
    alone, together = found[1], found[4]
    assert together[:2] == alone[:2]
    assert set(alone[2]) == {1} and max(together[2]) == 4
    assert sum(together[2]) == sum(alone[2]) == sum(forwards for _, forwards, _ in alone[1])
    assert len(together[2]) < 0.7 * len(alone[2])
