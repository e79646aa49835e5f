"""Formats of JSON Schema: edge cases by hand, and the official suite."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from gramspec.grammar.core import Grammar
from gramspec.grammar.encoding import utf8
from gramspec.grammar.json_schema import formats
from gramspec.grammar.regex.characters import matches

CASES = json.loads(Path(__file__).with_name("format_cases.json").read_text(encoding="utf-8"))
SUITE = Path(__file__).resolve().parents[3] / "shared" / "data" / "json_schema_test_suite"


@pytest.mark.parametrize("name", sorted(formats.NAMES))
def test_edge_cases(name: str) -> None:
    grammar = Grammar(utf8(formats.language(name)))
    for text in CASES[name]["good"]:
        assert formats.check(name, text), text
        assert grammar.accepts(text), text
    for text in CASES[name]["bad"]:
        assert not formats.check(name, text), text
        assert not grammar.accepts(text) or not formats.exact(name), text


@pytest.mark.parametrize("name", sorted(formats.NAMES))
def test_core_and_language_enclose_the_check(name: str) -> None:
    inner, outer = formats.core(name), formats.language(name)
    assert formats.exact(name) == (inner is outer)
    for text in CASES[name]["good"] + CASES[name]["bad"]:
        verdict = formats.check(name, text)
        assert matches(outer, text) or not verdict
        assert verdict or not matches(inner, text)


@pytest.mark.parametrize("name", sorted(formats.NAMES))
def test_texts_with_line_ends_blanks_or_surrogates_around_them(name: str) -> None:
    free = {"json-pointer", "relative-json-pointer", "regex"}  # these hold any character
    text = CASES[name]["good"][-1]
    for other in (text + "\n", "\n" + text, text + " ", " " + text, text + "\0"):
        assert not formats.check(name, other) or name in free
    assert not formats.check(name, text + "\ud800")


def test_unknown_formats_are_not_known() -> None:
    assert not any(map(formats.known, ("", "color", "Date", "url", "int32", "date-time ")))
    assert all(map(formats.known, formats.NAMES))
    assert len(formats.NAMES) == 19


def test_lengths_of_host_names() -> None:
    label = "a" * 63
    assert formats.check("hostname", ".".join([label] * 3 + ["b" * 61]))
    assert not formats.check("hostname", ".".join([label] * 3 + ["b" * 62]))
    assert not formats.check("hostname", label + "a")
    assert not matches(formats.core("hostname"), ".".join([label] * 3 + ["b" * 62]))
    wide = "ü" * 56  # 63 octets as an A-label
    assert formats.check("idn-hostname", wide) == (len(wide.encode("punycode")) + 4 <= 63)
    assert not formats.check("idn-hostname", "ü" * 60)


def test_long_patterns_are_read_in_linear_time() -> None:
    names = "".join(f"(?<n{index}>" for index in range(5_000)) + ")" * 5_000
    assert formats.check("regex", names)
    assert not formats.check("regex", names + "(?<n7>x)")
    assert not formats.check("regex", "(" * 20_000)
    assert formats.check("regex", "(" * 20_000 + ")" * 20_000)
    assert not formats.check("regex", "\\" + "9" * 20_000)
    assert not formats.check("regex", "x{" + "9" * 10_000 + ",1}")


def suite() -> Iterator[tuple[str, str, str, bool]]:
    for path in sorted(SUITE.glob("draft*/optional/format/*.json")):
        for group in json.loads(path.read_text(encoding="utf-8")):
            for test in group["tests"]:
                if isinstance(test["data"], str):
                    yield path.stem, test["data"], test["description"], test["valid"]


@pytest.mark.skipif(not SUITE.is_dir(), reason="the suite lies beside the repository, in ../shared/data")
def test_official_suite() -> None:
    count = 0
    languages: dict[str, Grammar] = {}
    for name, text, description, valid in suite():
        assert formats.check(name, text) == valid, (name, text, description)
        if name not in languages:
            languages[name] = Grammar(utf8(formats.language(name)))
        member = languages[name].accepts(text)
        assert member or not valid, (name, text, description)
        assert member == valid or not formats.exact(name), (name, text, description)
        count += 1
    assert count > 900
