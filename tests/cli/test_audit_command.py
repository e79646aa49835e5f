"""`gramspec audit`: exit codes, reports written, engines by name, by object and by URL, cases from files."""

from __future__ import annotations

import gzip
import json
import shlex
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

pytest.importorskip("typer")
pytest.importorskip("jinja2")

from gramspec.audit.adapters import ENGINES, Capabilities, EngineEntry
from gramspec.audit.cases.files import read_cases
from gramspec.audit.reporting import read_json
from gramspec.audit.results import Case, Finding, LawFigure, SuiteResult
from gramspec.audit.suites import SUITES, Context, SuiteEntry, Tally
from gramspec.cli import audit as audit_module
from gramspec.cli import main
from gramspec.errors import OptionError

SEEN: list[Context] = []


class Fake:
    """An adapter of nothing: the suite below asks it what to find."""

    version = "1.0"
    capabilities = Capabilities(frozenset({"regex", "json_schema"}))

    def __init__(self, name: str = "fake", severity: str = "none", **settings: object) -> None:
        self.name = name
        self.severity = severity
        self.settings = {key: str(value) for key, value in settings.items()}

    def compile(self, *_: object) -> None:
        raise AssertionError

    def snippet(self, *_: object) -> str:
        return ""


def fake_suite(context: Context) -> SuiteResult:
    SEEN.append(context)
    tally = Tally("reading", "Reads.", {"reads": "what is read"})
    context.progress("reading", 1, 2)
    if context.adapter.severity in ("error", "warning", "note"):
        case = Case("regex", "<b>", "x")
        tally.failed(Finding("reading", "reads", context.adapter.severity, "wrong", "yes", "no", case))
    elif context.adapter.severity == "refuses":
        tally.refused(Case("regex", "a"), "no regular expressions")
    if context.adapter.severity not in ("refuses",):
        tally.passed("reads", 3)
        tally.laws.append(LawFigure(Case("regex", "a"), "masked", {"masked": 0.0, "conditional": 0.5}))
    return tally.result(0.1)


@pytest.fixture(autouse=True)
def engines(monkeypatch: pytest.MonkeyPatch) -> None:
    SEEN.clear()
    place = f"{__name__}:Fake"
    monkeypatch.setitem(ENGINES, "fake", EngineEntry(place, "json", "fake-engine", "for tests"))
    monkeypatch.setitem(ENGINES, "other", EngineEntry(place, "json", "other-engine", "for tests"))
    monkeypatch.setitem(
        ENGINES, "absent", EngineEntry("no:no", "no_such_package_anywhere", "'absent[x]'", "away")
    )
    monkeypatch.setitem(ENGINES, "openai", EngineEntry(place, "json", "httpx", "for tests"))
    for name in list(SUITES):
        monkeypatch.delitem(SUITES, name)
    monkeypatch.setitem(SUITES, "reading", SuiteEntry(f"{__name__}:fake_suite", "masks", "Reads."))
    monkeypatch.setitem(SUITES, "drawing", SuiteEntry(f"{__name__}:fake_suite", "draws", "Draws."))


