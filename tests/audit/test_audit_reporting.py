"""Reports of audits: JSON and back, JUnit XML, the HTML page, the terminal; hostile texts stay texts."""

from __future__ import annotations

import dataclasses
import importlib.util
import io
import itertools
import json
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import pytest

pytest.importorskip("jinja2")
pytest.importorskip("rich")

from rich.console import Console

from gramspec.audit.reporting import html_of, junit_of, show
from gramspec.audit.reporting.charts import Outcome, coverage_plot, distance_plot, law_plot, shortened
from gramspec.audit.reporting.wording import (
    command_of,
    distinct_laws,
    exact,
    number,
    suite_names,
    verdict,
    xml_text,
)
from gramspec.audit.results import (
    AuditReport,
    Case,
    CheckResult,
    Finding,
    LawFigure,
    OutcomeFigure,
    Refusal,
    SuiteResult,
    Table,
)
from gramspec.errors import OptionError

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</style></script><!-- ]]> &amp; {{ 7 * 7 }} {% raw %}",
    "nul \x00 escape \x1b[31m bell \x07",
    "lone \ud800 surrogate",
    "\u202eright to left\u2066",
]
SCHEMA = '{"type":"array","items":{"type":"integer"},"uniqueItems":true}'


def finding(**changes: object) -> Finding:
    case = Case("json_schema", SCHEMA, "[1,1]", None, "bytes", "built-in:unique", False)
    made = Finding(
        "soundness",
        "accepts-nonmember",
        "error",
        "A text outside the language is accepted.",
        "refused: uniqueItems",
        "every token is in the mask, and the end",
        case,
        original=dataclasses.replace(case, text="[1, 1, 7]"),
        snippet="import xgrammar\nmatcher = ...",
        command="gramspec audit xgrammar --suite soundness --seed 7",
        oracles=("jsonschema",),
        cause="uniqueItems",
        occurrences=3,
    )
    return dataclasses.replace(made, **changes)


def law(origin: str = "world:1", text: str = "ab") -> LawFigure:
    outcomes = (
        OutcomeFigure(text, 0.7, {"conditional": 0.4, "masked": 0.7}),
        OutcomeFigure("b\n", 0.3, {"conditional": 0.6, "masked": 0.3}),
    )
    return LawFigure(
        Case("regex", "ab|b\n", origin=origin),
        "masked",
        {"conditional": 0.3, "masked": 0.0},
        draws=10_000,
        floor=0.004,
        power=0.999,
        planted=0.03,
        p_values={"conditional": 0.0, "masked": 0.41},
        outcomes=outcomes,
    )


def report(engine: str = "xgrammar", findings: tuple[Finding, ...] = (), **changes: object) -> AuditReport:
    errors = sum(f.severity == "error" for f in findings)
    soundness = SuiteResult(
        "soundness",
        "Accepts nothing outside the language.",
        (
            CheckResult("accepts-nonmember", "texts outside", 20 + errors, 20, errors, {"too long": 2}),
            CheckResult("accepts-prefix", "ends too early", 5, 5, 0),
        ),
        findings,
        (Refusal(Case("json_schema", '{"not":{}}', origin="built-in:not"), "Unimplemented keys: [not]"),),
        seconds=1.25,
        figures={"texts read": 25.0},
        tables=(Table("By keyword", ("keyword", "read"), (("uniqueItems", 3), ("not", None))),),
    )
    laws = SuiteResult("law", "Which law is sampled.", (CheckResult("law", "named", 1, 1),), laws=(law(),))
    idle = SuiteResult("speculation", skipped="the engine draws no texts")
    made = AuditReport(
        engine,
        "0.2.8",
        {"strict": "no"},
        "0.1.0",
        {"jsonschema": "4.23"},
        {"python": "3.11.9"},
        "quick",
        7,
        "2026-11-22T22:10:00Z",
        12.5,
        "gramspec audit xgrammar",
        (soundness, laws, idle),
    )
    return dataclasses.replace(made, **changes)


