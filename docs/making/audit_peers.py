"""The page on the peers, from the JSON report of their audit.

Law: every number and every case on the page is read from the report; running this again changes nothing.
Use: python docs/making/audit_peers.py report.json [report.json …] > docs/audit_peers.md; --html FILE first:
one HTML page instead. Of a suite that two reports of one engine have, the first counts.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from gramspec.audit.reporting import read_json, write_html
from gramspec.audit.reporting.wording import (
    count_of,
    exact,
    law_named,
    laws_of,
    mean_distances,
    number,
    one_line,
    refused_grammars,
    seconds,
    shown_laws,
    suite_names,
)
from gramspec.audit.results import AuditReport, Finding

_ESCAPES = {ord(char): f"&#{ord(char)};" for char in "\\`*_[]<>&|{}~$#!"}

# Faults that were told of before: engine, fault, and parts of the causes and checks it is found under.
KNOWN = (
    ("llguidance", "hangs on `A: /a+/` followed by `B: /a/`", ("a terminal that eats the next",)),
    (
        "llguidance",
        "narrows masks to canonical tokens where text is forced",
        ("too few", "law sampled: forced"),
    ),
    ("llguidance", r"refuses escapes such as `\u0078`", ("escapes of characters",)),
    ("llguidance", "enters branches that never end", ("a rule without an end", "a branch without an end")),
    ("llguidance", "refuses keys in another order", ("order of keys",)),
    ("llguidance", "refuses `1.0` for an integer", ("spelling of numbers",)),
    ("xgrammar", "`allOf` with two branches is any value", ("allOf of two branches",)),
    ("xgrammar", "drops what stands beside `anyOf` and `$ref`", ("anyOf beside", "$ref with siblings")),
    ("xgrammar", "drops `not`, `if`", ("not", "if, then, else")),
    ("xgrammar", "drops `uniqueItems`, `contains`", ("uniqueItems", "contains")),
    ("xgrammar", "drops `dependentRequired`", ("dependentRequired",)),
    ("xgrammar", "drops the length beside a pattern", ("pattern with length",)),
    ("xgrammar", "drops `multipleOf` of decimals and beside bounds", ("multipleOf",)),
    ("xgrammar", "takes `oneOf` for `anyOf`", ("oneOf that overlaps",)),
    ("xgrammar", "drops look-ahead in a pattern", ("look-ahead",)),
    ("xgrammar", "raw control characters in strings with a length", ("syntax of JSON",)),
    ("xgrammar", "no escapes in strings with a length", ("escapes under maxLength",)),
    ("xgrammar", "anchors patterns", ("pattern without anchors", "patternProperties", "propertyNames")),
    ("xgrammar", "enters branches that never end", ("a rule without an end", "a branch without an end")),
    (
        "xgrammar",
        "its logits processor fails with beams, drafts and look-up",
        ("beams", "assisted", "lookup"),
    ),
    ("outlines_core", "ignores bounds and `multipleOf`", ("bounds", "multipleOf")),
    ("outlines_core", "one of pattern and length wins", ("pattern with length",)),
    ("outlines_core", "refuses additional properties", ("open object",)),
    (
        "outlines_core",
        r"refuses `\u` escapes and other white space",
        ("escapes of characters", "white space"),
    ),
    ("outlines_core", "its logits processor fails with beams and drafts", ("beams", "assisted")),
)


def merged(reports: Sequence[AuditReport]) -> list[AuditReport]:
    """One report for each engine: all suites, each from the first report that has run it."""
    found: dict[str, AuditReport] = {}
    for report in reports:
        if report.engine not in found:
            found[report.engine] = report
            continue
        known = found[report.engine]
        names = {suite.name for suite in known.suites if not suite.skipped}
        kept = [suite for suite in known.suites if not suite.skipped]
        suites = (*kept, *(suite for suite in report.suites if suite.name not in names))
        commands = f"{known.command} ; {report.command}"
        took = known.seconds + sum(suite.seconds for suite in suites[len(kept) :])
        found[report.engine] = replace(known, suites=suites, command=commands, seconds=took)
    return list(found.values())


def page(reports: Sequence[AuditReport]) -> str:
    """The page as Markdown."""
    names = [f"{report.engine} {report.engine_version}" for report in reports]
    first = reports[0]
    dates = sorted({report.started[:10] for report in reports})
    commands = [f"$ {part}" for report in reports for part in report.command.split(" ; ")]
    decoders = sorted({s.name.partition(" (")[2].removesuffix(")") for r in reports for s in r.suites} - {""})
    lines = [
        "# Audit of the peers",
        "",
        f"What [`gramspec audit`](audit.md) says of {', '.join(names)}, with their default settings"
        f" ({', '.join(dates)}). The masks of each are also asked under Transformers: {', '.join(decoders)}."
        " The reports come from these commands, with `--json FILE`, and this page from the files, by"
        " `docs/making/audit_peers.py`; of a suite that two of them run, the first counts:",
        "",
        "```console",
        *commands,
        "```",
        "",
        "![The HTML report of the audits: engines side by side](audit_peers.png)",
        "",
        "A fault counts once per check and cause, with its smallest case; suites share a budget, so another"
        " machine makes another number of checks. Refused grammars are no faults. Python: "
        + first.environment["python"]
        + ".",
        "",
        "## Side by side",
        "",
        _row("", *names),
        _row("---", *("---" for _ in names)),
    ]
    for suite in suite_names(reports):
        lines.append(_row(suite, *(_suite(report, suite) for report in reports)))
    lines.append(_row("law sampled", *(law_named(laws_of(report)) for report in reports)))
    means = [mean_distances(laws_of(report)) for report in reports]
    for law in ("conditional", "masked"):
        cells = (number(round(found[law], 3)) if law in found else "–" for found in means)
        lines.append(_row(f"mean total variation to the {law} law", *cells))
    lines.append(_row("grammars refused", *(str(len(refused_grammars(report.suites))) for report in reports)))
    lines.append(_row("time", *(seconds(report.seconds) for report in reports)))
    lines += [
        "",
        "## Faults told before",
        "",
        "Whether this run finds faults that were known of each engine.",
        "",
    ]
    lines += [_row("engine", "fault", "found as"), _row("---", "---", "---")]
    for engine, fault, causes in KNOWN:
        for report in reports:
            if report.engine == engine:
                found = sorted({_place(f) for f in report.findings if any(_about(f, c) for c in causes)})
                if any(c == f"law sampled: {law_named(laws_of(report))}" for c in causes):
                    found.append(f"law: {law_named(laws_of(report))}")
                lines.append(_row(engine, fault, "; ".join(found[:4]) or "not found by this run"))
    for name, report in zip(names, reports, strict=True):
        lines += ["", f"## {name}", "", *_engine(report)]
    return "\n".join(lines) + "\n"


def _engine(report: AuditReport) -> list[str]:
    lines = []
    figures = laws_of(report)
    if figures:
        means = mean_distances(figures)
        far = ", ".join(f"{law} {means[law]:.3f}" for law in shown_laws(figures, 4))
        lines += [f"Law sampled: {law_named(figures)}. Mean total variation to: {far}.", ""]
    faults = [finding for finding in report.findings if finding.severity == "error"]
    others = Counter(f"{f.severity} {_place(f)}" for f in report.findings if f.severity != "error")
    if faults:
        lines += [_row("fault", "smallest case", "expected", "observed", "cases"), _row(*["---"] * 5)]
        lines += [
            _row(
                f"{_place(f)}",
                _code(f.case.grammar, 110) + ("" if f.case.text is None else f" ← {_code(f.case.text, 60)}"),
                _plain(f.expected, 60),
                _plain(f.observed, 90),
                str(f.occurrences),
            )
            for f in faults
        ]
    else:
        lines.append("No fault found.")
    if others:
        lines += ["", "Besides: " + "; ".join(f"{name}" for name in others) + "."]
    reasons = Counter(
        _plain(refusal.reason, 90)
        for refusal in {(r.case.kind, r.case.grammar): r for s in report.suites for r in s.refusals}.values()
    )
    if reasons:
        listed = "; ".join(f"{reason} ({count})" for reason, count in reasons.most_common(12))
        more = len(reasons) - 12
        lines += ["", f"Refused by name: {listed}" + (f"; and {more} further reasons." if more > 0 else ".")]
    idle = [f"{suite.name}: {_plain(suite.skipped, 100)}" for suite in report.suites if suite.skipped]
    if idle:
        lines += ["", f"Not run: {'; '.join(idle)}."]
    return lines


def _suite(report: AuditReport, name: str) -> str:
    parts = []
    for suite in report.suites:
        if suite.name.partition(" (")[0] != name:
            continue
        faults = sum(finding.severity == "error" for finding in suite.findings)
        by = suite.name.removeprefix(name).strip(" ()")
        said = "not run" if suite.skipped else f"{count_of(faults, 'fault')} in {suite.made:,}"
        parts.append(f"{said} ({by})" if by else said)
    return "<br>".join(parts) or "–"


def _place(finding: Finding) -> str:
    place = f"{finding.suite.partition(' (')[0]} {finding.check}"
    return f"{place}: {_plain(finding.cause, 60)}" if finding.cause else place


def _about(finding: Finding, cause: str) -> bool:
    return finding.cause == cause or (len(cause) > 3 and cause in finding.cause)


def _plain(text: str, longest: int) -> str:
    """Text within a cell of a table: nothing in it is Markdown or HTML."""
    return one_line(exact(text), longest).translate(_ESCAPES)


def _code(text: str, longest: int) -> str:
    return f"<code>{_plain(text, longest)}</code>"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    words = sys.argv[1:]
    target = words[1] if words[:1] == ["--html"] else None
    paths = words if target is None else words[2:]
    engines = merged([report for path in paths for report in read_json(path)])
    if target is None:
        sys.stdout.write(page(engines))
    else:
        write_html(engines, target)
