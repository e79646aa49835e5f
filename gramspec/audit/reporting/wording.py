"""Words and numbers that the terminal, the HTML page and the XML have in common.

Law: every text is shown exactly or says what was changed; nothing that a terminal, HTML or XML cannot hold is
let through. Cost: linear in the text.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from gramspec.audit.results import AuditReport, Finding, LawFigure, SuiteResult

Tone = Literal["ok", "bad", "warn", "idle"]

_TONES: Final[dict[str, Tone]] = {"error": "bad", "warning": "warn", "note": "idle"}
_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Verdict(NamedTuple):
    """What a report comes to.

    Attributes
    ----------
    tone : str
    word : str
        A headline.
    lines : tuple of str
        What stands behind it, a sentence each.
    """

    tone: Tone
    word: str
    lines: tuple[str, ...]


def verdict(report: AuditReport) -> Verdict:
    """The headline of a report: faults, the law sampled, what was refused and what was not run."""
    errors = [finding for finding in report.findings if finding.severity == "error"]
    warnings = sum(finding.severity == "warning" for finding in report.findings)
    made = sum(suite.made for suite in report.suites)
    lines = []
    if errors:
        kinds = Counter(finding.check for finding in errors)
        listed = ", ".join(
            f"{check} ({count})" if count > 1 else check for check, count in kinds.most_common()
        )
        cases = sum(finding.occurrences for finding in errors)
        more = f", seen in {cases:,} cases" if cases > len(errors) else ""
        lines.append(f"Faults by check{more}: {listed}.")
    lines += [law_sentence(figures) for figures in [laws_of(report)] if figures]
    if warnings:
        lines.append(
            f"{count_of(warnings, 'warning')}: stricter or looser than the standard, not wrong as such."
        )
    refused = len(refused_grammars(report.suites))
    if refused:
        lines.append(f"{count_of(refused, 'grammar')} refused by name: no fault, and no check either.")
    idle = [suite.name for suite in report.suites if suite.skipped]
    if idle:
        lines.append(f"Not run: {', '.join(idle)} (the reasons are under Coverage).")
    if errors:
        return Verdict("bad", f"{count_of(len(errors), 'fault')} found", tuple(lines))
    if not made:
        return Verdict("warn", "Nothing was checked", tuple(lines))
    return Verdict("ok", f"No fault found in {made:,} checks", tuple(lines))


def refused_grammars(suites: Sequence[SuiteResult]) -> set[tuple[str, str]]:
    """Grammars that were refused, each once however many suites asked for it."""
    return {(refusal.case.kind, refusal.case.grammar) for suite in suites for refusal in suite.refusals}


def title_of(finding: Finding) -> str:
    """A finding in one line: what it is about, and what is wrong."""
    return f"{finding.cause}: {finding.message}" if finding.cause else finding.message


def command_of(report: AuditReport, finding: Finding) -> str:
    """The command that runs a finding again: its own, or the report's with the suite by name."""
    if finding.command or not report.command.startswith("gramspec audit "):
        return finding.command
    named = f" --suite {suite_name(finding.suite)}"
    return report.command + ("" if named in report.command else named)


def laws_of(report: AuditReport) -> tuple[LawFigure, ...]:
    """All worlds on which a law was named."""
    return tuple(figure for suite in report.suites for figure in suite.laws)


def law_named(figures: Sequence[LawFigure]) -> str:
    """The law sampled, or each with its number of worlds where there are several; a dash without worlds."""
    if not figures:
        return "–"
    counts = Counter(figure.verdict for figure in figures).most_common()
    return counts[0][0] if len(counts) == 1 else ", ".join(f"{law} ({count})" for law, count in counts)


def law_sentence(figures: Sequence[LawFigure]) -> str:
    """Which law is sampled, and how far the others are."""
    counts = Counter(figure.verdict for figure in figures)
    named = ", ".join(f"{law} in {count}" for law, count in counts.most_common())
    means = mean_distances(figures)
    far = ", ".join(f"{law} {means[law]:.3f}" for law in shown_laws(figures, 3))
    return f"Law sampled on {count_of(len(figures), 'world')}: {named}." + (
        f" Mean total variation: {far}." if far else ""
    )


