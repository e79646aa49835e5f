"""Masks of many sequences in one call, and of a draft tree, beside xgrammar and llguidance.

Law: every engine fills the same positions of the same texts; each batch is run once before it is measured, so
that states and rows are there; the best of several rounds counts, by the wall clock. Cost: about 2 minutes.

    python -m benchmarks.batch --sizes 1,16,256 --threads 1,2 --out /tmp/batch
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import gramspec as gs
from benchmarks.engines import Spec, installed, version
from benchmarks.measure import rows as rows_
from benchmarks.measure.families import FAMILIES, member
from benchmarks.measure.report import machine, table
from benchmarks.measure.rows import DATA, Row
from benchmarks.measure.tokens import TokenTable, default_file, tekken

Masks = NDArray[np.int32]
STEPS = 16  # tokens that each sequence is followed for
TREE = (16, 4)  # tokens of a text, and at each of them so many children in all: 64 nodes
ROUNDS = 50


def best(work: Callable[[], object]) -> float:
    """Seconds of the quickest of several rounds, after one that does not count."""
    times = []
    for number in range(ROUNDS + 1):
        begun = time.perf_counter()
        work()
        if number:
            times.append(time.perf_counter() - begun)
    return min(times)


class Ours:
    """gramspec: one engine, compiled once for each schema."""

    name = "gramspec"

    def __init__(self, tokens: TokenTable, texts: Sequence[Row]) -> None:
        vocabulary = gs.Vocabulary(tokens.tokens, [tokens.eos], special_tokens=tokens.specials)
        self.compiled = [gs.compile(gs.json_schema(row.job.text), vocabulary) for row in texts]

    def start(self, schema: int) -> gs.Matcher:
        return self.compiled[schema].matcher()

    def commit(self, text: gs.Matcher, token: int) -> None:
        text.advance(token)

    def filler(self, texts: Sequence[Any], array: Masks, threads: int) -> Callable[[], None]:
        return lambda: gs.fill_bitmasks(texts, array, threads=threads)

    def loop(self, texts: Sequence[Any], array: Masks) -> None:
        for row, text in enumerate(texts):
            text.fill_bitmask(array, row)


class Xgrammar:
    """xgrammar and its batch of matchers."""

    name = "xgrammar"

    def __init__(self, tokens: TokenTable, texts: Sequence[Row]) -> None:
        import xgrammar

        from benchmarks.engines.xgrammar import Xgrammar as Adapter

        self.library = xgrammar
        compiler = Adapter(tokens, time.perf_counter).compiler
        self.compiled = [compiler.compile_json_schema(row.job.text, strict_mode=False) for row in texts]
        self.batches: dict[int, Any] = {}

    def start(self, schema: int) -> Any:
        return self.library.GrammarMatcher(self.compiled[schema])

    def commit(self, text: Any, token: int) -> None:
        if not text.accept_token(token):
            raise ValueError(f"xgrammar refuses token {token}")

    def filler(self, texts: Sequence[Any], array: Masks, threads: int) -> Callable[[], None]:
        if threads not in self.batches:
            self.batches[threads] = self.library.BatchGrammarMatcher(max_threads=threads)
        batch = self.batches[threads]
        return lambda: batch.batch_fill_next_token_bitmask(list(texts), array)

    def loop(self, texts: Sequence[Any], array: Masks) -> None:
        for row, text in enumerate(texts):
            text.fill_next_token_bitmask(array, row)


class Llguidance:
    """llguidance and its executor."""

    name = "llguidance"

    def __init__(self, tokens: TokenTable, texts: Sequence[Row]) -> None:
        import llguidance
        from llguidance.numpy import fill_next_token_bitmask, fill_next_token_bitmask_par

        from benchmarks.engines.llguidance import Llguidance as Adapter

        self.library, self.one, self.many = llguidance, fill_next_token_bitmask, fill_next_token_bitmask_par
        adapter = Adapter(tokens, time.perf_counter)
        grammar = llguidance.LLMatcher.grammar_from_json_schema
        self.compiled = [
            llguidance.LLMatcher(adapter.tokenizer, grammar(row.job.text), log_level=0) for row in texts
        ]
        self.executors: dict[int, Any] = {}

    def start(self, schema: int) -> Any:
        return self.compiled[schema].deep_copy()

    def commit(self, text: Any, token: int) -> None:
        if not text.consume_token(token):
            raise ValueError(f"llguidance refuses token {token}")

    def filler(self, texts: Sequence[Any], array: Masks, threads: int) -> Callable[[], None]:
        if threads not in self.executors:
            self.executors[threads] = self.library.LLExecutor(num_threads=threads)
        executor = self.executors[threads]
        pairs = [(text, row) for row, text in enumerate(texts)]
        return lambda: self.many(executor, pairs, array)

    def loop(self, texts: Sequence[Any], array: Masks) -> None:
        for row, text in enumerate(texts):
            self.one(text, array, row)


Batched = Ours | Xgrammar | Llguidance
ENGINES: dict[str, Callable[[TokenTable, Sequence[Row]], Batched]] = {
    "gramspec": Ours,
    "llguidance": Llguidance,
    "xgrammar": Xgrammar,
}


def choose(data: Path, tokens: TokenTable, count: int) -> list[Row]:
    """Schemas whose first instance every engine reads, and is long enough; without data, made-up ones."""
    encode = tokens.encoder()
    if not any(data.glob("*.jsonl.gz")):
        return [member(name, sizes[1], encode) for name, (_, sizes) in FAMILIES.items()]
    from benchmarks.engines import make
    from benchmarks.measure.reading import read

    kinds = [kind for kind in ("gramspec", "llguidance") if installed(kind)]
    judges = [
        make(Spec(k, k, {"cold": False} if k == "gramspec" else {}), tokens, time.perf_counter) for k in kinds
    ]
    array = np.zeros((1, (len(tokens) + 31) // 32), dtype=np.int32)
    found = []
    for row in rows_.sample(data, 40 * count, 0, encode):
        long_enough = row.valid[:1] == [True] and len(row.job.instances[0]) > 2 * STEPS
        if not long_enough or len(row.job.text) > 2000:  # xgrammar takes seconds for large ones
            continue
        readings = [read(j, row.job.text, row.job.instances[:1], array, time.perf_counter) for j in judges]
        if all(reading.verdicts == [True] for reading in readings):
            found.append(row)
        if len(found) == count:
            break
    return found


def batches(
    engine: Batched, chosen: Sequence[Row], sizes: Sequence[int], threads: Sequence[int], words: int
) -> dict[str, dict[str, float]]:
    """Masks per second for each size: the loop, and one call on so many threads."""
    out: dict[str, dict[str, float]] = {}
    for size in sizes:
        array = np.zeros((size, words), dtype=np.int32)
        columns = {"loop": 0} | {f"{count} threads": count for count in threads}
        seconds = dict.fromkeys(columns, 0.0)
        texts = [engine.start(i % len(chosen)) for i in range(size)]
        for step in range(STEPS):
            for column, count in columns.items():
                work = engine.filler(texts, array, count) if count else partial(engine.loop, texts, array)
                seconds[column] += best(work)
            for i, text in enumerate(texts):
                engine.commit(text, chosen[i % len(chosen)].job.instances[0][step])
        out[str(size)] = {column: size * STEPS / spent for column, spent in seconds.items()}
    return out


def tree(tokens: TokenTable, chosen: Sequence[Row], peer: bool) -> dict[str, float]:
    """Seconds for the masks of a tree of 64 draft tokens, each way; the mean over the schemas."""
    ours = Ours(tokens, chosen)
    theirs = Xgrammar(tokens, chosen) if peer else None
    length, width = TREE
    words = (len(tokens) + 31) // 32
    spent: dict[str, list[float]] = {}
    draw = np.random.default_rng(0)
    for schema, row in enumerate(chosen):
        root = ours.start(schema)
        parents: list[int] = []
        drafts: list[int] = []
        states = [root]
        trunk = -1
        for token in row.job.instances[0][:length]:
            allowed = states[trunk + 1].allowed_ids()
            others = (
                draw.choice(allowed[allowed != token], width - 1)
                if len(allowed) > 1
                else [token] * (width - 1)
            )
            above = trunk
            for each in (token, *map(int, others)):
                state = states[above + 1].fork()
                state.advance_many([each])
                states.append(state)
                parents.append(above)
                drafts.append(each)
            trunk = len(parents) - width
        array = np.zeros((len(states), words), dtype=np.int32)
        again = np.zeros_like(array)
        one = best(partial(root.fill_bitmask_tree, parents, drafts, array))
        single = best(partial(ours.loop, states, again))
        np.testing.assert_array_equal(array, again)
        spent.setdefault("gramspec, one call", []).append(one)
        spent.setdefault("gramspec, 65 single masks of states at hand", []).append(single)
        if theirs is not None:
            spent.setdefault("xgrammar, traverse_draft_tree", []).append(
                _their_tree(theirs.start(schema), parents, drafts, again)
            )
    return {name: float(np.mean(each)) for name, each in spent.items()}


def _their_tree(matcher: Any, parents: Sequence[int], drafts: Sequence[int], array: Masks) -> float:
    """xgrammar wants first child and next sibling of each node, the root being node 0."""
    import torch

    count = len(parents) + 1
    child, sibling = [-1] * count, [-1] * count
    last: dict[int, int] = {}
    for node, parent in enumerate(parents, 1):
        before = last.get(parent + 1)
        if before is None:
            child[parent + 1] = node
        else:
            sibling[before] = node
        last[parent + 1] = node
    arguments = [torch.tensor(each) for each in (child, sibling, [0, *drafts])]
    masks = torch.from_numpy(array)
    return best(lambda: matcher.traverse_draft_tree(*arguments, masks))


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.batch",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--sizes", default="1,4,16,64,256", help="sequences in a batch (default %(default)s)")
    parser.add_argument("--threads", default="1,2", help="threads of one call (default %(default)s)")
    parser.add_argument("--schemas", type=int, default=16, help="schemas in a batch (default 16)")
    parser.add_argument("--engines", default=",".join(ENGINES), help="comma-separated (default %(default)s)")
    parser.add_argument("--vocabulary", type=int, help="ids to keep of Tekken's 131,072 (default all)")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of MaskBench-style *.jsonl.gz")
    parser.add_argument("--out", type=Path, help="folder for batch.md, batch.json and batch.png")
    args = parser.parse_args(argv)
    names = args.engines.split(",")
    for name in names:
        if name not in ENGINES:
            parser.error(f"no engine {name!r}: choose from {', '.join(ENGINES)}")
        if not installed(name):
            parser.error(f'{name} is not installed: pip install -e ".[bench]", or choose --engines')
    sizes, threads = ([int(part) for part in text.split(",")] for text in (args.sizes, args.threads))
    tokens = tekken(default_file(), args.vocabulary)
    chosen = choose(args.data, tokens, args.schemas)
    words = (len(tokens) + 31) // 32
    about = machine()
    gc.disable()  # for every engine
    rates = {name: batches(ENGINES[name](tokens, chosen), chosen, sizes, threads, words) for name in names}
    nodes = tree(tokens, chosen, "xgrammar" in names) if "gramspec" in names else {}
    gc.enable()
    about["load after"] = machine()["load"]
    head = "; ".join(f"{k} {v}" for k, v in ({n: version(n) for n in names} | about).items())
    what = f"Tekken, {len(tokens):,} ids; {len(chosen)} schemas, warm"
    text = f"# Masks of batches and trees\n\n{what}. {head}\n\n"
    text += _tables(rates, nodes)
    print(text)
    if args.out:
        args.out.mkdir(parents=True, exist_ok=True)
        (args.out / "batch.md").write_text(text, encoding="utf-8")
        data = {"head": head, "masks per second": rates, "seconds of a tree": nodes}
        (args.out / "batch.json").write_text(json.dumps(data, indent=1), encoding="utf-8")
        _plot(rates, args.out / "batch.png", f"Tekken, {len(tokens):,} ids")
    return 0


def _tables(rates: dict[str, dict[str, dict[str, float]]], nodes: dict[str, float]) -> str:
    columns = list(dict.fromkeys(c for sizes in rates.values() for each in sizes.values() for c in each))
    lines = []
    for name, sizes in rates.items():
        for size, each in sizes.items():
            gain = max(each.values()) / each["1 threads"] if "1 threads" in each else 0.0
            lines.append([name, size, *(each[c] for c in columns), f"{gain:.2f}×"])
    header = ["engine", "batch", *columns, "most threads / one"]
    text = "## Masks per second\n\n" + table(header, lines) + "\n"
    if nodes:
        cells = [[name, seconds * 1e6] for name, seconds in nodes.items()]
        text += "\n## Draft tree of 64 nodes\n\n" + table(["way", "µs, mean over schemas"], cells) + "\n"
    return text


def _plot(rates: dict[str, dict[str, dict[str, float]]], path: Path, title: str) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 5), layout="constrained")
    for number, (name, sizes) in enumerate(rates.items()):
        columns = next(iter(sizes.values()))
        for style, column in zip(("o:", "o--", "o-", "s-", "^-"), columns, strict=False):
            values = [each[column] for each in sizes.values()]
            axes.plot([int(s) for s in sizes], values, style, color=f"C{number}", label=f"{name}, {column}")
    axes.set(
        xscale="log", yscale="log", xlabel="sequences in a batch", ylabel="masks per second", title=title
    )
    axes.grid(alpha=0.3, which="both")
    axes.legend(fontsize=8)
    figure.savefig(path, dpi=130)
    plt.close(figure)


if __name__ == "__main__":
    sys.exit(main())
