"""`OneStep`: the valid mass one token further.

Law: contract W from the current row, h(xv) = max(floor, Σ_u p(u|x)·1[xvu viable]); contract S from xv's own
row, h(xv) = Σ_u p(u|xv)·1[xvu viable]. Nothing is fitted.
Cost: W: the row at x, asked for before x is drafted from, and one mask and one dot product of length V for
each distinct state among the `max_tokens` most probable tokens. S: also one forward over their tree.
Source: laws, "OneStep"; arXiv 2605.07698 (as described there).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gramspec.errors import OptionError
from gramspec.models.protocol import LanguageModel
from gramspec.validity.graded import GradedPotential, check_number, fill_rest, likeliest, successors
from gramspec.validity.protocol import CompiledLanguage, Contract
from gramspec.validity.reading import RowFunction, RowReader, softmax


class OneStep(GradedPotential):
    """One step of look-ahead, for one prompt.

    Parameters
    ----------
    compiled : CompiledGrammar
        The language and its vocabulary.
    model : LanguageModel
        Whose rows are read. Under contract W any model over the vocabulary will do: the draft model
        gives a potential that costs no target row. A `MemoModel` that decoding uses too pays no row twice.
    prompt : sequence of int
        Prompt ids.
    own_row : bool
        False: contract W, from the row at x. True: contract S, from the row at xv.
    row : callable, optional
        From logits to probabilities. Under contract W a row that is not truncated (default: softmax at
        temperature 1); under contract S, where it must be given, the law itself: `RowLaw(...).row`, with the
        target as `model`.
    max_tokens : int, optional
        Tokens after which h is evaluated, the most probable ones first. Default: 256 for W, 16 for S.
    floor : float
        Least h on viable prefixes under contract W. The row at x says little of what follows v where the two
        are peaked at different tokens; the floor bounds what such a mistake costs.
    memo_bytes : int
        Bytes of remembered children.

    Notes
    -----
    Tokens beyond `max_tokens` get a value that needs no evaluation: under contract S that of `Viability`, 1,
    which is the only one known to be above; under contract W the mean of the evaluated ones, weighted by p,
    since a tail at 1 beside small values would draw the proposal to it.
    """

    def __init__(
        self,
        compiled: CompiledLanguage,
        model: LanguageModel,
        prompt: Sequence[int] = (),
        *,
        own_row: bool = False,
        row: RowFunction | None = None,
        max_tokens: int | None = None,
        floor: float = 0.05,
        memo_bytes: int = 1 << 26,
    ) -> None:
        if max_tokens is None:
            max_tokens = 16 if own_row else 256
        check_number("max_tokens", max_tokens, 0)
        check_number("floor", floor, 0, 1, open_low=True)
        if own_row and row is None:
            raise OptionError(
                "row: OneStep with own_row=True keeps contract S for the law that is sampled; give it"
                "\n  hint: pass row=RowLaw(temperature, top_k, top_p).row, and the target as model"
            )
        super().__init__(compiled, floor=0.0 if own_row else float(floor), memo_bytes=memo_bytes)
        self.own_row = own_row
        self.max_tokens = int(max_tokens)
        self.contract: Contract = "S" if own_row else "W"
        self._rows = RowReader(model, prompt, row if row is not None else softmax)
        self.bound = self._rows.bound if own_row else None
        kind = "own row" if own_row else f"floor {floor:g}"
        self.name = f"one-step({kind}, {self.max_tokens} tokens, {model.fingerprint[:16]})"

    def _root(self, state: Any, budget: int) -> float:
        return self._mass(self._rows.row(()), state, (), budget)

    def _interior(
        self, state: Any, prefix: tuple[int, ...], budget: int, tokens: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        p = self._rows.row(prefix)
        order = likeliest(tokens, p, self.max_tokens)
        h = np.ones(len(self.compiled.vocabulary))
        if self.own_row:
            for token, below in zip(order.tolist(), self._rows.below(prefix, order.tolist()), strict=True):
                after = state.fork()
                after.advance(token)
                h[token] = self._mass(below, after, (*prefix, token), budget - 1)
            return h[tokens]
        for group in successors(state, prefix, order.tolist()):
            child = (*prefix, int(group.tokens[0]))
            h[group.tokens] = self._mass(p, group.state, child, budget - 1)
        fill_rest(h, p, order, 1.0)
        return h[tokens]

    def _mass(self, p: NDArray[np.float64], state: Any, prefix: Sequence[int], budget: int) -> float:
        viable = self._viability.h_children(state, prefix, budget)
        return float(p[: len(viable)] @ viable)
