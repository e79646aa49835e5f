"""Differential fuzz without end: random schemas of every draft, and mutated instances of real schemas.

Law: prints each disagreement with `jsonschema` as a small case, and the seed that made it.
Source: `python -m tests.conformance.fuzz [--seconds 600] [--seed N] [--what KIND] [--most N]`; `make fuzz`.
"""

from __future__ import annotations

import argparse
import json
import random
import secrets
import sys
import time
from collections.abc import Sequence
from typing import Any

from gramspec.testing.random_schemas import DRAFTS, Maker
from gramspec.testing.schema_oracle import Oracle, sound
from tests.conformance import differential, maskbench
from tests.conformance.judge import Judge
from tests.conformance.key_order import orders

_WEIGHTS = {"4": 1, "6": 1, "7": 2, "2019-09": 2, "2020-12": 5}


def random_case(judge: Judge, seed: int, tally: differential.Tally, *, instances: int = 25) -> None:
    """One random schema and its instances."""
    choose = random.Random(seed)
    draft = choose.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
    depth = choose.choice([1, 2, 2, 3])
    maker = Maker(seed, draft, depth=depth, density=choose.choice([1.0, 2.0, 3.0]))
    schema = maker.document()
    assert draft in DRAFTS
    assert sound(schema), f"seed {seed}: no schema of draft {draft}: {json.dumps(schema)}"
    differential.compare(judge, schema, maker.instances(schema, instances), seed, tally, name=f"[{seed}]")


def real_case(judge: Judge, seed: int, tally: differential.Tally, *, instances: int = 20) -> None:
    """One recorded schema with mutated instances of it, judged by the library."""
    choose = random.Random(seed)
    case = choose.choice(maskbench.cases())
    values: list[Any] = [test["data"] for test in case.tests]
    values += [json.loads(text) for text in case.texts]
    values = [value for value in values if len(json.dumps(value)) < 4000]
    if not values or not sound(case.schema):
        return
    maker = Maker(seed)
    # The library's patterns are Python's, where \\w is more than in ECMA-262.
    maker.letters, maker.strings = ["a", "1", "", "-"], ["", "a", "1", "x y"]
    made = [maker.mutated(choose.choice(values)) for _ in range(instances)]
    made = [maker.mutated(value) if choose.random() < 0.3 else value for value in made]
    differential.compare(judge, case.schema, made, seed, tally, name=f"[{seed} {case.id}]")


def walk_case(judge: Judge, seed: int, tally: differential.Tally) -> None:
    """Random walks along the masks of a random schema, or of a recorded one."""
    choose = random.Random(seed)
    order = choose.choice(["any", "schema"])
    gaps = choose.choice(["any", "compact", 1])
    schema: Any
    if maskbench.present() and choose.random() < 0.3:
        case = choose.choice(maskbench.cases())
        name, schema = case.id, case.schema
        if not sound(schema):
            return
    else:
        maker = Maker(seed, choose.choice(list(DRAFTS)), depth=2)
        name, schema = "random", maker.document()
    name = f"[{seed} {name} {order} {gaps}]"
    differential.follow(judge, schema, seed, tally, name=name, property_order=order, whitespace=gaps)


def order_case(judge: Judge, seed: int, tally: differential.Tally) -> None:
    """A random schema with keys in its order: a valid instance is accepted in some order, others in none."""
    maker = Maker(seed, random.Random(seed).choice(list(DRAFTS)), depth=2)
    schema = maker.document()
    text = json.dumps(schema)
    oracle = Oracle(text)
    groups = []
    for value in maker.instances(schema, 12):
        every = orders(value, 24, maker.choose)
        want = oracle.verdict(json.dumps(value))
        if every is not None and want is not None:
            groups.append((want, [json.dumps(one) for one in every]))
    flat = [one for _, every in groups for one in every]
    answer = judge.ask(text, flat, property_order="schema", formats="annotate")
    tally.count[answer.outcome] += 1
    if answer.outcome in differential.MISTAKES:
        tally.failures.append(f"[{seed}] keys in order, {answer.outcome}: {answer.reason}\n    {text}")
    verdicts = iter(answer.verdicts)
    for want, every in groups if answer.verdicts else ():
        found = sum(next(verdicts) for _ in every) > 0
        tally.count["valid" if want else "invalid"] += 1
        if found != want:
            verb = "some order of the invalid" if found else "no order of the valid"
            tally.failures.append(f"[{seed}] {verb} {every[0]} is accepted\n    {text}")
            break


def main(arguments: Sequence[str] | None = None) -> int:
    """Run as a program; the exit status says whether a disagreement was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--seed", type=int, default=None, help="first seed")
    parser.add_argument("--what", choices=["random", "real", "walk", "order", "all"], default="all")
    parser.add_argument("--most", type=int, default=20, help="stop after so many failures")
    given = parser.parse_args(arguments)
    seed = secrets.randbelow(10**9) if given.seed is None else given.seed
    print(f"first seed {seed}", flush=True)
    tally = differential.Tally()
    told = 0
    end = time.monotonic() + given.seconds
    named = {"random": [random_case], "real": [real_case], "walk": [walk_case], "order": [order_case]}
    usual = [random_case, random_case, walk_case, order_case, *([real_case] if maskbench.present() else [])]
    kinds = named.get(given.what, usual)
    with Judge(seconds=60) as judge:
        while time.monotonic() < end and len(tally.failures) < given.most:
            kinds[seed % len(kinds)](judge, seed, tally)
            seed += 1
            for failure in tally.failures[told:]:
                print(failure, flush=True)
            told = len(tally.failures)
    print(f"{told} failures up to seed {seed}; {dict(tally.count.most_common())}")
    print("refused:", *(f"{n:5} {reason}" for reason, n in tally.reasons.most_common(15)), sep="\n  ")
    return int(told > 0)


if __name__ == "__main__":
    sys.exit(main())
