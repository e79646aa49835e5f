"""llguidance behind the common face: its native byte-pair encoder over the same tokens, its default slices.

Law: it keeps nothing between schemas; texts beyond the first are copies of the first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import llguidance
import numpy as np
from llguidance.numpy import fill_next_token_bitmask
from numpy.typing import NDArray

from benchmarks.engines import Engine, RefusedError, Text
from benchmarks.measure.tokens import TokenTable


class TheirText:
    def __init__(self, matcher: Any) -> None:
        self.matcher = matcher
        self.commit: Callable[[int], bool] = matcher.consume_token

    def fill(self, array: NDArray[np.int32]) -> None:
        fill_next_token_bitmask(self.matcher, array)

    def accepting(self) -> bool:
        return bool(self.matcher.is_accepting())


class Llguidance:
    def __init__(self, table: TokenTable, clock: Callable[[], float]) -> None:
        begun = clock()
        specials = {f"<{name.strip('[]<>')}>": i for name, i in table.specials.items()}  # it knows no [NAME]
        self.tokenizer = llguidance.LLTokenizer.from_tiktoken(  # type: ignore[attr-defined]
            encoder=table.ranks(),
            special_tokens=specials,
            pattern=table.pattern,
            eos_token=table.eos,
            n_vocab=len(table),
        )
        self.setup = {"LLTokenizer with slices": clock() - begun}

    def before(self) -> None:
        pass

    def compile(self, text: str) -> tuple[Text, Callable[[], Text]]:
        try:
            grammar = llguidance.LLMatcher.grammar_from_json_schema(text)
        except ValueError as error:
            raise RefusedError(str(error).splitlines()[0]) from None
        matcher = llguidance.LLMatcher(self.tokenizer, grammar, log_level=0)
        if matcher.is_error():
            raise RefusedError(matcher.get_error().splitlines()[0])
        return TheirText(matcher), lambda: TheirText(matcher.deep_copy())

    def parts(self) -> dict[str, float]:
        return {}


def make(table: TokenTable, clock: Callable[[], float]) -> Engine:
    """llguidance on a token table."""
    return Llguidance(table, clock)
