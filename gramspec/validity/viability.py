"""`Viability`: 1 where some completion within the budget may exist, else 0.

Law: contract S; budget-aware through a lower bound on the tokens to an ending, so no member is lost.
Source: laws, "Potentials, weakest to strongest".
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gramspec.validity.protocol import CompiledLanguage, Contract, GrammarState


class Viability:
    """The weakest potential with contract S: the indicator of viable prefixes.

    Parameters
    ----------
    compiled : CompiledGrammar
        The language and its vocabulary.
    """

    name = "viability"
    contract: Contract = "S"
    grows_with_budget = True  # what ends within a budget ends within a larger one

    def __init__(self, compiled: CompiledLanguage) -> None:
        self.compiled = compiled
        self._eos = np.asarray(sorted(compiled.vocabulary.eos_ids), dtype=np.int64)

    def log_h(self, state: GrammarState, prefix: Sequence[int], budget: int) -> float:
        """0.0 where an ending within `budget` tokens may exist, else -inf.

        Parameters
        ----------
        state : Matcher
            The grammar state after `prefix`.
        prefix : sequence of int
            Generated tokens so far.
        budget : int
            Tokens that may still come, EOS included.
        """
        if state.is_finished:
            return 0.0
        return 0.0 if state.min_tokens() <= budget else -np.inf

    def h_children(self, state: GrammarState, prefix: Sequence[int], budget: int) -> NDArray[np.float64]:
        """1.0 for each token after which an ending within the budget may exist; float64 [V]."""
        h = state.viable(budget, exact=False).astype(np.float64)
        if budget <= 1:  # the last token of the budget can only be an EOS
            last = np.zeros_like(h)
            last[self._eos] = h[self._eos]
            return last
        return h

    def __repr__(self) -> str:
        return "Viability()"
