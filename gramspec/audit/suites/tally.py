"""Counting what a suite does: checks made, passed, failed, skipped; findings grouped by check and cause.

Law: of the findings with one check, cause and severity the smallest case is kept, with their number.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from gramspec.audit.results import Case, CheckResult, Finding, LawFigure, Refusal, SuiteResult, Table

_WORST_FIRST: Final = {"error": 0, "warning": 1, "note": 2}


@dataclass
class _Check:
    description: str
    passed: int = 0
    failed: int = 0
    skipped: Counter[str] = field(default_factory=Counter)


class Tally:
    """What one suite has done so far.

    Parameters
    ----------
    suite : str
        Its name.
    description : str
        One line.
    checks : Mapping of str to str
        Its checks: slug to description.
    command : str
        What findings that name no command of their own are reproduced by.
    """

    def __init__(self, suite: str, description: str, checks: Mapping[str, str], *, command: str = "") -> None:
        self.suite = suite
        self.description = description
        self.command = command
        self.figures: Counter[str] = Counter()
        self.tables: list[Table] = []
        self.laws: list[LawFigure] = []
        self._checks = {name: _Check(text) for name, text in checks.items()}
        self._findings: dict[tuple[str, str, str], Finding] = {}
        self._refusals: dict[tuple[str, str, str], Refusal] = {}

    def passed(self, check: str, count: int = 1) -> None:
        """Checks that came out right."""
        self._checks[check].passed += count

    def failed(self, finding: Finding) -> None:
        """A check that came out wrong (findings that are no errors count as failed checks too)."""
        self._checks[finding.check].failed += 1
        if not finding.command:
            finding = replace(finding, command=self.command)
        key = (finding.check, finding.cause, finding.severity)
        kept = self._findings.get(key)
        if kept is None:
            self._findings[key] = finding
        else:
            smaller = min(kept, finding, key=lambda f: size(f.case))
            self._findings[key] = replace(smaller, occurrences=kept.occurrences + finding.occurrences)

    def known(self, check: str, cause: str, severity: str = "error") -> int:
        """How often this has been found, so that a suite need not shrink it every time."""
        kept = self._findings.get((check, cause, severity))
        return kept.occurrences if kept else 0

    def skip(self, check: str, reason: str, count: int = 1) -> None:
        """Checks that were not made, and why."""
        self._checks[check].skipped[reason] += count

    def refused(self, case: Case, reason: str) -> None:
        """A grammar that the engine refused by name."""
        self._refusals.setdefault((case.kind, case.grammar, case.vocabulary), Refusal(case, reason))

    def result(self, seconds: float, *, skipped: str = "") -> SuiteResult:
        """All of it, frozen."""
        checks = tuple(
            CheckResult(name, c.description, c.passed + c.failed, c.passed, c.failed, dict(c.skipped))
            for name, c in self._checks.items()
        )
        findings = sorted(self._findings.values(), key=lambda f: (_WORST_FIRST[f.severity], f.check, f.cause))
        figures = {name: float(value) for name, value in self.figures.items()}
        return SuiteResult(
            self.suite,
            self.description,
            checks,
            tuple(findings),
            tuple(self._refusals.values()),
            skipped,
            seconds,
            figures,
            tuple(self.tables),
            tuple(self.laws),
        )


def size(case: Case) -> tuple[int, int, str]:
    """The order of cases: small ones first."""
    text = case.text if case.text is not None else json.dumps(case.token_ids)
    return (len(case.grammar) + len(text), len(case.grammar), case.grammar + text)
