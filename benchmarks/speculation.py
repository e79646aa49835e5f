"""Tokens per target forward and CPU time under a grammar, beside token-by-token and assisted generation.

Law: all decoders sample the masked law of the same models (X² says so); forwards are real, prompt included.
Example: `python -m benchmarks.speculation --quick --out results`
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import gramspec as gs
from benchmarks.faithfulness.ceilings import ceilings
from benchmarks.faithfulness.decoders import OURS, REFERENCES, Decoder, Setting, Speed
from benchmarks.faithfulness.figures import geometric_mean, table
from benchmarks.faithfulness.pair import trained_pair
from benchmarks.faithfulness.streams import STREAMS, Stream
from benchmarks.faithfulness.tasks import TASKS
from gramspec.audit import check_draws, empirical_tv, exact_law, power_line, tv_floor
from gramspec.decoding.kernel import MaskedLaw
from gramspec.decoding.rows import RowLaw
from gramspec.models.memo import MemoModel

SIZES = (16, 64, 128)
Models = dict[str, tuple[Any, Any]]


def stream_speeds(
    stream: Stream, models: Models, settings: Sequence[Setting], args: argparse.Namespace, bar: Any
) -> dict[Setting, Speed]:
    """Every setting on the same prompts, taking turns prompt by prompt so that load falls on all alike."""
    target, draft = models[stream.pair]
    compiled = gs.compile(stream.grammar(), target.vocabulary)
    prompts = [tuple(target.encode(text + "\n")) for text in stream.prompts(args.prompts, args.seed)]
    decoders = {
        s: Decoder(s, target, draft, compiled, stream.max_new_tokens, args.temperature) for s in settings
    }
    parts: dict[Setting, list[Speed]] = {s: [] for s in settings}
    for s in settings:  # caches of masks and code paths are warm for all
        Decoder(s, target, draft, compiled, stream.max_new_tokens, args.temperature).run(prompts[:1], 1)
    for k, prompt in enumerate(prompts):
        for s in settings:
            parts[s].append(decoders[s].run([prompt], args.seed * 100_000 + k))
        bar.update(1)
    return {s: total(each) for s, each in parts.items()}


def total(parts: Sequence[Speed]) -> Speed:
    return Speed(
        *(sum(getattr(p, n) for p in parts) for n in ("tokens", "forwards", "positions", "draft_forwards")),
        math.fsum(p.seconds for p in parts),
        tuple(y for p in parts for y in p.samples),
    )


def speed_rows(speeds: dict[Setting, Speed]) -> list[list[Any]]:
    plain = speeds[REFERENCES[0]]
    assisted = speeds.get(REFERENCES[1])
    rows: list[list[Any]] = []
    for setting, speed in speeds.items():
        rate = speed.seconds / max(1, speed.tokens)
        row: list[Any] = [
            setting.label,
            speed.per_forward,
            plain.seconds / max(1, plain.tokens) / rate,
            "-" if assisted is None else f"{assisted.seconds / max(1, assisted.tokens) / rate:.2f}",
            1e3 * rate,
            speed.positions / max(1, speed.forwards),
            speed.draft_forwards / max(1, speed.forwards),
        ]
        rows.append(row)
    return rows


HEADER = [
    "decoder",
    "tokens per target forward",
    "speed / transformers token by token",
    "speed / transformers assisted",
    "CPU ms per token",
    "positions per forward",
    "draft forwards per forward",
]


def bars(speeds: dict[str, dict[Setting, Speed]], ours: Setting) -> list[list[Any]]:
    """Geometric means over streams: target passes and CPU speed, beside both references."""
    rows: list[list[Any]] = []
    for reference in REFERENCES[:2]:
        passes, speed = [], []
        for each in speeds.values():
            mine, theirs = each[ours], each[reference]
            passes.append(mine.per_forward / theirs.per_forward)
            speed.append((theirs.seconds / theirs.tokens) / (mine.seconds / mine.tokens))
        for what, found, limit in (("fewer target passes", passes, 2.0), ("CPU speed", speed, 1.3)):
            mean = geometric_mean(found)
            rows.append(
                [
                    f"{ours.label} / {reference.label}: {what}",
                    mean,
                    min(found),
                    limit,
                    "met" if mean >= limit else "NOT met",
                ]
            )
    return rows


def law_checks(models: Models, settings: Sequence[Setting], draws: int, seed: int) -> list[list[Any]]:
    """Draws of every setting against the exact masked law of small tasks; what drafters learned stays.

    Rows are remembered, as what is tested is what drafts and verifiers make of them; every other draw is for
    another prompt, or tables would soon know K itself.
    """
    rows: list[list[Any]] = []
    for task in TASKS:
        if not task.enumerable or task.pair not in models:
            continue
        target, draft = (MemoModel(model) for model in models[task.pair])
        compiled = gs.compile(task.grammar(), target.vocabulary)
        prompt = tuple(target.encode(task.prompt + "\n"))
        other = tuple(target.encode(task.prompt.upper() + "?\n"))
        law = exact_law(
            target,
            compiled,
            task.max_new_tokens,
            vocabulary=target.vocabulary,
            prompt=prompt,
            temperature=task.temperature,
            law="masked",
            max_sequences=20_000,
        )
        for setting in settings:
            print(f"law of {setting.label} on {task.name}", file=sys.stderr)
            decoder = Decoder(setting, target, draft, compiled, task.max_new_tokens, task.temperature)
            samples = decoder.run([prompt, other] * draws, seed).samples[::2]
            test = check_draws(samples, law)
            cells = test.outcomes.cells
            rows.append(
                [
                    task.name,
                    setting.label,
                    test.smallest_p,
                    f"{empirical_tv(samples, law):.4f} ({tv_floor(law, draws):.4f})",
                    "-" if cells < 2 else f"{power_line(draws, 0.03, cells):.3f}",
                ]
            )
    return rows


def ceiling_rows(models: Models, streams: Sequence[Stream], args: argparse.Namespace) -> list[list[Any]]:
    """What no tree of fixed candidates can beat, and what nothing can."""
    rows: list[list[Any]] = []
    for stream in streams:
        target, _ = models[stream.pair]
        print(f"ceilings of {stream.name}", file=sys.stderr)
        compiled = gs.compile(stream.grammar(), target.vocabulary)
        law = MaskedLaw(
            compiled, RowLaw(args.temperature), budget=stream.max_new_tokens, width=target.vocab_size
        )
        texts = stream.prompts(args.ceiling_prompts, args.seed + 2)
        prompts = [tuple(target.encode(text + "\n")) for text in texts]
        found, longest = ceilings(target, law, prompts, SIZES, args.seed)
        rows.append([f"{stream.name} ({stream.pair})", *(found[n] for n in SIZES), longest])
    return rows


def sweep(
    models: Models, streams: Sequence[Stream], args: argparse.Namespace, bar: Any
) -> list[dict[str, Any]]:
    """Length, width, drafter, grammar and temperature, one point at a time."""
    settings = [Setting("model", length) for length in (1, 2, 4, 8, 12)]
    settings += [Setting("tree", length, width, 32) for length in (2, 4, 8) for width in (2, 4)]
    settings += [Setting("dyspec", 8, 4, nodes) for nodes in (8, 16, 32)]
    settings += [Setting("model-free", length, width, 12) for length in (4, 10) for width in (1, 8)]
    settings += [Setting("mixed", 6, 8, 16)]
    settings += [Setting("drawn tables", 32, 16, nodes) for nodes in (12, 24, 48, 96)]
    settings += [Setting("drawn tables and model", 32, 16, 48)]
    points = []
    for stream in streams:
        target, draft = models[stream.pair]
        compiled = gs.compile(stream.grammar(), target.vocabulary)
        texts = stream.prompts(args.sweep_prompts, args.seed + 1)
        prompts = [tuple(target.encode(text + "\n")) for text in texts]
        for temperature in (0.7, 1.0, 1.5):
            for setting in (Setting("none", 0), *settings):
                decoder = Decoder(setting, target, draft, compiled, stream.max_new_tokens, temperature)
                speed = decoder.run(prompts, args.seed)
                points.append(
                    {
                        "stream": stream.name,
                        "temperature": temperature,
                        "drafter": setting.drafter,
                        "length": setting.length,
                        "width": setting.width,
                        "nodes": setting.nodes,
                        "tokens per forward": speed.per_forward,
                        "ms per token": 1e3 * speed.seconds / max(1, speed.tokens),
                    }
                )
                bar.update(1)
    return points


def sweep_plot(points: Sequence[dict[str, Any]], path: Path) -> None:
    """Tokens per forward over draft length and width, by drafter; and by grammar and temperature."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    def mean(what: str, **wanted: Any) -> float:
        found = [p[what] for p in points if all(p[k] == v for k, v in wanted.items())]
        return geometric_mean(found) if found else math.nan

    figure, panels = plt.subplots(1, 5, figsize=(24, 4.6), layout="constrained")
    lengths = (1, 2, 4, 8, 12)
    for what, axes in zip(("tokens per forward", "ms per token"), panels[:2], strict=True):
        axes.plot(
            lengths, [mean(what, drafter="model", length=n) for n in lengths], "o-", label="model, chain"
        )
        for width in (2, 4):
            values = [mean(what, drafter="tree", length=n, width=width) for n in (2, 4, 8)]
            axes.plot((2, 4, 8), values, "s--", label=f"model, tree of width {width}")
        for width in (1, 8):
            values = [mean(what, drafter="model-free", length=n, width=width) for n in (4, 10)]
            axes.plot((4, 10), values, "^:", label=f"model-free, width {width}")
        axes.axhline(mean(what, drafter="none"), color="grey", linewidth=1, label="no draft")
        axes.set(xlabel="draft length", ylabel=what)
        axes.grid(alpha=0.3)
    panels[0].legend(fontsize=7)
    nodes = sorted({p["nodes"] for p in points if p["drafter"] == "drawn tables"})
    for what, style in (("tokens per forward", "o-"), ("ms per token", "s--")):
        values = [mean(what, drafter="drawn tables", nodes=n) for n in nodes]
        panels[4].plot(nodes, values, style, label=f"drawn tables, {what}")
    panels[4].set(xlabel="nodes of the tree")
    streams = list(dict.fromkeys(p["stream"] for p in points))
    for kind, wanted in (
        ("model", {"drafter": "model", "length": 4}),
        ("model-free", {"drafter": "model-free", "length": 10, "width": 8}),
        ("mixed", {"drafter": "mixed"}),
        ("dyspec", {"drafter": "dyspec", "nodes": 16}),
        ("drawn tables", {"drafter": "drawn tables", "nodes": 48}),
        ("drawn tables and model", {"drafter": "drawn tables and model"}),
    ):
        panels[2].plot(
            streams, [mean("tokens per forward", stream=s, **wanted) for s in streams], "o", label=kind
        )
        warmth = (0.7, 1.0, 1.5)
        values = [mean("tokens per forward", temperature=t, **wanted) for t in warmth]
        panels[3].plot(warmth, values, "o-", label=kind)
    panels[2].set(xlabel="grammar", ylabel="tokens per forward")
    panels[2].tick_params(axis="x", rotation=60)
    panels[3].set(xlabel="temperature", ylabel="tokens per forward")
    for axes in panels[2:]:
        axes.grid(alpha=0.3)
        axes.legend(fontsize=7)
    figure.savefig(path, dpi=130)
    plt.close(figure)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("build/bench"), help="folder of results and weights")
    parser.add_argument("--pairs", default="embedded,trained", help="which pairs of models")
    parser.add_argument("--streams", default="", help="names of streams, separated by commas; all by default")
    parser.add_argument("--decoders", default="", help="drafters beside the references; all by default")
    parser.add_argument("--prompts", type=int, default=40, help="prompts per stream")
    parser.add_argument(
        "--sweep-prompts", type=int, default=6, help="prompts per point of the sweep; 0: none"
    )
    parser.add_argument(
        "--ceiling-prompts", type=int, default=4, help="texts per stream for the best fixed tree; 0: none"
    )
    parser.add_argument("--law-draws", type=int, default=1500, help="draws per law and decoder; 0: none")
    parser.add_argument("--temperature", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="a few minutes: 6 prompts, no sweep")
    args = parser.parse_args(argv)
    if args.quick:
        args.prompts, args.sweep_prompts, args.law_draws = min(args.prompts, 6), 0, min(args.law_draws, 100)
        args.ceiling_prompts = min(args.ceiling_prompts, 1)
    import torch
    from tqdm import tqdm

    torch.set_num_threads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    makers = {"embedded": gs.models.embedded, "trained": lambda: trained_pair(args.out / "pair")}
    models: Models = {name: makers[name]() for name in args.pairs.split(",")}
    wanted = [n.strip() for n in args.streams.split(",") if n.strip()]
    streams = [s for s in STREAMS if s.pair in models and (not wanted or s.name in wanted)]
    if not streams:
        raise SystemExit(f"no such streams; there are: {', '.join(s.name for s in STREAMS)}")
    chosen = [n.strip() for n in args.decoders.split(",") if n.strip()]
    ours = tuple(s for s in OURS if not chosen or s.drafter in chosen)
    if not ours:
        raise SystemExit(f"no such decoders; there are: {', '.join(dict.fromkeys(s.drafter for s in OURS))}")
    settings = (*(s for s in REFERENCES if not chosen or s.drafter != "none"), *ours)
    speeds: dict[str, dict[Setting, Speed]] = {}
    with tqdm(total=len(streams) * args.prompts, desc="prompts", mininterval=2.0) as bar:
        for stream in streams:
            bar.set_postfix_str(stream.name)
            speeds[f"{stream.name} ({stream.pair})"] = stream_speeds(stream, models, settings, args, bar)
    title = (
        f"{len(streams)} streams of {args.prompts} prompts, one sample each, T={args.temperature},"
        f" masked law, one thread, CPU time; torch {torch.__version__}, gramspec {gs.__version__}"
    )
    parts = [f"# Speculation under a grammar\n\n{title}"]
    lines = [line for each in ours for line in bars(speeds, each)]
    head = ["ratio (geometric mean over streams)", "mean", "least", "at least", "bar"]
    parts.append("## Bars\n\n" + table(head, lines))
    parts += [f"## {name}\n\n" + table(HEADER, speed_rows(each)) for name, each in speeds.items()]
    bounds: list[list[Any]] = []
    if args.ceiling_prompts:
        bounds = ceiling_rows(models, streams, args)
        head = ["stream", *(f"best fixed tree, {n} nodes" for n in SIZES), "one pass per text"]
        parts.append(
            f"## Most tokens per pass ({args.ceiling_prompts} texts per stream)\n\n" + table(head, bounds)
        )
    laws: list[list[Any]] = []
    if args.law_draws:
        laws = law_checks(models, ours, args.law_draws, args.seed + 7)
        head = ["task", "decoder", "X² p", "TV to the masked law (floor)", "power at TV 0.03"]
        parts.append(f"## Law of {args.law_draws} draws\n\n" + table(head, laws))
    points: list[dict[str, Any]] = []
    if args.sweep_prompts:
        with tqdm(desc="points of the sweep", mininterval=2.0) as bar:
            points = sweep(models, streams, args, bar)
        sweep_plot(points, args.out / "speculation.png")
    text = "\n\n".join(parts) + "\n"
    print(text)
    (args.out / "speculation.md").write_text(text, "utf-8")
    data = {
        "title": title,
        "bars": lines,
        "streams": {
            name: {s.label: vars(replace(v, samples=())) for s, v in each.items()}
            for name, each in speeds.items()
        },
        "ceilings": bounds,
        "laws": laws,
        "sweep": points,
    }
    (args.out / "speculation.json").write_text(json.dumps(data, indent=1), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
