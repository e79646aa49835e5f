"""Masks of JSON schemas beside llguidance: verdicts, time to first mask, time of mask and commit.

Law: both engines read the same tokens of the same instances in one process, on one thread; ratios count.
Cost: about 0.2 s a schema. Example: `python -m benchmarks.masks --schemas 300 --seed 0 --json masks.json`

Cold: vocabulary and token trie are built, nothing is kept from earlier schemas. Steady: one engine serves all
schemas, as in normal use (token rows belong to the vocabulary). llguidance keeps nothing between schemas.
"""

from __future__ import annotations

import argparse
import gc
import gzip
import importlib.util
import inspect
import json
import platform
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from importlib import metadata, resources
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

import gramspec as gs
from gramspec.matching import compiled as engines

Order = Literal["any", "schema"]
Formats = Literal["annotate", "assert"]
ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data" / "jsonschemabench"
TEKKEN = Path(str(resources.files("mistral_common") / "data" / "tekken_240911.json"))
clock: Callable[[], float] = time.perf_counter  # --clock cpu: time.thread_time


class Refused(Exception):
    """The engine does not take this schema; the text says why."""


class Text(Protocol):
    """The state of one text in either engine."""

    def fill(self, array: NDArray[np.int32]) -> None: ...
    def commit(self, token: int) -> bool: ...
    def accepting(self) -> bool: ...


class Adapter(Protocol):
    """An engine: how it gets ready, and what it makes of a schema."""

    name: str
    setup: dict[str, float]

    def before(self) -> None:
        """Forget earlier schemas; not on the clock."""

    def compile(self, text: str) -> tuple[Text, Callable[[], Text]]:
        """A text to begin with, and what makes further ones."""

    def parts(self) -> dict[str, float]:
        """Seconds of the steps of the last `compile`."""


# -- gramspec -----------------------------------------------------------------------------------------


class OurText:
    def __init__(self, matcher: gs.Matcher) -> None:
        self.matcher = matcher
        self.fill = matcher.fill_bitmask

    def commit(self, token: int) -> bool:
        try:
            self.matcher.advance(token)
        except gs.RejectedTokenError:
            return False
        return True

    def accepting(self) -> bool:
        return self.matcher.is_accepting


class Ours:
    """gramspec; cold: an engine of its own for each schema, made before the clock starts."""

    def __init__(self, vocabulary: gs.Vocabulary, order: Order, formats: Formats, *, cold: bool) -> None:
        self.name = f"gramspec {'cold' if cold else 'steady'}"
        self.vocabulary, self.order, self.formats, self.cold = vocabulary, order, formats, cold
        # Two sets of limits are two engines: neither adapter sees what the other has learnt.
        self.limits = gs.Limits() if cold else gs.Limits(compile_seconds=61.0)
        begun = clock()
        self.before()
        engines._engine(self.vocabulary, self.limits)
        self.setup = {"token trie": clock() - begun}

    def before(self) -> None:
        if self.cold:
            engines._engines.get(self.vocabulary, {}).pop(self.limits, None)
            forget()
            engines._engine(self.vocabulary, self.limits)

    def compile(self, text: str) -> tuple[Text, Callable[[], Text]]:
        begun = clock()
        try:
            grammar = gs.json_schema(text, property_order=self.order, formats=self.formats)
            parsed = clock()
            compiled = gs.compile(grammar, self.vocabulary, limits=self.limits)
        except gs.GramspecError as error:
            reason = error.reason if isinstance(error, gs.GrammarError) else str(error)
            raise Refused(f"{type(error).__name__}: {reason}") from None
        self._parts = {"front end": parsed - begun, "loading": clock() - parsed}
        return OurText(compiled.matcher()), lambda: OurText(compiled.matcher())

    def parts(self) -> dict[str, float]:
        return self._parts


def forget() -> None:
    """Empty every memo of the front end that depends on a schema; tables of Unicode are kept."""
    for name, module in list(sys.modules.items()):
        if name.startswith("gramspec.grammar") and not name.endswith(".unicode"):
            for value in list(vars(module).values()):
                if hasattr(value, "cache_clear") and inspect.signature(value).parameters:
                    value.cache_clear()


# -- llguidance ---------------------------------------------------------------------------------------


class TheirText:
    def __init__(self, matcher: Any, fill: Callable[..., None]) -> None:
        self.matcher = matcher
        self._fill = fill
        self.commit = matcher.consume_token

    def fill(self, array: NDArray[np.int32]) -> None:
        self._fill(self.matcher, array)

    def accepting(self) -> bool:
        return bool(self.matcher.is_accepting())


