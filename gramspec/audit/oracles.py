"""Who says what a grammar means: libraries that share nothing with the engines, and gramspec beside them.

Law: an opinion is True, False or None (does not know); a verdict needs all opinions to agree.
Source: jsonschema with duplicate keys refused (RFC 8259, I-JSON); `re` and interegular; Lark's Earley parser.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Protocol

import gramspec as gs
from gramspec.audit.adapters.ours import Gramspec
from gramspec.matching import CompiledGrammar
from gramspec.vocabulary import Vocabulary

_LONGEST: Final = 4000
Opinions = dict[str, bool | None]
"""Who says what; None: does not know."""


class Source(Protocol):
    """Who has opinions."""

    def opinions(self, text: str) -> Opinions:
        """What each oracle says of a text."""

    def prefixes(self, prefixes: Sequence[bytes]) -> list[bool | None]:
        """Whether members begin with each of these."""


@dataclass(frozen=True)
class Verdict:
    """What the oracles say of a text.

    Parameters
    ----------
    member : bool or None
        The common verdict; None if nobody knows or they disagree.
    oracles : tuple of str
        Who has this opinion.
    disagreement : str
        Who says what, where they disagree.
    """

    member: bool | None
    oracles: tuple[str, ...] = ()
    disagreement: str = ""


class Oracles:
    """The oracles of one grammar.

    Parameters
    ----------
    kind, grammar : str
    options : Mapping
        As in `GrammarCase.options`.
    second : bool
        Whether gramspec has an opinion too (not where it is the engine under test).
    source : Source, optional
        Who is asked for the other opinions; this process if not given.
    """

    def __init__(
        self,
        kind: str,
        grammar: str,
        options: Mapping[str, Any] | None = None,
        *,
        second: bool = True,
        source: Source | None = None,
    ) -> None:
        self._source: Source = source or self
        self.kind, self.grammar, self.options = kind, grammar, dict(options or {})
        self._second = second
        self._empty = False

    def judge(self, text: str, declared: bool | None = None) -> Verdict:
        """The verdict on a text; `declared`: what the case itself says of it."""
        opinions: Opinions = {} if declared is None else {"the case": declared}
        if len(text) <= _LONGEST:
            opinions |= self._source.opinions(text)
            if self._second:
                opinions["gramspec"] = self._of_gramspec(text)
        known = {name: opinion for name, opinion in opinions.items() if opinion is not None}
        if len(set(known.values())) == 1:
            return Verdict(next(iter(known.values())), tuple(known))
        said = ", ".join(f"{name}: {'member' if opinion else 'no member'}" for name, opinion in known.items())
        return Verdict(None, tuple(known), said)

    def alive(self, prefixes: Sequence[bytes]) -> list[bool | None]:
        """Whether some member begins with each of these, by oracles other than gramspec."""
        return self._source.prefixes(prefixes)

    def prefixes(self, prefixes: Sequence[bytes]) -> list[bool | None]:
        """The same, asked in this process."""
        return [self._prefix(raw) for raw in prefixes]

    def _prefix(self, raw: bytes) -> bool | None:
        if self.kind == "choice":
            return any(option.encode().startswith(raw) for option in json.loads(self.grammar))
        if self.kind == "regex" and self._machine is not None:
            try:
                text = raw.decode("utf-8")
            except UnicodeDecodeError:
                return None
            return _alive(self._machine, text)
        return None

    def exact(self, vocabulary: Vocabulary) -> CompiledGrammar | None:
        """Gramspec's masks for this grammar, where they are exact; None where it refuses it."""
        if self._meaning is None:
            return None
        try:
            compiled = gs.compile(self._meaning, vocabulary)
        except gs.GramspecError:
            return None
        return compiled if compiled.masks_exact else None

    @property
    def nothing(self) -> bool:
        """Whether gramspec says that no text is a member."""
        return self._meaning is None and self._empty

    def settled(self, texts: Sequence[str]) -> bool:
        """Whether the oracles agree on each text; where the meaning hangs on a lexer they do not."""
        return all(self.judge(text).member is not None for text in texts)

    def opinions(self, text: str) -> Opinions:
        """What each oracle but gramspec says of a text."""
        if self.kind == "json_schema":
            return {"jsonschema": self._of_jsonschema(text)}
        if self.kind == "choice":
            return {"membership": text in json.loads(self.grammar)}
        if self.kind == "regex":
            found: Opinions = {"re": self._of_re(text)}
            if self._machine is not None:
                found["interegular"] = self._machine.accepts(text)
            return found
        if self.kind == "lark":
            return {name: _parses(parser, text) for name, parser in self._parsers.items()}
        return {}

    def _of_jsonschema(self, text: str) -> bool | None:
        try:
            json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
        except _DuplicateError:
            return False
        except (ValueError, RecursionError):
            return False
        if any("\ud800" <= char <= "\udfff" for char in text):
            return None
        return None if self._schema is None else self._schema.verdict(text)

    def _of_re(self, text: str) -> bool | None:
        return None if self._pattern is None else self._pattern.fullmatch(text) is not None

    def _of_gramspec(self, text: str) -> bool | None:
        if self._meaning is None:
            return None
        try:
            return self._meaning.accepts(text)
        except (gs.GramspecError, UnicodeEncodeError):
            return None

    @cached_property
    def _meaning(self) -> gs.Grammar | None:
        try:
            return Gramspec().grammar(self.kind, self.grammar, self.options)
        except gs.EmptyLanguageError:
            self._empty = True
            return None
        except gs.GramspecError:
            return None

    @cached_property
    def _schema(self) -> Any:
        from gramspec.testing.schema_oracle import Oracle, sound

        try:
            if not sound(json.loads(self.grammar)):
                return None
            return Oracle(self.grammar, formats=self.options.get("formats") == "assert")
        except Exception:  # the library trips over references and patterns in many ways
            return None

    @cached_property
    def _pattern(self) -> re.Pattern[str] | None:
        try:
            return re.compile(self.grammar)
        except (re.error, OverflowError, RecursionError):
            return None

    @cached_property
    def _machine(self) -> Any:
        import interegular

        if not self.grammar.isascii() or re.search(r"\\[a-zA-Z]|[$^]|\(\?", self.grammar.replace("[^", "")):
            return None  # its classes are of ASCII, and it knows no anchors
        try:
            return interegular.parse_pattern(self.grammar).to_fsm()
        except Exception:  # it has no error of its own for what it does not know
            return None

    @cached_property
    def _parsers(self) -> dict[str, Any]:
        import lark

        start = self.options.get("start", "start")
        found = {}
        for lexer in ("dynamic_complete", "dynamic"):
            try:
                # The forest is not walked: that of a cyclic grammar has no end.
                found[f"lark {lexer}"] = lark.Lark(
                    self.grammar, start=start, parser="earley", lexer=lexer, ambiguity="forest"
                )
            except (lark.exceptions.LarkError, ValueError, AssertionError):
                continue
        return found


class _DuplicateError(ValueError):
    pass


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _DuplicateError
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _parses(parser: Any, text: str) -> bool:
    import lark

    try:
        parser.parse(text)
    except (lark.exceptions.UnexpectedInput, lark.exceptions.ParseError):
        return False
    return True


def _alive(machine: Any, text: str) -> bool:
    """Whether an automaton of interegular can still accept after a text."""
    import interegular

    state = machine.initial
    for char in text:
        key = char if char in machine.alphabet else interegular.fsm.anything_else
        symbol = machine.alphabet[key]
        if state not in machine.map or symbol not in machine.map[state]:
            return False
        state = machine.map[state][symbol]
    return bool(machine.islive(state))
