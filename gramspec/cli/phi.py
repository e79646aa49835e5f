"""`gramspec phi`: how near potentials come to Φ, the probability that the model ends in the grammar.

Law: Φ by Monte Carlo is unbiased and shown with its standard error; ρ and the effective sample size are
those of independent draws from each potential's proposal. Source: API, "Command line"; laws, first section.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import exp, inf, log10
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

from gramspec.cli.arguments import (
    AsJson,
    Formats,
    GrammarSource,
    Kind,
    Order,
    Start,
    Target,
    Temperature,
    TopK,
    TopP,
    WhiteSpace,
)
from gramspec.cli.generate import named_models
from gramspec.cli.potentials import POTENTIAL_HELP, Setting, check_names, make_potential
from gramspec.cli.progress import counting_bar
from gramspec.cli.sources import GrammarRequest, read_grammar
from gramspec.decoding.checks import check_budget, check_draft, check_eos, check_lengths, tokenize
from gramspec.decoding.rows import RowLaw
from gramspec.errors import OptionError
from gramspec.models.memo import MemoModel
from gramspec.validity import Potential, Viability
from gramspec.validity.diagnostics import Estimate, Walk, Weights, monte_carlo, twisted_walk, weigh
from gramspec.validity.reading import RowReader

EXAMPLE = (
    'Example: gramspec phi regex:"[0-9]{4}-[0-9]{2}" --prompt "Write a month." --max-new-tokens 8'
    " --potential viability --potential learned --rollouts 32 --points 4"
)


@dataclass(frozen=True)
class PhiRequest:
    """The options of the command, as typed."""

    grammar: GrammarRequest
    prompt: str
    potentials: tuple[str, ...]
    samples: int
    rollouts: int
    points: int
    fit_samples: int
    fits: str | None
    plot: str | None
    as_json: bool
    seed: int
    max_new_tokens: int
    temperature: float
    top_k: int
    top_p: float
    target: str | None
    draft: str | None


@dataclass(frozen=True)
class Point:
    """A prefix where Φ was estimated."""

    prefix: tuple[int, ...]
    text: str
    phi: Estimate


@dataclass(frozen=True)
class Judged:
    """One potential and what was measured of it."""

    name: str
    potential: Potential
    seconds: float
    walks: tuple[Walk, ...]
    weights: Weights
    h: tuple[float, ...]  # at every point

    @property
    def rho(self) -> list[float]:
        """ρ at every prefix of every walk."""
        return [value for walk in self.walks for value in walk.rho]


def show_phi(request: PhiRequest) -> None:
    """Measure potentials against Φ and write a table (or JSON) to stdout, a plot to a file.

    Parameters
    ----------
    request : PhiRequest
        The options of the command.

    Raises
    ------
    GramspecError
        When anything in the request cannot be used.
    """
    _check(request)
    at = _setting(request)
    with counting_bar(Console(stderr=True)) as bar:
        points = _points(request, at, bar)
        judged = [_judge(name, request, at, points, bar) for name in request.potentials]
    if request.plot is not None:
        _plot(request.plot, points, judged)
    if request.as_json:
        sys.stdout.write(json.dumps(_document(points, judged)) + "\n")
    else:
        _tables(points, judged)


def _check(request: PhiRequest) -> None:
    if not request.potentials:
        raise OptionError("--potential: at least one is needed")
    check_names(request.potentials)
    for name, value, least in (
        ("--samples", request.samples, 2),
        ("--rollouts", request.rollouts, 2),
        ("--points", request.points, 1),
        ("--fit-samples", request.fit_samples, 1),
        ("--max-new-tokens", request.max_new_tokens, 1),
        ("--seed", request.seed, 0),
    ):
        if value < least:
            raise OptionError(f"{name} {value}: must be at least {least}")
    if request.plot is not None:
        if Path(request.plot).suffix.lower() not in (".png", ".svg", ".pdf"):
            raise OptionError(f"--plot {request.plot}: must end in .png, .svg or .pdf")
        try:
            import matplotlib  # type: ignore[import-not-found, unused-ignore]  # noqa: F401
        except ModuleNotFoundError:
            raise OptionError("--plot: needs matplotlib: pip install 'gramspec[plots]'") from None


def _setting(request: PhiRequest) -> Setting:
    rows = RowLaw(request.temperature, request.top_k, request.top_p)
    grammar = read_grammar(request.grammar).grammar
    target, draft = named_models(request.target, request.draft)
    vocabulary = getattr(target, "vocabulary", None)
    if vocabulary is None:
        raise OptionError(f"--target {request.target}: the model has no tokenizer")
    check_eos(target, vocabulary)
    if draft is not None:
        check_draft(draft, vocabulary)
    [prompt] = tokenize(target, [request.prompt])
    check_lengths(target, draft, [prompt], request.max_new_tokens)
    from gramspec.matching import compile as compile_grammar

    compiled = compile_grammar(grammar, vocabulary)
    check_budget(compiled, request.max_new_tokens)
    return Setting(
        compiled=compiled,
        target=MemoModel(target, max_bytes=1 << 29),
        draft=None if draft is None else MemoModel(draft),
        prompt=tuple(prompt),
        rows=rows,
        budget=request.max_new_tokens,
        samples=request.fit_samples,
        seed=request.seed,
        fits=None if request.fits is None else Path(request.fits),
    )


def _points(request: PhiRequest, at: Setting, bar: Progress) -> list[Point]:
    """Prefixes along walks under the mask, spread over their length, and Φ at each."""
    reader = RowReader(at.target, at.prompt, at.rows.row)
    random = np.random.default_rng([request.seed, 1])
    found: dict[tuple[int, ...], None] = {}
    for _ in range(4):
        tokens = twisted_walk(Viability(at.compiled), reader, at.budget, random.random).tokens
        ends = at.compiled.vocabulary.eos_ids
        inner = len(tokens) - (1 if tokens and tokens[-1] in ends else 0)
        for place in np.linspace(0, inner, min(request.points, inner + 1)).round().astype(int).tolist():
            if len(found) < request.points:
                found.setdefault(tokens[:place])
    task = bar.add_task("Monte Carlo", total=len(found))
    points = []
    for prefix in found:
        left = at.budget - len(prefix)
        phi = monte_carlo(at.compiled, reader, prefix, left, runs=request.rollouts, uniform=random.random)
        points.append(Point(prefix, _text(at, prefix), phi))
        bar.advance(task)
    return points


def _judge(name: str, request: PhiRequest, at: Setting, points: list[Point], bar: Progress) -> Judged:
    task = bar.add_task(name, total=None)
    begun = time.perf_counter()
    potential = make_potential(name, at, lambda done, total: bar.update(task, completed=done, total=total))
    reader = RowReader(at.target, at.prompt, at.rows.row)
    random = np.random.default_rng([request.seed, 2])
    bar.update(task, completed=0, total=request.samples)
    walks = []
    for _ in range(request.samples):
        walks.append(twisted_walk(potential, reader, at.budget, random.random))
        bar.advance(task)
    h = []
    for point in points:
        state = at.compiled.matcher()
        state.advance_many(list(point.prefix))
        h.append(exp(potential.log_h(state, point.prefix, at.budget - len(point.prefix))))
    seconds = time.perf_counter() - begun
    return Judged(name, potential, seconds, tuple(walks), weigh(walks), tuple(h))


def _text(at: Setting, prefix: Sequence[int]) -> str:
    data = b"".join(at.compiled.vocabulary.tokens[t] or b"" for t in prefix)
    return data.decode("utf-8", "replace")


# -- what is shown --------------------------------------------------------------------------------


def _log_ratio(points: list[Point], h: Sequence[float]) -> float | None:
    """Mean |log10 h/Φ| over the points where both are positive."""
    found = [
        abs(log10(value / point.phi.mean))
        for point, value in zip(points, h, strict=True)
        if value > 0 and point.phi.mean > 0
    ]
    return sum(found) / len(found) if found else None


def _tables(points: list[Point], judged: list[Judged]) -> None:
    console = Console(file=sys.stdout, highlight=False)
    if not console.is_terminal:
        console = Console(file=sys.stdout, highlight=False, width=200)  # files and pipes have no width
    table = Table(title="potentials", title_justify="left", box=None, pad_edge=False)
    heads = ("potential", "contract", "h(ε)", "Φ(ε) by weights", "ESS/n", "ended", "ρ median", "ρ max", "off")
    for head in (*heads, "seconds"):
        table.add_column(head, justify="left" if head in heads[:2] else "right", no_wrap=True)
    for each in judged:
        rho, off, weights = each.rho, _log_ratio(points, each.h), each.weights
        phi = exp(weights.log_phi)
        table.add_row(
            each.name,
            each.potential.contract,
            f"{each.walks[0].h[0]:.2g}",
            f"{phi:.2g} ± {phi * weights.relative_error:.1g}" if phi > 0 else "0",
            f"{weights.ess / len(each.walks):.2f}",
            f"{weights.ended:.0%}",
            f"{float(np.median(rho)):.2g}" if rho else "-",
            f"{max(rho):.2g}" if rho else "-",
            "-" if off is None else f"{off:.2f}",
            f"{each.seconds:.1f}",
        )
    console.print(table)
    console.print("off: mean |log10 h/Φ| over the prefixes below; under contract W only ratios of h matter\n")
    table = Table(title="Φ by Monte Carlo, and h", title_justify="left", box=None, pad_edge=False)
    table.add_column("after", no_wrap=True)
    table.add_column("Φ", justify="right", no_wrap=True)
    for each in judged:
        table.add_column(each.name, justify="right", no_wrap=True)
    for i, point in enumerate(points):
        shown = point.text if len(point.text) <= 28 else "…" + point.text[-27:]
        phi_shown = f"{point.phi.mean:.2g} ± {point.phi.error:.1g}"
        table.add_row(escape(repr(shown)), phi_shown, *(f"{each.h[i]:.2g}" for each in judged))
    console.print(table)


def _document(points: list[Point], judged: list[Judged]) -> dict[str, Any]:
    def number(value: float) -> float | None:
        return value if abs(value) < inf else None

    return {
        "points": [
            {
                "tokens": list(point.prefix),
                "text": point.text,
                "phi": point.phi.mean,
                "standard_error": point.phi.error,
                "h": {each.name: each.h[i] for each in judged},
            }
            for i, point in enumerate(points)
        ],
        "potentials": [
            {
                "potential": each.name,
                "name": each.potential.name,
                "contract": each.potential.contract,
                "h_root": each.walks[0].h[0],
                "log_phi": number(each.weights.log_phi),
                "relative_error": number(each.weights.relative_error),
                "ess": each.weights.ess,
                "walks": len(each.walks),
                "ended": each.weights.ended,
                "rho": [list(walk.rho) for walk in each.walks],
                "mean_abs_log10_h_over_phi": _log_ratio(points, each.h),
                "seconds": each.seconds,
            }
            for each in judged
        ],
    }


@contextmanager
def _figure(path: str) -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # type: ignore[import-not-found, unused-ignore]
    from matplotlib.figure import Figure  # type: ignore[import-not-found, unused-ignore]

    figure = Figure(figsize=(13, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    yield figure
    try:
        figure.savefig(path, dpi=120)
    except OSError as error:
        raise OptionError(f"--plot {path}: {error}") from None


def _plot(path: str, points: list[Point], judged: list[Judged]) -> None:
    """Φ̂ against Φ with its standard error, ρ along the walks, and ESS/n."""
    with _figure(path) as figure:
        left, middle, right = figure.subplots(1, 3)
        known = [i for i, point in enumerate(points) if point.phi.mean > 0]
        phi = np.array([points[i].phi.mean for i in known])
        error = np.array([points[i].phi.error for i in known])
        for k, each in enumerate(judged):
            color = f"C{k}"
            h = np.array([each.h[i] for i in known])
            low = np.minimum(error, 0.99 * phi)
            left.errorbar(phi, h, xerr=[low, error], fmt="o", ms=4, color=color, label=each.name, lw=1)
            for walk in each.walks[:12]:
                rho = [max(value, 1e-12) for value in walk.rho]
                middle.plot(range(len(rho)), rho, color=color, lw=0.7, alpha=0.5)
        if len(known):
            ends = [float(phi.min()), 1.0]
            left.plot(ends, ends, color="black", lw=0.8, ls=":")
        left.set(xscale="log", yscale="log", xlabel="Φ by Monte Carlo", ylabel="h", title="h against Φ")
        left.legend(fontsize=8)
        middle.axhline(1.0, color="black", lw=0.8, ls=":")
        middle.set(yscale="log", xlabel="tokens", ylabel="ρ", title="ρ along draws of the proposal")
        shares = [each.weights.ess / len(each.walks) for each in judged]
        right.barh(range(len(judged)), shares, color=[f"C{k}" for k in range(len(judged))])
        right.set_yticks(range(len(judged)), [each.name for each in judged])
        right.invert_yaxis()
        right.set(xlim=(0, 1), xlabel="ESS/n", title="effective sample size")


def command(
    grammar: GrammarSource,
    prompt: Annotated[str, typer.Option(help="What the model is asked.")],
    potential: Annotated[
        list[str] | None,
        typer.Option(help=POTENTIAL_HELP, show_default="viability, one-step, partition"),
    ] = None,
    samples: Annotated[int, typer.Option("--samples", "-n", help="Draws of each potential's proposal.")] = 32,
    rollouts: Annotated[int, typer.Option(help="Monte-Carlo runs at each prefix.")] = 64,
    points: Annotated[int, typer.Option(help="Prefixes at which Φ is estimated.")] = 8,
    fit_samples: Annotated[int, typer.Option(help="Samples or runs of the target that fits take.")] = 64,
    fits: Annotated[
        str | None,
        typer.Option(
            help="Directory of fitted potentials (hmm, learned): read where there, else written.",
            show_default=False,
        ),
    ] = None,
    plot: Annotated[
        str | None, typer.Option(help="File for the plots: .png, .svg or .pdf.", show_default=False)
    ] = None,
    as_json: AsJson = False,
    seed: Annotated[int, typer.Option(help="Makes the answer reproducible.")] = 0,
    max_new_tokens: Annotated[
        int, typer.Option(help="Longest text in tokens, the end-of-sequence token counted.")
    ] = 64,
    temperature: Temperature = 1.0,
    top_k: TopK = 0,
    top_p: TopP = 1.0,
    target: Target = None,
    draft: Annotated[
        str | None,
        typer.Option(help="Directory of a draft model, for rollouts; 'none': no draft.", show_default=False),
    ] = None,
    kind: Kind = "auto",
    property_order: Order = "schema",
    whitespace: WhiteSpace = "any",
    formats: Formats = "assert",
    start: Start = None,
) -> None:
    """Measure potentials: h against Φ by Monte Carlo, ρ along draws, effective sample size; plot them."""
    chosen = tuple(potential) if potential else ("viability", "one-step", "partition")
    show_phi(
        PhiRequest(
            grammar=GrammarRequest(grammar, kind, property_order, whitespace, formats, start=start),
            prompt=prompt,
            potentials=chosen,
            samples=samples,
            rollouts=rollouts,
            points=points,
            fit_samples=fit_samples,
            fits=fits,
            plot=plot,
            as_json=as_json,
            seed=seed,
            max_new_tokens=max_new_tokens,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            target=target,
            draft=draft,
        )
    )
