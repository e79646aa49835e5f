"""The benchmark of exact samples on two small tasks: forwards are charged, bars computed, files written."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gramspec as gs
from benchmarks.faithfulness import figures as fig
from benchmarks.faithfulness.charged import ChargedModel, SharedRows
from benchmarks.faithfulness.laws import compare, draws_needed, planted_draws
from benchmarks.faithfulness.methods import METHODS, Cost, Pair, Run
from benchmarks.faithfulness.tasks import TASKS
from gramspec.audit import Law, power_line
from gramspec.models.tabular import TabularModel


def test_forwards_are_charged_though_rows_are_shared() -> None:
    inner = TabularModel(lambda x: np.zeros(3), 3, 2)
    charged = ChargedModel(inner)
    first = charged.open((0,))
    first.score([1, 1, 0], [-1, 0, 0])
    assert (charged.counters.forwards, charged.counters.positions) == (1, 4)
    first.commit([1, 0])
    first.score([1])  # both committed tokens were in the tree
    assert (charged.counters.forwards, charged.counters.positions) == (2, 5)
    other = charged.again()
    second = other.open((0,))
    second.commit([1, 0])
    computed = inner.counters.forwards
    second.score()
    assert (other.counters.forwards, other.counters.positions) == (1, 3)  # catch-up is charged
    assert inner.counters.forwards == computed
    assert charged.counters.forwards == 2


def test_plain_copies_of_llamas_give_their_rows() -> None:
    for inner in gs.models.embedded():
        shared = SharedRows(inner, max_bytes=1)
        assert 0.0 < shared.difference < 1e-4  # compared with the model when it was made
        prompt, tokens, parents = inner.encode("Roll a die."), [40, 41, 42, 43, 44], [-1, 0, 0, -1, 3]
        charged = ChargedModel(shared).open(prompt)
        charged.commit([50, 51])
        charged.score()
        charged.rollback(1)
        theirs = inner.open([*prompt, 50]).score(tokens, parents)
        assert np.abs(charged.score(tokens, parents) - theirs).max() < 1e-4
        shared.forget_some()
        again = ChargedModel(shared).open(prompt)
        again.commit([50])
        assert np.abs(again.score(tokens, parents) - theirs).max() < 1e-4


def test_every_grammar_of_the_tasks_compiles_and_has_members() -> None:
    target = gs.models.embedded()[0]
    members = {
        "sql customers": "SELECT name, age FROM customers WHERE city = 'Berlin' AND age > 30 LIMIT 5",
        "sql lower": "select count(*) from orders where status = 'paid'",
        "dyck": "([()])[]",
        "dyck in front": "[()[]]()",
        "arithmetic": "(3+4)*2",
        "arithmetic bracketed": "((3+4)*2)",
        "date iso": "2024-03-05",
        "date compact": "20210517",
        "priority shouted": "low!!",
    }
    assert len({task.name for task in TASKS}) == len(TASKS) >= 10
    for task in TASKS:
        compiled = gs.compile(task.grammar(), target.vocabulary)
        assert compiled.matcher().viable(task.max_new_tokens).any(), task.name
        if task.name in members:
            assert reads(compiled, target, members[task.name])
            assert not reads(compiled, target, members[task.name] + ")")
        if task.name == "sql customers":  # columns belong to their table
            assert not reads(compiled, target, "SELECT salary FROM customers")


def reads(compiled: Any, target: Any, text: str) -> bool:
    ids = target.encode(text)[1:]  # without BOS
    matcher = compiled.matcher()
    return bool(matcher.advance_many(ids) == len(ids) and matcher.is_accepting)


def test_methods_agree_on_what_a_sample_is() -> None:
    pair = Pair(*gs.models.embedded())
    task = next(t for t in TASKS if t.name == "die in words")
    words = {*b"one two three four five six".split(), *(b"%d" % k for k in range(1, 7))}
    for name, method in METHODS.items():
        run = method(pair, task, 3, 5, 2000)
        assert len(run.costs) == len(run.tokens) == 3, name
        assert not run.capped
        assert run.spent == sum(cost.forwards for cost in run.costs) >= 1
        for tokens in run.tokens:
            text = b"".join(pair.vocabulary.tokens[t] or b"" for t in tokens)
            assert text in words, name
    hard = next(t for t in TASKS if t.name == "dice beyond six")
    assert METHODS["rejection"](pair, hard, 2, 0, 200).capped


def test_laws_are_tested_with_as_many_draws_as_a_distance_needs() -> None:
    law = Law({(k,): p for k, p in enumerate((0.3, 0.25, 0.2, 0.15, 0.098, 0.001, 0.001))})
    count = draws_needed(law, 0.05, 20_000)
    assert power_line(count, 0.05, 6) >= 0.99 > power_line(count - 50, 0.05, 6)
    assert draws_needed(law, 0.05, 1000) == 1000
    others = compare(planted_draws(law, 0.05, count, 1), law, 0.05)
    assert others["p"] < 1e-3 and others["power"] >= 0.99 and others["cells"] == 6
    same = compare(planted_draws(law, 1e-9, count, 1), law, 0.05)
    assert same["p"] > 1e-3 and same["tv"] < 3 * same["tv floor"] < 0.05


def made_up(*forwards: int, capped: bool = False) -> Run:
    costs = [Cost(n, n, n, 0, 1) for n in forwards]
    return Run(costs, [(1,)] * len(costs), capped, sum(forwards), sum(forwards))


def test_ratios_bars_and_bounds() -> None:
    ours, rival = [made_up(1, 1), made_up(3, 1)], [made_up(8, 2), made_up(12, 6)]
    figures = {"task": {"gramspec": fig.figure(ours, 2), "cars": fig.figure(rival, 2)}}
    [ratio] = fig.ratios(figures, "gramspec", "cars", "first")
    assert ratio.value == pytest.approx(0.2)
    assert 0.2 <= ratio.upper <= 0.25
    [each] = fig.ratios(figures, "gramspec", "cars", "each_fresh")
    assert each.value == pytest.approx((1 + 2) / (5 + 9))
    assert all(bar.met for bar in fig.bars(figures, "gramspec"))
    figures["bad"] = {"gramspec": figures["task"]["cars"], "cars": figures["task"]["gramspec"]}
    assert not any(bar.met for bar in fig.bars(figures, "gramspec"))
    assert fig.geometric_mean([0.25, 4.0]) == pytest.approx(1.0)
    capped = fig.figure([made_up(), made_up(5, capped=True)], 2)
    assert capped.first_lower and capped.each_lower


@pytest.mark.skipif(find_spec("matplotlib") is None, reason="matplotlib draws the plot")
def test_command_writes_tables_and_bars(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from benchmarks import faithful

    arguments = ["--quick", "--tasks", "die in words", "--out", str(tmp_path)]
    arguments += ["--methods", "cars,masked", "--law-draws", "40"]
    assert faithful.main(arguments) == 0
    assert "CARS as published, first sample" in capsys.readouterr().out
    data = json.loads((tmp_path / "faithful.json").read_text())
    [store] = (tmp_path / "faithful-runs").iterdir()
    before = json.loads(store.read_text())["runs"]["gramspec"]
    more = [*arguments[1:], "--repeats", "4", "--rival-repeats", "1", "--draws", "20", "--cap", "3000"]
    assert faithful.main([*more, "--law-draws", "0", "--resume"]) == 0
    after = json.loads(store.read_text())["runs"]["gramspec"]
    assert len(after) == 4 and after[:3] == before  # what is there is taken, timings included
    assert len(data["bars"]) == 4 and {each["method"] for each in data["laws"]} >= {"gramspec", "masked"}
    assert (tmp_path / "faithful.png").read_bytes().startswith(b"\x89PNG")
    assert "≥" in (tmp_path / "faithful.md").read_text()
    with pytest.raises(SystemExit, match="no task"):
        faithful.main(["--tasks", "nothing"])
