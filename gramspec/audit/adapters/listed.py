"""The reference under Transformers: masks read off the listed texts of a world, a function of the prefix.

Law: local masking by the world's members. Cost: a look-up per row. Source: `law_worlds`; asks no engine.
"""

from __future__ import annotations

from typing import Any

import torch

from gramspec.audit.adapters.transformers_decoder import ProcessorDecoder
from gramspec.audit.law_worlds import LawWorld
from gramspec.audit.named_laws import Trie, forced_mask


class ListedMask:
    """A logits processor over the members of a world.

    Parameters
    ----------
    world : LawWorld
        Whose prompt is the prompt of the call.
    forced : bool
        Whether forced texts have their canonical tokens only.
    """

    def __init__(self, world: LawWorld, forced: bool) -> None:
        self._trie = Trie(world.members, len(world.tokenizer))
        self._mask = forced_mask(world)(self._trie) if forced else self._trie.mask
        self._begin = len(world.prompt_ids)

    def __deepcopy__(self, memo: dict[int, Any]) -> ListedMask:
        """It has no state."""
        return self

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Scores with -inf wherever no listed text goes on."""
        rows = [self._mask(tuple(ids[self._begin :])) > 0.0 for ids in input_ids.tolist()]
        return torch.stack(
            [
                row.masked_fill(~torch.from_numpy(mask), -torch.inf)
                for row, mask in zip(scores, rows, strict=True)
            ]
        )


class ListedDecoder(ProcessorDecoder):
    """`model.generate` with a `ListedMask`; for prompts of one row."""

    def __init__(self, *, forced: bool = False) -> None:
        super().__init__(_none, name="listed")
        self._forced = forced

    def processor(self, world: LawWorld) -> ListedMask:
        """The mask of a world."""
        return ListedMask(world, self._forced)


def _none(tokenizer: Any, kind: str, grammar: str) -> Any:
    raise NotImplementedError