class Theirs:
    """llguidance, with mistral_common's own table of the Tekken tokens."""

    name = "llguidance"

    def __init__(self, tekkenizer: Any) -> None:
        import llguidance
        from llguidance.numpy import fill_next_token_bitmask
        from mistral_common.guidance.tokenizer import MistralLLGTokenizer

        self.library, self._fill = llguidance, fill_next_token_bitmask
        begun = clock()
        table = MistralLLGTokenizer(tekkenizer)
        listed = clock()
        self.tokenizer = llguidance.LLTokenizer(llguidance.TokenizerWrapper(table))
        self.setup = {"token table": listed - begun, "LLTokenizer with slices": clock() - listed}

    def before(self) -> None:
        pass

    def compile(self, text: str) -> tuple[Text, Callable[[], Text]]:
        library = self.library
        grammar = library.LLMatcher.grammar_from_json_schema(text)
        matcher = library.LLMatcher(self.tokenizer, grammar, log_level=0)
        if matcher.is_error():
            raise Refused(matcher.get_error().splitlines()[0])
        return TheirText(matcher, self._fill), lambda: TheirText(matcher.deep_copy(), self._fill)

    def parts(self) -> dict[str, float]:
        return {}


# -- one schema ---------------------------------------------------------------------------------------


@dataclass
class Reading:
    """One engine on one schema; times in seconds."""

    refused: str = ""
    first_mask: float = 0.0
    parts: dict[str, float] = field(default_factory=dict)  # of the time to first mask
    masks: list[list[float]] = field(default_factory=list)  # of each instance, token by token
    verdicts: list[bool] = field(default_factory=list)
    narrowed: int = 0  # tokens that the mask lacked and the engine took all the same


def read(
    adapter: Adapter, text: str, instances: Sequence[Sequence[int]], array: NDArray[np.int32]
) -> Reading:
    """Compile a schema, then read each instance until it is refused."""
    out = Reading()
    adapter.before()
    begun = clock()
    try:
        first, another = adapter.compile(text)
        first.fill(array)
    except Refused as refusal:
        out.refused = str(refusal)
        return out
    out.first_mask = clock() - begun
    out.parts = {"time to first mask": out.first_mask, **adapter.parts()}
    for tokens in instances:
        sequence = another()
        times: list[float] = []
        verdict = True
        for token in tokens:
            begun = clock()
            sequence.fill(array)
            filled = clock()
            allowed = bool(array[0, token >> 5] >> (token & 31) & 1)
            asked = clock()
            taken = sequence.commit(token) if allowed else False
            times.append(filled - begun + clock() - asked)
            if not allowed and not adapter.name.startswith("gramspec") and sequence.commit(token):
                out.narrowed += 1
                taken = True
            if not taken:
                verdict = False
                break
        out.masks.append(times)
        out.verdicts.append(verdict and sequence.accepting())
    return out


@dataclass
class Row:
    """A schema with its instances as tokens."""

    id: str
    text: str
    instances: list[list[int]]
    valid: list[bool]