class Page(HTMLParser):
    """Elements, texts and identifiers of a page."""

    VOID = frozenset(("meta", "br", "rect", "line", "circle", "path", "link", "img", "input"))

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag, (tag, self.getpos())

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def tags(self) -> list[str]:
        return [tag for tag, _ in self.elements]


def test_json_round_trip_and_its_version() -> None:
    whole = report(findings=(finding(), *(finding(message=text) for text in HOSTILE)))
    text = whole.to_json()
    assert AuditReport.from_json(text) == whole
    assert json.loads(text)["format"] == 1


def test_verdicts() -> None:
    assert verdict(report()).tone == "ok"
    faulty = verdict(report(findings=(finding(), finding(severity="warning"))))
    assert (faulty.tone, faulty.word) == ("bad", "1 fault found")
    assert any("masked in 1" in line for line in faulty.lines)
    assert any("speculation" in line for line in faulty.lines)
    assert verdict(report(suites=())).word == "Nothing was checked"


def test_junit_counts_are_those_of_its_elements() -> None:
    findings = (finding(), finding(cause="other"), finding(check="accepts-prefix", severity="warning"))
    root = ET.fromstring(junit_of([report(findings=findings), report("llguidance")]))
    assert root.tag == "testsuites"
    suites = root.findall("testsuite")
    assert [suite.get("name") for suite in suites] == [
        f"{engine}.{name}"
        for engine in ("xgrammar", "llguidance")
        for name in ("soundness", "law", "speculation")
    ]
    for suite in (*suites, root):
        cases = suite.findall("testcase") if suite is not root else root.findall("testsuite/testcase")
        assert int(suite.get("tests", "")) == len(cases)
        for kind, name in (("failures", "failure"), ("skipped", "skipped")):
            assert int(suite.get(kind, "")) == sum(case.find(name) is not None for case in cases)
    assert (suites[0].get("failures"), suites[3].get("failures")) == ("2", "0")
    failure = suites[0].find("testcase/failure")
    assert failure is not None and failure.text is not None
    for part in (SCHEMA, "[1,1]", "refused: uniqueItems", "import xgrammar", "--seed 7"):
        assert part in failure.text
    names = [(case.get("classname"), case.get("name")) for case in root.iter("testcase")]
    assert len(set(names)) == len(names)


def test_the_page_holds_everything_and_asks_nobody() -> None:
    text = html_of([report(findings=(finding(),))])
    page = Page(text)
    shown = " ".join(page.texts)
    for part in (
        "1 fault found",
        SCHEMA,
        "[1,1]",
        "[1, 1, 7]",
        "import xgrammar",
        "gramspec audit xgrammar --suite soundness",
    ):
        assert part in shown, part
    for part in (
        "Unimplemented keys: [not]",
        "the engine draws no texts",
        "too long",
        "jsonschema",
        "3.11.9",
        "2026-11-22T22:10:00Z",
    ):
        assert part in shown, part
    assert not re.search(r"(?:src|href)=\"(?!#)|url\(|@import|https?://", text)
    assert {"img", "link", "iframe"} & set(page.tags()) == set()


