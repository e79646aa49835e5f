"""Several sequences in one forward: rows as alone, caches that go on, counts, and failures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from model_networks import VOCAB, network

from gramspec.errors import LogitsError
from gramspec.models import Counters, TransformersModel
from gramspec.testing.models import random_tree


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def draw(rng: np.random.Generator) -> tuple[list[int], list[int] | None]:
    size = int(rng.integers(0, 5))
    if rng.random() < 0.5:
        return [int(t) for t in rng.integers(0, VOCAB, size)], None
    return random_tree(rng, VOCAB, size)


@pytest.mark.parametrize("name", ["llama", "gpt2", "gemma3", "mamba2"])
def test_sequences_of_other_lengths_accept_other_lengths(name: str) -> None:
    """Rounds of four sequences, which commit, roll back, and sometimes sit out."""
    batched, alone = (TransformersModel(network(name)) for _ in range(2))
    assert batched._network.batches == (name in ("llama", "gpt2"))
    rng = np.random.default_rng(7)
    prompts = [[int(t) for t in rng.integers(0, VOCAB, n)] for n in (1, 3, 9, 17)]
    pairs = [(batched.open(prompt), alone.open(prompt)) for prompt in prompts]
    for _ in range(12):
        chosen = [pair for pair in pairs if rng.random() < 0.8]
        requests: list[Any] = []
        expected = []
        before, before_alone = batched.counters.copy(), alone.counters.copy()
        for one, other in chosen:
            tokens, parents = draw(rng)
            requests.append((one, tokens, parents))
            expected.append(other.score(tokens, parents))
        found, spent = batched.score_counted(requests)
        for a, b in zip(found, expected, strict=True):
            assert np.abs(a - b).max() < 1e-4
        total = batched.counters.since(before)
        assert total == alone.counters.since(before_alone)
        assert total == Counters(
            sum(s.forwards for s in spent), sum(s.rows for s in spent), sum(s.positions for s in spent)
        )
        for (one, tokens, parents), (_, other) in zip(requests, chosen, strict=True):
            path: list[int] = []
            node = len(tokens) - 1 if tokens and rng.random() < 0.7 else -1
            while node >= 0:
                path.insert(0, tokens[node])
                node = node - 1 if parents is None else parents[node]
            path.append(int(rng.integers(0, VOCAB)))
            back = int(rng.integers(0, 2)) if len(one.tokens) > 20 else 0
            for sequence in (one, other):
                sequence.commit(path)
                sequence.rollback(back)


def test_one_forward_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    model = TransformersModel(network("llama"))
    assert model._network.batches
    calls = []
    forward = model.model.forward

    def watched(*args: Any, **options: Any) -> Any:
        calls.append(options["input_ids"].shape)
        return forward(*args, **options)

    monkeypatch.setattr(model.model, "forward", watched)
    sequences = [model.open([3] * n) for n in (2, 4, 7)]
    model.score_many([(s, [5, 6], [-1, -1]) for s in sequences])
    for s in sequences:
        s.commit([6, 8])
    model.score_many([(s, [9], None) for s in sequences])
    assert calls == [(3, 9), (3, 2)]
    same = model.score_many([(sequences[0], [9], None), (sequences[0], [9], None)])
    assert np.array_equal(same[0], same[1]) and len(calls) == 2


def test_a_bad_row_is_its_own_sequences(monkeypatch: pytest.MonkeyPatch) -> None:
    inner = network("llama")

    def poison(module: Any, ids: Any, states: torch.Tensor) -> torch.Tensor:
        return states.masked_fill((ids[0] == 17)[..., None], float("nan"))

    inner.get_input_embeddings().register_forward_hook(poison)
    model = TransformersModel(inner)
    good, bad = model.open([3, 4]), model.open([5, 6, 7])
    with pytest.raises(LogitsError, match=r"\[5, 6, 7, 17\]"):
        model.score_many([(good, [8], None), (bad, [17, 8], [-1, -1])])
    clean = TransformersModel(network("llama"))
    assert np.abs(good.score([8]) - clean.open([3, 4]).score([8])).max() < 1e-4
    assert np.abs(bad.score([8]) - clean.open([5, 6, 7]).score([8])).max() < 1e-4


def test_an_interrupted_batch_leaves_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    model = TransformersModel(network("llama"))
    first, second = model.open([3, 4]), model.open([5, 6, 7])
    model.score_many([(first, [8], None), (second, [9], None)])
    first.commit([8, 1])
    second.commit([2])
    expected = model.open([3, 4, 8, 1]).score()
    last = [module for module in model.model.modules() if isinstance(module, torch.nn.Linear)][-1]

    def interrupt(*args: Any) -> None:
        raise KeyboardInterrupt

    with last.register_forward_pre_hook(interrupt), pytest.raises(KeyboardInterrupt):
        model.score_many([(first, [], None), (second, [], None)])
    assert np.abs(first.score() - expected).max() < 1e-4


def test_a_model_that_ignores_masks_is_scored_one_by_one() -> None:
    inner = network("llama")
    forward = inner.model.forward
    inner.model.forward = lambda *args, attention_mask=None, **options: forward(
        *args, attention_mask=None, **options
    )
    model = TransformersModel(inner)
    assert not model._network.batches
    rows = model.score_many([(model.open([3, 4]), [5], None), (model.open([6]), [7], None)])
    alone = TransformersModel(network("llama")).open([6]).score([7])
    assert np.abs(rows[1] - alone).max() < 1e-4
