"""Scheme (d): the loop over attempts, on a stub attempt with three outcomes.

Law: given success, that of the stub's values; attempts in order; the budget is asked between attempts only.
Source: laws, "How exactness is proved", traps 10 and 14.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from gramspec.audit.enumerate import outcome_masses
from gramspec.decoding.random import RandomSource
from gramspec.testing.proofs import TOLERANCE, ProofError


class Stub(NamedTuple):
    """Outcome of a stub attempt: its value and what it costs to reach it."""

    value: str
    cost: int


STUBS = ((Stub("y", 1), 0.3), (Stub("y'", 3), 0.2), (None, 0.5))

OuterLoop = Callable[[Callable[[int], Stub | None], Callable[[int], bool]], tuple[Stub | None, int]]


def prove_outer_loop(loop: OuterLoop, budget: int) -> float:
    """Scheme (d): the loop over attempts on a stub with outcomes y, y', †.

    Given success the law is that of the stub's values; left over is P(†)^budget; attempts are numbered in
    order; the budget is asked between attempts only and `budget` attempts are made at most.
    """
    weights = np.array([w for _, w in STUBS])
    wrong_order: list[str] = []

    def run(random: RandomSource) -> tuple[str, int]:
        events: list[str] = []

        def attempt(k: int) -> Stub | None:
            events.append(f"attempt {k}")
            return STUBS[random.choose(weights)][0]

        def within(made: int) -> bool:
            events.append(f"budget {made}")
            return made < budget

        outcome, made = loop(attempt, within)
        expected: list[str] = []
        for k in range(made):
            expected += [f"attempt {k}", f"budget {k + 1}"]
        if outcome is not None:
            expected.pop()
        if events != expected:
            wrong_order.append(f"attempts and budget in the order {events}, expected {expected}")
        return (outcome.value if outcome is not None else "none"), made

    found, lost = outcome_masses(run, unresolved_errors=())
    worst = lost
    dead = STUBS[-1][1]
    for made in range(1, budget + 1):
        for stub, weight in STUBS[:-1]:
            assert stub is not None
            worst = max(worst, abs(found.get((stub.value, made), 0.0) - dead ** (made - 1) * weight))
    worst = max(worst, abs(found.get(("none", budget), 0.0) - dead**budget))
    if not worst <= TOLERANCE:
        raise ProofError(f"outer loop with a budget of {budget} is off by {worst:.3g}: {found}")
    if wrong_order:
        raise ProofError(wrong_order[0])
    return worst
