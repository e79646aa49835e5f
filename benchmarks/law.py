"""Draws of the embedded pair against exact laws: X² tests, empirical TV beside its floor, power.

Law: conditional draws (cold trie each, n = 1) follow P*; masked draws do not, and the same test says so.
Source: laws, "Sampled tests". Example: `python -m benchmarks.law --draws 15000 --json law.json`
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import gramspec as gs
from gramspec.audit import (
    Law,
    LawTest,
    check_draws,
    draws_for_power,
    empirical_tv,
    exact_law,
    power_line,
    tv_floor,
)
from gramspec.models.memo import MemoModel

BOOLEAN = {"type": "boolean"}


def one_of(*values: Any) -> dict[str, Any]:
    return {"enum": list(values)}


def array(items: dict[str, Any], low: int, high: int) -> dict[str, Any]:
    return {"type": "array", "items": items, "minItems": low, "maxItems": high}


@dataclass(frozen=True)
class Case:
    """One prompt and sub-schema with few enough token sequences to enumerate; gamma 0: no draft."""

    prompt: str
    schema: dict[str, Any]
    max_new_tokens: int
    temperature: float
    gamma: int


CASES = [
    Case(
        "Is the user Ana Novak active? Answer true, false or null.",
        {"anyOf": [BOOLEAN, one_of("yes", "no", "active")]},
        5,
        2.0,
        0,
    ),
    Case("What is 3 + 4?", {"type": "integer", "minimum": 0, "maximum": 12}, 4, 2.0, 2),
    Case("Roll a die.", one_of(1, 2, 12, 66), 4, 2.0, 0),
    Case(
        "Roll a die. Answer with one number.",
        {"anyOf": [one_of(1, 2, 3, 4), array(one_of(1, 2), 0, 1)]},
        5,
        2.0,
        3,
    ),
    Case("Roll 2 dice. Answer with a JSON array.", array(one_of(1, 2, 3, 4), 1, 2), 6, 1.5, 2),
    Case("Flip 3 coins. Answer with a JSON array of booleans.", array(BOOLEAN, 1, 2), 7, 1.5, 3),
    Case("Compute 2 + 2.", {"anyOf": [one_of(2, 4, 22, 24), array(one_of(4), 0, 1)]}, 5, 2.0, 2),
    Case(
        "Pick one: red, blue. Answer with a JSON string.",
        one_of("red", "blue", "re", "r", "b"),
        6,
        1.5,
        2,
    ),
]


class Pair:
    """The embedded pair with remembered rows: every draw sees the same rows as the exact law."""

    def __init__(self) -> None:
        target, draft = gs.models.embedded()
        self.target, self.draft = (MemoModel(m, max_bytes=1 << 30) for m in (target, draft))
        self.vocabulary = target.vocabulary
        self.encode = target.encode
        self.compiled: dict[str, Any] = {}

    def grammar(self, case: Case) -> Any:
        key = json.dumps(case.schema)
        if key not in self.compiled:
            grammar = gs.json_schema(case.schema, whitespace="compact")
            self.compiled[key] = gs.compile(grammar, self.vocabulary)
        return self.compiled[key]

    def exact(self, case: Case, law: str) -> Law:
        return exact_law(
            self.target,
            self.grammar(case),
            case.max_new_tokens,
            vocabulary=self.vocabulary,
            prompt=self.encode(case.prompt + "\n"),
            temperature=case.temperature,
            law=law,
        )

    def draw(self, case: Case, law: str, seeds: Sequence[int]) -> list[tuple[int, ...]]:
        """One draw per seed, each a call of `generate` on a cold trie."""
        prompt = self.encode(case.prompt + "\n")
        options = gs.DecodingOptions(gamma=max(case.gamma, 1), memo_bytes=0)  # rows are remembered here
        drawn = []
        for seed in seeds:
            [[completion]] = gs.generate(
                self.target,
                [prompt],
                self.grammar(case),
                draft=self.draft if case.gamma else None,
                law=law,
                max_new_tokens=case.max_new_tokens,
                temperature=case.temperature,
                seed=seed,
                options=options,
            )
            drawn.append(tuple(completion.token_ids))
        return drawn


def figures(case: Case, law: Law, drawn: list[tuple[int, ...]], test: LawTest) -> dict[str, Any]:
    cells = test.outcomes.cells
    return {
        "sequences": len(law),
        "draws": len(drawn),
        "cells": cells,
        "x2": test.outcomes.statistic,
        "p": test.outcomes.p_value,
        "p_length": test.length.p_value,
        "p_first": test.first_token.p_value,
        "p_pairs": test.pairs_p_value,
        "p_all": test.smallest_p,
        "tv_empirical": empirical_tv(drawn, law),
        "tv_floor": tv_floor(law, len(drawn)),
        "power_at_tv_0.03": power_line(len(drawn), 0.03, cells) if cells > 1 else None,
        "draws_for_power_0.99": draws_for_power(0.03, cells) if cells > 1 else None,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--draws", type=int, default=5000, help="draws per prompt and law (default 5000)")
    parser.add_argument("--seed", type=int, default=0, help="first seed (default 0)")
    parser.add_argument("--json", help="also write the figures to this file")
    args = parser.parse_args()
    pair = Pair()
    results = []
    for case in CASES:
        exact = {name: pair.exact(case, name) for name in ("conditional", "masked")}
        target = exact["conditional"]
        assert target.log_phi is not None
        print(
            f"\n{case.prompt}  {json.dumps(case.schema)}"
            f"\n  N={case.max_new_tokens} T={case.temperature} gamma={case.gamma}:"
            f" {len(target)} sequences, Phi {math.exp(target.log_phi):.3g}, TV(masked, conditional) "
            f"{target.tv(exact['masked']):.3f}"
        )
        for name in ("conditional", "masked"):
            begun = time.perf_counter()
            drawn = pair.draw(case, name, range(args.seed, args.seed + args.draws))
            seconds = time.perf_counter() - begun
            row = figures(case, target, drawn, check_draws(drawn, target))
            own = check_draws(drawn, exact[name]).smallest_p
            results.append({**asdict(case), "law": name, "p_own_law": own, "seconds": seconds, **row})
            power = row["power_at_tv_0.03"]
            print(
                f"  {name:<11} {len(drawn)} draws in {seconds:.1f} s: X2 {row['x2']:.1f} on {row['cells']} "
                f"cells, p {row['p_all']:.3g} (against its own law {own:.3g}); TV {row['tv_empirical']:.4f}, "
                f"floor {row['tv_floor']:.4f}; power at TV 0.03: {'-' if power is None else f'{power:.3f}'}"
            )
    if args.json:
        with open(args.json, "w", encoding="utf-8") as file:
            json.dump(results, file, indent=1)


if __name__ == "__main__":
    main()
