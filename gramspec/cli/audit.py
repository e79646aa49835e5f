"""`gramspec audit`: test a structured decoder, and report what was found.

Law: exit code 1 iff a fault was found; 0 none, 2 the input cannot be used, 3 an engine is not installed.
Source: API, "Command line".
"""

from __future__ import annotations

import json
import secrets
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gramspec.cli.audit_engines import AuditRequest, adapter_of, engines_of, missing_of
from gramspec.cli.progress import counting_bar
from gramspec.cli.vocabularies import EOS_HELP, read_vocabulary
from gramspec.errors import OptionError

if TYPE_CHECKING:
    from gramspec.audit.results import AuditReport
    from gramspec.audit.suites.context import GrammarCase
    from gramspec.vocabulary import Vocabulary

EXAMPLE: Final = "Example: gramspec audit gramspec --suite quick --seed 1 --html audit.html"
NOTHING_CHECKED: Final = 2
NOT_INSTALLED: Final = 3


def _engine_names(incomplete: str) -> list[str]:
    from gramspec.audit.adapters import ENGINES

    return [name for name in ENGINES if name.startswith(incomplete)]


def _suite_names(incomplete: str) -> list[str]:
    from gramspec.audit.running import PROFILES
    from gramspec.audit.suites import SUITES

    return [name for name in (*PROFILES, *SUITES) if name.startswith(incomplete)]


def command(
    engine: Annotated[
        str | None,
        typer.Argument(
            metavar="ENGINE",
            help="Name of the engine; --list shows them.",
            show_default=False,
            autocompletion=_engine_names,
        ),
    ] = None,
    suite: Annotated[
        list[str] | None,
        typer.Option(
            help="'quick' (about half a minute) or 'full' (some minutes); or a suite by name; repeatable.",
            show_default="quick",
            autocompletion=_suite_names,
        ),
    ] = None,
    cases: Annotated[
        list[str] | None,
        typer.Option(
            help="File with grammars and texts (.json, .jsonl, .gz) or a grammar (.lark, .gbnf, .regex, …) in"
            " place of the built-in cases; repeatable.",
            show_default=False,
        ),
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option(help="What a --cases grammar is, where its name does not tell.", show_default=False),
    ] = None,
    vocabulary: Annotated[
        list[str] | None,
        typer.Option(
            help="'tekken', or a Tekken, tokenizer.json or SentencePiece file; a small one by default.",
            show_default=False,
        ),
    ] = None,
    eos: Annotated[str | None, typer.Option(help=EOS_HELP, show_default=False)] = None,
    seed: Annotated[
        int | None, typer.Option(help="Of every random choice; drawn, and told, if not given.")
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option(help="What all suites may take together.", show_default="as the suite says"),
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option(
            help="KEY=VALUE for the engine's adapter, values as JSON or text; repeatable.", show_default=False
        ),
    ] = None,
    adapter: Annotated[
        str | None,
        typer.Option(
            help="MODULE:OBJECT of one's own adapter (an adapter, or what makes one) in place of ENGINE.",
            show_default=False,
        ),
    ] = None,
    url: Annotated[
        str | None,
        typer.Option(
            help="An OpenAI-compatible server in place of ENGINE: http://host/v1.", show_default=False
        ),
    ] = None,
    model: Annotated[str | None, typer.Option(help="The server's model.", show_default=False)] = None,
    api_key_env: Annotated[
        str | None,
        typer.Option(help="Environment variable that holds the server's key.", show_default=False),
    ] = None,
    compare: Annotated[
        list[str] | None,
        typer.Option(
            help="Another engine, audited too and shown side by side; repeatable.", show_default=False
        ),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit code 1 for warnings too.")] = False,
    html: Annotated[
        str | None, typer.Option(help="File for the report as one HTML page.", show_default=False)
    ] = None,
    junit: Annotated[
        str | None, typer.Option(help="File for the report as JUnit XML.", show_default=False)
    ] = None,
    as_json: Annotated[
        str | None,
        typer.Option("--json", help="File for the report as JSON; '-' is stdout.", show_default=False),
    ] = None,
    read: Annotated[
        list[str] | None,
        typer.Option(
            "--from",
            help="Report that --json wrote, shown again without running; repeatable.",
            show_default=False,
        ),
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="Show the engines and the suites.")] = False,
) -> None:
    """Test a structured decoder: what it accepts and refuses, its masks, the law it samples, its limits.

    Exit code: 0 no fault, 1 a fault was found, 2 the input cannot be used, 3 an engine is not installed.
    """
    request = AuditRequest(
        engine=engine,
        suites=tuple(suite or ()),
        cases=tuple(cases or ()),
        kind=kind,
        vocabularies=tuple(vocabulary or ()),
        eos=eos,
        seed=seed,
        seconds=seconds,
        settings=tuple(setting or ()),
        adapter=adapter,
        url=url,
        model=model,
        api_key_env=api_key_env,
        compare=tuple(compare or ()),
        strict=strict,
        html=html,
        junit=junit,
        json=as_json,
        read=tuple(read or ()),
        listing=list_,
    )
    raise typer.Exit(audit(request))


