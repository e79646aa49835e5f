"""Recorded strings of Lark grammars, and rules that end early beside free text."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

import gramspec as gs

CASES = Path(__file__).resolve().parents[3] / "shared" / "data" / "grammars" / "cases.jsonl.gz"


@pytest.mark.skipif(not CASES.is_file(), reason="the cases lie beside the repository, in ../shared/data")
@pytest.mark.parametrize(("form", "least"), [("lark", 1.0), ("xgrammar-lark", 0.97)])
def test_recorded_verdicts_are_kept(form: str, least: float) -> None:
    right, count, wrong = 0, 0, []
    with gzip.open(CASES, "rt", encoding="utf-8") as lines:
        for case in map(json.loads, lines):
            if case["format"] != form:
                continue
            grammar = gs.lark(case["grammar"], start=case.get("start", "start"))
            for text, belongs in [(t, True) for t in case["accept"]] + [(t, False) for t in case["reject"]]:
                count += 1
                if grammar.accepts(text) == belongs:
                    right += 1
                else:
                    wrong.append((case["id"], text))
    assert count > 150 and right / count >= least, wrong


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        (  # free text ends where a call begins, whatever call
            'start: (a | b)* TEXT\na: ah /[0-9]/ "."\nah[lazy]: TEXT "<a>"\n'
            'b: bh "!"\nbh[suffix="<b>"]: TEXT\nTEXT: /[^#]*/',
            ["", "x<a", "x<a>1.<b>!y", "<b>!<b>!"],
            ["<a>", "<a>x", "x<b>", "<a>1", "<b>!<a>.", "x#"],
        ),
        (  # two that end at the same place both may go on
            'start: (a | b) "."\na: ah "1"\nah[lazy]: /[a-z]*/ "<"\nb: bh "2"\nbh[lazy]: /[a-z]+/ "<"',
            ["x<1.", "x<2.", "<1."],
            ["<2.", "x<3."],
        ),
        ('start: "<" r ">"\nr[lazy]: /[a-z]*/', ["<>"], ["<a>", "<"]),
        (  # elsewhere the terminal is what it was
            'start: h "!" TEXT | "?" TEXT\nh[lazy]: TEXT "<"\nTEXT: /[a-z<]+/',
            ["a<!b<<", "?a<b", "?<"],
            ["a<b!c", "<a!b"],
        ),
        (  # through a recursive rule and what may be left out
            'start: h? x\nx: "(" x ")" | W\nh[lazy]: W "-"\nW: /[a-z-]+/',
            ["ab", "a-b", "a-(b-c)", "(b-c)", "a-b-c"],
            ["a-", "a-(b-)-", ""],
        ),
    ],
)
def test_what_ends_early_comes_first(text: str, inside: list[str], outside: list[str]) -> None:
    grammar = gs.lark(text)
    assert [t for t in inside if not grammar.accepts(t)] == []
    assert [t for t in outside if grammar.accepts(t)] == []
