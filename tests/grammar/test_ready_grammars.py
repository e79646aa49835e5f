"""The files of `grammars/`: their examples, and what independent readers say of members and near misses."""

from __future__ import annotations

import csv
import io
import json
import random
import re
from functools import cache
from pathlib import Path

import pytest
from derivations import Derivations
from ready_oracles import EXACT, NEEDS, ORACLES

import gramspec as gs
from gramspec.automaton.members import WeightedMembers, seeded

FOLDER = Path(__file__).resolve().parents[2] / "grammars"
FILES = sorted(path.name for path in FOLDER.iterdir() if path.suffix in (".gbnf", ".ebnf", ".lark"))


@cache
def grammar(name: str) -> gs.Grammar:
    path = FOLDER / name
    text = path.read_text("utf-8")
    if path.suffix == ".lark":
        pytest.importorskip("lark")
        return gs.lark(text)
    return gs.gbnf(text, dialect="llama.cpp" if path.suffix == ".gbnf" else "xgrammar")


@cache
def members(name: str) -> list[str]:
    """Random members of several lengths, and derivations in which every alternative has its turn."""
    found = []
    for length in (12, 40, 90):
        choose = seeded(length)
        drawn = WeightedMembers(grammar(name), length)
        found += [drawn.draw(choose).decode("utf-8") for _ in range(40)]
    derived = Derivations(grammar(name))
    return found + [derived.draw(seed, 30 + 4 * seed).decode("utf-8") for seed in range(60)]


def mutated(text: str, rng: random.Random, alphabet: str) -> str:
    for _ in range(rng.choice((1, 1, 2))):
        at = rng.randrange(len(text) + 1)
        kind = rng.randrange(4)
        if kind == 0:
            text = text[:at] + rng.choice(alphabet) + text[at:]
        elif kind == 1:
            text = text[:at] + text[at + 1 :]
        elif kind == 2:
            text = text[:at] + rng.choice(alphabet) + text[at + 1 :]
        else:
            end = min(len(text), at + rng.randrange(6))
            text = text[:at] + text[at:end] + text[at:]
    return text


def test_every_grammar_has_examples_and_a_reader() -> None:
    names = {Path(name).stem for name in FILES}
    assert names == set(ORACLES)
    assert names == {path.name.removesuffix(".examples.json") for path in FOLDER.glob("*.examples.json")}
    table = (FOLDER / "README.md").read_text("utf-8")
    assert [name for name in FILES if f"`{name}`" not in table] == []


def test_the_example_of_the_page_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FOLDER.parent)
    page = (FOLDER / "README.md").read_text("utf-8")
    (block,) = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    exec(compile(block, "README.md", "exec"), {})


@pytest.mark.parametrize("name", FILES)
def test_examples(name: str) -> None:
    examples = json.loads((FOLDER / f"{Path(name).stem}.examples.json").read_text("utf-8"))
    assert len(examples["accepted"]) >= 4 and len(examples["rejected"]) >= 4
    assert [text for text in examples["accepted"] if not grammar(name).accepts(text)] == []
    assert [text for text in examples["rejected"] if grammar(name).accepts(text)] == []


@pytest.mark.parametrize("name", FILES)
def test_readers_take_random_members(name: str) -> None:
    kind = Path(name).stem
    if kind in NEEDS:
        pytest.importorskip(NEEDS[kind])
    examples = json.loads((FOLDER / f"{kind}.examples.json").read_text("utf-8"))
    texts = [*examples["accepted"], *members(name)]
    assert [text for text in texts if not ORACLES[kind](text)] == []
    assert len(set(texts)) > 50


@pytest.mark.parametrize("name", [name for name in FILES if Path(name).stem in EXACT])
def test_readers_agree_about_near_misses(name: str) -> None:
    kind = Path(name).stem
    rng = random.Random(kind)
    found = members(name)
    alphabet = "".join(sorted({char for text in found for char in text})) + "x\t é"
    verdicts = {True: 0, False: 0}
    for text in found:
        for _ in range(4):
            candidate = mutated(text, rng, alphabet)
            verdict = grammar(name).accepts(candidate)
            assert verdict == ORACLES[kind](candidate), candidate
            verdicts[verdict] += 1
    assert min(verdicts.values()) > 20


@pytest.mark.parametrize("kind", sorted({Path(n).stem for n in FILES if n.endswith(".lark")}))
def test_siblings_in_two_notations_are_one_language(kind: str) -> None:
    first, second = f"{kind}.lark", f"{kind}.gbnf"
    assert [text for text in members(first) if not grammar(second).accepts(text)] == []
    assert [text for text in members(second) if not grammar(first).accepts(text)] == []


def test_csv_that_python_writes_is_csv() -> None:
    rng = random.Random(4)
    for _ in range(200):
        quoting = rng.choice((csv.QUOTE_MINIMAL, csv.QUOTE_ALL))
        alphabet = 'ab,"\n é;' + ("\r" if quoting == csv.QUOTE_ALL else "")  # which the other leaves bare
        rows = [
            ["".join(rng.choices(alphabet, k=rng.randrange(5))) for _ in range(rng.randrange(1, 4))]
            for _ in range(rng.randrange(1, 4))
        ]
        file = io.StringIO()
        csv.writer(file, quoting=quoting, lineterminator=rng.choice(("\n", "\r\n"))).writerows(rows)
        assert grammar("csv.gbnf").accepts(file.getvalue()), rows


def test_every_day_of_four_centuries() -> None:
    from datetime import date, timedelta

    dates = gs.gbnf((FOLDER / "iso_dates.gbnf").read_text("utf-8"), start="date")
    day = date(1896, 1, 1)
    real = set()
    while day.year < 2105:
        real.add(day.isoformat())
        day += timedelta(days=1)
    years = (1896, 1899, 1900, 1904, 1999, 2000, 2001, 2100, 2104)
    for year in years:
        for month in range(14):
            for number in range(33):
                text = f"{year}-{month:02}-{number:02}"
                assert dates.accepts(text) == (text in real), text
