"""`gramspec generate`: what is written where, reproducibility, refusals and exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("typer")
pytest.importorskip("torch")

from gramspec.cli import main

ROOT = Path(__file__).parents[2]
SMALL = {"type": "array", "items": {"type": "boolean"}, "minItems": 1, "maxItems": 3}


@pytest.fixture
def schema(tmp_path):
    path = tmp_path / "schema.json"
    path.write_text(json.dumps(SMALL), "utf-8")
    return str(path)


def call(capsys, *arguments):
    code = main(["generate", *arguments])
    out, err = capsys.readouterr()
    return code, out, err


def test_texts_go_to_stdout_and_reports_to_stderr(capsys, schema):
    common = (
        "--schema",
        schema,
        "--prompt",
        "Flip 2 coins. Answer with a JSON array.",
        "--whitespace",
        "compact",
    )
    code, out, err = call(capsys, *common, "--n", "3", "--seed", "1", "--max-new-tokens", "24")
    assert code == 0 and err == ""
    texts = out.splitlines()
    assert len(texts) == 3
    for text in texts:
        value = json.loads(text)
        assert 1 <= len(value) <= 3 and all(isinstance(v, bool) for v in value)
    code, again, err = call(capsys, *common, "--n", "3", "--seed", "1", "--max-new-tokens", "24", "--report")
    assert again == out
    assert err.count("conditional, exact (restart)") == 3 and "target forwards" in err
    code, masked, err = call(capsys, *common, "--law", "masked", "--seed", "1", "--draft", "none", "--report")
    assert code == 0 and json.loads(masked) is not None
    assert "masked, exact (masked)" in err


def test_a_regular_expression_and_a_schema_from_stdin(capsys, monkeypatch, tmp_path):
    code, out, _ = call(
        capsys, "--regex", "true|false", "--prompt", "Is 7 even? Answer true or false.", "--seed", "2"
    )
    assert code == 0 and out in ("true\n", "false\n")
    import io

    monkeypatch.setattr("sys.stdin", io.StringIO('{"enum": [true, false]}'))
    code, out, _ = call(
        capsys, "--schema", "-", "--prompt", "Is 7 even? Answer true or false.", "--seed", "2"
    )
    assert code == 0 and out in ("true\n", "false\n")
    path = tmp_path / "answer.gbnf"
    path.write_text('answer ::= "true" | "false"', "utf-8")
    asked = ("--grammar", str(path), "--start", "answer", "--prompt", "Is 7 even?", "--seed", "2")
    code, out, _ = call(capsys, *asked)
    assert code == 0 and out in ("true\n", "false\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--prompt", "x"], ["--schema, --regex", "exactly one"]),
        (["--prompt", "x", "--regex", "a("], ["GrammarError", "@1", "^"]),
        (["--prompt", "x", "--schema", "no-such-file"], ["no-such-file"]),
        (["--prompt", "x", "--regex", "true", "--law", "greedy"], ["law='greedy'"]),
        (["--prompt", "x", "--regex", "true", "--temperature", "0"], ["temperature=0"]),
        (
            ["--prompt", "x", "--regex", "true", "--max-new-tokens", "1"],
            ["BudgetTooSmallError", "max_new_tokens=1"],
        ),
        (["--prompt", "x", "--regex", "true", "--max-new-tokens", "9999"], ["prompts[0]", "9999"]),
        (["--prompt", "x", "--regex", "true", "--target", "no-such-model"], ["no-such-model"]),
        (["--prompt", "x", "--regex", "true", "--gamma", "-1"], ["gamma=-1"]),
        (["--regex", "true"], ["--prompt"]),
        (["--prompt", "x", "--regex", "true", "--n", "many"], ["--n"]),
    ],
)
def test_refusals_name_the_place_and_exit_with_2(capsys, arguments, words):
    code, out, err = call(capsys, *arguments)
    assert code == 2 and out == ""
    for word in words:
        assert word in err
    assert "Traceback" not in err


def test_a_bad_schema_names_its_pointer(capsys, tmp_path):
    path = tmp_path / "bad.json"
    path.write_text('{"properties": {"a": {"type": 5}}}', "utf-8")
    code, out, err = call(capsys, "--schema", str(path), "--prompt", "x")
    assert code == 2 and out == "" and "/properties/a" in err


def test_an_exhausted_budget_is_reported_and_prints_no_text(capsys):
    code, out, err = call(
        capsys,
        "--regex",
        "[qxz]{12}",
        "--prompt",
        "Is 7 even?",
        "--sampler",
        "restart",
        "--max-attempts",
        "2",
        "--seed",
        "1",
    )
    assert code == 3 and out == ""
    assert "BudgetExhaustedError" in err and "Certified" in err


def test_help_shows_an_example_that_works_as_typed(capsys):
    assert main(["generate", "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    example = text[text.index("Example: gramspec ") + len("Example: gramspec ") :]
    assert example.startswith("generate --schema examples/user.schema.json")
    import shlex

    done = subprocess.run(
        [sys.executable, "-m", "gramspec.cli", *shlex.split(example)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    values = list(_documents(done.stdout))
    assert len(values) == 2
    jsonschema = pytest.importorskip("jsonschema")
    user = json.loads((ROOT / "examples/user.schema.json").read_text("utf-8"))
    for value in values:
        jsonschema.validate(value, user)


def _documents(text):
    decoder = json.JSONDecoder()
    while text.strip():
        value, end = decoder.raw_decode(text.lstrip())
        text = text.lstrip()[end:]
        yield value


def test_without_the_extra_the_command_says_what_to_install(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "typer", None)
    assert main([]) == 2
    assert "gramspec[cli]" in capsys.readouterr().err
