"""Engines with one planted fault each, around gramspec's masks: what the suites of an audit have to find."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from gramspec.audit.adapters.ours import Gramspec, OurMatcher
from gramspec.audit.adapters.protocol import Capabilities, Refused
from gramspec.vocabulary import Vocabulary

KINDS = frozenset({"json_schema", "regex", "choice", "lark"})


class Faulty:
    """An engine whose matchers are of a class of its own; without a fault if that is `Plain`."""

    version = "0"
    settings: Mapping[str, str] = {}
    capabilities = Capabilities(KINDS, rollback=True, fork=True)

    def __init__(self, matcher: Any = None, *, drops: str = "") -> None:
        self.name = f"faulty {matcher.__name__ if matcher else drops}"
        self._matcher = matcher or Plain
        self._drops = drops

    def compile(
        self, kind: str, text: str, vocabulary: Vocabulary, options: Mapping[str, Any] | None = None
    ) -> Any:
        if self._drops and kind == "json_schema":
            text = json.dumps(_without(json.loads(text), self._drops))
        compiled = Gramspec().compile(kind, text, vocabulary, options)
        return compiled if isinstance(compiled, Refused) else Compiled(compiled, self._matcher, vocabulary)


class Compiled:
    def __init__(self, compiled: Any, kind: Any, vocabulary: Vocabulary) -> None:
        self._compiled, self._kind, self._vocabulary = compiled, kind, vocabulary

    def matcher(self) -> Any:
        return self._kind(self._compiled.matcher(), self._vocabulary)


class Plain:
    """A matcher without a fault."""

    def __init__(self, matcher: OurMatcher, vocabulary: Vocabulary) -> None:
        self._matcher, self._vocabulary, self._read = matcher, vocabulary, b""

    def mask(self) -> Any:
        return self._matcher.mask()

    def advance(self, token_id: int) -> bool:
        taken = self._matcher.advance(token_id)
        if taken:
            self._read += self._vocabulary.tokens[token_id] or b""
        return taken

    @property
    def is_accepting(self) -> bool:
        return self._matcher.is_accepting

    def rollback(self, tokens: int) -> None:
        self._matcher.rollback(tokens)

    def fork(self) -> Any:
        other = type(self)(self._matcher.fork(), self._vocabulary)
        other._read = self._read
        return other


class NoEscapes(Plain):
    """Over-rejects: a text never holds a backslash."""

    def mask(self) -> Any:
        mask = super().mask()
        mask[[b"\\" in (token or b"") for token in self._vocabulary.tokens]] = False
        return mask

    def advance(self, token_id: int) -> bool:
        return b"\\" not in (self._vocabulary.tokens[token_id] or b"") and super().advance(token_id)


class DeadEnd(Plain):
    """After the letter b nothing is allowed, not even the end."""

    def mask(self) -> Any:
        return np.zeros_like(super().mask()) if self._read.endswith(b"b") else super().mask()


class Trap(Plain):
    """A letter z may come in front of everything, and then nothing but z."""

    @property
    def _caught(self) -> bool:
        return self._read.startswith(b"z")

    def mask(self) -> Any:
        mask = np.zeros_like(super().mask()) if self._caught else super().mask()
        if self._caught or not self._read:
            mask[ord("z")] = True
        return mask

    def advance(self, token_id: int) -> bool:
        if token_id == ord("z") and (self._caught or not self._read):
            self._read += b"z"
            return True
        return not self._caught and super().advance(token_id)


class WrongBit(Plain):
    """The mask misses the letter b."""

    def mask(self) -> Any:
        mask = super().mask()
        mask[ord("b")] = False
        return mask


class LostEnd(Plain):
    """The mask never allows the end."""

    def mask(self) -> Any:
        mask = super().mask()
        mask[list(self._vocabulary.eos_ids)] = False
        return mask


class NoRollback(Plain):
    """Going back does nothing."""

    def rollback(self, tokens: int) -> None:
        pass


class SharedFork(Plain):
    """A fork is the matcher itself."""

    def fork(self) -> Any:
        return self


class OneSegmentation(Plain):
    """Tokens of several bytes are taken at the beginning only."""

    def mask(self) -> Any:
        mask = super().mask()
        if self._read:
            mask[[len(token or b"") > 1 for token in self._vocabulary.tokens]] = False
        return mask

    def advance(self, token_id: int) -> bool:
        long = len(self._vocabulary.tokens[token_id] or b"") > 1
        return not (self._read and long) and super().advance(token_id)


class Gap(Plain):
    """An id without bytes is allowed."""

    def mask(self) -> Any:
        mask = super().mask()
        mask[self._vocabulary.tokens.index(None)] = True
        return mask


class Wild:
    """An engine for a process of its own: hangs, fills its memory, ends, or raises, by the first letter."""

    name = "wild"
    version = "0"
    settings: Mapping[str, str] = {}
    capabilities = Capabilities(frozenset({"regex"}))

    def compile(
        self, kind: str, text: str, vocabulary: Vocabulary, options: Mapping[str, Any] | None = None
    ) -> Any:
        if text.startswith("h"):
            while True:
                pass
        if text.startswith("m"):
            full = [bytearray(1 << 26) for _ in range(1000)]
            return Refused(str(len(full)))
        if text.startswith("x"):
            os._exit(3)
        if text.startswith("r"):
            raise KeyError("no answer")
        return Gramspec().compile(kind, text, vocabulary, options)

    def snippet(self, kind: str, grammar: str, text: str | None = None) -> str:
        return "import wild\n"


def _without(schema: Any, keyword: str) -> Any:
    if isinstance(schema, dict):
        return {name: _without(item, keyword) for name, item in schema.items() if name != keyword}
    return [_without(item, keyword) for item in schema] if isinstance(schema, list) else schema
