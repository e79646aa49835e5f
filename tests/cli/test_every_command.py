"""What holds of every command: help with an example that works, JSON on request, exit codes, completion."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("typer")
pytest.importorskip("torch")

from gramspec.cli import main
from gramspec.cli.app import app
from gramspec.cli.places import json_offset

ROOT = Path(__file__).parents[2]
COMMANDS = {info.name: info for info in app.registered_commands}
ANSWERS = [
    ["generate", "--regex", "true|false", "--prompt", "Is 7 even?", "--seed", "1"],
    ["compile", "regex:(a|ab)(bc|c)"],
    ["sample", "regex:a*b", "--n", "2"],
    ["check", "regex:a*b", "aab"],
    [
        *("phi", "regex:true|false", "--prompt", "Is 7 even?", "--max-new-tokens", "6"),
        *("--rollouts", "4", "--points", "2", "-n", "4", "--potential", "viability"),
    ],
    ["bench", "regex:a*b", "--n", "2"],
    ["sql", "names of customers in Berlin", "--ddl", str(ROOT / "examples/shop.sql"), "--seed", "1"],
    ["sql", "--ddl", str(ROOT / "examples/shop.sql")],
]


def example(name: str | None) -> list[str]:
    """The words of the example in a command's help."""
    epilog = COMMANDS[name].epilog
    assert epilog is not None and epilog.startswith(f"Example: gramspec {name} ")
    return shlex.split(epilog)[2:]


@pytest.mark.parametrize("name", COMMANDS)
def test_help_shows_the_example(name, capsys):
    assert main([name, "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert shown.endswith(" ".join(COMMANDS[name].epilog.split()))
    assert example(name)[0] == name
    assert "--json" in shown or name == "serve", "a command that prints results has --json"


def test_the_example_of_bench_works_as_typed(capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert main(example("bench")) == 0
    out, err = capsys.readouterr()
    assert err == "" and "mask and step, median" in out


@pytest.mark.parametrize("words", ANSWERS, ids=lambda words: words[0])
def test_json_is_one_object(words, capsys):
    assert main([*words, "--json"]) == 0
    out, err = capsys.readouterr()
    assert err == "" and isinstance(json.loads(out), dict) and out.count("\n") == 1


def test_bench_of_a_model(capsys):
    words = ["bench", "regex:true|false", "--n", "2", "--prompt", "Is 7 even?", "--json"]
    assert main(words) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["masks"]["masks"] > 2 and [each["law"] for each in figures["texts"]] == [
        "conditional",
        "masked",
    ]
    assert figures["texts"][0]["guarantees"] == {"exact": 2}


def test_every_command_is_in_the_documentation():
    page = (ROOT / "docs/commands.md").read_text("utf-8")
    for name in COMMANDS:
        assert f"`gramspec {name}`" in page, name


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        (
            "bad.json",
            '{"type": "object",\n "properties": {"a": {"type": 5}}}',
            ["bad.json:2:31", '"type": 5'],
        ),
        ("late.json", '{"allOf": [{}, {"pattern": "a("}]}', ["late.json:1:28"]),
        ("no.json", '{"a": [1, 2,}', ["no.json:1:13"]),
        ("tag.json", '{"type": "structural_tag", "format": {"type": "x"}}', ["tag.json:1:47"]),
        ("bad.gbnf", 'root ::= "a"\n  foo', ["bad.gbnf:2:3", "  foo"]),
        ("bad.lark", 'start: "a" foo', ["bad.lark:1:12", '"a" foo']),
        ("bad.regex", "ab\nc(d", ["bad.regex:2:2"]),
    ],
)
def test_errors_show_the_place_in_the_file(file, text, words, tmp_path, capsys):
    path = tmp_path / file
    path.write_text(text, "utf-8")
    commands = [["compile"], ["check", "--json"], ["sample"], ["generate", "--prompt", "x", "--grammar"]]
    commands.append(["phi", "--prompt", "x"])
    for command in [*commands, ["bench"]]:
        more = ["x"] if command[0] == "check" else []
        assert main([*command, str(path), *more]) == 2, command
        out, err = capsys.readouterr()
        for word in words:
            assert word in err, (command, err)
        caret = [line for line in err.splitlines() if line.strip() == "^"]
        assert len(caret) == 1, err
        if "--json" in command:
            [(key, told)] = json.loads(out).items()
            assert key == "error" and told["exit_code"] == 2 and told["type"].endswith("Error")


def test_a_schema_option_and_ddl_show_the_place_too(tmp_path, capsys):
    path = tmp_path / "bad.json"
    path.write_text('{"minimum": "x"}', "utf-8")
    assert main(["generate", "--prompt", "x", "--schema", str(path)]) == 2
    assert "bad.json:1:13" in capsys.readouterr().err
    path.write_text("CREATE TABLE u (a INT,, b)", "utf-8")
    assert main(["sql", "x", "--ddl", str(path)]) == 2
    assert "bad.json:1:23" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("pointer", "rest"),
    [
        ("", "{"),
        ("/a~1b/1", '"x"'),
        ("#/c", "2"),
        ("/a~1b/7", "["),
        ("/nothing/below", "{"),
        ("/c/deeper", "2"),
    ],
)
def test_places_of_json_pointers(pointer, rest):
    text = ' {"c": 1, "a/b": [ {"x": "]"} , "x"],\n "c" : 2}'
    offset = json_offset(text, pointer)
    assert offset is not None and text[offset:].startswith(rest)