def test_the_page_can_be_read_without_eyes() -> None:
    alone = [int(t[1]) for t in Page(html_of([report()])).tags() if re.fullmatch("h[1-6]", t)]
    assert all(deeper <= level + 1 for level, deeper in itertools.pairwise(alone))
    page = Page(html_of([report(findings=(finding(),)), report("llguidance")]))
    tags = page.tags()
    assert tags.count("h1") == 1 and tags.count("main") == 1
    assert tags.count("caption") == tags.count("table") > 10
    levels = [int(tag[1]) for tag in tags if re.fullmatch("h[1-6]", tag)]
    assert all(deeper <= level + 1 for level, deeper in itertools.pairwise(levels))
    plots = [attributes for tag, attributes in page.elements if tag == "svg"]
    assert len(plots) >= 6
    assert all(attributes.get("role") == "img" and attributes.get("aria-label") for attributes in plots)
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(set(ids)) == len(ids)
    targets = [attributes["href"] for tag, attributes in page.elements if tag == "a"]
    assert targets and all(target and target[1:] in ids for target in targets)


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_texts_are_texts(hostile: str) -> None:
    case = Case(hostile, hostile, hostile, (1, 2), hostile, hostile, True, {hostile: hostile})
    bad = finding(
        check=hostile,
        message=hostile,
        expected=hostile,
        observed=hostile,
        case=case,
        original=case,
        snippet=hostile,
        command=hostile,
        oracles=(hostile,),
        cause=hostile,
        extra={hostile: hostile},
    )
    plain = report(
        findings=(
            finding(
                extra={"x": "y"},
                case=dataclasses.replace(finding().case, token_ids=(1, 2), options={"a": "b"}),
            ),
        )
    )
    plain = dataclasses.replace(
        plain,
        suites=(*plain.suites[:1], dataclasses.replace(plain.suites[1], laws=(law(),)), plain.suites[2]),
    )
    suite = dataclasses.replace(
        plain.suites[0],
        name=hostile,
        description=hostile,
        findings=(bad,),
        refusals=(Refusal(case, hostile),),
        checks=(CheckResult(hostile, hostile, 21, 20, 1, {hostile: 2}), CheckResult("b", hostile, 5, 5)),
        figures={hostile: 1.0},
        tables=(Table(hostile, (hostile, hostile), ((hostile, 1), (hostile, None)), hostile),),
    )
    figure = dataclasses.replace(law(hostile, hostile), verdict=hostile, note=hostile)
    whole = dataclasses.replace(
        plain,
        engine=hostile,
        engine_version=hostile,
        settings={hostile: hostile},
        versions={hostile: hostile},
        environment={hostile: hostile},
        profile=hostile,
        started=hostile,
        command=hostile,
        suites=(suite, SuiteResult("law", laws=(figure,)), SuiteResult("idle", skipped=hostile)),
    )
    text = html_of([whole])
    text.encode("utf-8")
    page = Page(text)
    known = set(Page(html_of([plain])).tags())
    assert set(page.tags()) <= known
    assert page.tags().count("script") == 1
    assert not any(name.startswith("on") for _, attributes in page.elements for name in attributes)
    assert "49" not in [part.strip() for part in page.texts]
    assert "\x1b" not in text and "\x00" not in text
    ET.fromstring(junit_of([whole]))
    stream = io.StringIO()
    show([whole], Console(file=stream, width=100, color_system=None))
    assert "\x1b" not in stream.getvalue() and "\x00" not in stream.getvalue()
    stream.getvalue().encode("utf-8")


def test_the_policy_lets_only_the_script_of_the_page_run() -> None:
    page = Page(html_of([report()]))
    policies = [a["content"] for tag, a in page.elements if tag == "meta" and "http-equiv" in a]
    assert len(policies) == 1 and policies[0] is not None
    assert "default-src 'none'" in policies[0] and "script-src 'sha256-" in policies[0]
    assert "unsafe-inline'; script" not in policies[0] and "unsafe-eval" not in policies[0]


def test_a_page_of_no_engine_is_refused() -> None:
    with pytest.raises(OptionError, match="at least one"):
        html_of([])


def test_the_terminal_shows_the_verdict_the_suites_and_how_to_see_it_again() -> None:
    stream = io.StringIO()
    console = Console(file=stream, width=100, color_system=None)
    many = tuple(finding(cause=f"cause {i}") for i in range(14))
    show([report(findings=many)], console)
    text = stream.getvalue()
    assert "14 faults found" in text and "soundness" in text and "masked" in text
    assert "[1,1]" in text and "gramspec audit xgrammar --suite soundness" in text
    assert "4 further findings" in text


