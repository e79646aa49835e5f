"""How costs grow: with the vocabulary, nesting, the size of a schema; and warm against cold.

Law: each point reads its schemas several times in a row. Cold forgets before each reading; steady is the
first sight of a schema by an engine that has read others; warm is every later one. Peers keep nothing:
their later readings count. Cost: about 5 minutes without, 15 with xgrammar (`--engines`).

    python -m benchmarks.sweeps --sweeps keys,vocabulary --schemas 6 --out /tmp/sweeps
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.engines import KINDS, Spec, installed
from benchmarks.measure import rows as rows_
from benchmarks.measure.families import FAMILIES, member
from benchmarks.measure.fleet import EngineError, Fleet, Rules
from benchmarks.measure.reading import Reading
from benchmarks.measure.report import machine, table, versions
from benchmarks.measure.rows import DATA, Row
from benchmarks.measure.tokens import default_file, tekken

VOCABULARIES = (4096, 8192, 16384, 32768, 65536, 131072)
VOCABULARY = "vocabulary"
FIGURES = ("build ms", "first mask µs", "mask mean µs", "mask p99 µs", "schemas")


@dataclass
class Point:
    """One engine at one size."""

    build: float  # seconds
    firsts: list[float] = field(default_factory=list)
    steps: list[NDArray[np.float64]] = field(default_factory=list)

    def add(self, readings: Sequence[Reading]) -> None:
        """The median time to first mask of these readings of a schema, and every mask."""
        self.firsts.append(float(np.median([reading.first_mask for reading in readings])))
        for reading in readings:
            self.steps += [reading.steps(j) for j in range(len(reading.fills))]

    def figures(self) -> dict[str, float]:
        """Mean over the schemas of the time to first mask; masks with commits."""
        if not self.firsts:
            return {"build ms": self.build * 1e3, "schemas": 0}
        steps = np.concatenate([*self.steps, np.zeros(0)]) * 1e6
        values = (self.build * 1e3, float(np.mean(self.firsts)) * 1e6)
        masks = (float(steps.mean()), float(np.percentile(steps, 99))) if len(steps) else (0.0, 0.0)
        return dict(zip(FIGURES, (*values, *masks, len(self.firsts)), strict=True))


def specs(kinds: Sequence[str]) -> list[Spec]:
    """gramspec cold and steady, and the peers."""
    out = []
    for kind in kinds:
        if kind == "gramspec":
            out += [Spec(f"gramspec {name}", kind, {"cold": name == "cold"}) for name in ("cold", "steady")]
        else:
            out.append(Spec(kind, kind))
    return out


def measure(fleet: Fleet, rows: Sequence[Row], times: int, others: Sequence[Row] = ()) -> dict[str, Point]:
    """Read each row `times` times after a first; after `others` the steady engine's first is a series."""
    points: dict[str, Point] = {}
    for runner in fleet.runners:
        name, build = runner.spec.name, sum(runner.setup.values())
        steady = name == "gramspec steady"
        if steady:
            for row in others:
                runner.read(row.job)
        later = points.setdefault("gramspec warm" if steady else name, Point(build))
        for row in rows:
            readings = [runner.read(row.job)]
            if readings[0].refused:
                continue
            readings += [runner.read(row.job) for _ in range(times)]
            if any(reading.refused for reading in readings):
                continue
            later.add(readings[1:])
            if steady and others:
                points.setdefault(name, Point(build)).add(readings[:1])
    return points


Sweep = dict[int, dict[str, Point]]  # size: engine: its figures


def tables(found: dict[str, Sweep]) -> str:
    """One table for each sweep."""
    texts = []
    for name, sweep in found.items():
        lines = []
        for size, points in sweep.items():
            for engine, point in points.items():
                each = point.figures()
                lines.append([f"{size:,}", engine, *(each.get(figure, "-") for figure in FIGURES)])
        texts.append(f"## {name.capitalize()}\n\n" + table([name, "engine", *FIGURES], lines))
    return "\n\n".join(texts)


