"""Partition functions as a twist, without sampling: every sequence of small bigram worlds is looked at.

Laws: E[w] = Φ whatever the twist; ESS/n = E[w]²/E[w²] of the twist is at least 3 times that of local masking,
in every world tried (unigram counts; means about 5 on Dyck, 4 on JSON), and masked runs fail to end.
"""

from __future__ import annotations

import json

import numpy as np
import pytest

from benchmarks.partition import METHODS, Task, World, exact_efficiency, measure, plot, table, tasks, twists
from gramspec.audit import exact_law

TASKS = {task.name: task for task in tasks()}
SMALL = {"dyck": 10, "json": 5}


def efficiencies(task: Task, noise: float, seed: int) -> dict[str, dict[str, float]]:
    world, compiled = World.make(task, noise, seed), task.compiled()
    budget = SMALL[task.name]
    found = {}
    for method, twist in twists(world, compiled, budget).items():
        one = exact_efficiency(world, compiled, twist, budget)
        found[method] = {"ess": one.ess, "ended": one.ended, "phi": one.phi}
    return found


@pytest.mark.parametrize(("name", "factor"), [("dyck", 3.0), ("json", 3.0)])
def test_the_twist_lifts_the_effective_sample_size(name: str, factor: float) -> None:
    ratios = []
    for noise, seed in ((0.3, 0), (0.6, 1), (1.0, 2)):
        found = efficiencies(TASKS[name], noise, seed)
        phis = [f["phi"] for f in found.values()]
        assert np.allclose(phis, phis[0], rtol=1e-12)
        ratios.append(found["partition, unigram"]["ess"] / found["mask"]["ess"])
        assert found["partition, unigram"]["ess"] > 2.5 * found["mask within budget"]["ess"]
        assert found["mask"]["ended"] < 0.75 and found["partition, unigram"]["ended"] > 0.99
        assert found["mask within budget"]["ended"] == pytest.approx(1.0)
    assert min(ratios) > factor, ratios


def test_the_exact_figures_agree_with_the_enumerated_law() -> None:
    """Φ and E[w²] again, sequence by sequence, from the exact law of the audit."""
    task = TASKS["dyck"]
    world, compiled = World.make(task, 0.8, 4), task.compiled()
    law = exact_law(world.target(), task.grammar, 7, vocabulary=compiled.vocabulary)
    assert law.log_phi is not None
    phi = float(np.exp(law.log_phi))
    for method, twist in twists(world, compiled, 7).items():
        second = 0.0
        for ids, chance in law.items():
            matcher, last, r = compiled.matcher(), -1, 1.0
            for left, token in zip(range(7, 0, -1), ids, strict=False):
                mass = world.row(last) * twist(matcher, left)
                r *= mass[token] / mass.sum()
                matcher.advance(token)
                last = token
            second += (phi * chance) ** 2 / r
        found = exact_efficiency(world, compiled, twist, 7)
        assert found.phi == pytest.approx(phi, rel=1e-12), method
        assert found.ess == pytest.approx(phi**2 / second, rel=1e-12), method


def test_the_script_writes_its_figures(tmp_path_factory: pytest.TempPathFactory) -> None:
    task = TASKS["dyck"]
    rows = list(
        measure(Task("dyck", task.grammar, task.tokens, task.chances, 6), 0.5, 0, budget=20, draws=30)
    )
    assert [r["method"] for r in rows] == [*METHODS, *METHODS]
    assert json.loads(json.dumps(rows)) == rows
    assert table(rows).count("\n") == 1 + len(rows)
    path = tmp_path_factory.mktemp("plots") / "partition.png"
    plot(rows, path)
    assert path.stat().st_size > 10_000