def audit(request: AuditRequest) -> int:
    """Run the suites, write the reports and show the summary.

    Parameters
    ----------
    request : AuditRequest
        The options of the command.

    Returns
    -------
    int
        0 no fault, 1 a fault (with ``strict`` a warning too), 2 nothing was checked, 3 not installed.

    Raises
    ------
    GramspecError
        When an option cannot be used.
    """
    if request.listing:
        _list(request)
        return 0
    for option, path in (("--html", request.html), ("--junit", request.junit), ("--json", request.json)):
        _check_writable(option, path)
    if request.read:
        reports = _read_again(request)
    else:
        if missing := missing_of(request):
            message = "\n".join(f"error: {line}" for line in missing)
            Console(stderr=True, highlight=False, soft_wrap=True).print(Text(message, style="red"))
            return NOT_INSTALLED
        try:
            reports = _run(request)
        except ModuleNotFoundError as error:
            needed = f"error: the engine needs {error.name}, which is not installed: pip install {error.name}"
            Console(stderr=True, highlight=False, soft_wrap=True).print(Text(needed, style="red"))
            return NOT_INSTALLED
    _write(reports, request)
    if not any(suite.made for report in reports for suite in report.suites):
        # Not raised, as the report is written: with --json - it is all of stdout.
        said = "error: nothing was checked: every grammar was refused or every suite skipped"
        hint = "hint: --html or --json says why; --cases brings other grammars"
        Console(stderr=True, highlight=False, soft_wrap=True).print(Text(f"{said}\n  {hint}", style="red"))
        return NOTHING_CHECKED
    severities = {finding.severity for report in reports for finding in report.findings}
    return int("error" in severities or (request.strict and "warning" in severities))


def _run(request: AuditRequest) -> list[AuditReport]:
    from gramspec.audit.running import run

    seed = secrets.randbelow(10**6) if request.seed is None else request.seed
    profile, suites = _suites(request.suites)
    cases = _cases(request)
    vocabularies = _vocabularies(request)
    reports = []
    with counting_bar(Console(stderr=True)) as bar:
        for name in engines_of(request):
            engine = adapter_of(name, request)
            tasks: dict[str, Any] = {}

            def progress(suite: str, done: int, total: int | None, *, tasks: dict[str, Any] = tasks) -> None:
                if suite not in tasks:
                    tasks[suite] = bar.add_task(suite, total=None)
                bar.update(tasks[suite], completed=done, total=total)

            reports.append(
                run(
                    engine,
                    profile,
                    suites=suites,
                    cases=cases,
                    vocabularies=vocabularies,
                    seed=seed,
                    seconds=request.seconds,
                    progress=progress,
                    command=_again(name, request, seed),
                )
            )
            for task in tasks.values():
                bar.remove_task(task)
    return reports


def _suites(named: Sequence[str]) -> tuple[str, list[str] | None]:
    """The profile, and the suites that are named; None: all that the engine can be asked."""
    from gramspec.audit.running import PROFILES
    from gramspec.audit.suites import SUITES

    profiles = [name for name in named if name in PROFILES]
    suites = [name for name in named if name not in PROFILES]
    for name in suites:
        if name not in SUITES:
            raise OptionError(
                f"--suite {name}: there are {', '.join(PROFILES)}, and by name {', '.join(SUITES)}"
            )
    if len(set(profiles)) > 1:
        raise OptionError(f"--suite {' --suite '.join(profiles)}: one of the two")
    return (profiles or ["quick"])[0], suites or None


