"""Engines of masks behind one face: how each is built on a token table, compiles a schema, reads a text.

Law: every adapter does the same work between the clock's readings: JSON text in, packed mask out, token in.
Source: the public Python calls of each library, with one thread and without a cache of whole schemas.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module, metadata
from importlib.util import find_spec
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from benchmarks.measure.tokens import TokenTable


class RefusedError(Exception):
    """The engine does not take this schema; the text says why."""


class Text(Protocol):
    """The state of one text."""

    def fill(self, array: NDArray[np.int32]) -> object:
        """Write the packed mask of the next token to row 0."""

    def commit(self, token: int) -> bool:
        """Read a token; False if the engine does not take it."""

    def accepting(self) -> bool:
        """Whether the text so far is a member."""


class Engine(Protocol):
    """A vocabulary, ready to compile schemas."""

    setup: dict[str, float]  # seconds of the steps that made it

    def before(self) -> None:
        """Get ready for a schema; not on the clock."""

    def compile(self, text: str) -> tuple[Text, Callable[[], Text]]:
        """A text to begin with, and what makes further ones."""

    def parts(self) -> dict[str, float]:
        """Seconds of the steps of the last `compile`."""


@dataclass(frozen=True)
class Spec:
    """Which engine, with which options; it travels to a process of its own."""

    name: str  # as shown
    kind: str  # key of KINDS
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def ours(self) -> bool:
        return self.kind == "gramspec"


# kind: (module of the adapter, its library, the library's distribution)
KINDS = {
    "gramspec": ("benchmarks.engines.ours", "gramspec", "gramspec"),
    "llguidance": ("benchmarks.engines.llguidance", "llguidance", "llguidance"),
    "xgrammar": ("benchmarks.engines.xgrammar", "xgrammar", "xgrammar"),
    "outlines-core": ("benchmarks.engines.outlines_core", "outlines_core", "outlines_core"),
}


def installed(kind: str) -> bool:
    """Whether the library of an engine can be imported."""
    return find_spec(KINDS[kind][1]) is not None


def version(kind: str) -> str:
    """The installed version of an engine."""
    library, distribution = KINDS[kind][1:]
    own = getattr(import_module(library), "__version__", None) if kind == "gramspec" else None
    return own or metadata.version(distribution)


def make(spec: Spec, table: TokenTable, clock: Callable[[], float]) -> Engine:
    """Build an engine on a token table."""
    build: Callable[..., Engine] = import_module(KINDS[spec.kind][0]).make
    return build(table, clock, **spec.options)