def call(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(["audit", *words])
    out, err = capsys.readouterr()
    return code, out, err


@pytest.mark.parametrize(
    ("severity", "options", "code"),
    [
        ("none", (), 0),
        ("note", ("--strict",), 0),
        ("warning", (), 0),
        ("warning", ("--strict",), 1),
        ("error", (), 1),
        ("refuses", (), 2),
    ],
)
def test_exit_codes(capsys, severity: str, options: tuple[str, ...], code: int) -> None:
    found, out, err = call(capsys, "fake", "--setting", f"severity={severity}", *options)
    assert found == code, err
    assert ("nothing was checked" in err) == (code == 2)
    assert "fake 1.0" in out


def test_an_engine_that_is_not_installed_is_exit_code_3_with_the_line_that_installs_it(capsys) -> None:
    for words in (("absent",), ("fake", "--compare", "absent")):
        code, out, err = call(capsys, *words)
        assert (code, out) == (3, "")
        assert "pip install 'absent[x]'" in err
    assert SEEN == []


def test_a_package_that_an_adapter_needs_is_exit_code_3_too(capsys, monkeypatch) -> None:
    entry = EngineEntry("no_such_package_anywhere:make", "json", "fake-engine", "for tests")
    monkeypatch.setitem(ENGINES, "half", entry)
    code, out, err = call(capsys, "half")
    assert (code, out) == (3, "") and "pip install no_such_package_anywhere" in err


def test_all_reports_are_written_and_read_again(capsys, tmp_path: Path) -> None:
    html, junit, document = (str(tmp_path / name) for name in ("a.html", "a.xml", "a.json"))
    words = ("fake", "--compare", "other", "--setting", "severity=error", "--seed", "5")
    code, out, _ = call(capsys, *words, "--html", html, "--junit", junit, "--json", document)
    assert code == 1 and "side by side" in out and f"written: {html}" in out
    reports = read_json(document)
    assert [(report.engine, report.seed, report.ok) for report in reports] == [
        ("fake", 5, False),
        ("fake", 5, True),
    ]
    assert "&lt;b&gt;" in Path(html).read_text("utf-8")
    assert ET.parse(junit).getroot().get("failures") == "1"
    again = str(tmp_path / "b.html")
    code, shown, _ = call(capsys, "--from", document, "--html", again)
    assert code == 1 and Path(again).read_bytes() == Path(html).read_bytes()
    assert shown.partition("written")[0] == out.partition("written")[0]


def test_json_on_stdout_is_all_of_stdout(capsys) -> None:
    code, out, err = call(capsys, "fake", "--setting", "severity=refuses", "--json", "-")
    assert code == 2 and json.loads(out)["ok"] is True and "nothing was checked" in err
    code, out, err = call(
        capsys, "fake", "--json", "-", "--seed", "5", "--suite", "full", "--suite", "reading"
    )
    document = json.loads(out)
    assert (code, err, document["format"], document["profile"]) == (0, "", 1, "full")
    assert document["command"] == "gramspec audit fake --suite full --suite reading --seed 5"


def test_the_command_of_a_report_makes_it_again(capsys, tmp_path: Path) -> None:
    cases = tmp_path / "my cases.regex"
    cases.write_text("a+\n", "utf-8")
    words = ("fake", "--cases", str(cases), "--seconds", "3", "--setting", "note=x y")
    _, out, _ = call(capsys, *words, "--json", "-")
    first = json.loads(out)
    again = shlex.split(first["command"])
    assert again[:2] == ["gramspec", "audit"]
    _, out, _ = call(capsys, *again[2:], "--json", "-")
    second = json.loads(out)
    assert {**first, "started": "", "seconds": 0, "suites": []} == {
        **second,
        "started": "",
        "seconds": 0,
        "suites": [],
    }
    assert [case.grammar for case in SEEN[1].cases] == ["a+"]
    assert SEEN[0].cases == SEEN[1].cases and SEEN[0].seed == SEEN[1].seed


def test_ones_own_adapter_by_module_and_object(capsys, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine_for_audit.py").write_text(
        f"from {__name__} import Fake\nmake = Fake\nready = Fake('ready')\nnumber = 3\n", "utf-8"
    )
    code, out, err = call(capsys, "--adapter", "mine_for_audit:make", "--setting", "name=mine", "--json", "-")
    assert (code, json.loads(out)["engine"]) == (0, "mine"), err
    assert json.loads(out)["command"].startswith("gramspec audit --adapter mine_for_audit:make --suite quick")
    assert call(capsys, "--adapter", "mine_for_audit:ready")[0] == 0
    for place, said in (
        ("mine_for_audit", "MODULE:OBJECT"),
        ("mine_for_audit:none", "has no none"),
        ("mine_for_audit:number", "neither an adapter"),
        ("no_such_module_anywhere:x", "no_such_module_anywhere"),
        ("builtins:dict", "a dict is no adapter"),
    ):
        code, _, err = call(capsys, "--adapter", place)
        assert code == 2 and said in err, place
    code, _, err = call(capsys, "--adapter", "mine_for_audit:ready", "--setting", "name=x")
    assert code == 2 and "made already" in err


def test_a_server_by_url(capsys) -> None:
    words = ("--url", "http://127.0.0.1:1/v1", "--model", "m", "--api-key-env", "KEY")
    _, out, _ = call(capsys, *words, "--json", "-")
    assert json.loads(out)["settings"] == {"url": "http://127.0.0.1:1/v1", "model": "m", "api_key_env": "KEY"}
    assert "--url http://127.0.0.1:1/v1 --model m --api-key-env KEY" in json.loads(out)["command"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "exactly one of them"),
        (("fake", "--url", "http://x/v1"), "exactly one of them"),
        (("fake", "--model", "m"), "only with --url"),
        (("nobody",), "no engine is called 'nobody'"),
        (("fake", "--suite", "slow"), "quick, full, and by name reading, drawing"),
        (("fake", "--suite", "quick", "--suite", "full"), "one of the two"),
        (("fake", "--suite", "drawing"), "it draws no texts"),
        (("fake", "--seed", "-1"), "seed"),
        (("fake", "--seconds", "0"), "seconds"),
        (("fake", "--setting", "severity"), "KEY=VALUE"),
        (("fake", "--kind", "regex"), "only with --cases"),
        (("fake", "--cases", "no/such.json"), "no/such.json"),
        (("fake", "--vocabulary", "no/such.json"), "no/such.json"),
        (("fake", "--html", "no/such/a.html"), "there is no folder"),
        (("fake", "--from", "x.json"), "nothing is run"),
        (("--from", "no/such.json"), "no/such.json"),
        (("--list", "--json", "x.json"), "--json -"),
    ],
)
def test_what_cannot_be_used_is_told(capsys, words: tuple[str, ...], said: str) -> None:
    code, out, err = call(capsys, *words)
    assert (code, out) == (2, ""), err
    assert said in err
    assert SEEN == []


