"""Pages and pictures that scripts make are what the scripts make now, and show the numbers they should."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

import gramspec as gs
from gramspec import errors

ROOT = Path(__file__).resolve().parents[2]


def loaded(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"docs_{name}", ROOT / f"docs/making/{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    before = list(sys.path)
    spec.loader.exec_module(module)
    sys.path[:] = before
    return module


PICTURES, BENCHMARKS, ERRORS = loaded("pictures"), loaded("benchmarks_page"), loaded("errors_page")
MADE = {**PICTURES.MADE, **BENCHMARKS.MADE}


@pytest.mark.parametrize("name", MADE)
def test_a_picture_is_what_its_script_draws(name):
    assert (ROOT / "docs/pictures" / name).read_text("utf-8") == str(MADE[name]())


def test_no_picture_is_left_over():
    assert sorted(path.name for path in (ROOT / "docs/pictures").glob("*.svg")) == sorted(MADE)


def test_the_example_of_the_concept_pages():
    conditional, masked = PICTURES.laws()
    assert conditional["no."] == pytest.approx(0.36 / 0.39, abs=1e-12)
    assert masked["no."] == pytest.approx(0.4, abs=1e-12)
    assert PICTURES.phi(()) == pytest.approx(0.39, abs=1e-12)
    shown = (ROOT / "docs/pictures/masking.svg").read_text("utf-8")
    assert "0.9231" in shown and "0.4000" in shown
    rules = (ROOT / "docs/pictures/verification_rules.svg").read_text("utf-8")
    assert re.findall(r">(\d\.\d{4})<", rules)[1:] == ["1.1111", "1.2222", "1.3333"]


def test_the_page_of_benchmarks_is_what_the_result_files_say():
    assert (ROOT / "docs/benchmarks.md").read_text("utf-8") == BENCHMARKS.page()
    first = BENCHMARKS.result("first_sample")["rows"]
    ratio = BENCHMARKS.mean([row["gramspec"] / row["cars"] for row in first])
    assert ratio == pytest.approx(0.133, abs=1e-3)  # as docs/faithful.md says of the same run
    hundred = BENCHMARKS.result("hundred_samples")["rows"]
    assert BENCHMARKS.mean([row["gramspec"] / row["cars"] for row in hundred]) == pytest.approx(
        0.0219, abs=2e-4
    )


@pytest.mark.parametrize(
    "path", sorted((ROOT / "benchmarks/results").glob("*.json")), ids=lambda path: path.stem
)
def test_a_result_file_says_how_it_was_made(path):
    found = json.loads(path.read_text("utf-8"))
    assert set(found) == {"title", "command", "conditions", "unit", "rows"} and found["rows"]
    assert found["command"].startswith("python -m benchmarks.")
    text = (ROOT / "docs/faithful.md").read_text("utf-8")
    for row in found["rows"]:
        assert str(row.get("task", row.get("stream"))) in text


def test_the_page_of_errors_has_every_error():
    page = (ROOT / "docs/errors.md").read_text("utf-8")
    assert page == ERRORS.page()
    named = {each.__name__ for each in ERRORS.classes()}
    assert named == set(ERRORS.ADVICE)
    assert {name for name in gs.__all__ if name.endswith(("Error", "Warning"))} <= named
    assert issubclass(errors.LimitError, ERRORS.GAVE_UP)


def test_every_public_name_is_in_the_reference():
    pages = "".join(path.read_text("utf-8") for path in (ROOT / "docs/reference").glob("*.md"))
    listed = set(re.findall(r"^::: gramspec\.(\w+)", pages, re.MULTILINE))
    public = {name for name in gs.__all__ if not name.endswith(("Error", "Warning"))}
    assert public <= listed | {"testing"}, public - listed
