"""What a suite is given: the engine, cases, vocabularies, a seed, a clock, and where to tell progress.

Law: every choice of a suite comes from `Context.random`, so that the seed of the report makes it again.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gramspec.vocabulary import Vocabulary

Progress = Callable[[str, int, int | None], None]
"""Called with a suite's name, how much of it is done, and how much there is (None: unknown)."""


@dataclass(frozen=True)
class Instance:
    """A text and whether it is a member (None: the oracles decide)."""

    text: str
    valid: bool | None = None


@dataclass(frozen=True)
class GrammarCase:
    """A grammar with texts to read.

    Parameters
    ----------
    kind : str
        One of `adapters.KINDS`.
    grammar : str
        As written.
    instances : tuple of Instance
    origin : str
        ``built-in:NAME``, ``file:PATH#N``, ``world:SEED``, ``user``.
    cause : str
        The construct that the case is about; findings are grouped by it.
    options : Mapping of str to str
        Options of the compile.
    keep : tuple of str
        Keywords of the schema's root that shrinking leaves, so that a case stays what it is about.
    """

    kind: str
    grammar: str
    instances: tuple[Instance, ...] = ()
    origin: str = "user"
    cause: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    keep: tuple[str, ...] = ()


@dataclass
class Context:
    """Everything a suite may use.

    Parameters
    ----------
    adapter : Adapter, or a decoder that draws texts
    profile : str
        ``quick`` or ``full``.
    seed : int
    cases : Sequence of GrammarCase
        Of kinds that the engine takes.
    vocabularies : Mapping of str to Vocabulary
        By name; the first is the smallest.
    seconds : float
        What this suite may take; `spent` says when that is over. Calls of a guarded engine have limits of
        their own.
    progress : callable
    options : Mapping
        What the user asked of this suite.
    command : str
        The command that runs this suite again.
    shared : dict
        What the suites of one run keep for each other: compiled grammars, oracles, cases that failed.
    """

    adapter: Any
    profile: str = "quick"
    seed: int = 0
    cases: Sequence[GrammarCase] = ()
    vocabularies: Mapping[str, Vocabulary] = field(default_factory=dict)
    seconds: float = 30.0
    progress: Progress = lambda suite, done, total: None
    options: Mapping[str, Any] = field(default_factory=dict)
    shared: dict[str, Any] = field(default_factory=dict)
    command: str = ""
    begun: float = field(default_factory=time.monotonic)

    def random(self, *key: object) -> random.Random:
        """A stream of its own for each key."""
        return random.Random(f"{self.seed}/{'/'.join(map(str, key))}")

    @property
    def elapsed(self) -> float:
        """Seconds since the suite began."""
        return time.monotonic() - self.begun

    @property
    def spent(self) -> bool:
        """Whether the suite's time is over."""
        return self.elapsed > self.seconds

    def snippet(self, kind: str, grammar: str, text: str | None = None) -> str:
        """The engine's own calls that read a text; empty where the adapter has none."""
        make = getattr(self.adapter, "snippet", None)
        return str(make(kind, grammar, text)) if make else ""
