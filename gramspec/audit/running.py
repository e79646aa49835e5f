"""`run`: the suites of a profile on one engine, and the report.

Law: the same engine, profile, seed and cases give the same checks; suites run one after the other.
Cost: ``quick`` about half a minute with built-in cases, ``full`` some minutes.
"""

from __future__ import annotations

import platform
import secrets
import shlex
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib import metadata
from importlib.util import find_spec
from typing import Any, Final

import gramspec
from gramspec.audit.adapters import ENGINES
from gramspec.audit.adapters import adapter as named_adapter
from gramspec.audit.results import AuditReport, SuiteResult
from gramspec.audit.suites import SUITES, Context, GrammarCase, Progress
from gramspec.errors import OptionError
from gramspec.vocabulary import Vocabulary

PROFILES: Final[dict[str, float]] = {"quick": 25.0, "full": 600.0}
"""Profiles, and the seconds that all their suites may take together."""

QUICK_CALL: Final = 2.0
"""Seconds of computing of one call of a guarded engine under ``quick``."""
_ORACLES: Final = ("jsonschema", "lark", "interegular", "numpy")


def _quiet(suite: str, done: int, total: int | None) -> None:
    pass


def run(
    adapter: Any,
    suite: str = "quick",
    *,
    suites: Sequence[str] | None = None,
    cases: Iterable[GrammarCase] | None = None,
    vocabularies: Mapping[str, Vocabulary] | None = None,
    seed: int | None = None,
    seconds: float | None = None,
    progress: Progress | None = None,
    command: str = "",
    options: Mapping[str, Any] | None = None,
) -> AuditReport:
    """Audit a structured decoder.

    Parameters
    ----------
    adapter : Adapter, decoder or str
        The engine under test, or the name of one (`gramspec.audit.adapters.ENGINES`).
    suite : str
        The profile, ``quick`` or ``full``.
    suites : Sequence of str, optional
        Which suites, by name; all that the engine can be asked by default.
    cases : iterable of GrammarCase, optional
        Grammars and texts instead of the built-in ones; see `gramspec.audit.cases`.
    vocabularies : Mapping of str to Vocabulary, optional
        By name; by default a small one over all bytes, and for ``full`` that of the embedded models too.
    seed : int, optional
        Of every random choice; drawn, and told in the report, if not given.
    seconds : float, optional
        What all suites may take together; those of the profile by default.
    progress : callable, optional
        Called with a suite's name, how much of it is done, and how much there is (or None).
    command : str, optional
        What to call the run in the report.
    options : Mapping, optional
        Handed to the suites.

    Returns
    -------
    AuditReport

    Raises
    ------
    OptionError
        If a name is unknown, a number is out of range, or the engine cannot be asked what a suite needs.
    """
    if suite not in PROFILES:
        raise OptionError(f"no profile is called {suite!r}; there are {', '.join(PROFILES)}")
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int) or seed < 0):
        raise OptionError(f"seed must be a non-negative integer, not {seed!r}")
    if seconds is not None and not seconds > 0:
        raise OptionError(f"seconds must be positive, not {seconds!r}")
    engine = named_adapter(adapter) if isinstance(adapter, str) else adapter
    chosen, lacking = _chosen(engine, suites, ENGINES[engine.name].decoders if engine.name in ENGINES else ())
    seed = secrets.randbelow(10**6) if seed is None else seed
    given = _cases(suite, seed) if cases is None else list(cases)
    known = vocabularies or _vocabularies(suite)
    shares = max(1, len({name for name, _ in chosen}))  # decoders of one engine are quick
    budget = (PROFILES[suite] if seconds is None else seconds) / shares
    started, begun = datetime.now(UTC), time.monotonic()
    results: list[SuiteResult] = []
    shared: dict[str, Any] = {}
    restore = _limit(engine, suite)
    for name, asked in chosen:
        context = Context(
            adapter=asked,
            profile=suite,
            seed=seed,
            cases=given,
            vocabularies=known,
            seconds=budget,
            progress=progress or _quiet,
            options=dict(options or {}),
            shared=shared,
            command=command or _command(engine, suite, [name], seed),
        )
        result = _run_suite(name, context)
        results.append(result if asked is engine else replace(result, name=f"{name} ({asked.name})"))
    restore()
    if "far oracles" in shared:
        shared["far oracles"].close()
    results += lacking
    return AuditReport(
        engine=engine.name,
        engine_version=engine.version,
        settings=dict(engine.settings),
        gramspec_version=gramspec.__version__,
        versions=_versions(),
        environment={"python": platform.python_version(), "platform": platform.platform()},
        profile=suite,
        seed=seed,
        started=started.isoformat(timespec="seconds"),
        seconds=time.monotonic() - begun,
        command=command or _command(engine, suite, suites or (), seed),
        suites=tuple(results),
    )


