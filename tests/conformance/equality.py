"""One mask in every way that it is made: new, shared, evicted, from bytes, batched, threaded, as a tree.

Law: all ways give the same bits after every token of every instance.
Cost: eight masks a token; plain masks (each row by a full walk) are made at some tokens only.
Source: `python -m tests.conformance.equality [--schemas N] [--seed N] [--order any|schema] [--plain SHARE]`.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

import gramspec as gs
from gramspec.matching import compiled as engines
from tests.conformance import maskbench

Masks = NDArray[np.int32]
NEW = gs.Limits(compile_seconds=61.0)
PLAIN = gs.Limits(compile_seconds=62.0, max_cache_bytes=0)
EVICTED = gs.Limits(compile_seconds=63.0, max_cache_bytes=5 << 14, max_row_bytes=8 << 20)
BYTES = gs.Limits(compile_seconds=64.0)
THREADS = 3


@dataclass
class Report:
    """Masks compared in each way, and the first differences, a line each."""

    compared: Counter[str] = field(default_factory=Counter)
    differences: list[str] = field(default_factory=list)
    schemas: int = 0

    def same(self, way: str, where: str, expected: Masks, found: Masks) -> None:
        """Count a comparison."""
        self.compared[way] += len(expected)
        if not np.array_equal(expected, found) and len(self.differences) < 100:
            row = int(np.flatnonzero((expected != found).any(axis=1))[0])
            changed = expected[row] ^ found[row]
            word = int(np.flatnonzero(changed)[0])
            token = word * 32 + (int(changed[word]) & -int(changed[word])).bit_length() - 1
            self.differences.append(f"{way}: {where}, after {row} tokens, token {token}")


class Comparer:
    """Compares the masks of schemas on one vocabulary.

    Parameters
    ----------
    vocabulary : Vocabulary
    plain : float
        Share of the masks that are made by full walks too.
    """

    def __init__(self, vocabulary: gs.Vocabulary, *, plain: float = 0.02) -> None:
        self.vocabulary = vocabulary
        self.plain = plain
        self.report = Report()
        self.width = (len(vocabulary) + 31) // 32

    def schema(
        self, name: str, text: str, instances: Sequence[Sequence[int]], order: Literal["any", "schema"]
    ) -> bool:
        """Compare the masks along the instances; false if the schema is refused."""
        choose = random.Random(name)
        try:
            new = self._compiled(text, order, NEW, forget=True)
        except gs.GramspecError:
            return False
        self.report.schemas += 1
        plain = self._compiled(text, order, PLAIN, forget=True)
        plain._engine.core.shortcuts = False
        others: dict[str, Callable[[], gs.Matcher]] = {
            "shared": self._compiled(text, order, gs.Limits()).matcher,
            "evicted": self._compiled(text, order, EVICTED).matcher,
            "bytes": self._loaded(new, name).matcher,
        }
        known: list[Masks] = []
        for number, tokens in enumerate(instances):
            where = f"{name} instance {number}"
            expected = self._along(new.matcher(), tokens)
            known.append(expected)
            for way, start in others.items():
                self.report.same(way, where, expected, self._along(start(), tokens))
            self._plainly(plain.matcher(), where, tokens, expected, choose)
            self._tree(new.matcher(), where, tokens, expected)
        self._batch(new, name, instances, known)
        self._threads(text, order, name, instances, known)
        return True

    def _compiled(
        self, text: str, order: Literal["any", "schema"], limits: gs.Limits, *, forget: bool = False
    ) -> gs.CompiledGrammar:
        if forget:
            engines._engines.get(self.vocabulary, {}).pop(limits, None)
        return gs.compile(gs.json_schema(text, property_order=order), self.vocabulary, limits=limits)

    def _loaded(self, compiled: gs.CompiledGrammar, name: str) -> gs.CompiledGrammar:
        data = compiled.to_bytes()
        loaded = gs.CompiledGrammar.from_bytes(data, self.vocabulary, limits=BYTES)
        if loaded.residuals != compiled.residuals or loaded.fingerprint != compiled.fingerprint:
            self.report.differences.append(f"bytes: {name}: another grammar came back")
        return loaded

    def _empty(self, rows: int) -> Masks:
        return np.full((rows, self.width), -1, dtype=np.int32)

    def _along(self, matcher: gs.Matcher, tokens: Sequence[int]) -> Masks:
        """Masks before the first token and after each that is taken."""
        out = self._empty(len(tokens) + 1)
        matcher.fill_bitmask(out, 0)
        for index, token in enumerate(tokens, 1):
            if not matcher.advance_many((token,)):
                return out[:index]
            matcher.fill_bitmask(out, index)
        return out

    def _plainly(
        self, matcher: gs.Matcher, where: str, tokens: Sequence[int], expected: Masks, choose: random.Random
    ) -> None:
        row = self._empty(1)
        for index in range(len(expected)):
            if index and not matcher.advance_many((tokens[index - 1],)):
                self.report.differences.append(f"plain: {where}: token {index - 1} is refused")
                return
            if choose.random() < self.plain:
                matcher.fill_bitmask(row)
                self.report.same("plain", f"{where} at {index}", expected[index : index + 1], row)

    def _tree(self, matcher: gs.Matcher, where: str, tokens: Sequence[int], expected: Masks) -> None:
        """The instance as a tree of one branch; at most 64 nodes a call."""
        for begin in range(0, len(expected) - 1, 64):
            part = list(tokens[begin : begin + min(64, len(expected) - 1 - begin)])
            out = self._empty(len(part) + 1)
            matcher.fill_bitmask_tree(list(range(-1, len(part) - 1)), part, out)
            self.report.same("tree", f"{where} from {begin}", expected[begin : begin + len(part) + 1], out)
            matcher.advance_many(part)

    def _batch(
        self,
        compiled: gs.CompiledGrammar,
        name: str,
        instances: Sequence[Sequence[int]],
        known: Sequence[Masks],
    ) -> None:
        """Every eighth place of all instances in one call."""
        matchers: list[gs.Matcher] = []
        rows: list[Masks] = []
        for tokens, expected in zip(instances, known, strict=True):
            matcher = compiled.matcher()
            for index in range(len(expected)):
                if index:
                    matcher.advance(tokens[index - 1])
                if index % 8 == 0:
                    matchers.append(matcher.fork())
                    rows.append(expected[index])
        if not matchers:
            return
        for threads in (1, 2):
            out = self._empty(len(matchers))
            gs.fill_bitmasks(matchers, out, threads=threads)
            self.report.same(f"batch of {threads} threads", name, np.stack(rows), out)

    def _threads(
        self,
        text: str,
        order: Literal["any", "schema"],
        name: str,
        instances: Sequence[Sequence[int]],
        known: Sequence[Masks],
    ) -> None:
        """One new compiled grammar, read by several threads at once."""
        compiled = self._compiled(text, order, NEW, forget=True)
        found: list[list[Masks]] = [[] for _ in range(THREADS)]
        barrier = threading.Barrier(THREADS)

        def read(lane: int) -> None:
            barrier.wait()
            # Each begins elsewhere, so that they meet in states known to one of them and new to another.
            for step in range(len(instances)):
                found[lane].append(self._along(compiled.matcher(), instances[(lane + step) % len(instances)]))

        workers = [threading.Thread(target=read, args=(lane,)) for lane in range(THREADS)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        for lane, masks in enumerate(found):
            if len(masks) != len(instances):
                self.report.differences.append(f"threads: {name}: thread {lane} ended early")
            for step, found_masks in enumerate(masks):
                expected = known[(lane + step) % len(instances)]
                self.report.same("threads", name, expected, found_masks)


def instances(case: maskbench.Case, tokenizer: Any, *, longest: int = 1500, most: int = 4) -> list[list[int]]:
    """Tokens of the instances of a case, valid and invalid ones."""
    texts = [json.dumps(test["data"], ensure_ascii=False) for test in case.tests]
    return [tokenizer.encode(text, False, False) for text in texts if len(text) <= longest][:most]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run as a program; the exit status says whether there were differences."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--schemas", type=int, default=0, help="so many, chosen at random; 0: all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--order", choices=("any", "schema"), default="any")
    parser.add_argument("--plain", type=float, default=0.02, help="share of masks made by full walks too")
    given = parser.parse_args(arguments)
    import mistral_common
    from mistral_common.tokens.tokenizers.tekken import Tekkenizer
    from rich.progress import track

    tekken = Path(mistral_common.__file__).parent / "data" / "tekken_240911.json"
    comparer = Comparer(gs.Vocabulary.from_tekken(tekken), plain=given.plain)
    tokenizer = Tekkenizer.from_file(tekken)
    cases = list(maskbench.cases())
    random.Random(given.seed).shuffle(cases)
    chosen = cases[: given.schemas or None]
    refused = 0
    for case in track(chosen, description="schemas", disable=not sys.stderr.isatty()):
        refused += not comparer.schema(
            case.id, json.dumps(case.schema), instances(case, tokenizer), given.order
        )
    report = comparer.report
    print(f"{report.schemas} schemas, {refused} refused, order {given.order}")
    for way, count in sorted(report.compared.items()):
        print(f"  {way:20} {count:>9,} masks")
    print(f"{len(report.differences)} differences", *report.differences[:20], sep="\n  ")
    return int(bool(report.differences))


if __name__ == "__main__":
    sys.exit(main())
