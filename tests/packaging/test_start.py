"""The commands of the starts, in the documentation and in the README, typed as they stand there."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("torch")
for package in ("typer", "fastapi", "uvicorn", "prometheus_client", "sqlglot", "sqlalchemy", "jinja2"):
    pytest.importorskip(package)

from gramspec.cli import main  # noqa: E402
from gramspec.cli.app import app  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PYTHON = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_ELSEWHERE = ("make ", "pip ", ". .venv")  # what sets the machine up


def commands(page: str) -> list[str]:
    """Every command of a page, with the lines that go on with it."""
    found = []
    for block in _BLOCK.findall((ROOT / page).read_text("utf-8")):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            first, *more = part.splitlines()
            lines = [first]
            while more and lines_go_on("\n".join(lines)):
                lines.append(more.pop(0))
            found.append("\n".join(lines))
    return [command for command in found if not command.startswith(_ELSEWHERE)]


def lines_go_on(text: str) -> bool:
    return text.count("'") % 2 == 1 or text.endswith("\\")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that looks like a checkout, with `gramspec` and `python` in a folder of the path."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("examples", "grammars"):
        shutil.copytree(ROOT / name, folder / name)
    (folder / "bin").mkdir()
    for name, words in (("gramspec", "-m gramspec.cli"), ("python", "")):
        script = folder / "bin" / name
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}" {words} "$@"\n', "utf-8")
        script.chmod(0o755)
    return folder


def environment(place: Path) -> dict[str, str]:
    path = f"{place / 'bin'}:{os.environ.get('PATH', '')}"
    return {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


def typed(command: str, place: Path) -> str:
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=place,
        env=environment(place),
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout


@pytest.fixture(scope="module")
def server(place: Path) -> Iterator[str]:
    """The server of the page, on a free port."""
    [command] = [found for found in commands("docs/start.md") if found.startswith("gramspec serve")]
    typed("python examples/shop_database.py", place)
    process = subprocess.Popen(
        ["bash", "-c", f"exec {command.replace('8000', '0')} --log-level warning"],
        cwd=place,
        env=environment(place),
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        found = None
        for line in process.stderr:
            if (found := re.search(r"at (http://127\.0\.0\.1:\d+)", line)) is not None:
                break
        assert found is not None, "the server said no address"
        yield found[1]
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)


def test_the_commands_of_both_pages_are_found():
    words = {command.split()[0] for command in commands("docs/start.md")}
    assert words == {"gramspec", "python", "curl"}
    assert {
        command.split()[1] for command in commands("docs/start.md") if command.startswith("gramspec")
    } == {
        "generate",
        "check",
        "compile",
        "serve",
        "sql",
        "audit",
    }


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_the_server_answers_json_and_sql(place, server):
    asked = [found for found in commands("docs/start.md") if found.startswith("curl")]
    answers = [json.loads(typed(found.replace("http://127.0.0.1:8000", server), place)) for found in asked]
    assert json.loads(answers[0]["choices"][0]["message"]["content"]) is False
    assert answers[0]["choices"][0]["gramspec"]["guarantee"] == "exact"
    assert "Ada" in json.dumps(answers[1]) and "SELECT" in json.dumps(answers[1]).upper()


def test_the_other_commands_of_both_pages_work_as_typed(place, monkeypatch, capsys):
    """Those of `gramspec`, in this process; what a help shows is typed in the tests of its command."""
    monkeypatch.chdir(place)
    typed("python examples/shop_database.py", place)
    helped = [shlex.split(info.epilog or "")[1:] for info in app.registered_commands]
    asked = [shlex.split(found, comments=True) for found in commands("docs/start.md") + commands("README.md")]
    for words in {" ".join(words): words for words in asked}.values():
        if words[0] == "gramspec" and words[1] != "serve" and words not in helped:
            assert main(words[1:]) == 0, words
            assert capsys.readouterr().out, words
    assert (place / "audit.html").stat().st_size > 10_000


def test_the_python_of_the_readme_runs():
    text = (ROOT / "README.md").read_text("utf-8")
    session: dict[str, object] = {}
    for match in _PYTHON.finditer(text):
        line = text.count("\n", 0, match.start(1))
        exec(compile("\n" * line + match[1], "README.md", "exec", dont_inherit=True), session)
    assert session["answer"].report.guarantee == "exact"
