"""What partition functions are worth as a twist: ESS/n of single-pass sampling against local masking.

Law: draws follow r(v|x) = p(v|x)·h(xv)/S(x) and carry the weight p(y)·1[y ∈ L]/r(y); a run that has not ended
within the budget weighs nothing. The small figures are exact (every sequence, merged by state), the large
ones sampled. Targets are bigram models; the proxy knows unigram counts of texts that the target wrote freely,
or averages of rows by state of the automaton.
Source: theory, section 0 and 4. Example: `python -m benchmarks.partition --draws 100 --seeds 1 --out results`
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import gramspec as gs
from gramspec.grammar import ir
from gramspec.grammar.core import Grammar
from gramspec.models.tabular import TabularModel
from gramspec.validity import ByteWeights, Partition, StateWeights, TokenWeights

Floats = NDArray[np.float64]
Twist = Callable[[Any, int], Floats]  # h of every token, from the state and the tokens left
METHODS = ("mask", "mask within budget", "partition, unigram", "partition, by state")
CORPUS = 2000  # tokens of free text that unigram counts are taken from
FITTED = 40  # masked runs whose rows are averaged by state


@dataclass(frozen=True, eq=False)
class Task:
    """A grammar, a vocabulary (the last id is EOS), and unigram chances that a world starts from."""

    name: str
    grammar: Grammar
    tokens: tuple[bytes, ...]
    chances: tuple[float, ...]
    small: int  # tokens up to which every sequence is looked at

    def compiled(self) -> gs.CompiledGrammar:
        return gs.compile(self.grammar, gs.Vocabulary([*self.tokens, None], [len(self.tokens)]))


def brackets() -> Grammar:
    rule = ir.Rule("S")
    kinds = [ir.concat(ir.literal(a), ir.Ref(rule), ir.literal(b), ir.Ref(rule)) for a, b in ("()", "[]")]
    rule.define(ir.union(ir.EPSILON, *kinds))
    return Grammar(ir.Ref(rule), "two kinds of brackets")


def tasks() -> list[Task]:
    text = {b"{": 6, b"}": 7, b"[": 9, b"]": 9, b":": 3, b",": 9, b'"': 10, b"a": 9, b"b": 4, b"1": 6}
    text |= {b"2": 3, b'":': 6, b"],": 3, b"},": 3, b'{"': 5, b'["': 3}
    return [
        Task("dyck", brackets(), (b"(", b")", b"[", b"]"), (0.24, 0.22, 0.24, 0.22, 0.08), 12),
        Task(
            "json",
            gs.json_schema({}, whitespace="compact"),
            tuple(text),
            (*(0.92 * n / sum(text.values()) for n in text.values()), 0.08),
            6,
        ),
    ]


@dataclass(frozen=True, eq=False)
class World:
    """A bigram target: the unigram chances, each row perturbed by noise of its own."""

    task: Task
    noise: float
    seed: int
    rows: Floats  # [last token, next token]; the last row is for the first token

    @classmethod
    def make(cls, task: Task, noise: float, seed: int) -> World:
        logs = np.log(np.array(task.chances))
        random = np.random.default_rng([seed, 11])
        logits = logs + noise * random.standard_normal((len(logs), len(logs)))
        rows = np.exp(logits)
        return cls(task, noise, seed, rows / rows.sum(axis=1, keepdims=True))

    def row(self, last: int) -> Floats:
        return self.rows[last]

    def target(self) -> TabularModel:
        width = len(self.rows)
        return TabularModel(lambda x: np.log(self.rows[x[-1] if len(x) else -1]), width, width - 1)

    def unigram(self) -> TokenWeights:
        """From texts that the target wrote, grammar or not."""
        model, random = self.target(), np.random.default_rng([self.seed, 12])
        counts, last, eos = np.zeros(len(self.rows)), -1, len(self.rows) - 1
        for _ in range(CORPUS):
            p = np.exp(model._fn((last,) if last >= 0 else ()))  # the row itself: nothing is cached
            last = int(random.choice(len(p), p=p / p.sum()))
            counts[last] += 1
            last = -1 if last == eos else last
        return TokenWeights.from_counts(self.task.compiled().vocabulary, counts)

    def by_state(self, budget: int, base: ByteWeights) -> StateWeights:
        """Rows of the target at the states of masked runs, averaged."""
        weights, compiled = StateWeights(base), self.task.compiled()
        random = np.random.default_rng([self.seed, 13])
        for _ in range(FITTED):
            matcher, last, eos = compiled.matcher(), -1, len(self.rows) - 1
            for _ in range(budget):
                weights.observe_row(matcher, self.rows[last])
                p = self.rows[last] * matcher.viable(None)
                last = int(random.choice(len(p), p=p / p.sum()))
                if last == eos:
                    break
                matcher.advance(last)
        return weights


def twists(world: World, compiled: gs.CompiledGrammar, budget: int) -> dict[str, Twist]:
    """h of each method; masks know 0 and 1."""
    unigram = world.unigram()
    flat = Partition(compiled, unigram)
    by_state = Partition(compiled, world.by_state(budget, unigram))
    return {
        "mask": lambda state, left: state.viable(None).astype(np.float64),
        "mask within budget": lambda state, left: state.viable(left, exact=True).astype(np.float64),
        "partition, unigram": lambda state, left: flat.h_children(state, (), left),
        "partition, by state": lambda state, left: by_state.h_children(state, (), left),
    }


@dataclass(frozen=True)
class Efficiency:
    """How good single-pass sampling is: ESS/n, runs that end, tokens a run, and Φ within the budget."""

    ess: float
    ended: float
    tokens: float
    phi: float


class Step:
    """r(.|x) and S(x), remembered by configuration, last token and budget."""

    def __init__(self, world: World, twist: Twist) -> None:
        self._world, self._twist = world, twist
        self._known: dict[tuple[Any, int, int], Floats] = {}
        self._h: dict[tuple[Any, int], Floats] = {}

    def row(self, state: Any, last: int, left: int) -> Floats:
        key = state.mask_key, last, left
        if key not in self._known:
            if key[::2] not in self._h:
                self._h[key[::2]] = self._twist(state, left)
            mass = self._world.row(last) * self._h[key[::2]]
            total = mass.sum()
            self._known[key] = mass / total if total > 0 else mass
        return self._known[key]


def exact_efficiency(world: World, compiled: gs.CompiledGrammar, twist: Twist, budget: int) -> Efficiency:
    """E[w]²/E[w²] over every sequence of at most `budget` tokens, by states: no sampling."""
    step, eos = Step(world, twist), len(world.rows) - 1
    known: dict[tuple[Any, int, int], tuple[float, float, float, float]] = {}

    def below(state: Any, last: int, left: int) -> tuple[float, float, float, float]:
        """Σ p, Σ p²/r, chance of an ending under r, tokens under r; from here on."""
        if left == 0:
            return 0.0, 0.0, 0.0, 0.0
        key = state.mask_key, last, left
        if key not in known:
            p, r = world.row(last), step.row(state, last, left)
            first = second = ended = tokens = 0.0
            for token in np.flatnonzero(r > 0.0).tolist():
                if token == eos:
                    after = (1.0, 1.0, 1.0, 0.0)
                else:
                    child = state.fork()
                    child.advance(token)
                    after = below(child, token, left - 1)
                first += p[token] * after[0]
                second += p[token] ** 2 / r[token] * after[1]
                ended += r[token] * after[2]
                tokens += r[token] * (1.0 + after[3])
            known[key] = first, second, ended, tokens
        return known[key]

    phi, second, ended, tokens = below(compiled.matcher(), -1, budget)
    return Efficiency(phi**2 / second, ended, tokens, phi)


def sampled_efficiency(
    world: World, compiled: gs.CompiledGrammar, twist: Twist, budget: int, draws: int
) -> Efficiency:
    """The same from draws."""
    step, eos = Step(world, twist), len(world.rows) - 1
    random = np.random.default_rng([world.seed, 14])
    weights, lengths, ended = np.zeros(draws), np.zeros(draws), 0
    for i in range(draws):
        state, last, log_weight = compiled.matcher(), -1, 0.0
        for left in range(budget, 0, -1):
            r = step.row(state, last, left)
            if not r.any():
                break
            token = int(np.searchsorted(np.cumsum(r), random.random() * r.sum()))
            log_weight += np.log(world.row(last)[token] / r[token])
            lengths[i] += 1
            if token == eos:
                weights[i] = np.exp(log_weight)
                ended += 1
                break
            state.advance(token)
            last = token
    total = weights.sum()
    ess = total**2 / (weights @ weights) / draws if total > 0 else 0.0
    return Efficiency(float(ess), ended / draws, float(lengths.mean()), float(weights.mean()))


def measure(task: Task, noise: float, seed: int, *, budget: int, draws: int) -> Iterable[dict[str, Any]]:
    """Rows of the table: each method, exact at a small budget and sampled at a large one."""
    world, compiled = World.make(task, noise, seed), task.compiled()
    for kind, size in (("exact", task.small), ("sampled", budget)):
        for method, twist in twists(world, compiled, size).items():
            if kind == "exact":
                found = exact_efficiency(world, compiled, twist, size)
            else:
                found = sampled_efficiency(world, compiled, twist, size, draws)
            yield {
                "task": task.name,
                "noise": noise,
                "seed": seed,
                "figure": kind,
                "budget": size,
                "method": method,
                **asdict(found),
            }


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Means over the seeds, as Markdown."""
    lines = [
        "| task | budget | noise | method | ESS/n | never end | tokens a run |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in rows:
        key = row["task"], f"{row['budget']} ({row['figure']})", row["noise"], row["method"]
        groups.setdefault(key, []).append(row)
    for key, group in groups.items():
        ess, ended, tokens = (np.mean([r[name] for r in group]) for name in ("ess", "ended", "tokens"))
        cells = [*map(str, key), f"{ess:.3f}", f"{1 - ended:.1%}", f"{tokens:.1f}"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def plot(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """ESS/n over the noise, and the runs that never end; one column a task."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    names = list(dict.fromkeys(r["task"] for r in rows))
    figure, panels = plt.subplots(
        2, len(names), figsize=(5 * len(names), 7), layout="constrained", squeeze=False
    )
    for column, name in enumerate(names):
        mine = [r for r in rows if r["task"] == name and r["figure"] == "sampled"]
        for method in METHODS:
            noises = sorted({r["noise"] for r in mine})
            chosen = [[r for r in mine if r["method"] == method and r["noise"] == x] for x in noises]
            panels[0, column].plot(
                noises, [np.mean([r["ess"] for r in g]) for g in chosen], "o-", label=method
            )
            never = [np.mean([1 - r["ended"] for r in g]) for g in chosen]
            panels[1, column].plot(noises, never, "o-")
        budget = mine[0]["budget"] if mine else 0
        panels[0, column].set(title=f"{name}, {budget} tokens", ylabel="ESS/n", ylim=(0, 1.02))
        panels[1, column].set(
            xlabel="noise of the bigram target", ylabel="runs that never end", ylim=(0, 1.02)
        )
        for axes in panels[:, column]:
            axes.grid(alpha=0.3)
    figure.legend(
        *panels[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False
    )
    figure.savefig(path, dpi=150)
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tasks", default="dyck,json", help="tasks, separated by commas (default dyck,json)")
    parser.add_argument("--noise", default="0,0.3,0.6,1", help="noise of the targets (default 0,0.3,0.6,1)")
    parser.add_argument("--seeds", type=int, default=3, help="worlds of each noise (default 3)")
    parser.add_argument("--draws", type=int, default=300, help="draws of a sampled figure (default 300)")
    parser.add_argument("--budget", type=int, default=100, help="tokens of a sampled run (default 100)")
    parser.add_argument("--out", type=Path, help="folder for partition.md, partition.json and partition.png")
    args = parser.parse_args()

    from rich.console import Console
    from rich.progress import track

    wanted, noises = args.tasks.split(","), [float(x) for x in args.noise.split(",")]
    jobs = [(t, x, s) for t in tasks() if t.name in wanted for x in noises for s in range(args.seeds)]
    rows: list[dict[str, Any]] = []
    for task, noise, seed in track(jobs, "worlds", console=Console(stderr=True)):
        rows += measure(task, noise, seed, budget=args.budget, draws=args.draws)
    print(table(rows))
    if args.out is not None:
        args.out.mkdir(parents=True, exist_ok=True)
        (args.out / "partition.md").write_text(table(rows) + "\n", encoding="utf-8")
        (args.out / "partition.json").write_text(json.dumps(rows, indent=1), encoding="utf-8")
        plot(rows, args.out / "partition.png")


if __name__ == "__main__":
    main()
