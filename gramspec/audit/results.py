"""Results of an audit: cases, findings, what each suite checked, and the report; all frozen, all JSON.

Law: `AuditReport.from_json(report.to_json()) == report`; nothing that was skipped or refused is left out.
Source: the audit's suites; the reports (HTML, JUnit) read these and nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from os import PathLike
from typing import Any, Final, Literal, Self

from gramspec.audit import plain_data
from gramspec.errors import SerialisationError

FORMAT: Final = 1
"""Version of the JSON form."""

Severity = Literal["error", "warning", "note"]
"""`error`: the engine is wrong. `warning`: it is stricter or looser than the standard in a way it documents,
or oracles disagree. `note`: worth knowing (which law it samples)."""


@dataclass(frozen=True)
class Case:
    """A grammar and what was read or asked.

    Parameters
    ----------
    kind : str
        Kind of the grammar, one of `adapters.KINDS` (``none`` where there is no grammar).
    grammar : str
        As written; for ``json_schema`` the JSON text.
    text : str or None
        The text that was read, where it is UTF-8 text.
    token_ids : tuple of int or None
        The tokens that were read.
    vocabulary : str
        Name of the vocabulary within the report (``bytes``, ``small``, ``tekken``, ``embedded``, …).
    origin : str
        Where the case comes from: ``built-in:NAME``, ``file:PATH#N``, ``world:SEED``, ``user``.
    valid : bool or None
        Whether `text` is a member; None where that is not what is asked.
    options : Mapping of str to str
        Options of the compile that the case depends on (``formats``, ``start``, …).
    """

    kind: str
    grammar: str
    text: str | None = None
    token_ids: tuple[int, ...] | None = None
    vocabulary: str = ""
    origin: str = ""
    valid: bool | None = None
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Finding:
    """One fault, on the smallest case that shows it.

    Parameters
    ----------
    suite, check : str
        Names; `check` is a stable slug such as ``accepts-nonmember``.
    severity : str
        ``error``, ``warning`` or ``note``.
    message : str
        One sentence.
    expected, observed : str
        The verdict of the oracles, and of the engine.
    case : Case
        The smallest case found.
    original : Case or None
        The case as it was before shrinking, where it was shrunk.
    snippet : str
        Python that reproduces it with the engine's own calls.
    command : str
        The command that runs this case again.
    oracles : tuple of str
        Who says what is expected.
    cause : str
        What findings are grouped by: a keyword, a construct; may be empty.
    occurrences : int
        Cases with the same check and cause; this is the smallest.
    extra : Mapping of str to str
        What else a reader should see, by heading.
    """

    suite: str
    check: str
    severity: Severity
    message: str
    expected: str
    observed: str
    case: Case
    original: Case | None = None
    snippet: str = ""
    command: str = ""
    oracles: tuple[str, ...] = ()
    cause: str = ""
    occurrences: int = 1
    extra: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Refusal:
    """A grammar that the engine refused by name."""

    case: Case
    reason: str


@dataclass(frozen=True)
class CheckResult:
    """What one check of a suite did.

    Parameters
    ----------
    name : str
        Slug.
    description : str
        One line: what is compared with what.
    made, passed, failed : int
        ``made == passed + failed``.
    skipped : Mapping of str to int
        Reason to count.
    """

    name: str
    description: str
    made: int = 0
    passed: int = 0
    failed: int = 0
    skipped: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """A table for the report; cells are text or numbers."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str | int | float | None, ...], ...]
    note: str = ""


