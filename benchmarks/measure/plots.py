"""Plots of a run: how many masks, and how many first masks, are done within a time.

Law: each curve is the whole empirical distribution of an engine (all it compiles), on a logarithmic axis.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from numpy.typing import NDArray

from benchmarks.measure.figures import Readings, measures

matplotlib.use("Agg")
import matplotlib.pyplot as plt

PANELS = (
    ("mask and commit of a token", "steps"),
    ("time to first mask", "first"),
    ("compile plus all masks of a schema", "total"),
)
COLOURS = plt.rcParams["axes.prop_cycle"].by_key()["color"]
CURVE = 2000  # points a curve has at most


def ecdf(axes: Any, seconds: NDArray[np.float64], **style: Any) -> None:
    """The share of values up to each value, in µs."""
    us = np.sort(seconds) * 1e6
    share = np.arange(1, len(us) + 1) / len(us)
    if len(us) > CURVE:  # evenly, and every one of the slowest per cent, which the tail is read from
        kept = np.union1d(
            np.linspace(0, len(us) - 1, CURVE).astype(int), np.arange(len(us) * 99 // 100, len(us))
        )
        us, share = us[kept], share[kept]
    axes.step(us, share, where="post", **style)


def save(readings: Readings, ours: list[str], path: Path, title: str) -> None:
    """Write the plot (PNG, SVG or PDF by the name's ending)."""
    figure, panels = plt.subplots(1, len(PANELS), figsize=(15, 5), layout="constrained")
    for axes, (what, attribute) in zip(panels, PANELS, strict=True):
        for number, name in enumerate(readings):
            values = getattr(measures(readings, [name])[name], attribute)
            if len(values):
                colour = COLOURS[number % len(COLOURS)]
                ecdf(axes, values, label=name, color=colour, linestyle="-" if name in ours else "--")
        axes.set(xscale="log", xlabel=f"{what}, µs", ylim=(0, 1.005))
        axes.grid(alpha=0.3, which="both")
    panels[0].set_ylabel("share done within the time")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    figure.suptitle(title, fontsize=10)
    figure.savefig(path, dpi=150)
    plt.close(figure)
