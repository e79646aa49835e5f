"""gramspec behind the common face: cold, steady or warm.

Law: cold keeps nothing that depends on an earlier schema: each schema gets an engine of its own, made before
the clock starts, and empty memos in the front end. What building an engine makes (token trie, pieces that
belong to no schema) is there again. Steady: one engine serves all schemas, as in normal use.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

import gramspec as gs
from benchmarks.engines import Engine, RefusedError, Text
from benchmarks.measure.tokens import TokenTable
from gramspec.matching import compiled as engines

Order = Literal["any", "schema"]
Formats = Literal["annotate", "assert"]


class OurText:
    def __init__(self, matcher: gs.Matcher) -> None:
        self.matcher = matcher
        self.fill: Callable[[NDArray[np.int32]], None] = matcher.fill_bitmask

    def commit(self, token: int) -> bool:
        try:
            self.matcher.advance(token)
        except gs.RejectedTokenError:
            return False
        return True

    def accepting(self) -> bool:
        return self.matcher.is_accepting


class Ours:
    def __init__(
        self, table: TokenTable, clock: Callable[[], float], order: Order, formats: Formats, cold: bool
    ) -> None:
        self.order, self.formats, self.cold, self.clock = order, formats, cold, clock
        self.limits = gs.Limits()
        self._parts: dict[str, float] = {}
        begun = clock()
        self.vocabulary = gs.Vocabulary(table.tokens, [table.eos], special_tokens=table.specials)
        built = clock()
        self._engine()
        self.setup = {"vocabulary": built - begun, "engine": clock() - built}

    def _engine(self) -> None:
        engines._engine(self.vocabulary, self.limits)

    def before(self) -> None:
        if self.cold:
            engines._engines.pop(self.vocabulary, None)
            forget()
            self._engine()

    def compile(self, text: str) -> tuple[Text, Callable[[], Text]]:
        clock = self.clock
        begun = clock()
        try:
            grammar = gs.json_schema(text, property_order=self.order, formats=self.formats)
            parsed = clock()
            compiled = gs.compile(grammar, self.vocabulary, limits=self.limits)
        except gs.GramspecError as error:
            reason = error.reason if isinstance(error, gs.GrammarError) else str(error)
            raise RefusedError(f"{type(error).__name__}: {reason}") from None
        self._parts = {"front end": parsed - begun, "loading": clock() - parsed}
        return OurText(compiled.matcher()), lambda: OurText(compiled.matcher())

    def parts(self) -> dict[str, float]:
        return self._parts


def forget() -> None:
    """Empty every memo of the front end that takes an argument, before the engine is built anew.

    Constants (memos of functions without parameters) and tables of Unicode depend on no schema and are kept;
    so is what building an engine puts into the memos, as it does so after they have been emptied.
    """
    for name, module in list(sys.modules.items()):
        if name.startswith("gramspec.grammar") and not name.endswith(".unicode"):
            for value in list(vars(module).values()):
                if hasattr(value, "cache_clear") and inspect.signature(value).parameters:
                    value.cache_clear()


def make(
    table: TokenTable,
    clock: Callable[[], float],
    *,
    order: Order = "any",
    formats: Formats = "annotate",
    cold: bool = True,
) -> Engine:
    """gramspec on a token table."""
    return Ours(table, clock, order, formats, cold)
