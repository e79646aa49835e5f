"""Every script of examples/ runs and says something; each finds its files wherever it is started."""

from __future__ import annotations

import runpy
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

pytest.importorskip("torch")

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
NEEDS = {
    "pydantic_to_json.py": ["pydantic"],
    "sql_sampling.py": ["sqlglot"],
    "sql_database.py": ["sqlglot", "sqlalchemy"],
    "outlines_backend.py": ["outlines"],
    "server_client.py": ["fastapi", "uvicorn", "prometheus_client", "openai"],
    "audit_a_decoder.py": ["jinja2"],
}
# What a script must say: the claim that it is there for.
SAYS = {
    "pydantic_to_json.py": "Weather(city='Berlin'",
    "lark_calculator.py": "the model says '7' (exact)",
    "sql_database.py": "('Ada',), ('Alan',)",
    "transformers_generate.py": "conditional, exact",
    "logits_processor.py": "draft model",
    "streaming.py": "(end)",
    "audit_a_decoder.py": "samples the 'masked' law",
    "server_client.py": "city='Berlin'",
    "potentials.py": "exact: 50 attempts for 50 exact samples",
}


def test_each_example_is_listed() -> None:
    listed = (ROOT / "examples/README.md").read_text("utf-8")
    for path in EXAMPLES:
        assert f"]({path.name})" in listed, path.name


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if path.name == "demo.py":
        pytest.skip("make demo, half a minute: what it shows is in the tests of its parts")
    for package in NEEDS.get(path.name, []):
        if find_spec(package) is None:
            pytest.skip(f"needs {package}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [str(path)])
    monkeypatch.setenv("PYTHONPATH", str(ROOT))  # of processes that an example starts
    runpy.run_path(str(path), run_name="__main__")
    said = capsys.readouterr().out
    assert SAYS.get(path.name, "") in said
    assert said.strip()