def load(data: Path, count: int, seed: int, encode: Callable[[str], list[int]]) -> list[Row]:
    """A random sample of the schemas; instances that hang on `format` are left out."""
    rows = []
    for path in sorted(data.glob("*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            rows += [json.loads(line) for line in lines]
    random.Random(seed).shuffle(rows)
    out = []
    for row in rows[:count]:
        tests = [t for t in row["tests"] if not (t.get("needs_format") or t.get("py_accepts"))]
        texts = [json.dumps(t["data"], ensure_ascii=False) for t in tests]
        valid = [bool(t["valid"]) for t in tests]
        out.append(Row(row["id"], json.dumps(row["schema"]), [encode(t) for t in texts], valid))
    return out


# -- tables -------------------------------------------------------------------------------------------

POINTS = (50, 90, 99, 99.9)


def summary(seconds: Iterable[float]) -> dict[str, float]:
    """Count, mean, percentiles and maximum in microseconds."""
    us = np.array(list(seconds)) * 1e6
    if not len(us):
        return {"n": 0}
    out = {"n": float(len(us)), "mean": float(us.mean())}
    out |= {f"p{p}": float(np.percentile(us, p)) for p in POINTS}
    return out | {"max": float(us.max())}


def verdicts(rows: Sequence[Row], readings: Sequence[Reading]) -> dict[str, int]:
    """How the instances came out."""
    count: Counter[str] = Counter(schemas=len(rows))
    for row, reading in zip(rows, readings, strict=True):
        if reading.refused:
            count["refused"] += 1
            continue
        count["compiled"] += 1
        count["all tests right"] += reading.verdicts == row.valid
        count["mask narrower than grammar"] += reading.narrowed
        for valid, verdict in zip(row.valid, reading.verdicts, strict=True):
            count[f"{'valid' if valid else 'invalid'} {'accepted' if verdict else 'refused'}"] += 1
    return dict(count)


def markdown(header: Sequence[str], lines: Iterable[Sequence[Any]]) -> str:
    def show(value: Any) -> str:
        if isinstance(value, float):
            return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 1 else f"{value:.2f}"
        return str(value)

    out = ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
    return "\n".join(out + ["| " + " | ".join(map(show, line)) + " |" for line in lines])


def time_table(title: str, parts: dict[str, dict[str, float]]) -> str:
    names = ["n", "mean", *(f"p{p}" for p in POINTS), "max"]
    lines: list[Sequence[Any]] = []
    for name, figures in parts.items():
        lines.append([name, int(figures["n"]), *(figures.get(n, "-") for n in names[1:])])
    if {"llguidance"} < set(parts) and all(f["n"] for f in parts.values()):
        for name in parts:
            if name != "llguidance":  # above 1: gramspec takes less time
                ratios = [parts["llguidance"][n] / parts[name][n] for n in names[1:]]
                lines.append([f"llguidance / {name}", "", *(f"{r:.2f}×" for r in ratios)])
    return f"\n**{title}** (µs)\n\n" + markdown(["", *names], lines)


def slowest(rows: Sequence[Row], readings: dict[str, list[Reading]], count: int = 4) -> list[list[str]]:
    """Schemas with the longest time to first mask, and with the longest single mask."""
    out = []
    for name, found in readings.items():
        worst: dict[str, list[tuple[float, str]]] = {"first mask": [], "mask": []}
        for row, reading in zip(rows, found, strict=True):
            worst["first mask"].append((reading.first_mask, row.id))
            worst["mask"].append((max((max(t, default=0.0) for t in reading.masks), default=0.0), row.id))
        for what, pairs in worst.items():
            top = sorted(pairs, reverse=True)[:count]
            out.append([name, what, ", ".join(f"{key} {seconds * 1e3:.1f}" for seconds, key in top)])
    return out


VERDICTS = ["schemas", "compiled", "refused", "all tests right", "valid accepted", "valid refused"]
VERDICTS += ["invalid refused", "invalid accepted", "mask narrower than grammar"]


def report(rows: Sequence[Row], readings: dict[str, list[Reading]]) -> tuple[str, dict[str, Any]]:
    """Tables, and the same figures for JSON."""
    counts = {name: verdicts(rows, found) for name, found in readings.items()}
    lines = [[name, *(count.get(v, 0) for v in VERDICTS)] for name, count in counts.items()]
    parts = ["\n**Verdicts**\n\n" + markdown(["", *VERDICTS], lines)]
    figures: dict[str, Any] = {"verdicts": counts}
    both = [i for i in range(len(rows)) if not any(found[i].refused for found in readings.values())]
    groups: list[tuple[str, list[str], list[int]]] = [
        (f"{len(both)} schemas that all compile, positions that all read", list(readings), both)
    ]
    for name, found in readings.items():
        groups.append(
            (f"all that {name} compiles", [name], [i for i, r in enumerate(found) if not r.refused])
        )
    for title, names, picked in groups:
        masks: dict[str, list[float]] = {name: [] for name in names}
        for i in picked:
            for each in zip(*(readings[name][i].masks for name in names), strict=True):
                shortest = min(map(len, each))  # an engine that refuses earlier reads less
                for name, times in zip(names, each, strict=True):
                    masks[name] += times[:shortest]
        first = {name: summary(readings[name][i].first_mask for i in picked) for name in names}
        steps = {name: summary(times) for name, times in masks.items()}
        parts.append(time_table(f"Time to first mask: {title}", first))
        parts.append(time_table(f"Mask and commit of a token: {title}", steps))
        figures[title] = {"first mask": first, "mask": steps}
    reasons = {name: Counter(r.refused[:70] for r in found if r.refused) for name, found in readings.items()}
    for name, counter in reasons.items():
        if counter and not name.endswith("steady"):
            top = "; ".join(f"{n} × {reason}" for reason, n in counter.most_common(6))
            parts.append(f"\n{name} refuses: {top}")
    for name, found in readings.items():
        if parts_of := [r.parts for r in found if len(r.parts) > 1]:
            split = {part: summary(p[part] for p in parts_of) for part in parts_of[0]}
            parts.append(time_table(f"Where {name} spends the time to first mask", split))
            figures[f"parts of {name}"] = split
    figures["slowest"] = slowest(rows, readings)
    parts.append("\n**Slowest** (ms)\n\n" + markdown(["engine", "what", "schemas"], figures["slowest"]))
    figures["refusals"] = {name: dict(counter) for name, counter in reasons.items()}
    return "\n".join(parts), figures


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--schemas", type=int, default=300, help="how many schemas (default 300)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the sample (default 0)")
    parser.add_argument(
        "--data", type=Path, help=f"folder of *.jsonl.gz (default ../{DATA.relative_to(ROOT.parent)})"
    )
    parser.add_argument("--order", choices=["any", "schema"], default="any", help="key order (default any)")
    parser.add_argument("--formats", choices=["annotate", "assert"], default="annotate")
    parser.add_argument(
        "--clock", choices=["wall", "cpu"], default="wall", help="cpu: of this thread, for busy machines"
    )
    parser.add_argument("--alone", action="store_true", help="measure gramspec only")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    args = parser.parse_args()
    global clock
    clock = time.thread_time if args.clock == "cpu" else time.perf_counter
    if not args.alone and importlib.util.find_spec("llguidance") is None:
        parser.error('llguidance is not installed: pip install -e ".[bench]", or pass --alone')
    data: Path = args.data or DATA
    if not any(data.glob("*.jsonl.gz")):
        print(f"no *.jsonl.gz in {data}; pass --data DIR with JSONSchemaBench files", file=sys.stderr)
        return 2 if args.data else 0
    from mistral_common.tokens.tokenizers.tekken import Tekkenizer
    from tqdm import tqdm

    begun = clock()
    vocabulary = gs.Vocabulary.from_tekken(TEKKEN)
    built = clock() - begun
    tekkenizer = Tekkenizer.from_file(TEKKEN)
    adapters: list[Adapter] = [
        Ours(vocabulary, args.order, args.formats, cold=True),
        Ours(vocabulary, args.order, args.formats, cold=False),
    ]
    if not args.alone:
        adapters.append(Theirs(tekkenizer))
    rows = load(data, args.schemas, args.seed, lambda text: tekkenizer.encode(text, False, False))
    array = np.zeros((1, (len(vocabulary) + 31) // 32), dtype=np.int32)
    readings: dict[str, list[Reading]] = {adapter.name: [] for adapter in adapters}
    # Memos of the front end are one per process: the engine that keeps them has a pass of its own.
    keeping = [adapter for adapter in adapters if adapter.name == "gramspec steady"]
    for group in (keeping, [adapter for adapter in adapters if adapter not in keeping]):
        forget()
        for number, row in enumerate(tqdm(rows, unit="schema", leave=False)):
            if number % 25 == 0:
                gc.unfreeze()
                gc.collect()
            for adapter in group:
                gc.freeze()  # no engine pays for collecting what was there before it began
                readings[adapter.name].append(read(adapter, row.text, row.instances, array))
    tables, figures = report(rows, readings)
    names = ["llguidance", "mistral_common", "numpy"]
    versions = {"python": platform.python_version()}
    versions |= {name: metadata.version(name) for name in names if not (args.alone and name == "llguidance")}
    versions["gramspec"] = gs.__version__
    setup = {"gramspec vocabulary": built}
    for adapter in adapters:
        setup |= {f"{adapter.name}: {part}": seconds for part, seconds in adapter.setup.items()}
    print(
        f"Tekken, {len(vocabulary):,} ids; {len(rows)} schemas, seed {args.seed}, keys {args.order}, formats "
        f"{args.formats}; one thread, {args.clock} clock; "
        + ", ".join(f"{n} {v}" for n, v in versions.items())
    )
    print("\n**Once per vocabulary** (ms)\n")
    print(markdown(["what", "ms"], [[name, seconds * 1e3] for name, seconds in setup.items()]))
    print(tables)
    if args.json:
        figures |= {
            "versions": versions,
            "setup seconds": setup,
            "arguments": {k: str(v) for k, v in vars(args).items()},
        }
        args.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
