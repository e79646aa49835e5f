"""Oracles in a process of their own: parsers and matchers without limits, on grammars that somebody wrote.

Law: an oracle that does not come back has no opinion, and is not asked about this grammar again.
Cost: one process for all grammars of an audit, started when it is first needed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from gramspec.audit.adapters.guard import Guarded, GuardedCompiled
from gramspec.audit.adapters.protocol import KINDS, Capabilities, EngineFault
from gramspec.audit.cases.vocabularies import small_vocabulary
from gramspec.audit.oracles import Opinions, Oracles
from gramspec.vocabulary import Vocabulary

SECONDS: Final = 1.5
"""Seconds of computing of one question."""


class OracleProcess:
    """The adapter that runs over there: compiling is making the oracles of a grammar."""

    name = "oracles"
    version = ""
    settings: Mapping[str, str] = {}
    capabilities = Capabilities(frozenset(KINDS))

    def compile(
        self, kind: str, text: str, vocabulary: Vocabulary, options: Mapping[str, Any] | None = None
    ) -> Oracles:
        """The oracles of a grammar, gramspec not among them."""
        return Oracles(kind, text, options, second=False)

    def snippet(self, kind: str, grammar: str, text: str | None = None) -> str:
        """Nothing: oracles are no engine."""
        return ""


class FarOracles:
    """The process, and oracles that ask it."""

    def __init__(self) -> None:
        self._process: Guarded | None = None

    def oracles(self, kind: str, grammar: str, options: Mapping[str, Any], *, second: bool) -> Oracles:
        """Oracles of a grammar whose independent opinions come from the process."""
        if self._process is None:
            self._process = Guarded("gramspec.audit.far_oracles:OracleProcess", seconds=SECONDS)
        compiled = GuardedCompiled(self._process, kind, grammar, small_vocabulary(), dict(options))
        return Oracles(kind, grammar, options, second=second, source=_Asked(compiled))

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.close()


class _Asked:
    """Opinions from over there; none after the process did not come back."""

    def __init__(self, compiled: GuardedCompiled) -> None:
        self._compiled = compiled
        self._lost = False

    def opinions(self, text: str) -> Opinions:
        """What each oracle says of a text."""
        found = self._ask("gramspec.audit.far_oracles:opinions", text=text)
        return {} if found is None else found

    def prefixes(self, prefixes: Sequence[bytes]) -> list[bool | None]:
        """Whether members begin with each of these."""
        found = self._ask("gramspec.audit.far_oracles:prefixes", prefixes=list(prefixes))
        return [None] * len(prefixes) if found is None else found

    def _ask(self, function: str, **arguments: Any) -> Any:
        if self._lost:
            return None
        try:
            return self._compiled.call(function, **arguments)
        except EngineFault:
            self._lost = True
            return None


def opinions(compiled: Oracles, vocabulary: Vocabulary, *, text: str) -> Opinions:
    """Runs over there."""
    return compiled.opinions(text)


def prefixes(compiled: Oracles, vocabulary: Vocabulary, *, prefixes: Sequence[bytes]) -> list[bool | None]:
    """Runs over there."""
    return compiled.prefixes(prefixes)