def test_side_by_side_names_each_engine() -> None:
    stream = io.StringIO()
    show([report(findings=(finding(),)), report("llguidance")], Console(file=stream, width=120))
    assert "xgrammar 0.2.8" in stream.getvalue() and "llguidance 0.2.8" in stream.getvalue()
    shown = " ".join(Page(html_of([report(findings=(finding(),)), report("llguidance")])).texts)
    assert "Side by side" in shown and "soundness: accepts-nonmember" in shown


def test_plots_say_what_they_leave_out() -> None:
    outcomes = [Outcome(f"text {i}", i / 100, {"conditional": 0.01}) for i in range(1, 14)]
    assert "(1 texts with smaller gaps are not shown)" in law_plot(outcomes, name="e", observed="enumerated")
    assert "not shown" not in law_plot(outcomes[:12], name="e", observed="enumerated")
    assert distance_plot({"masked": []}, name="e") == "" == coverage_plot([("s", {"passed": 0})], name="e")
    assert len(shortened("x" * 100)) == 28 and shortened("") == "(empty)"


def test_texts_and_numbers() -> None:
    assert exact("[1, 2]") == "[1, 2]"
    assert exact(" a") == '" a"' and exact("") == '""'
    assert exact("a\u202e\ud800") == '"a\\u202e\\ud800"'
    assert xml_text("a\x00\ud800b") == "a\ufffd\ufffdb"
    assert [number(v) for v in (None, 1234, 0.5, 1e-5, float("nan"), "x")] == [
        "–",
        "1,234",
        "0.5",
        "1.0e-05",
        "nan",
        "x",
    ]


def test_suites_of_several_decoders_share_a_row_and_laws_that_coincide_a_mark() -> None:
    suites = tuple(dataclasses.replace(report().suites[1], name=f"law ({by})") for by in ("hf", "outlines"))
    page = html_of([dataclasses.replace(report(), suites=suites), report("llguidance")])
    rows = [text.strip() for text in Page(page).texts]
    assert "hf: 1 check" in rows and "outlines: 1 check" in rows
    assert suite_names([dataclasses.replace(report(), suites=suites)]) == ["law"]
    same = {"conditional": 0.4, "masked": 0.7, "masked, hot": 0.7}
    outcomes = (
        OutcomeFigure("a", 0.7, same),
        OutcomeFigure("b", 0.3, {law: 1 - p for law, p in same.items()}),
    )
    distances = {"masked, hot": 0.0, "masked": 0.0, "conditional": 0.3}
    assert distinct_laws(dataclasses.replace(law(), distances=distances, outcomes=outcomes)) == [
        "masked",
        "conditional",
    ]


def test_the_command_of_a_finding_names_its_suite() -> None:
    there = dataclasses.replace(report(), command="gramspec audit x --seed 1")
    assert command_of(there, finding(command="", suite="law (hf)")) == "gramspec audit x --seed 1 --suite law"
    assert command_of(there, finding(command="mine")) == "mine"
    assert command_of(dataclasses.replace(there, command="by hand"), finding(command="")) == ""


def test_the_page_on_peers_takes_each_suite_once_and_escapes_its_cells() -> None:
    path = Path(__file__).resolve().parents[2] / "docs/making/audit_peers.py"
    spec = importlib.util.spec_from_file_location("audit_peers_page", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    case = Case("regex", "a|<b>*_[x](y)", "|`")
    first = report(findings=(finding(case=case, cause="uniqueItems"),))
    [merged] = module.merged([first, report(findings=(finding(), finding()))])
    assert [suite.name for suite in merged.suites].count("soundness") == 1
    assert merged.findings == first.findings
    page = module.page([merged])
    assert "| soundness | 1 fault in 26 |" in page and "drops `uniqueItems`, `contains` | soundness" in page
    row = next(line for line in page.splitlines() if line.startswith("| soundness accepts-nonmember"))
    assert row.count(" | ") == 4 and "<b>" not in row and "[x]" not in row
