"""outlines-core behind the common face: schema to regular expression to an index of the whole vocabulary.

Law: white space is its default (one blank where JSON allows any), recursion three levels deep, as by default.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import outlines_core
from numpy.typing import NDArray
from outlines_core.json_schema import build_regex_from_schema

from benchmarks.engines import Engine, RefusedError, Text
from benchmarks.measure.tokens import TokenTable


class TheirText:
    def __init__(self, guide: Any) -> None:
        self.guide = guide

    def fill(self, array: NDArray[np.int32]) -> None:
        self.guide.write_mask_into(array.ctypes.data, array.size, array.itemsize)

    def commit(self, token: int) -> bool:
        try:
            self.guide.advance(token, False)  # False: no list of the next tokens
        except ValueError:
            return False
        return True

    def accepting(self) -> bool:
        return bool(self.guide.is_finished())


class OutlinesCore:
    def __init__(self, table: TokenTable, clock: Callable[[], float]) -> None:
        begun = clock()
        self.vocabulary = outlines_core.Vocabulary(table.eos, {t: [i] for t, i in table.ranks().items()})
        self.setup = {"Vocabulary": clock() - begun}

    def before(self) -> None:
        pass

    def compile(self, text: str) -> tuple[Text, Callable[[], Text]]:
        try:
            index = outlines_core.Index(build_regex_from_schema(text), self.vocabulary)
        except (ValueError, TypeError, RuntimeError) as error:
            raise RefusedError(str(error).splitlines()[0]) from None
        return TheirText(outlines_core.Guide(index)), lambda: TheirText(outlines_core.Guide(index))

    def parts(self) -> dict[str, float]:
        return {}


def make(table: TokenTable, clock: Callable[[], float]) -> Engine:
    """outlines-core on a token table."""
    return OutlinesCore(table, clock)
