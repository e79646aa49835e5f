"""gramspec behind the audit's face, in this process: it has limits of its own for each compile and call.

Law: by default keys may come in any order, and formats are annotations, as in JSON Schema's own words.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

import gramspec as gs
from gramspec.audit.adapters.protocol import Capabilities, EngineFault, Refused
from gramspec.matching import CompiledGrammar, Matcher

_KINDS: Final = frozenset({"json_schema", "regex", "lark", "gbnf", "choice", "structural_tag"})


class OurMatcher:
    """A matcher of gramspec."""

    def __init__(self, matcher: Matcher, size: int) -> None:
        self._matcher, self._size = matcher, size

    def mask(self) -> NDArray[np.bool_]:
        """Allowed ids as bools."""
        mask = np.zeros(self._size, dtype=np.bool_)
        mask[self._matcher.allowed_ids()] = True
        return mask

    def advance(self, token_id: int) -> bool:
        """Read a token."""
        try:
            self._matcher.advance(token_id)
        except gs.RejectedTokenError:
            return False
        return True

    @property
    def is_accepting(self) -> bool:
        """Whether the sequence so far is a member."""
        return self._matcher.is_accepting

    def rollback(self, tokens: int) -> None:
        """Take back tokens."""
        self._matcher.rollback(tokens)

    def fork(self) -> OurMatcher:
        """An independent matcher."""
        return OurMatcher(self._matcher.fork(), self._size)


class OurCompiled:
    """A compiled grammar of gramspec."""

    def __init__(self, compiled: CompiledGrammar, size: int) -> None:
        self._compiled, self._size = compiled, size

    def matcher(self) -> OurMatcher:
        """A matcher at the beginning."""
        return OurMatcher(self._compiled.matcher(), self._size)


class Gramspec:
    """gramspec's own masks.

    Parameters
    ----------
    property_order, whitespace : str
        As in `gs.json_schema`.
    """

    name = "gramspec"
    version = gs.__version__
    capabilities = Capabilities(_KINDS, rollback=True, fork=True)

    def __init__(self, *, property_order: str = "any", whitespace: str | int = "any") -> None:
        self._order: Any = property_order
        self._whitespace: Any = whitespace
        self.settings: Mapping[str, str] = {
            "property_order": property_order,
            "whitespace": str(whitespace),
            "formats": "annotate (assert where a case says so)",
        }

    def compile(
        self, kind: str, text: str, vocabulary: gs.Vocabulary, options: Mapping[str, Any] | None = None
    ) -> OurCompiled | Refused:
        """Compile a grammar, or refuse it."""
        try:
            grammar = self.grammar(kind, text, options or {})
            return OurCompiled(gs.compile(grammar, vocabulary), len(vocabulary))
        except gs.GramspecError as error:
            reason = error.reason if isinstance(error, gs.GrammarError) else str(error)
            return Refused(f"{type(error).__name__}: {reason.splitlines()[0]}")
        except Exception as error:
            raise EngineFault("error", "compile", f"{type(error).__name__}: {error}") from error

    def grammar(self, kind: str, text: str, options: Mapping[str, Any]) -> gs.Grammar:
        """The grammar of a case.

        Raises
        ------
        GramspecError
            If it is refused.
        """
        if kind == "json_schema":
            return gs.json_schema(
                text,
                property_order=self._order,
                whitespace=self._whitespace,
                formats=options.get("formats", "annotate"),
            )
        if kind == "choice":
            return gs.choice(json.loads(text))
        if kind == "structural_tag":
            return gs.structural_tag(json.loads(text))
        if kind == "regex":
            return gs.regex(text, dialect=options.get("dialect", "python"))
        if kind == "lark":
            return gs.lark(text, start=options.get("start", "start"))
        return gs.gbnf(text, start=options.get("start", "root"))

    def snippet(self, kind: str, grammar: str, text: str | None = None) -> str:
        """The calls of gramspec."""
        if kind == "json_schema":
            call = f"gs.json_schema({grammar!r}, property_order={self._order!r}, formats='annotate')"
        elif kind in ("choice", "structural_tag"):
            call = f"gs.{kind}({json.loads(grammar)!r})"
        else:
            call = f"gs.{kind}({grammar!r})"
        lines = ["import gramspec as gs", "", f"grammar = {call}"]
        if text is not None:
            lines.append(f"print(grammar.accepts({text!r}))")
        return "\n".join(lines) + "\n"


def make(*, property_order: str = "any", whitespace: str | int = "any") -> Gramspec:
    """Make the adapter; settings are those of `Gramspec`."""
    return Gramspec(property_order=property_order, whitespace=whitespace)
