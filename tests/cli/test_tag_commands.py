"""The commands on structural tags: told by their type, checked, sampled, compiled, refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("typer")

import gramspec as gs
from gramspec.cli import main

CALL = {"type": "tag", "begin": "<n>", "content": {"type": "regex", "pattern": "[0-9]+"}, "end": "</n>"}
FORM = {"type": "triggered_tags", "triggers": ["<n>"], "tags": [CALL], "at_least_one": True}
SPEC = {"type": "structural_tag", "format": FORM}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "call.json"
    path.write_text(json.dumps(SPEC), "utf-8")
    return path


def test_a_file_that_says_so_is_a_structural_tag(capsys, file: Path) -> None:
    assert main(["check", str(file), "<n>7</n> and more"]) == 0
    assert main(["check", str(file), "<n>x</n>"]) == 1
    assert main(["check", str(file), "--kind", "structural-tag", "<n>7</n>"]) == 0
    assert main(["check", str(file), "--kind", "json-schema", "<n>7</n>"]) == 2, (
        "no JSON Schema has this type"
    )
    capsys.readouterr()


def test_samples_of_a_structural_tag(capsys, file: Path) -> None:
    assert main(["sample", str(file), "--n", "20", "--seed", "1", "--length", "12", "--jsonl"]) == 0
    out = capsys.readouterr().out
    grammar = gs.structural_tag(SPEC)
    texts = [row["text"] for row in map(json.loads, out.splitlines())]
    assert len(set(texts)) > 5 and all(grammar.accepts(text) for text in texts)


def test_a_structural_tag_that_is_refused_names_its_place(capsys, file: Path) -> None:
    file.write_text(json.dumps({**SPEC, "format": {**FORM, "triggers": ["<m>"]}}), "utf-8")
    assert main(["compile", str(file)]) == 2
    assert "/format/tags/0/begin" in capsys.readouterr().err
    file.write_text(json.dumps(SPEC), "utf-8")
    assert main(["compile", str(file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)
