"""Figures of the benchmark of exact samples: means, paired bootstrap of ratios, bars, tables and the plot.

Law: a ratio of two methods on a task is mean over mean of the same repeats; its upper bound is the 95%
quantile of paired resamples. A capped run counts what it had spent: the ratio to a capped rival is too high.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.faithfulness.methods import GUARANTEE, Run

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Figure:
    """Target forwards of one method on one task, one value per repeat; `lower` where a run was capped."""

    first: Values
    each: Values
    first_fresh: Values
    each_fresh: Values
    first_lower: bool
    each_lower: bool


def figure(runs: Sequence[Run], draws: int) -> Figure:
    """What repeated runs say; capped runs are lower bounds."""

    def first(run: Run, what: str) -> float:
        if run.costs:
            return float(getattr(run.costs[0], what))
        return float(run.spent if what == "forwards" else run.spent_fresh)

    def each(run: Run, what: str) -> float:
        spent = run.spent if what == "forwards" else run.spent_fresh
        return spent / max(1, len(run.costs))

    return Figure(
        *(np.array([f(run, what) for run in runs]) for what in ("forwards", "fresh") for f in (first, each)),
        any(not run.costs for run in runs),
        any(run.capped for run in runs),
    )


def upper_bound(ours: Values, theirs: Values, seed: int = 0, resamples: int = 4000) -> float:
    """95% upper bound of mean(ours)/mean(theirs) over paired resamples of the repeats."""
    picks = np.random.default_rng(seed).integers(len(ours), size=(resamples, len(ours)))
    return float(np.quantile(ours[picks].mean(axis=1) / theirs[picks].mean(axis=1), 0.95))


@dataclass(frozen=True)
class Ratio:
    """gramspec over a rival on one task."""

    task: str
    value: float
    upper: float
    lower_rival: bool


@dataclass(frozen=True)
class Bar:
    """One bar: the geometric mean over tasks and the largest upper bound, with what they may be."""

    name: str
    limit: float
    mean: float
    worst: float
    worst_task: str

    @property
    def met(self) -> bool:
        return self.mean <= self.limit and self.worst <= 1.1


def ratios(figures: dict[str, dict[str, Figure]], ours: str, rival: str, what: str) -> list[Ratio]:
    """One ratio per task; `what` names a field of `Figure` for the rival ("each", "first_fresh", …)."""
    out = []
    for task, row in figures.items():
        mine = getattr(row[ours], what.removesuffix("_fresh"))
        theirs = getattr(row[rival], what)
        lower = getattr(row[rival], f"{what.removesuffix('_fresh')}_lower")
        out.append(Ratio(task, float(mine.mean() / theirs.mean()), upper_bound(mine, theirs), lower))
    return out


def geometric_mean(values: Sequence[float]) -> float:
    return math.exp(math.fsum(math.log(max(v, 1e-12)) for v in values) / len(values))


def bars(figures: dict[str, dict[str, Figure]], ours: str) -> list[Bar]:
    """The bars against CARS, first sample and over all draws."""
    out = []
    for when, label in (("first", "first sample"), ("each", "over all draws")):
        for suffix, rival, limit in (
            ("", "CARS as published", 1 / 3),
            ("_fresh", "CARS with a row memo", 1 / 2),
        ):
            found = ratios(figures, ours, "cars", when + suffix)
            worst = max(found, key=lambda r: r.upper)
            mean = geometric_mean([r.value for r in found])
            out.append(Bar(f"{ours} / {rival}, {label}", limit, mean, worst.upper, worst.task))
    return out


def table(header: Sequence[str], lines: Sequence[Sequence[Any]]) -> str:
    def cell(value: Any) -> str:
        return f"{value:.3g}" if isinstance(value, float) else str(value)

    rows = [header, ["---"] * len(header), *lines]
    return "\n".join("| " + " | ".join(cell(v) for v in row) + " |" for row in rows)


def forwards_table(figures: dict[str, dict[str, Figure]], methods: Sequence[str], when: str) -> str:
    """Mean target forwards per exact sample; ≥ where a run was capped."""
    columns: list[tuple[str, str, str]] = []
    for method in methods:
        if method.startswith("gramspec"):
            columns.append((method, method, when))
        elif method == "cars":
            columns += [("CARS", method, when), ("CARS + memo", method, f"{when}_fresh")]
        else:
            mark = {"consistent": "~", "biased": "!"}.get(GUARANTEE.get(method, ""), "")
            columns.append((method.upper() + mark, method, when))
    lines = []
    for task, row in figures.items():
        line: list[Any] = [task]
        for _, method, what in columns:
            if method not in row:
                line.append("-")
                continue
            mean = float(getattr(row[method], what).mean())
            line.append(("≥ " if getattr(row[method], f"{when}_lower") else "") + f"{mean:.3g}")
        lines.append(line)
    return table(["task", *(name for name, _, _ in columns)], lines)


def as_json(row: dict[str, Figure]) -> dict[str, Any]:
    return {
        method: {
            name: value.tolist() if isinstance(value, np.ndarray) else value
            for name, value in vars(one).items()
        }
        for method, one in row.items()
    }


def plot(figures: dict[str, dict[str, Figure]], ours: str, path: Path, title: str) -> None:
    """Forwards per exact sample of CARS and of gramspec, task by task."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    shown = [("first", "first sample"), ("each", "over all draws")]
    if all(np.array_equal(one.first, one.each) for row in figures.values() for one in row.values()):
        shown = shown[:1]  # one draw per run
    size = (4 + 4.5 * len(shown), 0.32 * len(figures) + 2)
    drawing, panels = plt.subplots(
        1, len(shown), figsize=size, layout="constrained", sharey=True, squeeze=False
    )
    places = np.arange(len(figures))
    for axes, (when, label) in zip(panels[0], shown, strict=True):
        for method, what, name, marker in (
            ("cars", when, "CARS as published", "s"),
            ("cars", f"{when}_fresh", "CARS with a row memo", "D"),
            (ours, when, ours, "o"),
        ):
            means = [float(getattr(row[method], what).mean()) for row in figures.values()]
            axes.plot(means, places, marker, label=name)
        axes.set(xscale="log", xlabel=f"target forwards per exact sample, {label}")
        axes.set_yticks(places, list(figures))
        axes.grid(alpha=0.3, which="both")
    panels[0, 0].invert_yaxis()
    panels[0, 0].legend(loc="best", fontsize=8)
    drawing.suptitle(title, fontsize=10)
    drawing.savefig(path, dpi=140)
    plt.close(drawing)
