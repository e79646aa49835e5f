"""Recorded verdicts on structural tags, and generated specifications and texts judged by xgrammar itself."""

from __future__ import annotations

import ast
import gzip
import json
import random
import re
from pathlib import Path
from typing import Any

import pytest

import gramspec as gs
from gramspec.automaton.members import WeightedMembers, seeded

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "grammars" / "cases.jsonl.gz"
# Keys that repeat: xgrammar counts members under any_order, and does not tell them apart.
DECISIONS = {'{"a": 1, "b": "x", "c": true, "c": false}'}


def specification(row: dict[str, Any]) -> object:
    """The specification of a row; one is recorded as it is shown, with classes for schemas."""
    if not row["grammar"].startswith("["):
        return row["grammar"]
    shown, triggers = json.loads(row["grammar"])
    items = re.findall(r"begin=('.*?'), schema_=.*?, end=('.*?')\)", shown)
    schema = {
        "type": "object",
        "properties": {"arg1": {"type": "string"}, "arg2": {"type": "integer"}},
        "required": ["arg1", "arg2"],
    }
    structures = [
        {"begin": ast.literal_eval(begin), "schema": schema, "end": ast.literal_eval(end)}
        for begin, end in items
    ]
    return {"type": "structural_tag", "structures": structures, "triggers": triggers}


@pytest.mark.skipif(
    not DATA.is_file(), reason="the recorded cases lie beside the repository, in ../shared/data"
)
def test_recorded_cases() -> None:
    rows = [json.loads(line) for line in gzip.decompress(DATA.read_bytes()).decode().splitlines()]
    judged = 0
    wrong: list[tuple[str, str]] = []
    for row in rows:
        if row["format"] != "xgrammar-structural-tag":
            continue
        grammar = gs.structural_tag(specification(row))
        for texts, wanted in ((row["accept"], True), (row["reject"], False)):
            for text in texts:
                judged += 1
                if grammar.accepts(text) != wanted and text not in DECISIONS:
                    wrong.append((row["id"], text))
    assert judged > 250 and not wrong


# -- generated specifications -----------------------------------------------------------------------

# All in ASCII: xgrammar lets free text end inside a character, and the next go on there.
WORDS = ["<", "<a", "a", "b", "ab", "ba", "</", "c", "aa"]


def leaf(rng: random.Random) -> dict[str, Any]:
    kind = rng.randrange(4)
    if kind == 0:
        return {"type": "const_string", "value": rng.choice(["", *WORDS])}
    if kind == 1:
        return {"type": "regex", "pattern": rng.choice(["[ab]", "a+", "(ab)*", "b?", "<a|b"])}
    if kind == 2:
        return {"type": "any_text", "excludes": rng.sample(WORDS, rng.randrange(3))}
    return {"type": "any_text", "max_chars": rng.randrange(4)}


def tag(rng: random.Random, depth: int, begin: str | None = None) -> dict[str, Any]:
    ends = rng.sample(WORDS, rng.randint(1, 2))
    end: object = ends if rng.random() < 0.3 else ends[0]
    return {
        "type": "tag",
        "begin": begin or rng.choice(WORDS),
        "content": form(rng, depth - 1),
        "end": end,
    }


def flags(rng: random.Random) -> dict[str, bool]:
    return {name: rng.random() < 0.4 for name in ("at_least_one", "stop_after_first")}


