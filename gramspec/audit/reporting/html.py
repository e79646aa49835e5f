"""The HTML page of audits: one file, no network, light and dark, plots as SVG.

Law: every text is escaped, and a content security policy lets nothing run but the page's own script.
Cost: a few kilobytes per finding. Source: the template and the style sheet in `templates`.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from importlib import resources
from typing import Any, Final

from gramspec.audit.reporting import wording
from gramspec.audit.reporting.charts import Outcome, coverage_plot, distance_plot, law_plot
from gramspec.audit.results import AuditReport, Case, LawFigure, SuiteResult
from gramspec.errors import OptionError

_PLOTTED_WORLDS: Final = 3
_LISTED_REASONS: Final = 60


def html_of(reports: Sequence[AuditReport]) -> str:
    """The reports as one HTML page; several engines are compared first.

    Parameters
    ----------
    reports : sequence of AuditReport
        One for each engine, at least one.

    Raises
    ------
    OptionError
        If there is no report, or jinja2 is not installed.
    """
    if not reports:
        raise OptionError("an audit page needs at least one report")
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined
        from markupsafe import Markup
    except ModuleNotFoundError:
        raise OptionError("the HTML report needs jinja2: pip install 'gramspec[audit]'") from None
    environment = Environment(
        loader=PackageLoader("gramspec.audit.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters = {"number": wording.number, "exact": wording.exact, "tone": wording.tone_of}
    filters |= {
        "title": wording.title_of,
        "seconds": wording.seconds,
        "one_line": wording.one_line,
        "count": wording.count_of,
    }
    environment.filters.update(filters)
    folder = resources.files("gramspec.audit.reporting") / "templates"
    script = (folder / "report.js").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    page = environment.get_template("report.html.jinja").render(
        engines=[_engine(report, number) for number, report in enumerate(reports, 1)],
        comparison=_comparison(reports) if len(reports) > 1 else None,
        # Marked as safe is what this package wrote: its style, its script, and plots, which escape texts.
        style=Markup((folder / "report.css").read_text("utf-8")),
        script=Markup(script),
        digest=digest,
        svg=Markup,
    )
    return wording.xml_text(page)


def _engine(report: AuditReport, number: int) -> dict[str, Any]:
    """What the template shows of one engine."""
    figures = [(_decoder(suite), figure) for suite in report.suites for figure in suite.laws]
    name = f"{report.engine} {report.engine_version}".strip()
    return {
        "id": f"engine-{number}",
        "name": name,
        "report": report,
        "verdict": wording.verdict(report),
        "suites": [{"suite": suite, "state": wording.suite_state(suite)} for suite in report.suites],
        "coverage": coverage_plot([(s.name, _counts(s)) for s in report.suites], name=report.engine),
        "laws": _laws(report.engine, figures) if figures else None,
        "groups": _groups(report),
        "refusals": _refusals(report),
        "skips": _skips(report),
        "environment": {
            "engine": name,
            **{f"setting {key}": value for key, value in report.settings.items()},
            "gramspec": report.gramspec_version,
            **report.versions,
            **report.environment,
            "profile": report.profile,
            "seed": str(report.seed),
            "started": report.started,
            "took": wording.seconds(report.seconds),
        },
    }


def _counts(suite: SuiteResult) -> dict[str, int]:
    return {"passed": suite.passed, "failed": suite.failed, "refused": suite.refused}


def _decoder(suite: SuiteResult) -> str:
    """What drew the texts, where it is not the engine itself: it stands behind the suite's name."""
    return suite.name.partition(" (")[2].removesuffix(")")


def _laws(name: str, drawn: Sequence[tuple[str, LawFigure]]) -> dict[str, Any]:
    figures = [figure for _, figure in drawn]
    every = wording.distances_of(figures)
    names = wording.shown_laws(figures)
    floors = [figure.floor for figure in figures if figure.floor is not None]
    several = {figure.case.origin: (by, figure) for by, figure in reversed(drawn) if len(figure.outcomes) > 1}
    telling = sorted(
        several.values(), key=lambda pair: pair[1].distances.get("conditional", 0.0), reverse=True
    )
    return {
        "sentence": wording.law_sentence(figures),
        "names": names,
        "figures": drawn,
        "notes": [(figure.case.origin, by, figure.note) for by, figure in drawn if figure.note],
        "left": sorted(every.keys() - set(names)),
        "distances": distance_plot(
            {law: every[law] for law in names}, name=name, floor=sum(floors) / len(floors) if floors else None
        ),
        "plots": [(figure, _plot(by or name, figure, names)) for by, figure in telling[:_PLOTTED_WORLDS]],
    }


