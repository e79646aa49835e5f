"""xgrammar behind the common face: any white space, open objects as in JSON Schema, one thread, no cache.

Law: keys come in the order of the schema; its `any_order` checks neither required nor repeated keys.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import xgrammar
from numpy.typing import NDArray

from benchmarks.engines import Engine, RefusedError, Text
from benchmarks.measure.tokens import TokenTable


class TheirText:
    def __init__(self, matcher: Any) -> None:
        self.matcher = matcher
        self.commit: Callable[[int], bool] = matcher.accept_token
        self.fill: Callable[[NDArray[np.int32]], object] = matcher.fill_next_token_bitmask

    def accepting(self) -> bool:
        return bool(self.matcher.is_completed())


class Xgrammar:
    def __init__(self, table: TokenTable, clock: Callable[[], float]) -> None:
        begun = clock()
        info = xgrammar.TokenizerInfo(
            [token or b"" for token in table.tokens],
            xgrammar.VocabType.RAW,
            vocab_size=len(table),
            stop_token_ids=[table.eos],
        )
        self.compiler = xgrammar.GrammarCompiler(info, max_threads=1, cache_enabled=False)
        self.setup = {"TokenizerInfo, GrammarCompiler": clock() - begun}

    def before(self) -> None:
        pass

    def compile(self, text: str) -> tuple[Text, Callable[[], Text]]:
        try:
            compiled = self.compiler.compile_json_schema(text, any_whitespace=True, strict_mode=False)
        except RuntimeError as error:
            reason = str(error).splitlines()[0]
            raise RefusedError(reason.split("] ", 1)[-1]) from None  # without time and place in its source
        return TheirText(xgrammar.GrammarMatcher(compiled)), lambda: TheirText(
            xgrammar.GrammarMatcher(compiled)
        )

    def parts(self) -> dict[str, float]:
        return {}


def make(table: TokenTable, clock: Callable[[], float]) -> Engine:
    """xgrammar on a token table."""
    return Xgrammar(table, clock)