def test_list(capsys) -> None:
    code, out, _ = call(capsys, "--list")
    assert code == 0 and "fake" in out and "pip install" in out.replace("\n", " ") and "drawing" in out
    _, out, _ = call(capsys, "--list", "--json", "-")
    listed = json.loads(out)
    assert listed["engines"]["absent"]["installed"] is False and listed["suites"]["reading"] == "Reads."


def test_help_ends_with_an_example(capsys) -> None:
    assert call(capsys, "--help")[0] == 0
    assert audit_module.EXAMPLE.startswith("Example: gramspec audit gramspec")


# -- cases from files ---------------------------------------------------------------------------------


def test_cases_in_the_formats_of_the_public_collections(tmp_path: Path) -> None:
    tests = [{"data": [1, 1], "valid": False, "description": "x"}, {"data": [], "valid": True}]
    schema = {"description": "unique", "schema": {"uniqueItems": True}, "tests": tests}
    one, several, lines = (tmp_path / name for name in ("one.json", "several.json", "lines.jsonl.gz"))
    one.write_text(json.dumps(schema), "utf-8")
    several.write_text(
        json.dumps([schema, {"kind": "regex", "grammar": "a", "valid": ["a"], "invalid": ["b"]}]), "utf-8"
    )
    with gzip.open(lines, "wt") as stream:
        stream.write(json.dumps(schema) + "\n\n" + json.dumps(schema) + "\n")
    [case] = read_cases(one)
    assert (case.kind, case.grammar, case.cause) == ("json_schema", '{"uniqueItems": true}', "unique")
    assert [(i.text, i.valid) for i in case.instances] == [("[1, 1]", False), ("[]", True)]
    second = read_cases(several)[1]
    assert (second.kind, second.origin) == ("regex", f"file:{several}#1")
    assert [(i.text, i.valid) for i in second.instances] == [("a", True), ("b", False)]
    assert [case.origin for case in read_cases(lines)] == [f"file:{lines}#1", f"file:{lines}#3"]


def test_a_grammar_alone_is_a_case(tmp_path: Path) -> None:
    for name, text, kind, grammar in (
        ("a.json", '{"type": "string"}', "json_schema", '{"type": "string"}'),
        ("a.lark", 'start: "a"\n', "lark", 'start: "a"\n'),
        ("a.regex", "a+\n", "regex", "a+"),
        ("a.txt", "x\ny\n", "choice", '["x", "y"]'),
    ):
        path = tmp_path / name
        path.write_text(text, "utf-8")
        [case] = read_cases(path)
        assert (case.kind, case.grammar, case.instances) == (kind, grammar, ())
    path = tmp_path / "grammar"
    path.write_text("a", "utf-8")
    assert read_cases(path, "regex")[0].grammar == "a"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.json", "{", "not JSON"),
        ("a.json", "[" * 100_000, "nested too deeply"),
        ("a.json", "[3]", "/0: a case must be an object"),
        ("a.json", "[]", "it holds no case"),
        ("a.json", '[{"schema": {}, "tests": 3}]', "/0/tests: must be an array"),
        ("a.json", '[{"schema": {}, "tests": [{"data": 1, "valid": 1}]}]', "/0/tests/0: must be an object"),
        ("a.json", '[{"kind": "sql", "grammar": ""}]', "/0/kind: must be one of"),
        ("a.json", '[{"kind": "regex", "grammar": 3}]', "/0/grammar: must be the grammar"),
        ("a.json", '[{"kind": "regex", "grammar": "a", "valid": "a"}]', "/0/valid: must be an array"),
        ("a.json", '[{"kind": "regex", "grammar": "a", "texts": []}]', "/0/texts: no such field"),
        (
            "a.json",
            '[{"kind": "regex", "grammar": "a", "options": {"x": "y"}}]',
            "/0/options/x: no such option",
        ),
        ("a.jsonl", '{"schema": {}}\n{"schema"', "line 2: not JSON"),
        ("a.jsonl.gz", "no gzip", "gzip"),
        ("a.xyz", "a", "cannot be told from its name"),
    ],
)
def test_files_that_hold_no_cases_are_refused_with_the_place(
    tmp_path: Path, name: str, text: str, said: str
) -> None:
    path = tmp_path / name
    path.write_text(text, "utf-8")
    with pytest.raises(OptionError, match=str(path)) as refusal:
        read_cases(path)
    assert said in str(refusal.value)
