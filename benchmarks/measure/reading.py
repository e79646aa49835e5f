"""One engine on one schema: time to the first mask, then mask and commit of each token of each instance.

Law: the clock runs around filling the mask and around committing the token, and around nothing else; the
garbage collector is off while it may run, and collects before each schema, for every engine alike.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from benchmarks.engines import Engine, RefusedError

Seconds = NDArray[np.float64]


@dataclass
class Reading:
    """One engine on one schema; times in seconds."""

    refused: str = ""
    first_mask: float = 0.0
    parts: dict[str, float] = field(default_factory=dict)  # of the time to first mask
    fills: list[Seconds] = field(default_factory=list)  # of each instance, token by token
    commits: list[Seconds] = field(default_factory=list)
    verdicts: list[bool] = field(default_factory=list)
    narrowed: int = 0  # tokens that the mask lacked and the engine took all the same

    def steps(self, instance: int, count: int | None = None) -> Seconds:
        """Mask and commit of the first `count` tokens of an instance."""
        steps: Seconds = self.fills[instance][:count] + self.commits[instance][:count]
        return steps


def read(
    engine: Engine,
    text: str,
    instances: Sequence[Sequence[int]],
    array: NDArray[np.int32],
    clock: Callable[[], float],
    *,
    narrows: bool = False,
    compiled: Callable[[], None] = lambda: None,
) -> Reading:
    """Compile a schema, then read each instance until a token is refused.

    Parameters
    ----------
    narrows : bool
        A token outside the mask is offered all the same: the engine may narrow its masks to canonical tokens.
    compiled : callable
        Called after the first mask, off the clock.
    """
    out = Reading()
    engine.before()
    gc.collect()
    gc.disable()
    try:
        begun = clock()
        try:
            first, another = engine.compile(text)
            first.fill(array)
        except RefusedError as refusal:
            out.refused = str(refusal)
            return out
        out.first_mask = clock() - begun
        out.parts = {"time to first mask": out.first_mask, **engine.parts()}
        compiled()
        for tokens in instances:
            sequence = another()
            fills, commits = np.zeros(len(tokens)), np.zeros(len(tokens))
            verdict, count = True, 0
            for token in tokens:
                begun = clock()
                sequence.fill(array)
                filled = clock()
                allowed = bool(array[0, token >> 5] >> (token & 31) & 1)
                asked = clock()
                taken = sequence.commit(token) if allowed else False
                commits[count] = clock() - asked
                fills[count] = filled - begun
                count += 1
                if not allowed and narrows and sequence.commit(token):
                    out.narrowed += 1
                    taken = True
                if not taken:
                    verdict = False
                    break
            out.fills.append(fills[:count].copy())
            out.commits.append(commits[:count].copy())
            out.verdicts.append(verdict and sequence.accepting())
        return out
    finally:
        gc.enable()
