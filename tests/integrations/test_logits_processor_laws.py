"""The law of `GrammarLogitsProcessor` under the loops of Transformers: masked, in every mode the same.

Law: mask, then temperature, top-k and top-p of what is left, in the order of Transformers.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch
import transformers
from transformers.generation.candidate_generator import CandidateGenerator

import gramspec as gs
from gramspec.audit import output_law
from gramspec.audit.statistics import pearson
from tests.integrations.transformers_world import EOS, MEMBERS, PAD, A, B, C, language, network, raw_row

PROMPT = [A, B, 7, C, C, 9, B, A, 11, A, B]


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def compiled() -> gs.CompiledGrammar:
    return language()


@pytest.fixture(scope="module")
def llama() -> transformers.PreTrainedModel:
    return network("llama")


def masked_law(model: Any, prompt: list[int], temperature: float = 1.0, top_k: int = 50) -> dict[Any, float]:
    """By brute force, from raw logits."""
    law = {}
    for member in MEMBERS:
        log = 0.0
        for t, token in enumerate(member):
            allowed = sorted({m[t] for m in MEMBERS if m[:t] == member[:t]})
            row = raw_row(model, [*prompt, *member[:t]]).double()[allowed] / temperature
            kept = row >= row.topk(min(top_k, len(allowed))).values[-1]
            row = row.masked_fill(~kept, -torch.inf)
            log += float(row.log_softmax(-1)[allowed.index(token)])
        law[member] = math.exp(log)
    assert math.isclose(math.fsum(law.values()), 1.0, abs_tol=1e-9)
    return law


def text_of(row: list[int], start: int) -> tuple[int, ...]:
    new = row[start:]
    return tuple(new[: new.index(EOS) + 1])


def call(model: Any, compiled: Any, prompt: list[int] = PROMPT, **options: Any) -> list[list[int]]:
    rows: list[list[int]] = model.generate(
        torch.tensor([prompt]),
        logits_processor=[gs.GrammarLogitsProcessor(compiled)],
        **{"do_sample": True, "max_new_tokens": 5, "pad_token_id": PAD, **options},
    ).tolist()
    return rows


def chosen_by(random: Any) -> Any:
    """`torch.multinomial` with every choice enumerated."""

    def choose(weights: torch.Tensor, num_samples: int) -> torch.Tensor:
        assert num_samples == 1
        return torch.tensor([[random.choose(row.double().numpy())] for row in weights])

    return mock.patch("torch.multinomial", choose)


@pytest.mark.parametrize("options", [{}, {"temperature": 2.0}, {"temperature": 3.0, "top_k": 2}], ids=str)
@pytest.mark.parametrize("lookup", [False, True])
def test_enumerated(compiled: Any, llama: Any, lookup: bool, options: dict[str, Any]) -> None:
    extra = {"prompt_lookup_num_tokens": 2} if lookup else {}

    def run(random: Any) -> tuple[int, ...]:
        with chosen_by(random):
            [row] = call(llama, compiled, **options, **extra)
        return text_of(row, len(PROMPT))

    law = output_law(run)
    expected = {y: p for y, p in masked_law(llama, PROMPT, **options).items() if p}
    assert set(law) == set(expected)
    assert max(abs(law[y] - p) for y, p in expected.items()) < 1e-5


class Wild(CandidateGenerator):
    """Drafts that know nothing of the grammar."""

    def get_candidates(self, input_ids: torch.Tensor, **_: Any) -> tuple[torch.Tensor, None]:
        return torch.cat([input_ids, torch.tensor([[A, 9]])], dim=1), None

    def update_candidate_strategy(self, *_: Any) -> None: ...


@pytest.mark.parametrize("sample", [True, False])
def test_drafts_that_leave_the_grammar(compiled: Any, sample: bool) -> None:
    llama = network("llama")
    llama._get_candidate_generator = lambda **_: Wild()

    def run(random: Any) -> tuple[int, ...]:
        with chosen_by(random):
            [row] = call(llama, compiled, prompt_lookup_num_tokens=2, do_sample=sample)
        return text_of(row, len(PROMPT))

    law = output_law(run)
    if not sample:
        assert list(law) == [text_of(call(network("llama"), compiled, do_sample=False)[0], len(PROMPT))]
        return
    expected = masked_law(llama, PROMPT)
    assert max(abs(law.get(y, 0.0) - p) for y, p in expected.items()) < 1e-5


def test_rows_of_a_batch(compiled: Any, llama: Any) -> None:
    """Left padding and many rows at once: the law of each prompt is that of the prompt alone."""
    short, n = PROMPT[:4], 1500
    torch.manual_seed(7)
    out = llama.generate(
        input_ids=torch.tensor([[PAD] * 7 + short, PROMPT]),
        attention_mask=torch.tensor([[0] * 7 + [1] * 4, [1] * 11]),
        logits_processor=[gs.GrammarLogitsProcessor(compiled)],
        do_sample=True,
        temperature=3.0,
        num_return_sequences=n,
        max_new_tokens=5,
        pad_token_id=PAD,
    ).tolist()
    for i, prompt in enumerate((short, PROMPT)):
        counts = Counter(text_of(row, 11) for row in out[n * i : n * (i + 1)])
        assert pearson(counts, masked_law(llama, prompt, temperature=3.0)).p_value > 1e-3


@pytest.mark.parametrize("how", ["draft", "early exit"])
def test_assisted_sampling(compiled: Any, llama: Any, how: str) -> None:
    extra = {"assistant_model": network("llama", seed=3)} if how == "draft" else {"assistant_early_exit": 1}
    torch.manual_seed(11)
    counts = Counter(
        text_of(call(llama, compiled, temperature=3.0, **extra)[0], len(PROMPT)) for _ in range(300)
    )
    assert pearson(counts, masked_law(llama, PROMPT, temperature=3.0)).p_value > 1e-3


def test_beams_find_the_best_text(compiled: Any, llama: Any) -> None:
    """As many beams as texts: those with the largest product of masked scores, in their order."""
    logs = {}
    for member in MEMBERS:
        rows = [raw_row(llama, [*PROMPT, *member[:t]]).double().log_softmax(-1) for t in range(len(member))]
        logs[member] = math.fsum(float(row[token]) for row, token in zip(rows, member, strict=True))
    out = llama.generate(
        torch.tensor([PROMPT]),
        logits_processor=[gs.GrammarLogitsProcessor(compiled)],
        num_beams=5,
        num_return_sequences=5,
        length_penalty=0.0,
        early_stopping=False,
        max_new_tokens=5,
        pad_token_id=PAD,
    ).tolist()
    assert [text_of(row, len(PROMPT)) for row in out] == sorted(MEMBERS, key=lambda m: -logs[m])
    assert len(set(np.round(list(logs.values()), 6))) == 5
