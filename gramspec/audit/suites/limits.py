"""The limits suite: grammars that mean harm end in a mask or in a clear error, within time and memory.

Law: each runs in a process with limits of its own; what does not answer is ended, and where it was is told.
Cost: up to `SECONDS` of computing for each grammar that hangs. Source: `gramspec.audit.hostile`.
"""

from __future__ import annotations

import contextlib
import time
from typing import Any, Final

import numpy as np

from gramspec.audit.adapters.guard import Guarded
from gramspec.audit.adapters.protocol import EngineFault, Refused
from gramspec.audit.hostile import CORPUS, QUICK, Hostile
from gramspec.audit.results import Case, Finding, SuiteResult, Table
from gramspec.audit.suites.context import Context
from gramspec.audit.suites.tally import Tally
from gramspec.vocabulary import Vocabulary

SECONDS: Final = {"quick": 5.0, "full": 20.0}
"""Computing time of one call, by profile."""
AT_LEAST: Final = 30.0
"""Seconds that the suite may take in any case: most of its grammars take none."""
MEMORY: Final = 3 << 30
STEPS: Final = 24
SHOWN: Final = 400

CHECKS: Final = {
    "ends": "compiling and masks end in time",
    "fits": "they end within the memory",
    "survives": "the process lives on, and nothing but an error by name is raised",
}
_CHECK: Final = {"timeout": "ends", "memory": "fits", "crash": "survives", "error": "survives"}
_WORD: Final = {"timeout": "hangs", "memory": "exhausts its memory", "crash": "crashes", "error": "fails"}


def run(context: Context) -> SuiteResult:
    """Compile and walk every hostile grammar.

    Parameters
    ----------
    context : Context
        Its adapter has masks. ``options["hostile"]`` may hold other grammars, ``options["call_seconds"]``
        another limit.
    """
    tally = Tally("limits", "grammars that mean harm, in bounded time and memory", CHECKS)
    seconds = float(context.options.get("call_seconds", SECONDS[context.profile]))
    engine = guarded(context.adapter, seconds)
    if isinstance(engine, str):
        why = f"the adapter cannot be made again in another process ({engine}): use a class of a module"
        return tally.result(context.elapsed, skipped=why)
    corpus: tuple[Hostile, ...] = context.options.get(
        "hostile", QUICK if context.profile == "quick" else CORPUS
    )
    cases = [case for case in corpus if case.kind in engine.capabilities.kinds]
    name, vocabulary = next(iter(context.vocabularies.items()))
    rows: list[tuple[str | float | None, ...]] = []
    try:
        for done, case in enumerate(cases):
            context.progress("limits", done, len(cases))
            if done and context.elapsed > max(context.seconds, AT_LEAST):
                tally.skip("ends", "the time of the suite was over")
                continue
            rows.append(_case(tally, engine, case, name, vocabulary, seconds))
    finally:
        engine.close()
    context.progress("limits", len(cases), len(cases))
    columns = ("grammar", "kind", "outcome", "compile s", "slowest mask s", "peak MiB")
    note = (
        f"{seconds:g} s of computing for a call, {MEMORY >> 20} MiB; the peak is that of the process so far"
    )
    tally.tables.append(Table("Grammars that mean harm", columns, tuple(rows), note))
    return tally.result(context.elapsed)


def guarded(adapter: Any, seconds: float) -> Guarded | str:
    """The adapter in a process of its own, or why it cannot be made there."""
    if isinstance(adapter, Guarded):
        return adapter.with_limits(seconds=seconds, memory=MEMORY)
    kind = type(adapter)
    if "<" in kind.__qualname__ or kind.__module__ == "__main__":
        return f"{kind.__module__}.{kind.__qualname__} cannot be imported"
    try:
        return Guarded(f"{kind.__module__}:{kind.__qualname__}", seconds=seconds, memory=MEMORY)
    except EngineFault as fault:
        return fault.message


def _case(
    tally: Tally, engine: Guarded, case: Hostile, name: str, vocabulary: Vocabulary, seconds: float
) -> tuple[str | float | None, ...]:
    """One grammar; its row for the table."""
    shown = case.text if len(case.text) <= SHOWN else f"{case.text[:SHOWN]}… ({len(case.text):,} characters)"
    said = Case(case.kind, shown, vocabulary=name, origin=f"hostile:{case.name}")
    begun = time.monotonic()
    compiled_in: float | None = None
    try:
        compiled = engine.compile(case.kind, case.text, vocabulary)
        compiled_in = time.monotonic() - begun
        if isinstance(compiled, Refused):
            for check in CHECKS:
                tally.passed(check)
            return (case.name, case.kind, f"refused: {compiled.reason[:120]}", compiled_in, None, None)
        walked = compiled.call("gramspec.audit.suites.limits:walk")
    except EngineFault as fault:
        tally.failed(_finding(engine, case, said, fault, seconds))
        return (case.name, case.kind, f"{_WORD[fault.how]} at {fault.stage}", compiled_in, None, None)
    for check in CHECKS:
        tally.passed(check)
    return (case.name, case.kind, "masks", compiled_in, walked["slowest"], walked["peak"])


def _finding(engine: Guarded, case: Hostile, said: Case, fault: EngineFault, seconds: float) -> Finding:
    where = f"limits.CORPUS: {case.name!r} ({case.kind})"
    at = {"compile": "compiling", "mask": "a mask", "read": "masks", "matcher": "a matcher"}
    snippet = (
        "from gramspec.audit.hostile import CORPUS\n\n"
        f"[grammar] = [c.text for c in CORPUS if (c.name, c.kind) == ({case.name!r}, {case.kind!r})]\n"
    )
    if len(case.text) <= SHOWN:
        with contextlib.suppress(EngineFault):
            snippet = engine.snippet(case.kind, case.text)
    named = (
        fault.how == "error" and fault.stage != "compile"
    )  # an error while text is written is late, not wild
    return Finding(
        "limits",
        _CHECK[fault.how],
        "warning" if named else "error",
        f"{engine.name} {_WORD[fault.how]} on {case.name} ({at.get(fault.stage, fault.stage)})",
        f"a mask or an error by name within {seconds:g} s of computing and {MEMORY >> 20} MiB",
        fault.message,
        said,
        snippet=snippet,
        cause=f"{case.name} ({fault.how})",
        extra={"where": where},
    )


def walk(compiled: Any, vocabulary: Vocabulary) -> dict[str, float]:
    """Some masks along the first allowed tokens, in the process of the engine.

    Parameters
    ----------
    compiled : Compiled
        The grammar.
    vocabulary : Vocabulary
        Its tokens.

    Returns
    -------
    dict
        ``slowest``: seconds of the slowest mask; ``peak``: MiB of the process at its largest.
    """
    matcher, slowest = compiled.matcher(), 0.0
    for _ in range(STEPS):
        begun = time.monotonic()
        mask = matcher.mask()
        slowest = max(slowest, time.monotonic() - begun)
        ids = [t for t in np.flatnonzero(mask).tolist() if t not in vocabulary.eos_ids]
        if not ids or not matcher.advance(ids[0]):
            break
    return {"slowest": slowest, "peak": _peak()}


def _peak() -> float:
    try:
        import resource
    except ImportError:  # not a POSIX system
        return float("nan")
    import sys

    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / (1 << 20)