def distances_of(figures: Sequence[LawFigure]) -> dict[str, list[float]]:
    """Total variation to each law in each world that has one."""
    found: dict[str, list[float]] = {}
    for figure in figures:
        for law, distance in figure.distances.items():
            if math.isfinite(distance):
                found.setdefault(law, []).append(distance)
    return found


def mean_distances(figures: Sequence[LawFigure]) -> dict[str, float]:
    """Mean total variation to each law, nearest first."""
    means = {law: math.fsum(values) / len(values) for law, values in distances_of(figures).items()}
    return dict(sorted(means.items(), key=lambda item: item[1]))


def shown_laws(figures: Sequence[LawFigure], most: int = 6) -> list[str]:
    """Laws for a plot or a table: named ones, conditional, masked, and the nearest; near ones first."""
    means = mean_distances(figures)
    named = [law for law in Counter(figure.verdict for figure in figures) if law in means]
    first = [*named, *(law for law in ("conditional", "masked") if law in means), *means]
    return sorted(list(dict.fromkeys(first))[:most], key=lambda law: means[law])


def distinct_laws(figure: LawFigure, most: int = 4) -> list[str]:
    """Laws to mark on the plot of a world; of laws that coincide there, the first."""
    chosen: list[str] = []
    for law in dict.fromkeys((figure.verdict, "conditional", "masked", *shown_laws([figure], 99))):
        values = [outcome.laws.get(law) for outcome in figure.outcomes]
        known = [[outcome.laws.get(other) for outcome in figure.outcomes] for other in chosen]
        if None in values or any(_equal(values, others) for others in known):
            continue
        chosen.append(law)
    return chosen[:most]


def _equal(one: Sequence[float | None], other: Sequence[float | None]) -> bool:
    return all(
        a == b or (a is not None and b is not None and abs(a - b) < 1e-4)
        for a, b in zip(one, other, strict=True)
    )


def suite_name(name: str) -> str:
    """A suite's name without the decoder that it was asked of: ``law (xgrammar-hf)`` is ``law``."""
    return name.partition(" (")[0]


def suite_names(reports: Sequence[AuditReport]) -> list[str]:
    """Names of all suites of some reports, each once."""
    return list(dict.fromkeys(suite_name(suite.name) for report in reports for suite in report.suites))


def suite_state(suite: SuiteResult) -> tuple[Tone, str]:
    """A word for a suite: faults, passed, nothing checked, not run."""
    errors = sum(finding.severity == "error" for finding in suite.findings)
    if errors:
        return "bad", count_of(errors, "fault")
    if suite.skipped:
        return "idle", "not run"
    if not suite.made:
        return "idle", "nothing checked"
    warnings = sum(finding.severity == "warning" for finding in suite.findings)
    return ("warn", count_of(warnings, "warning")) if warnings else ("ok", "no fault")


def tone_of(finding: Finding) -> Tone:
    """How a finding is coloured."""
    return _TONES[finding.severity]


def count_of(count: int, noun: str) -> str:
    """A number with its noun."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def number(value: object) -> str:
    """A cell of a table: thousands separated, few digits, a dash for nothing."""
    if value is None:
        return "–"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int):
        return f"{value:,}"
    if not math.isfinite(value):
        return str(value)
    if value and abs(value) < 0.001:
        return f"{value:.1e}"
    return f"{value:,.3f}".rstrip("0").rstrip(".") if abs(value) < 100 else f"{value:,.0f}"


def seconds(value: float) -> str:
    """A duration."""
    if value < 10:
        return f"{value:.1f} s"
    return f"{value:.0f} s" if value < 120 else f"{int(value // 60)} min {int(value % 60)} s"


def exact(text: str) -> str:
    """A text as it is, or as a JSON string where it could be misread (invisible characters, outer blanks)."""
    plain = all(char.isprintable() or char == "\n" for char in text)
    if text and plain and text == text.strip():
        return text
    shown = json.dumps(text, ensure_ascii=False)
    return "".join(char if char.isprintable() else _escaped(char) for char in shown)


def _escaped(char: str) -> str:
    units = char.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))


def xml_text(text: str) -> str:
    """A text with U+FFFD in place of what XML 1.0 (and HTML) cannot hold, lone surrogates included."""
    return _NOT_XML.sub("\ufffd", text)


def one_line(text: str, longest: int = 100) -> str:
    """A text on one line, cut."""
    flat = " ".join(text.split())
    return flat if len(flat) <= longest else flat[: longest - 1] + "…"
