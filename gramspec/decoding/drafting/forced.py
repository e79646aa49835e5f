"""`ForcedDrafter`: runs of bytes that the grammar forces, in the segmentations a model is likely to write.

Law: fixed branches; the grammar knows the bytes to come, not how the target cuts them into tokens.
Cost: one forced run per node, remembered by state; one count of the row that says what may follow.
Source: laws, "match"; API, `Matcher.forced_bytes`.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np

from gramspec.decoding.drafting.segmentation import Segmenter
from gramspec.decoding.drafting.sources import NOTHING, Growth, SourceDrafter, Suggestion, state_class
from gramspec.decoding.kernel import Node
from gramspec.vocabulary import Vocabulary

_REMEMBERED = 65536  # states


class ForcedDrafter(SourceDrafter):
    """Drafts what must come.

    Parameters
    ----------
    vocabulary : Vocabulary
        Token bytes.
    segmenter : Segmenter, optional
        Shared with other drafters.
    growth, least
        As for `SourceDrafter`.
    """

    name = "forced"

    def __init__(
        self,
        vocabulary: Vocabulary,
        *,
        segmenter: Segmenter | None = None,
        growth: Growth = "best",
        least: float = 1e-4,
    ) -> None:
        super().__init__(growth=growth, least=least)
        self._eos = frozenset(vocabulary.eos_ids)
        self._most = max(1, len(self._eos))
        self._segmenter = segmenter if segmenter is not None else Segmenter(vocabulary)
        self._runs: dict[Hashable, bytes] = {}

    def suggest(self, node: Node) -> Suggestion:
        """Tokens that begin the forced run at a node; a token, or the EOS ids, that alone can follow."""
        run = self._run(node)
        if run:
            return Suggestion(self._segmenter.first(run), 1)
        factors = node.children
        if factors is not None and int(np.count_nonzero(factors)) <= self._most:
            ids = np.flatnonzero(factors).tolist()  # one token, or the EOS ids
            if len(ids) == 1 or self._eos.issuperset(ids):
                return Suggestion([(token, 1.0 / len(ids)) for token in ids], 2)
        return NOTHING

    def _run(self, node: Node) -> bytes:
        key = state_class(node)
        if key is None:
            return forced_run(node.matcher)
        run = self._runs.get(key)
        if run is None:
            run = forced_run(node.matcher)
            if len(self._runs) >= _REMEMBERED:
                self._runs.clear()
            self._runs[key] = run
        return run


def forced_run(matcher: Any) -> bytes:
    """The bytes that must come next; empty for a matcher that cannot tell.

    Parameters
    ----------
    matcher : Matcher
        Grammar state.
    """
    forced = getattr(matcher, "forced_bytes", None)
    return bytes(forced()) if forced is not None else b""
