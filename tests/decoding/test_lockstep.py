"""Lanes in lockstep: the same draws as one after the other, one call of a model per step, clean ends."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from gramspec.audit.enumerate import outcome_masses
from gramspec.decoding.drafting import ModelDrafter
from gramspec.decoding.kernel import KilledLaw
from gramspec.decoding.lockstep import LaneModel, in_lockstep
from gramspec.decoding.meter import Meter
from gramspec.decoding.options import DecodingOptions
from gramspec.decoding.random import NumpyRandomSource, RandomSource
from gramspec.decoding.rows import RowLaw
from gramspec.decoding.samplers import RestartSampler
from gramspec.models.protocol import LanguageModel
from gramspec.validity import PrefixTrie, TrieKey, Viability
from tests.decoding.finite_language import FiniteLanguage, random_language, random_model, small_vocabulary

SIZE, EOS, BUDGET = 5, (4,), 5


class Batches:
    """Counts the batches that a model is asked for."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.sizes: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    def score_many(self, requests: Any) -> Any:
        self.sizes.append(len(requests))
        return self.model.score_many(requests)


def language(size: int = SIZE, budget: int = BUDGET, seed: int = 21) -> FiniteLanguage:
    eos = (size - 1,)
    members = random_language(np.random.default_rng(seed), size, eos, budget)
    return FiniteLanguage(members, small_vocabulary(size, eos), 1)


def sampler(
    found: FiniteLanguage,
    target: LanguageModel,
    draft: LanguageModel | None,
    prompt: list[int],
    **options: Any,
) -> RestartSampler:
    rows = RowLaw()
    base = Viability(found)
    budget = max(map(len, found.members))
    key = TrieKey(
        "m", tuple(prompt), 1.0, 0, 1.0, found.fingerprint, tuple(found.vocabulary.eos_ids), base.name, budget
    )
    law = KilledLaw(PrefixTrie(base).at(key), rows, budget=budget, width=target.vocab_size)
    drafter = None if draft is None else ModelDrafter(draft, prompt, rows)
    return RestartSampler(
        law,
        target.open(prompt),
        len(prompt),
        drafter,
        DecodingOptions(gamma=3, **options),
        Meter(target, draft),
    )


def draws(found: FiniteLanguage, prompt: list[int], count: int) -> Any:
    def task(target: LanguageModel, draft: LanguageModel | None) -> list[Any]:
        one = sampler(found, target, draft, prompt)
        return [one.draw(lambda attempt, k=k: NumpyRandomSource((*prompt, k, attempt))) for k in range(count)]

    return task


@pytest.mark.parametrize("drafted", [False, True])
@pytest.mark.parametrize("lanes", [1, 2, 8])
def test_lanes_draw_what_they_draw_alone(lanes: int, drafted: bool) -> None:
    found = language()
    target, draft = random_model(21, SIZE, EOS, 0.0), random_model(22, SIZE, EOS, 0.0) if drafted else None
    prompts = [[0], [1], [2, 3], [3], [0, 1]]
    tasks = [draws(found, prompt, 4) for prompt in prompts]
    ended: list[int] = []
    together = in_lockstep(tasks, target, draft, lanes=lanes, done=ended.append)
    alone = [task(target, draft) for task in tasks]
    assert ended == [1, 2, 3, 4, 5]
    for a, b in zip(together, alone, strict=True):
        assert [draw.tokens for draw in a] == [draw.tokens for draw in b]
        assert [draw.logprob for draw in a] == [draw.logprob for draw in b]
        for mine, other in zip(a, b, strict=True):
            assert mine.report.attempts == other.report.attempts
            assert mine.report.target_forwards == other.report.target_forwards > 0
            assert mine.report.draft_forwards == other.report.draft_forwards


def test_one_call_of_the_model_serves_all_lanes() -> None:
    found = language()
    target, draft = Batches(random_model(21, SIZE, EOS, 0.0)), Batches(random_model(22, SIZE, EOS, 0.0))
    tasks = [draws(found, [i], 6) for i in range(4)]
    in_lockstep(tasks, target, draft, lanes=4)  # type: ignore[arg-type]
    alone = Batches(random_model(21, SIZE, EOS, 0.0))
    for task in tasks:
        in_lockstep([task], alone, draft, lanes=1)  # type: ignore[arg-type]
    assert set(alone.sizes) == {1}
    assert sum(target.sizes) == sum(alone.sizes) and max(target.sizes) == 4
    assert len(target.sizes) < 0.6 * len(alone.sizes)
    # While lanes draft, the target waits: its batches hold every lane that is alive.
    assert Counter(target.sizes)[4] > 0.3 * len(target.sizes)


def test_the_joint_law_of_two_lanes_is_the_product() -> None:
    """Every choice of two lanes enumerated together, each with learning of its own."""
    found = language(3, 3, seed=2)
    target = random_model(5, 3, (2,), 0.0)

    def lane(prompt: int, random: RandomSource) -> Any:
        def task(model: LanguageModel, draft: LanguageModel | None) -> tuple[int, ...] | None:
            attempt = sampler(found, model, draft, [prompt]).begin()
            return attempt.tokens if attempt.run(random) else None

        return task

    def both(random: RandomSource) -> Any:
        return tuple(in_lockstep([lane(0, random), lane(1, random)], target, lanes=2))

    joint, lost = outcome_masses(both, unresolved_errors=())
    single = [
        outcome_masses(lambda random, p=p: in_lockstep([lane(p, random)], target, lanes=1)[0])[0]
        for p in (0, 1)
    ]
    assert lost <= 1e-12 and len(joint) > 4
    for (a, b), mass in joint.items():
        assert abs(mass - single[0][a] * single[1][b]) <= 1e-12


def test_an_error_ends_all_lanes_and_their_clean_up_runs() -> None:
    target = random_model(21, SIZE, EOS, 0.0)
    cleaned: list[int] = []

    def waits(name: int) -> Any:
        def task(model: LanguageModel, draft: LanguageModel | None) -> None:
            sequence = model.open([0])
            try:
                while True:
                    sequence.score()
            finally:
                cleaned.append(name)

        return task

    def fails(model: LanguageModel, draft: LanguageModel | None) -> None:
        model.open([0]).score()
        raise ZeroDivisionError("lane")

    with pytest.raises(ZeroDivisionError, match="lane"):
        in_lockstep([waits(0), fails, waits(2), waits(3)], target, lanes=3)
    assert sorted(cleaned) == [0, 2]  # the fourth never began
    broken = Batches(target)
    broken.score_many = lambda requests: 1 / 0  # type: ignore[method-assign]
    with pytest.raises(ZeroDivisionError):
        in_lockstep([waits(5), waits(6)], broken, lanes=2)  # type: ignore[arg-type]
    assert sorted(cleaned) == [0, 2, 5, 6]


def test_a_lane_sees_a_model() -> None:
    target = random_model(21, SIZE, EOS, 0.0)

    def task(model: LanguageModel, draft: LanguageModel | None) -> None:
        assert isinstance(model, LaneModel) and isinstance(model, LanguageModel) and draft is None
        assert (model.vocab_size, model.eos_ids, model.fingerprint) == (
            target.vocab_size,
            target.eos_ids,
            target.fingerprint,
        )
        sequence = model.open([0, 1])
        sequence.commit([2])
        other = sequence.fork()
        sequence.rollback(1)
        assert list(other.tokens) == [0, 1, 2] and list(sequence.tokens) == [0, 1]
        assert np.array_equal(other.score([3]), target.open([0, 1, 2]).score([3]))
        assert model.counters.forwards == 1

    in_lockstep([task], target, lanes=1)
