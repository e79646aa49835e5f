"""The benchmark of speculation on one stream: every decoder samples the same law, forwards are those made."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest

import gramspec as gs
from benchmarks.faithfulness.decoders import OURS, REFERENCES, Decoder, Setting, Speed
from benchmarks.faithfulness.streams import STREAMS
from benchmarks.faithfulness.tasks import TASKS


def test_streams_have_prompts_of_their_own() -> None:
    assert {s.pair for s in STREAMS} == {"embedded", "trained"}
    for stream in STREAMS:
        prompts = stream.prompts(6, 1)
        assert len(set(prompts)) == len(prompts) == 6 or stream.name == "brackets"
        assert prompts == stream.prompts(6, 1)


def test_every_decoder_ends_in_the_grammar_and_counts() -> None:
    target, draft = gs.models.embedded()
    stream = next(s for s in STREAMS if s.name == "sql")
    compiled = gs.compile(stream.grammar(), target.vocabulary)
    prompts = [tuple(target.encode(text + "\n")) for text in stream.prompts(2, 0)]
    speeds = {}
    for setting in (*REFERENCES, *OURS, Setting("dyspec", 4, 2, 8)):
        decoder = Decoder(setting, target, draft, compiled, stream.max_new_tokens, 1.0)
        before = target.counters.forwards
        speed = speeds[setting] = decoder.run(prompts, 5)
        if setting.drafter not in ("transformers", "assisted"):
            assert speed.forwards == target.counters.forwards - before
        assert len(speed.samples) == 2
        assert speed.tokens == sum(len(y) for y in speed.samples)
        for y in speed.samples:
            matcher = compiled.matcher()
            assert matcher.advance_many(list(y)) == len(y) and matcher.is_finished
    assert speeds[REFERENCES[0]].per_forward == speeds[REFERENCES[2]].per_forward == 1.0
    assert all(speeds[s].per_forward > 1.5 for s in (REFERENCES[1], *OURS))


@pytest.mark.skipif(find_spec("matplotlib") is None, reason="matplotlib draws the plot")
def test_command_writes_tables_and_bars(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchmarks import speculation

    monkeypatch.setattr(speculation, "TASKS", [t for t in TASKS if t.name == "sentiment in capitals"])
    arguments = [
        "--quick",
        "--prompts",
        "2",
        "--pairs",
        "embedded",
        "--streams",
        "sql",
        "--law-draws",
        "20",
        "--out",
        str(tmp_path),
    ]
    assert speculation.main(arguments) == 0
    assert "fewer target passes" in capsys.readouterr().out
    data = json.loads((tmp_path / "speculation.json").read_text())
    assert len(data["bars"]) == 4 * len(OURS)
    assert len(data["streams"]["sql (embedded)"]) == len(OURS) + len(REFERENCES)
    assert all(row[2] > 1e-6 for row in data["laws"])
    made_up = Speed(10, 5, 5, 0, 1.0, ())
    slow = Speed(10, 10, 10, 0, 2.0, ())
    found = speculation.bars({"a": {OURS[0]: made_up, REFERENCES[0]: slow, REFERENCES[1]: slow}}, OURS[0])
    assert [row[-1] for row in found] == ["met"] * 4
    speculation.sweep_plot(
        [
            {"stream": "sql", "temperature": 1.0, "drafter": "model", "length": 4, "width": 1, "nodes": None,
             "tokens per forward": 3.0, "ms per token": 1.0}
        ],
        tmp_path / "sweep.png",
    )  # fmt: skip
    assert (tmp_path / "sweep.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(SystemExit, match="no such streams"):
        speculation.main(["--streams", "nothing", "--pairs", "embedded", "--out", str(tmp_path)])