def form(rng: random.Random, depth: int) -> dict[str, Any]:
    if depth <= 0:
        return leaf(rng)
    match rng.randrange(9):
        case 0:
            return {"type": "sequence", "elements": [form(rng, depth - 1) for _ in range(rng.randint(1, 3))]}
        case 1:
            return {"type": "or", "elements": [form(rng, depth - 1) for _ in range(rng.randint(1, 3))]}
        case 2:
            return {"type": rng.choice(["optional", "plus", "star"]), "content": form(rng, depth - 1)}
        case 3:
            return {
                "type": "repeat",
                "content": form(rng, depth - 1),
                "min": rng.randrange(2),
                "max": rng.choice([1, 2, -1]),
            }
        case 4:
            return tag(rng, depth)
        case 5:
            return {
                "type": "tags_with_separator",
                "tags": [tag(rng, depth) for _ in range(rng.randint(1, 2))],
                "separator": rng.choice(["", ",", "a"]),
                **flags(rng),
            }
        case 6 | 7:
            trigger = rng.choice(["<", "<a", "a", "ab"])
            begins = [trigger + rng.choice(["", "b", "a>"]) for _ in range(rng.randint(1, 2))]
            return {
                "type": "triggered_tags",
                "triggers": [trigger],
                "tags": [tag(rng, depth, begin) for begin in begins],
                "excludes": rng.sample(["ba", "c", "</"], rng.randrange(2)),
                **flags(rng),
            }
        case _:
            rules = [[word, form(rng, depth - 1)] for word in rng.sample(["<", "ab", "c"], rng.randint(1, 2))]
            return {
                "type": "dispatch",
                "rules": rules,
                "loop": rng.random() < 0.5,
                "excludes": rng.sample(["ba", "</", "aa"], rng.randrange(2)),
            }


def texts(rng: random.Random, specification: str) -> list[str]:
    """Texts made of the words of a specification."""
    words = [*WORDS, *re.findall(r'"([^"]{1,3})"', specification)]
    return ["", *("".join(rng.choices(words, k=rng.randint(1, 6))) for _ in range(60))]


def test_generated_specifications_mean_what_xgrammar_says() -> None:
    xgrammar = pytest.importorskip("xgrammar")
    from xgrammar.testing import _is_grammar_accept_string

    rng = random.Random(20)
    judged = accepted = refused = 0
    for _ in range(90):
        spec = json.dumps({"type": "structural_tag", "format": form(rng, 3)}, ensure_ascii=False)
        try:
            theirs = xgrammar.Grammar.from_structural_tag(spec)
        except Exception:
            continue  # what it does not compile it does not judge
        try:
            ours = gs.structural_tag(spec)
        except gs.EmptyLanguageError:
            continue
        except gs.GrammarError as error:
            assert "never be reached" in error.reason or "end is empty" in error.reason, (spec, error)
            refused += 1
            continue
        for text in texts(rng, spec):
            wanted = _is_grammar_accept_string(theirs, text)
            assert ours.accepts(text) == wanted, (spec, text)
            judged += 1
            accepted += wanted
    assert judged > 2500 and accepted > 300 and refused < 40


SCHEMA = {
    "type": "object",
    "$defs": {"Text": {"type": "string"}},
    "properties": {
        "s": {"$ref": "#/$defs/Text"},
        "i": {"type": "integer"},
        "o": {
            "type": "object",
            "properties": {"x": {"type": "string"}},
            "required": ["x"],
            "additionalProperties": False,
        },
        "l": {"type": "array", "items": {"type": "string"}, "maxItems": 2},
        "e": {"enum": ["a b", 7, None]},
        "u": {"type": ["boolean", "string"]},
    },
    "required": ["i"],
    "additionalProperties": False,
}
STYLES = (
    "qwen_xml", "minimax_xml", "glm_xml", "deepseek_xml", "deepseek_v4_1_xml", "kimi_k3_xml", "cohere_xml",
    "minimax_m3_xml",
)  # fmt: skip
VALUES = [
    "x",
    "",
    "a b",
    "7",
    "-12",
    "01",
    "true",
    "null",
    '{"x": "y"}',
    "{}",
    "[]",
    '["a","b"]',
    '["a","b","c"]',
    " 7\n",
    "<",
    "é",
]