def _plot(name: str, figure: LawFigure, order: Sequence[str]) -> str:
    laws = wording.distinct_laws(figure)
    outcomes = [
        Outcome(o.text, o.observed, {law: o.laws[law] for law in laws if law in o.laws})
        for o in figure.outcomes
    ]
    taken = "enumerated" if figure.draws is None else f"{figure.draws:,} draws"
    return law_plot(outcomes, name=name, observed=taken, order=order)


def _groups(report: AuditReport) -> list[dict[str, Any]]:
    """Findings by suite, worst first, each with an anchor."""
    rank = {"error": 0, "warning": 1, "note": 2}
    number = 0
    groups = []
    for suite in report.suites:
        listed = []
        for finding in sorted(suite.findings, key=lambda f: (rank[f.severity], -f.occurrences)):
            number += 1
            listed.append((number, finding, wording.command_of(report, finding)))
        if listed:
            groups.append({"suite": suite, "findings": listed})
    return groups


def _refusals(report: AuditReport) -> dict[str, Any]:
    """What was refused, by reason, with the shortest grammar of each."""
    by_reason: dict[str, dict[tuple[str, str], Case]] = defaultdict(dict)
    suites = defaultdict(list)
    for suite in report.suites:
        for refusal in suite.refusals:
            by_reason[refusal.reason][refusal.case.kind, refusal.case.grammar] = refusal.case
            suites[refusal.reason].append(suite.name)
    ordered = sorted(by_reason.items(), key=lambda item: -len(item[1]))
    rows = [
        {
            "reason": reason,
            "count": len(cases),
            "suites": ", ".join(dict.fromkeys(suites[reason])),
            "example": min(cases.values(), key=lambda case: len(case.grammar)),
        }
        for reason, cases in ordered[:_LISTED_REASONS]
    ]
    more = len(ordered) - _LISTED_REASONS
    return {"rows": rows, "more": more, "total": len(wording.refused_grammars(report.suites))}


def _skips(report: AuditReport) -> list[tuple[str, str, str, int | None]]:
    """Suite, check, reason and count of what was not checked."""
    rows: list[tuple[str, str, str, int | None]] = []
    for suite in report.suites:
        if suite.skipped:
            rows.append((suite.name, "the whole suite", suite.skipped, None))
        for check in suite.checks:
            rows += [(suite.name, check.name, reason, count) for reason, count in check.skipped.items()]
    return rows


def _comparison(reports: Sequence[AuditReport]) -> dict[str, Any]:
    """Engines side by side: suites, laws, faults by check, figures."""
    names = wording.suite_names(reports)
    faults = [
        Counter(f"{f.suite}: {f.check}" for f in report.findings if f.severity == "error")
        for report in reports
    ]
    checks = sorted(
        {check for counts in faults for check in counts},
        key=lambda check: (names.index(wording.suite_name(check.rpartition(": ")[0])), check),
    )
    by_law = [wording.mean_distances(wording.laws_of(report)) for report in reports]
    laws = list(
        dict.fromkeys(law for report in reports for law in wording.shown_laws(wording.laws_of(report)))
    )
    figures = [
        {f"{suite.name}: {key}": value for suite in report.suites for key, value in suite.figures.items()}
        for report in reports
    ]
    keys = list(dict.fromkeys(key for found in figures for key in found))
    return {
        "suites": [(name, [_cells(report, name) for report in reports]) for name in names],
        "checks": [(check, [counts.get(check, 0) for counts in faults]) for check in checks],
        "laws": [(law, [means.get(law) for means in by_law]) for law in laws],
        "sampled": [wording.law_named(wording.laws_of(report)) for report in reports] if laws else [],
        "figures": [(key, [found.get(key) for found in figures]) for key in keys],
    }


def _cells(report: AuditReport, name: str) -> list[dict[str, Any]]:
    """The results of a suite, one for each decoder that it was asked of."""
    return [
        {"suite": suite, "state": wording.suite_state(suite), "by": _decoder(suite)}
        for suite in report.suites
        if wording.suite_name(suite.name) == name
    ]
