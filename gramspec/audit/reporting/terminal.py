"""The summary of audits on a terminal: verdict, suites, laws, and each finding with its smallest case.

Law: nothing that a terminal acts on is written; what is left out for length is counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from gramspec.audit.reporting import wording
from gramspec.audit.results import AuditReport, Finding

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_STYLES: Final = {"ok": "green", "bad": "red", "warn": "yellow", "idle": "dim"}
_SHOWN: Final = 10


def show(reports: Sequence[AuditReport], console: Console, *, most: int = _SHOWN) -> None:
    """Write a summary.

    Parameters
    ----------
    reports : sequence of AuditReport
        Several are compared first.
    console : rich.console.Console
    most : int
        Findings shown of each engine; the others are counted.
    """
    if len(reports) > 1:
        console.print(_comparison(reports))
    for report in reports:
        _one(report, console, most)


def _one(report: AuditReport, console: Console, most: int) -> None:
    from rich.text import Text

    tone, word, lines = wording.verdict(report)
    console.print()
    console.print(Text(_line(f"{report.engine} {report.engine_version}"), style="bold"), end="")
    console.print(Text(f": {word}", style=f"bold {_STYLES[tone]}"))
    for line in lines:
        console.print(Text(f"  {_line(line)}"))
    console.print(_suites(report))
    shown = sorted(report.findings, key=lambda f: ("error", "warning", "note").index(f.severity))
    for finding in shown[:most]:
        _finding(finding, wording.command_of(report, finding), console)
    left = len(shown) - most
    if left > 0:
        console.print(
            Text(f"{wording.count_of(left, 'further finding')}: see --html, --json or --junit.", style="dim")
        )


def _suites(report: AuditReport) -> Table:
    from rich.table import Table
    from rich.text import Text

    grid = Table()
    grid.add_column("suite")
    grid.add_column("result")
    for heading in ("checks", "passed", "failed", "refused", "time"):
        grid.add_column(heading, justify="right")
    for suite in report.suites:
        tone, word = wording.suite_state(suite)
        counts = (suite.made, suite.passed, suite.failed, suite.refused)
        grid.add_row(
            Text(_line(suite.name)),
            Text(word, style=_STYLES[tone]),
            *(Text(f"{count:,}") for count in counts),
            Text(wording.seconds(suite.seconds)),
        )
    return grid


def _comparison(reports: Sequence[AuditReport]) -> Table:
    from rich.table import Table
    from rich.text import Text

    grid = Table(title="side by side", title_justify="left")
    grid.add_column("suite")
    for report in reports:
        grid.add_column(Text(_line(f"{report.engine} {report.engine_version}")))
    for name in wording.suite_names(reports):
        cells = []
        for report in reports:
            lines = []
            for suite in report.suites:
                if wording.suite_name(suite.name) == name:
                    tone, word = wording.suite_state(suite)
                    more = f", {suite.refused:,} refused" if suite.refused else ""
                    by = suite.name.removeprefix(name).strip()
                    about = "\n" + _line(f"{by} {suite.made:,} checks{more}".strip())
                    lines.append(Text.assemble((word, _STYLES[tone]), (about, "dim")))
            cells.append(Text("\n").join(lines) if lines else Text("–", style="dim"))
        grid.add_row(Text(_line(name)), *cells)
    laws = [wording.law_named(wording.laws_of(report)) for report in reports]
    if any(law != "–" for law in laws):
        grid.add_row(Text("law sampled"), *(Text(_line(law)) for law in laws))
    return grid


def _finding(finding: Finding, command: str, console: Console) -> None:
    from rich.text import Text

    style = _STYLES[wording.tone_of(finding)]
    console.print()
    about = " · ".join(
        part
        for part in (
            f"{finding.suite}/{finding.check}",
            wording.count_of(finding.occurrences, "case") if finding.occurrences > 1 else "",
        )
        if part
    )
    console.print(
        Text.assemble(
            (f"{finding.severity}: ", style), _line(wording.title_of(finding)), (f"  [{_line(about)}]", "dim")
        )
    )
    case = finding.case
    rows = [(case.kind, case.grammar)]
    if case.text is not None:
        rows.append(("text", wording.exact(case.text)))
    if case.token_ids is not None:
        rows.append(("tokens", str(list(case.token_ids))))
    rows += [("expected", finding.expected), ("observed", finding.observed)]
    if command:
        rows.append(("again", command))
    for name, text in rows:
        cut = text if name == "again" else wording.one_line(text, 400)
        console.print(Text.assemble((f"  {_line(name)}: ", "dim"), _line(cut)), soft_wrap=True)


def _line(text: str) -> str:
    """On one line, without what a terminal would act on."""
    return "".join(char if char.isprintable() else "·" for char in text)
