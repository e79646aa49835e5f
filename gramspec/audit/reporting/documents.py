"""Reports as JSON documents: one report, or several engines in one file.

Law: `read_json(path)` gives what `write_json` wrote; a document of another version is refused by name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Final

from gramspec.audit.results import FORMAT, AuditReport
from gramspec.errors import OptionError, SerialisationError

_SURROGATES: Final = re.compile("[\ud800-\udfff]")


def json_of(reports: AuditReport | Sequence[AuditReport]) -> str:
    """One report as `AuditReport.to_json` writes it; several as ``{"format", "reports"}``."""
    several = [reports] if isinstance(reports, AuditReport) else list(reports)
    if len(several) == 1:
        text = several[0].to_json()
    else:
        documents = [json.loads(report.to_json(indent=None)) for report in several]
        whole = {"format": FORMAT, "reports": documents}
        text = json.dumps(whole, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    # Lone surrogates are no UTF-8; in JSON they stand within strings, where an escape means the same.
    return _SURROGATES.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def write_json(reports: AuditReport | Sequence[AuditReport], path: str | PathLike[str]) -> None:
    """Write reports to a file.

    Parameters
    ----------
    reports : AuditReport or sequence of AuditReport
    path : path
    """
    Path(path).write_text(json_of(reports), "utf-8")


def read_json(path: str | PathLike[str]) -> list[AuditReport]:
    """Read the reports of a file.

    Parameters
    ----------
    path : path
        What `write_json` or ``gramspec audit --json`` wrote.

    Raises
    ------
    OptionError
        If the file cannot be read.
    SerialisationError
        If it holds no report, or one of another version.
    """
    try:
        text = Path(path).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise OptionError(f"{path}: {error}") from None
    try:
        data: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SerialisationError(str(path), f"not JSON: {error}") from None
    if not isinstance(data, dict) or "reports" not in data:
        return [AuditReport.from_json(text)]
    if data.get("format") != FORMAT or not isinstance(data["reports"], list):
        raise SerialisationError(str(path), f"audit reports of format {FORMAT} are needed")
    return [AuditReport.from_json(json.dumps(report)) for report in data["reports"]]
