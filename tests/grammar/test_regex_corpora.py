"""Patterns and strings of public corpora, judged by node (`RegExp.test`), by `re` and by interegular."""

from __future__ import annotations

import gzip
import json
import random
import re
from pathlib import Path
from typing import Any

import interegular
import pytest
from node_oracle import judge, needs_node
from regex_oracle import accepts, mutate, sample

from gramspec.errors import GrammarError, UnsupportedError
from gramspec.grammar import ir
from gramspec.grammar.core import Grammar
from gramspec.grammar.encoding import json_string, utf8
from gramspec.grammar.regex import parse_regex
from gramspec.grammar.regex.characters import matches
from gramspec.grammar.regex.derivatives import EMPTY, Derivatives

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "regex"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the regex corpora are not beside the repository")
ECMA_REFUSED = {"back-reference"}
PYTHON_REFUSED = ECMA_REFUSED | {"conditional group", "atomic group", "possessive quantifier"}


def rows(name: str) -> list[dict[str, Any]]:
    raw = gzip.decompress((DATA / f"{name}.jsonl.gz").read_bytes()).decode("utf-8", "surrogatepass")
    found = [json.loads(line) for line in raw.split("\n") if line]
    return [row for row in found if isinstance(row["pattern"], str)]


def texts_of(row: dict[str, Any], rng: random.Random) -> list[str]:
    """Recorded strings, pieces of the haystack, and near misses of all; short, for who backtracks."""
    found = {"", "a", "\n", *row.get("accept", ()), *row.get("reject", ())}
    haystack = row.get("haystack")
    if isinstance(haystack, str):
        found |= {haystack[start:end] for start in range(6) for end in (len(haystack), start + 2, start + 5)}
    short = sorted(text for text in found if len(text) <= 24)
    found = {*short, *(mutate(text, rng) for text in short for _ in range(2))}
    whole = sorted(text for text in found if not any("\ud800" <= char <= "\udfff" for char in text))
    return rng.sample(whole, min(len(whole), 20))


def test_json_schema_patterns_as_node_judged_them() -> None:
    refused: list[str] = []
    judged = checked = 0
    rng = random.Random(1)
    for row in rows("jsonschemabench_patterns"):
        try:
            expr = parse_regex(row["pattern"], "ecma", search=True)
        except UnsupportedError as error:
            refused.append(error.reason)
            continue
        for wanted, texts in ((True, row["accept"]), (False, row["reject"])):
            for text in texts:
                assert matches(expr, text) is wanted, (row["pattern"], text)
                judged += 1
        for text in texts_of(row, rng)[:3]:
            if len(text) < 60:
                assert matches(expr, text) is accepts(expr, text), (row["pattern"], text)
                checked += 1
    assert judged >= 12_779 and checked > 2_000
    assert refused == ["back-reference"]


@needs_node
@pytest.mark.parametrize("name", ["jsonschemabench_patterns", "test262"])
def test_near_misses_as_node_judges_them(name: str) -> None:
    rng = random.Random(5)
    cases: list[tuple[str, str, list[str]]] = []
    for row in rows(name):
        flags = "".join(flag for flag in row.get("flags") or "" if flag in "ims")
        if "v" not in (row.get("flags") or ""):
            cases.append((row["pattern"], flags, texts_of(row, rng)))
    modern = judge([(pattern, flags + "u", texts) for pattern, flags, texts in cases])
    lenient = judge(cases)
    right = refused = errors = 0
    for (pattern, flags, texts), strict_verdicts, loose_verdicts in zip(cases, modern, lenient, strict=True):
        if strict_verdicts is None and "\\p{" in pattern.lower():
            continue  # a property here, letters without flag u
        verdicts = strict_verdicts if strict_verdicts is not None else loose_verdicts
        if verdicts is None:
            with pytest.raises(GrammarError):
                parse_regex(pattern, "ecma")
            errors += 1
            continue
        try:
            expr = parse_regex(f"(?{flags}:{pattern})" if flags else pattern, "ecma", search=True)
        except UnsupportedError as error:
            assert error.reason in ECMA_REFUSED, pattern
            refused += 1
            continue
        for text, wanted in zip(texts, verdicts, strict=True):
            # Simple foldings that Unicode 15.1 added: node 20 before its update lacks them.
            if not re.search("[\u0390\u03b0\u1fd3\u1fe3\ufb05\ufb06]", text + pattern):
                assert matches(expr, text) is wanted, (pattern, flags, text)
        right += 1
    assert (right, refused) >= ((890, 1) if name == "jsonschemabench_patterns" else (260, 20))


