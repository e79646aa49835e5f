"""The package as a user meets it: light import, versions, declared requirements.

Law: `import gramspec` costs no optional dependency; every declared requirement is pinned.
Source: pyproject.toml, constraints.txt.
"""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
HEAVY = ("torch", "transformers", "tokenizers", "typer", "rich", "matplotlib", "mistral_common", "llguidance")
HEAVY += ("jsonschema", "referencing", "idna", "outlines", "pydantic")


def _pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pairs = (line.split("==") for line in lines if line and not line.startswith("#"))
    return {canonicalize_name(name): version for name, version in pairs}


def test_import_is_light() -> None:
    code = f"import sys, gramspec; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split() == []


def test_every_requirement_is_pinned_within_its_bounds() -> None:
    pins = _pins()
    groups = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    requirements = [Requirement(text) for group in groups for text in group]
    names = {canonicalize_name(requirement.name) for requirement in requirements} - {"gramspec"}
    assert names - pins.keys() == set()
    outside = [
        str(requirement)
        for requirement in requirements
        if requirement.name != "gramspec"
        and pins[canonicalize_name(requirement.name)] not in requirement.specifier
    ]
    assert outside == []


def test_pins_are_exact_and_without_local_versions() -> None:
    pins = _pins()
    assert len(pins) > 50
    assert [name for name, version in pins.items() if not re.fullmatch(r"[0-9][0-9a-z.]*", version)] == []


def test_installed_version_and_command() -> None:
    distribution = importlib.metadata.distribution("gramspec")
    assert distribution.version == PROJECT["version"]
    commands = {
        point.name: point.value for point in distribution.entry_points if point.group == "console_scripts"
    }
    assert commands == {"gramspec": "gramspec.cli:main"}


def test_runtime_requirements_are_those_declared() -> None:
    names = {Requirement(text).name for text in PROJECT["dependencies"]}
    schemas = {"idna", "jsonschema", "jsonschema-specifications", "referencing", "regex"}
    assert names == {"numpy", "scipy", "lark", "interegular"} | schemas
