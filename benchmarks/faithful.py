"""Target forwards per exact sample: gramspec beside CARS, ARS, rejection, MCMC, SMC and masked decoding.

Law: all methods read the same rows, masks and budgets; forwards count sequences (a batch of B counts B),
without batching across attempts. Example: `python -m benchmarks.faithful --quick --out results`
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import gramspec as gs
from benchmarks.faithfulness import figures as fig
from benchmarks.faithfulness.laws import cold_draws, compare, draws_needed, law_of, planted_draws
from benchmarks.faithfulness.methods import GUARANTEE, LEARNS, METHODS, Pair, Run, plain, timed
from benchmarks.faithfulness.pair import trained_pair
from benchmarks.faithfulness.tasks import TASKS, Task

LAW_METHODS = ("gramspec", "gramspec model-free", "cars", "mcmc", "smc+awrs", "asap", "masked")


def chosen_tasks(text: str, pairs: Sequence[str]) -> list[Task]:
    wanted = [name.strip() for name in text.split(",") if name.strip()]
    known = {task.name for task in TASKS}
    for name in wanted:
        if name not in known:
            raise SystemExit(f"no task {name!r}; there are: {', '.join(sorted(known))}")
    return [t for t in TASKS if t.pair in pairs and (not wanted or t.name in wanted)]


def measure(
    pair: Pair, task: Task, methods: Sequence[str], args: argparse.Namespace, bar: Any
) -> dict[str, list[Run]]:
    """Every method on one task, repeat by repeat; what a file holds already is taken from there."""
    store = args.out / "faithful-runs" / f"{task.pair} {task.name}.json"
    key = f"{gs.__version__} {args.draws} {args.cap} {args.rival_cap} {args.seed}"
    runs: dict[str, list[Run]] = {}
    if (args.resume or args.report) and store.is_file():
        kept = json.loads(store.read_text("utf-8"))
        if kept["key"] == key:
            runs = {name: [Run.read(each) for each in found] for name, found in kept["runs"].items()}
    if args.report:
        both = min(len(runs.get(name, [])) for name in (args.ours, "cars"))
        return {name: runs.get(name, [])[:both] for name in methods}
    store.parent.mkdir(parents=True, exist_ok=True)
    for repeat in range(args.repeats):
        missing = [name for name in methods if len(runs.setdefault(name, [])) == repeat]
        for name in missing:
            if name not in ("cars", args.ours) and repeat >= args.rival_repeats:
                continue
            draws = args.draws if name in LEARNS else min(args.draws, 20)  # the others' draws cost alike
            made = timed if repeat == 0 and name in (args.ours, "cars") else plain
            cap = args.cap if name == "cars" or name.startswith("gramspec") else args.rival_cap
            run = made(METHODS[name], pair, task, draws, args.seed + repeat, cap)
            if run.capped and name == args.ours:
                raise SystemExit(f"{task.name}: {name} spent {run.spent} forwards; raise --cap")
            runs[name].append(run)
        if missing:
            pair.forget_some()
            written = {name: [run.written() for run in found] for name, found in runs.items()}
            store.write_text(json.dumps({"key": key, "runs": written}), "utf-8")
        bar.update(1)
    return {name: runs.get(name, [])[: args.repeats] for name in methods}


def law_section(
    pairs: dict[str, Pair], tasks: Sequence[Task], args: argparse.Namespace
) -> tuple[str, list[Any]]:
    """Cold draws of the enumerable tasks against their exact law, and draws of a law at a known distance."""
    data = []
    methods = [name.strip() for name in args.law_methods.split(",")]
    for task in tasks:
        if not task.enumerable:
            continue
        pair = pairs[task.pair]
        law = law_of(pair, task)
        count = draws_needed(law, args.law_tv, args.law_draws)
        for name in methods:
            print(f"law of {name} on {task.name}: {count} draws", file=sys.stderr)
            found = cold_draws(METHODS[name], pair, task, count, args.seed + 1_000_000)
            claim = GUARANTEE.get(name, "exact")
            row = {"task": task.name, "method": name, "claim": claim}
            data.append({**row, **compare(found, law, args.law_tv)})
            pair.forget_some()
        found = planted_draws(law, args.law_tv, count, args.seed)
        row = {"task": task.name, "method": f"a law at TV {args.law_tv:g}", "claim": "planted"}
        data.append({**row, **compare(found, law, args.law_tv)})
    header = ["task", "method", "claim", "draws", "cells", "X² p", f"power at TV {args.law_tv:g}"]
    header += ["TV (floor)", "KL(draws‖law) (floor)", "KL(law‖draws) (floor)"]
    lines = [
        [
            each["task"],
            each["method"],
            each["claim"],
            each["draws"],
            each["cells"],
            each["p"],
            "-" if each["power"] is None else f"{each['power']:.3f}",
            f"{each['tv']:.4f} ({each['tv floor']:.4f})",
            f"{each['kl draws||law']:.4f} ({each['kl draws||law floor']:.4f})",
            f"{each['kl law||draws']:.4f} ({each['kl law||draws floor']:.4f})",
        ]
        for each in data
    ]
    return fig.table(header, lines), data


def positions_table(
    runs: dict[str, dict[str, list[Run]]],
    methods: Sequence[str],
    pairs: dict[str, Pair],
    tasks: Sequence[Task],
) -> str:
    """Per sample: positions scored, draft forwards, attempts, CPU time alone and with the models.

    The time alone is that of the first repeat once all of its rows are known.
    """
    lines = []
    costs_of = {name: pair.forward_seconds() for name, pair in pairs.items()}
    for (task, row), of in zip(runs.items(), tasks, strict=True):
        base, slope, drafting = costs_of[of.pair]
        for name in methods:
            costs = [cost for run in row[name] for cost in run.costs]
            if costs:
                n = len(costs)
                own = [r.seconds / len(r.costs) for r in row[name] if r.seconds is not None and r.costs]
                model = sum(
                    base * c.forwards + slope * c.positions + drafting * c.draft_forwards for c in costs
                )
                lines.append(
                    [
                        task,
                        name,
                        sum(c.positions for c in costs) / n,
                        sum(c.draft_forwards for c in costs) / n,
                        sum(c.attempts for c in costs) / n,
                        1e3 * own[0] if own else "-",
                        1e3 * (own[0] + model / n) if own else "-",
                    ]
                )
    return fig.table(
        ["task", "method", "positions", "draft forwards", "attempts", "own CPU ms", "with models"], lines
    )


def forwards_section(
    runs: dict[str, dict[str, list[Run]]],
    methods: Sequence[str],
    pairs: dict[str, Pair],
    tasks: Sequence[Task],
    args: argparse.Namespace,
) -> tuple[list[str], dict[str, Any]]:
    """Bars and tables of what a sample costs."""
    found = {
        task: {name: fig.figure(each, args.draws) for name, each in row.items() if each}
        for task, row in runs.items()
        if row[args.ours] and row["cars"]
    }
    outcomes = fig.bars(found, args.ours)
    parts: list[str] = []
    lines = [
        [
            bar.name,
            bar.mean,
            bar.limit,
            f"{bar.worst:.3g} ({bar.worst_task})",
            "met" if bar.met else "NOT met",
        ]
        for bar in outcomes
    ]
    head = ["ratio", "geometric mean", "at most", "largest 95% upper bound (at most 1.1)", "bar"]
    parts.append("## Bars\n\n" + fig.table(head, lines))
    for when, label in (("first", "First sample"), ("each", f"Over {args.draws} draws")):
        note = "Mean target forwards. ≥: capped. ~: consistent, !: biased (one draw of another law).\n\n"
        parts.append(f"## {label}\n\n{note}" + fig.forwards_table(found, methods, when))
        lines = [
            [r.task, len(found[r.task][args.ours].each), r.value, r.upper, m.value, m.upper]
            for r, m in zip(
                fig.ratios(found, args.ours, "cars", when),
                fig.ratios(found, args.ours, "cars", f"{when}_fresh"),
                strict=True,
            )
        ]
        head = [
            "task",
            "repeats",
            f"{args.ours} / CARS",
            "95% upper",
            f"{args.ours} / CARS + memo",
            "95% upper",
        ]
        parts.append(fig.table(head, lines))
    parts.append("## Beside it, per sample\n\n" + positions_table(runs, methods, pairs, tasks))
    repeats = sorted({len(row[args.ours].each) for row in found.values()})
    note = f"{len(found)} tasks, {'–'.join(map(str, dict.fromkeys((repeats[0], repeats[-1]))))} repeats"
    fig.plot(found, args.ours, args.out / "faithful.png", f"{note} of {args.draws} draws, cold trie each")
    bars = [{**asdict(bar), "met": bar.met} for bar in outcomes]
    return parts, {"bars": bars, "forwards": {task: fig.as_json(row) for task, row in found.items()}}


def title_of(tasks: Sequence[Task], args: argparse.Namespace) -> str:
    return (
        f"{len(tasks)} tasks, up to {args.repeats} repeats of {args.draws} draws, cold trie each;"
        f" seed {args.seed}, cap {args.cap} forwards, gramspec {gs.__version__}"
    )


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("build/bench"), help="folder of results and weights")
    parser.add_argument("--pairs", default="embedded,trained", help="which pairs of models")
    parser.add_argument("--tasks", default="", help="names of tasks, separated by commas; all by default")
    parser.add_argument("--methods", default=",".join(METHODS), help="methods, separated by commas")
    parser.add_argument("--ours", default="gramspec", help="the method the bars are about")
    parser.add_argument(
        "--repeats", type=int, default=50, help="repeats per task, each on a cold trie; 0: laws alone"
    )
    parser.add_argument("--rival-repeats", type=int, default=5, help="repeats of the methods without a bar")
    parser.add_argument("--draws", type=int, default=100, help="exact samples per repeat")
    parser.add_argument("--cap", type=int, default=20_000, help="forwards after which a run is given up")
    parser.add_argument("--rival-cap", type=int, default=5000, help="the same for methods without a bar")
    parser.add_argument("--law-draws", type=int, default=3000, help="cold draws at most; 0: none")
    parser.add_argument("--law-tv", type=float, default=0.03, help="distance to be found with power 0.99")
    parser.add_argument("--law-methods", default=",".join(LAW_METHODS), help="methods whose law is tested")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--resume", action="store_true", help="take tasks that --out holds with equal settings"
    )
    parser.add_argument("--report", action="store_true", help="run nothing, tell what --out holds")
    parser.add_argument("--quick", action="store_true", help="a few minutes: 3 repeats of 20 draws")
    args = parser.parse_args(argv)
    if args.quick:
        args.repeats, args.rival_repeats, args.draws = 3, 1, 20
        args.cap, args.law_draws = min(args.cap, 3000), min(args.law_draws, 200)
    methods = [name.strip() for name in args.methods.split(",")]
    for name in (*methods, args.ours):
        if name not in METHODS:
            raise SystemExit(f"no method {name!r}; there are: {', '.join(METHODS)}")
    methods = list(dict.fromkeys([args.ours, "cars", *methods]))
    tasks = chosen_tasks(args.tasks, args.pairs.split(","))
    from tqdm import tqdm

    args.out.mkdir(parents=True, exist_ok=True)
    models = {"embedded": gs.models.embedded, "trained": lambda: trained_pair(args.out / "pair")}
    pairs: dict[str, Pair] = {}
    runs: dict[str, dict[str, list[Run]]] = {}
    begun = time.monotonic()
    with tqdm(total=len(tasks) * args.repeats, desc="repeats", mininterval=2.0) as bar:
        for task in tasks:
            if task.pair not in pairs:
                pairs[task.pair] = Pair(*models[task.pair]())
            bar.set_postfix_str(task.name)
            runs[f"{task.name} ({task.pair})"] = measure(pairs[task.pair], task, methods, args, bar)
    parts = [f"# Target forwards per exact sample\n\n{title_of(tasks, args)}"]
    data: dict[str, Any] = {"title": title_of(tasks, args)}
    if any(row[args.ours] for row in runs.values()):
        more, forwards = forwards_section(runs, methods, pairs, tasks, args)
        parts += more
        data.update(forwards)
    law_data: list[Any] = []
    if args.law_draws:
        text, law_data = law_section(pairs, tasks, args)
        parts.append(f"## Law of cold draws\n\n{text}")
    text = "\n\n".join(parts) + "\n"
    print(text)
    (args.out / "faithful.md").write_text(text, "utf-8")
    data.update(laws=law_data, seconds=time.monotonic() - begun)
    (args.out / "faithful.json").write_text(json.dumps(data, indent=1), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
