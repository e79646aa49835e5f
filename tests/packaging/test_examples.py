"""Every script of examples/ runs and says something; each finds its files wherever it is started."""

from __future__ import annotations

import os
import subprocess
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
def test_an_example_runs(path: Path, tmp_path: Path) -> None:
    if path.name == "demo.py":
        pytest.skip("make demo, half a minute: what it shows is in the tests of its parts")
    for package in NEEDS.get(path.name, []):
        if find_spec(package) is None:
            pytest.skip(f"needs {package}")
    done = subprocess.run(
        [sys.executable, str(path)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    assert SAYS.get(path.name, "") in done.stdout
    assert done.stdout.strip()
