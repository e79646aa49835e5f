"""JUnit XML of audits: a testsuite per suite, a failing testcase per fault, a passing one per check without.

Law: the document is well-formed whatever texts the cases hold; its counts are those of its elements.
Source: the schema of Jenkins' xUnit plug-in, which CI services read.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence

from gramspec.audit.reporting.wording import command_of, count_of, exact, title_of, xml_text
from gramspec.audit.results import AuditReport, CheckResult, Finding, SuiteResult


def junit_of(reports: Sequence[AuditReport]) -> str:
    """The reports as one JUnit document.

    Parameters
    ----------
    reports : sequence of AuditReport
        One for each engine.
    """
    root = ET.Element("testsuites", name="gramspec audit")
    for report in reports:
        for suite in report.suites:
            root.append(_suite(report, suite))
    for name in ("tests", "failures", "errors", "skipped"):
        root.set(name, str(sum(int(suite.get(name, "0")) for suite in root)))
    root.set("time", f"{sum(report.seconds for report in reports):.3f}")
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _suite(report: AuditReport, suite: SuiteResult) -> ET.Element:
    name = f"{report.engine}.{suite.name}"
    element = ET.Element(
        "testsuite",
        name=xml_text(name),
        errors="0",
        time=f"{suite.seconds:.3f}",
        timestamp=xml_text(report.started.removesuffix("Z").split("+")[0]),
    )
    properties = ET.SubElement(element, "properties")
    facts = {
        "engine": f"{report.engine} {report.engine_version}",
        "gramspec": report.gramspec_version,
        "profile": report.profile,
        "seed": str(report.seed),
        "command": report.command,
        **{f"setting.{key}": value for key, value in report.settings.items()},
        "refused": str(suite.refused),
    }
    for key, value in facts.items():
        ET.SubElement(properties, "property", name=xml_text(key), value=xml_text(value))
    failing = [finding for finding in suite.findings if finding.severity == "error"]
    silent = [finding for finding in suite.findings if finding.severity != "error"]
    faulty = {finding.check for finding in failing}
    passing = [check for check in suite.checks if check.name not in faulty]
    for i, finding in enumerate(failing, 1):
        element.append(_failed(name, i, finding, command_of(report, finding)))
    for check in passing:
        element.append(_passed(name, check, [finding for finding in silent if finding.check == check.name]))
    named = {check.name for check in passing}
    for i, finding in enumerate((f for f in silent if f.check not in named), 1):
        element.append(_noted(name, i, finding))
    if suite.skipped:
        case = ET.SubElement(element, "testcase", classname=xml_text(name), name="suite", time="0")
        ET.SubElement(case, "skipped", message=xml_text(suite.skipped))
    cases = element.findall("testcase")
    element.set("tests", str(len(cases)))
    element.set("failures", str(sum(case.find("failure") is not None for case in cases)))
    element.set("skipped", str(sum(case.find("skipped") is not None for case in cases)))
    return element


def _failed(suite: str, number: int, finding: Finding, command: str) -> ET.Element:
    case = _case(suite, f"{finding.check}-{number}")
    failure = ET.SubElement(
        case, "failure", type=xml_text(finding.check), message=xml_text(title_of(finding))
    )
    failure.text = xml_text(described(finding, command))
    return case


def _passed(suite: str, check: CheckResult, findings: Sequence[Finding]) -> ET.Element:
    case = _case(suite, check.name)
    if not check.made:
        reasons = "; ".join(f"{reason} ({count})" for reason, count in check.skipped.items())
        ET.SubElement(case, "skipped", message=xml_text(reasons or "no case for this check"))
    lines = [f"{check.description}: {check.passed:,} of {count_of(check.made, 'check')} passed."]
    lines += [f"skipped: {reason} ({count})" for reason, count in check.skipped.items()]
    lines += [f"{finding.severity}: {described(finding)}" for finding in findings]
    ET.SubElement(case, "system-out").text = xml_text("\n".join(lines))
    return case


def _noted(suite: str, number: int, finding: Finding) -> ET.Element:
    case = _case(suite, f"{finding.check}-{finding.severity}-{number}")
    ET.SubElement(case, "system-out").text = xml_text(f"{finding.severity}: {described(finding)}")
    return case


def _case(suite: str, name: str) -> ET.Element:
    return ET.Element("testcase", classname=xml_text(suite), name=xml_text(name), time="0")


def described(finding: Finding, command: str = "") -> str:
    """A finding as plain text: what, on which case, expected and observed, how to see it again."""
    case = finding.case
    lines = [title_of(finding), "", f"{case.kind}: {case.grammar}"]
    if case.text is not None:
        lines.append(f"text: {exact(case.text)}")
    if case.token_ids is not None:
        lines.append(f"tokens: {list(case.token_ids)} of the vocabulary {case.vocabulary}")
    lines += [f"{key}: {value}" for key, value in case.options.items()]
    lines += [f"origin: {case.origin}", f"expected: {finding.expected}", f"observed: {finding.observed}"]
    if finding.oracles:
        lines.append(f"oracles: {', '.join(finding.oracles)}")
    if finding.occurrences > 1:
        lines.append(f"seen in {finding.occurrences:,} cases; this is the smallest")
    lines += [f"{key}: {value}" for key, value in finding.extra.items()]
    if finding.snippet:
        lines += ["", "reproduce with Python:", finding.snippet]
    if command or finding.command:
        lines += ["", "run the suite again:", command or finding.command]
    return "\n".join(lines)