@pytest.mark.parametrize("style", STYLES)
def test_styles_mean_what_xgrammar_says(style: str) -> None:
    xgrammar = pytest.importorskip("xgrammar")
    from xgrammar.testing import _is_grammar_accept_string

    from gramspec.grammar.tags.xml_styles import STYLES as known

    form = known[style]
    types = {
        "string flag": [' string="true">', ' string="false">'],
        "type": [
            f' type="{name}"<|sep|>' for name in ("string", "number", "boolean", "null", "array", "object")
        ],
        "wrapped": [f' type="{name}">' for name in ("raw", "json", "dict", "list")],
    }.get(form.kind, [""])
    inner = {
        "wrapped": [
            '<cofl:value name="x" type="raw">v</cofl:value>',
            '<cofl:value type="raw">v</cofl:value>' * 2,
        ],
        "nested": ["]<]minimax[>[<x>v]<]minimax[>[</x>", "]<]minimax[>[<item>v]<]minimax[>[</item>" * 2],
    }.get(form.kind, [])
    rng = random.Random(style)
    spec = {
        "type": "structural_tag",
        "format": {"type": "json_schema", "json_schema": SCHEMA, "style": style},
    }
    theirs, ours = xgrammar.Grammar.from_structural_tag(spec), gs.structural_tag(spec)

    def parameter(key: str) -> str:
        shown = form.before + key + form.after + (form.value and rng.choice(["", "\n"]) + form.value)
        end = form.end + (f"{key}>" if form.kind == "nested" else "")
        return shown + rng.choice(types) + rng.choice([*VALUES, *inner]) + end

    accepted = 0
    # xgrammar takes any type for a value of several types or behind $ref, whatever the value is.
    optional = [key for key in "soleun" if not (form.kind == "type" and key in "seu")]
    for _ in range(800):
        keys = ["i", *rng.sample(optional, rng.randrange(3))]
        if rng.random() < 0.8:
            keys.sort(key="sioleun".find)
        text = "".join(rng.choice(["", "\n"]) + parameter(key) for key in keys) + rng.choice(["", "\n"])
        wanted = _is_grammar_accept_string(theirs, text)
        accepted += wanted
        assert ours.accepts(text) == wanted, text
    assert accepted > 7


PARAMETERS = {
    "type": "object",
    "properties": {
        "q": {"type": "string"},
        "e": {"enum": ["x", "y z"]},
        "l": {"type": "array", "items": {"type": "boolean"}},
    },
    "required": ["q", "e"],
    "additionalProperties": False,
}
TOOLS = [
    {"type": "function", "function": {"name": name, "parameters": PARAMETERS}} for name in ("one", "two")
]


def test_specifications_for_models_mean_what_xgrammar_says() -> None:
    """Members of each and near misses, for every model that xgrammar knows the notation of."""
    pytest.importorskip("xgrammar")
    from xgrammar import Grammar, builtin_structural_tag
    from xgrammar.testing import _is_grammar_accept_string

    rng = random.Random(6)
    verdicts = {True: 0, False: 0}
    models = sorted(builtin_structural_tag._structural_tag_registry)
    forced = {"type": "function", "function": {"name": "two"}}
    for model in models:
        for choice in ("auto", "required", forced):
            reasoning = rng.choice(["enabled", "disabled"])
            spec = builtin_structural_tag.get_model_structural_tag(model, TOOLS, choice, reasoning)
            theirs, ours = Grammar.from_structural_tag(spec), gs.structural_tag(spec)
            members = WeightedMembers(ours, 160)
            for _ in range(2):
                text = members.draw(seeded(rng.randrange(1 << 30))).decode()
                at = rng.randrange(len(text) + 1)
                near = [text[:at] + text[at + 1 :], text[:at] + rng.choice('<"a{1') + text[at:], text[:at]]
                for each in (text, *near, text + text, text.replace("two", "six")):
                    if "\\" in each:
                        continue  # constants may be spelled with escapes here, and not in xgrammar
                    wanted = _is_grammar_accept_string(theirs, each)
                    assert ours.accepts(each) == wanted, (model, choice, each)
                    verdicts[wanted] += 1
    assert len(models) > 10 and min(verdicts.values()) > 100
