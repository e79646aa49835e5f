"""The commands of the documentation run as typed and print what is shown."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest

pytest.importorskip("typer")

from gramspec.cli import main

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/commands.md").read_text("utf-8")
_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def examples() -> list[tuple[str, str]]:
    """Commands and what is shown below them."""
    found = []
    for block in _BLOCK.findall(PAGE):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, shown = part.partition("\n")
            found.append((command, shown))
    return found


def test_all_three_commands_are_shown() -> None:
    words = {command.split()[1] for command, _ in examples() if command.startswith("gramspec")}
    assert words == {"check", "sample", "compile"}


def test_the_page_as_one_session(capsys, tmp_path, monkeypatch) -> None:
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    for command, shown in examples():
        words = shlex.split(command)
        if words[0] == "echo":
            [text, into, name] = words[1:]
            assert into == ">"
            Path(name).write_text(text + "\n", "utf-8")
            continue
        assert words[0] == "gramspec"
        code = main(words[1:])
        out, err = capsys.readouterr()
        assert (code, err) == (int(shown.startswith("does not belong")), ""), command
        if shown:
            assert [line.rstrip() for line in out.splitlines()] == [
                line.rstrip() for line in shown.splitlines()
            ]
        else:
            assert out
