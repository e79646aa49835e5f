"""Controllers: whole attempts keep their law while arms, plans and statistics learn; figures by hand."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benches import bench, tiny_worlds

from gramspec.audit.enumerate import output_law
from gramspec.decoding.control import (
    Acceptance,
    Arm,
    Bandit,
    LatencyModel,
    PayingPlan,
    ThresholdPlan,
    Timing,
    measure,
)
from gramspec.decoding.control.latency import expected_tokens
from gramspec.decoding.drafting.dyspec import DySpecDrafter
from gramspec.decoding.drafting.model_drafter import ModelDrafter
from gramspec.decoding.drafting.probing import ProbingDrafter
from gramspec.decoding.drafting.tree import DraftPlan, DraftTree
from gramspec.decoding.random import NumpyRandomSource, RandomSource
from gramspec.decoding.round import Attempt, RoundResult
from gramspec.errors import BudgetExhaustedError, DraftError, OptionError
from gramspec.testing.proofs import TOLERANCE, Bench, conditional_reference
from gramspec.testing.worlds import worlds


def arms(b: Bench) -> list[Arm]:
    parts = (b.world.draft, b.world.prompt, b.rows())
    return [
        Arm("chain", ModelDrafter(*parts), DraftPlan(2)),  # type: ignore[arg-type]
        Arm("tree", DySpecDrafter(*parts), DraftPlan(2, 2, 2)),  # type: ignore[arg-type]
        Arm("none", None, DraftPlan(0)),
    ]


def ucb(b: Bench, random: RandomSource) -> tuple[Any, Any]:
    bandit = Bandit(arms(b))
    return bandit.drafter, bandit


def given_cost(b: Bench, random: RandomSource) -> tuple[Any, Any]:
    model = LatencyModel(
        {"prefill": 0.0, "verify": 1.0, "draft": 0.2, "kernel": 0.1},
        {"prefill": 0.0, "verify": 0.1, "draft": 0.0, "kernel": 0.1},
    )
    bandit = Bandit(arms(b)[:2], cost=model.cost)
    return bandit.drafter, bandit


def thompson(b: Bench, random: RandomSource) -> tuple[Any, Any]:
    bandit = Bandit(arms(b)[1:], rule="thompson", random=NumpyRandomSource((3,)))
    return bandit.drafter, bandit


def threshold(b: Bench, random: RandomSource) -> tuple[Any, Any]:
    drafter = ProbingDrafter(b.world.draft, b.world.prompt, b.rows())
    return drafter, ThresholdPlan(DraftPlan(2, 2, 3), 0.7, Acceptance(prior=0.3))


class CountedSeconds(PayingPlan):
    """Goes by counts instead of the clock, so that every choice can be enumerated."""

    def observe(self, plan: DraftPlan, result: Any, seconds: dict[str, float]) -> None:
        super().observe(plan, result, {"target": 1.0 + 0.4 * result.drafted})


def paying(b: Bench, random: RandomSource) -> tuple[Any, Any]:
    drafter = DySpecDrafter(b.world.draft, b.world.prompt, b.rows())  # type: ignore[arg-type]
    return drafter, CountedSeconds(DraftPlan(2, 2, 2))


def peeking(b: Bench, random: RandomSource) -> tuple[Any, Any]:
    """Wrong: the arm is chosen after both have drafted, by what they drafted."""
    first, second, _ = arms(b)
    assert first.drafter is not None and second.drafter is not None

    class Peeks:
        def propose(self, law: Any, node: Any, plan: DraftPlan, random: RandomSource) -> DraftTree:
            one = first.drafter.propose(law, node, plan, random)  # type: ignore[union-attr]
            two = second.drafter.propose(law, node, plan, random)  # type: ignore[union-attr]
            return max(one, two, key=lambda tree: (tree.depth, tree.tokens))

    return Peeks(), DraftPlan(1)


def law_of(b: Bench, make: Any, attempts: int) -> Any:
    """The law of the first accepted of a few attempts; everything learns, nothing is shared between runs."""
    world = b.world

    def run(random: RandomSource) -> tuple[int, ...]:
        law = b.killed(b.learned())
        drafter, plan = make(b, random)
        for _ in range(attempts):
            attempt = Attempt(law, world.target.open(world.prompt), len(world.prompt), drafter, plan)
            if attempt.run(random):
                return attempt.tokens
        raise BudgetExhaustedError(None, "no attempt was accepted")  # type: ignore[arg-type]

    return output_law(run, max_leaves=400_000)


def error(b: Bench, make: Any, attempts: int) -> float:
    found = law_of(b, make, attempts).conditioned()
    expected = conditional_reference(b.world)
    return max(abs(found.get(y, 0.0) - expected.get(y, 0.0)) for y in {*found, *expected})


@pytest.mark.parametrize("make", [ucb, given_cost, thompson, threshold, paying], ids=lambda f: f.__name__)
def test_attempts_keep_their_law_while_the_controller_learns(make: Any, seed: int) -> None:
    for world in tiny_worlds(seed + 3, 3, 2):
        assert error(bench(world, "native"), make, 2) <= TOLERANCE, str(world)


def test_an_arm_chosen_after_the_draft_is_caught() -> None:
    caught = sum(error(bench(world, "reference"), peeking, 1) > 1e-6 for world in tiny_worlds(20, 8, 2))
    assert caught >= 2


def result(tokens: int, accepted: int = 0, drafted: int = 0) -> RoundResult:
    return RoundResult(
        tuple(range(tokens)), False, None, 0.0, 0.0, (), drafted, accepted, 0.0, *_rest_of_a_result()
    )


def _rest_of_a_result() -> tuple[Any, ...]:
    return ((),) * (len(RoundResult._fields) - 9)


@pytest.mark.parametrize("rule", ["ucb", "thompson"])
def test_a_bandit_finds_the_better_arm(rule: Any) -> None:
    """Arm b gives three times the tokens per cost of arm a; c costs more than it gives."""
    random = NumpyRandomSource((1,))
    bandit = Bandit(
        [Arm("a", None, DraftPlan(1)), Arm("b", None, DraftPlan(2)), Arm("c", None, DraftPlan(9))],
        rule=rule,
        cost=lambda plan, result: {1: 1.0, 2: 1.0, 9: 6.0}[plan.length],
        random=NumpyRandomSource((2,)),
    )
    played = {1: 0, 2: 0, 9: 0}
    for _ in range(400):
        plan = bandit.plan(None)  # type: ignore[arg-type]
        played[plan.length] += 1
        mean = {1: 1, 2: 3, 9: 5}[plan.length]
        bandit.observe(plan, result(mean + random.choose(np.ones(2))), {})
    assert played[2] > 300
    assert bandit.deterministic and bandit.rates()["b"] > 2.5 * bandit.rates()["c"]
    assert not Bandit(bandit.arms, metric="seconds").deterministic


def test_measured_seconds_decide_when_asked_to() -> None:
    bandit = Bandit([Arm("slow", None, DraftPlan(1)), Arm("fast", None, DraftPlan(2))], metric="seconds")
    assert math.isnan(bandit.rates()["slow"])
    for _ in range(60):
        plan = bandit.plan(None)  # type: ignore[arg-type]
        bandit.observe(plan, result(4), {"target": 4.0 if plan.length == 1 else 1.0})
    assert bandit.chosen is not None and bandit.chosen.name == "fast"
    assert bandit.rates() == {"slow": 1.0, "fast": 4.0}


def test_what_a_bandit_refuses() -> None:
    one = Arm("a", None, DraftPlan(1))
    for arms_, settings, words in [
        ([], {}, "one arm"),
        ([one, one], {}, "different names"),
        ([one], {"rule": "best"}, "rule"),
        ([one], {"rule": "thompson"}, "random source"),
        ([one], {"metric": "seconds", "cost": lambda p, r: 1.0}, "not both"),
    ]:
        with pytest.raises(OptionError, match=words):
            Bandit(arms_, **settings)  # type: ignore[arg-type]
    with pytest.raises(DraftError, match="controller as well"):
        Bandit([one]).drafter.propose(None, None, DraftPlan(1), None)  # type: ignore[arg-type]


def test_acceptance_is_counted_by_state() -> None:
    """Chains of two: the counted levels are those that a replay of the trees finds."""
    for world in worlds(41, 4, draft=True, size=3):
        b = bench(world, "native")
        law = b.killed(b.learned())
        plan = ThresholdPlan(DraftPlan(2), 0.9)
        random = NumpyRandomSource((world.seed,))
        kept = lost = 0
        for _ in range(30):
            attempt = Attempt(
                law,
                world.target.open(world.prompt),
                len(world.prompt),
                ModelDrafter(world.draft, world.prompt, b.rows()),  # type: ignore[arg-type]
                plan,
            )
            while not attempt.over:
                before, accepted = len(attempt.tokens), attempt.tally.accepted
                tree = attempt.begin(random)
                _, tokens, parents = tree.to_score()
                attempt.finish(tree, attempt.sequence.score(tokens, parents), random)
                levels = attempt.tally.accepted - accepted
                kept += levels
                emitted = attempt.tokens[before:]
                further = tree.tokens[1:][levels : levels + 1]
                lost += bool(further) and further[0] not in law.eos_ids and emitted[levels:] != further
            attempt.close()
        counts = plan.acceptance._all
        assert counts == [kept, lost]
        assert sum(c[0] for c in plan.acceptance._levels.values()) == kept


def test_a_threshold_bounds_the_length() -> None:
    acceptance = Acceptance(lambda node: None, prior=0.5, weight=1e9)
    plan = ThresholdPlan(DraftPlan(10), 0.8, acceptance)
    assert plan.plan(None).length == 2  # type: ignore[arg-type]  # 1 - 0.5**2 = 0.75, 1 - 0.5**3 = 0.875
    with pytest.raises(OptionError, match="threshold"):
        ThresholdPlan(DraftPlan(3), 1.0)


def test_a_node_pays_by_its_share_of_the_seconds_of_a_token() -> None:
    plan = PayingPlan(DraftPlan(8, 4, 32))
    assert plan.plan(None).least == 0.01  # type: ignore[arg-type]  # nothing was measured
    for k in range(40):
        nodes = 8 if k % 4 else 32
        result = RoundResult((1, 2, 3), False, None, 0.0, 0.0, (), nodes, 2, 0.0)
        plan.observe(DraftPlan(8, 4, nodes), result, {"target": 2.0 + 0.1 * nodes, "draft": 1.0})
    seconds = 3.0 + 0.1 * (8 * 30 + 32 * 10) / 40
    assert plan.least == pytest.approx(0.1 / (seconds / 3.0), rel=0.05)
    sizes = {plan.plan(None).nodes for _ in range(8)}  # type: ignore[arg-type]
    assert sizes == {8, 32}
    with pytest.raises(OptionError, match="memory=1"):
        PayingPlan(DraftPlan(3), 1.0)


def test_a_latency_model_is_fitted_and_kept(tmp_path: Path) -> None:
    timings = [Timing("verify", n, 2.0 + 0.5 * n) for n in (1, 2, 8)]
    timings += [Timing("draft", n, 0.3 + 0.01 * n) for n in (1, 4)]
    timings += [Timing("kernel", n, 0.1 * n - 0.05) for n in (1, 5)]  # a constant below zero is no time
    model = LatencyModel.fit(timings)
    assert math.isclose(model.seconds("verify", 16), 10.0) and model.constants["kernel"] == 0.0
    assert model.r_squared(timings[:5]) > 0.999
    model.save(tmp_path / "latency.json")
    assert LatencyModel.load(tmp_path / "latency.json") == model
    (tmp_path / "other.json").write_text("[]")
    with pytest.raises(OptionError, match="no latency model"):
        LatencyModel.load(tmp_path / "other.json")
    with pytest.raises(OptionError, match="two or more numbers"):
        LatencyModel.fit(timings[:1])
    with pytest.raises(OptionError, match="no timings"):
        LatencyModel.fit([])


def test_the_best_plan_by_hand() -> None:
    """Expected tokens of a chain are (1 − α^(γ+1))/(1 − α); dear rows make short drafts best."""
    assert math.isclose(expected_tokens(DraftPlan(3), 0.8), (1 - 0.8**4) / 0.2)
    assert math.isclose(expected_tokens(DraftPlan(2, 2), 0.5), 1 + 0.75 + 0.75**2)
    plans = [DraftPlan(n) for n in range(9)]

    def model(row: float) -> LatencyModel:
        constants = {"prefill": 1.0, "verify": 1.0, "draft": 0.05, "kernel": 0.0}
        return LatencyModel(constants, {"prefill": 0.0, "verify": row, "draft": 0.0, "kernel": 0.0})

    assert model(0.0).best(plans, 0.9).length == 8
    assert 0 < model(0.2).best(plans, 0.6).length < 4
    assert model(5.0).best(plans, 0.3).length == 0
    cheap = model(0.01)
    assert cheap.best([DraftPlan(4), DraftPlan(4, 2, 30)], 0.5).width == 2
    alone = cheap.under_load(DraftPlan(4), 20.0, 0.8, 0.0)
    busy = cheap.under_load(DraftPlan(4), 20.0, 0.8, 1.5)
    assert busy > alone
    with pytest.raises(OptionError, match="no latency is finite"):
        cheap.under_load(DraftPlan(4), 20.0, 0.8, 100.0)
    with pytest.raises(OptionError, match="no plans"):
        cheap.best([], 0.5)


def test_phases_are_measured_with_a_given_clock() -> None:
    """A clock that counts its calls: every timing is one tick, every number of rows is asked for."""
    world = worlds(3, 1, draft=True, size=3)[0]
    b = bench(world, "native")
    ticks = iter(range(10_000))
    seen: list[tuple[int, int]] = []
    timings = measure(
        world.target,
        world.draft,
        b.killed(b.learned()),
        (0, 1),
        rows=(1, 2),
        repeats=2,
        clock=lambda: float(next(ticks)),
        progress=lambda done, total: seen.append((done, total)),
    )
    assert [(t.phase, t.rows) for t in timings] == [
        ("prefill", 1),
        ("prefill", 2),
        ("verify", 1),
        ("verify", 2),
        ("draft", 1),
        ("draft", 2),
        ("kernel", 1),
        ("kernel", 2),
    ]
    assert all(t.seconds == 1.0 for t in timings) and seen[-1] == (8, 8)
    with pytest.raises(OptionError, match="2 tokens"):
        measure(world.target, None, b.killed(b.learned()), (0,))
