"""The pytest plug-in: fixture, marker, options, mixin; loading it imports nothing heavy."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

pytest.importorskip("jinja2")

import gramspec as gs
from gramspec.audit.adapters import Capabilities
from gramspec.audit.results import Case, Finding, SuiteResult
from gramspec.audit.suites import SUITES, Context, SuiteEntry, Tally
from gramspec.testing import Auditor, EngineLaws, auditing
from gramspec.testing.pytest_plugin import gramspec_audit

pytest_plugins = ("pytester",)

ROOT = Path(__file__).resolve().parents[2]
PLUGIN = "gramspec.testing.pytest_plugin"


class Engine:
    """An engine that has the faults it is told."""

    name = "mine"
    version = "1"
    settings: dict[str, str] = {}  # noqa: RUF012
    capabilities = Capabilities(frozenset({"regex"}))

    def __init__(self, *faults: str, severity: str = "error", made: int = 3) -> None:
        self.faults, self.severity, self.made = faults, severity, made

    def compile(self, *_: object) -> None:
        raise AssertionError

    def snippet(self, *_: object) -> str:
        return ""


def reads(context: Context) -> SuiteResult:
    tally = Tally("reading", "Reads.", {"reads": "what is read"})
    for fault in context.adapter.faults:
        case = Case("regex", f"grammar of {fault}", f"seed {context.seed}")
        tally.failed(
            Finding("reading", "reads", context.adapter.severity, "wrong", "yes", "no", case, cause=fault)
        )
    tally.passed("reads", context.adapter.made)
    return tally.result(0.1)


@pytest.fixture(autouse=True)
def suites(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(SUITES):
        monkeypatch.delitem(SUITES, name)
    monkeypatch.setitem(SUITES, "reading", SuiteEntry(f"{__name__}:reads", "masks", "Reads."))
    monkeypatch.setitem(SUITES, "drawing", SuiteEntry(f"{__name__}:reads", "draws", "Draws."))


HEAD = f"import pytest\nfrom {__name__} import Engine\n"


def run(pytester: pytest.Pytester, source: str, *arguments: str) -> pytest.RunResult:
    pytester.makepyfile(HEAD + source)
    return pytester.runpytest_inprocess("-p", PLUGIN, "-p", "no:cacheprovider", *arguments)


def test_the_fixture_passes_without_faults_and_gives_the_report(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
def test_mine(gramspec_audit):
    report = gramspec_audit(Engine(), seed=4)
    assert (report.seed, report.profile, report.ok) == (4, "quick", True)
""",
    )
    result.assert_outcomes(passed=1)


def test_a_fault_fails_the_test_with_its_smallest_case(pytester: pytest.Pytester) -> None:
    result = run(pytester, "def test_mine(gramspec_audit):\n    gramspec_audit(Engine('a', 'b'))\n")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*audit of mine 1 (seed 0): 2 faults*", "*regex: grammar of a*", "*expected: yes*"]
    )


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("Engine(made=0)", "nothing was checked"),
        ("Engine('a', severity='warning'), strict=True", "1 fault"),
        ("Engine('a', 'b'), allow={'reads:a': 'known'}", "1 fault"),
        ("Engine(), allow={'reads:a': 'known'}", "allowed, but not found any more: reads:a"),
        ("Engine(), suite='quick'", "no option suite"),
        ("Engine(), suites=['none']", "no suite is called 'none'"),
    ],
)
def test_what_fails(pytester: pytest.Pytester, call: str, said: str) -> None:
    result = run(pytester, f"def test_mine(gramspec_audit):\n    gramspec_audit({call})\n")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([f"*{said}*"])


@pytest.mark.parametrize(
    "call",
    [
        "Engine('a', severity='warning')",
        "Engine('a', severity='note'), strict=True",
        "Engine('a', 'b'), allow={'reads': 'known'}",
        "Engine('a'), allow={'reads:a': 'known'}",
    ],
)
def test_what_passes(pytester: pytest.Pytester, call: str) -> None:
    run(pytester, f"def test_mine(gramspec_audit):\n    gramspec_audit({call})\n").assert_outcomes(passed=1)


