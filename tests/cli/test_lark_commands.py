"""The commands on Lark files: their imports, what is sampled, and where a bad one is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("typer")

from lark import Lark

from gramspec.cli import main

ROOT = Path(__file__).parents[2]


def test_what_is_sampled_is_what_lark_accepts(capsys) -> None:
    file = ROOT / "examples" / "calculator.lark"
    assert main(["sample", str(file), "--n", "25", "--seed", "3", "--length", "16"]) == 0
    texts = capsys.readouterr().out.splitlines()
    parser = Lark(file.read_text("utf-8"), parser="earley", lexer="dynamic_complete")
    assert len(texts) == 25 and len(set(texts)) > 5
    for text in texts:
        parser.parse(text)


def test_imports_start_beside_the_file(capsys, tmp_path: Path) -> None:
    (tmp_path / "words.lark").write_text('word: "w"+\n', "utf-8")
    file = tmp_path / "main.lark"
    file.write_text('%import .words.word\nstart: word\nother: word "!"\n', "utf-8")
    assert main(["check", str(file), "ww"]) == 0
    assert main(["check", str(file), "ww!"]) == 1
    assert main(["check", str(file), "ww!", "--start", "other"]) == 0
    file.write_text('start: "a" | wrd\n', "utf-8")
    assert main(["check", str(file), "a"]) == 2
    assert "1:14: rule `wrd` is used but not defined" in capsys.readouterr().err