def test_the_automaton_agrees_in_both_encodings() -> None:
    judged = 0
    for row in rows("jsonschemabench_patterns")[::3]:
        expr = parse_regex(row["pattern"], "ecma", search=True)
        plain, quoted = Grammar(utf8(expr)), Grammar(json_string(expr))
        for wanted, texts in ((True, row["accept"][:4]), (False, row["reject"][:4])):
            for text in texts:
                assert plain.accepts(text) is wanted, (row["pattern"], text)
                spelled = json.dumps(text, ensure_ascii=judged % 2 == 0)[1:-1]
                assert quoted.accepts(spelled) is wanted, (row["pattern"], spelled)
                judged += 1
    assert judged >= 2_000


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize(
    ("name", "least"),
    [("jsonschemabench_patterns", 890), ("peers", 100), ("re2", 175), ("re_tests", 98), ("rust_regex", 333)],
)
def test_python_patterns_as_re_judges_them(name: str, least: int) -> None:
    rng = random.Random(2)
    right = 0
    for row in rows(name):
        pattern = row["pattern"]
        try:
            compiled = re.compile(pattern)
        except (re.error, OverflowError):
            with pytest.raises(GrammarError):
                parse_regex(pattern)
            continue
        try:
            whole, anywhere = parse_regex(pattern), parse_regex(pattern, search=True)
        except UnsupportedError as error:
            assert error.reason in PYTHON_REFUSED, pattern
            continue
        members = {text for _ in range(3) if (text := sample(whole, rng)) is not None and len(text) <= 30}
        for text in [*texts_of(row, rng), *members, *(mutate(text, rng) for text in sorted(members))]:
            assert matches(whole, text) is (compiled.fullmatch(text) is not None), (pattern, text)
            assert matches(anywhere, text) is (compiled.search(text) is not None), (pattern, text)
        right += 1
    assert right >= least


def equal_to_interegular(pattern: str, expr: ir.Expr, limit: int) -> bool | None:
    """Whether both read the same language over ASCII (without controls); None beyond `limit` states."""
    machine = interegular.parse_pattern(pattern).to_fsm()
    engine = Derivatives([expr], 2_000_000)
    symbols: dict[tuple[int, int], str] = {}
    for char in [chr(point) for point in range(0x20, 0x7F)] + ["\n", "\t"]:
        symbols.setdefault((engine.alphabet.number(char), machine.alphabet[char]), char)
    queue: list[tuple[int, int | None]] = [(engine.terms[0], machine.initial)]
    seen = set(queue)
    for term, state in queue:
        if engine.nullable[term] is not (state in machine.finals):
            return False
        if len(seen) > limit:
            return None
        for ours, theirs in symbols:
            after = engine.step(term, ours)
            target = machine.map.get(state, {}).get(theirs) if state is not None else None
            if (after, target) not in seen and (after != EMPTY or target is not None):
                seen.add((after, target))
                queue.append((after, target))
    return True


def test_interegular_reads_the_same_language() -> None:
    equal = 0
    for row in rows("jsonschemabench_patterns")[::2]:
        pattern = row["pattern"].removeprefix("^").removesuffix("$")
        if len(pattern) > 40 or re.search(r"[\^$]|\\[bBsS]|\{\d{2,}|\(\?", pattern.replace("[^", "[")):
            continue  # long, anchors inside, classes that interegular reads otherwise, looks
        try:
            verdict = equal_to_interegular(pattern, parse_regex(pattern), 2_000)
        except (interegular.patterns.Unsupported, interegular.patterns.InvalidSyntax, GrammarError):
            continue
        assert verdict is not False, pattern
        equal += verdict is True
    assert equal >= 150
