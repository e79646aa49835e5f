"""Recorded grammars and strings of llama.cpp, xgrammar and GAD, and grammar files as they are."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import gramspec as gs

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "grammars"
pytestmark = pytest.mark.skipif(
    not DATA.is_dir(), reason="the recorded grammars are not beside the repository"
)
DIALECTS: dict[str, Any] = {
    "gbnf": "llama.cpp",
    "gbnf-like ebnf (transformers-cfg)": "llama.cpp",
    "xgrammar-ebnf": "xgrammar",
}


def rows() -> list[dict[str, Any]]:
    with gzip.open(DATA / "cases.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def wrong(grammar: gs.Grammar, row: dict[str, Any], verdicts: Counter[bool]) -> list[tuple[str, str]]:
    found = []
    for key in ("accept", "reject"):
        for text in row[key]:
            right = grammar.accepts(text) == (key == "accept")
            verdicts[right] += 1
            if not right:
                found.append((row["id"], text))
    return found


@pytest.mark.parametrize(("family", "least"), list(zip(DIALECTS, (40, 80, 250), strict=True)))
def test_every_recorded_verdict(family: str, least: int) -> None:
    """Of the large grammars (thousands of rules; they take a second each) one in twelve."""
    verdicts: Counter[bool] = Counter()
    errors = []
    for number, row in enumerate(rows()):
        if row["format"] == family and (len(row["grammar"]) < 50_000 or number % 12 == 0):
            grammar = gs.gbnf(row["grammar"], start=row.get("root", "root"), dialect=DIALECTS[family])
            errors += wrong(grammar, row, verdicts)
    assert errors == []
    assert verdicts[True] >= least


def test_grammars_that_xgrammar_printed_have_the_language_of_what_they_were_made_from() -> None:
    printed = [row for row in rows() if isinstance(row.get("ebnf"), str)]
    verdicts: Counter[bool] = Counter()
    errors = []
    for row in printed[::12]:
        errors += wrong(gs.gbnf(row["ebnf"], dialect="xgrammar"), row, verdicts)
    assert errors == []
    assert verdicts[True] > 400


FILES = {
    "list.gbnf": (["- a\n- b\n"], ["- a", "a\n"]),
    "c.gbnf": (["int main(){return x;}", "int f(int x){//\n}"], ["main(){}"]),
    "chess.gbnf": (
        ["1. e4 e5\n2. Nf3 Nc6\n", "1. e4 e5\n2. O-O Nc6\n"],
        ["1. e4\n", "1. e4 e5\n2. Xf3 Nc6\n"],
    ),
}


@pytest.mark.parametrize("path", sorted(DATA.glob("files/**/*.gbnf")), ids=str)
def test_grammar_files_load_unchanged(path: Path) -> None:
    grammar = gs.gbnf(path.read_text("utf-8"))
    accepted, rejected = FILES[path.name]
    assert [text for text in accepted if not grammar.accepts(text)] == []
    assert [text for text in rejected if grammar.accepts(text)] == []
