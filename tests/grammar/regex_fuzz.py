"""Random patterns of both dialects against `re` and node, on short texts and through the automaton.

Cost: about 300 patterns a second; every round is a function of its seed.
Source: `re` of the running Python; `RegExp` of node where it is installed.

Run ``python tests/grammar/regex_fuzz.py --seconds 600`` for a long search; a find is printed with
its seed and ends the run with status 1.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import time
import warnings
from collections.abc import Sequence
from typing import NamedTuple

from node_oracle import NODE, judge

from gramspec.errors import UnsupportedError
from gramspec.grammar import ir
from gramspec.grammar.core import Grammar
from gramspec.grammar.encoding import json_string, utf8
from gramspec.grammar.regex import parse_regex
from gramspec.grammar.regex.characters import matches

LETTERS = "aabbc\n _A"
COUNTS = ["*", "+", "?", "{2}", "{0,2}", "{1,3}", "*?", "+?", "{2,}"]
POSSESSIVE = ["*+", "++", "?+", "{1,2}+", "{2,}+"]
ATOMS = ["a", "b", "c", ".", "[ab]", "[^a]", r"\w", r"\W", r"\n", "(?:)", "ab", "^", "$", r"\b", r"\B"]
PYTHON_ATOMS = [*ATOMS, r"\A", r"\Z", "(?m:^)", "(?m:$)", "(?i:A)"]
ECMA_ATOMS = [*ATOMS, "[^]", "[]", r"\s"]
FIXED = [
    *("a", "b", ".", "[ab]", r"\w", "(?=b)", r"\b", "(?!a)", "(?<=a)", "(?<!b)", "^", "$", "(?m:$)"),
    "(?!.*c)",
]


class Find(NamedTuple):
    """A pattern that is read wrongly."""

    pattern: str
    dialect: str
    text: str
    wanted: bool


def python_pattern(rng: random.Random, depth: int) -> str:
    """A random pattern of `re`: look-behind has one width."""
    kind = rng.random()
    if depth == 0 or kind < 0.22:
        return rng.choice(PYTHON_ATOMS)
    if kind < 0.3:
        width = range(rng.randint(1, 2))
        return f"(?<{rng.choice('=!')}{''.join(rng.choice(FIXED) for _ in width)})"
    body = python_pattern(rng, depth - 1)
    if kind < 0.55:
        return body + python_pattern(rng, depth - 1)
    if kind < 0.67:
        return f"(?:{body}|{python_pattern(rng, depth - 1)})"
    if kind < 0.87:
        return f"(?:{body}){rng.choice(COUNTS if kind < 0.8 else POSSESSIVE)}"
    return f"(?{rng.choice('=!>')}{body})"


def ecma_pattern(rng: random.Random, depth: int) -> str:
    """A random pattern of ECMA-262."""
    kind = rng.random()
    if depth == 0 or kind < 0.25:
        return rng.choice(ECMA_ATOMS)
    body = ecma_pattern(rng, depth - 1)
    if kind < 0.5:
        return body + ecma_pattern(rng, depth - 1)
    if kind < 0.62:
        return f"(?:{body}|{ecma_pattern(rng, depth - 1)})"
    if kind < 0.78:
        return f"(?:{body}){rng.choice(COUNTS)}"
    return f"(?{rng.choice(['=', '!', '<=', '<!'])}{body})"


def texts(rng: random.Random) -> list[str]:
    """Short texts over the letters of the patterns."""
    return ["".join(rng.choice(LETTERS) for _ in range(rng.randint(0, 6))) for _ in range(12)]


def python_round(seed: int, size: int) -> tuple[list[Find], int]:
    """`size` patterns against `re`; what is wrong, and how many were judged."""
    rng = random.Random(seed)
    finds: list[Find] = []
    judged = 0
    for _ in range(size):
        pattern = rng.choice(["", "", "(?m)", "(?i)", "(?s)"]) + python_pattern(rng, rng.randint(2, 5))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                compiled = re.compile(pattern)
        except re.error:
            continue
        search = rng.random() < 0.5
        try:
            expr = parse_regex(pattern, search=search)
        except UnsupportedError:
            continue
        judged += 1
        test = compiled.search if search else compiled.fullmatch
        verdicts = {text: test(text) is not None for text in texts(rng)}
        finds += wrong(pattern, "python search" if search else "python", expr, verdicts, rng)
    return finds, judged


def ecma_round(seed: int, size: int) -> tuple[list[Find], int]:
    """`size` patterns against node; what is wrong, and how many were judged."""
    rng = random.Random(seed)
    cases = [
        (ecma_pattern(rng, rng.randint(2, 5)), rng.choice(["u", "um", "us", "iu"]), texts(rng))
        for _ in range(size)
    ]
    finds: list[Find] = []
    judged = 0
    for (pattern, flags, given), verdicts in zip(cases, judge(cases), strict=True):
        if verdicts is None:
            continue
        scoped = f"(?{flags.replace('u', '')}:{pattern})" if flags != "u" else pattern
        try:
            expr = parse_regex(scoped, "ecma", search=True)
        except UnsupportedError:
            continue
        judged += 1
        finds += wrong(scoped, "ecma search", expr, dict(zip(given, verdicts, strict=True)), rng)
    return finds, judged


def wrong(
    pattern: str, dialect: str, expr: ir.Expr, verdicts: dict[str, bool], rng: random.Random
) -> list[Find]:
    """Where the language of a pattern, or now and then its automaton, differs from the verdicts."""
    finds = [
        Find(pattern, dialect, text, verdict)
        for text, verdict in verdicts.items()
        if matches(expr, text) != verdict
    ]
    if not finds and rng.random() < 0.05 and not isinstance(expr, ir.Empty):
        plain, quoted = Grammar(utf8(expr)), Grammar(json_string(expr))
        for text, verdict in verdicts.items():
            if plain.accepts(text) != verdict or quoted.accepts(json.dumps(text)[1:-1]) != verdict:
                finds.append(Find(pattern, f"{dialect}, automaton", text, verdict))
    return finds


def main(arguments: Sequence[str] | None = None) -> int:
    """Search until the time is up; 1 when something is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    end = time.monotonic() + options.seconds
    seed, judged = options.seed, 0
    while time.monotonic() < end:
        for name, run in (("python", python_round), ("ecma", ecma_round if NODE else python_round)):
            finds, count = run(seed, 300)
            judged += count
            if finds:
                print(f"{name}_round({seed}, 300):", *finds, sep="\n  ")
                return 1
            seed += 1
    print(f"{judged} patterns judged, seeds {options.seed} to {seed - 1}, nothing wrong")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
