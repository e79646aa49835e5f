"""The benchmark of masks: same tokens for all, figures of what both read, bars, engines that are lost.

Law: engines agree on schemas that leave no room for taste; no time is tested.
"""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import gramspec as gs

if find_spec("mistral_common") is None:
    pytest.skip("the package mistral_common has the tokens", allow_module_level=True)

from benchmarks import batch, masks, sweeps
from benchmarks.engines import KINDS, Spec, installed, make
from benchmarks.measure import bars, families, figures, rows
from benchmarks.measure.fleet import EngineError, Fleet, Memory, Rules
from benchmarks.measure.reading import Reading, read
from benchmarks.measure.report import Run, report
from benchmarks.measure.tokens import TokenTable, default_file, tekken

SCHEMAS = {
    "object": (
        {
            "type": "object",
            "properties": {"name": {"type": "string"}, "on": {"type": "boolean"}},
            "required": ["name", "on"],
            "additionalProperties": False,
        },
        [({"name": "Zoë", "on": True}, True), ({"name": 1, "on": True}, False), ({"name": "a"}, False)],
    ),
    "list": (
        {"type": "array", "items": {"enum": ["red", "green"]}},
        [(["red", "green", "red"], True), (["blue"], False)],
    ),
    "constant": ({"const": "yes"}, [("yes", True), ("no", False)]),
}


@pytest.fixture(scope="module")
def table() -> TokenTable:
    return tekken(default_file(), 4096)


@pytest.fixture(scope="module")
def chosen(table: TokenTable) -> list[rows.Row]:
    encode = table.encoder()
    return [
        rows.row(name, schema, [{"data": d, "valid": v} for d, v in tests], encode)
        for name, (schema, tests) in SCHEMAS.items()
    ]


def test_tokens_are_those_of_the_vocabulary() -> None:
    whole = tekken(default_file())
    assert whole.tokens == tuple(gs.Vocabulary.from_tekken(default_file()).tokens)
    from mistral_common.tokens.tokenizers.tekken import Tekkenizer

    text = '{"größe": [1, 2.5e3], "x": "a\\n b"}'
    assert whole.encoder()(text) == Tekkenizer.from_file(default_file()).encode(text, False, False)


def test_cut_tokens_spell_every_text(table: TokenTable) -> None:
    text = '{"größe": "日本 \\u0000"}'
    ids = table.encoder()(text)
    assert len(table) == 4096 and max(ids) < 4096
    assert b"".join(table.tokens[i] or b"" for i in ids).decode() == text
    with pytest.raises(ValueError, match="no room"):
        tekken(default_file(), 100)