def _limit(engine: Any, profile: str) -> Callable[[], None]:
    """Shorten the limit of one call of a guarded engine under ``quick``; what is returned restores it."""
    usual = getattr(engine, "seconds", None)
    if profile != "quick" or not isinstance(usual, int | float) or usual <= QUICK_CALL:
        return lambda: None
    engine.seconds = QUICK_CALL
    return lambda: setattr(engine, "seconds", usual)


def _chosen(
    engine: Any, suites: Sequence[str] | None, decoders: Sequence[str]
) -> tuple[list[tuple[str, Any]], list[SuiteResult]]:
    """Suites with the engine that each is asked of; what cannot be run, and why.

    Suites on what is drawn are asked of the decoders that draw with this engine's masks.
    """
    if isinstance(suites, str):
        raise OptionError(f"suites must be a list of names, not the text {suites!r}")
    for name in suites or ():
        if name not in SUITES:
            raise OptionError(f"no suite is called {name!r}; there are {', '.join(SUITES)}")
    names = list(SUITES) if suites is None else list(dict.fromkeys(suites))
    drawing = [name for name in names if SUITES[name].needs == "draws"]
    others, lacking = _decoders(decoders) if drawing and not engine.capabilities.draws else ([], [])
    chosen: list[tuple[str, Any]] = []
    for name in names:
        lack = _lacks(engine, SUITES[name].needs)
        if not lack:
            chosen.append((name, engine))
        elif name in drawing and decoders:
            chosen += [(name, other) for other in others]
        elif suites is not None:
            raise OptionError(f"suite {name!r} cannot be run on {engine.name}: {lack}")
        else:
            lacking.append(SuiteResult(name, SUITES[name].description, skipped=lack))
    if not chosen and not decoders:
        raise OptionError(f"{engine.name} has neither masks nor draws, and is no server: no suite can be run")
    return chosen, lacking


def _decoders(names: Sequence[str]) -> tuple[list[Any], list[SuiteResult]]:
    found, lacking = [], []
    for name in names:
        try:
            found.append(named_adapter(name))
        except (OptionError, ImportError) as error:
            lacking.append(SuiteResult(f"draws ({name})", skipped=str(error)))
    return found, lacking


def _lacks(engine: Any, needs: str) -> str:
    masks = engine.capabilities.masks and callable(getattr(engine, "compile", None))
    draws = engine.capabilities.draws
    serves = hasattr(engine, "complete")
    if needs == "service":
        return "" if serves else "it is no server"
    if needs == "masks" and not masks:
        return "it shows no masks"
    if needs == "draws" and not draws:
        return "it draws no texts"
    return "" if masks or draws else "it has neither masks nor draws"


def why_not(engine: Any, suite: str) -> str:
    """Why a suite cannot be run on an engine; empty where it can.

    Raises
    ------
    OptionError
        If there is no suite of that name.
    """
    if suite not in SUITES:
        raise OptionError(f"no suite is called {suite!r}; there are {', '.join(SUITES)}")
    return _lacks(engine, SUITES[suite].needs)


def _run_suite(name: str, context: Context) -> SuiteResult:
    context.progress(name, 0, None)
    result = SUITES[name].load()(context)
    return replace(result, seconds=context.elapsed)


def _versions() -> dict[str, str]:
    found = {}
    for name in _ORACLES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _command(engine: Any, profile: str, suites: Sequence[str], seed: int) -> str:
    """The command that runs this again; empty for an engine that has no name among those of the commands."""
    if engine.name not in ENGINES:
        return ""
    words = ["gramspec", "audit", engine.name, "--suite", profile]
    for name in suites:
        words += ["--suite", name]
    words += ["--seed", str(seed)]
    if engine.settings.get("settings", "default") != "default":
        words += ["--setting", f"settings={engine.settings['settings']}"]
    return shlex.join(words)


def _cases(profile: str, seed: int) -> list[GrammarCase]:
    from gramspec.audit.cases import built_in

    return built_in(profile, seed)


def _vocabularies(profile: str) -> dict[str, Vocabulary]:
    from gramspec.audit.cases import named_vocabulary

    names = ["small", "embedded"] if profile == "full" and find_spec("tokenizers") else ["small"]
    return {name: named_vocabulary(name) for name in names}
