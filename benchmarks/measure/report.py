"""Tables of a run in Markdown, and the same figures for JSON.

Law: what is printed, written to the Markdown file and to the JSON file comes from one computation.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks.engines import Spec, version
from benchmarks.measure import figures
from benchmarks.measure.bars import Outcome, outcomes
from benchmarks.measure.figures import STATISTICS, VERDICTS, Readings
from benchmarks.measure.fleet import Memory
from benchmarks.measure.rows import Row


@dataclass
class Run:
    """All that came out of a run."""

    title: str
    specs: list[Spec]
    rows: list[Row]
    readings: Readings
    memory: dict[str, Memory]
    setup: dict[str, dict[str, float]]
    used: dict[str, float]  # seconds of the run
    machine: dict[str, str]


def machine() -> dict[str, str]:
    """The machine and how busy it is; taken before and after a run."""
    model = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    cores = len(os.sched_getaffinity(0))
    return {"cpu": f"{model}, {cores} cores", "load": " ".join(f"{x:.2f}" for x in os.getloadavg())}


def versions(specs: Sequence[Spec]) -> dict[str, str]:
    """Versions of Python, numpy and every engine of a run."""
    kinds = dict.fromkeys(spec.kind for spec in specs)
    found = {"python": platform.python_version(), "numpy": metadata.version("numpy")}
    return found | {kind: version(kind) for kind in kinds}


def show(value: Any) -> str:
    """A cell: numbers to about three figures."""
    if isinstance(value, float):
        return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def table(header: Sequence[str], lines: Iterable[Sequence[Any]]) -> str:
    """A Markdown table."""
    out = ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
    return "\n".join(out + ["| " + " | ".join(map(show, line)) + " |" for line in lines])


def section(title: str, *bodies: str) -> str:
    return "\n\n".join([f"## {title}", *bodies])


def times(title: str, found: dict[str, dict[str, float]], ratio_of: Sequence[tuple[str, str]] = ()) -> str:
    """A table of summaries (µs), with ratios ours / theirs below."""
    lines: list[list[Any]] = []
    for name, each in found.items():
        lines.append([name, int(each["n"]), *(each.get(s, "-") for s in STATISTICS)])
    for ours, theirs in ratio_of:
        if found[ours]["n"] and found[theirs]["n"]:
            ratios = [found[ours][s] / found[theirs][s] for s in STATISTICS]
            lines.append([f"{ours} / {theirs}", "", *(f"{r:.2f}×" for r in ratios)])
    return f"**{title}** (µs)\n\n" + table(["", "n", *STATISTICS], lines)


def bars(found: Sequence[Outcome]) -> str:
    """The bars: each ratio with both values, and whether it passes."""
    lines = []
    for each in found:
        cells = [f"{r:.2f}× {peer}" for peer, r in each.ratios.items()]
        values = [f"{show(own)} / {show(theirs)}" for own, theirs in each.values.values()]
        verdict = {True: "pass", False: "**fail**", None: "not measured"}[each.passed]
        bar = f"{each.bar.name} ≤ {each.bar.limit:.2f}×"
        lines.append([each.ours, bar, "; ".join(cells), "; ".join(values), verdict])
    unit = "Ratios are ours / theirs (µs; memory in MiB) on what both compile and read."
    return unit + "\n\n" + table(["engine", "bar", "ratios", "ours / theirs", ""], lines)


def report(run: Run) -> tuple[str, dict[str, Any]]:
    """All tables, and the same figures for JSON."""
    names = [spec.name for spec in run.specs]
    ours = [spec.name for spec in run.specs if spec.ours]
    peers = [spec.name for spec in run.specs if not spec.ours]
    found = outcomes(run.specs, run.readings, run.memory)
    counts = {name: figures.verdicts(run.rows, run.readings[name]) for name in names}
    alone = {name: figures.measures(run.readings, [name])[name].figures() for name in names}
    known = versions(run.specs)
    head = "; ".join(f"{name} {number}" for name, number in (known | run.machine).items())
    texts = [f"# Masks of JSON schemas\n\n{run.title}\n\n{head}"]
    if peers and ours:
        texts.append(section("Bars", bars(found)))
    lines = [[name, *(counts[name][v] for v in VERDICTS)] for name in names]
    texts.append(section("Verdicts", table(["", *VERDICTS], lines)))
    texts.append(section("Vocabulary and memory", _costs(run)))
    bodies = [times("Time to first mask", {n: alone[n]["first mask"] for n in names})]
    bodies.append(times("Mask and commit of a token", {n: alone[n]["mask and commit"] for n in names}))
    bodies.append(times("Mask alone", {n: alone[n]["mask"] for n in names}))
    bodies.append(
        times("Compile plus all masks of a schema", {n: alone[n]["compile and all masks"] for n in names})
    )
    rates = [[n, *alone[n]["tokens per second"].values()] for n in names]
    bodies.append("**Tokens per second**\n\n" + table(["", "masks", "with compiling"], rates))
    texts.append(section("All that each engine compiles", *bodies))
    pairs: dict[str, Any] = {}
    for peer in peers:
        bodies = []
        for own in ours:
            pair = figures.as_json(figures.measures(run.readings, [own, peer]))
            pairs[f"{own} and {peer}"] = pair
            for figure in ("first mask", "mask and commit", "compile and all masks"):
                each = {name: pair[name][figure] for name in (own, peer)}
                if each[own]["n"]:
                    bodies.append(times(figure.capitalize(), each, [(own, peer)]))
        texts.append(section(f"Pairwise with {peer}", *(bodies or ["Nothing in common."])))
    split = {name: each for name in names if (each := figures.parts(run.readings[name]))}
    for name, each in split.items():
        texts.append(times(f"Where {name} spends the time to first mask", each))
    slow = figures.slowest(run.rows, run.readings)
    texts.append(section("Slowest", table(["engine", "what", "schemas (ms)"], slow)))
    reasons = {name: figures.refusals(run.readings[name]) for name in names}
    lines = [
        [n, count, why.replace("|", "\\|")] for n in names for why, count in list(reasons[n].items())[:6]
    ]
    texts.append(section("Refusals", table(["engine", "schemas", "reason"], lines)))
    data = {
        "title": run.title,
        "versions": known,
        "machine": run.machine,
        "bars": [_bar(each) for each in found],
        "verdicts": counts,
        "setup seconds": run.setup,
        "took seconds": run.used,
        "memory bytes": {name: vars(each) for name, each in run.memory.items()},
        "all": alone,
        "pairwise": pairs,
        "parts": split,
        "slowest": slow,
        "refusals": reasons,
    }
    return "\n\n".join(texts) + "\n", data


def _costs(run: Run) -> str:
    lines = []
    for name, memory in run.memory.items():
        setup = run.setup[name]
        steps = ", ".join(f"{part} {seconds * 1e3:.0f}" for part, seconds in setup.items())
        growth: Any = "-" if memory.growth is None else memory.growth / 2**20
        mib = (memory.built / 2**20, growth, memory.peak / 2**20)
        lines.append([name, sum(setup.values()) * 1e3, *mib, run.used[name], steps])
    header = [
        "",
        "build ms",
        "built MiB",
        "growth after it MiB",
        "peak MiB",
        "took s",
        "building (ms)",
    ]
    return table(header, lines)


def _bar(outcome: Outcome) -> dict[str, Any]:
    bar = outcome.bar
    return {
        "engine": outcome.ours,
        "bar": bar.name,
        "limit": bar.limit,
        "ratios": outcome.ratios,
        "values": outcome.values,
        "passed": outcome.passed,
    }
