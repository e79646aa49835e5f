"""What the audit asks of an engine under test: compile a grammar, read tokens, show the mask.

Law: an engine answers, refuses by name (`Refused`), or fails (`EngineFault`); nothing else is let through.
Source: the calls that serving engines make on their back-ends (vLLM's and SGLang's grammar interfaces).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from gramspec.errors import GramspecError
from gramspec.vocabulary import Vocabulary

KINDS: Final = ("json_schema", "regex", "lark", "gbnf", "choice", "structural_tag")
"""Kinds of grammars. The text of a `choice` is a JSON array of strings, of other kinds it is as written."""

FaultHow = Literal["timeout", "memory", "crash", "error"]
Stage = Literal[
    "start", "compile", "matcher", "mask", "advance", "accepting", "rollback", "fork", "read", "draw"
]


@dataclass(frozen=True)
class Refused:
    """The engine does not take this grammar and says so: no fault, and counted apart.

    Parameters
    ----------
    reason : str
        What the engine says, its first line.
    """

    reason: str


class EngineFault(GramspecError, RuntimeError):
    """The engine neither answered nor refused: it hung, ate its memory, died, or raised what is no refusal.

    Parameters
    ----------
    how : str
        ``timeout``, ``memory``, ``crash`` (the process died) or ``error`` (an exception).
    stage : str
        The call: ``compile``, ``mask``, ``advance``, ….
    message : str
        What is known.
    """

    def __init__(self, how: FaultHow, stage: Stage, message: str) -> None:
        self.how: FaultHow = how
        self.stage: Stage = stage
        self.message = message
        super().__init__(f"{how} at {stage}: {message}")

    def __reduce__(self) -> tuple[type[EngineFault], tuple[FaultHow, Stage, str]]:
        return EngineFault, (self.how, self.stage, self.message)


@dataclass(frozen=True)
class Capabilities:
    """What an engine can be asked; a suite skips, with this as the reason, what it cannot.

    Parameters
    ----------
    kinds : frozenset of str
        Grammar kinds, out of `KINDS`.
    masks : bool
        `compile` gives matchers with masks. False for decoders that only draw texts.
    rollback, fork : bool
        Matchers have `rollback`, `fork`.
    draws : bool
        The engine draws texts itself.
    """

    kinds: frozenset[str]
    masks: bool = True
    rollback: bool = False
    fork: bool = False
    draws: bool = False


@runtime_checkable
class EngineMatcher(Protocol):
    """The state of one sequence in an engine."""

    def mask(self) -> NDArray[np.bool_]:
        """Which token may come next, one bool an id, as the engine says it (EOS included)."""

    def advance(self, token_id: int) -> bool:
        """Read a token; False, and no change of state, if the engine does not take it."""

    @property
    def is_accepting(self) -> bool:
        """Whether the sequence so far is complete, EOS not yet read."""


class RollbackMatcher(EngineMatcher, Protocol):
    """A matcher of an engine with ``capabilities.rollback``."""

    def rollback(self, tokens: int) -> None:
        """Take back the last tokens."""


class ForkMatcher(EngineMatcher, Protocol):
    """A matcher of an engine with ``capabilities.fork``."""

    def fork(self) -> ForkMatcher:
        """An independent matcher in the same state."""


class Compiled(Protocol):
    """A grammar compiled by an engine on a vocabulary."""

    def matcher(self) -> EngineMatcher:
        """A matcher at the beginning."""


@runtime_checkable
class Adapter(Protocol):
    """An engine under test.

    Attributes
    ----------
    name, version : str
        As shown in reports.
    settings : Mapping of str to str
        Options that the engine runs with, as stated in the report.
    capabilities : Capabilities
    """

    name: str
    version: str
    settings: Mapping[str, str]
    capabilities: Capabilities

    def compile(
        self, kind: str, text: str, vocabulary: Vocabulary, options: Mapping[str, Any] | None = None
    ) -> Compiled | Refused:
        """Compile a grammar, or refuse it.

        Parameters
        ----------
        kind : str
            One of ``capabilities.kinds``.
        text : str
            The grammar; for ``json_schema`` the JSON text of the schema.
        vocabulary : Vocabulary
            Adapters keep what they build on one vocabulary (an audit uses few).
        options : Mapping, optional
            For the kind: ``{"formats": "assert" | "annotate", "start": rule}``; what an engine has no option
            for it ignores only where the option is marked as a hint by the suite.

        Raises
        ------
        EngineFault
            If the engine neither compiles nor refuses.
        """

    def snippet(self, kind: str, grammar: str, text: str | None = None) -> str:
        """Python that compiles a grammar by the engine's own calls, and prints whether it accepts a text."""
