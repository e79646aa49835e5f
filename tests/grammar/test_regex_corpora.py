"""Patterns and strings of public corpora, judged by node (`RegExp.test`) and by Python `re`."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest
from regex_oracle import accepts

from gramspec.errors import GrammarError, UnsupportedError
from gramspec.grammar.core import Grammar
from gramspec.grammar.encoding import json_string, utf8
from gramspec.grammar.regex import parse_regex

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "regex"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the regex corpora are not beside the repository")


def rows(name: str) -> list[dict[str, Any]]:
    raw = gzip.decompress((DATA / f"{name}.jsonl.gz").read_bytes()).decode("utf-8", "surrogatepass")
    return [json.loads(line) for line in raw.split("\n") if line]


def test_json_schema_patterns_as_node_judged_them() -> None:
    refused: list[str] = []
    judged = patterns = 0
    for row in rows("jsonschemabench_patterns"):
        try:
            expr = parse_regex(row["pattern"], "ecma", search=True)
        except UnsupportedError as error:
            refused.append(error.reason)
            continue
        patterns += 1
        for wanted, texts in ((True, row["accept"]), (False, row["reject"])):
            for text in texts:
                if len(text) <= 300:
                    assert accepts(expr, text) is wanted, (row["pattern"], text)
                    judged += 1
    assert patterns >= 885
    assert judged >= 12_700
    assert set(refused) <= {"look-ahead", "look-behind", "back-reference"}


def test_the_automaton_agrees_in_both_encodings() -> None:
    judged = 0
    for row in rows("jsonschemabench_patterns"):
        try:
            expr = parse_regex(row["pattern"], "ecma", search=True)
        except UnsupportedError:
            continue
        plain, quoted = Grammar(utf8(expr)), Grammar(json_string(expr))
        for wanted, texts in ((True, row["accept"]), (False, row["reject"])):
            for text in texts:
                assert plain.accepts(text) is wanted, (row["pattern"], text)
                for ascii_only in (False, True):
                    spelled = json.dumps(text, ensure_ascii=ascii_only)[1:-1]
                    assert quoted.accepts(spelled) is wanted, (row["pattern"], spelled)
                judged += 1
    assert judged >= 12_700


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize(
    ("name", "least"), [("peers", 79), ("re2", 174), ("re_tests", 95), ("rust_regex", 333)]
)
def test_python_patterns_as_re_judges_them(name: str, least: int) -> None:
    patterns = 0
    for row in rows(name):
        pattern = row["pattern"]
        if not isinstance(pattern, str):
            continue
        try:
            compiled = re.compile(pattern)
        except (re.error, OverflowError):
            with pytest.raises(GrammarError):
                parse_regex(pattern)
            continue
        try:
            whole, anywhere = parse_regex(pattern), parse_regex(pattern, search=True)
        except UnsupportedError:
            continue
        patterns += 1
        texts = {*row.get("accept", ()), *row.get("reject", ())}
        haystack = row.get("haystack")
        if isinstance(haystack, str):
            texts |= {haystack[start:] for start in range(min(8, len(haystack) + 1))}
        for text in texts:
            if len(text) <= 120 and not any("\ud800" <= char <= "\udfff" for char in text):
                assert accepts(whole, text) is (compiled.fullmatch(text) is not None), (pattern, text)
                assert accepts(anywhere, text) is (compiled.search(text) is not None), (pattern, text)
    assert patterns >= least


def test_test262_patterns_that_node_compiles() -> None:
    understood = 0
    for row in rows("test262"):
        if "v" in row["flags"] or not row["node_compiles"]:
            continue
        try:
            parse_regex(row["pattern"], "ecma")
        except UnsupportedError:
            continue
        understood += 1
    assert understood >= 190
