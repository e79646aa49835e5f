"""The page of benchmarks, made from the result files in benchmarks/results.

Run: python docs/making/benchmarks_page.py; writes docs/benchmarks.md and its pictures.
Law: every figure on the page is in a result file, or is a mean of such; each table says which command made it.
"""

from __future__ import annotations

import json
import sys
from math import exp, log
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parent))
from svg import GOOD, GREY, INK, SOFT, Drawing

ROOT: Final = Path(__file__).resolve().parents[2]
PAGE: Final = ROOT / "docs/benchmarks.md"
RESULTS: Final = ROOT / "benchmarks/results"


def result(name: str) -> dict[str, Any]:
    """One result file."""
    found: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text("utf-8"))
    return found


def mean(values: list[float]) -> float:
    """Geometric mean."""
    return exp(sum(map(log, values)) / len(values))


def table(heads: list[str], rows: list[list[str]]) -> list[str]:
    """A table of Markdown."""
    return [
        "| " + " | ".join(heads) + " |",
        "| " + " | ".join("---" for _ in heads) + " |",
        *("| " + " | ".join(row) + " |" for row in rows),
        "",
    ]


def made(found: dict[str, Any]) -> list[str]:
    """How a result was made."""
    return [f"`{found['command']}`", "", f"Conditions: {found['conditions']}. Unit: {found['unit']}.", ""]


def first_sample() -> list[str]:
    """The cost of the first exact sample."""
    found = result("first_sample")
    rows = found["rows"]
    shown = [
        [
            row["task"],
            *(f"{row[key]:g}" for key in ("gramspec", "gramspec_without_draft", "cars", "cars_memo")),
            f"{row['gramspec'] / row['cars']:.2f}",
        ]
        for row in rows
    ]
    means = [
        mean([row[ours] / row[theirs] for row in rows])
        for ours, theirs in (
            ("gramspec", "cars"),
            ("gramspec_without_draft", "cars"),
            ("gramspec", "cars_memo"),
        )
    ]
    return [
        "## The first exact sample",
        "",
        "Restart samplers draw the same law; they differ in what a sample costs. CARS (arXiv 2510.01902) is the best published one; with",
        "memo it remembers rows as gramspec does. Without a draft model gramspec drafts from tables, past outputs and probes.",
        f"Geometric means over {len(rows)} tasks: **{means[0]:.2f}** of the target forwards of CARS, {means[1]:.2f} without a draft model,"
        f" {means[2]:.2f} of CARS with memo.",
        "",
        "![Target forwards per first sample](pictures/first_sample.svg)",
        "",
        *made(found),
        *table(
            ["task (pair)", "gramspec", "without a draft model", "CARS", "CARS + memo", "gramspec / CARS"],
            shown,
        ),
    ]


def hundred_samples() -> list[str]:
    """The cost of a sample among a hundred."""
    found = result("hundred_samples")
    rows = found["rows"]
    shown = [
        [
            row["task"],
            str(row["repeats"]),
            *(f"{row[key]:g}" for key in ("gramspec", "cars", "cars_memo")),
            f"{row['gramspec'] / row['cars']:.4f}",
        ]
        for row in rows
    ]
    ratio = mean([row["gramspec"] / row["cars"] for row in rows])
    memo = mean([row["gramspec"] / row["cars_memo"] for row in rows])
    return [
        "## A hundred samples of one call",
        "",
        f"What is learned stays for the call. Geometric means: **{ratio:.3f}** of the forwards of CARS, {memo:.2f} of CARS with memo.",
        "",
        *made(found),
        *table(["task (pair)", "repeats", "gramspec", "CARS", "CARS + memo", "gramspec / CARS"], shown),
    ]


def tokens_per_forward() -> list[str]:
    """What drafts bring."""
    found = result("tokens_per_forward")
    rows = found["rows"]
    heads = {
        "assisted": "assisted generation",
        "model_free_12": "model-free, 12 nodes",
        "drawn_24": "drawn, 24",
        "drawn_96": "drawn, 96",
        "drawn_with_draft_96": "drawn with the draft model, 96",
        "fixed_128": "best fixed tree of 128",
        "one_pass": "one pass per text",
    }
    shown = [[row["stream"], *(f"{row[key]:g}" for key in heads)] for row in rows]
    shown.append(["**geometric mean**", *(f"**{mean([row[key] for row in rows]):.2f}**" for key in heads)])
    return [
        "## Tokens per target forward",
        "",
        "Assisted generation is that of Transformers under the same mask, with the draft model; *model-free* and *drawn* have none. The last",
        "two columns are what could be had at all: no tree of fixed candidates keeps more, and no draft more than whole texts.",
        "",
        "![Tokens per target forward](pictures/tokens_per_forward.svg)",
        "",
        *made(found),
        *table(["stream (pair)", *heads.values()], shown),
    ]