def test_markers_give_options_and_the_command_line_wins(pytester: pytest.Pytester) -> None:
    source = """
@pytest.mark.gramspec_audit(seed=1, profile="full")
class TestMine:
    def test_class(self, gramspec_audit):
        print("class", gramspec_audit(Engine()).seed)

    @pytest.mark.gramspec_audit(seed=2)
    def test_own(self, gramspec_audit):
        report = gramspec_audit(Engine())
        print("own", report.seed, report.profile)

    def test_call(self, gramspec_audit):
        print("call", gramspec_audit(Engine(), seed=3).seed)
"""
    result = run(pytester, source, "-s", "--strict-markers")
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["*class 1*", "*own 2 full*", "*call 3*"])
    result = run(pytester, source, "-s", "--gramspec-seed", "9", "--gramspec-profile", "quick")
    result.stdout.fnmatch_lines(["*class 9*", "*own 9 quick*", "*call 9*"])


def test_a_marker_with_an_unknown_option_is_an_error(pytester: pytest.Pytester) -> None:
    source = "@pytest.mark.gramspec_audit({})\ndef test_mine(gramspec_audit):\n    gramspec_audit(Engine())\n"
    run(pytester, source.format("sed=1")).assert_outcomes(errors=1)
    run(pytester, source.format("1")).assert_outcomes(errors=1)


def test_reports_of_every_audit_are_written(pytester: pytest.Pytester) -> None:
    source = """
@pytest.mark.parametrize("name", ["a/b", "c d"])
def test_mine(gramspec_audit, name):
    gramspec_audit(Engine())
    gramspec_audit(Engine(name))
"""
    run(pytester, source, "--gramspec-report", "out").assert_outcomes(failed=2)
    names = sorted(path.name for path in (pytester.path / "out").iterdir())
    assert len(names) == 8 and {Path(name).suffix for name in names} == {".html", ".json"}
    for name in names:
        if name.endswith(".json"):
            assert json.loads((pytester.path / "out" / name).read_text("utf-8"))["engine"] == "mine"


def test_the_mixin_is_a_test_for_each_suite(pytester: pytest.Pytester) -> None:
    source = """
from gramspec.testing import EngineLaws

class TestMine(EngineLaws):
    def adapter(self):
        return Engine()

class TestFaulty(EngineLaws):
    suites = ("reading",)
    audit_options = {"seed": 5}

    def adapter(self):
        return Engine("a")
"""
    result = run(pytester, source, "-v", "-rs")
    result.assert_outcomes(passed=1, skipped=1, failed=1)
    result.stdout.fnmatch_lines(
        ["*TestMine::test_suite*reading*PASSED*", "*text: seed 5*", "*it draws no texts*"]
    )


def test_the_mixin_needs_an_adapter() -> None:
    with pytest.raises(TypeError, match="EngineLaws defines no adapter"):
        EngineLaws().adapter()
    assert gs.testing.EngineLaws is EngineLaws and Auditor is auditing.Auditor


def test_loading_the_plugin_imports_nothing_heavy(tmp_path: Path) -> None:
    heavy = "'numpy', 'scipy', 'torch', 'lark', 'jinja2', 'rich', 'gramspec.audit', 'gramspec._native'"
    (tmp_path / "test_light.py").write_text(
        f"import sys\ndef test_light():\n    assert '{PLUGIN}' in sys.modules\n"
        f"    assert not {{{heavy}}} & set(sys.modules)\n",
        "utf-8",
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    words = [sys.executable, "-m", "pytest", "-q", "-p", PLUGIN, "-p", "no:cacheprovider", "test_light.py"]
    done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_entry_point_names_the_plugin_like_its_module() -> None:
    points = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["entry-points"]
    assert points == {"pytest11": {PLUGIN: PLUGIN}}
    assert gramspec_audit.__module__ == PLUGIN
