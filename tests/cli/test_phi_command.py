"""`gramspec phi`: what it measures, its example, JSON, plots, kept fits and refusals; and the estimators."""

from __future__ import annotations

import json
import shlex

import numpy as np
import pytest

pytest.importorskip("typer")
pytest.importorskip("torch")

from gramspec.cli import main
from gramspec.cli.phi import EXAMPLE
from gramspec.errors import OptionError
from gramspec.validity import Exact, Viability
from gramspec.validity.diagnostics import Walk, monte_carlo, twisted_walk, weigh
from gramspec.validity.reading import RowReader
from tests.validity.shared_worlds import found, native

SMALL = ("--max-new-tokens", "6", "--rollouts", "8", "--points", "3", "-n", "6", "--fit-samples", "6")
COMMON = ("regex:true|false|maybe", "--prompt", "Is 7 even? Answer true or false.", *SMALL)


def call(capsys, *arguments):
    code = main(["phi", *arguments])
    out, err = capsys.readouterr()
    return code, out, err


def test_the_example_works_as_typed(capsys):
    words = shlex.split(EXAMPLE.removeprefix("Example: "))
    assert words[:2] == ["gramspec", "phi"]
    code, out, err = call(capsys, *words[2:])
    assert code == 0 and err == ""
    assert "viability" in out and "learned" in out and "Monte Carlo" in out
    code, out, _ = call(capsys, "--help")
    assert code == 0 and "Example: gramspec phi" in " ".join(out.split())


def test_json_and_plot_of_every_potential(capsys, tmp_path):
    pytest.importorskip("matplotlib")
    names = ("viability", "one-step", "one-step-own", "rollout", "partition", "hmm", "learned", "exact")
    chosen = [word for name in names for word in ("--potential", name)]
    plot = tmp_path / "phi.png"
    fits = tmp_path / "fits"
    code, out, err = call(capsys, *COMMON, *chosen, "--json", "--plot", str(plot), "--fits", str(fits))
    assert code == 0 and err == "", err
    assert plot.read_bytes().startswith(b"\x89PNG")
    answer = json.loads(out)
    by_name = {each["potential"]: each for each in answer["potentials"]}
    assert tuple(by_name) == names
    exact = by_name["exact"]
    assert exact["contract"] == "E" and exact["ess"] == pytest.approx(6.0, rel=1e-3)
    assert np.allclose([rho for walk in exact["rho"] for rho in walk], 1.0, atol=1e-3)
    assert exact["log_phi"] == pytest.approx(np.log(exact["h_root"]), abs=1e-3)
    assert all(rho <= 1.001 for walk in by_name["one-step-own"]["rho"] for rho in walk)
    for point in answer["points"]:
        assert set(point["h"]) == set(names) and point["standard_error"] >= 0.0
        assert abs(point["phi"] - point["h"]["exact"]) <= 6 * point["standard_error"] + 1e-3
    assert sorted(path.name for path in fits.iterdir()) == ["hmm.npz", "learned.npz"]
    for name in ("hmm", "learned"):
        code, again, _ = call(capsys, *COMMON, "--potential", name, "--json", "--fits", str(fits))
        assert code == 0
        assert json.loads(again)["potentials"][0]["h_root"] == by_name[name]["h_root"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--potential", "twist"), "--potential twist: must be one of"),
        (("--potential", "exact", "--potential", "exact"), "given twice"),
        (("--samples", "1"), "--samples 1: must be at least 2"),
        (("--plot", "phi.txt"), "must end in .png"),
        (("--potential", "rollout", "--draft", "none"), "needs a draft model"),
        (("--max-new-tokens", "1"), "the shortest member of the grammar"),
    ],
)
def test_refusals(capsys, arguments, said):
    code, out, err = call(capsys, *COMMON, *arguments)
    assert code == 2 and out == "" and said in " ".join(err.split())


def test_monte_carlo_is_unbiased_and_knows_its_error() -> None:
    random = np.random.default_rng(5)
    within = tried = 0
    for world in found(41, 12, False):
        bench = native(world)
        reader = RowReader(world.target, world.prompt, bench.rows().row)
        n = world.max_new_tokens
        estimate = monte_carlo(bench.compiled, reader, (), n, runs=400, uniform=random.random)
        within += abs(estimate.mean - world.phi) <= 3.5 * estimate.error + 1e-12
        tried += 1
    assert within >= tried - 1


def test_walks_follow_the_proposal_and_weigh_to_phi() -> None:
    random = np.random.default_rng(6)
    for world in found(41, 12, False)[:6]:
        bench = native(world)
        reader = RowReader(world.target, world.prompt, bench.rows().row)
        n = world.max_new_tokens
        exact = Exact(bench.compiled, world.target, world.prompt, row=bench.rows().row, budget=n)
        walks = [twisted_walk(exact, reader, n, random.random) for _ in range(20)]
        seen = weigh(walks)
        assert seen.ended == 1.0 and seen.ess == pytest.approx(20.0)
        assert np.exp(seen.log_phi) == pytest.approx(world.phi, rel=1e-9)
        assert all(walk.tokens in world.weights for walk in walks)
        loose = [twisted_walk(Viability(bench.compiled), reader, n, random.random) for _ in range(400)]
        seen = weigh(loose)
        assert abs(np.exp(seen.log_phi) - world.phi) <= 4 * seen.relative_error * world.phi + 1e-12


def test_weights_that_are_all_zero() -> None:
    dead = Walk((0,), False, (1.0,), (0.5,), -np.inf)
    assert weigh([dead, dead]).ess == 0.0 and weigh([dead]).log_phi == -np.inf
    with pytest.raises(OptionError, match="at least one"):
        weigh([])
