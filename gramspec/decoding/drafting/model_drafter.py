"""`ModelDrafter`: a small language model drafts a chain.

Law: q(v|x) ∝ p_draft(v|x)·h(xv), p_draft after the same temperature, top-k and top-p as the target.
Cost: one draft forward per drafted token. Source: laws, "Verification rules" and trap 2.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gramspec.decoding.drafting.align import align
from gramspec.decoding.drafting.tree import DraftPlan, DraftTree
from gramspec.decoding.kernel import Node, StepLaw, child_node
from gramspec.decoding.random import RandomSource
from gramspec.decoding.rows import RowLaw, fit_width
from gramspec.models.protocol import LanguageModel


class ModelDrafter:
    """Drafts with a language model over the target's vocabulary.

    Parameters
    ----------
    model : LanguageModel
        The draft model.
    prompt : sequence of int
        Prompt ids, as the target gets them.
    rows : RowLaw
        The row law of the target.
    """

    def __init__(self, model: LanguageModel, prompt: Sequence[int], rows: RowLaw) -> None:
        self.model = model
        self._rows = rows
        self._sequence = model.open(prompt)
        self._prompt_length = len(self._sequence.tokens)  # an empty prompt may have become a BOS token

    def propose(self, law: StepLaw, node: Node, plan: DraftPlan, random: RandomSource) -> DraftTree:
        """Draft until the planned length, an EOS id, or a prefix where the draft sees no viable token."""
        align(self._sequence, self._prompt_length, node.prefix)
        tokens: list[int] = []
        rows: list[NDArray[np.float64]] = []
        nodes = [node]
        for i in range(plan.length):
            row = fit_width(self._rows.row(self._sequence.score()[0], node.prefix), law.width)
            q = row * law.children(node)
            total = float(q.sum())
            if not total > 0.0:  # decided before anything is drawn, so nothing drawn is dropped
                break
            q /= total
            token = random.choose(q)
            tokens.append(token)
            rows.append(q)
            if token in law.eos_ids:
                break
            node = child_node(law, node, token)
            nodes.append(node)
            if i + 1 < plan.length:
                self._sequence.commit([token])
        return DraftTree.chain(tokens, rows, nodes)
