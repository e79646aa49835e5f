"""The examples of the documentation run as typed, one page as one session."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = sorted(path.name for path in DOCS.glob("*.md"))


def test_there_are_pages() -> None:
    assert "residual_predicates.md" in PAGES


@pytest.mark.parametrize("name", PAGES)
def test_examples_run(name: str) -> None:
    text = (DOCS / name).read_text("utf-8")
    session: dict[str, object] = {}
    for match in _BLOCK.finditer(text):
        line = text.count("\n", 0, match.start(1))
        exec(compile("\n" * line + match[1], str(DOCS / name), "exec", dont_inherit=True), session)