@pytest.mark.parametrize("kind", list(KINDS))
def test_engines_agree(kind: str, table: TokenTable, chosen: list[rows.Row]) -> None:
    if not installed(kind):
        pytest.skip(f"{kind} is not installed")
    engine = make(Spec(kind, kind), table, lambda: 0.0)
    array = np.full((1, len(table) // 32), -1, dtype=np.int32)
    for row in chosen:
        reading = read(engine, row.job.text, row.job.instances, array, lambda: 0.0, narrows=True)
        assert not reading.refused
        assert reading.verdicts == row.valid
        for tokens, fills, commits, valid in zip(
            row.job.instances, reading.fills, reading.commits, row.valid, strict=True
        ):
            assert len(fills) == len(commits)
            assert len(fills) == len(tokens) if valid else 0 < len(fills) <= len(tokens)


def test_run_and_report(table: TokenTable, chosen: list[rows.Row], tmp_path: Path) -> None:
    kinds = ["gramspec"] + (["llguidance"] if installed("llguidance") else [])
    specs = masks.specs(kinds, "any", "annotate")
    with Fleet(specs, table, Rules(seconds=120)) as fleet:
        readings: figures.Readings = {spec.name: [] for spec in specs}
        for row in chosen:
            for name, reading in fleet.read(row.job).items():
                readings[name].append(reading)
        memory = {runner.spec.name: runner.memory for runner in fleet.runners}
        setup = {runner.spec.name: runner.setup for runner in fleet.runners}
        used = {runner.spec.name: runner.used for runner in fleet.runners}
    text, data = report(Run("tiny", specs, chosen, readings, memory, setup, used, {"cpu": "any"}))
    for name in readings:
        count = data["verdicts"][name]
        assert (count["schemas"], count["compiled"], count["all tests right"]) == (3, 3, 3)
        assert (count["valid accepted"], count["invalid refused"]) == (3, 4)
        assert memory[name].peak >= memory[name].built > 0
        assert data["all"][name]["first mask"]["n"] == 3
        assert f"| {name} |" in text
    if len(kinds) == 2:
        pair = data["pairwise"]["gramspec cold and llguidance"]
        assert pair["gramspec cold"]["mask"]["n"] == pair["llguidance"]["mask"]["n"] > 0
        [bar] = [b for b in data["bars"] if b["engine"] == "gramspec cold" and b["bar"] == "first mask mean"]
        ours, theirs = (pair[name]["first mask"]["mean"] for name in ("gramspec cold", "llguidance"))
        assert bar["ratios"]["llguidance"] == pytest.approx(ours / theirs)
        assert bar["passed"] is (ours <= theirs)
    json.dumps(data)
    if find_spec("matplotlib") is not None:
        from benchmarks.measure import plots

        plots.save(readings, ["gramspec cold"], tmp_path / "masks.png", "tiny")
        assert (tmp_path / "masks.png").read_bytes().startswith(b"\x89PNG")


def made_up(first: float, *instances: list[float], refused: str = "") -> Reading:
    """A reading whose masks take 3/4 and whose commits take 1/4 of the times given."""
    fills = [np.array(times) * 0.75 for times in instances]
    commits = [np.array(times) * 0.25 for times in instances]
    return Reading(refused, first, {}, fills, commits, [True] * len(instances))


def test_pairs_share_schemas_and_positions() -> None:
    readings = {
        "gramspec": [made_up(1.0, [1, 2, 3], [4]), made_up(9.0, [9]), made_up(5.0, [2])],
        "llguidance": [made_up(2.0, [2, 2], [8, 8]), made_up(0, refused="no"), made_up(10.0, [1, 1])],
    }
    pair = figures.measures(readings, ["gramspec", "llguidance"])
    assert pair["gramspec"].steps.tolist() == [1, 2, 4, 2]
    assert pair["llguidance"].steps.tolist() == [2, 2, 8, 1]
    assert pair["gramspec"].fills.tolist() == [0.75, 1.5, 3, 1.5]
    assert pair["gramspec"].first.tolist() == [1, 5]
    assert pair["gramspec"].total.tolist() == [8, 7]
    assert len(figures.measures(readings, ["gramspec"])["gramspec"].steps) == 6
    found = pair["gramspec"].figures()
    assert found["mask and commit"]["mean"] == pytest.approx(2.25e6)
    assert found["tokens per second"] == pytest.approx({"masks": 4 / 9, "with compiling": 4 / 15})


def test_bars_pass_and_fail() -> None:
    specs = [Spec("gramspec", "gramspec"), Spec("llguidance", "llguidance"), Spec("xgrammar", "xgrammar")]
    readings = {
        "gramspec": [made_up(1.0, [1.0] * 4)],
        "llguidance": [made_up(1.0, [3.0] * 4)],
        "xgrammar": [made_up(9.0, [2.0] * 4)],
    }
    memory = {"gramspec": Memory(1, 13, 0), "llguidance": Memory(1, 10, 0), "xgrammar": Memory(1, 99, 0)}
    found = {each.bar.name: each for each in bars.outcomes(specs, readings, memory)}
    assert found["mask mean"].ratios == pytest.approx({"llguidance": 1 / 3, "xgrammar": 0.5})
    assert {name: each.passed for name, each in found.items()} == {
        "mask mean": False,  # a third of llguidance's, half of the better peer's
        "mask p50": True,
        "mask p99": False,
        "first mask p50": True,
        "first mask mean": True,
        "compile and all masks, mean": True,
        "peak memory": False,
    }
    alone = bars.outcomes(specs[:2], {n: readings[n] for n in ("gramspec", "llguidance")}, memory)
    assert next(each for each in alone if each.bar.name == "mask p50").passed is None


def test_slow_engines_are_lost_and_built_again(table: TokenTable, chosen: list[rows.Row]) -> None:
    spec = Spec("gramspec cold", "gramspec")
    with Fleet([spec], table, Rules(seconds=0.0)) as fleet:
        readings = [fleet.read(row.job)[spec.name] for row in chosen[:2]]
        assert fleet.runners[0].lost == 2
    assert [r.refused for r in readings] == ["timeout: 0 s to the first mask"] * 2
    assert figures.verdicts(chosen[:2], readings)["timeouts"] == 2
    with Fleet([spec], table, Rules(budget=-1.0)) as fleet:
        reading = fleet.read(chosen[0].job)[spec.name]
    assert figures.verdicts(chosen[:1], [reading])["not tried"] == 1


def test_engine_without_room_cannot_be_built(table: TokenTable) -> None:
    with pytest.raises(EngineError, match="could not be built"):
        Fleet([Spec("gramspec cold", "gramspec")], table, Rules(address_space=1 << 26))


def test_command_reads_a_file_of_ones_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    schema, instances = tmp_path / "schema.json", tmp_path / "instances.jsonl"
    schema.write_text('{"type": "integer"}')
    instances.write_text("12\n-7\n")
    figures_file = tmp_path / "figures.json"
    arguments = ["--alone", "--order", "any", "--vocabulary", "4096", "--file", str(schema)]
    assert masks.main([*arguments, "--instances", str(instances), "--json", str(figures_file)]) == 0
    assert "gramspec cold" in capsys.readouterr().out
    found = json.loads(figures_file.read_text())["verdicts"]["gramspec steady"]
    assert (found["valid accepted"], found["valid refused"]) == (2, 0)


def test_families_have_valid_members(table: TokenTable) -> None:
    encode = table.encoder()
    for name, (build, sizes) in families.FAMILIES.items():
        schema, value = build(sizes[1])
        assert gs.json_schema(schema, property_order="schema").accepts(json.dumps(value)), name
        row = families.member(name, sizes[0], encode)
        assert row.valid == [True] and row.tokens > 0


def test_sweep_counts_what_it_reads(table: TokenTable, chosen: list[rows.Row]) -> None:
    with Fleet(sweeps.specs(["gramspec"]), table, Rules(seconds=120)) as fleet:
        points = sweeps.measure(fleet, chosen[:2], 2, chosen[2:])
    assert set(points) == {"gramspec cold", "gramspec warm", "gramspec steady"}
    tokens = len(points["gramspec steady"].steps)
    for name, point in points.items():
        assert len(point.firsts) == 2, name
        assert len(point.steps) == tokens * (1 if name == "gramspec steady" else 2), name
        assert point.figures()["mask mean µs"] > 0
    assert "| 4,096 | gramspec warm |" in sweeps.tables({"vocabulary": {4096: points}})


@pytest.mark.skipif(find_spec("matplotlib") is None, reason="matplotlib draws what --out writes")
def test_batches_without_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--engines", "gramspec", "--sizes", "1,3", "--threads", "1", "--vocabulary", "4096"]
    assert batch.main([*arguments, "--data", str(tmp_path), "--out", str(tmp_path)]) == 0
    assert "| gramspec | 3 |" in capsys.readouterr().out
    data = json.loads((tmp_path / "batch.json").read_text())
    assert set(data["masks per second"]["gramspec"]["3"]) == {"loop", "1 threads"}
    assert len(data["seconds of a tree"]) == 2