def _cases(request: AuditRequest) -> list[GrammarCase] | None:
    from gramspec.audit.cases.files import read_cases

    if not request.cases:
        if request.kind is not None:
            raise OptionError("--kind: only with --cases")
        return None
    try:
        return [case for path in request.cases for case in read_cases(path, request.kind)]
    except OptionError as error:
        raise OptionError(f"--cases {error}") from None


def _vocabularies(request: AuditRequest) -> Mapping[str, Vocabulary] | None:
    if not request.vocabularies:
        return None
    return {Path(name).name: read_vocabulary(name, request.eos) for name in request.vocabularies}


def _again(engine: str, request: AuditRequest, seed: int) -> str:
    """The command that makes the report of one engine again."""
    first = engine == engines_of(request)[0]
    words = ["gramspec", "audit"]
    if first and request.adapter is not None:
        words += ["--adapter", request.adapter]
    elif first and request.url is not None:
        words += ["--url", request.url]
        words += ["--model", request.model] if request.model is not None else []
        words += ["--api-key-env", request.api_key_env] if request.api_key_env is not None else []
    else:
        words.append(engine)
    repeated = {
        "--suite": request.suites or ("quick",),
        "--cases": request.cases,
        "--vocabulary": request.vocabularies,
        "--setting": request.settings if first else (),
    }
    words += [word for option, values in repeated.items() for value in values for word in (option, value)]
    words += ["--kind", request.kind] if request.kind is not None else []
    words += ["--eos", request.eos] if request.eos is not None else []
    words += ["--seconds", f"{request.seconds:g}"] if request.seconds is not None else []
    return shlex.join([*words, "--seed", str(seed)])


def _read_again(request: AuditRequest) -> list[AuditReport]:
    from gramspec.audit.reporting import read_json

    if request.engine or request.adapter or request.url or request.compare:
        raise OptionError("--from: nothing is run, so no engine can be named")
    reports: list[AuditReport] = []
    for path in request.read:
        reports += read_json(path)
    return reports


def _check_writable(option: str, path: str | None) -> None:
    """Refuse a report's place before the work, not after it."""
    if path is None or (option == "--json" and path == "-"):
        return
    folder = Path(path).absolute().parent
    if not folder.is_dir():
        raise OptionError(f"{option} {path}: there is no folder {folder}")
    if Path(path).is_dir():
        raise OptionError(f"{option} {path}: is a folder")


def _write(reports: Sequence[AuditReport], request: AuditRequest) -> None:
    from gramspec.audit.reporting import json_of, show, write_html, write_json, write_junit

    try:
        if request.html is not None:
            write_html(reports, request.html)
        if request.junit is not None:
            write_junit(reports, request.junit)
        if request.json is not None and request.json != "-":
            write_json(reports, request.json)
    except OSError as error:
        raise OptionError(f"the report cannot be written: {error}") from None
    if request.json == "-":
        sys.stdout.write(json_of(reports))
        return
    console = Console(highlight=False)
    show(reports, console)
    for path in (request.html, request.junit, request.json):
        if path is not None:
            console.print(Text(f"written: {path}", style="dim"), soft_wrap=True)


def _list(request: AuditRequest) -> None:
    from gramspec.audit.adapters import ENGINES, installed
    from gramspec.audit.suites import SUITES

    rows = [(name, entry, installed(name)) for name, entry in ENGINES.items()]
    if request.json is not None:
        if request.json != "-":
            raise OptionError("--list: --json - writes it to stdout; a file is for reports")
        value = {
            "engines": {
                name: {
                    "installed": there,
                    "distribution": entry.distribution,
                    "description": entry.description,
                }
                for name, entry, there in rows
            },
            "suites": {name: suite.description for name, suite in SUITES.items()},
        }
        sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
        return
    console = Console(highlight=False)
    engines = Table(title="engines", title_justify="left")
    for heading in ("name", "installed", "what it is"):
        engines.add_column(heading)
    for name, entry, there in rows:
        state = Text("yes", style="green") if there else Text(f"no: pip install {entry.distribution}")
        engines.add_row(Text(name), state, Text(entry.description))
    console.print(engines)
    suites = Table(title="suites", title_justify="left")
    suites.add_column("name")
    suites.add_column("what it asks")
    for name, suite in SUITES.items():
        suites.add_row(Text(name), Text(suite.description))
    console.print(suites)