@pytest.mark.parametrize("text", ["", "{", '{"a"', '{"a": ', "[1,", "[" * 100_000])
def test_what_is_no_json_has_no_places(text):
    assert json_offset(text, "/a/0") in (None, 0)
    assert json_offset(text, "a") is None


def test_running_out_of_a_budget_is_3_and_told_as_json(capsys):
    words = ["--regex", "[qxz]{12}", "--prompt", "x", "--sampler", "restart", "--max-attempts", "1"]
    assert main(["generate", *words, "--seed", "1", "--json"]) == 3
    told = json.loads(capsys.readouterr().out)["error"]
    assert told["type"] == "BudgetExhaustedError" and told["exit_code"] == 3
    assert main(["sample", "regex:.{1,400}", "--uniform", "--max-length", "100000"]) == 3
    assert "LimitError" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["generate", "--regex", "a", "--prompt", "x", "--stream", "--json"],
        ["sample", "regex:a", "--json", "--jsonl"],
        ["bench", "regex:a", "--n", "0"],
        ["bench", "regex:a", "--target", "x"],
        ["bench", "regex:a", "--eos", "x"],
    ],
)
def test_options_that_contradict_each_other(words, capsys):
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert words[-1] in err or words[-2] in err
    assert "Traceback" not in err + out


def test_version(capsys):
    import gramspec as gs

    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"gramspec {gs.__version__}\n"


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("gramspec ge", ["generate"]),
        ("gramspec generate --law ", ["conditional", "masked"]),
        ("gramspec check --kind ec", ["ecma"]),
        ("gramspec audit llg", ["llguidance", "llguidance-hf"]),
        ("gramspec audit --suite sound", ["soundness"]),
        ("gramspec sql --dialect ", ["sqlite", "postgres", "mysql"]),
    ],
)
def test_shells_complete_commands_and_choices(typed, offered, tmp_path):
    words = typed.split(" ")
    done = subprocess.run(
        [sys.executable, "-m", "gramspec.cli"],
        cwd=ROOT,
        env={
            "PATH": "",
            "PYTHONPATH": str(ROOT),
            "_GRAMSPEC_COMPLETE": "complete_bash",
            "COMP_WORDS": typed,
            "COMP_CWORD": str(len(words) - 1),
        },
        capture_output=True,
        text=True,
    )
    assert done.stdout.split() == offered, done.stderr


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_reads_the_completion_script(tmp_path):
    script = subprocess.run(
        [sys.executable, "-m", "gramspec.cli"],
        cwd=ROOT,
        env={"PATH": "", "PYTHONPATH": str(ROOT), "_GRAMSPEC_COMPLETE": "source_bash"},
        capture_output=True,
        text=True,
    ).stdout
    assert re.search(r"^complete .*gramspec$", script, re.MULTILINE)
    path = tmp_path / "complete.sh"
    path.write_text(script, "utf-8")
    told = subprocess.run(
        ["bash", "--norc", "-c", f". {shlex.quote(str(path))}; complete -p gramspec"],
        capture_output=True,
        text=True,
    )
    assert told.returncode == 0 and "-o default" in told.stdout  # files, where nothing else is offered
