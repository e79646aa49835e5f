"""Audits in tests: `Auditor`, which the fixture `gramspec_audit` gives, and `EngineLaws`, a test per suite.

Law: a fault that is not allowed by name fails the test, and so does an allowed one that is gone.
Source: `gramspec.audit.run`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

import pytest

from gramspec.audit.reporting.junit import described
from gramspec.audit.reporting.wording import count_of, verdict
from gramspec.audit.results import AuditReport, Finding
from gramspec.audit.running import run, why_not
from gramspec.errors import OptionError

if TYPE_CHECKING:
    from gramspec.audit.suites.context import GrammarCase
    from gramspec.vocabulary import Vocabulary

_SHOWN: Final = 5
_OPTIONS: Final = frozenset(
    {"profile", "suites", "cases", "vocabularies", "seed", "seconds", "allow", "strict", "options"}
)


class Auditor:
    """Audits engines for one test.

    Parameters
    ----------
    defaults : Mapping
        Options of the call, as the markers give them.
    typed : Mapping
        Options of the command line; they win over all others.
    reports : Path, optional
        Where the report goes, without its extension.

    Raises
    ------
    OptionError
        If a marker gives an option that there is none of.
    """

    def __init__(
        self,
        *,
        defaults: Mapping[str, Any] | None = None,
        typed: Mapping[str, Any] | None = None,
        reports: Path | None = None,
    ) -> None:
        self._defaults = dict(defaults or {})
        self._typed = dict(typed or {})
        self._reports = reports
        self._written = 0
        if unknown := sorted(self._defaults.keys() - _OPTIONS):
            raise OptionError(
                f"marker gramspec_audit: no option {unknown[0]}; there are {', '.join(sorted(_OPTIONS))}"
            )

    def __call__(self, engine: Any, **options: Any) -> AuditReport:
        """Audit an engine, and fail the test on a fault.

        Parameters
        ----------
        engine : Adapter, Decoder or str
            The engine under test, or the name of one.
        **options
            profile : str
                ``quick`` (default) or ``full``.
            suites, cases, vocabularies, seconds, options
                As `gramspec.audit.run` takes them.
            seed : int
                0 by default, so that a test tells the same every time.
            allow : Mapping of str to str
                Faults that are known: a check, or ``check:cause``, and why. One that is gone fails the test.
            strict : bool
                Whether warnings fail the test too.

        Returns
        -------
        AuditReport

        Raises
        ------
        OptionError
            If an option is unknown or cannot be used.
        """
        if unknown := sorted(options.keys() - _OPTIONS):
            raise OptionError(
                f"gramspec_audit: no option {unknown[0]}; there are {', '.join(sorted(_OPTIONS))}"
            )
        return self._audit(engine, **{"seed": 0, **self._defaults, **options, **self._typed})

    def _audit(
        self,
        engine: Any,
        *,
        profile: str = "quick",
        suites: Sequence[str] | None = None,
        cases: Iterable[GrammarCase] | None = None,
        vocabularies: Mapping[str, Vocabulary] | None = None,
        seed: int,
        seconds: float | None = None,
        allow: Mapping[str, str] | None = None,
        strict: bool = False,
        options: Mapping[str, Any] | None = None,
    ) -> AuditReport:
        report = run(
            engine,
            profile,
            suites=suites,
            cases=cases,
            vocabularies=vocabularies,
            seed=seed,
            seconds=seconds,
            options=options,
        )
        self._write(report)
        __tracebackhide__ = True
        complaints = _complaints(report, allow or {}, ("error", "warning") if strict else ("error",))
        if complaints:
            pytest.fail(complaints, pytrace=False)
        return report

    def _write(self, report: AuditReport) -> None:
        if self._reports is None:
            return
        from gramspec.audit.reporting import write_html, write_json

        self._written += 1
        number = f"-{self._written}" if self._written > 1 else ""
        self._reports.parent.mkdir(parents=True, exist_ok=True)
        path = self._reports.with_name(self._reports.name + number)
        write_html(report, f"{path}.html")
        write_json(report, f"{path}.json")


def _complaints(report: AuditReport, allow: Mapping[str, str], severities: tuple[str, ...]) -> str:
    """What is wrong with a report, as text; empty if nothing is."""
    name = f"{report.engine} {report.engine_version} (seed {report.seed})"
    if not any(suite.made for suite in report.suites):
        return f"audit of {name}: {verdict(report).word.lower()}"
    found = [finding for finding in report.findings if finding.severity in severities]
    used = {key for finding in found for key in _keys(finding) if key in allow}
    faults = [finding for finding in found if not any(key in allow for key in _keys(finding))]
    lines = []
    if faults:
        lines.append(f"audit of {name}: {count_of(len(faults), 'fault')}")
        lines += [f"\n[{i}] {described(finding)}" for i, finding in enumerate(faults[:_SHOWN], 1)]
        if len(faults) > _SHOWN:
            lines.append(f"\nand {len(faults) - _SHOWN} more; --gramspec-report=DIR writes all of them")
    gone = [key for key in allow if key not in used]
    if gone:
        lines.append(f"audit of {name}: allowed, but not found any more: {', '.join(gone)}")
    return "\n".join(lines)


def _keys(finding: Finding) -> tuple[str, str]:
    return finding.check, f"{finding.check}:{finding.cause}"


class EngineLaws:
    """Mixin: one test for each suite of the audit, on an engine of one's own.

    Subclasses define `adapter`; a suite that the engine cannot be asked is skipped with the reason.

    Attributes
    ----------
    suites : tuple of str or None
        Only these.
    audit_options : Mapping
        As `Auditor.__call__` takes them; ``allow`` may not be among them, as each suite finds its own faults.
    """

    suites: ClassVar[tuple[str, ...] | None] = None
    audit_options: ClassVar[Mapping[str, Any]] = {}

    def adapter(self) -> Any:
        """The engine under test."""
        raise TypeError(f"{type(self).__name__} defines no adapter")

    def test_suite(self, gramspec_audit: Auditor, gramspec_suite: str) -> None:
        """The suite finds no fault."""
        engine = self.adapter()
        if why := why_not(engine, gramspec_suite):
            pytest.skip(why)
        gramspec_audit(engine, suites=[gramspec_suite], **self.audit_options)
