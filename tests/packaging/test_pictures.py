"""The pictures of the documentation are what their script draws, and show the numbers they should."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


def loaded() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_pictures", ROOT / "docs/making/pictures.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    before = list(sys.path)
    spec.loader.exec_module(module)
    sys.path[:] = before
    return module


PICTURES = loaded()


@pytest.mark.parametrize("name", PICTURES.MADE)
def test_a_picture_is_what_its_script_draws(name):
    assert (ROOT / "docs/pictures" / name).read_text("utf-8") == str(PICTURES.MADE[name]())


def test_no_picture_is_left_over():
    assert sorted(path.name for path in (ROOT / "docs/pictures").glob("*.svg")) == sorted(PICTURES.MADE)


def test_the_example_of_the_concept_pages():
    conditional, masked = PICTURES.laws()
    assert conditional["no."] == pytest.approx(0.36 / 0.39, abs=1e-12)
    assert masked["no."] == pytest.approx(0.4, abs=1e-12)
    assert PICTURES.phi(()) == pytest.approx(0.39, abs=1e-12)
    shown = (ROOT / "docs/pictures/masking.svg").read_text("utf-8")
    assert "0.9231" in shown and "0.4000" in shown
    rules = (ROOT / "docs/pictures/verification_rules.svg").read_text("utf-8")
    assert re.findall(r">(\d\.\d{4})<", rules)[1:] == ["1.1111", "1.2222", "1.3333"]