@dataclass(frozen=True)
class OutcomeFigure:
    """One text of a law: what was seen, and its probability under each candidate law."""

    text: str
    observed: float
    laws: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class LawFigure:
    """Which law a decoder samples on one world.

    Parameters
    ----------
    case : Case
        The world.
    verdict : str
        Name of the law that it samples, or ``other``.
    distances : Mapping of str to float
        Total variation to each candidate law.
    floor : float or None
        What a perfect sampler would show at these draws; None for an exact enumeration.
    draws : int or None
        Number of samples; None for an exact enumeration.
    power : float or None
        Probability that a planted distance (`planted`) is seen.
    planted : float or None
        The planted total variation.
    p_values : Mapping of str to float
        Of each candidate law.
    outcomes : tuple of OutcomeFigure
        The likeliest first.
    note : str
    """

    case: Case
    verdict: str
    distances: Mapping[str, float] = field(default_factory=dict)
    floor: float | None = None
    draws: int | None = None
    power: float | None = None
    planted: float | None = None
    p_values: Mapping[str, float] = field(default_factory=dict)
    outcomes: tuple[OutcomeFigure, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class SuiteResult:
    """What one suite did.

    Parameters
    ----------
    name : str
    description : str
        One line.
    checks : tuple of CheckResult
    findings : tuple of Finding
        Worst first.
    refusals : tuple of Refusal
        Grammars that the engine refused by name.
    skipped : str
        Why the whole suite was not run; empty where it was.
    seconds : float
    figures : Mapping of str to float
        Named numbers (``masks compared``, …).
    tables : tuple of Table
    laws : tuple of LawFigure
    """

    name: str
    description: str = ""
    checks: tuple[CheckResult, ...] = ()
    findings: tuple[Finding, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    skipped: str = ""
    seconds: float = 0.0
    figures: Mapping[str, float] = field(default_factory=dict)
    tables: tuple[Table, ...] = ()
    laws: tuple[LawFigure, ...] = ()

    @property
    def made(self) -> int:
        """Checks made."""
        return sum(check.made for check in self.checks)

    @property
    def passed(self) -> int:
        """Checks passed."""
        return sum(check.passed for check in self.checks)

    @property
    def failed(self) -> int:
        """Checks failed."""
        return sum(check.failed for check in self.checks)

    @property
    def refused(self) -> int:
        """Grammars refused by name."""
        return len(self.refusals)

    @property
    def ok(self) -> bool:
        """Whether no finding is an error."""
        return not any(finding.severity == "error" for finding in self.findings)


@dataclass(frozen=True)
class AuditReport:
    """What an audit found.

    Parameters
    ----------
    engine, engine_version : str
    settings : Mapping of str to str
        Options that the engine ran with.
    gramspec_version : str
    versions : Mapping of str to str
        Other packages that took part (oracles).
    environment : Mapping of str to str
        ``python``, ``platform``, ….
    profile : str
        ``quick`` or ``full``.
    seed : int
    started : str
        UTC, ISO 8601.
    seconds : float
    command : str
        The command that makes this report again.
    suites : tuple of SuiteResult
    """

    engine: str
    engine_version: str
    settings: Mapping[str, str]
    gramspec_version: str
    versions: Mapping[str, str]
    environment: Mapping[str, str]
    profile: str
    seed: int
    started: str
    seconds: float
    command: str
    suites: tuple[SuiteResult, ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All findings, suite by suite."""
        return tuple(finding for suite in self.suites for finding in suite.findings)

    @property
    def ok(self) -> bool:
        """Whether no finding is an error."""
        return all(suite.ok for suite in self.suites)

    def suite(self, name: str) -> SuiteResult:
        """The result of a suite by name.

        Raises
        ------
        KeyError
            If that suite was not asked for.
        """
        for suite in self.suites:
            if suite.name == name:
                return suite
        raise KeyError(name)

    def to_json(self, *, indent: int | None = 2) -> str:
        """The report as JSON text; numbers that are not finite are written as strings."""
        data = {"format": FORMAT, "ok": self.ok, **plain_data.plain(self)}
        return json.dumps(data, indent=indent, ensure_ascii=False, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote.

        Raises
        ------
        SerialisationError
            If the text is no report, or one of another version.
        """
        try:
            data: Any = json.loads(text)
        except ValueError as error:
            raise SerialisationError("(whole input)", f"not JSON: {error}") from None
        if not isinstance(data, dict) or data.get("format") != FORMAT:
            found = data.get("format") if isinstance(data, dict) else None
            raise SerialisationError(
                "/format", f"an audit report of format {FORMAT} is needed, found {found!r}"
            )
        fields = {key: value for key, value in data.items() if key not in ("format", "ok")}
        return plain_data.read(cls, fields, "")

    def to_html(self, path: str | PathLike[str]) -> None:
        """Write the report as one HTML page with tables and plots."""
        import_module("gramspec.audit.reporting").write_html(self, path)

    def to_junit(self, path: str | PathLike[str]) -> None:
        """Write the report as JUnit XML."""
        import_module("gramspec.audit.reporting").write_junit(self, path)