def plot(found: dict[str, Sweep], path: Path, title: str) -> None:
    """Time to first mask and mean mask against size, one row of panels for each sweep."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    grid, panels = plt.subplots(
        len(found), 2, figsize=(11, 3.2 * len(found)), layout="constrained", squeeze=False
    )
    names = list(dict.fromkeys(n for sweep in found.values() for points in sweep.values() for n in points))
    colours = plt.rcParams["axes.prop_cycle"].by_key()["color"]
    for (sweep_name, sweep), row in zip(found.items(), panels, strict=True):
        for axes, figure in zip(row, ("first mask µs", "mask mean µs"), strict=True):
            for number, name in enumerate(names):
                pairs = [(s, p[name].figures().get(figure)) for s, p in sweep.items() if name in p]
                known = [(s, value) for s, value in pairs if value]
                style = "o-" if name.startswith("gramspec") else "s--"
                if known:
                    axes.plot(*zip(*known, strict=True), style, color=colours[number], label=name, ms=3)
            axes.set(xscale="log", yscale="log", xlabel=sweep_name, ylabel=figure)
            axes.grid(alpha=0.3, which="both")
    handles = {
        name: h for axes in panels.flat for h, name in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    grid.legend(
        handles.values(), handles.keys(), loc="outside lower center", ncols=len(handles), frameon=False
    )
    grid.suptitle(title, fontsize=10)
    grid.savefig(path, dpi=130)
    plt.close(grid)


def parser() -> argparse.ArgumentParser:
    out = argparse.ArgumentParser(
        prog="python -m benchmarks.sweeps",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    out.add_argument(
        "--sweeps", default=",".join([VOCABULARY, *SHORT]), help="comma-separated (default all: %(default)s)"
    )
    out.add_argument("--engines", default="gramspec,llguidance,xgrammar", help="default %(default)s")
    out.add_argument("--schemas", type=int, default=20, help="real schemas for each vocabulary (default 20)")
    out.add_argument("--seed", type=int, default=0, help="seed of their sample (default 0)")
    out.add_argument("--data", type=Path, default=DATA, help="folder of MaskBench-style *.jsonl.gz")
    out.add_argument("--times", type=int, default=3, help="readings that count (default 3)")
    out.add_argument("--seconds", type=float, default=10.0, help="to a first mask at most (default 10)")
    out.add_argument("--clock", choices=["wall", "cpu"], default="wall", help="cpu: for busy machines")
    out.add_argument("--out", type=Path, help="folder for sweeps.md, sweeps.json and sweeps.png")
    return out


SHORT = {name.split()[0]: name for name in FAMILIES}


def main(argv: Sequence[str] | None = None) -> int:
    options = parser()
    args = options.parse_args(argv)
    kinds = args.engines.split(",")
    for kind in kinds:
        if kind not in KINDS:
            options.error(f"no engine {kind!r}: choose from {', '.join(KINDS)}")
        if not installed(kind):
            options.error(f'{kind} is not installed: pip install -e ".[bench]", or choose --engines')
    chosen = args.sweeps.split(",")
    for name in chosen:
        if name != VOCABULARY and name not in SHORT:
            options.error(f"no sweep {name!r}: choose from {', '.join([VOCABULARY, *SHORT])}")
    console = Console(stderr=True)
    rules = Rules(args.clock, args.seconds)
    engines = specs(kinds)
    about = machine()
    found: dict[str, Sweep] = {}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    total = sum(len(VOCABULARIES if name == VOCABULARY else FAMILIES[SHORT[name]][1]) for name in chosen)
    try:
        with Progress(*columns, console=console, transient=True) as progress:
            task = progress.add_task("", total=total)
            for name in chosen:
                if name == VOCABULARY:
                    if not any(args.data.glob("*.jsonl.gz")):
                        console.print(f"no *.jsonl.gz in {args.data}: the sweep of vocabularies is left out")
                        continue
                    sweep = found[VOCABULARY] = {}
                    for size in VOCABULARIES:
                        progress.update(task, description=f"{name} {size}")
                        tokens = tekken(default_file(), size)
                        rows = rows_.sample(args.data, 2 * args.schemas, args.seed, tokens.encoder())
                        rows, others = rows[: args.schemas], rows[args.schemas :]
                        with Fleet(engines, tokens, rules) as fleet:
                            sweep[len(tokens)] = measure(fleet, rows, args.times, others)
                        progress.advance(task)
                    continue
                tokens = tekken(default_file())
                encode = tokens.encoder()
                sweep = found[SHORT[name]] = {}
                with Fleet(engines, tokens, rules) as fleet:
                    for size in FAMILIES[SHORT[name]][1]:
                        progress.update(task, description=f"{name} {size}")
                        sweep[size] = measure(fleet, [member(SHORT[name], size, encode)], args.times)
                        progress.advance(task)
    except EngineError as error:
        console.print(f"error: {error}", style="red")
        return 1
    about["load after"] = machine()["load"]
    head = "; ".join(f"{key} {value}" for key, value in (versions(engines) | about).items())
    title = f"Tekken; {args.clock} clock, one thread"
    text = f"# How costs grow\n\n{title}. Masks are timed with their commits.\n\n{head}\n\n{tables(found)}\n"
    print(text)
    if args.out:
        args.out.mkdir(parents=True, exist_ok=True)
        data: dict[str, Any] = {"head": head, "arguments": {k: str(v) for k, v in vars(args).items()}}
        for name, sweep in found.items():
            data[name] = {size: {n: p.figures() for n, p in points.items()} for size, points in sweep.items()}
        (args.out / "sweeps.md").write_text(text, encoding="utf-8")
        (args.out / "sweeps.json").write_text(json.dumps(data, indent=1), encoding="utf-8")
        if found:
            plot(found, args.out / "sweeps.png", title)
        console.print(f"written: {args.out}/sweeps.md, sweeps.json, sweeps.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
