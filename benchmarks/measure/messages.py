"""What travels between a run and the processes of its engines.

Law: values only; both sides import this file under one name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from benchmarks.engines import Spec
from benchmarks.measure.tokens import TokenTable

Clock = Literal["wall", "cpu"]


@dataclass(frozen=True)
class Order:
    """What a worker is started with."""

    spec: Spec
    table: TokenTable
    clock: Clock
    address_space: int  # bytes
    cpu: int | None  # run on this core only


@dataclass(frozen=True)
class Job:
    """One schema with its instances as tokens."""

    text: str
    instances: list[list[int]]


@dataclass(frozen=True)
class Ready:
    """What building the engine cost: seconds of its steps, and bytes."""

    setup: dict[str, float]
    imported: int  # resident set before building
    built: int  # resident set after it
    peak: int  # of the resident set, so far
    growth_known: bool  # whether the peak is counted anew from here
