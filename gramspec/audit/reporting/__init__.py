"""What people see of an audit: terminal, JUnit XML, and one HTML page; several engines side by side.

Law: everything is read from `AuditReport`; nothing that was refused or skipped is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path

from gramspec.audit.reporting.documents import json_of, read_json, write_json
from gramspec.audit.reporting.html import html_of
from gramspec.audit.reporting.junit import junit_of
from gramspec.audit.reporting.terminal import show
from gramspec.audit.results import AuditReport

__all__ = ["html_of", "json_of", "junit_of", "read_json", "show", "write_html", "write_json", "write_junit"]


def write_html(reports: AuditReport | Sequence[AuditReport], path: str | PathLike[str]) -> None:
    """Write audits as one HTML page that needs no network.

    Parameters
    ----------
    reports : AuditReport or sequence of AuditReport
        Several are shown side by side.
    path : path
        Of the file.
    """
    Path(path).write_text(html_of(_several(reports)), "utf-8")


def write_junit(reports: AuditReport | Sequence[AuditReport], path: str | PathLike[str]) -> None:
    """Write audits as JUnit XML.

    Parameters
    ----------
    reports : AuditReport or sequence of AuditReport
    path : path
        Of the file.
    """
    Path(path).write_text(junit_of(_several(reports)), "utf-8")


def _several(reports: AuditReport | Sequence[AuditReport]) -> Sequence[AuditReport]:
    return [reports] if isinstance(reports, AuditReport) else reports