def cold_laws() -> list[str]:
    """Whether the law is kept."""
    found = result("cold_laws")
    shown = [
        [
            row["task"],
            row["method"],
            row["claim"],
            str(row["draws"]),
            f"{row['p']:.3g}",
            f"{row['tv']:.4f} ({row['tv_floor']:.4f})",
        ]
        for row in found["rows"]
    ]
    return [
        "## The law, drawn",
        "",
        "That the samplers are exact is proved by enumeration in the tests. Here draws of cold tries are compared with the exact law: X² finds any law",
        "at the distance of the planted one with probability 0.99. An empirical TV is never zero: its floor, what a perfect sampler shows"
        " with as many draws, stands in brackets.",
        "",
        *made(found),
        *table(["task", "method", "claim", "draws", "X² p", "TV (floor)"], shown),
    ]


def page() -> str:
    """The whole page."""
    lines = [
        "# Benchmarks",
        "",
        "Tables of the files in [benchmarks/results](../benchmarks/README.md#result-files). More of the same runs, and what they mean:"
        " [what an exact sample costs](faithful.md). Masks beside",
        "llguidance, xgrammar and outlines-core are measured by `python -m benchmarks.masks`, which writes its own report for the"
        " machine that it runs on ([scripts](../benchmarks/README.md)).",
        "",
        *first_sample(),
        *hundred_samples(),
        *tokens_per_forward(),
        *cold_laws(),
    ]
    return "\n".join(lines).rstrip() + "\n"


def forwards_picture() -> Drawing:
    """Forwards of the first sample, as bars on a logarithmic scale."""
    rows = result("first_sample")["rows"]
    picture = Drawing(900, 60 + 22 * len(rows), "Target forwards for the first exact sample")
    picture.text(
        20,
        24,
        "target forwards for the first exact sample (logarithmic); dark: gramspec, light: CARS",
        bold=True,
    )
    scale = 560 / log(1000)
    for i, row in enumerate(rows):
        y = 40 + 22 * i
        picture.text(240, y + 13, row["task"], anchor="end", size=12, colour=INK)
        for key, colour, top, tall in (("cars", SOFT, 1, 15), ("gramspec", GOOD, 4, 9)):
            picture.box(250, y + top, max(2.0, scale * log(max(row[key], 1.0))), tall, fill=colour)
        picture.text(
            256 + scale * log(row["cars"]),
            y + 13,
            f"{row['gramspec']:g} of {row['cars']:g}",
            size=11,
            colour=GREY,
        )
    return picture


def tokens_picture() -> Drawing:
    """Geometric means of tokens per forward."""
    rows = result("tokens_per_forward")["rows"]
    names = {
        "assisted": "assisted generation",
        "model_free_12": "model-free, 12 nodes",
        "drawn_24": "drawn, 24 nodes",
        "drawn_96": "drawn, 96 nodes",
        "drawn_with_draft_96": "drawn, draft model, 96 nodes",
    }
    picture = Drawing(760, 60 + 30 * len(names), "Tokens per target forward")
    picture.text(20, 24, f"tokens per target forward, geometric mean of {len(rows)} streams", bold=True)
    for i, (key, name) in enumerate(names.items()):
        y, value = 42 + 30 * i, mean([row[key] for row in rows])
        picture.text(220, y + 15, name, anchor="end", size=13)
        picture.box(230, y, 55 * value, 20, fill=GREY if key == "assisted" else GOOD)
        picture.text(238 + 55 * value, y + 15, f"{value:.2f}", size=13)
    return picture


MADE: Final = {"first_sample.svg": forwards_picture, "tokens_per_forward.svg": tokens_picture}

if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
    for picture_name, make in MADE.items():
        (ROOT / "docs/pictures" / picture_name).write_text(str(make()), "utf-8")
