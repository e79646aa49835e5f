"""Masks of JSON schemas beside llguidance, xgrammar and outlines-core, in one run.

Law: every engine has a process of its own on one thread and reads the same tokens of the same instances,
schema by schema in turn; ratios count.
Cost: 0.2 s a schema for each of gramspec's four engines and for llguidance, 1 s for xgrammar, 10 s for
outlines-core: 300 schemas take about 30 minutes, 5 with `--engines gramspec,llguidance`.

    python -m benchmarks.masks --schemas 20 --engines gramspec,llguidance --out /tmp/masks
    python -m benchmarks.masks --file schema.json --instances one.json two.jsonl

Cold: vocabulary and engine are built, nothing is kept that depends on an earlier schema. Steady: one engine
serves all schemas, as in normal use. The peers keep nothing between schemas.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.engines import KINDS, Spec, installed
from benchmarks.measure import rows as rows_
from benchmarks.measure.figures import Readings
from benchmarks.measure.fleet import EngineError, Fleet, Rules
from benchmarks.measure.report import Run, machine, report
from benchmarks.measure.rows import DATA, ROOT, Row
from benchmarks.measure.tokens import TokenTable, default_file, tekken

ORDERS = {"any": ["any"], "schema": ["schema"], "both": ["any", "schema"]}


def specs(kinds: Sequence[str], order: str, formats: str) -> list[Spec]:
    """The engines of a run; gramspec cold and steady, for one or both orders of keys."""
    out = []
    for kind in kinds:
        if kind != "gramspec":
            out.append(Spec(kind, kind))
            continue
        for each in ORDERS[order]:
            for cold in (True, False):
                name = f"gramspec {'cold' if cold else 'steady'}"
                name += f", keys {each}" if order == "both" else ""
                out.append(Spec(name, kind, {"order": each, "formats": formats, "cold": cold}))
    return out


def run(
    title: str, engines: list[Spec], table: TokenTable, rows: list[Row], rules: Rules, console: Console
) -> Run:
    """Read every row with every engine."""
    about = machine()
    readings: Readings = {spec.name: [] for spec in engines}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("building the engines", total=len(rows))
        with Fleet(engines, table, rules) as fleet:
            for row in rows:
                progress.update(task, description=row.id[:40])
                for name, reading in fleet.read(row.job).items():
                    readings[name].append(reading)
                progress.advance(task)
            memory = {runner.spec.name: runner.memory for runner in fleet.runners}
            setup = {runner.spec.name: runner.setup for runner in fleet.runners}
            used = {runner.spec.name: runner.used for runner in fleet.runners}
    about["load after"] = machine()["load"]
    return Run(title, engines, rows, readings, memory, setup, used, about)


def parser() -> argparse.ArgumentParser:
    out = argparse.ArgumentParser(
        prog="python -m benchmarks.masks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = out.add_argument_group("what is read")
    what.add_argument("--schemas", type=int, default=300, help="how many schemas (default 300)")
    what.add_argument("--seed", type=int, default=0, help="seed of the sample (default 0)")
    place = f"../{DATA.relative_to(ROOT.parent)}"
    what.add_argument("--data", type=Path, help=f"folder of MaskBench-style *.jsonl.gz (default {place})")
    what.add_argument("--file", type=Path, action="append", help="a schema, or {schema, tests}; repeatable")
    what.add_argument(
        "--instances", type=Path, nargs="+", default=[], help="instances of --file, .json or .jsonl"
    )
    what.add_argument("--vocabulary", type=int, help="ids to keep of Tekken's 131,072 (default all)")
    who = out.add_argument_group("engines")
    who.add_argument("--engines", default=",".join(KINDS), help="comma-separated (default all: %(default)s)")
    who.add_argument("--alone", action="store_true", help="gramspec only")
    who.add_argument(
        "--order", choices=list(ORDERS), default="both", help="gramspec's key order (default both)"
    )
    who.add_argument("--formats", choices=["annotate", "assert"], default="annotate", help="for gramspec")
    rules = out.add_argument_group("rules")
    rules.add_argument("--clock", choices=["wall", "cpu"], default="wall", help="cpu: for busy machines")
    rules.add_argument("--seconds", type=float, default=20.0, help="to a first mask at most (default 20)")
    rules.add_argument(
        "--budget", type=float, default=900.0, help="seconds of an engine in all (default 900)"
    )
    rules.add_argument(
        "--memory", type=float, default=8.0, help="GiB of address space of an engine (default 8)"
    )
    rules.add_argument("--cpu", type=int, help="core that every engine is bound to")
    to = out.add_argument_group("results")
    to.add_argument("--out", type=Path, help="folder for masks.md, masks.json and masks.png")
    to.add_argument("--json", type=Path, help="file for the figures alone")
    return out


def main(argv: Sequence[str] | None = None) -> int:
    options = parser()
    args = options.parse_args(argv)
    kinds = ["gramspec"] if args.alone else [kind.strip() for kind in args.engines.split(",")]
    for kind in kinds:
        if kind not in KINDS:
            options.error(f"no engine {kind!r}: choose from {', '.join(KINDS)}")
        if not installed(kind):
            options.error(f'{kind} is not installed: pip install -e ".[bench]", or choose --engines')
    if args.instances and not args.file:
        options.error("--instances belong to a --file")
    console = Console(stderr=True)
    table = tekken(default_file(), args.vocabulary)
    encode = table.encoder()
    data: Path = args.data or DATA
    if args.file:
        rows = [rows_.own(file, args.instances, encode) for file in args.file]
    elif any(data.glob("*.jsonl.gz")):
        rows = rows_.sample(data, args.schemas, args.seed, encode)
    else:
        console.print(f"no *.jsonl.gz in {data}; pass --data DIR with MaskBench-style files, or --file FILE")
        return 2 if args.data else 0
    rules = Rules(args.clock, args.seconds, args.budget, int(args.memory * 2**30), args.cpu)
    length = sum(row.tokens for row in rows)
    title = (
        f"Tekken, {len(table):,} ids; {len(rows)} schemas, {length:,} tokens of instances"
        + ("" if args.file else f", seed {args.seed}")
        + f"; formats {args.formats}; one thread, {args.clock} clock, {args.seconds:g} s limit"
    )
    try:
        result = run(title, specs(kinds, args.order, args.formats), table, rows, rules, console)
    except EngineError as error:
        console.print(f"error: {error}", style="red")
        return 1
    text, figures = report(result)
    figures["arguments"] = {key: str(value) for key, value in vars(args).items()}
    print(text)
    if args.json:
        args.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")
    if args.out:
        from benchmarks.measure import plots

        args.out.mkdir(parents=True, exist_ok=True)
        (args.out / "masks.md").write_text(text, encoding="utf-8")
        (args.out / "masks.json").write_text(json.dumps(figures, indent=1), encoding="utf-8")
        ours = [spec.name for spec in result.specs if spec.ours]
        plots.save(result.readings, ours, args.out / "masks.png", title)
        console.print(f"written: {args.out}/masks.md, masks.json, masks.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
