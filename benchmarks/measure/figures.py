"""Figures of readings: percentiles, verdicts, and what two engines have in common.

Law: two engines are compared on the schemas that both compile, and in each instance on the positions that
both read (an engine that refuses earlier reads less).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.measure.fleet import SITS_OUT
from benchmarks.measure.reading import Reading
from benchmarks.measure.rows import Row

POINTS = (50, 90, 99, 99.9)
STATISTICS = ("mean", *(f"p{p}" for p in POINTS), "max")
Readings = dict[str, list[Reading]]


def summary(seconds: Iterable[float] | NDArray[np.float64]) -> dict[str, float]:
    """Count, mean, percentiles and maximum in microseconds."""
    us = np.asarray(seconds if isinstance(seconds, np.ndarray) else list(seconds), dtype=float) * 1e6
    if not len(us):
        return {"n": 0}
    out = {"n": float(len(us)), "mean": float(us.mean())}
    out |= {f"p{p}": float(np.percentile(us, p)) for p in POINTS}
    return out | {"max": float(us.max())}


@dataclass
class Measures:
    """What one engine took on a choice of schemas and positions; seconds."""

    first: NDArray[np.float64]  # of each schema: time to first mask
    total: NDArray[np.float64]  # of each schema: compile plus all masks and commits
    fills: NDArray[np.float64]  # of each token: the mask
    steps: NDArray[np.float64]  # of each token: the mask and committing it

    def figures(self) -> dict[str, dict[str, float]]:
        """Summaries in µs, and tokens per second."""
        tokens, seconds = len(self.steps), float(self.steps.sum())
        return {
            "first mask": summary(self.first),
            "mask and commit": summary(self.steps),
            "mask": summary(self.fills),
            "compile and all masks": summary(self.total),
            "tokens per second": {
                "masks": tokens / seconds if tokens else 0.0,
                "with compiling": tokens / float(self.total.sum()) if tokens else 0.0,
            },
        }


def measures(readings: Readings, names: Sequence[str]) -> dict[str, Measures]:
    """The measures of engines on what all of them compile and read."""
    count = len(readings[names[0]])
    picked = [i for i in range(count) if not any(readings[name][i].refused for name in names)]
    out = {}
    for name in names:
        fills: list[NDArray[np.float64]] = [np.zeros(0)]
        steps: list[NDArray[np.float64]] = [np.zeros(0)]
        total = []
        for i in picked:
            reading = readings[name][i]
            seconds = reading.first_mask
            for j in range(len(reading.fills)):
                shortest = min(len(readings[other][i].fills[j]) for other in names)
                fills.append(reading.fills[j][:shortest])
                steps.append(reading.steps(j, shortest))
                seconds += float(steps[-1].sum())
            total.append(seconds)
        first = np.array([readings[name][i].first_mask for i in picked])
        out[name] = Measures(first, np.array(total), np.concatenate(fills), np.concatenate(steps))
    return out


VERDICTS = ["schemas", "compiled", "refused", "timeouts", "died", "not tried", "all tests right"]
VERDICTS += ["valid accepted", "valid refused", "invalid refused", "invalid accepted", "mask narrower"]


def verdicts(rows: Sequence[Row], readings: Sequence[Reading]) -> dict[str, int]:
    """How the instances came out; `mask narrower`: tokens outside the mask that the engine takes."""
    count: Counter[str] = Counter(schemas=len(rows))
    for row, reading in zip(rows, readings, strict=True):
        if reading.refused:
            count[_why(reading.refused)] += 1
            continue
        count["compiled"] += 1
        count["all tests right"] += reading.verdicts == row.valid
        count["mask narrower"] += reading.narrowed
        for valid, verdict in zip(row.valid, reading.verdicts, strict=True):
            count[f"{'valid' if valid else 'invalid'} {'accepted' if verdict else 'refused'}"] += 1
    return {name: count[name] for name in VERDICTS}


def _why(refusal: str) -> str:
    if refusal == SITS_OUT:
        return "not tried"
    return (
        "timeouts" if refusal.startswith("timeout") else "died" if refusal.startswith("died") else "refused"
    )


def slowest(rows: Sequence[Row], readings: Readings, count: int = 4) -> list[list[str]]:
    """Schemas with the longest time to first mask, and with the longest single mask, in ms."""
    out = []
    for name, found in readings.items():
        pairs = [(r, row.id) for r, row in zip(found, rows, strict=True) if not r.refused]
        firsts = [(reading.first_mask, key) for reading, key in pairs]
        masks = []
        for reading, key in pairs:
            longest = (float(reading.steps(j).max(initial=0)) for j in range(len(reading.fills)))
            masks.append((max(longest, default=0.0), key))
        for what, each in (("first mask", firsts), ("mask", masks)):
            top = sorted(each, reverse=True)[:count]
            out.append([name, what, ", ".join(f"{key} {seconds * 1e3:.1f}" for seconds, key in top)])
    return out


def refusals(readings: Sequence[Reading]) -> dict[str, int]:
    """Reasons why schemas were refused, with how often."""
    return dict(Counter(r.refused[:90] for r in readings if r.refused).most_common())


def parts(readings: Sequence[Reading]) -> dict[str, dict[str, float]]:
    """Where an engine spends the time to the first mask, as far as it tells."""
    found = [r.parts for r in readings if len(r.parts) > 1]
    return {part: summary(each[part] for each in found) for part in found[0]} if found else {}


def as_json(measured: dict[str, Measures]) -> dict[str, Any]:
    return {name: each.figures() for name, each in measured.items()}
