"""The bars: what gramspec's figures may be at most, as a ratio to those of its peers.

Law: a ratio is ours / theirs on the schemas both compile and the positions both read; a bar that names the
better peer holds only if it holds against every peer named. Memory is the largest resident set.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.engines import Spec
from benchmarks.measure.figures import Readings, measures
from benchmarks.measure.fleet import Memory

THIRD = 1 / 3
FIGURE = "mask and commit"


@dataclass(frozen=True)
class Bar:
    """One bar: which figure, against whom, and the largest ratio that passes."""

    name: str
    figure: str
    statistic: str
    limit: float
    peers: tuple[str, ...]


BARS = [
    Bar("mask mean", FIGURE, "mean", THIRD, ("llguidance", "xgrammar")),
    Bar("mask p50", FIGURE, "p50", 1.0, ("llguidance", "xgrammar")),
    Bar("mask p99", FIGURE, "p99", THIRD, ("llguidance", "xgrammar")),
    Bar("first mask p50", "first mask", "p50", 1.0, ("llguidance",)),
    Bar("first mask mean", "first mask", "mean", 1.0, ("llguidance",)),
    Bar("compile and all masks, mean", "compile and all masks", "mean", 1.0, ("llguidance",)),
    Bar("peak memory", "memory", "peak", 1.2, ("llguidance",)),
]


@dataclass(frozen=True)
class Outcome:
    """A bar for one of our engines; no ratio where a peer was not there or has nothing in common."""

    bar: Bar
    ours: str
    ratios: dict[str, float]
    values: dict[str, tuple[float, float]]  # peer: ours, theirs (µs or MiB)

    @property
    def passed(self) -> bool | None:
        if set(self.ratios) != set(self.bar.peers):
            return None
        return all(ratio <= self.bar.limit for ratio in self.ratios.values())


def outcomes(specs: Sequence[Spec], readings: Readings, memory: dict[str, Memory]) -> list[Outcome]:
    """Every bar for every one of our engines."""
    peers = [spec.name for spec in specs if not spec.ours]
    out = []
    for ours in (spec.name for spec in specs if spec.ours):
        common = {}
        for peer in peers:
            pair = measures(readings, [ours, peer])
            if len(pair[ours].first):
                common[peer] = {name: each.figures() for name, each in pair.items()}
        for bar in BARS:
            values = {}
            for peer in bar.peers:
                if bar.figure == "memory":
                    if peer in memory:
                        values[peer] = (memory[ours].peak / 2**20, memory[peer].peak / 2**20)
                elif peer in common:
                    own, theirs = (common[peer][name][bar.figure].get(bar.statistic) for name in (ours, peer))
                    if own is not None and theirs:
                        values[peer] = (own, theirs)
            ratios = {peer: own / theirs for peer, (own, theirs) in values.items()}
            out.append(Outcome(bar, ours, ratios, values))
    return out
